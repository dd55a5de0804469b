//! What files are by their content, what their headers say, and what decoding notices.

use crate::pictures::{format, formats, plain};
use augment::Image;
use data_pipeline::picture::{Decode, Depth, Kind, Notice, Notices, kind, png, probe, probe_file};
use image::{ExtendedColorType, ImageEncoder};

#[test]
fn the_content_decides() {
    let starts: &[(&[u8], &str)] = &[
        (b"", "this is an empty file, not an image"),
        (b"\0\0\0\0\0\0\0\0\0\0\0\0", "this is a file of zero bytes only"),
        (b"<!DOCTYPE html><html>", "this is an HTML page, not an image"),
        (b"\xef\xbb\xbf\r\n<HTML>", "this is an HTML page, not an image"),
        (b"<?xml version=\"1.0\"?><html>", "this is an HTML page, not an image"),
        (b"<?xml version=\"1.0\"?><a/>", "this is an XML file, not an image"),
        (b"<svg xmlns=", "this is an SVG image, which is not read: convert it to PNG"),
        (b"<?xml version=\"1.0\"?>\n<svg>", "this is an SVG image, which is not read"),
        (b"{\"error\": 404}", "this is a JSON file, not an image"),
        (b"Not found\n", "this is a text file, not an image"),
        ("gr\u{fc}n".as_bytes(), "this is a text file, not an image"),
        (b"\xff\xfeh\0i\0", "this is a text in UTF-16, not an image"),
        (b"version https://git-lfs.github.com/spec/v1\noid", "not an image: run `git lfs pull`"),
        (b"/annex/objects/SHA256E-s1--0.png\n", "not an image: run `git annex get`"),
        (b"%PDF-1.7", "this is a PDF document, not an image"),
        (b"PK\x03\x04", "this is a ZIP archive, not an image"),
        (b"\0\0\0\x1cftypheic\0\0\0\0mif1heic", "this is an HEIC image, which is not read"),
        (b"\0\0\0\x1cftypmif1\0\0\0\0mif1avif", "this is an AVIF image, which is not read"),
        (b"\0\0\0\x1cftypisom\0\0\x02\0isomiso2", "this is a video, not an image"),
        (b"\0\0\0\x08wide\0\0\0\0mdat", "this is a video, not an image"),
        (b"\x1a\x45\xdf\xa3", "this is a video, not an image"),
        (b"RIFF\0\0\0\0AVI LIST", "this is a video, not an image"),
        (b"\xff\x0a\xfa", "this is a JPEG XL image, which is not read"),
        (b"\0\0\0\x0cjP  \r\n\x87\n", "this is a JPEG 2000 image, which is not read"),
        (b"FUJIFILMCCD-RAW 0201", "this is a Fujifilm raw image, which is not read"),
        (b"II*\0\x10\0\0\0CR\x02\0", "this is a Canon raw image, which is not read"),
        (b"8BPS\0\x01", "this is a Photoshop image, which is not read"),
        (b"\x01\xda\x01\x01\0\x03", "this is an SGI image, which is not read"),
        (b"\x01\xda\x07\x01\0\x03", "this is a file of an unknown format, not an image"),
        (b"%!PS-Adobe-3.0 EPSF-3.0\n", "this is an EPS image, which is not read"),
        (b"\xc5\xd0\xd3\xc6\x1e\0", "this is an EPS image, which is not read"),
        (b"%!PS-Adobe-3.0\n% no EPSF\n", "this is a PostScript document, not an image"),
        (b"MATLAB 7.3 MAT-file", "this is a MATLAB file, not an image"),
        (b"\x1c\x02\0\0n+2\0\r\n", "this is a NIfTI image, which is not read"),
        (b"\x93NUMPY\x01", "this is a NumPy array, not an image"),
        (b"\0\0\0\x01Bud1", "this is a .DS_Store file of macOS, not an image"),
        (b"\0\x05\x16\x07", "this is metadata of macOS, named after another file, not an image"),
        (b"\x80\x04\x95", "this is a Python pickle, not an image"),
        (b"BM is a company", "this is a text file, not an image"),
        (b"P5 is a class", "PNM image: "),
        (b"P9 is not", "this is a text file, not an image"),
        (b"\x07\x81\xfe\x00\x13", "this is a file of an unknown format, not an image"),
    ];
    for (bytes, says) in starts {
        let fault = Decode::default().bytes(bytes).unwrap_err();
        let start = fault.starts_with(says) || says.starts_with("not") && fault.ends_with(says);
        assert!(start, "{:?}: {fault}", String::from_utf8_lossy(bytes));
        if says.starts_with("this") {
            assert_eq!(probe(bytes).unwrap_err(), fault);
        }
    }
    let mut dicom = vec![0; 128];
    dicom.extend(b"DICM");
    assert_eq!(kind(&dicom), Kind::Unread("DICOM"));
    assert!(kind(&dicom).is_image() && !kind(&dicom).is_read());
    assert!(!kind(b"%PDF-1.7").is_image() && kind(b"GIF89a").is_read());
}

#[test]
fn a_wrong_name_does_not_matter_and_an_error_says_it_once() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("x.jpg");
    for name in ["webp-RGB-75-5", "gif-P-0", "bmp-RGB", "tiff-RGB-None", "pnm-RGB", "qoi-RGB"] {
        std::fs::write(&path, format(name)).unwrap();
        let decoded = Decode::default().describe_file(&path).unwrap();
        assert_eq!(decoded.kind.name().to_lowercase(), name.split('-').next().unwrap());
        assert_eq!(probe_file(&path).unwrap(), probe(format(name)).unwrap());
    }
    std::fs::write(&path, b"<html>404</html>").unwrap();
    for error in [Decode::default().file(&path).unwrap_err(), probe_file(&path).unwrap_err()] {
        let says = error.to_string();
        assert!(says.contains("x.jpg: this is an HTML page, not an image ("), "{says}");
        assert_eq!(says.matches("HTML").count() + says.matches("x.jpg").count(), 2, "{says}");
    }
}

#[test]
fn too_many_pixels_are_refused_with_a_way_out() {
    for (words, file) in formats().into_iter().chain(plain()) {
        let Ok(whole) = Decode::default().bytes(file) else { continue };
        let pixels = (whole.width() * whole.height()) as u64;
        let fits = Decode { max_pixels: pixels, ..Decode::default() };
        assert_eq!(fits.bytes(file).as_ref(), Ok(&whole), "{words:?}");
        let fault = Decode { max_pixels: pixels - 1, ..fits }.bytes(file).unwrap_err();
        assert!(fault.contains("raise `data.max_pixels`"), "{words:?}: {fault}");
    }
    let image = png(&Image::filled(2, 2, 1, 0));
    let fault = Decode { max_pixels: 3, ..Decode::default() }.bytes(&image).unwrap_err();
    assert_eq!(
        fault,
        "PNG image: it has 2x2 = 4 pixels, more than the limit of 3: shrink the picture or remove \
         it, or raise `data.max_pixels` in a recipe"
    );
}

#[test]
fn headers_say_what_files_hold() {
    let mut seen = 0;
    for (words, file) in formats().into_iter().chain(plain()) {
        let Ok(decoded) = Decode::default().describe(file) else { continue };
        let found = probe(file).unwrap_or_else(|fault| panic!("{words:?}: {fault}"));
        let (image, kind) = (&decoded.image, decoded.kind);
        // A frame that reaches over the screen's edge is not seen yet.
        if words[0] != "gif-frame-outside" {
            assert_eq!(found.upright(), (image.width() as u32, image.height() as u32), "{words:?}");
        }
        assert_eq!(found.kind, kind, "{words:?}");
        let deep = decoded.noticed.iter().any(|notice| matches!(notice, Notice::Deep { .. }));
        assert_eq!(found.bits > 8, deep, "{words:?}: {found:?}");
        let several = decoded.noticed.contains(&Notice::FirstOfSeveral);
        assert_eq!(found.several, several && kind != Kind::Gif, "{words:?}");
        seen += 1;
    }
    assert!(seen > 250, "{seen}");
    let of = |name| {
        let found = probe(format(name)).unwrap();
        (found.channels, found.bits)
    };
    assert_eq!(of("jpeg-cmyk"), (4, 8));
    assert_eq!(of("png-palette-2"), (1, 2));
    assert_eq!(of("png-rgba-16"), (4, 16));
    assert_eq!(of("tiff-grey-1-big"), (1, 1));
    assert_eq!(of("tiff-rgba-16-little"), (4, 16));
    assert_eq!(of("tiff-CMYK-jpeg"), (4, 8));
    assert_eq!(of("gif-P-0"), (1, 8));
    assert_eq!(of("pnm-1"), (1, 1));
    assert_eq!(of("webp-RGBA-lossless"), (4, 8));
}

#[test]
fn what_is_lost_is_noticed() {
    let noticed = |name: &str| Decode::default().describe(format(name)).unwrap().noticed;
    assert_eq!(noticed("tiff-RGB-None"), []);
    assert_eq!(noticed("png-palette-alpha"), [Notice::AlphaDropped]);
    assert_eq!(noticed("gif-transparent"), [Notice::AlphaDropped]);
    assert_eq!(noticed("qoi-RGB"), []);
    assert_eq!(noticed("webp-moving"), [Notice::FirstOfSeveral]);
    assert_eq!(noticed("gif-moving"), [Notice::FirstOfSeveral]);
    assert_eq!(noticed("tiff-pages"), [Notice::FirstOfSeveral]);
    for name in ["jpeg-cmyk", "jpeg-ycck", "tiff-CMYK-tiff_lzw", "tiff-CMYK-jpeg"] {
        assert_eq!(noticed(name), [Notice::Cmyk], "{name}");
    }
    assert_eq!(noticed("png-rgb-16"), [Notice::Deep { stored: 16, used: 16 }]);
    let mut all = Notices::default();
    all.add(&[Notice::Turned, Notice::Deep { stored: 16, used: 12 }]);
    let mut more = Notices::default();
    more.add(&[Notice::Turned]);
    all.join(&more);
    let lines: Vec<String> = all.lines().collect();
    let deep = "1 picture was of 16 bits, 12 of them in use";
    assert_eq!(lines, ["2 pictures were turned by their EXIF orientation", deep]);
}

/// Grey of 16 bits as a PNG file.
fn deep(values: &[u16]) -> Vec<u8> {
    let bytes: Vec<u8> = values.iter().flat_map(|value| value.to_ne_bytes()).collect();
    let mut file = Vec::new();
    image::codecs::png::PngEncoder::new(&mut file)
        .write_image(&bytes, values.len() as u32, 1, ExtendedColorType::L16)
        .unwrap();
    file
}

#[test]
fn deep_pictures_follow_the_stated_rule() {
    let read = |depth: Depth, file: &[u8]| {
        let decoded = Decode { grey: true, depth, ..Decode::default() }.describe(file).unwrap();
        (decoded.image.into_pixels(), decoded.noticed)
    };
    // As an X-ray: 12 bits in use.
    let file = deep(&[0, 15, 16, 300, 2048, 4095]);
    let (pixels, noticed) = read(Depth::UpperByte, &file);
    assert_eq!(pixels, [0, 0, 0, 1, 8, 15]);
    assert_eq!(noticed, [Notice::Deep { stored: 16, used: 12 }]);
    assert_eq!(read(Depth::UsedBits, &file).0, [0, 0, 1, 18, 128, 255]);
    assert_eq!(read(Depth::Bits(12), &file).0, [0, 0, 1, 18, 128, 255]);
    let (pixels, noticed) = read(Depth::Bits(10), &file);
    assert_eq!(pixels, [0, 3, 4, 75, 255, 255]);
    assert_eq!(noticed, [Notice::Deep { stored: 16, used: 12 }, Notice::TooBright(10)]);
    assert_eq!(read(Depth::Bits(16), &file).0, read(Depth::UpperByte, &file).0);
    assert_eq!(read(Depth::Range, &file).0, [0, 0, 0, 18, 127, 255]);
    let file = deep(&[1000, 1001, 1004]);
    assert_eq!(read(Depth::Range, &file).0, [0, 63, 255]);
    // Fewer than 8 bits in use are not made brighter; one value has no range.
    assert_eq!(read(Depth::UsedBits, &deep(&[7, 3])).0, [7, 3]);
    assert_eq!(read(Depth::Range, &deep(&[7, 7])).0, [0, 0]);
    assert_eq!(read(Depth::Range, &deep(&[0, u16::MAX])).0, [0, 255]);
    // 8 bits stay as they are.
    let shallow = png(&Image::new(3, 1, 1, vec![1, 2, 3]));
    assert_eq!(read(Depth::Range, &shallow), (vec![1, 2, 3], vec![]));
}

#[test]
fn a_depth_is_read_from_a_recipe() {
    let read = |text: &str| serde_json::from_str::<Depth>(text).map_err(|error| error.to_string());
    assert_eq!(read("\"upper-byte\""), Ok(Depth::UpperByte));
    assert_eq!(read("\"used-bits\""), Ok(Depth::UsedBits));
    assert_eq!(read("\"range\""), Ok(Depth::Range));
    assert_eq!(read("{\"bits\": 12}"), Ok(Depth::Bits(12)));
    assert!(read("{\"bits\": 17}").unwrap_err().contains("bits = 17: allowed are 8 to 16"));
}

/// A TIFF file of one row of samples: format 1 is unsigned, 2 signed, 3 floating point.
fn tiff(bits: u16, format: u16, white_is_zero: bool, data: &[u8]) -> Vec<u8> {
    tiff_with(bits, format, white_is_zero, data, &[])
}

/// The same with more tags.
fn tiff_with(
    bits: u16,
    format: u16,
    white_is_zero: bool,
    data: &[u8],
    more: &[(u16, u16)],
) -> Vec<u8> {
    let width = data.len() as u16 * 8 / bits;
    let photometric = u16::from(!white_is_zero);
    let count = 10 + more.len() as u16;
    let place = 8 + 2 + 12 * count + 4;
    let mut tags = vec![
        (256, width),
        (257, 1),
        (258, bits),
        (259, 1),
        (262, photometric),
        (273, place),
        (277, 1),
        (278, 1),
        (279, data.len() as u16),
        (339, format),
    ];
    tags.extend(more);
    tags.sort();
    let mut file = b"II*\0\x08\0\0\0".to_vec();
    file.extend(count.to_le_bytes());
    for (tag, value) in tags {
        file.extend([tag, 3u16, 1, 0, value, 0].iter().flat_map(|word| word.to_le_bytes()));
    }
    file.extend([0; 4]);
    file.extend(data);
    file
}

#[test]
fn tiffs_of_numbers_need_a_rule() {
    let reals =
        |values: &[f32]| -> Vec<u8> { values.iter().flat_map(|v| v.to_le_bytes()).collect() };
    let decode = |depth| Decode { grey: true, depth, ..Decode::default() };
    let file = tiff(32, 3, false, &reals(&[-1.0, 0.0, 1.0, f32::NAN, f32::INFINITY]));
    let fault = decode(Depth::UpperByte).bytes(&file).unwrap_err();
    assert!(fault.contains("set depth = \"range\""), "{fault}");
    assert_eq!(decode(Depth::Range).bytes(&file).unwrap().pixels(), [0, 127, 255, 0, 255]);
    let signed: Vec<u8> = [-2i16, 0, 2].iter().flat_map(|v| v.to_le_bytes()).collect();
    let file = tiff(16, 2, false, &signed);
    assert_eq!(decode(Depth::Range).bytes(&file).unwrap().pixels(), [0, 127, 255]);
    let words: Vec<u8> = [0u16, 256, 65535].iter().flat_map(|v| v.to_le_bytes()).collect();
    let read = |white| decode(Depth::UpperByte).bytes(&tiff(16, 1, white, &words)).unwrap();
    assert_eq!(read(false).pixels(), [0, 1, 255]);
    assert_eq!(read(true).pixels(), [255, 254, 0]);
    let fault = decode(Depth::Range).bytes(&tiff(12, 1, false, &[0; 6])).unwrap_err();
    assert!(fault.contains("12 bits are not read"), "{fault}");
}

/// Its first page is a preview; the picture is in a page below.
#[test]
fn a_cameras_raw_file_is_not_taken_for_its_preview() {
    let of =
        |more: &[(u16, u16)]| Decode::default().bytes(&tiff_with(8, 1, false, &[1, 2, 3], more));
    assert!(of(&[]).is_ok() && of(&[(254, 1)]).is_ok() && of(&[(254, 0), (330, 8)]).is_ok());
    let fault = of(&[(254, 1), (330, 8)]).unwrap_err();
    assert!(fault.contains("raw file, whose first page is a preview"), "{fault}");
}
