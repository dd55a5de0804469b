//! The file of pseudo-labels, and the filter and balance of Noisy Student.

use crate::damage::{damage, spoil};
use augment::rng::Rng;
use data_pipeline::balance::{
    Rule, Scored, Selection, copies_by_chance, enough, exact_copies, filter_and_balance,
};
use data_pipeline::pseudo_labels::{PseudoLabel, load, save};
use proptest::prelude::*;
use std::path::Path;

/// A row from any weights.
fn soft(index: u32, id: String, weights: &[f32]) -> PseudoLabel {
    let sum: f32 = weights.iter().sum();
    let probabilities: Vec<f32> = weights.iter().map(|w| w / sum).collect();
    let label =
        (0..weights.len()).max_by(|&a, &b| probabilities[a].total_cmp(&probabilities[b])).unwrap();
    PseudoLabel { id, index, label: label as u32, confidence: probabilities[label], probabilities }
}

fn rows() -> Vec<PseudoLabel> {
    let names =
        ["plain", "with,comma", "with \"quotes\"", "# sha256 tricks", "two\nlines", "ünïcode", ""];
    let weights = |i: usize| [0.1 + i as f32, 1.0 / 3.0, 1e-7];
    names
        .iter()
        .enumerate()
        .map(|(i, name)| soft(10 - i as u32, (*name).into(), &weights(i)))
        .collect()
}

fn refuse(path: &Path, expected: &str) {
    let error = load(path).unwrap_err().to_string();
    assert!(
        error.contains(expected)
            && error.contains("labels.csv")
            && error.contains("label the images again"),
        "{error}"
    );
}

#[test]
fn files_come_back_and_are_checked() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("labels.csv");
    save(&path, &rows()).unwrap();
    assert_eq!(load(&path).unwrap(), rows());
    let whole = std::fs::read_to_string(&path).unwrap();
    assert!(whole.starts_with("id,index,label,confidence,p0,p1,p2\nplain,10,1,0.76923"), "{whole}");
    let hard: Vec<_> =
        rows().into_iter().map(|row| PseudoLabel { probabilities: vec![], ..row }).collect();
    save(&path, &hard).unwrap();
    assert_eq!(load(&path).unwrap(), hard);
    save(&path, &[]).unwrap();
    assert_eq!(load(&path).unwrap(), []);

    std::fs::write(&path, whole.replace("plain,10", "plain,11")).unwrap();
    refuse(&path, "the file was changed");
    std::fs::write(&path, &whole[..whole.find("lines").unwrap()]).unwrap();
    refuse(&path, "the file is not whole");

    // Files with a right checksum and wrong content.
    let forge = |body: &str| {
        use sha2::{Digest, Sha256};
        let sum: String = Sha256::digest(body).iter().map(|b| format!("{b:02x}")).collect();
        std::fs::write(&path, format!("{body}# sha256 {sum}\n")).unwrap();
    };
    let check = |body: &str, expected: &str| {
        forge(body);
        refuse(&path, expected);
    };
    let head = "id,index,label,confidence,p0,p1\n";
    check("id,index,label,conf\n", "line 1: the header");
    check("id,index,label,confidence,p1\n", "line 1: the header");
    check(&format!("{head}a,0,0,.5,.5\n"), "line 2");
    check(&format!("{head}a,0,0,0.6,0.6,0.4\nb,1,x,0.6,0.6,0.4\n"), "line 3: column 3: `x`");
    check(
        &format!("{head}a,0,0,0.6,0.6,0.4\nb,0,0,0.6,0.6,0.4\n"),
        "line 3: sample 0 is labelled twice",
    );
    check(&format!("{head}a,0,2,0.6,0.6,0.4\n"), "label 2 of 2 classes");
    check(&format!("{head}a,0,1,0.6,0.6,0.4\n"), "confidence 0.6, but p1 = 0.4");
    check(&format!("{head}a,0,0,NaN,NaN,0.4\n"), "confidence NaN is not a probability");
    check(&format!("{head}a,0,0,0.6,0.6,-0.4\n"), "p1 = -0.4 is not a probability");
    check(&format!("{head}a,0,0,0.6,0.6,0.5\n"), "sum up to 1.1");
}

#[test]
fn what_could_not_be_read_is_not_written() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("labels.csv");
    let mut bad = rows();
    bad[2].confidence = f32::NAN;
    assert!(save(&path, &bad).unwrap_err().to_string().contains("confidence NaN"));
    let mut bad = rows();
    bad[3].probabilities.clear();
    assert!(save(&path, &bad).unwrap_err().to_string().contains("0 probabilities, 3 expected"));
    let mut bad = rows();
    bad[1].index = bad[0].index;
    assert!(save(&path, &bad).unwrap_err().to_string().contains("labelled twice"));
    assert!(!path.exists());
}

#[test]
fn thresholds_walk_down_a_grid_of_hundredths() {
    let confidences = [1.0, 0.999, 0.99, 0.985, 0.985, 0.42, 0.31];
    // At 1.00 there is 1 image, at .99 there are 3, at .98 there are 5, at .42 there are 6.
    let kept: Vec<usize> = (0..=9).map(|wanted| enough(&confidences, wanted)).collect();
    assert_eq!(kept, [1, 1, 3, 3, 5, 5, 6, 7, 7, 7]);
    assert_eq!(enough(&[], 3), 0);
}

/// Three images reach .95, as many as are wanted: the threshold of the class is there.
#[test]
fn a_full_class_gives_its_most_confident_images() {
    let confidences = [0.4, 0.95, 0.4, 0.4, 0.4, 0.95, 0.4, 0.95, 0.4, 0.4];
    let rows = confidences.map(|confidence| Scored { label: 0, confidence });
    let selection = Selection { per_class: Some(3), ..Selection::default() };
    for seed in 0..20 {
        let chosen = filter_and_balance(&rows, &selection, &mut Rng::new(seed));
        assert_eq!(chosen, [1, 5, 7], "seed {seed}");
    }
}

#[test]
fn copies_hit_the_number_on_average() {
    let mut rng = Rng::new(3);
    assert_eq!(copies_by_chance(4, 8, true, &mut rng), [2; 4]);
    assert_eq!(copies_by_chance(4, 8, false, &mut rng), [1; 4]);
    for (kept, wanted) in [(100, 230), (100, 30), (7, 10)] {
        let total: usize = (0..400)
            .map(|_| copies_by_chance(kept, wanted, true, &mut rng).iter().sum::<usize>())
            .sum();
        // Mean of 400 sums whose standard deviation is at most sqrt(kept) / 2.
        let mean = total as f64 / 400.0;
        let error = 5.0 * (kept as f64).sqrt() / 2.0 / 20.0;
        assert!((mean - wanted as f64).abs() < error, "{mean} images, {wanted} wanted");
    }
    let copies = exact_copies(3, 300, true, &mut rng);
    assert!(copies.iter().sum::<usize>() == 300 && copies.iter().all(|&n| n > 60), "{copies:?}");
    assert_eq!(exact_copies(3, 2, true, &mut rng), [1, 1]);
    assert_eq!(exact_copies(3, 5, false, &mut rng), [1, 1, 1]);
}

#[test]
fn selections_are_read_strictly() {
    let read = |text| serde_json::from_str::<Selection>(text).map_err(|e| e.to_string());
    let expected = Selection { rule: Rule::Paper, per_class: Some(7), ..Selection::default() };
    assert_eq!(read(r#"{"rule": "paper", "per_class": 7}"#), Ok(expected));
    assert!(read(r#"{"per_clas": 7}"#).unwrap_err().contains("per_clas"));
}

fn scored() -> impl Strategy<Value = Vec<Scored>> {
    let confidence = prop_oneof![0.0..=1.0f32, Just(1.0), Just(0.3), Just(0.9)];
    let row = (0u32..4, confidence).prop_map(|(label, confidence)| Scored { label, confidence });
    prop::collection::vec(row, 0..80)
}

proptest! {
    #[test]
    fn any_file_comes_back(weights in prop::collection::vec(prop::collection::vec(1e-6f32..1.0, 5), 0..20), id: String) {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("labels.csv");
        let rows: Vec<_> = weights.iter().enumerate().map(|(i, w)| soft(i as u32, format!("{id}{i}"), w)).collect();
        save(&path, &rows).unwrap();
        prop_assert_eq!(load(&path).unwrap(), rows);
    }

    #[test]
    fn damaged_files_are_refused(damage in damage()) {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("labels.csv");
        save(&path, &rows()).unwrap();
        let whole = std::fs::read(&path).unwrap();
        let spoilt = spoil(&whole, &damage);
        std::fs::write(&path, &spoilt).unwrap();
        // A missing newline at the very end is accepted; every other change is refused.
        let same = spoilt == whole || spoilt == whole[..whole.len() - 1];
        prop_assert_eq!(load(&path).is_ok(), same);
    }

    #[test]
    fn selection_holds(rows in scored(), min in 0.0..1.0f32, per_class in 1usize..30, seed: u64, paper: bool, duplicate: bool) {
        let rule = if paper { Rule::Paper } else { Rule::ReleasedCode };
        let selection = Selection { rule, min_confidence: min, per_class: Some(per_class), duplicate };
        let chosen = filter_and_balance(&rows, &selection, &mut Rng::new(seed));
        prop_assert_eq!(&chosen, &filter_and_balance(&rows, &selection, &mut Rng::new(seed)));
        prop_assert!(chosen.is_sorted());
        prop_assert!(chosen.iter().all(|&i| rows[i as usize].confidence >= min));
        for class in 0..4 {
            let all: Vec<f32> = rows.iter().filter(|r| r.label == class && r.confidence >= min).map(|r| r.confidence).collect();
            let taken: Vec<u32> = chosen.iter().copied().filter(|&i| rows[i as usize].label == class).collect();
            let mut unique = taken.clone();
            unique.dedup();
            prop_assert!(duplicate || unique.len() == taken.len());
            let short = all.len() <= per_class;
            match rule {
                Rule::Paper => {
                    let expected = if duplicate && !all.is_empty() { per_class } else { all.len().min(per_class) };
                    prop_assert_eq!(taken.len(), expected);
                    // No image left out is more confident than one taken.
                    let worst = taken.iter().map(|&i| rows[i as usize].confidence).fold(1.0, f32::min);
                    prop_assert_eq!(all.iter().filter(|&&c| c > worst).count() < per_class || all.is_empty(), true);
                }
                // Within the rounding of the last copy of each image.
                Rule::ReleasedCode if short && !all.is_empty() => {
                    prop_assert_eq!(unique.len(), all.len(), "a class that is short loses nothing");
                    let copies = if duplicate { per_class / all.len() } else { 1 };
                    prop_assert!(taken.len() >= copies * all.len() && taken.len() <= (copies + 1) * all.len());
                }
                Rule::ReleasedCode => prop_assert_eq!(unique.len(), taken.len(), "a full class repeats nothing"),
            }
        }
        let filter = Selection { per_class: None, ..selection };
        let kept: Vec<u32> = (0..rows.len() as u32).filter(|&i| rows[i as usize].confidence >= min).collect();
        prop_assert_eq!(filter_and_balance(&rows, &filter, &mut Rng::new(seed)), kept);
    }
}
