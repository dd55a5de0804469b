//! A stranger's program that augments an image, with no libtorch on the machine: README's lines.

use augment::{image::Image, policy::Policy, rng::Key};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let policy: Policy = "fixmatch".parse()?;
    let image = Image::new(32, 32, 3, (0..3072).map(|i| i as u8).collect());
    let key = |view| Key { seed: 1, epoch: 0, index: 0, view };
    let views = [0, 1].map(|view| policy.apply(image.clone(), &mut key(view).rng()));
    assert_eq!(views[0].pixels().len(), image.pixels().len());
    assert_ne!(views[0], views[1], "two views differ");
    println!("augmented");
    Ok(())
}
