//! JSON files beside weights, of bounded size.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use serde_json::Value;

use crate::WeightsError;

/// No index of shards and no configuration comes near this.
const LARGEST: u64 = 64 << 20;

/// Reads a JSON file.
pub(crate) fn read(path: &Path) -> Result<Value, WeightsError> {
    let mut text = Vec::new();
    let file = File::open(path).map_err(WeightsError::io(path))?;
    file.take(LARGEST).read_to_end(&mut text).map_err(WeightsError::io(path))?;
    serde_json::from_slice(&text).map_err(|e| WeightsError::file(path, format!("no JSON: {e}")))
}
