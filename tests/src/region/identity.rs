//! Ids that look like the real ones and depend only on the seed and their number.

use std::fmt::Write as _;

use quorate_core::ids::InstanceId;

/// The next ids to give out.
#[derive(Debug)]
pub(super) struct Identities {
    seed: u64,
    count: u64,
}

impl Identities {
    pub(super) fn new(seed: u64) -> Self {
        Self { seed, count: 0 }
    }

    /// Ids in no order, as in EC2: nothing may rely on a later instance having a greater id.
    pub(super) fn instance(&mut self) -> InstanceId {
        let mut text = String::with_capacity(19);
        let _ = write!(text, "i-0{:016x}", self.next());
        InstanceId::new(&text)
    }

    pub(super) fn token(&mut self) -> Token {
        Token(self.next(), self.next())
    }

    /// The last part of a target group's ARN.
    pub(super) fn target_group(&mut self) -> String {
        format!("{:016x}", self.next())
    }

    fn next(&mut self) -> u64 {
        self.count += 1;
        mix(self.seed.wrapping_add(self.count.wrapping_mul(0x9e37_79b9_7f4a_7c15)))
    }
}

/// The finaliser of splitmix64, a bijection: two counts never give one id.
fn mix(mut value: u64) -> u64 {
    value = (value ^ (value >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    value = (value ^ (value >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    value ^ (value >> 31)
}

/// A lifecycle action token; printed in the form of a UUID.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Token(u64, u64);

impl std::fmt::Display for Token {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (high, low) = (self.0, self.1);
        write!(
            f,
            "{:08x}-{:04x}-4{:03x}-a{:03x}-{:012x}",
            high >> 32,
            (high >> 16) & 0xffff,
            high & 0xfff,
            low >> 52,
            low & 0xffff_ffff_ffff
        )
    }
}
