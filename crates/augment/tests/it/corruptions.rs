//! Corruptions: the deterministic ones against numpy, scipy and Pillow, the random ones by mean and variance; sequences.

use augment::corrupt::{Corruption, Scale, Severity, corrupt, corrupt_at};
use augment::image::Image;
use augment::rng::Rng;
use augment::sequence::{Difficulty, FRAMES, Perturbation, frames, imagenet_p};
use proptest::prelude::*;

use crate::picture::picture;

fn named<T: serde::de::DeserializeOwned>(name: &str) -> T {
    serde_json::from_value(name.into()).unwrap_or_else(|error| panic!("{error}"))
}

#[test]
fn deterministic_corruptions_equal_their_formulas() {
    let mut seen = 0;
    for line in include_str!("../golden/corrupt.txt").lines() {
        let words: Vec<_> = line.split_whitespace().collect();
        let [name, scale, severity, sides, seed, hex] = words[..] else { panic!("{line}") };
        let corruption: Corruption = named(name);
        assert_eq!(corruption.name(), name);
        let sides: Vec<usize> = sides.split('x').map(|side| side.parse().unwrap()).collect();
        let image = picture(sides[0], sides[1], sides[2], seed.parse().unwrap());
        let severity = Severity::try_from(severity.parse::<u8>().unwrap()).unwrap();
        let out = corrupt_at(&image, corruption, severity, named(scale), &mut Rng::new(0));
        let tolerance = if corruption == Corruption::Pixelate { 0 } else { 1 };
        assert_eq!(hex.len(), 2 * out.pixels().len());
        for (i, &value) in out.pixels().iter().enumerate() {
            let expected = u8::from_str_radix(&hex[2 * i..2 * i + 2], 16).unwrap();
            assert!(
                value.abs_diff(expected) <= tolerance,
                "{name} {scale} {severity}, byte {i}: {value}, not {expected}"
            );
        }
        seen += 1;
    }
    assert_eq!(seen, 75);
}

/// Mean and variance of the corrupted values, in `[0, 1]`, of an image of one value.
fn moments(corruption: Corruption, scale: Scale, severity: Severity, value: u8) -> (f64, f64) {
    let image = Image::filled(200, 100, 1, value);
    let out = corrupt_at(&image, corruption, severity, scale, &mut Rng::new(5));
    let values: Vec<f64> = out.pixels().iter().map(|&v| (f64::from(v) + 0.5) / 255.0).collect();
    let mean = values.iter().sum::<f64>() / values.len() as f64;
    let variance = values.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / values.len() as f64;
    (mean, variance)
}

#[track_caller]
fn close(got: f64, expected: f64, tolerance: f64) {
    assert!((got - expected).abs() <= tolerance, "{got}, not {expected}");
}

#[test]
fn noises_have_their_mean_and_variance() {
    let x: f64 = 128.0 / 255.0;
    let [mild, second, _, _, _] = Severity::ALL;
    // Constants for which clipping at 0 and 1 takes next to nothing away.
    for (corruption, scale, severity, deviation) in [
        (Corruption::GaussianNoise, Scale::Cifar32, mild, 0.04),
        (Corruption::GaussianNoise, Scale::ImageNet224, second, 0.12),
        (Corruption::GaussianNoise, Scale::Digits8, mild, 0.08),
        (Corruption::SpeckleNoise, Scale::Cifar32, mild, 0.06 * x),
        (Corruption::SpeckleNoise, Scale::ImageNet224, mild, 0.15 * x),
        (Corruption::ShotNoise, Scale::Cifar32, mild, (x / 500.0).sqrt()),
        (Corruption::ShotNoise, Scale::Cifar32, second, (x / 250.0).sqrt()),
        (Corruption::ShotNoise, Scale::ImageNet224, mild, (x / 60.0).sqrt()),
    ] {
        let (mean, variance) = moments(corruption, scale, severity, 128);
        close(mean, x, 4.0 * deviation / 20_000f64.sqrt() + 0.5 / 255.0);
        close(variance / deviation.powi(2), 1.0, 0.05);
    }
}

#[test]
fn impulses_hit_their_share_half_black_half_white() {
    let image = Image::filled(200, 100, 1, 128);
    for (scale, severity, share) in
        [(Scale::ImageNet224, 5, 0.27), (Scale::Cifar32, 3, 0.03), (Scale::Digits8, 5, 0.2)]
    {
        let severity = Severity::try_from(severity).unwrap();
        let out = corrupt_at(&image, Corruption::ImpulseNoise, severity, scale, &mut Rng::new(6));
        let count = |value| out.pixels().iter().filter(|&&v| v == value).count() as f64 / 20_000.0;
        close(count(0), share / 2.0, 0.01);
        close(count(255), share / 2.0, 0.01);
        close(count(128), 1.0 - share, 0.015);
    }
}

#[test]
fn poisson_numbers_have_their_mean_and_variance_on_both_branches() {
    let mut rng = Rng::new(9);
    for mean in [0.0, 0.3, 4.0, 9.9, 10.0, 47.0, 480.0] {
        let draws: Vec<f64> = (0..20_000).map(|_| rng.poisson(mean) as f64).collect();
        let average = draws.iter().sum::<f64>() / 20_000.0;
        let variance = draws.iter().map(|x| (x - average).powi(2)).sum::<f64>() / 20_000.0;
        close(average, mean, 4.0 * (mean / 20_000.0).sqrt());
        close(variance, mean, 0.06 * mean);
    }
}

#[test]
fn translate_moves_the_centre_by_its_distance() {
    let mut image = Image::filled(64, 64, 1, 0);
    for y in 28..36 {
        image.pixels_mut()[y * 64 + 28..y * 64 + 36].fill(200);
    }
    for (severity, distance) in Severity::ALL.into_iter().zip([4.0, 6.0, 8.0, 10.0, 12.0]) {
        let out = corrupt(
            &image,
            Corruption::Translate,
            severity,
            &mut Rng::new(u64::from(u8::from(severity))),
        );
        let total: f64 = out.pixels().iter().map(|&v| f64::from(v)).sum();
        let centre = |of: fn(usize) -> usize| {
            out.pixels().iter().enumerate().map(|(i, &v)| of(i) as f64 * f64::from(v)).sum::<f64>()
                / total
        };
        let (x, y) = (centre(|i| i % 64) - 31.5, centre(|i| i / 64) - 31.5);
        close(x.hypot(y), distance, 0.05);
    }
}

#[test]
fn rotate_turns_to_both_sides() {
    let image = picture(16, 16, 1, 2);
    let mut rng = Rng::new(1);
    let views: Vec<_> =
        (0..20).map(|_| corrupt(&image, Corruption::Rotate, Severity::ALL[2], &mut rng)).collect();
    assert!(
        views.iter().any(|view| *view == views[0]) && views.iter().any(|view| *view != views[0])
    );
    assert!(
        views
            .iter()
            .all(|view| *view == views[0] || Some(view) == views.iter().find(|v| **v != views[0]))
    );
}

#[test]
fn a_severity_outside_1_to_5_is_refused() {
    assert_eq!(Severity::try_from(6).unwrap_err().to_string(), "severity 6: there are 1 to 5");
    assert!(Severity::try_from(0).is_err());
    assert!(serde_json::from_str::<Severity>("9").is_err());
}

#[test]
fn sequences_start_and_end_where_they_should() {
    let image = picture(8, 8, 1, 2);
    for perturbation in Perturbation::SMALL {
        let frames = frames(&image, perturbation, &mut Rng::new(0));
        assert_eq!(frames.len(), FRAMES);
        let clean = if perturbation.is_noise() { 0 } else { 15 };
        assert_eq!(frames[clean], image, "{perturbation}");
        assert_ne!(frames[0], frames[FRAMES - 1], "{perturbation}");
        assert!(frames.iter().all(|frame| (frame.width(), frame.height()) == (8, 8)));
    }
    let grey = frames(&Image::filled(4, 4, 1, 100), Perturbation::Brightness, &mut Rng::new(0));
    assert_eq!(grey[0].pixels()[0], 23);
    assert_eq!(grey[30].pixels()[0], 176);
}

#[test]
fn the_ten_of_imagenet_p_start_and_end_where_they_should() {
    let image = picture(64, 48, 3, 2);
    let of = |what, difficulty| imagenet_p(&image, what, difficulty, &mut Rng::new(3));
    for what in Perturbation::IMAGENET_P {
        let frames = of(what, Difficulty::One);
        let (count, size) = match what {
            Perturbation::Translate => (41, (56, 42)),
            _ => (31, (64, 48)),
        };
        assert_eq!(frames.len(), count, "{what}");
        assert!(frames.iter().all(|frame| (frame.width(), frame.height()) == size), "{what}");
        assert_ne!(frames[0], frames[count - 1], "{what}");
        let again = of(what, Difficulty::One);
        assert_eq!(frames, again, "{what}");
        // Neighbours are alike, frames far apart less so; noise is compared with the first.
        let apart = |a: &Image, b: &Image| {
            let pairs = a.pixels().iter().zip(b.pixels());
            pairs.map(|(a, b)| f64::from(a.abs_diff(*b))).sum::<f64>()
        };
        if !what.is_noise() {
            assert!(
                apart(&frames[14], &frames[15]) < apart(&frames[0], &frames[count - 1]),
                "{what}"
            );
        }
    }
    for what in [Perturbation::Brightness, Perturbation::Rotate, Perturbation::Tilt] {
        // The frame in the middle is the image but for what is cut from bytes.
        let middle = &of(what, Difficulty::One)[15];
        let mut pairs = middle.pixels().iter().zip(image.pixels());
        assert!(pairs.all(|(a, b)| a.abs_diff(*b) <= 1), "{what}");
    }
    for what in [Perturbation::GaussianNoise, Perturbation::ShotNoise] {
        let spread = |difficulty| {
            let frames = of(what, difficulty);
            assert_eq!(frames[0], image);
            let pairs = frames[7].pixels().iter().zip(image.pixels());
            pairs.map(|(a, b)| f64::from(a.abs_diff(*b)).powi(2)).sum::<f64>()
        };
        let [one, two, three] = [Difficulty::One, Difficulty::Two, Difficulty::Three].map(spread);
        assert!(one < two && two < three, "{what}: {one} {two} {three}");
    }
}

#[test]
fn tilt_follows_the_pinhole() {
    // A bright dot at (48, 20) of 64x48, tilted by 10 degrees, projected by hand.
    let mut image = Image::filled(64, 48, 1, 0);
    image.pixels_mut()[20 * 64 + 48] = 255;
    let frame = &imagenet_p(&image, Perturbation::Tilt, Difficulty::One, &mut Rng::new(0))[25];
    let (x, y) = (16.0f64, -4.0f64);
    let (sin, cos) = 10f64.to_radians().sin_cos();
    let (px, py, pz) = (x * cos, x * sin * sin + y * cos, y * sin - x * sin * cos);
    let focal = 80.0;
    let (u, v) = (32.0 + px * focal / (focal + pz), 24.0 + py * focal / (focal + pz));
    let total: f64 = frame.pixels().iter().map(|&v| f64::from(v)).sum();
    let mean = |of: fn(usize) -> usize| {
        let weighted = frame.pixels().iter().enumerate();
        weighted.map(|(i, &v)| of(i) as f64 * f64::from(v)).sum::<f64>() / total
    };
    close(mean(|i| i % 64), u, 0.1);
    close(mean(|i| i / 64), v, 0.1);
}

proptest! {
    #[test]
    fn corruption_keeps_the_shape_and_depends_on_the_generator_alone(
        width in 1usize..40, height in 1usize..40, channels in prop::sample::select(vec![1usize, 3]), seed: u64,
        corruption in prop::sample::select(Corruption::ALL.to_vec()), severity in prop::sample::select(Severity::ALL.to_vec()),
        perturbation in prop::sample::select(Perturbation::SMALL.to_vec()),
    ) {
        let image = picture(width, height, channels, seed);
        let out = corrupt(&image, corruption, severity, &mut Rng::new(seed));
        prop_assert_eq!((out.width(), out.height(), out.channels()), (width, height, channels));
        prop_assert_eq!(&out, &corrupt(&image, corruption, severity, &mut Rng::new(seed)));
        let small = picture(width.min(9), height.min(9), channels, seed);
        prop_assert_eq!(
            frames(&small, perturbation, &mut Rng::new(seed)), frames(&small, perturbation, &mut Rng::new(seed))
        );
    }
}
