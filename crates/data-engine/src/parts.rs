//! Folders of Parquet files of selected rows, that are there as a whole or not at all.

use crate::error::EngineError;
use crate::stores::whole;
use datafusion::arrow::array::{ArrayRef, AsArray, Float32Array, RecordBatch, StringArray};
use datafusion::arrow::datatypes::{Field, Float32Type, Schema, UInt32Type};
use datafusion::parquet::arrow::ArrowWriter;
use datafusion::parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use datafusion::parquet::basic::{Compression, ZstdLevel};
use datafusion::parquet::file::properties::WriterProperties;
use std::fs::{self, File};
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
    file: Option<(ArrowWriter<File>, usize)>,
    whole: bool,
}

impl Parts {
    /// Begins a folder that is not there yet, of rows with these columns.
    pub(crate) fn create(out: &Path, columns: Vec<Field>) -> Result<Self, EngineError> {
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
        let (writer, written) = match &mut self.file {
            Some(file) => file,
            None => {
                let path = self.partial.join(format!("part-{:05}.parquet", self.number));
                let file = File::create(&path).map_err(EngineError::io(&path))?;
                let how = WriterProperties::builder()
                    .set_compression(Compression::ZSTD(ZstdLevel::try_new(1)?))
                    // Of values that differ a dictionary would only cost time.
                    .set_column_dictionary_enabled("id".into(), false)
                    .set_column_dictionary_enabled("confidence".into(), false)
                    .build();
                self.number += 1;
                let writer = ArrowWriter::try_new(file, self.schema.clone(), Some(how))?;
                self.file.insert((writer, 0))
            }
        };
        writer.write(&rows)?;
        *written += rows.num_rows();
        if *written >= ROWS { self.close() } else { Ok(()) }
    }

    fn close(&mut self) -> Result<(), EngineError> {
        if let Some((writer, _)) = self.file.take() {
            let file = writer.into_inner()?;
            file.sync_all().map_err(EngineError::io(&self.partial))?;
        }
        Ok(())
    }

    /// Puts the folder in its place; one without rows has one file without any.
    pub(crate) fn finish(mut self) -> Result<(), EngineError> {
        if self.number == 0 {
            let path = self.partial.join("part-00000.parquet");
            let file = File::create(&path).map_err(EngineError::io(&path))?;
            ArrowWriter::try_new(file, self.schema.clone(), None)?.close()?;
        }
        self.close()?;
        fs::rename(&self.partial, &self.out).map_err(EngineError::io(&self.out))?;
        self.whole = true;
        Ok(())
    }
}

impl Drop for Parts {
    fn drop(&mut self) {
        if !self.whole {
            let _ = fs::remove_dir_all(&self.partial);
        }
    }
}

/// A file, or those of a folder that end in `.parquet`, by name.
pub(crate) fn files(path: &Path) -> Result<Vec<PathBuf>, EngineError> {
    if !path.metadata().map_err(EngineError::io(path))?.is_dir() {
        return Ok(vec![path.to_path_buf()]);
    }
    let mut files = Vec::new();
    for entry in path.read_dir().map_err(EngineError::io(path))? {
        let file = entry.map_err(EngineError::io(path))?.path();
        if file.extension().is_some_and(|ending| ending == "parquet") && file.is_file() {
            files.push(file);
        }
    }
    files.sort();
    whole(path, files.iter().filter_map(|file| file.file_stem()?.to_str()), files.len())?;
    Ok(files)
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
