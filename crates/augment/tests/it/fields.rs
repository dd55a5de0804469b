//! Corruptions that look at neighbours or draw whole layers: given the same random fields, equal to
//! numpy, scipy and OpenCV within one grey level; given randomness, of the same mean and deviation
//! (golden files: `tests/golden`). JPEG equals Pillow byte for byte.

use augment::corrupt::elastic::elastic;
use augment::corrupt::grid::Grid;
use augment::corrupt::spatter::spatter;
use augment::corrupt::textures::Textures;
use augment::corrupt::weather::{Fog, fog, frost, ice, plasma, plasma_over, snow};
use augment::corrupt::{Corruption, Scale, Severity, blur, corrupt_at, saturate, tables};
use augment::image::Image;
use augment::jpeg;
use augment::resize::{self, Filter};
use augment::rng::Rng;
use augment::scratch::Scratch;

use crate::golden::Words;
use crate::picture::{Lcg, hash, picture};

fn named<T: serde::de::DeserializeOwned>(name: &str) -> T {
    serde_json::from_value(name.into()).unwrap_or_else(|error| panic!("{name}: {error}"))
}

const SIDES: [usize; 2] = [96, 72];

fn noise(mean: f64, deviation: f64, lcg: &mut Lcg) -> Grid {
    let spread = deviation * 3f64.sqrt();
    Grid::draw(SIDES[0], SIDES[1], || mean + spread * lcg.signed())
}

/// The corruption with fields drawn as `xtask/peers/golden_fields.py` draws them.
fn given_fields(
    image: &Image,
    what: Corruption,
    scale: Scale,
    severity: Severity,
    seed: u64,
) -> Image {
    let mut lcg = Lcg(seed);
    match what {
        Corruption::GlassBlur => {
            let glass = tables::glass(scale, severity);
            let mut offset = || (lcg.unit() * 2.0 * glass.reach as f64) as i64 - glass.reach as i64;
            blur::glass(image, &glass, || [offset(), offset()])
        }
        Corruption::MotionBlur => {
            blur::motion(image, &tables::motion(scale, severity), 45.0 * lcg.signed())
        }
        Corruption::ZoomBlur => blur::zoom(image, &tables::zooms(scale, severity)),
        Corruption::Snow => {
            let constants = tables::snow(scale, severity);
            let noise = noise(constants.mean, constants.deviation, &mut lcg);
            snow(image, &constants, &noise, -90.0 + 45.0 * lcg.signed())
        }
        Corruption::Fog => {
            let Fog { thickness, decay } = tables::fog(scale, severity);
            fog(image, thickness, &plasma(128, decay, || lcg.signed()))
        }
        Corruption::Frost => {
            let texture = (0..image.pixels().len()).map(|_| (lcg.unit() * 256.0) as u8).collect();
            let texture = Image::new(SIDES[0], SIDES[1], 3, texture);
            frost(image, &tables::frost(scale, severity), &texture)
        }
        Corruption::ElasticTransform => {
            let jitter = std::array::from_fn(|_| [lcg.signed(), lcg.signed()]);
            let mut field = || Grid::draw(SIDES[0], SIDES[1], || lcg.signed());
            let (dx, dy) = (field(), field());
            elastic(image, &tables::elastic(scale, severity), jitter, &dx, &dy)
        }
        Corruption::Spatter => {
            let constants = tables::spatter(scale, severity);
            let noise = noise(constants.mean, constants.deviation, &mut lcg);
            spatter(image, &constants, &noise)
        }
        Corruption::Saturate => saturate(image, &tables::saturate(scale, severity)),
        other => panic!("{other} has no case"),
    }
}

#[test]
fn given_their_fields_they_equal_the_reference() {
    let (mut seen, mut wrong) = (0, Vec::new());
    for line in include_str!("../golden/fields.txt").lines() {
        let words: Vec<_> = line.split_whitespace().collect();
        let [name, scale, severity, seed, hex] = words[..] else { panic!("{line}") };
        let severity = Severity::try_from(severity.parse::<u8>().unwrap()).unwrap();
        let seed: u64 = seed.parse().unwrap();
        let image = picture(SIDES[0], SIDES[1], 3, 4 * seed + 2);
        let out = given_fields(&image, named(name), named(scale), severity, seed);
        let pixels: Vec<u8> = out.pixels().iter().copied().step_by(37).collect();
        assert_eq!(hex.len(), 2 * pixels.len());
        let worst = (0..pixels.len())
            .map(|i| {
                let expected = u8::from_str_radix(&hex[2 * i..2 * i + 2], 16).unwrap();
                pixels[i].abs_diff(expected)
            })
            .max();
        if worst > Some(1) {
            wrong.push(format!("{name} {scale} {severity}: off by up to {}", worst.unwrap()));
        }
        seen += 1;
    }
    assert_eq!(seen, 90);
    assert!(wrong.is_empty(), "{} cases differ:\n{}", wrong.len(), wrong.join("\n"));
}

#[test]
fn jpeg_equals_pillow() {
    let (mut seen, mut wrong) = (0, Vec::new());
    for line in include_str!("../golden/jpeg.txt").lines() {
        let mut words = Words(line.split_whitespace());
        let [width, height, channels] = words.sides()[..] else { panic!("{line}") };
        let image = picture(width, height, channels, words.number());
        let out = jpeg::round_trip(&image, words.number());
        assert_eq!(words.text(), "=");
        if format!("{:016x}", hash(&out)) != words.text() {
            wrong.push(line);
        }
        seen += 1;
    }
    assert_eq!(seen, 300);
    assert!(wrong.is_empty(), "{} cases differ from Pillow:\n{}", wrong.len(), wrong.join("\n"));
}

/// Mean and deviation of an image's values, from 0 to 1.
fn moments(image: &Image) -> [f64; 2] {
    let values = || image.pixels().iter().map(|&v| f64::from(v) / 255.0);
    let count = image.pixels().len() as f64;
    let mean = values().sum::<f64>() / count;
    [mean, (values().map(|v| (v - mean).powi(2)).sum::<f64>() / count).sqrt()]
}

#[test]
fn random_ones_have_the_references_mean_and_deviation() {
    const DRAWS: u64 = 60;
    let mut wrong = Vec::new();
    for line in include_str!("../golden/moments.txt").lines() {
        let mut words = Words(line.split_whitespace());
        let (what, scale): (Corruption, Scale) = (named(words.text()), named(words.text()));
        let severity = Severity::try_from(words.number::<u8>()).unwrap();
        let side = words.number();
        let image = picture(side, side, 3, 2);
        let draws: Vec<[f64; 2]> = (0..DRAWS)
            .map(|seed| moments(&corrupt_at(&image, what, severity, scale, &mut Rng::new(seed))))
            .collect();
        for k in 0..2 {
            let (expected, error): (f64, f64) = (words.number(), words.number());
            let mean = draws.iter().map(|d| d[k]).sum::<f64>() / DRAWS as f64;
            let variance = draws.iter().map(|d| (d[k] - mean).powi(2)).sum::<f64>();
            let own = (variance / (DRAWS * (DRAWS - 1)) as f64).sqrt();
            // Four standard errors of the difference, and half a grey level where there is hardly
            // any.
            let tolerance = 4.0 * own.hypot(error) + 0.5 / 255.0;
            if (mean - expected).abs() > tolerance {
                wrong.push(format!("{line}: {mean}, tolerance {tolerance}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn ice_is_as_light_as_the_photographs() {
    const DRAWS: u64 = 60;
    let draws: Vec<[f64; 2]> =
        (0..DRAWS).map(|seed| moments(&ice(224, 224, &mut Rng::new(seed)))).collect();
    let mean = draws.iter().map(|d| d[0]).sum::<f64>() / DRAWS as f64;
    // Five photographs of 0.51, 0.80 (twice), 0.62 and 0.45: mean 0.636, deviation 0.144; four
    // standard errors.
    assert!((mean - 0.636).abs() < 4.0 * 0.144 / (DRAWS as f64).sqrt(), "{mean}");
    assert!(draws.iter().all(|d| (0.4..0.85).contains(&d[0]) && (0.06..0.2).contains(&d[1])));
}

#[test]
fn ice_has_the_colours_of_the_photographs() {
    // The mean of each channel, which is that of the grey times the colour's share; the second of
    // them stands for two photographs.
    let photographs =
        [[0.301, 0.581, 0.648], [0.776, 0.792, 0.832], [0.564, 0.62, 0.676], [0.41, 0.45, 0.49]];
    let mut counts = [0; 4];
    for seed in 0..200 {
        let ice = ice(32, 32, &mut Rng::new(seed));
        let mean = |channel: usize| {
            let values = ice.pixels().iter().skip(channel).step_by(3);
            values.map(|&v| (f64::from(v) + 0.5) / 255.0).sum::<f64>() / 1024.0
        };
        let colour = [mean(0), mean(1), mean(2)];
        // Clipping takes a little from the brightest photographs.
        let near = |of: &[f64; 3]| of.iter().zip(colour).all(|(of, got)| (of - got).abs() < 0.01);
        let photograph = photographs.iter().position(near);
        counts[photograph.unwrap_or_else(|| panic!("no photograph has {colour:?}"))] += 1;
    }
    // 40, 80, 40 and 40 expected, with standard deviations below 7.
    assert!(counts[1] > 55 && counts.iter().all(|&count| count > 18), "{counts:?}");
}

#[test]
fn textures_are_cut_at_random_and_cover_the_image() {
    assert!(Textures::new(Vec::new()).unwrap_err().to_string().contains("textures"));
    let textures = Textures::new(vec![picture(50, 40, 3, 2), picture(9, 300, 1, 2)]).unwrap();
    let mut rng = Rng::new(4);
    for scale in [Scale::ImageNet224, Scale::Cifar32, Scale::Digits8] {
        for (width, height) in [(1, 1), (8, 8), (32, 32), (60, 20), (224, 224)] {
            let cut = textures.draw(width, height, scale, &mut rng);
            assert_eq!((cut.width(), cut.height()), (width, height));
            for channels in [1, 3] {
                let image = picture(width, height, channels, 1);
                let out = frost(&image, &tables::frost(scale, Severity::ALL[4]), &cut);
                assert_eq!(out.channels(), channels);
            }
        }
    }
    // Enlarged as little as covers the cut, with its shape.
    let one = Textures::new(vec![picture(50, 40, 3, 2)]).unwrap();
    let mut enlarged = picture(50, 40, 3, 2);
    resize::resize(&mut enlarged, 100, 80, Filter::Bilinear, &mut Scratch::new());
    let wide = one.draw(100, 60, Scale::ImageNet224, &mut rng);
    assert!((0..=20).any(|y| enlarged.pixels()[y * 300..][..60 * 300] == *wide.pixels()));
    let mut cut = || one.draw(20, 20, Scale::ImageNet224, &mut rng);
    let (first, second) = (cut(), cut());
    assert_ne!(first, second);
    // A cut is a part of the picture as it is.
    let whole = picture(50, 40, 3, 2);
    let row = &first.row(0);
    assert!((0..40).any(|y| whole.row(y).windows(60).any(|part| part == *row)));
}

/// A map's memory grows by the square of the longer side: a long strip has the map of 4096.
#[test]
fn maps_of_long_pictures_are_enlarged() {
    let uniform = || {
        let mut lcg = Lcg(5);
        move || lcg.signed()
    };
    let (square, over) = (plasma(64, 2.0, uniform()), plasma_over(33, 60, 2.0, uniform()));
    assert_eq!((over.width, over.values), (64, square.values));
    let (small, long) = (plasma(4096, 2.0, uniform()), plasma_over(9000, 7, 2.0, uniform()));
    assert_eq!((long.width, long.height), (9000, 7));
    // 16,384 is the power of two: each value stands for four by four.
    for (x, y) in [(0, 0), (3, 3), (4, 3), (8999, 6)] {
        assert_eq!(long.values[y * 9000 + x], small.values[y / 4 * 4096 + x / 4], "{x}, {y}");
    }
}
