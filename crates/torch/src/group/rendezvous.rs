//! The rendezvous of a group's processes, as launchers tell it them: `tutor launch`, `torchrun`,
//! Open MPI, MPICH and Intel MPI, Slurm, indexed jobs of Kubernetes.

use std::time::Duration;

/// How the processes of a group find each other, and which of them this is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rendezvous {
    /// The machine of rank 0, by name or address.
    pub host: String,
    /// The TCP port of the group's store.
    pub port: u16,
    /// Which process this is, counted from 0.
    pub rank: usize,
    /// Which of this machine's processes it is, counted from 0: the number of its GPU.
    pub local_rank: usize,
    /// How many processes there are.
    pub size: usize,
    /// Whether a program outside of the group serves its store, as `torchrun` does; else rank 0
    /// serves it.
    pub external_store: bool,
    /// What tells this group from others with the same host and port, such as the number of a
    /// restart.
    pub name: String,
    /// How long an operation waits for the other processes.
    pub timeout: Duration,
    /// The launcher whose variables say all this; `None` where it was no launcher.
    pub launcher: Option<Launcher>,
}

/// Variables of a launcher that make no sense.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{variable}: {fault}")]
pub struct RendezvousError {
    /// The variable of the environment.
    pub variable: &'static str,
    /// What is wrong with it, and the way out.
    pub fault: String,
}

/// The variables of one launcher.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Launcher {
    /// The variable with the rank.
    pub rank: &'static str,
    /// The variable with the number of processes.
    pub size: &'static str,
    /// The variable with the rank among the processes of its machine.
    pub local_rank: &'static str,
    /// The program that starts all processes, for messages.
    pub by: &'static str,
}

const TORCHRUN: Launcher = Launcher {
    rank: "RANK",
    size: "WORLD_SIZE",
    local_rank: "LOCAL_RANK",
    by: "`tutor launch` or torchrun",
};
const OPEN_MPI: Launcher = Launcher {
    rank: "OMPI_COMM_WORLD_RANK",
    size: "OMPI_COMM_WORLD_SIZE",
    local_rank: "OMPI_COMM_WORLD_LOCAL_RANK",
    by: "mpirun",
};
/// MPICH and Intel MPI.
const PMI: Launcher =
    Launcher { rank: "PMI_RANK", size: "PMI_SIZE", local_rank: "MPI_LOCALRANKID", by: "mpirun" };
const SLURM: Launcher = Launcher {
    rank: "SLURM_PROCID",
    size: "SLURM_NTASKS",
    local_rank: "SLURM_LOCALID",
    by: "srun",
};
const KUBERNETES: Launcher = Launcher {
    rank: "JOB_COMPLETION_INDEX",
    size: "WORLD_SIZE",
    local_rank: "LOCAL_RANK",
    by: "an indexed job of as many pods",
};

/// What Slurm sets in the tasks of `srun` and not in a batch script.
const SLURM_STEP: &str = "SLURM_STEP_ID";

/// The first number of those that Slurm gives to what is no step of tasks: the shell of `salloc`, a
/// batch script.
const NO_STEP: u64 = 0xffff_fff0;

/// What tells one `mpirun` of Open MPI from another: of version 5, and of those before.
const OPEN_MPI_JOB: [&str; 2] = ["PMIX_NAMESPACE", "OMPI_MCA_ess_base_jobid"];

/// The variable for the time-out in seconds, which an hour of preparation on rank 0 alone may need
/// larger.
const TIMEOUT: &str = "TUTOR_GROUP_TIMEOUT";

/// The port where nothing says another: PyTorch's.
const PORT: u16 = 29500;

impl Rendezvous {
    /// The rendezvous that the variables of the environment describe; `None` for a process that was
    /// started alone. See [`from_vars`](Self::from_vars).
    ///
    /// # Errors
    /// If variables of a launcher are missing or make no sense.
    pub fn from_env() -> Result<Option<Self>, RendezvousError> {
        Self::from_vars(|name| std::env::var(name).ok().filter(|value| !value.is_empty()))
    }

    /// The rendezvous that variables describe, each of which `get` gives by its name; `None` for a
    /// process that was started alone. The first launcher whose variables are there counts: `RANK`
    /// with `WORLD_SIZE` (`torchrun` and `tutor launch`), Open MPI, MPICH and Intel MPI with more
    /// than one process, Slurm with more than one task, Kubernetes' job index with `WORLD_SIZE`.
    /// One process, and a batch script of Slurm, which has the variables of its tasks and is none
    /// of them, are alone. `MASTER_ADDR` and `MASTER_PORT` say where rank 0 is; where they are
    /// missing, Slurm's list of the step's machines is read, and a port is made of the numbers of
    /// the job and the step, with Open MPI of the name of the job.
    ///
    /// ```
    /// use torch::group::Rendezvous;
    /// let list = [("SLURM_PROCID", "5"), ("SLURM_NTASKS", "8"), ("SLURM_LOCALID", "1"),
    ///     ("SLURM_STEP_ID", "0"), ("SLURM_STEP_NODELIST", "node[07-08,11]"),
    ///     ("SLURM_JOB_ID", "4711")];
    /// let get = |name: &str| list.iter().find(|(n, _)| *n == name).map(|(_, v)| v.to_string());
    /// let rendezvous = Rendezvous::from_vars(get)?.expect("a group");
    /// assert_eq!((rendezvous.rank, rendezvous.size, rendezvous.host.as_str()), (5, 8, "node07"));
    /// # Ok::<(), torch::group::RendezvousError>(())
    /// ```
    ///
    /// # Errors
    /// If variables of a launcher are missing or make no sense.
    pub fn from_vars(
        get: impl Fn(&str) -> Option<String>,
    ) -> Result<Option<Self>, RendezvousError> {
        let Some(launcher) = launcher(&get)? else { return Ok(None) };
        let by_slurm = launcher == SLURM;
        let number = |variable: &'static str| match get(variable) {
            None => Ok(None),
            Some(text) => text.trim().parse::<usize>().map(Some).map_err(|_| {
                let fault = format!("`{text}` is no number; start the processes by a launcher");
                RendezvousError { variable, fault }
            }),
        };
        let rank = number(launcher.rank)?.unwrap_or(0);
        let size = number(launcher.size)?.unwrap_or(1);
        if size == 0 {
            let fault = "is 0: it counts the processes, and there is one at least".to_owned();
            return Err(RendezvousError { variable: launcher.size, fault });
        }
        // Pods of a job may each work alone, whatever their numbers.
        if rank >= size && !(launcher == KUBERNETES && size == 1) {
            let fault = format!("{rank} of {} = {size} processes, counted from 0", launcher.size);
            return Err(RendezvousError { variable: launcher.rank, fault });
        }
        if size == 1 {
            return Ok(None);
        }
        let host = match get("MASTER_ADDR") {
            Some(host) => without_brackets(&host).to_owned(),
            None if by_slurm => {
                // A step need not begin on the job's first machine.
                let lists = ["SLURM_STEP_NODELIST", "SLURM_JOB_NODELIST", "SLURM_NODELIST"];
                let list = lists.into_iter().find_map(&get);
                first_host(&list.unwrap_or_default()).ok_or_else(|| RendezvousError {
                    variable: "SLURM_STEP_NODELIST",
                    fault: "names no machine; set MASTER_ADDR to that of rank 0".to_owned(),
                })?
            }
            None => {
                let fault = "is missing: set it to the name or address of rank 0's machine";
                return Err(RendezvousError { variable: "MASTER_ADDR", fault: fault.to_owned() });
            }
        };
        // Groups that share a machine have different ports, and names where these are the same.
        let (usual, of) = match launcher {
            SLURM => match number("SLURM_JOB_ID")? {
                Some(job) => {
                    let step = get(SLURM_STEP).unwrap_or_default();
                    let port = job.wrapping_add(STEPS_APART * step.trim().parse().unwrap_or(0));
                    (own_port(port), format!("/{job}.{step}"))
                }
                None => (PORT, String::new()),
            },
            OPEN_MPI => match OPEN_MPI_JOB.into_iter().find_map(&get) {
                Some(job) => (own_port(folded(&job)), format!("/{job}")),
                None => (PORT, String::new()),
            },
            _ => (PORT, String::new()),
        };
        let port = match number("MASTER_PORT")? {
            Some(port) => u16::try_from(port).map_err(|_| RendezvousError {
                variable: "MASTER_PORT",
                fault: format!("{port} is no port: they go up to 65535"),
            })?,
            None => usual,
        };
        let timeout = number(TIMEOUT)?.unwrap_or(300).max(1);
        let restart = number("TORCHELASTIC_RESTART_COUNT")?.unwrap_or(0);
        Ok(Some(Self {
            host,
            port,
            rank,
            local_rank: number(launcher.local_rank)?.unwrap_or(0),
            size,
            external_store: get("TORCHELASTIC_USE_AGENT_STORE").is_some_and(|v| v == "True"),
            name: format!("tutor{of}/{restart}"),
            timeout: Duration::from_secs(timeout as u64),
            launcher: Some(launcher),
        }))
    }

    /// Where the group's store is, for messages: `node07:29500`, `[fd00::1]:29500`.
    pub(super) fn at(&self) -> String {
        let Self { host, port, .. } = self;
        if host.contains(':') { format!("[{host}]:{port}") } else { format!("{host}:{port}") }
    }

    /// What is to be done where others do not come, as the end of a sentence.
    pub(super) fn way_out(&self) -> String {
        let size = self.size;
        match self.launcher {
            Some(Launcher { rank, size: of, by, .. }) => format!(
                "{rank} and {of} say that this is one of {size} processes: start all of them, by \
                 {by}, or unset both for one that works alone"
            ),
            None => format!("start all {size} processes"),
        }
    }
}

/// The launcher whose variables count, if there is one.
fn launcher(get: &impl Fn(&str) -> Option<String>) -> Result<Option<Launcher>, RendezvousError> {
    let has = |launcher: Launcher| get(launcher.rank).is_some() && get(launcher.size).is_some();
    let several = |launcher: Launcher| {
        has(launcher) && get(launcher.size).is_some_and(|size| size.trim() != "1")
    };
    let missing = |variable: &'static str, known: &str, way_out: &str| {
        let fault = format!("is missing, though {known} is set: {way_out}");
        Err(RendezvousError { variable, fault })
    };
    let both = "set both, or neither";
    // Half of what a launcher says would be a process that trains alone beside the others.
    for Launcher { rank, size, .. } in [TORCHRUN, OPEN_MPI] {
        if get(rank).is_some() && get(size).is_none() {
            return missing(size, rank, both);
        }
    }
    // A shell within a Slurm job has its variables too, with one task; a batch script has those of
    // its tasks.
    let is_step = |id: String| !id.trim().parse::<u64>().is_ok_and(|id| id >= NO_STEP);
    let slurm = several(SLURM) && get(SLURM_STEP).is_some_and(is_step);
    // Slurm's tasks may have both; Slurm knows more.
    let same = get(PMI.rank) == get(SLURM.rank) && get(PMI.size) == get(SLURM.size);
    Ok(Some(match () {
        () if has(TORCHRUN) => TORCHRUN,
        // What was started within a task of Slurm knows better which process it is.
        () if several(OPEN_MPI) || (has(OPEN_MPI) && !slurm) => OPEN_MPI,
        () if several(PMI) && !(slurm && same) => PMI,
        () if slurm => SLURM,
        () if has(KUBERNETES) => KUBERNETES,
        () if get(KUBERNETES.rank).is_some() => {
            let way_out = "set it to the number of pods that work together, or to 1 for each alone";
            return missing(KUBERNETES.size, KUBERNETES.rank, way_out);
        }
        () if get(TORCHRUN.size).is_some_and(|size| size.trim() != "1") => {
            return missing(TORCHRUN.rank, TORCHRUN.size, both);
        }
        () => return Ok(None),
    }))
}

/// An address of IPv6 without the brackets in which it is written before a port.
fn without_brackets(host: &str) -> &str {
    let inside = host.trim().strip_prefix('[').and_then(|rest| rest.strip_suffix(']'));
    inside.unwrap_or(host)
}

/// By how much the ports of two steps of a job differ: those of jobs that follow each other differ
/// by 1.
const STEPS_APART: usize = 1009;

/// One of 20,000 ports from 20,000 on.
fn own_port(number: usize) -> u16 {
    20_000 + (number % 20_000) as u16
}

/// A number made of a name, the same in all processes.
fn folded(name: &str) -> usize {
    name.bytes().fold(0, |all, byte| (31 * all + usize::from(byte)) % 1_000_003)
}

/// The first machine of a list as Slurm writes them: `a1,b2`, `node[07-09,12],x1`,
/// `rack[0-1]node[1-2]`.
fn first_host(list: &str) -> Option<String> {
    let (mut first, mut rest) = (String::new(), list);
    while let Some(end) = rest.find(['[', ',']) {
        first.push_str(&rest[..end]);
        if rest[end..].starts_with(',') {
            return (!first.is_empty()).then_some(first);
        }
        let (inside, behind) = rest[end + 1..].split_once(']')?;
        first.extend(inside.chars().take_while(char::is_ascii_digit));
        rest = behind;
    }
    first.push_str(rest);
    (!first.is_empty()).then_some(first)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn from_list(list: &[(&str, &str)]) -> Result<Option<Rendezvous>, RendezvousError> {
        Rendezvous::from_vars(|name| {
            list.iter().find(|(n, _)| *n == name).map(|(_, v)| (*v).to_owned())
        })
    }

    #[test]
    fn every_launcher_is_understood() {
        let at = [("MASTER_ADDR", "10.0.0.7"), ("MASTER_PORT", "4000")];
        let with = |own: &[(&'static str, &'static str)]| {
            let list: Vec<_> = own.iter().copied().chain(at).collect();
            from_list(&list).expect("good variables").expect("a group")
        };
        let torchrun = with(&[
            ("RANK", "3"),
            ("WORLD_SIZE", "4"),
            ("LOCAL_RANK", "1"),
            ("TORCHELASTIC_USE_AGENT_STORE", "True"),
            ("TORCHELASTIC_RESTART_COUNT", "2"),
            // torchrun within a Slurm job.
            ("SLURM_PROCID", "0"),
            ("SLURM_NTASKS", "2"),
            ("SLURM_STEP_ID", "0"),
        ]);
        assert_eq!((torchrun.rank, torchrun.size, torchrun.local_rank), (3, 4, 1));
        assert!(torchrun.external_store && torchrun.name.ends_with("/2"));
        assert_eq!((torchrun.host.as_str(), torchrun.port), ("10.0.0.7", 4000));
        let mpi = with(&[("OMPI_COMM_WORLD_RANK", "1"), ("OMPI_COMM_WORLD_SIZE", "2")]);
        assert_eq!((mpi.rank, mpi.size, mpi.external_store), (1, 2, false));
        // mpirun within a task of Slurm, which is the first of two.
        let step = [("SLURM_PROCID", "0"), ("SLURM_NTASKS", "2"), ("SLURM_STEP_ID", "0")];
        let mpi = [("OMPI_COMM_WORLD_RANK", "3"), ("OMPI_COMM_WORLD_SIZE", "4")];
        let found = with(&[&step[..], &mpi].concat());
        assert_eq!((found.rank, found.size), (3, 4));
        let mpich = [("PMI_RANK", "3"), ("PMI_SIZE", "4"), ("MPI_LOCALRANKID", "1")];
        let found = with(&[&step[..], &mpich].concat());
        assert_eq!((found.rank, found.size, found.local_rank), (3, 4, 1));
        // Where srun has set both.
        let both = [("PMI_RANK", "0"), ("PMI_SIZE", "2"), ("SLURM_LOCALID", "0")];
        let found = with(&[&step[..], &both].concat());
        assert_eq!((found.size, found.launcher), (2, Some(SLURM)));
        let pod = with(&[("JOB_COMPLETION_INDEX", "0"), ("WORLD_SIZE", "8")]);
        assert_eq!((pod.rank, pod.size), (0, 8));
        assert_eq!((pod.port, pod.name.as_str()), (4000, "tutor/0"));
        let slurm = [("SLURM_PROCID", "1"), ("SLURM_NTASKS", "2"), ("SLURM_JOB_ID", "70001")];
        let hosts = [("SLURM_STEP_ID", "0"), ("SLURM_JOB_NODELIST", "gpu-a")];
        let found = from_list(&[&slurm[..], &hosts].concat()).expect("good").expect("a group");
        assert_eq!((found.host.as_str(), found.port), ("gpu-a", 30_001));
        let way_out = found.way_out();
        assert!(way_out.starts_with("SLURM_PROCID and SLURM_NTASKS say"), "{way_out}");
        assert!(way_out.contains("by srun, or unset both"), "{way_out}");
    }

    #[test]
    fn groups_of_a_job_do_not_meet() {
        let of = |own: &[(&'static str, &'static str)]| {
            from_list(own).expect("good variables").expect("a group")
        };
        let slurm = [("SLURM_PROCID", "1"), ("SLURM_NTASKS", "2"), ("SLURM_JOB_ID", "70001")];
        let step = |id: &'static str| {
            let hosts = [("SLURM_JOB_NODELIST", "n[1-4]"), ("SLURM_STEP_NODELIST", "n[3-4]")];
            of(&[&slurm[..], &hosts, &[("SLURM_STEP_ID", id)]].concat())
        };
        let [first, second] = ["0", "1"].map(step);
        assert_eq!(first.host, "n3", "the step's first machine, not the job's");
        assert_ne!(first.port, second.port);
        assert_ne!(first.name, second.name);
        let at = [("MASTER_ADDR", "n3"), ("MASTER_PORT", "4000")];
        let named = |id: &'static str| of(&[&slurm[..], &at, &[("SLURM_STEP_ID", id)]].concat());
        let [first, second] = ["0", "1"].map(named);
        assert_eq!((first.port, second.port), (4000, 4000));
        assert_ne!(first.name, second.name);
        for variable in OPEN_MPI_JOB {
            let mpi = |job: &'static str| {
                let rank = [("OMPI_COMM_WORLD_RANK", "1"), ("OMPI_COMM_WORLD_SIZE", "2")];
                of(&[&rank[..], &at[..1], &[(variable, job)]].concat())
            };
            let [first, second] = ["prterun-n3-1811@1", "prterun-n3-1911@1"].map(mpi);
            assert_ne!(first.port, second.port);
            assert_ne!(first.name, second.name);
            assert_eq!(first, mpi("prterun-n3-1811@1"));
        }
        // torchrun's processes may be of several steps.
        let torchrun = |id: &'static str| {
            of(&[&[("RANK", "0"), ("WORLD_SIZE", "2"), ("SLURM_STEP_ID", id)], &at[..]].concat())
        };
        assert_eq!(torchrun("0"), torchrun("1"));
    }

    #[test]
    fn an_address_of_ipv6_may_stand_in_brackets() {
        for host in ["[fd00::1]", "fd00::1"] {
            let list = [("RANK", "0"), ("WORLD_SIZE", "2"), ("MASTER_ADDR", host)];
            let found = from_list(&list).expect("good").expect("a group");
            assert_eq!((found.host.as_str(), found.at().as_str()), ("fd00::1", "[fd00::1]:29500"));
        }
    }

    #[test]
    fn a_process_alone_is_alone() {
        assert_eq!(from_list(&[]), Ok(None));
        let one = [("SLURM_PROCID", "0"), ("SLURM_NTASKS", "1"), ("SLURM_STEP_ID", "0")];
        assert_eq!(from_list(&one), Ok(None));
        // A batch script is none of its tasks.
        assert_eq!(from_list(&[("SLURM_PROCID", "0"), ("SLURM_NTASKS", "4")]), Ok(None));
        // Nor is the shell of `salloc`, which has the number of a step.
        for step in ["4294967290", "4294967291"] {
            let shell = [("SLURM_PROCID", "0"), ("SLURM_NTASKS", "4"), ("SLURM_STEP_ID", step)];
            assert_eq!(from_list(&shell), Ok(None));
        }
        // One process needs no rendezvous.
        assert_eq!(from_list(&[("RANK", "0"), ("WORLD_SIZE", "1")]), Ok(None));
        assert_eq!(
            from_list(&[("OMPI_COMM_WORLD_RANK", "0"), ("OMPI_COMM_WORLD_SIZE", "1")]),
            Ok(None)
        );
        assert_eq!(from_list(&[("PMI_RANK", "0"), ("PMI_SIZE", "1")]), Ok(None));
        assert_eq!(from_list(&[("JOB_COMPLETION_INDEX", "3"), ("WORLD_SIZE", "1")]), Ok(None));
        assert_eq!(from_list(&[("WORLD_SIZE", "1")]), Ok(None));
    }

    #[test]
    fn variables_that_make_no_sense_are_named() {
        let fault = |list: &[(&str, &str)]| from_list(list).expect_err("a fault").to_string();
        assert!(
            fault(&[("RANK", "0"), ("WORLD_SIZE", "2")]).starts_with("MASTER_ADDR: is missing")
        );
        assert!(fault(&[("RANK", "2"), ("WORLD_SIZE", "2")]).starts_with("RANK: 2 of WORLD_SIZE"));
        assert!(fault(&[("RANK", "0")]).starts_with("WORLD_SIZE: is missing"));
        assert!(fault(&[("RANK", "1"), ("WORLD_SIZE", "1")]).starts_with("RANK: 1 of WORLD_SIZE"));
        for index in ["0", "1"] {
            let pod = fault(&[("JOB_COMPLETION_INDEX", index)]);
            assert!(
                pod.starts_with("WORLD_SIZE: is missing, though JOB_COMPLETION_INDEX"),
                "{pod}"
            );
        }
        assert!(fault(&[("WORLD_SIZE", "4")]).starts_with("RANK: is missing"));
        let half = fault(&[("OMPI_COMM_WORLD_RANK", "0")]);
        assert!(half.starts_with("OMPI_COMM_WORLD_SIZE: is missing, though OMPI_COMM_WORLD_RANK"));
        assert!(fault(&[("RANK", "0"), ("WORLD_SIZE", "0")]).starts_with("WORLD_SIZE: is 0"));
        assert!(fault(&[("RANK", "x"), ("WORLD_SIZE", "2")]).starts_with("RANK: `x` is no number"));
    }

    #[test]
    fn lists_of_machines() {
        let first = |list| first_host(list).unwrap_or_default();
        assert_eq!(first("node[07-09,12],x1"), "node07");
        assert_eq!(first("a1,b2"), "a1");
        assert_eq!(first("n[1,3]-ib"), "n1-ib");
        assert_eq!(first("rack[0-1]node[1-2]"), "rack0node1");
        assert_eq!(first("rack[3]node[07-09]-ib,x1"), "rack3node07-ib");
        assert_eq!(first("n[1-2,x1"), "");
        assert_eq!(first(""), "");
    }
}
