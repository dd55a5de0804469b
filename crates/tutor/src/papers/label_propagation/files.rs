//! Which files a run's pictures are.

use std::path::{Path, PathBuf};

use data_pipeline::dataset::points::Shape;

use super::recipe::{Recipe, RowConfig};

/// The folder of a training below its seed's.
pub(super) fn place(shape: Shape, row: &RowConfig) -> String {
    format!("{}/{}", shape.name(), row.name)
}

/// The file of a film below its seed's folder.
pub(super) fn film_of(shape: Shape, row: &RowConfig) -> PathBuf {
    PathBuf::from(format!("{}-{}.png", shape.name(), row.name))
}

/// The file of all rows' stills below their seed's folder.
pub(super) fn sheet_of(shape: Shape) -> PathBuf {
    PathBuf::from(format!("{}.png", shape.name()))
}

/// The file of a field of probabilities below its training's folder.
pub(super) fn field(dir: &Path, step: u64) -> PathBuf {
    dir.join("fields").join(format!("{step:08}.png"))
}

/// After how many steps the boundary is drawn.
pub(super) fn moments(recipe: &Recipe) -> Vec<u64> {
    let (every, steps) = (recipe.cadence.evaluate, recipe.train.steps);
    let drawn = |step: &u64| *step == steps || step.is_multiple_of(every);
    (1..=steps).filter(drawn).collect()
}

/// Which of `n` moments stand in the table: the first, the last, and some between, earlier ones
/// denser.
pub(super) fn chosen(n: usize) -> [usize; 5] {
    [0.0, 0.1, 0.25, 0.5, 1.0].map(|part| ((n - 1) as f64 * part).round() as usize)
}
