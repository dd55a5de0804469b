//! The server: raters' pages, the researcher's pages, and what both are guarded by.

mod address;
mod admin;
mod app;
mod assets;
mod guard;
mod limits;
mod numbers;
mod page;
mod rater;
mod rater_page;
mod reply;
mod server;

use crate::error::{Error, Result};
use crate::project::Project;
use app::{App, Shared};
use axum::Router;
use std::sync::Arc;
use web_server::listen::Socket;

pub use address::base_url;
pub use app::ServeOptions;
pub use limits::Limits;
pub use server::Server;

/// Starts a server for the project. It answers when this returns.
///
/// # Errors
/// [`crate::Error::Unwritable`] when the study may only be read; [`crate::Error::Listen`] when the
/// address is taken; [`crate::Error::Invalid`] when the public one is none.
pub fn serve(project: Project, options: &ServeOptions) -> Result<Server> {
    options.public_url.as_deref().map(base_url).transpose()?;
    project.store().check_writable()?;
    let failed = |source| Error::Listen { address: options.address.to_string(), source };
    let socket = Socket::bind(options.address, "rating-web").map_err(failed)?;
    let app = Arc::new(Shared::new(project, options, socket.address()));
    let serving = socket.serve(router(&app), app.limits.connections);
    Ok(Server { serving, app })
}

/// All pages.
fn router(app: &App) -> Router {
    let all = Router::new()
        .merge(rater::routes())
        .merge(admin::routes())
        .merge(assets::routes())
        .fallback(reply::nothing_here)
        .with_state(Arc::clone(app));
    guard::around(all, app)
}
