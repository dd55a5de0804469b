//! The body of a request, within its limits of size and time.

use super::problem::Problem;
use crate::options::Limits;
use axum::body::Body;
use futures_core::Stream;
use std::pin::Pin;

/// So many times the limit is read and thrown away, so that a client that is still writing hears
/// the answer rather than a broken connection.
const PATIENCE: usize = 16;

/// Reads it whole.
pub(super) async fn read(body: Body, limits: &Limits) -> Result<Vec<u8>, Problem> {
    let most = limits.max_body_bytes;
    let reading = async {
        let mut stream = Box::pin(body.into_data_stream());
        let (mut bytes, mut size) = (Vec::new(), 0);
        while let Some(piece) = next(stream.as_mut()).await {
            let piece = piece.map_err(|_| Problem::invalid("the request broke off"))?;
            size += piece.len();
            if size <= most {
                bytes.extend_from_slice(&piece);
            } else if size > PATIENCE * most {
                break;
            }
        }
        if size > most { Err(Problem::too_large(most)) } else { Ok(bytes) }
    };
    let read = tokio::time::timeout(limits.receive_timeout, reading).await;
    read.unwrap_or_else(|_| Err(Problem::too_slow()))
}

async fn next<S: Stream>(mut stream: Pin<&mut S>) -> Option<S::Item> {
    std::future::poll_fn(|context| stream.as_mut().poll_next(context)).await
}
