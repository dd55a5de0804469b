//! TIFF files whose strips or tiles are JPEG images without tables of their own.

use super::jpeg_file::check_inks;
use super::raw::{Colour, say};
use libjpeg_turbo_rs::{DecodeLimits, Decoder as Jpeg, PixelFormat};
use std::io::{Read, Seek};
use tiff::decoder::Decoder;
use tiff::tags::{PlanarConfiguration, Tag};

/// All samples of the page, brightness and differences turned into RGB.
pub(super) fn read<R: Read + Seek>(
    decoder: &mut Decoder<R>,
    bytes: &[u8],
    colour: Colour,
    max_pixels: u64,
) -> Result<Vec<u8>, String> {
    let planes = decoder.find_tag_unsigned::<u16>(Tag::PlanarConfiguration).map_err(say)?;
    if planes == Some(PlanarConfiguration::Planar.to_u16()) {
        return Err("JPEG in separate planes is not read: convert it to PNG".into());
    }
    let mut places = |strips, tiles| -> Result<Vec<u64>, String> {
        let strips = decoder.find_tag_unsigned_vec(strips).map_err(say)?;
        let mut tiles = || decoder.find_tag_unsigned_vec(tiles).map_err(say);
        Ok(match strips {
            Some(strips) => strips,
            None => tiles()?.unwrap_or_default(),
        })
    };
    let starts = places(Tag::StripOffsets, Tag::TileOffsets)?;
    let lengths = places(Tag::StripByteCounts, Tag::TileByteCounts)?;
    let tables = decoder.find_tag(Tag::JPEGTables).map_err(say)?;
    let tables = tables.map(|value| value.into_u8_vec()).transpose().map_err(say)?;
    let (width, height) = decoder.dimensions().map_err(say)?;
    let (width, height) = (width as usize, height as usize);
    let (wide, tall) = decoder.chunk_dimensions();
    let (wide, tall) = (wide as usize, tall as usize);
    let samples = colour.samples();
    let mut values = vec![0; width * height * samples];
    // A part is no larger than its place, up to whole blocks.
    let most = (wide as u64 + 64) * (tall.min(height) as u64 + 64);
    let across = width.div_ceil(wide.max(1));
    for (index, (&start, &length)) in starts.iter().zip(&lengths).enumerate() {
        let (left, top) = (index % across * wide, index / across * tall.min(height));
        let end = start.checked_add(length).filter(|&end| end <= bytes.len() as u64);
        let end = end.ok_or("the file ends within its pixels")?;
        let part = &bytes[start as usize..end as usize];
        let (pixels, found) =
            decode(part, tables.as_deref(), colour, most.min(max_pixels.saturating_add(1 << 16)))?;
        let (columns, rows) =
            (wide.min(width.saturating_sub(left)), tall.min(height - top.min(height)));
        if found.0 < columns || found.1 < rows {
            return Err(format!("a part of {}x{} where {columns}x{rows} belong", found.0, found.1));
        }
        for row in 0..rows {
            let from = &pixels[row * found.0 * samples..][..columns * samples];
            values[((top + row) * width + left) * samples..][..from.len()].copy_from_slice(from);
        }
    }
    let parts = across * height.div_ceil(tall.clamp(1, height));
    match starts.len().min(lengths.len()) >= parts {
        true => Ok(values),
        false => Err("parts of its pixels are missing".into()),
    }
}

/// The pixels of one strip or tile, its columns and rows.
fn decode(
    part: &[u8],
    tables: Option<&[u8]>,
    colour: Colour,
    max_pixels: u64,
) -> Result<(Vec<u8>, (usize, usize)), String> {
    // Adobe's marker says how three samples are meant.
    let transform = match colour {
        Colour::Rgb => Some(0),
        Colour::YCbCr => Some(1),
        Colour::Grey | Colour::Cmyk => None,
    };
    let mut stream = vec![0xff, 0xd8];
    if let Some(transform) = transform {
        stream.extend(b"\xff\xee\0\x0eAdobe\0\x64\0\0\0\0");
        stream.push(transform);
    }
    let tables = tables.and_then(|tables| tables.get(2..tables.len().saturating_sub(2)));
    stream.extend(tables.unwrap_or_default());
    stream.extend(part.get(2..).unwrap_or_default());
    let limits = DecodeLimits { max_pixels, max_scans: 1000, ..Default::default() };
    let mut jpeg = Jpeg::new_with_limits(&stream, limits).map_err(say)?;
    if jpeg.header().components.len() != colour.samples() {
        return Err("JPEG of another number of samples than the page".into());
    }
    check_inks(&jpeg.header().components)?;
    let found = jpeg.header().dimensions();
    jpeg.set_output_format(match colour {
        Colour::Grey => PixelFormat::Grayscale,
        Colour::Rgb | Colour::YCbCr => PixelFormat::Rgb,
        Colour::Cmyk => PixelFormat::Cmyk,
    });
    let image = jpeg.decode_image().map_err(say)?;
    Ok((image.data, found))
}
