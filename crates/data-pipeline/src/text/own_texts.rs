//! One's own texts: tables with one or two columns of texts and one of labels, and files of running
//! text.

mod parts;
mod usual;

use super::class_names::class_by_name;
use super::corpus::{Boundary, Corpus, ReadOptions};
use super::labels::{in_spelling, plain_label, stands_for_none};
use super::read::{OnBadInput, Tally, files};
use super::table::{self, Row, bad};
use super::task::{Example, Target, TextSet};
use super::texts::Texts;
use crate::dataset::folder::set::sorted;
use crate::endings::ends_with;
use crate::error::DataError;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::{Path, PathBuf};

/// What the labels are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum LabelKind {
    /// Names of classes; numbers are names too.
    #[default]
    Classes,
    /// Numbers to be predicted.
    Scores,
}

/// How one's own texts are read.
///
/// ```
/// use data_pipeline::dataset::Samples;
/// use data_pipeline::text::OwnTexts;
///
/// let folder = tempfile::tempdir()?;
/// let table = folder.path().join("reviews.csv");
/// std::fs::write(&table, "review,rating\nA good film.,good\nHow dull!,bad\nHm.,\n")?;
/// let reader = OwnTexts { label: Some("rating".into()), ..OwnTexts::default() };
/// let set = reader.read(&[table])?;
/// assert_eq!((set.len(), set.classes()), (3, ["bad", "good"].map(String::from).as_slice()));
/// assert_eq!([0, 1, 2].map(|i| set.label(i)), [Some(1), Some(0), None]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct OwnTexts {
    /// The column of texts. Where rows are pairs, [`Column::NamedOrUsual`] is said of both columns.
    pub text: Column,
    /// The column of second texts, where rows are pairs.
    pub pair: Option<String>,
    /// The column of labels; none for unlabelled texts.
    pub label: Option<Column>,
    /// Labels that stand for none, such as `unsup`: rows with one of them are unlabelled, and a
    /// note says how many have each. White space around them does not count.
    pub no_label: Vec<String>,
    /// What the labels are.
    pub kind: LabelKind,
    /// The classes in their order, such as those of the training texts: any other label is bad
    /// input then. If not given, they are those that occur, sorted, by number if all are whole
    /// numbers.
    pub classes: Option<Vec<String>>,
    /// Whether labels may be spelt otherwise than `classes`, as those of published classifiers are
    /// ([`class_by_name`]).
    pub respelled: bool,
    /// What becomes of bad rows.
    pub on_bad: OnBadInput,
}

/// Which column of a table is meant.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Column {
    /// The one of this name.
    Named(String),
    /// The one of this name, and in a table without it the first one of a usual name, which a note
    /// then says.
    NamedOrUsual(String),
    /// The first one of a usual name, such as `text` or `label`.
    #[default]
    Usual,
}

impl Column {
    /// The name that is given, if one is.
    pub fn name(&self) -> Option<&str> {
        match self {
            Self::Named(name) | Self::NamedOrUsual(name) => Some(name),
            Self::Usual => None,
        }
    }

    /// This column, but in a table without it one of a usual name.
    #[must_use]
    pub fn or_usual(self) -> Self {
        match self {
            Self::Named(name) | Self::NamedOrUsual(name) => Self::NamedOrUsual(name),
            Self::Usual => Self::Usual,
        }
    }

    fn may_be_usual(&self) -> bool {
        !matches!(self, Self::Named(_))
    }
}

impl From<&str> for Column {
    fn from(name: &str) -> Self {
        Self::Named(name.to_owned())
    }
}

impl From<Option<String>> for Column {
    fn from(name: Option<String>) -> Self {
        name.map_or(Self::Usual, Self::Named)
    }
}

/// What a table has of the columns that are read.
struct OfTable {
    /// The name of the column of texts.
    text: String,
    /// That of the column of second texts, where rows are pairs.
    pair: Option<String>,
    /// That of the column of labels, where these are read.
    label: Option<String>,
    /// Their cells, in this order.
    rows: Vec<Row>,
}

/// Classes that an error lists at most.
const SHOWN: usize = 20;

impl OwnTexts {
    /// Finds the two columns of a table of pairs by their usual names, where no column of texts is
    /// given. A table without both columns of a usual pair, or with a column of texts of another
    /// usual name, is left to be read as single texts.
    ///
    /// # Errors
    /// When the table cannot be read.
    pub fn with_usual_pair(mut self, path: &Path) -> Result<Self, DataError> {
        if self.text == Column::Usual && self.pair.is_none() {
            let columns = table::names(path, self.on_bad)?;
            let (text, pair) = usual::pair_alone(&columns).map(|[a, b]| (a, b)).unzip();
            (self.text, self.pair) = (text.into(), pair);
        }
        Ok(self)
    }

    /// Finds the columns of texts and labels of a table by their usual names, where they are not
    /// given.
    ///
    /// # Errors
    /// When the table cannot be read or has no such column, with the columns that it has.
    pub fn with_usual_columns(mut self, path: &Path) -> Result<Self, DataError> {
        let columns = table::names(path, self.on_bad)?;
        if self.text == Column::Usual {
            self.text = Column::Named(usual::needed_texts(path, &columns)?);
        }
        if self.label.as_ref().is_none_or(|label| *label == Column::Usual) {
            self.label = Some(Column::Named(usual::needed_labels(path, &columns)?));
        }
        Ok(self)
    }

    /// Reads tables (`.csv`, `.tsv`, `.jsonl`, `.parquet`), and running text of which each line is
    /// a text, one after the other. Folders and patterns stand for their files. Rows without text,
    /// or of a pair without one of the two, are bad input; rows with an empty label, or with one
    /// that stands for none, are unlabelled.
    ///
    /// # Errors
    /// When no file is named, when a file or column is not there, when pairs are to be read from
    /// running text, and for bad rows as asked.
    pub fn read(&self, paths: &[PathBuf]) -> Result<TextSet, DataError> {
        let mut tally = Tally::default();
        let mut nones: BTreeMap<&str, u64> =
            self.no_label.iter().map(|none| (none.trim(), 0)).collect();
        let mut rows: Vec<(String, Texts, Option<String>, PathBuf, u64)> = Vec::new();
        let (files, mut notes) = (files(paths)?, Vec::new());
        let Some(first) = files.first() else {
            let fault = "no file of texts is named: name a table or a file of a text a line";
            return Err(DataError::Request(fault.to_owned()));
        };
        for path in &files {
            let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            if !is_table(path) {
                if let Some(pair) = &self.pair {
                    let text = self.text.name().unwrap_or_default();
                    return Err(DataError::Missing {
                        path: path.clone(),
                        fault: format!(
                            "a file of a text a line holds no pairs, which are read from the columns \
                             `{text}` and `{pair}`"
                        ),
                        way_out: "name a table: .csv, .tsv, .jsonl, .parquet",
                    });
                }
                self.running(path, &mut tally, |number, a| {
                    let id = format!("{name}/{number}");
                    rows.push((id, Texts { a, b: None }, None, path.clone(), number));
                })?;
                continue;
            }
            let read = self.table(path, &mut tally, &mut notes)?;
            notes.extend(self.parts(path, &read)?);
            let OfTable { text, pair, rows: table, .. } = read;
            for row in table {
                let mut cells = row.cells.into_iter();
                let a = cells.next().flatten().unwrap_or_default();
                let b = self.pair.as_ref().map(|_| cells.next().flatten().unwrap_or_default());
                let label = cells.next().flatten().filter(|label| !label.trim().is_empty());
                let sides = [(Some(text.as_str()), Some(&a)), (pair.as_deref(), b.as_ref())];
                let empty =
                    sides.iter().find(|(_, side)| side.is_some_and(|s| s.trim().is_empty()));
                if let Some((Some(column), _)) = empty {
                    let fault = format!("the column `{column}` is empty");
                    let error = fault_at(path, row.line, fault, "mend it, or let it be skipped");
                    bad(error, self.on_bad, &mut tally, "a row without text")?;
                    continue;
                }
                let label = label.map(|label| label.trim().to_owned());
                let stands_for = |none: &&String| Some(none.trim()) == label.as_deref();
                let none = self.no_label.iter().find(stands_for);
                none.into_iter().for_each(|none| *nones.entry(none.trim()).or_default() += 1);
                let label = label.filter(|_| none.is_none());
                let id = format!("{name}/{}", row.line);
                rows.push((id, Texts { a, b }, label, path.clone(), row.line));
            }
        }
        let classes = self.classes(rows.iter().flat_map(|(_, _, label, ..)| label.as_deref()));
        let number: HashMap<&str, u32> = classes.iter().map(String::as_str).zip(0..).collect();
        let mut examples = Vec::with_capacity(rows.len());
        for (id, texts, label, path, line) in rows {
            match self.target(label.as_deref(), &number) {
                Ok(target) => examples.push(Example { id, texts, target }),
                Err(fault) => {
                    let way_out = "mend the label, or let such rows be skipped";
                    let error = fault_at(&path, line, fault, way_out);
                    bad(error, self.on_bad, &mut tally, "a row with a label that is not known")?;
                }
            }
        }
        if examples.is_empty() {
            return Err(nothing(first, &tally));
        }
        let name = first.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        notes.extend(self::notes(&tally));
        if self.label.is_some() {
            // Where classes are given, another table has named them, and the labels that stand for
            // none with them: this one need not have any.
            let here = self.classes.is_none();
            let note = |(none, rows): (&str, u64)| match rows {
                0 => here.then(|| format!("no row has the label `{none}`, which stands for none")),
                _ => Some(format!("rows with the label `{none}`, which stands for none: {rows}")),
            };
            notes.extend(nones.into_iter().filter_map(note));
        }
        Ok(TextSet::new(name, examples, classes)?.noted(notes))
    }

    /// The rows of a table, and the columns that they are of. What should be known of the columns
    /// goes to `notes`.
    fn table(
        &self,
        path: &Path,
        tally: &mut Tally,
        notes: &mut Vec<String>,
    ) -> Result<OfTable, DataError> {
        let read = |text: &str, pair: Option<&str>, label: Option<&str>, tally: &mut Tally| {
            let wanted: Vec<&str> = std::iter::once(text).chain(pair).chain(label).collect();
            table::read(path, &wanted, self.on_bad, tally)
        };
        let columns = || table::names(path, self.on_bad);
        let usual_label = match self.label {
            Some(Column::Usual) => Some(usual::needed_labels(path, &columns()?)?),
            _ => None,
        };
        let label = usual_label.as_deref().or(self.label.as_ref().and_then(Column::name));
        let pair = self.pair.as_deref();
        let Some(text) = self.text.name() else {
            let text = usual::needed_texts(path, &columns()?)?;
            let rows = read(&text, pair, label, tally)?;
            let label = label.map(str::to_owned);
            return Ok(OfTable { text, pair: self.pair.clone(), label, rows });
        };
        let mut of_file = Tally::default();
        let error = match read(text, pair, label, &mut of_file) {
            Ok(rows) => {
                tally.files += of_file.files;
                tally.add_lines(&of_file);
                let (text, label) = (text.to_owned(), label.map(str::to_owned));
                return Ok(OfTable { text, pair: self.pair.clone(), label, rows });
            }
            Err(error @ DataError::Column { .. }) => error,
            Err(error) => return Err(error),
        };
        let columns = columns()?;
        let is_absent = |column: &str| columns.iter().all(|name| name != column);
        let other_texts = match pair {
            _ if !self.text.may_be_usual() => None,
            None if is_absent(text) => usual::texts(&columns).map(|text| (text, None)),
            Some(pair) if is_absent(text) || is_absent(pair) => {
                usual::pair(&columns, [text, pair]).map(|[text, pair]| (text, Some(pair)))
            }
            _ => None,
        };
        let may = self.label.as_ref().is_some_and(Column::may_be_usual);
        let absent_label = label.filter(|label| may && is_absent(label));
        let other_label = absent_label.and_then(|_| usual::labels(&columns));
        if other_texts.is_none() && other_label.is_none() {
            return Err(error);
        }
        let place = path.display();
        match (&other_texts, pair) {
            (Some((other, None)), _) => {
                notes.push(format!("no column `{text}` in {place}: texts are those of `{other}`"))
            }
            (Some((first, Some(second))), Some(pair)) => notes.push(format!(
                "no columns `{text}` and `{pair}` in {place}: pairs are those of `{first}` and \
                 `{second}`"
            )),
            _ => {}
        }
        if let (Some(label), Some(other)) = (label, &other_label) {
            notes.push(format!("no column `{label}` in {place}: labels are those of `{other}`"));
        }
        let (text, pair) = other_texts.unwrap_or_else(|| (text.to_owned(), self.pair.clone()));
        let label = other_label.or(label.map(str::to_owned));
        let rows = read(&text, pair.as_deref(), label.as_deref(), tally)?;
        Ok(OfTable { text, pair, label, rows })
    }

    fn running(
        &self,
        path: &Path,
        tally: &mut Tally,
        mut each: impl FnMut(u64, String),
    ) -> Result<(), DataError> {
        let options =
            ReadOptions { boundary: Boundary::Line, on_bad: self.on_bad, ..ReadOptions::default() };
        let mut documents = Corpus::open(&[path.to_path_buf()], options)?.documents();
        while let Some(document) = documents.next() {
            // A document is a line, and it is handed out as soon as it is read.
            each(documents.tally().lines, document?.lines.join(" "));
        }
        let read = documents.tally();
        tally.files += read.files;
        tally.add_lines(read);
        let blank = read.lines - read.documents - read.skipped.values().sum::<u64>();
        if blank > 0 {
            *tally.skipped.entry("a line without text".to_owned()).or_default() += blank;
        }
        Ok(())
    }

    fn classes<'a>(&self, labels: impl Iterator<Item = &'a str>) -> Vec<String> {
        match (&self.classes, self.kind) {
            (_, LabelKind::Scores) => vec![],
            (Some(classes), _) => classes.clone(),
            (None, _) => {
                let found: BTreeSet<&str> = labels.collect();
                sorted(found.into_iter().map(str::to_owned).collect())
            }
        }
    }

    fn target(&self, label: Option<&str>, number: &HashMap<&str, u32>) -> Result<Target, String> {
        let Some(label) = label else { return Ok(Target::None) };
        match self.kind {
            LabelKind::Scores => match label.parse::<f32>() {
                Ok(score) if score.is_finite() => Ok(Target::Score(score)),
                _ => Err(format!("`{label}` is no number")),
            },
            LabelKind::Classes => {
                let known = || {
                    let mut names: Vec<&str> = number.keys().copied().collect();
                    names.sort_unstable();
                    let more = names.len().saturating_sub(SHOWN);
                    names.truncate(SHOWN);
                    match more {
                        0 => names.join(", "),
                        more => format!("{} and {more} more", names.join(", ")),
                    }
                };
                let respelled = || {
                    let classes = self.classes.as_deref().filter(|_| self.respelled)?;
                    class_by_name(classes, label)
                };
                let class = number.get(label).copied().or_else(respelled).map(Target::Class);
                class.ok_or_else(|| {
                    let hint = self.hint(label, number.keys().copied());
                    format!("no class `{label}` among {}{hint}", known())
                })
            }
        }
    }

    /// What may be meant by a label that is no class.
    fn hint<'a>(&self, label: &str, mut classes: impl Iterator<Item = &'a str>) -> String {
        match classes.find(|class| plain_label(class) == plain_label(label)) {
            Some(class) => format!("; it and `{class}` {}", in_spelling(label)),
            None if stands_for_none(label) => {
                format!("; if it stands for none, say --no-label '{label}'")
            }
            None if self.respelled => {
                "; if it is one of these under another name, say so with --label-map".to_owned()
            }
            None => String::new(),
        }
    }
}

fn is_table(path: &Path) -> bool {
    ends_with(path, &["csv", "tsv", "jsonl", "ndjson", "parquet"])
}

/// That there is no text, and why.
fn nothing(path: &Path, tally: &Tally) -> DataError {
    let left_out: Vec<String> = tally.left_out().collect();
    let (why, way_out) = match left_out.join(", ") {
        none if none.is_empty() && is_table(path) => {
            (": it has no rows".to_owned(), "name a table with rows below its first line")
        }
        none if none.is_empty() => (": it has no lines".to_owned(), "name a file of a text a line"),
        all if all.contains("UTF-8") => (format!("; left out: {all}"), "save it as UTF-8"),
        all => (format!("; left out: {all}"), "mend it, or name another file"),
    };
    let fault = format!("no text can be read{why}");
    DataError::Missing { path: path.to_path_buf(), fault, way_out }
}

fn fault_at(path: &Path, line: u64, fault: String, way_out: &'static str) -> DataError {
    DataError::Line { path: path.to_path_buf(), line, fault, way_out }
}

/// What was left out, in words.
pub(super) fn notes(tally: &Tally) -> Vec<String> {
    tally.left_out().map(|reason| format!("left out: {reason}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pipe_of_a_table_is_refused() {
        let dir = tempfile::tempdir().expect("a folder");
        let pipe = dir.path().join("a.tsv");
        let made = std::process::Command::new("mkfifo").arg(&pipe).status();
        assert!(made.expect("mkfifo").success());
        let fault = OwnTexts::default().read(&[pipe]).expect_err("a pipe").to_string();
        assert!(fault.contains("is a pipe, and is read more than once"), "{fault}");
    }

    #[test]
    fn each_file_is_counted_once() {
        let dir = tempfile::tempdir().expect("a folder");
        let (table, lines) = (dir.path().join("a.csv"), dir.path().join("a.txt"));
        std::fs::write(&table, "t,y\nfine,a\n").expect("written");
        std::fs::write(&lines, "fine\n").expect("written");
        let (mut tally, mut notes) = (Tally::default(), Vec::new());
        let named = |text: Column| OwnTexts { text, ..OwnTexts::default() };
        named("t".into()).table(&table, &mut tally, &mut notes).expect("rows");
        assert_eq!(tally.files, 1);
        // Looked for by one name, and read by another.
        std::fs::write(&table, "text,y\nfine,a\n").expect("written");
        let usual = named(Column::from("t").or_usual());
        usual.table(&table, &mut tally, &mut notes).expect("rows");
        assert_eq!(tally.files, 2);
        named("t".into()).running(&lines, &mut tally, |_, _| {}).expect("lines");
        assert_eq!(tally.files, 3);
    }
}
