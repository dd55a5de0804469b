//! Everything that a report of a study shows, as plain data.

use crate::agreement::{Agreement, alpha_interval};
use crate::bootstrap::{Bootstrap, Estimate, FEW_UNITS, Resampled};
use crate::decisions::{Adjudications, adjudications};
use crate::item::Mode;
use crate::judge::{JudgeReport, judges};
use crate::preferences::{self, Contest, contests};
use crate::proxies::{self, Proxies};
use crate::quality::{self, RaterQuality};
use crate::rating::Rating;
use crate::regression::{Line, fit};
use crate::score::{Comparison, Measure, Score, comparisons, scores};
use crate::study::Study;
use crate::votes::Counts;
use metrics::words::counted;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// What a question is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Question {
    /// Whether the response makes sense.
    Sensible,
    /// Whether it is specific; who finds no sense says no.
    Specific,
    /// Whether it is specific, among those only who were asked, since they found sense.
    SpecificIfAsked,
    /// Whether a person could have said it.
    HumanLike,
}

impl Question {
    const ALL: [Self; 4] = [Self::Sensible, Self::Specific, Self::SpecificIfAsked, Self::HumanLike];

    /// Its name, as tables print it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Sensible => "sensible",
            Self::Specific => "specific",
            Self::SpecificIfAsked => "specific, if asked",
            Self::HumanLike => "human-like",
        }
    }

    fn vote(self, rating: &Rating) -> Option<bool> {
        match self {
            Self::Sensible => rating.answer.sensible(),
            Self::Specific => rating.answer.specific(),
            Self::SpecificIfAsked => rating.answer.specific_if_asked(),
            Self::HumanLike => rating.human_like,
        }
    }
}

/// The raters' agreement on one question.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct QuestionAgreement {
    /// The question.
    pub question: Question,
    /// The measures.
    pub agreement: Agreement,
    /// The interval of alpha; whole conversations are drawn.
    pub alpha_interval: Option<Resampled>,
    /// A sentence to print beside alpha and kappa.
    pub warning: Option<String>,
}

/// How one measure goes with another over the systems of one mode.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Correlation {
    /// The mode.
    pub mode: Mode,
    /// What is on the x axis: `perplexity` or `SSA`.
    pub x: String,
    /// What is on the y axis: `sensibleness`, `specificity`, `SSA` or `human-likeness`.
    pub y: String,
    /// The points: system, x, y.
    pub points: Vec<(String, f64, f64)>,
    /// The line through them.
    pub line: Line,
}

/// A study in numbers.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Summary {
    /// Raters for each response.
    pub required: u32,
    /// How intervals were made.
    pub bootstrap: Bootstrap,
    /// Answers about rated responses, skips left out.
    pub ratings: usize,
    /// Rated responses that raters skipped, once for each rater; 0 in summaries of earlier
    /// versions.
    #[serde(default)]
    pub skips: usize,
    /// Answers that a later one of the same rater replaced.
    pub replaced: usize,
    /// Interactive conversations with fewer responses than the 7 of the shortest that the protocol
    /// allows.
    pub short_conversations: usize,
    /// How many of the answers in `ratings` were given under each version of the guideline.
    pub guidelines: BTreeMap<String, usize>,
    /// The measures of each system and mode.
    pub scores: Vec<Score>,
    /// Decisions on responses without a majority, and the scores with them; `None` if there are
    /// none. All other numbers are by the votes alone.
    #[serde(default)]
    pub adjudications: Option<Adjudications>,
    /// Differences between systems.
    pub comparisons: Vec<Comparison>,
    /// Agreement on each question that was asked.
    pub agreement: Vec<QuestionAgreement>,
    /// Each rater's work.
    pub raters: Vec<RaterQuality>,
    /// Automatic judges, which are not SSA.
    pub judges: Vec<JudgeReport>,
    /// Side by side.
    pub contests: Vec<Contest>,
    /// Raters who chose between two responses; 0 in summaries of earlier versions.
    #[serde(default)]
    pub choosers: usize,
    /// Automatic measures of each system's responses, which are not SSA.
    pub proxies: BTreeMap<String, Proxies>,
    /// Lines through systems, where at least two have both numbers.
    pub correlations: Vec<Correlation>,
    /// What a reader has to know.
    pub warnings: Vec<String>,
    /// A paragraph that says how the study was made.
    pub methods: String,
}

/// Responses of the shortest conversation of the protocol, 14 turns.
const SHORT: usize = 7;

fn short_conversations(study: &Study) -> usize {
    let mut counts: BTreeMap<(&str, &str), usize> = BTreeMap::new();
    for item in study.rated().filter(|item| item.mode == Mode::Interactive) {
        *counts.entry((&item.system, &item.conversation)).or_default() += 1;
    }
    counts.values().filter(|count| **count < SHORT).count()
}

impl Summary {
    /// All numbers of a study.
    ///
    /// ```
    /// use eval_ssa::{Summary, bootstrap::Bootstrap, simulate::Simulation};
    /// let (study, _) = Simulation { conversations: 10, ..Simulation::default() }.run();
    /// let summary = Summary::of(&study, &Bootstrap { resamples: 200, ..Bootstrap::default() });
    /// assert_eq!(summary.scores.len(), 3);
    /// assert!(summary.warnings.iter().any(|warning| warning.contains("10 conversations")));
    /// println!("{}", summary.methods);
    /// ```
    pub fn of(study: &Study, bootstrap: &Bootstrap) -> Self {
        // Practice items and known answers are no part of what is measured.
        let by_item = study.ratings_by_item();
        let rated = || study.rated().filter_map(|item| by_item.get(&*item.id)).flatten();
        let is_answer = |rating: &&&Rating| rating.answer.sensible().is_some();
        let ratings = rated().filter(is_answer).count();
        let mut guidelines = BTreeMap::new();
        for rating in rated().filter(is_answer) {
            *guidelines.entry(rating.guideline.clone()).or_default() += 1;
        }
        let mut proxies: BTreeMap<String, Vec<_>> = BTreeMap::new();
        for item in study.rated() {
            proxies.entry(item.system.clone()).or_default().push(item);
        }
        let scores = scores(study, bootstrap);
        let mut summary = Self {
            required: study.required.get(),
            bootstrap: *bootstrap,
            ratings,
            skips: rated().count() - ratings,
            replaced: study.replaced(),
            short_conversations: short_conversations(study),
            guidelines,
            adjudications: adjudications(study, &scores, bootstrap),
            comparisons: comparisons(study, bootstrap),
            agreement: agreement(study, bootstrap),
            raters: quality::raters(study),
            judges: judges(study),
            contests: contests(study, bootstrap),
            choosers: preferences::choosers(study),
            proxies: proxies
                .into_iter()
                .map(|(name, items)| (name, proxies::measure(items)))
                .collect(),
            correlations: correlations(study, &scores),
            scores,
            warnings: Vec::new(),
            methods: String::new(),
        };
        summary.warnings = summary.find_warnings();
        summary.methods = summary.describe_methods();
        summary
    }

    fn find_warnings(&self) -> Vec<String> {
        let mut warnings = Vec::new();
        for score in &self.scores {
            let (name, progress) = (named(score), score.progress);
            if progress.decided < progress.responses {
                let open = progress.responses - progress.decided;
                let bounds = score.ssa_bounds.map(|[low, high]| {
                    format!(
                        "; whatever their labels, SSA over all responses is within {} to {}",
                        percent(low),
                        percent(high)
                    )
                });
                warnings.push(format!(
                    "{name}: {open} of {} responses have no label yet and are left out{}",
                    progress.responses,
                    bounds.unwrap_or_default()
                ));
            }
            let Some(ssa) = &score.ssa else { continue };
            let of = units(score.mode, ssa.units);
            if ssa.units == 1 {
                warnings.push(format!("{name}: {of}, and one says nothing of others: no interval"));
            } else if ssa.units < FEW_UNITS {
                warnings.push(format!(
                    "{name}: {of}: percentile intervals of so few are too narrow, and the interval \
                     for small samples is the one to quote"
                ));
            }
            let alike =
                |m: &Measure| score.estimate(*m).is_some_and(|estimate| estimate.degenerate);
            let alike: Vec<&str> =
                Measure::ALL.into_iter().filter(alike).map(Measure::name).collect();
            // Of a single one it is said above that there is no interval.
            if ssa.units > 1 && !alike.is_empty() {
                let (verb, have) = if alike.len() == 1 {
                    ("is", "interval has")
                } else {
                    ("are", "intervals have")
                };
                let all = match score.mode {
                    Mode::Static => "contexts",
                    Mode::Interactive => "conversations",
                };
                warnings.push(format!(
                    "{name}: {} {verb} the same in all {all}, so that the percentile {have} no width; \
                     that is no certainty",
                    alike.join(", ")
                ));
            }
        }
        if self.short_conversations > 0 {
            let which = match self.short_conversations {
                1 => "1 interactive conversation has".to_owned(),
                many => format!("{many} interactive conversations have"),
            };
            warnings.push(format!(
                "{which} fewer than {SHORT} rated responses, where the protocol asks for 14 to 28 turns"
            ));
        }
        if let Some(found) = &self.adjudications {
            let (counted, all) = (found.counted(), found.decisions.len());
            let have = if counted == 1 { "response has" } else { "responses have" };
            let mut text = format!(
                "{counted} {have} no majority and a researcher's decision: scores are by the votes \
                 alone, and the table of decisions has them both ways"
            );
            if counted < all {
                text += &format!("; {} more were decided by votes since", all - counted);
            }
            warnings.push(text);
        }
        if self.guidelines.len() > 1 {
            let versions: Vec<String> =
                self.guidelines.keys().map(|version| format!("{version:?}")).collect();
            warnings
                .push(format!("raters worked by different guidelines: {}", versions.join(", ")));
        }
        let compared = self.comparisons.iter().filter(|c| c.difference.is_some()).count();
        if compared > Measure::ALL.len() {
            warnings.push(format!(
                "{compared} differences were looked at, and their intervals are not adjusted for that"
            ));
        }
        warnings
    }

    fn describe_methods(&self) -> String {
        let mut text = Vec::new();
        for mode in self.scores.iter().map(|score| score.mode).collect::<BTreeSet<Mode>>() {
            let of_mode = || self.scores.iter().filter(|score| score.mode == mode);
            let responses: usize = of_mode().map(|score| score.progress.responses).sum();
            let decided: usize = of_mode().map(|score| score.progress.decided).sum();
            // A mode of which nothing is decided yet has nothing to tell.
            if decided == 0 {
                continue;
            }
            let count = of_mode().map(|s| s.ssa.as_ref().map_or(0, |ssa| ssa.units));
            let (fewest, most) = (count.clone().min().unwrap_or(0), count.max().unwrap_or(0));
            let range = if fewest == most { String::new() } else { format!("{fewest} to ") };
            let (number, many) = (of_mode().count(), units(mode, most));
            let of = format!("{} of {}", counted(responses, "response"), counted(number, "system"));
            let were = if responses == 1 { "was" } else { "were" };
            let are = if decided == 1 { "is" } else { "are" };
            text.push(match (mode, decided == responses) {
                (Mode::Static, true) => format!("{of} to {range}{many} {were} rated."),
                (Mode::Interactive, true) => {
                    format!("{of}, from {range}{many} with each, {were} rated.")
                }
                (Mode::Static, false) => format!(
                    "Of {of}, {decided} {are} decided so far: to {range}{many} for each system."
                ),
                (Mode::Interactive, false) => format!(
                    "Of {of}, {decided} {are} decided so far: from {range}{many} with each system."
                ),
            });
        }
        if !self.scores.is_empty() {
            let skips = match self.skips {
                0 => String::new(),
                skips => format!(" and {}", counted(skips, "skip")),
            };
            let is_asked = self.agreement.iter().any(|found| found.question == Question::HumanLike);
            let third = match is_asked {
                true => {
                    "; a third question was whether a person could have said it, and is decided by \
                     the same majority"
                }
                false => "",
            };
            text.push(format!(
                "Each response was to be rated by {} ({} took part, {}{skips}), who were shown it \
                 after the turns before it and asked whether it makes sense and, if so, whether it \
                 is specific to its context{third}.",
                counted(self.required as usize, "rater"),
                self.raters.iter().filter(|rater| rater.answers + rater.skipped > 0).count(),
                counted(self.ratings, "answer")
            ));
            text.push(
                "More than half of the required votes decide each question; a response that does \
                 not make sense is not specific. Sensibleness and specificity are the shares of all \
                 decided responses that are sensible and specific, and SSA is their mean \
                 (Adiwardana et al. 2020)."
                    .into(),
            );
        }
        text.extend(self.adjudications.as_ref().and_then(describe_decisions));
        text.extend(describe_contests(&self.contests, self.choosers));
        let level = self.bootstrap.level * 100.0;
        text.push(format!(
            "Intervals are at {level} %: percentile bootstrap over whole conversations or contexts \
             ({} resamples, seed {}), and for small samples the score interval with Student's t \
             quantile and the effective number of observations.",
            self.bootstrap.resamples, self.bootstrap.seed
        ));
        for QuestionAgreement { question, agreement, alpha_interval, .. } in &self.agreement {
            let name = match question {
                Question::Sensible => "sensibleness",
                Question::Specific => "specificity",
                Question::SpecificIfAsked | Question::HumanLike => continue,
            };
            let interval = alpha_interval.as_ref().map(|found| {
                format!(" ({:.2} to {:.2})", found.percentile[0], found.percentile[1])
            });
            let Some(pairwise) = agreement.pairwise.value else {
                text.push(format!("On {name}, no response has two votes that could agree."));
                continue;
            };
            text.push(format!(
                "On {name}, pairs of raters agreed in {}, and Krippendorff's alpha was {:.2}{}.",
                percent(pairwise),
                agreement.alpha,
                interval.unwrap_or_default()
            ));
        }
        text.join(" ")
    }
}

/// How many choices between two responses there are, by how many raters, and how they count; `None`
/// without one.
fn describe_contests(contests: &[Contest], choosers: usize) -> Option<String> {
    let choices: u64 = contests.iter().map(Contest::choices).sum();
    let were = if choices == 1 { "was" } else { "were" };
    (choices > 0).then(|| {
        format!(
            "Side by side, {} between two systems' responses to the same turns {were} made by \
             {}: {}.",
            counted(choices, "choice"),
            counted(choosers, "rater"),
            preferences::RULE
        )
    })
}

/// Who decided how many responses, and what SSA is with that; `None` if no decision counts.
fn describe_decisions(found: &Adjudications) -> Option<String> {
    let counts = found.decisions.iter().filter(|decision| decision.by_votes.is_none());
    let by: BTreeSet<&str> = counts.map(|decision| decision.by.as_str()).collect();
    let by: Vec<&str> = by.into_iter().collect();
    let ssa = |ssa: &Option<Estimate>| ssa.as_ref().map_or("none".into(), |ssa| percent(ssa.value));
    let changed = found.scores.iter().filter(|score| score.decisions > 0).map(|score| {
        let (votes, both) = (ssa(&score.votes.ssa), ssa(&score.both.ssa));
        format!("{} ({}): {votes} by votes, {both} with them", score.system, score.mode.name())
    });
    (found.counted() > 0).then(|| {
        let were = if found.counted() == 1 { "was" } else { "were" };
        format!(
            "{} without a majority {were} decided by {}; the scores do not count these decisions. \
             SSA of {}.",
            counted(found.counted(), "response"),
            by.join(", "),
            changed.collect::<Vec<_>>().join("; of ")
        )
    })
}

fn percent(share: f64) -> String {
    format!("{:.1} %", share * 100.0)
}

fn named(score: &Score) -> String {
    format!("{} ({})", score.system, score.mode.name())
}

fn units(mode: Mode, count: usize) -> String {
    let unit = match mode {
        Mode::Static => "context",
        Mode::Interactive => "conversation",
    };
    counted(count, unit)
}

fn agreement(study: &Study, bootstrap: &Bootstrap) -> Vec<QuestionAgreement> {
    let by_item = study.ratings_by_item();
    let of = |question: Question| {
        let votes = study.votes(|_| true, |rating| question.vote(rating));
        if votes.items().is_empty() {
            return None;
        }
        // A conversation is told from another system's of the same name.
        let mut conversations: BTreeMap<(Mode, &str), Vec<Vec<u32>>> = BTreeMap::new();
        for item in study.rated() {
            let mut counts = vec![0, 0];
            for rating in by_item.get(&*item.id).into_iter().flatten() {
                if let Some(yes) = question.vote(rating) {
                    counts[usize::from(yes)] += 1;
                }
            }
            conversations.entry((item.mode, &item.conversation)).or_default().push(counts);
        }
        let counts = conversations.into_values().map(Counts::from_items);
        let counts: Vec<Counts> = counts.map(|counts| counts.expect("two columns")).collect();
        let agreement = Agreement::measure(&votes, study.required.get());
        Some(QuestionAgreement {
            question,
            alpha_interval: alpha_interval(&counts, bootstrap),
            // Where nobody votes on the same response, there is nothing to be careful with.
            warning: agreement.warning().filter(|_| agreement.pairwise.value.is_some()),
            agreement,
        })
    };
    Question::ALL.into_iter().filter_map(of).collect()
}

fn correlations(study: &Study, scores: &[Score]) -> Vec<Correlation> {
    let perplexities: BTreeMap<String, f64> =
        study.systems().into_iter().filter_map(|s| Some((s.name, s.perplexity?))).collect();
    let mut found = Vec::new();
    for mode in scores.iter().map(|score| score.mode).collect::<BTreeSet<Mode>>() {
        let mut add = |x: &str, y: &str, point: &dyn Fn(&Score) -> Option<(f64, f64)>| {
            let of_mode = scores.iter().filter(|score| score.mode == mode);
            let points: Vec<(String, f64, f64)> = of_mode
                .filter_map(|score| point(score).map(|(x, y)| (score.system.clone(), x, y)))
                .collect();
            if points.len() >= 2 {
                let line = fit(&points.iter().map(|(_, x, y)| (*x, *y)).collect::<Vec<_>>());
                found.push(Correlation { mode, x: x.into(), y: y.into(), points, line });
            }
        };
        for measure in Measure::ALL {
            add("perplexity", measure.name(), &|score| {
                Some((*perplexities.get(&score.system)?, score.estimate(measure)?.value))
            });
        }
        add("SSA", "human-likeness", &|score| {
            Some((score.ssa.as_ref()?.value, score.human_likeness.as_ref()?.value))
        });
    }
    found
}
