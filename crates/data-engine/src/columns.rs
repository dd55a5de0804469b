//! Which columns of a table are meant.

use crate::engine::Engine;
use crate::error::EngineError;
use datafusion::arrow::datatypes::DataType;
use datafusion::dataframe::DataFrame;
use datafusion::prelude::{Expr, cast, ident, lit};
use datafusion::scalar::ScalarValue;
use std::path::PathBuf;

/// The columns of a table of pseudo-labels; by default those that `tutor predict` writes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Columns {
    /// What a sample is called: text or a whole number, each one once.
    pub id: String,
    /// Its class: text or a whole number; null where it has none.
    pub label: String,
    /// The confidence of the label, a 32-bit or 64-bit float; null or NaN where there is none.
    pub confidence: String,
}

impl Default for Columns {
    fn default() -> Self {
        let [id, label, confidence] = ["image", "label", "confidence"].map(str::to_owned);
        Self { id, label, confidence }
    }
}

impl Columns {
    /// The rows of these files, or of folders of them, as a table of `id` and `label` as text and
    /// `confidence` in 32 bits.
    pub(crate) async fn of(
        &self,
        engine: &Engine,
        files: &[PathBuf],
    ) -> Result<DataFrame, EngineError> {
        let table = engine.of_few_groups(files).await?;
        engine.all_have(files, &[&self.id, &self.label, &self.confidence]).await?;
        let fault = |fault: String| EngineError::Table {
            path: files.first().cloned().unwrap_or_default(),
            fault,
            way_out: "name the columns by --id, --label and --confidence".to_owned(),
        };
        let column = |name: &str, floats: bool| -> Result<Expr, EngineError> {
            let schema = table.schema();
            let found = schema.fields().iter().find(|field| field.name() == name);
            let Some(found) = found else {
                let all: Vec<&str> = schema.fields().iter().map(|f| f.name().as_str()).collect();
                let all = all.join(", ");
                return Err(fault(format!("there is no column {name} among {all}")));
            };
            let kind = found.data_type();
            let fits = match floats {
                true => matches!(kind, DataType::Float32 | DataType::Float64),
                false => is_text(kind),
            };
            if !fits {
                let wanted = if floats { "floats" } else { "text or whole numbers" };
                return Err(fault(format!("column {name} holds {kind}, not {wanted}")));
            }
            let into = if floats { DataType::Float32 } else { DataType::Utf8 };
            Ok(cast(ident(name), into))
        };
        let id = column(&self.id, false)?.alias("id");
        let label = column(&self.label, false)?.alias("label");
        let confidence = column(&self.confidence, true)?.alias("confidence");
        Ok(table.select([id, label, confidence])?)
    }
}

/// The columns of a table by name as text, those that are `needed` and the `others`, which are null
/// where the table has them not.
pub(crate) fn text_columns(
    table: DataFrame,
    needed: &[&str],
    others: &[&str],
    files: &[PathBuf],
) -> Result<DataFrame, EngineError> {
    let fault = |fault: String| EngineError::Table {
        path: files.first().cloned().unwrap_or_default(),
        fault,
        way_out: "name a table with such columns".to_owned(),
    };
    let column = |name: &&str| -> Result<Expr, EngineError> {
        let field = table.schema().fields().iter().find(|field| field.name() == *name);
        let Some(field) = field else {
            if needed.contains(name) {
                let all: Vec<&str> =
                    table.schema().fields().iter().map(|f| f.name().as_str()).collect();
                return Err(fault(format!("there is no column {name} among {}", all.join(", "))));
            }
            return Ok(cast(lit(ScalarValue::Utf8(None)), DataType::Utf8).alias(*name));
        };
        if !is_text(field.data_type()) {
            let kind = field.data_type();
            return Err(fault(format!("column {name} holds {kind}, not text or whole numbers")));
        }
        Ok(cast(ident(*name), DataType::Utf8).alias(*name))
    };
    let columns = needed.iter().chain(others).map(column).collect::<Result<Vec<Expr>, _>>()?;
    Ok(table.select(columns)?)
}

/// Whether a column holds text, or whole numbers, which can be written as text.
fn is_text(kind: &DataType) -> bool {
    match kind {
        DataType::Dictionary(_, of) => of.is_string(),
        _ => kind.is_integer() || kind.is_string(),
    }
}
