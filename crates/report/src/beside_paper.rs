//! Our rows beside the paper's numbers, each with its difference to the whole method.

use crate::result::{PaperRow, Role, RunResult};
use crate::row::{Comparison, Row};
use crate::section::Table;
use crate::words::{NONE, heading, interval, number, signed};

/// What is said wherever the paper's numbers stand beside ours.
pub(crate) const CAVEAT: &str = "The paper's columns come from other data and other models: the \
    direction of a difference can be compared with ours, its level cannot. Where a paper prints \
    errors, less is better.";

/// The paper's rows and ours beside them; `None` when the run names no numbers of a paper.
pub(crate) fn table(result: &RunResult) -> Option<Table> {
    let paper = &result.paper_reference;
    paper.first()?;
    let lead = result.lead_metric()?;
    let mut settings: Vec<&PaperRow> = Vec::new();
    let mut lines: Vec<(&str, Option<&str>)> = Vec::new();
    for p in paper {
        if settings.iter().all(|s| s.setting != p.setting) {
            settings.push(p);
        }
        if !lines.iter().any(|(name, _)| *name == p.name) {
            lines.push((&p.name, p.ours.as_deref()));
        }
    }
    // Where no row is the whole of a method, there is nothing that the others are read against.
    let whole = paper.iter().find(|p| p.role == Role::Method);
    // Each line is read against the method of its own setting.
    let method = |name: &str| {
        let line = paper.iter().find(|p| p.name == name)?;
        let same = |p: &&PaperRow| p.role == Role::Method && p.setting == line.setting;
        result.find(paper.iter().find(same)?.ours.as_deref()?, lead)
    };
    let columns = 1 + usize::from(whole.is_some());
    let unit = result.rows.iter().find(|r| r.metric == lead).map_or("", |r| r.unit.as_str());
    let mut table = Table::new(["row".into(), "our row".into(), heading(lead, unit)]);
    let level = if result.seeds.len() > 1 { " [95 % interval]" } else { "" };
    table.header.extend(whole.map(|_| format!("to the method{level}")));
    table.spans = vec![(String::new(), 1), (format!("ours: {}", result.row), 1 + columns)];
    for setting in &settings {
        table.spans.push((format!("paper: {}", setting.setting), columns));
        table.header.push(heading(&setting.metric, &setting.unit));
        table.header.extend(whole.map(|_| "to the method".to_owned()));
    }
    for (name, ours) in lines {
        let row = ours.and_then(|o| result.find(o, lead));
        let mut cells = vec![name.to_owned()];
        cells.push(row.map_or(NONE.into(), |r| r.name.clone()));
        cells.push(row.map_or(NONE.into(), |r| number(r.mean, &r.unit)));
        if whole.is_some() {
            cells.push(match (row, method(name)) {
                (Some(r), Some(m)) if r.name != m.name => to_method(r, m),
                _ => NONE.into(),
            });
        }
        for setting in &settings {
            cells.extend(paper_cells(paper, name, &setting.setting).into_iter().take(columns));
        }
        table.rows.push(cells);
    }
    Some(table)
}

/// Where the numbers are printed, each source once.
pub(crate) fn sources(result: &RunResult) -> String {
    let mut sources: Vec<&str> = Vec::new();
    for p in &result.paper_reference {
        if !sources.contains(&p.source.as_str()) {
            sources.push(&p.source);
        }
    }
    sources.join("; ")
}

fn to_method(row: &Row, method: &Row) -> String {
    match Comparison::between("", row, method) {
        Ok(c) if c.ci95.is_some() => {
            format!("{} {}", signed(c.mean, &c.unit), interval(c.ci95, &c.unit))
        }
        Ok(c) => signed(c.mean, &c.unit),
        Err(_) => NONE.into(),
    }
}

fn paper_cells(paper: &[PaperRow], name: &str, setting: &str) -> [String; 2] {
    let column = || paper.iter().filter(|p| p.setting == setting);
    let Some(p) = column().find(|p| p.name == name) else { return [NONE.into(), NONE.into()] };
    let method = column().find(|m| m.role == Role::Method && m.name != name);
    // A column keeps the decimals that the paper printed it with.
    let decimals = column().map(|p| decimals(p.value)).max().unwrap_or(0);
    let delta = method.map_or(NONE.into(), |m| {
        let text = format!("{:+.decimals$}", p.value - m.value);
        text.replace('-', "−")
    });
    [format!("{:.decimals$}", p.value), delta]
}

fn decimals(value: f64) -> usize {
    value.to_string().split_once('.').map_or(0, |(_, d)| d.len())
}
