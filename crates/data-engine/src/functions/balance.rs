//! Which pseudo-labels a selection keeps, and their order.

use super::function::{Function, SETTINGS, settings, settings_of};
use data_pipeline::balance::{self, Rule, Selection};
use datafusion::arrow::array::{ArrayRef, AsArray, UInt32Array, UInt64Array};
use datafusion::arrow::datatypes::DataType;
use datafusion::common::HashMap;
use datafusion::common::cast::as_float32_array;
use datafusion::error::Result;
use datafusion::prelude::{Expr, col};
use serde::{Deserialize, Serialize};
use std::sync::{Arc, Mutex, PoisonError};

pub(super) const ALL: [Function; 2] = [PLACE, BUCKET];

const PLACE: Function = Function {
    name: "place_in_selection",
    takes: || vec![Some(DataType::Utf8), Some(DataType::Float32), Some(SETTINGS)],
    gives: || DataType::UInt64,
    work: |columns| {
        let taken = ready(&columns[2])?;
        let rows = columns[0].as_string::<i32>().iter().zip(as_float32_array(&columns[1])?);
        let places: UInt64Array = rows
            .map(|(label, confidence)| {
                let (label, confidence) = (label?, confidence?);
                let &(class, least) = taken.classes.get(label)?;
                let bucket = balance::bucket(&taken.selection, confidence)?;
                let rank = balance::rank(confidence)?;
                (bucket >= least).then(|| u64::from(class) << 32 | u64::from(!rank))
            })
            .collect();
        Ok(Arc::new(places))
    },
};

/// What a selection takes, to be looked up.
struct Ready {
    selection: Selection,
    /// The number of a class and its least bucket, by name.
    classes: HashMap<String, (u32, u32)>,
}

/// From settings, which may name thousands of classes, made once for many batches.
fn ready(settings: &ArrayRef) -> Result<Arc<Ready>> {
    static LATEST: Mutex<Option<(String, Arc<Ready>)>> = Mutex::new(None);
    let text = settings.as_string::<i64>().value(0);
    let mut latest = LATEST.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some((of, ready)) = &*latest
        && of == text
    {
        return Ok(ready.clone());
    }
    let Taken { kept, classes } = settings_of(settings)?;
    let numbered = (0..).zip(classes).map(|(i, (name, least))| (name, (i, least)));
    let ready = Ready { selection: kept.selection(), classes: numbered.collect() };
    Ok(latest.insert((text.to_owned(), Arc::new(ready))).1.clone())
}

/// The class of a place.
pub(crate) fn class_of(place: u64) -> usize {
    (place >> 32) as usize
}

const BUCKET: Function = Function {
    name: "confidence_bucket",
    takes: || vec![Some(DataType::Float32), Some(SETTINGS)],
    gives: || DataType::UInt32,
    work: |columns| {
        let kept = settings_of::<Kept>(&columns[1])?.selection();
        each(&columns[0], |confidence| {
            balance::rank(confidence)?;
            Some(balance::bucket(&kept, confidence).map_or(0, |bucket| bucket + 1))
        })
    },
};

/// What a selection takes.
#[derive(Serialize, Deserialize)]
struct Taken {
    kept: Kept,
    /// The name of each class and its least bucket.
    classes: Vec<(String, u32)>,
}

/// What of a selection says which rows it keeps.
#[derive(Serialize, Deserialize)]
struct Kept {
    paper: bool,
    /// The bits of the least confidence.
    least: u32,
}

impl Kept {
    fn of(selection: &Selection) -> Self {
        let least = selection.min_confidence.to_bits();
        Self { paper: selection.rule == Rule::Paper, least }
    }

    fn selection(&self) -> Selection {
        let rule = if self.paper { Rule::Paper } else { Rule::ReleasedCode };
        Selection { rule, min_confidence: f32::from_bits(self.least), ..Selection::default() }
    }
}

/// Where a row stands among those that are taken: by class, then by falling [`balance::rank`].
/// `classes` are in order; rows are taken of each from the bucket on that stands with it. Null for
/// all others, those without a confidence among them.
pub(crate) fn place(selection: &Selection, classes: Vec<(String, u32)>) -> Expr {
    let taken = Taken { kept: Kept::of(selection), classes };
    PLACE.call(vec![col("label"), col("confidence"), settings(&taken)])
}

/// 1 + [`balance::bucket`] of a confidence, 0 where the selection does not keep it; null for null
/// and for what is no confidence.
pub(crate) fn bucket(confidence: Expr, selection: &Selection) -> Expr {
    BUCKET.call(vec![confidence, settings(&Kept::of(selection))])
}

/// A function of each confidence; null for null.
fn each(confidences: &ArrayRef, of: impl Fn(f32) -> Option<u32>) -> Result<ArrayRef> {
    let found: UInt32Array =
        as_float32_array(confidences)?.iter().map(|value| of(value?)).collect();
    Ok(Arc::new(found))
}
