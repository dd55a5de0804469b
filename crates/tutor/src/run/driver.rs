//! Runs an experiment from its folder to its report.

use std::path::{Path, PathBuf};
use std::time::Instant;

use anyhow::{Context, Result};
use report::{Report, RunResult};
use torch::Device;

use super::agreement;
use super::cost::{Spent, peak_rss_bytes};
use super::experiment::{Experiment, Findings};
use super::folder::{RunFolder, Started, now};
use super::interrupt::Interrupted;
use super::note::note;
use super::processes;
use super::progress::Progress;
use super::seeds::Run;

/// How a recipe is run, beside what it says itself.
pub(crate) struct Options<'a> {
    pub(crate) quick: bool,
    /// Where data sets lie.
    pub(crate) data: Option<&'a Path>,
    pub(crate) device: Device,
    /// Where runs are kept.
    pub(crate) out: &'a Path,
    /// Never take up an earlier run.
    pub(crate) fresh: bool,
}

/// Runs an experiment or goes on with it, and writes its report. Returns what it found and the path
/// of the page.
pub(crate) fn run(
    experiment: &mut dyn Experiment,
    options: &Options<'_>,
) -> Result<(RunResult, PathBuf)> {
    let clock = Instant::now();
    let program = option_env!("TUTOR_COMMIT").unwrap_or(env!("CARGO_PKG_VERSION")).to_owned();
    if let Some(group) = processes::group() {
        let (quick, recipe) = (options.quick, experiment.to_toml()?);
        agreement::on_start(&agreement::Start { program: program.clone(), quick, recipe })?;
        experiment.shares(group.size())?;
    }
    experiment.open(options.data)?;
    let absolute = |dir: &Path| std::path::absolute(dir).with_context(|| dir.display().to_string());
    let wanted = Started {
        at: now(),
        seeds: (1..=experiment.head().seeds).collect(),
        quick: options.quick,
        data: options.data.map(absolute).transpose()?,
        device: device_name(options.device),
        threads: torch::device::threads(),
        program,
    };
    let (text, head) = (experiment.to_toml()?, experiment.head());
    let folder = match processes::is_first() {
        true => {
            let folder = RunFolder::open(options.out, head, &text, &wanted, options.fresh)?;
            let verb = if folder.resumed { "going on in" } else { "running in" };
            note(&format!("{}: {verb} {} on {}", head.name, folder.dir.display(), wanted.device));
            processes::from_first(|| Ok(folder.started.clone()))?;
            folder
        }
        false => RunFolder::beside(processes::from_first(|| Ok(wanted))?)?,
    };
    let earlier = folder.spent();
    let spent = || Spent {
        wall_s: earlier.wall_s + clock.elapsed().as_secs_f64(),
        peak_rss_bytes: earlier.peak_rss_bytes.max(peak_rss_bytes()),
        peak_gpu_bytes: earlier.peak_gpu_bytes.max(torch::device::peak_memory(options.device)),
    };
    let keep_spent = || {
        if let Err(error) = folder.note_spent(spent()) {
            tracing::warn!("{error:#}");
        }
    };
    let mut run = Run {
        started: &folder.started,
        device: options.device,
        recipe_text: &text,
        dir: &folder.dir,
        progress: Progress::new(keep_spent),
    };
    let found = experiment.run(&mut run);
    match &found {
        // It was refused before anything was made.
        Err(error) if !error.is::<Interrupted>() && folder.is_unused() => {
            folder.remove(options.out);
        }
        _ => folder.note_spent(spent())?,
    }
    let Findings { mut result, sections } = found?;
    let spent = spent();
    result.cost.wall_s = spent.wall_s;
    result.cost.peak_rss_bytes = spent.peak_rss_bytes;
    result.cost.peak_gpu_bytes = spent.peak_gpu_bytes;
    if let Some(headline) = &head.headline
        && result.comparisons.iter().any(|comparison| comparison.name == *headline)
    {
        result.headline = Some(headline.clone());
    }
    // What the paper prints for a row that is not run has nothing to stand beside.
    let names: Vec<String> = result.rows.iter().map(|row| row.name.clone()).collect();
    result.paper_reference.retain(|row| row.ours.as_ref().is_none_or(|ours| names.contains(ours)));
    expect(&mut result, experiment)?;
    if !processes::is_first() {
        return Ok((result, folder.dir.clone()));
    }
    // Before the result, which marks the run as finished: a finished run that nothing points at
    // would be lost.
    if let Err(error) = folder.point_latest(options.out, &head.name) {
        note(&format!("note: {error:#}; the run is in {}", folder.dir.display()));
    }
    let report = Report { result: &result, sections: &sections, recipe_toml: &text };
    let page = report::write(&folder.dir, &report)?;
    Ok((result, page))
}

/// Holds the result against what the recipe expects.
fn expect(result: &mut RunResult, experiment: &dyn Experiment) -> Result<()> {
    let expected = &experiment.head().expect;
    for expectation in expected {
        result.expected.push(result.check_expectation(expectation)?);
    }
    if expected.is_empty() && experiment.states_numbers() {
        let note = "The recipe, as it was run, states no expected numbers.";
        result.notes.push(note.to_owned());
    }
    Ok(())
}

fn device_name(device: Device) -> String {
    match device {
        Device::Cuda(index) => format!("cuda:{index}"),
        _ => "cpu".to_owned(),
    }
}
