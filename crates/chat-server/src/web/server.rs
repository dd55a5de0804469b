//! A server under way.

use super::app::App;
use crate::slots::Status;
use std::net::SocketAddr;
use std::thread::JoinHandle;
use web_server::listen::Serving;

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

    /// How it is reached.
    pub fn url(&self) -> &str {
        &self.app.url
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

    /// Breaks off replies under way, tells their readers, and takes no more connections.
    pub fn stop(mut self) {
        self.end();
    }

    fn end(&mut self) {
        self.app.slots.close();
        if let Some(serving) = self.serving.take() {
            serving.stop();
        }
        for thread in self.threads.drain(..) {
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
