//! One thread writes. What waits for it is committed together, so that many answers share one
//! flush of the disk, and nobody is told "saved" before that flush.
//!
//! Each job runs in a savepoint of its own: one that fails takes nothing of the others with it.
//! When the commit itself fails, all of them hear of it, and nothing was changed.

use crate::error::{Error, Result};
use rusqlite::{Connection, TransactionBehavior};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::JoinHandle;
use tokio::sync::oneshot;

/// The most jobs in one transaction.
const BATCH: usize = 256;

/// Something to write, and whoever waits for it.
trait Job: Send {
    /// Runs it; whether it is to be kept.
    fn run(&mut self, connection: &Connection) -> bool;
    /// Tells whoever waits. Without an error the transaction is on disk.
    fn finish(self: Box<Self>, error: Option<Error>);
}

struct Waiting<T, F> {
    work: Option<F>,
    result: Option<Result<T>>,
    reply: oneshot::Sender<Result<T>>,
}

impl<T: Send, F: FnOnce(&Connection) -> Result<T> + Send> Job for Waiting<T, F> {
    fn run(&mut self, connection: &Connection) -> bool {
        let result = self.work.take().map(|work| work(connection));
        let keep = matches!(result, Some(Ok(_)));
        self.result = result;
        keep
    }

    fn finish(self: Box<Self>, error: Option<Error>) {
        let result = match (self.result, error) {
            (Some(Err(own)), _) => Err(own),
            (_, Some(error)) => Err(error),
            (Some(result), None) => result,
            (None, None) => Err(Error::Closed),
        };
        // Whoever asked may have gone; the work is done all the same.
        let _ = self.reply.send(result);
    }
}

/// The thread that writes, and the way to it.
pub(super) struct Writer {
    jobs: Option<Sender<Box<dyn Job>>>,
    thread: Option<JoinHandle<()>>,
}

impl Writer {
    /// A thread that owns the connection.
    pub(super) fn new(connection: Connection) -> Self {
        let (jobs, queue) = channel();
        let thread = std::thread::Builder::new()
            .name("rating-writer".to_owned())
            .spawn(move || run(connection, &queue))
            .expect("the system has threads");
        Self { jobs: Some(jobs), thread: Some(thread) }
    }

    /// Hands in work. The result comes when it is on disk.
    pub(super) fn hand_in<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Connection) -> Result<T> + Send + 'static,
    ) -> oneshot::Receiver<Result<T>> {
        let (reply, result) = oneshot::channel();
        let job = Box::new(Waiting { work: Some(work), result: None, reply });
        if let Some(jobs) = &self.jobs {
            // If the thread has ended, the job is dropped, and with it the sender of the reply.
            let _ = jobs.send(job);
        }
        result
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        self.jobs = None;
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn run(mut connection: Connection, queue: &Receiver<Box<dyn Job>>) {
    while let Ok(first) = queue.recv() {
        let mut batch = vec![first];
        batch.extend(queue.try_iter().take(BATCH - 1));
        let outcome = commit(&mut connection, &mut batch);
        let failure = outcome.err().map(Error::from);
        for job in batch {
            job.finish(failure.as_ref().map(again));
        }
    }
}

/// Runs all jobs in one transaction.
fn commit(connection: &mut Connection, batch: &mut [Box<dyn Job>]) -> rusqlite::Result<()> {
    // A transaction that starts by reading cannot wait for the lock later: it would fail at once.
    let mut transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    for job in batch {
        let savepoint = transaction.savepoint()?;
        let kept = catch_unwind(AssertUnwindSafe(|| job.run(&savepoint))).unwrap_or(false);
        if savepoint.is_autocommit() {
            // A full disk makes SQLite roll the whole transaction back by itself.
            drop(savepoint);
            return Err(rusqlite::Error::SqliteFailure(
                rusqlite::ffi::Error::new(rusqlite::ffi::SQLITE_FULL),
                None,
            ));
        }
        if kept {
            savepoint.commit()?;
        }
    }
    transaction.commit()
}

/// The same error for everyone in the batch.
fn again(error: &Error) -> Error {
    match error {
        Error::Busy => Error::Busy,
        Error::Full => Error::Full,
        Error::Database(rusqlite::Error::SqliteFailure(code, text)) => {
            Error::Database(rusqlite::Error::SqliteFailure(*code, text.clone()))
        }
        _ => Error::Closed,
    }
}
