//! The talk's example of the rubric, worked through by the protocol's own code.

use eval_ssa::{Ballot, Label, Rating, Required};
use report::{Block, Section, Table};

/// The turns before the response, as the talk shows them.
const CONTEXT: [&str; 3] = ["Do you know how to swim?", "yes", "What's your favorite stroke?"];

/// Responses with the labels that the talk gives them.
const RESPONSES: [(&str, Label); 3] = [
    ("Butterfly stroke", Label::Specific),
    ("I don't know", Label::Sensible),
    ("The one that shines", Label::NotSensible),
];

/// Votes of five, in the order specific, sensible, not sensible, that show what a majority does.
const VOTES: [[u32; 3]; 5] = [[5, 0, 0], [3, 2, 0], [2, 1, 2], [2, 0, 3], [2, 2, 0]];

/// The section.
pub(super) fn section() -> Section {
    let yes = |yes: bool| if yes { "1" } else { "0" }.to_owned();
    let mut table = Table::new(["response", "sensible", "specific", "mean"]);
    for (response, label) in RESPONSES {
        let row =
            [yes(label.is_sensible()), yes(label.is_specific()), format!("{:.1}", label.ssa())];
        table.rows.push([vec![response.to_owned()], row.to_vec()].concat());
    }
    let mean = |of: fn(Label) -> f64| {
        let sum: f64 = RESPONSES.iter().map(|(_, label)| of(*label)).sum();
        format!("{:.2}", sum / RESPONSES.len() as f64)
    };
    table.summary = true;
    table.rows.push(vec![
        "all: sensibleness, specificity, SSA".to_owned(),
        mean(|label| f64::from(label.is_sensible())),
        mean(|label| f64::from(label.is_specific())),
        mean(Label::ssa),
    ]);
    let mut votes = Table::new(["five raters say", "makes sense", "is specific", "label"]);
    for [specific, sensible, nonsense] in VOTES {
        let ballot = ballot([specific, sensible, nonsense]);
        let name = match ballot.label(Required::default()) {
            Some(Label::Specific) => "sensible and specific",
            Some(Label::Sensible) => "sensible",
            Some(Label::NotSensible) => "not sensible",
            None => "undecided: left out, and counted",
        };
        let of = |yes: u32, no: u32| format!("{yes} of {}", yes + no);
        votes.rows.push(vec![
            format!("{specific} specific, {sensible} only sensible, {nonsense} no sense"),
            of(ballot.sensible.yes, ballot.sensible.no),
            of(ballot.specific.yes, ballot.specific.no),
            name.to_owned(),
        ]);
    }
    let context = CONTEXT.map(|turn| format!("“{turn}”")).join(" – ");
    Section::new("rubric", "The rubric, worked through")
        .with(Block::Text(format!(
            "The example of the talk “Learning from Unlabeled Data”. The conversation so far: {context} What is \
             said next gets two answers: does it make sense, and, only if so, is it specific to this context?"
        )))
        .with(Block::Table(table))
        .with(Block::Text(
            "Each response is rated by five people. More than half of the five decide each question, and what \
             makes no sense is not specific."
                .to_owned(),
        ))
        .with(Block::Table(votes))
}

/// The ballot of so many raters who say specific, sensible, and not sensible.
fn ballot(counts: [u32; 3]) -> Ballot {
    let labels = [Label::Specific, Label::Sensible, Label::NotSensible];
    let each = labels.into_iter().zip(counts).flat_map(|(label, n)| (0..n).map(move |_| label));
    let ratings: Vec<Rating> =
        each.zip(1..).map(|(label, n)| Rating::new("x", format!("r{n}"), label.into())).collect();
    Ballot::count(&ratings)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The labels of five votes, by hand.
    #[test]
    fn a_majority_of_five_decides() {
        let label = |counts| ballot(counts).label(Required::default());
        let want = [
            Some(Label::Specific),
            Some(Label::Specific),
            // Three of five find sense, two of five find it specific.
            Some(Label::Sensible),
            Some(Label::NotSensible),
            // Four votes: sense is decided, specificity is not.
            None,
        ];
        assert_eq!(VOTES.map(label), want);
    }
}
