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
mod tables;
mod text;
mod tokens;

use augment::Image;
use data_pipeline::dataset::ArraySet;
use ndarray::Array4;

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
