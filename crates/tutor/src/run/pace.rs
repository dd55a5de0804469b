//! How many steps of a training fit the time that there is.

use std::path::Path;
use std::time::Instant;

use anyhow::{Context, Result};
use torch::Device;
use train::{Callback, Progress};

use super::files;

/// Steps of a measurement of the pace, and how many of the first are not counted.
pub(crate) const PACE_STEPS: u64 = 8;
const NOT_COUNTED: usize = 3;

/// The share of the time that the planned steps take at the measured pace; the rest is for
/// checkpoints and for a machine that becomes slower.
const PLANNED: f64 = 0.92;

/// No training is shorter, but for one that may have fewer steps at most.
pub(crate) const FEWEST_STEPS: u64 = 10;

/// How long a training may take, in seconds.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Span {
    /// Its steps are planned for these.
    pub(crate) planned: f64,
    /// It ends after these, whatever step it is at: more than the planned ones where a machine that
    /// became slower may take its time.
    pub(crate) most: f64,
}

impl Span {
    /// With no time but what the steps are planned for.
    pub(crate) fn exactly(seconds: f64) -> Self {
        Self { planned: seconds, most: seconds }
    }
}

/// The steps that fit into some seconds.
pub(crate) fn fitting(seconds: f64, pace: f64) -> u64 {
    (seconds * PLANNED / pace) as u64
}

/// The seconds into which so many steps fit.
pub(crate) fn needed(steps: u64, pace: f64) -> f64 {
    // A little more, so that a rounded quotient is not a step less.
    (steps as f64 + 0.01) * pace / PLANNED
}

/// Seconds that a step of a training of [`PACE_STEPS`] takes, the median, or of fewer where the
/// training ends earlier; measured once a folder. What `fit` leaves there beside is removed.
pub(crate) fn measure(
    dir: &Path,
    device: Device,
    fit: impl FnOnce(&mut dyn Callback) -> Result<()>,
) -> Result<f64> {
    files::once(&dir.join("pace.json"), || {
        // What a process that was stopped here left behind is not measured again.
        remove(dir)?;
        let mut stopwatch = Stopwatch { device, instants: vec![Instant::now()] };
        fit(&mut stopwatch)?;
        // What was learned is of no use.
        remove(dir)?;
        files::make_folder(dir)?;
        let times = &stopwatch.instants;
        // The first one ends with what comes before it.
        let times = &times[(NOT_COUNTED + 1).min(times.len() - 2)..];
        let mut steps: Vec<f64> =
            times.windows(2).map(|pair| (pair[1] - pair[0]).as_secs_f64()).collect();
        steps.sort_by(f64::total_cmp);
        Ok(steps[steps.len() / 2])
    })
}

/// Steps, `most` at most, and the seconds after which a training in `dir` ends; resumed, it has
/// those that were planned at first.
pub(crate) fn plan(dir: &Path, (span, pace): (Span, f64), most: u64) -> Result<(u64, f64)> {
    files::make_folder(dir)?;
    files::once(&dir.join("plan.json"), || {
        let fewest = FEWEST_STEPS.min(most);
        let steps = fitting(span.planned, pace).clamp(fewest, most);
        Ok((steps, span.planned.max(span.most).max(2.0 * pace * fewest as f64)))
    })
}

/// What should be known of a training that had no time for the steps that were planned; nothing of
/// one that had.
pub(crate) fn cut_short(name: &str, (steps, planned): (u64, u64), seconds: f64) -> Option<String> {
    (steps < planned).then(|| {
        format!(
            "{name} was ended by its time after {steps} of {planned} steps, {seconds:.0} s: steps, \
             evaluations or checkpoints took longer than was planned, and the learning rate did not \
             come down to its end."
        )
    })
}

/// Removes a folder, if it is there.
pub(crate) fn remove(dir: &Path) -> Result<()> {
    match std::fs::remove_dir_all(dir) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(error).with_context(|| format!("cannot remove {}", dir.display()))
        }
        _ => Ok(()),
    }
}

/// Notes when steps are done.
struct Stopwatch {
    device: Device,
    instants: Vec<Instant>,
}

impl Callback for Stopwatch {
    fn stepped(&mut self, _at: Progress) {
        // A GPU may still be at work on the step.
        torch::device::synchronize(self.device);
        self.instants.push(Instant::now());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_needed_for_steps_fits_them() {
        for steps in [1, 10, 125, 3_001] {
            for pace in [0.003, 0.1, 1.7] {
                assert_eq!(fitting(needed(steps, pace), pace), steps, "{steps} of {pace}");
            }
        }
    }

    #[test]
    fn only_a_training_that_was_cut_short_is_told_in_a_sentence() {
        assert_eq!(cut_short("it", (50, 50), 3.0), None);
        let told = cut_short("it", (49, 50), 3.4).expect("a note");
        assert!(told.starts_with("it was ended by its time after 49 of 50 steps, 3 s:"), "{told}");
        assert!(told.ends_with("did not come down to its end."), "{told}");
    }

    #[test]
    fn a_plan_stays_as_it_was_made() {
        let dir = tempfile::tempdir().expect("a folder");
        let first = plan(dir.path(), (Span::exactly(100.0), 1.0), 50).expect("a plan");
        assert_eq!(first, (50, 100.0));
        let again = plan(dir.path(), (Span::exactly(1.0), 1.0), 50);
        assert_eq!(again.expect("the same"), first);
    }

    #[test]
    fn a_machine_that_becomes_slower_takes_the_time_that_there_is() {
        let dir = tempfile::tempdir().expect("a folder");
        let span = Span { planned: 20.0, most: 300.0 };
        assert_eq!(plan(dir.path(), (span, 1.0), 50).expect("a plan"), (18, 300.0));
    }

    #[test]
    fn a_plan_has_the_fewest_steps_or_the_most_that_there_may_be() {
        let dir = tempfile::tempdir().expect("a folder");
        let steps = |name, most| {
            let none = Span::exactly(0.0);
            plan(&dir.path().join(name), (none, 1.0), most).expect("a plan")
        };
        assert_eq!(steps("long", 50), (10, 20.0));
        assert_eq!(steps("short", 4), (4, 8.0));
    }
}
