//! The socket: connections with time limits, and an orderly end.

use super::app::App;
use crate::error::{Error, Result};
use crate::project::Project;
use axum::Router;
use hyper::body::Incoming;
use hyper::service::Service;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulShutdown;
use hyper_util::service::TowerToHyperService;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::runtime::Runtime;
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinHandle;

/// How long a client may take to send the head of a request.
const HEAD: Duration = Duration::from_secs(15);

/// How long requests in progress may take when the server ends.
const GRACE: Duration = Duration::from_secs(10);

/// Who is at the other end of a connection.
#[derive(Clone, Copy, Debug)]
pub(super) struct Peer(pub(super) SocketAddr);

/// A server that runs until it is stopped or dropped.
pub struct Server {
    runtime: Runtime,
    address: SocketAddr,
    app: App,
    stop: watch::Sender<bool>,
    accepting: Option<JoinHandle<()>>,
}

/// An address that is listened on, before there is anything to answer.
pub(super) struct Socket {
    runtime: Runtime,
    listener: TcpListener,
    address: SocketAddr,
}

impl Socket {
    pub(super) fn bind(wanted: SocketAddr) -> Result<Self> {
        let failed = |source| Error::Listen { address: wanted.to_string(), source };
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .enable_all()
            .thread_name("rating-web")
            .build()
            .map_err(failed)?;
        let listener = runtime.block_on(TcpListener::bind(wanted)).map_err(failed)?;
        let address = listener.local_addr().map_err(failed)?;
        Ok(Self { runtime, listener, address })
    }

    pub(super) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Begins to answer.
    pub(super) fn serve(self, router: Router, app: App) -> Server {
        let Self { runtime, listener, address } = self;
        let (stop, stopped) = watch::channel(false);
        let accepting = runtime.spawn(accept(listener, router, Arc::clone(&app), stopped));
        Server { runtime, address, app, stop, accepting: Some(accepting) }
    }
}

impl Server {
    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// How it is reached from outside.
    pub fn url(&self) -> &str {
        &self.app.url
    }

    /// The project that it serves.
    pub fn project(&self) -> &Project {
        &self.app.project
    }

    /// Runs until the process is asked to end (SIGTERM, or Ctrl-C), then ends in order.
    pub fn run_until_signal(self) {
        self.runtime.block_on(signal());
        self.stop();
    }

    /// Takes no more connections, and waits for the requests in progress.
    pub fn stop(mut self) {
        self.end();
    }

    fn end(&mut self) {
        // The receiver is gone only if the task has ended.
        let _ = self.stop.send(true);
        if let Some(accepting) = self.accepting.take() {
            let _ = self.runtime.block_on(accepting);
        }
    }
}

impl Drop for Server {
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
    app: App,
    mut stopped: watch::Receiver<bool>,
) {
    let room = Arc::new(Semaphore::new(app.limits.connections));
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
