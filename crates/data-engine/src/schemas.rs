//! The columns that a plan takes of the files of a table. All files have them, each with one type,
//! or with types whose values one type holds as they are: else what is read would depend on which
//! file comes first.

use crate::error::EngineError;
use crate::names::is_part;
use datafusion::arrow::datatypes::{DataType, Field, Schema};
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

/// What a column has to hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Holds {
    /// Text, or whole numbers and truth values, which can be written as text.
    Text,
    /// Floats of 32 or 64 bits.
    Floats,
}

impl Holds {
    /// Whether a column of this type holds it; one of nulls alone does.
    fn fits(self, kind: &DataType) -> bool {
        match (self, kind) {
            (_, DataType::Null) => true,
            (Self::Text, DataType::Boolean) => true,
            (Self::Text, _) => is_string(kind) || values(kind).is_integer(),
            (Self::Floats, _) => matches!(kind, DataType::Float32 | DataType::Float64),
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::Text => "text, whole numbers or truth values",
            Self::Floats => "floats of 32 or 64 bits",
        }
    }

    /// What to do about a column of another type.
    fn way_out(self, kind: &DataType, other: &str) -> String {
        match self {
            // What pandas makes of whole numbers with gaps.
            Self::Text if kind.is_floating() => {
                format!(
                    "write it as text or whole numbers, in pandas by astype(\"Int64\"), or {other}"
                )
            }
            Self::Text | Self::Floats => format!("write it as {}, or {other}", self.name()),
        }
    }

    /// How a column is read whose files agree on a type.
    fn read_as(self, agreed: DataType) -> DataType {
        match (self, agreed) {
            (Self::Text, DataType::Null | WIDEST) => DataType::Utf8,
            (Self::Floats, DataType::Null) => DataType::Float32,
            (_, agreed) => agreed,
        }
    }
}

/// A column that a plan takes.
pub(crate) struct Column<'a> {
    pub(crate) name: &'a str,
    pub(crate) holds: Holds,
    /// Whether there is no table without it.
    pub(crate) needed: bool,
}

/// The columns that a plan takes.
pub(crate) enum Wanted<'a> {
    /// All that there are, whatever they hold. Where a file lacks one, its values are null.
    All,
    /// These. `way_out` says what to do where one is not there.
    Named { columns: Vec<Column<'a>>, way_out: &'static str },
}

/// A file of a table and its columns.
pub(crate) struct FileColumns {
    pub(crate) path: PathBuf,
    /// The folder that was named; none where the file was.
    pub(crate) folder: Option<PathBuf>,
    /// Its columns, with the entries of its footer as metadata.
    pub(crate) schema: Schema,
}

impl FileColumns {
    fn kind(&self, name: &str) -> Option<&DataType> {
        let field = self.schema.fields().iter().find(|field| field.name() == name)?;
        Some(field.data_type())
    }

    /// Fails without columns, or with two of one name.
    fn check(&self) -> Result<(), EngineError> {
        let mut seen = BTreeSet::new();
        let twice = self.schema.fields().iter().find(|field| !seen.insert(field.name()));
        match twice {
            Some(field) => {
                let fault = format!("two columns are called {}", field.name());
                Err(table(&self.path, fault, "rename one of them"))
            }
            None if seen.is_empty() => {
                Err(table(&self.path, "it has no columns".to_owned(), "leave it out"))
            }
            None => Ok(()),
        }
    }

    /// Fails unless a column, if it is there, holds what it has to.
    fn check_column(&self, column: &Column<'_>, way_out: &str) -> Result<(), EngineError> {
        match self.kind(column.name) {
            Some(kind) if !column.holds.fits(kind) => {
                let (name, wanted) = (column.name, column.holds.name());
                let fault = format!("column {name} holds {kind}, not {wanted}");
                Err(table(&self.path, fault, &column.holds.way_out(kind, way_out)))
            }
            _ => Ok(()),
        }
    }
}

fn table(path: &Path, fault: String, way_out: &str) -> EngineError {
    EngineError::Table { path: path.to_path_buf(), fault, way_out: way_out.to_owned() }
}

/// The key of a footer under which `tutor predict` keeps, in each part of its labels, a digest of
/// what all of them together are: network, samples, options, number of parts.
const LABELLING: &str = "tutor.parts";

/// Fails where parts in one folder, or among the files that were named one by one, are of different
/// labellings. Parts that do not say it are taken as they are.
pub(crate) fn one_labelling(files: &[FileColumns]) -> Result<(), EngineError> {
    let mut known: BTreeMap<Option<&Path>, (&Path, &str)> = BTreeMap::new();
    for file in files.iter().filter(|file| is_part(&file.path)) {
        let Some(own) = file.schema.metadata().get(LABELLING) else { continue };
        let (first, known) = known.entry(file.folder.as_deref()).or_insert((&file.path, own));
        if *known != own {
            let first = first.display();
            let fault = format!(
                "this part is of another labelling than {first}, which differs in the network, \
                 the samples, or the options"
            );
            let way_out = "label all parts by the same command in a new folder; folders that are \
                           whole may be named beside each other";
            return Err(table(&file.path, fault, way_out));
        }
    }
    Ok(())
}

/// The columns that a plan takes, with the types in which all files are read.
pub(crate) fn agreed(files: &[FileColumns], wanted: &Wanted<'_>) -> Result<Schema, EngineError> {
    files.iter().try_for_each(FileColumns::check)?;
    let mut fields = Vec::new();
    let mut seen = BTreeSet::new();
    let mut add = |name: &str, kind| fields.push(Field::new(name, kind, true));
    match wanted {
        Wanted::All => {
            for field in files.iter().flat_map(|file| file.schema.fields()) {
                if seen.insert(field.name().as_str()) {
                    add(field.name(), one_type(files, field.name())?);
                }
            }
        }
        Wanted::Named { columns, way_out } => {
            for column in columns {
                if !is_there(files, column, way_out)? {
                    continue;
                }
                let kind = one_type(files, column.name)?;
                files.iter().try_for_each(|file| file.check_column(column, way_out))?;
                if seen.insert(column.name) {
                    add(column.name, column.holds.read_as(kind));
                }
            }
        }
    }
    Ok(Schema::new(fields))
}

/// Whether the files have a column. Fails if one of them lacks what others have, since its values
/// would be null, and if all lack what is needed.
fn is_there(
    files: &[FileColumns],
    column: &Column<'_>,
    way_out: &str,
) -> Result<bool, EngineError> {
    let name = column.name;
    let Some(without) = files.iter().find(|file| file.kind(name).is_none()) else {
        return Ok(true);
    };
    if files.iter().any(|file| file.kind(name).is_some()) {
        let fault = format!("there is no column {name}, which other files have");
        return Err(table(&without.path, fault, "name files with the same columns"));
    }
    if column.needed {
        let all: Vec<&str> =
            without.schema.fields().iter().map(|field| field.name().as_str()).collect();
        let fault = format!("there is no column {name} among {}", all.join(", "));
        return Err(table(&without.path, fault, way_out));
    }
    Ok(false)
}

/// The type that holds a column's values of all files as they are.
fn one_type(files: &[FileColumns], name: &str) -> Result<DataType, EngineError> {
    let kinds = files.iter().filter_map(|file| Some((&file.path, file.kind(name)?)));
    // A column of nulls alone is of any type.
    let mut kinds = kinds.filter(|(_, kind)| **kind != DataType::Null);
    let Some((first, kind)) = kinds.next() else { return Ok(DataType::Null) };
    kinds.try_fold(kind.clone(), |found, (path, other)| {
        common(&found, other).ok_or_else(|| {
            let fault = format!("column {name} holds {other}, that of {} {kind}", first.display());
            table(path, fault, "write the column with one type in all files")
        })
    })
}

/// Holds all whole numbers of 64 bits, with and without a sign.
const WIDEST: DataType = DataType::Decimal128(20, 0);

/// The type that holds the values of two types as they are.
fn common(a: &DataType, b: &DataType) -> Option<DataType> {
    if a.equals_datatype(b) {
        return Some(a.clone());
    }
    if is_string(a) && is_string(b) {
        return Some(DataType::Utf8);
    }
    if a.is_floating() && b.is_floating() {
        let wider = if a.primitive_width() >= b.primitive_width() { a } else { b };
        return Some(wider.clone());
    }
    let numbers = [whole_number(a)?, whole_number(b)?];
    let signed = numbers.iter().any(|(signed, _)| *signed);
    // Beside a sign, numbers without one need the next width.
    let bits = numbers.map(|(own, bits)| if own == signed { bits } else { 2 * bits });
    Some(match (signed, bits[0].max(bits[1])) {
        (true, 8) => DataType::Int8,
        (true, 16) => DataType::Int16,
        (true, 32) => DataType::Int32,
        (true, 64) => DataType::Int64,
        (false, 8) => DataType::UInt8,
        (false, 16) => DataType::UInt16,
        (false, 32) => DataType::UInt32,
        (false, 64) => DataType::UInt64,
        _ => WIDEST,
    })
}

/// Whether whole numbers of a type have a sign, and their bits.
fn whole_number(kind: &DataType) -> Option<(bool, usize)> {
    if *kind == WIDEST {
        return Some((true, 128));
    }
    let kind = values(kind);
    let bits = 8 * kind.primitive_width().filter(|_| kind.is_integer())?;
    Some((kind.is_signed_integer(), bits))
}

/// The type of a column's values, as they are or by a dictionary.
fn values(kind: &DataType) -> &DataType {
    match kind {
        DataType::Dictionary(_, of) => of,
        _ => kind,
    }
}

/// Whether a column holds text, as it is or by a dictionary.
pub(crate) fn is_string(kind: &DataType) -> bool {
    values(kind).is_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_common_type_loses_nothing() {
        use DataType::*;
        let dictionary = Dictionary(Box::new(Int32), Box::new(Utf8));
        let numbers = Dictionary(Box::new(Int32), Box::new(Int8));
        for (a, b, wanted) in [
            (Utf8, LargeUtf8, Some(Utf8)),
            (dictionary, Utf8View, Some(Utf8)),
            (LargeUtf8, LargeUtf8, Some(LargeUtf8)),
            (Float32, Float64, Some(Float64)),
            (Int8, Int64, Some(Int64)),
            (UInt8, UInt16, Some(UInt16)),
            (UInt8, Int8, Some(Int16)),
            (UInt32, Int64, Some(Int64)),
            (UInt64, Int8, Some(WIDEST)),
            (WIDEST, UInt32, Some(WIDEST)),
            (numbers.clone(), numbers.clone(), Some(numbers.clone())),
            (numbers.clone(), Int8, Some(Int8)),
            (numbers.clone(), UInt32, Some(Int64)),
            (numbers, Utf8, None),
            (Boolean, Boolean, Some(Boolean)),
            (Int64, Float64, None),
            (Int64, Utf8, None),
            (Int64, Boolean, None),
            (Utf8, Binary, None),
            (Utf8, Date32, None),
        ] {
            assert_eq!(common(&a, &b), wanted, "{a} and {b}");
            assert_eq!(common(&b, &a), wanted, "{b} and {a}");
        }
    }
}
