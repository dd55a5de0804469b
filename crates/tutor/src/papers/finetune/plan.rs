//! From what `tutor finetune` is asked for to a recipe, with the settings of ELECTRA's code where
//! nothing else is said.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use data_pipeline::text::read::OnBadInput;
use data_pipeline::text::{Glue, Keep, Layout, Windows};
use electra::heads::HeadForm;
use electra::hub::Checkpoint;
use electra::{EncoderConfig, Family, FineTuning};
use metrics::words::counted;
use toml::Value;

use super::recipe::{GlueConfig, Recipe, SquadConfig, TagsConfig, TaskConfig};
use crate::recipe::head::Head;
use crate::recipe::own_name::own_name;
use crate::text::published;

/// What is asked for; what is none follows from task and net.
pub(crate) struct Given {
    pub(crate) task: GivenTask,
    pub(crate) weights: String,
    pub(crate) seeds: u64,
    pub(crate) epochs: Option<f64>,
    pub(crate) steps: Option<u64>,
    pub(crate) batch: Option<usize>,
    pub(crate) lr: Option<f64>,
    pub(crate) layer_decay: Option<f64>,
    pub(crate) corrected: bool,
    pub(crate) max_length: Option<usize>,
    pub(crate) skip_bad: bool,
}

/// What is learned.
pub(crate) enum GivenTask {
    Glue {
        task: Glue,
        data: PathBuf,
        predict_test: bool,
    },
    Squad {
        train: PathBuf,
        test: PathBuf,
    },
    /// The columns of words and tags, from 0; the last one where no column of tags is given.
    Tags {
        train: PathBuf,
        test: PathBuf,
        word: usize,
        tag: Option<usize>,
    },
}

impl GivenTask {
    /// Tokens of a sequence at most, in ELECTRA's code.
    fn longest(&self) -> usize {
        match self {
            Self::Glue { .. } => 128,
            Self::Squad { .. } => 512,
            Self::Tags { .. } => 256,
        }
    }
}

/// A recipe, and what would be done in words.
pub(crate) struct Proposal {
    pub(crate) recipe: String,
    pub(crate) lines: Vec<String>,
}

/// Reads the net, not the data.
pub(crate) fn plan(given: &Given) -> Result<Proposal> {
    let weights = published::locate(&given.weights)?;
    let (checkpoint, tokenizer) = published::open(&weights)?;
    let net = &checkpoint.config.encoder;
    let on_bad = if given.skip_bad { OnBadInput::Skip } else { OnBadInput::Error };
    let usual_length = given.task.longest().min(net.positions.max(1) as usize);
    // A network may have more positions than it has learned.
    let learned = tokenizer.longest().unwrap_or(usual_length).min(usual_length);
    let longest = given.max_length.unwrap_or(learned);
    let (name, epochs, task) = match &given.task {
        GivenTask::Glue { task, data, predict_test } => {
            let config = GlueConfig {
                task: *task,
                data: data.clone(),
                layout: Layout { longest, keep: Keep::Start },
                form: form(&checkpoint),
                turned_pairs: true,
                predict_test: *predict_test,
                on_bad,
            };
            let epochs = if matches!(task, Glue::Rte | Glue::StsB) { 10.0 } else { 3.0 };
            (task.name().to_lowercase(), epochs, TaskConfig::Glue(config))
        }
        GivenTask::Squad { train, test } => {
            let usual = Windows::default();
            // A network of few positions has room for a paragraph beside the question, too.
            let [stride, question] = [usual.stride, usual.question].map(|n| n.min(longest / 2));
            let config = SquadConfig {
                train: train.clone(),
                test: test.clone(),
                windows: Windows { longest, stride: stride.max(1), question },
                beam: 20,
                longest_answer: 30,
                answerable_weight: 0.5,
                threshold: -2.75,
                on_bad,
            };
            (named_after(train, "squad"), 2.0, TaskConfig::Squad(config))
        }
        &GivenTask::Tags { ref train, ref test, word, tag } => {
            let (train, test) = (train.clone(), test.clone());
            let name = named_after(&train, "tags");
            let config = TagsConfig { train, test, word, tag, longest, on_bad };
            (name, 3.0, TaskConfig::Tags(config))
        }
    };
    let usual = settings(net);
    let finetuning = FineTuning {
        lr: given.lr.unwrap_or(usual.lr),
        layer_decay: given.layer_decay.unwrap_or(usual.layer_decay),
        corrected: given.corrected,
        batch: given.batch.unwrap_or(usual.batch),
        ..usual
    };
    let mut recipe = Recipe {
        precision: torch::precision::Precision::default(),
        workers: 1,
        cadence: super::recipe::rarely(),
        weights,
        epochs: given.epochs.unwrap_or(epochs),
        steps: given.steps,
        task,
        finetuning,
    };
    recipe.task.anchor(None)?;
    let head = head(&name, given.seeds)?;
    let length = match recipe.steps {
        Some(steps) => format!("{steps} steps"),
        None => format!("{} passes", recipe.epochs),
    };
    let FineTuning { lr, layer_decay, batch, .. } = finetuning;
    let mut lines = vec![
        format!(
            "start: {} ({} of {} layers, {} wide)",
            recipe.weights,
            net.family.prefix(),
            net.layers,
            net.hidden
        ),
        format!(
            "training: {length} of batches of {batch}, rate {lr:e}{}; {}",
            match layer_decay {
                1.0 => String::new(),
                decay => format!(" that falls by {decay} from layer to layer"),
            },
            counted(given.seeds, "seed")
        ),
    ];
    if given.max_length.is_none() && learned < usual_length {
        lines.push(format!(
            "sequences: of at most {learned} tokens, {}; --max-length takes more",
            published::why_no_longer(&checkpoint.weights.source)?
        ));
    }
    let text = head.to_toml(&recipe)?;
    let said = "# Written by tutor finetune. Change what you like and run it again: tutor run \
                THIS-FILE\n";
    Ok(Proposal { recipe: format!("{said}{text}"), lines })
}

fn head(name: &str, seeds: u64) -> Result<Head> {
    let mut table = toml::Table::new();
    let mut set = |key: &str, value: Value| table.insert(key.to_owned(), value);
    set("kind", "finetune".into());
    set("name", format!("finetune/{name}").into());
    set("about", "A published or pre-trained network learns a task, by tutor finetune".into());
    set("seeds", Value::Integer(seeds as i64));
    Head::take(&mut table)
}

/// A name after a file, or after its folder where the file is called after its part.
fn named_after(file: &Path, else_name: &str) -> String {
    own_name(&file.with_extension(""), else_name)
}

/// The settings of ELECTRA's code for its sizes; of BERT's authors for BERT.
fn settings(net: &EncoderConfig) -> FineTuning {
    match net.family {
        Family::Electra if net.layers >= 24 => FineTuning::large(),
        Family::Electra => FineTuning::default(),
        Family::Bert => FineTuning { lr: 5e-5, layer_decay: 1.0, ..FineTuning::default() },
    }
}

/// The head of ELECTRA's code for ELECTRA; for BERT its pooler where the file has one, or the mean
/// of the tokens where it is a sentence encoder.
fn form(checkpoint: &Checkpoint) -> HeadForm {
    let pooled = checkpoint.weights.tensors.keys().any(|name| name.contains("pooler."));
    match checkpoint.config.encoder.family {
        Family::Electra => HeadForm::Linear,
        Family::Bert if published::is_sentence_encoder(checkpoint) => HeadForm::Mean,
        Family::Bert if pooled => HeadForm::Pooler,
        Family::Bert => HeadForm::Linear,
    }
}

/// A task of GLUE by its name, in any spelling: `sst-2`, `SST2`.
pub(crate) fn task(name: &str) -> Result<Glue> {
    let plain = |name: &str| name.to_lowercase().replace(['-', '_'], "");
    let trained = Glue::ALL.into_iter().filter(|task| *task != Glue::Ax);
    let found = trained.clone().find(|task| plain(task.name()) == plain(name));
    let known: Vec<&str> = trained.map(Glue::name).collect();
    ensure!(found.is_some(), "there is no task {name} in GLUE; there are {}", known.join(", "));
    found.context("checked")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tasks_have_many_spellings() {
        for name in ["SST-2", "sst2", "sst_2"] {
            assert_eq!(task(name).expect("a task"), Glue::Sst2);
        }
        for name in ["ax", "squad", ""] {
            assert!(task(name).expect_err("none").to_string().contains("MRPC"));
        }
    }

    #[test]
    fn a_run_is_named_after_its_data() {
        assert_eq!(named_after(Path::new("/data/squad/train.json"), "squad"), "squad");
        assert_eq!(named_after(Path::new("/data/eng.train"), "tags"), "eng");
        assert_eq!(named_after(Path::new("/data/train-v2.0.json"), "squad"), "train-v2-0");
    }
}
