//! The tables of a report, independent of how they are drawn: page, Markdown and terminal print the
//! same cells.

use metrics::Better;
use metrics::words::plural;

use crate::expectation::Verdict;
use crate::result::RunResult;
use crate::row::{Comparison, Row};
use crate::section::Table;
use crate::words::{self, NONE, count, heading, interval, list, number, signed, with_unit};

/// The heading of the column with each seed's value.
pub(crate) const PER_SEED: &str = "per seed";

/// The metric that a group's table leads with: the run's, or, when no row of the group has that,
/// the group's first.
fn lead<'a>(result: &'a RunResult, group: &str) -> Option<&'a str> {
    let metrics = || result.rows.iter().filter(|r| r.group == group).map(|r| r.metric.as_str());
    let lead = result.lead_metric()?;
    metrics().find(|m| *m == lead).or_else(|| metrics().next())
}

/// A metric with its unit and, where less is better, the words for that.
fn directed(metric: &str, unit: &str, better: Better) -> String {
    let words = heading(metric, unit);
    match better {
        Better::Higher => words,
        Better::Lower => format!("{words} (less is better)"),
    }
}

/// `95 % interval over 5 seeds`.
fn over_seeds(result: &RunResult) -> String {
    format!("95 % interval over {}", words::seeds(result.seeds.len()))
}

/// The table of one group of rows.
#[derive(Clone, Debug)]
pub struct Results<'a> {
    /// The lead metric in full, the other metrics as mean and interval.
    pub table: Table,
    /// For each line of the table the row of the lead metric, if the model has it.
    pub rows: Vec<Option<&'a Row>>,
    /// How many of the first columns are about the model and the lead metric.
    pub lead_columns: usize,
}

/// The rows of one group; `None` when the run has no such group.
pub fn results<'a>(result: &'a RunResult, group: &str) -> Option<Results<'a>> {
    let lead = lead(result, group)?;
    let (mut names, mut others): (Vec<&str>, Vec<&Row>) = (Vec::new(), Vec::new());
    for r in result.rows.iter().filter(|r| r.group == group) {
        if !names.contains(&r.name.as_str()) {
            names.push(&r.name);
        }
        if r.metric != lead && others.iter().all(|o| o.metric != r.metric) {
            others.push(r);
        }
    }
    let of_group = |name: &str, metric: &str| {
        result.rows.iter().find(|r| r.group == group && r.name == name && r.metric == metric)
    };
    let rows: Vec<Option<&Row>> = names.iter().map(|name| of_group(name, lead)).collect();
    let first = rows.iter().flatten().next()?;
    let one_seed = result.seeds.len() == 1;
    let sampling = one_seed && rows.iter().flatten().any(|r| wilson(r).is_some());
    let mut header = vec!["model".to_owned(), directed(lead, &first.unit, first.better)];
    if sampling {
        let part = words::counted_on([lead]);
        header.push(format!("95 % interval from the size of the {part} alone"));
    }
    if !one_seed {
        header.extend([over_seeds(result), PER_SEED.into()]);
    }
    let lead_columns = header.len();
    header.extend(others.iter().map(|r| directed(&r.metric, &r.unit, r.better)));
    let cells = |(name, row): (&&str, &Option<&Row>)| {
        let or_none = |cell: &dyn Fn(&Row) -> String| row.map_or(NONE.into(), cell);
        let mut cells = vec![(*name).to_owned(), or_none(&|r| number(r.mean, &r.unit))];
        if sampling {
            cells.push(or_none(&|r| interval(wilson(r), &r.unit)));
        }
        if !one_seed {
            cells.push(or_none(&|r| interval(r.ci95, &r.unit)));
            cells.push(or_none(&|r| list(&r.per_seed, &r.unit)));
        }
        cells.extend(others.iter().map(|o| of_group(name, &o.metric).map_or(NONE.into(), brief)));
        cells
    };
    let lines = names.iter().zip(&rows).map(cells).collect();
    let table = Table { header, rows: lines, ..Table::default() };
    Some(Results { table, rows, lead_columns })
}

/// What the number of examples alone leaves open about a row of one seed.
fn wilson(row: &Row) -> Option<[f64; 2]> {
    words::row_wilson(row.mean, &row.unit, row.examples)
}

/// Mean and interval in one cell.
fn brief(row: &Row) -> String {
    match row.ci95 {
        Some(_) => format!("{} {}", number(row.mean, &row.unit), interval(row.ci95, &row.unit)),
        None => number(row.mean, &row.unit),
    }
}

/// The paired differences; `None` when nothing was compared.
pub fn comparisons(result: &RunResult) -> Option<Table> {
    let first = result.comparisons.first()?;
    let mixed = !alike(&result.comparisons);
    let one_seed = result.seeds.len() == 1;
    let mut table = Table::new(["difference"]);
    table.header.push(match mixed {
        true => "mean".into(),
        false => directed(&first.metric, &first.unit, first.better),
    });
    // Of one seed the interval is over examples, where there is one.
    let over_examples = over_examples(result).filter(|_| one_seed);
    let has_examples = over_examples.is_some();
    if !one_seed {
        table.header.extend([over_seeds(result), PER_SEED.into()]);
    }
    table.header.extend(over_examples.map(|over| format!("95 % interval over {over}")));
    if mixed {
        table.header.push("metric".into());
    }
    for c in &result.comparisons {
        let mut cells = vec![format!("{} − {}", c.left, c.right)];
        cells.push(signed(c.mean, &c.unit));
        if has_examples {
            cells.push(interval(c.ci95, &c.unit));
        } else if !one_seed {
            let each: Vec<String> = c.per_seed.iter().map(|v| signed(*v, &c.unit)).collect();
            cells.extend([interval(c.ci95, &c.unit), each.join("  ")]);
        }
        if mixed {
            cells.push(directed(&c.metric, &c.unit, c.better));
        }
        table.rows.push(cells);
    }
    Some(table)
}

/// What the intervals of differences of the only seed are over: so many texts, or texts where their
/// numbers differ; `None` without an interval.
fn over_examples(result: &RunResult) -> Option<String> {
    let mut all = result.comparisons.iter().filter(|c| c.ci95.is_some());
    let first = all.next()?;
    let others: Vec<&Comparison> = all.collect();
    Some(match others.iter().all(|c| c.over() == first.over()) {
        true => first.over(),
        false if others.iter().all(|c| c.noun() == first.noun()) => plural(first.noun()),
        false => "examples".to_owned(),
    })
}

/// What speaks against single differences, a sentence each.
pub(crate) fn caveats(result: &RunResult) -> Vec<String> {
    let said = |c: &Comparison| {
        let same = || {
            let is_same = c.mean != 0.0 && c.is_the_same_in_all();
            is_same.then(|| format!("the same in all {}, which is no certainty", c.over()))
        };
        Some(format!("{} − {}: {}.", c.left, c.right, c.caveat.clone().or_else(same)?))
    };
    result.comparisons.iter().filter_map(said).collect()
}

/// Whether all of these are of one metric and unit.
pub(crate) fn alike(comparisons: &[Comparison]) -> bool {
    comparisons.windows(2).all(|c| c[0].metric == c[1].metric && c[0].unit == c[1].unit)
}

/// What the recipe expects beside what was found; `None` when it expects nothing.
pub fn expected(result: &RunResult) -> Option<Table> {
    result.expected.first()?;
    let mut table = Table::new(["what", "expected", "found", "verdict", "expected value is from"]);
    for checked in &result.expected {
        let verdict = match &checked.verdict {
            Verdict::Within => "within".to_owned(),
            Verdict::Outside => "OUTSIDE".to_owned(),
            Verdict::NotComparable(why) => format!("not comparable: {why}"),
        };
        table.rows.push(vec![
            checked.what.clone(),
            checked.bounds(),
            checked.found.map_or(NONE.into(), |v| with_unit(v, &checked.unit)),
            verdict,
            checked.measured.clone(),
        ]);
    }
    Some(table)
}

/// The device by the name of its kind and its maker's, each once, and the threads.
fn device(result: &RunResult) -> String {
    let device = &result.device;
    let machine = match &result.machine {
        None => device.clone(),
        Some(machine) if machine.starts_with(device.as_str()) => machine.clone(),
        Some(machine) => format!("{device} ({machine})"),
    };
    let threads = match result.threads {
        1 => "1 thread".to_owned(),
        threads => format!("{threads} threads"),
    };
    match machine.ends_with(&format!(" {threads})")) {
        true => machine,
        false => format!("{machine}, {threads}"),
    }
}

/// What the run took and what made it, as name and value.
pub fn provenance(result: &RunResult) -> Table {
    let mut table = Table::new(["", ""]);
    let cost = &result.cost;
    let mut line = |name: &str, value: String| {
        if !value.is_empty() {
            table.rows.push(vec![name.into(), value]);
        }
    };
    let command: Vec<String> = result.command.iter().map(|word| words::shell(word)).collect();
    line("command", command.join(" "));
    line(
        "data",
        match result.data_in_full.is_empty() {
            true => result.data.clone(),
            false => result.data_in_full.join(";\n"),
        },
    );
    line("seeds", result.seeds.iter().map(u64::to_string).collect::<Vec<_>>().join(", "));
    line("started", result.started.clone());
    line("wall time", words::duration(cost.wall_s));
    line("peak memory", words::bytes(cost.peak_rss_bytes));
    line("peak memory of the GPU", cost.peak_gpu_bytes.map_or(String::new(), words::bytes));
    if cost.throughput > 0.0 {
        let rate = match cost.throughput {
            rate if rate < 10.0 => format!("{rate:.2}"),
            rate => count(rate.round() as u64),
        };
        line("throughput", format!("{rate} {} per second", cost.unit));
    }
    line("arithmetic of the trainings", cost.flops.map_or(String::new(), words::flops));
    line("device", device(result));
    line("commit", result.commit.clone().unwrap_or_else(|| "not built from git".into()));
    let v = &result.versions;
    line("versions", format!("tutor {}, libtorch {}, {}", v.tutor, v.libtorch, v.rustc));
    table
}
