//! Gaussian blur as Pillow's `ImageFilter.GaussianBlur` makes it: by three passes of a box.
//!
//! The box has a fractional width, its outermost pixels count less: P. Gwosdek and others,
//! "Theoretical foundations of Gaussian convolution by extended box filtering", 2011. Pixels from
//! outside the image are those at its edge.

use crate::image::Image;
use crate::scratch::Scratch;

/// How often the box is applied in each direction.
const PASSES: usize = 3;

/// Blurs with a standard deviation of `radius` pixels, 0 or more.
pub fn gaussian_blur(image: &mut Image, radius: f64, scratch: &mut Scratch) {
    let Some(kernel) = Kernel::of(radius as f32) else { return };
    let (width, height, channels) = (image.width(), image.height(), image.channels());
    let (line, next) = scratch.bytes(2 * width.max(height)).split_at_mut(width.max(height));
    let pixels = image.pixels_mut();
    let stride = width * channels;
    for start in (0..height).flat_map(|row| (0..channels).map(move |c| row * stride + c)) {
        kernel.blur(&mut pixels[start..], channels, &mut line[..width], &mut next[..width]);
    }
    for start in 0..stride {
        kernel.blur(&mut pixels[start..], stride, &mut line[..height], &mut next[..height]);
    }
}

/// A box, in parts of 2^24.
struct Kernel {
    /// How many pixels to either side count fully.
    half: usize,
    /// The weight of each of these.
    inner: u32,
    /// The weight of the two pixels beyond.
    outer: u32,
}

impl Kernel {
    /// The box whose three passes have this deviation; none for 0. Single precision, where the
    /// reference has it.
    fn of(deviation: f32) -> Option<Self> {
        let variance = deviation * deviation / PASSES as f32;
        let length = (12.0 * f64::from(variance) + 1.0).sqrt() as f32;
        let whole = ((f64::from(length) - 1.0) / 2.0).floor() as f32;
        let fraction = (2.0 * whole + 1.0) * (whole * (whole + 1.0) - 3.0 * variance);
        let fraction = fraction / (6.0 * (variance - (whole + 1.0) * (whole + 1.0)));
        let reach = whole + fraction;
        let half = reach as usize;
        let inner = ((1 << 24) as f32 / (reach * 2.0 + 1.0)) as u32;
        let outer = ((1 << 24) - (2 * half as u32 + 1) * inner) / 2;
        (reach != 0.0).then_some(Self { half, inner, outer })
    }

    /// Blurs every `step`-th value, as many as `line` is long.
    fn blur(&self, values: &mut [u8], step: usize, line: &mut [u8], next: &mut [u8]) {
        for (value, from) in line.iter_mut().zip(values.iter().step_by(step)) {
            *value = *from;
        }
        let (mut line, mut next) = (line, next);
        for _ in 0..PASSES {
            self.pass(line, next);
            std::mem::swap(&mut line, &mut next);
        }
        for (value, to) in line.iter().zip(values.iter_mut().step_by(step)) {
            *to = *value;
        }
    }

    fn pass(&self, from: &[u8], to: &mut [u8]) {
        let last = from.len() - 1;
        let before = |x: usize, back: usize| u32::from(from[x.saturating_sub(back)]);
        let behind = |x: usize, ahead: usize| u32::from(from[(x + ahead).min(last)]);
        let mut sum: u32 = (1..=self.half).map(|i| before(0, i) + behind(0, i)).sum();
        sum += u32::from(from[0]);
        for (x, to) in to.iter_mut().enumerate() {
            let beyond = [before(x, self.half + 1), behind(x, self.half + 1)];
            let whole = sum * self.inner + (beyond[0] + beyond[1]) * self.outer;
            *to = ((whole + (1 << 23)) >> 24) as u8;
            sum = sum + beyond[1] - before(x, self.half);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_weights_of_a_box_make_one() {
        for tenths in 1..300 {
            let Kernel { half, inner, outer } = Kernel::of(tenths as f32 / 10.0).unwrap();
            let sum = (2 * half as u32 + 1) * inner + 2 * outer;
            assert!(((1 << 24) - 1..=1 << 24).contains(&sum) && outer <= inner, "{tenths}");
        }
        assert!(Kernel::of(0.0).is_none());
    }

    #[test]
    fn the_deviation_is_the_radius() {
        for radius in [0.5, 1.0, 2.0, 4.0] {
            let mut image = Image::filled(81, 1, 1, 0);
            image.pixels_mut()[40] = 255;
            gaussian_blur(&mut image, radius, &mut Scratch::new());
            let (mut sum, mut square) = (0.0, 0.0);
            for (x, &value) in image.pixels().iter().enumerate() {
                sum += f64::from(value);
                square += f64::from(value) * (x as f64 - 40.0).powi(2);
            }
            assert!((square / sum / (radius * radius) - 1.0).abs() < 0.2, "{radius}");
        }
    }
}
