//! What a rating study found, as sections of a page.

use eval_ssa::preferences;
use eval_ssa::quality::Share;
use eval_ssa::regression::fit;
use eval_ssa::score::{Measure, Score, Slice};
use eval_ssa::{Mode, Summary};
use metrics::words::counted as plural;
use report::words::capitalised;
use report::{
    Block, IntervalPlot, IntervalRow, Line, LinePlot, Measured, Point, ScatterPlot, Section, Table,
    XAxis,
};

use super::automatic::{self, counted, share_of};
use super::decisions;
use super::numbers::{estimate, line_cells, measured, percent, to_draw};

/// All sections, those without content left out. `methods` says whether the paragraph for a paper
/// is among them.
pub(crate) fn sections(summary: &Summary) -> Vec<Section> {
    let parts = [
        scores(summary),
        summary.adjudications.as_ref().map(decisions::section),
        differences(summary),
        turns(summary),
        correlations(summary),
        agreement(summary),
        raters(summary),
        side_by_side(summary),
        automatic::judges(summary),
        automatic::measures(summary),
    ];
    let methods =
        Section::new("methods", "Methods, for a paper").with(Block::Text(summary.methods.clone()));
    parts.into_iter().flatten().chain([methods]).collect()
}

/// Each mode of which there are scores, with them.
fn by_mode(scores: &[Score]) -> impl Iterator<Item = (Mode, Vec<&Score>)> {
    [Mode::Static, Mode::Interactive].into_iter().filter_map(move |mode| {
        let of_mode: Vec<&Score> = scores.iter().filter(|score| score.mode == mode).collect();
        (!of_mode.is_empty()).then_some((mode, of_mode))
    })
}

/// A mode's name with what its units are.
fn titled(mode: Mode) -> &'static str {
    match mode {
        Mode::Static => "Fixed contexts (static)",
        Mode::Interactive => "Conversations (interactive)",
    }
}

fn scores(summary: &Summary) -> Option<Section> {
    if summary.scores.is_empty() {
        let none = Block::Text("There are no responses yet.".to_owned());
        return Some(Section::new("scores", "Scores").with(none));
    }
    let people = summary.scores.iter().any(|score| score.human_likeness.is_some());
    let few = summary
        .scores
        .iter()
        .any(|score| score.ssa.as_ref().is_some_and(|ssa| ssa.to_quote() != ssa.percentile));
    let mut words =
        "Shares of the decided responses by the majority of the required votes, with 95 % \
                     intervals; SSA is the mean of sensibleness and specificity. Drawn anew by the \
                     bootstrap are whole conversations or contexts."
            .to_owned();
    if few {
        words +=
            " Where there are fewer than 50 of those, the interval is the one for small samples.";
    }
    let bounded = |score: &Score| score.ssa_bounds.is_some_and(|[low, high]| high > low);
    if summary.scores.iter().any(bounded) {
        words += " The last column is about all responses, the decided ones and the others: \
                  between which values their SSA can still end.";
    }
    let mut section = Section::new("scores", "Scores").with(Block::Text(words));
    let mut series = vec!["SSA".to_owned(), "sensibleness".to_owned(), "specificity".to_owned()];
    series.extend(people.then(|| "human-likeness".to_owned()));
    for (mode, of_mode) in by_mode(&summary.scores) {
        let row = |score: &&Score| {
            let three = [&score.ssa, &score.sensibleness, &score.specificity];
            let all = three.into_iter().chain(people.then_some(&score.human_likeness));
            let values = all.map(|estimate| estimate.as_ref().map(measured)).collect();
            IntervalRow { name: score.system.clone(), values }
        };
        section = section.with(Block::Intervals(IntervalPlot {
            title: titled(mode).to_owned(),
            label: "share of responses, %".to_owned(),
            span: [0.0, 100.0],
            series: series.clone(),
            rows: of_mode.iter().map(row).collect(),
        }));
    }
    let mut header = vec!["system", "mode", "SSA, %", "sensibleness, %", "specificity, %"];
    header.extend(people.then_some("human-likeness, %"));
    header.extend(["decided", "SSA of all may still be, %"]);
    let mut table = Table::new(header);
    for score in &summary.scores {
        let mut row = vec![score.system.clone(), score.mode.name().to_owned()];
        row.extend(
            [&score.ssa, &score.sensibleness, &score.specificity].map(|e| estimate(e.as_ref())),
        );
        row.extend(people.then(|| estimate(score.human_likeness.as_ref())));
        row.push(format!("{} of {}", score.progress.decided, score.progress.responses));
        row.push(match score.ssa_bounds.map(|bounds| bounds.map(percent)) {
            Some([low, high]) if high > low => format!("{low:.1} to {high:.1}"),
            _ => "–".to_owned(),
        });
        table.rows.push(row);
    }
    Some(section.with(Block::Table(table)))
}

/// A difference in points.
fn signed(value: f64) -> String {
    format!("{:+.1}", percent(value)).replace('-', "−")
}

fn differences(summary: &Summary) -> Option<Section> {
    let mut table =
        Table::new(["first − second", "mode", "measure", "points", "t interval", "units", "shown"]);
    for comparison in &summary.comparisons {
        let Some(difference) = &comparison.difference else { continue };
        let points = |[low, high]: [f64; 2]| format!("[{}, {}]", signed(low), signed(high));
        let units = match (difference.paired, difference.units, comparison.unpaired_units) {
            (true, [pairs, _], 0) => plural(pairs, "pair"),
            (true, [pairs, _], left_out) => format!(
                "{}; {} that one system lacks left out",
                plural(pairs, "pair"),
                plural(left_out, "context")
            ),
            (false, [first, second], _) => format!("{first} and {second}"),
        };
        table.rows.push(vec![
            comparison.systems.join(" − "),
            comparison.mode.name().to_owned(),
            comparison.measure.name().to_owned(),
            format!("{} {}", signed(difference.value), points(difference.percentile)),
            difference.t_interval.map_or_else(|| "–".to_owned(), points),
            units,
            match (difference.t_interval, difference.degenerate) {
                (None, _) => "too few",
                (Some(_), true) => "no variation",
                (Some(_), false) if difference.excludes_zero() => "yes",
                (Some(_), false) => "no",
            }
            .to_owned(),
        ]);
    }
    let words = "Paired by context in static mode, unpaired in conversations. A difference counts as shown \
                 where both intervals leave out 0, and a single conversation or context on a side is \
                 too few for that; no correction is made for how many are looked at.";
    (!table.rows.is_empty()).then(|| {
        let section = Section::new("differences", "Differences between systems");
        section.with(Block::Text(words.to_owned())).with(Block::Table(table))
    })
}

/// The slices of a score by one of two keys.
type Slices = fn(&Score) -> &[Slice];

fn turns(summary: &Summary) -> Option<Section> {
    let mut section = Section::new("turns", "By turn and by length of the context");
    for (mode, of_mode) in by_mode(&summary.scores) {
        let kinds: [(&str, Slices); 2] = [
            ("turns before the response", |score| &score.by_turn),
            ("turns that raters were shown", |score| &score.by_context_length),
        ];
        let mut plots = Vec::new();
        for (what, slices) in kinds {
            let line = |score: &&Score| {
                let point = |slice: &Slice| Point {
                    x: f64::from(slice.key),
                    y: percent(slice.ssa),
                    interval: None,
                };
                Line {
                    name: score.system.clone(),
                    points: slices(score).iter().map(point).collect(),
                }
            };
            let lines: Vec<Line> = of_mode.iter().map(line).collect();
            if lines.iter().all(|line| line.points.len() < 2) {
                continue;
            }
            let plot = LinePlot {
                title: format!("SSA over {what}"),
                x_label: what.to_owned(),
                y_label: "SSA, %".to_owned(),
                ticks: XAxis::Numbers,
                lines,
            };
            // Where raters see all turns before the response, both plots are the same.
            if plots.last().is_none_or(|last: &LinePlot| last.lines != plot.lines) {
                plots.push(plot);
            }
        }
        if !plots.is_empty() {
            section = section.with(Block::Heading(titled(mode).to_owned()));
            section.blocks.extend(plots.into_iter().map(Block::Plot));
        }
    }
    let words = "A point is the mean over the responses there, of which there may be few.";
    (!section.blocks.is_empty()).then(|| section.with(Block::Caption(words.to_owned())))
}

fn correlations(summary: &Summary) -> Option<Section> {
    let mut section = Section::new("correlations", "What goes together, over systems");
    let mut table =
        Table::new(["x", "y", "mode", "systems", "R²", "slope", "intercept", "remarks"]);
    for found in &summary.correlations {
        let share = |name: &str| name != "perplexity";
        let scale = |name: &str, value: f64| if share(name) { percent(value) } else { value };
        let label = |name: &str| if share(name) { format!("{name}, %") } else { name.to_owned() };
        let points = found.points.iter().map(|(system, x, y)| {
            let point = Point { x: scale(&found.x, *x), y: scale(&found.y, *y), interval: None };
            (system.clone(), point)
        });
        let points: Vec<(String, Point)> = points.collect();
        // In the units of plot and table.
        let line = fit(&points.iter().map(|(_, point)| (point.x, point.y)).collect::<Vec<_>>());
        if found.y == Measure::Ssa.name() || found.x == Measure::Ssa.name() {
            section = section.with(Block::Scatter(ScatterPlot {
                title: format!(
                    "{} over {} ({})",
                    capitalised(&found.y),
                    found.x,
                    found.mode.name()
                ),
                x_label: label(&found.x),
                y_label: label(&found.y),
                points,
                line: to_draw(&line),
            }));
        }
        let row = [label(&found.x), label(&found.y), found.mode.name().to_owned()];
        table.rows.push(row.into_iter().chain(line_cells(&line)).collect());
    }
    (!table.rows.is_empty()).then(|| section.with(Block::Table(table)))
}

fn agreement(summary: &Summary) -> Option<Section> {
    if summary.agreement.is_empty() {
        return None;
    }
    let mut table = Table::new([
        "question",
        "votes",
        "equal pairs",
        "Krippendorff's alpha",
        "Fleiss' kappa",
        "mean Cohen's kappa",
    ]);
    let (mut rows, mut notes) = (Vec::new(), Vec::new());
    for question in &summary.agreement {
        let (name, found) = (question.question.name(), &question.agreement);
        let interval = question.alpha_interval.as_ref().map(|alpha| alpha.percentile);
        rows.extend(found.alpha.value.map(|value| IntervalRow {
            name: name.to_owned(),
            values: vec![Some(Measured { value, interval })],
        }));
        let of_alpha = interval.map(|[low, high]| format!(" [{low:.2}, {high:.2}]"));
        table.rows.push(vec![
            name.to_owned(),
            found.votes.to_string(),
            share_of(&found.pairwise),
            format!("{:.3}{}", found.alpha, of_alpha.unwrap_or_default()),
            format!("{:.3}", found.fleiss),
            format!("{:.3}", found.mean_cohen),
        ]);
        notes.extend(
            question.warning.as_ref().map(|warning| Block::Text(format!("{name}: {warning}"))),
        );
    }
    let mut section = Section::new("agreement", "Agreement of the raters");
    if !rows.is_empty() {
        section = section.with(Block::Intervals(IntervalPlot {
            title: "Krippendorff's alpha".to_owned(),
            label: "alpha: 0 is chance, 1 is full agreement".to_owned(),
            span: [least(&rows), 1.0],
            series: vec!["alpha".to_owned()],
            rows,
        }));
    }
    section = section.with(Block::Table(table));
    section.blocks.extend(notes);
    Some(section)
}

/// Where an axis begins that has to hold all values, by fifths: 0 unless there are smaller ones.
fn least(rows: &[IntervalRow]) -> f64 {
    let measured = rows.iter().flat_map(|row| row.values.iter().flatten());
    let ends = measured.flat_map(|m| [m.value, m.interval.map_or(m.value, |[low, _]| low)]);
    let least = ends.fold(0.0, f64::min);
    (5.0 * least).floor() / 5.0
}

fn raters(summary: &Summary) -> Option<Section> {
    if summary.raters.is_empty() {
        return None;
    }
    let mut table = Table::new([
        "rater",
        "answers",
        "skipped",
        "gold right",
        "attention right",
        "median seconds",
        "hasty",
        "longest run",
        "look into",
    ]);
    let mut rows = Vec::new();
    for rater in &summary.raters {
        // A rater's vote on an item is in as many pairs as there are others.
        let agrees = |share: Share, items: u64| {
            let value = percent(share.value().value?);
            let interval = share.interval_over(items).map(|bounds| bounds.map(percent));
            Some(Measured { value, interval })
        };
        rows.push(IntervalRow {
            name: rater.rater.clone(),
            values: vec![
                agrees(rater.agrees_sensible, rater.items_sensible),
                agrees(rater.agrees_specific, rater.items_specific),
            ],
        });
        table.rows.push(vec![
            rater.rater.clone(),
            rater.answers.to_string(),
            rater.skipped.to_string(),
            counted(rater.gold),
            counted(rater.attention),
            rater.median_seconds.map_or_else(|| "–".to_owned(), |seconds| format!("{seconds:.1}")),
            rater.hasty.to_string(),
            rater.longest_run.to_string(),
            rater.flags.join("; "),
        ]);
    }
    let section = Section::new("raters", "Raters").with(Block::Intervals(IntervalPlot {
        title: "Votes that agree with those of others on the same item".to_owned(),
        label: "pairs of votes that agree, %; bars: Wilson's 95 % interval over items".to_owned(),
        span: [0.0, 100.0],
        series: vec!["sensible".to_owned(), "specific".to_owned()],
        rows,
    }));
    Some(section.with(Block::Table(table)))
}

fn side_by_side(summary: &Summary) -> Option<Section> {
    let mut table = Table::new([
        "first",
        "second",
        "first is better",
        "second is better",
        "as good",
        "both bad",
        "share for the first, %",
        "left one chosen",
    ]);
    for contest in &summary.contests {
        let counts = [contest.first, contest.second, contest.ties, contest.both_bad];
        let mut row = contest.systems.to_vec();
        row.extend(counts.map(|count| count.to_string()));
        row.extend([estimate(contest.score.as_ref()), counted(contest.left)]);
        table.rows.push(row);
    }
    let words = format!(
        "The share for the first is of all votes: {}. Of the votes for one of the two, the last \
         column counts those for the response on the left.",
        preferences::RULE
    );
    (!table.rows.is_empty()).then(|| {
        let section = Section::new("side-by-side", "Side by side");
        section.with(Block::Text(words)).with(Block::Table(table))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use eval_ssa::bootstrap::Bootstrap;
    use eval_ssa::simulate::Simulation;
    use eval_ssa::{Choice, Item, Label, Pair, Preference, Rating, Required, Study};

    #[test]
    fn a_difference_of_single_conversations_is_not_shown() {
        let (study, _) = Simulation { conversations: 1, ..Simulation::default() }.run();
        let bootstrap = Bootstrap { resamples: 200, ..Bootstrap::default() };
        let section = differences(&Summary::of(&study, &bootstrap)).expect("differences");
        for row in &table(&section).rows {
            assert_eq!(row.last().map(String::as_str), Some("too few"), "{row:?}");
        }
    }

    fn table(section: &Section) -> &Table {
        let mut tables = section.blocks.iter().filter_map(|block| match block {
            Block::Table(table) => Some(table),
            _ => None,
        });
        tables.next_back().expect("a table")
    }

    /// Systems `a` and `b` answer the first two contexts, `b` three more.
    #[test]
    fn contexts_that_one_system_lacks_are_counted() {
        let mut study = Study { required: Required::new(1).expect("odd"), ..Study::default() };
        for (system, contexts) in [("a", 2), ("b", 5)] {
            for context in 0..contexts {
                let (id, conversation) = (format!("{system}{context}"), format!("c{context}"));
                study.ratings.push(Rating::new(&id, "r", Label::Specific.into()));
                let system = system.to_owned();
                study.items.push(Item { id, system, conversation, ..Item::default() });
            }
        }
        study.check().expect("a study");
        let units = |study: &Study| {
            let bootstrap = Bootstrap { resamples: 200, ..Bootstrap::default() };
            let section = differences(&Summary::of(study, &bootstrap)).expect("differences");
            table(&section).rows[0][5].clone()
        };
        assert_eq!(units(&study), "2 pairs; 3 contexts that one system lacks left out");
        study.items.retain(|item| item.id.as_str() < "b3");
        study.ratings.retain(|rating| rating.item.as_str() < "b3");
        assert_eq!(units(&study), "2 pairs; 1 context that one system lacks left out");
        study.items.pop();
        study.ratings.pop();
        assert_eq!(units(&study), "2 pairs");
    }

    #[test]
    fn the_share_for_the_first_is_defined_where_it_stands() {
        let mut study = Study::default();
        study.pairs.push(Pair {
            id: "p".to_owned(),
            conversation: "c".to_owned(),
            systems: ["a", "b"].map(str::to_owned),
            ..Pair::default()
        });
        study.preferences.push(Preference::new("p", "r", Choice::Tie));
        let summary = Summary::of(&study, &Bootstrap { resamples: 200, ..Bootstrap::default() });
        let section = side_by_side(&summary).expect("a section");
        assert!(
            matches!(&section.blocks[0], Block::Text(words) if words.contains("half a vote")),
            "{section:?}"
        );
        assert!(table(&section).rows[0][6].starts_with("50.0"), "{section:?}");
    }

    #[test]
    fn the_axis_of_alpha_holds_what_is_below_chance() {
        let row = |value, low| IntervalRow {
            name: String::new(),
            values: vec![None, Some(Measured { value, interval: Some([low, 1.0]) })],
        };
        assert_eq!(least(&[row(0.3, 0.1)]), 0.0);
        assert!((least(&[row(0.3, 0.1), row(-0.11, -0.15)]) + 0.2).abs() < 1e-12);
        assert_eq!(least(&[]), 0.0);
    }
}
