//! CRC-32C (Castagnoli), with which etcd guards each record of its write-ahead log.

/// Continues `crc` over `bytes`, as Go's `crc32.Update` does.
pub(super) fn update(crc: u32, bytes: &[u8]) -> u32 {
    // The reversed Castagnoli polynomial. Bit by bit: a record's metadata has some twenty bytes.
    const POLYNOMIAL: u32 = 0x82f6_3b78;
    let mut crc = !crc;
    for byte in bytes {
        crc ^= u32::from(*byte);
        for _ in 0..8 {
            crc = if crc & 1 == 1 { (crc >> 1) ^ POLYNOMIAL } else { crc >> 1 };
        }
    }
    !crc
}

#[cfg(test)]
mod tests {
    use super::update;

    #[test]
    fn agrees_with_the_published_check_value() {
        assert_eq!(update(0, b"123456789"), 0xe306_9283);
        assert_eq!(update(update(0, b"1234"), b"56789"), 0xe306_9283);
    }
}
