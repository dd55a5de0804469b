//! What a file holds, told by its first bytes and not by its name.

use crate::error::DataError;
use crate::picture::{Kind, Probe, kind, probe, probe_file};
use std::fs::File;
use std::io::Read;
use std::path::Path;

/// What the header of an image file says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header {
    /// The format.
    pub kind: Kind,
    /// Columns, upright.
    pub width: u32,
    /// Rows, upright.
    pub height: u32,
    /// Whether there is one channel of colour.
    pub grey: bool,
}

/// Why an image is left out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Fault {
    /// The kind of fault, the same words for all of its kind.
    pub(super) reason: String,
    /// What is wrong with this one.
    pub(super) fault: String,
}

impl Fault {
    pub(super) fn new(reason: impl Into<String>, fault: impl Into<String>) -> Self {
        Self { reason: reason.into(), fault: fault.into() }
    }

    /// Of an image that a decoder refuses.
    pub(super) fn damaged(fault: impl Into<String>) -> Self {
        Self::new("damaged", fault)
    }
}

/// What a file is found to be.
pub(super) enum Content {
    Image(Header),
    /// An image that cannot be used, or a file that is named as an image and is none.
    Bad(Fault),
    /// No image, and nothing says that it should be one.
    Other,
}

/// Looks at a file; `max_pixels` is the most that an image may have.
pub(super) fn look(path: &Path, max_pixels: u64) -> Content {
    let start = match start(path) {
        Ok(start) => start,
        Err(_) if !is_named_as_image(path) => return Content::Other,
        Err(error) => return Content::Bad(Fault::new("cannot be opened", error.to_string())),
    };
    if !kind(&start).is_image() && !is_named_as_image(path) {
        return Content::Other;
    }
    let probed = refuse(&start).and_then(|()| {
        let probed = probe_file(path).map_err(|error| match error {
            DataError::Image { fault, .. } => fault,
            other => other.to_string(),
        });
        checked(probed, &start, max_pixels)
    });
    probed.map_or_else(Content::Bad, Content::Image)
}

/// Looks at the content of a file.
pub(super) fn header(bytes: &[u8], max_pixels: u64) -> Result<Header, Fault> {
    refuse(bytes)?;
    checked(probe(bytes), bytes, max_pixels)
}

/// Fails if the content is no image that is read.
fn refuse(bytes: &[u8]) -> Result<(), Fault> {
    let kind = kind(bytes);
    if kind.is_read() {
        return Ok(());
    }
    let reason = match kind.is_image() {
        true => format!("{kind}, which is not read"),
        false => format!("no image but {kind}"),
    };
    // The decoder's own words may have a way out.
    let fault = probe(bytes).err().filter(|_| kind.is_image());
    Err(Fault::new(reason.clone(), fault.unwrap_or(reason)))
}

fn checked(probed: Result<Probe, String>, start: &[u8], most: u64) -> Result<Header, Fault> {
    let probed = probed.map_err(Fault::damaged)?;
    let (kind, channels, (width, height)) = (probed.kind, probed.channels, probed.upright());
    let pixels = u64::from(width) * u64::from(height);
    if pixels > most {
        let fault = format!(
            "{width}x{height} are {pixels} pixels, more than max_pixels = {most} allows: raise \
             max_pixels if the image is meant to be so large"
        );
        return Err(Fault::new("more pixels than max_pixels allows", fault));
    }
    if pixels == 0 {
        return Err(Fault::damaged("the image has no pixels"));
    }
    // Palettes are of colour: GIF's always, PNG's by the colour type in its first chunk.
    let palette = kind == Kind::Gif || (kind == Kind::Png && start.get(25) == Some(&3));
    Ok(Header { kind, width, height, grey: channels <= 2 && !palette })
}

/// The first bytes of a file, enough to tell its kind.
fn start(path: &Path) -> std::io::Result<Vec<u8>> {
    // A named pipe would block for ever.
    if !std::fs::metadata(path)?.is_file() {
        return Err(std::io::Error::other("no regular file"));
    }
    let mut bytes = Vec::with_capacity(4096);
    File::open(path)?.take(4096).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// Whether the content of a file begins so.
pub(super) fn starts_with(path: &Path, magic: &[u8]) -> bool {
    start(path).is_ok_and(|bytes| bytes.starts_with(magic))
}

/// Endings that promise an image.
const ENDINGS: [&str; 22] = [
    "jpg", "jpeg", "jpe", "jfif", "png", "apng", "gif", "webp", "tif", "tiff", "bmp", "dib", "pnm",
    "pbm", "pgm", "ppm", "avif", "heic", "heif", "jxl", "jp2", "ico",
];

/// Whether the name of a file promises an image.
pub(super) fn is_named_as_image(path: &Path) -> bool {
    let ending = path.extension().unwrap_or_default().to_ascii_lowercase();
    ENDINGS.iter().any(|known| ending == *known)
}
