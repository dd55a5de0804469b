//! Our statistics beside those of krippendorff, statsmodels, scikit-learn, scipy and numpy, from
//! `xtask/peers/golden_ssa.py`.

use eval_ssa::agreement::{alpha, cohen, fleiss, pairwise};
use eval_ssa::bootstrap::{Bootstrap, Unit, percentile};
use eval_ssa::proxies::{distinct, entropy, words};
use eval_ssa::{Votes, regression};
use serde_json::Value;

fn golden(part: &str) -> Value {
    let all: Value = serde_json::from_str(include_str!("../golden/statistics.json")).unwrap();
    all[part].clone()
}

fn list(value: &Value) -> Vec<Value> {
    value.as_array().unwrap_or_else(|| panic!("a list, not {value}")).clone()
}

fn numbers(value: &Value) -> Vec<f64> {
    list(value).iter().map(|v| v.as_f64().unwrap()).collect()
}

fn close(what: &str, got: f64, want: &Value) {
    let want = want.as_f64().unwrap_or_else(|| panic!("{what}: a number, not {want}"));
    assert!((got - want).abs() <= 1e-9 * want.abs().max(1.0), "{what}: got {got}, want {want}");
}

fn same(what: &str, got: Option<f64>, want: &Value) {
    match got {
        Some(got) => close(what, got, want),
        None => assert!(want.is_null(), "{what}: undefined, want {want}"),
    }
}

#[test]
fn agreement_equals_krippendorffs_statsmodels_and_scikit_learns() {
    let (mut fleisses, mut undefined) = (0, 0);
    for case in list(&golden("agreement")) {
        let rows = list(&case["votes"]);
        let row = |v: &Value| v.as_str().unwrap().chars().map(|c| c.to_digit(10)).collect();
        let votes = Votes::from_items(rows.iter().map(row).collect()).unwrap();
        let counts = votes.counts();
        let what = |name: &str| format!("{name} of {}", case["votes"]);
        same(&what("pairwise"), pairwise(&counts).value, &case["pairwise"]);
        same(&what("alpha"), alpha(&counts).value, &case["alpha"]);
        if let Some(want) = case.get("fleiss") {
            same(&what("fleiss"), fleiss(&counts).value, want);
            fleisses += 1;
        }
        match case.get("cohen") {
            Some(want) => same(&what("cohen"), cohen(&votes, 0, 1).value, want),
            None => assert!(cohen(&votes, 0, 1).value.is_none()),
        }
        undefined += usize::from(case["alpha"].is_null());
    }
    assert!(fleisses >= 20 && undefined >= 6, "{fleisses} {undefined}");
}

#[test]
fn lines_equal_scipys_and_statsmodels() {
    for case in list(&golden("lines")) {
        let points: Vec<(f64, f64)> =
            numbers(&case["x"]).into_iter().zip(numbers(&case["y"])).collect();
        let line = regression::fit(&points);
        for (name, got) in [
            ("slope", line.slope),
            ("intercept", line.intercept),
            ("r_squared", line.r_squared),
            ("slope_error", line.slope_error),
            ("p_value", line.p_value),
        ] {
            close(name, got.value.unwrap(), &case[name]);
        }
        let interval = line.slope_interval.unwrap();
        close("low", interval[0], &case["slope_interval"][0]);
        close("high", interval[1], &case["slope_interval"][1]);
    }
}

#[test]
fn clustered_errors_equal_statsmodels_and_the_bootstrap_nears_the_exact_one() {
    for case in list(&golden("clustered")) {
        let units: Vec<Unit> = list(&case["units"])
            .iter()
            .map(|pair| Unit { sum: numbers(pair)[0], count: numbers(pair)[1] })
            .collect();
        let found = Bootstrap { resamples: 100_000, ..Bootstrap::default() }.mean(&units).unwrap();
        close("mean", found.value, &case["mean"]);
        close("error", found.linear_error.unwrap(), &case["error"]);
        let near = |what: &str, got: f64, want: &Value| {
            assert!((got - want.as_f64().unwrap()).abs() < 0.01, "{what}: got {got}, want {want}");
        };
        near("bootstrap error", found.standard_error, &case["bootstrap_error"]);
        near("low", found.percentile[0], &case["percentile"][0]);
        near("high", found.percentile[1], &case["percentile"][1]);
    }
}

#[test]
fn t_intervals_of_differences_equal_scipys() {
    let bootstrap = Bootstrap { resamples: 100, ..Bootstrap::default() };
    let units = |value: &Value| -> Vec<Unit> {
        numbers(value).iter().map(|sum| Unit { sum: *sum, count: 1.0 }).collect()
    };
    for case in list(&golden("differences")) {
        let (first, second) = (units(&case["first"]), units(&case["second"]));
        let check = |what, found: Option<[f64; 2]>, want: &Value| {
            close(what, found.unwrap()[0], &want[0]);
            close(what, found.unwrap()[1], &want[1]);
        };
        check("welch", bootstrap.unpaired(&first, &second).unwrap().t_interval, &case["welch"]);
        if let Some(want) = case.get("paired") {
            let pairs: Vec<[Unit; 2]> = first.iter().zip(&second).map(|(a, b)| [*a, *b]).collect();
            check("paired", bootstrap.paired(&pairs).unwrap().t_interval, want);
        }
    }
}

#[test]
fn percentiles_equal_numpys_and_score_intervals_statsmodels() {
    let case = golden("percentiles");
    let values = numbers(&case["values"]);
    for (at, want) in numbers(&case["at"]).iter().zip(list(&case["expected"])) {
        close("percentile", percentile(&values, *at), &want);
    }
    for row in list(&golden("wilson")) {
        let n = row[1].as_u64().unwrap();
        let [low, high] = metrics::stats::wilson(row[0].as_f64().unwrap() / n as f64, n).unwrap();
        close("low", low, &row[2]);
        close("high", high, &row[3]);
    }
}

#[test]
fn entropy_equals_scipys() {
    let case = golden("entropies");
    let texts: Vec<Vec<String>> =
        list(&case["texts"]).iter().map(|text| words(text.as_str().unwrap())).collect();
    close("entropy", entropy(&texts, 4).unwrap(), &case["entropy_4"]);
    close("distinct", distinct(&texts, 4).unwrap(), &case["distinct_4"]);
}
