//! The networks of a run as files for other programs: lines of JSON from which the report of `ssa`
//! draws its plot, and what people are to rate.

use anyhow::{Context, Result};
use eval_ssa::{Item, System};
use report::{Block, Section, Table, words};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::replies::{Measured, Talk};
use super::seed::RowOutcome;
use crate::run::seeds::Run;

/// A line for each network: its name, perplexity and automatic measures.
const MODELS: &str = "models.jsonl";
/// A line for each network, as a study has it.
const SYSTEMS: &str = "systems.jsonl";
/// Replies to the same contexts by all networks.
const ITEMS: &str = "items.jsonl";
/// Conversations of each network with itself.
const TALKS: &str = "transcripts.txt";

/// Who begins a conversation, and goes on in the place of a person.
const PARTNER: &str = "Partner";

/// A network of a sweep, as `ssa` reads it.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Model {
    name: String,
    perplexity: f64,
    measures: Map<String, Value>,
}

/// Writes the files in a run's folder.
pub(super) fn write(run: &Run<'_>, outcomes: &[Vec<RowOutcome>]) -> Result<()> {
    let seeds = &run.started.seeds;
    let (mut models, mut systems) = (String::new(), String::new());
    let (mut items, mut talks) = (String::new(), String::new());
    for (seed, row) in
        seeds.iter().zip(outcomes).flat_map(|(s, rows)| rows.iter().map(move |r| (s, r)))
    {
        let name = if seeds.len() == 1 { row.name.clone() } else { format!("{}.{seed}", row.name) };
        let perplexity = row.test.totals().perplexity().context("a test part")?;
        let measures = row.replied.measures.get(1).map(numbers).unwrap_or_default();
        line(&mut models, &Model { name: name.clone(), perplexity, measures })?;
        let description = format!("{} parameters, {} steps", row.parameters, row.steps);
        let perplexity = Some(perplexity);
        line(&mut systems, &System { name: name.clone(), description, perplexity })?;
        for item in &row.replied.items {
            let id = format!("{name}/{}", item.id);
            line(&mut items, &Item { id, system: name.clone(), ..item.clone() })?;
        }
        for (i, talk) in row.replied.talks.iter().enumerate() {
            talks += &transcript(&name, i + 1, talk);
        }
    }
    for (file, text) in [(MODELS, models), (SYSTEMS, systems), (ITEMS, items), (TALKS, talks)] {
        if !text.is_empty() {
            atomic_file::write(&run.dir.join(file), text.as_bytes())?;
        }
    }
    Ok(())
}

fn line(lines: &mut String, of: &impl Serialize) -> Result<()> {
    *lines += &serde_json::to_string(of)?;
    lines.push('\n');
    Ok(())
}

/// The measures of the best of several replies by their names. None of them is SSA.
fn numbers(found: &Measured) -> Map<String, Value> {
    let of = &found.proxies;
    let percent = |share: Option<f64>| share.map(|share| 100.0 * share);
    let all = [
        ("mean words", of.mean_words),
        ("distinct-1", of.distinct_1),
        ("distinct-2", of.distinct_2),
        ("entropy of 4-grams", of.entropy_4),
        ("repeats an earlier turn, %", percent(of.repeats_earlier_turn)),
        ("repeats itself, %", percent(of.repeats_itself)),
        ("generic, %", percent(of.generic)),
        ("empty, %", percent(of.empty)),
        ("mean ln p of a token", found.mean_ln_p),
    ];
    all.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?.into()))).collect()
}

/// A conversation as `tutor rate import --transcripts` reads it.
fn transcript(name: &str, number: usize, talk: &Talk) -> String {
    let mut text = format!("{name} Conversation {number}\n");
    for (i, turn) in talk.turns.iter().enumerate() {
        // What was given is nobody's to be rated, whoever's turn it was.
        let replied = i >= talk.given && (talk.given + i).is_multiple_of(2);
        text += &format!("{}: {turn}\n", if replied { name } else { PARTNER });
    }
    text.push('\n');
    text
}

/// What the files are, and how many operations the trainings took; for more than two networks.
pub(super) fn section(outcomes: &[Vec<RowOutcome>]) -> Option<Section> {
    let rows = outcomes.first().filter(|rows| rows.len() > 2)?;
    let mut table =
        Table::new(["model", "parameters", "steps", "operations", "test perplexity of a token"]);
    let mut sorted: Vec<&RowOutcome> = rows.iter().collect();
    let perplexity = |row: &RowOutcome| row.test.totals().perplexity().unwrap_or(f64::INFINITY);
    sorted.sort_by(|a, b| perplexity(a).total_cmp(&perplexity(b)));
    for row in sorted {
        table.rows.push(vec![
            row.name.clone(),
            row.parameters.to_string(),
            row.steps.to_string(),
            words::flops(row.cost.flops),
            format!("{:.2}", perplexity(row)),
        ]);
    }
    let talks = match rows.iter().all(|row| row.replied.talks.is_empty()) {
        true => String::new(),
        false => format!(
            ", and their conversations with themselves ({TALKS}) by “tutor rate import --transcripts”"
        ),
    };
    let words = format!(
        "The run's folder has a line for each model in {MODELS}, which “tutor run ssa --set \
         sweep=FOLDER/{MODELS}” draws. People rate the models' replies to the same contexts ({ITEMS}, with \
         {SYSTEMS}) by “tutor rate import”{talks}. Operations are counted: products of layers, convolutions and attention, \
         forwards and backwards."
    );
    let section = Section::new("sweep", "The models, the best first");
    Some(section.with(Block::Table(table)).with(Block::Caption(words)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_conversation_with_itself_is_one_of_the_model_with_a_partner() {
        let turns = |list: &[&str]| list.iter().map(|turn| (*turn).to_owned()).collect();
        let talk = Talk { turns: turns(&["Hi!", "Hello: you?", "I swim.", "So do I."]), given: 1 };
        let text = transcript("small", 7, &talk)
            + &transcript("small", 8, &Talk { turns: turns(&["a", "b", "c", "d"]), given: 3 });
        let found = eval_ssa::transcripts::parse(&text).expect("conversations");
        let speakers = |i: usize| -> Vec<&str> {
            found[i].turns.iter().map(|turn| turn.speaker.as_str()).collect()
        };
        assert_eq!((found[0].name.as_str(), found[0].number), ("small", 7));
        assert_eq!(speakers(0), [PARTNER, "small", PARTNER, "small"]);
        assert_eq!(speakers(1), [PARTNER, PARTNER, PARTNER, "small"]);
        assert_eq!(found[0].items("small", "small", 9).len(), 2);
    }
}
