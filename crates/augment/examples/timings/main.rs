//! Times single operations and whole pipelines, one answer a line, so that a driver can take turns
//! with other libraries: `cargo xtask bench augment --peers`.
//!
//! ```text
//! timings make DIR        writes 64 images of 32 and of 224 pixels as DIR/32.raw and DIR/224.raw,
//!                         [64][side][side][3] bytes
//! timings cases           names the cases
//! timings serve DIR [baseline|avx2]
//!                         reads `CASE SIDE THREADS SECONDS` and answers with nanoseconds per image
//!                         (of one thread's work); with at most the vector instructions named
//! ```

use std::hint::black_box;
use std::io::{BufRead, Write, stdin, stdout};
use std::path::Path;
use std::time::{Duration, Instant};

use augment::image::Image;
use augment::rng::Rng;
use augment::scratch::Scratch;
use augment::simd::{self, Instructions};

mod cases;

use cases::work;

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
        ["cases"] => {
            writeln!(stdout(), "{}", cases::CASES.join(" "))
        }
        ["serve", folder, ref level @ ..] => {
            match level {
                [] => {}
                ["baseline"] => simd::use_at_most(Instructions::Baseline),
                ["avx2"] => simd::use_at_most(Instructions::Avx2),
                _ => return Err(std::io::Error::other("levels are `baseline` and `avx2`")),
            }
            for line in stdin().lock().lines() {
                match answer(Path::new(folder), &line?) {
                    Some(nanoseconds) => writeln!(stdout(), "{nanoseconds}")?,
                    None => writeln!(stdout(), "no such case")?,
                }
                stdout().flush()?;
            }
            Ok(())
        }
        _ => Err(std::io::Error::other(
            "usage: timings make DIR | timings cases | timings serve DIR",
        )),
    }
}
