//! `tutor predict`: labels a folder of images.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Result, bail};

use crate::assemble::{Pool, Set};
use crate::evaluate::Predictions;
use crate::finished::{Finished, Which};
use crate::report::result::write_atomically;

/// Which network labels which images.
#[derive(clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    which: Which,
    /// The folder of images; sub-folders are searched too.
    images: PathBuf,
    /// Where the labels go: `.csv` or `.parquet`.
    #[arg(long, default_value = "labels.csv")]
    out: PathBuf,
}

pub(crate) fn run(args: &Args) -> Result<()> {
    let extension =
        args.out.extension().and_then(|e| e.to_str()).unwrap_or_default().to_lowercase();
    if extension != "csv" && extension != "parquet" {
        bail!("{}: the name must end in .csv or .parquet", args.out.display());
    }
    let finished = Finished::load(&args.which)?;
    let set: Set = Arc::new(finished.open(&args.images, false)?);
    let pool = Pool::all(set.clone());
    let predictions = finished.predict(&pool)?;
    let ids: Vec<String> = (0..set.len()).map(|i| set.id(i)).collect();
    match extension.as_str() {
        "csv" => csv(&args.out, &ids, &finished.input.classes, &predictions)?,
        _ => parquet::write(&args.out, &ids, &finished.input.classes, &predictions)?,
    }
    println!("{}: {} images labelled by {}", args.out.display(), ids.len(), finished.about);
    Ok(())
}

/// A line an image: its path, the class, how sure the network is, and the probability of every class.
fn csv(path: &Path, ids: &[String], classes: &[String], predictions: &Predictions) -> Result<()> {
    let mut writer = csv::Writer::from_writer(Vec::new());
    let heads = ["image", "label", "confidence"].map(str::to_owned);
    writer
        .write_record(heads.into_iter().chain(classes.iter().map(|class| format!("p_{class}"))))?;
    for ((id, (class, confidence)), row) in
        ids.iter().zip(predictions.top()).zip(predictions.rows())
    {
        let first = [id.clone(), classes[class as usize].clone(), confidence.to_string()];
        writer.write_record(first.into_iter().chain(row.iter().map(f32::to_string)))?;
    }
    write_atomically(path, &writer.into_inner()?)?;
    Ok(())
}

/// The same table as Parquet.
mod parquet {
    use std::path::Path;
    use std::sync::Arc;

    use anyhow::Result;
    use parquet::basic::{LogicalType, Repetition, Type as Physical};
    use parquet::data_type::{ByteArray, ByteArrayType, FloatType};
    use parquet::file::properties::WriterProperties;
    use parquet::file::writer::SerializedFileWriter;
    use parquet::schema::types::Type;

    use crate::evaluate::Predictions;
    use crate::report::result::write_atomically;

    /// Columns `image`, `label` (strings), `confidence` and one `p_<class>` a class (32-bit floats).
    pub(super) fn write(
        path: &Path,
        ids: &[String],
        classes: &[String],
        predictions: &Predictions,
    ) -> Result<()> {
        let text = |name: &str| {
            let column = Type::primitive_type_builder(name, Physical::BYTE_ARRAY)
                .with_repetition(Repetition::REQUIRED);
            column.with_logical_type(Some(LogicalType::String)).build().map(Arc::new)
        };
        let float = |name: &str| {
            let column = Type::primitive_type_builder(name, Physical::FLOAT)
                .with_repetition(Repetition::REQUIRED);
            column.build().map(Arc::new)
        };
        let mut fields = vec![text("image")?, text("label")?, float("confidence")?];
        for class in classes {
            fields.push(float(&format!("p_{class}"))?);
        }
        let schema = Arc::new(Type::group_type_builder("predictions").with_fields(fields).build()?);
        let properties = Arc::new(WriterProperties::builder().build());
        let mut writer = SerializedFileWriter::new(Vec::new(), schema, properties)?;
        let mut group = writer.next_row_group()?;
        let tops: Vec<(u32, f32)> = predictions.top().collect();
        let ids: Vec<ByteArray> = ids.iter().map(|id| ByteArray::from(id.as_str())).collect();
        let labels: Vec<ByteArray> = tops
            .iter()
            .map(|&(class, _)| ByteArray::from(classes[class as usize].as_str()))
            .collect();
        for column in [ids, labels] {
            let mut writer = group.next_column()?.expect("a column a field");
            writer.typed::<ByteArrayType>().write_batch(&column, None, None)?;
            writer.close()?;
        }
        let confidence = tops.iter().map(|&(_, confidence)| confidence).collect();
        let probabilities =
            (0..classes.len()).map(|class| predictions.rows().map(|row| row[class]).collect());
        for column in std::iter::once::<Vec<f32>>(confidence).chain(probabilities) {
            let mut writer = group.next_column()?.expect("a column a field");
            writer.typed::<FloatType>().write_batch(&column, None, None)?;
            writer.close()?;
        }
        group.close()?;
        write_atomically(path, &writer.into_inner()?)?;
        Ok(())
    }
}
