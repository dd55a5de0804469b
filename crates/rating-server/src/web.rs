//! The server: raters' pages, the researcher's pages, and what both are guarded by.

mod admin;
mod app;
mod assets;
mod guard;
mod limits;
mod listen;
mod numbers;
mod page;
mod rater;
mod rater_page;
mod reply;

use crate::error::Result;
use crate::project::Project;
use app::{App, Shared};
use axum::Router;
use listen::Socket;
use std::sync::Arc;

pub use app::ServeOptions;
pub use limits::Limits;
pub use listen::Server;

/// Starts a server for the project. It answers when this returns.
///
/// # Errors
/// [`crate::Error::Listen`] when the address is taken.
pub fn serve(project: Project, options: &ServeOptions) -> Result<Server> {
    let socket = Socket::bind(options.address)?;
    let app = Arc::new(Shared::new(project, options, socket.address()));
    Ok(socket.serve(router(&app), app))
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
