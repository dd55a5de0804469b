//! All ratings as a table: CSV that is safe to open in a spreadsheet, and Parquet. Lines of JSON
//! are written by [`files`](crate::files).

use crate::item::{CheckKind, Item, Label, Mode};
use crate::rating::{Answer, Rating};
use crate::study::{Outcome, Study};
use parquet::basic::{ConvertedType, Repetition, Type};
use parquet::data_type::{BoolType, ByteArray, ByteArrayType, Int32Type, Int64Type};
use parquet::file::properties::WriterProperties;
use parquet::file::writer::SerializedFileWriter;
use parquet::schema::types::Type as Schema;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// A response with the label that people gave it: a line of `labels.jsonl`, which a classifier of
/// texts is trained on, or by which an automatic measure is held against people.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Labelled {
    /// The item.
    pub item: String,
    /// How the response came about.
    pub mode: Mode,
    /// Whose response it is.
    pub system: String,
    /// The response and its context, by [`Item::as_text`].
    pub text: String,
    /// The label.
    pub label: Label,
    /// What gave it: the votes, or the researcher where there is no majority.
    pub decided_by: DecidedBy,
}

/// What gives a response its label.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum DecidedBy {
    /// The raters.
    Votes,
    /// The researcher, where votes give none.
    Adjudication,
}

/// All responses with a label.
pub fn labelled(study: &Study) -> Vec<Labelled> {
    let votes = study.outcomes().into_iter().map(|outcome| outcome.label);
    let label = |(outcome, by_votes): (Outcome<'_>, Option<Label>)| {
        Some(Labelled {
            item: outcome.item.id.clone(),
            mode: outcome.item.mode,
            system: outcome.item.system.clone(),
            text: outcome.item.as_text(),
            label: outcome.label?,
            decided_by: match by_votes {
                Some(_) => DecidedBy::Votes,
                None => DecidedBy::Adjudication,
            },
        })
    };
    study.outcomes_with_decisions().into_iter().zip(votes).filter_map(label).collect()
}

/// A value of the table; `None` is an empty cell.
enum Column<'a> {
    Text(&'static str, Vec<Option<&'a str>>),
    Owned(&'static str, Vec<Option<String>>),
    Bool(&'static str, Vec<Option<bool>>),
    Small(&'static str, Vec<Option<i32>>),
    Large(&'static str, Vec<Option<i64>>),
}

/// The columns of one row for each rating, with what is known of its item.
fn columns(study: &Study) -> Vec<Column<'_>> {
    let items: BTreeMap<&str, &Item> = study.items.iter().map(|item| (&*item.id, item)).collect();
    let rows: Vec<(&Rating, Option<&Item>)> =
        study.ratings.iter().map(|rating| (rating, items.get(&*rating.item).copied())).collect();
    macro_rules! column {
        ($kind:ident, $name:literal, |$rating:ident, $item:ident| $value:expr) => {
            Column::$kind($name, rows.iter().map(|&($rating, $item)| $value).collect())
        };
    }
    vec![
        column!(Text, "item", |r, _i| Some(r.item.as_str())),
        column!(Text, "mode", |_r, i| i.map(|item| item.mode.name())),
        column!(Text, "system", |_r, i| i.map(|item| item.system.as_str())),
        column!(Text, "conversation", |_r, i| i.map(|item| item.conversation.as_str())),
        column!(Small, "turn", |_r, i| i.and_then(|item| i32::try_from(item.turn).ok())),
        column!(Owned, "context", |_r, i| i.map(|item| {
            let line = |turn: &crate::item::Turn| format!("{}: {}", turn.speaker, turn.text);
            item.context.iter().map(line).collect::<Vec<_>>().join("\n")
        })),
        column!(Text, "response", |_r, i| i.map(|item| item.response.as_str())),
        column!(Text, "check", |_r, i| i.and_then(|item| item.check.as_ref()).map(|check| {
            match check.kind {
                CheckKind::Gold => "gold",
                CheckKind::Attention => "attention",
                CheckKind::Practice => "practice",
            }
        })),
        column!(Text, "rater", |r, _i| Some(r.rater.as_str())),
        column!(Bool, "sensible", |r, _i| r.answer.sensible()),
        column!(Bool, "specific", |r, _i| r.answer.specific_if_asked()),
        column!(Bool, "skipped", |r, _i| Some(matches!(r.answer, Answer::Skipped { .. }))),
        column!(Text, "skip_reason", |r, _i| match &r.answer {
            Answer::Skipped { reason } => Some(reason.as_str()),
            _ => None,
        }),
        column!(Bool, "human_like", |r, _i| r.human_like),
        column!(Text, "guideline", |r, _i| Some(r.guideline.as_str())),
        column!(Large, "shown_at", |r, _i| r.shown_at),
        column!(Large, "answered_at", |r, _i| r.answered_at),
        column!(Small, "position", |r, _i| r.position.and_then(|p| i32::try_from(p).ok())),
        column!(Text, "comment", |r, _i| r.comment.as_deref()),
    ]
}

impl Column<'_> {
    fn name(&self) -> &'static str {
        match self {
            Self::Text(name, _)
            | Self::Owned(name, _)
            | Self::Bool(name, _)
            | Self::Small(name, _)
            | Self::Large(name, _) => name,
        }
    }

    fn cell(&self, row: usize) -> String {
        match self {
            Self::Text(_, cells) => cells[row].map(escaped).unwrap_or_default(),
            Self::Owned(_, cells) => cells[row].as_deref().map(escaped).unwrap_or_default(),
            Self::Bool(_, cells) => cells[row].map(|v| v.to_string()).unwrap_or_default(),
            Self::Small(_, cells) => cells[row].map(|v| v.to_string()).unwrap_or_default(),
            Self::Large(_, cells) => cells[row].map(|v| v.to_string()).unwrap_or_default(),
        }
    }
}

/// What a spreadsheet takes for the start of a formula, also in its full-width form.
const FORMULA: [char; 8] = ['=', '+', '-', '@', '＝', '＋', '－', '＠'];

/// What may end a cell where another separator than the comma is usual, quotes or not.
const SEPARATORS: [char; 4] = [';', '\t', '\r', '\n'];

/// Whether a character alone shows nothing: blanks, control and format characters, fillers.
///
/// ```
/// use eval_ssa::export::is_invisible;
/// assert!(" \n\u{200b}\u{feff}\u{3164}".chars().all(is_invisible));
/// assert!(!".".chars().all(is_invisible));
/// ```
pub fn is_invisible(c: char) -> bool {
    let is_format = matches!(c, '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}' | '\u{1160}'
        | '\u{180b}'..='\u{180f}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}'
        | '\u{2060}'..='\u{206f}' | '\u{2800}' | '\u{3164}' | '\u{fe00}'..='\u{fe0f}'
        | '\u{feff}' | '\u{ffa0}' | '\u{e0000}'..='\u{e0fff}');
    c.is_whitespace() || c.is_control() || is_format
}

/// Whether a character is not seen, or is a quotation mark around a cell.
fn is_passed_over(c: char) -> bool {
    is_invisible(c) || c == '"'
}

/// Whether a spreadsheet might run what may be a cell. Apostrophes before it change nothing, so
/// that marks can be told from the text's own.
fn is_dangerous(text: &str) -> bool {
    let start = text.trim_start_matches(|c: char| is_passed_over(c) || c == '\'');
    start.starts_with(FORMULA) || text.trim_start_matches('\'').starts_with(['\t', '\r'])
}

/// A text that no spreadsheet runs as a formula: where it might, an apostrophe stands before it,
/// also within the text, where cells may be taken to end at semicolons, tabs and ends of lines.
///
/// ```
/// use eval_ssa::export::{escaped, unescaped};
/// assert_eq!(escaped("=HYPERLINK(\"http://example.com\")"), "'=HYPERLINK(\"http://example.com\")");
/// assert_eq!(escaped("don't"), "don't");
/// assert_eq!(escaped("a;=1+1"), "a;'=1+1");
/// assert_eq!(unescaped(&escaped("-1")), "-1");
/// ```
pub fn escaped(text: &str) -> String {
    let cells = text.split_inclusive(SEPARATORS);
    cells.flat_map(|cell| [if is_dangerous(cell) { "'" } else { "" }, cell]).collect()
}

/// The text before [`escaped`].
pub fn unescaped(text: &str) -> String {
    let cells = text.split_inclusive(SEPARATORS);
    cells
        .map(|cell| match cell.strip_prefix('\'') {
            Some(rest) if is_dangerous(rest) => rest,
            _ => cell,
        })
        .collect()
}

/// Whether a table with these columns was written by [`csv()`].
pub(crate) fn is_ours<'a>(header: impl Iterator<Item = &'a str>) -> bool {
    let header: BTreeSet<&str> = header.collect();
    columns(&Study::default()).iter().all(|column| header.contains(column.name()))
}

/// The table of a study's ratings as CSV with a header. Times are milliseconds since 1970; what is
/// unknown is empty.
pub fn csv(study: &Study) -> Vec<u8> {
    let columns = columns(study);
    let mut writer = csv::Writer::from_writer(Vec::new());
    let mut write = |row: Vec<String>| writer.write_record(row).expect("rows of the same length");
    write(columns.iter().map(|column| column.name().to_owned()).collect());
    for row in 0..study.ratings.len() {
        write(columns.iter().map(|column| column.cell(row)).collect());
    }
    writer.into_inner().expect("memory takes it all")
}

/// The table of a study's ratings as Parquet. Its texts are as they were given, without the marks
/// of [`csv()`].
///
/// # Errors
/// When the library cannot write it.
pub fn parquet(study: &Study) -> Result<Vec<u8>, parquet::errors::ParquetError> {
    let columns = columns(study);
    let field = |column: &Column<'_>| {
        let (kind, converted) = match column {
            Column::Text(..) | Column::Owned(..) => (Type::BYTE_ARRAY, ConvertedType::UTF8),
            Column::Bool(..) => (Type::BOOLEAN, ConvertedType::NONE),
            Column::Small(..) => (Type::INT32, ConvertedType::NONE),
            Column::Large(..) => (Type::INT64, ConvertedType::NONE),
        };
        let builder = Schema::primitive_type_builder(column.name(), kind);
        let builder = builder.with_repetition(Repetition::OPTIONAL).with_converted_type(converted);
        builder.build().map(Arc::new)
    };
    let fields = columns.iter().map(field).collect::<Result<_, _>>()?;
    let schema = Schema::group_type_builder("ratings").with_fields(fields).build()?;
    let compression = parquet::basic::Compression::SNAPPY;
    let properties = WriterProperties::builder().set_compression(compression).build();
    let mut writer = SerializedFileWriter::new(Vec::new(), Arc::new(schema), Arc::new(properties))?;
    let mut group = writer.next_row_group()?;
    for column in &columns {
        let mut out = group.next_column()?.expect("a column for each field");
        macro_rules! write {
            ($kind:ty, $cells:expr, $convert:expr) => {{
                let levels: Vec<i16> = $cells.iter().map(|c| i16::from(c.is_some())).collect();
                let values: Vec<_> = $cells.iter().flatten().map($convert).collect();
                out.typed::<$kind>().write_batch(&values, Some(&levels), None)?;
            }};
        }
        match column {
            Column::Text(_, cells) => write!(ByteArrayType, cells, |t| ByteArray::from(*t)),
            Column::Owned(_, cells) => {
                write!(ByteArrayType, cells, |t| ByteArray::from(t.as_str()))
            }
            Column::Bool(_, cells) => write!(BoolType, cells, |v| *v),
            Column::Small(_, cells) => write!(Int32Type, cells, |v| *v),
            Column::Large(_, cells) => write!(Int64Type, cells, |v| *v),
        }
        out.close()?;
    }
    group.close()?;
    writer.into_inner()
}
