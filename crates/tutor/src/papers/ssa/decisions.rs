//! What the researcher decided where votes give no label, and what that changes.

use eval_ssa::decisions::{Adjudications, Measures};
use eval_ssa::{Label, Tally};
use report::{Block, Section, Table};

use super::numbers::estimate;

/// The decisions beside the votes: scores both ways, and each decision.
pub(super) fn section(found: &Adjudications) -> Section {
    let mut scores = Table::new([
        "system",
        "mode",
        "decisions",
        "decided responses",
        "SSA, %",
        "decided responses",
        "SSA, %",
        "sensibleness, %",
        "specificity, %",
    ]);
    scores.spans = vec![
        (String::new(), 3),
        ("by the votes alone".into(), 2),
        ("with the decisions".into(), 4),
    ];
    for score in &found.scores {
        let Measures { decided, sensibleness, specificity, ssa } = &score.both;
        let mut row = vec![
            score.system.clone(),
            score.mode.name().to_owned(),
            score.decisions.to_string(),
            score.votes.decided.to_string(),
            estimate(score.votes.ssa.as_ref()),
            decided.to_string(),
        ];
        row.extend([ssa, sensibleness, specificity].map(|found| estimate(found.as_ref())));
        scores.rows.push(row);
    }
    let mut list = Table::new([
        "item",
        "system",
        "decision",
        "by",
        "votes for sensible",
        "votes for specific",
        "skipped",
        "why",
        "counts",
    ]);
    let votes = |tally: Tally| format!("{} of {}", tally.yes, tally.votes());
    for decision in &found.decisions {
        list.rows.push(vec![
            decision.item.clone(),
            decision.system.clone(),
            name(decision.label).to_owned(),
            decision.by.clone(),
            votes(decision.votes.sensible),
            votes(decision.votes.specific),
            decision.votes.skipped.to_string(),
            decision.note.clone(),
            match decision.by_votes {
                None => "yes".to_owned(),
                Some(label) => format!("no: {} by votes", name(label)),
            },
        ]);
    }
    let words = "What the researcher decided where there is no majority. Decisions are no votes: all other \
                 tables are by the votes alone, and where votes came to a majority since, the votes hold.";
    Section::new("decisions", "Decisions on items without a majority")
        .with(Block::Text(words.to_owned()))
        .with(Block::Table(scores))
        .with(Block::Table(list))
}

fn name(label: Label) -> &'static str {
    match label {
        Label::NotSensible => "not sensible",
        Label::Sensible => "sensible only",
        Label::Specific => "specific",
    }
}
