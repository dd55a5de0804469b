//! Heartbeats: each process counts up a number in the group's store from a thread of its own, so
//! that one whose number stands still can be named when an operation fails.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, mpsc};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use super::rendezvous::Rendezvous;
use crate::ffi::group::Store;

/// From one beat to the next.
const BEAT: Duration = Duration::from_millis(200);

/// A process without a beat for so long counts as gone, where an operation failed.
const PATIENCE: Duration = Duration::from_secs(4);

/// A store that does not answer for so long cannot be reached: nobody says goodbye where a network
/// is cut, and libtorch waits for an answer for good.
const ANSWER: Duration = Duration::from_secs(10);

/// The key of what is known about a process that is gone.
const VERDICT: &str = "verdict";

/// The heartbeats of a group, and what they tell.
#[derive(Debug)]
pub(super) struct Heartbeat {
    store: Arc<Mutex<Store>>,
    /// Whether the store has once not answered.
    unreachable: AtomicBool,
    rank: usize,
    size: usize,
    patience: Duration,
    answer: Duration,
    /// What the beating thread has read: it outlives the store, which goes with rank 0.
    verdict: Arc<OnceLock<String>>,
    stop: Arc<AtomicBool>,
    heart: Option<JoinHandle<()>>,
}

impl Heartbeat {
    /// Waits until all processes are there. `watched` is a connection for the thread that beats.
    pub(super) fn begin(
        store: Store,
        watched: Store,
        rendezvous: &Rendezvous,
    ) -> Result<Self, String> {
        let &Rendezvous { rank, size, timeout, .. } = rendezvous;
        let stop = Arc::new(AtomicBool::new(false));
        let verdict = Arc::new(OnceLock::new());
        let mut heartbeat = Self {
            store: Arc::new(Mutex::new(store)),
            unreachable: AtomicBool::new(false),
            rank,
            size,
            patience: PATIENCE.min(timeout),
            answer: ANSWER.min(timeout),
            verdict: verdict.clone(),
            stop: stop.clone(),
            heart: None,
        };
        heartbeat.add(beat(rank), 1)?;
        let began = Instant::now();
        loop {
            let missing = (0..size)
                .map(|r| Ok((r, heartbeat.add(beat(r), 0)?)))
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
                    "{} not come within {seconds} s; {}",
                    ranks(&missing, "has", "have"),
                    rendezvous.way_out()
                ));
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        let (told, read) = (stop, verdict);
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
        heartbeat.heart = Some(heart.map_err(|e| format!("no thread for the heart beat: {e}"))?);
        Ok(heartbeat)
    }

    /// The connection of the thread that computes, while all is well.
    pub(super) fn store(&self) -> MutexGuard<'_, Store> {
        locked(&self.store)
    }

    /// What a question to the store gives, where something failed: another thread waits for the
    /// answer.
    fn ask<T: Send + 'static>(
        &self,
        question: impl FnOnce(&Store) -> Result<T, String> + Send + 'static,
    ) -> Result<T, String> {
        let silent = || "the store does not answer".to_owned();
        if self.unreachable.load(Ordering::Relaxed) {
            return Err(silent());
        }
        let (answer, answers) = mpsc::channel();
        let store = self.store.clone();
        let asking = std::thread::Builder::new().name("question".into());
        let asking = asking.spawn(move || answer.send(question(&locked(&store))));
        asking.map_err(|e| format!("no thread to ask the store: {e}"))?;
        answers.recv_timeout(self.answer).unwrap_or_else(|_| {
            self.unreachable.store(true, Ordering::Relaxed);
            Err(silent())
        })
    }

    /// Adds to a number in the store and gives what it is now.
    fn add(&self, key: String, amount: i64) -> Result<i64, String> {
        self.ask(move |store| store.add(&key, amount))
    }

    /// What is known about a process that is gone.
    fn known(&self) -> Result<Option<String>, String> {
        self.ask(|store| store.get(VERDICT))
    }

    /// Says why a process is gone, unless something was said before.
    pub(super) fn accuse(&self, what: &str) {
        let what = what.to_owned();
        let _ = self.ask(move |store| match store.add("accusations", 1)? {
            1 => store.set(VERDICT, &what),
            _ => Ok(()),
        });
    }

    /// Which process is gone, in words, after an operation failed. Takes some seconds.
    pub(super) fn gone(&self, operation: &str) -> Option<String> {
        let verdict = match self.find(operation) {
            Ok(verdict) => verdict,
            Err(_) => Some(match self.verdict.get() {
                Some(verdict) => verdict.clone(),
                None if self.unreachable.load(Ordering::Relaxed) => {
                    "rank 0, which serves the store, cannot be reached".to_owned()
                }
                None => "rank 0, which serves the store, is gone".to_owned(),
            }),
        };
        self.until_heard(verdict.as_deref());
        verdict
    }

    /// Rank 0 takes the store with it: it waits until all others have read the verdict, those
    /// aside that it names.
    pub(super) fn until_heard(&self, verdict: Option<&str>) {
        let _ = self.add(heard(self.rank), 1);
        let began = Instant::now();
        while self.rank == 0 && began.elapsed() < self.patience {
            let living = |r: &usize| verdict.is_none_or(|v| !v.contains(&format!("rank {r} ")));
            let open =
                (1..self.size).filter(living).any(|r| self.add(heard(r), 0).is_ok_and(|n| n == 0));
            if !open {
                break;
            }
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    fn find(&self, operation: &str) -> Result<Option<String>, String> {
        let others: Vec<usize> = (0..self.size).filter(|&r| r != self.rank).collect();
        let beats = |r: usize| self.add(beat(r), 0);
        let first = others.iter().map(|&r| beats(r)).collect::<Result<Vec<_>, _>>()?;
        let began = Instant::now();
        loop {
            if let Some(verdict) = self.known()? {
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

impl Heartbeat {
    /// The verdict after an accusation. Another process may have been faster, and its verdict
    /// follows its accusation by a moment; it may also have ended in that moment.
    fn first_verdict(&self) -> Result<Option<String>, String> {
        let began = Instant::now();
        loop {
            let verdict = self.known()?;
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

impl Drop for Heartbeat {
    fn drop(&mut self) {
        self.stop();
        let Some(heart) = self.heart.take() else { return };
        let began = Instant::now();
        // One that waits for an answer that does not come is left to the end of the process.
        while !heart.is_finished() && began.elapsed() < self.patience {
            std::thread::sleep(Duration::from_millis(1));
        }
        if heart.is_finished() {
            let _ = heart.join();
        }
    }
}

fn locked(store: &Mutex<Store>) -> MutexGuard<'_, Store> {
    store.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
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
