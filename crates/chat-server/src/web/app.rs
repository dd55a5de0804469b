//! What all requests share.

use super::problem::Problem;
use crate::model::{About, Ask, Sampling, Turn};
use crate::options::{Limits, ServeOptions};
use crate::slots::{Refused, Slots, Ticket};
use std::net::SocketAddr;
use std::sync::Arc;
use web_server::buckets::Buckets;
use web_server::listen::url_here;
use web_server::secret::{random_bytes, random_name};

/// What all requests share.
pub(super) struct State {
    pub(super) about: About,
    pub(super) slots: Arc<Slots>,
    pub(super) url: String,
    pub(super) key: Option<String>,
    pub(super) is_kept: bool,
    pub(super) leave_out_system: bool,
    /// Pages of other sites that may ask, as browsers name them.
    pub(super) origins: Vec<String>,
    pub(super) limits: Limits,
    /// Requests for replies, of each address.
    pub(super) clients: Buckets,
    /// Wrong keys, of each address.
    pub(super) attempts: Buckets,
    /// Whether there is a proxy on this machine, which says who asks.
    pub(super) is_proxied: bool,
}

pub(super) type App = Arc<State>;

/// A request that makes sense.
pub(super) struct Wanted {
    pub(super) turns: Vec<Turn>,
    pub(super) sampling: Sampling,
    /// What the draws follow from; a random number without it.
    pub(super) seed: Option<u64>,
    pub(super) stops: Vec<String>,
    /// The conversation that it belongs to, if that has a name.
    pub(super) conversation: Option<String>,
}

/// A reply that is waited for.
pub(super) struct Awaited {
    pub(super) ticket: Ticket,
    pub(super) id: String,
    pub(super) seed: u64,
}

impl State {
    pub(super) fn new(
        about: About,
        slots: Arc<Slots>,
        options: &ServeOptions,
        address: SocketAddr,
    ) -> Self {
        let url = options
            .public_url
            .as_ref()
            .map_or_else(|| url_here(address), |url| url.trim_end_matches('/').to_owned());
        let buckets = || {
            Buckets::new(
                options.limits.burst_per_client,
                options.limits.requests_per_second_per_client,
            )
        };
        // What is drawn by default can also be asked for.
        let max_candidates = options.limits.max_candidates.max(about.sampling.candidates);
        Self {
            about,
            slots,
            url,
            key: options.key.clone(),
            is_kept: options.keep.is_some(),
            leave_out_system: options.leave_out_system,
            origins: options.origins.iter().map(|origin| as_named(origin)).collect(),
            clients: buckets(),
            attempts: buckets(),
            is_proxied: options.public_url.is_some(),
            limits: Limits { max_candidates, ..options.limits.clone() },
        }
    }

    /// Puts a request in the line; `prefix` stands before the reply's name.
    pub(super) fn ask(&self, wanted: Wanted, prefix: &str) -> Result<Awaited, Problem> {
        let id = format!("{prefix}{}", random_name(16));
        // JavaScript's numbers are whole up to 2^53.
        let seed = wanted.seed.unwrap_or_else(|| u64::from_le_bytes(random_bytes()) >> 11);
        let conversation = wanted.conversation.unwrap_or_else(|| id.clone());
        let ask = Ask { turns: wanted.turns, sampling: wanted.sampling, seed };
        let names = [id.clone(), conversation];
        let ticket = self.slots.ask(ask, wanted.stops, names).map_err(|refused| match refused {
            Refused::Full(wait) => Problem::busy(wait),
            Refused::Closing => Problem::closing(),
        })?;
        let (slots, number, wait) =
            (Arc::clone(&self.slots), ticket.number(), self.limits.queue_timeout);
        tokio::spawn(async move {
            tokio::time::sleep(wait).await;
            slots.expire(number);
        });
        Ok(Awaited { ticket, id, seed })
    }
}

/// An origin as browsers name it: in lower case, without a slash.
fn as_named(origin: &str) -> String {
    origin.trim_end_matches('/').to_ascii_lowercase()
}
