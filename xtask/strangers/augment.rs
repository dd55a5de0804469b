//! A stranger's program that augments an image, with no libtorch on the machine.

use augment::image::Image;
use augment::levels::Variant;
use augment::policy::{Policy, Step};
use augment::randaugment::RandAugment;
use augment::rng::Key;

fn main() {
    let policy = Policy(vec![Step::RandAugment(RandAugment::of(Variant::NoisyStudent))]);
    let image = Image::new(8, 8, 3, (0..192).collect());
    let views = [0, 1].map(|view| policy.apply(image.clone(), &mut Key { seed: 1, epoch: 0, index: 0, view }.rng()));
    assert_eq!(views[0].pixels().len(), image.pixels().len());
    assert_ne!(views[0], views[1], "two views differ");
    println!("augmented");
}
