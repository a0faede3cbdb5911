//! The random stream of numpy's `RandomState`, bit for bit.
//!
//! A data set or a split that was made in Python with `random_state=42` is made here again from the same seed, so that
//! a job can move from one language to the other and keep its rows. numpy froze this stream for good (NEP 19), which no
//! Rust generator of today promises: a `rand` release may change what a seed means.
//!
//! Generator: MT19937, Matsumoto & Nishimura, *ACM TOMACS* 8(1), 1998, with the 2002 initialisation `init_genrand`.
//! Normal variates: the polar method, Marsaglia & Bray, *SIAM Review* 6(3), 1964.

/// Length of the generator's state in words.
const N: usize = 624;
/// Distance of the word that is mixed in.
const M: usize = 397;

/// A generator that answers as `numpy.random.RandomState(seed)` does.
///
/// Uniform numbers and permutations are equal to numpy's to the bit on every platform; normal variates as far as the
/// platform's `ln` rounds as numpy's does (equal on glibc, else at most one unit in the last place off).
///
/// ```
/// use martello_trainer::RandomState;
///
/// let mut random = RandomState::new(42);
/// assert_eq!(random.permutation(10), [8, 1, 5, 0, 7, 2, 9, 4, 3, 6]); // np.random.RandomState(42).permutation(10)
/// ```
#[derive(Debug, Clone)]
pub struct RandomState {
    words: Box<[u32; N]>,
    next: usize,
    /// The polar method makes two variates at a time; the second waits here.
    spare_normal: Option<f64>,
}

impl RandomState {
    /// Starts the stream of `seed`.
    pub fn new(seed: u32) -> Self {
        let mut words = Box::new([0; N]);
        words[0] = seed;
        for i in 1..N {
            let previous = words[i - 1];
            words[i] = 1_812_433_253_u32.wrapping_mul(previous ^ (previous >> 30)).wrapping_add(i as u32);
        }
        Self { words, next: N, spare_normal: None }
    }

    /// Returns the next 32 random bits.
    pub fn next_u32(&mut self) -> u32 {
        if self.next == N {
            self.refill();
        }
        let mut word = self.words[self.next];
        self.next += 1;
        word ^= word >> 11;
        word ^= (word << 7) & 0x9d2c_5680;
        word ^= (word << 15) & 0xefc6_0000;
        word ^ (word >> 18)
    }

    /// Returns a number uniform in `[0, 1)` with 53 random bits.
    pub fn uniform(&mut self) -> f64 {
        let high = f64::from(self.next_u32() >> 5);
        let low = f64::from(self.next_u32() >> 6);
        (high * 67_108_864.0 + low) / 9_007_199_254_740_992.0
    }

    /// Returns a standard normal variate.
    pub fn normal(&mut self) -> f64 {
        if let Some(spare) = self.spare_normal.take() {
            return spare;
        }
        loop {
            let x = 2.0 * self.uniform() - 1.0;
            let y = 2.0 * self.uniform() - 1.0;
            let square = x * x + y * y;
            if square < 1.0 && square != 0.0 {
                let factor = (-2.0 * square.ln() / square).sqrt();
                self.spare_normal = Some(factor * x);
                return factor * y;
            }
        }
    }

    /// Shuffles in place (Fisher–Yates from the end).
    ///
    /// # Panics
    /// If there are more than 2³² items.
    pub fn shuffle<T>(&mut self, items: &mut [T]) {
        for i in (1..items.len()).rev() {
            let last = u32::try_from(i).expect("fewer than 2^32 items are shuffled");
            items.swap(i, self.at_most(last) as usize);
        }
    }

    /// Returns `0..n` in random order.
    pub fn permutation(&mut self, n: usize) -> Vec<usize> {
        let mut order: Vec<usize> = (0..n).collect();
        self.shuffle(&mut order);
        order
    }

    /// Returns an integer uniform in `0..=max`: random bits under the smallest mask, drawn again while too large.
    fn at_most(&mut self, max: u32) -> u32 {
        let mask = u32::MAX.checked_shr(max.leading_zeros()).unwrap_or(0);
        loop {
            let value = self.next_u32() & mask;
            if value <= max {
                return value;
            }
        }
    }

    fn refill(&mut self) {
        for i in 0..N {
            let mixed = (self.words[i] & 0x8000_0000) | (self.words[(i + 1) % N] & 0x7fff_ffff);
            let twist = if mixed & 1 == 1 { 0x9908_b0df } else { 0 };
            self.words[i] = self.words[(i + M) % N] ^ (mixed >> 1) ^ twist;
        }
        self.next = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // Expected values: numpy 2.4.6, np.random.RandomState(seed).

    #[test]
    fn bits_are_those_of_numpy() {
        let mut random = RandomState::new(42);
        let drawn: Vec<u32> = (0..3).map(|_| random.next_u32()).collect();
        assert_eq!(drawn, [1_608_637_542, 3_421_126_067, 4_083_286_876]);
    }

    #[test]
    fn uniform_numbers_are_those_of_numpy() {
        let mut random = RandomState::new(42);
        assert_eq!([random.uniform(), random.uniform()], [0.374_540_118_847_362_5, 0.950_714_306_409_916_2]);
    }

    #[test]
    fn normal_variates_are_those_of_numpy() {
        let mut random = RandomState::new(42);
        let expected = [0.496_714_153_011_232_7, -0.138_264_301_171_184_66, 0.647_688_538_100_692_5];
        for expected in expected {
            assert!((random.normal() - expected).abs() <= f64::EPSILON * expected.abs());
        }
    }

    #[test]
    fn permutations_are_those_of_numpy() {
        assert_eq!(RandomState::new(42).permutation(10), [8, 1, 5, 0, 7, 2, 9, 4, 3, 6]);
        assert_eq!(RandomState::new(0).permutation(10), [2, 8, 4, 9, 1, 6, 7, 3, 0, 5]);
    }

    #[test]
    fn a_permutation_of_nothing_or_of_one_draws_nothing() {
        let mut random = RandomState::new(42);
        assert!(random.permutation(0).is_empty());
        assert_eq!(random.permutation(1), [0]);
        assert_eq!(random.next_u32(), 1_608_637_542);
    }
}
