//! Transparency as UDA's and FixMatch's RGBA images have it: a mask that moves with the pixels.

use crate::fill::Fill;
use crate::geometry::Sampling;
use crate::image::Image;
use crate::op::Op;
use crate::scratch::Scratch;

/// Which pixels are transparent. The mask itself lies in the scratch memory and is made when
/// something first becomes transparent.
pub(crate) struct Alpha {
    made: bool,
}

impl Alpha {
    /// Nothing is transparent.
    pub(crate) fn opaque() -> Self {
        Self { made: false }
    }

    /// Applies an operation to the image and, where it moves pixels, to the mask. From outside
    /// comes transparent black.
    pub(crate) fn apply(&mut self, op: Op, image: &mut Image, scratch: &mut Scratch) {
        let black = |sampling: Sampling| Sampling { fill: Fill::BLACK, ..sampling };
        let op = match op {
            Op::Rotate { degrees, sampling } => Op::Rotate { degrees, sampling: black(sampling) },
            Op::ShearX { shear, sampling } => Op::ShearX { shear, sampling: black(sampling) },
            Op::ShearY { shear, sampling } => Op::ShearY { shear, sampling: black(sampling) },
            Op::TranslateX { pixels, sampling } => {
                Op::TranslateX { pixels, sampling: black(sampling) }
            }
            Op::TranslateY { pixels, sampling } => {
                Op::TranslateY { pixels, sampling: black(sampling) }
            }
            op => op,
        };
        op.apply(image, scratch);
        let of_mask = match op {
            Op::AutoContrast
            | Op::Equalize
            | Op::Invert
            | Op::Posterize { .. }
            | Op::Solarize { .. }
            | Op::SolarizeAdd { .. } => {
                self.made = false;
                return;
            }
            Op::Rotate { .. }
            | Op::ShearX { .. }
            | Op::ShearY { .. }
            | Op::TranslateX { .. }
            | Op::TranslateY { .. } => op,
            Op::Cutout { x, y, half, .. } => Op::Cutout { x, y, half, fill: Fill::BLACK },
            _ => return,
        };
        let mut mask = scratch.mask.take().unwrap_or_else(|| Image::filled(1, 1, 1, 0));
        if !self.made {
            mask.reset(image.width(), image.height(), 1, u8::MAX);
            self.made = true;
        }
        of_mask.apply(&mut mask, scratch);
        scratch.mask = Some(mask);
    }

    /// Paints what is transparent.
    pub(crate) fn paint(self, image: &mut Image, fill: Fill, scratch: &Scratch) {
        let Some(mask) = scratch.mask.as_ref().filter(|_| self.made) else { return };
        let channels = image.channels();
        let pixel = fill.pixel(channels);
        match channels {
            1 => paint_of::<1>(image, mask, [pixel[0]]),
            _ => paint_of::<3>(image, mask, pixel),
        }
    }
}

fn paint_of<const C: usize>(image: &mut Image, mask: &Image, pixel: [u8; C]) {
    const BLOCK: usize = 16;
    let pixels = image.pixels_mut().as_chunks_mut::<C>().0;
    for (targets, alphas) in pixels.chunks_mut(BLOCK).zip(mask.pixels().chunks(BLOCK)) {
        // Most blocks are opaque throughout.
        if alphas.first_chunk::<BLOCK>() == Some(&[u8::MAX; BLOCK]) {
            continue;
        }
        for (target, &alpha) in targets.iter_mut().zip(alphas) {
            *target = if alpha == 0 { pixel } else { *target };
        }
    }
}
