//! What a file holds, told by its first bytes and not by its name.

use crate::error::DataError;
use crate::picture::{
    Decode, Kind, OVER, Probe, is_sound, kind, probe, probe_file, too_many,
};
    if !kind(&start).is_image() && !is_named_as_image(path) {
        return Content::Other;
    }
    let probed = refuse(&start).and_then(|()| {
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
    refuse(bytes)?;
    checked(probe(bytes), bytes, decode)
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
