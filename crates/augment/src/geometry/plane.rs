//! Ways of reading a source through an affine map, each with the arithmetic that Pillow uses in its
//! case; where the map only shifts rows or columns, whole runs of pixels are copied.
#![allow(
    clippy::needless_range_loop,
    reason = "loops over fixed blocks become vector instructions"
)]

use crate::simd::{self, dispatch};

/// Pixels whose places are found at once.
const BLOCK: usize = 16;

/// A source and a target of `width` by `height` pixels of `C` bytes.
pub(super) struct Plane<'a, const C: usize> {
    pub(super) source: &'a [[u8; C]],
    pub(super) target: &'a mut [[u8; C]],
    pub(super) width: usize,
    pub(super) height: usize,
    pub(super) fill: [u8; C],
}

/// The pixel that holds a coordinate; none left of 0.
fn cell(coordinate: f64, side: usize) -> Option<usize> {
    if coordinate < 0.0 { None } else { Some(coordinate as usize).filter(|&i| i < side) }
}

/// A map in 16.16 fixed point: the source of `(x, y)` is `(a x + b y + c, d x + e y + f) >> 16`.
#[derive(Clone, Copy)]
struct Fixed {
    a: i64,
    b: i64,
    c: i64,
    d: i64,
    e: i64,
    f: i64,
}

const ONE: i64 = 1 << 16;

impl Fixed {
    fn new(m: [f64; 6]) -> Self {
        let fix = |v: f64| (v * 65536.0 + 0.5).floor() as i64;
        let c = fix(m[2] + m[0] * 0.5 + m[1] * 0.5);
        let f = fix(m[5] + m[3] * 0.5 + m[4] * 0.5);
        Self { a: fix(m[0]), b: fix(m[1]), c, d: fix(m[3]), e: fix(m[4]), f }
    }
}

/// For which columns `i` of a row the fixed-point place `start + i * step` lies in `0..side`: from
/// `first` on, up to `end`. Places only rise or only fall, along a row and from row to row, so that
/// both are moved on from where they were.
#[derive(Default)]
struct Inside {
    first: usize,
    end: usize,
}

impl Inside {
    fn move_on(&mut self, start: i64, step: i64, side: usize, columns: usize) {
        let place = |i: usize| start + i as i64 * step;
        let limit = (side as i64) << 16;
        let walk = |mut i: usize, passed: &dyn Fn(usize) -> bool| {
            while i > 0 && passed(i - 1) {
                i -= 1;
            }
            while i < columns && !passed(i) {
                i += 1;
            }
            i
        };
        if step >= 0 {
            self.first = walk(self.first, &|i| place(i) >= 0);
            self.end = walk(self.end, &|i| place(i) >= limit);
        } else {
            self.first = walk(self.first, &|i| place(i) < limit);
            self.end = walk(self.end, &|i| place(i) < 0);
        }
    }
}

impl<const C: usize> Plane<'_, C> {
    /// Nearest, no mixing of axes: the columns are found once. Positions are summed up, as the
    /// reference does.
    pub(super) fn scaled(&mut self, m: [f64; 6], columns: &mut Vec<u32>) {
        let mut x = m[2] + m[0] * 0.5;
        columns.clear();
        for _ in 0..self.width {
            columns.push(cell(x, self.width).map_or(u32::MAX, |column| column as u32));
            x += m[0];
        }
        // Columns that follow one another are copied as one run.
        let first = columns.iter().position(|&column| column != u32::MAX).unwrap_or(self.width);
        let run = columns[first..].iter().take_while(|&&column| column != u32::MAX).count();
        let from = columns.get(first).map_or(0, |&column| column as usize);
        let whole = columns[first..][..run].iter().zip(from as u32..).all(|(&c, i)| c == i)
            && columns[first + run..].iter().all(|&column| column == u32::MAX);
        let mut y = m[5] + m[4] * 0.5;
        for target in self.target.chunks_exact_mut(self.width) {
            match cell(y, self.height) {
                None => target.fill(self.fill),
                Some(line) => {
                    let row = &self.source[line * self.width..][..self.width];
                    if whole {
                        target[..first].fill(self.fill);
                        target[first..][..run].copy_from_slice(&row[from..][..run]);
                        target[first + run..].fill(self.fill);
                    } else {
                        for (target, &column) in target.iter_mut().zip(&*columns) {
                            *target = *row.get(column as usize).unwrap_or(&self.fill);
                        }
                    }
                }
            }
            y += m[4];
        }
    }

    /// Nearest in 16.16 fixed point.
    pub(super) fn fixed_point(&mut self, m: [f64; 6], runs: &mut Vec<u32>) {
        let fixed = Fixed::new(m);
        if fixed.a == ONE && fixed.d == 0 {
            self.shifted_rows(fixed);
        } else if fixed.a == ONE && fixed.b == 0 && fixed.c >> 16 == 0 && fixed.e == ONE {
            self.shifted_columns(fixed, runs);
        } else {
            self.gathered(fixed);
        }
    }

    /// Each row is a row of the source, shifted.
    fn shifted_rows(&mut self, Fixed { b, c, e, f, .. }: Fixed) {
        let width = self.width as i64;
        for (y, target) in (0..).zip(self.target.chunks_exact_mut(self.width)) {
            let (shift, line) = ((c + y * b) >> 16, (f + y * e) >> 16);
            let (first, end) = ((-shift).clamp(0, width), (width - shift).clamp(0, width));
            if !(0..self.height as i64).contains(&line) || first >= end {
                target.fill(self.fill);
                continue;
            }
            let from = (line * width + first + shift) as usize;
            let (first, end) = (first as usize, end as usize);
            target[..first].fill(self.fill);
            target[first..end].copy_from_slice(&self.source[from..][..end - first]);
            target[end..].fill(self.fill);
        }
    }

    /// Each column is a column of the source, shifted by what it shares with its neighbours: runs
    /// of columns are copied row by row.
    fn shifted_columns(&mut self, fixed: Fixed, runs: &mut Vec<u32>) {
        let shift = |x: usize| ((fixed.f + x as i64 * fixed.d) >> 16) as i32;
        runs.clear();
        for x in 0..self.width {
            // Pairs: where a run ends, and its shift.
            match runs.last_chunk_mut::<2>() {
                Some([end, last]) if *last as i32 == shift(x) => *end = x as u32 + 1,
                _ => runs.extend([x as u32 + 1, shift(x) as u32]),
            }
        }
        let runs = runs.as_chunks::<2>().0;
        dispatch!(simd::level(), simd => {
            let _ = simd;
            self.copy_runs(runs)
        });
    }

    #[inline(always)]
    fn copy_runs(&mut self, runs: &[[u32; 2]]) {
        let source = self.source.as_flattened();
        let stride = self.width * C;
        for y in 0..self.height {
            let mut start = 0;
            for &[end, shift] in runs {
                let line = y as i64 + i64::from(shift as i32);
                let end = end as usize;
                if (0..self.height as i64).contains(&line) {
                    let (from, to) = (line as usize * stride + start * C, y * stride + start * C);
                    copy(source, from, self.target.as_flattened_mut(), to, (end - start) * C);
                } else {
                    self.target[y * self.width..][start..end].fill(self.fill);
                }
                start = end;
            }
        }
    }

    /// Pixel by pixel, but asking only once a row between which columns places lie inside.
    fn gathered(&mut self, fixed: Fixed) {
        dispatch!(simd::level(), simd => {
            let _ = simd;
            self.gather(fixed)
        });
    }

    #[inline(always)]
    fn gather(&mut self, Fixed { a, b, c, d, e, f }: Fixed) {
        let source = self.source.as_flattened();
        let (mut across, mut down) = (Inside::default(), Inside::default());
        for (line, target) in (0..).zip(self.target.chunks_exact_mut(self.width)) {
            let (x, y) = (c + line * b, f + line * e);
            across.move_on(x, a, self.width, self.width);
            down.move_on(y, d, self.height, self.width);
            let first = across.first.max(down.first);
            let end = across.end.min(down.end).max(first);
            target[..first].fill(self.fill);
            target[end..].fill(self.fill);
            // Places of this row lie inside, so that they fit into 32 bits with their fractions.
            let (step_x, step_y) = (a as i32, d as i32);
            let mut x = (x + first as i64 * a) as i32;
            let mut y = (y + first as i64 * d) as i32;
            let mut bytes = target[first..end].as_flattened_mut();
            while !bytes.is_empty() {
                let mut places = [0; BLOCK];
                for i in 0..BLOCK {
                    let (x, y) = (
                        x.wrapping_add(step_x.wrapping_mul(i as i32)),
                        y.wrapping_add(step_y.wrapping_mul(i as i32)),
                    );
                    let place = (y >> 16).wrapping_mul(self.width as i32).wrapping_add(x >> 16);
                    places[i] = place.wrapping_mul(C as i32) as u32;
                }
                // Four bytes at a time, of which the last is overwritten by the next pixel.
                if C == 3
                    && let Some(out) = bytes.first_chunk_mut::<{ 3 * BLOCK + 1 }>()
                {
                    for i in 0..BLOCK {
                        let pixel = &source[places[i] as usize..];
                        match pixel.first_chunk::<4>() {
                            Some(four) => out[3 * i..][..4].copy_from_slice(four),
                            None => out[3 * i..][..3].copy_from_slice(&pixel[..3]),
                        }
                    }
                } else {
                    for (out, place) in bytes.as_chunks_mut::<C>().0.iter_mut().zip(places) {
                        out.copy_from_slice(&source[place as usize..][..C]);
                    }
                }
                x = x.wrapping_add(step_x.wrapping_mul(BLOCK as i32));
                y = y.wrapping_add(step_y.wrapping_mul(BLOCK as i32));
                let done = bytes.len().min(BLOCK * C);
                bytes = &mut bytes[done..];
            }
        }
    }

    /// Nearest for coordinates that fixed point cannot hold.
    pub(super) fn floating_point(&mut self, m: [f64; 6]) {
        let mut c = m[2] + m[0] * 0.5 + m[1] * 0.5;
        let mut f = m[5] + m[3] * 0.5 + m[4] * 0.5;
        for target in self.target.chunks_exact_mut(self.width) {
            let (mut x, mut y) = (c, f);
            for target in target {
                *target = match (cell(x, self.width), cell(y, self.height)) {
                    (Some(column), Some(line)) => self.source[line * self.width + column],
                    _ => self.fill,
                };
                x += m[0];
                y += m[3];
            }
            c += m[1];
            f += m[4];
        }
    }
}

/// Copies a run of `len` bytes. A short one is copied with what follows it, in one or two
/// instructions: the caller goes from left to right and so overwrites the surplus.
#[inline(always)]
fn copy(source: &[u8], from: usize, target: &mut [u8], to: usize, len: usize) {
    if len <= 16
        && let Some(run) = source[from..].first_chunk::<16>()
        && let Some(out) = target[to..].first_chunk_mut::<16>()
    {
        *out = *run;
    } else if len <= 64
        && let Some(run) = source[from..].first_chunk::<64>()
        && let Some(out) = target[to..].first_chunk_mut::<64>()
    {
        *out = *run;
    } else {
        target[to..][..len].copy_from_slice(&source[from..][..len]);
    }
}
