//! The texts of the raters' page, in English or from a file.

use crate::error::{Error, Result};
use std::collections::BTreeMap;

const ENGLISH: &str = include_str!("../texts/en.toml");

/// Texts by their names.
#[derive(Clone, Debug)]
pub(crate) struct Texts {
    all: BTreeMap<String, String>,
    missing: Vec<String>,
}

impl Default for Texts {
    fn default() -> Self {
        let all = toml::from_str(ENGLISH).expect("the texts of this crate are TOML of this form");
        Self { all, missing: vec![] }
    }
}

impl Texts {
    /// Reads a translation of `texts/en.toml`. What it lacks stays English.
    pub(crate) fn from_toml(text: &str) -> Result<Self> {
        let given: BTreeMap<String, String> =
            toml::from_str(text).map_err(|error| Error::Invalid(format!("texts: {error}")))?;
        let mut texts = Self::default();
        let unknown: Vec<&str> = given
            .keys()
            .filter(|name| !texts.all.contains_key(*name))
            .map(String::as_str)
            .collect();
        if !unknown.is_empty() {
            return Err(Error::Invalid(format!(
                "texts: no such names: {} (see texts/en.toml)",
                unknown.join(", ")
            )));
        }
        for (name, text) in &given {
            let wanted = holes(&texts.all[name]);
            if let Some(hole) = holes(text).into_iter().find(|hole| !wanted.contains(hole)) {
                return Err(Error::Invalid(format!("texts: {name} has an unknown {hole}")));
            }
        }
        if !given.get("direction").is_none_or(|way| matches!(way.as_str(), "ltr" | "rtl")) {
            return Err(Error::invalid("texts: direction is ltr or rtl"));
        }
        texts.missing =
            texts.all.keys().filter(|name| !given.contains_key(*name)).cloned().collect();
        texts.all.extend(given);
        Ok(texts)
    }

    /// The names that a translation lacks.
    pub(crate) fn missing(&self) -> &[String] {
        &self.missing
    }

    /// A text.
    ///
    /// # Panics
    /// When there is none of this name, which is a bug.
    pub(crate) fn get(&self, name: &str) -> &str {
        self.all.get(name).unwrap_or_else(|| panic!("texts/en.toml has no {name}"))
    }

    /// All names and texts.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.all.iter().map(|(name, text)| (name.as_str(), text.as_str()))
    }
}

/// The `{names}` in a text.
fn holes(text: &str) -> Vec<&str> {
    let mut holes = Vec::new();
    let mut rest = text;
    while let Some((_, after)) = rest.split_once('{') {
        let Some((hole, behind)) = after.split_once('}') else { break };
        holes.push(hole);
        rest = behind;
    }
    holes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_translation_is_checked() {
        let german = Texts::from_toml("language = \"de\"\nyes = \"Ja\"").expect("right names");
        assert_eq!(german.get("yes"), "Ja");
        assert_eq!(german.get("no"), "No");
        assert!(german.missing().contains(&"no".to_owned()));
        for (text, fault) in [
            ("yse = \"Ja\"", "yse"),
            ("progress = \"{done} {off}\"", "off"),
            ("direction = \"up\"", "direction"),
            ("yes = ", "texts"),
        ] {
            let error = Texts::from_toml(text).expect_err(fault).to_string();
            assert!(error.contains(fault), "{error}");
        }
    }

    #[test]
    fn the_page_names_only_texts_that_there_are() {
        let texts = Texts::default();
        for script in [
            include_str!("../assets/rater.js"),
            include_str!("../assets/items.js"),
            include_str!("../assets/chat.js"),
        ] {
            for part in script.split("text(\"").skip(1) {
                let name = part.split('"').next().unwrap_or_default();
                assert!(texts.all.contains_key(name), "{name}");
            }
        }
    }
}
