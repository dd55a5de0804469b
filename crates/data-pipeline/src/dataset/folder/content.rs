//! What a file holds, told by its first bytes and not by its name.

use image::{ImageDecoder, ImageFormat, ImageReader};
use libjpeg_turbo_rs::Decoder;
use std::fs::File;
use std::io::{Cursor, Read};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;

/// What the header of an image file says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header {
    /// The format, as people call it: "JPEG", "PNG".
    pub kind: &'static str,
    /// Columns, as stored.
    pub width: u32,
    /// Rows, as stored.
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
        Self::new("damaged, or of a kind that is not read", fault)
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
    if kind(&start).is_none() {
        if !is_named_as_image(path) {
            return Content::Other;
        }
        let fault = format!("no image but {}", what(&start));
        return Content::Bad(Fault::new(fault.clone(), fault));
    }
    let found = header(&start, max_pixels);
    match found {
        Ok(header) => Content::Image(header),
        // The header may be longer than what was read: cameras put whole pictures into it.
        Err(_) if start.len() == START => match std::fs::read(path) {
            Ok(bytes) => header(&bytes, max_pixels).map_or_else(Content::Bad, Content::Image),
            Err(error) => Content::Bad(Fault::new("cannot be opened", error.to_string())),
        },
        Err(fault) => Content::Bad(fault),
    }
}

/// Looks at the content of a file, or the beginning of it that holds the header.
pub(super) fn header(bytes: &[u8], max_pixels: u64) -> Result<Header, Fault> {
    let Some(kind) = kind(bytes) else {
        let fault = format!("no image but {}", what(bytes));
        return Err(Fault::new(fault.clone(), fault));
    };
    // Decoders promise not to panic on bad input, but one that does must not end a run.
    let attempt = catch_unwind(AssertUnwindSafe(|| read_header(bytes, kind)));
    let attempt = attempt.unwrap_or_else(|_| Err("the decoder panicked".into()));
    let header = attempt.map_err(Fault::damaged)?;
    let (width, height) = (header.width, header.height);
    let pixels = u64::from(width) * u64::from(height);
    if pixels == 0 || pixels > max_pixels {
        let fault = format!("{width}x{height} pixels, allowed are 1 to {max_pixels}");
        return Err(Fault::new("more pixels than are allowed, or none", fault));
    }
    Ok(header)
}

/// So many bytes are enough for most headers.
const START: usize = 1 << 15;

fn start(path: &Path) -> std::io::Result<Vec<u8>> {
    // A named pipe would block for ever.
    if !std::fs::metadata(path)?.is_file() {
        return Err(std::io::Error::other("no regular file"));
    }
    let mut bytes = Vec::with_capacity(START);
    File::open(path)?.take(START as u64).read_to_end(&mut bytes)?;
    Ok(bytes)
}

fn kind(bytes: &[u8]) -> Option<&'static str> {
    Some(match image::guess_format(bytes).ok()? {
        ImageFormat::Jpeg => "JPEG",
        ImageFormat::Png => "PNG",
        ImageFormat::Gif => "GIF",
        ImageFormat::WebP => "WebP",
        ImageFormat::Tiff => "TIFF",
        ImageFormat::Bmp => "BMP",
        ImageFormat::Pnm => "PNM",
        ImageFormat::Avif => "AVIF",
        _ => "of a rare kind",
    })
}

fn read_header(bytes: &[u8], kind: &'static str) -> Result<Header, String> {
    match kind {
        "JPEG" => {
            let decoder = Decoder::new(bytes).map_err(|error| error.to_string())?;
            let header = decoder.header();
            let (width, height) = (header.width.into(), header.height.into());
            Ok(Header { kind, width, height, grey: header.components.len() == 1 })
        }
        "PNG" => {
            let reader = ImageReader::with_format(Cursor::new(bytes), ImageFormat::Png);
            let decoder = reader.into_decoder().map_err(|error| error.to_string())?;
            let (width, height) = decoder.dimensions();
            Ok(Header { kind, width, height, grey: !decoder.color_type().has_color() })
        }
        _ => Err(format!("{kind} images are not read")),
    }
}

/// What a file that is no image is, in words.
fn what(bytes: &[u8]) -> &'static str {
    let text = String::from_utf8_lossy(&bytes[..bytes.len().min(512)]).to_lowercase();
    let text = text.trim_start_matches(['\u{feff}', ' ', '\t', '\r', '\n']);
    match bytes {
        [] => "an empty file",
        _ if bytes.iter().all(|&byte| byte == 0) => "a file of zeros",
        _ if bytes.starts_with(b"%PDF") => "a PDF file",
        _ if bytes.starts_with(b"PK\x03\x04") => "a ZIP archive",
        _ if bytes.starts_with(b"PAR1") => "a Parquet file",
        _ if bytes.get(4..8) == Some(b"ftyp") => "a video, or an image of HEIC",
        _ if bytes.starts_with(b"version https://git-lfs") => "a pointer of Git LFS",
        _ if text.starts_with("<!doctype html") || text.starts_with("<html") => "an HTML page",
        _ if text.starts_with("<svg") || text.contains("<svg") => "an SVG drawing",
        _ if !text
            .contains(|c: char| c == '\u{fffd}' || (c.is_control() && !c.is_whitespace())) =>
        {
            "text"
        }
        _ => "something unknown",
    }
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
