//! Deterministic pseudo-randomness: the sandbox's only source of random-looking values.
//!
//! Storing millions of people would take too much memory, so everything about a person is computed
//! from a number and a seed, with the same result every time. Not for cryptography.

/// Scrambles 64 bits. Every output bit depends on every input bit.
pub(crate) fn mix(value: u64) -> u64 {
    let value = value.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let value = (value ^ (value >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let value = (value ^ (value >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    value ^ (value >> 31)
}

/// Derives a separate key for each purpose from one seed.
pub(crate) fn derive(seed: u64, purpose: &str) -> u64 {
    purpose.bytes().fold(mix(seed), |key, byte| mix(key ^ u64::from(byte)))
}

/// A keyed permutation of the numbers below a power of four: a Feistel network.
///
/// Numbers at or above that power map to themselves, so this is a bijection on all of `u64`.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Permutation {
    half_bits: u32,
    keys: [u64; 4],
}

impl Permutation {
    /// Creates a permutation that scrambles all of `u64`.
    pub(crate) fn of_all(key: u64) -> Self {
        Self::with_half_bits(32, key)
    }

    /// Creates a permutation that scrambles at least the numbers below `size`.
    pub(crate) fn covering(size: u64, key: u64) -> Self {
        let bits = u64::BITS - size.max(1).leading_zeros();
        Self::with_half_bits(bits.div_ceil(2), key)
    }

    fn with_half_bits(half_bits: u32, key: u64) -> Self {
        let keys = [1, 2, 3, 4].map(|round| mix(key ^ mix(round)));
        Self { half_bits, keys }
    }

    /// Returns the first number that is not scrambled.
    pub(crate) fn size(&self) -> u64 {
        1u64.checked_shl(2 * self.half_bits).unwrap_or(u64::MAX)
    }

    /// Maps `number` to its image.
    pub(crate) fn forward(&self, number: u64) -> u64 {
        self.rounds(number, self.keys.iter())
    }

    /// Returns the number that [`forward`](Self::forward) maps to `number`.
    pub(crate) fn backward(&self, number: u64) -> u64 {
        self.rounds(number, self.keys.iter().rev())
    }

    /// Runs the Feistel rounds. The halves are swapped at the end, so that the same network with the keys
    /// reversed is the inverse.
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
    fn a_permutation_is_reversible() {
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
