//! Label propagation's own section of a report: decision boundaries on points of the plane while
//! the networks learn.

use report::words::count;
use report::{Block, Figure, Section};

/// Some methods on the same points.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Strip {
    /// What the points are.
    pub(super) title: String,
    /// The columns of the sheet: after how many steps.
    pub(super) steps: Vec<u64>,
    /// A PNG: a row for each method, a column for each moment.
    pub(super) sheet: Vec<u8>,
    /// Each method from its first step to its last, in the order of the sheet's rows.
    pub(super) films: Vec<Film>,
}

/// A method while it learns.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Film {
    /// The method.
    pub(super) name: String,
    /// What it does, in a few words.
    pub(super) about: String,
    /// An animated PNG.
    pub(super) png: Vec<u8>,
}

/// Films side by side, and below them all methods at the same moments.
pub(super) fn spread(strips: &[Strip]) -> Section {
    let mut section = Section::new("spread", "How the boundary spreads");
    for strip in strips {
        let film = |film: &Film| Figure {
            title: film.name.clone(),
            about: film.about.clone(),
            alt: format!("{}, {} while it learns", strip.title, film.name),
            png: film.png.clone(),
            wide: false,
        };
        let sheet = Figure {
            title: String::new(),
            about: String::new(),
            alt: format!("{}, all methods at the same moments", strip.title),
            png: strip.sheet.clone(),
            wide: true,
        };
        let names: Vec<_> = strip.films.iter().map(|film| film.name.as_str()).collect();
        let steps: Vec<_> = strip.steps.iter().map(|&step| count(step)).collect();
        let caption =
            format!("Rows: {}. Columns: after {} steps.", names.join(", "), steps.join(", "));
        let films = strip.films.iter().map(film);
        section = section
            .with(Block::Heading(strip.title.clone()))
            .with(Block::Figures(films.chain([sheet]).collect()))
            .with(Block::Caption(caption));
    }
    if strips.is_empty() {
        return section;
    }
    section.with(Block::Caption(
        "Large points are labelled, small ones are not. Colour is the class predicted at a place, \
         stronger where its probability is higher; on the dark line both are equally probable. \
         Pictures are of the first seed."
            .into(),
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn films_come_before_the_sheet_and_the_caption_names_its_rows_and_columns() {
        let film = |name: &str| Film { name: name.into(), about: String::new(), png: vec![1] };
        let strip = Strip {
            title: "moons".into(),
            steps: vec![1, 2000],
            sheet: vec![2],
            films: vec![film("supervised"), film("vat")],
        };
        let section = spread(&[strip]);
        assert_eq!(section.blocks[0], Block::Heading("moons".into()));
        let Block::Figures(figures) = &section.blocks[1] else { panic!("{section:?}") };
        let wide: Vec<bool> = figures.iter().map(|f| f.wide).collect();
        assert_eq!(wide, [false, false, true]);
        let caption = "Rows: supervised, vat. Columns: after 1, 2\u{202f}000 steps.";
        assert_eq!(section.blocks[2], Block::Caption(caption.into()));
        assert!(spread(&[]).blocks.is_empty());
    }
}
