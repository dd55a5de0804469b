//! Scripts and styles, which are part of the program.

use super::app::App;
use axum::Router;
use axum::routing::get;
use web_server::answer::{BASE_STYLE, SCRIPT, STYLE, asset};

/// Name, kind and text.
const ALL: [(&str, &str, &str); 7] = [
    ("/assets/core.js", SCRIPT, include_str!("../../assets/core.js")),
    ("/assets/items.js", SCRIPT, include_str!("../../assets/items.js")),
    ("/assets/chat.js", SCRIPT, include_str!("../../assets/chat.js")),
    ("/assets/rater.js", SCRIPT, include_str!("../../assets/rater.js")),
    ("/assets/admin.js", SCRIPT, include_str!("../../assets/admin.js")),
    ("/assets/base.css", STYLE, BASE_STYLE),
    ("/assets/style.css", STYLE, include_str!("../../assets/style.css")),
];

pub(super) fn routes() -> Router<App> {
    ALL.into_iter().fold(Router::new(), |router, (path, kind, text)| {
        router.route(path, get(move || async move { asset(kind, text) }))
    })
}
