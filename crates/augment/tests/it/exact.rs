//! Arithmetic that no other package's output pins down: normalisation, maps beyond the range of
//! fixed point, places that lie exactly on an edge, and what depends on the shorter side.

use std::f64::consts::TAU;

use augment::affine;
use augment::corrupt::blur::{Defocus, Glass, Motion};
use augment::corrupt::spatter::{Liquid, Spatter};
use augment::corrupt::weather::{Fog, Frost, Snow};
use augment::corrupt::{Corruption, Saturation, Scale, Severity, corrupt, corrupt_at, tables};
use augment::erase;
use augment::fill::Fill;
use augment::geometry::{self, Interpolation, Sampling};
use augment::image::Image;
use augment::normalize::Normalize;
use augment::rng::Rng;
use augment::scratch::Scratch;

use crate::golden::with_all_instructions;
use crate::picture::{hash, picture};

#[test]
fn normalisation_follows_its_formula() {
    let (mean, std) = ([0.4914, 0.25, 0.5], [0.247, 1.0, 0.125]);
    let normalize = Normalize::new(mean, std);
    with_all_instructions(|instructions| {
        // One pixel; a block of 64 pixels; one more and one fewer; several blocks and a rest.
        for (width, height) in [(1, 1), (64, 1), (65, 1), (9, 7), (32, 32), (50, 7)] {
            for channels in [1, 3] {
                let image = picture(width, height, channels, 4 * width as u64);
                let area = width * height;
                let mut floats = vec![f32::NAN; area * channels];
                normalize.planes(&image, &mut floats);
                for (i, &byte) in image.pixels().iter().enumerate() {
                    let (place, channel) = (i / channels, i % channels);
                    let got = f64::from(floats[channel * area + place]);
                    let [mean, std] = [mean, std].map(|of| f64::from(of[channel]));
                    let expected = (f64::from(byte) / 255.0 - mean) / std;
                    assert!(
                        (got - expected).abs() < 2e-6 * (1.0 + 1.0 / std),
                        "{got}, not {expected}: {width}x{height}x{channels}, {instructions:?}"
                    );
                }
            }
        }
    });
}

/// The pixel nearest to each place, by the definition.
fn by_definition(image: &Image, m: [f64; 6], fill: u8) -> Vec<u8> {
    let (width, height, channels) = (image.width(), image.height(), image.channels());
    let mut out = Vec::new();
    for (y, x) in (0..height).flat_map(|y| (0..width).map(move |x| (y as f64, x as f64))) {
        let (x, y) = (x + 0.5, y + 0.5);
        let (x, y) = (m[0] * x + m[1] * y + m[2], m[3] * x + m[4] * y + m[5]);
        let inside = x >= 0.0 && y >= 0.0 && x < width as f64 && y < height as f64;
        for channel in 0..channels {
            let place = || (y as usize * width + x as usize) * channels + channel;
            out.push(if inside { image.pixels()[place()] } else { fill });
        }
    }
    out
}

#[test]
fn maps_beyond_fixed_point_read_the_nearest_pixel() {
    // All numbers are multiples of 1/64, so that sums of them are exact. Corners of the image lie
    // beyond 32,768, but some pixels come from within it.
    let maps = [
        [1.0, 5000.0, -27_500.0, 0.0, 1.0, 0.0],
        [0.75, 4000.25, -22_000.0, 0.125, 0.5, 2.0],
        [-1.0, 4096.0, -22_520.0, 0.0, 1.5, -3.0],
        [1.0, 0.25, -1.0, 6000.0, -0.75, -44_990.0],
        [1.0, 0.0, 0.0, 3500.5, 1.0, -33_250.0],
        [0.5, 1.0, 40_000.0, 0.25, 1.0, 0.0],
    ];
    let mut inside = 0;
    for channels in [1, 3] {
        let image = picture(13, 11, channels, 4);
        for map in maps {
            let mut got = image.clone();
            let sampling = Sampling::nearest(Fill::grey(77));
            geometry::affine(&mut got, map, sampling, &mut Scratch::new());
            let expected = by_definition(&image, map, 77);
            assert_eq!(got.pixels(), expected, "{map:?}");
            inside += usize::from(expected.iter().any(|&byte| byte != 77));
        }
    }
    assert_eq!(inside, 10, "five of the six maps show a part of the image");
}

#[test]
fn a_place_on_the_left_or_upper_edge_is_inside_and_on_the_others_outside() {
    for interpolation in [Interpolation::Nearest, Interpolation::Bilinear, Interpolation::Bicubic] {
        for (shift, black) in [(-0.5, None), (0.5, Some(6))] {
            let sampling = Sampling { interpolation, fill: Fill::BLACK };
            let mut across = Image::filled(7, 7, 1, 200);
            let mut down = across.clone();
            geometry::translate_x(&mut across, shift, sampling, &mut Scratch::new());
            geometry::translate_y(&mut down, shift, sampling, &mut Scratch::new());
            for (i, (&across, &down)) in across.pixels().iter().zip(down.pixels()).enumerate() {
                let expected = |place: usize| if Some(place) == black { 0 } else { 200 };
                assert_eq!(across, expected(i % 7), "{interpolation:?} {shift}");
                assert_eq!(down, expected(i / 7), "{interpolation:?} {shift}");
            }
        }
    }
}

#[test]
fn the_shorter_side_chooses_the_constants() {
    for (width, height, scale) in [
        (16, 97, Scale::Digits8),
        (97, 16, Scale::Digits8),
        (17, 200, Scale::Cifar32),
        (200, 96, Scale::Cifar32),
        (97, 300, Scale::ImageNet224),
    ] {
        let image = picture(width, height, 1, 0);
        let severity = Severity::ALL[2];
        for corruption in [Corruption::Contrast, Corruption::GaussianNoise] {
            let got = corrupt(&image, corruption, severity, &mut Rng::new(1));
            let by = |scale| corrupt_at(&image, corruption, severity, scale, &mut Rng::new(1));
            assert_eq!(got, by(scale), "{width}x{height}");
            for other in [Scale::Digits8, Scale::Cifar32, Scale::ImageNet224] {
                assert!(other == scale || got != by(other), "{width}x{height} {other:?}");
            }
        }
    }
}

#[test]
fn translations_go_by_their_distance_in_every_direction() {
    let side = 64;
    let mut image = Image::filled(side, side, 1, 0);
    for y in 28..36 {
        image.pixels_mut()[y * side + 28..][..8].fill(255);
    }
    // The centre of the pixels' light, from the middle of the image.
    let centre = |image: &Image| {
        let mut sums = [0.0; 3];
        for (i, &value) in image.pixels().iter().enumerate() {
            let (x, y, light) = ((i % side) as f64, (i / side) as f64, f64::from(value));
            sums = [sums[0] + x * light, sums[1] + y * light, sums[2] + light];
        }
        [sums[0] / sums[2] - 31.5, sums[1] / sums[2] - 31.5]
    };
    let mut directions = [0; 24];
    for seed in 0..600 {
        let severity = Severity::ALL[4];
        let mut rng = Rng::new(seed);
        let out = corrupt_at(&image, Corruption::Translate, severity, Scale::Digits8, &mut rng);
        let [x, y] = centre(&out);
        assert!((x.hypot(y) - 0.1875 * side as f64).abs() < 0.1, "{x} {y}");
        directions[(y.atan2(x).rem_euclid(TAU) / TAU * 24.0) as usize % 24] += 1;
    }
    // 25 expected in each, with a standard deviation of 4.9.
    assert!(directions.iter().all(|count| (5..=45).contains(count)), "{directions:?}");
}

#[test]
fn the_constants_of_corruptions_never_change() {
    let mut text = String::new();
    for scale in [Scale::ImageNet224, Scale::Cifar32, Scale::Digits8] {
        for severity in Severity::ALL {
            for corruption in Corruption::ALL {
                text += &format!("{} ", tables::constant(corruption, scale, severity));
            }
            let Defocus { radius, softness } = tables::defocus(scale, severity);
            text += &format!("{:?} ", (radius, softness));
            let Glass { sigma, reach, passes } = tables::glass(scale, severity);
            text += &format!("{:?} ", (sigma, reach, passes));
            let Motion { radius, sigma } = tables::motion(scale, severity);
            text += &format!("{:?} {:?} ", (radius, sigma), tables::zooms(scale, severity));
            let Snow { mean, deviation, zoom, threshold, smear, mix } =
                tables::snow(scale, severity);
            let smear = (smear.radius, smear.sigma);
            text += &format!(
                "Snow {{ mean: {mean:?}, deviation: {deviation:?}, zoom: {zoom:?}, \
                 threshold: {threshold:?}, smear: {smear:?}, mix: {mix:?} }} "
            );
            let Fog { thickness, decay } = tables::fog(scale, severity);
            text += &format!("{:?} ", (thickness, decay));
            let Frost { image, ice } = tables::frost(scale, severity);
            text += &format!("{:?} {:?} ", (image, ice), tables::elastic(scale, severity));
            let Saturation { factor, offset } = tables::saturate(scale, severity);
            text += &format!("{:?} ", (factor, offset));
            let Spatter { mean, deviation, sigma, threshold, liquid } =
                tables::spatter(scale, severity);
            let (weight, mud) = match liquid {
                Liquid::Water { strength } => (strength, false),
                Liquid::Mud { softness } => (softness, true),
            };
            text += &format!(
                "Spatter {{ mean: {mean:?}, deviation: {deviation:?}, sigma: {sigma:?}, \
                 threshold: {threshold:?}, weight: {weight:?}, mud: {mud:?} }}\n"
            );
        }
    }
    let pixels = text.into_bytes();
    let found = hash(&Image::new(pixels.len(), 1, 1, pixels.clone()));
    let text = String::from_utf8_lossy(&pixels);
    assert_eq!(
        format!("{found:016x}"),
        "04644c9896f9b3b5",
        "results would not be comparable:\n{text}"
    );
}

#[test]
fn content_moves_right_and_down_by_the_shift_of_a_map() {
    for shift in [[3.0, 0.0], [0.0, 2.0], [-2.0, 1.0], [0.0, 0.0]] {
        let mut image = Image::filled(9, 7, 1, 0);
        image.pixels_mut()[3 * 9 + 4] = 255;
        let map = affine::matrix(9, 7, 0.0, 1.0, 0.0, shift);
        geometry::affine(&mut image, map, Sampling::nearest(Fill::BLACK), &mut Scratch::new());
        let lit = image.pixels().iter().position(|&value| value == 255).unwrap();
        let [x, y] = shift.map(|shift| shift as isize);
        assert_eq!((lit % 9, lit / 9), ((4 + x) as usize, (3 + y) as usize), "{shift:?}");
    }
}

#[test]
fn a_map_turns_shears_and_scales_about_the_centre() {
    for (degrees, scale, shear) in
        [(0.0, 1.0, 0.0), (30.0, 1.0, 0.0), (0.0, 2.0, 0.0), (0.0, 1.0, 0.4), (-50.0, 0.7, 0.3)]
    {
        let [a, b, c, d, e, f] = affine::matrix(20, 10, degrees, scale, shear, [3.0, -1.0]);
        // What appears in the middle, shifted, is the middle of the source.
        let (x, y): (f64, f64) = (13.0, 4.0);
        let (x, y) = (a * x + b * y + c, d * x + e * y + f);
        assert!((x - 10.0).abs() < 1e-9 && (y - 5.0).abs() < 1e-9, "{x} {y}");
        // Back by the shear, then by the turn; rows count downwards.
        let (sin, cos) = degrees.to_radians().sin_cos();
        let turn = [[cos, -sin], [sin, cos]];
        let back = turn.map(|[p, q]| [p / scale, (p * shear + q) / scale]);
        for (got, expected) in [a, b, d, e].iter().zip(back.iter().flatten()) {
            assert!((got - expected).abs() < 1e-12, "{got}, not {expected}");
        }
    }
}

#[test]
fn a_fill_has_its_colour_or_its_grey() {
    let fill = Fill::rgb(200, 100, 50);
    let painted = |channels, fill| {
        let mut image = Image::filled(3, 3, channels, 0);
        erase::cutout(&mut image, 1, 1, 1, fill);
        image.into_pixels()
    };
    let row = |pixel: &[u8]| [pixel, pixel, &vec![0; pixel.len()]].concat();
    let image = |pixel: &[u8]| [row(pixel), row(pixel), vec![0; 3 * pixel.len()]].concat();
    assert_eq!(painted(3, fill), image(&[200, 100, 50]));
    // 0.299 of red, 0.587 of green and 0.114 of blue.
    assert_eq!(painted(1, fill), image(&[124]));
    assert_eq!(painted(3, Fill::GREY), image(&[128; 3]));
    assert_eq!(painted(1, Fill::BLACK), image(&[0]));
}

#[test]
#[should_panic(expected = "divided by the deviations [0.5, 0.0, 0.5]")]
fn nothing_is_divided_by_0() {
    let _ = Normalize::new([0.5; 3], [0.5, 0.0, 0.5]);
}
