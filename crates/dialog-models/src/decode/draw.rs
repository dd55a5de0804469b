//! Random numbers that follow from what they are for.

/// A number in [0, 1) for a token of a candidate: the same on any machine and number of threads,
/// whatever was drawn before.
pub(super) fn uniform(seed: u64, candidate: usize, token: usize) -> f64 {
    let mut state = 0;
    for part in [seed, candidate as u64, token as u64] {
        state = mix(state ^ part);
    }
    // The upper 53 bits.
    (state >> 11) as f64 / (1u64 << 53) as f64
}

/// The next number and the finaliser of SplitMix64 (Steele, Lea, Flood 2014).
fn mix(z: u64) -> u64 {
    let z = z.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_spread_evenly_and_differ_in_every_part_of_their_key() {
        let mut tenths = [0; 10];
        for candidate in 0..100 {
            for token in 0..100 {
                tenths[(uniform(7, candidate, token) * 10.0) as usize] += 1;
            }
        }
        // 1,000 each, with a deviation of 30.
        assert!(tenths.iter().all(|&n| (850..1150).contains(&n)), "{tenths:?}");
        let one = uniform(7, 1, 2);
        for other in [uniform(8, 1, 2), uniform(7, 2, 1), uniform(7, 1, 3), uniform(7, 0, 2)] {
            assert_ne!(one, other);
        }
        assert_eq!(one, uniform(7, 1, 2));
    }
}
