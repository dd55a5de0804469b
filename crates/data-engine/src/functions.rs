//! The project's rules as functions of the engine, by name, so that any process that registers them
//! can run a plan with them.

pub(crate) mod balance;
pub(crate) mod dialogs;
pub(crate) mod duplicates;

use datafusion::arrow::array::{ArrayRef, AsArray, ListArray, StructArray};
use datafusion::arrow::buffer::OffsetBuffer;
use datafusion::arrow::datatypes::{DataType, Field, Fields};
use datafusion::error::{DataFusionError, Result};
use datafusion::logical_expr::{
    ColumnarValue, Expr, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility,
};
use datafusion::prelude::{SessionContext, lit};
use datafusion::scalar::ScalarValue;
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

/// All of them.
pub(crate) fn all() -> Vec<ScalarUDF> {
    [&balance::ALL[..], &dialogs::ALL, &duplicates::ALL]
        .concat()
        .iter()
        .map(Function::udf)
        .collect()
}

/// Registers all of them.
pub(crate) fn register(context: &SessionContext) {
    all().into_iter().for_each(|function| context.register_udf(function));
}

/// A function of columns.
#[derive(Clone, Copy)]
pub(crate) struct Function {
    name: &'static str,
    takes: fn() -> Vec<Option<DataType>>,
    gives: fn() -> DataType,
    /// From columns of as many rows each; of [`settings`] there is one row.
    work: fn(&[ArrayRef]) -> Result<ArrayRef>,
}

impl Function {
    fn udf(&self) -> ScalarUDF {
        let takes = (self.takes)();
        let exact: Option<Vec<DataType>> = takes.iter().cloned().collect();
        let signature = match exact {
            Some(types) => Signature::exact(types, Volatility::Immutable),
            // Types with fields within them have more to agree in than matters.
            None => Signature::any(takes.len(), Volatility::Immutable),
        };
        ScalarUDF::new_from_impl(Registered { function: *self, signature })
    }

    pub(crate) fn call(&self, of: Vec<Expr>) -> Expr {
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
const SETTINGS: DataType = DataType::LargeUtf8;

/// Settings as an argument: they are the same in all rows.
pub(crate) fn settings(of: &impl Serialize) -> Expr {
    lit(ScalarValue::LargeUtf8(Some(serde_json::to_string(of).unwrap_or_default())))
}

/// Settings from the argument that [`settings`] made.
fn settings_of<T: DeserializeOwned>(column: &ArrayRef) -> Result<T> {
    let read = serde_json::from_str(column.as_string::<i64>().value(0));
    read.map_err(|error| DataFusionError::Execution(format!("settings: {error}")))
}

/// A list of rows with these fields.
fn rows_type(fields: Fields) -> DataType {
    DataType::List(Arc::new(Field::new("item", DataType::Struct(fields), true)))
}

/// Lists of rows, of so many each, from the columns of all.
fn rows(fields: Fields, columns: Vec<ArrayRef>, lengths: Vec<usize>) -> Result<ArrayRef> {
    let item = Arc::new(Field::new("item", DataType::Struct(fields.clone()), true));
    let all = Arc::new(StructArray::try_new(fields, columns, None)?);
    Ok(Arc::new(ListArray::try_new(item, OffsetBuffer::from_lengths(lengths), all, None)?))
}

/// What went wrong in a rule.
fn failed(error: impl std::fmt::Display) -> DataFusionError {
    DataFusionError::Execution(error.to_string())
}
