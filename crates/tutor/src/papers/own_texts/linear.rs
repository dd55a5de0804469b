//! The rows without a network: linear classifiers of words, and of what unlabelled texts tell about
//! words.

use std::cell::OnceCell;
use std::path::Path;
use std::sync::Arc;

use anyhow::{Context, Result};
use data_pipeline::dataset::Samples;
use data_pipeline::text::{TextSet, Texts};

use super::parts::Parts;
use super::recipe::{LATENT, Recipe, WORDS};
use crate::run::predictions::Predictions;
use crate::run::scores::Scores;
use crate::run::seeds::{self, SeedRun};
use crate::text::linear::{Fitted, Linear, Points, Space};

/// The linear rows of a seed.
pub(super) struct Linears {
    rows: Vec<Row>,
    /// The class of each labelled text.
    labels: Vec<u32>,
    unlabeled: Arc<TextSet>,
    classes: usize,
    seed: u64,
    /// Why a row of the recipe is not there, in words.
    left_out: Option<String>,
}

struct Row {
    name: &'static str,
    space: Space,
    labeled: Points,
    /// The unlabelled texts, once they are asked for.
    unlabeled: OnceCell<Points>,
}

/// Texts that directions are learned from at most: more change them little, and take memory.
const MOST_TEXTS: usize = 50_000;
/// With so many labels more directions are worth their time.
const MANY: usize = 1_000;

impl Linears {
    /// The rows of a recipe; `latent-semantic` is left out where no term is in enough texts.
    pub(super) fn new(recipe: &Recipe, parts: &Parts, run: &SeedRun<'_, '_>) -> Result<Self> {
        let labeled = texts(&parts.labeled);
        let classes = parts.labeled.classes().len();
        let (mut rows, mut left_out) = (Vec::new(), None);
        let mut add = |name, space: Space| {
            let labeled = space.points(&labeled);
            rows.push(Row { name, space, labeled, unlabeled: OnceCell::new() });
        };
        if let Some(options) = recipe.words {
            add(WORDS, Space::of_terms(&labeled, options, classes));
        }
        if let Some(options) = recipe.latent_semantic {
            let mut all = labeled.clone();
            let unlabeled = texts(&parts.unlabeled);
            let every = unlabeled.len().div_ceil(MOST_TEXTS).max(1);
            all.extend(unlabeled.into_iter().step_by(every));
            torch::rng::seed(seeds::key(run.seed, LATENT));
            let most = if labeled.len() < MANY { 100 } else { 200 };
            match Space::latent(&all, options, (most, classes))? {
                Some(space) => add(LATENT, space),
                None => {
                    let unit = parts.unit();
                    left_out = Some(format!(
                        "{LATENT} is left out, as no word is in {} {unit} or more \
                         (latent_semantic.texts): a word is two or more letters or digits in a row",
                        options.texts
                    ));
                }
            }
        }
        let labels: Option<Vec<u32>> =
            (0..parts.labeled.len()).map(|i| parts.labeled.label(i)).collect();
        Ok(Self {
            rows,
            labels: labels.context("a labelled text has no label")?,
            unlabeled: parts.unlabeled.clone(),
            classes,
            seed: seeds::key(run.seed, "linear"),
            left_out,
        })
    }

    /// Why a row of the recipe is not there, in words.
    pub(super) fn left_out(&self) -> Option<&str> {
        self.left_out.as_deref()
    }

    /// The names of the rows.
    pub(super) fn names(&self) -> impl Iterator<Item = &'static str> {
        self.rows.iter().map(|row| row.name)
    }

    /// The classifier of a row, of the labelled texts at these positions.
    pub(super) fn fit(&self, name: &str, at: &[usize]) -> Result<Fitted> {
        let labels = (&self.labels[..], self.classes);
        Fitted::to(&self.row(name)?.labeled, labels, at, self.seed)
    }

    /// What it says of the unlabelled texts.
    pub(super) fn unlabeled(&self, name: &str, fitted: &Fitted) -> Result<Predictions> {
        let row = self.row(name)?;
        let points = row.unlabeled.get_or_init(|| row.space.points(&texts(&self.unlabeled)));
        Predictions::new(self.classes, fitted.probabilities(points))
    }

    /// What it says of texts whose class is known.
    pub(super) fn scores(&self, name: &str, fitted: &Fitted, set: &TextSet) -> Result<Scores> {
        let points = self.row(name)?.space.points(&texts(set));
        let said = Predictions::new(self.classes, fitted.probabilities(&points))?;
        let all = 0..set.len();
        Ok(Scores::of(all.clone().map(|i| set.id(i)), all.map(|i| set.label(i)), &said))
    }

    /// Keeps a classifier in its row's folder.
    pub(super) fn keep(&self, name: &str, fitted: &Fitted, dir: &Path) -> Result<()> {
        Linear::keep(dir, &self.row(name)?.space, fitted)
    }

    /// What a row's classifier is made of, in words.
    pub(super) fn describe(&self, name: &str, fitted: &Fitted) -> Result<String> {
        let space = &self.row(name)?.space;
        let (terms, directions) = space.size();
        let mut of = match directions {
            None => format!("{terms} words and pairs of words of the labelled texts"),
            Some(_) => {
                let (directions, power) = fitted.projected();
                let weight = match power {
                    0 => "",
                    1 => ", weighed by how much they do",
                    _ => ", weighed by the square of how much they do",
                };
                format!(
                    "{terms} words and pairs of words and {directions} directions in which they \
                     vary over the labelled and unlabelled texts{weight} (latent semantic analysis)"
                )
            }
        };
        if space.has_pairs() {
            of += ", of each text of a pair, of both, and how alike the two are";
        }
        let c = fitted.c;
        Ok(format!("{name}: logistic regression on {of}, C = {c}"))
    }

    /// What was chosen for a row's classifier, in words.
    pub(super) fn chosen(&self, name: &str, fitted: &Fitted) -> Result<String> {
        let c = fitted.c;
        Ok(match self.row(name)?.space.size().1 {
            None => format!("C = {c}"),
            Some(_) => {
                let (directions, power) = fitted.projected();
                let weight = match power {
                    0 => "",
                    1 => " weighed by their spread",
                    _ => " weighed by the square of their spread",
                };
                format!("C = {c}, {directions} directions{weight}")
            }
        })
    }

    fn row(&self, name: &str) -> Result<&Row> {
        self.rows.iter().find(|row| row.name == name).with_context(|| format!("a row {name}"))
    }
}

fn texts(set: &TextSet) -> Vec<&Texts> {
    set.examples().iter().map(|example| &example.texts).collect()
}
