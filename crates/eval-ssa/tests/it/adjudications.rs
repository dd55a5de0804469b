//! Decisions of the researcher stand beside the votes, with both numbers.

use eval_ssa::bootstrap::Bootstrap;
use eval_ssa::export::{DecidedBy, labelled};
use eval_ssa::judge::judges;
use eval_ssa::{Adjudication, Answer, Item, Judgment, Label, Rating, Required, Study, Summary};

const SPECIFIC: Answer = Answer::Sensible { specific: Some(true) };

/// Three raters and four responses: a is specific and d makes no sense by all votes, b and c have
/// one vote for each side and a skip.
fn study() -> Study {
    let mut study = Study { required: Required::new(3).expect("odd"), ..Study::default() };
    let skip = Answer::Skipped { reason: "language".into() };
    let split = [SPECIFIC, Answer::NotSensible, skip];
    for (id, answers) in [
        ("a", [SPECIFIC, SPECIFIC, SPECIFIC]),
        ("b", split.clone()),
        ("c", split),
        ("d", [Answer::NotSensible, Answer::NotSensible, Answer::NotSensible]),
    ] {
        study.items.push(Item {
            id: id.into(),
            system: "s".into(),
            conversation: id.into(),
            ..Item::default()
        });
        for (rater, answer) in ["r1", "r2", "r3"].into_iter().zip(answers) {
            study.ratings.push(Rating::new(id, rater, answer));
        }
    }
    study
}

fn decision(item: &str, sensible: bool, specific: bool) -> Adjudication {
    let by = "Kim".into();
    Adjudication { item: item.into(), by, sensible, specific, ..Adjudication::default() }
}

#[test]
fn scores_are_by_votes_and_stand_beside_those_with_decisions() {
    let quick = Bootstrap { resamples: 200, ..Bootstrap::default() };
    let before = Summary::of(&study(), &quick);
    assert_eq!(before.adjudications, None);
    let mut decided = study();
    // The votes on d decide it: that decision has no effect. The later one on b holds.
    decided.adjudications = vec![
        decision("b", false, false),
        decision("b", true, true),
        decision("c", true, false),
        decision("d", true, true),
    ];
    decided.check().expect("sound records");
    let after = Summary::of(&decided, &quick);
    assert_eq!(after.scores, before.scores, "a decision is no vote");
    assert_eq!(after.comparisons, before.comparisons);
    assert_eq!(after.agreement, before.agreement);
    let found = after.adjudications.expect("decisions");
    assert_eq!((found.decisions.len(), found.counted()), (3, 2));
    assert_eq!(found.decisions[2].by_votes, Some(Label::NotSensible));
    let [score] = &found.scores[..] else { panic!("one system") };
    let value = |estimate: &Option<eval_ssa::bootstrap::Estimate>| {
        estimate.as_ref().expect("an estimate").value
    };
    // By hand: a (1, 1) and d (0, 0); with decisions also b (1, 1) and c (1, 0).
    assert_eq!((score.decisions, score.votes.decided, score.both.decided), (2, 2, 4));
    assert_eq!([value(&score.votes.ssa), value(&score.both.ssa)], [0.5, 0.625]);
    assert_eq!(value(&score.both.sensibleness), 0.75);
    assert_eq!(value(&score.both.specificity), 0.5);
    let warnings = after.warnings.join("\n");
    assert!(warnings.contains("2 responses have no majority and a researcher's decision"));
    assert!(warnings.contains("1 more were decided by votes since"), "{warnings}");
    assert!(after.methods.contains("2 responses without a majority were decided by Kim"));
    assert!(after.methods.contains("s (static): 50.0 % by votes, 62.5 % with them"));
}

#[test]
fn labels_say_who_gave_them() {
    let mut study = study();
    study.adjudications = vec![decision("c", true, false), decision("d", true, true)];
    let found: Vec<_> =
        labelled(&study).into_iter().map(|l| (l.item, l.label, l.decided_by)).collect();
    let (votes, decided) = (DecidedBy::Votes, DecidedBy::Adjudication);
    assert_eq!(
        found,
        [
            ("a".into(), Label::Specific, votes),
            ("c".into(), Label::Sensible, decided),
            ("d".into(), Label::NotSensible, votes),
        ]
    );
}

#[test]
fn decisions_are_kept_blinded_and_checked() {
    let mut study = study();
    study.adjudications = vec![Adjudication { note: "clear".into(), ..decision("b", true, true) }];
    let folder = tempfile::tempdir().expect("a folder");
    study.write(folder.path()).expect("written");
    assert_eq!(Study::read(folder.path()).expect("read"), study);
    let (blind, _) = study.blinded(1);
    blind.check().expect("decisions follow their items");
    assert_ne!(blind.adjudications[0].item, "b");
    study.adjudications.push(decision("z", true, false));
    study.adjudications.push(decision("c", false, true));
    let faults = study.check().expect_err("two faults").to_string();
    assert!(faults.contains("\"z\"") && faults.contains("\"c\""), "{faults}");
}

#[test]
fn a_judge_is_held_against_peoples_labels() {
    let mut study = study();
    study.adjudications = vec![decision("b", true, true)];
    let says = |item: &str, label| Judgment {
        item: item.into(),
        judge: "j".into(),
        label: Some(label),
        output: None,
    };
    study.judgments = vec![
        says("a", Label::Specific),
        says("b", Label::Specific),
        says("c", Label::Specific),
        says("d", Label::Sensible),
    ];
    let [judge] = &judges(&study)[..] else { panic!("one judge") };
    // Only a and d have labels by votes; a decision is none.
    assert_eq!(judge.shared, 2);
    assert_eq!(judge.confusion, [[0, 1, 0], [0, 0, 0], [0, 0, 1]]);
    // On sense the two say yes, yes and no, yes: D_o = 1/2, D_e = 1/2.
    assert_eq!(judge.sensible.alpha.value, Some(0.0));
    assert_eq!(judge.specific.alpha.value, Some(1.0));
}
