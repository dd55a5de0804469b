//! `result.json` and what may be claimed from it.

use report::*;

use crate::samples::{full, perplexities, run};

#[test]
fn a_saved_result_loads_to_the_same_bits() {
    let dir = tempfile::tempdir().unwrap();
    let (result, _) = full();
    let path = result.save(dir.path()).unwrap();
    assert_eq!(path, dir.path().join("result.json"));
    assert_eq!(RunResult::load(dir.path()).unwrap(), result);
    let names: Vec<_> =
        std::fs::read_dir(dir.path()).unwrap().map(|e| e.unwrap().file_name()).collect();
    assert_eq!(names, ["result.json"], "no half-written neighbour stays behind");
}

#[test]
fn the_schema_has_the_documented_shapes() {
    let (result, _) = full();
    let json = serde_json::to_value(&result).unwrap();
    assert_eq!(json["schema"], "tutor-result/2");
    assert_eq!(json["rows"][2]["group"], "Further rows");
    assert_eq!(json["rows"][0]["unit"], "%");
    assert_eq!(json["rows"][0]["better"], "higher");
    assert_eq!(json["rows"][0]["ci95"].as_array().unwrap().len(), 2);
    assert_eq!(json["headline"], "gain");
    assert_eq!(json["comparisons"][0]["unit"], "points");
    assert_eq!(json["comparisons"][0]["per_seed"].as_array().unwrap().len(), 3);
    assert_eq!(json["cost"]["unit"], "training images");
    assert_eq!(json["paper_reference"][0]["role"], "baseline");
    assert_eq!(json["details"]["corruption"]["noise"][1], 80.0);
    let one = serde_json::to_value(run(&[90.0], &[91.0])).unwrap();
    assert!(one["rows"][0]["ci95"].is_null());
}

#[test]
fn results_that_do_not_hold_together_are_refused() {
    assert!(Row::new("plain", "test accuracy", vec![]).is_err());
    let error = Row::new("plain", "loss", vec![1.0, f64::NAN]).unwrap_err().to_string();
    assert!(error.contains("plain") && error.contains("seed number 2"), "{error}");

    let dir = tempfile::tempdir().unwrap();
    let mut result = run(&[90.0, 91.0], &[95.0, 96.0]);
    result.seeds.push(3);
    let error = result.save(dir.path()).unwrap_err().to_string();
    assert!(error.contains("2 values for 3 seeds"), "{error}");

    let mut result = run(&[90.0, 91.0], &[95.0, 96.0]);
    result.headline = Some("gian".into());
    let error = result.save(dir.path()).unwrap_err().to_string();
    assert!(error.contains("`gian`"), "{error}");

    let other = serde_json::json!({ "schema": "tutor-result/1" });
    std::fs::write(dir.path().join("result.json"), other.to_string()).unwrap();
    let error = RunResult::load(dir.path()).unwrap_err().to_string();
    assert!(error.contains("tutor-result/1") && error.contains("tutor-result/2"), "{error}");
}

#[test]
fn rows_of_different_metrics_are_not_subtracted() {
    let test = Row::new("wide", "test accuracy", vec![96.0]).unwrap();
    let validation = Row::new("plain", "validation accuracy", vec![91.0]).unwrap();
    assert!(Comparison::between("x", &test, &validation).is_err());
    let other_way = test.clone().better(metrics::Better::Lower);
    assert!(Comparison::between("x", &test, &other_way).is_err());
}

#[test]
fn no_more_is_claimed_than_the_interval_allows() {
    let claim = |first: &[f64], last: &[f64]| outcome(&run(first, last)).claim;
    let first = [90.0, 91.0, 92.0];
    assert_eq!(claim(&first, &[94.0, 95.5, 96.0]), Claim::Better);
    assert_eq!(claim(&first, &[86.0, 87.5, 88.0]), Claim::Worse);
    assert_eq!(claim(&first, &[90.0, 93.0, 91.5]), Claim::NotShown);
    assert_eq!(claim(&first, &first), Claim::NotShown);
    assert_eq!(claim(&[90.0], &[99.0]), Claim::OneSeed);

    let mut quick = run(&first, &[94.0, 95.5, 96.0]);
    quick.quick = true;
    assert_eq!(outcome(&quick).claim, Claim::Quick);

    let mut alone = run(&first, &first);
    (alone.comparisons, alone.headline) = (Vec::new(), None);
    assert_eq!(outcome(&alone).claim, Claim::Nothing);
    alone.rows.clear();
    let sentence = outcome(&alone).sentence;
    assert_eq!(sentence, "Nothing was measured, so that nothing can be claimed.");
}

#[test]
fn what_speaks_against_a_difference_is_said_in_place_of_a_claim() {
    let with = |first: &[f64], last: &[f64]| {
        let mut result = run(first, last);
        result.comparisons[0].caveat = Some("wide had 10 steps".into());
        result
    };
    let result = with(&[94.0, 95.5, 96.0], &[90.0, 91.0, 92.0]);
    let said = outcome(&result);
    assert_eq!(said.claim, Claim::Unequal);
    assert!(said.sentence.ends_with("which shows no loss: wide had 10 steps."), "{said:?}");
    let report = Report { result: &result, sections: &[], recipe_toml: "" };
    for text in [page(&report).unwrap(), markdown(&report).unwrap()] {
        assert!(text.contains("wide − plain: wide had 10 steps."), "{text}");
    }
    let open = outcome(&with(&[90.0, 93.0, 91.5], &[90.0, 91.0, 92.0]));
    assert_eq!(open.claim, Claim::NotShown);
}

#[test]
fn seeds_that_all_differ_by_the_same_show_nothing() {
    // Three samples of 30, in three seeds: the differences are equal but for rounding.
    let share = |right: f64| 100.0 * right / 30.0;
    let first = [18.0, 20.0, 25.0].map(share);
    let last = [21.0, 23.0, 28.0].map(share);
    let result = run(&first, &last);
    let said = outcome(&result);
    assert_eq!(said.claim, Claim::NoVariation);
    assert_eq!(
        said.sentence,
        "wide is 10.0 points better than plain in test accuracy, which shows no gain: the difference \
         is the same in all 3 seeds, and that is no certainty."
    );
    let report = Report { result: &result, sections: &[], recipe_toml: "" };
    for text in [page(&report).unwrap(), markdown(&report).unwrap()] {
        let caveat = "wide − plain: the same in all 3 seeds, which is no certainty.";
        assert!(text.contains(caveat), "{text}");
    }
    let back = outcome(&run(&last, &first)).sentence;
    assert!(back.contains("10.0 points worse") && back.contains("which shows no loss"), "{back}");
}

#[test]
fn an_interval_over_examples_speaks_of_these_trainings_alone() {
    let of = |ci95, examples| {
        let mut result = run(&[60.0], &[80.0]);
        let gain = result.comparisons.remove(0);
        result.comparisons.push(gain.over_examples(ci95, examples, "conversation"));
        result
    };
    let result = of([11.67, 27.55], 100);
    let said = outcome(&result);
    assert_eq!(said.claim, Claim::Better);
    assert_eq!(
        said.sentence,
        "wide is 20.0 points better than plain in test accuracy (95 % interval over 100 \
         conversations: 11.7 to 27.6): the gain is shown at this level for these models as they \
         were trained, and says nothing of other trainings."
    );
    let same = outcome(&of([20.0, 20.0], 3));
    assert_eq!(same.claim, Claim::NoVariation);
    assert!(same.sentence.contains("the same in all 3 conversations, and that"), "{same:?}");
    let table =
        |result: &RunResult| markdown(&Report { result, sections: &[], recipe_toml: "" }).unwrap();
    let text = table(&result);
    assert!(text.contains("| 95 % interval over 100 conversations |"), "{text}");
    // One interval over another number of them.
    let mut two = result.clone();
    two.comparisons.extend(of([1.0, 2.0], 1).comparisons);
    let text = table(&two);
    assert!(text.contains("| 95 % interval over conversations |"), "{text}");
    let open = outcome(&of([-1.0, 2.0], 1)).sentence;
    assert!(open.contains("95 % interval over 1 conversation −1.0 to 2.0 contains 0"), "{open}");
    // As earlier versions wrote it.
    let mut json = serde_json::to_value(&result).unwrap();
    json["comparisons"][0].as_object_mut().unwrap().remove("example").expect("the field");
    let before: RunResult = serde_json::from_value(json).unwrap();
    assert!(outcome(&before).sentence.contains("over 100 examples: 11.7"), "{before:?}");
}

#[test]
fn the_sentence_says_what_was_gained_and_how_sure_it_is() {
    let said = |first: &[f64], last: &[f64]| outcome(&run(first, last)).sentence;
    assert_eq!(
        said(&[90.0, 91.0, 92.0], &[94.0, 95.5, 96.0]),
        "wide is 4.2 points better than plain in test accuracy (95 % interval over 3 seeds: 3.4 to \
         4.9): the gain is shown at this level."
    );
    assert_eq!(
        said(&[94.0, 95.5, 96.0], &[90.0, 91.0, 92.0]),
        "wide is 4.2 points worse than plain in test accuracy (95 % interval over 3 seeds: 3.4 to \
         4.9): the loss is shown at this level."
    );
    assert_eq!(
        said(&[90.0, 91.0], &[94.0, 96.0]),
        "No difference between wide and plain in test accuracy is shown: 4.5 points, 95 % interval \
         over 2 seeds −1.9 to 10.9 contains 0."
    );
    let one = outcome(&run(&[90.0], &[95.0]));
    assert!(one.sentence.contains("One seed has no interval"), "{}", one.sentence);
    assert!(one.sentence.contains("+5.00 points") && one.sentence.contains("--seeds 5"));
    assert!(one.detail.contains("size of the test part alone"), "{}", one.detail);
}

#[test]
fn less_is_better_where_the_metric_says_so() {
    let result = perplexities(&[17.0, 17.5, 17.2], &[10.2, 10.4, 10.5]);
    let found = outcome(&result);
    assert_eq!(found.claim, Claim::Better);
    assert_eq!(
        found.sentence,
        "wide is 6.867 better than plain in test perplexity (95 % interval over 3 seeds: 6.350 to \
         7.384): the gain is shown at this level."
    );
    assert_eq!(found.detail, "Test perplexity: wide 10.37, plain 17.23.");
    let back = perplexities(&[10.2, 10.4, 10.5], &[17.0, 17.5, 17.2]);
    assert_eq!(outcome(&back).claim, Claim::Worse);
}

#[test]
fn papers_numbers_are_read_as_recipes_write_them() {
    let row = serde_json::json!({
        "name": "Net", "role": "ablation", "setting": "ImageNet", "metric": "top-1 accuracy",
        "value": 83.3, "unit": "%", "source": "table 6"
    });
    let read: PaperRow = serde_json::from_value(row.clone()).unwrap();
    assert_eq!((read.ours, read.role), (None, Role::Ablation));
    let mut misspelt = row;
    misspelt["our"] = "plain".into();
    let error = serde_json::from_value::<PaperRow>(misspelt).unwrap_err().to_string();
    assert!(error.contains("`our`"), "{error}");
}
