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

fn number(label: &str) -> Option<f64> {
    label.trim().parse().ok().filter(|number: &f64| number.is_finite())
}

/// A label as it is compared where its spelling does not count: numbers by their values, others
/// without regard to capital letters and white space.
///
/// ```
/// use data_pipeline::text::plain_label;
/// assert_eq!(plain_label("1.0"), plain_label("1"));
/// assert_eq!(plain_label("Very  good"), plain_label("very good"));
/// assert_ne!(plain_label("verygood"), plain_label("very good"));
/// ```
pub fn plain_label(label: &str) -> String {
    match number(label) {
        // Of the two zeros the one without a sign.
        Some(number) => (number + 0.0).to_string(),
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
    fn numbers_are_compared_by_their_values() {
        for (a, b, same) in [
            ("1", "1.0", true),
            ("-0", "0", true),
            ("1e1", "10", true),
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
