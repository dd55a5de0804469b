//! Names of classes that are hardly meant as they stand in a table.

use std::collections::HashMap;

use anyhow::{Result, bail};

/// What tables have in place of a label, in lower case. Words that may well be a class, such as
/// `none` and `unknown`, are not among them.
const MISSING: [&str; 10] = [
    "?",
    "#n/a",
    "n/a",
    "nan",
    "null",
    "unlabeled",
    "unlabelled",
    "unsup",
    "unsupervised",
    "no label",
];

/// An error if the name of a class says that there is none; classes have their names and how many
/// labels they have.
pub(super) fn refuse_missing(classes: &[(&str, u64)]) -> Result<()> {
    let is_missing = |(name, _): &&(&str, u64)| MISSING.contains(&name.to_lowercase().as_str());
    if let Some((name, count)) = classes.iter().find(is_missing) {
        bail!(
            "the label `{name}` ({count} times) reads as if there were none: give --no-label '{name}' \
             (data.no_label), and its rows count as unlabelled; if it is a class, give it another \
             name"
        );
    }
    Ok(())
}

/// An error if two classes have one name but for capital letters and spaces.
pub(super) fn refuse_alike(classes: &[(&str, u64)]) -> Result<()> {
    let mut seen = HashMap::new();
    for (name, count) in classes {
        let folded = name.to_lowercase().split_whitespace().collect::<Vec<_>>().join(" ");
        if let Some((other, others)) = seen.insert(folded, (name, count)) {
            bail!(
                "`{other}` ({others} of the labels) and `{name}` ({count}) differ in capital letters or \
                 spaces alone: write both alike, or give them names that differ more if they are two \
                 classes"
            );
        }
    }
    Ok(())
}

/// What should be known where -1 is a class beside numbers from 0 on.
pub(super) fn minus_one(classes: &[(&str, u64)]) -> Option<String> {
    let numbers: Vec<f64> =
        classes.iter().map(|(name, _)| name.parse().ok()).collect::<Option<_>>()?;
    let others_count_from_0 =
        numbers.contains(&0.0) && numbers.iter().all(|&n| n == -1.0 || n >= 0.0);
    let (name, count) = classes[numbers.iter().position(|&number| number == -1.0)?];
    others_count_from_0.then(|| {
        format!(
            "labels: {name} is a class here ({count} times); if it stands for no label, give \
             --no-label {name} (data.no_label)"
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counted<'a>(names: &[&'a str]) -> Vec<(&'a str, u64)> {
        names.iter().copied().zip(1..).collect()
    }

    #[test]
    fn names_that_say_that_there_is_no_label_are_refused() {
        for names in [["neg", "unsup"], ["0", "?"], ["a", "NaN"], ["Unlabeled", "b"]] {
            let error = refuse_missing(&counted(&names)).unwrap_err().to_string();
            assert!(error.contains("--no-label"), "{error}");
        }
        assert!(refuse_missing(&counted(&["none", "unknown", "-1", "na"])).is_ok());
    }

    #[test]
    fn names_that_differ_in_case_or_spaces_alone_are_refused() {
        for names in [["Pos", "pos"], ["very good", "Very  good"], ["É", "é"]] {
            let error = refuse_alike(&counted(&names)).unwrap_err().to_string();
            assert!(error.contains("(1 of the labels)") && error.contains("(2)"), "{error}");
        }
        assert!(refuse_alike(&counted(&["pos", "positive", "p os"])).is_ok());
    }

    #[test]
    fn minus_one_is_told_of_beside_numbers_from_0_on() {
        for (names, told) in [
            (&["-1", "0", "1"][..], true),
            (&["-1.0", "0.0", "1.0"], true),
            (&["-0.5", "-1", "0"], false),
            (&["-1", "1"], false),
            (&["-2", "-1", "0"], false),
            (&["0", "1"], false),
            (&["-1", "0", "many"], false),
        ] {
            assert_eq!(minus_one(&counted(names)).is_some(), told, "{names:?}");
        }
    }
}
