//! Image files as Pillow reads them (golden files: `tests/golden`).

use data_pipeline::picture::{Decode, Decoded, png, write_png};

fn fnv(bytes: &[u8]) -> String {
    let hash = bytes.iter().fold(0xcbf2_9ce4_8422_2325u64, |value, &byte| {
        (value ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    });
    format!("{hash:016x}")
}

/// The files of a golden blob with the words of their lines.
fn golden<'a>(mut blob: &'a [u8], lines: &'a str) -> Vec<(Vec<&'a str>, &'a [u8])> {
    let files = lines.lines().map(|line| {
        let words: Vec<&str> = line.split_whitespace().collect();
        let (file, rest) = blob.split_at(words[1].parse().unwrap());
        blob = rest;
        (words, file)
    });
    files.collect()
}

fn size(decoded: &Decoded) -> String {
    format!("{}x{}", decoded.image.width(), decoded.image.height())
}

#[test]
fn files_decode_as_in_pillow() {
    let (blob, lines) =
        (include_bytes!("../golden/pictures.bin"), include_str!("../golden/pictures.txt"));
    let mut seen = 0;
    for (words, file) in golden(blob, lines) {
        let rgb = Decode::default().describe(file).unwrap_or_else(|e| panic!("{words:?}: {e}"));
        let grey = Decode { grey: true, ..Decode::default() }.bytes(file).unwrap();
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

#[test]
fn every_format_decodes_as_in_pillow() {
    let (blob, lines) =
        (include_bytes!("../golden/formats.bin"), include_str!("../golden/formats.txt"));
    let mut faults = Vec::new();
    for (words, file) in golden(blob, lines) {
        let rgb = Decode::default().describe(file);
        if words[2] == "refused" {
            if rgb.is_ok() { faults.push(format!("{}: not refused", words[0])); }
            continue;
        }
        let rgb = match rgb { Ok(rgb) => rgb, Err(e) => { faults.push(format!("{}: {e}", words[0])); continue } };
        let grey = Decode { grey: true, ..Decode::default() }.bytes(file).unwrap();
        if size(&rgb) != words[2] { faults.push(format!("{}: {} {}", words[0], size(&rgb), words[2])) }
        if fnv(rgb.image.pixels()) != words[3] { faults.push(format!("{}: rgb", words[0])) }
        if fnv(grey.pixels()) != words[4] { faults.push(format!("{}: grey", words[0])) }
        if words[0].starts_with("cut-") {
            let mut ranges = Vec::new();
            let mut open: Option<usize> = None;
            for length in 0..=file.len() + 1 {
                let fits = length <= file.len() && Decode::default().bytes(&file[..length]).is_ok();
                match (fits, open) {
                    (true, None) => open = Some(length),
                    (false, Some(from)) => { ranges.push(format!("{from}-{}", length - 1)); open = None }
                    _ => {}
                }
            }
            if ranges.join(" ") != words[5..].join(" ") { faults.push(format!("{}: {ranges:?}, Pillow {:?}", words[0], &words[5..])) }
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

#[test]
fn pictures_are_turned_as_in_pillow() {
    let (blob, lines) =
        (include_bytes!("../golden/turned.bin"), include_str!("../golden/turned.txt"));
    let mut faults = Vec::new();
    for (words, file) in golden(blob, lines) {
        let got = Decode { orient: true, ..Decode::default() }.describe(file).unwrap();
        if size(&got) != words[2] || fnv(got.image.pixels()) != words[3] { faults.push(words[0].to_string()) }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

#[test]
fn drafts_are_those_of_pillow() {
    let (blob, lines) =
        (include_bytes!("../golden/pictures.bin"), include_str!("../golden/pictures.txt"));
    let files = golden(blob, lines);
    let mut faults = Vec::new();
    for line in include_str!("../golden/drafts.txt").lines() {
        let words: Vec<&str> = line.split_whitespace().collect();
        let file = files[words[0].parse::<usize>().unwrap()].1;
        let (w, h) = words[1].split_once('x').unwrap();
        let decode = Decode { at_least: Some((w.parse().unwrap(), h.parse().unwrap())), ..Decode::default() };
        let got = decode.describe(file).unwrap();
        let grey = Decode { grey: true, ..decode }.describe(file).unwrap();
        if size(&got) != words[2] || ![fnv(got.image.pixels()), fnv(grey.image.pixels())].contains(&words[3].to_string()) { faults.push(line) }
    }
    assert!(faults.is_empty(), "{} {}", faults.len(), faults.join("\n"));
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
