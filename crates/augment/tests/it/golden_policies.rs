//! Policies against the packages and formulas they follow (golden files: `tests/golden`).

use augment::color::ContrastMean;
use augment::ctaugment::{Choice, CtOp, Rates};
use augment::fill::Fill;
use augment::geometry::Sampling;
use augment::levels::Variant;
use augment::op::{Op, OpName};
use augment::randaugment::RandAugment;
use augment::scratch::Scratch;

use crate::golden::Words;
use crate::picture::{hash, picture};

fn named<T: serde::de::DeserializeOwned>(name: &str) -> T {
    serde_json::from_value(name.into()).unwrap_or_else(|error| panic!("{name}: {error}"))
}

#[test]
fn transparency_equals_pillows_rgba() {
    let uda = RandAugment::of(Variant::Uda);
    let nearest = Sampling::nearest(Fill::BLACK);
    let (mut scratch, mut wrong, mut seen) = (Scratch::new(), Vec::new(), 0);
    for line in include_str!("../golden/alpha.txt").lines() {
        let (case, expected) = line.split_once(" = ").expect("a case and a hash");
        let mut words = Words(case.split_whitespace());
        let [width, height] = words.sides()[..] else { panic!("{line}") };
        let mut image = picture(width, height, 3, words.number());
        let mut ops = Vec::new();
        for part in case.splitn(3, ' ').nth(2).expect("operations").split(" | ") {
            let mut w = Words(part.split_whitespace());
            ops.push(match w.text() {
                "auto-contrast" => Op::AutoContrast,
                "equalize" => Op::Equalize,
                "invert" => Op::Invert,
                "posterize" => Op::Posterize { bits: w.number() },
                "solarize" => Op::Solarize { threshold: w.number() },
                "color" => Op::Color { factor: w.number() },
                "contrast" => Op::Contrast { factor: w.number(), mean: ContrastMean::Grey },
                "brightness" => Op::Brightness { factor: w.number() },
                "sharpness" => Op::Sharpness { factor: w.number() },
                "rotate" => Op::Rotate { degrees: w.number(), sampling: nearest },
                "shear-x" => Op::ShearX { shear: w.number(), sampling: nearest },
                "shear-y" => Op::ShearY { shear: w.number(), sampling: nearest },
                "translate-x" => Op::TranslateX { pixels: w.number(), sampling: nearest },
                "translate-y" => Op::TranslateY { pixels: w.number(), sampling: nearest },
                "cutout" => {
                    let [x, y, half] = [(); 3].map(|()| w.number());
                    Op::Cutout { x, y, half, fill: uda.fill }
                }
                other => panic!("no operation {other}"),
            });
        }
        uda.apply_drawn(ops, &mut image, &mut scratch);
        if format!("{:016x}", hash(&image)) != expected {
            wrong.push(line);
        }
        seen += 1;
    }
    assert_eq!(seen, 440);
    assert!(wrong.is_empty(), "{} cases differ:\n{}", wrong.len(), wrong.join("\n"));
}

#[test]
fn magnitudes_become_the_arguments_of_timm_and_torchvision() {
    let mut seen = 0;
    for line in include_str!("../golden/levels.txt").lines() {
        let mut words = Words(line.split_whitespace());
        let variant: Variant = named(words.text());
        let weakening = words.text() == "0";
        let policy = RandAugment { weakening, ..RandAugment::of(variant) };
        let name: OpName = named(words.text());
        let magnitude: f64 = words.number();
        let value = match policy.op(name, magnitude, 1.0, [0, 0], 320, 320) {
            Op::Rotate { degrees, .. } => degrees,
            Op::ShearX { shear, .. } => shear,
            Op::TranslateX { pixels, .. } => pixels,
            Op::Posterize { bits } => bits.into(),
            Op::Solarize { threshold } => threshold.into(),
            Op::SolarizeAdd { add, .. } => add.into(),
            Op::Color { factor } | Op::Sharpness { factor } => factor,
            Op::GaussianBlur { radius } => radius,
            other => panic!("{other:?}"),
        };
        let expected: f64 = words.number();
        // torchvision computes in single precision, and compares bytes with a threshold that need
        // not be whole.
        let tolerance = if variant == Variant::Torchvision { 3e-6 } else { 1e-12 };
        let expected = match name {
            OpName::Solarize => (expected - 1e-4).ceil(),
            _ => expected,
        };
        assert!((value - expected).abs() <= tolerance * expected.abs().max(1.0), "{line}: {value}");
        seen += 1;
    }
    assert_eq!(seen, 2 * 8 * 11 + 2 * 11 + 7 * 31);
}

#[test]
fn ctaugments_bins_move_as_in_numpy() {
    let (mut rates, mut seen) = (Rates::new(), 0);
    for line in include_str!("../golden/rates.txt").lines() {
        let mut words = Words(line.split_whitespace());
        let what = words.text();
        let op: CtOp = named(words.text());
        if what == "update" {
            let choice = Choice { op, levels: [words.number(), 0.0] };
            rates.update(&[choice], words.number(), 0.99);
        } else {
            let threshold = words.number();
            for share in rates.probabilities(op, 0, threshold, 0.99) {
                let expected: f64 = words.number();
                assert!((share - expected).abs() < 1e-12, "{op:?}: {share}, not {expected}");
                seen += 1;
            }
        }
    }
    assert_eq!(seen, 2 * (17 + 8));
    let written = serde_json::to_string(&rates).expect("plain data");
    assert_eq!(serde_json::from_str::<Rates>(&written).expect("what was written"), rates);
}

/// Rescale has a margin of 17 bins and a filter of 6: 0.1 · 17 · 0.999 = 1.7 is in bin 1 of the
/// first, 0.9 · 6 · 0.999 = 5.4 in bin 5 of the second.
#[test]
fn each_parameter_of_an_operation_moves_a_bin_of_its_own() {
    let (mut rates, mut expected) = (Rates::new(), Rates::new());
    rates.update(&[Choice { op: CtOp::Rescale, levels: [0.1, 0.9] }], 0.0, 0.99);
    let rescale = &mut expected.weights[CtOp::Rescale as usize];
    (rescale[0][1], rescale[1][5]) = (0.99, 0.99);
    assert_eq!(rates, expected);
}
