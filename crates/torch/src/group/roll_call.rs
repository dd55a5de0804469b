//! Who is there: each process beats in the group's store from a thread of its own, so that one
//! whose heart stands still can be named when an operation fails.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, OnceLock};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use crate::ffi::group::Store;

/// From one beat to the next.
const BEAT: Duration = Duration::from_millis(200);

/// A process without a beat for so long counts as gone, where an operation failed.
const PATIENCE: Duration = Duration::from_secs(4);

/// The key of what is known about a process that is gone.
const VERDICT: &str = "verdict";

/// The beats of a group, and what they tell.
#[derive(Debug)]
pub(super) struct RollCall {
    store: Mutex<Store>,
    rank: usize,
    size: usize,
    patience: Duration,
    /// What the beating thread has read: it outlives the store, which goes with rank 0.
    verdict: Arc<OnceLock<String>>,
    stop: Arc<AtomicBool>,
    heart: Option<JoinHandle<()>>,
}

impl RollCall {
    /// Waits until all processes are there. `watched` is a connection for the thread that beats.
    pub(super) fn begin(
        store: Store,
        watched: Store,
        [rank, size]: [usize; 2],
        timeout: Duration,
    ) -> Result<Self, String> {
        store.add(&beat(rank), 1)?;
        let began = Instant::now();
        loop {
            let missing = (0..size)
                .map(|r| Ok((r, store.add(&beat(r), 0)?)))
                .filter_map(|found: Result<_, String>| match found {
                    Ok((r, 0)) => Some(Ok(r)),
                    Ok(_) => None,
                    Err(e) => Some(Err(e)),
                })
                .collect::<Result<Vec<_>, _>>()?;
            if missing.is_empty() {
                break;
            }
            if began.elapsed() > timeout {
                let seconds = timeout.as_secs_f64();
                return Err(format!(
                    "{} not come within {seconds} s",
                    ranks(&missing, "has", "have")
                ));
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        let stop = Arc::new(AtomicBool::new(false));
        let verdict = Arc::new(OnceLock::new());
        let (told, read) = (stop.clone(), verdict.clone());
        let heart = std::thread::Builder::new().name("heart".into()).spawn(move || {
            while !told.load(Ordering::Relaxed) && watched.add(&beat(rank), 1).is_ok() {
                // An operation may wait for rank 0 alone: it fails when rank 0 has ended, and
                // nothing can be read any more.
                if read.get().is_none()
                    && let Ok(Some(found)) = watched.get(VERDICT)
                    && read.set(found).is_ok()
                {
                    let _ = watched.add(&heard(rank), 1);
                }
                std::thread::park_timeout(BEAT);
            }
        });
        let heart = Some(heart.map_err(|e| format!("no thread for the heart beat: {e}"))?);
        let patience = PATIENCE.min(timeout);
        let store = Mutex::new(store);
        Ok(Self { store, rank, size, patience, verdict, stop, heart })
    }

    /// The connection of the thread that computes.
    pub(super) fn store(&self) -> std::sync::MutexGuard<'_, Store> {
        self.store.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    /// Says why a process is gone, unless something was said before.
    pub(super) fn accuse(&self, what: &str) {
        let store = self.store();
        if let Ok(1) = store.add("accusations", 1) {
            let _ = store.set(VERDICT, what);
        }
    }

    /// Which process is gone, in words, after an operation failed. Takes some seconds.
    pub(super) fn gone(&self, operation: &str) -> Option<String> {
        let verdict = match self.find(operation) {
            Ok(verdict) => verdict,
            Err(_) => Some(match self.verdict.get() {
                Some(verdict) => verdict.clone(),
                None => "rank 0, which serves the store, is gone".to_owned(),
            }),
        };
        self.until_heard(verdict.as_deref());
        verdict
    }

    /// Rank 0 takes the store with it: it waits until all others have read the verdict, those
    /// aside that it names.
    pub(super) fn until_heard(&self, verdict: Option<&str>) {
        let store = self.store();
        let _ = store.add(&heard(self.rank), 1);
        let began = Instant::now();
        while self.rank == 0 && began.elapsed() < self.patience {
            let living = |r: &usize| verdict.is_none_or(|v| !v.contains(&format!("rank {r} ")));
            let open = (1..self.size)
                .filter(living)
                .any(|r| store.add(&heard(r), 0).is_ok_and(|n| n == 0));
            if !open {
                break;
            }
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    fn find(&self, operation: &str) -> Result<Option<String>, String> {
        let others: Vec<usize> = (0..self.size).filter(|&r| r != self.rank).collect();
        let beats = |r: usize| self.store().add(&beat(r), 0);
        let first = others.iter().map(|&r| beats(r)).collect::<Result<Vec<_>, _>>()?;
        let began = Instant::now();
        loop {
            if let Some(verdict) = self.store().get(VERDICT)? {
                return Ok(Some(verdict));
            }
            let mut silent = Vec::new();
            for (&r, &before) in others.iter().zip(&first) {
                if beats(r)? == before {
                    silent.push(r);
                }
            }
            if silent.is_empty() {
                return Ok(None);
            }
            if began.elapsed() >= self.patience {
                let gone = ranks(&silent, "is", "are");
                self.accuse(&format!("{gone} gone, as rank {} saw in its {operation}", self.rank));
                let known = self.first_verdict()?;
                return Ok(known.or(Some(format!("{gone} gone"))));
            }
            std::thread::sleep(Duration::from_millis(100));
        }
    }
}

impl RollCall {
    /// The verdict after an accusation. Another process may have been faster, and its verdict
    /// follows its accusation by a moment; it may also have ended in that moment.
    fn first_verdict(&self) -> Result<Option<String>, String> {
        let began = Instant::now();
        loop {
            let verdict = self.store().get(VERDICT)?;
            if verdict.is_some() || began.elapsed() >= self.patience {
                return Ok(verdict);
            }
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// Ends the beats.
    pub(super) fn stop(&self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(heart) = &self.heart {
            heart.thread().unpark();
        }
    }
}

impl Drop for RollCall {
    fn drop(&mut self) {
        self.stop();
        if let Some(heart) = self.heart.take() {
            let _ = heart.join();
        }
    }
}

fn beat(rank: usize) -> String {
    format!("beat/{rank}")
}

fn heard(rank: usize) -> String {
    format!("heard/{rank}")
}

/// `rank 2 is`, `ranks 1, 2 are`.
fn ranks(list: &[usize], one: &str, many: &str) -> String {
    let names: Vec<String> = list.iter().map(usize::to_string).collect();
    match list.len() {
        1 => format!("rank {} {one}", names[0]),
        _ => format!("ranks {} {many}", names.join(", ")),
    }
}
