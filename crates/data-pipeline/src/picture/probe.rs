//! A look at the header of an image file: what a folder of many holds, before any is decoded.

use super::kind::{Kind, kind};
use super::raw::Header;
use super::{gif_file, jpeg_file, open_regular, other_files, png_file, tiff_file};
use crate::error::DataError;
use image::metadata::Orientation;
use std::io::{BufRead, BufReader, Cursor, Read, Seek};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;

/// What the header of an image file says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Probe {
    /// The format.
    pub kind: Kind,
    /// Columns, as stored.
    pub width: u32,
    /// Rows, as stored.
    pub height: u32,
    /// Samples a pixel as stored, transparency included; 1 for a palette.
    pub channels: u8,
    /// Bits a sample as stored; 1, 2, 4 and 8 for a palette.
    pub bits: u8,
    /// EXIF orientation, 1 to 8; 1 where nothing is said. EXIF after the pixels of a PNG file is
    /// not seen.
    pub orientation: u8,
    /// Whether the header tells of more frames or pages; GIF's does not.
    pub several: bool,
    /// Whether samples are floating-point or signed numbers, as only TIFF has them.
    pub real: bool,
}

impl Probe {
    /// Width and height of the picture when it is turned upright.
    pub fn upright(&self) -> (u32, u32) {
        match self.orientation {
            5..=8 => (self.height, self.width),
            _ => (self.width, self.height),
        }
    }
}

/// Reads the header in the content of a file. The pixels are not looked at, and may be damaged.
/// Fails where [`kind`] is not read, where the header is damaged or tells of samples that are not
/// read, with what is wrong.
pub fn probe(bytes: &[u8]) -> Result<Probe, String> {
    look(Cursor::new(bytes), kind(bytes))
}

/// Reads the header of a file, and no more of the file than that; the error names the file.
pub fn probe_file(path: &Path) -> Result<Probe, DataError> {
    let open = || -> std::io::Result<_> {
        let mut file = BufReader::new(open_regular(path)?);
        let mut start = Vec::new();
        file.by_ref().take(4096).read_to_end(&mut start)?;
        file.rewind()?;
        Ok((file, kind(&start)))
    };
    let probed =
        open().map_err(|error| error.to_string()).and_then(|(file, kind)| look(file, kind));
    probed.map_err(|fault| DataError::Image { path: path.to_path_buf(), fault })
}

fn look(file: impl BufRead + Seek, kind: Kind) -> Result<Probe, String> {
    if let Some(refusal) = kind.refusal() {
        return Err(refusal);
    }
    let attempt = catch_unwind(AssertUnwindSafe(|| header(file, kind)));
    let header = attempt.unwrap_or_else(|_| Err("the decoder panicked".into()));
    let Header { width, height, channels, bits, orientation, several, real } =
        header.map_err(|fault| format!("{} image: {fault}", kind.name()))?;
    let orientation = orientation.map_or(1, Orientation::to_exif);
    Ok(Probe { kind, width, height, channels, bits, orientation, several, real })
}

fn header(mut file: impl BufRead + Seek, kind: Kind) -> Result<Header, String> {
    match kind {
        Kind::Jpeg => jpeg_file::header(&mut file),
        Kind::Png => png_file::header(&mut file),
        Kind::Tiff => tiff_file::header(file),
        Kind::Gif => gif_file::header(file),
        kind => other_files::header(file, kind),
    }
}
