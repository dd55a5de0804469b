//! `tutor fit`: a classifier from a folder of labelled pictures and a folder of unlabelled ones.

use std::path::PathBuf;

use anyhow::Result;

use crate::papers::{self, own_images::plan};
use crate::run::driver::{self, Options};
use crate::run::note::note;

/// One's own pictures, and how long it may take.
#[derive(clap::Args)]
pub(crate) struct Pictures {
    /// Labelled pictures: a folder with a sub-folder for each class, a table of files and labels,
    /// or Hugging Face Parquet.
    #[arg(long, value_name = "PATH")]
    labeled: PathBuf,
    /// A table of files and labels (`.csv`, `.tsv`, `.jsonl`) for the folder of --labeled; pictures
    /// that it does not name are unlabelled.
    #[arg(long, value_name = "FILE")]
    labels: Option<PathBuf>,
    /// Unlabelled pictures.
    #[arg(long, value_name = "PATH")]
    unlabeled: Option<PathBuf>,
    /// Labelled pictures to measure the result on, once.
    #[arg(long, value_name = "PATH")]
    test: Option<PathBuf>,
    /// Labelled pictures to choose by; labels are held out in turn without it.
    #[arg(long, value_name = "PATH")]
    validation: Option<PathBuf>,
    /// Published weights to start from: a file, a repository in the Hugging Face cache, or a name
    /// of `tutor weights list`.
    #[arg(long, value_name = "FILE|NAME")]
    weights: Option<String>,
    /// The net of the weights by its name in timm, where they do not say it.
    #[arg(long, value_name = "NAME")]
    net: Option<String>,
    /// Side in pixels at which pictures are shown to the net.
    #[arg(long)]
    #[arg(value_parser = clap::value_parser!(u32).range(16..=1024))]
    size: Option<u32>,
    /// Minutes that the run may take.
    #[arg(long, default_value_t = 10.0)]
    minutes: f64,
    /// MiB of decoded pictures that are kept in memory.
    #[arg(long, default_value_t = 512)]
    memory: u64,
    /// Go on although a picture of the test or validation part is in another part too.
    #[arg(long)]
    allow_duplicates: bool,
}

/// What is fitted and where.
#[derive(clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    pictures: Pictures,
    /// `cpu`, `cuda`, `cuda:N`, or `auto` for a GPU where there is one.
    #[arg(long, default_value = "auto")]
    device: String,
    /// Where runs are kept.
    #[arg(long, default_value = "runs")]
    out: PathBuf,
    /// Begin anew even if the same command was stopped before its end.
    #[arg(long)]
    fresh: bool,
}

impl Pictures {
    /// Looks at the data, says what would be done, and returns the recipe.
    pub(super) fn plan(&self, device: torch::Device) -> Result<String> {
        let given = plan::Given {
            labeled: self.labeled.clone(),
            labels: self.labels.clone(),
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
        };
        let plan = plan::plan(&given)?;
        plan.lines.iter().chain(&plan.offer).for_each(|line| note(line));
        Ok(plan.recipe)
    }
}

pub(crate) fn run(args: &Args) -> Result<()> {
    let device = super::device::chosen(&args.device)?;
    let recipe = args.pictures.plan(device)?;
    let mut experiment = papers::resolve(&recipe, false, true, &[])?;
    let options = Options { quick: false, data: None, device, out: &args.out, fresh: args.fresh };
    let (result, page) = driver::run(&mut *experiment, &options)?;
    let dir = page.parent().unwrap_or(&args.out).display();
    super::say(&format!(
        "{}\nlabel others: tutor predict {dir} FOLDER\n\
         change and run again: tutor run {dir}/recipe.toml\nreport: {}",
        report::terminal(&result),
        page.display()
    ))
}
