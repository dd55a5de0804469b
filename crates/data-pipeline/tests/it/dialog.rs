//! Dialogues: trees, filters, readers, vocabulary, encoded pairs.

mod large;
mod properties;
mod readers;
mod real;
mod tokens;
mod trees;

use data_pipeline::dialog::*;
use data_pipeline::error::DataError;

fn message(id: &str, parent: Option<&str>, author: &str, text: &str) -> Message {
    Message {
        id: id.into(),
        parent: parent.map(Into::into),
        author: author.into(),
        text: text.into(),
        ..Message::default()
    }
}

/// Nothing is offensive.
struct Fine;

impl Safety for Fine {
    fn are_unsafe(&self, texts: &[&str]) -> Result<Vec<bool>, DataError> {
        Ok(vec![false; texts.len()])
    }
}

fn checks() -> Checks<'static> {
    Checks { subwords: &words_as_subwords, safety: &Fine }
}

fn selected(messages: Vec<Message>, filters: &Filters) -> Selected {
    let dialogs = Dialogs::new(messages, &DialogSplit::default()).unwrap();
    dialogs.select(filters, &checks()).unwrap()
}

/// Contexts and responses.
fn shown(selected: &Selected) -> Vec<(Vec<&str>, &str)> {
    let pairs = selected.pairs.iter();
    pairs.map(|pair| (pair.context.iter().map(|t| &**t).collect(), &*pair.response)).collect()
}
