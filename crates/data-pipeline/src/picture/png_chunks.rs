//! The chunks of a PNG file that matter to its pixels, however the others are damaged.

use super::raw::say;
use flate2::{Crc, Decompress, FlushDecompress, Status};
use std::io::{Read, Seek, SeekFrom};

/// What the chunks hold. Of those that are there more than once the last one counts, as in Pillow.
#[derive(Default)]
pub(super) struct Chunks {
    /// At least 13 bytes: width, height, bits, colour, and three methods.
    header: Vec<u8>,
    palette: Vec<u8>,
    transparency: Option<Vec<u8>>,
    /// An EXIF block; one in a text where there is no other.
    pub(super) exif: Option<Vec<u8>>,
    /// An XMP packet.
    pub(super) xmp: Option<Vec<u8>>,
    /// Frames of an animation; otherwise 0.
    pub(super) frames: u32,
    /// The compressed pixels.
    pixels: Vec<u8>,
    /// Whether the file ends within them.
    cut: bool,
}

impl Chunks {
    /// Goes through a file from its signature on, `to_end` or to the pixels.
    ///
    /// # Errors
    /// When header or palette are damaged.
    pub(super) fn read(file: &mut (impl Read + Seek), to_end: bool) -> Result<Self, String> {
        let (mut found, mut after) = (Self::default(), false);
        let mut in_text = None;
        file.seek(SeekFrom::Start(8)).map_err(say)?;
        let mut head = [0; 8];
        while file.read_exact(&mut head).is_ok() {
            let (length, name) = head.split_at(4);
            let length = u32::from_be_bytes(length.try_into().expect("4 bytes")).into();
            // Pixels that do not follow on each other are lost.
            after |= name != b"IDAT" && !found.pixels.is_empty();
            match name {
                b"IDAT" if !to_end => break,
                b"IDAT" if !after => {}
                b"IHDR" | b"PLTE" | b"tRNS" | b"acTL" if !after => {}
                b"eXIf" | b"iTXt" | b"zTXt" => {}
                b"IEND" => break,
                _ => {
                    file.seek_relative(length as i64 + 4).map_err(say)?;
                    continue;
                }
            }
            let mut data = Vec::new();
            file.by_ref().take(length).read_to_end(&mut data).map_err(say)?;
            let mut sum = [0; 4];
            let summed = file.read_exact(&mut sum).is_ok();
            if matches!(name, b"IHDR" | b"PLTE") {
                let mut crc = Crc::new();
                crc.update(name);
                crc.update(&data);
                if !summed || crc.sum() != u32::from_be_bytes(sum) {
                    return Err(format!("the checksum of {} is wrong", name.escape_ascii()));
                }
            }
            match name {
                b"IDAT" => {
                    found.cut = (data.len() as u64) < length;
                    found.pixels.append(&mut data);
                }
                b"IHDR" => found.header = data,
                b"PLTE" => found.palette = data,
                b"tRNS" => found.transparency = Some(data),
                b"acTL" => {
                    found.frames = data.first_chunk().copied().map_or(0, u32::from_be_bytes);
                }
                b"eXIf" => found.exif = Some(data),
                b"zTXt" => in_text = exif_digits(&data).or(in_text),
                _ => found.xmp = packet(&data).or(found.xmp),
            }
        }
        found.exif = found.exif.or(in_text);
        match found.header.len() {
            ..13 => Err("its header is missing or too short".into()),
            _ => Ok(found),
        }
    }

    fn number(&self, at: usize) -> u32 {
        u32::from_be_bytes(self.header[at..at + 4].try_into().expect("4 bytes"))
    }

    /// Width and height.
    pub(super) fn size(&self) -> (u32, u32) {
        (self.number(0), self.number(4))
    }

    /// Bits of a sample.
    pub(super) fn bits(&self) -> u8 {
        self.header[8]
    }

    /// The type of its colours: 0 grey, 2 RGB, 3 palette, and 4 more with transparency.
    pub(super) fn colour(&self) -> u8 {
        self.header[9]
    }

    /// A file of these pixels without a fault, and whether they are whole: if not, their checksum
    /// is missing.
    ///
    /// # Errors
    /// When pixels are missing.
    pub(super) fn file(&self) -> Result<(Vec<u8>, bool), String> {
        if self.cut && !is_whole(&self.pixels) {
            return Err("the file ends within its pixels".into());
        }
        let mut file = b"\x89PNG\r\n\x1a\n".to_vec();
        let mut chunk = |name: &[u8; 4], parts: [&[u8]; 2]| {
            let length = parts[0].len() + parts[1].len();
            file.extend(
                u32::try_from(length).map_err(|_| "more than 4 GiB of pixels")?.to_be_bytes(),
            );
            file.extend(name);
            parts.iter().for_each(|part| file.extend(*part));
            // A checksum that nobody looks at.
            file.extend([0; 4]);
            Ok::<(), String>(())
        };
        // Only one method of compression exists, whatever the header says.
        let mut header = self.header[..13].to_vec();
        header[10] = 0;
        chunk(b"IHDR", [&header, &[]])?;
        if self.colour() == 3 {
            // What the palette lacks is black; what it has too much of is left out.
            let palette = if self.palette.len() < 3 { &[0; 3][..] } else { &self.palette };
            let colours = (palette.len() / 3).min(1 << self.bits().min(8));
            chunk(b"PLTE", [&palette[..colours * 3], &[]])?;
        }
        if let Some(transparency) = &self.transparency {
            chunk(b"tRNS", [transparency, &[]])?;
        }
        chunk(b"IDAT", [&self.pixels, if self.cut { &[0; 4] } else { &[] }])?;
        chunk(b"IEND", [&[], &[]])?;
        Ok((file, !self.cut))
    }
}

/// The XMP packet in a chunk of text.
fn packet(text: &[u8]) -> Option<Vec<u8>> {
    let rest = text.strip_prefix(b"XML:com.adobe.xmp\0")?;
    let (&[packed, _], rest) = rest.split_first_chunk()?;
    // A language, the keyword in it, and the text.
    let text = rest.splitn(3, |&byte| byte == 0).nth(2)?;
    if packed == 0 {
        return Some(text.to_vec());
    }
    let mut packet = Vec::new();
    flate2::read::ZlibDecoder::new(text).take(1 << 20).read_to_end(&mut packet).ok()?;
    Some(packet)
}

/// The EXIF block in a chunk of compressed text, where ImageMagick and others put it as digits.
fn exif_digits(text: &[u8]) -> Option<Vec<u8>> {
    let rest = text.strip_prefix(b"Raw profile type exif\0\0")?;
    let mut lines = Vec::new();
    flate2::read::ZlibDecoder::new(rest).take(1 << 20).read_to_end(&mut lines).ok()?;
    // An empty line, the name of the profile, its length, and lines of digits.
    let digits = lines.split(|&byte| byte == b'\n').skip(3).flatten();
    let digits = digits.map(|&byte| char::from(byte).to_digit(16));
    let digits: Vec<u8> = digits.map(|digit| Some(digit? as u8)).collect::<Option<_>>()?;
    Some(digits.chunks_exact(2).map(|pair| pair[0] << 4 | pair[1]).collect())
}

/// Whether a compressed stream comes to its end; its checksum may be missing.
fn is_whole(stream: &[u8]) -> bool {
    let mut inflate = Decompress::new(false);
    let mut out = vec![0; 1 << 15];
    let Some(stream) = stream.get(2..) else { return false };
    loop {
        let (taken, given) = (inflate.total_in(), inflate.total_out());
        match inflate.decompress(&stream[taken as usize..], &mut out, FlushDecompress::None) {
            Ok(Status::StreamEnd) => return true,
            Ok(_) if (taken, given) != (inflate.total_in(), inflate.total_out()) => {}
            _ => return false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;

    #[test]
    fn exif_in_digits_is_read() {
        let packed = |lines: &str| {
            let mut zlib = flate2::write::ZlibEncoder::new(Vec::new(), Default::default());
            zlib.write_all(lines.as_bytes()).expect("packed");
            [b"Raw profile type exif\0\0", &zlib.finish().expect("packed")[..]].concat()
        };
        let of = |lines: &str| exif_digits(&packed(lines));
        assert_eq!(of("\nexif\n       4\n4d4d\n002A\n"), Some(b"MM\0*".to_vec()));
        assert_eq!(of("\nexif\n       4\n4d4d\n00-A\n"), None);
        assert_eq!(of("exif"), Some(vec![]));
        assert_eq!(exif_digits(&packed("\nexif\n 1\n4d")[1..]), None);
    }
}
