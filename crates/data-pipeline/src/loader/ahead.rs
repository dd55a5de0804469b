//! How far workers may be ahead of the consumer, in memory.

use std::sync::{Condvar, Mutex, PoisonError};

/// What workers agree on before they begin a step. The first step is prepared alone, for its size
/// says how many may be in memory; the step that the consumer waits for may always be prepared.
pub(super) struct Ahead {
    state: Mutex<State>,
    changed: Condvar,
    /// What may be prepared and not yet taken, bytes.
    memory: u64,
}

struct State {
    /// The step that the consumer takes next.
    next: u64,
    /// The largest step so far, bytes.
    largest: Option<u64>,
    stopped: bool,
}

impl Ahead {
    pub(super) fn new(from: u64, memory: u64) -> Self {
        let state = State { next: from, largest: None, stopped: false };
        Self { state: Mutex::new(state), changed: Condvar::new(), memory }
    }

    /// Waits until there is room for this step; false when the loader has stopped.
    pub(super) fn wait_for(&self, step: u64) -> bool {
        let full = |state: &mut State| !state.stopped && step >= state.next + self.room(state);
        let state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let state = self.changed.wait_while(state, full).unwrap_or_else(PoisonError::into_inner);
        !state.stopped
    }

    /// How many steps may be in memory.
    fn room(&self, state: &State) -> u64 {
        match state.largest {
            None => 1,
            Some(0) => u64::MAX - state.next,
            Some(bytes) => (self.memory / bytes).clamp(1, u64::MAX - state.next),
        }
    }

    /// A step was prepared.
    pub(super) fn prepared(&self, bytes: u64) {
        self.change(|state| state.largest = Some(state.largest.unwrap_or(0).max(bytes)));
    }

    /// The consumer took a step.
    pub(super) fn taken(&self) {
        self.change(|state| state.next += 1);
    }

    /// Nobody waits any more.
    pub(super) fn stop(&self) {
        self.change(|state| state.stopped = true);
    }

    fn change(&self, change: impl FnOnce(&mut State)) {
        change(&mut self.state.lock().unwrap_or_else(PoisonError::into_inner));
        self.changed.notify_all();
    }
}
