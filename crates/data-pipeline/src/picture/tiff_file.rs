//! TIFF files: the first page.

use super::notice::Notice;
use super::raw::{Colour, Extra, Header, Raw, Values, allow};
use super::tiff_jpeg;
use image::metadata::Orientation;
use std::borrow::Cow;
use std::io::{BufRead, Cursor, Seek};
use tiff::TiffError;
use tiff::decoder::{Decoder, DecodingResult, Limits};
use tiff::tags::{CompressionMethod, PhotometricInterpretation as Photometric, SampleFormat, Tag};

/// An error of the decoder as text.
fn say(error: TiffError) -> String {
    match error {
        TiffError::UnsupportedError(what) => format!("{what}: convert it to PNG"),
        error => error.to_string(),
    }
}

/// Decodes.
pub(super) fn read(bytes: &[u8], max_pixels: u64) -> Result<Raw, String> {
    let mut decoder = Decoder::new(Cursor::new(Cow::Borrowed(bytes))).map_err(say)?;
    let (width, height) = decoder.dimensions().map_err(say)?;
    allow(width, height, max_pixels)?;
    let tags = Tags::read(&mut decoder)?;
    tags.check()?;
    let reduced = decoder.find_tag_unsigned::<u32>(Tag::NewSubfileType).map_err(say)?;
    if reduced.is_some_and(|kind| kind & 1 == 1) && has(&mut decoder, SUB_IFDS)? {
        return Err("a camera's raw file, whose first page is a preview: convert it to PNG".into());
    }
    if matches!(tags.photometric, Photometric::WhiteIsZero | Photometric::RGBPalette) {
        // These are read as plain grey, and finished here.
        decoder = as_grey(bytes, decoder)?;
    }
    let (wide, tall) = decoder.chunk_dimensions();
    let (wide, tall, slack) = (u64::from(wide), u64::from(tall), 1 << 13);
    if wide > u64::from(width) + slack
        || wide != u64::from(width) && tall > u64::from(height) + slack
    {
        return Err(format!("tiles of {wide}x{tall} for an image of {width}x{height}"));
    }
    let samples = tags.colour.samples() + tags.extra.samples();
    let pixels = width as usize * height as usize;
    let mut limits = Limits::default();
    limits.decoding_buffer_size = pixels.saturating_mul(samples * 8);
    limits.intermediate_buffer_size = bytes.len();
    limits.ifd_value_size = bytes.len();
    let mut decoder = decoder.with_limits(limits);
    let (mut values, mut colour) = if tags.jpeg {
        let values = tiff_jpeg::read(&mut decoder, bytes, tags.colour, max_pixels)?;
        // Brightness and differences were turned into colours on the way.
        let ycbcr = tags.colour == Colour::YCbCr;
        (Values::Bytes(values), if ycbcr { Colour::Rgb } else { tags.colour })
    } else {
        let mut values = DecodingResult::U8(vec![]);
        let planes = decoder.read_image_to_buffer(&mut values).map_err(say)?.planes;
        let row = width as usize * if planes > 1 { 1 } else { samples };
        let values = values_of(values, tags.bits, row)?;
        let values = if planes > 1 { woven(values, planes, samples, pixels)? } else { values };
        (values, tags.colour)
    };
    match tags.photometric {
        Photometric::RGBPalette => {
            values = colours(values, &tags.palette)?;
            colour = Colour::Rgb;
        }
        _ => values = spread(values, &tags),
    }
    let mut raw = Raw { extra: tags.extra, ..Raw::new(width, height, colour, values) };
    (raw.orientation, raw.must_turn) = (tags.orientation, true);
    if decoder.more_images() {
        raw.noticed.push(Notice::FirstOfSeveral);
    }
    Ok(raw)
}

/// Where a camera keeps the picture itself.
const SUB_IFDS: Tag = Tag::Unknown(330);

fn has<R: BufRead + Seek>(decoder: &mut Decoder<R>, tag: Tag) -> Result<bool, String> {
    Ok(decoder.find_tag(tag).map_err(say)?.is_some())
}

/// Reads the first page's tags.
pub(super) fn header(file: impl BufRead + Seek) -> Result<Header, String> {
    let mut decoder = Decoder::new(file).map_err(say)?;
    let (width, height) = decoder.dimensions().map_err(say)?;
    let tags = Tags::read(&mut decoder)?;
    tags.check()?;
    let channels = (tags.colour.samples() + tags.extra.samples()).min(255) as u8;
    let (bits, several) = (tags.bits, decoder.more_images());
    let (orientation, real) = (tags.orientation, tags.format != SampleFormat::Uint);
    Ok(Header { width, height, channels, bits, orientation, several, real })
}

/// What the tags of a page say about its samples.
struct Tags {
    photometric: Photometric,
    colour: Colour,
    extra: Extra,
    bits: u8,
    format: SampleFormat,
    jpeg: bool,
    /// Whether a pixel has samples beside its colours.
    more: bool,
    orientation: Option<Orientation>,
    palette: Vec<[u8; 3]>,
}

impl Tags {
    fn read<R: BufRead + Seek>(decoder: &mut Decoder<R>) -> Result<Self, String> {
        let mut number = |tag| decoder.find_tag_unsigned_vec::<u16>(tag).map_err(say);
        let photometric = number(Tag::PhotometricInterpretation)?.unwrap_or_default();
        let photometric = photometric.first().copied().unwrap_or(u16::MAX);
        let photometric = Photometric::from_u16(photometric)
            .ok_or_else(|| format!("colours of an unknown kind ({photometric})"))?;
        let colour = match photometric {
            Photometric::RGB => Colour::Rgb,
            Photometric::CMYK => Colour::Cmyk,
            Photometric::YCbCr => Colour::YCbCr,
            Photometric::BlackIsZero | Photometric::WhiteIsZero | Photometric::RGBPalette => {
                Colour::Grey
            }
            other => {
                return Err(format!("its colours ({other:?}) are not read: convert it to RGB"));
            }
        };
        let all = number(Tag::SamplesPerPixel)?.and_then(|v| v.first().copied()).unwrap_or(1);
        let more = usize::from(all).checked_sub(colour.samples());
        let more = more.ok_or_else(|| format!("{all} samples a pixel, too few for its colours"))?;
        let extra = match (more, number(Tag::ExtraSamples)?.unwrap_or_default().first()) {
            (0, _) => Extra::None,
            (1, Some(1)) => Extra::Premultiplied,
            (1, Some(2)) => Extra::Alpha,
            // Four samples where three are colours: Pillow takes the last for transparency.
            (1, None) if colour == Colour::Rgb => Extra::Alpha,
            // The decoder leaves out what is no transparency after colours.
            (_, Some(0)) if colour != Colour::Grey => Extra::None,
            (more, _) => Extra::Other(more),
        };
        let bits = number(Tag::BitsPerSample)?.and_then(|v| v.first().copied()).unwrap_or(1);
        let format = number(Tag::SampleFormat)?.and_then(|v| v.first().copied()).unwrap_or(1);
        let compression = number(Tag::Compression)?.and_then(|v| v.first().copied());
        let jpeg = compression == Some(CompressionMethod::ModernJPEG.to_u16());
        let turn = number(Tag::Orientation)?.and_then(|v| v.first().copied());
        let mut palette = Vec::new();
        if photometric == Photometric::RGBPalette {
            let map = number(Tag::ColorMap)?.ok_or("a palette without colours")?;
            let count = map.len() / 3;
            let colour = |i| [0, 1, 2].map(|channel| (map[channel * count + i] >> 8) as u8);
            palette = (0..count).map(colour).collect();
        }
        Ok(Self {
            photometric,
            colour,
            extra,
            bits: bits.min(255) as u8,
            format: SampleFormat::from_u16_exhaustive(format),
            jpeg,
            more: more > 0,
            orientation: turn.and_then(|turn| Orientation::from_exif(turn.min(255) as u8)),
            palette,
        })
    }

    /// Refuses what would not be read aright.
    fn check(&self) -> Result<(), String> {
        let samples = self.colour.samples() + self.extra.samples();
        if samples > 8 {
            return Err(format!("pixels of {samples} samples are not read: convert it to RGB"));
        }
        let whole = self.format == SampleFormat::Uint;
        let spread = [1, 2, 4, 8, 16].contains(&self.bits);
        if self.jpeg && (self.bits != 8 || !whole) {
            return Err(format!("JPEG of {} bits is not read: convert it to PNG", self.bits));
        }
        if self.jpeg && self.more {
            let fault = "JPEG with transparency or other samples beside its colours is not read: \
                         convert it to PNG";
            return Err(fault.into());
        }
        if whole && !spread {
            return Err(format!(
                "samples of {} bits are not read: convert it to 8 or 16 bits",
                self.bits
            ));
        }
        if self.photometric == Photometric::RGBPalette && (!whole || self.bits > 8) {
            return Err("a palette of more than 256 colours is not read: convert it to RGB".into());
        }
        Ok(())
    }
}

type File<'a> = Cursor<Cow<'a, [u8]>>;

/// The file with the word in it that its samples are grey, 0 black.
fn as_grey<'a>(bytes: &[u8], decoder: Decoder<File<'a>>) -> Result<Decoder<File<'a>>, String> {
    let mut decoder = decoder;
    let place = decoder.ifd_pointer().ok_or("it has no page")?.0 as usize;
    let mut bytes = bytes.to_vec();
    let big_endian = bytes.starts_with(b"MM");
    let big = bytes.get(if big_endian { 3 } else { 2 }) == Some(&43);
    let (head, entry, value) = if big { (8, 20, 12) } else { (2, 12, 8) };
    let tag = Tag::PhotometricInterpretation.to_u16();
    let tag = if big_endian { tag.to_be_bytes() } else { tag.to_le_bytes() };
    let entries = bytes.get_mut(place + head..).ok_or("it has no page")?.chunks_exact_mut(entry);
    let found = entries.into_iter().find(|entry| entry[..2] == tag).ok_or("it has no colours")?;
    let grey = Photometric::BlackIsZero.to_u16();
    let grey = if big_endian { grey.to_be_bytes() } else { grey.to_le_bytes() };
    found[value..value + 2].copy_from_slice(&grey);
    Decoder::new(Cursor::new(Cow::Owned(bytes))).map_err(say)
}

/// The samples by type; those of fewer than 8 bits unpacked as they are, `row` in each row.
fn values_of(values: DecodingResult, bits: u8, row: usize) -> Result<Values, String> {
    fn reals<T: Copy + Into<f64>>(values: Vec<T>) -> Values {
        Values::Reals(values.into_iter().map(Into::into).collect())
    }
    Ok(match values {
        DecodingResult::U8(bytes) if bits < 8 => {
            let per_byte = usize::from(8 / bits);
            let mask = (1u8 << bits) - 1;
            let unpack = |line: &[u8]| -> Vec<u8> {
                let sample = |i: usize| {
                    let shift = 8 - usize::from(bits) * (i % per_byte + 1);
                    line[i / per_byte] >> shift & mask
                };
                (0..row.min(line.len() * per_byte)).map(sample).collect()
            };
            let lines = bytes.chunks(row.div_ceil(per_byte).max(1));
            Values::Bytes(lines.flat_map(unpack).collect())
        }
        DecodingResult::U8(bytes) => Values::Bytes(bytes),
        DecodingResult::U16(words) => Values::Words(words),
        DecodingResult::U32(values) => reals(values),
        DecodingResult::I8(values) => reals(values),
        DecodingResult::I16(values) => reals(values),
        DecodingResult::I32(values) => reals(values),
        DecodingResult::F32(values) => reals(values),
        DecodingResult::F64(values) => reals(values),
        DecodingResult::F16(values) => reals(values),
        _ => return Err("samples of 64 bits are not read: convert it to 16 bits".into()),
    })
}

/// Pixel after pixel what was stored plane after plane.
fn woven(values: Values, planes: usize, samples: usize, pixels: usize) -> Result<Values, String> {
    fn weave<T: Copy>(values: &[T], samples: usize, pixels: usize) -> Vec<T> {
        (0..pixels)
            .flat_map(|i| (0..samples).map(move |plane| values[plane * pixels + i]))
            .collect()
    }
    let length = match &values {
        Values::Bytes(values) => values.len(),
        Values::Words(values) => values.len(),
        Values::Reals(values) => values.len(),
    };
    if planes < samples || length < samples * pixels {
        return Err(TiffError::LimitsExceeded.to_string());
    }
    Ok(match values {
        Values::Bytes(values) => Values::Bytes(weave(&values, samples, pixels)),
        Values::Words(values) => Values::Words(weave(&values, samples, pixels)),
        Values::Reals(values) => Values::Reals(weave(&values, samples, pixels)),
    })
}

/// The colours that indices stand for; those that the palette lacks are black.
fn colours(values: Values, palette: &[[u8; 3]]) -> Result<Values, String> {
    let Values::Bytes(indices) = values else { return Err("a palette of other samples".into()) };
    let colour = |&index: &u8| palette.get(usize::from(index)).copied().unwrap_or_default();
    Ok(Values::Bytes(indices.iter().flat_map(colour).collect()))
}

/// Samples of fewer than 8 bits spread over 0 to 255, and 0 made black.
fn spread(values: Values, tags: &Tags) -> Values {
    let white = tags.photometric == Photometric::WhiteIsZero;
    match values {
        Values::Bytes(mut bytes) => {
            let full = if tags.bits < 8 { 255 / ((1u8 << tags.bits) - 1) } else { 1 };
            if white || full > 1 {
                let invert = if white { 255 } else { 0 };
                bytes.iter_mut().for_each(|value| *value = (*value * full) ^ invert);
            }
            Values::Bytes(bytes)
        }
        Values::Words(words) if white => {
            Values::Words(words.into_iter().map(|word| !word).collect())
        }
        Values::Reals(reals) if white => {
            Values::Reals(reals.into_iter().map(|real| -real).collect())
        }
        values => values,
    }
}
