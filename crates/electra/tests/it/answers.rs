//! ELECTRA's head for questions against a computation from its description.

use electra::EncoderConfig;
use electra::heads::{AnswerHead, Span};
use serde::Deserialize;
use torch::{Device, Mode, Params};

use crate::golden::{batch, read, weights};

#[derive(Deserialize)]
struct Case {
    spans: Vec<(usize, usize)>,
    impossible: Vec<f64>,
    answers: Vec<Expected>,
}

#[derive(Deserialize)]
struct Expected {
    spans: Vec<(usize, usize, f64)>,
    impossible: f64,
}

#[test]
fn the_end_is_predicted_from_the_start() {
    let (golden, case) = read("joint_answers");
    let case: Case = serde_json::from_value(case).unwrap();
    let shape = EncoderConfig {
        vocabulary: 60,
        heads: 2,
        feed_forward: 32,
        positions: 11,
        ..EncoderConfig::sized(2, 16, 12)
    };
    let (net, params) = Params::build(Device::Cpu, |scope| AnswerHead::new(scope, &shape));
    params.load(&weights(&golden)).unwrap();
    let (batch, visible) = (batch(&golden), &golden["visible"]);
    let spans: Vec<Span> = case.spans.iter().map(|&(start, end)| Span { start, end }).collect();
    let impossible: Vec<bool> = case.impossible.iter().map(|&i| i > 0.5).collect();
    let loss = net.loss(&batch, visible, &spans, &impossible, Mode::TrainWithoutNoise);
    for (what, ours) in [("span", &loss.span), ("answerable", &loss.answerable)] {
        let (ours, theirs) = (ours.double_value(&[]), golden[what].double_value(&[]));
        assert!((ours - theirs).abs() < 1e-4, "{what}: {ours}, not {theirs}");
    }
    (&loss.span + &loss.answerable * 0.5).backward();
    for p in params.iter() {
        let ours = p.tensor.grad().norm().double_value(&[]);
        let theirs = golden[&format!("norm.{}", p.name)].double_value(&[]);
        assert!((ours - theirs).abs() < 1e-4 * theirs.max(1.0), "{}: {ours}, not {theirs}", p.name);
    }
    let answers = net.answers(&batch, visible, 3, 4, 5);
    assert_eq!(answers.len(), case.answers.len());
    let mut compared = 0;
    for (ours, theirs) in answers.iter().zip(&case.answers) {
        assert!((ours.impossible - theirs.impossible).abs() < 1e-4);
        assert_eq!(ours.spans.len(), theirs.spans.len());
        for ((span, score), &(start, end, expected)) in ours.spans.iter().zip(&theirs.spans) {
            assert_eq!(*span, Span { start, end });
            assert!((score - expected).abs() < 1e-4, "{span:?}: {score}, not {expected}");
            compared += 1;
        }
    }
    assert!(compared > 5, "{compared} spans");
}
