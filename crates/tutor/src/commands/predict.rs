//! `tutor predict`: labels new samples.

use std::path::PathBuf;

use anyhow::{Result, bail};

use super::which::Which;
use crate::run::experiment::Predicted;

/// Which network labels what.
#[derive(clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    which: Which,
    /// The folder of samples; sub-folders are searched too.
    samples: PathBuf,
    /// Where the labels go: `.csv` or `.parquet`. A file that is there is replaced if it is named
    /// here; without this option it is `labels.csv`, which must not be there.
    #[arg(long)]
    out: Option<PathBuf>,
}

pub(crate) fn run(args: &Args) -> Result<()> {
    let out = super::out_file(args.out.as_deref(), "labels.csv")?;
    let extension = out.extension().and_then(|e| e.to_str()).unwrap_or_default().to_lowercase();
    if extension != "csv" && extension != "parquet" {
        bail!("{}: the name must end in .csv or .parquet", out.display());
    }
    let (predictor, about) = args.which.load()?;
    let found = predictor.predict(&args.samples, false)?;
    let bytes = match extension.as_str() {
        "csv" => csv(&found, predictor.classes())?,
        _ => parquet::bytes(&found, predictor.classes())?,
    };
    atomic_file::write(&out, &bytes)?;
    let (count, unit) = (found.ids.len(), found.unit);
    super::say(&format!("{}: {count} {unit} labelled by {about}", out.display()))
}

/// A line a sample: its name, the class, the probability of that, and of every class.
fn csv(found: &Predicted, classes: &[String]) -> Result<Vec<u8>> {
    let mut writer = csv::Writer::from_writer(Vec::new());
    let heads = [found.unit.trim_end_matches('s'), "label", "confidence"].map(str::to_owned);
    writer
        .write_record(heads.into_iter().chain(classes.iter().map(|class| format!("p_{class}"))))?;
    let predictions = &found.predictions;
    for ((id, (class, confidence)), row) in
        found.ids.iter().zip(predictions.top()).zip(predictions.rows())
    {
        let first = [id.clone(), classes[class as usize].clone(), confidence.to_string()];
        writer.write_record(first.into_iter().chain(row.iter().map(f32::to_string)))?;
    }
    Ok(writer.into_inner()?)
}

/// The same table as Parquet.
mod parquet {
    use std::sync::Arc;

    use anyhow::Result;
    use parquet::basic::{LogicalType, Repetition, Type as Physical};
    use parquet::data_type::{ByteArray, ByteArrayType, FloatType};
    use parquet::file::properties::WriterProperties;
    use parquet::file::writer::SerializedFileWriter;
    use parquet::schema::types::Type;

    use crate::run::experiment::Predicted;

    /// Columns for the sample's name and `label` (strings), `confidence` and one `p_<class>` a
    /// class (32-bit floats).
    pub(super) fn bytes(found: &Predicted, classes: &[String]) -> Result<Vec<u8>> {
        let Predicted { unit, ids, predictions, .. } = found;
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
        let mut fields =
            vec![text(unit.trim_end_matches('s'))?, text("label")?, float("confidence")?];
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
        Ok(writer.into_inner()?)
    }
}
