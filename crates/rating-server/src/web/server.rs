//! A server under way.

use super::app::App;
use crate::project::Project;
use std::net::SocketAddr;
use web_server::listen::{Serving, url_elsewhere, url_here};

/// A server that runs until it is stopped or dropped.
pub struct Server {
    pub(super) serving: Serving,
    pub(super) app: App,
}

impl Server {
    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.serving.address()
    }

    /// How it is reached from outside.
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

    /// The project that it serves.
    pub fn project(&self) -> &Project {
        &self.app.project
    }

    /// Runs until the process is asked to end (SIGTERM, or Ctrl-C), then ends in order.
    pub fn run_until_signal(self) {
        self.serving.wait_for_signal();
        self.stop();
    }

    /// Takes no more connections, and waits for the requests in progress.
    pub fn stop(self) {
        self.serving.stop();
    }
}
