//! Times single operations and whole pipelines, one answer a line, so that a driver can take turns with other libraries:
//! `cargo xtask bench augment --peers`.
//!
//! ```text
//! timings make DIR        writes 64 images of 32 and of 224 pixels as DIR/32.raw and DIR/224.raw, [64][side][side][3] bytes
//! timings serve DIR       reads `CASE SIDE THREADS SECONDS`, answers with nanoseconds an image (of one thread's work)
//! ```
#![allow(clippy::print_stdout)]

use std::hint::black_box;
use std::io::{BufRead, Write, stdin, stdout};
use std::path::Path;
use std::time::{Duration, Instant};

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
use augment::rng::{Key, Rng};
use augment::scratch::Scratch;
use augment::weak::FlipCrop;

const COUNT: usize = 64;

/// Smooth colours and a little noise: broad histograms, as photographs have.
fn photo(side: usize, seed: u64) -> Vec<u8> {
    let mut rng = Rng::new(seed);
    let waves: [[f64; 3]; 3] =
        std::array::from_fn(|_| [rng.range(1.0, 9.0), rng.range(1.0, 9.0), rng.range(0.0, 6.0)]);
    let mut pixels = Vec::with_capacity(side * side * 3);
    for (y, x) in (0..side).flat_map(|y| (0..side).map(move |x| (y, x))) {
        for [across, down, phase] in waves {
            let angle = (across * x as f64 + down * y as f64) / side as f64 + phase;
            pixels.push((128.0 + 90.0 * angle.sin() + 12.0 * rng.normal()).clamp(0.0, 255.0) as u8);
        }
    }
    pixels
}

fn make(folder: &Path) -> std::io::Result<()> {
    std::fs::create_dir_all(folder)?;
    for side in [32, 224] {
        let bytes: Vec<u8> = (0..COUNT as u64).flat_map(|seed| photo(side, seed)).collect();
        std::fs::write(folder.join(format!("{side}.raw")), bytes)?;
    }
    Ok(())
}

fn read(folder: &Path, side: usize) -> std::io::Result<Vec<Image>> {
    let bytes = std::fs::read(folder.join(format!("{side}.raw")))?;
    let images = bytes.chunks_exact(side * side * 3);
    Ok(images.map(|pixels| Image::new(side, side, 3, pixels.to_vec())).collect())
}

/// FixMatch's strong view, scaled with the side: flip, mirrored crop, two operations, cutout.
fn fixmatch(side: usize) -> Policy {
    let translate_const = Length::fraction(10.0 / 32.0);
    Policy(vec![
        Step::FlipCrop(FlipCrop { pad: side / 8, flip: true }),
        Step::RandAugment(RandAugment { translate_const, ..RandAugment::of(Variant::Fixmatch) }),
        Step::Cutout(Cutout { size: Length::fraction(0.5), ..Cutout::default() }),
    ])
}

/// What is done to a fresh copy of an image.
type Work = Box<dyn Fn(&mut Image, u64, &mut Scratch, &mut Vec<f32>)>;

fn of(op: Op) -> Work {
    Box::new(move |image, _, scratch, _| op.apply(image, scratch))
}

fn normalize(image: &Image, out: &mut Vec<f32>) {
    let mean = [0.491_399_7, 0.482_158_4, 0.446_530_9];
    let std = [0.247_032_2, 0.243_484_9, 0.261_587_8];
    out.resize(image.pixels().len(), 0.0);
    Normalize::new(mean, std).planes(image, out);
}

fn work(case: &str, side: usize) -> Option<Work> {
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

/// Nanoseconds an image, on this thread.
fn time(case: &str, images: &[Image], least: Duration) -> Option<f64> {
    let work = work(case, images[0].width())?;
    let (mut scratch, mut out) = (Scratch::new(), Vec::new());
    let mut image = images[0].clone();
    let (mut index, start) = (0u64, Instant::now());
    loop {
        for source in images {
            image.clone_from(source);
            work(&mut image, index, &mut scratch, &mut out);
            black_box((&image, &out));
            index += 1;
        }
        let passed = start.elapsed();
        if passed >= least {
            return Some(passed.as_nanos() as f64 / index as f64);
        }
    }
}

fn answer(folder: &Path, line: &str) -> Option<f64> {
    let words: Vec<&str> = line.split_whitespace().collect();
    let [case, side, threads, seconds] = words[..] else { return None };
    let images = read(folder, side.parse().ok()?).ok()?;
    let least = Duration::from_secs_f64(seconds.parse().ok()?);
    let threads: usize = threads.parse().ok()?;
    std::thread::scope(|scope| {
        let workers: Vec<_> =
            (0..threads).map(|_| scope.spawn(|| time(case, &images, least))).collect();
        let times: Vec<f64> =
            workers.into_iter().filter_map(|worker| worker.join().ok().flatten()).collect();
        (times.len() == threads).then(|| times.iter().sum::<f64>() / threads as f64)
    })
}

fn main() -> std::io::Result<()> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    match args.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["make", folder] => make(Path::new(folder)),
        ["serve", folder] => {
            for line in stdin().lock().lines() {
                match answer(Path::new(folder), &line?) {
                    Some(nanoseconds) => println!("{nanoseconds}"),
                    None => println!("no such case"),
                }
                stdout().flush()?;
            }
            Ok(())
        }
        _ => Err(std::io::Error::other("usage: timings make DIR | timings serve DIR")),
    }
}
