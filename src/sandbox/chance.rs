//! Chance by key: the sandbox's only source of things that look random.
//!
//! A world of millions must not be kept, so everything about a person is computed from a number
//! and a seed, each time alike. Good enough to look random; not cryptography.

/// Scrambles 64 bits; every output bit depends on every input bit.
pub(crate) fn mix(value: u64) -> u64 {
    let value = value.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let value = (value ^ (value >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let value = (value ^ (value >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    value ^ (value >> 31)
}

/// A key of its own for each purpose, out of one seed.
pub(crate) fn derive(seed: u64, purpose: &str) -> u64 {
    purpose.bytes().fold(mix(seed), |key, byte| mix(key ^ u64::from(byte)))
}

/// A keyed bijection of the numbers below a power of four: a Feistel network.
///
/// Numbers at or above that power stand for themselves, so it is a bijection of all of `u64`.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Permutation {
    half_bits: u32,
    keys: [u64; 4],
}

impl Permutation {
    /// A bijection of all of `u64`.
    pub(crate) fn of_all(key: u64) -> Self {
        Self::with_half_bits(32, key)
    }

    /// A bijection that scrambles at least the numbers below `size`.
    pub(crate) fn covering(size: u64, key: u64) -> Self {
        let bits = u64::BITS - size.max(1).leading_zeros();
        Self::with_half_bits(bits.div_ceil(2), key)
    }

    fn with_half_bits(half_bits: u32, key: u64) -> Self {
        let keys = [1, 2, 3, 4].map(|round| mix(key ^ mix(round)));
        Self { half_bits, keys }
    }

    /// Up to here numbers are scrambled; from here on they stand for themselves.
    pub(crate) fn size(&self) -> u64 {
        1u64.checked_shl(2 * self.half_bits).unwrap_or(u64::MAX)
    }

    /// Where `number` goes.
    pub(crate) fn forward(&self, number: u64) -> u64 {
        self.rounds(number, self.keys.iter())
    }

    /// What went to `number`.
    pub(crate) fn backward(&self, number: u64) -> u64 {
        self.rounds(number, self.keys.iter().rev())
    }

    /// The halves trade places at the end, which makes the network its own inverse with the keys
    /// reversed.
    fn rounds<'a>(&self, number: u64, keys: impl Iterator<Item = &'a u64>) -> u64 {
        if self.half_bits < 32 && number >= self.size() {
            return number;
        }
        let mask = (1u64 << self.half_bits) - 1;
        let (mut left, mut right) = (number >> self.half_bits, number & mask);
        for key in keys {
            (left, right) = (right, left ^ (mix(right ^ key) & mask));
        }
        (right << self.half_bits) | left
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn every_number_comes_back() {
        for permutation in [Permutation::of_all(7), Permutation::covering(1000, 7)] {
            for number in (0..2000).chain([u64::MAX, u64::MAX - 1, 1 << 32]) {
                assert_eq!(permutation.backward(permutation.forward(number)), number);
            }
        }
    }

    #[test]
    fn a_covering_permutation_stays_within_its_size() {
        let permutation = Permutation::covering(1000, 3);
        let images: HashSet<u64> =
            (0..permutation.size()).map(|n| permutation.forward(n)).collect();
        assert_eq!(images.len() as u64, permutation.size());
        assert!(images.iter().all(|image| *image < permutation.size()));
        assert!(permutation.size() > 1000);
    }
}
