//! IRC logs with links between messages (Kummerfeld et al. 2019).

use super::reading::Reading;
use crate::dialog::message::Message;
use crate::error::DataError;
use crate::text::read::Lines;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

/// Messages that are linked. Of several links up, the first in the file makes the tree; a
/// conversation is what links of any kind hold together.
pub(super) fn read(file: &Path, reading: &mut Reading<'_>) -> Result<(), DataError> {
    let name = file.file_name().unwrap_or_default().to_string_lossy();
    let Some(stem) = name.strip_suffix(".annotation.txt") else {
        return Err(DataError::Missing {
            path: file.to_path_buf(),
            fault: "no file of links between messages".into(),
            way_out: "name NAME.annotation.txt, with NAME.raw.txt beside it, or their folder",
        });
    };
    let raw = file.with_file_name(format!("{stem}.raw.txt"));
    if !raw.is_file() {
        return Err(DataError::Missing {
            path: raw,
            fault: "the messages of this log are missing".into(),
            way_out: "put them beside the file of links",
        });
    }
    let said = messages(&raw, reading)?;
    let (mut parents, mut joined): (BTreeMap<u64, u64>, Joined) = Default::default();
    let mut linked = BTreeSet::new();
    let mut links = Lines::open(file, reading.options.on_bad, reading.options.longest)?;
    while let Some(line) = links.next(reading.tally)? {
        if line.trim().is_empty() {
            continue;
        }
        let mut numbers = line.split_whitespace().map(str::parse::<u64>);
        let (Some(Ok(a)), Some(Ok(b))) = (numbers.next(), numbers.next()) else {
            let fault = "no link: two numbers of messages are expected";
            let error = links.fault(fault, "name a file of links, or let bad input be skipped");
            reading.bad("a line that is no link", error)?;
            continue;
        };
        joined.join(a, b);
        linked.extend([a, b]);
        if a != b {
            // A reply comes after what it replies to, in whatever order they are named.
            parents.entry(a.max(b)).or_insert(a.min(b));
        }
    }
    for number in linked {
        let Some((author, text)) = said.get(&number) else {
            reading.tally.skip("a link to a line that is no message");
            continue;
        };
        let first = joined.first(number);
        reading.tally.documents += u64::from(first == number);
        reading.message(Message {
            conversation: format!("{}/{first:05}", reading.prefix),
            id: format!("{number:05}"),
            parent: parents.get(&number).map(|parent| format!("{parent:05}")),
            author: author.clone(),
            text: text.clone(),
            part: None,
        })?;
    }
    Ok(())
}

/// Author and text of the messages by their line, counted from 0. What the server says is none.
fn messages(
    raw: &Path,
    reading: &mut Reading<'_>,
) -> Result<BTreeMap<u64, (String, String)>, DataError> {
    let mut said = BTreeMap::new();
    let mut lines = Lines::open(raw, reading.options.on_bad, reading.options.longest)?;
    while let Some(line) = lines.next(reading.tally)? {
        let Some((_, rest)) = line.strip_prefix('[').and_then(|line| line.split_once("] ")) else {
            continue;
        };
        let rest = rest.trim_start();
        let turn = match rest.strip_prefix('<') {
            Some(rest) => rest.split_once('>'),
            None => rest.strip_prefix("* ").and_then(|rest| rest.split_once(' ')),
        };
        let turn = turn.map(|(author, text)| (author.to_owned(), text.trim().to_owned()));
        if let Some(turn) = turn {
            said.insert(lines.number - 1, turn);
        }
    }
    Ok(said)
}

/// Numbers that belong together, each group called by the smallest one.
#[derive(Default)]
struct Joined(BTreeMap<u64, u64>);

impl Joined {
    fn first(&mut self, number: u64) -> u64 {
        let mut at = number;
        while let Some(&before) = self.0.get(&at)
            && before != at
        {
            at = before;
        }
        self.0.insert(number, at);
        at
    }

    fn join(&mut self, a: u64, b: u64) {
        let (a, b) = (self.first(a), self.first(b));
        self.0.insert(a.max(b), a.min(b));
    }
}
