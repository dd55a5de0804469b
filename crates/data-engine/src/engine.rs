//! The engine: a session of DataFusion with our functions, within a limit of memory.

use crate::cluster::connect;
use crate::error::{EngineError, plain};
use crate::functions;
use crate::gather::{Gathered, LEAST_ROW, gather};
use crate::memory::Memory;
use crate::schemas::{FileColumns, Wanted, agreed, one_labelling};
use crate::session::{LEAST_MEMORY, configured, environment};
use crate::stores::{Place, places};
use datafusion::common::config::TableParquetOptions;
use datafusion::dataframe::{DataFrame, DataFrameWriteOptions};
use datafusion::datasource::file_format::options::ParquetReadOptions;
use datafusion::datasource::listing::ListingTableUrl;
use datafusion::datasource::physical_plan::parquet::metadata::DFParquetMetadata;
use datafusion::execution::SessionStateBuilder;
use datafusion::prelude::{SessionConfig, SessionContext};
use futures::{StreamExt, TryStreamExt};
use object_store::ObjectStoreExt;
use std::collections::BTreeSet;
use std::future::Future;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use tempfile::TempDir;
use tokio::runtime::Runtime;

/// How an engine works; has no influence on the rows that it finds.
///
/// | field | default | meaning | range |
/// |---|---|---|---|
/// | `memory` | 2 GiB | bytes for rows that are grouped or sorted; beyond them files are used | ≥ 64 MiB |
/// | `partitions` | 0 | parts of a table that are worked on at once; 0: as many as cores | |
/// | `spill` | none | the folder for temporary files; none: the system's | |
/// | `batch` | 8192 | rows that are worked on together | ≥ 1 |
/// | `cluster` | none | `http://HOST:PORT` of a scheduler; none: this process works | |
#[derive(Clone, Debug)]
pub struct Options {
    /// Bytes for rows that are grouped or sorted. Pages that are read and written come on top: some
    /// tens of MiB a partition.
    pub memory: u64,
    /// Parts of a table that are worked on at once.
    pub partitions: usize,
    /// The folder for temporary files.
    pub spill: Option<PathBuf>,
    /// Rows that are worked on together.
    pub batch: usize,
    /// The scheduler of a cluster that does the work, whose executors have their own memory and
    /// temporary files.
    pub cluster: Option<String>,
}

impl Default for Options {
    fn default() -> Self {
        Self { memory: 2 << 30, partitions: 0, spill: None, batch: 8192, cluster: None }
    }
}

/// More parts at once than any machine has use for; each takes memory.
const MOST_PARTITIONS: usize = 4096;

/// A session of DataFusion with the project's functions, and the threads that it runs on.
pub struct Engine {
    context: SessionContext,
    runtime: Runtime,
    /// Whether a cluster does the work.
    far: bool,
    spill: Option<PathBuf>,
    memory: u64,
    notes: Mutex<BTreeSet<String>>,
}

impl Engine {
    /// Starts one.
    ///
    /// # Errors
    /// With less than 64 MiB of memory, batches without rows or more than 4,096 partitions, if the
    /// folder for temporary files cannot be used, or nobody answers where a cluster should be.
    pub fn new(options: &Options) -> Result<Self, EngineError> {
        if options.memory < LEAST_MEMORY {
            return Err(EngineError::Asked(format!(
                "{} MiB of memory are too little: 64 MiB are the least",
                options.memory >> 20
            )));
        }
        if options.batch == 0 || options.partitions > MOST_PARTITIONS {
            let fault = "a batch has 1 row at least, and there are 4,096 partitions at most";
            return Err(EngineError::Asked(fault.to_owned()));
        }
        if options.cluster.is_some() && options.spill.is_some() {
            let fault = "executors have temporary files of their own: name their folder to them";
            return Err(EngineError::Asked(fault.to_owned()));
        }
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        let partitions = if options.partitions == 0 { cores } else { options.partitions };
        let memory = usize::try_from(options.memory).unwrap_or(usize::MAX);
        let mut config = configured(SessionConfig::new())
            .with_target_partitions(partitions)
            .with_batch_size(options.batch);
        // What a sort sets aside for merging its files has to fit beside its rows.
        let aside = (memory / partitions / 8).min(10 << 20);
        config.options_mut().execution.sort_spill_reservation_bytes = aside;
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(cores)
            .enable_all()
            .build()
            .map_err(EngineError::io("the engine's threads"))?;
        let context = match &options.cluster {
            Some(url) => runtime.block_on(connect(url, config))?,
            None => {
                let environment = environment(options.spill.as_deref())
                    .with_memory_pool(Arc::new(Memory::new(memory)));
                let context = SessionContext::new_with_config_rt(config, environment.build_arc()?);
                functions::register(&context);
                context
            }
        };
        let (far, spill) = (options.cluster.is_some(), options.spill.clone());
        let (memory, notes) = (options.memory, Mutex::default());
        Ok(Self { context, runtime, far, spill, memory, notes })
    }

    /// What a reader of results should know of the tables so far, each note once: sub-folders with
    /// Parquet files that were not read.
    pub fn notes(&self) -> Vec<String> {
        self.notes.lock().unwrap_or_else(PoisonError::into_inner).iter().cloned().collect()
    }

    /// Does something; once more where the result of a cluster was lost on its way here, as when
    /// the executor is gone that held it.
    pub(crate) fn again<T>(
        &self,
        once: impl Fn() -> Result<T, EngineError>,
    ) -> Result<T, EngineError> {
        match once() {
            Err(EngineError::Engine(_)) if self.far => once(),
            done => done,
        }
    }

    /// A table of which so many rows are worked on together.
    pub(crate) async fn few_rows_at_once(
        &self,
        files: &[PathBuf],
        wanted: &Wanted<'_>,
        rows: usize,
    ) -> Result<DataFrame, EngineError> {
        self.configured_table(files, wanted, |config| {
            let rows = rows.min(config.batch_size());
            config.with_batch_size(rows)
        })
        .await
    }

    /// A table of whose rows many fall into one group. Else, where the first rows of a part are in
    /// groups of their own, the engine would count no more within parts, but bring all rows of a
    /// group together first.
    pub(crate) async fn of_few_groups(
        &self,
        files: &[PathBuf],
        wanted: &Wanted<'_>,
    ) -> Result<DataFrame, EngineError> {
        self.configured_table(files, wanted, |mut config| {
            let options = &mut config.options_mut().execution;
            options.skip_partial_aggregation_probe_ratio_threshold = 2.0;
            config
        })
        .await
    }

    async fn configured_table(
        &self,
        files: &[PathBuf],
        wanted: &Wanted<'_>,
        change: impl FnOnce(SessionConfig) -> SessionConfig,
    ) -> Result<DataFrame, EngineError> {
        let config = change(self.context.copied_config());
        let state = SessionStateBuilder::new_from_existing(self.context.state());
        let context = SessionContext::new_with_state(state.with_config(config).build());
        self.table_in(&context, files, wanted).await
    }

    /// The folders of a plan's steps.
    pub(crate) fn steps(&self) -> Steps<'_> {
        Steps { engine: self, folders: Vec::new() }
    }

    /// Bytes for rows that are grouped or sorted.
    pub(crate) fn room(&self) -> u64 {
        self.memory
    }

    /// Rows of a selection, of whose classes each has so many, in memory: unless a cluster has
    /// them, or there is no room.
    pub(crate) async fn gather(
        &self,
        rows: DataFrame,
        counts: &[u64],
    ) -> Result<Gathered, EngineError> {
        let least = counts.iter().sum::<u64>().saturating_mul(LEAST_ROW);
        if self.far || least > self.memory {
            return Ok(Gathered::TooMany);
        }
        let streams = rows.execute_stream_partitioned().await?;
        gather(streams, counts, &self.context.runtime_env().memory_pool).await
    }

    /// Runs something to its end.
    pub(crate) fn run<T>(&self, work: impl Future<Output = T>) -> T {
        self.runtime.block_on(work)
    }

    /// The columns of a file, as its footer says.
    async fn columns(&self, place: &Place) -> Result<FileColumns, EngineError> {
        let read = async {
            let url = ListingTableUrl::parse(&place.address)?;
            let runtime = self.context.runtime_env();
            let store = runtime.object_store(&url)?;
            let file = store.head(url.prefix()).await?;
            let known = runtime.cache_manager.get_file_metadata_cache();
            let footer = DFParquetMetadata::new(store.as_ref(), &file);
            footer.with_file_metadata_cache(Some(known)).fetch_schema().await
        };
        let schema = read.await.map_err(|error| EngineError::Table {
            path: place.path.clone(),
            fault: format!("its footer cannot be read: {}", plain(&error)),
            way_out: "write the file anew, or leave it out".to_owned(),
        })?;
        Ok(FileColumns { path: place.path.clone(), folder: place.folder.clone(), schema })
    }

    /// Columns of Parquet files, or of folders of them, as one table.
    pub(crate) async fn table(
        &self,
        files: &[PathBuf],
        wanted: &Wanted<'_>,
    ) -> Result<DataFrame, EngineError> {
        self.table_in(&self.context, files, wanted).await
    }

    async fn table_in(
        &self,
        context: &SessionContext,
        files: &[PathBuf],
        wanted: &Wanted<'_>,
    ) -> Result<DataFrame, EngineError> {
        if files.is_empty() {
            return Err(EngineError::Asked("name the files of a table".to_owned()));
        }
        let runtime = self.context.runtime_env();
        let mut all = Vec::new();
        for path in files {
            let found = places(path, &runtime).await?;
            all.extend(found.files);
            self.notes.lock().unwrap_or_else(PoisonError::into_inner).extend(found.note);
        }
        let columns = all.iter().map(|place| self.columns(place));
        let columns: Vec<_> = futures::stream::iter(columns).buffered(16).try_collect().await?;
        one_labelling(&columns)?;
        let schema = agreed(&columns, wanted)?;
        // Every file by its name, whatever its ending.
        let options = ParquetReadOptions {
            file_extension: "",
            schema: Some(&schema),
            ..ParquetReadOptions::default()
        };
        let addresses: Vec<String> = all.into_iter().map(|place| place.address).collect();
        Ok(context.read_parquet(addresses, options).await?)
    }
}

/// Steps of a plan that are done one after another, as a cluster does them: of sorts that stand one
/// behind the other each has its share of the memory from the start, and none has enough. The files
/// between them go with this.
pub(crate) struct Steps<'a> {
    engine: &'a Engine,
    folders: Vec<TempDir>,
}

impl Steps<'_> {
    /// Does all that a table says, and gives its rows as another table.
    pub(crate) async fn done(&mut self, table: DataFrame) -> Result<DataFrame, EngineError> {
        if self.engine.far {
            return Ok(table);
        }
        let folder = match &self.engine.spill {
            Some(spill) => tempfile::tempdir_in(spill).map_err(EngineError::io(spill))?,
            None => tempfile::tempdir().map_err(EngineError::io("a temporary folder"))?,
        };
        let path = folder.path().to_string_lossy().into_owned();
        let schema = table.schema().as_arrow().clone();
        let (state, plan) = table.into_parts();
        let table = DataFrame::new(state.clone(), plan);
        table.write_parquet(&path, DataFrameWriteOptions::new(), Some(between())).await?;
        // Without a row there may be no file.
        let options = ParquetReadOptions { schema: Some(&schema), ..Default::default() };
        let read = SessionContext::new_with_state(state).read_parquet(&path, options).await?;
        self.folders.push(folder);
        Ok(read)
    }
}

/// How files between steps are written: what is not yet in a file takes memory that no sort has.
fn between() -> TableParquetOptions {
    let mut options = TableParquetOptions::default();
    options.global.max_row_group_size = 2048;
    options.global.allow_single_file_parallelism = false;
    options.global.dictionary_enabled = Some(false);
    options.global.statistics_enabled = Some("none".to_owned());
    options.global.compression = Some("zstd(1)".to_owned());
    options
}
