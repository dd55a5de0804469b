//! The paper's own parts of the report: what became of the messages, the trainings, and replies
//! side by side.

use data_pipeline::dialog::{Funnel, Reason};
use metrics::Better;
use report::{Block, Curves, Section, Table, words};

use super::recipe::Recipe;
use super::replies::{Measured, Talk};
use super::seed::RowOutcome;
use crate::dialog::pairs::Prepared;
use crate::dialog::responder::Drawn;
use crate::run::result::of_first_seed;

/// The parts of the report. Tables are of the first seed, curves of all.
pub(super) fn sections(
    recipe: &Recipe,
    data: &Prepared,
    outcomes: &[Vec<RowOutcome>],
) -> Vec<Section> {
    let mut sections = vec![funnel(&data.funnel), pairs(data)];
    let Some(first) = outcomes.first() else { return sections };
    let of_first = |section| of_first_seed(section, outcomes.len());
    sections.push(of_first(trainings(first)));
    let curves = outcomes.iter().flatten().map(|row| row.curve.clone()).collect();
    let note = "Of a token of the validation part, measured along the training.";
    let curves = Curves {
        better: Better::Lower,
        note: Some(note.to_owned()),
        ..Curves::new("Perplexity", "", curves)
    };
    sections.push(Section::new("curves", "Learning curves").with(Block::Curves(curves)));
    let replied =
        [replies(recipe, first), candidates(recipe, first), talks(first), measures(first)];
    sections.extend(replied.into_iter().flatten().map(of_first));
    sections.extend(in_bfloat16(first));
    sections
}

/// Why a message is dropped, in words.
fn why(reason: Reason) -> &'static str {
    match reason {
        Reason::DuplicateId => "another message has its id",
        Reason::ConflictingId => "another message has its id, and another text",
        Reason::MissingParent => "the message that it replies to is missing",
        Reason::Cycle => "it replies to itself by way of others",
        Reason::Bot => "its author is a program, by its name",
        Reason::Url => "it holds the address of a page",
        Reason::TooFewSubwords => "too few subwords",
        Reason::TooManySubwords => "too many subwords",
        Reason::NotAlphabetic => "too few letters",
        Reason::TooFrequent => "too many messages are the same",
        Reason::RepeatsParent => "it repeats the message before",
        Reason::Unsafe => "it is offensive, by the list of words or a classifier",
        Reason::DroppedWithAncestor => "a message above it was dropped",
    }
}

fn funnel(funnel: &Funnel) -> Section {
    let mut table = Table::new(["", "messages", "share, %", "for example"]);
    let share = |count: u64| format!("{:.1}", 100.0 * count as f64 / funnel.messages.max(1) as f64);
    let mut row = |name: &str, count: u64, examples: &[String]| {
        let quoted: Vec<String> = examples.iter().map(|text| format!("“{text}”")).collect();
        table.rows.push(vec![name.to_owned(), count.to_string(), share(count), quoted.join(" ")]);
    };
    row("read", funnel.messages, &[]);
    for (reason, dropped) in &funnel.dropped {
        row(&format!("dropped: {}", why(*reason)), dropped.count, &dropped.examples);
    }
    row("kept", funnel.kept, &[]);
    let words = format!(
        "Each message counts once, by the first reason that drops it; what replies to it goes with \
         it. Of {} messages a copy of the message before was taken out. Those that are kept and \
         reply to another one gave {} pairs of a context and a response, of which {} were removed \
         since another pair says the same.",
        funnel.quotes_removed, funnel.pairs, funnel.near_duplicates
    );
    Section::new("funnel", "From messages to pairs")
        .with(Block::Table(table))
        .with(Block::Caption(words))
}

fn pairs(data: &Prepared) -> Section {
    let mut table = Table::new(["part", "pairs", "tokens of responses"]);
    for (name, part) in
        [("training", &data.train), ("validation", &data.validation), ("test", &data.test)]
    {
        let (pairs, tokens) = (part.len(), part.response_tokens);
        table.rows.push(vec![name.to_owned(), pairs.to_string(), tokens.to_string()]);
    }
    let tokens = data.tokenizer.size();
    let of = match data.made_before {
        true => format!("{tokens} tokens; it and the pairs were made before the run"),
        false => format!("{tokens} tokens, made of the training part alone"),
    };
    let words = format!("The vocabulary has {of}. A conversation is in one part as a whole.");
    Section::new("pairs", "Pairs").with(Block::Table(table)).with(Block::Caption(words))
}

fn trainings(rows: &[RowOutcome]) -> Section {
    let mut table = Table::new([
        "row",
        "parameters",
        "steps",
        "pairs",
        "operations",
        "time",
        "validation perplexity",
    ]);
    for row in rows {
        table.rows.push(vec![
            row.name.clone(),
            row.parameters.to_string(),
            row.steps.to_string(),
            row.cost.samples.to_string(),
            words::flops(row.cost.flops),
            format!("{:.0} s", row.cost.seconds),
            format!("{:.2}", row.validation),
        ]);
    }
    Section::new("trainings", "What the trainings took").with(Block::Table(table))
}

/// A response, and why it may not be given if so.
fn said(drawn: &Drawn) -> String {
    match &drawn.dropped {
        Some(why) if drawn.text.is_empty() => format!("({why})"),
        Some(why) => format!("{} ({why})", drawn.text),
        None => drawn.text.clone(),
    }
}

fn replies(recipe: &Recipe, rows: &[RowOutcome]) -> Option<Section> {
    let replies = &recipe.replies;
    let best = replies.choice.given_in_words();
    let mut header = vec!["prompt".to_owned()];
    for row in rows {
        header.extend([format!("{}, one", row.name), format!("{}, {best}", row.name)]);
    }
    let mut table = Table::new(header);
    for (i, turns) in replies.prompts.iter().enumerate() {
        let mut cells = vec![turns.join(" / ")];
        for row in rows {
            let reply = row.replied.prompts.get(i)?;
            let given = reply.ranked.first().map(said).unwrap_or_default();
            cells.extend([reply.single.text.clone(), given]);
        }
        table.rows.push(cells);
    }
    let words = "Turns of a prompt stand apart by /. Beside the response that is drawn alone stands \
                 the one of the highest mean ln p among all that are drawn; none is picked by hand.";
    (!table.rows.is_empty()).then(|| {
        let section = Section::new("replies", "Replies to the recipe's prompts");
        section.with(Block::Table(table)).with(Block::Caption(words.to_owned()))
    })
}

fn candidates(recipe: &Recipe, rows: &[RowOutcome]) -> Option<Section> {
    let replies = &recipe.replies;
    let mut section = Section::new("candidates", "All candidates of the first prompts");
    for (i, turns) in replies.prompts.iter().enumerate().take(replies.candidates_of) {
        for row in rows {
            let mut table = Table::new(["mean ln p", "response"]);
            for drawn in &row.replied.prompts.get(i)?.ranked {
                let score = drawn.score.map_or("–".to_owned(), |score| format!("{score:.3}"));
                table.rows.push(vec![score, said(drawn)]);
            }
            let words = format!("{}, to “{}”:", row.name, turns.join(" / "));
            section = section.with(Block::Text(words)).with(Block::Table(table));
        }
    }
    (!section.blocks.is_empty()).then_some(section)
}

/// Conversations that the report shows of each network.
const TALKS: usize = 2;

/// What the networks said to themselves, the first conversations of each.
fn talks(rows: &[RowOutcome]) -> Option<Section> {
    let all = || rows.iter().map(|row| &row.replied.talks[..]);
    let mut section = Section::new("talks", "Conversations with themselves");
    for number in 0..all().map(<[Talk]>::len).max()?.min(TALKS) {
        let talks: Vec<Option<&Talk>> = all().map(|talks| talks.get(number)).collect();
        let given = talks.iter().flatten().map(|talk| talk.given).max().unwrap_or(0);
        let turns = talks.iter().flatten().map(|talk| talk.turns.len()).max().unwrap_or(0);
        let names = rows.iter().map(|row| row.name.clone());
        let mut table = Table::new(std::iter::once("turn".to_owned()).chain(names));
        for turn in 0..turns {
            let name = if turn < given { "given".to_owned() } else { (turn + 1).to_string() };
            let said = talks.iter().map(|talk| talk.and_then(|talk| talk.turns.get(turn)));
            let said = said.map(|text| text.cloned().unwrap_or_default());
            table.rows.push(std::iter::once(name).chain(said).collect());
        }
        section = section.with(Block::Table(table));
    }
    let words = "Each network takes both sides after an opening that is given, for as many turns \
                 as the recipe says, or until no candidate may be given. These are the first \
                 conversations of the run, not chosen ones.";
    let shown = all().any(|talks| !talks.is_empty());
    shown.then(|| section.with(Block::Caption(words.to_owned())))
}

/// What weights in bfloat16 change.
fn in_bfloat16(rows: &[RowOutcome]) -> Option<Section> {
    let mut table = Table::new([
        "row",
        "test perplexity of a token, float32",
        "bfloat16",
        "best replies that are the same",
    ]);
    for row in rows {
        let Some(found) = &row.bfloat16 else { continue };
        let float32 = row.test.totals().perplexity();
        table.rows.push(vec![
            row.name.clone(),
            float32.map_or("–".to_owned(), |value| format!("{value:.3}")),
            format!("{:.3}", found.test),
            format!("{} of {}", found.same, row.replied.items.len()),
        ]);
    }
    let words = "The networks of the first seed with weights and arithmetic in bfloat16, as tutor \
                 chat --precision bfloat16 has them. Replies are drawn by the same seeds; one token \
                 that is drawn otherwise changes all behind it.";
    (!table.rows.is_empty()).then(|| {
        let section = Section::new("bfloat16", "Weights in bfloat16");
        section.with(Block::Table(table)).with(Block::Caption(words.to_owned()))
    })
}

fn measures(rows: &[RowOutcome]) -> Option<Section> {
    let mut table = Table::new([
        "row",
        "responses",
        "mean words",
        "distinct-1",
        "distinct-2",
        "entropy of 4-grams",
        "repeats an earlier turn, %",
        "repeats itself, %",
        "generic, %",
        "nothing given, %",
        "mean ln p of a token",
    ]);
    let number = |value: Option<f64>, decimals: usize| {
        value.map_or_else(|| "–".to_owned(), |value| format!("{value:.decimals$}"))
    };
    let share = |value: Option<f64>| number(value.map(|value| 100.0 * value), 1);
    for row in rows {
        let bfloat16 = row.bfloat16.iter().flat_map(|found| &found.measures);
        let float32 = row.replied.measures.iter().map(|measured| (measured, ""));
        let all = float32.chain(bfloat16.map(|measured| (measured, ", bfloat16")));
        for (Measured { how, proxies: found, mean_ln_p }, kind) in all {
            table.rows.push(vec![
                format!("{}, {how}{kind}", row.name),
                found.responses.to_string(),
                number(found.mean_words, 1),
                number(found.distinct_1, 3),
                number(found.distinct_2, 3),
                number(found.entropy_4, 2),
                share(found.repeats_earlier_turn),
                share(found.repeats_itself),
                share(found.generic),
                share(found.empty),
                number(*mean_ln_p, 3),
            ]);
        }
    }
    let words = "Counted in the replies to contexts of the test part; none of it is SSA, which only \
                 people can say. Generic replies are the ten most frequent ones, if they come at \
                 least twice. ln p is that of the network itself at temperature 1, of a token in the \
                 mean over a reply; the mean of these is over the replies that were given.";
    let section = Section::new("measures", "Automatic measures of the replies");
    (!table.rows.is_empty())
        .then(|| section.with(Block::Table(table)).with(Block::Caption(words.to_owned())))
}
