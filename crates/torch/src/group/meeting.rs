//! Where the processes of a group meet, as launchers tell them: `tutor launch`, `torchrun`, Slurm,
//! Open MPI, indexed jobs of Kubernetes.

use std::time::Duration;

/// Where the processes of a group meet, and which of them this is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Meeting {
    /// The machine of rank 0, by name or address.
    pub host: String,
    /// Where the store listens.
    pub port: u16,
    /// Which process this is, counted from 0.
    pub rank: usize,
    /// Which of this machine's processes it is, counted from 0: the number of its GPU.
    pub local_rank: usize,
    /// How many processes there are.
    pub size: usize,
    /// Whether another program serves the store at this place, as `torchrun` does; else rank 0
    /// serves it.
    pub served: bool,
    /// What tells this group from others that meet at the same place, such as the number of a
    /// restart.
    pub name: String,
    /// How long an operation waits for the other processes.
    pub timeout: Duration,
}

/// Variables of a launcher that make no sense.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{variable}: {fault}")]
pub struct MeetingError {
    /// The variable of the environment.
    pub variable: &'static str,
    /// What is wrong with it, and the way out.
    pub fault: String,
}

/// Names of the variables of one launcher: rank, number of processes, rank on its machine.
type Names = [&'static str; 3];

const TORCHRUN: Names = ["RANK", "WORLD_SIZE", "LOCAL_RANK"];
const SLURM: Names = ["SLURM_PROCID", "SLURM_NTASKS", "SLURM_LOCALID"];
const OPEN_MPI: Names =
    ["OMPI_COMM_WORLD_RANK", "OMPI_COMM_WORLD_SIZE", "OMPI_COMM_WORLD_LOCAL_RANK"];
const KUBERNETES: Names = ["JOB_COMPLETION_INDEX", "WORLD_SIZE", "LOCAL_RANK"];

/// The variable for the time-out in seconds, which an hour of preparation on rank 0 alone may need
/// larger.
const TIMEOUT: &str = "TUTOR_GROUP_TIMEOUT";

/// The port where nothing says another: PyTorch's.
const PORT: u16 = 29500;

impl Meeting {
    /// What the variables of the environment say; `None` for a process that was started alone.
    pub fn of_environment() -> Result<Option<Self>, MeetingError> {
        Self::of(|name| std::env::var(name).ok().filter(|value| !value.is_empty()))
    }

    /// The same, of variables that `get` gives. The first launcher whose variables are there
    /// counts: `RANK` with `WORLD_SIZE` (`torchrun` and `tutor launch`), Slurm with more than one
    /// task, Open MPI, Kubernetes' job index with `WORLD_SIZE`. `MASTER_ADDR` and `MASTER_PORT` say
    /// where they meet; Slurm's list of machines is read where they are missing.
    ///
    /// ```
    /// use torch::group::Meeting;
    /// let list = [("SLURM_PROCID", "5"), ("SLURM_NTASKS", "8"), ("SLURM_LOCALID", "1"),
    ///     ("SLURM_JOB_NODELIST", "node[07-08,11]"), ("SLURM_JOB_ID", "4711")];
    /// let get = |name: &str| list.iter().find(|(n, _)| *n == name).map(|(_, v)| v.to_string());
    /// let meeting = Meeting::of(get)?.expect("a group");
    /// assert_eq!((meeting.rank, meeting.size, meeting.host.as_str()), (5, 8, "node07"));
    /// # Ok::<(), torch::group::MeetingError>(())
    /// ```
    pub fn of(get: impl Fn(&str) -> Option<String>) -> Result<Option<Self>, MeetingError> {
        let has = |names: Names| get(names[0]).is_some() && get(names[1]).is_some();
        // Half of what a launcher says would be a process that trains alone beside the others.
        for [rank, size, _] in [TORCHRUN, OPEN_MPI] {
            if get(rank).is_some() && get(size).is_none() {
                let fault = format!("is missing, though {rank} is set: set both, or neither");
                return Err(MeetingError { variable: size, fault });
            }
        }
        // A shell within a Slurm job has its variables too, with one task.
        let slurm = has(SLURM) && get(SLURM[1]).is_some_and(|n| n != "1");
        let (names, by_slurm) = match () {
            () if has(TORCHRUN) => (TORCHRUN, false),
            () if slurm => (SLURM, true),
            () if has(OPEN_MPI) => (OPEN_MPI, false),
            () if has(KUBERNETES) => (KUBERNETES, false),
            () if get(TORCHRUN[1]).is_some_and(|size| size.trim() != "1") => {
                let fault = "is missing, though WORLD_SIZE is set: set both, or neither".to_owned();
                return Err(MeetingError { variable: TORCHRUN[0], fault });
            }
            () => return Ok(None),
        };
        let number = |variable: &'static str| match get(variable) {
            None => Ok(None),
            Some(text) => text.trim().parse::<usize>().map(Some).map_err(|_| {
                let fault = format!("`{text}` is no number; start the processes by a launcher");
                MeetingError { variable, fault }
            }),
        };
        let rank = number(names[0])?.unwrap_or(0);
        let size = number(names[1])?.unwrap_or(1);
        if size == 0 {
            let fault = "is 0: it counts the processes, and there is one at least".to_owned();
            return Err(MeetingError { variable: names[1], fault });
        }
        if rank >= size {
            let fault = format!("{rank} of {} = {size} processes, counted from 0", names[1]);
            return Err(MeetingError { variable: names[0], fault });
        }
        let host = match get("MASTER_ADDR") {
            Some(host) => host,
            None if by_slurm => {
                let list = get("SLURM_JOB_NODELIST").or_else(|| get("SLURM_NODELIST"));
                first_host(&list.unwrap_or_default()).ok_or_else(|| MeetingError {
                    variable: "SLURM_JOB_NODELIST",
                    fault: "names no machine; set MASTER_ADDR to that of rank 0".to_owned(),
                })?
            }
            None => {
                let fault = "is missing: set it to the name or address of rank 0's machine";
                return Err(MeetingError { variable: "MASTER_ADDR", fault: fault.to_owned() });
            }
        };
        let port = match (number("MASTER_PORT")?, number("SLURM_JOB_ID")?) {
            (Some(port), _) => u16::try_from(port).map_err(|_| MeetingError {
                variable: "MASTER_PORT",
                fault: format!("{port} is no port: they go up to 65535"),
            })?,
            // Jobs that share a machine do not meet.
            (None, Some(job)) if by_slurm => 20_000 + (job % 20_000) as u16,
            (None, _) => PORT,
        };
        let timeout = number(TIMEOUT)?.unwrap_or(300).max(1);
        let restart = number("TORCHELASTIC_RESTART_COUNT")?.unwrap_or(0);
        Ok(Some(Self {
            host,
            port,
            rank,
            local_rank: number(names[2])?.unwrap_or(0),
            size,
            served: get("TORCHELASTIC_USE_AGENT_STORE").is_some_and(|v| v == "True"),
            name: format!("tutor/{restart}"),
            timeout: Duration::from_secs(timeout as u64),
        }))
    }
}

/// The first machine of a list as Slurm writes them: `a1,b2`, `node[07-09,12],x1`.
fn first_host(list: &str) -> Option<String> {
    let end = list.find(['[', ',']).unwrap_or(list.len());
    let (name, rest) = list.split_at(end);
    let first = match rest.strip_prefix('[') {
        None => name.to_owned(),
        Some(inside) => {
            let number: String = inside.chars().take_while(char::is_ascii_digit).collect();
            let close = inside.find(']')?;
            let behind: String =
                inside[close + 1..].chars().take_while(|&c| c != ',' && c != '[').collect();
            format!("{name}{number}{behind}")
        }
    };
    (!first.is_empty()).then_some(first)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(list: &[(&str, &str)]) -> Result<Option<Meeting>, MeetingError> {
        Meeting::of(|name| list.iter().find(|(n, _)| *n == name).map(|(_, v)| (*v).to_owned()))
    }

    #[test]
    fn every_launcher_is_understood() {
        let at = [("MASTER_ADDR", "10.0.0.7"), ("MASTER_PORT", "4000")];
        let with = |own: &[(&'static str, &'static str)]| {
            let list: Vec<_> = own.iter().copied().chain(at).collect();
            of(&list).expect("good variables").expect("a group")
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
        ]);
        assert_eq!((torchrun.rank, torchrun.size, torchrun.local_rank), (3, 4, 1));
        assert!(torchrun.served && torchrun.name.ends_with("/2"));
        assert_eq!((torchrun.host.as_str(), torchrun.port), ("10.0.0.7", 4000));
        let mpi = with(&[("OMPI_COMM_WORLD_RANK", "1"), ("OMPI_COMM_WORLD_SIZE", "2")]);
        assert_eq!((mpi.rank, mpi.size, mpi.served), (1, 2, false));
        let pod = with(&[("JOB_COMPLETION_INDEX", "0"), ("WORLD_SIZE", "8")]);
        assert_eq!((pod.rank, pod.size), (0, 8));
        let slurm = [("SLURM_PROCID", "1"), ("SLURM_NTASKS", "2"), ("SLURM_JOB_ID", "70001")];
        let hosts = [("SLURM_JOB_NODELIST", "gpu-a")];
        let found = of(&[&slurm[..], &hosts].concat()).expect("good").expect("a group");
        assert_eq!((found.host.as_str(), found.port), ("gpu-a", 30_001));
    }

    #[test]
    fn a_process_alone_is_alone() {
        assert_eq!(of(&[]), Ok(None));
        assert_eq!(of(&[("SLURM_PROCID", "0"), ("SLURM_NTASKS", "1")]), Ok(None));
        assert_eq!(of(&[("WORLD_SIZE", "1")]), Ok(None));
    }

    #[test]
    fn variables_that_make_no_sense_are_named() {
        let fault = |list: &[(&str, &str)]| of(list).expect_err("a fault").to_string();
        assert!(
            fault(&[("RANK", "0"), ("WORLD_SIZE", "2")]).starts_with("MASTER_ADDR: is missing")
        );
        assert!(fault(&[("RANK", "2"), ("WORLD_SIZE", "2")]).starts_with("RANK: 2 of WORLD_SIZE"));
        assert!(fault(&[("RANK", "0")]).starts_with("WORLD_SIZE: is missing"));
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
        assert_eq!(first(""), "");
    }
}
