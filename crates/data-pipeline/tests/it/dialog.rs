//! Dialogues: trees, filters, readers, vocabulary, encoded pairs.

mod large;
mod properties;
mod readers;
mod real;
mod tokens;
mod trees;

use data_pipeline::dialog::*;

fn message(id: &str, parent: Option<&str>, author: &str, text: &str) -> Message {
    Message {
        id: id.into(),
        parent: parent.map(Into::into),
        author: author.into(),
        text: text.into(),
        ..Message::default()
    }
}

fn checks() -> Checks<'static> {
    Checks { subwords: &words_as_subwords, is_unsafe: &|_| false }
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
