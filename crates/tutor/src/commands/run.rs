//! `tutor run`: trains what a recipe says, measures it and writes a report.

use std::path::{Path, PathBuf};
use std::time::Instant;

use anyhow::{Context, Result};

use crate::assemble::Source;
use crate::catalog;
use crate::methods;
use crate::points;
use crate::progress::Progress;
use crate::recipe::{AnyRecipe, Override, parse_override};
use crate::report;
use crate::run_folder::{RunFolder, Spent, Started, now};
use crate::seed;
use crate::summary;

/// What is run and where.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// `paper/row`, `paper` (its default row), or a TOML file.
    recipe: String,
    #[command(flatten)]
    changes: Changes,
    /// How many seeds: 1, 2, ... N.
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u64).range(1..=1000))]
    seeds: u64,
    /// `cpu`, `cuda`, `cuda:N`, or `auto` for a GPU where there is one.
    #[arg(long, default_value = "auto")]
    device: String,
    /// Where runs are kept.
    #[arg(long, default_value = "runs")]
    out: PathBuf,
    /// Begin anew even if the same command was stopped before its end.
    #[arg(long)]
    fresh: bool,
    /// Threads libtorch computes with; all cores by default. The last bits of results depend on it.
    #[arg(long)]
    #[arg(value_parser = clap::value_parser!(u16).range(1..))]
    threads: Option<u16>,
}

/// What differs from the recipe as it is written.
#[derive(clap::Args)]
pub(crate) struct Changes {
    /// The recipe's smoke run: a few steps on little data.
    #[arg(long)]
    quick: bool,
    /// The folder that holds the data sets.
    #[arg(long, env = "TUTOR_DATA")]
    data: Option<PathBuf>,
    /// Change a setting, as `student.steps=400`. May be given several times.
    #[arg(long = "set", value_name = "KEY=VALUE", value_parser = parse_override)]
    set: Vec<Override>,
}

impl Changes {
    /// The recipe with the changes applied.
    pub(crate) fn resolve(&self, text: &str) -> Result<AnyRecipe> {
        AnyRecipe::resolve(text, self.quick, self.data.is_some(), &self.set)
    }
}

pub(crate) fn run(args: &Args) -> Result<()> {
    let clock = Instant::now();
    let written = catalog::find(&args.recipe)?;
    let mut recipe = args.changes.resolve(&written)?;
    let device = torch::device::select(&args.device)?;
    if let Some(threads) = args.threads {
        torch::device::set_threads(usize::from(threads));
    }
    let data = args.changes.data.as_deref();
    let source = match open(&mut recipe, data) {
        Err(error) if args.changes.quick && data.is_some() => {
            eprintln!("{error:#}: the quick run is on generated images");
            recipe = AnyRecipe::resolve(&written, true, false, &args.changes.set)?;
            open(&mut recipe, data)?
        }
        opened => opened?,
    };
    let started = Started {
        at: now(),
        seeds: (1..=args.seeds).collect(),
        quick: args.changes.quick,
        data: data
            .map(|dir| std::path::absolute(dir).with_context(|| dir.display().to_string()))
            .transpose()?,
        device: device_name(device),
        threads: torch::device::threads(),
        program: option_env!("TUTOR_COMMIT").unwrap_or(env!("CARGO_PKG_VERSION")).to_owned(),
    };
    let folder = RunFolder::open(&args.out, &recipe, &started, args.fresh)?;
    let text = recipe.to_toml()?;
    let verb = if folder.resumed { "going on in" } else { "running in" };
    eprintln!("{}: {verb} {} on {}", recipe.name(), folder.dir.display(), started.device);
    let earlier = folder.spent();
    let spent = || Spent {
        wall_s: earlier.wall_s + clock.elapsed().as_secs_f64(),
        peak_rss_bytes: earlier.peak_rss_bytes.max(peak_rss_bytes()),
    };
    let mut progress = Progress::new(|| {
        if let Err(error) = folder.note_spent(spent()) {
            tracing::warn!("{error:#}");
        }
    });
    let images = || source.as_ref().context("a recipe about images opens its data");
    let found = match &recipe {
        AnyRecipe::NoisyStudent(recipe) => {
            each_seed(&folder, &mut progress, |seed, dir, progress| {
                seed::run(recipe, &text, images()?, device, seed, dir, progress)
            })
            .and_then(|outcomes| {
                let result = summary::result(recipe, &folder.started, &outcomes, device)?;
                Ok((result, summary::visuals(recipe, &outcomes)))
            })
        }
        AnyRecipe::Methods(recipe) => each_seed(&folder, &mut progress, |seed, dir, progress| {
            methods::run(recipe, &text, images()?, device, seed, dir, progress)
        })
        .and_then(|outcomes| {
            let result = methods::summary::result(recipe, &folder.started, &outcomes, device)?;
            Ok((result, methods::summary::visuals(recipe, &outcomes)))
        }),
        AnyRecipe::Points(recipe) => each_seed(&folder, &mut progress, |seed, dir, progress| {
            points::run(recipe, &text, device, seed, dir, progress)
        })
        .and_then(|outcomes| {
            let result = points::summary::result(recipe, &folder.started, &outcomes, device)?;
            let first = folder.dir.join(format!("seed-{}", folder.started.seeds[0]));
            Ok((result, points::summary::visuals(recipe, &outcomes, &first)?))
        }),
    };
    folder.note_spent(spent())?;
    let (mut result, visuals) = found?;
    result.cost.wall_s = spent().wall_s;
    result.cost.peak_rss_bytes = spent().peak_rss_bytes;
    // Before the result, which marks the run as finished: a finished run that nothing points at would be lost.
    folder.point_latest(&args.out, &recipe)?;
    let page = report::write(&folder.dir, &result, &visuals, &text)?;
    println!("{}", report::terminal::table(&result));
    println!("report: {}", page.display());
    Ok(())
}

/// Opens a recipe's images, if it is about images.
fn open(recipe: &mut AnyRecipe, dir: Option<&Path>) -> Result<Option<Source>> {
    let Some(data) = recipe.data() else { return Ok(None) };
    data.anchor(dir)?;
    Source::open(data, dir).map(Some)
}

/// What each seed of a run found.
fn each_seed<T>(
    folder: &RunFolder,
    progress: &mut Progress<'_>,
    mut run: impl FnMut(u64, &Path, &mut Progress<'_>) -> Result<T>,
) -> Result<Vec<T>> {
    let seeds = &folder.started.seeds;
    let outcomes = seeds.iter().enumerate().map(|(i, &number)| {
        progress.seed(i + 1, seeds.len());
        let dir = folder.dir.join(format!("seed-{number}"));
        run(number, &dir, progress).with_context(|| format!("seed {number}"))
    });
    let outcomes = outcomes.collect();
    progress.clear();
    outcomes
}

fn device_name(device: torch::Device) -> String {
    match device {
        torch::Device::Cuda(index) => format!("cuda:{index}"),
        _ => "cpu".to_owned(),
    }
}

/// The largest resident set of this process so far, bytes; 0 where the system does not say.
fn peak_rss_bytes() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kilobytes = line.and_then(|line| line.trim().trim_end_matches(" kB").parse::<u64>().ok());
    kilobytes.unwrap_or(0) * 1024
}
