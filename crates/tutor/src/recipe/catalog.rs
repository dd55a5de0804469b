//! The recipes that the program carries with it.

use std::path::Path;

use anyhow::{Context, Result, bail, ensure};

use super::near::near;

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
    let of_run = Path::new(name).join("recipe.toml");
    ensure!(
        !of_run.is_file(),
        "{name} is the folder of a run: name its recipe, {}",
        of_run.display()
    );
    ensure!(
        !Path::new(name).is_file(),
        "{name} is no recipe: the name of a recipe's file must end in .toml"
    );
    let known =
        RECIPES.iter().flat_map(|(known, _)| known.split('/').next().into_iter().chain([*known]));
    match near(name, known) {
        Some(near) => {
            bail!("there is no recipe {name}; did you mean {near}? `tutor list` shows all of them")
        }
        None => bail!("there is no recipe {name}: `tutor list` shows all of them"),
    }
}

#[cfg(test)]
mod tests {
    use super::find;

    #[test]
    fn only_a_name_that_may_be_meant_is_proposed() {
        let said = |name| find(name, false).expect_err(name).to_string();
        for (name, meant) in [
            ("Noisy-Student", "mean noisy-student?"),
            ("noisy-student/digit", "mean noisy-student/digits?"),
            ("fixmacth", "mean fixmatch?"),
            ("noisy", "mean noisy-student?"),
        ] {
            assert!(said(name).contains(meant), "{}", said(name));
        }
        for name in ["nosuch", "d", "", "imagenet-22k"] {
            assert!(!said(name).contains("did you mean"), "{}", said(name));
            assert!(said(name).contains("tutor list"), "{}", said(name));
        }
    }

    #[test]
    fn the_folder_of_a_run_is_told_from_a_recipe() {
        let run = tempfile::tempdir().expect("a folder");
        std::fs::write(run.path().join("recipe.toml"), "").expect("written");
        let name = run.path().to_str().expect("UTF-8");
        let said = find(name, false).expect_err("a run").to_string();
        assert!(said.ends_with("recipe.toml") && said.contains("folder of a run"), "{said}");
    }

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
