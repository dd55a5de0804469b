//! Resizing with Pillow's antialiased filters: two passes in 22-bit fixed point, matched byte for
//! byte.

use crate::image::Image;
use crate::scratch::Scratch;

pub(crate) mod passes;
pub(crate) mod taps;

pub use taps::Filter;

/// Resizes to `width` by `height` (at least 1 each), first along rows, then along columns; an axis
/// that keeps its length is left alone.
pub fn resize(
    image: &mut Image,
    width: usize,
    height: usize,
    filter: Filter,
    scratch: &mut Scratch,
) {
    let channels = image.channels();
    if filter == Filter::Nearest {
        return nearest(image, width, height, scratch);
    }
    if width != image.width() {
        let lines = image.height();
        let Scratch { bytes, taps: [taps, _], blocks, .. } = scratch;
        taps.find(image.width(), width, filter);
        bytes.resize(width * lines * channels, 0);
        match channels {
            1 => passes::along_rows::<1>(image, bytes, width, taps, blocks),
            _ => passes::along_rows::<3>(image, bytes, width, taps, blocks),
        }
        scratch.trade(image, width, lines);
    }
    if height != image.height() {
        let Scratch { bytes, taps: [_, taps], .. } = scratch;
        taps.find(image.height(), height, filter);
        bytes.resize(width * height * channels, 0);
        passes::along_columns(image, bytes, taps);
        scratch.trade(image, width, height);
    }
}

fn nearest(image: &mut Image, width: usize, height: usize, scratch: &mut Scratch) {
    let channels = image.channels();
    let step = [image.width() as f64 / width as f64, image.height() as f64 / height as f64];
    let Scratch { bytes, columns, .. } = scratch;
    columns.clear();
    for (step, side, from) in [(step[0], width, image.width()), (step[1], height, image.height())] {
        // Positions are summed up, as the reference does.
        let mut place = step * 0.5;
        for _ in 0..side {
            columns.push((place as usize).min(from - 1) as u32);
            place += step;
        }
    }
    let (columns, lines) = columns.split_at(width);
    bytes.resize(width * height * channels, 0);
    for (out, &line) in bytes.chunks_exact_mut(width * channels).zip(lines) {
        let row = image.row(line as usize);
        for (out, &column) in out.chunks_exact_mut(channels).zip(columns) {
            out.copy_from_slice(&row[column as usize * channels..][..channels]);
        }
    }
    scratch.trade(image, width, height);
}

/// Cuts `margin` of the width and of the height off on each side and enlarges the rest to the size
/// there was, as CTAugment does.
pub fn rescale(image: &mut Image, margin: f64, filter: Filter, scratch: &mut Scratch) {
    let (width, height) = (image.width(), image.height());
    let kept = |side: usize| {
        let side = side as f64;
        let (first, last) = (margin * side, side - margin * side);
        let (first, last) = (first.round_ties_even() as usize, last.round_ties_even() as usize);
        (first.min(side as usize - 1), last.max(first + 1).min(side as usize))
    };
    let ((left, right), (top, bottom)) = (kept(width), kept(height));
    crop(image, left, top, right - left, bottom - top, scratch);
    resize(image, width, height, filter, scratch);
}

/// Cuts the box of `width` by `height` at `(x, y)` out. Panics if it leaves the image.
pub fn crop(
    image: &mut Image,
    x: usize,
    y: usize,
    width: usize,
    height: usize,
    scratch: &mut Scratch,
) {
    let channels = image.channels();
    assert!(
        x + width <= image.width() && y + height <= image.height(),
        "a crop of {width}x{height} at ({x}, {y}) from {}x{}",
        image.width(),
        image.height()
    );
    let out = scratch.bytes(width * height * channels);
    for (line, out) in out.chunks_exact_mut(width * channels).enumerate() {
        out.copy_from_slice(&image.row(y + line)[x * channels..][..width * channels]);
    }
    scratch.trade(image, width, height);
}
