//! Split rules against numpy, and what must hold for every split.

use crate::toy;
use data_pipeline::dataset::{Samples, digits};
use data_pipeline::numpy_random::RandomState;
use data_pipeline::split::{Split, SplitRequest, SplitRule, digits_split};
use proptest::prelude::*;
use serde_json::Value;
use std::collections::BTreeSet;

fn golden() -> Value {
    serde_json::from_str(include_str!("../golden/numpy_splits.json")).unwrap()
}

fn ints(value: &Value) -> Vec<u32> {
    value.as_array().unwrap().iter().map(|x| x.as_u64().unwrap() as u32).collect()
}

fn request(rule: SplitRule, labels: impl Into<Option<usize>>, seed: u64) -> SplitRequest {
    SplitRequest { rule, labels: labels.into(), validation: 0, test: 0, seed, train: None }
}

#[test]
fn numpy_generator() {
    let golden = golden();
    for (seed, bits) in golden["bits"].as_object().unwrap() {
        let mut numpy = RandomState::new(seed.parse().unwrap());
        assert_eq!((0..8).map(|_| numpy.next_u32()).collect::<Vec<_>>(), ints(bits), "seed {seed}");
    }
    let mut numpy = RandomState::new(3);
    let late: Vec<u32> = (0..2000).map(|_| numpy.next_u32()).skip(1990).collect();
    assert_eq!(late, ints(&golden["bits_3_from_1990"]));
    for (seed, order) in golden["permutation"].as_object().unwrap() {
        assert_eq!(
            RandomState::new(seed.parse().unwrap()).permutation(700),
            ints(order),
            "seed {seed}"
        );
    }
    assert_eq!(
        RandomState::new(0).permutation(73257)[..20],
        ints(&golden["permutation_0_73257_first"])
    );
}

#[test]
fn published_rules_match_numpy() {
    let golden = golden();
    let labels = ints(&golden["labels"]);
    let all: Vec<u32> = (0..600).collect();
    for seed in 0..6 {
        let mut request = request(SplitRule::Fixmatch, 50, seed);
        request.validation = 30;
        let split = request.split(&labels, 10).unwrap();
        assert_eq!(split.labeled, ints(&golden["fixmatch"][seed.to_string()]), "seed {seed}");
        assert_eq!((&split.validation[..], &split.unlabeled[..]), (&all[..30], &all[30..]));
    }
    let split = request(SplitRule::Kekmodel, 40, 5).split(&labels, 10).unwrap();
    assert_eq!(split.labeled, ints(&golden["kekmodel"]));
    assert_eq!(split.unlabeled, all);
    let split = request(SplitRule::Usb, 40, 2).split(&labels, 10).unwrap();
    assert_eq!(
        [split.labeled, split.unlabeled],
        [ints(&golden["usb"][0]), ints(&golden["usb"][1])]
    );

    let mut noisy_student = request(SplitRule::NoisyStudentSvhn, None, 9);
    (noisy_student.train, noisy_student.validation) = (Some(400), 120);
    let split = noisy_student.split(&labels, 10).unwrap();
    let train = ints(&golden["noisy_student"]["train"]);
    assert_eq!((&split.validation[..], &split.labeled[..]), (&train[..120], &train[120..]));
    assert_eq!(split.unlabeled, ints(&golden["noisy_student"]["extra"]));
    noisy_student.validation = 0;
    assert!(noisy_student.split(&labels, 10).unwrap_err().to_string().contains("4000 of 400"));

    let permutation = &ints(&golden["permutation"]["0"]);
    let split = request(SplitRule::UdaSvhn, 30, 7).split(&[0; 700], 10).unwrap();
    assert_eq!(split.labeled, permutation[..30]);
    let mut realistic = request(SplitRule::Realistic, 10, 7);
    realistic.validation = 70;
    let split = realistic.split(&(0..700).map(|i| i % 10).collect::<Vec<_>>(), 10).unwrap();
    assert_eq!(split.validation, permutation[..70]);
    assert_eq!(split.unlabeled.len(), 620);
}

#[test]
fn uda_takes_file_order() {
    let labels = [1, 1, 1, 0, 2, 0, 2, 2, 0];
    let split = request(SplitRule::Uda, 4, 3).split(&labels, 3).unwrap();
    assert_eq!((split.labeled, split.unlabeled), (vec![0, 1, 2, 3], (0..9).collect()));
    let split = request(SplitRule::UdaBalanced, 6, 3).split(&labels, 3).unwrap();
    assert_eq!(split.labeled, [0, 1, 3, 4, 5, 6]);
    let error = request(SplitRule::UdaBalanced, 7, 3).split(&labels, 3).unwrap_err();
    assert_eq!(
        error.to_string(),
        "split rule `uda-balanced`: 7 labels cannot be shared equally among 3 classes"
    );
}

#[test]
fn digits_parts_are_pinned() {
    let (one, two) = (digits_split(10, 1).unwrap(), digits_split(25, 2).unwrap());
    assert_eq!((&one.test, &one.validation), (&two.test, &two.validation));
    // The parts must never move, or results could not be compared with earlier ones.
    let sum = |part: &[u32]| {
        part.iter().fold(0u64, |h, &i| h.wrapping_mul(31).wrapping_add(u64::from(i)))
    };
    assert_eq!(
        [&one.test, &one.validation, &one.labeled].map(|part| sum(part)),
        [17530660349474483884, 18164075726628927961, 2384574714532586817]
    );
    let set = digits::load();
    let count = |part: &[u32], class| {
        part.iter().filter(|&&i| set.label(i as usize) == Some(class)).count()
    };
    for class in 0..10 {
        assert_eq!((count(&one.labeled, class), count(&two.labeled, class)), (10, 25));
        assert!(
            (43..=46).contains(&count(&one.test, class))
                && (24..=26).contains(&count(&one.validation, class))
        );
    }
    assert_ne!(one.labeled, digits_split(10, 2).unwrap().labeled);
    assert!(digits_split(200, 1).is_err());
    one.check_against(&set).unwrap();
    let other = one.check_against(&toy(1797)).unwrap_err().to_string();
    assert!(other.contains("another data set"), "{other}");
}

#[test]
fn files_are_checked() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("split.json");
    let split = digits_split(10, 4).unwrap();
    split.save(&path).unwrap();
    assert_eq!(Split::load(&path).unwrap(), split);
    assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 1, "no temporary file stays");
    let nowhere = dir.path().join("none/split.json");
    let error = split.save(&nowhere).unwrap_err().to_string();
    assert_eq!(error.matches("none/split.json").count(), 1, "{error}");
    assert!(error.contains("check that the folder exists"), "{error}");
    let refuse = |change: &dyn Fn(&mut Split), expected: &str| {
        let mut bad = split.clone();
        change(&mut bad);
        bad.save(&path).unwrap();
        let error = Split::load(&path).unwrap_err().to_string();
        assert!(error.contains(expected) && error.contains("split.json"), "{error}");
    };
    refuse(&|s| s.test.push(1797), "sample 1797 of a set of 1797");
    refuse(&|s| s.labeled[1] = s.labeled[0], "`labeled` twice");
    refuse(&|s| s.unlabeled.push(s.labeled[0]), "`unlabeled` and in `labeled`");
    refuse(&|s| s.validation.push(s.test[0]), "`test` and in `validation`");
    refuse(&|s| s.format = 2, "format 2");
    refuse(&|s| s.labeled_ids.truncate(3), "3 ids for 100");
    std::fs::write(&path, &serde_json::to_vec(&split).unwrap()[..500]).unwrap();
    assert!(Split::load(&path).unwrap_err().to_string().contains("line 1"));
}

fn any_rule() -> impl Strategy<Value = SplitRule> {
    use SplitRule::*;
    proptest::sample::select(vec![
        Uda,
        UdaSvhn,
        UdaBalanced,
        Fixmatch,
        Kekmodel,
        Usb,
        NoisyStudentSvhn,
        Realistic,
        Balanced,
    ])
}

proptest! {
    /// Whatever is asked for: an error, or parts within range, without doubles, of the sizes asked
    /// for.
    #[test]
    fn every_rule_holds(
        rule in any_rule(),
        labels in prop::collection::vec(0u32..4, 0..120),
        wanted in prop::option::of(0usize..60),
        validation in 0usize..40,
        test in 0usize..10,
        seed in 0u64..1 << 33,
        train in prop::option::of(0usize..130),
    ) {
        let request = SplitRequest { rule, labels: wanted, validation, test, seed, train };
        if let Ok(split) = request.split(&labels, 4) {
            prop_assert_eq!(&split, &request.split(&labels, 4).unwrap());
            let set = |part: &[u32]| part.iter().copied().collect::<BTreeSet<u32>>();
            let parts = [&split.labeled, &split.unlabeled, &split.validation, &split.test];
            for part in parts {
                prop_assert_eq!(set(part).len(), part.len());
                prop_assert!(part.iter().all(|&i| (i as usize) < labels.len()));
            }
            if let Some(n) = wanted {
                prop_assert_eq!(split.labeled.len(), n);
            }
            prop_assert_eq!(split.test.len(), test);
            let overlap = set(&split.labeled).intersection(&set(&split.unlabeled)).count();
            prop_assert!(overlap == 0 || rule.labeled_in_unlabeled());
            let mut union = BTreeSet::<u32>::new();
            parts.iter().for_each(|part| union.extend(part.iter()));
            let uda = matches!(rule, SplitRule::Uda | SplitRule::UdaSvhn | SplitRule::UdaBalanced);
            let kept = if uda { train.unwrap_or(labels.len()) } else { labels.len() };
            prop_assert_eq!(union.len(), kept, "no sample is lost");
        }
    }

    /// Parts of the balanced rule follow the class frequencies and do not move with the seed.
    #[test]
    fn balanced_is_stratified(labels in prop::collection::vec(0u32..3, 30..120), seed: u64, held in 0usize..20) {
        let mut request = request(SplitRule::Balanced, 3, seed);
        (request.validation, request.test) = (held, 5);
        if let Ok(split) = request.split(&labels, 3) {
            for class in 0..3 {
                let count = |part: &[u32]| part.iter().filter(|&&i| labels[i as usize] == class).count();
                let all = labels.iter().filter(|&&l| l == class).count() as f64;
                let share = all * 5.0 / labels.len() as f64;
                prop_assert!((count(&split.test) as f64 - share).abs() < 1.0);
                prop_assert_eq!(count(&split.labeled), 1);
            }
            request.seed = seed.wrapping_add(1);
            let other = request.split(&labels, 3).unwrap();
            prop_assert_eq!((other.validation, other.test), (split.validation, split.test));
        }
    }
}
