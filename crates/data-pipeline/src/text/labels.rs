//! Labels that are hardly what they seem: words for none, and two spellings of one label.

/// What tables have in place of a label, in lower case. `unknown` may well be a class.
const NONE: [&str; 15] = [
    "?",
    "-",
    "#n/a",
    "n/a",
    "na",
    "<na>",
    "nan",
    "null",
    "none",
    "missing",
    "no label",
    "unlabeled",
    "unlabelled",
    "unsup",
    "unsupervised",
];

/// Whether a label reads as if there were none, as those that R (`NA`) and pandas (`nan`, `<NA>`)
/// write.
pub fn stands_for_none(label: &str) -> bool {
    NONE.contains(&label.trim().to_lowercase().as_str())
}

/// A number as it is compared: its digits as they stand, without the sign `+`, that of a zero, and
/// a fraction of zeros. Leading zeros stay, as those of codes are; nothing is rounded.
fn number(label: &str) -> Option<String> {
    let label = label.trim();
    let (sign, digits) = match label.strip_prefix(['+', '-']) {
        Some(digits) => (if label.starts_with('-') { "-" } else { "" }, digits),
        None => ("", label),
    };
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, "0"));
    let are_digits = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    if !(are_digits(whole) && are_digits(fraction)) {
        return None;
    }
    let are_zeros = |text: &str| text.bytes().all(|byte| byte == b'0');
    Some(match (are_zeros(whole), are_zeros(fraction)) {
        (true, true) => whole.to_owned(),
        (false, true) => format!("{sign}{whole}"),
        (_, false) => format!("{sign}{whole}.{fraction}"),
    })
}

/// A number by its value: as [`number`], but leading zeros do not count.
pub(crate) fn number_value(label: &str) -> Option<String> {
    let plain = number(label)?;
    let (sign, digits) = match plain.strip_prefix('-') {
        Some(digits) => ("-", digits),
        None => ("", plain.as_str()),
    };
    Some(format!("{sign}{}", digits.trim_start_matches('0')))
}

/// A label as it is compared where its spelling does not count: of numbers a sign `+`, that of a
/// zero, and a fraction of zeros do not, of others capital letters and white space.
///
/// ```
/// use data_pipeline::text::plain_label;
/// assert_eq!(plain_label("1.0"), plain_label("1"));
/// assert_eq!(plain_label("Very  good"), plain_label("very good"));
/// assert_ne!(plain_label("verygood"), plain_label("very good"));
/// assert_ne!(plain_label("01"), plain_label("1"));
/// ```
pub fn plain_label(label: &str) -> String {
    match number(label) {
        Some(number) => number,
        None => label.to_lowercase().split_whitespace().collect::<Vec<_>>().join(" "),
    }
}

/// In what this label differs from another one of the same [plain form](plain_label), in words.
pub fn in_spelling(label: &str) -> &'static str {
    match number(label) {
        Some(_) => "are the same number",
        None => "differ in capital letters or spaces alone",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_for_none_are_known_in_any_case() {
        for label in ["NA", "<NA>", "None", "NULL", "NaN", " missing ", "-", "#N/A", "Unlabelled"] {
            assert!(stands_for_none(label), "{label}");
        }
        for label in ["unknown", "-1", "neutral", "0", "name", "--"] {
            assert!(!stands_for_none(label), "{label}");
        }
    }

    #[test]
    fn numbers_are_compared_by_their_digits() {
        for (a, b, same) in [
            ("1", "1.0", true),
            ("-0", "0", true),
            ("+1", "1.00", true),
            ("-2.0", "-2", true),
            ("-0.0", "0", true),
            ("9007199254740992", "9007199254740992.0", true),
            ("9007199254740992", "9007199254740993", false),
            ("01", "1", false),
            ("1e2", "100", false),
            ("0.5", "-0.5", false),
            ("1.5", "1", false),
            ("Pos", "pos", true),
            ("É", "é", true),
            ("1", "-1", false),
            ("inf", "infinity", false),
            ("p os", "pos", false),
        ] {
            assert_eq!(plain_label(a) == plain_label(b), same, "{a} {b}");
        }
        assert!(in_spelling("1.0").contains("number") && in_spelling("nan").contains("letters"));
    }
}
