//! A run that was stopped, however often, ends with the bits of one that never was.

use std::fs;

use proptest::prelude::*;
use train::{Cadence, Outcome};

use crate::lab::{self, StopAt};
use crate::{checkpoint, events};

const STEPS: u64 = 23;

proptest! {
    #![proptest_config(ProptestConfig { cases: 10, ..ProptestConfig::default() })]

    #[test]
    fn stopping_changes_nothing(
        mut stops in proptest::collection::btree_set(0..STEPS, 0..5),
        checkpoint in 0_u64..6,
        evaluate in 0_u64..6,
        log in 1_u64..5,
        keep in 1_usize..4,
        damage in any::<bool>(),
    ) {
        let cadence = Cadence { log, evaluate, checkpoint, keep };
        let setup = lab::Setup { cadence, ..lab::setup(STEPS) };
        let unbroken = tempfile::tempdir().unwrap();
        let (outcome, expected) = lab::run(unbroken.path(), &setup, &mut ()).unwrap();
        let Outcome::Finished(summary) = outcome else { panic!("{outcome:?}") };

        let broken = tempfile::tempdir().unwrap();
        while let Some(stop) = stops.pop_first() {
            let (outcome, _) = lab::run(broken.path(), &setup, &mut StopAt(stop)).unwrap();
            let Outcome::Interrupted(part) = outcome else { panic!("{outcome:?}") };
            prop_assert_eq!(part.step, stop);
            let steps = checkpoint::steps(broken.path());
            if damage && steps.len() > 1 {
                // The newest checkpoint is lost: the run resumes from the one before.
                fs::write(steps.last().unwrap(), "lost").unwrap();
            }
        }
        let (outcome, found) = lab::run(broken.path(), &setup, &mut ()).unwrap();
        prop_assert_eq!(&found, &expected);
        prop_assert_eq!(lab::record(broken.path()), lab::record(unbroken.path()));
        prop_assert_eq!(events::rows(broken.path()), events::record_as_events(unbroken.path()));
        let resumed = outcome.summary();
        prop_assert_eq!(&resumed.best, &summary.best);
        prop_assert_eq!(&resumed.evaluation, &summary.evaluation);
        // Eight images of 6x6 a step: the convolution has no gradient of its input to compute.
        let a_step = 8 * (2 * (2 * 6 * 36 * 9) + 3 * (2 * 3 * 6));
        prop_assert_eq!((summary.flops, resumed.flops), (STEPS * a_step, STEPS * a_step));
        let best = |folder: &tempfile::TempDir| {
            let stage = train::StageDir::open(folder.path()).unwrap();
            let best = stage.checkpoints().best().unwrap().unwrap();
            let weights = best.part("param.").into_iter();
            let bits = |t: torch::Tensor| -> Vec<u32> {
                let values = Vec::<f32>::try_from(t.reshape([-1])).unwrap();
                values.into_iter().map(f32::to_bits).collect()
            };
            (best.run.best, weights.map(|(n, t)| (n, bits(t))).collect::<Vec<_>>())
        };
        prop_assert_eq!(best(&broken), best(&unbroken));

        // Once more: nothing is left to do, and nothing changes.
        let (outcome, again) = lab::run(broken.path(), &setup, &mut ()).unwrap();
        prop_assert_eq!(outcome.summary().resumed_from, Some(STEPS));
        prop_assert_eq!(&outcome.summary().evaluation, &summary.evaluation);
        prop_assert_eq!(&again, &expected);
    }
}
