//! One seed: for each row a training, its folder as others translate by it, and what it makes of
//! the test parts.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context, Result};
use data_pipeline::dialog::EncodedPairs;
use data_pipeline::text::{MarianTokenizer, PieceTrainer};
use dialog_models::MarianConfig;
use dialog_models::decode::Special;
use dialog_models::hub::MarianHubConfig;
use metrics::{Bleu, Chrf};
use report::Curve;
use serde::{Deserialize, Serialize};

use super::recipe::Recipe;
use super::training::{Network, PERPLEXITY, Translating, measure};
use crate::recipe::select::Select;
use crate::run::cost::StageCost;
use crate::run::seeds::{self, SeedRun};
use crate::run::stage::{Stage, Trained};
use crate::run::{curve, files, processes};
use crate::text::parallel::{Pair, Parallel, Part};
use crate::text::published::HUB;
use crate::text::translation::{TOKENIZER, Translation, WAY};

/// The vocabulary of a run: both languages have the same one.
pub(super) struct Vocabulary {
    folder: PathBuf,
    tokenizer: MarianTokenizer,
}

/// The files of a vocabulary.
const FILES: [&str; 4] = ["source.spm", "target.spm", "tokenizer_config.json", "vocab.json"];

impl Vocabulary {
    /// Makes it of the training part in a run's folder, if it is not there.
    pub(super) fn make(run: &Path, recipe: &Recipe, data: &Parallel) -> Result<Self> {
        let folder = run.join("vocabulary");
        files::make_folder(&folder)?;
        for name in FILES {
            processes::share_file(&folder.join(name))?;
        }
        // This file is written last.
        if !folder.join("vocab.json").is_file() {
            let mut trainer = PieceTrainer::default();
            data.train.pairs.iter().flatten().for_each(|text| trainer.count(text));
            trainer.save(recipe.vocabulary.tokens, &folder)?;
        }
        // As it is read back, so that a run that goes on has the same one.
        let tokenizer = MarianTokenizer::open(&folder)?;
        Ok(Self { folder, tokenizer })
    }

    /// Tokens, the special ones included.
    fn tokens(&self) -> i64 {
        self.tokenizer.sizes()[1]
    }

    /// Pairs in token ids, those left out whose sides have more than `longest`.
    fn encode(&self, recipe: &Recipe, part: &Part, longest: usize) -> Result<EncodedPairs> {
        let mut all = Vec::with_capacity(part.pairs.len());
        for pair in &part.pairs {
            let [source, target] = sides(recipe, pair);
            let read = self.tokenizer.source_ids(source)?;
            let written = self.tokenizer.target_ids(target)?;
            if read.len() <= longest && written.len() <= longest {
                all.push([read, written]);
            }
        }
        let fault = || format!("{}: no sentence of at most {longest} tokens", part.name);
        let set = EncodedPairs::of_ids(&part.name, all)?;
        (set.response_tokens() > 0).then_some(set).with_context(fault)
    }
}

/// What is translated, and into what.
fn sides<'a>(recipe: &Recipe, pair: &'a Pair) -> [&'a str; 2] {
    let [first, second] = pair.each_ref().map(String::as_str);
    if recipe.reverse { [second, first] } else { [first, second] }
}

/// What a network makes of a part.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Scored {
    pub(super) part: String,
    pub(super) sentences: u64,
    pub(super) bleu: f64,
    /// How much shorter than the references the translations are counted to be, at most 1.
    pub(super) brevity: f64,
    pub(super) chrf: f64,
    /// Source, translation and reference of the first sentences.
    pub(super) shown: Vec<[String; 3]>,
}

/// What a row found.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct RowOutcome {
    pub(super) name: String,
    pub(super) parameters: u64,
    pub(super) steps: u64,
    /// Pairs that were trained on, without those that are too long.
    pub(super) pairs: u64,
    pub(super) cost: StageCost,
    /// Of a token of the validation part.
    pub(super) validation: f64,
    pub(super) scores: Vec<Scored>,
    pub(super) curve: Curve,
}

const FILE: &str = "row.json";

/// What all rows share: sentences, vocabulary, threads.
type Given<'a> = (&'a Parallel, &'a Vocabulary, usize);

/// Trains and measures all rows.
pub(super) fn run(
    recipe: &Recipe,
    given: Given<'_>,
    run: &mut SeedRun<'_, '_>,
) -> Result<Vec<RowOutcome>> {
    let dir = run.dir.clone();
    let rows = recipe.trainings()?;
    let mut found = Vec::new();
    for (i, (name, row)) in rows.iter().enumerate() {
        run.part(&format!("row {} of {}", i + 1, rows.len()));
        found.push(one(row, (name, &dir.join(name)), given, run)?);
    }
    Ok(found)
}

fn one(
    recipe: &Recipe,
    (name, dir): (&str, &Path),
    given: Given<'_>,
    run: &mut SeedRun<'_, '_>,
) -> Result<RowOutcome> {
    let (data, vocabulary, _) = given;
    files::make_folder(dir)?;
    let tokens = vocabulary.tokens();
    let net = MarianConfig {
        vocabularies: [tokens; 2],
        start: vocabulary.tokenizer.specials().pad,
        ..recipe.net.clone()
    };
    let train = Arc::new(vocabulary.encode(recipe, &data.train, recipe.longest)?);
    let room = net.positions as usize;
    let validation = vocabulary.encode(recipe, &data.validation, room)?;
    let task = Translating {
        recipe,
        net: &net,
        train: Arc::clone(&train),
        validation: &validation,
        seed: seeds::key(run.seed, "stream/pairs"),
        device: run.device,
    };
    let stage = Stage {
        dir,
        key: seeds::key(run.seed, "translation"),
        config: &recipe.train,
        cadence: &recipe.cadence,
        select: &Select::default(),
        precision: recipe.precision,
        device: run.device,
        seconds: None,
        recipe_text: run.recipe_text,
    };
    let (network, cost) = stage.train(task, run.stage(name))?;
    let hub = dir.join(HUB);
    keep_for_others(recipe, &network, (vocabulary, &data.languages), &hub)?;
    files::once(&dir.join(FILE), || {
        let found = measure(network.net(), &validation, usize::MAX, run.device)?;
        let validation = found.perplexity().context("a pair to measure on")?;
        run.say(&format!("{name}: validation perplexity {validation:.2}; now it translates"));
        Ok(RowOutcome {
            name: name.to_owned(),
            parameters: network.params().count() as u64,
            steps: cost.samples / recipe.train.batch as u64,
            pairs: data_pipeline::dataset::Samples::len(&*train) as u64,
            cost,
            validation,
            scores: processes::each(|| scores(recipe, &hub, given, run))?,
            curve: curve::read(dir, name, run.seed, PERPLEXITY)?,
        })
    })
}

/// Keeps the network with its vocabulary as opus-mt's are, unless it is there.
fn keep_for_others(
    recipe: &Recipe,
    network: &Network,
    (vocabulary, languages): (&Vocabulary, &Pair),
    folder: &Path,
) -> Result<()> {
    // This file is written last.
    if folder.join("config.json").is_file() {
        return Ok(());
    }
    files::make_folder(folder)?;
    for name in FILES {
        let from = vocabulary.folder.join(name);
        let mut bytes = std::fs::read(&from).with_context(|| from.display().to_string())?;
        if name == TOKENIZER {
            // The vocabulary is that of both ways.
            let mut config: serde_json::Value = serde_json::from_slice(&bytes)?;
            for (key, language) in WAY.into_iter().zip(sides(recipe, languages)) {
                config[key] = language.into();
            }
            bytes = (config.to_string() + "\n").into_bytes();
        }
        atomic_file::write(&folder.join(name), &bytes)?;
    }
    let specials = vocabulary.tokenizer.specials();
    let special = Special { never: vec![specials.pad], forced: true, ..Special::end(specials.end) };
    let network_config = network.net().config().clone();
    let hub = MarianHubConfig { network: network_config, special, beam: recipe.beam.clone() };
    Ok(hub.save(folder, network.params())?)
}

/// Translates the test parts by the network of a folder, as anybody would, and scores them.
fn scores(
    recipe: &Recipe,
    hub: &Path,
    (data, _, threads): Given<'_>,
    run: &SeedRun<'_, '_>,
) -> Result<Vec<Scored>> {
    let path = hub.to_str().with_context(|| format!("{}: no UTF-8", hub.display()))?;
    let mut translation = Translation::open(path, run.device, threads)?;
    let mut all = Vec::new();
    for part in &data.tests {
        crate::run::interrupt::check()?;
        let side = |which: usize| -> Vec<String> {
            part.pairs.iter().map(|pair| sides(recipe, pair)[which].to_owned()).collect()
        };
        let [sources, references] = [0, 1].map(side);
        let translations = translation.best(&sources)?;
        let streams = [references.as_slice()];
        let bleu = Bleu::default().corpus(&translations, &streams)?;
        let shown = (0..recipe.shown.min(sources.len()))
            .map(|i| [&sources, &translations, &references].map(|texts| texts[i].clone()));
        all.push(Scored {
            part: part.name.clone(),
            sentences: sources.len() as u64,
            bleu: bleu.score,
            brevity: bleu.brevity_penalty,
            chrf: Chrf::default().corpus(&translations, &streams)?.score,
            shown: shown.collect(),
        });
        let text = translations.iter().map(|line| line.replace('\n', " ") + "\n");
        let file = hub.with_file_name(format!("{}.txt", part.name));
        atomic_file::write(&file, text.collect::<String>().as_bytes())?;
    }
    Ok(all)
}
