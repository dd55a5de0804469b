//! Numeric arrays of MATLAB 5 files, as far as data sets need them: real, dense, either byte order,
//! compressed or not.
//!
//! Format: a header of 128 bytes, then elements: a tag (type and length, 4 bytes each; or a small
//! element, with type and length in 2 bytes each and up to 4 bytes of data) and data padded to 8
//! bytes. A matrix is an element of elements: flags, dimensions, name, values. A compressed element
//! holds a zlib stream of one matrix. Values are in column-major order.

use crate::error::DataError;
use flate2::read::ZlibDecoder;
use std::fs::File;
use std::io::{BufReader, Read, Seek, SeekFrom};
use std::path::Path;

const MATRIX: u32 = 14;
const COMPRESSED: u32 = 15;
const UINT8: u32 = 2;

/// Deflate makes at most 1,032 bytes of one.
const MOST_INFLATION: u64 = 1032;

/// One variable of the file.
pub(super) struct Variable {
    pub(super) name: String,
    /// Its sides, fastest first.
    pub(super) dims: Vec<usize>,
    pub(super) values: Values,
    /// Where its element begins in the file.
    pub(super) offset: u64,
}

/// Its values, in file order.
pub(super) enum Values {
    /// Stored as unsigned bytes, whatever MATLAB calls the type.
    Bytes(Vec<u8>),
    /// Stored as anything else.
    Numbers(Vec<f64>),
}

impl Values {
    pub(super) fn len(&self) -> usize {
        match self {
            Self::Bytes(bytes) => bytes.len(),
            Self::Numbers(numbers) => numbers.len(),
        }
    }
}

/// Reads the variables with the given names; others are skipped.
pub(super) fn read(path: &Path, wanted: &[&str]) -> Result<Vec<Variable>, DataError> {
    let file = File::open(path).map_err(DataError::io(path, "check the data folder"))?;
    let length = file.metadata().map_err(DataError::io(path, "check the disk"))?.len();
    parse(path, BufReader::new(file), length, wanted)
}

/// Reads from `from`, which holds `length` bytes and which `path` names in errors.
fn parse(
    path: &Path,
    mut from: impl Read + Seek,
    length: u64,
    wanted: &[&str],
) -> Result<Vec<Variable>, DataError> {
    let mut head = [0; 128];
    let short = |e| DataError::format(path, 0, format!("the file ends inside its header: {e}"));
    from.read_exact(&mut head).map_err(short)?;
    let big = match &head[126..] {
        b"IM" => false,
        b"MI" => true,
        _ => {
            let fault =
                "not a MATLAB 5 file (versions 4 and 7.3 are not read; save it with -v6 or -v7)";
            return Err(DataError::format(path, 126, fault));
        }
    };
    let version = if big { [head[124], head[125]] } else { [head[125], head[124]] };
    if version != [1, 0] {
        return Err(DataError::format(path, 124, format!("version {version:?}, expected [1, 0]")));
    }
    let mut variables: Vec<Variable> = Vec::new();
    let mut at = 128;
    while at < length && variables.len() < wanted.len() {
        from.seek(SeekFrom::Start(at)).map_err(DataError::io(path, "check the disk"))?;
        let tag = Cursor { path, from: &mut from, at, compressed: None, big }.tag()?;
        let (bytes, start) = (u64::from(tag.bytes), at + 8);
        let rest = length.saturating_sub(start);
        if bytes > rest {
            return Err(DataError::format(
                path,
                at,
                format!("an element of {bytes} bytes, but only {rest} follow"),
            ));
        }
        let body = from.by_ref().take(bytes);
        let found = match tag.kind {
            MATRIX => matrix(
                Cursor { path, from: body, at: start, compressed: None, big },
                bytes,
                wanted,
            )?,
            COMPRESSED => {
                let mut inner =
                    Cursor { path, from: ZlibDecoder::new(body), at: 0, compressed: Some(at), big };
                let is_matrix = inner.tag()?.kind == MATRIX;
                if is_matrix {
                    matrix(inner, bytes.saturating_mul(MOST_INFLATION), wanted)?
                } else {
                    None
                }
            }
            _ => None,
        };
        variables.extend(found.map(|variable| Variable { offset: at, ..variable }));
        let pad = if tag.kind == COMPRESSED { 0 } else { bytes.wrapping_neg() % 8 };
        at = if tag.small.is_some() { start } else { start + bytes + pad };
    }
    Ok(variables)
}

/// The matrix whose tag was just read, if its name is wanted. `most` bounds the bytes that may
/// follow.
fn matrix(
    mut from: Cursor<impl Read>,
    most: u64,
    wanted: &[&str],
) -> Result<Option<Variable>, DataError> {
    let flags = from.element(16)?;
    let (numeric, complex) = match flags.bytes[..] {
        [a, b, c, d, ..] if flags.kind == 6 => {
            let word = from.word([a, b, c, d]);
            ((6..=15).contains(&(word & 0xff)), word & 0x0800 != 0)
        }
        _ => return Err(from.fault("array flags expected")),
    };
    let sides = from.element(8 * 32)?;
    let mut dims = Vec::new();
    for side in sides.bytes.chunks_exact(4) {
        dims.push(from.word([side[0], side[1], side[2], side[3]]) as usize);
    }
    let name = String::from_utf8_lossy(&from.element(4096)?.bytes).into_owned();
    if !wanted.contains(&name.as_str()) {
        return Ok(None);
    }
    let product = dims.iter().try_fold(1u64, |product, &side| product.checked_mul(side as u64));
    let Some(count) = product.filter(|_| sides.kind == 5 && dims.len() >= 2 && numeric && !complex)
    else {
        return Err(
            from.fault(format!("`{name}` is not a real numeric array with sides (found {dims:?})"))
        );
    };
    let values = from.element(most)?;
    let width = match values.kind {
        1 | 2 => 1,
        3 | 4 => 2,
        5..=7 => 4,
        9 | 12 | 13 => 8,
        kind => return Err(from.fault(format!("`{name}` has values of unknown type {kind}"))),
    };
    if values.bytes.len() as u64 != count.saturating_mul(width) {
        let fault = format!(
            "`{name}` has sides {dims:?} but {} bytes of {width}-byte values",
            values.bytes.len()
        );
        return Err(from.fault(fault));
    }
    let values = match values.kind {
        UINT8 => Values::Bytes(values.bytes),
        kind => Values::Numbers(
            values.bytes.chunks_exact(width as usize).map(|b| number(kind, b, from.big)).collect(),
        ),
    };
    Ok(Some(Variable { name, dims, values, offset: 0 }))
}

/// A number of 1 to 8 bytes.
fn number(kind: u32, bytes: &[u8], big: bool) -> f64 {
    let mut wide = [0; 8];
    wide[..bytes.len()].copy_from_slice(bytes);
    if big {
        wide[..bytes.len()].reverse();
    }
    let bits = u64::from_le_bytes(wide);
    match kind {
        1 => f64::from(bits as i8),
        3 => f64::from(bits as i16),
        5 => f64::from(bits as i32),
        7 => f64::from(f32::from_bits(bits as u32)),
        9 => f64::from_bits(bits),
        12 => bits as i64 as f64,
        _ => bits as f64,
    }
}

struct Tag {
    kind: u32,
    bytes: u32,
    /// The data of a small element.
    small: Option<[u8; 4]>,
}

struct Element {
    kind: u32,
    bytes: Vec<u8>,
}

/// A place in the file, or in a compressed element of it.
struct Cursor<'a, R> {
    path: &'a Path,
    from: R,
    at: u64,
    /// Where in the file the compressed element begins, if inside one.
    compressed: Option<u64>,
    big: bool,
}

impl<R: Read> Cursor<'_, R> {
    fn fault(&self, fault: impl Into<String>) -> DataError {
        match self.compressed {
            Some(start) => {
                let fault =
                    format!("byte {} of the compressed element there: {}", self.at, fault.into());
                DataError::format(self.path, start, fault)
            }
            None => DataError::format(self.path, self.at, fault),
        }
    }

    fn word(&self, bytes: [u8; 4]) -> u32 {
        if self.big { u32::from_be_bytes(bytes) } else { u32::from_le_bytes(bytes) }
    }

    fn tag(&mut self) -> Result<Tag, DataError> {
        let mut tag = [0; 8];
        self.from
            .read_exact(&mut tag)
            .map_err(|e| self.fault(format!("no element can be read: {e}")))?;
        self.at += 8;
        let [a, b, c, d, e, f, g, h] = tag;
        let word = self.word([a, b, c, d]);
        match word >> 16 {
            0 => Ok(Tag { kind: word, bytes: self.word([e, f, g, h]), small: None }),
            n @ 1..=4 => Ok(Tag { kind: word & 0xffff, bytes: n, small: Some([e, f, g, h]) }),
            n => Err(self.fault(format!("a small element of {n} bytes, at most 4 are possible"))),
        }
    }

    /// The next element with its padding. At most `most` bytes: what a damaged length promises is
    /// never allocated.
    fn element(&mut self, most: u64) -> Result<Element, DataError> {
        let tag = self.tag()?;
        let wanted = u64::from(tag.bytes);
        if let Some(small) = tag.small {
            return Ok(Element { kind: tag.kind, bytes: small[..tag.bytes as usize].to_vec() });
        }
        if wanted > most {
            return Err(
                self.fault(format!("an element of {wanted} bytes where at most {most} can be"))
            );
        }
        let mut bytes = Vec::new();
        let room = bytes.try_reserve_exact(wanted as usize);
        room.map_err(|e| self.fault(format!("no memory for an element of {wanted} bytes: {e}")))?;
        let read = self.from.by_ref().take(wanted).read_to_end(&mut bytes);
        self.at += bytes.len() as u64;
        read.map_err(|e| self.fault(format!("the element cannot be read: {e}")))?;
        if bytes.len() as u64 != wanted {
            return Err(self.fault(format!("{wanted} bytes expected, {} found", bytes.len())));
        }
        let pad = wanted.wrapping_neg() % 8;
        // The padding of the last element may be missing; a missing element shows when its tag is
        // read.
        let skipped = std::io::copy(&mut self.from.by_ref().take(pad), &mut std::io::sink());
        self.at += skipped.map_err(|e| self.fault(format!("the element cannot be read: {e}")))?;
        Ok(Element { kind: tag.kind, bytes })
    }
}
