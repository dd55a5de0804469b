//! The report's own parts: classes, calibration, thresholds, mistakes, pictures to label next.

use anyhow::Result;
use report::{Block, Curves, Section, Tile, TileLine};

use super::seed::{Outcome, SHOWN};
use crate::run::lists;
use crate::run::measured::Measured;
use crate::run::result::of_first_seed;
use crate::run::sections as parts;

/// The parts of the page, of the first seed but for the curves.
pub(super) fn sections(outcomes: &[Outcome]) -> Result<Vec<Section>> {
    let Some(first) = outcomes.first() else { return Ok(Vec::new()) };
    let seen = first.seen();
    let mut sections = vec![parts::choice(&seen, "images")];
    if let Some(kept) = seen.kept() {
        sections.push(parts::thresholds(&seen, kept, "images"));
        sections.push(parts::per_class(&seen));
        sections.push(parts::confusion(&seen, "images"));
        sections.push(mistakes(first, kept));
    }
    if !first.unlabeled.is_empty() {
        sections.push(label_next(first));
    }
    let of_first = |section| of_first_seed(section, outcomes.len());
    let mut sections: Vec<Section> = sections.into_iter().map(of_first).collect();
    let curves = outcomes.iter().flat_map(|outcome| outcome.curves.clone()).collect();
    let curves = Curves {
        note: Some("Nothing is measured along the training: every label is trained on.".to_owned()),
        ..Curves::new("Validation accuracy", "%", curves)
    };
    sections.push(Section::new("curves", "Learning curves").with(Block::Curves(curves)));
    Ok(sections)
}

/// The mistakes that the kept network is surest of.
fn mistakes(outcome: &Outcome, kept: &Measured) -> Section {
    let section = Section::new("mistakes", "The surest mistakes");
    let mistakes = kept.scores.surest_mistakes();
    if mistakes.is_empty() {
        return section.with(Block::Text("There are none.".to_owned()));
    }
    let class = |class: u32| outcome.classes[class as usize].clone();
    let tiles = mistakes.iter().take(SHOWN).filter_map(|mistake| {
        let wrong = format!("taken for {}", class(mistake.class));
        let right = format!("label {}", class(mistake.truth));
        let percent = format!("{:.0} %", 100.0 * mistake.probability);
        tile(outcome, mistake.id, [(right, String::new()), (wrong, percent)])
    });
    let words = "Look at these first: some are hard, and some are labelled wrongly.";
    section.with(Block::Text(words.to_owned())).with(Block::Tiles(tiles.collect()))
}

/// Which pictures to label next.
fn label_next(outcome: &Outcome) -> Section {
    let class = |class: u32| outcome.classes[class as usize].clone();
    let tiles = lists::shown(&outcome.unlabeled).into_iter().take(SHOWN).filter_map(|found| {
        let percent = |p: f32| format!("{:.0} %", 100.0 * p);
        let first = (class(found.class), percent(found.probability));
        let second = (class(found.second), percent(found.probability - found.margin));
        tile(outcome, &found.id, [first, second])
    });
    Section::new("label-next", "Pictures to label next")
        .with(Block::Text(lists::about(&outcome.unlabeled, &outcome.choice.row, "pictures")))
        .with(Block::Tiles(tiles.collect()))
}

/// A picture with its name and two lines; nothing where there is no copy of it.
fn tile(outcome: &Outcome, id: &str, lines: [(String, String); 2]) -> Option<Tile> {
    let picture = outcome.pictures.get(id)?.clone();
    let name = id.rsplit('/').next().unwrap_or(id).to_owned();
    let named = TileLine { text: name, ..TileLine::default() };
    let line = |(text, value)| TileLine { text, value, ..TileLine::default() };
    let lines = std::iter::once(named).chain(lines.map(line)).collect();
    Some(Tile { picture, alt: id.to_owned(), lines })
}
