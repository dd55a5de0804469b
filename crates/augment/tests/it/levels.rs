//! Each paper's strength table with its special cases.

use augment::color::ContrastMean;
use augment::fill::Fill;
use augment::geometry::Sampling;
use augment::image::Image;
use augment::length::Length;
use augment::levels::Variant;
use augment::op::{Op, OpName};
use augment::randaugment::{Draw, RandAugment};
use augment::rng::Rng;
use augment::scratch::Scratch;

const NAMES: [OpName; 6] = [
    OpName::Rotate,
    OpName::ShearX,
    OpName::TranslateX,
    OpName::Posterize,
    OpName::Solarize,
    OpName::Brightness,
];

/// The arguments of [`NAMES`] at a magnitude, sign +, on a 32x32 image.
fn row(policy: &RandAugment, magnitude: f64) -> [f64; 6] {
    NAMES.map(|name| match policy.op(name, magnitude, 1.0, [0, 0], 32, 32) {
        Op::Rotate { degrees, .. } => degrees,
        Op::ShearX { shear, .. } => shear,
        Op::TranslateX { pixels, .. } => pixels,
        Op::Posterize { bits } => f64::from(bits),
        Op::Solarize { threshold } => f64::from(threshold),
        Op::Brightness { factor } => factor,
        other => panic!("{other:?}"),
    })
}

#[track_caller]
fn check(policy: &RandAugment, magnitude: f64, expected: [f64; 6]) {
    for ((name, got), expected) in NAMES.iter().zip(row(policy, magnitude)).zip(expected) {
        assert!((got - expected).abs() < 1e-12, "{name} at {magnitude}: {got}, not {expected}");
    }
}

#[test]
fn uda_gets_stronger_with_the_level() {
    let uda = RandAugment::of(Variant::Uda);
    check(&uda, 1.0, [3.0, 0.03, 1.0, 4.0, 231.0, 0.28]);
    check(&uda, 4.0, [12.0, 0.12, 4.0, 3.0, 154.0, 0.82]);
    check(&uda, 5.0, [15.0, 0.15, 5.0, 2.0, 128.0, 1.0]);
    check(&uda, 9.0, [27.0, 0.27, 9.0, 1.0, 26.0, 1.72]);
}

#[test]
fn noisy_student_posterize_and_solarize_get_weaker() {
    let published = RandAugment::of(Variant::NoisyStudent);
    check(&published, 5.0, [15.0, 0.15, 50.0, 2.0, 128.0, 1.0]);
    check(&published, 27.0, [81.0, 0.81, 270.0, 10.0, 691.0, 4.96]);
    let sane = RandAugment { weakening: false, translate_const: Length::Pixels(4.0), ..published };
    check(&sane, 5.0, [15.0, 0.15, 2.0, 2.0, 128.0, 1.0]);
    check(&sane, 9.0, [27.0, 0.27, 3.6, 1.0, 26.0, 1.72]);
    check(&sane, 27.0, [81.0, 0.81, 10.8, 1.0, 0.0, 4.96]);
}

#[test]
fn noisy_student_at_27_posterizes_and_solarizes_nothing() {
    let policy = RandAugment::of(Variant::NoisyStudent);
    let image = Image::new(16, 16, 1, (0..=255).collect());
    for name in [OpName::Posterize, OpName::Solarize] {
        let mut changed = image.clone();
        policy.op(name, 27.0, 1.0, [0, 0], 16, 16).apply(&mut changed, &mut Scratch::new());
        assert_eq!(changed, image, "{name}");
    }
}

#[test]
fn noisy_student_adds_and_cuts() {
    let policy = RandAugment::of(Variant::NoisyStudent);
    let op = |name, magnitude| policy.op(name, magnitude, 1.0, [7, 9], 224, 224);
    assert_eq!(op(OpName::SolarizeAdd, 5.0), Op::SolarizeAdd { add: 55, threshold: 128 });
    assert_eq!(op(OpName::SolarizeAdd, 27.0), Op::SolarizeAdd { add: 297, threshold: 128 });
    assert_eq!(op(OpName::Cutout, 5.0), Op::Cutout { x: 7, y: 9, half: 20, fill: Fill::GREY });
    assert_eq!(op(OpName::Cutout, 27.0), Op::Cutout { x: 7, y: 9, half: 108, fill: Fill::GREY });
    let svhn = RandAugment { cutout_const: Length::Pixels(4.0), ..policy.clone() };
    let op = svhn.op(OpName::Cutout, 5.0, 1.0, [7, 9], 32, 32);
    assert_eq!(op, Op::Cutout { x: 7, y: 9, half: 2, fill: Fill::GREY });
}

#[test]
fn fixmatch_code_and_paper_differ() {
    check(&RandAugment::of(Variant::Fixmatch), 9.0, [27.0, 0.27, 9.0, 1.0, 26.0, 1.72]);
    check(&RandAugment::of(Variant::FixmatchPaper), 9.0, [27.0, 0.27, 8.0, 7.0, 26.0, 0.86]);
    check(&RandAugment::of(Variant::FixmatchPaper), 10.0, [30.0, 0.3, 9.0, 8.0, 0.0, 0.95]);
}

#[test]
fn torchvision_has_31_levels_and_both_sides() {
    let policy = RandAugment::of(Variant::Torchvision);
    check(&policy, 0.0, [0.0, 0.0, 0.0, 8.0, 255.0, 1.0]);
    check(&policy, 9.0, [9.0, 0.09, 4.0, 7.0, 179.0, 1.27]);
    check(&policy, 30.0, [30.0, 0.3, 14.0, 4.0, 0.0, 1.9]);
    assert_eq!(
        policy.op(OpName::Color, 9.0, -1.0, [0, 0], 8, 8),
        Op::Color { factor: 1.0 - 9.0 / 30.0 * 0.9 }
    );
}

#[test]
fn tensorflow_contrast_blends_with_the_number_of_pixels() {
    let contrast = |side: usize, mean| {
        let mut image = Image::filled(side, side, 3, 80);
        Op::Contrast { factor: 0.0, mean }.apply(&mut image, &mut Scratch::new());
        image.pixels()[0]
    };
    assert_eq!(contrast(32, ContrastMean::Tf), 4);
    assert_eq!(contrast(224, ContrastMean::Tf), 196);
    assert_eq!(contrast(300, ContrastMean::Tf), 255);
    assert_eq!(contrast(32, ContrastMean::Grey), 80);
}

#[test]
fn positive_shear_and_translation_move_content_left() {
    let mut image = Image::new(3, 1, 1, vec![1, 2, 3]);
    let sampling = Sampling::nearest(Fill::grey(9));
    Op::TranslateX { pixels: 1.0, sampling }.apply(&mut image, &mut Scratch::new());
    assert_eq!(image.pixels(), [2, 3, 9]);
}

#[test]
fn cutout_is_clipped_at_the_border() {
    let mut image = Image::filled(5, 5, 1, 0);
    Op::Cutout { x: 4, y: 0, half: 2, fill: Fill::grey(1) }.apply(&mut image, &mut Scratch::new());
    assert_eq!(image.pixels().iter().filter(|&&v| v == 1).count(), 3 * 2);
}

#[test]
fn the_menus_have_the_papers_sizes() {
    let sizes = [
        (Variant::Uda, 15),
        (Variant::NoisyStudent, 16),
        (Variant::Fixmatch, 14),
        (Variant::FixmatchPaper, 14),
        (Variant::Torchvision, 14),
    ];
    for (variant, size) in sizes {
        let mut names = variant.ops().to_vec();
        names.sort();
        names.dedup();
        assert_eq!(names.len(), size, "{variant}");
    }
}

#[test]
fn every_operation_is_drawn_equally_often_and_none_that_is_excluded() {
    let policy = RandAugment {
        exclude: vec![OpName::Invert, OpName::Equalize],
        probability: 1.0,
        ..RandAugment::of(Variant::Uda)
    };
    let mut rng = Rng::new(3);
    let mut posterized = 0;
    for _ in 0..13_000 {
        match policy.draw(32, 32, &mut rng) {
            Op::Invert | Op::Equalize => panic!("excluded"),
            Op::Posterize { bits } => posterized += usize::from((1..=4).contains(&bits)),
            _ => {}
        }
    }
    assert!((850..1150).contains(&posterized), "{posterized} of about 1000");
}

#[test]
fn half_of_the_draws_of_uda_do_nothing() {
    let policy = RandAugment { draw: Draw::Uniform, ..RandAugment::of(Variant::Uda) };
    let mut rng = Rng::new(4);
    let idle = (0..10_000).filter(|_| policy.draw(32, 32, &mut rng) == Op::Identity).count();
    assert!((4800..5200).contains(&idle), "{idle} of about 5000");
}
