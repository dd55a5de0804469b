//! Numbers and outcomes in words: the one place that decides how a value is written and what may be
//! claimed from it. Page, Markdown and terminal share it, so they cannot disagree.

use super::result::{Better, Comparison, RunResult};
use super::stats;

/// What stands where there is no value.
pub(crate) const NONE: &str = "–";

/// A value with two decimals (percentages) or four (other units), without its unit.
pub(crate) fn number(value: f64, unit: &str) -> String {
    let decimals = if matches!(unit, "%" | "points") { 2 } else { 4 };
    let text = format!("{value:.decimals$}");
    // A difference that rounds to nothing has no sign worth showing.
    let zero = text.trim_start_matches('-').chars().all(|c| matches!(c, '0' | '.'));
    if zero { text.trim_start_matches('-').to_owned() } else { text.replace('-', "−") }
}

/// A difference: like [`number`], with `+` in front of a gain and `±` of what rounds to nothing.
pub(crate) fn signed(value: f64, unit: &str) -> String {
    let text = number(value, unit);
    let zero = text.chars().all(|c| matches!(c, '0' | '.'));
    match text {
        text if zero => format!("±{text}"),
        text if text.starts_with('−') => text,
        text => format!("+{text}"),
    }
}

/// `[lo, hi]`, or [`NONE`].
pub(crate) fn interval(ci95: Option<[f64; 2]>, unit: &str) -> String {
    ci95.map_or(NONE.into(), |[lo, hi]| format!("[{}, {}]", number(lo, unit), number(hi, unit)))
}

/// All values, separated by two spaces.
pub(crate) fn list(values: &[f64], unit: &str) -> String {
    values.iter().map(|v| number(*v, unit)).collect::<Vec<_>>().join("  ")
}

/// A whole number with thin groups of three: `53 113`.
pub(crate) fn count(value: u64) -> String {
    let digits = value.to_string();
    let mut out = String::new();
    for (i, c) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            out.push('\u{202f}');
        }
        out.push(c);
    }
    out
}

/// Seconds as `1 h 02 min`, `3 min 07 s` or `9.4 s`.
pub(crate) fn duration(seconds: f64) -> String {
    if seconds < 60.0 {
        return format!("{seconds:.1} s");
    }
    let s = seconds.round() as u64;
    if s < 3600 {
        format!("{} min {:02} s", s / 60, s % 60)
    } else {
        format!("{} h {:02} min", s / 3600, s % 3600 / 60)
    }
}

/// Bytes as `824 MB` or `1.93 GB` (powers of ten).
pub(crate) fn bytes(bytes: u64) -> String {
    let mb = bytes as f64 / 1e6;
    if mb < 1000.0 { format!("{mb:.0} MB") } else { format!("{:.2} GB", mb / 1000.0) }
}

/// `1 seed` or `5 seeds`.
pub(crate) fn seeds(n: usize) -> String {
    if n == 1 { "1 seed".into() } else { format!("{n} seeds") }
}

/// What a run's headline comparison allows to be claimed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// The interval lies on the good side of 0.
    Better,
    /// The interval lies on the bad side of 0.
    Worse,
    /// The interval contains 0.
    NotShown,
    /// One seed: no interval, no claim.
    OneSeed,
    /// A quick run: no claim whatever the numbers.
    Quick,
    /// Nothing was compared.
    Nothing,
}

/// The verdict with the words for it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Outcome {
    /// The claim.
    pub(crate) verdict: Verdict,
    /// A few words.
    pub(crate) title: String,
    /// One sentence with the numbers.
    pub(crate) sentence: String,
}

/// States the outcome of the headline comparison, claiming no more than its interval allows.
pub(crate) fn outcome(result: &RunResult) -> Outcome {
    let Some(c) = result.headline() else {
        let sentence = match result.rows.first() {
            Some(r) => format!("{} {}: {} {}.", r.name, r.metric, number(r.mean, &r.unit), r.unit),
            None => "The run reported no rows.".into(),
        };
        let verdict = if result.quick { Verdict::Quick } else { Verdict::Nothing };
        return Outcome { verdict, title: "Nothing was compared".into(), sentence };
    };
    let verdict = verdict(c, result.quick);
    let title = match verdict {
        Verdict::Better => format!("{} beats {}", c.left, c.right),
        Verdict::Worse => format!("{} is worse than {}", c.left, c.right),
        Verdict::NotShown => "No difference shown".into(),
        Verdict::OneSeed => "One seed: no interval, so nothing is shown yet".into(),
        Verdict::Quick | Verdict::Nothing => "Quick run: it only shows that the path works".into(),
    };
    Outcome { verdict, title, sentence: sentence(result, c) }
}

fn verdict(c: &Comparison, quick: bool) -> Verdict {
    match c.ci95 {
        _ if quick => Verdict::Quick,
        None => Verdict::OneSeed,
        Some([lo, hi]) if lo <= 0.0 && hi >= 0.0 => Verdict::NotShown,
        Some([lo, _]) if (lo > 0.0) == (c.better == Better::Higher) => Verdict::Better,
        Some(_) => Verdict::Worse,
    }
}

fn sentence(result: &RunResult, c: &Comparison) -> String {
    let side = |name: &str| match result.find(name, &c.metric) {
        Some(r) => format!("{name} {} {}", number(r.mean, &r.unit), r.unit),
        None => name.to_owned(),
    };
    let mut out = format!(
        "{}: {} vs {}, a difference of {} {}",
        capitalised(&c.metric),
        side(&c.left),
        side(&c.right),
        signed(c.mean, &c.unit),
        c.unit
    );
    match c.ci95 {
        Some(_) => {
            let words = interval(c.ci95, &c.unit);
            out += &format!(", 95 % interval {words}, {}.", seeds(c.per_seed.len()));
        }
        None => out += " with one seed; an interval needs two or more (--seeds 5).",
    }
    out + &sampling(result, c)
}

/// What values of these metrics are counted on, in words: the part of the data that all of them name.
pub(crate) fn counted_on<'a>(metrics: impl IntoIterator<Item = &'a str>) -> &'static str {
    let part = |metric: &str| match metric.split_once(' ') {
        Some(("test", _)) => "test part",
        Some(("validation", _)) => "validation part",
        _ => "sample",
    };
    let mut parts = metrics.into_iter().map(part);
    let first = parts.next().unwrap_or("sample");
    if parts.all(|other| other == first) { first } else { "sample" }
}

/// For one seed: what the size of the measured part alone leaves open.
fn sampling(result: &RunResult, c: &Comparison) -> String {
    let open = |name: &str| {
        let row = result.find(name, &c.metric)?;
        let [lo, hi] = row_wilson(row.mean, &row.unit, row.examples)?;
        Some(format!("{name} between {} and {} %", number(lo, "%"), number(hi, "%")))
    };
    match (c.ci95, open(&c.left), open(&c.right)) {
        (None, Some(left), Some(right)) => {
            let part = counted_on([c.metric.as_str()]);
            format!(" The size of the {part} alone leaves {left}, {right}.")
        }
        _ => String::new(),
    }
}

/// Wilson's interval in percent of a percentage counted on `examples`.
pub(crate) fn row_wilson(percent: f64, unit: &str, examples: Option<u64>) -> Option<[f64; 2]> {
    let [lo, hi] = stats::wilson(percent / 100.0, examples.filter(|_| unit == "%")?)?;
    Some([100.0 * lo, 100.0 * hi])
}

/// The same words with a capital first letter.
pub(crate) fn capitalised(words: &str) -> String {
    let mut chars = words.chars();
    match chars.next() {
        Some(first) => first.to_uppercase().chain(chars).collect(),
        None => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_part_is_named_only_where_all_metrics_name_it() {
        assert_eq!(counted_on(["test accuracy", "test top-5 accuracy"]), "test part");
        assert_eq!(counted_on(["validation accuracy"]), "validation part");
        assert_eq!(counted_on(["validation accuracy", "test accuracy"]), "sample");
        assert_eq!(counted_on(["accuracy"]), "sample");
    }

    #[test]
    fn numbers_are_written_one_way() {
        assert_eq!(number(96.416, "%"), "96.42");
        assert_eq!(number(-0.5, "points"), "−0.50");
        assert_eq!(number(-0.001, "points"), "0.00");
        assert_eq!(signed(-0.001, "points"), "±0.00");
        assert_eq!(signed(4.4, "points"), "+4.40");
        assert_eq!(number(0.123456, "nats"), "0.1235");
        assert_eq!(interval(None, "%"), "–");
        assert_eq!(interval(Some([-1.0, 2.0]), "points"), "[−1.00, 2.00]");
        assert_eq!(count(53113), "53\u{202f}113");
        assert_eq!(count(999), "999");
        assert_eq!(duration(9.44), "9.4 s");
        assert_eq!(duration(187.0), "3 min 07 s");
        assert_eq!(duration(3725.0), "1 h 02 min");
        assert_eq!(bytes(824_000_000), "824 MB");
        assert_eq!(bytes(1_930_000_000), "1.93 GB");
    }
}
