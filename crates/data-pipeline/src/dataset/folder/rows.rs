//! Rows of a Parquet file of images as Hugging Face's `datasets` writes it, read one by one.

use super::columns::Columns;
use super::content::NO_IMAGE;
use crate::error::DataError;
use crate::text::read::{is_unsigned, packed};
use parquet::basic::Type as Physical;
use parquet::column::reader::{ColumnReader, get_column_reader};
use parquet::data_type::ByteArray;
use parquet::errors::ParquetError;
use parquet::file::metadata::{ParquetMetaData, ParquetMetaDataReader};
use parquet::file::serialized_reader::SerializedPageReader;
use parquet::schema::types::ColumnDescriptor;
use std::fs::File;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// A Parquet file that is known by its footer; images are read when they are asked for.
#[derive(Debug)]
pub(super) struct Rows {
    path: PathBuf,
    footer: ParquetMetaData,
    /// The leaf column of encoded images.
    image: usize,
    /// The leaf column of the paths that the images had, beside their bytes.
    origin: Option<usize>,
    /// The leaf column of labels.
    label: Option<usize>,
    /// A column that is called as one of labels and holds lists.
    lists: Option<String>,
    /// The names of classes 0, 1, ..., where the file says so.
    names: Option<Vec<String>>,
    /// Other columns that could be the labels.
    others: Vec<String>,
    /// The first row of each row group, and the number of rows.
    starts: Vec<usize>,
}

/// The labels of a file.
#[derive(Debug)]
pub(super) enum Labels {
    None,
    Numbers(Vec<Option<i128>>),
    Names(Vec<Option<String>>),
}

/// The cells of a column; one of these has them, the others are empty.
#[derive(Default)]
struct Cells {
    /// Of every width, with a sign or without.
    numbers: Vec<Option<i128>>,
    reals: Vec<Option<f64>>,
    texts: Vec<Option<String>>,
}

impl Rows {
    /// Reads the footer. Fails if the file is no Parquet or has no column of encoded images.
    pub(super) fn open(path: &Path) -> Result<Self, DataError> {
        let file = File::open(path).map_err(DataError::io(path, "check the path"))?;
        let footer = guarded(|| ParquetMetaDataReader::new().parse_and_finish(&file));
        let footer = footer.map_err(|fault| DataError::format(path, 0, fault))?;
        let columns = Columns::of(&footer);
        let (image, lists) = (columns.image(path)?, columns.lists());
        let (origin, found) = (columns.origin(image), columns.label());
        let label = found.as_ref().map(|found| found.place);
        let (names, others) = found.map(|found| (found.names, found.others)).unwrap_or_default();
        for column in [Some(image), label].into_iter().flatten() {
            packed(path, &footer, column)?;
        }
        let mut starts = vec![0];
        for (number, group) in footer.row_groups().iter().enumerate() {
            // A damaged number would be taken for that many images.
            let (rows, images) = (group.num_rows(), group.column(image).num_values());
            let end = u32::try_from(rows).ok().filter(|_| rows == images).and_then(|rows| {
                let end: usize = starts[number] + rows as usize;
                u32::try_from(end).is_ok().then_some(end)
            });
            let fault =
                || format!("row group {number} says that it has {rows} rows and {images} images");
            starts.push(end.ok_or_else(|| DataError::format(path, 0, fault()))?);
        }
        let path = path.to_path_buf();
        Ok(Self { path, image, origin, label, lists, names, others, starts, footer })
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// How many rows there are.
    pub(super) fn len(&self) -> usize {
        self.starts[self.starts.len() - 1]
    }

    /// The names of classes by number.
    pub(super) fn names(&self) -> Option<&[String]> {
        self.names.as_deref()
    }

    /// The column of labels, and the others that could be meant.
    pub(super) fn label_columns(&self) -> Option<(String, &[String])> {
        Some((self.descriptor(self.label?).path().string(), &self.others))
    }

    /// The columns, for messages.
    pub(super) fn columns(&self) -> String {
        let columns = self.footer.file_metadata().schema_descr().columns();
        columns.iter().map(|c| c.path().string()).collect::<Vec<_>>().join(", ")
    }

    /// The row group of a row.
    pub(super) fn group(&self, row: usize) -> usize {
        self.starts.partition_point(|&start| start <= row) - 1
    }

    /// The encoded image of a row; the error says what is wrong with it.
    pub(super) fn image(&self, row: usize) -> Result<Vec<u8>, String> {
        let mut found = Err("there is no such row".to_owned());
        self.images(row, 1, |_, bytes| found = bytes.map(<[u8]>::to_vec));
        found
    }

    /// Hands out `count` images, the first in row `first` and all in its row group, each with its
    /// number from 0.
    pub(super) fn images(
        &self,
        first: usize,
        count: usize,
        mut each: impl FnMut(usize, Result<&[u8], String>),
    ) {
        let (group, mut done) = (self.group(first), 0);
        let opened = guarded(|| {
            let ColumnReader::ByteArrayColumnReader(mut reader) = self.column(group, self.image)?
            else {
                return Err(ParquetError::General("images are no byte arrays".into()));
            };
            let before = first - self.starts[group];
            if reader.skip_records(before)? != before {
                return Err(ParquetError::EOF("fewer rows than the footer says".into()));
            }
            Ok(reader)
        });
        let mut reader = match opened {
            Ok(reader) => reader,
            Err(fault) => return (0..count).for_each(|n| each(n, Err(fault.clone()))),
        };
        while done < count {
            let (mut levels, mut values) = (Vec::new(), Vec::<ByteArray>::new());
            let read = guarded(|| {
                let want = (count - done).min(16);
                reader.read_records(want, Some(&mut levels), None, &mut values)
            });
            let rows = match read {
                Ok((0, ..)) => {
                    let fault = "fewer rows than the footer says".to_owned();
                    return (done..count).for_each(|n| each(n, Err(fault.clone())));
                }
                Ok((rows, ..)) => rows,
                Err(fault) => return (done..count).for_each(|n| each(n, Err(fault.clone()))),
            };
            let most = self.descriptor(self.image).max_def_level();
            let mut values = values.iter();
            for n in 0..rows {
                let is_there = levels.get(n).is_none_or(|&level| level == most);
                let value = if is_there { values.next() } else { None };
                let missing = || NO_IMAGE.to_owned();
                each(done + n, value.map(ByteArray::data).ok_or_else(missing));
            }
            done += rows;
        }
    }

    /// Rows without an encoded image. The pictures are read only where the footer does not tell.
    pub(super) fn without_image(&self) -> Vec<usize> {
        let mut missing = Vec::new();
        for (group, metadata) in self.footer.row_groups().iter().enumerate() {
            let all = self.starts[group]..self.starts[group + 1];
            let chunk = metadata.column(self.image);
            let nulls = chunk.statistics().and_then(|known| known.null_count_opt());
            // No encoded image has so few bytes.
            let tiny = chunk.uncompressed_size() / 16 < all.len() as i64;
            match nulls {
                Some(0) => {}
                Some(count) if count >= all.len() as u64 => missing.extend(all),
                None if !tiny => {}
                // What cannot be read is told when the images are decoded.
                _ => missing.extend(self.nulls(group).unwrap_or_default()),
            }
        }
        missing
    }

    /// The rows of a group that have no image.
    fn nulls(&self, group: usize) -> Result<Vec<usize>, String> {
        let most = self.descriptor(self.image).max_def_level();
        let rows = self.starts[group]..self.starts[group + 1];
        guarded(|| {
            let mut nulls = Vec::new();
            let ColumnReader::ByteArrayColumnReader(mut reader) = self.column(group, self.image)?
            else {
                return Ok(nulls);
            };
            let (mut levels, mut values) = (Vec::new(), Vec::new());
            let mut next = rows.start;
            while next < rows.end {
                levels.clear();
                values.clear();
                let want = (rows.end - next).min(16);
                let (read, ..) = reader.read_records(want, Some(&mut levels), None, &mut values)?;
                if read == 0 {
                    break;
                }
                let here = levels.iter().zip(next..).filter(|(level, _)| **level != most);
                nulls.extend(here.map(|(_, row)| row));
                next += read;
            }
            Ok(nulls)
        })
    }

    /// The paths that the images had before they came into this file; empty if none is told.
    pub(super) fn origins(&self) -> Vec<Option<String>> {
        let cells = self.origin.map(|column| self.cells(column));
        cells.and_then(Result::ok).map(|cells| cells.texts).unwrap_or_default()
    }

    /// The name of the column of images.
    pub(super) fn image_column(&self) -> String {
        self.descriptor(self.image).path().string()
    }

    /// A column that is called as one of labels and holds lists.
    pub(super) fn lists(&self) -> Option<&str> {
        self.lists.as_deref()
    }

    /// All labels, in the order of the rows.
    pub(super) fn labels(&self) -> Result<Labels, DataError> {
        let Some(column) = self.label else { return Ok(Labels::None) };
        let descriptor = self.descriptor(column);
        let refused = |what: String| DataError::Missing {
            path: self.path.clone(),
            fault: format!("{what}; labels must be whole numbers or texts"),
            way_out: "change the column of labels, or use the file for unlabelled images",
        };
        let name = descriptor.path().string();
        match descriptor.physical_type() {
            Physical::INT96 | Physical::FIXED_LEN_BYTE_ARRAY => {
                let kind = descriptor.physical_type();
                return Err(refused(format!("its column `{name}` is of the type {kind}")));
            }
            _ => {}
        }
        let cells = self.cells(column);
        let Cells { mut numbers, reals, texts } =
            cells.map_err(|fault| DataError::format(&self.path, 0, format!("labels: {fault}")))?;
        for (row, real) in reals.into_iter().enumerate() {
            // No number is how Pandas says that a number is missing.
            numbers.push(match real.filter(|real| !real.is_nan()) {
                Some(real) if real.fract() != 0.0 || real.abs() > 1e15 => {
                    return Err(refused(format!("row {row}: its column `{name}` is {real}")));
                }
                real => real.map(|real| real as i128),
            });
        }
        if numbers.len().max(texts.len()) != self.len() {
            let fault = format!("{} labels for {} rows", numbers.len() + texts.len(), self.len());
            return Err(DataError::format(&self.path, 0, fault));
        }
        Ok(if texts.is_empty() { Labels::Numbers(numbers) } else { Labels::Names(texts) })
    }

    /// All cells of a column that is not repeated, in the order of the rows.
    fn cells(&self, column: usize) -> Result<Cells, String> {
        let mut cells = Cells::default();
        guarded(|| {
            let mut groups = 0..self.footer.num_row_groups();
            groups.try_for_each(|group| self.cells_of(group, column, &mut cells))
        })?;
        Ok(cells)
    }

    fn cells_of(&self, group: usize, column: usize, into: &mut Cells) -> Result<(), ParquetError> {
        let rows = self.starts[group + 1] - self.starts[group];
        let descriptor = self.descriptor(column);
        let (most, unsigned) = (descriptor.max_def_level(), is_unsigned(&descriptor));
        let mut levels = Vec::new();
        /// Puts values to the rows that have one.
        fn spread<T>(values: Vec<T>, levels: &[i16], most: i16, into: &mut Vec<Option<T>>) {
            if most == 0 {
                return into.extend(values.into_iter().map(Some));
            }
            let mut values = values.into_iter();
            into.extend(
                levels.iter().map(|&level| if level == most { values.next() } else { None }),
            );
        }
        macro_rules! read {
            ($reader:ident) => {{
                let mut values = Vec::new();
                while levels.len().max(values.len()) < rows {
                    let done = levels.len().max(values.len());
                    let (read, ..) =
                        $reader.read_records(rows - done, Some(&mut levels), None, &mut values)?;
                    if read == 0 {
                        break;
                    }
                }
                values
            }};
        }
        match self.column(group, column)? {
            ColumnReader::Int64ColumnReader(mut reader) => {
                let values: Vec<i64> = read!(reader);
                let whole = |value: i64| match unsigned {
                    true => i128::from(value as u64),
                    false => i128::from(value),
                };
                spread(values.into_iter().map(whole).collect(), &levels, most, &mut into.numbers)
            }
            ColumnReader::Int32ColumnReader(mut reader) => {
                let values: Vec<i32> = read!(reader);
                let whole = |value: i32| match unsigned {
                    true => i128::from(value as u32),
                    false => i128::from(value),
                };
                spread(values.into_iter().map(whole).collect(), &levels, most, &mut into.numbers)
            }
            ColumnReader::BoolColumnReader(mut reader) => {
                let values: Vec<bool> = read!(reader);
                let whole = values.into_iter().map(i128::from).collect();
                spread(whole, &levels, most, &mut into.numbers)
            }
            ColumnReader::DoubleColumnReader(mut reader) => {
                spread(read!(reader), &levels, most, &mut into.reals)
            }
            ColumnReader::FloatColumnReader(mut reader) => {
                let values: Vec<f32> = read!(reader);
                spread(values.into_iter().map(f64::from).collect(), &levels, most, &mut into.reals)
            }
            ColumnReader::ByteArrayColumnReader(mut reader) => {
                let values: Vec<ByteArray> = read!(reader);
                let text = |v: ByteArray| v.as_utf8().map(str::to_owned);
                let values = values.into_iter().map(text).collect::<Result<_, _>>()?;
                spread(values, &levels, most, &mut into.texts)
            }
            _ => {
                let fault = "the column holds neither numbers nor text";
                return Err(ParquetError::General(fault.into()));
            }
        }
        Ok(())
    }

    fn descriptor(&self, column: usize) -> Arc<ColumnDescriptor> {
        self.footer.file_metadata().schema_descr().column(column)
    }

    /// Reads a column of a row group from a file of its own: clones of an open file would share
    /// their position between threads.
    fn column(&self, group: usize, column: usize) -> Result<ColumnReader, ParquetError> {
        let file = Arc::new(File::open(&self.path)?);
        let group = self.footer.row_group(group);
        let rows = usize::try_from(group.num_rows()).unwrap_or_default();
        let pages = SerializedPageReader::new(file, group.column(column), rows, None)?;
        Ok(get_column_reader(self.descriptor(column), Box::new(pages)))
    }
}

/// Runs a reader, whose faults become text; a damaged file may make it panic.
fn guarded<T>(read: impl FnOnce() -> Result<T, ParquetError>) -> Result<T, String> {
    match catch_unwind(AssertUnwindSafe(read)) {
        Ok(read) => read.map_err(|error| error.to_string()),
        Err(_) => Err("the reader of Parquet gave up".into()),
    }
}
