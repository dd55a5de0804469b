//! Folders of Parquet files of selected rows, that are there as a whole or not at all.

use crate::error::EngineError;
use crate::stores::files;
use datafusion::arrow::array::{ArrayRef, AsArray, Float32Array, RecordBatch, StringArray};
use datafusion::arrow::datatypes::{Field, Float32Type, Schema, UInt32Type};
use datafusion::parquet::arrow::ArrowWriter;
use datafusion::parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use datafusion::parquet::basic::{Compression, ZstdLevel};
use datafusion::parquet::errors::ParquetError;
use datafusion::parquet::file::properties::WriterProperties;
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

/// Rows of a file at most.
const ROWS: usize = 1 << 22;

/// A folder that is being written, beside its place until it is whole.
pub(crate) struct Parts {
    schema: Arc<Schema>,
    out: PathBuf,
    partial: PathBuf,
    number: usize,
    file: Option<Part>,
    whole: bool,
}

/// The file that rows go to.
struct Part {
    /// Where it will be, by which messages name it.
    path: PathBuf,
    writer: ArrowWriter<File>,
    rows: usize,
}

impl Parts {
    /// Begins a folder that is not there yet, of rows with these columns.
    pub(crate) fn create(out: &Path, columns: Vec<Field>) -> Result<Self, EngineError> {
        let address = out.to_str().and_then(|text| text.split_once("://"));
        if let Some((scheme, _)) = address.filter(|_| !out.parent().is_some_and(Path::is_dir)) {
            return Err(EngineError::Asked(format!(
                "{}: results go to a disk, not to {scheme}:// (name a folder of this machine by \
                 --out, and copy it from there)",
                out.display()
            )));
        }
        if out.symlink_metadata().is_ok() {
            let out = out.display();
            return Err(EngineError::Asked(format!("{out} is there already: name a new folder")));
        }
        let mut name = out.file_name().unwrap_or_default().to_owned();
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_nanos();
        name.push(format!(".partial-{}-{now}", std::process::id()));
        let partial = out.with_file_name(name);
        // Not one that another call has left, nor a parent that nobody meant.
        fs::create_dir(&partial).map_err(EngineError::io(&partial))?;
        let schema = Arc::new(Schema::new(columns));
        Ok(Self { schema, out: out.to_path_buf(), partial, number: 0, file: None, whole: false })
    }

    /// Adds rows.
    pub(crate) fn push(&mut self, columns: Vec<ArrayRef>) -> Result<(), EngineError> {
        let rows = RecordBatch::try_new(self.schema.clone(), columns)?;
        if rows.num_rows() == 0 {
            return Ok(());
        }
        let part = match &mut self.file {
            Some(part) => part,
            None => {
                let how = WriterProperties::builder()
                    .set_compression(Compression::ZSTD(ZstdLevel::try_new(1)?))
                    // Of values that differ a dictionary would only cost time.
                    .set_column_dictionary_enabled("id".into(), false)
                    .set_column_dictionary_enabled("confidence".into(), false)
                    .build();
                let part = self.begin(Some(how))?;
                self.file.insert(part)
            }
        };
        part.writer.write(&rows).map_err(failed(&part.path))?;
        part.rows += rows.num_rows();
        if part.rows >= ROWS { self.close() } else { Ok(()) }
    }

    /// The next file.
    fn begin(&mut self, how: Option<WriterProperties>) -> Result<Part, EngineError> {
        let name = format!("part-{:05}.parquet", self.number);
        let path = self.out.join(&name);
        let file = File::create(self.partial.join(&name)).map_err(EngineError::io(&path))?;
        let writer = ArrowWriter::try_new(file, self.schema.clone(), how).map_err(failed(&path))?;
        self.number += 1;
        Ok(Part { path, writer, rows: 0 })
    }

    fn close(&mut self) -> Result<(), EngineError> {
        if let Some(mut part) = self.file.take() {
            part.writer.finish().map_err(failed(&part.path))?;
            part.writer.inner().sync_all().map_err(EngineError::io(&part.path))?;
        }
        Ok(())
    }

    /// Puts the folder in its place; one without rows has one file without any.
    pub(crate) fn finish(mut self) -> Result<(), EngineError> {
        if self.number == 0 {
            self.file = Some(self.begin(None)?);
        }
        self.close()?;
        fs::rename(&self.partial, &self.out).map_err(EngineError::io(&self.out))?;
        self.whole = true;
        Ok(())
    }
}

/// What went wrong with a file that is written, as when the disk is full.
fn failed(path: &Path) -> impl FnOnce(ParquetError) -> EngineError {
    let path = path.to_path_buf();
    |error| {
        let error = match error {
            ParquetError::External(cause) => match cause.downcast::<io::Error>() {
                Ok(error) => *error,
                Err(cause) => io::Error::other(cause),
            },
            error => io::Error::other(error),
        };
        EngineError::Io { path, error }
    }
}

impl Drop for Parts {
    fn drop(&mut self) {
        if !self.whole {
            let _ = fs::remove_dir_all(&self.partial);
        }
    }
}

/// A selected row: id, label, confidence, copies.
pub type Row = (String, String, f32, u32);

/// The rows of a folder that [`select`](crate::select) wrote, in order.
///
/// # Errors
/// When a file cannot be read.
pub fn read(folder: &Path) -> Result<Vec<Row>, EngineError> {
    let mut rows = Vec::new();
    for path in files(folder)? {
        let file = File::open(&path).map_err(EngineError::io(&path))?;
        for batch in ParquetRecordBatchReaderBuilder::try_new(file)?.build()? {
            let batch = batch?;
            let [ids, labels] = [0, 1].map(|i| batch.column(i).as_string::<i32>());
            let confidences = batch.column(2).as_primitive::<Float32Type>();
            let copies = batch.column(3).as_primitive::<UInt32Type>();
            rows.extend((0..batch.num_rows()).map(|i| {
                let [id, label] = [ids, labels].map(|text| text.value(i).to_owned());
                (id, label, confidences.value(i), copies.value(i))
            }));
        }
    }
    Ok(rows)
}

/// Writes a table of pseudo-labels with the columns that `tutor predict` gives it: image, label,
/// confidence.
///
/// # Errors
/// When the file cannot be written.
pub fn write(path: &Path, rows: &[(&str, &str, f32)]) -> Result<(), EngineError> {
    let confidences = Float32Array::from_iter_values(rows.iter().map(|row| row.2));
    let columns: Vec<(&str, ArrayRef)> = vec![
        ("image", Arc::new(StringArray::from_iter_values(rows.iter().map(|row| row.0)))),
        ("label", Arc::new(StringArray::from_iter_values(rows.iter().map(|row| row.1)))),
        ("confidence", Arc::new(confidences)),
    ];
    let batch = RecordBatch::try_from_iter(columns)?;
    let file = File::create(path).map_err(EngineError::io(path))?;
    let mut writer = ArrowWriter::try_new(file, batch.schema(), None)?;
    writer.write(&batch)?;
    writer.close()?;
    Ok(())
}
