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
