//! numpy's legacy generator `RandomState`, bit for bit, because published label splits were drawn
//! with it.
//!
//! Mersenne Twister MT19937 (Matsumoto and Nishimura, 1998) seeded by one 32-bit number, and the
//! masked rejection by which numpy draws bounded integers. numpy promises that this stream never
//! changes (NEP 19).

const N: usize = 624;
const M: usize = 397;

/// `numpy.random.RandomState(seed)`, as far as label splits need it.
///
/// ```
/// use data_pipeline::numpy_random::RandomState;
/// assert_eq!(RandomState::new(0).permutation(10), [2, 8, 4, 9, 1, 6, 7, 3, 0, 5]);
/// ```
#[derive(Clone)]
pub struct RandomState {
    state: [u32; N],
    next: usize,
}

impl RandomState {
    /// The generator after `numpy.random.seed(seed)`.
    pub fn new(seed: u32) -> Self {
        let mut state = [seed; N];
        for i in 1..N {
            let before = state[i - 1];
            state[i] =
                1_812_433_253u32.wrapping_mul(before ^ (before >> 30)).wrapping_add(i as u32);
        }
        Self { state, next: N }
    }

    /// 32 random bits.
    pub fn next_u32(&mut self) -> u32 {
        if self.next == N {
            self.twist();
        }
        let mut y = self.state[self.next];
        self.next += 1;
        y ^= y >> 11;
        y ^= (y << 7) & 0x9d2c_5680;
        y ^= (y << 15) & 0xefc6_0000;
        y ^ (y >> 18)
    }

    fn twist(&mut self) {
        for i in 0..N {
            let y = (self.state[i] & 0x8000_0000) | (self.state[(i + 1) % N] & 0x7fff_ffff);
            let odd = if y & 1 == 1 { 0x9908_b0df } else { 0 };
            self.state[i] = self.state[(i + M) % N] ^ (y >> 1) ^ odd;
        }
        self.next = 0;
    }

    /// A whole number in `0..=max`.
    fn interval(&mut self, max: u32) -> u32 {
        if max == 0 {
            return 0;
        }
        let mask = u32::MAX >> max.leading_zeros();
        loop {
            let value = self.next_u32() & mask;
            if value <= max {
                return value;
            }
        }
    }

    /// `numpy.random.shuffle` of a one-dimensional array, in place.
    pub fn shuffle<T>(&mut self, items: &mut [T]) {
        for i in (1..items.len()).rev() {
            items.swap(i, self.interval(i as u32) as usize);
        }
    }

    /// `numpy.random.permutation(n)`.
    pub fn permutation(&mut self, n: u32) -> Vec<u32> {
        let mut items: Vec<u32> = (0..n).collect();
        self.shuffle(&mut items);
        items
    }

    /// `numpy.random.choice(items, count, replace=False)`. Panics if there are fewer items than
    /// `count`.
    pub fn choice<T: Copy>(&mut self, items: &[T], count: usize) -> Vec<T> {
        assert!(count <= items.len(), "{count} out of {} items", items.len());
        let order = self.permutation(items.len() as u32);
        order[..count].iter().map(|&i| items[i as usize]).collect()
    }
}
