//! A small keyed random generator whose numbers never change between versions.
//!
//! Every random choice on the host is a pure function of a [`Key`]: (seed, epoch, index, view). So
//! any number of worker threads draws the same numbers, and a run resumes without a saved
//! generator.

/// What a random choice is keyed by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Key {
    /// The seed of the run.
    pub seed: u64,
    /// How often the sample has been seen before.
    pub epoch: u64,
    /// The index of the sample in its data set.
    pub index: u64,
    /// Which view of the sample is made (0 for the first); other uses of a key take numbers from
    /// 1000 upwards.
    pub view: u64,
}

impl Key {
    /// A generator for this key. Different keys give independent streams.
    ///
    /// ```
    /// use augment::rng::Key;
    /// let key = Key { seed: 1, epoch: 0, index: 7, view: 0 };
    /// assert_eq!(key.rng().next_u64(), key.rng().next_u64());
    /// assert_ne!(key.rng().next_u64(), Key { view: 1, ..key }.rng().next_u64());
    /// ```
    pub fn rng(self) -> Rng {
        let mut state = 0;
        for part in [self.seed, self.epoch, self.index, self.view] {
            state = mix(state ^ part).wrapping_add(GOLDEN);
        }
        Rng::new(state)
    }
}

const GOLDEN: u64 = 0x9e37_79b9_7f4a_7c15;

/// The finaliser of SplitMix64.
fn mix(mut z: u64) -> u64 {
    z = z.wrapping_add(GOLDEN);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

/// xoshiro256++ (Blackman and Vigna, 2019), seeded by SplitMix64.
#[derive(Clone, Debug)]
pub struct Rng {
    state: [u64; 4],
}

impl Rng {
    /// A generator from one number.
    pub fn new(seed: u64) -> Self {
        let mut state = [0; 4];
        let mut z = seed;
        for word in &mut state {
            *word = mix(z);
            z = z.wrapping_add(GOLDEN);
        }
        Self { state }
    }

    /// 64 random bits.
    pub fn next_u64(&mut self) -> u64 {
        let s = &mut self.state;
        let result = s[0].wrapping_add(s[3]).rotate_left(23).wrapping_add(s[0]);
        let t = s[1] << 17;
        s[2] ^= s[0];
        s[3] ^= s[1];
        s[1] ^= s[2];
        s[0] ^= s[3];
        s[2] ^= t;
        s[3] = s[3].rotate_left(45);
        result
    }

    /// Uniform in `[0, 1)` with 53 bits.
    pub fn unit(&mut self) -> f64 {
        (self.next_u64() >> 11) as f64 * (1.0 / (1u64 << 53) as f64)
    }

    /// Uniform in `[low, high)`.
    pub fn range(&mut self, low: f64, high: f64) -> f64 {
        low + (high - low) * self.unit()
    }

    /// A whole number in `[0, n)`, without bias (Lemire, 2019). Panics if `n` is 0.
    pub fn below(&mut self, n: usize) -> usize {
        assert!(n > 0, "below(0): there is no number below 0");
        let n = n as u64;
        let threshold = n.wrapping_neg() % n;
        loop {
            let wide = u128::from(self.next_u64()) * u128::from(n);
            if wide as u64 >= threshold {
                return (wide >> 64) as usize;
            }
        }
    }

    /// True with probability `p`.
    pub fn chance(&mut self, p: f64) -> bool {
        self.unit() < p
    }

    /// A standard normal number (Box-Muller, the cosine half).
    pub fn normal(&mut self) -> f64 {
        let radius = (-2.0 * (1.0 - self.unit()).ln()).sqrt();
        radius * (std::f64::consts::TAU * self.unit()).cos()
    }

    /// A Poisson number of this mean. Panics on a negative or infinite mean.
    ///
    /// Small means by multiplying uniforms (Knuth), from 10 on by transformed rejection (Hoermann
    /// 1993, algorithm PTRS).
    pub fn poisson(&mut self, mean: f64) -> u64 {
        assert!(mean >= 0.0 && mean.is_finite(), "a Poisson mean of {mean}");
        if mean < 10.0 {
            let limit = (-mean).exp();
            let (mut count, mut product) = (0, self.unit());
            while product > limit {
                count += 1;
                product *= self.unit();
            }
            return count;
        }
        let log_mean = mean.ln();
        let b = 0.931 + 2.53 * mean.sqrt();
        let a = -0.059 + 0.02483 * b;
        let inverse_alpha = 1.1239 + 1.1328 / (b - 3.4);
        let safe = 0.9277 - 3.6224 / (b - 2.0);
        loop {
            let u = self.unit() - 0.5;
            let v = 1.0 - self.unit();
            let us = 0.5 - u.abs();
            let k = ((2.0 * a / us + b) * u + mean + 0.43).floor();
            if us >= 0.07 && v <= safe {
                return k as u64;
            }
            if k < 0.0 || (us < 0.013 && v > us) {
                continue;
            }
            let accept = k * log_mean - mean - log_factorial(k);
            if v.ln() + inverse_alpha.ln() - (a / (us * us) + b).ln() <= accept {
                return k as u64;
            }
        }
    }

    /// Shuffles in place (Fisher and Yates).
    pub fn shuffle<T>(&mut self, items: &mut [T]) {
        for i in (1..items.len()).rev() {
            items.swap(i, self.below(i + 1));
        }
    }
}

/// ln k! by Stirling's series, exact to 1e-10 from 10 on; below 10 the logarithms are summed.
fn log_factorial(k: f64) -> f64 {
    if k < 10.0 {
        return (2..=k as u32).map(|i| f64::from(i).ln()).sum();
    }
    let n = k + 1.0;
    let series = (1.0 / 12.0 - (1.0 / 360.0 - 1.0 / (1260.0 * n * n)) / (n * n)) / n;
    (n - 0.5) * n.ln() - n + 0.5 * std::f64::consts::TAU.ln() + series
}
