//! Checkpoints: which are kept, and what happens to damaged ones.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, OnceLock};

use proptest::prelude::*;
use torch::store;
use train::checkpoint::CheckpointError;
use train::{Checkpoint, FitError, Outcome, StageDir};

use crate::lab::{self, Setup, StopAt};

/// The files of a stage's folder of checkpoints, in order.
fn files(stage: &Path) -> Vec<String> {
    let entries = fs::read_dir(stage.join("checkpoints")).unwrap();
    let mut names: Vec<_> =
        entries.map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

/// The checkpoint files of a stage, damaged or not, in order of their steps.
pub(crate) fn steps(stage: &Path) -> Vec<PathBuf> {
    let names = files(stage).into_iter().filter(|n| n.starts_with("step-"));
    names.map(|name| stage.join("checkpoints").join(name)).collect()
}

/// The newest of them.
pub(crate) fn newest(stage: &Path) -> PathBuf {
    steps(stage).pop().unwrap()
}

/// A stage with checkpoints of the steps 4, 8 and 12 of 12.
fn stage(keep: usize) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let mut setup = Setup { best: None, ..lab::setup(12) };
    (setup.cadence.keep, setup.cadence.evaluate) = (keep, 0);
    lab::run(folder.path(), &setup, &mut ()).unwrap();
    folder
}

#[test]
fn the_newest_and_the_best_are_kept() {
    let folder = stage(2);
    let names = ["step-00000008.ckpt.safetensors", "step-00000012.ckpt.safetensors"];
    assert_eq!(files(folder.path()), names);

    let folder = tempfile::tempdir().unwrap();
    let mut setup = lab::setup(30);
    setup.cadence.keep = 1;
    let (outcome, _) = lab::run(folder.path(), &setup, &mut ()).unwrap();
    let best = outcome.summary().best.unwrap();
    assert_eq!(files(folder.path()), ["best.ckpt.safetensors", "step-00000030.ckpt.safetensors"]);
    let stage = StageDir::open(folder.path()).unwrap();
    let kept = stage.checkpoints().best().unwrap().unwrap();
    assert_eq!((kept.run.step, kept.run.best), (best.step, Some(best)));
    let highest = |(_, values): &(u64, std::collections::BTreeMap<_, Option<f64>>)| {
        values.get("eval/accuracy").copied().flatten()
    };
    let all: Vec<_> = lab::record(folder.path()).iter().filter_map(highest).collect();
    assert_eq!(all.len(), 6);
    assert_eq!(best.value, all.into_iter().fold(0.0, f64::max));
}

#[test]
fn the_best_gets_its_name_back_when_a_kill_came_before_it() {
    let folder = tempfile::tempdir().unwrap();
    let setup = lab::setup(30);
    let (outcome, _) = lab::run(folder.path(), &setup, &mut ()).unwrap();
    let best = outcome.summary().best.unwrap().step;

    let folder = tempfile::tempdir().unwrap();
    lab::run(folder.path(), &setup, &mut StopAt(best)).unwrap();
    let path = StageDir::open(folder.path()).unwrap().checkpoints().best_path();
    fs::remove_file(&path).unwrap();
    lab::run(folder.path(), &setup, &mut StopAt(best)).unwrap();
    assert_eq!(Checkpoint::read(&path).unwrap().run.step, best);
}

#[test]
fn it_holds_everything() {
    let folder = stage(3);
    let stored = store::load(&newest(folder.path())).unwrap();
    let has = |prefix: &str| stored.tensors.keys().filter(|n| n.starts_with(prefix)).count();
    assert_eq!((has("param."), has("state.ema."), has("state.confidence")), (7, 7, 1));
    assert_eq!((has("optim."), has("rng.cpu")), (1 + 2 * 5, 1));
    assert_eq!(stored.meta["recipe"], lab::setup(12).recipe);
    assert_eq!(stored.meta["step"], "12");
    let rows = fs::metadata(folder.path().join("metrics.jsonl")).unwrap().len();
    let checkpoint = Checkpoint::read(&newest(folder.path())).unwrap();
    assert_eq!(checkpoint.run.record_bytes, rows);
}

#[test]
fn unfinished_files_are_removed_and_a_second_process_is_refused() {
    let folder = stage(3);
    let part = folder.path().join("checkpoints/.step-00000016.ckpt.safetensors.7.0.part");
    fs::write(&part, "half a check").unwrap();
    let stage = StageDir::open(folder.path()).unwrap();
    assert!(!part.exists());
    let busy = StageDir::open(folder.path()).unwrap_err().to_string();
    assert!(busy.contains("another process is training here"), "{busy}");
    drop(stage);
    StageDir::open(folder.path()).unwrap();
}

#[test]
fn another_recipe_is_refused() {
    let folder = stage(3);
    let setup = lab::setup(12);
    let other = Setup { recipe: setup.recipe.replace("seed = 7", "seed = 8"), ..setup };
    let message = lab::run(folder.path(), &other, &mut ()).unwrap_err().to_string();
    assert!(message.contains("step-00000012"), "{message}");
    assert!(message.contains("line 2 was `seed = 7` and is `seed = 8`"), "{message}");
    let longer = Setup { recipe: format!("{}x = 1\n", lab::setup(12).recipe), ..other };
    let message = lab::run(folder.path(), &longer, &mut ()).unwrap_err().to_string();
    assert!(message.contains("line 3 was nothing and is `x = 1`"), "{message}");
}

#[test]
fn tensors_that_do_not_fit_are_named() {
    let folder = stage(3);
    let path = newest(folder.path());
    let checkpoint = Checkpoint::read(&path).unwrap();
    let _alone = torch::rng::exclusive();
    let mut student = lab::Student::new();
    checkpoint.restore(&student).unwrap();
    student.rename_confidence("surety");
    let error = checkpoint.restore(&student).unwrap_err();
    let CheckpointError::Mismatch { faults, .. } = error else { panic!("{error}") };
    assert_eq!(faults, ["state.surety is missing", "state.confidence is unexpected"]);
}

#[test]
fn a_checkpoint_beyond_the_plan_is_refused() {
    let folder = stage(3);
    let error = lab::run(folder.path(), &lab::setup(8), &mut ()).unwrap_err();
    assert!(
        error.to_string().contains("it is of step 12, and the training has 8 steps"),
        "{error}"
    );
    assert!(matches!(error, FitError::Checkpoint(CheckpointError::Mismatch { .. })));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, ..ProptestConfig::default() })]

    #[test]
    fn damage_is_found_or_changes_nothing(at in any::<prop::sample::Index>(), bit in 0..8, cut in any::<bool>()) {
        use std::sync::OnceLock;
        static WHOLE: OnceLock<Vec<u8>> = OnceLock::new();
        let whole = WHOLE.get_or_init(|| fs::read(newest(stage(1).path())).unwrap());
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("step-00000012.ckpt.safetensors");
        let mut bytes = whole.clone();
        let at = at.index(bytes.len());
        if cut { bytes.truncate(at) } else { bytes[at] ^= 1_u8 << bit }
        fs::write(&path, bytes).unwrap();
        match Checkpoint::read(&path) {
            Err(CheckpointError::Damaged { path: named, .. }) => prop_assert_eq!(named, path),
            Err(other) => prop_assert!(false, "{}", other),
            Ok(read) => {
                // A space of the header's padding may have become another white space.
                prop_assert!(!cut && at < 8 + 16_384);
                fs::write(&path, whole).unwrap();
                let original = Checkpoint::read(&path).unwrap();
                prop_assert_eq!(&read.run, &original.run);
                prop_assert_eq!(&read.recipe, &original.recipe);
                let (read, original) = (read.part(""), original.part(""));
                prop_assert!(read.keys().eq(original.keys()));
                prop_assert!(read.iter().all(|(n, t)| *t == original[n]));
            }
        }
    }
}

/// Flips a bit in the middle of a file.
fn damage(file: &Path) {
    let mut bytes = fs::read(file).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs::write(file, bytes).unwrap();
}

#[test]
fn a_stage_whose_checkpoints_are_all_damaged_does_not_begin_again_by_itself() {
    let folder = stage(2);
    let files = steps(folder.path());
    assert_eq!(files.len(), 2);
    files.iter().for_each(|file| damage(file));
    let record = lab::record(folder.path());
    let setup = Setup { best: None, ..lab::setup(12) };
    let error = lab::run(folder.path(), &setup, &mut ()).unwrap_err();
    let text = error.to_string();
    let FitError::Checkpoint(CheckpointError::AllDamaged { folder: named, damaged }) = error else {
        panic!("{text}")
    };
    assert_eq!((&*named, damaged.len()), (&*folder.path().join("checkpoints"), 2));
    for word in ["step-00000008", "step-00000012", "checkpoints", "Delete", "--fresh"] {
        assert!(text.contains(word), "{word}: {text}");
    }
    assert_eq!(lab::record(folder.path()), record, "nothing was touched");

    // What the message says helps.
    fs::remove_dir_all(named).unwrap();
    let (outcome, _) = lab::run(folder.path(), &setup, &mut ()).unwrap();
    assert_eq!(outcome.summary().resumed_from, None);
}

/// Collects what is logged.
#[derive(Clone, Default)]
struct Lines(Arc<Mutex<Vec<u8>>>);

impl Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// What all tests log, from the first call on: one subscriber for the whole process, since a scoped
/// one can miss what another thread logged first.
fn log() -> &'static Lines {
    static LOG: OnceLock<Lines> = OnceLock::new();
    LOG.get_or_init(|| {
        let lines = Lines::default();
        let writer = lines.clone();
        let log = tracing_subscriber::fmt().with_writer(move || writer.clone()).with_ansi(false);
        tracing::subscriber::set_global_default(log.finish()).unwrap();
        lines
    })
}

#[test]
fn a_damaged_checkpoint_is_passed_over_with_a_warning() {
    let lines = log();
    let setup = Setup { best: None, ..lab::setup(16) };
    let unbroken = tempfile::tempdir().unwrap();
    let (_, expected) = lab::run(unbroken.path(), &setup, &mut ()).unwrap();

    let folder = tempfile::tempdir().unwrap();
    lab::run(folder.path(), &setup, &mut StopAt(14)).unwrap();
    let newest = newest(folder.path());
    assert!(newest.ends_with("step-00000014.ckpt.safetensors"));
    damage(&newest);

    let resumed = lab::run(folder.path(), &setup, &mut ()).unwrap();
    let (Outcome::Finished(summary), found) = resumed else { panic!("{resumed:?}") };
    assert_eq!(summary.resumed_from, Some(12));
    assert_eq!(found, expected);
    assert_eq!(lab::record(folder.path()), lab::record(unbroken.path()));
    let lines = String::from_utf8(lines.0.lock().unwrap().clone()).unwrap();
    let newest_name = newest.display().to_string();
    let warning = lines.lines().find(|l| l.contains(&newest_name) && l.contains("WARN"));
    assert!(warning.is_some_and(|line| line.contains("damaged")), "{lines}");
    assert!(!newest.exists(), "the damaged one of a later step is removed in time");
}
