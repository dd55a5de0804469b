//! Studies by simulated raters of known quality, and how often intervals hold the truth.

use crate::bootstrap::{Bootstrap, Unit};
use crate::item::{Item, Label, Mode, Turn};
use crate::protocol::Required;
use crate::rating::{Answer, Rating};
use crate::study::Study;
use augment::rng::{Key, Rng};
use serde::{Deserialize, Serialize};

/// What keys' views are for the draws of this module.
const STUDY: u64 = 1210;
const COVERAGE: u64 = 1211;

/// A system whose responses have known chances.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SimulatedSystem {
    /// Its name.
    pub name: String,
    /// The chance that a response makes sense.
    pub sensible: f64,
    /// The chance that a response that makes sense is specific.
    pub specific: f64,
}

impl SimulatedSystem {
    /// A system of this name and these chances.
    pub fn new(name: impl Into<String>, sensible: f64, specific: f64) -> Self {
        Self { name: name.into(), sensible, specific }
    }

    fn draw(&self, rng: &mut Rng) -> Label {
        match (rng.chance(self.sensible), rng.chance(self.specific)) {
            (false, _) => Label::NotSensible,
            (true, false) => Label::Sensible,
            (true, true) => Label::Specific,
        }
    }

    /// The SSA of endlessly many of its responses.
    pub fn ssa(&self) -> f64 {
        self.sensible * (1.0 + self.specific) / 2.0
    }
}

/// A study that is made up.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Simulation {
    /// The mode; in static mode all systems answer the same contexts.
    pub mode: Mode,
    /// The systems.
    pub systems: Vec<SimulatedSystem>,
    /// Conversations with each system, or contexts.
    pub conversations: usize,
    /// Rated responses in each; 1 in static mode.
    pub turns: usize,
    /// How alike the responses of a conversation are: the correlation of any two of them, 0 to 1.
    pub likeness: f64,
    /// The raters: the chance of each to see whether a response makes sense, and again whether it
    /// is specific. At least as many as are required.
    pub raters: Vec<f64>,
    /// Raters for each response.
    pub required: Required,
    /// The chance that a rater skips an item.
    pub skips: f64,
    /// The seed.
    pub seed: u64,
}

impl Default for Simulation {
    /// 100 conversations of 7 turns with each of three systems, rated by 5 of 8 raters who see the
    /// truth nine times out of ten, and skip one item in two hundred.
    fn default() -> Self {
        Self {
            mode: Mode::Interactive,
            systems: vec![
                SimulatedSystem::new("system A", 0.9, 0.75),
                SimulatedSystem::new("system B", 0.75, 0.6),
                SimulatedSystem::new("system C", 0.6, 0.4),
            ],
            conversations: 100,
            turns: 7,
            likeness: 0.1,
            raters: vec![0.9; 8],
            required: Required::default(),
            skips: 0.005,
            seed: 1,
        }
    }
}

impl Simulation {
    /// Draws the study, and the true label of each of its items.
    ///
    /// Panics if there are fewer raters than are required, or chances are not within 0 to 1.
    pub fn run(&self) -> (Study, Vec<Label>) {
        let required = self.required.get() as usize;
        assert!(self.raters.len() >= required, "{} raters of {required}", self.raters.len());
        let chances = self.systems.iter().flat_map(|s| [s.sensible, s.specific]);
        let mut chances =
            chances.chain(self.raters.iter().copied()).chain([self.likeness, self.skips]);
        assert!(chances.all(|chance| (0.0..=1.0).contains(&chance)), "chances are within 0 to 1");
        let mut study = Study { required: self.required, ..Study::default() };
        let mut truth = Vec::new();
        let mut positions = vec![0u32; self.raters.len()];
        for (system, index) in self.systems.iter().zip(0..) {
            for conversation in 0..self.conversations {
                let key =
                    Key { seed: self.seed, epoch: index, index: conversation as u64, view: STUDY };
                let mut rng = key.rng();
                let common = system.draw(&mut rng);
                for turn in 0..self.turns {
                    // Two responses are the same draw with this chance squared.
                    let shared = rng.chance(self.likeness.sqrt());
                    let label = if shared { common } else { system.draw(&mut rng) };
                    let item = self.item(&system.name, conversation, turn);
                    let mut raters: Vec<usize> = (0..self.raters.len()).collect();
                    rng.shuffle(&mut raters);
                    for rater in &raters[..required] {
                        let answer = self.answer(label, self.raters[*rater], &mut rng);
                        let mut rating =
                            Rating::new(&item.id, format!("rater {}", rater + 1), answer);
                        rating.position = Some(positions[*rater]);
                        positions[*rater] += 1;
                        study.ratings.push(rating);
                    }
                    study.items.push(item);
                    truth.push(label);
                }
            }
        }
        (study, truth)
    }

    fn item(&self, system: &str, conversation: usize, turn: usize) -> Item {
        let conversation = match self.mode {
            Mode::Static => format!("context {conversation}"),
            Mode::Interactive => format!("{system}, conversation {conversation}"),
        };
        Item {
            id: format!("{system}/{conversation}/{turn}"),
            mode: self.mode,
            system: system.to_owned(),
            conversation,
            turn: 2 * turn as u32 + 1,
            context: vec![Turn::new("A", "(simulated)")],
            response: "(simulated)".into(),
            ..Item::default()
        }
    }

    fn answer(&self, truth: Label, quality: f64, rng: &mut Rng) -> Answer {
        let mut seen = |fact: bool| fact == rng.chance(quality);
        let (sensible, specific) = (seen(truth.is_sensible()), seen(truth.is_specific()));
        match (rng.chance(self.skips), sensible) {
            (true, _) => Answer::Skipped { reason: "simulated".into() },
            (_, false) => Answer::NotSensible,
            (_, true) => Answer::Sensible { specific: Some(specific) },
        }
    }
}

/// The chance that more than half of `required` raters of this quality see the truth on one
/// question.
///
/// ```
/// use eval_ssa::{Required, simulate::majority_is_right};
/// let five = majority_is_right(0.9, Required::default());
/// assert!((five - 0.99144).abs() < 1e-12);
/// ```
pub fn majority_is_right(quality: f64, required: Required) -> f64 {
    let n = required.get();
    let choose = |k: u32| (0..k).fold(1.0, |c, i| c * f64::from(n - i) / f64::from(i + 1));
    let exactly =
        |k: u32| choose(k) * quality.powi(k as i32) * (1.0 - quality).powi((n - k) as i32);
    (n / 2 + 1..=n).map(exactly).sum()
}

/// Studies whose intervals are checked against the truth.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CoverageConfig {
    /// The system.
    pub system: SimulatedSystem,
    /// Numbers of conversations of a study.
    pub conversations: Vec<usize>,
    /// Rated responses of a conversation: any number between these two, both included.
    pub turns: [usize; 2],
    /// The correlation of two responses of a conversation.
    pub likeness: f64,
    /// Studies for each number of conversations.
    pub studies: u32,
    /// How each makes its intervals.
    pub bootstrap: Bootstrap,
}

impl Default for CoverageConfig {
    /// 2,000 studies of 5, 10, 20 and 100 conversations of 7 to 14 turns with a good system.
    fn default() -> Self {
        Self {
            system: SimulatedSystem::new("good", 0.87, 0.8),
            conversations: vec![5, 10, 20, 100],
            turns: [7, 14],
            likeness: 0.1,
            studies: 2000,
            bootstrap: Bootstrap { resamples: 1000, ..Bootstrap::default() },
        }
    }
}

/// How often the intervals of studies of one size hold the true SSA.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Coverage {
    /// Conversations of a study.
    pub conversations: usize,
    /// Studies.
    pub studies: u32,
    /// Share of percentile intervals that hold the truth.
    pub percentile: f64,
    /// Their mean width.
    pub percentile_width: f64,
    /// Share of the intervals for small studies that hold the truth.
    pub small_sample: f64,
    /// Their mean width.
    pub small_sample_width: f64,
    /// Share of studies whose percentile interval has no width.
    pub degenerate: f64,
}

/// Draws studies with perfect raters and counts how often their intervals hold the true SSA.
pub fn coverage(config: &CoverageConfig) -> Vec<Coverage> {
    let truth = config.system.ssa();
    let of_size = |conversations: usize| {
        let mut found = [0.0; 5];
        for study in 0..u64::from(config.studies) {
            let (seed, index) = (config.bootstrap.seed, conversations as u64);
            let mut rng = Key { seed, epoch: study, index, view: COVERAGE }.rng();
            let units: Vec<Unit> = (0..conversations).map(|_| unit(config, &mut rng)).collect();
            let bootstrap = Bootstrap { seed: rng.next_u64(), ..config.bootstrap };
            let estimate = bootstrap.mean(&units).expect("conversations and resamples");
            let holds = |[low, high]: [f64; 2]| f64::from(low <= truth && truth <= high);
            let small = estimate.small_sample.unwrap_or([estimate.value; 2]);
            for (sum, value) in found.iter_mut().zip([
                holds(estimate.percentile),
                estimate.percentile[1] - estimate.percentile[0],
                holds(small),
                small[1] - small[0],
                f64::from(estimate.degenerate),
            ]) {
                *sum += value;
            }
        }
        let found = found.map(|sum| sum / f64::from(config.studies));
        Coverage {
            conversations,
            studies: config.studies,
            percentile: found[0],
            percentile_width: found[1],
            small_sample: found[2],
            small_sample_width: found[3],
            degenerate: found[4],
        }
    };
    config.conversations.iter().map(|conversations| of_size(*conversations)).collect()
}

fn unit(config: &CoverageConfig, rng: &mut Rng) -> Unit {
    let common = config.system.draw(rng);
    let turns = config.turns[0] + rng.below(config.turns[1] - config.turns[0] + 1);
    let mut sum = 0.0;
    for _ in 0..turns {
        let shared = rng.chance(config.likeness.sqrt());
        sum += if shared { common } else { config.system.draw(rng) }.ssa();
    }
    Unit { sum, count: turns as f64 }
}
