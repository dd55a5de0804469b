//! SIGINT and SIGTERM: the first asks for a checkpoint and an orderly end, the second ends the process at once.

use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};

use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::flag;

static ASKED: OnceLock<Result<Arc<AtomicBool>, String>> = OnceLock::new();

/// Begins to watch for the signals; further calls do nothing. [`fit`](crate::fit()) calls it, and so should any other long
/// piece of work that can stop in good order.
pub fn install() -> io::Result<()> {
    asked().map(|_| ())
}

/// Whether a signal has come since [`install`].
pub fn interrupted() -> bool {
    matches!(ASKED.get(), Some(Ok(flag)) if flag.load(Ordering::SeqCst))
}

fn asked() -> io::Result<&'static Arc<AtomicBool>> {
    let installed = ASKED.get_or_init(|| {
        let asked = Arc::new(AtomicBool::new(false));
        for signal in [SIGINT, SIGTERM] {
            // In this order: the flag that makes the second signal fatal is set after the first was looked at. A shell
            // reports a process that a signal ended as 128 + its number.
            flag::register_conditional_shutdown(signal, 128 + signal, Arc::clone(&asked))
                .and_then(|_| flag::register(signal, Arc::clone(&asked)))
                .map_err(|e| e.to_string())?;
        }
        Ok(asked)
    });
    installed.as_ref().map_err(|e| io::Error::other(e.clone()))
}
