//! How an image becomes what a network sees, as the loader takes it.

use std::sync::Arc;

use augment::image::Image;
use augment::policy::Policy;
use augment::resize::{Filter, crop, resize};
use augment::scratch::Scratch;
use data_pipeline::loader::View;
use serde::{Deserialize, Serialize};
use weights::{Interpolation, Preprocess};

/// A policy as a view of an image.
pub(crate) fn view(policy: &Policy) -> View {
    let policy = policy.clone();
    Arc::new(move |image, rng, scratch, _| policy.apply_in_place(image, rng, scratch))
}

/// What is done to an image, its normalisation aside, before a trained network sees it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Transform {
    /// A policy that is not random.
    Policy(Policy),
    /// What belongs to published weights.
    Published(Preprocess),
}

impl Transform {
    pub(crate) fn view(&self) -> View {
        match self {
            Transform::Policy(policy) => view(policy),
            Transform::Published(preprocess) => {
                let preprocess = preprocess.clone();
                Arc::new(move |image, _, scratch, _| square(image, &preprocess, scratch))
            }
        }
    }
}

/// Brings the shorter side (with `squash`, both sides) to its length and cuts the square out of the
/// middle, as timm's `transforms_imagenet_eval` does with a crop of the middle (torchvision's
/// `Resize` and `CenterCrop` on Pillow's images), byte for byte.
pub(crate) fn square(image: &mut Image, preprocess: &Preprocess, scratch: &mut Scratch) {
    let filter = match preprocess.interpolation {
        Interpolation::Nearest => Filter::Nearest,
        Interpolation::Bilinear => Filter::Bilinear,
        Interpolation::Bicubic => Filter::Bicubic,
        Interpolation::Lanczos => Filter::Lanczos,
    };
    let (short, size) = (preprocess.shorter_side() as usize, preprocess.size as usize);
    let sides = [image.width(), image.height()];
    let shorter = image.width().min(image.height());
    let [width, height] = match preprocess.squash {
        true => [short; 2],
        false => sides.map(|side| short * side / shorter),
    };
    resize(image, width, height, filter, scratch);
    let [x, y] =
        [width, height].map(|side| ((side - size) as f64 / 2.0).round_ties_even() as usize);
    crop(image, x, y, size, size, scratch);
}

#[cfg(test)]
mod tests {
    use data_pipeline::digest::Digest;

    use super::*;

    #[test]
    fn squares_are_those_of_timm_byte_for_byte() {
        let golden = include_str!("../../tests/golden/eval_transform.txt");
        assert_eq!(golden.lines().count(), 30);
        for line in golden.lines() {
            let fields: Vec<&str> = line.split(' ').collect();
            let number = |i: usize| fields[i].parse::<usize>().expect("a number");
            let (width, height) = (number(0), number(1));
            let pixel = |i: u64| ((i * i + 7 * i) % 251) as u8;
            let pixels = (0..(width * height * 3) as u64).map(pixel).collect();
            let mut image = Image::new(width, height, 3, pixels);
            let preprocess = Preprocess {
                size: number(2) as u32,
                crop: fields[3].parse().expect("a share"),
                squash: false,
                interpolation: serde_json::from_value(fields[4].into()).expect("a filter"),
                mean: vec![0.5; 3],
                std: vec![0.5; 3],
            };
            square(&mut image, &preprocess, &mut Scratch::new());
            assert_eq!(Digest::of(image.pixels()).to_string(), fields[5], "{line}");
        }
    }

    #[test]
    fn both_sides_are_brought_to_one_length_where_the_weights_want_it() {
        // A stripe at the left is seen only where nothing is cut.
        let pixel = |i: usize| if i % 64 < 8 { [255; 3] } else { [0; 3] };
        let wide = Image::new(64, 16, 3, (0..64 * 16).flat_map(pixel).collect());
        let seen = |squash: bool| {
            let (mut image, interpolation) = (wide.clone(), Interpolation::Nearest);
            let (mean, std) = (vec![0.5; 3], vec![0.5; 3]);
            let preprocess = Preprocess { size: 8, crop: 1.0, squash, interpolation, mean, std };
            square(&mut image, &preprocess, &mut Scratch::new());
            assert_eq!((image.width(), image.height()), (8, 8));
            image.pixels().contains(&255)
        };
        assert_eq!((seen(true), seen(false)), (true, false));
    }
}
