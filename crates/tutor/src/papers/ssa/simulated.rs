//! Studies by simulated raters of known quality.

use eval_ssa::bootstrap::Bootstrap;
use eval_ssa::score::Measure;
use eval_ssa::simulate::{self, Coverage, Simulation};
use eval_ssa::{Label, Mode, Required, Summary};

use super::recipe::Recipe;
use crate::run::seeds::key;

/// What one seed finds.
pub(super) struct Simulated {
    /// Each system, with what is true and what the raters find.
    pub(super) systems: Vec<Recovered>,
    /// The whole study.
    pub(super) summary: Summary,
    /// How often intervals hold the truth.
    pub(super) coverage: Vec<Coverage>,
}

/// The three measures of a system, in the order of [`Measure::ALL`].
pub(super) struct Recovered {
    pub(super) name: String,
    /// Of endlessly many responses.
    pub(super) chances: [f64; 3],
    /// Of the responses that were drawn, by their true labels.
    pub(super) truth: [f64; 3],
    /// By the raters; `None` where no response was decided.
    pub(super) found: Option<[f64; 3]>,
}

/// Draws the study and the coverage of a seed.
pub(super) fn run(recipe: &Recipe, seed: u64) -> Simulated {
    let raters = &recipe.raters;
    let simulation = Simulation {
        mode: Mode::Interactive,
        systems: raters.systems.iter().map(|system| system.simulated()).collect(),
        conversations: raters.conversations as usize,
        turns: raters.turns as usize,
        likeness: raters.likeness,
        raters: raters.quality.clone(),
        required: Required::new(raters.votes).expect("the recipe was checked"),
        skips: raters.skips,
        seed: key(seed, "study"),
    };
    let (study, truth) = simulation.run();
    let bootstrap = Bootstrap { resamples: raters.resamples, seed, ..Bootstrap::default() };
    let summary = Summary::of(&study, &bootstrap);
    let systems = raters.systems.iter().map(|system| {
        let of_system =
            study.items.iter().zip(&truth).filter(|(item, _)| item.system == system.name);
        let labels: Vec<Label> = of_system.map(|(_, label)| *label).collect();
        let mean = |measure: Measure| {
            labels.iter().map(|label| measure.of(*label)).sum::<f64>() / labels.len() as f64
        };
        let score = summary.scores.iter().find(|score| score.system == system.name);
        let found = Measure::ALL.map(|m| Some(score?.estimate(m)?.value));
        Recovered {
            name: system.name.clone(),
            chances: [system.sensible, system.sensible * system.specific, system.simulated().ssa()],
            truth: Measure::ALL.map(mean),
            found: match found {
                [Some(sensible), Some(specific), Some(ssa)] => Some([sensible, specific, ssa]),
                _ => None,
            },
        }
    });
    let systems = systems.collect();
    let config = &recipe.coverage;
    let coverage = simulate::coverage(&simulate::CoverageConfig {
        system: config.system.simulated(),
        conversations: config.conversations.iter().map(|size| *size as usize).collect(),
        turns: config.turns.map(|turns| turns as usize),
        likeness: config.likeness,
        studies: config.studies,
        bootstrap: Bootstrap {
            resamples: config.resamples,
            seed: key(seed, "coverage"),
            ..Bootstrap::default()
        },
    });
    Simulated { systems, summary, coverage }
}
