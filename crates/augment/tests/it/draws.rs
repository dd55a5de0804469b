//! What RandAugment and CTAugment draw: the settings of each paper, magnitudes, and arguments.

use augment::color::ContrastMean;
use augment::ctaugment::{Choice, CtAugment, CtOp, Rates};
use augment::fill::Fill;
use augment::geometry::Sampling;
use augment::levels::Variant;
use augment::op::{Op, OpName, Whole};
use augment::policy::{Policy, Step};
use augment::randaugment::{Draw, RandAugment};
use augment::resize::Filter;
use augment::rng::Rng;
use serde_json::json;

#[test]
fn variants_have_the_settings_of_their_papers() {
    let side = |fraction: f64| json!({ "fraction": fraction });
    let rows = [
        (Variant::Uda, 9.0, "whole", 0.5, json!([125, 122, 113]), json!(10.0), false),
        (Variant::NoisyStudent, 27.0, "fixed", 1.0, json!(128), json!(100.0), true),
        (Variant::Fixmatch, 9.0, "whole", 0.5, json!(127), json!(10.0), false),
        (Variant::FixmatchPaper, 9.0, "whole", 0.5, json!(0), side(0.3), false),
        (Variant::FixmatchImagenet, 10.0, "whole-from-zero", 0.5, json!(128), json!(100.0), true),
        (Variant::Usb, 10.0, "uniform", 1.0, json!(0), side(0.3), false),
        (Variant::Torchvision, 9.0, "fixed", 1.0, json!(0), side(150.0 / 331.0), false),
        (Variant::Timm, 10.0, "fixed", 0.5, json!(128), side(0.45), true),
    ];
    for (variant, magnitude, draw, probability, fill, translate_const, weakening) in rows {
        let timm = variant == Variant::Timm;
        let expected = json!({
            "variant": variant,
            "ops": if variant == Variant::Usb { 3 } else { 2 },
            "magnitude": magnitude,
            "draw": draw,
            "magnitude_std": 0.0,
            "magnitude_max": match variant {
                Variant::NoisyStudent => 40.0,
                Variant::Torchvision => 30.0,
                _ => 10.0,
            },
            "probability": probability,
            "interpolation": if timm { "bilinear" } else { "nearest" },
            "half_bicubic": timm,
            "outside": match variant {
                Variant::Uda | Variant::Fixmatch => "alpha",
                _ => "fill",
            },
            "fill": fill,
            "translate_const": translate_const,
            "cutout_const": if variant == Variant::NoisyStudent { 40.0 } else { 10.0 },
            "contrast_mean": "grey",
            "arithmetic": "pillow",
            "weakening": weakening,
            "exclude": [],
        });
        assert_eq!(serde_json::to_value(RandAugment::of(variant)).unwrap(), expected);
    }
}

#[test]
fn magnitudes_end_where_the_tables_do() {
    for (variant, greatest) in [
        (Variant::Uda, 10.0),
        (Variant::NoisyStudent, 40.0),
        (Variant::Usb, 10.0),
        (Variant::Torchvision, 30.0),
        (Variant::Timm, 100.0),
    ] {
        for (magnitude, allowed) in [(greatest, true), (greatest + 1.0, false)] {
            let settings = RandAugment { magnitude, ..RandAugment::of(variant) };
            let checked = Policy::from(Step::RandAugment(settings)).check();
            assert_eq!(checked.is_ok(), allowed, "{variant} {magnitude}");
        }
    }
}

/// Magnitudes that are drawn, found in the angles of rotations, 3 degrees each.
fn magnitudes(settings: &RandAugment) -> Vec<f64> {
    let others = settings.variant.ops().iter().filter(|&&name| name != OpName::Rotate);
    let exclude = others.copied().collect();
    let settings = RandAugment { exclude, probability: 1.0, ..settings.clone() };
    let mut rng = Rng::new(8);
    let magnitude = |_| match settings.draw(32, 32, &mut rng) {
        Op::Rotate { degrees, .. } => degrees.abs() / 3.0,
        other => panic!("{other:?} was excluded"),
    };
    (0..20_000).map(magnitude).collect()
}

#[test]
fn magnitudes_are_drawn_as_the_setting_says() {
    let of = |draw, magnitude| RandAugment { draw, magnitude, ..RandAugment::of(Variant::Usb) };
    for (draw, expected) in [
        (Draw::Fixed, vec![4]),
        (Draw::Whole, vec![1, 2, 3, 4]),
        (Draw::WholeFromZero, vec![0, 1, 2, 3, 4]),
    ] {
        let mut counts = [0usize; 11];
        for magnitude in magnitudes(&of(draw, 4.0)) {
            assert!((magnitude - magnitude.round()).abs() < 1e-9, "{draw:?}: {magnitude}");
            counts[magnitude.round() as usize] += 1;
        }
        let each = 20_000 / expected.len();
        for (magnitude, &count) in counts.iter().enumerate() {
            let wanted = if expected.contains(&magnitude) { each } else { 0 };
            assert!(count.abs_diff(wanted) < 400, "{draw:?} {magnitude}: {count}");
            assert!(wanted > 0 || count == 0, "{draw:?} {magnitude}: {count}");
        }
    }
    let drawn = magnitudes(&of(Draw::Uniform, 4.0));
    for quarter in 0..4 {
        let low = f64::from(quarter);
        let count = drawn.iter().filter(|&&m| m >= low && m < low + 1.0).count();
        assert!(count.abs_diff(5_000) < 300, "{quarter}: {count}");
    }
}

#[test]
fn noise_on_the_magnitude_has_its_deviation_and_is_clipped() {
    let fixed = RandAugment { draw: Draw::Fixed, ..RandAugment::of(Variant::Usb) };
    let noisy = RandAugment { magnitude: 5.0, magnitude_std: 0.5, ..fixed.clone() };
    let drawn = magnitudes(&noisy);
    let count = drawn.len() as f64;
    let mean = drawn.iter().sum::<f64>() / count;
    let deviation = (drawn.iter().map(|m| (m - mean).powi(2)).sum::<f64>() / count).sqrt();
    assert!((mean - 5.0).abs() < 0.02 && (deviation - 0.5).abs() < 0.015, "{mean} {deviation}");
    let wild = RandAugment { magnitude: 5.0, magnitude_std: 20.0, magnitude_max: 7.0, ..fixed };
    let drawn = magnitudes(&wild);
    let at = |value: f64| drawn.iter().filter(|&&m| (m - value).abs() < 1e-9).count();
    assert!(at(0.0) > 7_000 && at(7.0) > 8_000, "{} {}", at(0.0), at(7.0));
    assert!(drawn.iter().all(|&m| m < 7.0 + 1e-9));
}

#[test]
fn ctaugments_levels_become_arguments() {
    let augment = CtAugment::default();
    // An image of 40x30 and a cutout at (7, 9).
    let op = |op, levels| augment.op(Choice { op, levels }, [7, 9], 40, 30);
    let sampling = Sampling::nearest(Fill::BLACK);
    let cutout = |half| Op::Cutout { x: 7, y: 9, half, fill: Fill::grey(127) };
    for (choice, level, expected) in [
        (CtOp::Identity, 0.5, Op::Identity),
        (CtOp::AutoContrast, 0.3, Op::Blended { with: Whole::AutoContrast, share: 0.3 }),
        (CtOp::Blur, 0.3, Op::Blended { with: Whole::Blur, share: 0.3 }),
        (CtOp::Equalize, 0.3, Op::Blended { with: Whole::Equalize, share: 0.3 }),
        (CtOp::Invert, 0.3, Op::Blended { with: Whole::Invert, share: 0.3 }),
        (CtOp::Smooth, 0.3, Op::Blended { with: Whole::Smooth, share: 0.3 }),
        (CtOp::Brightness, 0.0, Op::Brightness { factor: 0.1 }),
        (CtOp::Color, 1.0, Op::Color { factor: 2.0 }),
        (CtOp::Contrast, 0.5, Op::Contrast { factor: 1.05, mean: ContrastMean::Grey }),
        (CtOp::Sharpness, 0.5, Op::Sharpness { factor: 1.05 }),
        (CtOp::Cutout, 0.0, cutout(0)),
        (CtOp::Cutout, 0.5, cutout(4)),
        (CtOp::Cutout, 1.0, cutout(7)),
        (CtOp::Posterize, 0.0, Op::Posterize { bits: 1 }),
        (CtOp::Posterize, 0.999, Op::Posterize { bits: 8 }),
        (CtOp::Solarize, 0.25, Op::Solarize { threshold: 63 }),
        (CtOp::Solarize, 1.0, Op::Solarize { threshold: 255 }),
        (CtOp::Rotate, 0.0, Op::Rotate { degrees: -45.0, sampling }),
        (CtOp::Rotate, 0.75, Op::Rotate { degrees: 22.0, sampling }),
        (CtOp::ShearX, 1.0, Op::ShearX { shear: 0.3, sampling }),
        (CtOp::ShearY, 0.0, Op::ShearY { shear: -0.3, sampling }),
        (CtOp::TranslateX, 1.0, Op::TranslateX { pixels: 12.0, sampling }),
        (CtOp::TranslateX, 0.25, Op::TranslateX { pixels: -6.0, sampling }),
        (CtOp::TranslateY, 0.0, Op::TranslateY { pixels: -9.0, sampling }),
        (CtOp::TranslateY, 0.9, Op::TranslateY { pixels: 7.0, sampling }),
    ] {
        assert_eq!(op(choice, [level, 0.0]), expected, "{choice:?} {level}");
    }
    let filters = [
        Filter::Lanczos,
        Filter::Bicubic,
        Filter::Bilinear,
        Filter::Box,
        Filter::Hamming,
        Filter::Nearest,
    ];
    for (i, filter) in filters.into_iter().enumerate() {
        let second = (i as f64 + 0.5) / 6.0;
        let expected = Op::Rescale { margin: 0.125, filter };
        assert_eq!(op(CtOp::Rescale, [0.5, second]), expected);
    }
}

#[test]
fn strong_views_draw_levels_uniformly_from_the_bins_that_are_recognised() {
    let augment = CtAugment::default();
    // Only bin 3 of 17 of each parameter has weight.
    let mut weights = Vec::new();
    for bins in CtOp::ALL.iter().flat_map(|op| op.bins()) {
        weights.extend((0..*bins).map(|bin| if bin == 3 { 1.0 } else { 0.0 }));
    }
    let rates = Rates::from_flat(&weights);
    let mut rng = Rng::new(6);
    let mut rotations = Vec::new();
    for choice in (0..10_000).flat_map(|_| augment.strong(&rates, &mut rng)) {
        for (level, &bins) in choice.levels.iter().zip(choice.op.bins()) {
            let place = level * bins as f64;
            assert!((3.0..4.0).contains(&place), "{choice:?}");
            if choice.op == CtOp::Rotate {
                rotations.push(place - 3.0);
            }
        }
    }
    // A 19th of 20,000 draws.
    let mean = rotations.iter().sum::<f64>() / rotations.len() as f64;
    assert!(rotations.len().abs_diff(1053) < 130 && (mean - 0.5).abs() < 0.04, "{mean}");
}
