//! The paper's own parts of the report: texts and what the views make of them, and what became of
//! mask and annealing along the trainings.

use anyhow::Result;
use augment::rng::Key;
use data_pipeline::text::{Example, Keep, Layout, TextSet};
use report::{Block, Line, LinePlot, Point, Section, Table, XAxis};

use super::recipe::{Recipe, Row};
use super::start::Source;
use super::summary::find;
use super::training::Training;
use crate::run::result::over_labels;
use crate::text::augmentation::{Changes, TextPolicy, pair, share_changed};
use crate::text::pretraining::{MASKED_LOSS, Pretraining};

/// The parts of the report that follow from what was trained.
pub(super) fn sections<'a>(
    recipe: &Recipe,
    outcomes: &[Vec<Training>],
    pretrained: impl Iterator<Item = (&'a str, &'a Pretraining)>,
) -> Vec<Section> {
    let mut sections = Vec::new();
    let mut points = Vec::new();
    for row in &recipe.rows {
        for &labels in &recipe.labels {
            if let Some(found) = find(outcomes, labels, &row.name) {
                let accuracy = found.iter().filter_map(|training| training.scores.accuracy());
                points.push((row.name.as_str(), labels as u64, accuracy.collect()));
            }
        }
    }
    sections.extend(over_labels(points));
    sections.extend(costs(outcomes, pretrained));
    sections.extend(course(recipe, outcomes));
    sections
}

/// Points of a line at most.
const POINTS: usize = 50;

/// What is drawn of the trainings' course: the name in the record, the title, the axis, and a
/// caption.
const PLOTS: [(&str, &str, &str, &str); 4] = [
    (
        "note/mask",
        "Unlabelled texts that count",
        "share, %",
        "The share of the unlabelled texts of a step whose largest probability, not sharpened, is \
         above the method's threshold.",
    ),
    (
        "note/confidence",
        "Largest probability of an unlabelled text",
        "mean, %",
        "Of the weak view, before sharpening.",
    ),
    (
        "note/released_below",
        "Threshold of training signal annealing",
        "probability, %",
        "Labelled texts whose class has a probability above it do not count in a step.",
    ),
    (
        "note/released",
        "Labelled texts that count",
        "share, %",
        "The share of the labelled texts of a step whose class has at most the threshold's \
         probability.",
    ),
];

fn course(recipe: &Recipe, outcomes: &[Vec<Training>]) -> Option<Section> {
    let mut section = Section::new("course", "Mask and annealing along the trainings");
    let &labels = recipe.labels.first()?;
    for (name, title, axis, caption) in PLOTS {
        let mut lines = Vec::new();
        for row in &recipe.rows {
            let Some(found) = find(outcomes, labels, &row.name) else { continue };
            let Some(all) = found[0].course.get(name) else { continue };
            let every = all.len().div_ceil(POINTS).max(1);
            let point = |group: &[(u64, f64)]| {
                let mean = group.iter().map(|(_, value)| value).sum::<f64>() / group.len() as f64;
                let x = group[group.len() - 1].0 as f64;
                Point { x, y: (100.0 * mean).clamp(0.0, 100.0), interval: None }
            };
            let points: Vec<Point> = all.chunks(every).map(point).collect();
            if points.len() > 1 {
                lines.push(Line { name: row.name.clone(), points });
            }
        }
        if lines.is_empty() {
            continue;
        }
        let plot = LinePlot {
            title: title.to_owned(),
            x_label: "step".to_owned(),
            y_label: axis.to_owned(),
            ticks: XAxis::Numbers,
            lines,
        };
        section = section.with(Block::Plot(plot)).with(Block::Caption(caption.to_owned()));
    }
    if section.blocks.is_empty() {
        return None;
    }
    let words = format!("Of the first seed, with {labels} labels.");
    Some(section.with(Block::Caption(words)))
}

fn costs<'a>(
    outcomes: &[Vec<Training>],
    pretrained: impl Iterator<Item = (&'a str, &'a Pretraining)>,
) -> Option<Section> {
    let first = outcomes.first()?;
    let mut table = Table::new(["row", "labels", "steps", "texts seen", "time"]);
    for training in first {
        table.rows.push(vec![
            training.row.clone(),
            training.labels.to_string(),
            training.steps.to_string(),
            training.cost.samples.to_string(),
            format!("{:.0} s", training.cost.seconds),
        ]);
    }
    let mut section = Section::new("cost", "What the trainings took");
    let caption = "Of the first seed. A text counts as often as the network saw a view of it.";
    section = section.with(Block::Table(table)).with(Block::Caption(caption.to_owned()));
    let mut table =
        Table::new(["pre-trained", "steps", "operations", "loss at masked tokens", "time"]);
    for (name, found) in pretrained {
        table.rows.push(vec![
            name.to_owned(),
            found.steps.to_string(),
            format!("{:.2e}", found.flops),
            found.metric(MASKED_LOSS).map_or(String::new(), |loss| format!("{loss:.3}")),
            format!("{:.0} s", found.cost.seconds),
        ]);
    }
    if !table.rows.is_empty() {
        let words = format!(
            "Operations are counted as ELECTRA's code counts them; its small network took {:.1e}.",
            electra::flops::ELECTRA_SMALL
        );
        section = section.with(Block::Table(table)).with(Block::Caption(words));
    }
    Some(section)
}

/// Unlabelled texts of which the share that a view changes is the mean.
const COUNTED: usize = 200;

/// Texts that are shown, and how many tokens of each.
const SHOWN: usize = 3;
const TOKENS: usize = 64;

/// What the views that the rows use make of unlabelled texts.
pub(super) fn views(
    rows: &[Row],
    unlabeled: &TextSet,
    source: &Source,
    changes: &Changes,
) -> Result<Option<Section>> {
    let mut policies: Vec<&TextPolicy> = Vec::new();
    for policy in rows.iter().flat_map(|row| row.recipe.policies()) {
        if *policy != (TextPolicy::None {}) && !policies.contains(&policy) {
            policies.push(policy);
        }
    }
    if policies.is_empty() {
        return Ok(None);
    }
    let tokenizer = &source.tokenizer;
    let whole = Layout { longest: 512, keep: Keep::Start };
    let short = Layout { longest: TOKENS, keep: Keep::Start };
    let key = |i: usize| Key { seed: 0, epoch: 0, index: i as u64, view: 1 };
    let examples: Vec<&Example> = unlabeled.examples().iter().take(COUNTED).collect();
    let mut shares = Table::new(["view", "tokens changed, %"]);
    for policy in &policies {
        let view = changes.view(policy, tokenizer);
        let mut sum = 0.0;
        for (i, example) in examples.iter().enumerate() {
            let both = pair(&example.texts, &view, (tokenizer, whole), key(i))?;
            sum += share_changed(&both);
        }
        let share = 100.0 * sum / examples.len().max(1) as f64;
        shares.rows.push(vec![policy.words(), format!("{share:.1}")]);
    }
    let mut section = Section::new("views", "Texts, and what the views make of them")
        .with(Block::Table(shares))
        .with(Block::Caption(format!(
            "Of the first {} unlabelled texts: the share of a text's tokens that its view lacks, \
             each as often as it occurs.",
            examples.len()
        )));
    for (i, example) in examples.iter().enumerate().take(SHOWN) {
        let mut table = Table::new(["view", "text"]);
        let text = |sequence: &data_pipeline::text::Sequence| {
            let specials = tokenizer.specials();
            let own = sequence.ids.iter().copied().filter(|&id| id != specials.cls);
            let own: Vec<u32> = own.filter(|&id| id != specials.sep).collect();
            tokenizer.text(&own)
        };
        for policy in &policies {
            let view = changes.view(policy, tokenizer);
            let [plain, changed] = pair(&example.texts, &view, (tokenizer, short), key(i))?;
            if table.rows.is_empty() {
                table.rows.push(vec!["unchanged".to_owned(), text(&plain)?]);
            }
            table.rows.push(vec![policy.words(), text(&changed)?]);
        }
        section = section.with(Block::Table(table));
    }
    let words = format!(
        "The first {SHOWN} unlabelled texts, none picked by hand, as the network's tokenizer reads \
         them: the first {TOKENS} tokens."
    );
    Ok(Some(section.with(Block::Caption(words))))
}
