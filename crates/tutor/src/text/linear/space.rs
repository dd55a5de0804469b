//! Texts as points: their terms, and projections onto the directions in which these vary.

use anyhow::Result;
use data_pipeline::text::{TermOptions, Terms, Texts};
use torch::Tensor;
use train::{SparseRows, TruncatedSvd};

use crate::run::interrupt;
use crate::text::pair_features;

/// Where texts are points: terms weighted by TF-IDF, and the directions onto which they are
/// projected, if they are.
#[derive(Debug)]
pub(crate) struct Space {
    pub(super) terms: Terms,
    pub(super) directions: Option<Directions>,
    /// Whether its samples are pairs of texts.
    pub(super) pairs: bool,
}

/// Directions onto which terms are projected.
#[derive(Debug)]
pub(super) struct Directions {
    /// float64 `[terms, k]`.
    pub(super) all: Tensor,
    /// How much texts vary along each, in parts of the second one, 1 at most: the first one is
    /// nearly the mean of all texts.
    pub(super) spread: Vec<f64>,
}

/// What of the directions a classifier sees.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Projected {
    /// So many of them; 0 where it sees terms alone.
    pub(super) directions: usize,
    /// The power of their spread that they are multiplied by: with few labels a classifier should
    /// rather go by those along which texts vary much.
    pub(super) power: i32,
}

impl Space {
    /// Every term of these texts is a feature of its own.
    pub(crate) fn of_terms(samples: &[&Texts], options: TermOptions, classes: usize) -> Self {
        let pairs = are_pairs(samples);
        let terms = Terms::of(&each_text(samples), options).keep(most_terms(classes, pairs));
        Self { terms, directions: None, pairs }
    }

    /// Latent semantic analysis (Deerwester et al. 1990): the `k` directions in which the terms of
    /// these texts vary most. None where no term is in enough of them.
    pub(crate) fn latent(
        samples: &[&Texts],
        options: TermOptions,
        (k, classes): (usize, usize),
    ) -> Result<Option<Self>> {
        let (texts, pairs) = (each_text(samples), are_pairs(samples));
        let terms = Terms::of(&texts, options).keep(most_terms(classes, pairs));
        interrupt::check()?;
        if terms.names().is_empty() || texts.is_empty() {
            return Ok(None);
        }
        let svd = TruncatedSvd::of(&SparseRows::new(&terms.rows(&texts), terms.names().len()), k);
        let values = Vec::<f64>::try_from(&svd.values).expect("float64");
        let usual = values[1.min(values.len() - 1)].max(f64::MIN_POSITIVE);
        let spread = values.iter().map(|value| (value / usual).min(1.0)).collect();
        let directions = Some(Directions { all: svd.components, spread });
        Ok(Some(Self { terms, directions, pairs }))
    }

    /// How many terms are known, and onto how many directions they are projected.
    pub(crate) fn size(&self) -> (usize, Option<usize>) {
        (self.terms.names().len(), self.directions.as_ref().map(|of| of.spread.len()))
    }

    /// Whether its samples are pairs of texts.
    pub(crate) fn has_pairs(&self) -> bool {
        self.pairs
    }

    /// Texts or pairs as points.
    pub(crate) fn points(&self, samples: &[&Texts]) -> Points {
        let width = self.terms.names().len();
        let (terms, first) = self.project(&samples.iter().map(|of| &*of.a).collect::<Vec<_>>());
        let spread = || self.directions.as_ref().map_or_else(Vec::new, |of| of.spread.clone());
        let latent = |first, second| Latent { spread: spread(), first, second };
        if !self.pairs {
            return Points { terms, width, latent: first.map(|first| latent(first, None)) };
        }
        let second: Vec<&str> =
            samples.iter().map(|of| of.b.as_deref().unwrap_or_default()).collect();
        let (others, second) = self.project(&second);
        let pair = |(a, b): (&Row, &Row)| pair_features::of_terms(a, b, width as u32);
        Points {
            terms: terms.iter().zip(&others).map(pair).collect(),
            width: pair_features::width(width),
            latent: first.map(|first| latent(first, second)),
        }
    }

    /// Terms and weights of each text, and its projections, row by row, where there are directions.
    fn project(&self, texts: &[&str]) -> (Vec<Row>, Option<Vec<f64>>) {
        let terms = self.terms.rows(texts);
        let latent = self.directions.as_ref().map(|directions| {
            let all = SparseRows::new(&terms, self.terms.names().len()).times(&directions.all);
            Vec::<f64>::try_from(all.reshape([-1])).expect("float64")
        });
        (terms, latent)
    }

    /// How many features a classifier sees that looks at so many directions.
    pub(super) fn features(&self, directions: usize) -> usize {
        let before = self.directions.as_ref().map_or(0, |_| self.of_sample(directions));
        before + self.of_sample(self.terms.names().len())
    }

    /// The numbers of a text or pair, where a text has so many.
    fn of_sample(&self, of_text: usize) -> usize {
        if self.pairs { pair_features::width(of_text) } else { of_text }
    }
}

/// Columns and what stands in them; in all others stands 0.
type Row = Vec<(u32, f32)>;

fn are_pairs(samples: &[&Texts]) -> bool {
    samples.iter().any(|of| of.b.is_some())
}

/// All texts, those of a pair one after the other.
fn each_text<'a>(samples: &[&'a Texts]) -> Vec<&'a str> {
    samples.iter().flat_map(|of| of.iter()).collect()
}

/// Terms at most: the minimiser keeps some twenty matrices of classes and features, and a pair has
/// three of a term.
fn most_terms(classes: usize, pairs: bool) -> usize {
    let features = if pairs { 3 * classes } else { classes };
    ((1 << 22) / features.max(1)).clamp(1 << 12, 1 << 18)
}

/// Texts or pairs as points of a [`Space`].
#[derive(Debug)]
pub(crate) struct Points {
    /// The terms of each text or pair, and their weights.
    pub(super) terms: Vec<Row>,
    /// Below what number the columns of terms are.
    pub(super) width: usize,
    pub(super) latent: Option<Latent>,
}

/// Projections onto directions.
#[derive(Debug)]
pub(super) struct Latent {
    /// How much texts vary along each direction.
    pub(super) spread: Vec<f64>,
    /// Of the texts or the first ones of pairs, row by row.
    first: Vec<f64>,
    /// Of the second texts of pairs.
    second: Option<Vec<f64>>,
}

impl Latent {
    /// What a classifier sees of a text or pair.
    fn features(&self, i: usize, projected: Projected) -> Vec<f32> {
        let k = self.spread.len();
        let one = |all: &[f64]| -> Vec<f32> {
            let weighed = |(x, spread): (&f64, &f64)| x * spread.powi(projected.power);
            let seen = all[i * k..][..projected.directions].iter().zip(&self.spread);
            let seen: Vec<f64> = seen.map(weighed).collect();
            // A text of no known term is the point 0.
            let length = seen.iter().map(|x| x * x).sum::<f64>().sqrt().max(1e-12);
            seen.iter().map(|x| (x / length) as f32).collect()
        };
        match &self.second {
            None => one(&self.first),
            Some(second) => pair_features::of_directions(&one(&self.first), &one(second)),
        }
    }

    /// How many numbers these are.
    fn width(&self, directions: usize) -> usize {
        if self.second.is_some() { pair_features::width(directions) } else { directions }
    }
}

impl Points {
    /// What a classifier sees of the texts at these positions: their projections, brought to length
    /// 1, before their terms.
    pub(super) fn features(&self, at: &[usize], projected: Projected) -> SparseRows {
        let before = self.latent.as_ref().map_or(0, |latent| latent.width(projected.directions));
        let row = |&i: &usize| {
            let mut row = Vec::with_capacity(before + self.terms[i].len());
            if let Some(latent) = &self.latent {
                row.extend((0..).zip(latent.features(i, projected)));
            }
            row.extend(self.terms[i].iter().map(|(term, weight)| (term + before as u32, *weight)));
            row
        };
        let rows: Vec<Row> = at.iter().map(row).collect();
        SparseRows::new(&rows, before + self.width)
    }
}
