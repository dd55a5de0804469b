//! The processes of a group on this machine: started together, watched, ended together.

use std::io;
use std::net::TcpListener;
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

/// The variable for the process that started this one.
const LAUNCHER: &str = "TUTOR_LAUNCHER";

/// Asks the system to tell this process to stop (SIGTERM) as soon as the [`Launch`] that started it
/// is gone, however that ended: what cannot be caught, such as SIGKILL, leaves it no time to tell.
/// Nothing happens in a process that was started otherwise, and on systems other than Linux.
///
/// # Errors
/// If the launcher is gone already.
pub fn end_with_launcher() -> io::Result<()> {
    let launcher = std::env::var(LAUNCHER).ok().and_then(|id| id.parse::<u32>().ok());
    let Some(launcher) = launcher else { return Ok(()) };
    #[cfg(target_os = "linux")]
    rustix::process::set_parent_process_death_signal(Some(rustix::process::Signal::TERM))?;
    // It may have ended before the system was asked.
    match std::os::unix::process::parent_id() == launcher {
        true => Ok(()),
        false => Err(io::Error::other("the process that started this one is gone")),
    }
}

/// How to start and watch processes that form a group.
#[derive(Clone, Copy, Debug)]
pub struct Launch {
    /// How many processes are started.
    pub size: usize,
    /// How long they may take; `None` sets no limit.
    pub limit: Option<Duration>,
    /// How long the others may take to end by themselves after one has failed: longer than they
    /// need to find out who is gone.
    pub grace: Duration,
}

/// How the processes of a group ended.
#[derive(Debug)]
pub struct Ended {
    /// The exit status of each process, by rank.
    pub statuses: Vec<ExitStatus>,
    /// The rank of the process that failed first, if one did.
    pub first: Option<usize>,
    /// The ranks of the processes that did not end by themselves and were killed.
    pub killed: Vec<usize>,
}

impl Launch {
    /// A launch of `size` processes, without a time limit and with a grace of 20 seconds.
    pub fn new(size: usize) -> Self {
        Self { size, limit: None, grace: Duration::from_secs(20) }
    }

    /// Starts a process for each rank with the variables of `torchrun`, and waits for all. `make`
    /// gives the program of a rank; `asked` is asked all the time whether to tell all to stop
    /// (SIGTERM), once. Processors are split among them unless `OMP_NUM_THREADS` says otherwise.
    pub fn run(
        self,
        make: impl Fn(usize) -> Command,
        asked: impl Fn() -> bool,
    ) -> io::Result<Ended> {
        let port = TcpListener::bind(("127.0.0.1", 0))?.local_addr()?.port();
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        let mut children = Children(Vec::with_capacity(self.size));
        for rank in 0..self.size {
            let mut command = make(rank);
            command
                .env("RANK", rank.to_string())
                .env("LOCAL_RANK", rank.to_string())
                .env("WORLD_SIZE", self.size.to_string())
                .env("LOCAL_WORLD_SIZE", self.size.to_string())
                .env("MASTER_ADDR", "127.0.0.1")
                .env("MASTER_PORT", port.to_string())
                .env(LAUNCHER, std::process::id().to_string())
                .env_remove("TORCHELASTIC_USE_AGENT_STORE")
                // Ctrl-C in a terminal reaches this process alone, which tells them once.
                .process_group(0);
            if std::env::var_os("OMP_NUM_THREADS").is_none() {
                command.env("OMP_NUM_THREADS", (cores / self.size).max(1).to_string());
            }
            children.0.push(Running { child: command.spawn()?, status: None });
        }
        children.watch(self, asked)
    }
}

struct Running {
    child: Child,
    status: Option<ExitStatus>,
}

/// Killed when dropped: no process outlives the group.
struct Children(Vec<Running>);

impl Children {
    fn watch(mut self, launch: Launch, asked: impl Fn() -> bool) -> io::Result<Ended> {
        let (began, mut failed, mut told) = (Instant::now(), None::<(usize, Instant)>, false);
        let mut killed = Vec::new();
        loop {
            for (rank, running) in self.0.iter_mut().enumerate().filter(|(_, r)| r.status.is_none())
            {
                running.status = running.child.try_wait()?;
                if running.status.is_some_and(|status| !status.success()) {
                    failed.get_or_insert((rank, Instant::now()));
                }
            }
            if self.0.iter().all(|running| running.status.is_some()) {
                let statuses = self.0.iter().filter_map(|running| running.status).collect();
                return Ok(Ended { statuses, first: failed.map(|(rank, _)| rank), killed });
            }
            if !told && asked() {
                told = true;
                self.tell();
            }
            let late = failed.is_some_and(|(_, at)| at.elapsed() > launch.grace)
                || launch.limit.is_some_and(|limit| began.elapsed() > limit);
            if late {
                for (rank, running) in self.0.iter_mut().enumerate() {
                    if running.status.is_none() {
                        running.child.kill()?;
                        running.status = Some(running.child.wait()?);
                        failed.get_or_insert((rank, Instant::now()));
                        killed.push(rank);
                    }
                }
                continue;
            }
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// Asks all that still run to stop.
    fn tell(&self) {
        for running in self.0.iter().filter(|running| running.status.is_none()) {
            let kill = Command::new("kill")
                .args(["-TERM", &running.child.id().to_string()])
                .stderr(Stdio::null())
                .status();
            // One that is gone already need not be told.
            drop(kill);
        }
    }
}

impl Drop for Children {
    fn drop(&mut self) {
        for running in self.0.iter_mut().filter(|running| running.status.is_none()) {
            let _ = running.child.kill();
            let _ = running.child.wait();
        }
    }
}
