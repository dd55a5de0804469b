//! The recipes that the program carries with it.

use anyhow::{Context, Result, bail};

use super::edit::nearest;

// Name and text of every file `recipes/<paper>/<row>.toml`, by name.
include!(concat!(env!("OUT_DIR"), "/recipes.rs"));

/// The text of a recipe: of a file, of `paper/row` or `paper-row`, or of the default row of a
/// paper.
pub(crate) fn find(name: &str) -> Result<String> {
    if name.ends_with(".toml") {
        return std::fs::read_to_string(name)
            .with_context(|| format!("cannot read the recipe {name}"));
    }
    if let Some((_, text)) = RECIPES.iter().find(|(known, _)| *known == name) {
        return Ok((*text).to_owned());
    }
    let of_paper = RECIPES.iter().filter(|(known, _)| known.split('/').next() == Some(name));
    for (_, text) in of_paper {
        let table: toml::Table = toml::from_str(text).with_context(|| name.to_owned())?;
        if table.get("default").and_then(toml::Value::as_bool) == Some(true) {
            return Ok((*text).to_owned());
        }
    }
    // `meena-sweep` for `meena/sweep`.
    if let Some((_, text)) = RECIPES.iter().find(|(known, _)| known.replace('/', "-") == name) {
        return Ok((*text).to_owned());
    }
    let nearest = nearest(name, RECIPES.iter().map(|(known, _)| *known)).unwrap_or_default();
    bail!("there is no recipe {name}; did you mean {nearest}? `tutor list` shows all of them")
}
