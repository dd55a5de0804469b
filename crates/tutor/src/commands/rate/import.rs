//! `tutor rate import`: files are added to a study.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use metrics::words::counted;
use rating_server::{Project, Records, Tool, read_records, read_tool, read_transcripts};

use super::super::say;

/// Which files are added to which study.
#[derive(clap::Args)]
pub(super) struct Args {
    /// The study's database file
    study: PathBuf,
    /// Files to import: responses as .csv, .jsonl or .json; items.jsonl, pairs.jsonl,
    /// systems.jsonl, ratings.jsonl, preferences.jsonl, judgments.jsonl and adjudications.jsonl of
    /// `tutor rate export`; with --from, another tool's export
    #[arg(required_unless_present = "transcripts")]
    files: Vec<PathBuf>,
    /// System that gave the responses, if the files do not state it
    #[arg(long)]
    system: Option<String>,
    /// Conversations in the format published with the Meena paper: `NAME Conversation NUMBER`, then
    /// lines `SPEAKER: TEXT`. May be given several times. A conversation whose number another one
    /// has in the study gets a free number
    #[arg(long, value_name = "FILE", conflicts_with = "from")]
    transcripts: Vec<PathBuf>,
    /// Speaker in the transcripts whose turns are rated; by default the one named in the headings
    #[arg(long, requires = "transcripts", conflicts_with_all = ["from", "rater"])]
    speaker: Option<String>,
    /// Tool whose exports the files are
    #[arg(long, value_name = "TOOL")]
    from: Option<Other>,
    /// Rater who gave the answers, for Potato and doccano, if the file does not state it; by
    /// default the name of Potato's folder or of doccano's file. For Label Studio, name of the
    /// server: `user 1`, which another server has too, becomes `RATER/user 1`
    #[arg(long, requires = "from", conflicts_with = "transcripts")]
    rater: Option<String>,
}

/// Tools whose exports are read.
#[derive(Clone, Copy, clap::ValueEnum)]
enum Other {
    LabelStudio,
    Potato,
    Doccano,
}

pub(super) fn run(arguments: &Args) -> Result<()> {
    let project = Project::open(&arguments.study)?;
    let (system, speaker) = (arguments.system.as_deref(), arguments.speaker.as_deref());
    for file in &arguments.transcripts {
        add(&project, file, &read_transcripts(file, system, speaker)?)?;
    }
    for file in &arguments.files {
        let tool = arguments.from.map(|from| match from {
            Other::LabelStudio => Tool::LabelStudio,
            Other::Potato => Tool::Potato,
            Other::Doccano => Tool::Doccano,
        });
        let records = match tool {
            Some(tool) => read_tool(file, tool, arguments.rater.as_deref(), system)?,
            None => read_records(file, system)?,
        };
        add(&project, file, &records)?;
    }
    Ok(())
}

fn add(project: &Project, file: &Path, records: &Records) -> Result<()> {
    let done =
        project.add_records(records).with_context(|| format!("cannot add {}", file.display()))?;
    let known = known_already(done.known);
    let apart = match records.newest_counts {
        true => " (--rater tells users of another Label Studio server from these)",
        false => "",
    };
    let replaced = match done.replaced {
        0 => String::new(),
        many => format!(", {} replaced by newer ones{apart}", counted(many, "answer")),
    };
    say(&format!("{}: {} added{replaced}{known}", file.display(), done.added))?;
    if done.late > 0 {
        let votes = counted(project.settings().votes, "vote");
        let are = match done.late {
            1 => "1 is not counted: its item has".to_owned(),
            late => format!("{late} are not counted: their items have"),
        };
        say(&format!("  {are} {votes} already"))?;
    }
    if done.deleted > 0 {
        let were = if done.deleted == 1 { "was" } else { "were" };
        let answers = counted(done.deleted, "answer");
        say(&format!("  {answers} of raters who were deleted in this study {were} left out"))?;
    }
    if done.renumbered > 0 {
        let got = match done.renumbered {
            1 => "1 conversation got another number, as another one has its own".to_owned(),
            many => format!("{many} conversations got other numbers, as others have their own"),
        };
        say(&format!("  {got} in the study"))?;
    }
    if done.again > 0 {
        let are = match done.again {
            1 => "1 of them answers turns that its system has".to_owned(),
            many => format!("{many} of them answer turns that their systems have"),
        };
        say(&format!(
            "  {are} answered already: both responses are rated and count (none is taken back; a \
             corrected file needs a new study)"
        ))?;
    }
    for note in &records.notes {
        say(&format!("  {note}"))?;
    }
    Ok(())
}

/// How many records were known before, if any.
pub(super) fn known_already(count: usize) -> String {
    match count {
        0 => String::new(),
        1 => ", 1 was there already".to_owned(),
        _ => format!(", {count} were there already"),
    }
}
