//! A group of processes and its operations.

use std::cell::{Cell, RefCell};
use std::fmt;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, ToSocketAddrs, UdpSocket};
use std::rc::Rc;
use std::sync::mpsc;
use std::time::Duration;

use tch::{Kind, Tensor};

use super::heartbeat::Heartbeat;
use super::rendezvous::Rendezvous;
use crate::device::tensor_on;
use crate::ffi::group as shim;
use crate::grad::no_grad;

/// An operation of several processes that failed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("rank {rank} of {size}: {operation}: {reason}")]
pub struct Error {
    /// The rank of the process in which it failed.
    pub rank: usize,
    /// How many processes there are.
    pub size: usize,
    /// The operation that failed.
    pub operation: &'static str,
    /// Which rank is gone, if any, and libtorch's message.
    pub reason: String,
}

/// How [`Group::all_reduce`] makes one value of each process's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reduce {
    /// Their sum.
    Sum,
    /// The largest.
    Max,
}

/// A group of processes that compute together. Clones are the same group.
#[derive(Clone)]
pub struct Group(pub(super) Rc<Inner>);

pub(super) struct Inner {
    rank: usize,
    size: usize,
    pub(super) shim: shim::Group,
    heartbeat: Heartbeat,
    /// How many rows each batch has in each process that goes through the network with the others;
    /// none where it is one batch.
    pub(super) rows: RefCell<Vec<Vec<usize>>>,
    pub(super) sync_batch_norm: Cell<bool>,
}

impl fmt::Debug for Group {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "rank {} of {}", self.rank(), self.size())
    }
}

/// An operation under way, which may still write into its tensor.
#[derive(Debug)]
#[must_use = "the tensor is not to be used before the work is done"]
pub struct Work {
    group: Group,
    operation: &'static str,
    shim: shim::Work,
}

impl Work {
    /// Waits until it is done, as long as the group's time-out allows.
    pub fn wait(self) -> Result<(), Error> {
        self.shim.wait().map_err(|reason| self.group.error(self.operation, reason))
    }

    /// Whether it is done, well or not.
    pub fn is_done(&self) -> bool {
        self.shim.is_done()
    }
}

impl Group {
    /// Waits for all processes and joins them. Every process of the group has to call this.
    ///
    /// # Errors
    /// If the store cannot be reached, not all processes come within the time-out (the error names
    /// those that are missing), or no address of this machine leads to rank 0's.
    pub fn join(rendezvous: &Rendezvous) -> Result<Self, Error> {
        let &Rendezvous { rank, size, port, ref host, ref name, timeout, .. } = rendezvous;
        let error = |operation| move |reason| Error { rank, size, operation, reason };
        assert!(rank < size, "rank {rank} of {size} processes");
        let ms = i64::try_from(timeout.as_millis()).unwrap_or(i64::MAX);
        let serves = rank == 0 && !rendezvous.external_store;
        let open = |serves| open_store(host.clone(), port, serves, name.clone(), timeout);
        let at = format!("rendezvous at {}", rendezvous.at());
        let told = |reason: String| format!("{at}: {}", plain(&reason));
        let store = open(serves).map_err(told).map_err(error("joining"))?;
        let watched = open(false).map_err(told).map_err(error("joining"))?;
        let heartbeat =
            Heartbeat::begin(store, watched, rendezvous).map_err(told).map_err(error("joining"))?;
        let interface = std::env::var(INTERFACE).ok().filter(|name| !name.is_empty());
        let way_out = format!("name the interface that leads to the others by {INTERFACE}");
        let address = match &interface {
            // libtorch looks for its address.
            Some(_) => None,
            None => Some(address_towards(host, port).map_err(|reason| {
                error("joining")(format!(
                    "{at}: no address of this machine leads there ({reason}): {way_out}"
                ))
            })?),
        };
        let own = address.map(|address| address.to_string()).unwrap_or_default();
        let shim = shim::Group::join(&heartbeat.store(), [rank, size], &own, ms)
            .map_err(|reason| match interface {
                Some(name) => format!("{at}: connecting by {INTERFACE}={name}: {}", plain(&reason)),
                None => format!("{at}: connecting from {own}: {}; {way_out}", plain(&reason)),
            })
            .map_err(error("joining"))?;
        let (rows, sync_batch_norm) = (RefCell::default(), Cell::new(true));
        Ok(Self(Rc::new(Inner { rank, size, shim, heartbeat, rows, sync_batch_norm })))
    }

    /// Which process this is, counted from 0.
    pub fn rank(&self) -> usize {
        self.0.rank
    }

    /// How many processes there are.
    pub fn size(&self) -> usize {
        self.0.size
    }

    /// Whether this is rank 0, which alone writes and reports.
    pub fn is_first(&self) -> bool {
        self.rank() == 0
    }

    /// Overwrites `t`, elementwise, with the sum or the largest value over all processes. `t` is
    /// float32, float64, bfloat16 or int64, and of the same shape everywhere.
    pub fn all_reduce(&self, t: &Tensor, how: Reduce) -> Result<(), Error> {
        in_place(t, |t| self.start_all_reduce(t, how)?.wait())
    }

    /// Starts an all-reduce without waiting for it; see [`all_reduce`](Self::all_reduce). Panics if
    /// `t` is not contiguous.
    pub fn start_all_reduce(&self, t: &Tensor, how: Reduce) -> Result<Work, Error> {
        contiguous(t);
        let work = self.0.shim.all_reduce(t, how == Reduce::Max);
        self.started("all-reduce", work)
    }

    /// Overwrites `t` in every process with its value in process `root`.
    pub fn broadcast(&self, t: &Tensor, root: usize) -> Result<(), Error> {
        in_place(t, |t| self.start_broadcast(t, root)?.wait())
    }

    /// Starts a broadcast without waiting for it; see [`broadcast`](Self::broadcast). Panics if `t`
    /// is not contiguous.
    pub fn start_broadcast(&self, t: &Tensor, root: usize) -> Result<Work, Error> {
        contiguous(t);
        self.started("broadcast", self.0.shim.broadcast(t, root))
    }

    /// The tensors of all processes, in the order of ranks; all are of one shape and kind.
    pub fn all_gather(&self, t: &Tensor) -> Result<Vec<Tensor>, Error> {
        let t = no_grad(|| t.detach().contiguous());
        let parts: Vec<Tensor> = (0..self.size()).map(|_| t.empty_like()).collect();
        self.started("all-gather", self.0.shim.all_gather(&parts, &t))?.wait()?;
        Ok(parts)
    }

    /// The rows of all processes, `[all rows, ...]`, in the order of ranks. Each process gives
    /// `[rows, ...]`, with any number of rows and equal sizes of the other axes.
    pub fn all_gather_rows(&self, t: &Tensor) -> Result<Tensor, Error> {
        let rows = t.size()[0];
        let counts = self.all_gather(&tensor_on(&[rows], t.device()))?;
        let counts: Vec<i64> = counts.iter().map(|n| n.int64_value(&[0])).collect();
        let most = counts.iter().copied().max().unwrap_or(0);
        let mut shape = t.size();
        shape[0] = most;
        let padded = no_grad(|| {
            let padded = Tensor::zeros(&shape, (t.kind(), t.device()));
            padded.narrow(0, 0, rows).copy_(&t.detach());
            padded
        });
        let parts = self.all_gather(&padded)?;
        let own = parts.iter().zip(&counts).map(|(part, &n)| part.narrow(0, 0, n));
        Ok(Tensor::cat(&own.collect::<Vec<_>>(), 0))
    }

    /// Sums `t` `[n, ...]` over all processes and gives this process its rows of the sum,
    /// `[n / size, ...]`. Gloo has no such operation of its own, so the whole sum is made and cut.
    /// Panics if n is not a multiple of the number of processes.
    pub fn reduce_scatter(&self, t: &Tensor) -> Result<Tensor, Error> {
        let (rows, size) = (t.size()[0], self.size() as i64);
        assert_eq!(rows % size, 0, "{rows} rows for {size} processes");
        let sum = no_grad(|| t.detach().copy().contiguous());
        let work = self.started("reduce-scatter", self.0.shim.all_reduce(&sum, false))?;
        work.wait()?;
        Ok(sum.narrow(0, self.rank() as i64 * (rows / size), rows / size).copy())
    }

    /// Sets whether this group has synchronised batch norm (SyncBatchNorm): mean and variance of
    /// all processes' batches together. It has unless told otherwise; else each process takes those
    /// of its own batch.
    pub fn set_sync_batch_norm(&self, sync: bool) {
        self.0.sync_batch_norm.set(sync);
    }

    /// Waits until all processes have come here.
    pub fn barrier(&self) -> Result<(), Error> {
        self.started("barrier", self.0.shim.barrier())?.wait()
    }

    /// The bytes that rank 0 gives, in every process; those that the others give are ignored.
    pub fn broadcast_bytes(&self, bytes: &[u8]) -> Result<Vec<u8>, Error> {
        let length = Tensor::from_slice(&[bytes.len() as i64]);
        self.broadcast(&length, 0)?;
        let length = length.int64_value(&[0]);
        let all = match self.is_first() {
            true => Tensor::from_slice(bytes),
            false => Tensor::zeros([length], (Kind::Uint8, tch::Device::Cpu)),
        };
        if length > 0 {
            self.broadcast(&all, 0)?;
        }
        Ok(Vec::try_from(all).expect("bytes"))
    }

    /// Overwrites all these tensors with rank 0's values, in every process. The broadcasts run at
    /// the same time.
    pub fn broadcast_all(&self, tensors: &[Tensor]) -> Result<(), Error> {
        let copies: Vec<Tensor> =
            no_grad(|| tensors.iter().map(|t| t.detach().contiguous()).collect());
        let works: Result<Vec<Work>, Error> =
            copies.iter().map(|t| self.start_broadcast(t, 0)).collect();
        works?.into_iter().try_for_each(Work::wait)?;
        no_grad(|| {
            for (to, from) in tensors.iter().zip(&copies) {
                if to.data_ptr() != from.data_ptr() {
                    to.shallow_clone().copy_(from);
                }
            }
        });
        Ok(())
    }

    /// Whether `flag` is true in any process: all processes get the same answer.
    pub fn any(&self, flag: bool) -> Result<bool, Error> {
        let flag = Tensor::from_slice(&[i64::from(flag)]);
        self.all_reduce(&flag, Reduce::Max)?;
        Ok(flag.int64_value(&[0]) != 0)
    }

    /// Whether all went well so far, also within networks, whose operations return no error: ask
    /// before what was computed is used.
    pub fn check(&self) -> Result<(), Error> {
        match self.0.shim.failure() {
            None => Ok(()),
            Some(reason) => Err(self.error("sum within the network", reason)),
        }
    }

    /// Leaves the group after an error: tells the others why, so that they can say so when they
    /// miss this process, and lets go of what is under way without waiting for it. The process
    /// should end soon.
    pub fn leave(self, why: &str) {
        let verdict = format!("rank {} has stopped: {why}", self.rank());
        self.0.heartbeat.accuse(&verdict);
        self.0.heartbeat.until_heard(Some(&verdict));
        self.0.heartbeat.stop();
        // Operations that wait for a process that is gone would keep this one until their time-out.
        std::mem::forget(self);
    }

    fn started(
        &self,
        operation: &'static str,
        work: Result<shim::Work, String>,
    ) -> Result<Work, Error> {
        match work {
            Ok(shim) => Ok(Work { group: self.clone(), operation, shim }),
            Err(reason) => Err(self.error(operation, reason)),
        }
    }

    /// The error of an operation, with what can be found out about who is gone.
    pub(super) fn error(&self, operation: &'static str, reason: String) -> Error {
        let (gone, reason) = (self.0.heartbeat.gone(operation), plain(&reason));
        let reason = gone.map_or(reason.clone(), |gone| format!("{gone} ({reason})"));
        Error { rank: self.rank(), size: self.size(), operation, reason }
    }
}

/// Opens the store of a group, or says within its time-out that it cannot be opened: libtorch waits
/// without end for the answer of another program that listens at the port.
fn open_store(
    host: String,
    port: u16,
    serves: bool,
    name: String,
    timeout: Duration,
) -> Result<shim::Store, String> {
    /// What libtorch's own time-out gets more, since it knows more about what failed.
    const GRACE: Duration = Duration::from_secs(1);
    let ms = i64::try_from(timeout.as_millis()).unwrap_or(i64::MAX);
    let (send, opened) = mpsc::channel();
    let open = move || {
        let store = shim::Store::open(&host, port, serves, ms);
        // Nobody listens after the time-out.
        let _ = send.send(store.and_then(|whole| whole.within(&name)));
    };
    let thread = std::thread::Builder::new().name("rendezvous".into()).spawn(open);
    thread.map_err(|error| format!("no thread: {error}"))?;
    let taken = "set MASTER_PORT to a port that no other program has";
    match opened.recv_timeout(timeout.saturating_add(GRACE)) {
        Ok(Err(reason)) if reason.contains("EADDRINUSE") => {
            Err(format!("another program listens there: {taken}"))
        }
        Ok(opened) => opened,
        Err(_) => {
            let seconds = timeout.as_secs_f64();
            Err(format!("rank 0 gave no answer within {seconds} s: start it too, and {taken}"))
        }
    }
}

/// What libtorch says, in a line, without the frames of its stack.
fn plain(reason: &str) -> String {
    let lines = reason.lines().map(|line| {
        let line = line.split("Exception raised from ").next().unwrap_or_default().trim();
        if line.starts_with("frame #") { "" } else { line }
    });
    lines.filter(|line| !line.is_empty()).collect::<Vec<_>>().join(" ")
}

fn contiguous(t: &Tensor) {
    assert!(t.is_contiguous(), "an operation of a group on a tensor that is not contiguous");
}

/// Runs an operation on `t`, or on a contiguous copy that is copied back.
fn in_place(t: &Tensor, run: impl FnOnce(&Tensor) -> Result<(), Error>) -> Result<(), Error> {
    let t = t.detach();
    if t.is_contiguous() {
        return run(&t);
    }
    let copy = t.contiguous();
    run(&copy)?;
    no_grad(|| t.shallow_clone().copy_(&copy));
    Ok(())
}

/// The variable for the interface by which processes reach each other, which libtorch reads.
const INTERFACE: &str = "GLOO_SOCKET_IFNAME";

/// The address of this machine by which the one of `host` is reached, of IPv6 where none of IPv4
/// leads there: all processes have to have one of the same kind. No packet is sent.
fn address_towards(host: &str, port: u16) -> io::Result<IpAddr> {
    let (four, six): (Vec<SocketAddr>, Vec<SocketAddr>) =
        (host, port).to_socket_addrs()?.partition(SocketAddr::is_ipv4);
    let mut found = Err(io::Error::other(format!("{host} has no address")));
    for there in four.into_iter().chain(six) {
        found = own_address(there);
        if found.is_ok() {
            break;
        }
    }
    found
}

/// The address of this machine from which packets to another one would be sent.
fn own_address(there: SocketAddr) -> io::Result<IpAddr> {
    let any: IpAddr = match there {
        SocketAddr::V4(_) => Ipv4Addr::UNSPECIFIED.into(),
        SocketAddr::V6(_) => Ipv6Addr::UNSPECIFIED.into(),
    };
    let socket = UdpSocket::bind((any, 0))?;
    socket.connect(there)?;
    Ok(socket.local_addr()?.ip())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_of_the_stack_are_not_told() {
        let said = "The client socket has failed.\nException raised from throwTimeoutError at \
                    /pytorch/socket.cpp:1028 (most recent call first):\nframe #0: c10::Error::Error\
                    (c10::SourceLocation) + 0x80 (0x7f in libc10.so)\n  frame #1: <unknown \
                    function> + 0x5ffc (0x7f in libtorch_cpu.so)\n\nIt was 127.0.0.1:1.\n";
        assert_eq!(plain(said), "The client socket has failed. It was 127.0.0.1:1.");
        assert_eq!(plain("reset by peer"), "reset by peer");
    }

    #[test]
    fn a_process_has_an_address_of_the_kind_of_rank_0() {
        let towards = |host: &str| address_towards(host, 29500).map(|ip| ip.to_string());
        assert_eq!(towards("127.0.0.1").expect("an address"), "127.0.0.1");
        // Where the system has IPv6.
        if UdpSocket::bind((Ipv6Addr::LOCALHOST, 0)).is_ok() {
            assert_eq!(towards("::1").expect("an address"), "::1");
        }
        assert!(towards("").is_err(), "none is made up");
    }
}
