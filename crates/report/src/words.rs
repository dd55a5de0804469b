//! Numbers in words: the one place that decides how a value is written. Page, Markdown and terminal
//! share it, so they cannot disagree.

use metrics::stats;

/// What stands where there is no value.
pub const NONE: &str = "–";

/// A value without its unit: percentages with two decimals, other values with two from 10 on, three
/// from 1 on and four below.
pub fn number(value: f64, unit: &str) -> String {
    with_decimals(value, decimals(&[value], unit))
}

/// The decimals that the largest of these values is written with.
fn decimals(values: &[f64], unit: &str) -> usize {
    match values.iter().fold(0.0_f64, |most, v| most.max(v.abs())) {
        _ if matches!(unit, "%" | "points") => 2,
        most if most >= 10.0 => 2,
        most if most >= 1.0 => 3,
        _ => 4,
    }
}

/// A value with its unit, if it has one.
pub fn with_unit(value: f64, unit: &str) -> String {
    let space = if unit.is_empty() { "" } else { " " };
    format!("{}{space}{unit}", number(value, unit))
}

/// Floating-point operations in three digits: `1.50 PFLOP`, `230 TFLOP`.
pub fn flops(count: u64) -> String {
    let (value, prefix) = match count as f64 {
        n if n >= 1e15 => (n / 1e15, "P"),
        n if n >= 1e12 => (n / 1e12, "T"),
        n if n >= 1e9 => (n / 1e9, "G"),
        n => (n / 1e6, "M"),
    };
    // Three digits.
    let decimals = if value < 9.995 { 2 } else { usize::from(value < 99.95) };
    format!("{value:.decimals$} {prefix}FLOP")
}

/// Values for a sentence: percentages with one decimal, or with as many more (up to four) as it
/// takes to tell all of them from 0; others as [`number`] writes them.
pub fn rounded<const N: usize>(values: [f64; N], unit: &str) -> [String; N] {
    if !matches!(unit, "%" | "points") {
        return values.map(|v| with_decimals(v, decimals(&values, unit)));
    }
    let told = |decimals: &usize| {
        let half = 0.5 * 0.1_f64.powi(*decimals as i32);
        values.iter().all(|v| *v == 0.0 || v.abs() >= half)
    };
    let decimals = (1..4).find(told).unwrap_or(4);
    values.map(|v| with_decimals(v, decimals))
}

fn with_decimals(value: f64, decimals: usize) -> String {
    let text = format!("{value:.decimals$}");
    // A difference that rounds to nothing has no sign worth showing.
    let zero = text.trim_start_matches('-').chars().all(|c| matches!(c, '0' | '.'));
    if zero { text.trim_start_matches('-').to_owned() } else { text.replace('-', "−") }
}

/// A difference: like [`number`], with `+` in front of a gain and `±` of what rounds to nothing.
pub fn signed(value: f64, unit: &str) -> String {
    let text = number(value, unit);
    let zero = text.chars().all(|c| matches!(c, '0' | '.'));
    match text {
        text if zero => format!("±{text}"),
        text if text.starts_with('−') => text,
        text => format!("+{text}"),
    }
}

/// `[lo, hi]`, or [`NONE`]; both ends with the same decimals.
pub fn interval(ci95: Option<[f64; 2]>, unit: &str) -> String {
    let Some(ends) = ci95 else { return NONE.into() };
    let [lo, hi] = ends.map(|v| with_decimals(v, decimals(&ends, unit)));
    format!("[{lo}, {hi}]")
}

/// All values with the same decimals, separated by two spaces.
pub fn list(values: &[f64], unit: &str) -> String {
    let decimals = decimals(values, unit);
    values.iter().map(|v| with_decimals(*v, decimals)).collect::<Vec<_>>().join("  ")
}

/// A whole number with thin groups of three: `53 113`.
pub fn count(value: u64) -> String {
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
pub fn duration(seconds: f64) -> String {
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
pub fn bytes(bytes: u64) -> String {
    let mb = bytes as f64 / 1e6;
    if mb < 1000.0 { format!("{mb:.0} MB") } else { format!("{:.2} GB", mb / 1000.0) }
}

/// A name with its unit, if it has one: `test accuracy, %`.
pub fn heading(name: &str, unit: &str) -> String {
    if unit.is_empty() { name.into() } else { format!("{name}, {unit}") }
}

/// `1 seed` or `5 seeds`.
pub fn seeds(n: usize) -> String {
    if n == 1 { "1 seed".into() } else { format!("{n} seeds") }
}

/// What values of these metrics are counted on, in words: the part of the data that all of them
/// name.
pub fn counted_on<'a>(metrics: impl IntoIterator<Item = &'a str>) -> &'static str {
    let part = |metric: &str| match metric.split_once(' ') {
        Some(("test", _)) => "test part",
        Some(("validation", _)) => "validation part",
        _ => "sample",
    };
    let mut parts = metrics.into_iter().map(part);
    let first = parts.next().unwrap_or("sample");
    if parts.all(|other| other == first) { first } else { "sample" }
}

/// Wilson's interval in percent of a percentage counted on `examples`.
pub fn row_wilson(percent: f64, unit: &str, examples: Option<u64>) -> Option<[f64; 2]> {
    let [lo, hi] = stats::wilson(percent / 100.0, examples.filter(|_| unit == "%")?)?;
    Some([100.0 * lo, 100.0 * hi])
}

/// A word of a command as a shell takes it: in quotes where it needs them.
///
/// ```
/// use report::words::shell;
/// assert_eq!(shell("runs/own-texts/latest"), "runs/own-texts/latest");
/// assert_eq!(shell("Ann's runs"), r"'Ann'\''s runs'");
/// ```
pub fn shell(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "@%+=:,./-_".contains(c);
    match !word.is_empty() && word.chars().all(plain) {
        true => word.to_owned(),
        false => format!("'{}'", word.replace('\'', "'\\''")),
    }
}

/// These words with a capital first letter.
pub fn capitalised(words: &str) -> String {
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
        assert_eq!(number(-1.23456, "nats"), "−1.235");
        assert_eq!(number(10.23456, ""), "10.23");
        assert_eq!((with_unit(1.0, "%"), with_unit(1.0, "")), ("1.00 %".into(), "1.000".into()));
        assert_eq!(rounded([3.84, -1.5], "points"), ["3.8", "−1.5"]);
        assert_eq!(rounded([3.84, 0.004], "points"), ["3.840", "0.004"]);
        assert_eq!(rounded([3.84, 0.0], "points"), ["3.8", "0.0"]);
        assert_eq!(rounded([3.84, 0.0], ""), ["3.840", "0.000"]);
        assert_eq!(interval(None, "%"), "–");
        assert_eq!(interval(Some([-1.0, 2.0]), "points"), "[−1.00, 2.00]");
        assert_eq!(interval(Some([9.3921, 11.394]), ""), "[9.39, 11.39]");
        assert_eq!(list(&[0.51234, 1.0], ""), "0.512  1.000");
        assert_eq!(flops(1_234_000_000_000_000), "1.23 PFLOP");
        assert_eq!(flops(99_960_000_000_000), "100 TFLOP");
        assert_eq!(flops(25_400_000_000), "25.4 GFLOP");
        assert_eq!(flops(2_500_000), "2.50 MFLOP");
        assert_eq!(count(53113), "53\u{202f}113");
        assert_eq!(count(999), "999");
        assert_eq!(duration(9.44), "9.4 s");
        assert_eq!(duration(187.0), "3 min 07 s");
        assert_eq!(duration(3725.0), "1 h 02 min");
        assert_eq!(bytes(824_000_000), "824 MB");
        assert_eq!(bytes(1_930_000_000), "1.93 GB");
    }
}
