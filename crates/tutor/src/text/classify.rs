//! Classifies texts that are in memory.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::Path;

use anyhow::{Context, Result, ensure};

use crate::run::experiment::{Answer, Predictor};

/// Shows a classifier texts, each of which is judged for itself; hands the answers to `take`, some
/// at a time, in order. `what` are the texts, in the plural.
pub(crate) fn classify_texts(
    network: &dyn Predictor,
    what: &str,
    texts: &[impl AsRef<str>],
    take: &mut dyn FnMut(Vec<Answer>) -> Result<()>,
) -> Result<()> {
    if texts.is_empty() {
        return Ok(());
    }
    let folder = tempfile::tempdir().context("a folder for the texts cannot be made")?;
    let file = folder.path().join("texts.jsonl");
    write(&file, texts).with_context(|| format!("cannot write {}", file.display()))?;
    let about = network.about();
    let shown = network
        .open(&file, false)
        .with_context(|| format!("{about} cannot judge {what}, each of which is one text"))?;
    ensure!(shown.unit() == "texts", "{about} is not shown texts");
    ensure!(shown.len() == texts.len(), "{} {what} are empty", texts.len() - shown.len());
    shown.show(0..shown.len(), take)
}

fn write(file: &Path, texts: &[impl AsRef<str>]) -> std::io::Result<()> {
    let mut out = BufWriter::new(File::create(file)?);
    for text in texts {
        serde_json::to_writer(&mut out, &serde_json::json!({ "text": text.as_ref() }))?;
        out.write_all(b"\n")?;
    }
    out.flush()
}
