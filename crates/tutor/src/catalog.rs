//! The recipes that the program carries with it.

use anyhow::{Context, Result, bail};

/// Name and text of every recipe, by name.
pub(crate) const RECIPES: &[(&str, &str)] = &[
    ("fixmatch/cifar10", include_str!("../recipes/fixmatch/cifar10.toml")),
    ("fixmatch/folder", include_str!("../recipes/fixmatch/folder.toml")),
    ("label-propagation/points", include_str!("../recipes/label-propagation/points.toml")),
    ("noisy-student/cifar10", include_str!("../recipes/noisy-student/cifar10.toml")),
    ("noisy-student/cifar10-small", include_str!("../recipes/noisy-student/cifar10-small.toml")),
    ("noisy-student/digits", include_str!("../recipes/noisy-student/digits.toml")),
    ("noisy-student/folder", include_str!("../recipes/noisy-student/folder.toml")),
    ("noisy-student/imagenet", include_str!("../recipes/noisy-student/imagenet.toml")),
    (
        "noisy-student/imagenet-students",
        include_str!("../recipes/noisy-student/imagenet-students.toml"),
    ),
    ("noisy-student/svhn", include_str!("../recipes/noisy-student/svhn.toml")),
    ("ssl-benchmark/digits", include_str!("../recipes/ssl-benchmark/digits.toml")),
    ("uda/cifar10", include_str!("../recipes/uda/cifar10.toml")),
    ("uda/cifar10-small", include_str!("../recipes/uda/cifar10-small.toml")),
    ("uda/digits", include_str!("../recipes/uda/digits.toml")),
    ("uda/svhn", include_str!("../recipes/uda/svhn.toml")),
];

/// The text of a recipe: of a file, of `paper/row`, or of the default row of a paper.
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
    let nearest = RECIPES.iter().map(|(known, _)| (strsim::jaro_winkler(name, known), known));
    let nearest = nearest.max_by(|a, b| a.0.total_cmp(&b.0)).map_or("", |(_, known)| known);
    bail!("there is no recipe {name}; did you mean {nearest}? `tutor list` shows all of them")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::recipe::AnyRecipe;

    #[test]
    fn every_recipe_reads_both_ways_and_bears_its_name() {
        for (name, text) in RECIPES {
            for quick in [false, true] {
                let recipe = AnyRecipe::resolve(text, quick, false, &[])
                    .unwrap_or_else(|e| panic!("{name}: {e:#}"));
                assert_eq!(recipe.name(), *name);
                let again = AnyRecipe::resolve(&recipe.to_toml().expect("text"), false, false, &[])
                    .expect("the resolved text");
                assert_eq!(
                    recipe.to_toml().expect("text"),
                    again.to_toml().expect("text"),
                    "{name}"
                );
            }
        }
    }

    #[test]
    fn one_recipe_a_paper_is_the_default() {
        assert!(find("noisy-student").expect("a default").contains("noisy-student/digits"));
        let error = find("noisy-student/digit").expect_err("unknown").to_string();
        assert!(error.contains("noisy-student/digits"), "{error}");
    }
}
