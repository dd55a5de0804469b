//! What a run found, for programs (`result.json`), for reviews (`report.md`), for people
//! (`report.html`, one page with nothing outside it) and for the terminal, with the statistics
//! behind every number.
//!
//! A [`RunResult`] holds the numbers: rows of metrics over seeds, and paired differences between
//! rows. What else a page shows is data as well: [`Section`]s made of [`Block`]s (tables, curves,
//! plots, pictures). The crate draws them and knows nothing of what they are about.
//! `docs/report.md` documents the schema of `result.json`.
//!
//! ```
//! use report::{Block, Comparison, Curve, CurvePoint, Curves, Report, Row, RunResult, Section};
//!
//! let plain = Row::new("plain", "test accuracy", vec![90.1, 91.0, 90.4])?.examples(1000);
//! let better = Row::new("with dropout", "test accuracy", vec![93.0, 93.4, 92.8])?.examples(1000);
//! let result = RunResult {
//!     paper: "dropout".into(),
//!     row: "digits".into(),
//!     seeds: vec![1, 2, 3],
//!     comparisons: vec![Comparison::between("dropout", &better, &plain)?],
//!     rows: vec![plain, better],
//!     ..RunResult::default()
//! };
//! let point = |step, value| CurvePoint { step, loss: None, value: Some(value) };
//! let curve = Curve {
//!     name: "plain".into(),
//!     seed: 1,
//!     points: vec![point(100, 80.0), point(200, 90.1)],
//! };
//! let sections = [Section::new("curves", "Learning curves")
//!     .with(Block::Text("Measured after every epoch.".into()))
//!     .with(Block::Curves(Curves::new("Test accuracy", "%", vec![curve])))];
//!
//! let folder = tempfile::tempdir()?;
//! let report = Report { result: &result, sections: &sections, recipe_toml: "" };
//! let page = report::write(folder.path(), &report)?;
//! assert!(std::fs::read_to_string(page)?.contains("<svg"));
//! assert_eq!(RunResult::load(folder.path())?, result);
//! assert!(report::terminal(&result).contains("with dropout is 2.6 points better than plain"));
//! # Ok::<(), anyhow::Error>(())
//! ```
#![forbid(unsafe_code)]

mod agreement;
mod beside_paper;
mod document;
mod expectation;
mod html;
mod markdown;
mod outcome;
mod plots;
mod result;
mod row;
mod section;
pub mod tables;
mod terminal;
pub mod words;

pub use document::{Document, Report};
pub use expectation::{Checked, Expectation, Subject, Verdict};
pub use html::{document_page, page};
pub use markdown::{document_markdown, markdown};
pub use outcome::{Claim, Outcome, outcome};
pub use result::{Cost, FILE, PaperRow, Role, RunResult, SCHEMA, Versions};
pub use row::{Comparison, Row};
pub use section::{
    Bar, BarChart, Block, Curve, CurvePoint, Curves, Figure, IntervalPlot, IntervalRow, Line,
    LinePlot, Mark, Matrices, Matrix, Measured, Picture, Point, ScatterPlot, Section, Table, Tile,
    TileColour, TileLine, XAxis,
};
pub use terminal::terminal;

use std::path::{Path, PathBuf};

use anyhow::Result;

/// Writes `report.md`, `report.html` and `result.json` into `dir` (which exists), each at once or
/// not at all, and returns the path of `report.html`.
///
/// `result.json` comes last: its presence marks the run as finished, so a process that dies on the
/// way leaves an unfinished run, which the same command finishes.
///
/// # Errors
/// When the result does not hold together ([`RunResult::check`]), a section does not (a picture
/// with the wrong number of bytes, a table with uneven rows, an id that comes twice), or a file
/// cannot be written. Nothing is written unless all of it could be drawn.
pub fn write(dir: &Path, report: &Report<'_>) -> Result<PathBuf> {
    let markdown = markdown(report)?;
    let page = page(report)?;
    atomic_file::write(&dir.join("report.md"), markdown.as_bytes())?;
    let path = dir.join("report.html");
    atomic_file::write(&path, page.as_bytes())?;
    report.result.save(dir)?;
    Ok(path)
}
