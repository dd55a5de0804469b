//! Automatic judges beside people: under their own name, with how far they agree with people.

use crate::agreement::{Statistic, Undefined, alpha, cohen, pairwise};
use crate::item::Label;
use crate::quality::Share;
use crate::rating::Rating;
use crate::study::{Outcome, Study};
use crate::votes::Votes;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// How a judge's answers to one question compare with those of people.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct JudgeAgreement {
    /// Items on which it says the same as the label that people gave.
    pub with_label: Share,
    /// Cohen's kappa of the two.
    pub kappa: Statistic,
    /// Krippendorff's alpha of the two, people's label being one rater.
    pub alpha: Statistic,
    /// Pairs of the judge and one rater that say the same.
    pub with_raters: Share,
    /// Share of pairs of raters' votes on these items that say the same: what the judge is to be
    /// measured by.
    pub among_raters: Statistic,
}

/// What a judge says, beside what people say. None of it is SSA.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct JudgeReport {
    /// The judge.
    pub judge: String,
    /// Items that it judged.
    pub items: usize,
    /// Items on which its output could not be read.
    pub unread: usize,
    /// Items that it judged and people labelled.
    pub shared: usize,
    /// How many of those have each pair of labels: a row is people's label, a column the judge's;
    /// both in the order not sensible, sensible only, specific.
    pub confusion: [[u64; 3]; 3],
    /// On whether responses make sense.
    pub sensible: JudgeAgreement,
    /// On whether they are specific.
    pub specific: JudgeAgreement,
    /// The share of each system's responses that the judge finds sensible, and specific.
    pub systems: BTreeMap<String, [f64; 2]>,
}

/// All judges of a study, in order of their names. A later judgement on the same item replaces an
/// earlier one.
pub fn judges(study: &Study) -> Vec<JudgeReport> {
    let outcomes = study.outcomes();
    let by_item = study.ratings_by_item();
    let mut judges: BTreeMap<&str, BTreeMap<&str, Option<Label>>> = BTreeMap::new();
    for judgment in &study.judgments {
        judges.entry(&judgment.judge).or_default().insert(&judgment.item, judgment.label);
    }
    let report = |(judge, labels): (&str, BTreeMap<&str, Option<Label>>)| {
        let judged = |outcome: &Outcome<'_>| labels.get(&*outcome.item.id).copied().flatten();
        let agreement = |yes: fn(Label) -> bool, vote: fn(&Rating) -> Option<bool>| {
            let mut with_label = Share::default();
            let mut with_raters = Share::default();
            let (mut two, mut people) = (Vec::new(), Vec::new());
            for outcome in &outcomes {
                let Some(says) = judged(outcome).map(yes) else { continue };
                if let Some(label) = outcome.label.map(yes) {
                    with_label.count(says == label);
                    two.push(vec![Some(u32::from(says)), Some(u32::from(label))]);
                }
                for rating in by_item.get(&*outcome.item.id).into_iter().flatten() {
                    if let Some(theirs) = vote(rating) {
                        with_raters.count(says == theirs);
                        people.push((&*rating.item, &*rating.rater, u32::from(theirs)));
                    }
                }
            }
            let two = Votes::from_items(two).expect("two columns");
            JudgeAgreement {
                with_label,
                alpha: alpha(&two.counts()),
                kappa: match two.items().is_empty() {
                    true => Statistic::undefined(Undefined::NoPairs),
                    false => cohen(&two, 0, 1),
                },
                with_raters,
                among_raters: pairwise(&Votes::collect(people).counts()),
            }
        };
        let mut systems: BTreeMap<String, Vec<Label>> = BTreeMap::new();
        let mut confusion = [[0; 3]; 3];
        for outcome in &outcomes {
            if let Some(label) = judged(outcome) {
                if let Some(people) = outcome.label {
                    confusion[people as usize][label as usize] += 1;
                }
                systems.entry(outcome.item.system.clone()).or_default().push(label);
            }
        }
        let shares = |labels: Vec<Label>| {
            let share = |yes: fn(Label) -> bool| {
                labels.iter().filter(|label| yes(**label)).count() as f64 / labels.len() as f64
            };
            [share(Label::is_sensible), share(Label::is_specific)]
        };
        JudgeReport {
            judge: judge.to_owned(),
            items: labels.len(),
            unread: labels.values().filter(|label| label.is_none()).count(),
            shared: outcomes.iter().filter(|o| o.label.is_some() && judged(o).is_some()).count(),
            confusion,
            sensible: agreement(Label::is_sensible, |rating| rating.answer.sensible()),
            specific: agreement(Label::is_specific, |rating| rating.answer.specific()),
            systems: systems.into_iter().map(|(name, labels)| (name, shares(labels))).collect(),
        }
    };
    judges.into_iter().map(report).collect()
}
