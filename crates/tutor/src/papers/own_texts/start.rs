//! Where classifiers start: the tokenizer and the net, published or made here.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Result, ensure};
use augment::text::sentences::sentences;
use data_pipeline::dataset::Samples;
use data_pipeline::text::{Example, Tokenizer};
use electra::EncoderConfig;
use electra::heads::ClassifierConfig;
use electra::hub::{Checkpoint, Heads, Loaded};
use torch::Device;

use super::parts::Parts;
use super::recipe::Recipe;
use crate::run::began::{Began, TEXTS};
use crate::run::seeds::{self, Run};
use crate::run::stage::Trained;
use crate::text::classifier::TextClassifier;
use crate::text::predictor::Kept;
use crate::text::published;
use crate::text::texts::Document;
use crate::text::tokens::{self, Making, Tokens};

/// The folder of a run's tokens and vocabulary.
pub(super) fn folder(run: &Path) -> PathBuf {
    run.join("text")
}

/// What all seeds of a run start from.
pub(super) struct Source {
    pub(super) tokenizer: Arc<Tokenizer>,
    /// The net, with its head.
    pub(super) net: ClassifierConfig,
    /// The texts to pre-train on, where that is done.
    pub(super) tokens: Option<Tokens>,
    published: Option<Checkpoint>,
}

/// One in so many unlabelled texts is held out of pre-training, to measure it.
const HELD_OUT: usize = 20;

impl Source {
    /// Reads what is published, or makes vocabulary and tokens of the texts, and keeps in the run's
    /// folder what its classifiers need; none where there is no net. Fails if the run began with
    /// other weights.
    pub(super) fn open(recipe: &Recipe, parts: &Parts, run: &Run<'_>) -> Result<Option<Self>> {
        let folder = folder(run.dir);
        let mut found = match (&recipe.weights, &recipe.net) {
            (Some(asked), _) => {
                let (checkpoint, tokenizer) = published::open(asked)?;
                let mut began = Began::default();
                published::add_to(&mut began, &checkpoint, &tokenizer);
                began.keep(run.dir, TEXTS)?;
                tokenizer.save(&Kept::vocabulary(&folder))?;
                let (encoder, pad) = (checkpoint.config.encoder.clone(), checkpoint.config.pad);
                let net = ClassifierConfig { encoder, pad, ..ClassifierConfig::default() };
                let tokenizer = Arc::new(tokenizer);
                Self { tokenizer, net, tokens: None, published: Some(checkpoint) }
            }
            (None, Some(net)) => Self::made(recipe, net, parts, &folder)?,
            (None, None) => return Ok(None),
        };
        found.net.form = recipe.form;
        let positions = found.net.encoder.positions;
        ensure!(
            recipe.layout.longest as i64 <= positions,
            "layout.longest: {} tokens are more than the {positions} positions of the net",
            recipe.layout.longest
        );
        let classes = parts.labeled.classes().to_vec();
        Kept { net: found.net.clone(), classes, layout: recipe.layout }.keep(&folder)?;
        Ok(Some(found))
    }

    fn made(recipe: &Recipe, net: &EncoderConfig, parts: &Parts, folder: &Path) -> Result<Self> {
        // The texts of a pair belong together, and so are one document.
        let document =
            |example: &Example| -> Document { example.texts.iter().flat_map(sentences).collect() };
        let mut running: Vec<Document> = parts.labeled.examples().iter().map(document).collect();
        let mut held_out = Vec::new();
        let last = parts.unlabeled.examples().len().saturating_sub(1);
        for (i, example) in parts.unlabeled.examples().iter().enumerate() {
            let is_held_out = i % HELD_OUT == HELD_OUT - 1 || i == last;
            let to = if is_held_out { &mut held_out } else { &mut running };
            to.push(document(example));
        }
        let most = net.vocabulary as usize;
        let mut tokens = None;
        if let Some(pretraining) = &recipe.pretraining {
            ensure!(
                last > 0,
                "there are no unlabelled texts to pre-train on: name some with --unlabeled \
                 (data.unlabeled), or take [pretraining] out of the recipe"
            );
            let segments = pretraining.sequences;
            let making = Making { vocabulary: most, segments, workers: recipe.workers };
            tokens = Some(Tokens::make((&running, &held_out), folder, making)?);
        }
        let tokenizer = tokens::vocabulary(&running, &Kept::vocabulary(folder), most)?;
        let encoder = EncoderConfig { vocabulary: tokenizer.size() as i64, ..net.clone() };
        let net = ClassifierConfig { encoder, ..ClassifierConfig::default() };
        Ok(Self { tokenizer: Arc::new(tokenizer), net, tokens, published: None })
    }

    /// The published network with a head of its own for a seed, and what was loaded; none for a net
    /// that starts at random.
    pub(super) fn load(
        &self,
        classes: usize,
        seed: u64,
        device: Device,
    ) -> Result<Option<(TextClassifier, String)>> {
        let Some(checkpoint) = &self.published else { return Ok(None) };
        torch::rng::seed(seeds::key(seed, "start"));
        let net = TextClassifier::new(&self.net, classes, device);
        let loaded = checkpoint.load(net.params(), Heads::Replace)?;
        Ok(Some((net, words(checkpoint, &loaded))))
    }
}

fn words(checkpoint: &Checkpoint, loaded: &Loaded) -> String {
    let encoder = &checkpoint.config.encoder;
    let family = encoder.family.prefix();
    let mut words = format!("{family} of {} layers, {} wide", encoder.layers, encoder.hidden);
    if !loaded.fresh.is_empty() {
        words += &format!("; started anew: {}", loaded.fresh.join(", "));
    }
    if !loaded.unexpected.is_empty() {
        words += &format!("; not used: {}", loaded.unexpected.join(", "));
    }
    words
}
