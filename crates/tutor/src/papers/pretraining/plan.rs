//! From what `tutor pretrain` is asked for to a recipe, with the published settings where nothing
//! else is said.

use std::path::PathBuf;

use anyhow::{Context, Result};
use data_pipeline::text::Masking;
use data_pipeline::text::corpus::{Boundary, Corpus};
use data_pipeline::text::pretrain::{Segments, Split};
use data_pipeline::text::read::OnBadInput;
use electra::pretrain::{PretrainConfig, Task};
use electra::{flops, presets};
use toml::Value;
use torch::Device;
use torch::precision::Precision;
use train::{Cadence, Schedule, TrainConfig};

use super::recipe::{Files, Recipe, Vocabulary};
use crate::recipe::head::Head;
use crate::recipe::near::proposal;
use crate::recipe::own_name::own_name;
use crate::text::pretraining::{share, shortened};
use crate::text::tokens::MASK;

/// What is asked for; what is none follows from the preset.
pub(crate) struct Given {
    pub(crate) files: Vec<PathBuf>,
    pub(crate) preset: String,
    pub(crate) task: Task,
    pub(crate) vocab: Option<PathBuf>,
    pub(crate) vocab_size: Option<usize>,
    pub(crate) cased: bool,
    pub(crate) minutes: Option<f64>,
    pub(crate) steps: Option<u64>,
    pub(crate) batch: Option<usize>,
    pub(crate) lr: Option<f64>,
    pub(crate) max_length: Option<usize>,
    pub(crate) boundary: Boundary,
    pub(crate) field: String,
    pub(crate) skip_bad: bool,
    pub(crate) held_out: u64,
    pub(crate) seeds: u64,
    pub(crate) device: Device,
}

/// A recipe, and what would be done in words.
pub(crate) struct Proposal {
    pub(crate) recipe: String,
    pub(crate) lines: Vec<String>,
}

/// Finds the files and reads a given vocabulary and the first text, which tells whether it is where
/// it is looked for.
pub(crate) fn plan(given: &Given) -> Result<Proposal> {
    let text = Files {
        files: given.files.clone(),
        boundary: given.boundary,
        field: given.field.clone(),
        on_bad: if given.skip_bad { OnBadInput::Skip } else { OnBadInput::Error },
        held_out: given.held_out,
    };
    let found = Corpus::open(&text.files, text.reading())?;
    found.documents().next().transpose()?;
    let all = presets();
    let preset = all.iter().find(|preset| preset.name == given.preset).with_context(|| {
        let names: Vec<&str> = all.iter().map(|preset| preset.name.as_str()).collect();
        format!("--preset: there is no {:?}{}", given.preset, proposal(&given.preset, &names, &[]))
    })?;
    let mut pretrain = PretrainConfig { task: given.task, ..preset.config.clone() };
    let vocabulary = match &given.vocab {
        Some(path) => {
            let path = std::path::absolute(path)?;
            let vocabulary = match given.cased {
                true => Vocabulary::OfCased(path),
                false => Vocabulary::Of(path),
            };
            let tokenizer = vocabulary.given().context("a path")?.open()?;
            pretrain.encoder.vocabulary = tokenizer.size() as i64;
            pretrain.mask = i64::from(tokenizer.specials().mask);
            vocabulary
        }
        None => {
            let tokens = given.vocab_size.unwrap_or(pretrain.encoder.vocabulary as usize);
            pretrain.encoder.vocabulary = tokens as i64;
            pretrain.mask = MASK;
            Vocabulary::Made { tokens, cased: given.cased }
        }
    };
    let longest = given.max_length.unwrap_or(preset.length);
    pretrain.encoder.positions = pretrain.encoder.positions.max(longest as i64);
    let published = preset.train_config();
    let lr = match (published.lr.clone(), given.lr) {
        (Schedule::DecayFromStart { warmup, rule, .. }, Some(from)) => {
            Schedule::DecayFromStart { from, warmup, rule }
        }
        (lr, _) => lr,
    };
    let batch = given.batch.unwrap_or(published.batch);
    let mut train = TrainConfig { batch, lr, ..published };
    if let Some(steps) = given.steps {
        train = shortened(&train, steps);
    }
    let mut recipe = Recipe {
        precision: Precision::fastest(given.device),
        workers: 1,
        minutes: given.minutes,
        text,
        vocabulary,
        // Of a line that is a paragraph or a whole text little is dropped so.
        sequences: Segments { longest, split: Split::Sentences, ..Segments::default() },
        masking: Masking { share: preset.mask_probability, ..Masking::default() },
        cadence: cadence(&train, given.minutes.is_some()),
        pretrain,
        train,
    };
    recipe.text.anchor(None)?;
    let name = own_name(&given.files[0].with_extension(""), "texts");
    let lines = lines(&recipe, (&given.preset, found.files().len()));
    let text = head(&name, given.seeds)?.to_toml(&recipe)?;
    let said = "# Written by tutor pretrain. Change what you like and run it again: tutor run \
                THIS-FILE\n";
    Ok(Proposal { recipe: format!("{said}{text}"), lines })
}

/// Often enough for curves, and for little to be lost by a power cut.
fn cadence(train: &TrainConfig, timed: bool) -> Cadence {
    // How many steps fit is not known yet.
    let steps = if timed { 1000 } else { train.steps };
    let one_in = |parts: u64, most: u64| (steps / parts).clamp(1, most);
    Cadence {
        log: one_in(100, 100),
        evaluate: one_in(20, 5000),
        checkpoint: one_in(20, 1000),
        ..Cadence::default()
    }
}

/// What would be done.
fn lines(recipe: &Recipe, (size, files): (&str, usize)) -> Vec<String> {
    let (nets, train) = (&recipe.pretrain, &recipe.train);
    let encoder = &nets.encoder;
    let what = match nets.task {
        Task::Electra => "replaced-token detection".to_owned(),
        Task::Mlm => "a masked language model".to_owned(),
        _ => recipe.row(),
    };
    let longest = recipe.sequences.longest;
    let a_step = flops::sequence(nets, longest) * train.batch as f64;
    let operations = a_step * train.steps as f64;
    let [small, gpt] = [flops::ELECTRA_SMALL, flops::GPT].map(|of| share(operations, of));
    let vocabulary = match &recipe.vocabulary {
        Vocabulary::Made { tokens, .. } => format!("{tokens} tokens at most, made of the texts"),
        Vocabulary::Of(path) | Vocabulary::OfCased(path) => {
            format!("{} tokens of {}", encoder.vocabulary, path.display())
        }
    };
    let length = match recipe.minutes {
        Some(minutes) => {
            format!("as many steps as fit into {minutes} minutes, {} at most", train.steps)
        }
        None => format!(
            "{} steps, {operations:.2e} operations if all sequences are full: {small} % of \
             ELECTRA-Small's budget, {gpt} % of GPT's",
            train.steps
        ),
    };
    vec![
        format!(
            "texts: {files} file{}, one document in {} held out",
            if files == 1 { "" } else { "s" },
            recipe.text.held_out
        ),
        format!("vocabulary: {vocabulary}"),
        format!("networks: {size}, {} layers, {} wide; {what}", encoder.layers, encoder.hidden),
        format!(
            "training: {length}; batches of {} sequences of at most {longest} tokens",
            train.batch
        ),
    ]
}

fn head(name: &str, seeds: u64) -> Result<Head> {
    let mut table = toml::Table::new();
    let mut set = |key: &str, value: Value| table.insert(key.to_owned(), value);
    set("kind", "pretraining".into());
    set("name", format!("pretraining/{name}").into());
    set("about", "Networks that learned from one's own texts, by tutor pretrain".into());
    set("seeds", Value::Integer(seeds as i64));
    Head::take(&mut table)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn given(preset: &str) -> Given {
        Given {
            // Tests run in the folder of the crate.
            files: vec!["src/main.rs".into()],
            preset: preset.to_owned(),
            task: Task::Electra,
            vocab: None,
            vocab_size: None,
            cased: false,
            minutes: None,
            steps: None,
            batch: None,
            lr: None,
            max_length: None,
            boundary: Boundary::BlankLine,
            field: "text".to_owned(),
            skip_bad: false,
            held_out: 200,
            seeds: 1,
            device: Device::Cpu,
        }
    }

    #[test]
    fn a_published_size_has_the_published_settings() {
        let plan = plan(&given("small")).expect("a plan");
        assert!(plan.lines[3].contains("1000000 steps"), "{}", plan.lines[3]);
        assert!(plan.lines[3].contains("100.00 % of ELECTRA-Small's"), "{}", plan.lines[3]);
        let table: toml::Table = toml::from_str(&plan.recipe).expect("TOML");
        assert_eq!(table["train"]["batch"].as_integer(), Some(128));
        assert_eq!(table["train"]["lr"]["warmup"].as_integer(), Some(10_000));
        assert_eq!(table["pretrain"]["encoder"]["vocabulary"].as_integer(), Some(30_522));
        let large = super::plan(&given("large")).expect("a plan").recipe;
        let table: toml::Table = toml::from_str(&large).expect("TOML");
        assert_eq!(table["masking"]["share"].as_float(), Some(0.25));
        assert_eq!(table["sequences"]["longest"].as_integer(), Some(512));
    }

    #[test]
    fn fewer_steps_warm_up_for_a_tenth_of_them_at_most() {
        let asked = Given { steps: Some(500), lr: Some(1e-3), ..given("small") };
        let text = plan(&asked).expect("a plan").recipe;
        let table: toml::Table = toml::from_str(&text).expect("TOML");
        assert_eq!(table["train"]["lr"]["warmup"].as_integer(), Some(50));
        assert_eq!(table["train"]["lr"]["from"].as_float(), Some(1e-3));
        assert_eq!(table["train"]["steps"].as_integer(), Some(500));
    }

    #[test]
    fn an_unknown_size_is_refused_with_the_nearest() {
        let error = plan(&given("smal")).err().expect("refused").to_string();
        assert!(error.contains("did you mean `small`?") && error.contains("large-400k"), "{error}");
    }
}
