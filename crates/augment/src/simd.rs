//! Which vector instructions operations use: the best that the processor has, found at run time, or
//! fewer on demand.
//!
//! Every level gives the same bytes (`tests/it/golden.rs` runs all of Pillow's cases on each), so
//! this is for measuring and testing.

use std::sync::atomic::{AtomicU8, Ordering};

use fearless_simd::{Level, prelude::*, u8x16, u8x64};
pub(crate) use fearless_simd::{Simd, dispatch};

/// A set of vector instructions.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Instructions {
    /// What every processor of this kind has, by which the program was compiled: SSE2 on x86-64,
    /// NEON on AArch64.
    Baseline,
    /// AVX2 and its companions (x86-64-v3).
    Avx2,
    /// AVX-512 with byte permutations (Ice Lake and Zen 4 onwards).
    Avx512,
}

/// The most that may be used, as a number.
static LIMIT: AtomicU8 = AtomicU8::new(Instructions::Avx512 as u8);

/// Sets which instructions all threads use at most; what the processor lacks is never used. Changes
/// no result.
///
/// ```
/// use augment::simd::{available, use_at_most, Instructions};
/// for instructions in available() {
///     use_at_most(instructions);
/// }
/// assert!(available().contains(&Instructions::Baseline));
/// ```
pub fn use_at_most(instructions: Instructions) {
    LIMIT.store(instructions as u8, Ordering::Relaxed);
}

/// What this processor has, the least first.
pub fn available() -> Vec<Instructions> {
    let best = of(Level::new());
    [Instructions::Baseline, Instructions::Avx2, Instructions::Avx512]
        .into_iter()
        .filter(|&level| level <= best)
        .collect()
}

/// What operations use now.
pub fn in_use() -> Instructions {
    of(level())
}

#[cfg(any(target_arch = "x86", target_arch = "x86_64"))]
fn of(level: Level) -> Instructions {
    match level {
        Level::Avx512(_) => Instructions::Avx512,
        Level::Avx2(_) => Instructions::Avx2,
        _ => Instructions::Baseline,
    }
}

#[cfg(not(any(target_arch = "x86", target_arch = "x86_64")))]
fn of(_: Level) -> Instructions {
    Instructions::Baseline
}

/// The level for `dispatch!`.
#[cfg(any(target_arch = "x86", target_arch = "x86_64"))]
pub(crate) fn level() -> Level {
    let best = Level::new();
    match LIMIT.load(Ordering::Relaxed) {
        2 => best,
        1 => best.as_avx2().map_or(best, Level::Avx2),
        _ => best.as_sse2().map_or(best, Level::Sse2),
    }
}

/// The level for `dispatch!`.
#[cfg(not(any(target_arch = "x86", target_arch = "x86_64")))]
pub(crate) fn level() -> Level {
    Level::new()
}

/// Whether 64 bytes can be permuted in a few instructions, which makes looking up in tables and
/// moving pixels within a vector cheap.
pub(crate) fn permutes_bytes(level: Level) -> bool {
    of(level) == Instructions::Avx512
}

/// A number from 0 to 255 without its fraction, by adding 2^52, whose last bit is worth 1, and
/// taking back what was rounded up: unlike a cast this compiles to vector instructions on every
/// processor.
#[inline(always)]
pub(crate) fn whole(value: f64) -> u8 {
    const WHOLE: f64 = 4_503_599_627_370_496.0;
    let rounded = value + WHOLE;
    (rounded.to_bits() - u64::from(rounded - WHOLE > value)) as u8
}

/// 64 bytes as a vector.
#[inline(always)]
pub(crate) fn vector<S: Simd>(simd: S, bytes: &[u8; 64]) -> u8x64<S> {
    u8x64::from_slice(simd, bytes)
}

/// The bytes of a vector.
#[inline(always)]
pub(crate) fn bytes<S: Simd>(vector: u8x64<S>) -> [u8; 64] {
    let mut out = [0; 64];
    vector.store_slice(&mut out);
    out
}

/// A table of 256 bytes in four vectors.
pub(crate) struct Table<S: Simd>([u8x64<S>; 4]);

impl<S: Simd> Table<S> {
    #[inline(always)]
    pub(crate) fn new(simd: S, table: &[u8; 256]) -> Self {
        let (parts, _) = table.as_chunks::<64>();
        Self(std::array::from_fn(|i| u8x64::from_slice(simd, &parts[i])))
    }

    /// The entries at 64 indices.
    #[inline(always)]
    pub(crate) fn at(&self, simd: S, indices: u8x64<S>) -> u8x64<S> {
        let [t0, t1, t2, t3] = self.0;
        let bit = u8x64::splat(simd, 0x80);
        let lower = t0.concat_swizzle_dyn(t1, indices & u8x64::splat(simd, 0x7f));
        let upper = t2.concat_swizzle_dyn(t3, indices & u8x64::splat(simd, 0x7f));
        indices.simd_ge(bit).select(upper, lower)
    }
}

/// Whether 16 bytes can be shuffled in one instruction, so that taking pixels apart is cheap.
pub(crate) fn shuffles_bytes(level: Level) -> bool {
    !cfg!(any(target_arch = "x86", target_arch = "x86_64")) || of(level) >= Instructions::Avx2
}

/// Takes 64 pixels of three channels apart.
#[inline(always)]
pub(crate) fn planes<S: Simd>(simd: S, pixels: &[u8; 192]) -> [u8x64<S>; 3] {
    const FROM_TWO: [[u8; 64]; 3] = two_sources();
    const FROM_THIRD: [[u8; 64]; 3] = third_source();
    const FROM_EACH: [[[u8; 16]; 3]; 3] = channels_of_16();
    if !permutes_bytes(simd.level()) {
        let mut planes = [[0; 64]; 3];
        for channel in 0..3 {
            for group in 0..4 {
                let mut values = u8x16::splat(simd, 0);
                for part in 0..3 {
                    let bytes = u8x16::from_slice(simd, &pixels[48 * group + 16 * part..][..16]);
                    let from = u8x16::from_slice(simd, &FROM_EACH[channel][part]);
                    values |= bytes.swizzle_dyn_precise(from);
                }
                values.store_slice(&mut planes[channel][16 * group..][..16]);
            }
        }
        return [vector(simd, &planes[0]), vector(simd, &planes[1]), vector(simd, &planes[2])];
    }
    let [a, b, c] = std::array::from_fn(|i| u8x64::from_slice(simd, &pixels[64 * i..][..64]));
    std::array::from_fn(|channel| {
        let first = a.concat_swizzle_dyn(b, u8x64::from_slice(simd, &FROM_TWO[channel]));
        first.concat_swizzle_dyn(c, u8x64::from_slice(simd, &FROM_THIRD[channel]))
    })
}

/// For each channel and each third of 48 bytes: which byte of it, if any, goes to each of 16
/// places.
const fn channels_of_16() -> [[[u8; 16]; 3]; 3] {
    let mut out = [[[0xff; 16]; 3]; 3];
    let mut i = 0;
    while i < 48 {
        out[i % 3][i / 16][i / 3] = (i % 16) as u8;
        i += 1;
    }
    out
}

/// For each third of 48 bytes and each channel: which of its 16 values, if any, goes to each place.
const fn thirds_of_48() -> [[[u8; 16]; 3]; 3] {
    let mut out = [[[0xff; 16]; 3]; 3];
    let mut i = 0;
    while i < 48 {
        out[i / 16][i % 3][i % 16] = (i / 3) as u8;
        i += 1;
    }
    out
}

/// Which bytes of the first two vectors belong to a channel, in order; the rest is unspecified.
const fn two_sources() -> [[u8; 64]; 3] {
    let mut out = [[0; 64]; 3];
    let mut i = 0;
    while i < 192 {
        let place = 3 * (i / 3) + i % 3;
        if place < 128 {
            out[i % 3][i / 3] = place as u8;
        }
        i += 1;
    }
    out
}

/// What was found stays; the rest comes from the third vector, which is the second operand here.
const fn third_source() -> [[u8; 64]; 3] {
    let mut out = [[0; 64]; 3];
    let mut i = 0;
    while i < 192 {
        out[i % 3][i / 3] = if i < 128 { (i / 3) as u8 } else { (i - 128 + 64) as u8 };
        i += 1;
    }
    out
}

/// Puts 64 pixels of three channels together.
#[inline(always)]
pub(crate) fn interleave<S: Simd>(simd: S, planes: [u8x64<S>; 3], pixels: &mut [u8; 192]) {
    const FROM_TWO: [[u8; 64]; 3] = from_red_and_green();
    const FROM_BLUE: [[u8; 64]; 3] = from_blue();
    const FROM_EACH: [[[u8; 16]; 3]; 3] = thirds_of_48();
    if !permutes_bytes(simd.level()) {
        let planes = [bytes(planes[0]), bytes(planes[1]), bytes(planes[2])];
        for group in 0..4 {
            for part in 0..3 {
                let mut values = u8x16::splat(simd, 0);
                for channel in 0..3 {
                    let plane = u8x16::from_slice(simd, &planes[channel][16 * group..][..16]);
                    let from = u8x16::from_slice(simd, &FROM_EACH[part][channel]);
                    values |= plane.swizzle_dyn_precise(from);
                }
                values.store_slice(&mut pixels[48 * group + 16 * part..][..16]);
            }
        }
        return;
    }
    let [red, green, blue] = planes;
    for (i, out) in pixels.as_chunks_mut::<64>().0.iter_mut().enumerate() {
        let first = red.concat_swizzle_dyn(green, u8x64::from_slice(simd, &FROM_TWO[i]));
        let all = first.concat_swizzle_dyn(blue, u8x64::from_slice(simd, &FROM_BLUE[i]));
        all.store_slice(out);
    }
}

const fn from_red_and_green() -> [[u8; 64]; 3] {
    let mut out = [[0; 64]; 3];
    let mut i = 0;
    while i < 192 {
        if i % 3 < 2 {
            out[i / 64][i % 64] = (i / 3 + 64 * (i % 3)) as u8;
        }
        i += 1;
    }
    out
}

const fn from_blue() -> [[u8; 64]; 3] {
    let mut out = [[0; 64]; 3];
    let mut i = 0;
    while i < 192 {
        out[i / 64][i % 64] = if i % 3 < 2 { (i % 64) as u8 } else { (i / 3 + 64) as u8 };
        i += 1;
    }
    out
}
