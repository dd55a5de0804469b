//! mCE, relative mCE, flip probability and mFR against values worked out by hand.

use std::collections::BTreeMap;

use augment::corrupt::Corruption;
use augment::robustness::{
    ALEXNET_ERRORS, Compare, Errors, RobustnessError, alexnet, alexnet_flips, corruption_errors,
    flip_probability, mce, mean_distance, mfr, mt5d, relative_mce, top5_distance, zipf_distance,
};

fn table(clean: f64, rows: &[(&str, &[f64])]) -> Errors {
    Errors {
        clean,
        corrupted: rows
            .iter()
            .map(|(name, errors)| ((*name).to_owned(), errors.to_vec()))
            .collect(),
    }
}

#[track_caller]
fn close(got: f64, expected: f64) {
    assert!((got - expected).abs() < 1e-9, "{got}, not {expected}");
}

#[test]
fn mce_is_the_mean_of_ratios_of_sums() {
    let model =
        table(0.1, &[("fog", &[0.1, 0.2, 0.3, 0.4, 0.5]), ("snow", &[0.2, 0.2, 0.2, 0.2, 0.2])]);
    let reference =
        table(0.2, &[("snow", &[0.3, 0.4, 0.5, 0.6, 0.7]), ("fog", &[0.4, 0.5, 0.6, 0.7, 0.8])]);
    // fog 1.5 / 3.0, snow 1.0 / 2.5, whatever the order of the tables.
    close(mce(&model, &reference).unwrap(), 45.0);
    // fog (1.5 - 0.5) / (3.0 - 1.0), snow (1.0 - 0.5) / (2.5 - 1.0).
    close(relative_mce(&model, &reference).unwrap(), 100.0 * (0.5 + 1.0 / 3.0) / 2.0);
    close(mce(&reference, &reference).unwrap(), 100.0);
    close(relative_mce(&reference, &reference).unwrap(), 100.0);
    // The four extra corruptions of ImageNet-C do not count.
    let extra = Corruption::EXTRA.map(Corruption::name);
    assert_eq!(ALEXNET_ERRORS[15..].iter().map(|(name, _)| *name).collect::<Vec<_>>(), extra);
    let mut more = model.clone();
    more.corrupted.insert("spatter".to_owned(), vec![0.9; 5]);
    close(mce(&more, &reference).unwrap(), 45.0);
    close(relative_mce(&more, &reference).unwrap(), 100.0 * (0.5 + 1.0 / 3.0) / 2.0);
    assert!(mce(&table(0.1, &[("spatter", &[0.9])]), &reference).is_err(), "nothing is left");
}

#[test]
fn alexnet_is_matched_by_name() {
    let model = table(0.2, &[("brightness", &[0.282296; 5]), ("gaussian_noise", &[0.443214; 5])]);
    let errors = corruption_errors(&model, &alexnet()).unwrap();
    close(errors["brightness"], 0.5);
    close(errors["gaussian_noise"], 0.5);
    close(mce(&alexnet(), &alexnet()).unwrap(), 100.0);
}

#[test]
fn what_cannot_be_compared_is_an_error_with_a_name() {
    let model = table(0.0, &[("rain", &[0.1])]);
    let error = mce(&model, &alexnet()).unwrap_err();
    assert_eq!(error, RobustnessError::Missing("rain".to_owned()));
    assert!(error.to_string().contains("rain"));
    let perfect = table(0.0, &[("rain", &[0.0, 0.0])]);
    assert_eq!(
        mce(&model, &perfect).unwrap_err(),
        RobustnessError::ZeroReference("rain".to_owned())
    );
    // 0.1 + 0.2 is not 0.3 in binary: a difference of rounding, not of errors; then a reference
    // that is better on changed images than on clean ones.
    for clean in [0.1 + 0.2, 0.4] {
        let reference = table(clean, &[("rain", &[0.3])]);
        let error = RobustnessError::ZeroReference("rain".to_owned());
        assert_eq!(relative_mce(&model, &reference).unwrap_err(), error);
        let turned = table(0.3, &[("rain", &[clean])]);
        assert_eq!(relative_mce(&model, &turned).is_ok(), clean == 0.4);
        close(mce(&model, &reference).unwrap(), 100.0 / 3.0);
    }
    assert_eq!(mce(&table(0.0, &[]), &perfect).unwrap_err(), RobustnessError::Empty);
    assert_eq!(mce(&table(0.0, &[("rain", &[])]), &perfect).unwrap_err(), RobustnessError::Empty);
}

#[test]
fn flips_are_counted_against_the_frame_before_or_the_first() {
    let sequences = [vec![1, 1, 2, 2, 1], vec![0, 0, 0, 0, 3]];
    let previous = |step| flip_probability(&sequences, Compare::Previous { step });
    close(previous(1), (2.0 / 4.0 + 1.0 / 4.0) / 2.0);
    close(previous(2), (3.0 / 3.0 + 1.0 / 3.0) / 2.0);
    close(flip_probability(&sequences, Compare::First), (2.0 / 4.0 + 1.0 / 4.0) / 2.0);
    close(flip_probability(&[vec![1, 2, 2]], Compare::First), 1.0);
    close(flip_probability(&[vec![1, 2, 2]], Compare::Previous { step: 1 }), 0.5);
    close(flip_probability(&[], Compare::First), 0.0);
    close(flip_probability(&[vec![4]], Compare::First), 0.0);
}

#[test]
fn mfr_is_relative_to_the_reference() {
    let table = |rows: &[(&str, f64)]| -> BTreeMap<String, f64> {
        rows.iter().map(|(name, p)| ((*name).to_owned(), *p)).collect()
    };
    let reference = table(&[("rotate", 0.2), ("scale", 0.4)]);
    close(mfr(&table(&[("scale", 0.1), ("rotate", 0.15)]), &reference).unwrap(), 50.0);
    close(mfr(&reference, &reference).unwrap(), 100.0);
    assert!(mfr(&table(&[("tilt", 0.1)]), &reference).is_err());
}

#[test]
fn rankings_move_by_hand() {
    let still: Vec<usize> = (0..8).collect();
    // 0 falls out of the five best: 5 for it, 1 for each of the four that move up.
    let fallen = vec![1, 2, 3, 4, 5, 6, 7, 0];
    close(top5_distance(&still, &fallen), 9.0);
    // Rank 1: |1 - 1/8|; rank i > 1: |1/i - 1/(i - 1)| / i.
    let expected =
        7.0 / 8.0 + (2..=8).map(f64::from).map(|i| (1.0 / (i - 1.0) - 1.0 / i) / i).sum::<f64>();
    close(zipf_distance(&still, &fallen), expected);
    close(zipf_distance(&still, &still), 0.0);
    let sequence = vec![still.clone(), fallen.clone(), still.clone()];
    let of = |compare| mean_distance(std::slice::from_ref(&sequence), compare, top5_distance);
    // Back again: 0 is where 5 was, 1 to 4 move down, 5 leaves its five: 4 + 4 * 1 + 1.
    close(top5_distance(&fallen, &still), 5.0);
    close(of(Compare::Previous { step: 1 }), (9.0 + 5.0) / 2.0);
    close(of(Compare::First), 4.5);
    close(of(Compare::Previous { step: 2 }), 0.0);
}

#[test]
fn ratios_to_alexnet_on_imagenet_p() {
    let reference = alexnet_flips();
    close(mfr(&reference, &reference).unwrap(), 100.0);
    let half = reference.iter().map(|(name, flips)| (name.clone(), flips / 2.0)).collect();
    close(mt5d(&half, &reference).unwrap(), 50.0);
}
