//! The course of a training, read back from its record.

use std::path::Path;

use anyhow::Result;
use report::{Curve, CurvePoint};
use train::record;

use super::processes;

/// Loss and one evaluated metric over steps. `dir` is the training's folder, `name` what the report
/// calls it, `metric` a name that its evaluations give.
pub(crate) fn read(dir: &Path, name: &str, seed: u64, metric: &str) -> Result<Curve> {
    processes::from_first(|| read_here(dir, name, seed, metric))
}

fn read_here(dir: &Path, name: &str, seed: u64, metric: &str) -> Result<Curve> {
    let path = dir.join(record::FILE);
    let mut points: Vec<CurvePoint> = Vec::new();
    // A network that was given has no record.
    let rows = if path.exists() { record::read(&path)? } else { Vec::new() };
    for row in rows {
        let found = |name: &str| row.values.get(name).copied().flatten();
        let (loss, value) = (found("loss"), found(&format!("eval/{metric}")));
        match points.last_mut().filter(|last| last.step == row.step) {
            Some(last) => {
                last.loss = last.loss.or(loss);
                last.value = last.value.or(value);
            }
            None => points.push(CurvePoint { step: row.step, loss, value }),
        }
    }
    Ok(Curve { name: name.to_owned(), seed, points })
}

/// Every evaluation of a training as the values of some metrics, those it gives.
pub(crate) fn evaluations<const N: usize>(
    dir: &Path,
    metrics: [&str; N],
) -> Result<Vec<[Option<f64>; N]>> {
    // Rank 0 alone keeps a record.
    let rows = processes::from_first(|| Ok(record::read(&dir.join(record::FILE))?))?;
    let values = rows
        .iter()
        .map(|row| metrics.map(|name| row.values.get(&format!("eval/{name}")).copied().flatten()));
    Ok(values.filter(|values| values.iter().any(Option::is_some)).collect())
}
