//! `tutor fit`: a classifier from labelled pictures or texts and unlabelled ones.

use std::path::PathBuf;

use anyhow::{Context, Result};
use weights::catalog;

use super::inputs::refuse_pipes;
use super::place::{Done, Place, shell_path};
use super::ranges;
use super::skip_bad::{SKIP_BAD_ROWS, SkipBad, suggest_skip_bad};
use crate::papers::{own_images, own_texts};
use crate::run::note::note;
use crate::run::processes;

/// The user's own images or texts, and the time limit.
#[derive(clap::Args)]
#[command(mut_arg("skip_bad", |arg| arg.help(SKIP_BAD_ROWS).conflicts_with("labeled")))]
#[command(group(clap::ArgGroup::new("learned").required(true)))]
pub(crate) struct Data {
    /// Labelled images: a folder with a sub-folder per class, a table of files and labels, or
    /// Hugging Face Parquet.
    #[arg(long, value_name = "PATH", group = "learned")]
    labeled: Option<PathBuf>,
    /// Labelled texts, in place of images: a table (`.csv`, `.tsv`, `.jsonl`, `.parquet`) with one
    /// column of texts, or two of pairs, and one of labels. Rows without a label are unlabelled.
    #[arg(long, value_name = "FILE", group = "learned")]
    text: Option<PathBuf>,
    /// Column of texts; given twice, the two columns of pairs that are judged together, as premise
    /// and hypothesis. By default those with a usual name.
    #[arg(long, value_name = "NAME", conflicts_with = "labeled")]
    text_column: Vec<String>,
    /// Column of labels in a table of texts; by default the one with a usual name.
    #[arg(long, value_name = "NAME", conflicts_with = "labeled")]
    label_column: Option<String>,
    /// Treat this label as none, such as `unsup` or `-1`: images or texts that have it are
    /// unlabelled. May be given several times.
    #[arg(long, value_name = "LABEL", allow_hyphen_values = true)]
    no_label: Vec<String>,
    /// Treat this label as a class although it looks like none, such as `none` or `NA`. May be
    /// given several times.
    #[arg(long, value_name = "LABEL", allow_hyphen_values = true)]
    class: Vec<String>,
    #[command(flatten)]
    skip_bad: SkipBad,
    /// Table of files and labels (`.csv`, `.tsv`, `.jsonl`) for the folder of --labeled; images
    /// that it does not name are unlabelled.
    #[arg(long, value_name = "FILE", conflicts_with = "text")]
    labels: Option<PathBuf>,
    /// Unlabelled images or texts. Texts are a table or a file with one text per line; pairs are a
    /// table with both columns. Without it, images that a table of labels does not name are
    /// unlabelled: all others below the table's folder, or below --labeled where --labels is given.
    #[arg(long, value_name = "PATH")]
    unlabeled: Option<PathBuf>,
    /// Paraphrases of all texts of --unlabeled (without it, of --text): the folder that `tutor
    /// augment text` made. The row `uda` learns that a text and its paraphrase are of one class.
    /// Needs --weights, and on a CPU --minutes 20 or more.
    #[arg(long, value_name = "FOLDER", conflicts_with = "labeled")]
    paraphrases: Option<PathBuf>,
    /// Labelled images or texts to measure the result on, once; those without a label are counted
    /// and left out. With it the report also gives thresholds for `predict --threshold`.
    #[arg(long, value_name = "PATH")]
    test: Option<PathBuf>,
    /// Labelled images or texts to choose settings by; without it labels are held out in turn.
    #[arg(long, value_name = "PATH")]
    validation: Option<PathBuf>,
    /// Published weights to start from: a file, a repository in the Hugging Face cache, or a name
    /// of `tutor weights list`. For texts, a run of `tutor pretrain`, or a folder of the Hugging
    /// Face hub (BERT or ELECTRA) with its tokenizer.
    #[arg(long, value_name = "FILE|NAME")]
    weights: Option<String>,
    /// Architecture of the weights by its name in timm, if they do not state it.
    #[arg(long, value_name = "NAME", conflicts_with = "text")]
    net: Option<String>,
    /// Maximum tokens of a text or pair; by default as its words say, at most 128 on a CPU and 256
    /// on a GPU, and no more than the network of --weights was made for.
    #[arg(long, value_name = "TOKENS", conflicts_with = "labeled")]
    #[arg(value_parser = ranges::at_least(5_usize))]
    max_length: Option<usize>,
    /// Height and width in pixels at which images are shown to the network.
    #[arg(long, value_name = "PIXELS", conflicts_with = "text")]
    #[arg(value_parser = side)]
    image_size: Option<u32>,
    /// Time limit of the run in minutes.
    #[arg(long, default_value_t = 10.0, value_parser = ranges::above_0)]
    minutes: f64,
    /// Memory for decoded images in MiB.
    #[arg(long, default_value_t = 512, conflicts_with = "text")]
    memory: u64,
    /// Continue although an image or text of the test or validation part is in another part too.
    #[arg(long)]
    allow_duplicates: bool,
}

/// What is fitted and where.
#[derive(clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    data: Data,
    #[command(flatten)]
    place: Place,
}

/// The side in pixels of the square images that a network sees.
fn side(text: &str) -> Result<u32, String> {
    let not_one = |fault| format!("{fault}, the side of the square as which images are shown");
    ranges::within(16, 1024)(text).map_err(not_one)
}

impl Data {
    /// Looks at the data, says what would be done, and returns the recipe. Where it is not run
    /// afterwards (`looks_only`), what the run would say of the data is said too.
    pub(super) fn plan(&self, device: torch::Device, looks_only: bool) -> Result<String> {
        let given = [&self.labeled, &self.labels, &self.text, &self.validation, &self.test];
        let given = given.into_iter().flatten().chain(&self.unlabeled);
        refuse_pipes(given.chain(&self.paraphrases))?;
        let (recipe, lines) = match &self.text {
            Some(text) => self.plan_texts(text.clone(), device)?,
            None => self.plan_pictures(device, looks_only)?,
        };
        lines.iter().for_each(|line| note(line));
        Ok(recipe)
    }

    fn plan_pictures(
        &self,
        device: torch::Device,
        looks_only: bool,
    ) -> Result<(String, Vec<String>)> {
        let given = own_images::plan::Given {
            labeled: self.labeled.clone().context("name pictures with --labeled")?,
            labels: self.labels.clone(),
            no_label: self.no_label.clone(),
            class: self.class.clone(),
            unlabeled: self.unlabeled.clone(),
            validation: self.validation.clone(),
            test: self.test.clone(),
            weights: self.weights.clone(),
            net: self.net.clone(),
            size: self.image_size,
            minutes: self.minutes,
            memory: self.memory,
            allow_duplicates: self.allow_duplicates,
            device,
            looks_only,
        };
        let plan = own_images::plan::plan(&given)?;
        Ok((plan.recipe, plan.lines.into_iter().chain(plan.offer).collect()))
    }

    fn plan_texts(&self, text: PathBuf, device: torch::Device) -> Result<(String, Vec<String>)> {
        let given = own_texts::plan::Given {
            text,
            text_columns: self.text_column.clone(),
            label_column: self.label_column.clone(),
            no_label: self.no_label.clone(),
            class: self.class.clone(),
            unlabeled: self.unlabeled.clone(),
            paraphrases: self.paraphrases.clone(),
            validation: self.validation.clone(),
            test: self.test.clone(),
            weights: self.weights.clone(),
            max_length: self.max_length,
            minutes: self.minutes,
            skip_bad: self.skip_bad.is_on(),
            allow_duplicates: self.allow_duplicates,
            device,
        };
        let plan = own_texts::plan::plan(&given);
        let plan = plan.map_err(suggest_skip_bad)?;
        let offer = self.weights.is_none().then(text_offer).flatten();
        Ok((plan.recipe, plan.lines.into_iter().chain(offer).collect()))
    }
}

/// A published network that would help with texts.
fn text_offer() -> Option<String> {
    let (net, folder) = (catalog::text_nets().into_iter().next()?, catalog::folder().ok()?);
    let name = &net.name;
    let get = match net.is_in(&folder) {
        true => String::new(),
        false => format!("`tutor weights fetch {name}` gets one for English once, then "),
    };
    Some(format!("a published network may help: {get}`--weights {name}` starts from it"))
}

pub(crate) fn run(args: &Args) -> Result<()> {
    processes::alone("fit", "")?;
    let device = args.place.device()?;
    let recipe = args.data.plan(device, false)?;
    let Done { result, dir, page } = args.place.run(&recipe, device)?;
    let recipe = shell_path(&dir.join("recipe.toml"));
    let dir = shell_path(&dir);
    let others = if args.data.text.is_some() { "TABLE" } else { "FOLDER" };
    super::say(&format!(
        "{}\nlabel others: tutor predict {dir} {others}\n\
         change and run again: tutor run {recipe}\nreport: {}",
        report::terminal(&result),
        page.display()
    ))
}
