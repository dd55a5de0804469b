//! JPEG and PNG files as Pillow reads them (golden files: `tests/golden`).

use data_pipeline::picture::{Decode, png, write_png};

fn fnv(bytes: &[u8]) -> String {
    let hash = bytes.iter().fold(0xcbf2_9ce4_8422_2325u64, |value, &byte| {
        (value ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    });
    format!("{hash:016x}")
}

#[test]
fn files_decode_as_in_pillow() {
    let mut blob = &include_bytes!("../golden/pictures.bin")[..];
    let mut seen = 0;
    for line in include_str!("../golden/pictures.txt").lines() {
        let words: Vec<&str> = line.split_whitespace().collect();
        let (kind, length) = (words[0], words[1].parse::<usize>().unwrap());
        let (file, rest) = blob.split_at(length);
        blob = rest;
        let rgb = Decode::default().bytes(file).unwrap_or_else(|fault| panic!("{line}: {fault}"));
        let grey = Decode { grey: true, ..Decode::default() }.bytes(file).unwrap();
        assert_eq!(format!("{}x{}", rgb.width(), rgb.height()), words[2]);
        match kind {
            "png" | "jpeg" | "cmyk" => {
                seen += 1;
                assert_eq!(fnv(rgb.pixels()), words[3], "{line}");
                assert_eq!(fnv(grey.pixels()), words[4], "{line}, grey");
            }
            // Of 16 bits the upper 8 count; Pillow makes all but the lowest values white.
            _ => {}
        }
    }
    assert_eq!(seen, 108);
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
    let bomb = Decode { max_pixels: 3, ..Decode::default() };
    let fault = bomb.bytes(&png(&augment::Image::filled(2, 2, 1, 0))).unwrap_err();
    assert_eq!(fault, "2x2 pixels, allowed are 1 to 3");
}
