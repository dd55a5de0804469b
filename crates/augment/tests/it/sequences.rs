//! Sequences: ImageNet-P's against Pillow, numpy and OpenCV (golden file:
//! `tests/golden/sequences.txt`), their noise by its moments, and those for small images.

use augment::corrupt::blur::Motion;
use augment::corrupt::grid::Grid;
use augment::corrupt::weather::{self, Snow};
use augment::image::Image;
use augment::rng::Rng;
use augment::sequence::{Difficulty, FRAMES, Perturbation, frames, imagenet_p};
use proptest::prelude::*;

use crate::golden::Words;
use crate::picture::{hash, picture};

#[test]
fn a_layer_of_snow_has_the_authors_constants() {
    let image = picture(40, 36, 3, 2);
    let got = frames(&image, Perturbation::Snow, &mut Rng::new(3));
    let mut rng = Rng::new(3);
    let noise = Grid::draw(40, 36, || 0.05 + 0.3 * rng.normal());
    let smear = Motion { radius: 14, sigma: 4.0 };
    let snow = Snow { mean: 0.0, deviation: 0.0, zoom: 3.0, threshold: 0.5, smear, mix: 0.85 };
    for (i, frame) in got.iter().enumerate() {
        let degrees = 4.0 * i as f64 - 150.0;
        assert_eq!(*frame, weather::snow(&image, &snow, &noise, degrees), "frame {i}");
    }
    assert_ne!(got[0], got[30]);
}

#[test]
fn small_images_move_by_20_224ths_of_the_width_to_either_side() {
    let image = picture(224, 3, 1, 0);
    let frames = frames(&image, Perturbation::Translate, &mut Rng::new(0));
    for (frame, shift) in [(0, -20i64), (3, -16), (15, 0), (30, 20)] {
        for (i, &value) in frames[frame].pixels().iter().enumerate() {
            let from = (i % 224) as i64 - shift;
            let inside = (0..224).contains(&from);
            let expected = if inside { image.pixels()[i / 224 * 224 + from as usize] } else { 0 };
            assert_eq!(value, expected, "frame {frame}, byte {i}");
        }
    }
}

#[test]
fn small_images_grow_and_shrink_about_their_middle() {
    let mut image = picture(9, 9, 1, 0);
    // The same upside down and left to right.
    for i in 0..41 {
        let pixels = image.pixels_mut();
        pixels[80 - i] = pixels[i];
    }
    for (i, frame) in frames(&image, Perturbation::Scale, &mut Rng::new(0)).iter().enumerate() {
        for (one, other) in frame.pixels().iter().zip(frame.pixels().iter().rev()) {
            assert!(one.abs_diff(*other) <= 1, "frame {i}: {one} and {other}");
        }
    }
}

#[test]
fn the_side_chooses_the_sequences() {
    for (side, expected) in [(1, 5), (8, 5), (32, 5), (96, 5), (97, 10), (224, 10), (256, 10)] {
        assert_eq!(Perturbation::for_side(side).len(), expected, "{side} pixels");
    }
    assert_eq!(Perturbation::for_side(32), Perturbation::SMALL);
    assert_eq!(Perturbation::for_side(224), Perturbation::IMAGENET_P);
}

const NOISES: [Perturbation; 2] = [Perturbation::GaussianNoise, Perturbation::ShotNoise];

#[test]
fn the_authors_rules_give_the_authors_frames() {
    let (mut seen, mut wrong) = (0, Vec::new());
    for line in include_str!("../golden/sequences.txt").lines() {
        let mut words = Words(line.split_whitespace());
        let what: Perturbation = serde_json::from_value(words.text().into()).unwrap();
        let number: usize = words.number();
        let [width, height, channels] = words.sides()[..] else { panic!("{line}") };
        let source = picture(width, height, channels, words.number());
        let frame =
            imagenet_p(&source, what, Difficulty::One, &mut Rng::new(0)).swap_remove(number);
        assert_eq!((frame.width(), frame.height(), frame.channels()), (56, 56, channels));
        let exact = words.text() == "=";
        let expected = words.text();
        let right = if exact {
            format!("{:016x}", hash(&frame)) == expected
        } else {
            let bytes = frame.pixels().iter().step_by(37).enumerate();
            let byte = |i: usize| u8::from_str_radix(&expected[2 * i..2 * i + 2], 16).unwrap();
            expected.len() == 2 * frame.pixels().len().div_ceil(37)
                && bytes.into_iter().all(|(i, value)| value.abs_diff(byte(i)) <= 1)
        };
        if !right {
            wrong.push(line);
        }
        seen += 1;
    }
    assert_eq!(seen, 195);
    assert!(wrong.is_empty(), "{} frames differ:\n{}", wrong.len(), wrong.join("\n"));
}

#[test]
fn noise_has_the_deviation_of_its_difficulty() {
    let grey = 128.0 / 255.0;
    let difficulties = [Difficulty::One, Difficulty::Two, Difficulty::Three];
    let shot = |photons: f64| (grey / photons).sqrt();
    let expected = [[0.03, 0.05, 0.08], [300.0, 120.0, 60.0].map(shot)];
    let source = Image::filled(64, 64, 3, 128);
    for (what, deviations) in NOISES.into_iter().zip(expected) {
        for (difficulty, deviation) in difficulties.into_iter().zip(deviations) {
            let frames = imagenet_p(&source, what, difficulty, &mut Rng::new(3));
            assert_eq!(frames[0], Image::filled(56, 56, 3, 128));
            let noisy = frames[1..].iter().flat_map(Image::pixels);
            let squares = noisy.map(|&v| ((f64::from(v) + 0.5) / 255.0 - grey).powi(2));
            let count = (30 * 56 * 56 * 3) as f64;
            let measured = (squares.sum::<f64>() / count).sqrt();
            // Over 282,240 values a standard error of 0.13 %; the cut to bytes adds up to 0.1 % of
            // 0.03.
            assert!(
                (measured / deviation - 1.0).abs() < 0.01,
                "{what}: {measured}, not {deviation}"
            );
            assert_ne!(frames[1], frames[2]);
        }
    }
}

#[test]
fn ten_sequences_of_their_lengths_change_little_by_little() {
    let source = picture(96, 64, 3, 2);
    for what in Perturbation::IMAGENET_P {
        let of = || imagenet_p(&source, what, Difficulty::One, &mut Rng::new(3));
        let frames = of();
        assert_eq!(
            frames.len(),
            if what == Perturbation::Translate { 41 } else { FRAMES },
            "{what}"
        );
        assert!(frames.iter().all(|frame| (frame.width(), frame.height()) == (56, 56)), "{what}");
        assert_eq!(frames, of(), "{what}");
        let apart = |a: &Image, b: &Image| {
            let pairs = a.pixels().iter().zip(b.pixels());
            pairs.map(|(a, b)| f64::from(a.abs_diff(*b))).sum::<f64>()
        };
        if !what.is_noise() {
            let whole = apart(&frames[0], &frames[frames.len() - 1]);
            assert!(apart(&frames[14], &frames[15]) < whole, "{what}");
        }
    }
}

#[test]
fn snow_stays_where_it_fell_while_its_direction_turns() {
    let source = Image::filled(64, 64, 1, 0);
    let of = |seed| imagenet_p(&source, Perturbation::Snow, Difficulty::One, &mut Rng::new(seed));
    let light = |frame: &Image| frame.pixels().iter().map(|&v| f64::from(v)).sum::<f64>();
    let lights: Vec<f64> = of(1).iter().map(light).collect();
    let mean = lights.iter().sum::<f64>() / lights.len() as f64;
    assert!(lights.iter().all(|light| (light / mean - 1.0).abs() < 0.1), "{lights:?}");
    assert_ne!(of(1)[0], of(2)[0]);
}

#[test]
fn sequences_of_small_images_start_and_end_where_they_should() {
    let image = picture(8, 8, 1, 2);
    for perturbation in Perturbation::SMALL {
        let frames = frames(&image, perturbation, &mut Rng::new(0));
        assert_eq!(frames.len(), FRAMES);
        let clean = if perturbation.is_noise() { 0 } else { 15 };
        assert_eq!(frames[clean], image, "{perturbation}");
        assert_ne!(frames[0], frames[FRAMES - 1], "{perturbation}");
    }
    let grey = frames(&Image::filled(4, 4, 1, 100), Perturbation::Brightness, &mut Rng::new(0));
    assert_eq!(grey[0].pixels()[0], 23);
    assert_eq!(grey[30].pixels()[0], 176);
}

proptest! {
    #[test]
    fn frames_have_one_size_and_depend_on_the_generator_alone(
        width in 1usize..12, height in 1usize..12, channels in prop::sample::select(vec![1usize, 3]), seed: u64,
        perturbation in prop::sample::select(Perturbation::IMAGENET_P.to_vec()),
    ) {
        let image = picture(width, height, channels, seed);
        let small = |image: &Image| frames(image, perturbation, &mut Rng::new(seed));
        let shape = |image: &Image| (image.width(), image.height(), image.channels());
        prop_assert!(small(&image).iter().all(|frame| shape(frame) == (width, height, channels)));
        prop_assert_eq!(small(&image), small(&image));
        let rules = || imagenet_p(&image, perturbation, Difficulty::Two, &mut Rng::new(seed));
        let side = (width.min(height) * 7 / 8).max(1);
        prop_assert!(rules().iter().all(|frame| shape(frame) == (side, side, channels)));
        prop_assert_eq!(rules(), rules());
    }
}
