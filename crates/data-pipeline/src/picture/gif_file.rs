//! GIF files: the first frame.

use super::notice::Notice;
use super::raw::{Colour, Extra, Header, Raw, Values, allow, say};
use gif::{ColorOutput, DecodeOptions, Decoder, MemoryLimit};
use std::io::Read;

/// Decodes the first frame, on the whole screen.
pub(super) fn read(bytes: &[u8], max_pixels: u64) -> Result<Raw, String> {
    let mut decoder = open(bytes, max_pixels)?;
    allow(decoder.width().into(), decoder.height().into(), max_pixels)?;
    let frame = decoder.next_frame_info().map_err(say)?.ok_or("it has no frame")?.clone();
    let (left, top) = (usize::from(frame.left), usize::from(frame.top));
    let (wide, tall) = (usize::from(frame.width), usize::from(frame.height));
    // A frame that reaches over the edge makes the screen larger, as in Pillow.
    let width = usize::from(decoder.width()).max(left + wide);
    let height = usize::from(decoder.height()).max(top + tall);
    allow(width as u32, height as u32, max_pixels)?;
    let mut indices = vec![0; wide * tall];
    decoder.read_into_buffer(&mut indices).map_err(say)?;
    let palette = decoder.palette().map_err(say)?.to_vec();
    let key = frame.transparent;
    let mut values = Vec::with_capacity(width * height * 4);
    for y in 0..height {
        for x in 0..width {
            let inside = (left..left + wide).contains(&x) && (top..top + tall).contains(&y);
            let index = match inside {
                true => indices[(y - top) * wide + x - left],
                false => key.unwrap_or(0),
            };
            // Colours that the palette lacks are black, as in Pillow.
            let colour = palette.get(usize::from(index) * 3..).and_then(|rest| rest.first_chunk());
            values.extend(colour.unwrap_or(&[0; 3]));
            values.push(if Some(index) == key { 0 } else { 255 });
        }
    }
    let mut raw = Raw::new(width as u32, height as u32, Colour::Rgb, Values::Bytes(values));
    raw.extra = Extra::Alpha;
    // Damage further on does not matter to the first frame.
    if matches!(decoder.next_frame_info(), Ok(Some(_))) {
        raw.noticed.push(Notice::FirstOfSeveral);
    }
    Ok(raw)
}

/// Reads the screen's size; frames are not counted.
pub(super) fn header(file: impl Read) -> Result<Header, String> {
    let decoder = open(file, 1)?;
    let (width, height) = (decoder.width().into(), decoder.height().into());
    let (orientation, several, real) = (None, false, false);
    Ok(Header { width, height, channels: 1, bits: 8, orientation, several, real })
}

fn open<R: Read>(file: R, max_pixels: u64) -> Result<Decoder<R>, String> {
    let mut options = DecodeOptions::new();
    options.set_color_output(ColorOutput::Indexed);
    options.allow_unknown_blocks(true);
    options.set_memory_limit(MemoryLimit::Bytes(
        max_pixels.saturating_add(1 << 20).try_into().expect("not zero"),
    ));
    options.read_info(file).map_err(say)
}
