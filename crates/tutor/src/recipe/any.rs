//! The kinds of recipes: Noisy Student's loop of trainings, tables of methods that train step by step, and the same on points.

use anyhow::Result;

use super::edit::{self, Override};
use super::methods::MethodsRecipe;
use super::points::PointsRecipe;
use super::{DataConfig, Recipe};

/// Any recipe. One with a part `[train]` is a table of methods, one with a part `[points]` has points for images.
#[derive(Clone, Debug)]
pub(crate) enum AnyRecipe {
    NoisyStudent(Box<Recipe>),
    Methods(Box<MethodsRecipe>),
    Points(Box<PointsRecipe>),
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
        Ok(if table.contains_key("points") {
            Self::Points(Box::new(PointsRecipe::from_table(&table)?))
        } else if table.contains_key("train") {
            Self::Methods(Box::new(MethodsRecipe::from_table(&table)?))
        } else {
            Self::NoisyStudent(Box::new(Recipe::from_table(&table)?))
        })
    }

    /// `paper/row`.
    pub(crate) fn name(&self) -> &str {
        match self {
            Self::NoisyStudent(recipe) => &recipe.name,
            Self::Methods(recipe) => &recipe.name,
            Self::Points(recipe) => &recipe.name,
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
            Self::Points(recipe) => &recipe.about,
        }
    }

    /// Whether it is the one meant when only the paper is named.
    pub(crate) fn is_default(&self) -> bool {
        match self {
            Self::NoisyStudent(recipe) => recipe.default,
            Self::Methods(recipe) => recipe.default,
            Self::Points(recipe) => recipe.default,
        }
    }

    /// Where its images come from, if it is about images.
    pub(crate) fn data(&mut self) -> Option<&mut DataConfig> {
        match self {
            Self::NoisyStudent(recipe) => Some(&mut recipe.data),
            Self::Methods(recipe) => Some(&mut recipe.data),
            Self::Points(_) => None,
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
            Self::Points(recipe) => {
                recipe.rows.iter().map(|row| (row.name.as_str(), row.about.as_str())).collect()
            }
        }
    }

    /// The resolved recipe as text: running it again is the same run.
    pub(crate) fn to_toml(&self) -> Result<String> {
        Ok(match self {
            Self::NoisyStudent(recipe) => recipe.to_toml()?,
            Self::Methods(recipe) => toml::to_string_pretty(recipe)?,
            Self::Points(recipe) => toml::to_string_pretty(recipe)?,
        })
    }
}
