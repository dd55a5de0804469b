//! The socket: connections with time limits, and an orderly end.

use axum::Router;
use hyper::body::Incoming;
use hyper::service::Service;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulShutdown;
use hyper_util::service::TowerToHyperService;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;
use tokio::net::{TcpListener, TcpSocket};
use tokio::runtime::Runtime;
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinHandle;

/// How long a client may take to send the head of a request.
const HEAD: Duration = Duration::from_secs(15);

/// Connections that the system keeps until they are taken. It breaks off what exceeds them, and the
/// usual 128 are exceeded by a few hundred clients that begin at once.
const BACKLOG: u32 = 4096;

/// How long requests in progress may take when the server ends.
const GRACE: Duration = Duration::from_secs(10);

/// Who is at the other end of a connection; an extension of every request.
#[derive(Clone, Copy, Debug)]
pub struct Peer(pub SocketAddr);

/// How a server that listens at an address is reached from this machine.
///
/// ```
/// use web_server::listen::{url_elsewhere, url_here};
///
/// let everywhere = "0.0.0.0:8643".parse()?;
/// assert_eq!(url_here(everywhere), "http://127.0.0.1:8643");
/// assert!(url_elsewhere(everywhere).is_some_and(|url| url.ends_with(":8643/")));
/// assert_eq!(url_here("[::1]:80".parse()?), "http://[::1]:80");
/// assert_eq!(url_elsewhere("127.0.0.1:8643".parse()?), None);
/// # Ok::<(), std::net::AddrParseError>(())
/// ```
pub fn url_here(address: SocketAddr) -> String {
    let ip = match address.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        ip => ip,
    };
    format!("http://{}", SocketAddr::new(ip, address.port()))
}

/// How other machines reach a server that listens at all addresses of this one, to be read by a
/// person: which of them, only they can know.
pub fn url_elsewhere(address: SocketAddr) -> Option<String> {
    let port = address.port();
    address.ip().is_unspecified().then(|| format!("http://THIS-MACHINE'S-ADDRESS:{port}/"))
}

/// What helps where an address cannot be listened on, by the options of the programs that serve.
pub fn way_out(fault: &io::Error) -> &'static str {
    match fault.kind() {
        io::ErrorKind::AddrInUse | io::ErrorKind::PermissionDenied => "choose another with --port",
        // Also of an address of IPv6 where the machine has none.
        _ => "choose an address of this machine with --listen",
    }
}

/// An address that is listened on, before there is anything to answer.
pub struct Socket {
    runtime: Runtime,
    listener: TcpListener,
    address: SocketAddr,
}

/// A server that runs until it is stopped or dropped.
pub struct Serving {
    runtime: Runtime,
    address: SocketAddr,
    stop: watch::Sender<bool>,
    accepting: Option<JoinHandle<()>>,
}

impl Socket {
    /// Listens on an address; port 0 takes a free one. Threads are called `name`.
    ///
    /// # Errors
    /// When the address is taken, or none of this machine.
    pub fn bind(wanted: SocketAddr, name: &str) -> io::Result<Self> {
        let runtime =
            tokio::runtime::Builder::new_multi_thread().enable_all().thread_name(name).build()?;
        let listener = {
            let _runtime = runtime.enter();
            let socket = match wanted {
                SocketAddr::V4(_) => TcpSocket::new_v4()?,
                SocketAddr::V6(_) => TcpSocket::new_v6()?,
            };
            // On other systems it would let a second server take the address.
            #[cfg(unix)]
            socket.set_reuseaddr(true)?;
            socket.bind(wanted)?;
            socket.listen(BACKLOG)?
        };
        let address = listener.local_addr()?;
        Ok(Self { runtime, listener, address })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Begins to answer, at most so many connections at once; others wait.
    pub fn serve(self, router: Router, connections: usize) -> Serving {
        let Self { runtime, listener, address } = self;
        let (stop, stopped) = watch::channel(false);
        let accepting = runtime.spawn(accept(listener, router, connections, stopped));
        Serving { runtime, address, stop, accepting: Some(accepting) }
    }
}

impl Serving {
    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Waits until the process is asked to end: SIGTERM, or Ctrl-C.
    pub fn wait_for_signal(&self) {
        self.runtime.block_on(signal());
    }

    /// Takes no more connections, and waits for the requests in progress, or for a signal.
    pub fn stop(mut self) {
        self.end();
    }

    fn end(&mut self) {
        // The receiver is gone only if the task has ended.
        let _ = self.stop.send(true);
        if let Some(accepting) = self.accepting.take() {
            self.runtime.block_on(async {
                tokio::select! { _ = accepting => {}, () = signal() => {} }
            });
        }
    }
}

impl Drop for Serving {
    fn drop(&mut self) {
        self.end();
    }
}

#[cfg(unix)]
async fn signal() {
    use tokio::signal::unix::{SignalKind, signal};
    let interrupt = async { tokio::signal::ctrl_c().await };
    match signal(SignalKind::terminate()) {
        Ok(mut terminate) => {
            tokio::select! { _ = interrupt => {}, _ = terminate.recv() => {} }
        }
        Err(_) => {
            let _ = interrupt.await;
        }
    }
}

#[cfg(not(unix))]
async fn signal() {
    let _ = tokio::signal::ctrl_c().await;
}

async fn accept(
    listener: TcpListener,
    router: Router,
    connections: usize,
    mut stopped: watch::Receiver<bool>,
) {
    let room = Arc::new(Semaphore::new(connections));
    let graceful = GracefulShutdown::new();
    let mut http = hyper::server::conn::http1::Builder::new();
    http.timer(TokioTimer::new()).header_read_timeout(HEAD).max_buf_size(64 << 10);
    loop {
        let next = async {
            let place = Arc::clone(&room).acquire_owned().await.ok()?;
            Some((place, listener.accept().await))
        };
        let accepted = tokio::select! {
            accepted = next => accepted,
            _ = stopped.wait_for(|stopped| *stopped) => break,
        };
        let Some((place, accepted)) = accepted else { break };
        let Ok((stream, peer)) = accepted else {
            // Out of file descriptors, most likely: others have to end first.
            tokio::time::sleep(Duration::from_millis(50)).await;
            continue;
        };
        let _ = stream.set_nodelay(true);
        let inner = TowerToHyperService::new(router.clone());
        let service = hyper::service::service_fn(move |mut request: hyper::Request<Incoming>| {
            request.extensions_mut().insert(Peer(peer));
            inner.call(request)
        });
        let connection = graceful.watch(http.serve_connection(TokioIo::new(stream), service));
        tokio::spawn(async move {
            // A connection that breaks off concerns nobody else.
            let _ = connection.await;
            drop(place);
        });
    }
    drop(listener);
    let _ = tokio::time::timeout(GRACE, graceful.shutdown()).await;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_way_out_is_the_option_that_is_at_fault() {
        let told = |kind: io::ErrorKind| way_out(&kind.into());
        assert!(told(io::ErrorKind::AddrNotAvailable).ends_with("--listen"));
        assert!(told(io::ErrorKind::Unsupported).ends_with("--listen"));
        for kind in [io::ErrorKind::AddrInUse, io::ErrorKind::PermissionDenied] {
            assert!(told(kind).ends_with("--port"));
        }
    }
}
