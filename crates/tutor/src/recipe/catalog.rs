//! The recipes that the program carries with it.

use anyhow::{Context, Result, bail};

use super::edit::nearest;

// Name and text of every file `recipes/<paper>/<row>.toml`, by name.
include!(concat!(env!("OUT_DIR"), "/recipes.rs"));

/// The text of a recipe: of a file, of `paper/row` or `paper-row`, or of the default row of a
/// paper: the one for data that somebody names, if `with_data` says so and there is one.
pub(crate) fn find(name: &str, with_data: bool) -> Result<String> {
    if name.ends_with(".toml") {
        return std::fs::read_to_string(name)
            .with_context(|| format!("cannot read the recipe {name}"));
    }
    if let Some((_, text)) = RECIPES.iter().find(|(known, _)| *known == name) {
        return Ok((*text).to_owned());
    }
    let keys: &[&str] = if with_data { &["default_with_data", "default"] } else { &["default"] };
    for key in keys {
        let of_paper = RECIPES.iter().filter(|(known, _)| known.split('/').next() == Some(name));
        for (_, text) in of_paper {
            let table: toml::Table = toml::from_str(text).with_context(|| name.to_owned())?;
            if table.get(*key).and_then(toml::Value::as_bool) == Some(true) {
                return Ok((*text).to_owned());
            }
        }
    }
    // `meena-sweep` for `meena/sweep`.
    if let Some((_, text)) = RECIPES.iter().find(|(known, _)| known.replace('/', "-") == name) {
        return Ok((*text).to_owned());
    }
    let nearest = nearest(name, RECIPES.iter().map(|(known, _)| *known)).unwrap_or_default();
    bail!("there is no recipe {name}; did you mean {nearest}? `tutor list` shows all of them")
}

#[cfg(test)]
mod tests {
    use super::find;

    #[test]
    fn a_papers_recipe_is_the_one_for_data_that_is_named() {
        let found = |name, with_data| {
            let table: toml::Table =
                toml::from_str(&find(name, with_data).expect("it")).expect("TOML");
            table["name"].as_str().expect("a name").to_owned()
        };
        for (paper, without, with) in [
            ("meena", "meena/conversations", "meena/dialogues"),
            ("electra", "electra/addresses", "electra/imdb"),
            ("uda-text", "uda-text/topics", "uda-text/imdb"),
            ("noisy-student", "noisy-student/digits", "noisy-student/digits"),
            ("meena/conversations", "meena/conversations", "meena/conversations"),
        ] {
            assert_eq!((found(paper, false), found(paper, true)), (without.into(), with.into()));
        }
    }
}
