//! A run's `result.json` as Markdown: what was run, the rows, and the paired differences.

use anyhow::{Context, Result, ensure};
use serde_json::Value;
use std::fmt::Write as _;

/// The version of `result.json` that is read here; docs/report.md describes it.
const SCHEMA: &str = "tutor-result/2";

/// Tables and one line about the run.
///
/// # Errors
/// When it is of another version, of a quick run, or lacks a field.
pub(super) fn markdown(result: &Value) -> Result<String> {
    let schema = text(result, "schema")?;
    ensure!(schema == SCHEMA, "the result is of version {schema}, and {SCHEMA} is read here");
    ensure!(result["quick"] != true, "a quick run measures nothing");
    let seeds: Vec<String> = list(result, "seeds")?.iter().map(ToString::to_string).collect();
    let mut out = format!("{}\n\n", about(result, &seeds)?);
    writeln!(out, "| row | metric | mean | 95 % interval over seeds | {} |", each(&seeds))?;
    writeln!(out, "| --- | --- | ---: | --- | --- |")?;
    for row in list(result, "rows")? {
        let unit = text(row, "unit")?;
        let per_seed = numbers(row, "per_seed")?.into_iter().map(|value| plain(value, unit));
        writeln!(
            out,
            "| {} | {}, {unit} | {} | {} | {} |",
            text(row, "name")?,
            text(row, "metric")?,
            plain(number(row, "mean")?, unit),
            interval(row, unit)?,
            per_seed.collect::<Vec<_>>().join(" "),
        )?;
    }
    let comparisons = list(result, "comparisons")?;
    if !comparisons.is_empty() {
        // An interval over examples says itself what it is over.
        let over = match comparisons.iter().any(|one| !one["examples"].is_null()) {
            true => "",
            false => " over seeds",
        };
        writeln!(out, "\nPaired differences:\n")?;
        writeln!(out, "| difference | metric | mean | 95 % interval{over} |")?;
        writeln!(out, "| --- | --- | ---: | --- |")?;
    }
    for comparison in comparisons {
        let unit = text(comparison, "unit")?;
        let mean = number(comparison, "mean")?;
        let sign = if mean > 0.0 { "+" } else { "" };
        writeln!(
            out,
            "| {} − {} | {}, {unit} | {sign}{} | {}{} |",
            text(comparison, "left")?,
            text(comparison, "right")?,
            text(comparison, "metric")?,
            plain(mean, unit),
            interval(comparison, unit)?,
            over_examples(comparison),
        )?;
    }
    for comparison in comparisons {
        if let Some(caveat) = comparison["caveat"].as_str() {
            let (left, right) = (text(comparison, "left")?, text(comparison, "right")?);
            writeln!(out, "\n{left} − {right}: {caveat}.")?;
        }
    }
    Ok(out)
}

/// What an interval is over, behind it, where that is not the seeds: so many of the test part's
/// texts, say.
fn over_examples(comparison: &Value) -> String {
    let Some(count) = comparison["examples"].as_u64() else { return String::new() };
    let example = comparison["example"].as_str().unwrap_or("example");
    format!(" over {} {example}{}", thousands(count as f64), if count == 1 { "" } else { "s" })
}

/// The line about a run: command, commit, machine, threads, seeds, what it took.
fn about(result: &Value, seeds: &[String]) -> Result<String> {
    let command = list(result, "command")?.iter().map(|word| word.as_str().unwrap_or_default());
    let commit = result["commit"].as_str().unwrap_or("unknown");
    let (hash, dirty) = commit.split_once('-').unwrap_or((commit, ""));
    let short = hash.get(..9).unwrap_or(hash);
    let with = if dirty.is_empty() { "" } else { " with changes" };
    let threads = result["threads"].as_u64().context("it lacks `threads`")?;
    let plural = |count: usize| if count == 1 { "" } else { "s" };
    let cost = &result["cost"];
    Ok(format!(
        "`{}`; commit {short}{with}; {}, {threads} thread{}; seed{} {}; {}, {} {}/s.",
        shown(command),
        result["machine"].as_str().unwrap_or("unknown machine"),
        plural(threads as usize),
        plural(seeds.len()),
        seeds.join(", "),
        duration(number(cost, "wall_s")?),
        thousands(number(cost, "throughput")?),
        text(cost, "unit")?,
    ))
}

/// A command line without the folders of the machine that it ran on.
fn shown<'a>(mut command: impl Iterator<Item = &'a str>) -> String {
    let program = command.next().unwrap_or_default();
    let mut words = vec![program.rsplit('/').next().unwrap_or_default()];
    while let Some(word) = command.next() {
        if word == "--out" {
            command.next();
        } else {
            words.push(word);
        }
    }
    words.join(" ")
}

/// Seconds in words.
fn duration(seconds: f64) -> String {
    let seconds = seconds.round() as u64;
    match (seconds / 3600, seconds / 60 % 60, seconds % 60) {
        (0, 0, s) => format!("{s} s"),
        (0, min, s) => format!("{min} min {s} s"),
        (h, min, _) => format!("{h} h {min} min"),
    }
}

/// A whole number with a comma at each thousand.
fn thousands(value: f64) -> String {
    let digits = (value.round() as u64).to_string();
    let mut out = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// What the column of single values is called.
fn each(seeds: &[String]) -> String {
    match seeds {
        [one] => format!("seed {one}"),
        [first, .., last] => format!("seeds {first} to {last}"),
        [] => "seeds".to_owned(),
    }
}

/// A number in its unit's precision, with a minus sign rather than a hyphen.
fn plain(value: f64, unit: &str) -> String {
    let digits = if ["%", "points"].contains(&unit) { 2 } else { 4 };
    let text = format!("{value:.digits$}");
    match text.strip_prefix('-') {
        Some(size) if size.bytes().all(|b| b"0.".contains(&b)) => size.to_owned(),
        Some(size) => format!("−{size}"),
        None => text,
    }
}

fn interval(row: &Value, unit: &str) -> Result<String> {
    if row["ci95"].is_null() {
        return Ok("–".to_owned());
    }
    match numbers(row, "ci95")?[..] {
        [low, high] => Ok(format!("[{}, {}]", plain(low, unit), plain(high, unit))),
        _ => anyhow::bail!("`ci95` is not a pair"),
    }
}

fn text<'a>(value: &'a Value, field: &str) -> Result<&'a str> {
    value[field].as_str().with_context(|| format!("it lacks the text `{field}`"))
}

fn number(value: &Value, field: &str) -> Result<f64> {
    value[field].as_f64().with_context(|| format!("it lacks the number `{field}`"))
}

fn list<'a>(value: &'a Value, field: &str) -> Result<&'a [Value]> {
    let list = value[field].as_array().with_context(|| format!("it lacks the list `{field}`"))?;
    Ok(list)
}

fn numbers(value: &Value, field: &str) -> Result<Vec<f64>> {
    let number = |v: &Value| v.as_f64().with_context(|| format!("`{field}` holds no number"));
    list(value, field)?.iter().map(number).collect()
}

#[cfg(test)]
mod tests {
    use super::{duration, markdown, thousands};
    use serde_json::{Value, json};

    fn result() -> Value {
        json!({
            "schema": "tutor-result/2", "quick": false,
            "command": ["/x/release/tutor", "run", "uda", "--out", "/x/results", "--threads", "2"],
            "commit": "0123456789abcdef-dirty", "machine": "AMD EPYC", "threads": 2,
            "seeds": [1, 2, 3],
            "rows": [
                { "name": "teacher", "metric": "test accuracy", "unit": "%",
                  "group": "generation", "mean": 90.5, "ci95": [84.146, 96.854],
                  "per_seed": [90.0, 91.0, 90.5] },
                { "name": "student", "metric": "loss", "unit": "nats", "group": "generation",
                  "mean": 0.03125, "ci95": null, "per_seed": [0.03125] },
            ],
            "comparisons": [
                { "name": "s-t", "left": "student", "right": "teacher", "metric": "test accuracy",
                  "unit": "points", "mean": 4.5, "ci95": [-1.85, 10.85], "per_seed": [4.0, 5.0] },
            ],
            "cost": { "wall_s": 648.4, "throughput": 8863.2, "unit": "images" },
        })
    }

    #[test]
    fn a_result_becomes_tables() {
        let expected = "\
`tutor run uda --threads 2`; commit 012345678 with changes; AMD EPYC, 2 threads; seeds 1, 2, 3; \
10 min 48 s, 8,863 images/s.

| row | metric | mean | 95 % interval over seeds | seeds 1 to 3 |
| --- | --- | ---: | --- | --- |
| teacher | test accuracy, % | 90.50 | [84.15, 96.85] | 90.00 91.00 90.50 |
| student | loss, nats | 0.0312 | – | 0.0312 |

Paired differences:

| difference | metric | mean | 95 % interval over seeds |
| --- | --- | ---: | --- |
| student − teacher | test accuracy, points | +4.50 | [−1.85, 10.85] |
";
        assert_eq!(markdown(&result()).expect("it is complete"), expected);
    }

    #[test]
    fn without_differences_there_is_no_second_table() {
        let mut result = result();
        result["comparisons"] = json!([]);
        assert!(!markdown(&result).expect("it is complete").contains("Paired"));
    }

    #[test]
    fn what_is_over_examples_and_what_speaks_against_it_is_said() {
        let mut result = result();
        result["seeds"] = json!([1]);
        let comparison = &mut result["comparisons"][0];
        comparison["examples"] = json!(2310);
        comparison["example"] = json!("conversation");
        comparison["caveat"] = json!("student had 10 steps");
        let of_before = |mut result: Value| {
            result["comparisons"][0].as_object_mut().expect("fields").remove("example");
            markdown(&result).expect("it is complete")
        };
        let text = markdown(&result).expect("it is complete");
        assert!(text.contains("| difference | metric | mean | 95 % interval |\n"), "{text}");
        let line = "| +4.50 | [−1.85, 10.85] over 2,310 conversations |\n";
        assert!(text.contains(line), "{text}");
        assert!(text.ends_with("\n\nstudent − teacher: student had 10 steps.\n"), "{text}");
        let text = of_before(result);
        assert!(text.contains("] over 2,310 examples |\n"), "{text}");
    }

    /// A field with another value, and what is said about it.
    fn refuse(field: &str, value: Value, expected: &str) {
        let mut result = result();
        result[field] = value;
        let error = format!("{:#}", markdown(&result).expect_err(field));
        assert!(error.contains(expected), "{error}");
    }

    #[test]
    fn what_cannot_be_read_is_refused() {
        refuse("schema", json!("tutor-result/1"), "tutor-result/1");
        refuse("quick", json!(true), "quick run");
        refuse("rows", json!([{ "name": "teacher" }]), "`unit`");
        refuse("cost", json!({}), "`wall_s`");
        refuse("seeds", Value::Null, "`seeds`");
    }

    #[test]
    fn numbers_in_words() {
        assert_eq!(duration(54.2), "54 s");
        assert_eq!(duration(3_780.0), "1 h 3 min");
        assert_eq!(thousands(7.0), "7");
        assert_eq!(thousands(1_234_567.0), "1,234,567");
        assert_eq!(super::plain(-0.001, "%"), "0.00");
        assert_eq!(super::plain(-0.5, "points"), "−0.50");
    }
}
