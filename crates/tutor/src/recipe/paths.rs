//! Paths in recipes, as they stand in the recipe of a run.

use std::path::Path;

use anyhow::{Context, Result};

/// What is asked for as it can be found from anywhere: a path to what is there made absolute; a
/// name of a cache, and what is not there, as it is.
pub(crate) fn from_anywhere(asked: &str) -> Result<String> {
    if asked.is_empty() || !Path::new(asked).exists() {
        return Ok(asked.to_owned());
    }
    let path = std::path::absolute(asked).with_context(|| asked.to_owned())?;
    Ok(utf8(&path)?.to_owned())
}

/// A path as a recipe has it, which is text.
pub(crate) fn utf8(path: &Path) -> Result<&str> {
    let text = path.to_str();
    text.with_context(|| format!("{}: a recipe can only name paths in UTF-8", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_there_is_made_absolute() {
        // Tests run in the folder of the crate.
        let found = from_anywhere("src/main.rs").expect("a path");
        assert!(Path::new(&found).is_absolute() && found.ends_with("src/main.rs"), "{found}");
        for name in ["", "bert-base-uncased", "src/no.rs"] {
            assert_eq!(from_anywhere(name).expect("a name"), name);
        }
    }
}
