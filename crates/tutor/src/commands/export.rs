//! `tutor export`: a trained network as a file for other programs.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail, ensure};
use data_pipeline::text::read::files;
use weights::find::{Places, find};

use super::inputs::{keep_files, whole};
use super::run_network::NetworkChoice;
use crate::dialog::responder::Responder;
use crate::images::checkpoint;
use crate::images::trained_model::TrainedModel;
use crate::run::experiment::Predictor;
use crate::run::note::note;
use crate::text::linear_predictor::LinearPredictor;
use crate::text::predictor::{Kept, TextPredictor};

/// The network that is exported, and where to.
#[derive(clap::Args)]
#[command(group(clap::ArgGroup::new("file").required(true).multiple(true)))]
pub(crate) struct Args {
    /// Folder of a run, as `runs/noisy-student/latest` (not with --weights).
    run: Option<PathBuf>,
    /// Export published weights instead of a run: a file, a repository in the Hugging Face cache,
    /// or a name of `tutor weights list`.
    #[arg(long, value_name = "FILE|NAME", conflicts_with_all = ["run", "model", "run_seed"])]
    weights: Option<String>,
    /// Architecture of the weights by its name in timm, if they do not state it.
    #[arg(long, value_name = "NAME", requires = "weights")]
    #[arg(conflicts_with_all = ["run", "model", "run_seed"])]
    net: Option<String>,
    #[command(flatten)]
    choice: NetworkChoice,
    /// Write the tensors under timm's names, with classes, normalisation and size in the header.
    #[arg(long, value_name = "FILE", group = "file")]
    safetensors: Option<PathBuf>,
    /// Write an ONNX file (opset 17) that takes pixels from 0 to 1 as float32 [batch, channels,
    /// height, width] and contains normalisation and classes.
    #[arg(long, value_name = "FILE", group = "file")]
    onnx: Option<PathBuf>,
    /// Write a classifier of texts as a folder that transformers reads: `config.json`,
    /// `model.safetensors` and the tokenizer's files. `tutor.json` beside them tells `tutor eval
    /// --weights` how to shorten long texts.
    #[arg(long, value_name = "FOLDER", group = "file")]
    hub: Option<PathBuf>,
}

/// An error if something would be written over a file of the network that is exported, or two files
/// over each other. What earlier exports wrote into its folder may be replaced.
fn keep_network(args: &Args) -> Result<()> {
    let single = [&args.safetensors, &args.onnx].into_iter().flatten();
    let written = |folder: &PathBuf| TextPredictor::HUB_FILES.map(|name| folder.join(name));
    if let (Some(one), Some(other)) = (&args.safetensors, &args.onnx) {
        ensure!(
            whole(one) != whole(other),
            "--safetensors and --onnx are both {}: give each file a name of its own",
            one.display()
        );
    }
    let mut outs = single.cloned().chain(args.hub.iter().flat_map(written));
    let (input, is_part): (_, fn(&Path) -> bool) = match (&args.run, &args.weights) {
        (Some(run), _) => (Some(run.clone()), is_of_run),
        (None, Some(asked)) => {
            (find(asked, &Places::of_user()).ok().map(|found| found.path), is_of_weights)
        }
        (None, None) => (None, is_of_weights),
    };
    // What is not there is told of when it is loaded.
    let input: Vec<PathBuf> = input.into_iter().collect();
    let mut loaded = files(&input).unwrap_or_default();
    if input.iter().any(|path| path.is_dir()) {
        loaded.retain(|path| is_part(path));
    }
    outs.try_for_each(|out| keep_files(&out, &loaded))
}

/// Whether a file of a run is one that its networks are loaded from.
fn is_of_run(path: &Path) -> bool {
    let is_of_vocabulary = path.parent().is_some_and(|folder| folder.ends_with(Kept::VOCABULARY));
    let names = [
        "recipe.toml",
        "started.json",
        "input.json",
        "terms.json",
        Kept::FILE,
        "final.safetensors",
    ];
    is_of_vocabulary || names.iter().any(|name| path.ends_with(name))
}

/// Whether a file in a folder of weights is one of theirs, rather than an export with a name of its
/// own.
fn is_of_weights(path: &Path) -> bool {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let is_export = name.ends_with(".onnx") || name.ends_with(".safetensors");
    name.starts_with("model.safetensors") || name.starts_with("model-0") || !is_export
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
            if network.as_any().is::<Responder>() {
                bail!(
                    "{about}: a network that replies, which no other program reads; talk to it \
                     (tutor chat), or serve it to other programs (tutor serve)"
                );
            }
            let network = network.as_any().downcast_ref::<TrainedModel>();
            write(args, network.context("this run has no network on images")?, &about)
        }
        (None, Some(asked)) => {
            let device = args.choice.device()?;
            let mut network = checkpoint::open(args.net.as_deref(), asked, None, None, device)?;
            if let Some(size) = args.choice.image_size() {
                network.resize(size)?;
            }
            write(args, &network, asked)
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

#[cfg(test)]
mod tests {
    use clap::Parser;
    use data_pipeline::text::Tokenizer;

    use super::*;

    #[derive(Parser)]
    struct Cli {
        #[command(flatten)]
        args: Args,
    }

    #[test]
    fn exports_replace_each_other_and_no_file_of_the_network() {
        let dir = tempfile::tempdir().expect("a folder");
        let at = |name: &str| dir.path().join(name).to_str().expect("UTF-8").to_owned();
        for folder in ["run/texts/vocabulary", "run/net", "run/hub", "weights"] {
            std::fs::create_dir_all(at(folder)).expect("made");
        }
        let own = Tokenizer::FILES.map(|name| format!("run/texts/vocabulary/{name}"));
        let others = [
            "run/recipe.toml",
            "run/net/final.safetensors",
            "run/net.safetensors",
            "run/net.onnx",
            "weights/model.safetensors",
            "weights/config.json",
            "weights/net.onnx",
        ];
        let hub = TextPredictor::HUB_FILES.map(|name| format!("run/hub/{name}"));
        let all = own.iter().chain(&hub).map(String::as_str).chain(others);
        all.for_each(|name| std::fs::write(at(name), "").expect("written"));
        let keep = |arguments: &[&str]| {
            let is_place = |text: &&str| text.starts_with("run") || text.starts_with("weights");
            let whole = arguments.iter().map(|text| match is_place(text) {
                true => at(text),
                false => (*text).to_owned(),
            });
            let Cli { args } = Cli::parse_from(std::iter::once("export".to_owned()).chain(whole));
            keep_network(&args)
        };
        for allowed in [
            &["run", "--safetensors", "run/net.safetensors", "--onnx", "run/net.onnx"][..],
            &["run", "--hub", "run/hub"],
            &["--weights", "weights", "--onnx", "weights/net.onnx"],
            &["--weights", "weights", "--safetensors", "weights/new.safetensors"],
        ] {
            keep(allowed).unwrap_or_else(|error| panic!("{allowed:?}: {error}"));
        }
        for refused in [
            &["run", "--safetensors", "run/net/final.safetensors"][..],
            &["run", "--onnx", "run/recipe.toml"],
            &["run", "--hub", "run/texts/vocabulary"],
            &["--weights", "weights", "--safetensors", "weights/model.safetensors"],
            &["--weights", "weights/net.onnx", "--onnx", "weights/net.onnx"],
            &["--weights", "weights", "--hub", "weights"],
        ] {
            let error = keep(refused).expect_err(refused[1]).to_string();
            assert!(error.contains("would be lost"), "{error}");
        }
        let twice = ["run", "--safetensors", "run/net", "--onnx", "run/../run/net"];
        let error = keep(&twice).expect_err("one file").to_string();
        assert!(error.contains("a name of its own"), "{error}");
        // A file is enough of each that is written.
        for name in TextPredictor::HUB_FILES {
            let folder = tempfile::tempdir().expect("a folder");
            let lone = folder.path().join("vocabulary");
            std::fs::create_dir(&lone).expect("made");
            std::fs::write(lone.join(name), "").expect("written");
            let [run, hub] = [folder.path(), &lone].map(|path| path.to_str().expect("UTF-8"));
            assert!(keep(&[run, "--hub", hub]).is_err(), "{name}");
        }
    }
}
