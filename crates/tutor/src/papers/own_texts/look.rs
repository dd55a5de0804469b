//! What a look at the texts tells, before anything is chosen.

use data_pipeline::dataset::Samples;
use data_pipeline::text::{TextSet, Texts};

use super::parts::Parts;
use super::recipe::DataConfig;

/// How long texts are in words, both of a pair together.
pub(super) struct Words {
    /// One of twenty has fewer.
    pub(super) least: usize,
    pub(super) median: usize,
    /// One of twenty has more.
    pub(super) most: usize,
}

impl Words {
    pub(super) fn of(set: &TextSet) -> Self {
        let count = |texts: &Texts| texts.iter().flat_map(str::split_whitespace).count();
        let mut all: Vec<usize> = set.examples().iter().map(|e| count(&e.texts)).collect();
        all.sort_unstable();
        let at = |part: usize| all[(all.len() - 1) * part / 20];
        Self { least: at(1), median: at(10), most: at(19) }
    }
}

/// How many texts of which parts there are, and where they stand.
pub(super) fn data_line(parts: &Parts, words: &Words, data: &DataConfig) -> String {
    let labels = parts.labels();
    let (least, most) = (labels.iter().min().unwrap_or(&0), labels.iter().max().unwrap_or(&0));
    let each =
        if least == most { format!("{least} each") } else { format!("{least} to {most} each") };
    let others = [("validation", &parts.validation), ("test", &parts.test)];
    let others: String = others
        .iter()
        .filter_map(|(name, set)| Some(format!(", {} {name}", set.as_ref()?.len())))
        .collect();
    let texts: Vec<String> = [&data.text_column, &data.pair_column]
        .into_iter()
        .flatten()
        .map(|column| format!("`{column}`"))
        .collect();
    format!(
        "data: {} labelled {} of {} classes ({each}), {} unlabelled{others}; nine of ten have {} to \
         {} words (median {}); columns {} and `{}`",
        parts.labeled.len(),
        parts.unit(),
        parts.labeled.classes().len(),
        parts.unlabeled.len(),
        words.least,
        words.most,
        words.median,
        texts.join(", "),
        data.label_column.as_deref().unwrap_or_default()
    )
}

/// As many classes are usual, whatever their names.
const USUAL: usize = 20;

/// What should be known where labels seem to be numbers to be predicted: they are not whole, or
/// almost each text has its own.
pub(super) fn numbers_as_classes(classes: &[String], texts: usize) -> Option<String> {
    let numbers = classes.iter().map(|name| name.parse::<f64>().ok());
    let numbers = numbers.collect::<Option<Vec<f64>>>()?;
    let is_quantity = numbers.iter().any(|number| number.fract() != 0.0)
        || (numbers.len() > USUAL && 2 * numbers.len() > texts);
    is_quantity.then(|| {
        format!(
            "labels: {} different numbers, from {} to {}, are names of classes here; fit does not \
             predict numbers. If they are quantities, name another column with --label-column, or \
             write classes such as low and high in their place",
            numbers.len(),
            numbers.iter().copied().fold(f64::INFINITY, f64::min),
            numbers.iter().copied().fold(f64::NEG_INFINITY, f64::max)
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_that_are_no_names_are_told_of() {
        let names = |names: &[&str]| names.iter().map(|&name| name.to_owned()).collect::<Vec<_>>();
        let years: Vec<String> = (1900..1960).map(|year| year.to_string()).collect();
        for (classes, texts, told) in [
            (names(&["0", "1"]), 100, false),
            (names(&["-1", "0", "1"]), 3, false),
            (names(&["1.0", "2.0", "5.0"]), 100, false),
            (names(&["1", "2", "many"]), 3, false),
            (names(&["0.5", "1.25"]), 100, true),
            (years.clone(), 80, true),
            (years, 600, false),
        ] {
            assert_eq!(numbers_as_classes(&classes, texts).is_some(), told, "{classes:?}");
        }
    }
}
