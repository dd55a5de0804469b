//! Which pseudo-labels a selection keeps, and their order.

use super::{Function, settings, settings_of};
use data_pipeline::balance::{self, Rule, Selection};
use datafusion::arrow::array::{ArrayRef, UInt32Array};
use datafusion::arrow::datatypes::DataType;
use datafusion::common::cast::as_float32_array;
use datafusion::error::Result;
use datafusion::prelude::Expr;
use serde::{Deserialize, Serialize};
use std::sync::Arc;

pub(super) const ALL: [Function; 2] = [RANK, BUCKET];

const RANK: Function = Function {
    name: "confidence_rank",
    takes: || vec![Some(DataType::Float32)],
    gives: || DataType::UInt32,
    work: |columns| each(&columns[0], balance::rank),
};

const BUCKET: Function = Function {
    name: "confidence_bucket",
    takes: || vec![Some(DataType::Float32), Some(DataType::Utf8)],
    gives: || DataType::UInt32,
    work: |columns| {
        let kept = settings_of::<Kept>(&columns[1])?.unwrap_or_default().selection();
        each(&columns[0], |confidence| {
            balance::rank(confidence)?;
            Some(balance::bucket(&kept, confidence).map_or(0, |bucket| bucket + 1))
        })
    },
};

/// What of a selection says which rows it keeps.
#[derive(Default, Serialize, Deserialize)]
struct Kept {
    paper: bool,
    /// The bits of the least confidence.
    least: u32,
}

impl Kept {
    fn selection(&self) -> Selection {
        let rule = if self.paper { Rule::Paper } else { Rule::ReleasedCode };
        Selection { rule, min_confidence: f32::from_bits(self.least), ..Selection::default() }
    }
}

/// [`balance::rank`] of a confidence: null for null and for NaN.
pub(crate) fn rank(confidence: Expr) -> Expr {
    RANK.call(vec![confidence])
}

/// 1 + [`balance::bucket`] of a confidence, 0 where the selection does not keep it; null for null
/// and for NaN.
pub(crate) fn bucket(confidence: Expr, selection: &Selection) -> Expr {
    let least = selection.min_confidence.to_bits();
    let kept = Kept { paper: selection.rule == Rule::Paper, least };
    BUCKET.call(vec![confidence, settings(&kept)])
}

/// A function of each confidence; null for null.
fn each(confidences: &ArrayRef, of: impl Fn(f32) -> Option<u32>) -> Result<ArrayRef> {
    let found: UInt32Array =
        as_float32_array(confidences)?.iter().map(|value| of(value?)).collect();
    Ok(Arc::new(found))
}
