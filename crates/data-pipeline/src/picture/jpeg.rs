//! JPEG files (ITU-T T.81): baseline and progressive Huffman coding of 8-bit grey and colour images. What this module does not know, or
//! finds damaged, it refuses, and another decoder has its say.

use augment::Image;
use augment::jpeg::{Plane, inverse_row, to_rgb};

use super::huffman::{Bits, Table};
use super::scan::{self, Scan};

/// Why a file was not decoded here.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Refused;

pub(super) type Decoded<T> = Result<T, Refused>;

/// One component of a frame.
pub(super) struct Component {
    id: u8,
    /// Sampling factors, across and down.
    pub(super) h: usize,
    pub(super) v: usize,
    table: usize,
    /// Blocks that hold the image.
    pub(super) across: usize,
    pub(super) down: usize,
    /// Blocks a row, to whole units of all components.
    pub(super) stride: usize,
    /// Coefficients in rows, not zigzag.
    pub(super) blocks: Vec<[i16; 64]>,
}

/// What a frame's header says.
pub(super) struct Frame {
    pub(super) progressive: bool,
    width: usize,
    height: usize,
    pub(super) components: Vec<Component>,
    h_max: usize,
    v_max: usize,
}

impl Frame {
    /// Units of all components across and down.
    pub(super) fn units(&self) -> (usize, usize) {
        (self.width.div_ceil(8 * self.h_max), self.height.div_ceil(8 * self.v_max))
    }
}

/// The tables that stand when a scan begins.
#[derive(Default)]
pub(super) struct Tables {
    /// Quantisation steps in rows.
    steps: [Option<[i32; 64]>; 4],
    pub(super) dc: [Option<Table>; 4],
    pub(super) ac: [Option<Table>; 4],
    /// Units between restarts; 0 for none.
    pub(super) interval: usize,
}

/// Where each coefficient of the zigzag order stands.
pub(super) const ZIGZAG: [u8; 64] = [
    0, 1, 8, 16, 9, 2, 3, 10, 17, 24, 32, 25, 18, 11, 4, 5, 12, 19, 26, 33, 40, 48, 41, 34, 27, 20,
    13, 6, 7, 14, 21, 28, 35, 42, 49, 56, 57, 50, 43, 36, 29, 22, 15, 23, 30, 37, 44, 51, 58, 59,
    52, 45, 38, 31, 39, 46, 53, 60, 61, 54, 47, 55, 62, 63,
];

/// Whether bytes begin as a JPEG file does.
pub(super) fn is_jpeg(bytes: &[u8]) -> bool {
    bytes.starts_with(&[0xff, 0xd8, 0xff])
}

/// The image, RGB or (of one component) grey.
pub(super) fn decode(bytes: &[u8], max_pixels: u64) -> Decoded<Image> {
    let mut tables = Tables::default();
    let (mut frame, mut transform, mut at) = (None::<Frame>, None, 2);
    let mut scans = 0;
    loop {
        // Fill bytes may stand before a marker.
        while bytes.get(at) == Some(&0xff) && bytes.get(at + 1) == Some(&0xff) {
            at += 1;
        }
        let (Some(0xff), Some(&marker)) = (bytes.get(at), bytes.get(at + 1)) else {
            return Err(Refused);
        };
        at += 2;
        if marker == 0xd9 {
            break;
        }
        let length = usize::from(u16::from_be_bytes(
            *bytes.get(at..).and_then(|b| b.first_chunk()).ok_or(Refused)?,
        ));
        let body = bytes.get(at + 2..at + length.max(2)).ok_or(Refused)?;
        at += length.max(2);
        match marker {
            0xc0..=0xc2 if frame.is_none() => {
                frame = Some(header(body, marker == 0xc2, max_pixels)?)
            }
            0xc4 => huffman(body, &mut tables)?,
            0xdb => quantisation(body, &mut tables)?,
            0xdd => {
                tables.interval =
                    usize::from(u16::from_be_bytes(*body.first_chunk().ok_or(Refused)?))
            }
            0xda => {
                let frame = frame.as_mut().ok_or(Refused)?;
                let scan = Scan::read(body, frame)?;
                scans += 1;
                // A few hundred scans are more than any encoder writes; a file of thousands only costs time.
                if scans > 500 {
                    return Err(Refused);
                }
                let mut bits = Bits::new(bytes.get(at..).ok_or(Refused)?);
                scan::run(&scan, frame, &tables, &mut bits)?;
                at += bits.consumed();
            }
            0xee if body.starts_with(b"Adobe") => transform = body.get(11).copied(),
            0xe0 if body.starts_with(b"JFIF\0") => transform = transform.or(Some(1)),
            0xe0..=0xef | 0xfe => {}
            _ => return Err(Refused),
        }
    }
    let frame = frame.filter(|_| scans > 0).ok_or(Refused)?;
    finish(&frame, &tables, transform)
}

fn header(body: &[u8], progressive: bool, max_pixels: u64) -> Decoded<Frame> {
    let &[8, h0, h1, w0, w1, count, ref rest @ ..] = body else { return Err(Refused) };
    let (height, width) =
        (usize::from(u16::from_be_bytes([h0, h1])), usize::from(u16::from_be_bytes([w0, w1])));
    let count = usize::from(count);
    if width == 0
        || height == 0
        || (width * height) as u64 > max_pixels
        || ![1, 3].contains(&count)
        || rest.len() != 3 * count
    {
        return Err(Refused);
    }
    let factors = |c: &[u8; 3]| (usize::from(c[1] >> 4), usize::from(c[1] & 15));
    let listed = rest.as_chunks::<3>().0;
    if listed.iter().map(factors).any(|(h, v)| !(1..=4).contains(&h) || !(1..=4).contains(&v)) {
        return Err(Refused);
    }
    let h_max = listed.iter().map(|c| factors(c).0).max().unwrap_or(1);
    let v_max = listed.iter().map(|c| factors(c).1).max().unwrap_or(1);
    let component = |c: &[u8; 3]| {
        // The factors of a single component mean nothing.
        let (h, v) = if count == 1 { (1, 1) } else { factors(c) };
        let (h_max, v_max) = if count == 1 { (1, 1) } else { (h_max, v_max) };
        let across = (width * h).div_ceil(h_max).div_ceil(8);
        let down = (height * v).div_ceil(v_max).div_ceil(8);
        let (stride, rows) = (width.div_ceil(8 * h_max) * h, height.div_ceil(8 * v_max) * v);
        let blocks = vec![[0; 64]; stride * rows];
        Component { id: c[0], h, v, table: usize::from(c[2] & 3), across, down, stride, blocks }
    };
    let components: Vec<Component> = listed.iter().map(component).collect();
    let (h_max, v_max) = if count == 1 { (1, 1) } else { (h_max, v_max) };
    // Factors that do not divide the greatest are rare, and enlarged in other ways.
    if components.iter().any(|c| h_max % c.h != 0 || v_max % c.v != 0) {
        return Err(Refused);
    }
    Ok(Frame { progressive, width, height, components, h_max, v_max })
}

impl Frame {
    /// The component of an identifier.
    pub(super) fn find(&self, id: u8) -> Decoded<usize> {
        self.components.iter().position(|c| c.id == id).ok_or(Refused)
    }
}

fn quantisation(mut body: &[u8], tables: &mut Tables) -> Decoded<()> {
    while let [kind, rest @ ..] = body {
        let mut steps = [0; 64];
        let (wide, slot) = (kind >> 4 == 1, usize::from(kind & 15));
        let bytes = if wide { 128 } else { 64 };
        let values = rest.get(..bytes).ok_or(Refused)?;
        for (i, &place) in ZIGZAG.iter().enumerate() {
            steps[usize::from(place)] = match wide {
                true => i32::from(u16::from_be_bytes([values[2 * i], values[2 * i + 1]])),
                false => i32::from(values[i]),
            };
        }
        *tables.steps.get_mut(slot).ok_or(Refused)? = Some(steps);
        body = &rest[bytes..];
    }
    Ok(())
}

fn huffman(mut body: &[u8], tables: &mut Tables) -> Decoded<()> {
    while let [kind, rest @ ..] = body {
        let counts = rest.first_chunk::<16>().ok_or(Refused)?;
        let total: usize = counts.iter().map(|&n| usize::from(n)).sum();
        let values = rest.get(16..16 + total).ok_or(Refused)?;
        let slots = if kind >> 4 == 0 { &mut tables.dc } else { &mut tables.ac };
        let table = Table::new(counts, values).ok_or(Refused)?;
        *slots.get_mut(usize::from(kind & 15)).ok_or(Refused)? = Some(table);
        body = &rest[16 + total..];
    }
    Ok(())
}

/// Coefficients to pixels.
fn finish(frame: &Frame, tables: &Tables, transform: Option<u8>) -> Decoded<Image> {
    let (width, height) = (frame.width, frame.height);
    let mut planes = Vec::with_capacity(3);
    for component in &frame.components {
        let steps = tables.steps[component.table].as_ref().ok_or(Refused)?;
        let stride = 8 * component.stride;
        let rows = component.blocks.len() / component.stride;
        let mut values = vec![0; stride * 8 * rows];
        for (blocks, out) in
            component.blocks.chunks_exact(component.stride).zip(values.chunks_exact_mut(8 * stride))
        {
            inverse_row(blocks, steps, stride, out);
        }
        // Rows beyond the image's own are not looked at when it is enlarged.
        let own = (height * component.v).div_ceil(frame.v_max);
        values.truncate(own * stride);
        let plane = Plane { width: stride, height: own, values };
        planes.push(plane.enlarged(
            frame.h_max / component.h,
            frame.v_max / component.v,
            width,
            height,
        ));
    }
    match &planes[..] {
        [grey] => Ok(Image::new(width, height, 1, grey.values.clone())),
        [y, cb, cr] => {
            let ids = [0, 1, 2].map(|i| frame.components[i].id);
            if transform == Some(0) || (transform.is_none() && ids == *b"RGB") {
                let pixels = y.values.iter().zip(&cb.values).zip(&cr.values);
                let pixels = pixels.flat_map(|((&r, &g), &b)| [r, g, b]).collect();
                return Ok(Image::new(width, height, 3, pixels));
            }
            Ok(to_rgb(y, cb, cr))
        }
        _ => Err(Refused),
    }
}
