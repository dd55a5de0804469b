//! What a file is, told by its content: the images that are read, those that are not, and what else
//! lies in folders of pictures.

use std::fmt;
use std::path::Path;

/// What the content of a file is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Kind {
    /// A JPEG image, MPO included.
    Jpeg,
    /// A PNG image, APNG included.
    Png,
    /// A WebP image.
    WebP,
    /// A Windows bitmap.
    Bmp,
    /// A TIFF image, BigTIFF included.
    Tiff,
    /// A GIF image.
    Gif,
    /// A PBM, PGM, PPM or PAM image.
    Pnm,
    /// A QOI image.
    Qoi,
    /// An image of a format that is not read, by its name.
    Unread(&'static str),
    /// No image, but this, with its article: "an HTML page".
    Other(&'static str),
}

impl Kind {
    /// Whether [`Decode`](super::Decode) reads it.
    pub fn is_read(self) -> bool {
        !matches!(self, Self::Unread(_) | Self::Other(_))
    }

    /// Whether it is an image, read or not.
    pub fn is_image(self) -> bool {
        !matches!(self, Self::Other(_))
    }

    /// Whether it is known, and neither text nor what may be text in another encoding.
    pub(crate) fn is_other_than_text(self) -> bool {
        !matches!(self, Self::Other(UNKNOWN | UTF_16))
    }

    /// Whether it is no image but may hold pictures.
    pub(crate) fn may_hold_pictures(self) -> bool {
        const NAMES: [&str; 8] =
            [PDF, POSTSCRIPT, TAR, SEVEN_ZIP, RAR, "a NumPy array", "an HDF5 file", MATLAB];
        matches!(self, Self::Other(name) if NAMES.contains(&name))
    }

    /// What the name of the file adds where the content does not tell all: what is packed, and
    /// formats without bytes of their own at the start.
    pub(crate) fn by_name(self, path: &Path) -> Option<Self> {
        const NAMES: [(&str, Kind); 14] = [
            (".tga", Kind::Unread("TGA")),
            (".nii", Kind::Unread("NIfTI")),
            (".nii.gz", Kind::Unread("NIfTI")),
            (".npz", Kind::Other("a NumPy archive")),
            (".mat", Kind::Other(MATLAB)),
            (".zip", Kind::Other(ZIP)),
            (".cbz", Kind::Other(ZIP)),
            (".tar", Kind::Other(TAR)),
            (".tar.gz", Kind::Other(TAR)),
            (".tgz", Kind::Other(TAR)),
            (".tar.bz2", Kind::Other(TAR)),
            (".tbz2", Kind::Other(TAR)),
            (".tar.xz", Kind::Other(TAR)),
            (".tar.zst", Kind::Other(TAR)),
        ];
        if !matches!(self, Self::Other(UNKNOWN | ZIP | GZIP | BZIP2 | XZ | ZSTANDARD)) {
            return None;
        }
        let name = path.file_name()?.to_string_lossy().to_lowercase();
        NAMES.iter().find(|(ending, _)| name.ends_with(ending)).map(|&(_, kind)| kind)
    }

    /// The format's name, or what the file is instead of an image.
    pub fn name(self) -> &'static str {
        match self {
            Self::Jpeg => "JPEG",
            Self::Png => "PNG",
            Self::WebP => "WebP",
            Self::Bmp => "BMP",
            Self::Tiff => "TIFF",
            Self::Gif => "GIF",
            Self::Pnm => "PNM",
            Self::Qoi => "QOI",
            Self::Unread(name) | Self::Other(name) => name,
        }
    }

    /// Why the file cannot be read, nothing for a format that is read.
    pub(crate) fn refusal(self) -> Option<String> {
        match self {
            Self::Unread(_) => {
                Some(format!("this is {self}, which is not read: convert it to PNG"))
            }
            Self::Other(LFS) => Some(format!("this is {self}, not an image: run `git lfs pull`")),
            Self::Other(ANNEX) => {
                Some(format!("this is {self}, not an image: run `git annex get`"))
            }
            Self::Other(_) => Some(format!("this is {self}, not an image")),
            _ => None,
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = self.name();
        match self {
            Self::Other(_) => to.write_str(name),
            // An AVIF, an EPS, an HEIC, an SVG; a JPEG.
            _ if name.starts_with(['A', 'E', 'H', 'O', 'S']) => {
                write!(to, "an {name} image")
            }
            _ => write!(to, "a {name} image"),
        }
    }
}

/// What a file is by its first bytes; a few hundred suffice.
///
/// ```
/// use data_pipeline::picture::{Kind, kind};
/// assert_eq!(kind(b"\xff\xd8\xff\xe0"), Kind::Jpeg);
/// assert_eq!(kind(b"<!DOCTYPE html>").to_string(), "an HTML page");
/// ```
pub fn kind(bytes: &[u8]) -> Kind {
    let by_start = STARTS.iter().find(|(start, _)| bytes.starts_with(start)).map(|&(_, kind)| kind);
    by_start
        .or_else(|| container(bytes))
        .or_else(|| netpbm(bytes))
        .or_else(|| elsewhere(bytes))
        .or_else(|| text(bytes))
        .unwrap_or(Kind::Other(UNKNOWN))
}

/// Files that begin with bytes of their own.
const STARTS: &[(&[u8], Kind)] = &[
    (b"\xff\xd8\xff", Kind::Jpeg),
    (b"\x89PNG\r\n\x1a\n", Kind::Png),
    (b"GIF87a", Kind::Gif),
    (b"GIF89a", Kind::Gif),
    (b"II*\0\x10\0\0\0CR", Kind::Unread("Canon raw")),
    (b"II*\0", Kind::Tiff),
    (b"MM\0*", Kind::Tiff),
    (b"II+\0", Kind::Tiff),
    (b"MM\0+", Kind::Tiff),
    (b"qoif", Kind::Qoi),
    (b"II\xbc\x01", Kind::Unread("JPEG XR")),
    (b"\xff\x0a", Kind::Unread("JPEG XL")),
    (b"\0\0\0\x0cJXL \r\n\x87\n", Kind::Unread("JPEG XL")),
    (b"\0\0\0\x0cjP  \r\n\x87\n", Kind::Unread("JPEG 2000")),
    (b"\xff\x4f\xff\x51", Kind::Unread("JPEG 2000")),
    (b"8BPS", Kind::Unread("Photoshop")),
    (b"v/1\x01", Kind::Unread("OpenEXR")),
    (b"#?RADIANCE", Kind::Unread("Radiance HDR")),
    (b"#?RGBE", Kind::Unread("Radiance HDR")),
    (b"DDS ", Kind::Unread("DDS")),
    (b"farbfeld", Kind::Unread("farbfeld")),
    (b"gimp xcf", Kind::Unread("GIMP")),
    (b"SIMPLE  =", Kind::Unread("FITS")),
    (b"FUJIFILMCCD-RAW", Kind::Unread("Fujifilm raw")),
    (b"IIU\0", Kind::Unread("Panasonic raw")),
    (b"IIRO", Kind::Unread("Olympus raw")),
    (b"PF\n", Kind::Unread("PFM")),
    (b"Pf\n", Kind::Unread("PFM")),
    (b"\x0a\x05\x01\x08", Kind::Unread("PCX")),
    (b"BPG\xfb", Kind::Unread("BPG")),
    (b"%PDF-", Kind::Other(PDF)),
    (b"\xc5\xd0\xd3\xc6", Kind::Unread("EPS")),
    (b"PK\x03\x04", Kind::Other(ZIP)),
    (b"PK\x05\x06", Kind::Other("an empty ZIP archive")),
    (b"\x1f\x8b", Kind::Other(GZIP)),
    (b"BZh", Kind::Other(BZIP2)),
    (b"\xfd7zXZ\0", Kind::Other(XZ)),
    (b"\x28\xb5\x2f\xfd", Kind::Other(ZSTANDARD)),
    (b"7z\xbc\xaf\x27\x1c", Kind::Other(SEVEN_ZIP)),
    (b"Rar!\x1a\x07", Kind::Other(RAR)),
    (b"\x1a\x45\xdf\xa3", Kind::Other("a video")),
    (b"FLV\x01", Kind::Other("a video")),
    (b"\0\0\x01\xba", Kind::Other("a video")),
    (b"\0\0\x01\xb3", Kind::Other("a video")),
    (b"OggS", Kind::Other("an Ogg file")),
    (b"ID3", Kind::Other("a sound file")),
    (b"fLaC", Kind::Other("a sound file")),
    (b"\x93NUMPY", Kind::Other("a NumPy array")),
    (b"\x89HDF\r\n\x1a\n", Kind::Other("an HDF5 file")),
    (b"MATLAB 5.0", Kind::Other(MATLAB)),
    (b"MATLAB 7.3", Kind::Other(MATLAB)),
    (b"PAR1", Kind::Other("a Parquet file")),
    (b"SQLite format 3\0", Kind::Other("an SQLite database")),
    (b"\x7fELF", Kind::Other("a program")),
    (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", Kind::Other("a file of Microsoft Office or Windows")),
    (b"\0\0\0\x01Bud1", Kind::Other("a .DS_Store file of macOS")),
    (b"\0\x05\x16\x07", Kind::Other("metadata of macOS, named after another file")),
    (b"\0\x05\x16\0", Kind::Other("metadata of macOS, named after another file")),
    (b"bplist", Kind::Other("a property list of macOS")),
    (b"L\0\0\0\x01\x14\x02\0", Kind::Other("a shortcut of Windows")),
    (b"[InternetShortcut]", Kind::Other("a shortcut of Windows")),
    (b"version https://git-lfs.github.com/spec", Kind::Other(LFS)),
    (b"/annex/objects/", Kind::Other(ANNEX)),
];

const UNKNOWN: &str = "a file of an unknown format";
const UTF_16: &str = "a text in UTF-16";
const PDF: &str = "a PDF document";
const POSTSCRIPT: &str = "a PostScript document";
const ZIP: &str = "a ZIP archive";
const GZIP: &str = "a gzip file";
const BZIP2: &str = "a bzip2 file";
const XZ: &str = "an xz file";
const ZSTANDARD: &str = "a Zstandard file";
const SEVEN_ZIP: &str = "a 7-Zip archive";
const RAR: &str = "a RAR archive";
const TAR: &str = "a tar archive";
const MATLAB: &str = "a MATLAB file";
const LFS: &str = "a pointer of Git LFS";
const ANNEX: &str = "a pointer of git-annex";

/// Formats that wrap others: RIFF and the boxes of ISO media.
fn container(bytes: &[u8]) -> Option<Kind> {
    if bytes.starts_with(b"RIFF") {
        return Some(match bytes.get(8..12)? {
            b"WEBP" => Kind::WebP,
            b"AVI " => Kind::Other("a video"),
            b"WAVE" => Kind::Other("a sound file"),
            _ => Kind::Other("a RIFF file that is no WebP image"),
        });
    }
    if bytes.get(4..8)? != b"ftyp" {
        let quicktime = matches!(bytes.get(4..8)?, b"moov" | b"mdat" | b"wide");
        return quicktime.then_some(Kind::Other("a video"));
    }
    // The main brand, then, after a version, those that it is compatible with.
    let end = u32::from_be_bytes(*bytes.first_chunk()?) as usize;
    let brands = bytes[8..end.clamp(12, bytes.len().clamp(12, 256)).min(bytes.len())].chunks(4);
    for brand in brands {
        match brand {
            b"avif" | b"avis" => return Some(Kind::Unread("AVIF")),
            b"heic" | b"heix" | b"hevc" | b"hevx" | b"heim" | b"heis" => {
                return Some(Kind::Unread("HEIC"));
            }
            b"crx " => return Some(Kind::Unread("Canon raw")),
            b"isom" | b"mp41" | b"mp42" | b"qt  " | b"M4V " => return Some(Kind::Other("a video")),
            b"M4A " => return Some(Kind::Other("a sound file")),
            _ => {}
        }
    }
    let picture = matches!(bytes.get(8..12)?, b"mif1" | b"msf1");
    Some(if picture { Kind::Unread("HEIF") } else { Kind::Other("a video") })
}

/// Netpbm's formats: their digit is followed by a space or a comment.
fn netpbm(bytes: &[u8]) -> Option<Kind> {
    let &[b'P', digit @ b'1'..=b'7', next, ..] = bytes else { return None };
    let space = next.is_ascii_whitespace() || next == b'#';
    (space && (digit != b'7' || next == b'\n')).then_some(Kind::Pnm)
}

/// Formats whose first bytes are too common, or whose sign stands further on.
fn elsewhere(bytes: &[u8]) -> Option<Kind> {
    if bytes.is_empty() {
        return Some(Kind::Other("an empty file"));
    }
    let word = |at: usize| bytes.get(at..at + 2).map(|b| u16::from_le_bytes([b[0], b[1]]));
    // "BM", a size, two words of zero, the pixels' place, and the length of a known header.
    let header = word(14).filter(|size| [12, 16, 40, 52, 56, 64, 108, 124].contains(size));
    if bytes.starts_with(b"BM") && header.is_some() {
        return Some(Kind::Bmp);
    }
    // Reserved 0, type 1 or 2 (a pointer's shape), how many, and the first one's reserved 0.
    if bytes.starts_with(b"\0\0\x01\0") && word(4).is_some_and(|n| (1..256).contains(&n)) {
        return (bytes.get(9) == Some(&0)).then_some(Kind::Unread("Windows icon"));
    }
    if bytes.get(128..132) == Some(b"DICM") {
        return Some(Kind::Unread("DICOM"));
    }
    if bytes.get(257..262) == Some(b"ustar") {
        return Some(Kind::Other(TAR));
    }
    // Whether packed, and 1 or 2 bytes a sample.
    if bytes.starts_with(b"\x01\xda") && matches!(bytes.get(2..4), Some([0 | 1, 1 | 2])) {
        return Some(Kind::Unread("SGI"));
    }
    if bytes.starts_with(b"%!PS") {
        let first = bytes.split(|byte| b"\r\n".contains(byte)).next().unwrap_or_default();
        let encapsulated = first.windows(4).any(|word| word == b"EPSF");
        let document = Kind::Other(POSTSCRIPT);
        return Some(if encapsulated { Kind::Unread("EPS") } else { document });
    }
    if matches!(bytes.get(344..348), Some(b"n+1\0" | b"ni1\0"))
        || matches!(bytes.get(4..8), Some(b"n+2\0" | b"ni2\0"))
    {
        return Some(Kind::Unread("NIfTI"));
    }
    if bytes.starts_with(b"\x80") && matches!(bytes.get(1), Some(2..=5)) {
        return Some(Kind::Other("a Python pickle"));
    }
    if bytes.starts_with(b"MZ") && bytes.contains(&0) {
        return Some(Kind::Other("a program"));
    }
    let zeros = bytes.iter().all(|&byte| byte == 0);
    zeros.then_some(Kind::Other("a file of zero bytes only, such as a broken download leaves"))
}

/// Text, and what is written as text.
fn text(bytes: &[u8]) -> Option<Kind> {
    let bytes = &bytes[..bytes.len().min(4096)];
    if bytes.starts_with(b"\xff\xfe") || bytes.starts_with(b"\xfe\xff") {
        return Some(Kind::Other(UTF_16));
    }
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    let control = |&byte: &u8| byte < 0x20 && !b"\t\n\r\x0c\x1b".contains(&byte) || byte == 0x7f;
    // The end may lie inside a character; other encodings than UTF-8 are taken for unknown.
    let utf8 = match std::str::from_utf8(bytes) {
        Ok(_) => true,
        Err(error) => error.error_len().is_none(),
    };
    if !utf8 || bytes.iter().any(control) {
        return None;
    }
    let small = bytes.trim_ascii_start().to_ascii_lowercase();
    let has = |word: &[u8]| small.windows(word.len()).any(|part| part == word);
    Some(if small.starts_with(b"<svg") || small.starts_with(b"<?xml") && has(b"<svg") {
        Kind::Unread("SVG")
    } else if small.starts_with(b"<!doctype html") || small.starts_with(b"<") && has(b"<html") {
        Kind::Other("an HTML page")
    } else if small.starts_with(b"<?xml") {
        Kind::Other("an XML file")
    } else if small.starts_with(b"{\\rtf") {
        Kind::Other("a text document")
    } else if small.starts_with(b"{") || small.starts_with(b"[") {
        Kind::Other("a JSON file")
    } else if small.is_empty() {
        Kind::Other("a file of blanks only")
    } else {
        Kind::Other("a text file")
    })
}
