//! Integration tests.

mod damage;
mod datasets;
mod dialog;
mod fetch;
mod folders;
mod fuzz;
mod layouts;
mod loader;
mod marian;
mod parquet;
mod parquet_faults;
mod picture_files;
mod pictures;
mod pseudo_labels;
mod same;
mod sampler;
mod splits;
mod table_columns;
mod tables;
mod text;
mod tokens;

use augment::Image;
use data_pipeline::dataset::ArraySet;
use ndarray::Array4;
use std::path::PathBuf;

/// A path below the folder of published data, where it is there. Says on stderr what is left out
/// otherwise.
#[expect(clippy::print_stderr, reason = "a test that was left out must be seen")]
fn published(path: &str) -> Option<PathBuf> {
    let folder = std::env::var_os("TUTOR_DATA").filter(|value| !value.is_empty());
    let found = folder.map(|folder| PathBuf::from(folder).join(path)).filter(|path| path.exists());
    if found.is_none() {
        eprintln!("left out: {path} is not in $TUTOR_DATA");
    }
    found
}

/// `n` images of 5x4x1 whose first pixel is their number, with labels `number % 3`.
fn toy(n: usize) -> ArraySet {
    let images = Array4::from_shape_fn((n, 5, 4, 1), |(i, y, x, _)| (i + 10 * y + 50 * x) as u8);
    let labels = (0..n as u32).map(|i| i % 3).collect();
    ArraySet::new("toy", images, Some(labels), ["a", "b", "c"].map(str::to_owned).to_vec()).unwrap()
}

/// A view that draws: adds a random number to each pixel.
fn noisy(
    image: &mut Image,
    rng: &mut augment::rng::Rng,
    _: &mut augment::scratch::Scratch,
    _: u64,
) {
    image.pixels_mut().iter_mut().for_each(|p| *p = p.wrapping_add(rng.below(256) as u8));
}
