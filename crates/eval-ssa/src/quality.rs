//! How well each rater works: known answers, agreement with the others, pace, and whether one
//! answer is given to everything.

use crate::agreement::{Statistic, Undefined};
use crate::item::{CheckKind, Label};
use crate::rating::Rating;
use crate::study::Study;
use metrics::stats::{median, wilson};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// A share of so many.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Share {
    /// How many are right, or agree.
    pub hits: u64,
    /// How many there are.
    pub of: u64,
}

impl Share {
    pub(crate) fn count(&mut self, hit: bool) {
        self.hits += u64::from(hit);
        self.of += 1;
    }

    /// The share; undefined of none.
    pub fn value(self) -> Statistic {
        match self.of {
            0 => Statistic::undefined(Undefined::TooFew),
            of => Statistic::of(self.hits as f64 / of as f64),
        }
    }

    /// Wilson's 95 % interval; `None` of none.
    pub fn interval(self) -> Option<[f64; 2]> {
        self.interval_over(self.of)
    }

    /// Wilson's 95 % interval with this many observations, fewer than were counted where several
    /// of those are alike; `None` of none.
    ///
    /// ```
    /// use eval_ssa::quality::Share;
    /// // Votes on ten items, each beside those of four others.
    /// let [low, high] = Share { hits: 32, of: 40 }.interval_over(10).expect("an interval");
    /// assert!((low - 0.4902).abs() < 1e-4 && (high - 0.9433).abs() < 1e-4);
    /// ```
    pub fn interval_over(self, observations: u64) -> Option<[f64; 2]> {
        wilson(self.hits as f64 / self.of as f64, observations)
    }
}

/// What is said about one rater.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RaterQuality {
    /// The rater.
    pub rater: String,
    /// Answers to rated items, skips left out.
    pub answers: usize,
    /// Rated items that were skipped.
    pub skipped: usize,
    /// Right labels on gold items.
    pub gold: Share,
    /// Right labels on attention items.
    pub attention: Share,
    /// Pairs with another rater's vote on the same item that agree on sensibleness.
    pub agrees_sensible: Share,
    /// Pairs with another rater's vote on the same item that agree on specificity, where not
    /// sensible counts as not specific.
    pub agrees_specific: Share,
    /// Items behind `agrees_sensible`: the pairs on one item share the rater's vote, so that an
    /// interval is over these. 0 in summaries of earlier versions.
    #[serde(default)]
    pub items_sensible: u64,
    /// Items behind `agrees_specific`.
    #[serde(default)]
    pub items_specific: u64,
    /// Median time for an answer, in seconds.
    pub median_seconds: Option<f64>,
    /// How many of the answers took less than a tenth of the median of all raters', or less than
    /// half a second.
    pub hasty: usize,
    /// The longest run of the same label, in the order in which the items were answered.
    pub longest_run: usize,
    /// The most frequent label, its share among this rater's answers, and its share among the
    /// others' answers about the same items.
    pub favourite: Option<Favourite>,
    /// What to look into; nothing is left out because of it.
    pub flags: Vec<String>,
}

/// The label that a rater gives most often.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Favourite {
    /// The label.
    pub label: Label,
    /// Its share among the rater's labels.
    pub share: f64,
    /// Its share among the others' labels on the same items; `None` if there are none.
    pub others: Option<f64>,
}

/// Milliseconds in which nobody reads a response, however fast all raters are.
const FLOOR: f64 = 500.0;

/// From this many answers on, always the same label is worth a look.
const MANY: usize = 10;

/// The quality of every rater, in order of their names.
pub fn raters(study: &Study) -> Vec<RaterQuality> {
    let by_item = study.ratings_by_item();
    let checks: BTreeMap<&str, _> =
        study.items.iter().filter_map(|item| Some((&*item.id, item.check.as_ref()?))).collect();
    let mut by_rater: BTreeMap<&str, Vec<&Rating>> = BTreeMap::new();
    for rating in by_item.values().flatten() {
        by_rater.entry(&rating.rater).or_default().push(rating);
    }
    let typical = median_ms(by_item.values().flatten().copied());
    let hasty = |rating: &Rating| {
        let times = rating.duration_ms().zip(typical);
        times.is_some_and(|(taken, typical)| (taken as f64) < FLOOR.max(typical / 10.0))
    };
    let quality = |(rater, mut ratings): (&str, Vec<&Rating>)| {
        ratings.sort_by_key(|rating| (rating.answered_at, rating.position));
        let mut quality = RaterQuality {
            rater: rater.to_owned(),
            answers: 0,
            skipped: 0,
            gold: Share::default(),
            attention: Share::default(),
            agrees_sensible: Share::default(),
            agrees_specific: Share::default(),
            items_sensible: 0,
            items_specific: 0,
            median_seconds: median_ms(ratings.iter().copied()).map(|ms| ms / 1e3),
            hasty: 0,
            longest_run: 0,
            favourite: None,
            flags: Vec::new(),
        };
        let (mut own, mut others) = (Vec::new(), Vec::new());
        for rating in &ratings {
            if let Some(check) = checks.get(&*rating.item) {
                // What was skipped is neither right nor wrong.
                if let Some(label) = rating.answer.label() {
                    match check.kind {
                        CheckKind::Gold => quality.gold.count(label == check.expected),
                        CheckKind::Attention => quality.attention.count(label == check.expected),
                        CheckKind::Practice => {}
                    }
                }
                continue;
            }
            match rating.answer.sensible() {
                Some(_) => {
                    quality.answers += 1;
                    quality.hasty += usize::from(hasty(rating));
                }
                None => quality.skipped += 1,
            }
            own.extend(rating.answer.label());
            let pairs = [quality.agrees_sensible.of, quality.agrees_specific.of];
            for other in by_item[&*rating.item].iter().filter(|other| other.rater != rater) {
                others.extend(other.answer.label());
                let sensible = rating.answer.sensible().zip(other.answer.sensible());
                let specific = rating.answer.specific().zip(other.answer.specific());
                if let Some((a, b)) = sensible {
                    quality.agrees_sensible.count(a == b);
                }
                if let Some((a, b)) = specific {
                    quality.agrees_specific.count(a == b);
                }
            }
            quality.items_sensible += u64::from(quality.agrees_sensible.of > pairs[0]);
            quality.items_specific += u64::from(quality.agrees_specific.of > pairs[1]);
        }
        quality.longest_run = longest_run(&own);
        quality.favourite = favourite(&own, &others);
        quality.flags = flags(&quality, own.len());
        quality
    };
    by_rater.into_iter().map(quality).collect()
}

fn flags(quality: &RaterQuality, labels: usize) -> Vec<String> {
    let mut flags = Vec::new();
    let missed = quality.attention.of - quality.attention.hits;
    if missed > 0 {
        flags.push(format!("missed {missed} of {} attention items", quality.attention.of));
    }
    if quality.gold.interval().is_some_and(|[_, high]| high < 0.7) {
        let Share { hits, of } = quality.gold;
        flags.push(format!("{hits} of {of} gold items right: hardly above 70 % even with luck"));
    }
    if let Some(favourite) = quality.favourite
        && labels >= MANY
        && favourite.share == 1.0
        && favourite.others.is_some_and(|share| share < 0.9)
    {
        flags.push("gave one and the same answer to everything, where others did not".into());
    }
    if quality.hasty * 10 > quality.answers && quality.hasty > 0 {
        let answers = if quality.hasty == 1 { "answer" } else { "answers" };
        let text = "in less than a tenth of the usual time or half a second";
        flags.push(format!("{} {answers} {text}", quality.hasty));
    }
    flags
}

fn longest_run(labels: &[Label]) -> usize {
    labels.chunk_by(|a, b| a == b).map(<[Label]>::len).max().unwrap_or(0)
}

fn favourite(own: &[Label], others: &[Label]) -> Option<Favourite> {
    let share = |labels: &[Label], label| {
        labels.iter().filter(|l| **l == label).count() as f64 / labels.len() as f64
    };
    let all = [Label::NotSensible, Label::Sensible, Label::Specific];
    let label = all.into_iter().max_by(|a, b| share(own, *a).total_cmp(&share(own, *b)))?;
    (!own.is_empty()).then(|| Favourite {
        label,
        share: share(own, label),
        others: (!others.is_empty()).then(|| share(others, label)),
    })
}

/// The median time of answers, milliseconds.
fn median_ms<'a>(ratings: impl IntoIterator<Item = &'a Rating>) -> Option<f64> {
    let times = ratings.into_iter().filter_map(Rating::duration_ms);
    median(&times.map(|ms| ms as f64).collect::<Vec<_>>())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::item::Item;

    /// Four items beside four others' votes each, and one that nobody else has rated.
    #[test]
    fn the_interval_of_agreement_is_over_items_and_not_over_pairs() {
        let mut study = Study::default();
        for index in 0..5 {
            let id = format!("i{index}");
            let (system, conversation) = ("s".to_owned(), id.clone());
            study.items.push(Item { id: id.clone(), system, conversation, ..Item::default() });
            study.ratings.push(Rating::new(&id, "a", Label::Specific.into()));
            // Of the first three all agree, of the fourth nobody.
            let other = if index < 3 { Label::Specific } else { Label::NotSensible };
            let others = ["b", "c", "d", "e"].into_iter().filter(|_| index < 4);
            study.ratings.extend(others.map(|rater| Rating::new(&id, rater, other.into())));
        }
        study.check().expect("a study");
        let found = raters(&study).remove(0);
        assert_eq!((found.rater.as_str(), found.answers), ("a", 5));
        assert_eq!(found.agrees_sensible, Share { hits: 12, of: 16 });
        assert_eq!((found.items_sensible, found.items_specific), (4, 4));
        // By the formula in Python, for 0.75 of 4; of 16 it would be 50.5 % to 89.8 %.
        let [low, high] =
            found.agrees_specific.interval_over(found.items_specific).expect("an interval");
        assert!((low - 0.300_642).abs() < 1e-6 && (high - 0.954_413).abs() < 1e-6, "{low} {high}");
        // A summary of before has no number of items.
        assert_eq!(found.agrees_specific.interval_over(0), None);
    }
}
