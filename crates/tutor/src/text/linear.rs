//! Linear classifiers of texts: on the words and pairs of words in them, and on the directions in
//! which these vary over many texts (latent semantic analysis), which needs no labels.

mod space;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use data_pipeline::text::{Terms, Texts};
use torch::{Device, Kind, Tensor, store};
use train::{Logistic, LogisticConfig};

use crate::run::folds::{Fold, folds};
use crate::run::{files, interrupt};

use space::{Directions, Projected};
pub(crate) use space::{Points, Space};

/// A fitted classifier of [`Points`], with what was chosen.
#[derive(Debug)]
pub(crate) struct Fitted {
    logistic: Logistic,
    /// The weight of the data against the penalty.
    pub(crate) c: f64,
    /// What it sees of the directions.
    projected: Projected,
}

/// What is chosen among; of equals the first.
const PENALTIES: [f64; 3] = [1.0, 10.0, 100.0];
/// The power of the spread of directions, and how many of them are looked at, at most; the first
/// where labels do not tell.
const CHOICES: [(i32, usize); 4] = [(0, 30), (1, usize::MAX), (2, usize::MAX), (0, usize::MAX)];

/// The penalty where nothing is tried.
const USUAL: f64 = 10.0;

/// With fewer labels nothing is tried: they tell settings apart that are 20 points apart.
const FEW: usize = 30;
/// Labels from which on one fold is enough to choose by, and so is it for a matrix of so many
/// classes and terms.
const MANY: usize = 2_000;
const WIDE: usize = 1 << 20;
/// Labels times classes from which on nothing is tried, as it takes long, and what is taken then.
const HEAVY: usize = 100_000;
const UNTRIED: (i32, usize) = (0, 100);

impl Fitted {
    /// Fits a classifier of the texts at these positions. The penalty, how many directions are
    /// looked at and how they are weighed are chosen by cross-validation among them, but where
    /// there are fewer than 30 labels, or so many that it takes long. `labels`: of all texts.
    pub(crate) fn to(
        points: &Points,
        (labels, classes): (&[u32], usize),
        at: &[usize],
        seed: u64,
    ) -> Result<Self> {
        let most = points.latent.as_ref().map_or(0, |latent| latent.spread.len());
        let projected = |(power, directions): (i32, usize)| match directions.min(most) {
            0 => Projected::default(),
            // The first two weigh the same.
            directions @ 1..=2 => Projected { directions, power: 0 },
            directions => Projected { directions, power },
        };
        let mut choices: Vec<Projected> = Vec::new();
        for choice in CHOICES.map(projected) {
            if !choices.contains(&choice) {
                choices.push(choice);
            }
        }
        let inner: Vec<u32> = at.iter().map(|&i| labels[i]).collect();
        let few = at.len() < MANY && classes * points.width < WIDE;
        let folds = folds(&inner, if few { 5 } else { 1 }, 0.2, seed);
        let mut settings: Vec<(Projected, f64)> =
            choices.iter().flat_map(|&projected| PENALTIES.map(|c| (projected, c))).collect();
        if at.len() * classes > HEAVY {
            settings = vec![(projected(UNTRIED), USUAL)];
        } else if at.len() < FEW || folds.is_empty() {
            settings = vec![(choices[0], USUAL)];
        }
        if settings.len() == 1 {
            return Ok(Self::with(points, (labels, classes), at, settings[0]));
        }
        let mut best: Option<(usize, (Projected, f64))> = None;
        for setting in settings {
            interrupt::check()?;
            let right: usize = folds
                .iter()
                .map(|Fold { trained, held_out }| {
                    let of = |inner: &[usize]| inner.iter().map(|&i| at[i]).collect::<Vec<_>>();
                    let (trained, held_out) = (of(trained), of(held_out));
                    let found = Self::with(points, (labels, classes), &trained, setting);
                    let said = found.logits(points, &held_out).argmax(1, false);
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
        (projected, c): (Projected, f64),
    ) -> Self {
        let (x, y) = (points.features(at, projected), of_classes(labels, at));
        let config = LogisticConfig { c, ..LogisticConfig::default() };
        let logistic = Logistic::fit_sparse(&config, &x, &y, classes as i64);
        Self { logistic, c, projected }
    }

    /// How many directions it looks at, and the power of their spread that they are multiplied by.
    pub(crate) fn projected(&self) -> (usize, i32) {
        (self.projected.directions, self.projected.power)
    }

    /// The logits `[texts, classes]` of the texts at these positions.
    fn logits(&self, points: &Points, at: &[usize]) -> Tensor {
        let Logistic { weight, bias } = &self.logistic;
        points.features(at, self.projected).times(&weight.tr()) + bias
    }

    /// The probability of each class for each text, row by row.
    pub(crate) fn probabilities(&self, points: &Points) -> Vec<f32> {
        let all: Vec<usize> = (0..points.terms.len()).collect();
        let mut found = Vec::new();
        for at in all.chunks(AT_ONCE) {
            let said = self.logits(points, at).softmax(-1, Kind::Float).contiguous();
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
        if let Some(Directions { all, spread }) = &space.directions {
            let Projected { directions, power } = fitted.projected;
            let weights: Vec<f64> = spread[..directions].iter().map(|x| x.powi(power)).collect();
            let used = all.narrow(1, 0, directions as i64) * Tensor::from_slice(&weights);
            tensors.push(("directions".into(), used.to_kind(Kind::Float).contiguous()));
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
        // They are kept as they are looked at.
        let directions = tensor("directions").map(|of| of.to_kind(Kind::Double));
        let width = terms.names().len() as i64;
        let used = directions.as_ref().map_or(0, |of| of.size().get(1).copied().unwrap_or(-1));
        ensure!(directions.as_ref().is_none_or(|of| of.size() == [width, used]), damaged());
        let projected = Projected { directions: used as usize, power: 0 };
        let directions =
            directions.map(|all| Directions { all, spread: vec![1.0; projected.directions] });
        let pairs = stored.meta.contains_key(PAIRS);
        let space = Space { terms, directions, pairs };
        ensure!(
            weight.size() == [classes as i64, space.features(projected.directions) as i64]
                && bias.size() == [classes as i64],
            damaged()
        );
        let c = stored.meta.get("c").and_then(|c| c.parse().ok()).with_context(damaged)?;
        let logistic = Logistic { weight, bias };
        let fitted = Fitted { logistic, c, projected };
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
    use data_pipeline::text::TermOptions;

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
        assert_eq!(fitted.logits(&alone.points(&[&single("sea")]), &[0]).size(), [1, 2]);
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

    /// A fifth of the labels are wrong, and every text has a word of its own, by which a weak
    /// penalty learns these by heart. Of texts that were held out it knows the topic alone, and
    /// gets as many right with any penalty: the first of equals is the strongest.
    #[test]
    fn the_penalty_is_chosen_by_texts_that_were_held_out() {
        let text = |i: usize| single(format!("{} own{i}", WORDS[i % 2].join(" ")));
        let texts: Vec<Texts> = (0..60).map(text).collect();
        let labels: Vec<u32> = (0..60).map(|i| (i % 2) ^ u32::from(i >= 48)).collect();
        let options = TermOptions { words: 1, texts: 1 };
        let points = Space::of_terms(&all(&texts), options, 2).points(&all(&texts));
        let at: Vec<usize> = (0..60).collect();
        assert_eq!(Fitted::to(&points, (&labels, 2), &at, 1).unwrap().c, PENALTIES[0]);
    }

    #[test]
    fn directions_along_which_texts_vary_more_weigh_more() {
        let (texts, labels) = texts();
        let _alone = torch::rng::exclusive();
        torch::rng::seed(1);
        let samples = all(&texts);
        let space = Space::latent(&samples, TermOptions::default(), (4, 2)).unwrap().unwrap();
        let spread = space.directions.as_ref().unwrap().spread.clone();
        assert!(spread[1] == 1.0 && spread[3] < 1.0 && spread.iter().all(|&x| x <= 1.0));
        let points = space.points(&samples);
        let at: Vec<usize> = (0..samples.len()).collect();
        let seen = |power| {
            let projected = Projected { directions: 4, power };
            let width = points.features(&at, projected).size().1 as i64;
            let identity = Tensor::eye(width, (Kind::Double, Device::Cpu));
            points.features(&at, projected).times(&identity.narrow(1, 0, 4))
        };
        let (plain, weighed) = (seen(0), seen(2));
        let squares = spread.iter().map(|x| x * x).collect::<Vec<_>>();
        let expected = &plain * Tensor::from_slice(&squares);
        let lengths = expected.square().sum_dim_intlist([1].as_slice(), true, Kind::Double).sqrt();
        let off = (weighed - expected / lengths).abs().max().double_value(&[]);
        assert!(off < 1e-6, "{off}");
        // Kept as they are looked at.
        let folder = tempfile::tempdir().unwrap();
        let projected = Projected { directions: 3, power: 2 };
        let fitted = Fitted::with(&points, (&labels, 2), &at, (projected, 10.0));
        Linear::keep(folder.path(), &space, &fitted).unwrap();
        let kept = Linear::open(folder.path(), 2).unwrap().probabilities(&samples);
        let ours = fitted.probabilities(&points);
        assert!(ours.iter().zip(&kept).all(|(a, b)| (a - b).abs() < 1e-5));
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
