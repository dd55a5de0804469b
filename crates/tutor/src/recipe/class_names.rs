//! Names of classes that are hardly meant as they stand in a table or a folder of one's own data.

use std::collections::HashMap;

use anyhow::{Result, bail};
use data_pipeline::text::read::times;
use data_pipeline::text::{in_spelling, plain_label, stands_for_none};

/// An error if the name of a class says that there is none, and it is not among those that `are`
/// classes all the same; classes have their names and how many labels they have.
pub(crate) fn refuse_missing(classes: &[(&str, u64)], are: &[String]) -> Result<()> {
    let is_missing = |(name, _): &&(&str, u64)| stands_for_none(name) && !is_one(name, are);
    if let Some((name, count)) = classes.iter().find(is_missing) {
        bail!(
            "the label `{name}` ({}) reads as if there were none: give --no-label '{name}' \
             (data.no_label), and what has it counts as unlabelled; or, if it is a class, --class '{name}' \
             (data.class)",
            times(*count)
        );
    }
    Ok(())
}

fn is_one(name: &str, are: &[String]) -> bool {
    are.iter().any(|class| class.trim() == name)
}

/// An error if two classes have one name but for capital letters and spaces, or are one number.
pub(crate) fn refuse_alike(classes: &[(&str, u64)]) -> Result<()> {
    let mut seen = HashMap::new();
    for (name, count) in classes {
        if let Some((other, others)) = seen.insert(plain_label(name), (name, count)) {
            bail!(
                "`{other}` ({others} of the labels) and `{name}` ({count}) {}: write both alike, or \
                 give them names that differ more if they are two classes",
                in_spelling(name)
            );
        }
    }
    Ok(())
}

/// What should be known of labels that may or may not stand for none: `unknown`, and -1 beside two
/// or more numbers of which none is below 0, or beside 0.
pub(crate) fn doubtful(classes: &[(&str, u64)], are: &[String]) -> Vec<String> {
    let unknown = classes.iter().find(|(name, _)| name.eq_ignore_ascii_case("unknown"));
    let found = unknown.into_iter().chain(minus_one(classes));
    let told = |(name, count): &(&str, u64)| {
        format!(
            "labels: {name} is a class here ({}); if it stands for no label, give --no-label {name} \
             (data.no_label), else --class {name} (data.class)",
            times(*count)
        )
    };
    found.filter(|(name, _)| !is_one(name, are)).map(told).collect()
}

fn minus_one<'a, 'b>(classes: &'b [(&'a str, u64)]) -> Option<&'b (&'a str, u64)> {
    let numbers: Vec<f64> =
        classes.iter().map(|(name, _)| name.parse().ok()).collect::<Option<_>>()?;
    let place = numbers.iter().position(|&number| number == -1.0)?;
    let others: Vec<f64> = numbers.into_iter().filter(|&number| number != -1.0).collect();
    // -1 and 1 alone are two classes, as of those who write so.
    let count = others.len() > 1 || others.contains(&0.0);
    (count && others.iter().all(|&number| number >= 0.0)).then(|| &classes[place])
}

/// What should be known of names that are said to be classes, and are not among them.
pub(crate) fn absent(classes: &[(&str, u64)], are: &[String]) -> Vec<String> {
    let is_absent = |name: &&String| classes.iter().all(|(class, _)| *class != name.trim());
    let told =
        |name: &String| format!("nothing has the label `{name}`, which is said to be a class");
    are.iter().filter(is_absent).map(told).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counted<'a>(names: &[&'a str]) -> Vec<(&'a str, u64)> {
        names.iter().copied().zip(1..).collect()
    }

    fn classes(names: &[&str]) -> Vec<String> {
        names.iter().map(|&name| name.to_owned()).collect()
    }

    #[test]
    fn names_that_say_that_there_is_no_label_are_refused() {
        for names in [
            ["neg", "unsup"],
            ["0", "?"],
            ["a", "NaN"],
            ["Unlabeled", "b"],
            ["NA", "b"],
            ["a", "<NA>"],
            ["None", "some"],
            ["a", "missing"],
            ["-", "+"],
        ] {
            let error = refuse_missing(&counted(&names), &[]).unwrap_err().to_string();
            assert!(error.contains("--no-label") && error.contains("--class"), "{error}");
            let name = names.into_iter().find(|name| stands_for_none(name)).expect("one");
            assert!(error.contains(&format!("`{name}`")), "{error}");
            assert!(refuse_missing(&counted(&names), &classes(&[name])).is_ok(), "{name}");
        }
        assert!(refuse_missing(&counted(&["unknown", "-1", "neutral"]), &[]).is_ok());
        // Each is said to be a class by itself.
        assert!(refuse_missing(&counted(&["none", "NA"]), &classes(&["none"])).is_err());
    }

    #[test]
    fn names_that_differ_in_case_or_spaces_alone_are_refused() {
        for (names, part) in [
            (["Pos", "pos"], "capital letters"),
            (["very good", "Very  good"], "capital letters"),
            (["É", "é"], "capital letters"),
            (["1", "1.0"], "are the same number"),
        ] {
            let error = refuse_alike(&counted(&names)).unwrap_err().to_string();
            assert!(error.contains("(1 of the labels)") && error.contains("(2)"), "{error}");
            assert!(error.contains(part), "{error}");
        }
        assert!(refuse_alike(&counted(&["pos", "positive", "p os", "1", "-1", "10"])).is_ok());
    }

    #[test]
    fn what_may_stand_for_none_is_told_of() {
        for (names, told) in [
            (&["-1", "0", "1"][..], Some("-1")),
            (&["-1.0", "0.0", "1.0"], Some("-1.0")),
            (&["-0.5", "-1", "0"], None),
            (&["-1", "1"], None),
            (&["-2", "-1", "0"], None),
            (&["-2", "-1", "1", "2"], None),
            (&["-1", "0"], Some("-1")),
            (&["-1", "1", "2"], Some("-1")),
            (&["-1", "9", "10"], Some("-1")),
            (&["0", "1"], None),
            (&["-1", "0", "many"], None),
            (&["spam", "Unknown"], Some("Unknown")),
        ] {
            let found = doubtful(&counted(names), &[]);
            assert_eq!(found.len(), usize::from(told.is_some()), "{names:?}");
            if let Some(name) = told {
                assert!(found[0].contains(&format!("--no-label {name} ")), "{found:?}");
                assert!(doubtful(&counted(names), &classes(&[name])).is_empty());
            }
        }
        assert_eq!(absent(&counted(&["a", "none"]), &classes(&["none", "-"])).len(), 1);
    }
}
