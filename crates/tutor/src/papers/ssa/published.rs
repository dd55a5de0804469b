//! What the paper published: its conversations, described, and its numbers, as data with the source
//! of each.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use eval_ssa::published::{CORRELATIONS, Known, PERPLEXITY_AND_SSA, PublishedRow, Source, TABLE};
use eval_ssa::transcripts::{self, Description};
use report::{Block, IntervalPlot, IntervalRow, Measured, Point, ScatterPlot, Section, Table};

/// The published conversations that were found.
#[derive(Default)]
pub(super) struct Transcripts {
    /// Each file by its name.
    files: Vec<(String, Description)>,
    /// Where they were looked for and are not.
    missing: Option<PathBuf>,
}

impl Transcripts {
    /// Reads every `.txt` of a folder. One that is not there is no error: the report says so.
    pub(super) fn read(folder: Option<&Path>) -> Result<Self> {
        let Some(folder) = folder else { return Ok(Self::default()) };
        if !folder.is_dir() {
            return Ok(Self { files: Vec::new(), missing: Some(folder.to_owned()) });
        }
        let about = || format!("cannot read {}", folder.display());
        let entries = std::fs::read_dir(folder).with_context(about)?;
        let mut paths = Vec::new();
        for entry in entries {
            paths.push(entry.with_context(about)?.path());
        }
        paths.retain(|path| path.extension().is_some_and(|end| end == "txt"));
        paths.sort();
        let mut files = Vec::new();
        for path in paths {
            let of = || path.display().to_string();
            let text = std::fs::read_to_string(&path).with_context(of)?;
            let found = transcripts::describe(&transcripts::parse(&text).with_context(of)?);
            let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            files.extend(found.map(|description| (name, description)));
        }
        Ok(Self { files, missing: None })
    }

    /// The section.
    pub(super) fn section(&self) -> Section {
        let section = Section::new("transcripts", "The published conversations");
        if self.files.is_empty() {
            let words = match &self.missing {
                Some(folder) => format!("There are none in {}.", folder.display()),
                None => "They are described where --data names a folder that has them in \
                         meena-transcripts (google-research, folder meena)."
                    .to_owned(),
            };
            return section.with(Block::Text(words));
        }
        let mut table = Table::new([
            "file",
            "conversations",
            "turns",
            "least, median, most",
            "14 to 28 turns",
            "greeted",
            "two in a row",
            "redacted",
            "mean words of a turn",
        ]);
        for (name, found) in &self.files {
            let speakers = found.speakers.iter();
            let words: Vec<String> =
                speakers.map(|(name, (_, words))| format!("{name} {words:.1}")).collect();
            table.rows.push(vec![
                name.clone(),
                found.conversations.to_string(),
                found.turns.to_string(),
                found.length.map(|turns| format!("{turns}")).join(", "),
                found.within_protocol.to_string(),
                found.greeted.to_string(),
                found.in_a_row.to_string(),
                found.redacted.to_string(),
                words.join(", "),
            ]);
        }
        let words = "The conversations come without labels of their turns, so no SSA can be computed from them. \
                     “tutor rate import --transcripts” makes them systems of a study.";
        section.with(Block::Table(table)).with(Block::Text(words.to_owned()))
    }
}

/// The letter by which tables mark a source.
fn letter(source: Source) -> &'static str {
    match source {
        Source::Paper => "P",
        Source::Notes => "N",
        Source::Computed => "C",
        Source::Memory => "M",
    }
}

fn cell(known: Option<Known>) -> String {
    known.map_or_else(|| "–".to_owned(), |k| format!("{} {}", k.percent, letter(k.source)))
}

/// The paper's table and plots.
pub(super) fn section() -> Section {
    let mut table = Table::new([
        "system",
        "SSA, %",
        "sensibleness, %",
        "specificity, %",
        "SSA, %",
        "sensibleness, %",
        "specificity, %",
        "remark",
    ]);
    table.spans = vec![
        (String::new(), 1),
        ("interactive".into(), 3),
        ("static".into(), 3),
        (String::new(), 1),
    ];
    for row in &TABLE {
        let PublishedRow { system, remark, .. } = *row;
        let interactive =
            [row.interactive_ssa, row.interactive_sensibleness, row.interactive_specificity];
        let fixed = [row.static_ssa, row.static_sensibleness, row.static_specificity];
        let cells = interactive.into_iter().chain(fixed).map(cell);
        let cells = [system.to_owned()].into_iter().chain(cells).chain([remark.to_owned()]);
        table.rows.push(cells.collect());
    }
    let row = |row: &PublishedRow| {
        let values = [row.interactive_ssa, row.static_ssa];
        let values = values.map(|k| k.map(|k| Measured { value: k.percent, interval: None }));
        IntervalRow { name: row.system.to_owned(), values: values.to_vec() }
    };
    let plot = IntervalPlot {
        title: "SSA as published".to_owned(),
        label: "SSA, %".to_owned(),
        span: [0.0, 100.0],
        series: vec!["interactive".to_owned(), "static".to_owned()],
        rows: TABLE.iter().map(row).collect(),
    };
    let mut correlations = Table::new(["between", "R²", "source"]);
    for found in &CORRELATIONS {
        correlations.rows.push(vec![
            found.between.to_owned(),
            found.r_squared.to_string(),
            letter(found.source).to_owned(),
        ]);
    }
    let (perplexity, ssa) = PERPLEXITY_AND_SSA;
    let pair = ScatterPlot {
        title: "Perplexity and SSA".to_owned(),
        x_label: "perplexity".to_owned(),
        y_label: "interactive SSA, %".to_owned(),
        points: vec![("Meena (base)".to_owned(), Point { x: perplexity, y: ssa, interval: None })],
        line: None,
    };
    Section::new("published", "The paper's numbers")
        .with(Block::Text(
            "Adiwardana et al. 2020 (arXiv 2001.09977). Behind each number stands its source: P the paper \
             itself, N notes by others, C computed from the other two of its row, M from memory. None of them \
             was measured here."
                .to_owned(),
        ))
        .with(Block::Intervals(plot))
        .with(Block::Table(table))
        .with(Block::Text(format!(
            "Of perplexity and interactive SSA one pair is printed as numbers, {perplexity} and {ssa} %; the \
             other points are a figure's and are not guessed here, and no line goes through one point. How close \
             the paper's lines are is stated only as R²:"
        )))
        .with(Block::Scatter(pair))
        .with(Block::Table(correlations))
}
