//! The tables of a report, independent of how they are drawn: page, Markdown and terminal print the
//! same cells.

use super::result::{Comparison, Group, PaperRow, Role, Row, RunResult};
use super::robustness::{Corruption, Perturbation, Robustness};
use super::stats;
use super::visuals::Visuals;
use super::words::{self, NONE, count, interval, list, number, signed};

/// Rows of text under a header. The first column names the row.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Table {
    /// Headings over several columns each: `(words, columns)`; empty when there are none.
    pub(crate) spans: Vec<(String, usize)>,
    /// One heading for each column.
    pub(crate) header: Vec<String>,
    /// As many cells in each as there are columns.
    pub(crate) rows: Vec<Vec<String>>,
}

impl Table {
    fn new<const N: usize>(header: [&str; N]) -> Self {
        Self { header: header.map(Into::into).to_vec(), ..Self::default() }
    }

    /// For each column, whether it holds figures, to be set to the right, rather than words.
    pub(crate) fn figures(&self) -> Vec<bool> {
        let figure = |c: char| c.is_ascii_digit() || matches!(c, '+' | '±' | '−' | '–' | '[');
        let column = |c: usize| self.rows.iter().all(|r| r[c].chars().next().is_none_or(figure));
        (0..self.header.len()).map(|c| c > 0 && column(c)).collect()
    }
}

/// The metric that a group's table leads with: the run's, or, when no row of the group has that, the
/// group's first.
fn lead(result: &RunResult, group: Group) -> Option<&str> {
    let metrics = || result.rows.iter().filter(|r| r.group == group).map(|r| r.metric.as_str());
    let lead = result.lead_metric()?;
    metrics().find(|m| *m == lead).or_else(|| metrics().next())
}

/// Our rows of one group: the lead metric in full, the other metrics as mean and interval. Beside the
/// table, for each of its lines the row of the lead metric, if the model has it.
pub(crate) fn results(result: &RunResult, group: Group) -> Option<(Table, Vec<Option<&Row>>)> {
    let lead = lead(result, group)?;
    let (mut names, mut others): (Vec<&str>, Vec<&str>) = (Vec::new(), Vec::new());
    for r in result.rows.iter().filter(|r| r.group == group) {
        if !names.contains(&r.name.as_str()) {
            names.push(&r.name);
        }
        if r.metric != lead && !others.contains(&r.metric.as_str()) {
            others.push(&r.metric);
        }
    }
    let rows: Vec<Option<&Row>> = names.iter().map(|name| result.find(name, lead)).collect();
    let first = rows.iter().flatten().next()?;
    let one_seed = result.seeds.len() == 1;
    let sampling = one_seed && rows.iter().flatten().any(|r| r.examples.is_some());
    let mut header = vec!["model".to_owned(), format!("{lead}, {}", first.unit)];
    if sampling {
        let part = words::counted_on([lead]);
        header.push(format!("95 % from the size of the {part} alone"));
    }
    if !one_seed {
        header.push("95 % interval".into());
        header.push("per seed".into());
    }
    header.extend(others.iter().map(|m| (*m).to_owned()));
    let cells = |(name, row): (&&str, &Option<&Row>)| {
        let or_none = |cell: &dyn Fn(&Row) -> String| row.map_or(NONE.into(), cell);
        let mut cells = vec![(*name).to_owned(), or_none(&|r| number(r.mean, &r.unit))];
        if sampling {
            let open = |r: &Row| words::row_wilson(r.mean, &r.unit, r.examples);
            cells.push(or_none(&|r| interval(open(r), &r.unit)));
        }
        if !one_seed {
            cells.push(or_none(&|r| interval(r.ci95, &r.unit)));
            cells.push(or_none(&|r| list(&r.per_seed, &r.unit)));
        }
        cells.extend(others.iter().map(|m| result.find(name, m).map_or(NONE.into(), brief)));
        cells
    };
    let lines = names.iter().zip(&rows).map(cells).collect();
    let table = Table { header, rows: lines, ..Table::default() };
    Some((table, rows))
}

/// Mean and interval in one cell.
fn brief(row: &Row) -> String {
    match row.ci95 {
        Some(_) => format!("{} {}", number(row.mean, &row.unit), interval(row.ci95, &row.unit)),
        None => number(row.mean, &row.unit),
    }
}

/// The paired differences.
pub(crate) fn comparisons(result: &RunResult) -> Option<Table> {
    let first = result.comparisons.first()?;
    let alike = |c: &Comparison| c.metric == first.metric && c.unit == first.unit;
    let mixed = !result.comparisons.iter().all(alike);
    let one_seed = result.seeds.len() == 1;
    let mut table = Table::new(["difference", "of"]);
    table.header.push(match mixed {
        true => "mean".into(),
        false => format!("{}, {}", first.metric, first.unit),
    });
    if !one_seed {
        table.header.extend(["95 % interval".into(), "per seed".into()]);
    }
    if mixed {
        table.header.push("metric".into());
    }
    for c in &result.comparisons {
        let mut cells = vec![c.name.clone(), format!("{} − {}", c.left, c.right)];
        cells.push(signed(c.mean, &c.unit));
        if !one_seed {
            let each: Vec<String> = c.per_seed.iter().map(|v| signed(*v, &c.unit)).collect();
            cells.extend([interval(c.ci95, &c.unit), each.join("  ")]);
        }
        if mixed {
            cells.push(format!("{}, {}", c.metric, c.unit));
        }
        table.rows.push(cells);
    }
    Some(table)
}

/// Our ablations beside the paper's numbers, each with its difference to the whole method.
pub(crate) fn ablations(result: &RunResult) -> Option<Table> {
    let paper = &result.paper_reference;
    let lead = lead(result, Group::Ablation).or_else(|| result.lead_metric())?;
    let mut settings: Vec<&str> = Vec::new();
    let mut lines: Vec<(&str, Option<&str>)> = Vec::new();
    for p in paper {
        if !settings.contains(&p.setting.as_str()) {
            settings.push(&p.setting);
        }
        if !lines.iter().any(|(name, _)| *name == p.name) {
            lines.push((&p.name, p.ours.as_deref()));
        }
    }
    for r in result.rows.iter().filter(|r| r.group == Group::Ablation && r.metric == lead) {
        if !lines.iter().any(|(_, ours)| *ours == Some(r.name.as_str())) {
            lines.push((&r.name, Some(&r.name)));
        }
    }
    if lines.is_empty() {
        return None;
    }
    let named_method =
        paper.iter().find(|p| p.role == Role::Method).and_then(|p| p.ours.as_deref());
    let method = match named_method {
        Some(name) => result.find(name, lead),
        None => result.rows.iter().rfind(|r| r.group == Group::Generation && r.metric == lead),
    };
    let to = "to the method";
    // Where rows are methods of their own there is none to be compared with.
    let whole = method.is_some() || paper.iter().any(|p| p.role == Role::Method);
    let mut table = Table::new(["row", "our row", lead]);
    table.header.extend(whole.then(|| to.to_owned()));
    let columns = 1 + usize::from(whole);
    table.spans = vec![(String::new(), 1), (format!("ours: {}", result.row), 1 + columns)];
    for setting in &settings {
        table.spans.push((format!("paper: {setting}"), columns));
        table.header.push(paper[0].metric.clone());
        table.header.extend(whole.then(|| to.to_owned()));
    }
    for (name, ours) in lines {
        let row = ours.and_then(|o| result.find(o, lead));
        let mut cells = vec![name.to_owned()];
        cells.push(row.map_or(NONE.into(), |r| r.name.clone()));
        cells.push(row.map_or(NONE.into(), |r| number(r.mean, &r.unit)));
        if whole {
            cells.push(match (row, method) {
                (Some(r), Some(m)) if r.name != m.name => to_method(r, m),
                _ => NONE.into(),
            });
        }
        for setting in &settings {
            cells.extend(paper_cells(paper, name, setting).into_iter().take(columns));
        }
        table.rows.push(cells);
    }
    Some(table)
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

/// What became of the unlabelled images before each student's training.
pub(crate) fn pseudo_labels(visuals: &Visuals) -> Option<Table> {
    visuals.pseudo_labels.first()?;
    let mut table = Table::new([
        "labels by → for",
        "seed",
        "unlabelled",
        "threshold",
        "kept",
        "with duplicates",
        "labels right, %",
    ]);
    for p in &visuals.pseudo_labels {
        let share = 100.0 * p.kept as f64 / p.candidates.max(1) as f64;
        table.rows.push(vec![
            format!("{} → {}", p.teacher, p.student),
            p.seed.to_string(),
            count(p.candidates),
            p.threshold.map_or(NONE.into(), |t| t.to_string()),
            format!("{} ({share:.1} %)", count(p.kept)),
            count(p.used),
            p.accuracy.map_or(NONE.into(), |a| number(a, "%")),
        ]);
    }
    Some(table)
}

/// Accuracy under corruptions, `teacher → student` at each severity, and the student's relative error.
pub(crate) fn corruptions(robustness: &Robustness) -> Option<Table> {
    robustness.corruptions.first()?;
    let mut table = Table::new(["corruption"]);
    let severities = robustness.severities();
    table.header.extend((1..=severities).map(|s| format!("severity {s}")));
    table.header.extend(["mean".into(), "error relative to teacher, %".into()]);
    let pair = |t: f64, s: f64| format!("{t:.1} → {s:.1}");
    for c in &robustness.corruptions {
        let mut cells = vec![c.name.replace('_', " ")];
        cells.extend(c.teacher.iter().zip(&c.student).map(|(t, s)| pair(*t, *s)));
        cells.resize(1 + severities, NONE.into());
        cells.push(pair(stats::mean(&c.teacher), stats::mean(&c.student)));
        cells.push(optional(c.relative_error()));
        table.rows.push(cells);
    }
    let mean_at = |at: &dyn Fn(&[f64]) -> Option<f64>, of: fn(&Corruption) -> &[f64]| {
        let values: Option<Vec<f64>> = robustness.corruptions.iter().map(|c| at(of(c))).collect();
        values.map(|v| stats::mean(&v))
    };
    let pair_of = |at: &dyn Fn(&[f64]) -> Option<f64>| {
        let (t, s) = (mean_at(at, |c| &c.teacher), mean_at(at, |c| &c.student));
        t.zip(s).map_or(NONE.into(), |(t, s)| pair(t, s))
    };
    let mut last = vec!["mean (mCE)".to_owned()];
    last.extend((0..severities).map(|i| pair_of(&|values| values.get(i).copied())));
    last.extend([pair_of(&|values| Some(stats::mean(values))), optional(robustness.mce)]);
    table.rows.push(last);
    Some(table)
}

/// Flip rates along sequences of small changes.
pub(crate) fn flips(robustness: &Robustness) -> Option<Table> {
    robustness.perturbations.first()?;
    let mut table =
        Table::new(["sequence", "teacher flips, %", "student flips, %", "relative to teacher, %"]);
    for p in &robustness.perturbations {
        table.rows.push(vec![
            p.name.replace('_', " "),
            number(p.teacher, "%"),
            number(p.student, "%"),
            optional(p.relative_rate()),
        ]);
    }
    let mean = |of: fn(&Perturbation) -> f64| {
        let rates: Vec<f64> = robustness.perturbations.iter().map(of).collect();
        number(stats::mean(&rates), "%")
    };
    let summary = optional(robustness.mfr);
    table.rows.push(vec!["mean (mFR)".into(), mean(|p| p.teacher), mean(|p| p.student), summary]);
    Some(table)
}

fn optional(percent: Option<f64>) -> String {
    percent.map_or(NONE.into(), |v| format!("{v:.1}"))
}

/// What the run took and what made it, as name and value.
pub(crate) fn provenance(result: &RunResult) -> Table {
    let mut table = Table::new(["", ""]);
    let cost = &result.cost;
    let mut line = |name: &str, value: String| {
        if !value.is_empty() {
            table.rows.push(vec![name.into(), value]);
        }
    };
    line("command", result.command.join(" "));
    line("data", result.data.clone());
    line("seeds", result.seeds.iter().map(u64::to_string).collect::<Vec<_>>().join(", "));
    line("started", result.started.clone());
    line("wall time", words::duration(cost.wall_s));
    line("peak memory", words::bytes(cost.peak_rss_bytes));
    if cost.images_per_s > 0.0 {
        line(
            "throughput",
            format!("{} training images/s", count(cost.images_per_s.round() as u64)),
        );
    }
    let machine = result.machine.as_deref().map(|m| format!(" ({m})")).unwrap_or_default();
    line("device", format!("{}{machine}, {} threads", result.device, result.threads));
    line("commit", result.commit.clone().unwrap_or_else(|| "not built from git".into()));
    let v = &result.versions;
    line("versions", format!("tutor {}, libtorch {}, {}", v.tutor, v.libtorch, v.rustc));
    table
}
