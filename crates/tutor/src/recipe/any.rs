//! The two kinds of recipes: Noisy Student's loop of trainings, and tables of methods that train step by step.

use anyhow::Result;

use super::edit::{self, Override};
use super::methods::MethodsRecipe;
use super::{DataConfig, Recipe};

/// Any recipe. One with a part `[train]` is a table of methods.
#[derive(Clone, Debug)]
pub(crate) enum AnyRecipe {
    NoisyStudent(Box<Recipe>),
    Methods(Box<MethodsRecipe>),
}

impl AnyRecipe {
    /// Reads a recipe, applies `--quick` and the overrides, and checks the result.
    ///
    /// A quick run is on generated images where the recipe's own data have to be brought, unless they are there.
    pub(crate) fn resolve(
        text: &str,
        quick: bool,
        data_is_there: bool,
        overrides: &[Override],
    ) -> Result<Self> {
        let table = edit::resolved(text, quick, data_is_there, overrides)?;
        Ok(match table.contains_key("train") {
            true => Self::Methods(Box::new(MethodsRecipe::from_table(&table)?)),
            false => Self::NoisyStudent(Box::new(Recipe::from_table(&table)?)),
        })
    }

    /// `paper/row`.
    pub(crate) fn name(&self) -> &str {
        match self {
            Self::NoisyStudent(recipe) => &recipe.name,
            Self::Methods(recipe) => &recipe.name,
        }
    }

    /// `paper` of `paper/row`.
    pub(crate) fn paper(&self) -> &str {
        self.name().split('/').next().unwrap_or_default()
    }

    pub(crate) fn about(&self) -> &str {
        match self {
            Self::NoisyStudent(recipe) => &recipe.about,
            Self::Methods(recipe) => &recipe.about,
        }
    }

    /// Whether it is the one meant when only the paper is named.
    pub(crate) fn is_default(&self) -> bool {
        match self {
            Self::NoisyStudent(recipe) => recipe.default,
            Self::Methods(recipe) => recipe.default,
        }
    }

    pub(crate) fn data(&mut self) -> &mut DataConfig {
        match self {
            Self::NoisyStudent(recipe) => &mut recipe.data,
            Self::Methods(recipe) => &mut recipe.data,
        }
    }

    /// Name and meaning of each further row.
    pub(crate) fn rows(&self) -> Vec<(&str, &str)> {
        match self {
            Self::NoisyStudent(recipe) => {
                recipe.rows.iter().map(|(name, row)| (name.as_str(), row.about.as_str())).collect()
            }
            Self::Methods(recipe) => {
                recipe.rows.iter().map(|row| (row.name.as_str(), row.about.as_str())).collect()
            }
        }
    }

    /// The resolved recipe as text: running it again is the same run.
    pub(crate) fn to_toml(&self) -> Result<String> {
        Ok(match self {
            Self::NoisyStudent(recipe) => recipe.to_toml()?,
            Self::Methods(recipe) => toml::to_string_pretty(recipe)?,
        })
    }
}
