//! A trained classifier of texts with all that is needed to show it new ones, and the files that it
//! is kept in.

use std::any::Any;
use std::collections::BTreeMap;
use std::fs;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context, Result, bail};
use data_pipeline::digest::Digest;
use data_pipeline::text::read::OnBadInput;
use data_pipeline::text::{Column, Layout, OwnTexts, TextSet, Tokenizer};
use electra::Family;
use electra::heads::{ClassifierConfig, HeadForm};
use electra::hub::{self, HubConfig};
use serde::{Deserialize, Serialize};
use torch::Device;
use torch::precision::{Precision, autocast};
use train::StageDir;

use super::classifier::TextClassifier;
use super::hub_note::HubNote;
use super::open_texts::OpenTexts;
use crate::run::experiment::{Predictor, Reading, Shown, gains_by_bfloat16, numbers_of};
use crate::run::files;
use crate::run::stage::Trained;

/// How tables of one's own texts are read.
#[derive(Clone, Debug, Default)]
pub(crate) struct Columns {
    pub(crate) text: Option<String>,
    /// The column of second texts, where rows are pairs.
    pub(crate) pair: Option<String>,
    pub(crate) label: Option<String>,
    /// Labels that stand for none.
    pub(crate) no_label: Vec<String>,
    pub(crate) on_bad: OnBadInput,
    /// Whether the columns of texts were asked for, so that no others are looked for.
    pub(crate) asked: bool,
    /// The same of the column of labels.
    pub(crate) label_asked: bool,
}

impl Columns {
    /// Reads as it is asked where something is asked; `pairs` is whether the classifier judges two
    /// texts together, where that is known.
    pub(crate) fn change(&mut self, how: &Reading, pairs: Option<bool>) -> Result<()> {
        match (&how.text[..], pairs) {
            ([], _) => {}
            ([text], None | Some(false)) => (self.text, self.pair) = (Some(text.clone()), None),
            ([text, pair], None | Some(true)) => {
                (self.text, self.pair) = (Some(text.clone()), Some(pair.clone()));
            }
            (named, Some(true)) => {
                bail!(
                    "--text-column: pairs are judged, which have two columns, not {}",
                    named.len()
                )
            }
            (named, _) => bail!("--text-column: texts have one column, not {}", named.len()),
        }
        self.asked = !how.text.is_empty();
        if how.label.is_some() {
            self.label.clone_from(&how.label);
            self.label_asked = true;
        }
        self.no_label.extend(how.no_label.iter().cloned());
        if how.skip_bad {
            self.on_bad = OnBadInput::Skip;
        }
        Ok(())
    }

    /// What tells answers to texts that are read so from others. The form stays as it is: what
    /// stopped commands left is known by it. Where labels are looked for has no influence on them.
    pub(crate) fn identity(&self) -> String {
        let Self { text, pair, label, no_label, on_bad, asked, label_asked: _ } = self;
        format!(
            "Columns {{ text: {text:?}, pair: {pair:?}, label: {label:?}, no_label: {no_label:?}, \
             on_bad: {on_bad:?}, asked: {asked:?} }}"
        )
    }

    /// A reader of a table of labelled texts; labels must be among `classes`, where they are given.
    pub(crate) fn labeled(&self, path: &Path, classes: Option<Vec<String>>) -> Result<OwnTexts> {
        let label = self.label.clone().map(Column::Named);
        let reader = OwnTexts { label, classes, ..self.reader() };
        Ok(reader.with_usual_columns(path)?)
    }

    /// The same of labels among `classes`; a table that lacks a column which was not asked for is
    /// read by one of a usual name, as [`bare`](Self::bare) does.
    pub(crate) fn scored(&self, path: &Path, classes: &[String]) -> Result<OwnTexts> {
        let mut reader = self.labeled(path, Some(classes.to_vec()))?;
        if !self.asked {
            reader.text = reader.text.or_usual();
        }
        if !self.label_asked {
            reader.label = reader.label.map(Column::or_usual);
        }
        Ok(reader)
    }

    /// The names of the columns of texts, for tables that are written.
    pub(crate) fn of_texts(&self) -> Vec<String> {
        let first = self.text.clone().unwrap_or_else(|| "text".to_owned());
        std::iter::once(first).chain(self.pair.clone()).collect()
    }

    /// The same; pairs are looked for by their usual names, where no column of texts is named.
    pub(crate) fn with_usual_pair(self, path: &Path) -> Result<Self> {
        let OwnTexts { text, pair, .. } = self.reader().with_usual_pair(path)?;
        Ok(Self { text: text.name().map(str::to_owned), pair, ..self })
    }

    fn reader(&self) -> OwnTexts {
        let Self { text, pair, no_label, on_bad, .. } = self.clone();
        OwnTexts { text: text.into(), pair, no_label, on_bad, ..OwnTexts::default() }
    }

    /// Texts whose labels, if there are any, are not read: of the column of texts, or of the one
    /// with a usual name where a table has no such column, and pairs alike. The set knows `classes`
    /// all the same.
    pub(crate) fn bare(&self, path: &Path, classes: &[String]) -> Result<TextSet> {
        let classes = Some(classes.to_vec());
        let reader = OwnTexts { classes, ..self.reader() };
        let text = if self.asked { reader.text } else { reader.text.or_usual() };
        let reader = OwnTexts { text, ..reader };
        Ok(reader.read(&[path.to_owned()])?)
    }
}

/// What a run keeps beside its classifiers' tensors.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Kept {
    pub(crate) net: ClassifierConfig,
    pub(crate) classes: Vec<String>,
    pub(crate) layout: Layout,
}

impl Kept {
    /// The file.
    pub(crate) const FILE: &'static str = "classifier.json";
    /// The folder of the vocabulary.
    pub(crate) const VOCABULARY: &'static str = "vocabulary";

    /// The folder of the vocabulary in that of a run's texts.
    pub(crate) fn vocabulary(folder: &Path) -> PathBuf {
        folder.join(Self::VOCABULARY)
    }

    /// Keeps it in the folder of a run's texts.
    pub(crate) fn keep(&self, folder: &Path) -> Result<()> {
        files::make_folder(folder)?;
        files::keep(&folder.join(Self::FILE), self)
    }

    fn read(folder: &Path) -> Result<Self> {
        let file = folder.join(Self::FILE);
        files::found_before(&file)?
            .with_context(|| format!("{} is not there: run the same command again", file.display()))
    }
}

/// Texts of a batch.
const BATCH: usize = 64;

/// A trained classifier of texts.
pub(crate) struct TextPredictor(Parts);

/// What a classifier of texts is made of.
pub(crate) struct Parts {
    pub(crate) name: String,
    pub(crate) net: TextClassifier,
    pub(crate) kept: Kept,
    pub(crate) tokenizer: Tokenizer,
    pub(crate) columns: Columns,
    /// The file of its tensors.
    pub(crate) file: PathBuf,
    pub(crate) device: Device,
    /// Whether classes of a table are those of the network under names that may be spelt in other
    /// letters, as those of published networks are.
    pub(crate) by_name: bool,
    /// Whether pairs always have two segments, as in transformers.
    pub(crate) whole_pairs: bool,
    pub(crate) precision: Precision,
}

impl TextPredictor {
    /// What [`save_hub`](Self::save_hub) writes, of some vocabularies without `vocab.txt`.
    pub(crate) const HUB_FILES: [&str; 6] = [
        "config.json",
        "model.safetensors",
        Tokenizer::FILES[0],
        Tokenizer::FILES[1],
        Tokenizer::FILES[2],
        HubNote::FILE,
    ];

    /// Of its parts.
    pub(crate) fn new(parts: Parts) -> Self {
        Self(parts)
    }

    /// One of a run: its name, the folder of its tensors, and that of the run's texts.
    pub(crate) fn of_run(
        (name, dir): (String, &Path),
        folder: &Path,
        columns: Columns,
        device: Device,
    ) -> Result<Self> {
        let file = dir.join("final.safetensors");
        let weights = StageDir::final_weights(dir)?;
        let kept = Kept::read(folder)?;
        let tokenizer = Tokenizer::open(&Kept::vocabulary(folder))?;
        let net = TextClassifier::new(&kept.net, kept.classes.len(), device);
        net.params().load(&weights.tensors).with_context(|| file.display().to_string())?;
        Ok(Self(Parts {
            name,
            net,
            kept,
            tokenizer,
            columns,
            file,
            device,
            by_name: false,
            whole_pairs: false,
            precision: Precision::Float32,
        }))
    }

    /// Writes it as transformers reads it: `config.json`, `model.safetensors` and the tokenizer's
    /// files in a folder, with a note beside them of what is kept of long texts.
    pub(crate) fn save_hub(&self, folder: &Path) -> Result<()> {
        let ClassifierConfig { encoder, form, pad, .. } = &self.0.kept.net;
        let architecture = match (encoder.family, form) {
            (Family::Electra, HeadForm::Electra) => "ElectraForSequenceClassification",
            (Family::Bert, HeadForm::Pooler) => "BertForSequenceClassification",
            (family, form) => bail!(
                "{}: transformers has no classifier of {} with the head {form:?}; train one with \
                 form = \"{}\" in the recipe (in [task] where tutor finetune wrote it: task.form)",
                self.0.name,
                family.prefix(),
                if family == Family::Bert { "pooler" } else { "electra" }
            ),
        };
        let labels = Ok(Some(self.0.kept.classes.clone()));
        let config =
            HubConfig { labels, pad: *pad, ..HubConfig::new(encoder.clone(), architecture) };
        let layout = self.0.kept.layout;
        self.0.tokenizer.save_for(folder, layout.longest)?;
        HubNote { layout }.keep(folder)?;
        hub::save(folder, &config, &self.0.net.params().tensors(), &BTreeMap::new())?;
        Ok(())
    }
}

impl Predictor for TextPredictor {
    fn about(&self) -> String {
        self.0.name.clone()
    }

    fn classes(&self) -> &[String] {
        &self.0.kept.classes
    }

    fn is_exclusive(&self) -> bool {
        self.0.net.is_exclusive()
    }

    fn read_tables(&mut self, how: &Reading) -> Result<()> {
        let Parts { columns, by_name, .. } = &mut self.0;
        // Folders of the hub do not say whether they judge pairs.
        let pairs = (!*by_name).then_some(columns.pair.is_some());
        columns.change(how, pairs)
    }

    fn use_bfloat16(&mut self) -> Result<()> {
        gains_by_bfloat16(self.0.device)?;
        self.0.precision = Precision::Bfloat16;
        Ok(())
    }

    fn identity(&self) -> Result<String> {
        let file = &self.0.file;
        let weights = fs::read(file).with_context(|| format!("cannot read {}", file.display()))?;
        let (kept, columns) = (serde_json::to_string(&self.0.kept)?, self.0.columns.identity());
        let tokens = self.0.tokenizer.digest();
        let numbers = numbers_of(self.0.precision);
        let each = if self.is_exclusive() { "" } else { ", each class for itself" };
        let pairs = if self.0.whole_pairs { ", whole pairs" } else { "" };
        let told =
            format!("{} {kept} {tokens} {columns}{numbers}{each}{pairs}", Digest::of(&weights));
        Ok(Digest::of(told.as_bytes()).to_string())
    }

    /// With `labeled`, each label must be a class that the network knows.
    fn open(&self, path: &Path, labeled: bool) -> Result<Box<dyn Shown + '_>> {
        let Parts { columns, kept, tokenizer, by_name, whole_pairs, .. } = &self.0;
        let classes = &kept.classes;
        let path = [path.to_owned()];
        let set = match (labeled, by_name) {
            (false, _) => columns.bare(&path[0], classes)?,
            (true, false) => columns.scored(&path[0], classes)?.read(&path)?,
            (true, true) => {
                let reader = columns.clone().with_usual_pair(&path[0])?;
                let reader = reader.scored(&path[0], classes)?;
                OwnTexts { respelled: true, ..reader }.read(&path)?
            }
        };
        let set = Arc::new(set);
        let encoded = match whole_pairs {
            true => set.encode_whole(tokenizer, kept.layout)?,
            false => set.encode(tokenizer, kept.layout)?,
        };
        let say = move |range: Range<usize>| {
            let Parts { net, device, precision, .. } = &self.0;
            let say = || net.probabilities(&encoded.sequences()[range], BATCH, *device);
            autocast(*precision, *device, say)
        };
        let (classes, columns) = (classes.len(), columns.of_texts());
        Ok(Box::new(OpenTexts { texts: set, columns, classes, say }))
    }

    fn as_any(&self) -> &dyn Any {
        self
    }

    fn into_any(self: Box<Self>) -> Box<dyn Any> {
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_stopped_commands_left_is_known_as_before() {
        let columns = Columns {
            text: Some("t".to_owned()),
            no_label: vec!["unsup".to_owned()],
            label_asked: true,
            ..Columns::default()
        };
        let written = "Columns { text: Some(\"t\"), pair: None, label: None, no_label: \
                       [\"unsup\"], on_bad: Error, asked: false }";
        assert_eq!(columns.identity(), written);
        let other = Columns { pair: Some("u".to_owned()), ..columns };
        assert_ne!(other.identity(), written);
    }
}
