//! What processes that run together must have in common: the program, the recipe, the data. Where
//! one of them has something else, all of them say what it is, before anything is trained.

use std::collections::BTreeMap;

use anyhow::{Result, bail};
use data_pipeline::digest::Digest;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use toml::{Table, Value};

use super::processes;

/// What a process was started with.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Start {
    /// The commit (or version) of the program.
    pub(crate) program: String,
    pub(crate) quick: bool,
    /// The resolved recipe.
    pub(crate) recipe: String,
}

/// Processes of which more are not named in a message.
const NAMED: usize = 3;

/// Characters of a value in a message.
const LONGEST: usize = 60;

/// Fails in all processes, with the same words, unless all have found the same. `differs` says how
/// what this process has, whose rank it is given, differs from what rank 0 has.
pub(crate) fn agree<T: Serialize + DeserializeOwned>(
    own: &T,
    differs: impl FnOnce(usize, &T) -> Result<String>,
    way_out: &str,
) -> Result<()> {
    let Some(group) = processes::group() else { return Ok(()) };
    let own = serde_json::to_vec(own)?;
    let digest = Digest::of(&own).to_bytes();
    let digests = processes::gather(digest.iter().map(|&byte| i64::from(byte)).collect())?;
    let (first, others) = digests.split_at(digest.len());
    if others.chunks(digest.len()).all(|other| other == first) {
        return Ok(());
    }
    let is_as_first = digest.iter().map(|&byte| i64::from(byte)).eq(first.iter().copied());
    let first: T = serde_json::from_slice(&group.broadcast_bytes(&own)?)?;
    let said = match is_as_first {
        true => String::new(),
        false => differs(group.rank(), &first)?,
    };
    let mut said = gather_texts(&said)?;
    said.retain(|said| !said.is_empty());
    let more = match said.len().saturating_sub(NAMED) {
        0 => String::new(),
        1 => ", and 1 more process differs".to_owned(),
        more => format!(", and {more} more processes differ"),
    };
    said.truncate(NAMED);
    bail!("{}{more}: {way_out}", said.join("; "));
}

/// A text of each process, in the order of ranks.
fn gather_texts(own: &str) -> Result<Vec<String>> {
    let lengths = processes::gather(vec![own.len() as i64])?;
    let longest = lengths.iter().copied().max().unwrap_or(0).max(1) as usize;
    let mut bytes: Vec<i64> = own.bytes().map(i64::from).collect();
    bytes.resize(longest, 0);
    let all = processes::gather(bytes)?;
    let text = |(bytes, &length): (&[i64], &i64)| {
        let bytes: Vec<u8> = bytes[..length as usize].iter().map(|&byte| byte as u8).collect();
        String::from_utf8_lossy(&bytes).into_owned()
    };
    Ok(all.chunks(longest).zip(&lengths).map(text).collect())
}

/// Fails in all processes unless all run the same recipe with the same program.
pub(crate) fn on_start(own: &Start) -> Result<()> {
    let way_out = "processes that train together run one recipe: start all of them with the same \
                   command and the same version of the program";
    agree(own, |rank, first| Ok(own.differs(rank, first)), way_out)
}

/// Fails in all processes unless all have the same data (or weights): of each part its name in a
/// message, in the plural, and its digest.
pub(crate) fn on_data(own: &BTreeMap<String, String>) -> Result<()> {
    let differs = |rank: usize, first: &BTreeMap<String, String>| {
        let names = own.keys().chain(first.keys());
        let differ = names.filter(|&name| own.get(name) != first.get(name));
        let mut named: Vec<&str> = differ.map(String::as_str).collect();
        named.sort_unstable();
        named.dedup();
        let digests = match named[..] {
            [name] => {
                let of = |all: &BTreeMap<String, String>| {
                    all.get(name).map_or("none", String::as_str).to_owned()
                };
                format!(" (digests {} and {})", of(own), of(first))
            }
            _ => String::new(),
        };
        Ok(format!("the {} of rank {rank} are not those of rank 0{digests}", named.join(", the ")))
    };
    agree(own, differs, SAME_DATA)
}

/// The way out where data differ.
pub(crate) const SAME_DATA: &str = "processes that train together need the same data: bring the \
                                    files of rank 0 to all machines";

impl Start {
    /// What this process, of such a rank, was started with and rank 0 was not.
    fn differs(&self, rank: usize, first: &Self) -> String {
        if self.program != first.program {
            let (own, first) = (&self.program, &first.program);
            return format!("the program is of version {own} in rank {rank}, {first} in rank 0");
        }
        if self.quick != first.quick {
            let (with, without) = if self.quick { (rank, 0) } else { (0, rank) };
            return format!("rank {with} was started with --quick, rank {without} without");
        }
        let [own, other] = [self, first].map(|start| start.recipe.parse::<Table>());
        if let (Ok(own), Ok(other)) = (own, other)
            && let Some(Difference { key, own, first }) = first_difference(own, other)
        {
            return format!("{key} is {own} in rank {rank}, {first} in rank 0");
        }
        let lines = self.recipe.lines().zip(first.recipe.lines()).enumerate();
        let line = lines.into_iter().find(|(_, (own, first))| own != first);
        match line {
            Some((number, (own, first))) => format!(
                "line {} of the recipe is `{}` in rank {rank}, `{}` in rank 0",
                number + 1,
                cut(own),
                cut(first)
            ),
            None => format!("the recipe of rank {rank} has not as many lines as that of rank 0"),
        }
    }
}

/// A key of two recipes with the values that it has in them.
#[derive(Debug, PartialEq)]
struct Difference {
    key: String,
    own: String,
    first: String,
}

/// The first key that has another value in `own` than in `first`.
fn first_difference(own: Table, first: Table) -> Option<Difference> {
    let whole = |table: &Table| Value::Table(table.clone());
    let settings = |table: &Table| {
        let mut table = table.clone();
        // These follow from other keys, and are left out or written otherwise where one is changed.
        for key in ["about", "expect", "headline", "name", "paper", "run_rows"] {
            table.remove(key);
        }
        Value::Table(table)
    };
    let of = |part: &dyn Fn(&Table) -> Value| {
        difference(String::new(), Some(&part(&own)), Some(&part(&first)))
    };
    of(&settings).or_else(|| of(&whole))
}

/// The first key below `key` that has another value in `own` than in `first`.
fn difference(key: String, own: Option<&Value>, first: Option<&Value>) -> Option<Difference> {
    match (own, first) {
        _ if own == first => None,
        (Some(Value::Table(own)), Some(Value::Table(first))) => {
            let below = |name: &str| match key.is_empty() {
                true => name.to_owned(),
                false => format!("{key}.{name}"),
            };
            let names = own.keys().chain(first.keys());
            let mut found =
                names.filter_map(|name| difference(below(name), own.get(name), first.get(name)));
            found.next()
        }
        (Some(Value::Array(own)), Some(Value::Array(first)))
            if own.len() == first.len() && own.iter().all(Value::is_table) =>
        {
            let pairs = own.iter().zip(first).enumerate();
            let mut found = pairs.filter_map(|(i, (own, first))| {
                difference(format!("{key}[{i}]"), Some(own), Some(first))
            });
            found.next()
        }
        (own, first) => Some(Difference { key, own: written(own), first: written(first) }),
    }
}

/// A value as it stands in a message.
fn written(value: Option<&Value>) -> String {
    value.map_or("not set".to_owned(), |value| cut(&value.to_string()))
}

/// The beginning of a text.
fn cut(text: &str) -> String {
    let text = text.trim().replace('\n', " ");
    match text.char_indices().nth(LONGEST) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::run::processes::tests::in_two_processes;

    fn start(recipe: &str) -> Start {
        Start { program: "1".to_owned(), quick: false, recipe: recipe.to_owned() }
    }

    #[test]
    fn the_first_key_that_differs_is_named() {
        let said = |own: &str, first: &str| start(own).differs(1, &start(first));
        let text = "seeds = 1\n[train]\nsteps = 10\nlr = { value = 0.1 }\n[[rows]]\nname = 'a'\n";
        let with = |from, to| said(&text.replace(from, to), text);
        assert_eq!(with("10", "9"), "train.steps is 9 in rank 1, 10 in rank 0");
        assert_eq!(with("0.1", "0.2"), "train.lr.value is 0.2 in rank 1, 0.1 in rank 0");
        assert_eq!(with("'a'", "'b'"), "rows[0].name is \"b\" in rank 1, \"a\" in rank 0");
        assert_eq!(with("seeds = 1\n", ""), "seeds is not set in rank 1, 1 in rank 0");
        let table = with("[[rows]]", "[[row]]");
        assert!(table.starts_with("row is [{"), "{table}");
        assert!(table.ends_with("in rank 1, not set in rank 0"), "{table}");
        let long = format!("'{}'", "b".repeat(200));
        assert!(with("'a'", &long).len() < 120);
        let stated = format!("expect = [{{ value = 1 }}]\n{text}");
        let other = format!("about = 'changed: steps'\n{}", text.replace("10", "9"));
        let changed = said(&other, &stated);
        assert_eq!(changed, "train.steps is 9 in rank 1, 10 in rank 0", "what follows comes last");
        assert!(said(text, &stated).starts_with("expect is not set in rank 1"));
        // What is no TOML, or differs in how it is written.
        let line = said("a = 1 # one", "a = 1");
        assert_eq!(line, "line 1 of the recipe is `a = 1 # one` in rank 1, `a = 1` in rank 0");
        assert!(said("a = 1\n#", "a = 1").contains("not as many lines"));
        let other = Start { program: "2".to_owned(), ..start("") };
        let said = other.differs(3, &start(""));
        assert_eq!(said, "the program is of version 2 in rank 3, 1 in rank 0");
        let quick = Start { quick: true, ..start("") };
        assert!(
            quick.differs(1, &start("")).starts_with("rank 1 was started with --quick, rank 0")
        );
        assert!(
            start("").differs(1, &quick).starts_with("rank 0 was started with --quick, rank 1")
        );
    }

    #[test]
    fn every_process_says_what_differs() {
        let found = in_two_processes(|rank| {
            on_start(&start(["a = 1", "a = 2"][rank])).map_err(|error| error.to_string())
        });
        let said = "a is 2 in rank 1, 1 in rank 0: processes that train together run one recipe: \
                    start all of them with the same command and the same version of the program";
        assert_eq!(found, [Err(said.to_owned()), Err(said.to_owned())]);
        let found = in_two_processes(|_| on_start(&start("a = 1")).is_ok());
        assert_eq!(found, [true, true]);
        let data = |test: &str| -> BTreeMap<String, String> {
            let all = [("labelled texts", "1"), ("test texts", test)];
            all.map(|(name, digest)| (name.to_owned(), digest.to_owned())).into()
        };
        let found = in_two_processes(move |rank| {
            on_data(&data(["2", "3"][rank])).map_err(|error| error.to_string())
        });
        let said = format!(
            "the test texts of rank 1 are not those of rank 0 (digests 3 and 2): {SAME_DATA}"
        );
        assert_eq!(found, [Err(said.clone()), Err(said)]);
        assert!(on_start(&start("alone")).is_ok());
    }
}
