//! The server: the page, the API of our own, that of OpenAI's shape, and what all are guarded by.

mod app;
mod body;
mod fields;
mod guard;
mod openai;
mod origins;
mod own;
mod page;
mod problem;
mod server;
mod stream;

use crate::error::{Error, Result};
use crate::kept::Kept;
use crate::model::ModelFactory;
use crate::options::ServeOptions;
use crate::slots::Slots;
use crate::worker::{self, Shared};
use app::{App, State};
use axum::Router;
use axum::http::Uri;
use std::sync::Arc;
use web_server::listen::Socket;

pub use server::Server;

/// Starts a server for models that are all alike: as many as can reply at once. It answers when
/// this returns.
///
/// # Errors
/// [`Error::Listen`] when the address is taken, [`Error::NoKey`] when others than this machine
/// would be served without a key, [`Error::PublicUrl`], [`Error::Origin`],
/// [`Error::Model`], [`Error::Keep`] and [`Error::Readable`].
pub fn serve(models: Vec<ModelFactory>, options: &ServeOptions) -> Result<Server> {
    let failed = |source| Error::Listen { address: options.address.to_string(), source };
    if options.is_open() && options.key.as_ref().is_none_or(String::is_empty) {
        let place = options.public_url.clone();
        return Err(Error::NoKey(place.unwrap_or_else(|| options.address.to_string())));
    }
    if let Some(url) = options.public_url.as_ref().filter(|url| !is_origin(url)) {
        return Err(Error::PublicUrl(url.clone()));
    }
    if let Some(origin) = options.origins.iter().find(|origin| !is_origin(origin)) {
        return Err(Error::Origin(origin.clone()));
    }
    let socket = Socket::bind(options.address, "chat-web").map_err(failed)?;
    let kept = options.keep.as_deref().map(Kept::open).transpose()?.map(Arc::new);
    let slots = Arc::new(Slots::new(models.len(), options.limits.queue_capacity));
    let shared = Shared { slots: Arc::clone(&slots), kept, most: options.limits.reply_timeout };
    let (about, threads) = worker::start(models, &shared)?;
    let app = Arc::new(State::new(about, slots, options, socket.address()));
    let serving = socket.serve(router(&app), options.limits.max_connections);
    Ok(Server::new(serving, app, threads))
}

/// Whether this is a scheme with a host: the page asks at the root of its server.
fn is_origin(url: &str) -> bool {
    let parsed: Result<Uri, _> = url.parse();
    parsed.is_ok_and(|uri| {
        let named = uri.authority().is_some_and(|place| !place.as_str().contains('@'));
        let root = uri.path_and_query().is_none_or(|path| path.as_str() == "/");
        matches!(uri.scheme_str(), Some("http" | "https")) && named && root && !url.contains('#')
    })
}

/// All there is.
fn router(app: &App) -> Router {
    let all = Router::new()
        .merge(page::routes())
        .merge(own::routes())
        .merge(openai::routes())
        .fallback(problem::nothing_here)
        .method_not_allowed_fallback(problem::no_such_method)
        .with_state(Arc::clone(app));
    guard::around(all, app)
}
