//! The generated images of the golden files, and the hash by which outputs are compared (see
//! `xtask/peers/golden_augment.py`).

use augment::Image;

/// Noise, a narrow band of values, a slope, or few values, by `seed % 4`.
pub(crate) fn picture(width: usize, height: usize, channels: usize, seed: u64) -> Image {
    let mut state = seed;
    let pixels = (0..width * height * channels).map(|i| {
        state = state.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
        let byte = (state >> 56) as usize;
        let (x, y) = (i / channels % width, i / channels / width);
        match seed % 4 {
            0 => byte as u8,
            1 => (100 + byte % 40) as u8,
            2 => ((7 * x + 11 * y + byte / 8) % 256) as u8,
            _ => [60, 190][usize::from(byte >= 200)],
        }
    });
    Image::new(width, height, channels, pixels.collect())
}

/// FNV-1a over all bytes.
pub(crate) fn hash(image: &Image) -> u64 {
    image.pixels().iter().fold(0xcbf2_9ce4_8422_2325, |value, &byte| {
        (value ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    })
}

/// The generator of [`picture`] as numbers from 0 to 1.
pub(crate) struct Lcg(pub(crate) u64);

impl Lcg {
    pub(crate) fn unit(&mut self) -> f64 {
        self.0 = self.0.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
        (self.0 >> 11) as f64 * (1.0 / (1u64 << 53) as f64)
    }

    /// From -1 to 1.
    pub(crate) fn signed(&mut self) -> f64 {
        2.0 * self.unit() - 1.0
    }
}
