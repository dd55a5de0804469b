//! Corruptions: the deterministic ones against numpy, scipy and Pillow, the random ones by mean and
//! variance.

use augment::corrupt::{Corruption, Scale, Severity, corrupt, corrupt_at};
use augment::image::Image;
use augment::rng::Rng;
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

proptest! {
    #[test]
    fn corruption_keeps_the_shape_and_depends_on_the_generator_alone(
        width in 1usize..40, height in 1usize..40, channels in prop::sample::select(vec![1usize, 3]), seed: u64,
        corruption in prop::sample::select(Corruption::ALL.to_vec()), severity in prop::sample::select(Severity::ALL.to_vec()),
    ) {
        let image = picture(width, height, channels, seed);
        let out = corrupt(&image, corruption, severity, &mut Rng::new(seed));
        prop_assert_eq!((out.width(), out.height(), out.channels()), (width, height, channels));
        prop_assert_eq!(&out, &corrupt(&image, corruption, severity, &mut Rng::new(seed)));
    }
}

#[test]
fn every_name_is_read_as_its_corruption() {
    for corruption in Corruption::ALL {
        assert_eq!(corruption.name().parse(), Ok(corruption));
    }
}

proptest! {
    /// What bytes are an image does not depend on how they are made one.
    #[test]
    fn bytes_are_an_image_if_they_are_as_many(
        (width, height, channels) in (0usize..5, 0usize..5, 0usize..5),
        length in 0usize..80,
    ) {
        let fits = width * height > 0 && [1, 3].contains(&channels);
        let fits = fits && length == width * height * channels;
        let made = Image::try_new(width, height, channels, vec![7; length]);
        prop_assert_eq!(made.is_ok(), fits);
        if let Ok(image) = made {
            prop_assert_eq!(image, Image::filled(width, height, channels, 7));
        }
    }
}

#[test]
fn bytes_that_are_no_image_say_why() {
    let said = |width, height, channels, length: usize| {
        Image::try_new(width, height, channels, vec![0; length]).unwrap_err().to_string()
    };
    assert!(said(2, 2, 4, 16).contains("1 or 3 channels, not 4"));
    assert!(said(0, 2, 3, 0).contains("0x2 has no pixels"));
    assert!(said(2, 2, 3, 11).starts_with("11 bytes are no image of 2x2"));
    assert!(said(usize::MAX, 2, 3, 11).starts_with("11 bytes are no image"));
}
