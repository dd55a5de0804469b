//! The project's rules as functions of the engine, by name, so that any process that registers them
//! can run a plan with them.

use data_pipeline::balance::{self, Rule, Selection};
use datafusion::arrow::array::{Array, ArrayRef, Float32Array, UInt32Array};
use datafusion::arrow::datatypes::DataType;
use datafusion::common::cast::as_float32_array;
use datafusion::error::{DataFusionError, Result};
use datafusion::logical_expr::{ColumnarValue, ScalarUDF, Volatility, create_udf};
use datafusion::prelude::{Expr, SessionContext, lit};
use datafusion::scalar::ScalarValue;
use std::sync::Arc;

/// Registers all of them.
pub(crate) fn register(context: &SessionContext) {
    context.register_udf(rank_function());
    context.register_udf(bucket_function());
}

/// [`balance::rank`] of a confidence: null for null and for NaN.
pub(crate) fn rank(confidence: Expr) -> Expr {
    rank_function().call(vec![confidence])
}

/// 1 + [`balance::bucket`] of a confidence, 0 where the selection does not keep it; null for null
/// and for NaN.
pub(crate) fn bucket(confidence: Expr, selection: &Selection) -> Expr {
    let paper = selection.rule == Rule::Paper;
    bucket_function().call(vec![confidence, lit(selection.min_confidence), lit(paper)])
}

fn rank_function() -> ScalarUDF {
    let of = |values: &[ColumnarValue]| each(&values[0], balance::rank);
    let (from, to) = (vec![DataType::Float32], DataType::UInt32);
    create_udf("confidence_rank", from, to, Volatility::Immutable, Arc::new(of))
}

fn bucket_function() -> ScalarUDF {
    let of = |values: &[ColumnarValue]| {
        let (ColumnarValue::Scalar(least), ColumnarValue::Scalar(paper)) = (&values[1], &values[2])
        else {
            let fault = "confidence_bucket takes the same least confidence and rule for all rows";
            return Err(DataFusionError::Execution(fault.to_owned()));
        };
        let (ScalarValue::Float32(Some(least)), ScalarValue::Boolean(Some(paper))) = (least, paper)
        else {
            let fault = format!("confidence_bucket takes no {least} and {paper}");
            return Err(DataFusionError::Execution(fault));
        };
        let rule = if *paper { Rule::Paper } else { Rule::ReleasedCode };
        let selection = Selection { rule, min_confidence: *least, ..Selection::default() };
        each(&values[0], |confidence| {
            balance::rank(confidence)?;
            Some(balance::bucket(&selection, confidence).map_or(0, |bucket| bucket + 1))
        })
    };
    let from = vec![DataType::Float32, DataType::Float32, DataType::Boolean];
    let kind = Volatility::Immutable;
    create_udf("confidence_bucket", from, DataType::UInt32, kind, Arc::new(of))
}

/// A function of each confidence; null for null.
fn each(values: &ColumnarValue, of: impl Fn(f32) -> Option<u32>) -> Result<ColumnarValue> {
    let rows = match values {
        ColumnarValue::Array(rows) => rows.clone(),
        ColumnarValue::Scalar(value) => value.to_array()?,
    };
    let rows: &Float32Array = as_float32_array(&rows)?;
    let found: UInt32Array = rows.iter().map(|value| of(value?)).collect();
    Ok(match values {
        ColumnarValue::Array(_) => ColumnarValue::Array(Arc::new(found) as ArrayRef),
        ColumnarValue::Scalar(_) => {
            let value = found.is_valid(0).then(|| found.value(0));
            ColumnarValue::Scalar(ScalarValue::UInt32(value))
        }
    })
}
