//! One seed: all rows, each with its numbers of labels.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::{Context, Result};

use super::recipe::{From, Row};
use super::start::Source;
use super::training::{self, Given, Training};
use crate::run::seeds::SeedRun;
use crate::text::augmentation::Changes;
use crate::text::texts::Texts;

/// Trains and measures all rows; `root` is the folder of the run.
pub(super) fn run(
    rows: &[Row],
    (texts, changes): (&Texts, &Changes),
    sources: &mut BTreeMap<From, Source>,
    root: &Path,
    run: &mut SeedRun<'_, '_>,
) -> Result<Vec<Training>> {
    let dir = run.dir.clone();
    let mut found = Vec::new();
    for (i, Row { name, recipe, labels }) in rows.iter().enumerate() {
        run.part(&format!("row {} of {}", i + 1, rows.len()));
        let source = sources.get_mut(&recipe.start.from).context("what a row starts from")?;
        if recipe.start.pretrain {
            source.pretrain(recipe, (texts, root), run)?;
        }
        for &labels in labels {
            let dir = dir.join(name).join(format!("{labels}-labels"));
            let given = Given { texts, source, changes };
            found.push(training::run((name, recipe, labels), given, &dir, run)?);
        }
    }
    Ok(found)
}
