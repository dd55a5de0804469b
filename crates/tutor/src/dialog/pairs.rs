//! A vocabulary and pairs in token ids, made of conversations; batches of them on the device.

use std::path::{Path, PathBuf};

use anyhow::{Result, ensure};
use data_pipeline::dialog::{
    BpeSize, BpeTrainer, Checks, DialogPart, DialogTokenizer, Dialogs, EncodedPairs, Filters,
    Funnel, MadeDialogs, PackedPairs, Pair, PairLengths, Safety,
};
use dialog_models::{PackedSequences, Pairs};
use torch::{BatchPart, Device};

use super::part::Part;
use crate::run::{files, processes};

/// Conversations as networks take them.
pub(crate) struct Prepared {
    pub(crate) tokenizer: DialogTokenizer,
    pub(crate) train: Part,
    pub(crate) validation: Part,
    pub(crate) test: Part,
    /// What became of the messages.
    pub(crate) funnel: Funnel,
    /// Whether vocabulary and pairs were made before the run.
    pub(crate) made_before: bool,
}

/// How pairs are made.
#[derive(Clone, Copy)]
pub(crate) struct Making<'a> {
    pub(crate) filters: &'a Filters,
    pub(crate) vocabulary: BpeSize,
    pub(crate) lengths: PairLengths,
}

/// The folder of the vocabulary in that of a run.
pub(crate) fn vocabulary(run: &Path) -> PathBuf {
    run.join("vocabulary")
}

impl Prepared {
    /// Makes a vocabulary of the training part in a run's folder, if it is not there, and the
    /// pairs without what `safety` finds offensive. What became of the messages is kept beside it
    /// in `funnel.json`; an error if it is other than what a run that goes on has kept.
    pub(crate) fn make(
        dialogs: &Dialogs,
        run: &Path,
        making: Making<'_>,
        safety: &dyn Safety,
    ) -> Result<Self> {
        let dir = vocabulary(run);
        files::make_folder(&dir)?;
        processes::share_file(&dir.join("tokenizer.json"))?;
        if !dir.join("tokenizer.json").is_file() {
            let mut trainer = BpeTrainer::default();
            dialogs.texts(DialogPart::Train).for_each(|text| trainer.count(&text));
            trainer.tokenizer(making.vocabulary)?.save(&dir)?;
        }
        // As it is read back, so that a run that goes on has the same one.
        let tokenizer = DialogTokenizer::open(&dir)?;
        let subwords = |text: &str| tokenizer.ids(text).unwrap_or_default();
        let checks = Checks { subwords: &subwords, safety };
        let mut selected = dialogs.select(making.filters, &checks)?;
        selected.remove_near_duplicates();
        keep_funnel(run, &selected.funnel)?;
        let part = |part: DialogPart| -> Result<Part> {
            let pairs: Vec<Pair> = selected.part(part).cloned().collect();
            ensure!(
                !pairs.is_empty(),
                "the {} part has no pair: give it conversations, or filter less",
                part.name()
            );
            let all: Vec<&Pair> = pairs.iter().collect();
            let encoded = EncodedPairs::new(part.name(), &all, &tokenizer, &making.lengths)?;
            Ok(Part::in_memory(pairs, encoded))
        };
        let [test, validation, train] = DialogPart::ALL.map(part);
        let (test, validation, train) = (test?, validation?, train?);
        let funnel = selected.funnel;
        Ok(Self { tokenizer, train, validation, test, funnel, made_before: false })
    }

    /// Pairs that were made before: their vocabulary comes into the run's folder, so that its
    /// networks can be talked to where the pairs are not. What became of the messages is kept as by
    /// [`make`](Self::make).
    pub(crate) fn of_made(made: &MadeDialogs, run: &Path) -> Result<Self> {
        let dir = vocabulary(run);
        files::make_folder(&dir)?;
        processes::share_file(&dir.join("tokenizer.json"))?;
        if !dir.join("tokenizer.json").is_file() {
            made.tokenizer().save(&dir)?;
        }
        let tokenizer = DialogTokenizer::open(&dir)?;
        ensure!(
            tokenizer.digest() == made.tokenizer().digest(),
            "the vocabulary in {} is not that of the pairs in {}: begin anew with --fresh",
            dir.display(),
            made.folder().display()
        );
        let funnel = made.built().funnel.clone();
        keep_funnel(run, &funnel)?;
        let part = |part| Part::in_files(made, part);
        let [test, validation, train] = DialogPart::ALL.map(part);
        let (test, validation, train) = (test?, validation?, train?);
        Ok(Self { tokenizer, train, validation, test, funnel, made_before: true })
    }
}

/// Keeps in a run's folder what became of the messages, or makes sure that it is what it was when
/// the run began: otherwise networks would go on with other pairs than they have learned from.
fn keep_funnel(run: &Path, funnel: &Funnel) -> Result<()> {
    let file = run.join("funnel.json");
    let before: Option<Funnel> = files::found_before(&file)?;
    ensure!(
        before.is_none_or(|before| before == *funnel),
        "the pairs are no longer those with which {} began, by its funnel.json: the conversations \
         have changed, or were filtered by another version; bring the old ones back, or begin anew \
         with --fresh",
        run.display()
    );
    files::keep(&file, funnel)
}

/// A packed batch on the device.
pub(crate) fn on_device(packed: &PackedPairs, device: Device) -> Pairs {
    let lengths = [&packed.context_lengths, &packed.response_lengths];
    of_parts(packed, lengths.map(|lengths| BatchPart::whole(lengths)), device)
}

/// The same of this process's part of a batch that several processes share equally: all of them
/// call it together, with one pair or more.
pub(crate) fn share_on_device(packed: &PackedPairs, device: Device) -> Result<Pairs> {
    let pairs = packed.context_lengths.len();
    assert!(pairs > 0, "no pair");
    let own = packed.context_lengths.iter().chain(&packed.response_lengths);
    let all = processes::gather(own.map(|&n| n as i64).collect())?;
    let first = processes::share().rank * pairs;
    let part = |start: usize| {
        let lengths = all.chunks_exact(2 * pairs).flat_map(|both| &both[start..start + pairs]);
        let lengths: Vec<usize> = lengths.map(|&n| n as usize).collect();
        BatchPart::new(&lengths, Some(first..first + pairs))
    };
    Ok(of_parts(packed, [0, pairs].map(part), device))
}

fn of_parts(packed: &PackedPairs, [read, written]: [BatchPart; 2], device: Device) -> Pairs {
    Pairs::from_packed(
        PackedSequences::of_part(&packed.context_ids, read, device),
        PackedSequences::of_part(&packed.response_ids, written, device),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_goes_on_with_the_pairs_that_it_began_with() {
        let dir = tempfile::tempdir().expect("a folder");
        let funnel = Funnel { messages: 3, ..Funnel::default() };
        keep_funnel(dir.path(), &funnel).expect("kept");
        keep_funnel(dir.path(), &funnel).expect("the same");
        let other = Funnel { messages: 2, ..Funnel::default() };
        let error = keep_funnel(dir.path(), &other).expect_err("other pairs").to_string();
        assert!(error.contains("funnel.json") && error.contains("--fresh"), "{error}");
        keep_funnel(dir.path(), &funnel).expect("what was kept is not replaced");
    }
}
