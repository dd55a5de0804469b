//! Server-sent events of what a model says.

use crate::slots::{Said, Ticket};
use axum::http::{HeaderName, HeaderValue};
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use futures_core::Stream;
use std::collections::VecDeque;
use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

/// After so long without an event, a comment shows proxies that the connection lives.
const SIGN_OF_LIFE: Duration = Duration::from_secs(10);

/// What a model says, told in events. Dropped with its connection, it ends the work.
struct Events<T> {
    ticket: Ticket,
    tell: T,
    ready: VecDeque<Event>,
    over: bool,
}

impl<T: FnMut(Said) -> Vec<Event> + Unpin> Stream for Events<T> {
    type Item = Result<Event, Infallible>;

    fn poll_next(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let this = self.get_mut();
        loop {
            if let Some(event) = this.ready.pop_front() {
                return Poll::Ready(Some(Ok(event)));
            }
            if this.over {
                return Poll::Ready(None);
            }
            let said = std::task::ready!(this.ticket.poll(context));
            this.over = matches!(said, Said::Done(_) | Said::Failed(_));
            this.ready.extend((this.tell)(said));
        }
    }
}

/// A response that tells `first`, and then what the model says in the events that `tell` makes.
pub(super) fn events(
    ticket: Ticket,
    first: Vec<Event>,
    tell: impl FnMut(Said) -> Vec<Event> + Send + Unpin + 'static,
) -> Response {
    let events = Events { ticket, tell, ready: first.into(), over: false };
    let alive = KeepAlive::new().interval(SIGN_OF_LIFE);
    let mut response = Sse::new(events).keep_alive(alive).into_response();
    // nginx would keep events back until it has a page full of them.
    let buffering = HeaderName::from_static("x-accel-buffering");
    response.headers_mut().insert(buffering, HeaderValue::from_static("no"));
    response
}
