//! Texts that say the same.

use super::function::{Function, SETTINGS, failed, rows, rows_type, settings, settings_of};
use data_pipeline::text::duplicates::{MinHash, Signature, exact_key};
use datafusion::arrow::array::{
    Array, ArrayRef, AsArray, BinaryArray, BinaryBuilder, BooleanArray, StringBuilder,
};
use datafusion::arrow::datatypes::{DataType, Field, Fields};
use datafusion::prelude::Expr;
use std::sync::Arc;

pub(super) const ALL: [Function; 4] = [EXACT, SIGNATURE, BUCKETS, SAME];

const EXACT: Function = Function {
    name: "text_exact",
    takes: || vec![Some(DataType::Utf8)],
    gives: || DataType::Binary,
    work: |columns| {
        let texts = columns[0].as_string::<i32>();
        let of = |text: Option<&str>| text.map(|text| exact_key(text).to_bytes());
        Ok(Arc::new(texts.iter().map(of).collect::<BinaryArray>()))
    },
};

const SIGNATURE: Function = Function {
    name: "text_signature",
    takes: || vec![Some(DataType::Utf8), Some(SETTINGS)],
    gives: || DataType::Binary,
    work: |columns| {
        let how = settings_of::<MinHash>(&columns[1])?;
        let hasher = how.hasher().map_err(failed)?;
        let of = |text: Option<&str>| Some(hasher.signature(text?)?.to_bytes());
        Ok(Arc::new(columns[0].as_string::<i32>().iter().map(of).collect::<BinaryArray>()))
    },
};

fn placed() -> Fields {
    let bucket = Field::new("bucket", DataType::Binary, true);
    Fields::from(vec![bucket, Field::new("text", DataType::Utf8, true)])
}

/// The buckets of a signature, and where there is none, one that no other text is in: that of the
/// id. With the first stands the text, which is carried along once.
const BUCKETS: Function = Function {
    name: "text_buckets",
    takes: || {
        vec![Some(DataType::Binary), Some(DataType::Utf8), Some(DataType::Utf8), Some(SETTINGS)]
    },
    gives: || rows_type(placed()),
    work: |columns| {
        let how = settings_of::<MinHash>(&columns[3])?;
        let signatures = columns[0].as_binary::<i32>();
        let [ids, texts] = [1, 2].map(|i| columns[i].as_string::<i32>());
        let (mut buckets, mut carried) = (BinaryBuilder::new(), StringBuilder::new());
        let mut lengths = Vec::with_capacity(ids.len());
        for ((bytes, id), text) in signatures.iter().zip(ids).zip(texts) {
            let count = match bytes {
                Some(bytes) => {
                    let read = signature(bytes, &how)?;
                    read.buckets().for_each(|bucket| buckets.append_value(bucket.to_le_bytes()));
                    how.bands
                }
                // Longer than the number of a bucket.
                None => {
                    let own = [b"no words:", id.unwrap_or_default().as_bytes()].concat();
                    buckets.append_value(own);
                    1
                }
            };
            carried.append_option(text);
            (1..count).for_each(|_| carried.append_null());
            lengths.push(count);
        }
        let columns: Vec<ArrayRef> = vec![Arc::new(buckets.finish()), Arc::new(carried.finish())];
        rows(placed(), columns, lengths)
    },
};

const SAME: Function = Function {
    name: "text_same",
    takes: || vec![Some(DataType::Binary), Some(DataType::Binary), Some(SETTINGS)],
    gives: || DataType::Boolean,
    work: |columns| {
        let how = settings_of::<MinHash>(&columns[2])?;
        let hasher = how.hasher().map_err(failed)?;
        let [a, b] = [0, 1].map(|i| columns[i].as_binary::<i32>());
        let pairs = a.iter().zip(b).map(|pair| match pair {
            (Some(a), Some(b)) => Ok(hasher.same(&signature(a, &how)?, &signature(b, &how)?)),
            _ => Ok(false),
        });
        let same = pairs.collect::<datafusion::error::Result<Vec<bool>>>()?;
        Ok(Arc::new(BooleanArray::from(same)))
    },
};

fn signature(bytes: &[u8], how: &MinHash) -> datafusion::error::Result<Signature> {
    Signature::from_bytes(bytes, how).ok_or_else(|| failed("signatures of another length"))
}

/// [`exact_key`] of a text; null for null.
pub(crate) fn exact_of(text: Expr) -> Expr {
    EXACT.call(vec![text])
}

/// The signature of a text; null for null and for one without words.
pub(crate) fn signature_of(text: Expr, how: &MinHash) -> Expr {
    SIGNATURE.call(vec![text, settings(how)])
}

/// The buckets of a text, one at least, as a list of `bucket` and, with the first, `text`.
pub(crate) fn buckets_of(signature: Expr, id: Expr, text: Expr, how: &MinHash) -> Expr {
    BUCKETS.call(vec![signature, id, text, settings(how)])
}

/// Whether two texts of a bucket are the same.
pub(crate) fn same(a: Expr, b: Expr, how: &MinHash) -> Expr {
    SAME.call(vec![a, b, settings(how)])
}
