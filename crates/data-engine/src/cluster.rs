//! A cluster of Ballista: a scheduler, which divides plans into tasks, and executors, which do
//! them.
//!
//! Both are this crate's own, since the plans call the project's functions by name: a program that
//! does not know these cannot run them. All processes see the files of a table under the same
//! paths, and all are of the same version.

use crate::error::EngineError;
use crate::functions;
use crate::functions::balance::bucket;
use crate::memory::Memory;
use crate::session::{LEAST_MEMORY, configured, environment};
use ballista::prelude::{SessionConfigExt, SessionContextExt};
use ballista_core::registry::BallistaFunctionRegistry;
use ballista_core::utils::default_session_builder;
use ballista_executor::executor_process::{ExecutorProcessConfig, start_executor_process};
use ballista_scheduler::cluster::BallistaCluster;
use ballista_scheduler::config::SchedulerConfig;
use ballista_scheduler::scheduler_process::start_server;
use data_pipeline::balance::Selection;
use datafusion::execution::memory_pool::MemoryPool;
use datafusion::execution::{FunctionRegistry, SessionState, SessionStateBuilder};
use datafusion::prelude::{SessionConfig, SessionContext, lit};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use url::Url;

/// How a scheduler works.
///
/// | field | default | meaning |
/// |---|---|---|
/// | `address` | 127.0.0.1:50050 | where it listens |
/// | `host` | that of `address` | the name by which executors reach it |
/// | `gone_after` | 30 s | from 3 s on: an executor that has not been heard of for so long is told to stop, and others do its tasks |
#[derive(Clone, Debug)]
pub struct Scheduler {
    /// Where it listens.
    pub address: SocketAddr,
    /// The name by which executors reach it.
    pub host: Option<String>,
    /// How long an executor may be silent; whole seconds count.
    pub gone_after: Duration,
}

impl Default for Scheduler {
    fn default() -> Self {
        let address = ([127, 0, 0, 1], 50050).into();
        Self { address, host: None, gone_after: Duration::from_secs(30) }
    }
}

/// How an executor works.
///
/// | field | default | meaning |
/// |---|---|---|
/// | `scheduler` | 127.0.0.1:50050 | the scheduler's host and port |
/// | `address` | 127.0.0.1:50051 | where others fetch what it has made; the next port is used too |
/// | `host` | that of `address` | the name by which others reach it |
/// | `memory` | 2 GiB | bytes for rows that are grouped or sorted, of all its tasks together |
/// | `cores` | 0 | tasks at once; 0: as many as cores |
/// | `work` | none | the folder for what it hands on; none: the system's for temporary files |
#[derive(Clone, Debug)]
pub struct Executor {
    /// The scheduler's host and port.
    pub scheduler: (String, u16),
    /// Where it listens.
    pub address: SocketAddr,
    /// The name by which others reach it.
    pub host: Option<String>,
    /// Bytes for rows that are grouped or sorted.
    pub memory: u64,
    /// Tasks at once.
    pub cores: usize,
    /// The folder for what it hands on.
    pub work: Option<PathBuf>,
}

impl Default for Executor {
    fn default() -> Self {
        Self {
            scheduler: ("127.0.0.1".to_owned(), 50050),
            address: ([127, 0, 0, 1], 50051).into(),
            host: None,
            memory: 2 << 30,
            cores: 0,
            work: None,
        }
    }
}

/// A session with the functions of plans.
fn session(config: SessionConfig) -> datafusion::common::Result<SessionState> {
    let state = SessionStateBuilder::new_from_existing(default_session_builder(config)?);
    let mut state = state.with_runtime_env(environment(None).build_arc()?).build();
    for function in functions::all() {
        state.register_udf(Arc::new(function))?;
    }
    Ok(state)
}

fn config() -> SessionConfig {
    planned_once(configured(SessionConfig::new_with_ballista()))
}

/// Without the planner that changes the rest of a job by what its stages have found: of a stage
/// without rows it makes another one, and so on for ever.
fn planned_once(config: SessionConfig) -> SessionConfig {
    config.with_ballista_adaptive_query_planner(false)
}

fn fault(what: &str, error: impl std::fmt::Display) -> EngineError {
    EngineError::Cluster(format!("{what}: {error}"))
}

impl Scheduler {
    /// Serves until the process ends.
    ///
    /// # Errors
    /// When it cannot listen, or `gone_after` is too short.
    pub async fn serve(self) -> Result<(), EngineError> {
        let what = || format!("the scheduler at {}", self.address);
        let gone_after = self.gone_after.as_secs();
        if gone_after < 3 {
            return Err(fault(
                &what(),
                "executors cannot be heard of more often than in 3 seconds",
            ));
        }
        let host = reached_at(self.address, self.host.clone()).map_err(|e| fault(&what(), e))?;
        let config = SchedulerConfig {
            bind_host: self.address.ip().to_string(),
            bind_port: self.address.port(),
            external_host: host,
            executor_timeout_seconds: gone_after,
            expire_dead_executor_interval_seconds: (gone_after / 2).max(1),
            override_config_producer: Some(Arc::new(config)),
            override_session_builder: Some(Arc::new(session)),
            ..SchedulerConfig::default()
        };
        let cluster =
            BallistaCluster::new_from_config(&config).await.map_err(|e| fault(&what(), e))?;
        let served = start_server(cluster, self.address, Arc::new(config)).await;
        served.map_err(|error| fault(&what(), error))
    }
}

impl Executor {
    /// Works until it is told to stop (SIGTERM, Ctrl-C).
    ///
    /// # Errors
    /// When it cannot listen, has less than 64 MiB for a task, or the scheduler does not answer.
    pub async fn serve(self) -> Result<(), EngineError> {
        let functions = session(config())?;
        let cores = match self.cores {
            0 => std::thread::available_parallelism().map_or(1, usize::from),
            cores => cores,
        };
        let (scheduler_host, scheduler_port) = self.scheduler.clone();
        let what = format!("the executor at {}", self.address);
        let Some(grpc_port) = self.address.port().checked_add(1) else {
            return Err(fault(&what, "the port behind it is needed too"));
        };
        let host = reached_at(self.address, self.host).map_err(|error| fault(&what, error))?;
        if self.memory / (cores as u64) < LEAST_MEMORY {
            return Err(fault(
                &what,
                "64 MiB are the least for each task: give more memory, or fewer cores",
            ));
        }
        answers(self.scheduler.clone()).await.map_err(|error| {
            let (host, port) = &self.scheduler;
            fault(&what, format!("no scheduler answers at {host}:{port} ({error})"))
        })?;
        // What is left in it goes with the process.
        let temporary = self.work.is_none().then(tempfile::tempdir).transpose();
        let temporary = temporary.map_err(EngineError::io("a temporary folder"))?;
        let folder = temporary.as_ref().map(|folder| folder.path().to_path_buf());
        let folder = self.work.or(folder).expect("one of them");
        let memory: Arc<dyn MemoryPool> =
            Arc::new(Memory::new(usize::try_from(self.memory).unwrap_or(usize::MAX)));
        let config = ExecutorProcessConfig {
            bind_host: self.address.ip().to_string(),
            external_host: Some(host),
            port: self.address.port(),
            grpc_port,
            scheduler_host,
            scheduler_port,
            vcores: cores,
            work_dir: Some(folder.to_string_lossy().into_owned()),
            job_data_clean_up_interval_seconds: 600,
            job_data_ttl_seconds: 86_400,
            // None of its own: that of the environment below.
            memory_pool_size: Some(0),
            executor_heartbeat_interval_seconds: 1,
            override_function_registry: Some(Arc::new(BallistaFunctionRegistry::from(&functions))),
            override_config_producer: Some(Arc::new(config)),
            override_runtime_producer: Some(Arc::new(move |_| {
                environment(Some(&folder)).with_memory_pool(memory.clone()).build_arc()
            })),
            ..ExecutorProcessConfig::default()
        };
        start_executor_process(Arc::new(config)).await.map_err(|error| fault(&what, error))
    }
}

/// A session whose plans a cluster runs. `url`: `http://HOST:PORT` of its scheduler.
pub(crate) async fn connect(
    url: &str,
    config: SessionConfig,
) -> Result<SessionContext, EngineError> {
    // Nobody is asked before there is a plan.
    let address = Url::parse(url).ok().filter(|url| url.scheme() == "http");
    let address = address.and_then(|url| Some((url.host_str()?.to_owned(), url.port()?)));
    let address = address.ok_or_else(|| fault(url, "is no http://HOST:PORT of a scheduler"))?;
    let found = answers(address).await;
    found.map_err(|error| fault(url, format!("no scheduler answers there ({error})")))?;
    let state = session(planned_once(config.upgrade_for_ballista()))?;
    let context = SessionContext::remote_with_state(url, state).await;
    let context = context.map_err(|error| fault(url, error))?;
    functions::register(&context);
    // A job waits for its first executor for ever.
    let probe =
        context.read_empty()?.select(vec![bucket(lit(0.5f32), &Selection::default())])?.collect();
    match tokio::time::timeout(Duration::from_secs(30), probe).await {
        Ok(answer) => answer.map(drop)?,
        Err(_) => {
            return Err(fault(
                url,
                "the scheduler has no executor: start some, and see that they find it",
            ));
        }
    }
    Ok(context)
}

/// Fails unless somebody listens there.
async fn answers(address: (String, u16)) -> Result<(), String> {
    let found = tokio::net::TcpStream::connect(address);
    match tokio::time::timeout(Duration::from_secs(10), found).await {
        Ok(found) => found.map(drop).map_err(|error| error.to_string()),
        Err(_) => Err("ten seconds have passed".to_owned()),
    }
}

/// The name by which others reach who listens at an address.
fn reached_at(address: SocketAddr, host: Option<String>) -> Result<String, &'static str> {
    match host {
        Some(host) => Ok(host),
        None if address.ip().is_unspecified() => {
            Err("others need a name to reach it by: name its --host")
        }
        None => Ok(address.ip().to_string()),
    }
}
