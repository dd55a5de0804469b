//! What a file holds, told by its first bytes and not by its name.

use crate::error::DataError;
use crate::picture::{
    Decode, Kind, OVER, Probe, is_sound, kind, open_regular, probe, probe_file, too_many,
};
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
    /// Bits of a sample, as stored.
    pub bits: u8,
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

    /// What is wrong with a file that is no image but may hold pictures.
    pub(super) fn of_holder(kind: Kind) -> Self {
        let fault = format!("this is {kind}{HOLDER}: save them as PNG files beside it");
        Self::new(format!("{kind}{HOLDER}"), fault)
    }

    /// What is wrong with an image that a decoder refuses.
    pub(super) fn of_decoder(fault: impl Into<String>) -> Self {
        let fault = fault.into();
        let limit = fault.split_once(OVER).and_then(|(_, rest)| rest.split_once(':'));
        match limit {
            Some((limit, _)) => Self::new(larger(limit), fault),
            None if is_sound(&fault) => {
                Self::new(format!("sound but not supported ({fault})"), fault)
            }
            None if fault == NO_IMAGE => Self::new(EMPTY_ROW, fault),
            None => Self::new("damaged", fault),
        }
    }
}

/// The reason for images with more pixels than `limit`.
fn larger(limit: &str) -> String {
    format!(
        "larger than the limit of {limit} pixels: shrink or remove what is so large, or raise \
         `data.max_pixels` in a recipe"
    )
}

/// What is wrong with a row of Parquet without bytes.
pub(super) const NO_IMAGE: &str = "the row holds no encoded image";

/// What is wrong with a row of Parquet without bytes, as a reason that rows are counted by.
const EMPTY_ROW: &str = "a row without an encoded image";

/// How the reason ends of images of a format that is not read.
pub(super) const UNREAD: &str = ", which is not read";

/// How the reason ends of files that are no images but may hold pictures.
pub(super) const HOLDER: &str = ", of which no pictures are read";

/// What a file is found to be.
pub(super) enum Content {
    Image(Header),
    /// An image that cannot be used, or a file that is named as an image and is none.
    Bad(Fault),
    /// No image, but it may hold pictures.
    Holder(Kind),
    /// No image, and nothing says that it should be one.
    Other,
}

impl Content {
    /// Whether it is an image, or should be one.
    pub(super) fn is_image(&self) -> bool {
        matches!(self, Self::Image(_) | Self::Bad(_))
    }
}

/// The reason of a link that leads back to a folder that it lies in.
pub(super) const LOOP: &str = "a link that leads back to a folder above it";

/// Looks at a file that is to be decoded as `decode` says.
pub(super) fn look(path: &Path, decode: &Decode) -> Content {
    // Only links that lead back are listed among files.
    if path.is_dir() {
        return Content::Bad(Fault::new(LOOP, LOOP));
    }
    let start = match start(path) {
        Ok(start) => start,
        Err(_) if !is_named_as_image(path) => return Content::Other,
        Err(error) => return Content::Bad(Fault::new("cannot be opened", error.to_string())),
    };
    let by_start = kind(&start);
    let by_name = by_start.by_name(path);
    let kind = by_name.unwrap_or(by_start);
    if !kind.is_image() && !is_named_as_image(path) {
        let holds = by_name.is_some() || kind.may_hold_pictures();
        return if holds { Content::Holder(kind) } else { Content::Other };
    }
    let probed = refuse(kind).and_then(|()| {
        let probed = probe_file(path).map_err(|error| match error {
            DataError::Image { fault, .. } => fault,
            other => other.to_string(),
        });
        checked(probed, &start, decode)
    });
    probed.map_or_else(Content::Bad, Content::Image)
}

/// Looks at the content of a file.
pub(super) fn header(bytes: &[u8], decode: &Decode) -> Result<Header, Fault> {
    refuse(kind(bytes))?;
    checked(probe(bytes), bytes, decode)
}

/// Fails if a file of this kind is no image that is read.
fn refuse(kind: Kind) -> Result<(), Fault> {
    match kind.refusal() {
        None => Ok(()),
        Some(refusal) if kind.is_image() => Err(Fault::new(format!("{kind}{UNREAD}"), refusal)),
        Some(_) => {
            let reason = format!("no image but {kind}");
            Err(Fault::new(reason.clone(), reason))
        }
    }
}

fn checked(probed: Result<Probe, String>, start: &[u8], decode: &Decode) -> Result<Header, Fault> {
    let probed = probed.map_err(Fault::of_decoder)?;
    let (kind, channels, (width, height)) = (probed.kind, probed.channels, probed.upright());
    let (pixels, most) = (u64::from(width) * u64::from(height), decode.max_pixels);
    if pixels > most {
        return Err(Fault::of_decoder(too_many(width, height, most)));
    }
    if let Some(fault) = decode.refusal(&probed) {
        return Err(Fault::of_decoder(fault));
    }
    if pixels == 0 {
        return Err(Fault::of_decoder("the image has no pixels"));
    }
    // Palettes are of colour: GIF's always, PNG's by the colour type in its first chunk.
    let palette = kind == Kind::Gif || (kind == Kind::Png && start.get(25) == Some(&3));
    Ok(Header { kind, width, height, grey: channels <= 2 && !palette, bits: probed.bits })
}

/// The first bytes of a file, enough to tell its kind.
fn start(path: &Path) -> std::io::Result<Vec<u8>> {
    let mut bytes = Vec::with_capacity(4096);
    open_regular(path)?.take(4096).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// Whether the content of a file begins so.
pub(super) fn starts_with(path: &Path, magic: &[u8]) -> bool {
    start(path).is_ok_and(|bytes| bytes.starts_with(magic))
}

/// Endings that promise an image.
const ENDINGS: [&str; 25] = [
    "jpg", "jpeg", "jpe", "jfif", "png", "apng", "gif", "webp", "tif", "tiff", "bmp", "dib", "pnm",
    "pbm", "pgm", "ppm", "avif", "heic", "heif", "jxl", "jp2", "ico", "pcx", "sgi", "tga",
];

/// Whether the name of a file promises an image.
pub(super) fn is_named_as_image(path: &Path) -> bool {
    let ending = path.extension().unwrap_or_default().to_ascii_lowercase();
    ENDINGS.iter().any(|known| ending == *known)
}
