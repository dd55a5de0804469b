//! Tables from value to value, one for all channels or one for each, and what they are made from:
//! counts and extremes.

use fearless_simd::{prelude::*, u8x64};

use crate::image::Image;
use crate::simd::{self, Simd, Table, dispatch};

/// Replaces every byte by its entry.
pub(crate) fn look_up(bytes: &mut [u8], table: &[u8; 256]) {
    let (blocks, rest) = bytes.as_chunks_mut::<64>();
    let level = simd::level();
    if level_pays(level) {
        dispatch!(level, simd => look_up_blocks(simd, blocks, table));
    } else {
        blocks.iter_mut().flatten().for_each(|byte| *byte = table[usize::from(*byte)]);
    }
    rest.iter_mut().for_each(|byte| *byte = table[usize::from(*byte)]);
}

/// Emulated with 16-byte tables, looking up still pays with AVX2, but not below.
fn level_pays(level: fearless_simd::Level) -> bool {
    simd::permutes_bytes(level) || simd::in_use() == simd::Instructions::Avx2
}

#[inline(always)]
fn look_up_blocks<S: Simd>(simd: S, blocks: &mut [[u8; 64]], table: &[u8; 256]) {
    let table = Table::new(simd, table);
    for block in blocks {
        table.at(simd, u8x64::from_slice(simd, block)).store_slice(block);
    }
}

/// Maps each channel through the table made for it; `None` leaves the channel alone.
pub(crate) fn map_channels(image: &mut Image, table_of: impl Fn(usize) -> Option<[u8; 256]>) {
    let identity = || std::array::from_fn(|i| i as u8);
    if image.channels() == 1 {
        if let Some(table) = table_of(0) {
            look_up(image.pixels_mut(), &table);
        }
        return;
    }
    let tables: [_; 3] = std::array::from_fn(table_of);
    if tables.iter().all(Option::is_none) {
        return;
    }
    let tables = tables.map(|table| table.unwrap_or_else(identity));
    let (blocks, rest) = image.pixels_mut().as_chunks_mut::<192>();
    let level = simd::level();
    if simd::permutes_bytes(level) {
        dispatch!(level, simd => look_up_channels(simd, blocks, &tables));
    } else {
        blocks.iter_mut().for_each(|block| look_up_pixels(block, &tables));
    }
    look_up_pixels(rest, &tables);
}

#[inline(always)]
fn look_up_channels<S: Simd>(simd: S, blocks: &mut [[u8; 192]], tables: &[[u8; 256]; 3]) {
    let tables = [0, 1, 2].map(|channel: usize| Table::new(simd, &tables[channel]));
    for block in blocks {
        let [red, green, blue] = simd::planes(simd, block);
        let mapped = [tables[0].at(simd, red), tables[1].at(simd, green), tables[2].at(simd, blue)];
        simd::interleave(simd, mapped, block);
    }
}

fn look_up_pixels(bytes: &mut [u8], tables: &[[u8; 256]; 3]) {
    for pixel in bytes.as_chunks_mut::<3>().0 {
        *pixel = std::array::from_fn(|channel| tables[channel][usize::from(pixel[channel])]);
    }
}

/// How often each value occurs in each channel.
pub(crate) fn histograms(image: &Image) -> [[u32; 256]; 3] {
    // Two counts per channel: with one, equal neighbouring values would wait for each other's
    // update.
    let mut counts = [[[0u32; 256]; 3]; 2];
    match image.channels() {
        1 => {
            let (pairs, rest) = image.pixels().as_chunks::<2>();
            for pair in pairs {
                counts[0][0][usize::from(pair[0])] += 1;
                counts[1][0][usize::from(pair[1])] += 1;
            }
            rest.iter().for_each(|&value| counts[0][0][usize::from(value)] += 1);
        }
        _ => {
            let (pairs, rest) = image.pixels().as_chunks::<6>();
            for pair in pairs {
                for i in 0..6 {
                    counts[i / 3][i % 3][usize::from(pair[i])] += 1;
                }
            }
            for (channel, &value) in rest.iter().enumerate() {
                counts[0][channel][usize::from(value)] += 1;
            }
        }
    }
    let [mut sums, others] = counts;
    for (sum, other) in sums.iter_mut().flatten().zip(others.iter().flatten()) {
        *sum += other;
    }
    sums
}

/// The least and the greatest value of each channel; those that the image lacks are unspecified.
pub(crate) fn extremes(image: &Image) -> [(u8, u8); 3] {
    let bytes = image.pixels();
    dispatch!(simd::level(), simd => {
        let _ = simd;
        extremes_of(bytes, image.channels())
    })
}

#[inline(always)]
fn extremes_of(bytes: &[u8], channels: usize) -> [(u8, u8); 3] {
    let (mut low, mut high) = ([u8::MAX; 192], [0; 192]);
    let (blocks, rest) = bytes.as_chunks::<192>();
    for block in blocks {
        for i in 0..192 {
            low[i] = low[i].min(block[i]);
            high[i] = high[i].max(block[i]);
        }
    }
    for (i, &value) in rest.iter().enumerate() {
        low[i] = low[i].min(value);
        high[i] = high[i].max(value);
    }
    let mut out = [(u8::MAX, 0); 3];
    for i in 0..192 {
        let (least, greatest) = &mut out[i % channels];
        (*least, *greatest) = ((*least).min(low[i]), (*greatest).max(high[i]));
    }
    out
}
