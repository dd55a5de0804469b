//! SIGINT and SIGTERM: the first asks for a checkpoint and an orderly end, the second ends the
//! process at once. SIGXFSZ: the process may go on, and tell which file is too large.

use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};

use signal_hook::consts::{SIGINT, SIGTERM, SIGXFSZ};
use signal_hook::flag;

static ASKED: OnceLock<Result<Arc<AtomicBool>, String>> = OnceLock::new();

/// Installs the handlers of both signals; further calls do nothing. [`fit`](crate::fit()) calls it,
/// and so should any other long piece of work that can stop in an orderly way.
pub fn install() -> io::Result<()> {
    asked().map(|_| ())
}

/// Keeps the process alive where a file reaches the limit of `ulimit -f`: the write fails then, of
/// [`io::ErrorKind::FileTooLarge`], and does not end the process without a word.
pub fn outlive_file_limit() -> io::Result<()> {
    // Nobody asks for the flag: a signal with a handler ends no process.
    flag::register(SIGXFSZ, Arc::default()).map(drop)
}

/// Whether a signal has come since [`install`].
pub fn interrupted() -> bool {
    matches!(ASKED.get(), Some(Ok(flag)) if flag.load(Ordering::SeqCst))
}

/// Counts as a signal that has come: for one of several processes that work together, whose other
/// one was told to stop. Does nothing before [`install`].
pub fn interrupt() {
    if let Some(Ok(flag)) = ASKED.get() {
        flag.store(true, Ordering::SeqCst);
    }
}

fn asked() -> io::Result<&'static Arc<AtomicBool>> {
    let installed = ASKED.get_or_init(|| {
        let asked = Arc::new(AtomicBool::new(false));
        for signal in [SIGINT, SIGTERM] {
            // The order matters: at the first signal the shutdown handler runs before the flag is
            // set, so that only a second one ends the process. 128 + its number is how a shell
            // reports a process that a signal ended.
            flag::register_conditional_shutdown(signal, 128 + signal, Arc::clone(&asked))
                .and_then(|_| flag::register(signal, Arc::clone(&asked)))
                .map_err(|e| e.to_string())?;
        }
        Ok(asked)
    });
    installed.as_ref().map_err(|e| io::Error::other(e.clone()))
}
