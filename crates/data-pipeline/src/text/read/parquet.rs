//! Columns of text in Parquet files.

mod values;

use crate::error::DataError;
use parquet::basic::Compression;
use parquet::column::reader::{ColumnReader, get_column_reader};
use parquet::data_type::{ByteArray, FixedLenByteArray};
use parquet::errors::ParquetError;
use parquet::file::metadata::{ParquetMetaData, ParquetMetaDataReader};
use parquet::file::serialized_reader::SerializedPageReader;
use parquet::schema::types::ColumnDescriptor;
use std::fs::File;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use values::{Values, date, decimal, type_name};

pub(crate) use values::is_unsigned;

/// A Parquet file of which some columns are read as text, a row group at a time.
pub(crate) struct Columns {
    path: PathBuf,
    footer: ParquetMetaData,
    /// The leaf columns that are read.
    leaves: Vec<usize>,
    group: usize,
}

/// The cells of a row; numbers, truth values, dates (`2024-02-29`) are written out, null is none.
pub(crate) type Row = Vec<Option<String>>;

/// The names of the columns of a Parquet file.
pub(crate) fn columns(path: &Path) -> Result<Vec<String>, DataError> {
    let footer = footer(path)?;
    let columns = footer.file_metadata().schema_descr().columns();
    Ok(columns.iter().map(|column| column.path().string()).collect())
}

fn footer(path: &Path) -> Result<ParquetMetaData, DataError> {
    let file = File::open(path).map_err(DataError::io(path, "check the path"))?;
    let footer = guarded(|| ParquetMetaDataReader::new().parse_and_finish(&file));
    footer.map_err(|fault| DataError::format(path, 0, fault))
}

impl Columns {
    /// Reads the footer. Fails if a column is missing or no column of single values, if it has
    /// neither text nor numbers, and if it is packed in a way that is not read.
    pub(crate) fn open(path: &Path, names: &[&str]) -> Result<Self, DataError> {
        let footer = footer(path)?;
        let columns = footer.file_metadata().schema_descr().columns();
        let leaf = |name: &&str| {
            let is =
                |c: &Arc<ColumnDescriptor>| c.path().string() == **name && c.max_rep_level() == 0;
            columns.iter().position(is).ok_or_else(|| {
                let names: Vec<String> = columns.iter().map(|c| c.path().string()).collect();
                DataError::Column {
                    path: path.to_path_buf(),
                    column: format!("`{name}` of single values"),
                    found: names,
                }
            })
        };
        let leaves: Vec<usize> = names.iter().map(leaf).collect::<Result<_, _>>()?;
        for &leaf in &leaves {
            let column = &columns[leaf];
            if Values::of(column).is_none() {
                return Err(DataError::Missing {
                    path: path.to_path_buf(),
                    fault: format!(
                        "its column `{}` is of type {}, which is read neither as text nor as \
                         numbers",
                        column.path().string(),
                        type_name(column)
                    ),
                    way_out: "write it as text or as numbers",
                });
            }
            packed(path, &footer, leaf)?;
        }
        Ok(Self { path: path.to_path_buf(), leaves, footer, group: 0 })
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// The names of classes 0, 1, ... in a column of numbers, where Hugging Face's `datasets` noted
    /// them.
    pub(crate) fn class_names(&self, column: &str) -> Option<Vec<String>> {
        let notes = self.footer.file_metadata().key_value_metadata();
        let note = notes.into_iter().flatten().find(|note| note.key == "huggingface")?;
        let note: serde_json::Value = serde_json::from_str(note.value.as_deref()?).ok()?;
        let names = note["info"]["features"][column]["names"].as_array()?;
        names.iter().map(|name| name.as_str().map(str::to_owned)).collect()
    }

    /// The rows of the next row group.
    pub(crate) fn next_group(&mut self) -> Result<Option<Vec<Row>>, DataError> {
        if self.group >= self.footer.num_row_groups() {
            return Ok(None);
        }
        let group = self.group;
        self.group += 1;
        let read = guarded(|| self.rows(group));
        read.map(Some).map_err(|fault| {
            DataError::format(&self.path, 0, format!("row group {group}: {fault}"))
        })
    }

    fn rows(&self, group: usize) -> Result<Vec<Row>, ParquetError> {
        let count = usize::try_from(self.footer.row_group(group).num_rows()).unwrap_or_default();
        let mut rows: Vec<Row> = Vec::new();
        for (place, &leaf) in self.leaves.iter().enumerate() {
            let cells = self.cells(group, leaf, count)?;
            if cells.len() != count {
                let fault = format!("{} of {count} rows are there", cells.len());
                return Err(ParquetError::EOF(fault));
            }
            if place == 0 {
                rows = cells.into_iter().map(|cell| vec![cell]).collect();
            } else {
                rows.iter_mut().zip(cells).for_each(|(row, cell)| row.push(cell));
            }
        }
        Ok(rows)
    }

    fn cells(
        &self,
        group: usize,
        leaf: usize,
        rows: usize,
    ) -> Result<Vec<Option<String>>, ParquetError> {
        let descriptor = self.footer.file_metadata().schema_descr().column(leaf);
        let most = descriptor.max_def_level();
        let file = Arc::new(File::open(&self.path)?);
        let column = self.footer.row_group(group).column(leaf);
        let pages = SerializedPageReader::new(file, column, rows, None)?;
        let mut levels: Vec<i16> = Vec::new();
        macro_rules! read {
            ($reader:ident, $text:expr) => {{
                let mut values = Vec::new();
                let mut done = 0;
                while done < rows {
                    let (read, ..) =
                        $reader.read_records(rows - done, Some(&mut levels), None, &mut values)?;
                    if read == 0 {
                        break;
                    }
                    done += read;
                }
                values.iter().map($text).collect::<Result<Vec<String>, ParquetError>>()?
            }};
        }
        let kind = Values::of(&descriptor);
        let values = match (get_column_reader(descriptor, Box::new(pages)), kind) {
            (ColumnReader::ByteArrayColumnReader(mut r), Some(Values::Decimal(scale))) => {
                read!(r, |v: &ByteArray| decimal(v.data(), scale))
            }
            (ColumnReader::FixedLenByteArrayColumnReader(mut r), Some(Values::Decimal(scale))) => {
                read!(r, |v: &FixedLenByteArray| decimal(v.data(), scale))
            }
            (ColumnReader::Int32ColumnReader(mut r), Some(Values::Decimal(scale))) => {
                read!(r, |v: &i32| decimal(&v.to_be_bytes(), scale))
            }
            (ColumnReader::Int64ColumnReader(mut r), Some(Values::Decimal(scale))) => {
                read!(r, |v: &i64| decimal(&v.to_be_bytes(), scale))
            }
            (ColumnReader::Int32ColumnReader(mut r), Some(Values::Date)) => {
                read!(r, |v: &i32| Ok(date(i64::from(*v))))
            }
            (ColumnReader::Int32ColumnReader(mut r), Some(Values::Unsigned)) => {
                read!(r, |v: &i32| Ok(v.cast_unsigned().to_string()))
            }
            (ColumnReader::Int64ColumnReader(mut r), Some(Values::Unsigned)) => {
                read!(r, |v: &i64| Ok(v.cast_unsigned().to_string()))
            }
            (ColumnReader::ByteArrayColumnReader(mut r), _) => {
                read!(r, |v: &ByteArray| v.as_utf8().map(str::to_owned))
            }
            (ColumnReader::Int32ColumnReader(mut r), _) => read!(r, |v: &i32| Ok(v.to_string())),
            (ColumnReader::Int64ColumnReader(mut r), _) => read!(r, |v: &i64| Ok(v.to_string())),
            (ColumnReader::BoolColumnReader(mut r), _) => read!(r, |v: &bool| Ok(v.to_string())),
            (ColumnReader::FloatColumnReader(mut r), _) => read!(r, |v: &f32| Ok(v.to_string())),
            (ColumnReader::DoubleColumnReader(mut r), _) => read!(r, |v: &f64| Ok(v.to_string())),
            _ => {
                let fault = "a column holds neither text nor numbers";
                return Err(ParquetError::General(fault.into()));
            }
        };
        if most == 0 {
            return Ok(values.into_iter().map(Some).collect());
        }
        let mut values = values.into_iter();
        Ok(levels.iter().map(|&level| if level == most { values.next() } else { None }).collect())
    }
}

/// Fails if a column is packed in a way that is not read.
pub(crate) fn packed(
    path: &Path,
    footer: &ParquetMetaData,
    column: usize,
) -> Result<(), DataError> {
    for group in footer.row_groups() {
        let name = match group.column(column).compression() {
            Compression::BROTLI(_) => "Brotli",
            Compression::LZO => "LZO",
            _ => continue,
        };
        let fault = format!(
            "its column `{}` is compressed by {name}, which is not read",
            group.column(column).column_descr().path().string()
        );
        let way_out = "write it with Zstandard or Snappy";
        return Err(DataError::Missing { path: path.to_path_buf(), fault, way_out });
    }
    Ok(())
}

/// Runs a reader, whose faults become text; a damaged file may make it panic.
fn guarded<T>(read: impl FnOnce() -> Result<T, ParquetError>) -> Result<T, String> {
    match catch_unwind(AssertUnwindSafe(read)) {
        Ok(read) => read.map_err(|error| error.to_string()),
        Err(_) => Err("the reader of Parquet gave up".into()),
    }
}
