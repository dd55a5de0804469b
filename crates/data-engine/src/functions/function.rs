//! What the rules have in common: a function of columns, and how settings and lists of rows go
//! through one.

use datafusion::arrow::array::{ArrayRef, AsArray, ListArray, StructArray};
use datafusion::arrow::buffer::OffsetBuffer;
use datafusion::arrow::datatypes::{DataType, Field, Fields};
use datafusion::error::{DataFusionError, Result};
use datafusion::logical_expr::{
    ColumnarValue, Expr, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility,
};
use datafusion::prelude::lit;
use datafusion::scalar::ScalarValue;
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

/// A function of columns.
#[derive(Clone, Copy)]
pub(super) struct Function {
    pub(super) name: &'static str,
    pub(super) takes: fn() -> Vec<Option<DataType>>,
    pub(super) gives: fn() -> DataType,
    /// From columns of as many rows each; of [`settings`] there is one row.
    pub(super) work: fn(&[ArrayRef]) -> Result<ArrayRef>,
}

impl Function {
    pub(super) fn udf(&self) -> ScalarUDF {
        let takes = (self.takes)();
        let exact: Option<Vec<DataType>> = takes.iter().cloned().collect();
        let signature = match exact {
            Some(types) => Signature::exact(types, Volatility::Immutable),
            // Types with fields within them have more to agree in than matters.
            None => Signature::any(takes.len(), Volatility::Immutable),
        };
        ScalarUDF::new_from_impl(Registered { function: *self, signature })
    }

    pub(super) fn call(&self, of: Vec<Expr>) -> Expr {
        self.udf().call(of)
    }
}

/// A function as the engine knows it.
struct Registered {
    function: Function,
    signature: Signature,
}

impl std::fmt::Debug for Registered {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.function.name)
    }
}

impl PartialEq for Registered {
    fn eq(&self, other: &Self) -> bool {
        self.function.name == other.function.name
    }
}

impl Eq for Registered {}

impl Hash for Registered {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.function.name.hash(state);
    }
}

impl ScalarUDFImpl for Registered {
    fn name(&self) -> &str {
        self.function.name
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok((self.function.gives)())
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let column = |value: ColumnarValue| match value {
            // Settings are not written out for every row: they may be long.
            ColumnarValue::Scalar(value) if value.data_type() == SETTINGS => value.to_array(),
            value => value.into_array(args.number_rows),
        };
        let columns: Result<Vec<ArrayRef>> = args.args.into_iter().map(column).collect();
        Ok(ColumnarValue::Array((self.function.work)(&columns?)?))
    }
}

/// The type of settings, which no column of text has here.
pub(super) const SETTINGS: DataType = DataType::LargeUtf8;

/// Settings as an argument: they are the same in all rows.
pub(super) fn settings(of: &impl Serialize) -> Expr {
    lit(ScalarValue::LargeUtf8(Some(serde_json::to_string(of).unwrap_or_default())))
}

/// Settings from the argument that [`settings`] made.
pub(super) fn settings_of<T: DeserializeOwned>(column: &ArrayRef) -> Result<T> {
    let read = serde_json::from_str(column.as_string::<i64>().value(0));
    read.map_err(|error| DataFusionError::Execution(format!("settings: {error}")))
}

/// A list of rows with these fields.
pub(super) fn rows_type(fields: Fields) -> DataType {
    DataType::List(Arc::new(Field::new("item", DataType::Struct(fields), true)))
}

/// Lists of rows, of so many each, from the columns of all.
pub(super) fn rows(
    fields: Fields,
    columns: Vec<ArrayRef>,
    lengths: Vec<usize>,
) -> Result<ArrayRef> {
    let item = Arc::new(Field::new("item", DataType::Struct(fields.clone()), true));
    let all = Arc::new(StructArray::try_new(fields, columns, None)?);
    Ok(Arc::new(ListArray::try_new(item, OffsetBuffer::from_lengths(lengths), all, None)?))
}

/// What went wrong in a rule.
pub(super) fn failed(error: impl std::fmt::Display) -> DataFusionError {
    DataFusionError::Execution(error.to_string())
}
