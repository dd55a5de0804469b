//! How a server is reached, and what limits it has.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

/// The options of a server.
#[derive(Clone, Debug)]
pub struct ServeOptions {
    /// Where it listens. On this machine alone by default; port 0 takes a free one.
    pub address: SocketAddr,
    /// How it is reached, such as `https://chat.example.org`, when it stands behind a proxy that
    /// adds TLS. Requests to other names are refused, so that no page in somebody's browser reaches
    /// a server on the same machine under a name of its own.
    pub public_url: Option<String>,
    /// The key that clients send as `Authorization: Bearer KEY`; needed where others than this
    /// machine are served.
    pub key: Option<String>,
    /// The file to which what is said is added, as items that `tutor rate import` reads; nothing is
    /// kept without it.
    pub keep: Option<PathBuf>,
    /// Whether system messages are left out; they are refused otherwise.
    pub leave_out_system: bool,
    /// The origins of other sites whose pages may ask, as `https://app.example.org`: their scripts
    /// reach the API by CORS. Nobody's by default.
    pub origins: Vec<String>,
    /// Limits on requests.
    pub limits: Limits,
}

impl Default for ServeOptions {
    fn default() -> Self {
        Self {
            address: SocketAddr::from(([127, 0, 0, 1], 8643)),
            public_url: None,
            key: None,
            keep: None,
            leave_out_system: false,
            origins: Vec::new(),
            limits: Limits::default(),
        }
    }
}

impl ServeOptions {
    /// Whether others than this machine can reach it.
    pub fn is_open(&self) -> bool {
        !self.address.ip().is_loopback() || self.public_url.is_some()
    }
}

/// A random key, of 130 bits.
pub fn new_key() -> String {
    web_server::secret::token()
}

/// Resource limits of a server.
#[derive(Clone, Debug, PartialEq)]
pub struct Limits {
    /// Characters of a message; what the model itself has written may be longer.
    pub max_message_chars: usize,
    /// Turns of a conversation.
    pub max_turns: usize,
    /// The largest request, in bytes.
    pub max_body_bytes: usize,
    /// How long a request may take to come.
    pub receive_timeout: Duration,
    /// Candidates of a reply; as many as a model draws by default can always be asked for.
    pub max_candidates: usize,
    /// Requests that wait for a free model; more are refused.
    pub queue_capacity: usize,
    /// How long a request waits for a free model.
    pub queue_timeout: Duration,
    /// How long a reply may take; it ends then with what there is.
    pub reply_timeout: Duration,
    /// Requests of one address at once; wrong keys are counted apart.
    pub burst_per_client: f64,
    /// Requests of one address in a second, in the long run.
    pub requests_per_second_per_client: f64,
    /// Connections at once.
    pub max_connections: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            max_message_chars: 4000,
            max_turns: 1000,
            max_body_bytes: 1 << 20,
            receive_timeout: Duration::from_secs(30),
            max_candidates: 100,
            queue_capacity: 32,
            queue_timeout: Duration::from_secs(60),
            reply_timeout: Duration::from_secs(120),
            burst_per_client: 1000.0,
            requests_per_second_per_client: 100.0,
            max_connections: 2048,
        }
    }
}
