//! `tutor export`: a trained network as a file for other programs.

use std::path::PathBuf;

use anyhow::{Context, Result, bail};
use weights::find::{Places, find};

use super::inputs::keep_inputs;
use super::which::Choice;
use crate::images::checkpoint;
use crate::images::trained_model::TrainedModel;
use crate::run::note::note;
use crate::text::linear_predictor::LinearPredictor;
use crate::text::predictor::TextPredictor;

/// Which network goes where.
#[derive(clap::Args)]
#[command(group(clap::ArgGroup::new("file").required(true).multiple(true)))]
pub(crate) struct Args {
    /// The folder of a run, as `runs/noisy-student/latest` (not with --weights).
    run: Option<PathBuf>,
    /// Exports published weights instead of a run: a file, a repository in the Hugging Face cache,
    /// or a name of `tutor weights list`.
    #[arg(long, value_name = "FILE|NAME", conflicts_with = "run")]
    weights: Option<String>,
    /// The net of the weights by its name in timm, where they do not say it.
    #[arg(long, value_name = "NAME", requires = "weights")]
    net: Option<String>,
    #[command(flatten)]
    choice: Choice,
    /// Writes its tensors under timm's names, with classes, normalisation and size in the header.
    #[arg(long, value_name = "FILE", group = "file")]
    safetensors: Option<PathBuf>,
    /// Writes an ONNX file (opset 17) that takes pixels from 0 to 1 as float32 [batch, channels,
    /// height, width] and has normalisation and classes inside.
    #[arg(long, value_name = "FILE", group = "file")]
    onnx: Option<PathBuf>,
    /// Writes a classifier of texts as a folder that transformers reads: `config.json`,
    /// `model.safetensors` and the tokenizer's files. `tutor.json` beside them says what `eval
    /// --weights` keeps of long texts.
    #[arg(long, value_name = "FOLDER", group = "file")]
    hub: Option<PathBuf>,
}

/// An error if something would be written over the weights, or over a file of the run.
fn keep_network(args: &Args) -> Result<()> {
    let files = [&args.safetensors, &args.onnx].into_iter().flatten();
    let written =
        |folder: &PathBuf| ["config.json", "tokenizer.json"].map(|name| folder.join(name));
    let outs: Vec<PathBuf> = files.cloned().chain(args.hub.iter().flat_map(written)).collect();
    let input = match (&args.run, &args.weights) {
        (Some(run), _) => Some(run.clone()),
        (None, Some(asked)) => find(asked, &Places::of_user()).ok().map(|found| found.path),
        (None, None) => None,
    };
    let inputs: Vec<PathBuf> = input.into_iter().collect();
    // A run's folder may take new files.
    let is_in_question = |out: &&PathBuf| args.run.is_none() || out.exists();
    outs.iter().filter(is_in_question).try_for_each(|out| keep_inputs(out, &inputs))
}

pub(crate) fn run(args: &Args) -> Result<()> {
    keep_network(args)?;
    match (&args.run, &args.weights) {
        (Some(run), _) => {
            let (network, about) = args.choice.load(run)?;
            if let Some(network) = network.as_any().downcast_ref::<TextPredictor>() {
                return write_text(args, network, &about);
            }
            if network.as_any().is::<LinearPredictor>() {
                bail!(
                    "{about}: a linear classifier of words, which no other program reads; take its \
                     answers (tutor predict), or export a net of this run with --model"
                );
            }
            let network = network.as_any().downcast_ref::<TrainedModel>();
            write(args, network.context("this run has no network on images")?, &about)
        }
        (None, Some(asked)) => {
            let device = args.choice.device()?;
            write(args, &checkpoint::open(args.net.as_deref(), asked, None, device)?, asked)
        }
        (None, None) => bail!("name the folder of a run, or --weights"),
    }
}

fn write_text(args: &Args, network: &TextPredictor, about: &str) -> Result<()> {
    let Some(folder) = &args.hub else {
        bail!("a classifier of texts goes with its tokenizer: name a folder with --hub");
    };
    network.save_hub(folder)?;
    super::say(&format!("{}: {about}", folder.display()))
}

fn write(args: &Args, network: &TrainedModel, about: &str) -> Result<()> {
    if args.hub.is_some() {
        bail!("--hub is for classifiers of texts; a network on images goes to --safetensors");
    }
    if let Some(path) = &args.safetensors {
        network.save_safetensors(path)?;
        super::say(&format!("{}: {about}", path.display()))?;
    }
    if let Some(path) = &args.onnx {
        network.save_onnx(path)?;
        super::say(&format!("{}: {about}", path.display()))?;
    }
    if network.is_mirrored() {
        note(
            "what the run measured is the mean over each image and its mirror image \
             (evaluate.mirror); the file holds the network alone",
        );
    }
    Ok(())
}
