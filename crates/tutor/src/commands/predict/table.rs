//! The tables that `predict` writes: a row a sample, with its name, the label, the probability of
//! that, and of every class, and its texts if they are asked for.

use std::io::{self, Write};
use std::path::Path;
use std::sync::Arc;

use anyhow::Result;
use parquet::basic::{LogicalType, Repetition, Type as Physical};
use parquet::data_type::{ByteArray, ByteArrayType, FloatType};
use parquet::file::metadata::KeyValue;
use parquet::file::properties::WriterProperties;
use parquet::file::writer::SerializedFileWriter;
use parquet::schema::types::Type;
use serde_json::{Map, Value, json};

use crate::run::predictions::top;

/// What is written.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Format {
    Csv,
    Parquet,
    Jsonl,
}

impl Format {
    /// By the ending of a file's name.
    pub(super) fn of(path: &Path) -> Option<Self> {
        match path.extension()?.to_str()?.to_lowercase().as_str() {
            "csv" => Some(Self::Csv),
            "parquet" => Some(Self::Parquet),
            "jsonl" => Some(Self::Jsonl),
            _ => None,
        }
    }
}

/// What is said of a sample.
pub(super) struct Row {
    /// Its name.
    pub(super) id: String,
    /// The probability of each class.
    pub(super) probabilities: Vec<f32>,
    /// The text of each column of texts.
    pub(super) texts: Vec<String>,
}

/// Gives all rows from the first on, each time it is called.
type Rows<'a> = &'a dyn Fn() -> Result<Box<dyn Iterator<Item = Result<Row>> + 'a>>;

/// What there is to write.
pub(super) struct Table<'a> {
    /// The column of the samples' names: `image`, `id` of texts.
    pub(super) id: &'a str,
    /// The columns of texts.
    pub(super) texts: &'a [String],
    pub(super) classes: &'a [String],
    /// From which probability on a label is written.
    pub(super) threshold: Option<f32>,
    /// What a Parquet file says of itself: keys and their values.
    pub(super) about: Vec<(String, String)>,
    pub(super) rows: Rows<'a>,
}

/// The columns of a table without texts, of lines of JSON the keys.
pub(super) fn heads(id: &str, classes: &[String], format: Format) -> Vec<String> {
    let mut heads = [id, "label", "confidence"].map(str::to_owned).to_vec();
    match format {
        Format::Csv | Format::Parquet => {
            heads.extend(classes.iter().map(|class| format!("p_{class}")));
        }
        Format::Jsonl => heads.push("probabilities".to_owned()),
    }
    heads
}

/// Whether a label would be left empty.
pub(super) fn is_unsure(probabilities: &[f32], least: f32) -> bool {
    top(probabilities).1 < least
}

/// Rows of a Parquet file that lie together.
const GROUP: usize = 10_000;

impl Table<'_> {
    /// Writes the file as a whole or not at all.
    pub(super) fn write(&self, path: &Path, format: Format) -> Result<()> {
        let fill = |out: &mut (dyn Write + Send)| {
            let written = match format {
                Format::Csv => self.csv(out),
                Format::Parquet => self.parquet(out),
                Format::Jsonl => self.jsonl(out),
            };
            written.map_err(|error| io::Error::other(format!("{error:#}")))
        };
        Ok(atomic_file::write_with(path, fill)?)
    }

    /// The label, if the network is sure enough, and its probability.
    fn label(&self, probabilities: &[f32]) -> (Option<&str>, f32) {
        let (class, confidence) = top(probabilities);
        let certain = !self.threshold.is_some_and(|least| is_unsure(probabilities, least));
        (certain.then(|| self.classes[class as usize].as_str()), confidence)
    }

    fn csv(&self, out: &mut dyn Write) -> Result<()> {
        let mut writer = csv::Writer::from_writer(out);
        writer.write_record(heads(self.id, self.classes, Format::Csv).iter().chain(self.texts))?;
        for row in (self.rows)()? {
            let Row { id, probabilities, texts } = row?;
            let (label, confidence) = self.label(&probabilities);
            let first = [id, label.unwrap_or_default().to_owned(), confidence.to_string()];
            let numbers = probabilities.iter().map(f32::to_string);
            writer.write_record(first.into_iter().chain(numbers).chain(texts))?;
        }
        Ok(writer.flush()?)
    }

    /// A line an object: the name, `label` (null where it is left empty), `confidence`,
    /// `probabilities` by class, and the texts.
    fn jsonl(&self, out: &mut dyn Write) -> Result<()> {
        for row in (self.rows)()? {
            let Row { id, probabilities, texts } = row?;
            let (label, confidence) = self.label(&probabilities);
            let probabilities = probabilities.iter().map(|&p| json!(p));
            let by_class = self.classes.iter().cloned().zip(probabilities);
            let mut line = Map::new();
            line.insert(self.id.to_owned(), json!(id));
            line.insert("label".to_owned(), json!(label));
            line.insert("confidence".to_owned(), json!(confidence));
            line.insert("probabilities".to_owned(), Value::Object(by_class.collect()));
            line.extend(self.texts.iter().cloned().zip(texts.into_iter().map(Value::from)));
            serde_json::to_writer(&mut *out, &line)?;
            out.write_all(b"\n")?;
        }
        Ok(())
    }

    /// Columns for the sample's name and `label` (strings, the label null where it is left empty),
    /// `confidence` and one `p_<class>` a class (32-bit floats), and the texts (strings).
    fn parquet(&self, out: &mut (dyn Write + Send)) -> Result<()> {
        let text = |name: &str, repetition| {
            let column = Type::primitive_type_builder(name, Physical::BYTE_ARRAY)
                .with_repetition(repetition);
            column.with_logical_type(Some(LogicalType::String)).build().map(Arc::new)
        };
        let float = |name: &str| {
            let column = Type::primitive_type_builder(name, Physical::FLOAT)
                .with_repetition(Repetition::REQUIRED);
            column.build().map(Arc::new)
        };
        let mut fields = vec![
            text(self.id, Repetition::REQUIRED)?,
            text("label", Repetition::OPTIONAL)?,
            float("confidence")?,
        ];
        for class in self.classes {
            fields.push(float(&format!("p_{class}"))?);
        }
        for column in self.texts {
            fields.push(text(column, Repetition::REQUIRED)?);
        }
        let schema = Arc::new(Type::group_type_builder("predictions").with_fields(fields).build()?);
        let about = self.about.iter().cloned().map(|(key, value)| KeyValue::new(key, value));
        let about: Vec<KeyValue> = about.collect();
        let about = Some(about).filter(|about| !about.is_empty());
        let properties = WriterProperties::builder().set_key_value_metadata(about).build();
        let mut writer = SerializedFileWriter::new(out, schema, Arc::new(properties))?;
        let mut rows = (self.rows)()?.peekable();
        // A file without a group of rows is one too.
        while rows.peek().is_some() {
            let group: Vec<Row> = rows.by_ref().take(GROUP).collect::<Result<_>>()?;
            self.group(&mut writer, &group)?;
        }
        writer.close()?;
        Ok(())
    }

    fn group<W: Write + Send>(
        &self,
        writer: &mut SerializedFileWriter<W>,
        rows: &[Row],
    ) -> Result<()> {
        let mut group = writer.next_row_group()?;
        let labels: Vec<(Option<&str>, f32)> =
            rows.iter().map(|row| self.label(&row.probabilities)).collect();
        let ids: Vec<ByteArray> = rows.iter().map(|row| ByteArray::from(&*row.id)).collect();
        let names: Vec<ByteArray> =
            labels.iter().filter_map(|(label, _)| label.map(ByteArray::from)).collect();
        let there: Vec<i16> = labels.iter().map(|(label, _)| i16::from(label.is_some())).collect();
        for (column, levels) in [(ids, None), (names, Some(&there[..]))] {
            let mut writer = group.next_column()?.expect("a column a field");
            writer.typed::<ByteArrayType>().write_batch(&column, levels, None)?;
            writer.close()?;
        }
        let confidence = labels.iter().map(|&(_, confidence)| confidence).collect();
        let of_class = |class: usize| rows.iter().map(|row| row.probabilities[class]).collect();
        let probabilities = (0..self.classes.len()).map(of_class);
        for column in std::iter::once::<Vec<f32>>(confidence).chain(probabilities) {
            let mut writer = group.next_column()?.expect("a column a field");
            writer.typed::<FloatType>().write_batch(&column, None, None)?;
            writer.close()?;
        }
        for place in 0..self.texts.len() {
            let texts: Vec<ByteArray> =
                rows.iter().map(|row| ByteArray::from(&*row.texts[place])).collect();
            let mut writer = group.next_column()?.expect("a column a field");
            writer.typed::<ByteArrayType>().write_batch(&texts, None, None)?;
            writer.close()?;
        }
        group.close()?;
        Ok(())
    }
}
