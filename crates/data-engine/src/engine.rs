//! The engine: a session of DataFusion with our functions, within a limit of memory.

use crate::error::EngineError;
use crate::functions;
use datafusion::dataframe::DataFrame;
use datafusion::datasource::file_format::options::ParquetReadOptions;
use datafusion::execution::memory_pool::FairSpillPool;
use datafusion::execution::runtime_env::RuntimeEnvBuilder;
use datafusion::prelude::{SessionConfig, SessionContext};
use std::future::Future;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use tokio::runtime::Runtime;

/// How an engine works; has no influence on the rows that it finds.
///
/// | field | default | meaning | range |
/// |---|---|---|---|
/// | `memory` | 2 GiB | bytes for rows that are grouped or sorted; beyond them files are used | ≥ 64 MiB |
/// | `partitions` | 0 | parts of a table that are worked on at once; 0: as many as cores | |
/// | `spill` | none | the folder for temporary files; none: the system's | |
#[derive(Clone, Debug)]
pub struct Options {
    /// Bytes for rows that are grouped or sorted. Pages that are read and written come on top: some
    /// tens of MiB a partition.
    pub memory: u64,
    /// Parts of a table that are worked on at once.
    pub partitions: usize,
    /// The folder for temporary files.
    pub spill: Option<PathBuf>,
}

impl Default for Options {
    fn default() -> Self {
        Self { memory: 2 << 30, partitions: 0, spill: None }
    }
}

/// The least that can be worked with: two sorts, each with what it needs to merge files.
const LEAST_MEMORY: u64 = 64 << 20;

/// A session of DataFusion with the project's functions, and the threads that it runs on.
pub struct Engine {
    context: SessionContext,
    runtime: Runtime,
}

impl Engine {
    /// Starts one.
    ///
    /// # Errors
    /// With less than 64 MiB of memory, or if the folder for temporary files cannot be used.
    pub fn new(options: &Options) -> Result<Self, EngineError> {
        if options.memory < LEAST_MEMORY {
            return Err(EngineError::Asked(format!(
                "{} MiB of memory are too little: 64 MiB are the least",
                options.memory >> 20
            )));
        }
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        let partitions = if options.partitions == 0 { cores } else { options.partitions };
        let memory = usize::try_from(options.memory).unwrap_or(usize::MAX);
        let mut environment =
            RuntimeEnvBuilder::new().with_memory_pool(Arc::new(FairSpillPool::new(memory)));
        if let Some(folder) = &options.spill {
            environment = environment.with_temp_file_path(folder);
        }
        let mut config = SessionConfig::new().with_target_partitions(partitions);
        // What a sort sets aside for merging its files has to fit beside its rows.
        let aside = (memory / partitions / 8).min(10 << 20);
        config.options_mut().execution.sort_spill_reservation_bytes = aside;
        // A file's smallest and largest value know nothing of NaN: where they are the same, the
        // engine would take the whole column for that value.
        config.options_mut().execution.collect_statistics = false;
        // Views of text keep whole pages alive, for which a sort has no room.
        config.options_mut().execution.parquet.schema_force_view_types = false;
        let context = SessionContext::new_with_config_rt(config, environment.build_arc()?);
        functions::register(&context);
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(cores)
            .enable_all()
            .build()
            .map_err(EngineError::io("the engine's threads"))?;
        Ok(Self { context, runtime })
    }

    /// Runs something to its end.
    pub(crate) fn run<T>(&self, work: impl Future<Output = T>) -> T {
        self.runtime.block_on(work)
    }

    /// The rows of Parquet files, or of folders of them, as one table.
    pub(crate) async fn table(&self, files: &[PathBuf]) -> Result<DataFrame, EngineError> {
        let Some(first) = files.first() else {
            return Err(EngineError::Asked("name the files of a table".to_owned()));
        };
        let mut found = Vec::new();
        for path in files {
            found.extend(parquet_files(path)?);
        }
        let fault = |fault: String| EngineError::Table {
            path: first.clone(),
            fault,
            way_out: "name Parquet files with the same columns".to_owned(),
        };
        // Every file by its name, whatever its ending.
        let options = ParquetReadOptions { file_extension: "", ..ParquetReadOptions::default() };
        let read = self.context.read_parquet(found, options).await;
        read.map_err(|error| fault(EngineError::Engine(error).to_string()))
    }
}

/// A file, or those of a folder that end in `.parquet`, by name.
pub(crate) fn parquet_files(path: &Path) -> Result<Vec<String>, EngineError> {
    let text = |path: &Path| {
        path.to_str().map(str::to_owned).ok_or_else(|| EngineError::Table {
            path: path.to_path_buf(),
            fault: "the name is no UTF-8".to_owned(),
            way_out: "rename the file".to_owned(),
        })
    };
    if !path.metadata().map_err(EngineError::io(path))?.is_dir() {
        return Ok(vec![text(path)?]);
    }
    let mut files = Vec::new();
    for entry in path.read_dir().map_err(EngineError::io(path))? {
        let file = entry.map_err(EngineError::io(path))?.path();
        if file.extension().is_some_and(|ending| ending == "parquet") && file.is_file() {
            files.push(text(&file)?);
        }
    }
    if files.is_empty() {
        return Err(EngineError::Table {
            path: path.to_path_buf(),
            fault: "there is no .parquet file".to_owned(),
            way_out: "name the files, or their folder".to_owned(),
        });
    }
    files.sort();
    Ok(files)
}
