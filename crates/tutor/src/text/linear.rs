//! Linear classifiers of texts: on the words and pairs of words in them, and on the directions in
//! which these vary over many texts (latent semantic analysis), which needs no labels.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use data_pipeline::text::{TermOptions, Terms, Texts};
use torch::{Device, Kind, Tensor, store};
use train::{Logistic, SparseRows, TruncatedSvd};

use super::pair_features;
use crate::run::folds::{Fold, folds};
use crate::run::{files, interrupt};

/// Where texts are points: terms weighted by TF-IDF, and the directions onto which they are
/// projected, if they are.
#[derive(Debug)]
pub(crate) struct Space {
    terms: Terms,
    /// The directions, float64 `[terms, k]`.
    directions: Option<Tensor>,
    /// Whether its samples are pairs of texts.
    pairs: bool,
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
        Ok(Some(Self { terms, directions: Some(svd.components), pairs }))
    }

    /// How many terms are known, and onto how many directions they are projected.
    pub(crate) fn size(&self) -> (usize, Option<i64>) {
        (self.terms.names().len(), self.directions.as_ref().map(|of| of.size()[1]))
    }

    /// Whether its samples are pairs of texts.
    pub(crate) fn has_pairs(&self) -> bool {
        self.pairs
    }

    /// Texts or pairs as points.
    pub(crate) fn points(&self, samples: &[&Texts]) -> Points {
        let width = self.terms.names().len();
        let (terms, first) = self.project(&samples.iter().map(|of| &*of.a).collect::<Vec<_>>());
        let k = self.directions.as_ref().map_or(0, |of| of.size()[1] as usize);
        if !self.pairs {
            return Points {
                terms,
                width,
                latent: first.map(|first| Latent { k, first, second: None }),
            };
        }
        let second: Vec<&str> =
            samples.iter().map(|of| of.b.as_deref().unwrap_or_default()).collect();
        let (others, second) = self.project(&second);
        let pair = |(a, b): (&Row, &Row)| pair_features::of_terms(a, b, width as u32);
        Points {
            terms: terms.iter().zip(&others).map(pair).collect(),
            width: pair_features::width(width),
            latent: first.map(|first| Latent { k, first, second }),
        }
    }

    /// Terms and weights of each text, and its projections, row by row, where there are directions.
    fn project(&self, texts: &[&str]) -> (Vec<Row>, Option<Vec<f64>>) {
        let terms = self.terms.rows(texts);
        let latent = self.directions.as_ref().map(|directions| {
            let all = SparseRows::new(&terms, self.terms.names().len()).times(directions);
            Vec::<f64>::try_from(all.reshape([-1])).expect("float64")
        });
        (terms, latent)
    }

    /// How many features a classifier sees that looks at so many directions.
    fn features(&self, directions: usize) -> usize {
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
    terms: Vec<Row>,
    /// Below what number the columns of terms are.
    width: usize,
    latent: Option<Latent>,
}

/// Projections onto directions.
#[derive(Debug)]
struct Latent {
    /// How many numbers a text has.
    k: usize,
    /// Of the texts or the first ones of pairs, row by row.
    first: Vec<f64>,
    /// Of the second texts of pairs.
    second: Option<Vec<f64>>,
}

impl Latent {
    /// What a classifier sees of a text or pair that looks at so many directions.
    fn features(&self, i: usize, directions: usize) -> Vec<f32> {
        let one = |all: &[f64]| -> Vec<f32> {
            let first = &all[i * self.k..][..directions];
            // A text of no known term is the point 0.
            let length = first.iter().map(|x| x * x).sum::<f64>().sqrt().max(1e-12);
            first.iter().map(|x| (x / length) as f32).collect()
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
    /// The logits `[texts, classes]` of the texts at these positions.
    fn logits(&self, at: &[usize], fitted: &Fitted) -> Tensor {
        let Logistic { weight, bias } = &fitted.logistic;
        self.features(at, fitted.directions).times(&weight.tr()) + bias
    }

    /// What a classifier sees of the texts at these positions: the first `directions` of their
    /// projections, brought to length 1, before their terms.
    fn features(&self, at: &[usize], directions: usize) -> SparseRows {
        let before = self.latent.as_ref().map_or(0, |latent| latent.width(directions));
        let row = |&i: &usize| {
            let mut row = Vec::with_capacity(before + self.terms[i].len());
            if let Some(latent) = &self.latent {
                row.extend((0..).zip(latent.features(i, directions)));
            }
            row.extend(self.terms[i].iter().map(|(term, weight)| (term + before as u32, *weight)));
            row
        };
        let rows: Vec<Row> = at.iter().map(row).collect();
        SparseRows::new(&rows, before + self.width)
    }
}

/// A fitted classifier of [`Points`], with what was chosen.
#[derive(Debug)]
pub(crate) struct Fitted {
    logistic: Logistic,
    /// The weight of the data against the penalty.
    pub(crate) c: f64,
    /// So many directions are looked at; 0 for terms.
    pub(crate) directions: usize,
}

/// What is chosen among; of equals the first.
const PENALTIES: [f64; 3] = [1.0, 10.0, 100.0];
const DIRECTIONS: [usize; 4] = [30, 60, 100, 200];

/// The penalty where nothing is tried.
const USUAL: f64 = 10.0;

/// Labels from which on one fold is enough to choose by, and so is it for a matrix of so many
/// classes and terms.
const MANY: usize = 2_000;
const WIDE: usize = 1 << 20;
/// Labels times classes from which on nothing is tried.
const HEAVY: usize = 100_000;

impl Fitted {
    /// Fits a classifier of the texts at these positions; the penalty and how many directions are
    /// looked at are chosen by cross-validation among them. `labels`: of all texts.
    pub(crate) fn to(
        points: &Points,
        (labels, classes): (&[u32], usize),
        at: &[usize],
        seed: u64,
    ) -> Result<Self> {
        let most = points.latent.as_ref().map_or(0, |latent| latent.k);
        let mut directions: Vec<usize> = DIRECTIONS.iter().map(|&k| k.min(most)).collect();
        directions.dedup();
        let inner: Vec<u32> = at.iter().map(|&i| labels[i]).collect();
        let few = at.len() < MANY && classes * points.width < WIDE;
        let folds = folds(&inner, if few { 5 } else { 1 }, 0.2, seed);
        let mut settings: Vec<(usize, f64)> =
            directions.iter().flat_map(|&k| PENALTIES.map(|c| (k, c))).collect();
        if at.len() * classes > HEAVY || folds.is_empty() {
            // Nothing is tried where it takes long, or where no label can be held out.
            settings = vec![(directions[directions.len() / 2], USUAL)];
        }
        if settings.len() == 1 {
            return Ok(Self::with(points, (labels, classes), at, settings[0]));
        }
        let mut best: Option<(usize, (usize, f64))> = None;
        for setting in settings {
            interrupt::check()?;
            let right: usize = folds
                .iter()
                .map(|Fold { trained, held_out }| {
                    let of = |inner: &[usize]| inner.iter().map(|&i| at[i]).collect::<Vec<_>>();
                    let (trained, held_out) = (of(trained), of(held_out));
                    let found = Self::with(points, (labels, classes), &trained, setting);
                    let said = points.logits(&held_out, &found).argmax(1, false);
                    said.eq_tensor(&of_classes(labels, &held_out)).sum(Kind::Int64).int64_value(&[])
                        as usize
                })
                .sum();
            if best.is_none_or(|(most, _)| right > most) {
                best = Some((right, setting));
            }
        }
        let (_, setting) = best.context("some settings")?;
        Ok(Self::with(points, (labels, classes), at, setting))
    }

    fn with(
        points: &Points,
        (labels, classes): (&[u32], usize),
        at: &[usize],
        (directions, c): (usize, f64),
    ) -> Self {
        let (x, y) = (points.features(at, directions), of_classes(labels, at));
        let logistic = Logistic::fit_sparse(1e-4, &x, &y, classes as i64, c);
        Self { logistic, c, directions }
    }

    /// The probability of each class for each text, row by row.
    pub(crate) fn probabilities(&self, points: &Points) -> Vec<f32> {
        let all: Vec<usize> = (0..points.terms.len()).collect();
        let mut found = Vec::new();
        for at in all.chunks(AT_ONCE) {
            let said = points.logits(at, self).softmax(-1, Kind::Float).contiguous();
            found.extend(Vec::<f32>::try_from(said.reshape([-1])).expect("float32"));
        }
        found
    }
}

/// Texts whose features are in memory at once.
const AT_ONCE: usize = 4_096;

fn of_classes(labels: &[u32], at: &[usize]) -> Tensor {
    Tensor::from_slice(&at.iter().map(|&i| i64::from(labels[i])).collect::<Vec<_>>())
}

/// A classifier with its space, as it is kept in a folder.
#[derive(Debug)]
pub(crate) struct Linear {
    pub(crate) space: Space,
    pub(crate) fitted: Fitted,
}

/// The file of the terms in a row's folder.
const TERMS: &str = "terms.json";
/// What the tensors' file of a classifier of pairs says of it.
const PAIRS: &str = "pairs";

impl Linear {
    /// Its terms and its tensors in a folder.
    pub(crate) fn files(dir: &Path) -> [PathBuf; 2] {
        [dir.join(TERMS), dir.join("final.safetensors")]
    }

    /// Keeps a classifier and its space in a folder.
    pub(crate) fn keep(dir: &Path, space: &Space, fitted: &Fitted) -> Result<()> {
        files::make_folder(dir)?;
        files::keep(&Self::files(dir)[0], &space.terms)?;
        let Logistic { weight, bias } = &fitted.logistic;
        let mut tensors = vec![
            ("weight".to_owned(), weight.shallow_clone()),
            ("bias".into(), bias.shallow_clone()),
        ];
        if let Some(all) = &space.directions {
            let used = all.narrow(1, 0, fitted.directions as i64).to_kind(Kind::Float).contiguous();
            tensors.push(("directions".into(), used));
        }
        let [_, file] = Self::files(dir);
        let mut meta = BTreeMap::from([("c".to_owned(), fitted.c.to_string())]);
        if space.pairs {
            meta.insert(PAIRS.to_owned(), true.to_string());
        }
        store::save(&file, &tensors, &meta)?;
        Ok(())
    }

    /// One that [`Linear::keep`] wrote.
    pub(crate) fn open(dir: &Path, classes: usize) -> Result<Self> {
        let [terms, file] = Self::files(dir);
        let terms: Terms = files::found_before(&terms)?.with_context(|| {
            let dir = dir.display();
            format!("{dir}: the run has not come to it; run the same command again")
        })?;
        let stored = store::load(&file)?;
        let damaged = || format!("{}: not the classifier of {TERMS} beside it", file.display());
        let find = |name: &str| stored.tensors.iter().find(|(found, _)| *found == name);
        let tensor = |name: &str| find(name).map(|(_, tensor)| tensor.to_device(Device::Cpu));
        let (weight, bias) = tensor("weight").zip(tensor("bias")).with_context(damaged)?;
        let directions = tensor("directions").map(|of| of.to_kind(Kind::Double));
        let width = terms.names().len() as i64;
        let used = directions.as_ref().map_or(0, |of| of.size().get(1).copied().unwrap_or(-1));
        ensure!(directions.as_ref().is_none_or(|of| of.size() == [width, used]), damaged());
        let pairs = stored.meta.contains_key(PAIRS);
        let space = Space { terms, directions, pairs };
        ensure!(
            weight.size() == [classes as i64, space.features(used as usize) as i64]
                && bias.size() == [classes as i64],
            damaged()
        );
        let c = stored.meta.get("c").and_then(|c| c.parse().ok()).with_context(damaged)?;
        let logistic = Logistic { weight, bias };
        let fitted = Fitted { logistic, c, directions: used as usize };
        Ok(Self { space, fitted })
    }

    /// The probability of each class for each text, row by row.
    pub(crate) fn probabilities(&self, samples: &[&Texts]) -> Vec<f32> {
        self.fitted.probabilities(&self.space.points(samples))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const WORDS: [[&str; 3]; 2] = [["sun", "sand", "sea"], ["snow", "ice", "frost"]];

    /// Says two of the three words of a topic.
    fn says(topic: usize, i: usize) -> String {
        format!("{} {}", WORDS[topic][i % 3], WORDS[topic][(i + 1) % 3])
    }

    fn single(a: impl Into<String>) -> Texts {
        Texts { a: a.into(), b: None }
    }

    /// Texts of two topics, by turns.
    fn texts() -> (Vec<Texts>, Vec<u32>) {
        ((0..60).map(|i| single(says(i % 2, i / 2))).collect(), (0..60).map(|i| i % 2).collect())
    }

    /// Pairs of texts, by turns of one topic and of two.
    fn pairs() -> (Vec<Texts>, Vec<u32>) {
        let pair = |i: usize| {
            let (topic, other) = (i / 2 % 2, (i / 2 + i) % 2);
            Texts { a: says(topic, i / 4), b: Some(says(other, i / 12)) }
        };
        ((0..72).map(pair).collect(), (0..72).map(|i| i % 2).collect())
    }

    fn all(texts: &[Texts]) -> Vec<&Texts> {
        texts.iter().collect()
    }

    #[test]
    fn directions_of_unlabelled_texts_tell_words_that_no_label_has() {
        let (texts, labels) = texts();
        let _alone = torch::rng::exclusive();
        torch::rng::seed(1);
        let options = TermOptions { words: 1, texts: 1 };
        let space = Space::latent(&all(&texts), options, (2, 2)).unwrap().unwrap();
        let points = space.points(&all(&texts));
        // Labels of two texts a topic, of which none says `sea` and `frost`.
        let labelled = [0, 1, 6, 7];
        let fitted = Fitted::to(&points, (&labels, 2), &labelled, 1).unwrap();
        let shown = space.points(&[&single("sea"), &single("frost")]);
        let said = fitted.probabilities(&shown);
        assert!(said[0] > 0.5 && said[3] > 0.5, "{said:?}");
        // The labels alone cannot know.
        let own: Vec<&Texts> = labelled.iter().map(|&i| &texts[i]).collect();
        let alone = Space::of_terms(&own, options, 2);
        let fitted = Fitted::to(&alone.points(&all(&texts)), (&labels, 2), &labelled, 1).unwrap();
        assert_eq!(alone.points(&[&single("sea")]).logits(&[0], &fitted).size(), [1, 2]);
        assert_eq!(alone.size(), (4, None));
    }

    #[test]
    fn how_texts_of_a_pair_stand_to_each_other_is_learned() {
        let (pairs, labels) = pairs();
        let _alone = torch::rng::exclusive();
        torch::rng::seed(1);
        let options = TermOptions { words: 1, texts: 1 };
        let spaces = [
            Space::of_terms(&all(&pairs), options, 2),
            Space::latent(&all(&pairs), options, (2, 2)).unwrap().unwrap(),
        ];
        for space in spaces {
            let points = space.points(&all(&pairs));
            let labelled: Vec<usize> = (0..36).collect();
            let fitted = Fitted::to(&points, (&labels, 2), &labelled, 1).unwrap();
            let said = fitted.probabilities(&points);
            let right = (36..72).filter(|&i| said[2 * i + labels[i] as usize] > 0.5).count();
            assert_eq!(right, 36, "of 36, with {:?}", space.size());
        }
        // Each text alone says nothing: every one stands as often in either class.
        let first: Vec<Texts> = pairs.iter().map(|pair| single(pair.a.clone())).collect();
        let alone = Space::of_terms(&all(&first), options, 2);
        let points = alone.points(&all(&first));
        let fitted = Fitted::to(&points, (&labels, 2), &(0..72).collect::<Vec<_>>(), 1).unwrap();
        let said = fitted.probabilities(&points);
        let right = (0..72).filter(|&i| said[2 * i + labels[i] as usize] > 0.5).count();
        assert!(right <= 36, "{right} of 72");
    }

    #[test]
    fn what_is_kept_says_the_same_and_a_wrong_file_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let _alone = torch::rng::exclusive();
        let options = TermOptions::default();
        for (samples, labels) in [texts(), pairs()] {
            let samples = all(&samples);
            let spaces = [
                Space::of_terms(&samples, options, 2),
                Space::latent(&samples, options, (4, 2)).unwrap().unwrap(),
            ];
            for space in spaces {
                let points = space.points(&samples);
                let at: Vec<usize> = (0..samples.len()).collect();
                let fitted = Fitted::to(&points, (&labels, 2), &at, 1).unwrap();
                Linear::keep(folder.path(), &space, &fitted).unwrap();
                let kept = Linear::open(folder.path(), 2).unwrap();
                let (ours, theirs) = (fitted.probabilities(&points), kept.probabilities(&samples));
                assert!(ours.iter().zip(&theirs).all(|(a, b)| (a - b).abs() < 1e-5));
                let error = Linear::open(folder.path(), 3).unwrap_err().to_string();
                assert!(error.contains("terms.json"), "{error}");
            }
        }
        let none = tempfile::tempdir().unwrap();
        assert!(Linear::open(none.path(), 2).unwrap_err().to_string().contains("run the same"));
    }
}
