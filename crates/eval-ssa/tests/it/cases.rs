//! Cases from bug reports of other tools, by number, with values from independent references.

use eval_ssa::agreement::{self, Agreement, Undefined, alpha, cohen, fleiss, pairwise};
use eval_ssa::bootstrap::{Bootstrap, Unit};
use eval_ssa::proxies::perplexity;
use eval_ssa::score::scores;
use eval_ssa::{
    Answer, Ballot, Counts, Item, Label, Likelihood, Rating, Required, Study, Votes, regression,
};

fn close(got: Option<f64>, want: f64) {
    let got = got.expect("a defined value");
    assert!((got - want).abs() < 1e-9, "got {got}, want {want}");
}

fn votes(rows: &[&str]) -> Votes {
    let vote = |c: char| c.to_digit(10);
    Votes::from_items(rows.iter().map(|row| row.chars().map(vote).collect()).collect()).unwrap()
}

#[test]
fn o_01_no_variation_is_undefined_with_its_reason() {
    let all = votes(&["11111"; 4]);
    let agreement = Agreement::measure(&all, 5);
    assert_eq!(agreement.pairwise.value, Some(1.0));
    for statistic in [agreement.alpha, agreement.fleiss, agreement.mean_cohen, cohen(&all, 0, 1)] {
        assert_eq!((statistic.value, statistic.undefined), (None, Some(Undefined::NoVariation)));
    }
    let json = serde_json::to_string(&agreement).unwrap();
    assert!(json.contains(r#""alpha":{"value":null,"undefined":"no-variation"}"#), "{json}");
    assert!(!json.contains("NaN"));
    assert_eq!(format!("{:.2}", agreement.alpha), "undefined (no variation)");
    assert!(agreement.warning().unwrap().starts_with("100.0 % of the votes"));
}

#[test]
fn o_02_one_dissent_gives_alpha_of_exactly_zero() {
    let mut rows = vec!["11111"; 20];
    rows[7] = "11011";
    let table = votes(&rows);
    assert_eq!(alpha(&table.counts()).value, Some(0.0));
    assert_eq!(pairwise(&table.counts()).value, Some(196.0 / 200.0));
    let warning = Agreement::measure(&table, 5).warning().unwrap();
    assert!(warning.contains("99.0 %") && warning.contains("pairwise agreement"), "{warning}");
    for rows in [
        ["3-333", "33-33", "33313", "333-3", "33333"],
        ["1-333", "-3333", "33333", "33333", "-3333"],
    ] {
        assert_eq!(alpha(&votes(&rows).counts()).value, Some(0.0));
    }
    let nineteen_of_twenty = votes(&["11111", "11111", "11111", "11110"]);
    assert_eq!(Agreement::measure(&nineteen_of_twenty, 5).warning(), None);
}

#[test]
fn o_03_missing_votes_and_single_votes_do_not_count() {
    let row = |text: &str| text.chars().map(|c| c.to_digit(10)).collect();
    let a = Votes::from_raters(&[row("112"), row("11-"), row("-12")]).unwrap();
    assert_eq!(alpha(&a.counts()).value, Some(1.0));
    let as_a_category = votes(&["110", "111", "202"]);
    close(alpha(&as_a_category.counts()).value, 1.0 / 3.0);
    let b = Votes::collect([
        ("i1", "a", 1),
        ("i1", "b", 0),
        ("i2", "a", 1),
        ("i2", "b", 0),
        ("i2", "c", 0),
        ("i3", "a", 1),
    ]);
    close(alpha(&b.counts()).value, -1.0 / 3.0);
    let agreement = Agreement::measure(&b, 3);
    assert_eq!((agreement.items, agreement.votes, agreement.raters), (2, 5, 3));
    let alone = Votes::collect([("i", "a", 1)]);
    assert_eq!(alpha(&alone.counts()).undefined, Some(Undefined::NoPairs));
    assert_eq!(pairwise(&alone.counts()).undefined, Some(Undefined::NoPairs));
}

#[test]
fn o_04_fleiss_takes_counts() {
    let counts = |rows: &[&[u32]]| Counts::from_items(rows.iter().map(|r| r.to_vec()).collect());
    close(fleiss(&counts(&[&[1, 1, 1], &[1, 1, 1]]).unwrap()).value, -0.5);
    assert_eq!(fleiss(&votes(&["111", "111"]).counts()).undefined, Some(Undefined::NoVariation));
    let six = counts(&[&[5, 0], &[4, 1], &[3, 2], &[2, 3], &[1, 4], &[0, 5]]).unwrap();
    close(fleiss(&six).value, 1.0 / 3.0);
    close(pairwise(&six).value, 2.0 / 3.0);
    let unequal = counts(&[&[5, 0], &[2, 2]]).unwrap();
    assert_eq!(fleiss(&unequal).undefined, Some(Undefined::UnequalVotes));
    let ragged = counts(&[&[5, 0], &[2]]).unwrap_err().to_string();
    assert_eq!(ragged, "row 1 of the table has 1 columns and the first one has 2");
}

/// A study of one system whose responses have the votes given, as pairs of rows: sensible (0 or 1
/// for each rater, `-` for a skip) and specific (`-` for not asked).
fn study(rows: &[(&str, &str)]) -> Study {
    let mut study = Study::default();
    for (index, (sensible, specific)) in rows.iter().enumerate() {
        let id = format!("i{index}");
        study.items.push(Item {
            id: id.clone(),
            system: "s".into(),
            conversation: format!("c{index}"),
            ..Item::default()
        });
        for (rater, (a, b)) in sensible.chars().zip(specific.chars()).enumerate() {
            let answer = match a {
                '0' => Answer::NotSensible,
                '1' => Answer::Sensible { specific: b.to_digit(10).map(|b| b == 1) },
                _ => Answer::Skipped { reason: "broken".into() },
            };
            study.ratings.push(Rating::new(&id, format!("r{rater}"), answer));
        }
    }
    study.check().unwrap();
    study
}

#[test]
fn o_05_majority_of_the_required_votes_and_dependency_after_the_vote() {
    let six = study(&[
        ("11111", "11110"),
        ("11110", "1100-"),
        ("11100", "110--"),
        ("11000", "11---"),
        ("10000", "1----"),
        ("00000", "-----"),
    ]);
    let outcomes = six.outcomes();
    let labels: Vec<_> = outcomes.iter().map(|outcome| outcome.label.unwrap()).collect();
    use Label::{NotSensible, Sensible, Specific};
    assert_eq!(labels, [Specific, Sensible, Sensible, NotSensible, NotSensible, NotSensible]);
    let score = &scores(&six, &Bootstrap::default())[0];
    close(score.sensibleness.as_ref().map(|e| e.value), 0.5);
    close(score.specificity.as_ref().map(|e| e.value), 1.0 / 6.0);
    close(score.ssa.as_ref().map(|e| e.value), 1.0 / 3.0);
    let all = |_: &Item| true;
    let on = |question: fn(&Answer) -> Option<bool>| {
        alpha(&six.votes(all, |rating| question(&rating.answer)).counts()).value
    };
    close(on(Answer::sensible), 16.0 / 45.0);
    close(on(Answer::specific), 41.0 / 418.0);
    close(on(Answer::specific_if_asked), -1.0 / 12.0);

    let tied = study(&[("1100-", "11---"), ("11111", "11111"), ("111--", "110--")]);
    let outcomes = tied.outcomes();
    assert_eq!((outcomes[0].label, outcomes[0].complete), (None, false));
    // Three of five required votes decide, whatever the other two will be; specificity is open.
    assert_eq!((outcomes[2].label, outcomes[2].complete), (None, false));
    let score = &scores(&tied, &Bootstrap::default())[0];
    let progress = score.progress;
    assert_eq!((progress.responses, progress.decided, progress.undecided), (3, 1, 2));
    assert_eq!((progress.incomplete, progress.skipped, progress.unrated), (2, 3, 0));
    // The first may come to nothing; the last makes sense already.
    assert_eq!(score.ssa_bounds, Some([(0.0 + 1.0 + 0.5) / 3.0, 1.0]));
    // More votes than required: then more than half of those.
    let surplus = study(&[("111000", "111---")]);
    assert_eq!(surplus.outcomes()[0].label, None);
    assert!(Required::new(4).unwrap_err().contains("odd"));
    assert!(Required::new(0).is_err());
    assert_eq!(Ballot::default().label(Required::new(1).unwrap()), None);
}

#[test]
fn o_06_bootstrap_draws_conversations_and_flags_constant_data() {
    let bootstrap = Bootstrap::default();
    let all = bootstrap.mean(&[Unit { sum: 10.0, count: 10.0 }; 10]).unwrap();
    assert_eq!((all.percentile, all.standard_error, all.degenerate), ([1.0, 1.0], 0.0, true));
    // The interval beside it does not pretend to know: ten conversations, not a hundred labels.
    let [low, high] = all.small_sample.unwrap();
    assert!(low > 0.6 && low < 0.75 && high == 1.0, "{low} {high}");
    let half: Vec<Unit> =
        (0..10).map(|i| Unit { sum: f64::from(i % 2) * 10.0, count: 10.0 }).collect();
    let by_conversation = bootstrap.mean(&half).unwrap();
    for (got, want) in by_conversation.percentile.iter().zip([0.2, 0.8]) {
        assert!((got - want).abs() < 0.02, "{got}");
    }
    assert!((by_conversation.standard_error - 0.15811).abs() < 0.005);
    assert!(!by_conversation.degenerate);
    assert_eq!((by_conversation.units, by_conversation.responses), (10, 100));
    assert!(bootstrap.mean(&[]).is_none());
    let one = bootstrap.mean(&[Unit { sum: 3.0, count: 10.0 }]).unwrap();
    assert!(one.degenerate && one.small_sample.is_none());
    // Units without responses are left out; what is no unit, or no level, is named.
    let empty = Unit::default();
    assert_eq!(bootstrap.mean(&[half.clone(), vec![empty]].concat()), Some(by_conversation));
    let fault = |call: &dyn Fn()| {
        let panic = std::panic::catch_unwind(std::panic::AssertUnwindSafe(call)).unwrap_err();
        panic.downcast_ref::<String>().cloned().unwrap_or_default()
    };
    for level in [95.0, 0.0, 1.0, f64::NAN] {
        let bootstrap = Bootstrap { level, ..bootstrap };
        let pairs = [[half[0]; 2]; 3];
        let calls: [&dyn Fn(); 4] = [
            &|| _ = bootstrap.mean(&half),
            &|| _ = bootstrap.paired(&pairs),
            &|| _ = bootstrap.unpaired(&half, &half),
            &|| _ = bootstrap.resample(3, |_| Some(1.0)),
        ];
        for call in calls {
            let said = fault(call);
            assert!(said.contains(&format!("the level {level}: it lies between")), "{said}");
        }
    }
    for (sum, count) in [(3.0, 2.0), (-1.0, 2.0), (f64::NAN, 2.0), (1.0, f64::NAN), (0.0, -1.0)] {
        let units = [half[0], Unit { sum, count }];
        let pairs = [[half[0]; 2], [half[1], Unit { sum, count }]];
        let calls: [&dyn Fn(); 3] =
            [&|| _ = bootstrap.mean(&units), &|| _ = bootstrap.paired(&pairs), &|| {
                _ = bootstrap.unpaired(&half, &units)
            }];
        for call in calls {
            let said = fault(call);
            assert!(
                said.contains(&format!("unit 1 has the sum {sum} of {count} values")),
                "{said}"
            );
        }
    }
}

#[test]
fn o_07_r_squared_has_an_intercept_and_its_warnings() {
    let line = regression::fit(&[(12.0, 0.70), (14.0, 0.60), (16.0, 0.55), (20.0, 0.30)]);
    close(line.slope.value, -0.04928571428571429);
    close(line.intercept.value, 1.301428571428571);
    close(line.r_squared.value, 0.978622816032888);
    let flat = regression::fit(&[(1.0, 0.5), (2.0, 0.5), (3.0, 0.5)]);
    assert_eq!(flat.slope.value, Some(0.0));
    assert_eq!(flat.r_squared.undefined, Some(Undefined::NoVariation));
    assert!(flat.warnings.iter().any(|warning| warning.contains("same y")));
    let two = regression::fit(&[(12.0, 0.70), (14.0, 0.60)]);
    close(two.r_squared.value, 1.0);
    assert!(two.warnings[0].starts_with("2 points"));
    let one = regression::fit(&[(12.0, 0.70)]);
    assert_eq!(one.r_squared.undefined, Some(Undefined::TooFew));
    let upright = regression::fit(&[(12.0, 0.70), (12.0, 0.60)]);
    assert_eq!(upright.slope.undefined, Some(Undefined::NoVariation));
    assert_eq!(regression::fit(&[]).points, 0);
    // The line is the same whatever x is measured in, as far as there are numbers for it.
    for unit in [1e-150, 1e155, 8e306] {
        let points = [(12.0, 0.70), (14.0, 0.60), (16.0, 0.55), (20.0, 0.30)];
        let far = regression::fit(&points.map(|(x, y)| (x * unit, y)));
        close(far.r_squared.value, 0.978622816032888);
        close(far.p_value.value, line.p_value.value.unwrap());
        close(far.intercept.value, 1.301428571428571);
        close(far.slope.value.map(|slope| slope * unit), -0.04928571428571429);
    }
    let steep = regression::fit(&[(0.0, -1e300), (1e-300, 1e300), (2e-300, 1e299)]);
    assert_eq!(steep.slope.undefined, Some(Undefined::TooLarge));
    assert_eq!(steep.slope_interval, None);
    let nowhere = regression::fit(&[(1.0, 0.5), (f64::INFINITY, 0.6), (2.0, f64::NAN)]);
    assert_eq!(nowhere.r_squared.undefined, Some(Undefined::TooLarge));
    assert!(nowhere.warnings[0].contains("not finite"), "{:?}", nowhere.warnings);
}

#[test]
fn o_40_perplexity_is_of_all_tokens_together() {
    let a = Likelihood { nll: 2.0, tokens: 2 };
    let b = Likelihood { nll: 24.0, tokens: 8 };
    close(perplexity(&[a, b]), 13.463738035001692);
    // The same tokens in another batching.
    let split = [a, Likelihood { nll: 9.0, tokens: 3 }, Likelihood { nll: 15.0, tokens: 5 }];
    close(perplexity(&split), 13.463738035001692);
    assert_eq!(perplexity(&[]), None);
    assert_eq!(agreement::ONE_SIDED, 0.95);
}

#[test]
#[should_panic(expected = "rater 9 of a table of 2 raters")]
fn a_rater_that_there_is_not_agrees_with_nobody() {
    let votes = eval_ssa::Votes::from_items(vec![vec![Some(1), Some(0)]]).unwrap();
    let _ = eval_ssa::agreement::cohen(&votes, 0, 9);
}
