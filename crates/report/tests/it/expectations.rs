//! What a recipe expects, held against a run.

use report::{Expectation, Report, RunResult, Subject, Verdict, markdown, page, terminal};

use crate::samples::{GAIN, run};

fn row(name: &str) -> Subject {
    Subject::Row(name.into())
}

fn comparison(name: &str) -> Subject {
    Subject::Comparison(name.into())
}

fn expect(subject: Subject, value: f64, tolerance: f64) -> Expectation {
    Expectation {
        subject,
        metric: "test accuracy".into(),
        value,
        tolerance,
        commit: "0123456789".into(),
        machine: "2 cores".into(),
        seeds: 3,
        cost: "1 min".into(),
    }
}

fn ours() -> RunResult {
    run(&[90.0, 91.0, 92.0], &[94.0, 95.5, 96.0])
}

#[test]
fn a_run_is_within_or_outside_of_what_is_expected() {
    let verdict = |e: &Expectation| ours().check_expectation(e).unwrap().verdict;
    assert_eq!(verdict(&expect(row("wide"), 96.5, 1.5)), Verdict::Within);
    assert_eq!(verdict(&expect(row("wide"), 97.0, 1.5)), Verdict::Outside);
    assert_eq!(verdict(&expect(row("plain"), 91.0, 0.0)), Verdict::Within);
    assert_eq!(verdict(&expect(comparison(GAIN), 4.0, 0.5)), Verdict::Within);
    assert_eq!(verdict(&expect(comparison(GAIN), 0.0, 0.5)), Verdict::Outside);
}

#[test]
fn runs_of_another_kind_are_not_compared() {
    let why =
        |result: &RunResult, e: &Expectation| match result.check_expectation(e).unwrap().verdict {
            Verdict::NotComparable(why) => why,
            other => panic!("{other:?}"),
        };
    let expected = expect(row("wide"), 10.0, 1.0);
    let quick = RunResult { quick: true, ..ours() };
    assert_eq!(why(&quick, &expected), "the run is quick");
    assert_eq!(
        why(&run(&[90.0], &[94.0]), &expected),
        "the run has 1 seed, the expectation is over 3 seeds"
    );
    assert_eq!(why(&ours(), &expect(row("deep"), 1.0, 1.0)), "the run does not have it");
    let mut other = expected;
    other.metric = "validation accuracy".into();
    assert_eq!(why(&ours(), &other), "the run does not have it");
}

#[test]
fn a_name_that_no_full_run_has_is_an_error() {
    let (rows, comparisons) = (["plain", "wide"], [GAIN, "second"]);
    let check = |e: Expectation| e.check(&rows, &comparisons);
    assert!(check(expect(row("wide"), 1.0, 1.0)).is_ok());
    assert!(check(expect(comparison("second"), 1.0, 1.0)).is_ok());
    let error = check(expect(row("wied"), 1.0, 1.0)).unwrap_err().to_string();
    assert!(error.contains("`wied`") && error.contains("`plain`, `wide`"), "{error}");
    assert!(check(expect(comparison("wide"), 1.0, 1.0)).is_err(), "a row is no comparison");
    for wrong in [expect(row("wide"), f64::NAN, 1.0), expect(row("wide"), 1.0, -1.0)] {
        assert!(check(wrong.clone()).is_err());
        assert!(ours().check_expectation(&wrong).is_err());
    }
}

#[test]
fn an_expectation_is_read_strictly() {
    let text = serde_json::json!({
        "row": "wide", "metric": "test accuracy", "value": 96.5, "tolerance": 1.5,
        "commit": "0", "machine": "2 cores", "seeds": 5, "cost": "25 min"
    });
    let read: Expectation = serde_json::from_value(text.clone()).unwrap();
    assert_eq!((&read.subject, read.seeds), (&row("wide"), 5));
    assert_eq!(serde_json::to_value(&read).unwrap()["row"], "wide");
    let (mut both, mut none) = (text.clone(), text.clone());
    both["comparison"] = GAIN.into();
    none.as_object_mut().unwrap().remove("row");
    for wrong in [both, none] {
        let error = serde_json::from_value::<Expectation>(wrong).unwrap_err().to_string();
        assert!(error.contains("give either `row` or `comparison`"), "{error}");
    }
    let mut misspelt = text;
    misspelt["tolerence"] = 1.0.into();
    assert!(serde_json::from_value::<Expectation>(misspelt).is_err());
}

#[test]
fn the_verdict_is_never_silent() {
    let mut result = ours();
    let all = [
        expect(row("wide"), 96.5, 1.5),
        expect(row("plain"), 96.5, 1.5),
        expect(row("deep"), 96.5, 1.5),
    ];
    result.expected = all.iter().map(|e| result.check_expectation(e).unwrap()).collect();
    let lines = [
        "as expected: test accuracy of wide 95.17 %, expected 96.5 ± 1.5",
        "OUTSIDE of what the recipe expects: test accuracy of plain 91.00 %, expected 96.5 ± 1.5",
        "not held against the expected test accuracy of deep (96.5 ± 1.5): the run does not have it",
    ];
    let said = terminal(&result);
    assert!(said.ends_with(&format!("{}\n", lines.join("\n"))), "{said}");
    let report = Report { result: &result, sections: &[], recipe_toml: "" };
    for said in [markdown(&report).unwrap(), page(&report).unwrap()] {
        assert!(lines.iter().all(|line| said.contains(&line[1..])), "{said}");
        assert!(said.contains("commit 0123456789, 3 seeds on 2 cores, 1 min"), "{said}");
    }
}
