//! What all requests share, and the options of a server.

use super::limits::Limits;
use super::numbers::Statistics;
use crate::chat::Chat;
use crate::error::{Error, Result};
use crate::project::Project;
use crate::settings::Settings;
use std::collections::{HashMap, HashSet};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use tokio::sync::Semaphore;
use web_server::buckets::Buckets;
use web_server::listen::url_here;

/// How the server is reached, and how much it bears.
#[derive(Clone, Debug)]
pub struct ServeOptions {
    /// Where it listens. On this machine alone by default; port 0 takes a free one.
    pub address: SocketAddr,
    /// How raters reach it, such as `https://study.example.org`, when it stands behind a proxy
    /// that adds TLS. Requests to other names are refused, so that no page in a rater's browser
    /// reaches a server on the same machine under a name of its own. Of a proxy on this machine the
    /// last address of `X-Forwarded-For` says who asks.
    pub public_url: Option<String>,
    /// Limits on requests.
    pub limits: Limits,
}

impl Default for ServeOptions {
    fn default() -> Self {
        Self {
            address: SocketAddr::from(([127, 0, 0, 1], 8642)),
            public_url: None,
            limits: Limits::default(),
        }
    }
}

/// How many times as many wrong passwords are borne of all who come through a proxy as of one.
const TOGETHER: f64 = 10.0;

/// What all requests share.
pub(crate) struct Shared {
    pub(crate) project: Project,
    pub(crate) settings: Arc<Settings>,
    pub(crate) url: String,
    pub(crate) limits: Limits,
    /// Requests of each rater.
    pub(crate) raters: Buckets,
    /// Attempts to log in, by address.
    pub(crate) logins: Buckets,
    /// Wrong passwords that came through the proxy, all together: where it hands on the clients'
    /// own `X-Forwarded-For`, addresses can be made up.
    pub(crate) forwarded_logins: Buckets,
    /// Whether there is a proxy on this machine, which says who asks.
    pub(crate) is_proxied: bool,
    /// Passwords that are being checked; each takes memory.
    pub(crate) hashing: Semaphore,
    /// Conversations in which an answer is being waited for.
    pub(crate) talking: Mutex<HashSet<i64>>,
    /// How many systems are asked for a turn at once.
    pub(crate) asking: Semaphore,
    /// Connected systems by their system's number.
    pub(crate) known: Mutex<HashMap<i64, Arc<dyn Chat>>>,
    pub(crate) statistics: Statistics,
}

pub(crate) type App = Arc<Shared>;

impl Shared {
    pub(super) fn new(project: Project, options: &ServeOptions, address: SocketAddr) -> Self {
        let url = options
            .public_url
            .as_ref()
            .map_or_else(|| url_here(address), |url| url.trim_end_matches('/').to_owned());
        let settings = Arc::new(project.settings().clone());
        Self {
            settings,
            project,
            url,
            raters: Buckets::new(options.limits.rater_burst, options.limits.rater_per_second),
            logins: Buckets::new(options.limits.login_burst, options.limits.logins_per_second),
            forwarded_logins: Buckets::new(
                TOGETHER * options.limits.login_burst,
                TOGETHER * options.limits.logins_per_second,
            ),
            is_proxied: options.public_url.is_some(),
            limits: options.limits.clone(),
            hashing: Semaphore::new(2),
            talking: Mutex::default(),
            asking: Semaphore::new(16),
            known: Mutex::default(),
            statistics: Statistics::default(),
        }
    }
}

/// Runs work on the database that may take a while.
pub(super) async fn blocking<T: Send + 'static>(
    app: &App,
    work: impl FnOnce(&App) -> Result<T> + Send + 'static,
) -> Result<T> {
    let app = Arc::clone(app);
    tokio::task::spawn_blocking(move || work(&app)).await.unwrap_or(Err(Error::Closed))
}
