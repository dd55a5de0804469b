//! A server under way.

use super::app::App;
use crate::slots::Status;
use std::net::SocketAddr;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};
use web_server::listen::{Serving, url_elsewhere, url_here};

/// How long models may take to end. Between two tokens they hear of it at once, but not while they
/// read what was said.
const PATIENCE: Duration = Duration::from_secs(2);

/// A server that runs until it is stopped or dropped.
pub struct Server {
    serving: Option<Serving>,
    app: App,
    threads: Vec<JoinHandle<()>>,
    address: SocketAddr,
}

impl Server {
    pub(super) fn new(serving: Serving, app: App, threads: Vec<JoinHandle<()>>) -> Self {
        let address = serving.address();
        Self { serving: Some(serving), app, threads, address }
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// How it is reached from this machine, or by its public name.
    pub fn url(&self) -> &str {
        &self.app.url
    }

    /// How other machines reach it, to be read by a person, where it listens at all addresses and
    /// has no public name.
    pub fn elsewhere(&self) -> Option<String> {
        let address = self.address();
        let is_named = self.app.url != url_here(address);
        url_elsewhere(address).filter(|_| !is_named)
    }

    /// The name that clients ask for.
    pub fn model(&self) -> &str {
        &self.app.about.name
    }

    /// How busy it is.
    pub fn status(&self) -> Status {
        self.app.slots.status()
    }

    /// Runs until the process is asked to end (SIGTERM, or Ctrl-C), then ends in order.
    pub fn run_until_signal(self) {
        if let Some(serving) = &self.serving {
            serving.wait_for_signal();
        }
        self.stop();
    }

    /// Breaks off replies under way, tells their readers, and takes no more connections. A model
    /// that does not hear of it within two seconds is left to itself.
    pub fn stop(mut self) {
        self.end();
    }

    fn end(&mut self) {
        self.app.slots.close();
        if let Some(serving) = self.serving.take() {
            serving.stop();
        }
        let until = Instant::now() + PATIENCE;
        while self.threads.iter().any(|thread| !thread.is_finished()) && Instant::now() < until {
            std::thread::sleep(Duration::from_millis(5));
        }
        for thread in self.threads.drain(..).filter(JoinHandle::is_finished) {
            // A worker that panicked has told the log.
            let _ = thread.join();
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.end();
    }
}
