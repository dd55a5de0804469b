//! The cases that are timed: each operation at a strength in the middle of its range, and
//! FixMatch's strong view with normalisation.

use augment::color::ContrastMean;
use augment::erase::Cutout;
use augment::fill::Fill;
use augment::geometry::Sampling;
use augment::image::Image;
use augment::length::Length;
use augment::levels::Variant;
use augment::normalize::Normalize;
use augment::op::Op;
use augment::policy::{Policy, Step};
use augment::randaugment::RandAugment;
use augment::resize::{self, Filter};
use augment::rng::Key;
use augment::scratch::Scratch;
use augment::weak::FlipCrop;

/// Their names.
pub(crate) const CASES: [&str; 23] = [
    "fixmatch-strong",
    "auto-contrast",
    "brightness",
    "color",
    "contrast",
    "copy",
    "cutout",
    "equalize",
    "flip",
    "invert",
    "normalize",
    "posterize",
    "reflect-crop",
    "resize",
    "resize-bicubic",
    "rotate",
    "rotate-bilinear",
    "sharpness",
    "shear-x",
    "shear-y",
    "solarize",
    "translate-x",
    "translate-y",
];

/// FixMatch's strong view, scaled with the side: flip, mirrored crop, two operations, cutout.
fn fixmatch(side: usize) -> Policy {
    let translate_const = Length::fraction(10.0 / 32.0);
    Policy(vec![
        Step::FlipCrop(FlipCrop { pad: side / 8, flip: true }),
        Step::RandAugment(RandAugment { translate_const, ..RandAugment::of(Variant::Fixmatch) }),
        Step::Cutout(Cutout { size: Length::fraction(0.5), ..Cutout::default() }),
    ])
}

/// What is done to a fresh copy of an image: it, its number, room to work in, and floats for what
/// is normalised.
pub(crate) type Work = Box<dyn Fn(&mut Image, u64, &mut Scratch, &mut Vec<f32>)>;

fn of(op: Op) -> Work {
    Box::new(move |image, _, scratch, _| op.apply(image, scratch))
}

fn normalize(image: &Image, out: &mut Vec<f32>) {
    let mean = [0.491_399_7, 0.482_158_4, 0.446_530_9];
    let std = [0.247_032_2, 0.243_484_9, 0.261_587_8];
    out.resize(image.pixels().len(), 0.0);
    Normalize::new(mean, std).planes(image, out);
}

/// The work of a case on images of this side; `None` if there is no such case.
pub(crate) fn work(case: &str, side: usize) -> Option<Work> {
    let (nearest, linear) = (Sampling::nearest(Fill::BLACK), Sampling::bilinear(Fill::BLACK));
    let pixels = side as f64 * 0.2;
    let mean = ContrastMean::Grey;
    Some(match case {
        "copy" => of(Op::Identity),
        "auto-contrast" => of(Op::AutoContrast),
        "equalize" => of(Op::Equalize),
        "invert" => of(Op::Invert),
        "posterize" => of(Op::Posterize { bits: 4 }),
        "solarize" => of(Op::Solarize { threshold: 128 }),
        "color" => of(Op::Color { factor: 1.5 }),
        "contrast" => of(Op::Contrast { factor: 1.5, mean }),
        "brightness" => of(Op::Brightness { factor: 1.5 }),
        "sharpness" => of(Op::Sharpness { factor: 1.5 }),
        "rotate" => of(Op::Rotate { degrees: 25.0, sampling: nearest }),
        "rotate-bilinear" => of(Op::Rotate { degrees: 25.0, sampling: linear }),
        "shear-x" => of(Op::ShearX { shear: 0.25, sampling: nearest }),
        "shear-y" => of(Op::ShearY { shear: 0.25, sampling: nearest }),
        "translate-x" => of(Op::TranslateX { pixels: pixels.trunc(), sampling: nearest }),
        "translate-y" => of(Op::TranslateY { pixels: pixels.trunc(), sampling: nearest }),
        "cutout" => of(Op::Cutout { x: side / 2, y: side / 2, half: side / 4, fill: Fill::GREY }),
        "flip" => of(Op::Flip),
        "reflect-crop" => of(Op::ReflectCrop { pad: side / 8, dx: side / 16, dy: side / 5 }),
        "resize" => Box::new(move |image, _, scratch, _| {
            resize::resize(image, side * 3 / 4, side * 3 / 4, Filter::Bilinear, scratch);
        }),
        "resize-bicubic" => Box::new(move |image, _, scratch, _| {
            resize::crop(image, side / 4, side / 4, side / 2, side / 2, scratch);
            resize::resize(image, side, side, Filter::Bicubic, scratch);
        }),
        "normalize" => Box::new(|image, _, _, out| normalize(image, out)),
        "fixmatch-strong" => {
            let policy = fixmatch(side);
            Box::new(move |image, index, scratch, out| {
                let mut rng = Key { seed: 20, epoch: 0, index, view: 0 }.rng();
                policy.apply_in_place(image, &mut rng, scratch);
                normalize(image, out);
            })
        }
        _ => return None,
    })
}
