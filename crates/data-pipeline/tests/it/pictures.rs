//! Image files as Pillow reads them (golden files: `tests/golden`).

use data_pipeline::picture::{Decode, Decoded, Notice, png, probe, write_png};

fn fnv(bytes: &[u8]) -> String {
    let hash = bytes.iter().fold(0xcbf2_9ce4_8422_2325u64, |value, &byte| {
        (value ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    });
    format!("{hash:016x}")
}

/// The files of a golden blob with the words of their lines.
pub(crate) type Golden = Vec<(Vec<&'static str>, &'static [u8])>;

fn golden(mut blob: &'static [u8], lines: &'static str) -> Golden {
    let files = lines.lines().map(|line| {
        let words: Vec<&str> = line.split_whitespace().collect();
        let (file, rest) = blob.split_at(words[1].parse().unwrap());
        blob = rest;
        (words, file)
    });
    files.collect()
}

/// JPEG and PNG files that Pillow wrote.
pub(crate) fn plain() -> Golden {
    golden(include_bytes!("../golden/pictures.bin"), include_str!("../golden/pictures.txt"))
}

/// Every format and kind of pixel.
pub(crate) fn formats() -> Golden {
    golden(include_bytes!("../golden/formats.bin"), include_str!("../golden/formats.txt"))
}

/// A file of [`formats`] by its name.
pub(crate) fn format(name: &str) -> &'static [u8] {
    let found = formats().into_iter().find(|(words, _)| words[0] == name);
    found.unwrap_or_else(|| panic!("no file {name}")).1
}

fn size(decoded: &Decoded) -> String {
    format!("{}x{}", decoded.image.width(), decoded.image.height())
}

const GREY: fn() -> Decode = || Decode { grey: true, ..Decode::default() };

#[test]
fn files_decode_as_in_pillow() {
    let mut seen = 0;
    for (words, file) in plain() {
        let rgb = Decode::default().describe(file).unwrap_or_else(|e| panic!("{words:?}: {e}"));
        let grey = GREY().bytes(file).unwrap();
        assert_eq!(size(&rgb), words[2]);
        match words[0] {
            "png" | "jpeg" | "cmyk" => {
                seen += 1;
                assert_eq!(fnv(rgb.image.pixels()), words[3], "{words:?}");
                assert_eq!(fnv(grey.pixels()), words[4], "{words:?}, grey");
            }
            // Of 16 bits the upper 8 count; Pillow makes all but the lowest values white.
            _ => {}
        }
    }
    assert_eq!(seen, 108);
}

/// What Pillow reads and we do not.
const REFUSED: [(&str, &str); 2] = [
    ("tiff-1-group3", "compression method Fax3"),
    // Pillow makes a row black that is not in the file.
    ("png-row-missing", "does not have enough data"),
];

/// Where Pillow reads a file that is cut off, or refuses one that is whole, and we do otherwise.
const OTHERWISE: [(&str, &str); 5] = [
    // Pillow needs neither the padding of the last row nor the mark at the end.
    ("cut-bmp", "834-834"),
    ("cut-bmp-palette", "298-298"),
    ("cut-qoi", "1040-1040"),
    // All pixels are there; what is missing says that no more follow.
    ("cut-gif", "675-678"),
    // Pillow cannot read what it wrote itself.
    ("tiff-YCbCr-None", ""),
];

#[test]
fn every_format_decodes_as_in_pillow() {
    let (mut exact, mut near, mut cut) = (0, 0, 0);
    for (words, file) in formats() {
        let name = words[0];
        let otherwise = OTHERWISE.iter().find(|(other, _)| *other == name).map(|(_, ours)| *ours);
        let rgb = Decode::default().describe(file);
        if words[2] == "refused" && otherwise.is_none() {
            assert!(rgb.is_err(), "{name} is not refused");
            continue;
        }
        if let Some((_, why)) = REFUSED.iter().find(|(refused, _)| *refused == name) {
            assert!(rgb.unwrap_err().contains(why));
            continue;
        }
        let rgb = rgb.unwrap_or_else(|fault| panic!("{name}: {fault}"));
        if words[2] == "refused" {
            continue;
        }
        assert_eq!(size(&rgb), words[2], "{name}");
        let pixels = rgb.image.pixels();
        if name.starts_with("near-") {
            let hex = words[3].as_bytes().as_chunks::<2>().0.iter();
            let theirs =
                hex.map(|byte| u8::from_str_radix(str::from_utf8(byte).unwrap(), 16).unwrap());
            let far = pixels.iter().zip(theirs).map(|(ours, theirs)| ours.abs_diff(theirs)).max();
            assert_eq!((far, words[3].len()), (Some(1), 2 * pixels.len()), "{name}");
            near += 1;
            continue;
        }
        assert_eq!(fnv(pixels), words[3], "{name}");
        assert_eq!(fnv(GREY().bytes(file).unwrap().pixels()), words[4], "{name}, grey");
        exact += 1;
        if name.starts_with("cut-") {
            let fits = |length: &usize| Decode::default().bytes(&file[..*length]).is_ok();
            let fits: Vec<usize> = (0..=file.len()).filter(fits).collect();
            let range = format!("{}-{}", fits[0], fits[fits.len() - 1]);
            assert_eq!(fits.len(), file.len() + 1 - fits[0], "{name}: gaps in {fits:?}");
            assert_eq!(range, otherwise.unwrap_or_else(|| words[5]), "{name}");
            cut += 1;
        }
    }
    assert_eq!((exact, near, cut), (188, 7, 13));
}

#[test]
fn pictures_are_turned_as_in_pillow() {
    let turned =
        golden(include_bytes!("../golden/turned.bin"), include_str!("../golden/turned.txt"));
    assert_eq!(turned.len(), 80);
    for (words, file) in turned {
        let (name, number) = words[0].rsplit_once('-').unwrap();
        let upright = Decode { orient: true, ..Decode::default() }.describe(file).unwrap();
        assert_eq!(size(&upright), words[2], "{words:?}");
        assert_eq!(fnv(upright.image.pixels()), words[3], "{words:?}");
        let turn = number != "1";
        assert_eq!(upright.noticed.contains(&Notice::Turned), turn, "{words:?}");
        // As stored, unless the format itself says how it is to be turned.
        let stored = Decode::default().describe(file).unwrap();
        let tiff = name.starts_with("TIFF");
        let stored_size = if tiff { words[2] } else { "17x15" };
        assert_eq!(size(&stored), stored_size, "{words:?}");
        assert_eq!(stored.noticed.contains(&Notice::NotTurned), turn && !tiff, "{words:?}");
        let found = probe(file).unwrap();
        let (wide, tall) = found.upright();
        if !name.contains("late") {
            assert_eq!(found.orientation.to_string(), number, "{words:?}");
            assert_eq!(format!("{wide}x{tall}"), words[2], "{words:?}");
        }
    }
}

#[test]
fn smaller_jpegs_are_those_of_pillow() {
    let files = plain();
    let (mut full, mut shrunk) = (0, 0);
    for line in include_str!("../golden/drafts.txt").lines() {
        let words: Vec<&str> = line.split_whitespace().collect();
        let file = files[words[0].parse::<usize>().unwrap()].1;
        let (wide, tall) = words[1].split_once('x').unwrap();
        let at_least = Some((wide.parse().unwrap(), tall.parse().unwrap()));
        let grey = probe(file).unwrap().channels == 1;
        let got = Decode { at_least, grey, ..Decode::default() }.describe(file).unwrap();
        assert_eq!(size(&got), words[2], "{line}");
        assert_eq!(fnv(got.image.pixels()), words[3], "{line}");
        match got.noticed.iter().find(|notice| matches!(notice, Notice::Shrunk(_))) {
            Some(_) => shrunk += 1,
            None => full += 1,
        }
    }
    assert!(full > 100 && shrunk > 100, "{full} {shrunk}");
}

/// The size that suffices is that of the upright picture.
#[test]
fn what_suffices_is_meant_upright() {
    let turned =
        golden(include_bytes!("../golden/turned.bin"), include_str!("../golden/turned.txt"));
    let (_, file) = turned.iter().find(|(words, _)| words[0] == "JPEG-RGB-6").unwrap();
    // 17x15 stored and 15x17 upright: 7x8 is half of it upright, but too tall as stored.
    let decode = Decode { at_least: Some((7, 8)), orient: true, ..Decode::default() };
    assert_eq!(size(&decode.describe(file).unwrap()), "8x9");
    assert_eq!(size(&Decode { orient: false, ..decode }.describe(file).unwrap()), "17x15");
}

#[test]
fn what_is_written_is_read() {
    let folder = tempfile::tempdir().unwrap();
    for channels in [1, 3] {
        let pixels = (0..5 * 4 * channels).map(|i| (i * 7 % 256) as u8).collect();
        let image = augment::Image::new(5, 4, channels, pixels);
        let decode = Decode { grey: channels == 1, ..Decode::default() };
        assert_eq!(decode.bytes(&png(&image)), Ok(image.clone()));
        let path = folder.path().join("image.png");
        write_png(&path, &image).unwrap();
        assert_eq!(decode.file(&path).unwrap(), image);
    }
    let error =
        write_png(&folder.path().join("none/image.png"), &augment::Image::filled(1, 1, 1, 0));
    assert!(error.unwrap_err().to_string().contains("none/image.png"));
    let error = Decode::default().file(&folder.path().join("missing.png")).unwrap_err().to_string();
    assert!(error.contains("missing.png"), "{error}");
}
