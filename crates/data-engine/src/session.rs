//! What sessions of DataFusion have in common, in whatever process they are.

use crate::stores::Stores;
use datafusion::execution::runtime_env::RuntimeEnvBuilder;
use datafusion::prelude::SessionConfig;
use std::path::Path;
use std::sync::Arc;

/// Temporary files that a sort merges at once. Without a bound it takes as many as it has memory
/// for, and another one beside it finds none, or does, as threads happen to run. Of very long rows
/// even eight may be too many. A table of a hundred times the memory is merged three times over.
const MERGED_AT_ONCE: usize = 8;

/// The least that can be worked with: two sorts, each with what it needs to merge files.
pub(crate) const LEAST_MEMORY: u64 = 64 << 20;

/// What reads tables wherever they lie, with temporary files in a folder.
pub(crate) fn environment(folder: Option<&Path>) -> RuntimeEnvBuilder {
    let environment = RuntimeEnvBuilder::new()
        // The disk says where it ends.
        .with_max_temp_directory_size(u64::MAX)
        .with_max_spill_merge_fan_in(MERGED_AT_ONCE)
        .with_object_store_registry(Arc::new(Stores::default()));
    match folder {
        Some(folder) => environment.with_temp_file_path(folder),
        None => environment,
    }
}

/// What all plans need, in whatever process they are made.
pub(crate) fn configured(mut config: SessionConfig) -> SessionConfig {
    // A file's smallest and largest value know nothing of NaN: where they are the same, the engine
    // would take the whole column for that value.
    config.options_mut().execution.collect_statistics = false;
    // Views of text keep whole pages alive, for which a sort has no room.
    config.options_mut().execution.parquet.schema_force_view_types = false;
    config
}
