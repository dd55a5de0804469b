//! The processes that run a recipe together. All of them do what a single one would do, each in a
//! folder of its own that only rank 0 keeps; batches are shared, and so is what is measured.

use std::cell::RefCell;
use std::path::Path;

use anyhow::{Context, Result, bail};
use data_pipeline::loader::Share;
use serde::Serialize;
use serde::de::DeserializeOwned;
use torch::group::{Group, Rendezvous};
use torch::{Device, Tensor};
use train::TrainConfig;

use super::interrupt::Interrupted;

thread_local! {
    static GROUP: RefCell<Option<Group>> = const { RefCell::new(None) };
}

/// Joins the others that a launcher has started, as the variables of the environment say. Nothing
/// happens in a process that was started alone.
pub(crate) fn join() -> Result<()> {
    torch::group::end_with_launcher()?;
    if let Some(rendezvous) = Rendezvous::from_env()? {
        let group = Group::join(&rendezvous)?;
        GROUP.with(|known| *known.borrow_mut() = Some(group));
    }
    Ok(())
}

/// What a launcher says of this process, where it has started several that need not meet.
pub(crate) fn launched() -> Result<Option<Rendezvous>> {
    let variable = |name: &str| {
        let value = std::env::var(name).ok().filter(|value| !value.is_empty());
        value.or_else(|| (name == "MASTER_ADDR").then(|| "localhost".to_owned()))
    };
    Ok(Rendezvous::from_vars(variable)?)
}

/// Refuses a command that trains in one process where a launcher has started several; `instead` is
/// what they can do, as a sentence with a space before it.
pub(crate) fn alone(command: &str, instead: &str) -> Result<()> {
    let Some(Rendezvous { size, launcher, .. }) = launched()? else { return Ok(()) };
    let variables = launcher.map_or(String::new(), |launcher| {
        format!(" ({} and {} are set)", launcher.rank, launcher.size)
    });
    bail!(
        "`tutor {command}` trains in one process, and this is one of {size}{variables}, each of \
         which would do the whole work: start it without a launcher, or unset both.{instead}"
    )
}

/// The processes that run this together, if there are several.
pub(crate) fn group() -> Option<Group> {
    GROUP.with(|known| known.borrow().clone())
}

/// Whether this process is the one that writes and speaks.
pub(crate) fn is_first() -> bool {
    group().is_none_or(|group| group.is_first())
}

/// Which part of every batch this process takes.
pub(crate) fn share() -> Share {
    group().map_or(Share::WHOLE, |group| Share {
        rank: group.rank(),
        size: group.size(),
        ..Share::WHOLE
    })
}

/// Runs what all processes do together; an error of this one is told to the others.
pub(crate) fn together<T>(run: impl FnOnce() -> Result<T>) -> Result<T> {
    let done = run();
    match (&done, GROUP.with(|known| known.borrow_mut().take())) {
        (Err(error), Some(group)) => group.leave(&format!("{error:#}")),
        // Rank 0 serves the store and ends with the others.
        (Ok(_), Some(group)) => group.barrier()?,
        (_, None) => {}
    }
    done
}

/// Work that each process does by itself. A signal that stops it in one of them stops it in all.
pub(crate) fn each<T>(work: impl FnOnce() -> Result<T>) -> Result<T> {
    let done = work();
    let Some(group) = group() else { return done };
    let stopped = match &done {
        Ok(_) => false,
        Err(error) if error.is::<Interrupted>() => true,
        Err(_) => return done,
    };
    if group.any(stopped)? {
        train::signals::interrupt();
        bail!(Interrupted);
    }
    done
}

/// What rank 0 finds, in all processes; the others do not look.
pub(crate) fn from_first<T: Serialize + DeserializeOwned>(
    find: impl FnOnce() -> Result<T>,
) -> Result<T> {
    let Some(group) = group() else { return find() };
    if group.is_first() {
        let found = find()?;
        group.broadcast_bytes(&serde_json::to_vec(&found)?)?;
        return Ok(found);
    }
    Ok(serde_json::from_slice(&group.broadcast_bytes(&[])?)?)
}

/// An error if this process has found something else than rank 0: what it is, and the way out.
pub(crate) fn as_first(what: &str, own: &str, way_out: &str) -> Result<()> {
    let first: String = from_first(|| Ok(own.to_owned()))?;
    if first != own {
        bail!("{what}: here {own}, in the first process {first}; {way_out}");
    }
    Ok(())
}

/// Numbers of all processes, of which each has as many, in the order of ranks.
pub(crate) fn gather(own: Vec<i64>) -> Result<Vec<i64>> {
    let Some(group) = group() else { return Ok(own) };
    let all = group.all_gather(&Tensor::from_slice(&own))?;
    Ok(Vec::try_from(Tensor::cat(&all, 0))?)
}

/// Gives all processes the file that rank 0 has at its `path`, if it has one, at theirs.
pub(crate) fn share_file(path: &Path) -> Result<()> {
    let Some(group) = group() else { return Ok(()) };
    let mut bytes = Vec::new();
    if group.is_first() && path.exists() {
        bytes = std::fs::read(path).with_context(|| path.display().to_string())?;
        bytes.push(1);
    }
    let mut bytes = group.broadcast_bytes(&bytes)?;
    if !group.is_first() && bytes.pop().is_some() {
        atomic_file::write(path, &bytes)?;
    }
    Ok(())
}

/// Puts rank 0's values in the place of these tensors.
pub(crate) fn broadcast_all(tensors: Vec<(String, Tensor)>) -> Result<()> {
    if let Some(group) = group() {
        group.broadcast_all(&tensors.into_iter().map(|(_, tensor)| tensor).collect::<Vec<_>>())?;
    }
    Ok(())
}

/// Refuses a training whose batches cannot be shared equally by so many processes; `key` is that
/// of its settings.
pub(crate) fn check_batch(key: &str, config: &TrainConfig, processes: usize) -> Result<()> {
    let parts = config.accumulate.max(1);
    let shared = Share { rank: 0, size: processes, parts }.check(config.batch);
    let of = match parts {
        1 => String::new(),
        _ => format!(" (train.batch is {}, in {parts} parts by accumulate)", config.batch),
    };
    shared.with_context(|| format!("{key}.batch{of}"))
}

/// Refuses a device on which several processes cannot work together.
pub(crate) fn check_device(device: Device) -> Result<()> {
    if group().is_some() && device != Device::Cpu {
        bail!(
            "--device: several processes train together on CPUs alone: NCCL, by which GPUs add up \
             gradients, is not in this build; give --device cpu"
        );
    }
    Ok(())
}

#[cfg(test)]
pub(super) mod tests {
    use std::net::TcpListener;
    use std::sync::Arc;
    use std::thread;
    use std::time::Duration;

    use super::*;

    /// What two processes (threads here) that have joined find, rank 0 first.
    pub(in crate::run) fn in_two_processes<T: Send + 'static>(
        find: impl Fn(usize) -> T + Send + Sync + 'static,
    ) -> [T; 2] {
        let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a port");
        let port = listener.local_addr().expect("an address").port();
        drop(listener);
        let find = Arc::new(find);
        let process = |rank| {
            let find = find.clone();
            thread::spawn(move || {
                let rendezvous = Rendezvous {
                    host: "127.0.0.1".to_owned(),
                    port,
                    rank,
                    local_rank: rank,
                    size: 2,
                    external_store: false,
                    name: "compared".to_owned(),
                    timeout: Duration::from_secs(60),
                    launcher: None,
                };
                let group = Group::join(&rendezvous).expect("joined");
                GROUP.with(|known| *known.borrow_mut() = Some(group.clone()));
                let found = find(rank);
                group.barrier().expect("both get here");
                found
            })
        };
        [0, 1].map(process).map(|process| process.join().expect("no panic"))
    }

    /// What two processes are told of what each of them found, rank 0 first.
    fn compared(own: [&'static str; 2]) -> [Result<(), String>; 2] {
        in_two_processes(move |rank| {
            let found = as_first("rows that can be run", own[rank], "bring the weights there too");
            found.map_err(|error| error.to_string())
        })
    }

    #[test]
    fn what_only_one_process_can_run_is_named_there_with_a_way_out() {
        assert_eq!(compared(["a, b", "a, b"]), [Ok(()), Ok(())]);
        let said = "rows that can be run: here a, in the first process a, b; bring the weights \
                    there too";
        assert_eq!(compared(["a, b", "a"]), [Ok(()), Err(said.to_owned())]);
        assert_eq!(as_first("rows that can be run", "a", "").ok(), Some(()), "alone");
    }
}
