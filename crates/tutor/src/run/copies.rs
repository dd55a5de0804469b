//! Labelled samples whose content stands in the data more than once: they are left out, so that
//! none is both learned from and measured on.

use anyhow::{Result, bail};
use data_pipeline::dataset::fingerprint::Copies;
use metrics::words::counted;

use super::result::one_of;

/// What is told of those that are left out, a sentence each. `unit` is what they are, `images` or
/// `texts`, and `id` their names by number.
pub(crate) fn told(copies: &Copies, unit: &str, id: impl Fn(usize) -> String) -> Vec<String> {
    let noun = format!("labelled {}", one_of(unit));
    let pair = |pair: Option<(usize, usize)>| {
        pair.map_or_else(String::new, |(a, b)| format!(" ({} is {})", id(b), id(a)))
    };
    let mut told = Vec::new();
    if copies.same_label > 0 {
        let (are, left) = match copies.same_label {
            1 => ("is a copy of another", "it is"),
            _ => ("are copies of others", "they are"),
        };
        told.push(format!(
            "{} {are}{}: {left} left out, so that none is both learned from and measured on",
            counted(copies.same_label, &noun),
            pair(copies.example)
        ));
    }
    if copies.several_labels > 0 {
        let (have, left) = match copies.several_labels {
            1 => ("has", "it is"),
            _ => ("have", "they are"),
        };
        told.push(format!(
            "{} {have} the content of another and a different label{}: {left} left out (where most \
             copies have one label, one with that label stays)",
            counted(copies.several_labels, &noun),
            pair(copies.contradiction)
        ));
    }
    told
}

/// An error if nothing is left of a class. `kept` are the labels of what is left.
pub(crate) fn refuse_emptied(
    classes: &[String],
    kept: impl Iterator<Item = Option<u32>>,
    unit: &str,
) -> Result<()> {
    let mut is_there = vec![false; classes.len()];
    kept.flatten().for_each(|label| is_there[label as usize] = true);
    if let Some((class, _)) = classes.iter().zip(is_there).find(|(_, is_there)| !is_there) {
        bail!(
            "each of the labelled {unit} of the class `{class}` has a different label elsewhere, so \
             that none is left: give equal {unit} one label"
        );
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_copy_is_told_in_the_singular() {
        let copies = Copies { several_labels: 1, ..Copies::default() };
        let said = told(&copies, "images", |i| i.to_string());
        let expected = "1 labelled image has the content of another and a different label: it is \
                        left out (where most copies have one label, one with that label stays)";
        assert_eq!(said, [expected]);
    }
}
