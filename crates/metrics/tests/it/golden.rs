//! Scores as scikit-learn, scipy and seqeval compute them, and answers as a script in Python with
//! the official rules does; see `golden_text_metrics.py`.

use metrics::{Answered, Confusion, SpanScores, SquadVersion, answer_score, squad2};
use serde::Deserialize;

#[derive(Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
enum Case {
    Classes {
        truth: Vec<usize>,
        prediction: Vec<usize>,
        matthews: f64,
        f1: Vec<f64>,
    },
    Scores {
        truth: Vec<f64>,
        prediction: Vec<f64>,
        pearson: f64,
        spearman: f64,
    },
    Tags {
        truth: Vec<Vec<String>>,
        prediction: Vec<Vec<String>>,
        all: [f64; 3],
        types: Vec<Type>,
    },
    Answer {
        golds: Vec<String>,
        prediction: String,
        v1: [f64; 2],
        v2: [f64; 2],
    },
    Thresholds {
        golds: Vec<Vec<String>>,
        predictions: Vec<String>,
        no_answer: Vec<f64>,
        out: Vec<f64>,
    },
}

#[derive(Deserialize)]
struct Type {
    name: String,
    precision: f64,
    recall: f64,
    f1: f64,
}

fn near(a: f64, b: f64, what: &str) {
    assert!((a - b).abs() < 1e-9, "{what}: {a} {b}");
}

#[test]
fn scores_are_those_of_the_usual_libraries() {
    let mut kinds = [0; 5];
    for line in include_str!("../golden/text_metrics.jsonl").lines() {
        let case: Case = serde_json::from_str(line).unwrap();
        match case {
            Case::Classes { truth, prediction, matthews, f1 } => {
                kinds[0] += 1;
                let mut confusion = Confusion::new(f1.len());
                truth.iter().zip(&prediction).for_each(|(&t, &p)| confusion.add(t, p));
                near(confusion.matthews().shown, matthews, line);
                for (class, expected) in f1.into_iter().enumerate() {
                    near(confusion.f1(class).shown / 100.0, expected, line);
                }
            }
            Case::Scores { truth, prediction, pearson, spearman } => {
                kinds[1] += 1;
                near(metrics::pearson(&truth, &prediction).value.unwrap(), pearson, line);
                near(metrics::spearman(&truth, &prediction).value.unwrap(), spearman, line);
            }
            Case::Tags { truth, prediction, all, types } => {
                kinds[2] += 1;
                let mut scores = SpanScores::default();
                truth.iter().zip(&prediction).for_each(|(t, p)| scores.add(t, p));
                let counts = scores.all;
                let found = [counts.precision(), counts.recall(), counts.f1()];
                for (found, expected) in found.into_iter().zip(all) {
                    near(found.shown / 100.0, expected, line);
                }
                assert_eq!(scores.types.len(), types.len(), "{line}");
                for Type { name, precision, recall, f1 } in types {
                    let counts = scores.types[&name];
                    near(counts.precision().shown / 100.0, precision, line);
                    near(counts.recall().shown / 100.0, recall, line);
                    near(counts.f1().shown / 100.0, f1, line);
                }
            }
            Case::Answer { golds, prediction, v1, v2 } => {
                kinds[3] += 1;
                for (version, expected) in [(SquadVersion::V1, v1), (SquadVersion::V2, v2)] {
                    if version == SquadVersion::V1 && golds.is_empty() {
                        continue;
                    }
                    let score = answer_score(&prediction, &golds, version);
                    near(score.exact / 100.0, expected[0], line);
                    near(score.f1 / 100.0, expected[1], line);
                }
            }
            Case::Thresholds { golds, predictions, no_answer, out } => {
                kinds[4] += 1;
                let rows = golds.iter().zip(&predictions).zip(&no_answer);
                let answered: Vec<Answered<'_>> = rows
                    .map(|((golds, prediction), &no_answer)| Answered {
                        golds: golds.iter().map(String::as_str).collect(),
                        prediction: Some(prediction),
                        no_answer,
                    })
                    .collect();
                let s = squad2(&answered, 0.0).unwrap();
                let best = [s.best_exact.0, s.best_exact.1, s.best_f1.0, s.best_f1.1];
                let found = [s.all.exact, s.all.f1].into_iter().chain(best);
                found.zip(out).for_each(|(found, expected)| near(found, expected, line));
            }
        }
    }
    assert!(kinds.iter().all(|&count| count >= 20), "{kinds:?}");
}
