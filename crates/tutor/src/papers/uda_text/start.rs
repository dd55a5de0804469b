//! What classifiers start from: a network at random with a vocabulary of the texts, or a given one
//! with its own; each of them perhaps pre-trained on the unlabelled texts.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context, Result, ensure};
use data_pipeline::dataset::Samples;
use data_pipeline::text::{EncodedSet, TextSet, Tokenizer};
use electra::EncoderConfig;
use electra::hub::{Checkpoint, Heads};
use electra::pretrain::{PretrainConfig, Pretrainer, Task};
use torch::{Device, Params};

use super::recipe::{From, Recipe, Start};
use crate::run::began::Began;
use crate::run::files;
use crate::run::seeds::{Run, SeedRun};
use crate::run::stage::Trained as _;
use crate::text::classifier::TextClassifier;
use crate::text::pretraining::{self, Pretraining, Setting};
use crate::text::published;
use crate::text::texts::Texts;
use crate::text::tokens::{self, Making, Tokens};

/// A network to start from, with its tokenizer.
pub(super) struct Source {
    from: From,
    pub(super) tokenizer: Arc<Tokenizer>,
    pub(super) encoder: EncoderConfig,
    /// The test texts in its tokens.
    pub(super) test: EncodedSet,
    given: Option<Given>,
    pretrained: Option<(Pretrainer, Pretraining)>,
}

/// A network that was given.
struct Given {
    checkpoint: Checkpoint,
    /// Its encoder, in a classifier.
    net: TextClassifier,
}

impl Source {
    /// Reads the given network, or makes a vocabulary of the texts.
    pub(super) fn open(
        from: From,
        (recipe, data): (&Recipe, Option<&Path>),
        (texts, test): (&Texts, &Arc<TextSet>),
        run: &Run<'_>,
    ) -> Result<Self> {
        let (tokenizer, encoder, given) = match from {
            From::Random => {
                let (dir, most) = (folder(run.dir, from), recipe.net.vocabulary as usize);
                let made = tokens::vocabulary(&texts.running, &dir.join("vocabulary"), most)?;
                let vocabulary = made.size() as i64;
                (made, EncoderConfig { vocabulary, ..recipe.net.clone() }, None)
            }
            From::Weights => {
                let asked = recipe.weights(data).context("a row that starts from weights")?;
                let asked = published::locate(&asked.to_string_lossy())?;
                let (checkpoint, tokenizer) = published::open(&asked)?;
                let encoder = checkpoint.config.encoder.clone();
                let net = recipe.classifier(encoder.clone());
                let net = TextClassifier::new(&net, texts.test.classes().len(), run.device);
                checkpoint.load(net.params(), Heads::Replace)?;
                (tokenizer, encoder, Some(Given { checkpoint, net }))
            }
        };
        let (longest, positions) = (recipe.layout.longest, encoder.positions);
        ensure!(
            longest as i64 <= positions,
            "layout.longest: {longest} tokens are more than the {positions} positions of {}",
            recipe.weights.as_deref().unwrap_or("the net")
        );
        let test = test.encode(&tokenizer, recipe.layout)?;
        let tokenizer = Arc::new(tokenizer);
        Ok(Self { from, tokenizer, encoder, test, given, pretrained: None })
    }

    /// Adds a network that was given to what a run began with.
    pub(super) fn add_to(&self, began: &mut Began) {
        if let Some(Given { checkpoint, .. }) = &self.given {
            published::add_to(began, checkpoint, &self.tokenizer);
        }
    }

    /// Pre-trains on the unlabelled texts, or loads what was pre-trained in this run: once for all
    /// seeds, by the random numbers of the first.
    pub(super) fn pretrain(
        &mut self,
        recipe: &Recipe,
        (texts, root): (&Texts, &Path),
        run: &mut SeedRun<'_, '_>,
    ) -> Result<()> {
        if self.pretrained.is_some() {
            return Ok(());
        }
        let pretraining = recipe.pretraining.as_ref().context("how to pre-train")?;
        let (longest, positions) = (pretraining.sequences.longest, self.encoder.positions);
        ensure!(
            longest as i64 <= positions,
            "pretraining.sequences.longest: {longest} tokens are more than the {positions} \
             positions of the {}",
            self.name()
        );
        let dir = folder(root, self.from);
        let making = Making {
            vocabulary: self.tokenizer.size(),
            segments: pretraining.sequences,
            workers: recipe.workers,
        };
        let running = (&texts.running[..], &texts.held_out[..]);
        files::make_folder(&dir)?;
        let kept = dir.join("vocabulary");
        if !kept.join("tokenizer.json").is_file() {
            self.tokenizer.save(&kept)?;
        }
        let tokens = Tokens::make(running, &dir, making)?;
        let nets = pretraining.nets(&self.encoder, i64::from(tokens.tokenizer.specials().mask));
        let begin = self.begin(&nets, run.device)?;
        let setting = Setting {
            nets: &nets,
            masking: &pretraining.masking,
            longest: pretraining.sequences.longest,
            train: &pretraining.train,
            cadence: &recipe.cadence,
            precision: recipe.precision,
            workers: recipe.workers,
            seconds: None,
            begin: begin.as_ref(),
        };
        let found = pretraining::run(&setting, (self.name(), &dir.join("net")), &tokens, run)?;
        self.pretrained = Some(found);
        Ok(())
    }

    /// The given network as a masked language model whose head is new.
    fn begin(&self, nets: &PretrainConfig, device: Device) -> Result<Option<Pretrainer>> {
        let Some(Given { checkpoint, .. }) = &self.given else { return Ok(None) };
        let model = Pretrainer::new(&PretrainConfig { task: Task::Mlm, ..nets.clone() }, device);
        let family = checkpoint.config.encoder.family.prefix();
        let under_its_name = model.tensors().iter().filter_map(|param| {
            let below = param.name.strip_prefix("electra.")?;
            Some((format!("{family}.{below}"), param.tensor.shallow_clone()))
        });
        checkpoint.load_tensors(&under_its_name.collect::<Vec<_>>(), Heads::Replace)?;
        Ok(Some(model))
    }

    /// The network whose encoder a classifier starts from; none for one that starts at random.
    pub(super) fn start(&self, start: Start) -> Option<&Params> {
        match &self.pretrained {
            Some((net, _)) if start.pretrain => Some(net.params()),
            _ => self.given.as_ref().map(|given| given.net.params()),
        }
    }

    /// What it is called.
    pub(super) fn name(&self) -> &'static str {
        match self.from {
            From::Random => "own network",
            From::Weights => "given network",
        }
    }

    /// What the pre-training found, where there was one.
    pub(super) fn pretraining(&self) -> Option<&Pretraining> {
        self.pretrained.as_ref().map(|(_, found)| found)
    }
}

/// The folder of a source's vocabulary and of its pre-training, in that of the run.
fn folder(run: &Path, from: From) -> PathBuf {
    run.join("text").join(match from {
        From::Random => "own",
        From::Weights => "given",
    })
}

/// Why a row cannot be run with what there is, and the way out.
pub(super) fn missing(recipe: &Recipe, data: Option<&Path>) -> Option<String> {
    let files = recipe.policies().into_iter().filter_map(|policy| policy.file(data));
    if let Some(file) = files.into_iter().find(|file| !file.exists()) {
        return Some(format!(
            "there are no paraphrases at {}; make them of the unlabelled texts, or name a file or \
             folder of them (--set strong.path=..., or the row's)",
            file.display()
        ));
    }
    if recipe.start.from == From::Weights {
        let asked = recipe.weights(data)?;
        if !published::is_there(&asked.to_string_lossy()) {
            return Some(format!(
                "there is no network at {}; name its folder with --set weights=FOLDER",
                asked.display()
            ));
        }
    }
    None
}
