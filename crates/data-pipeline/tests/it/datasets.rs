//! Readers: right content from good files, an error that names file and offset from bad ones, never a panic.

use crate::toy;
use data_pipeline::dataset::{Concat, Samples, digits};
use std::sync::Arc;

#[test]
fn the_digits_are_those_of_uci() {
    let set = digits::load();
    assert_eq!(set.len(), 1797);
    let counts =
        (0..10).map(|c| (0..1797).filter(|&i| set.label(i) == Some(c)).count()).collect::<Vec<_>>();
    assert_eq!(counts, [178, 182, 177, 183, 181, 182, 181, 179, 174, 180]);
    let first = set.image(0).unwrap();
    assert_eq!((first.width(), first.height(), first.channels()), (8, 8, 1));
    let original = [0u32, 0, 5, 13, 9, 1, 0, 0, 0, 0, 13, 15, 10, 15, 5, 0];
    let scaled: Vec<u8> = original.map(|v| (f64::from(v) * 255.0 / 16.0).round() as u8).to_vec();
    assert_eq!(first.pixels()[..16], scaled);
    // The sum of all original values, taken from scikit-learn.
    let sum: u32 = set.images().iter().map(|&p| (u32::from(p) * 16 + 127) / 255).sum();
    assert_eq!(sum, 561_718);
}

#[test]
fn sets_can_be_joined() {
    let joined = Concat::new(vec![Arc::new(toy(3)), Arc::new(toy(0)), Arc::new(toy(2))]).unwrap();
    assert_eq!(joined.len(), 5);
    assert_eq!(
        (joined.id(2), joined.id(3), joined.label(4)),
        ("toy/2".into(), "toy/0".into(), Some(1))
    );
    assert_eq!(joined.image(4).unwrap(), toy(2).image(1).unwrap());
    assert!(Concat::new(vec![Arc::new(toy(3)), Arc::new(digits::load())]).is_err());
}
