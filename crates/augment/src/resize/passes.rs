//! The two passes of a resize: along rows and along columns, in 22-bit fixed point on 32-bit lanes.

use fearless_simd::{i32x16, prelude::*, u8x64};

use super::taps::{Filter, PRECISION, Taps};
use crate::image::Image;
use crate::simd::{self, Simd, dispatch};

const HALF: i32 = 1 << (PRECISION - 1);

#[inline(always)]
fn settle(sum: i32) -> u8 {
    (sum >> PRECISION).clamp(0, 255) as u8
}

/// Outputs of a block, for which the bytes that they need are found in two vectors.
const BLOCK: usize = 16;
const WINDOW: usize = 128;

/// Weights and places of blocks of outputs, one lane a value.
#[derive(Clone, Debug, Default)]
pub(crate) struct Blocks {
    /// The first byte of each block's window.
    base: Vec<u32>,
    /// For each vector of a block: where in the window the first tap's values are, one in four
    /// bytes.
    places: Vec<[u8; 64]>,
    /// For each vector of a block and each tap.
    weights: Vec<[i32; 16]>,
    /// Taps of the output that has most.
    size: usize,
    /// A row with room behind it.
    row: Vec<u8>,
    /// What they were laid out for, and whether windows suffice.
    laid_out: Option<((usize, usize, Filter), usize, bool)>,
}

impl Blocks {
    /// Lays the taps out for `C` channels, unless they are; `false` if some block needs more than a
    /// window.
    fn suffice<const C: usize>(&mut self, taps: &Taps) -> bool {
        match (taps.found, self.laid_out) {
            (Some(found), Some((known, channels, fits))) if found == known && channels == C => fits,
            (found, _) => {
                let fits = self.lay_out::<C>(taps);
                self.laid_out = found.map(|found| (found, C, fits));
                fits
            }
        }
    }

    fn lay_out<const C: usize>(&mut self, taps: &Taps) -> bool {
        self.base.clear();
        self.places.clear();
        self.weights.clear();
        let outputs = taps.first.len();
        self.size = taps.count.iter().copied().max().unwrap_or(0) as usize;
        for start in (0..outputs).step_by(BLOCK) {
            let outputs = start..(start + BLOCK).min(outputs);
            let base = taps.first[start] as usize;
            let last = outputs.end - 1;
            if (taps.first[last] as usize + taps.count[last] as usize - base) * C > WINDOW {
                return false;
            }
            self.base.push((base * C) as u32);
            for vector in 0..C {
                let mut places = [0; 64];
                let weights = self.weights.len();
                self.weights.resize(weights + self.size, [0; 16]);
                for lane in 0..16 {
                    let (output, channel) =
                        (start + (vector * 16 + lane) / C, (vector * 16 + lane) % C);
                    if output < outputs.end {
                        let (first, own) = taps.of(output);
                        places[4 * lane] = ((first - base) * C + channel) as u8;
                        for (tap, &weight) in own.iter().enumerate() {
                            self.weights[weights + tap][lane] = weight;
                        }
                    }
                }
                self.places.push(places);
            }
        }
        true
    }
}

/// Writes the rows of the image with `width` outputs each.
pub(super) fn along_rows<const C: usize>(
    image: &Image,
    out: &mut [u8],
    width: usize,
    taps: &Taps,
    blocks: &mut Blocks,
) {
    let level = simd::level();
    if simd::permutes_bytes(level) && blocks.suffice::<C>(taps) {
        dispatch!(level, simd => rows_in_blocks::<C, _>(simd, image, out, width, blocks));
    } else {
        dispatch!(level, simd => {
            let _ = simd;
            rows_one_by_one::<C>(image, out, width, taps)
        });
    }
}

#[inline(always)]
fn rows_in_blocks<const C: usize, S: Simd>(
    simd: S,
    image: &Image,
    out: &mut [u8],
    width: usize,
    blocks: &mut Blocks,
) {
    let Blocks { base, places, weights, size, row, .. } = blocks;
    let size = *size;
    let stride = image.width() * C;
    row.resize(stride + WINDOW, 0);
    let byte = i32x16::splat(simd, 0xff);
    let step = u8x64::splat(simd, C as u8);
    for (y, out) in out.chunks_exact_mut(width * C).enumerate() {
        row[..stride].copy_from_slice(image.row(y));
        let blocks = base.iter().zip(places.chunks_exact(C)).zip(weights.chunks_exact(C * size));
        for (((&base, places), weights), out) in blocks.zip(out.chunks_mut(BLOCK * C)) {
            let window = &row[base as usize..][..WINDOW];
            let (low, high) = window.split_at(64);
            let (low, high) = (u8x64::from_slice(simd, low), u8x64::from_slice(simd, high));
            for ((places, weights), out) in
                places.iter().zip(weights.chunks_exact(size)).zip(out.chunks_mut(16))
            {
                let mut places = u8x64::from_slice(simd, places);
                let mut sums = i32x16::splat(simd, HALF);
                for weights in weights {
                    let values: i32x16<S> = low.concat_swizzle_dyn(high, places).bitcast();
                    sums += (values & byte) * i32x16::from_slice(simd, weights);
                    places += step;
                }
                let mut settled = [0; 16];
                let mut lanes = [0; 16];
                sums.store_slice(&mut lanes);
                for i in 0..16 {
                    settled[i] = settle(lanes[i]);
                }
                match out.first_chunk_mut::<16>() {
                    Some(out) => *out = settled,
                    None => out.copy_from_slice(&settled[..out.len()]),
                }
            }
        }
    }
}

#[inline(always)]
fn rows_one_by_one<const C: usize>(image: &Image, out: &mut [u8], width: usize, taps: &Taps) {
    for (y, out) in out.chunks_exact_mut(width * C).enumerate() {
        let row = image.row(y).as_chunks::<C>().0;
        for (x, pixel) in out.as_chunks_mut::<C>().0.iter_mut().enumerate() {
            let (first, weights) = taps.of(x);
            let mut sums = [HALF; C];
            for (value, &weight) in row[first..].iter().zip(weights) {
                for channel in 0..C {
                    sums[channel] += i32::from(value[channel]) * weight;
                }
            }
            for channel in 0..C {
                pixel[channel] = settle(sums[channel]);
            }
        }
    }
}

/// Writes rows of the image's width, each a weighted sum of rows.
pub(super) fn along_columns(image: &Image, out: &mut [u8], taps: &Taps) {
    dispatch!(simd::level(), simd => columns(simd, image, out, taps));
}

#[inline(always)]
fn columns<S: Simd>(simd: S, image: &Image, out: &mut [u8], taps: &Taps) {
    let stride = image.width() * image.channels();
    let source = image.pixels();
    for (y, out) in out.chunks_exact_mut(stride).enumerate() {
        let (first, weights) = taps.of(y);
        if stride < 64 {
            for (i, out) in out.iter_mut().enumerate() {
                let values = source[first * stride + i..].iter().step_by(stride).zip(weights);
                *out = settle(values.fold(HALF, |sum, (&v, &w)| sum + i32::from(v) * w));
            }
            continue;
        }
        // The last block overlaps the one before it, so that there is no remainder.
        let mut at = 0;
        while at < stride {
            at = at.min(stride - 64);
            let half = i32x16::splat(simd, HALF);
            let (mut s0, mut s1, mut s2, mut s3) = (half, half, half, half);
            for (row, &weight) in source[first * stride + at..].chunks(stride).zip(weights) {
                let weight = i32x16::splat(simd, weight);
                if let [r0, r1, r2, r3, ..] = row.as_chunks::<16>().0 {
                    s0 += widen(simd, r0) * weight;
                    s1 += widen(simd, r1) * weight;
                    s2 += widen(simd, r2) * weight;
                    s3 += widen(simd, r3) * weight;
                }
            }
            for (sums, out) in [s0, s1, s2, s3].iter().zip(out[at..].as_chunks_mut::<16>().0) {
                let mut lanes = [0; 16];
                sums.store_slice(&mut lanes);
                for i in 0..16 {
                    out[i] = settle(lanes[i]);
                }
            }
            at += 64;
        }
    }
}

#[inline(always)]
fn widen<S: Simd>(simd: S, bytes: &[u8; 16]) -> i32x16<S> {
    let mut lanes = [0; 16];
    for i in 0..16 {
        lanes[i] = i32::from(bytes[i]);
    }
    i32x16::from_slice(simd, &lanes)
}
