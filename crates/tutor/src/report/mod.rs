//! The report of a run: `result.json` for programs, `report.md` for terminals and reviews, and one
//! self-contained `report.html` for people. docs/report.md documents the schema.
//!
//! [`result`] and [`visuals`] are what a command fills in; everything else only reads them.

mod growth;
pub(crate) mod html;
pub(crate) mod markdown;
pub(crate) mod paper;
pub(crate) mod plots;
pub(crate) mod result;
pub(crate) mod robustness;
mod spread;
pub(crate) mod stats;
pub(crate) mod tables;
pub(crate) mod terminal;
#[cfg(test)]
mod tests;
pub(crate) mod visuals;
pub(crate) mod words;

use std::path::{Path, PathBuf};

use anyhow::Result;

use result::RunResult;
use visuals::Visuals;

/// Writes `report.md`, `report.html` and `result.json` into `dir` (which exists), each at once or
/// not at all, and returns the path of `report.html`.
///
/// `result.json` comes last: its presence marks the run as finished, so a process that dies on the
/// way leaves an unfinished run, which the same command finishes.
///
/// `recipe_toml` is the resolved recipe, shown in full at the end of the page.
///
/// # Errors
/// When the result does not hold together ([`RunResult::check`]), a picture has the wrong number of
/// bytes, or a file cannot be written.
pub(crate) fn write(
    dir: &Path,
    result: &RunResult,
    visuals: &Visuals,
    recipe_toml: &str,
) -> Result<PathBuf> {
    result.check()?;
    let markdown = markdown::document(result, visuals);
    let page = html::page(result, visuals, recipe_toml)?;
    result::write_atomically(&dir.join("report.md"), markdown.as_bytes())?;
    let page = result::write_atomically(&dir.join("report.html"), page.as_bytes())?;
    result.save(dir)?;
    Ok(page)
}
