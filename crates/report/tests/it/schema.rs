//! docs/report.md names every field of `result.json` and no other.

use std::collections::BTreeSet;

use report::{Expectation, SCHEMA, Subject};
use serde_json::Value;

use crate::samples::full;

const DOCS: &str = include_str!("../../../../docs/report.md");

/// The names in the first cells of the table below the heading `**title**`.
fn documented(title: &str) -> BTreeSet<String> {
    let (_, below) = DOCS.split_once(&format!("\n**{title}**")).expect(title);
    let rows = below.lines().skip_while(|l| !l.starts_with('|')).take_while(|l| l.starts_with('|'));
    let first_cell = |row: &str| row.split('|').nth(1).unwrap_or_default().to_owned();
    let names = |cell: String| cell.split('`').skip(1).step_by(2).map(Into::into).collect();
    rows.map(first_cell).flat_map(names as fn(String) -> Vec<String>).collect()
}

fn fields(value: &Value) -> BTreeSet<String> {
    value.as_object().expect("an object").keys().cloned().collect()
}

#[test]
fn the_documented_fields_are_those_of_a_result() {
    let (mut result, _) = full();
    let expectation = Expectation {
        subject: Subject::Row("wide".into()),
        metric: "test accuracy".into(),
        value: 95.0,
        tolerance: 1.0,
        commit: String::new(),
        machine: String::new(),
        seeds: 3,
        cost: String::new(),
    };
    result.expected.push(result.check_expectation(&expectation).unwrap());
    let json = serde_json::to_value(&result).unwrap();
    for (title, value) in [
        ("RunResult", &json),
        ("Versions", &json["versions"]),
        ("Row", &json["rows"][0]),
        ("Comparison", &json["comparisons"][0]),
        ("Cost", &json["cost"]),
        ("PaperRow", &json["paper_reference"][0]),
        ("Checked", &json["expected"][0]),
    ] {
        assert_eq!(documented(title), fields(value), "docs/report.md, {title}");
    }
    assert!(DOCS.contains(&format!("schema `{SCHEMA}`")));
    assert!(DOCS.contains(&format!("\"schema\": \"{SCHEMA}\"")));
}
