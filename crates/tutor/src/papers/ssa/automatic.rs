//! What was measured without people, under its own names: none of it is SSA.

use eval_ssa::Summary;
use eval_ssa::agreement::Statistic;
use eval_ssa::judge::JudgeAgreement;
use eval_ssa::quality::Share;
use report::{Block, Section, Table};

/// Automatic judges beside people.
pub(super) fn judges(summary: &Summary) -> Option<Section> {
    if summary.judges.is_empty() {
        return None;
    }
    let mut agreement = Table::new([
        "judge",
        "question",
        "same as people's label",
        "kappa",
        "alpha",
        "same as one rater",
        "raters among themselves",
    ]);
    let mut systems = Table::new(["judge", "system", "finds sensible, %", "finds specific, %"]);
    let mut confusion =
        Table::new(["judge", "people's label", "not sensible", "sensible only", "specific"]);
    confusion.spans =
        vec![(String::new(), 2), ("what the judge says of how many responses".into(), 3)];
    let mut unread = Vec::new();
    for judge in &summary.judges {
        for (question, found) in [("sensible", &judge.sensible), ("specific", &judge.specific)] {
            let JudgeAgreement { with_label, kappa, alpha, with_raters, among_raters } = found;
            agreement.rows.push(vec![
                judge.judge.clone(),
                question.to_owned(),
                counted(*with_label),
                format!("{kappa:.3}"),
                format!("{alpha:.3}"),
                share_of(&with_raters.value()),
                share_of(among_raters),
            ]);
        }
        for (label, row) in
            ["not sensible", "sensible only", "specific"].iter().zip(judge.confusion)
        {
            let cells = [judge.judge.clone(), (*label).to_owned()].into_iter();
            confusion.rows.push(cells.chain(row.map(|count| count.to_string())).collect());
        }
        for (system, shares) in &judge.systems {
            let [sensible, specific] = shares.map(|share| format!("{:.1}", 100.0 * share));
            systems.rows.push(vec![judge.judge.clone(), system.clone(), sensible, specific]);
        }
        if judge.unread > 0 {
            unread.push(Block::Text(format!(
                "{}: on {} of {} items its answer could not be read.",
                judge.judge, judge.unread, judge.items
            )));
        }
    }
    let words = "What models say of the same responses. None of it is SSA, which is what people say; the table \
                 says how far each judge agrees with them, beside how far they agree with each other.";
    let mut section = Section::new("judges", "Automatic judges")
        .with(Block::Text(words.to_owned()))
        .with(Block::Table(agreement))
        .with(Block::Table(confusion))
        .with(Block::Table(systems));
    section.blocks.extend(unread);
    Some(section)
}

/// Measures of the responses' texts.
pub(super) fn measures(summary: &Summary) -> Option<Section> {
    let mut table = Table::new([
        "system",
        "responses",
        "mean words",
        "distinct-1",
        "distinct-2",
        "entropy of 4-grams",
        "repeats an earlier turn, %",
        "repeats itself, %",
        "generic, %",
        "empty, %",
    ]);
    for (system, found) in &summary.proxies {
        let number = |value: Option<f64>, decimals: usize| {
            value.map_or_else(|| "–".to_owned(), |value| format!("{value:.decimals$}"))
        };
        let share = |value: Option<f64>| number(value.map(|value| 100.0 * value), 1);
        table.rows.push(vec![
            system.clone(),
            found.responses.to_string(),
            number(found.mean_words, 1),
            number(found.distinct_1, 3),
            number(found.distinct_2, 3),
            number(found.entropy_4, 2),
            share(found.repeats_earlier_turn),
            share(found.repeats_itself),
            share(found.generic),
            share(found.empty),
        ]);
    }
    let words = "Counted in the texts alone; none of it is SSA. Generic responses are the ten most frequent \
                 ones of a system, if they come at least twice.";
    let section = Section::new("measures", "Automatic measures of the responses");
    (!table.rows.is_empty())
        .then(|| section.with(Block::Text(words.to_owned())).with(Block::Table(table)))
}

/// A share in percent, or why there is none.
pub(super) fn share_of(share: &Statistic) -> String {
    share.value.map_or_else(|| share.to_string(), |value| format!("{:.1} %", 100.0 * value))
}

/// So many of so many, with the share.
pub(super) fn counted(share: Share) -> String {
    match share.of {
        0 => "–".to_owned(),
        of => format!("{} of {of}", share.hits),
    }
}
