//! Every operation equals Pillow 12 byte for byte (golden files: `tests/golden`).

use std::str::FromStr;
use std::sync::{Mutex, PoisonError};

use augment::color::ContrastMean;
use augment::crop::CenterCrop;
use augment::erase;
use augment::fill::Fill;
use augment::geometry::{self, Interpolation, Sampling};
use augment::op::{Op, Whole};
use augment::resize::{self, Filter};
use augment::scratch::Scratch;
use augment::simd::{self, Instructions};

use crate::picture::{hash, picture};

/// The words of one case, taken one after the other.
pub(crate) struct Words<'a>(pub(crate) std::str::SplitWhitespace<'a>);

impl<'a> Words<'a> {
    pub(crate) fn text(&mut self) -> &'a str {
        self.0.next().expect("a word")
    }

    pub(crate) fn number<T: FromStr>(&mut self) -> T {
        let word = self.text();
        word.parse().unwrap_or_else(|_| panic!("a number, not {word}"))
    }

    pub(crate) fn sides(&mut self) -> Vec<usize> {
        self.text().split('x').map(|side| side.parse().expect("a side")).collect()
    }

    fn sampling(&mut self) -> Sampling {
        let bilinear = self.text() == "bilinear";
        let fill = Fill::grey(self.number());
        if bilinear { Sampling::bilinear(fill) } else { Sampling::nearest(fill) }
    }

    fn bicubic(&mut self) -> Sampling {
        let fill = Fill::grey(self.number());
        Sampling { interpolation: Interpolation::Bicubic, fill }
    }

    fn whole(&mut self) -> Whole {
        match self.text() {
            "auto-contrast" => Whole::AutoContrast,
            "equalize" => Whole::Equalize,
            "invert" => Whole::Invert,
            "blur" => Whole::Blur,
            "smooth" => Whole::Smooth,
            other => panic!("no operation {other} to blend with"),
        }
    }

    fn filter(&mut self) -> Filter {
        match self.text() {
            "nearest" => Filter::Nearest,
            "hamming" => Filter::Hamming,
            "box" => Filter::Box,
            "bilinear" => Filter::Bilinear,
            "bicubic" => Filter::Bicubic,
            "lanczos" => Filter::Lanczos,
            other => panic!("no filter {other}"),
        }
    }
}

fn op(name: &str, w: &mut Words) -> Op {
    match name {
        "auto-contrast" => Op::AutoContrast,
        "equalize" => Op::Equalize,
        "invert" => Op::Invert,
        "posterize" => Op::Posterize { bits: w.number() },
        "solarize" => Op::Solarize { threshold: w.number() },
        "solarize-add" => Op::SolarizeAdd { add: w.number(), threshold: w.number() },
        "color" => Op::Color { factor: w.number() },
        "contrast" => Op::Contrast { factor: w.number(), mean: ContrastMean::Grey },
        "brightness" => Op::Brightness { factor: w.number() },
        "sharpness" => Op::Sharpness { factor: w.number() },
        "gaussian-blur" => Op::GaussianBlur { radius: w.number() },
        "unsharp-mask" => Op::UnsharpMask { radius: w.number(), percent: w.number() },
        "color-tf" => Op::ColorTf { factor: w.number() },
        "sharpness-tf" => Op::SharpnessTf { factor: w.number() },
        "blended" => Op::Blended { with: w.whole(), share: w.number() },
        "rescale" => Op::Rescale { margin: w.number(), filter: w.filter() },
        "rotate" => Op::Rotate { degrees: w.number(), sampling: w.sampling() },
        "shear-x" => Op::ShearX { shear: w.number(), sampling: w.sampling() },
        "shear-y" => Op::ShearY { shear: w.number(), sampling: w.sampling() },
        "translate-x" => Op::TranslateX { pixels: w.number(), sampling: w.sampling() },
        "translate-y" => Op::TranslateY { pixels: w.number(), sampling: w.sampling() },
        "flip" => Op::Flip,
        "reflect-crop" => Op::ReflectCrop { pad: w.number(), dx: w.number(), dy: w.number() },
        "cutout" => Op::Cutout {
            x: w.number(),
            y: w.number(),
            half: w.number(),
            fill: Fill::grey(w.number()),
        },
        other => panic!("no operation {other}"),
    }
}

/// Runs a file with each set of vector instructions that the processor has.
fn check(file: &str) {
    with_all_instructions(|instructions| check_all(file, instructions));
}

/// Runs a test with each set of vector instructions that the processor has.
pub(crate) fn with_all_instructions(test: impl Fn(Instructions)) {
    let _guard = IN_USE.lock().unwrap_or_else(PoisonError::into_inner);
    for instructions in simd::available() {
        simd::use_at_most(instructions);
        assert_eq!(simd::in_use(), instructions);
        test(instructions);
    }
}

/// One test at a time may say which instructions are used.
static IN_USE: Mutex<()> = Mutex::new(());

fn check_all(file: &str, instructions: Instructions) {
    let mut scratch = Scratch::new();
    let mut wrong = Vec::new();
    let mut counts = std::collections::BTreeMap::<&str, usize>::new();
    for line in file.lines() {
        let mut words = Words(line.split_whitespace());
        let name = words.text();
        let [width, height, channels] = words.sides()[..] else { panic!("sides in {line}") };
        let mut image = picture(width, height, channels, words.number());
        match name {
            "affine" => {
                let matrix = std::array::from_fn(|_| words.number());
                geometry::affine(&mut image, matrix, words.sampling(), &mut scratch);
            }
            "resize" => {
                let (width, height) = (words.number(), words.number());
                resize::resize(&mut image, width, height, words.filter(), &mut scratch);
            }
            "center-crop" => {
                let size = words.number();
                CenterCrop { size, ..CenterCrop::default() }.apply(&mut image, &mut scratch);
            }
            "bicubic-rotate" => {
                let degrees = words.number();
                geometry::rotate(&mut image, degrees, words.bicubic(), &mut scratch);
            }
            "bicubic-affine" => {
                let matrix = std::array::from_fn(|_| words.number());
                geometry::affine(&mut image, matrix, words.bicubic(), &mut scratch);
            }
            "inclusive-cutout" => {
                let [x, y] = [(); 2].map(|()| words.number());
                erase::inclusive(&mut image, x, y, words.number(), Fill::grey(words.number()));
            }
            _ => op(name, &mut words).apply(&mut image, &mut scratch),
        }
        assert_eq!(words.text(), "=", "{line}");
        let expected = (words.text().to_owned(), words.sides());
        if (format!("{:016x}", hash(&image)), vec![image.width(), image.height()]) != expected {
            wrong.push(line);
        }
        *counts.entry(name).or_default() += 1;
    }
    assert!(counts.values().all(|&count| count >= 200), "{counts:?}");
    let count = wrong.len();
    assert!(
        count == 0,
        "{count} cases differ from Pillow ({instructions:?}):\n{}",
        wrong.join("\n")
    );
}

#[test]
fn colours_equal_pillow() {
    check(include_str!("../golden/color.txt"));
}

#[test]
fn ctaugments_operations_equal_pillow_and_tensorflows_their_formulas() {
    check(include_str!("../golden/more.txt"));
}

#[test]
fn geometry_equals_pillow() {
    check(include_str!("../golden/geometry.txt"));
}

#[test]
fn gaussian_blur_equals_pillow() {
    check(include_str!("../golden/blur.txt"));
}

#[test]
fn unsharp_masks_equal_pillow() {
    check(include_str!("../golden/unsharp.txt"));
}
