//! A set of small numbers: which of the client's writes a copy of the data holds.

/// The set.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Bits(Vec<u64>);

impl Bits {
    pub(crate) fn insert(&mut self, number: u32) {
        let word = (number / 64) as usize;
        if self.0.len() <= word {
            self.0.resize(word + 1, 0);
        }
        self.0[word] |= 1 << (number % 64);
    }

    pub(crate) fn contains(&self, number: u32) -> bool {
        self.0.get((number / 64) as usize).is_some_and(|word| word >> (number % 64) & 1 == 1)
    }

    /// How many numbers there are.
    pub(crate) fn count(&self) -> u64 {
        self.0.iter().map(|word| u64::from(word.count_ones())).sum()
    }

    /// The numbers of this set that are not in `other`.
    pub(crate) fn minus<'a>(&'a self, other: &'a Self) -> impl Iterator<Item = u32> + 'a {
        let word = move |i: usize| self.0[i] & !other.0.get(i).copied().unwrap_or(0);
        (0..self.0.len()).filter(move |i| word(*i) != 0).flat_map(move |i| {
            let bits = word(i);
            (0..64).filter(move |b| bits >> b & 1 == 1).map(move |b| u32::try_from(i * 64).unwrap_or(u32::MAX) + b)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tells_what_the_other_lacks() {
        let (mut all, mut some) = (Bits::default(), Bits::default());
        for n in [0, 1, 63, 64, 200] {
            all.insert(n);
        }
        some.insert(1);
        some.insert(64);
        assert_eq!(all.minus(&some).collect::<Vec<_>>(), [0, 63, 200]);
        assert_eq!(some.minus(&all).count(), 0);
        assert_eq!((all.count(), some.count(), Bits::default().count()), (5, 2, 0));
        assert!(all.contains(200) && !all.contains(199) && !all.contains(5000));
    }
}
