//! The network that replies, which a command talks to, and how it samples.

use std::path::{Path, PathBuf};

use anyhow::{Result, bail};
use dialog_models::decode::{Repetition, SampleConfig, Sampling};
use torch::hub;
use weights::find::{Places, find};

use super::device::DeviceArg;
use super::precision::Precision;
use super::ranges;
use super::refusal::RefusalArgs;
use super::run_network::NetworkChoice;
use crate::dialog::responder::{Choice, Responder};

/// The maximum tokens of a reply of published weights, by default.
const ROOM: u16 = 128;

/// A network that replies, and how it samples.
#[derive(Clone, clap::Args)]
pub(super) struct ReplyNetwork {
    /// Folder of a run of the paper Meena, as `runs/meena/latest`.
    #[arg(required_unless_present = "weights", conflicts_with = "weights")]
    run: Option<PathBuf>,
    /// Talk to a published GPT-2 or DialoGPT: its folder, or its name in the hub's cache, as
    /// `microsoft/DialoGPT-small`.
    #[arg(long, value_name = "MODEL", conflicts_with_all = ["model", "run_seed"])]
    weights: Option<String>,
    /// Folder with the vocabulary of `--weights`; that of the weights by default.
    #[arg(long, value_name = "DIR", requires = "weights", conflicts_with = "run")]
    vocab: Option<PathBuf>,
    /// Rank the replies of `--weights` by how well this network, trained on dialogues in reverse,
    /// predicts the context from them (maximum mutual information): its folder, or its name in the
    /// hub's cache.
    #[arg(long, value_name = "MODEL", requires = "weights", conflicts_with = "run")]
    mmi: Option<String>,
    /// Row of the run; by default the one with the lowest perplexity on the validation part.
    #[arg(long, value_name = "ROW")]
    model: Option<String>,
    /// Seed of the run whose network is taken.
    #[arg(long, value_name = "N", default_value_t = 1)]
    run_seed: u64,
    /// Draw N replies and give the best one. With 1, words appear as they are drawn.
    #[arg(long, value_name = "N", default_value_t = 20)]
    #[arg(value_parser = clap::value_parser!(u16).range(1..=1000))]
    candidates: u16,
    /// Sampling temperature: 0 always takes the likeliest token, 1 samples from the learned
    /// distribution.
    #[arg(long, value_name = "T", default_value_t = 0.88, value_parser = ranges::from_0)]
    temperature: f64,
    /// Sample from the K likeliest tokens only.
    #[arg(long, value_name = "K", value_parser = ranges::count::<usize>)]
    top_k: Option<usize>,
    /// Sample from the fewest tokens whose probabilities add up to P (nucleus sampling).
    #[arg(long, value_name = "P", value_parser = ranges::factor)]
    top_p: Option<f64>,
    /// Maximum tokens of a reply; by default as many as the network was trained for, 128 for
    /// `--weights`.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=4096))]
    max_tokens: Option<u16>,
    #[command(flatten)]
    refusal: RefusalArgs,
    #[command(flatten)]
    precision: Precision,
    #[command(flatten)]
    device: DeviceArg,
}

impl ReplyNetwork {
    fn sampling(&self) -> Sampling {
        Sampling { temperature: self.temperature, top_k: self.top_k, nucleus: self.top_p }
    }

    /// Loads the network.
    pub(super) fn open(&self) -> Result<Responder> {
        let (words, judge) = self.refusal.of_replies(self.device.name())?;
        let mut found = self.found()?;
        self.precision.bring(&mut found)?;
        found.refuse(words, judge);
        Ok(found)
    }

    fn found(&self) -> Result<Responder> {
        if let Some(asked) = &self.weights {
            let room = self.max_tokens.unwrap_or(ROOM);
            let found = find(asked, &Places::of_user())?.path;
            refuse_others(asked, &hub::beside(&found, "config.json"))?;
            let beside = if found.is_dir() { Some(&*found) } else { found.parent() };
            let beside = beside.filter(|folder| !folder.as_os_str().is_empty());
            let vocabulary = self.vocab.as_deref().or(beside).unwrap_or(Path::new("."));
            let device = self.device.chosen()?;
            let (room, reverse) = (usize::from(room), self.mmi.as_deref());
            return Responder::published(asked, vocabulary, room, reverse, device);
        }
        let Some(run) = &self.run else { bail!("name the folder of a run, or --weights") };
        if !run.join("recipe.toml").is_file() {
            bail!(
                "{} is not the folder of a run (it has no recipe.toml): name one of the paper \
                 Meena, as runs/meena/latest, or published weights by --weights",
                run.display()
            );
        }
        let network = NetworkChoice::of_row(self.model.clone(), self.run_seed, self.device.name());
        let (found, about) = network.load(run)?;
        match found.into_any().downcast() {
            Ok(responder) => Ok(*responder),
            Err(_) => bail!("{about} tells classes apart, and does not reply: use tutor predict"),
        }
    }

    /// How replies are chosen.
    pub(super) fn choice(&self, responder: &Responder) -> Choice {
        let longest = self.max_tokens.map_or(responder.longest_response(), usize::from);
        let sample = SampleConfig {
            candidates: usize::from(self.candidates),
            max_tokens: longest,
            sampling: self.sampling(),
        };
        let repetition = repetition(sample.candidates);
        Choice { sample, beam: None, repetition }
    }
}

/// Refuses a published network that is none of GPT-2 by its `config.json`, before its vocabulary,
/// which is another too, is read as theirs. What cannot be read is told of when it is loaded.
fn refuse_others(asked: &str, config: &Path) -> Result<()> {
    let kind = hub::read_json(config, |json| Ok(json["model_type"].as_str().map(str::to_owned)));
    match kind {
        Ok(Some(kind)) if kind != "gpt2" => bail!(
            "{asked} is a network of the kind {kind} (`model_type` in its config.json), which does \
             not reply: name a GPT-2 or DialoGPT"
        ),
        _ => Ok(()),
    }
}

/// The rule against repetition for so many candidates: of a single one there is nothing to give in
/// its place.
pub(super) fn repetition(candidates: usize) -> Option<Repetition> {
    (candidates > 1).then(Repetition::default)
}
