//! `tutor fit`: a classifier from labelled pictures or texts and unlabelled ones.

use std::path::PathBuf;

use anyhow::{Context, Result};
use weights::catalog;

use super::place::{Done, Place, shell_path};
use super::ranges;
use super::skipped::skipped_by;
use crate::papers::{own_images, own_texts};
use crate::run::note::note;

/// One's own pictures or texts, and how long it may take.
#[derive(clap::Args)]
#[command(group(clap::ArgGroup::new("learned").required(true)))]
pub(crate) struct Data {
    /// Labelled pictures: a folder with a sub-folder for each class, a table of files and labels,
    /// or Hugging Face Parquet.
    #[arg(long, value_name = "PATH", group = "learned")]
    labeled: Option<PathBuf>,
    /// Labelled texts, in place of pictures: a table (`.csv`, `.tsv`, `.jsonl`, `.parquet`) with a
    /// column of texts, or two of pairs, and one of labels. Rows without a label are unlabelled.
    #[arg(long, value_name = "FILE", group = "learned")]
    text: Option<PathBuf>,
    /// The column of texts. Given twice, the two columns of pairs that are judged together, as
    /// premise and hypothesis. Looked for by the usual names without it.
    #[arg(long, value_name = "NAME", requires = "text")]
    text_column: Vec<String>,
    /// The column of labels; looked for by the usual names without it.
    #[arg(long, value_name = "NAME", requires = "text")]
    label_column: Option<String>,
    /// A label that stands for none, such as `unsup` or `-1`: pictures or texts that have it are
    /// unlabelled. May be given several times.
    #[arg(long, value_name = "LABEL", allow_hyphen_values = true)]
    no_label: Vec<String>,
    /// A label that is a class although it reads as if it stood for none, such as `none` or `NA`.
    /// May be given several times.
    #[arg(long, value_name = "LABEL", allow_hyphen_values = true)]
    class: Vec<String>,
    /// Leave out rows that cannot be read or have a label that is not known, and count them.
    #[arg(long, requires = "text")]
    skip_bad: bool,
    /// A table of files and labels (`.csv`, `.tsv`, `.jsonl`) for the folder of --labeled; pictures
    /// that it does not name are unlabelled.
    #[arg(long, value_name = "FILE", conflicts_with = "text")]
    labels: Option<PathBuf>,
    /// Unlabelled pictures; or unlabelled texts, a table or a file with a text a line; of pairs, a
    /// table with both columns.
    #[arg(long, value_name = "PATH")]
    unlabeled: Option<PathBuf>,
    /// Labelled pictures or texts to measure the result on, once; rows without a label are counted
    /// and left out. With it the report also tells thresholds for `predict --threshold`.
    #[arg(long, value_name = "PATH")]
    test: Option<PathBuf>,
    /// Labelled pictures or texts to choose by; labels are held out in turn without it.
    #[arg(long, value_name = "PATH")]
    validation: Option<PathBuf>,
    /// Published weights to start from: a file, a repository in the Hugging Face cache, or a name
    /// of `tutor weights list`. For texts, a run of `tutor pretrain`, or a folder of the Hugging
    /// Face hub (BERT or ELECTRA) with its tokenizer.
    #[arg(long, value_name = "FILE|NAME")]
    weights: Option<String>,
    /// The net of the weights by its name in timm, where they do not say it.
    #[arg(long, value_name = "NAME", conflicts_with = "text")]
    net: Option<String>,
    /// Side in pixels at which pictures are shown to the net.
    #[arg(long, conflicts_with = "text")]
    #[arg(value_parser = side)]
    size: Option<u32>,
    /// Minutes that the run may take.
    #[arg(long, default_value_t = 10.0, value_parser = ranges::above_0)]
    minutes: f64,
    /// MiB of decoded pictures that are kept in memory.
    #[arg(long, default_value_t = 512)]
    memory: u64,
    /// Go on although a picture or text of the test or validation part is in another part too.
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

/// A side of the squares that a net sees.
fn side(text: &str) -> Result<u32, String> {
    let not_one = |fault| format!("{fault}, the side of the square as which pictures are shown");
    ranges::within(16, 1024)(text).map_err(not_one)
}

impl Data {
    /// Looks at the data, says what would be done, and returns the recipe. Where it is not run
    /// afterwards (`looks_only`), what the run would say of the data is said too.
    pub(super) fn plan(&self, device: torch::Device, looks_only: bool) -> Result<String> {
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
            size: self.size,
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
            validation: self.validation.clone(),
            test: self.test.clone(),
            weights: self.weights.clone(),
            minutes: self.minutes,
            skip_bad: self.skip_bad,
            allow_duplicates: self.allow_duplicates,
            device,
        };
        let plan = own_texts::plan::plan(&given);
        let plan = plan.map_err(|error| skipped_by("--skip-bad", error))?;
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
