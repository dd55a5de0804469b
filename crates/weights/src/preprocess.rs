//! What is done to an image before a published net sees it.

use serde::{Deserialize, Serialize};

/// How an image is brought to another size.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Interpolation {
    /// The nearest pixel.
    Nearest,
    /// Bilinear, widened when it shrinks, as Pillow does it.
    #[default]
    Bilinear,
    /// Bicubic, as Pillow does it.
    Bicubic,
    /// Lanczos of three lobes.
    Lanczos,
}

/// What is done to an image before a net sees it: the shorter side (with `squash`, both sides) is
/// brought to `size / crop` pixels, a square of `size` is cut from the middle, and each channel of
/// pixels in \[0, 1\] becomes (pixel − mean) / std.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Preprocess {
    /// The side of the square that the net sees, in pixels.
    pub size: u32,
    /// The square's share of the shorter side, in (0, 1\].
    pub crop: f64,
    /// Whether both sides are brought to the same length, whatever the shape of the image.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub squash: bool,
    /// How the image is brought to its size.
    pub interpolation: Interpolation,
    /// What is subtracted from each channel of pixels in \[0, 1\].
    pub mean: Vec<f64>,
    /// What the difference is divided by, for each channel.
    pub std: Vec<f64>,
}

impl Preprocess {
    /// The length in pixels to which the shorter side is brought before the cut: `size / crop`,
    /// rounded down as timm does.
    pub fn shorter_side(&self) -> u32 {
        (f64::from(self.size) / self.crop).floor() as u32
    }

    /// Refuses values with which no image can be shown; the text says which.
    pub fn check(&self) -> Result<(), String> {
        let finite = |values: &[f64]| values.iter().all(|v| v.is_finite());
        if self.size == 0 || self.size > 1 << 14 {
            return Err(format!("a size of {} pixels", self.size));
        }
        if !(self.crop > 0.0 && self.crop <= 1.0) {
            return Err(format!("a crop of {}", self.crop));
        }
        if self.mean.len() != self.std.len() || self.mean.is_empty() {
            let (mean, std) = (self.mean.len(), self.std.len());
            return Err(format!("a mean of {mean} channels and a deviation of {std}"));
        }
        if !finite(&self.mean) || !finite(&self.std) || self.std.iter().any(|&s| s <= 0.0) {
            return Err("a mean or deviation that no channel has".to_owned());
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_shorter_side_is_timms() {
        let at = |size, crop| {
            let (mean, std) = (vec![0.5; 3], vec![0.5; 3]);
            let (interpolation, squash) = (Interpolation::Bicubic, false);
            let it = Preprocess { size, crop, squash, interpolation, mean, std };
            it.check().expect("it is fine");
            it.shorter_side()
        };
        // timm 1.0.9: math.floor(size / crop_pct).
        assert_eq!(
            [at(224, 0.875), at(240, 0.882), at(260, 0.89), at(518, 1.0)],
            [256, 272, 292, 518]
        );
    }
}
