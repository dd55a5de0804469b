//! Who is replied to, who waits, and who has left. Each model works in a thread of its own and
//! takes requests from a common line, as many at once as it can reply to together.

use crate::model::{Ask, Reply};
use serde::Serialize;
use std::collections::{HashMap, VecDeque};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::task::{self, Poll};
use std::time::Duration;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

/// A request that waits or is replied to.
pub(crate) struct Job {
    pub(crate) number: u64,
    pub(crate) ask: Ask,
    /// Texts that end a reply.
    pub(crate) stops: Vec<String>,
    /// The reply's name, and that of its conversation.
    pub(crate) names: [String; 2],
    pub(crate) to: UnboundedSender<Said>,
    left: Arc<AtomicBool>,
}

impl Job {
    /// Whether nobody waits for it any more.
    pub(crate) fn is_left(&self) -> bool {
        self.left.load(Ordering::Relaxed)
    }
}

/// What is told to whoever waits for a reply.
#[derive(Debug)]
pub(crate) enum Said {
    /// A model has begun.
    Begun,
    /// What is new: tokens of a candidate so far, and text of a single one.
    Piece { tokens: usize, text: String },
    /// The end.
    Done(Done),
    /// There is no reply.
    Failed(Failed),
}

/// A reply, with what the server itself did to it.
#[derive(Debug)]
pub(crate) struct Done {
    pub(crate) reply: Reply,
    /// Which of the candidates were cut by a text that ends replies.
    pub(crate) stopped: Vec<bool>,
    /// Whether it took too long and was ended.
    pub(crate) late: bool,
}

/// Why there is no reply.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Failed {
    /// It waited too long.
    Waited,
    /// The server ends.
    Closing,
    /// The model says why.
    Model(String),
    /// The model has failed.
    Broken,
}

/// How busy a server is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Status {
    /// Requests that can be replied to at once.
    pub slots: usize,
    /// How many more than now.
    pub free: usize,
    /// Requests that wait for one of these.
    pub waiting: usize,
}

/// Why a request is not even put in the line.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Refused {
    /// The line is full; after how long it may be tried again.
    Full(Duration),
    /// The server ends.
    Closing,
}

struct State {
    line: VecDeque<Job>,
    /// How many requests can be replied to at once, and how many are.
    total: usize,
    busy: usize,
    next: u64,
    /// Seconds of a reply, of late.
    seconds: f64,
    /// Who is replied to now.
    under_way: HashMap<u64, UnboundedSender<Said>>,
}

impl State {
    fn next_job(&mut self) -> Option<Job> {
        let job = self.line.pop_front()?;
        self.busy += 1;
        self.under_way.insert(job.number, job.to.clone());
        Some(job)
    }
}

/// Models with one line before them.
pub(crate) struct Slots {
    state: Mutex<State>,
    changed: Condvar,
    closing: AtomicBool,
    /// How many may wait.
    most: usize,
}

impl Slots {
    /// For `total` requests at once.
    pub(crate) fn new(total: usize, most: usize) -> Self {
        let (line, under_way) = (VecDeque::new(), HashMap::new());
        let state = State { line, total, busy: 0, next: 0, seconds: 1.0, under_way };
        Self {
            state: Mutex::new(state),
            changed: Condvar::new(),
            closing: AtomicBool::new(false),
            most,
        }
    }

    /// Says how many requests can be replied to at once, where it is known by now.
    pub(crate) fn hold(&self, total: usize) {
        self.state().total = total;
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn status(&self) -> Status {
        let state = self.state();
        Status { slots: state.total, free: state.total - state.busy, waiting: state.line.len() }
    }

    /// Whether the server ends.
    pub(crate) fn is_closing(&self) -> bool {
        self.closing.load(Ordering::Relaxed)
    }

    /// Puts a request in the line.
    pub(crate) fn ask(
        self: &Arc<Self>,
        ask: Ask,
        stops: Vec<String>,
        names: [String; 2],
    ) -> Result<Ticket, Refused> {
        let (to, said) = unbounded_channel();
        let left = Arc::new(AtomicBool::new(false));
        let mut state = self.state();
        if self.is_closing() {
            return Err(Refused::Closing);
        }
        let free = state.total - state.busy;
        if state.line.len() >= self.most + free {
            let round = state.line.len() as f64 / state.total as f64;
            let seconds = (round * state.seconds).clamp(1.0, 60.0);
            return Err(Refused::Full(Duration::from_secs_f64(seconds)));
        }
        state.next += 1;
        let number = state.next;
        let ahead = (state.line.len() + 1).saturating_sub(free);
        state.line.push_back(Job { number, ask, stops, names, to, left: Arc::clone(&left) });
        drop(state);
        self.changed.notify_one();
        Ok(Ticket { slots: Arc::clone(self), number, said, left, ahead })
    }

    /// The next request, for a model that is free; none when the server ends.
    pub(crate) fn take(&self) -> Option<Job> {
        let mut state = self.state();
        loop {
            if self.is_closing() {
                return None;
            }
            if let Some(job) = state.next_job() {
                return Some(job);
            }
            state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// The next request, if one waits.
    pub(crate) fn take_waiting(&self) -> Option<Job> {
        let mut state = self.state();
        if self.is_closing() { None } else { state.next_job() }
    }

    /// A model is free again, after a reply to this request that took so long.
    pub(crate) fn free(&self, job: &Job, took: Duration) {
        let mut state = self.state();
        state.under_way.remove(&job.number);
        state.busy -= 1;
        state.seconds = 0.8 * state.seconds + 0.2 * took.as_secs_f64();
    }

    /// Takes a request out of the line, if it still waits there.
    fn withdraw(&self, number: u64) -> Option<Job> {
        let mut state = self.state();
        let at = state.line.iter().position(|job| job.number == number)?;
        state.line.remove(at)
    }

    /// Tells a request that it has waited too long, if it still waits.
    pub(crate) fn expire(&self, number: u64) {
        if let Some(job) = self.withdraw(number) {
            // Whoever has left needs no answer.
            let _ = job.to.send(Said::Failed(Failed::Waited));
        }
    }

    /// Ends all work: whoever waits is told so at once, and so is whoever is replied to, though the
    /// model may notice only when it has read what was said.
    pub(crate) fn close(&self) {
        self.closing.store(true, Ordering::Relaxed);
        let mut state = self.state();
        let line = std::mem::take(&mut state.line);
        let under_way = std::mem::take(&mut state.under_way);
        drop(state);
        for to in line.into_iter().map(|job| job.to).chain(under_way.into_values()) {
            let _ = to.send(Said::Failed(Failed::Closing));
        }
        self.changed.notify_all();
    }
}

/// A place in the line, and what is said to it. Dropped, it is given up, and so is the work.
pub(crate) struct Ticket {
    slots: Arc<Slots>,
    number: u64,
    said: UnboundedReceiver<Said>,
    left: Arc<AtomicBool>,
    ahead: usize,
}

impl Ticket {
    /// Its number, for [`Slots::expire`].
    pub(crate) fn number(&self) -> u64 {
        self.number
    }

    /// How many had to be replied to first when it was taken, itself included; 0 if a model was
    /// free.
    pub(crate) fn ahead(&self) -> usize {
        self.ahead
    }

    /// What is said next. After [`Said::Done`] and [`Said::Failed`] nothing is.
    pub(crate) async fn next(&mut self) -> Said {
        std::future::poll_fn(|context| self.poll(context)).await
    }

    /// Polls for what is said next, for streams.
    pub(crate) fn poll(&mut self, context: &mut task::Context<'_>) -> Poll<Said> {
        // A worker that ends without a word does so because the server ends.
        self.said.poll_recv(context).map(|said| said.unwrap_or(Said::Failed(Failed::Closing)))
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        self.left.store(true, Ordering::Relaxed);
        drop(self.slots.withdraw(self.number));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Role, Sampling, Turn};

    fn ask(slots: &Arc<Slots>) -> Result<Ticket, Refused> {
        let turns = vec![Turn { text: "Hi".into(), role: Role::User }];
        let ask = Ask { turns, sampling: Sampling::default(), seed: 1 };
        slots.ask(ask, vec![], ["a".into(), "b".into()])
    }

    #[test]
    fn the_line_is_as_long_as_it_may_be_and_who_leaves_makes_room() {
        let slots = Arc::new(Slots::new(1, 1));
        let first = ask(&slots).expect("a free model");
        let second = ask(&slots).expect("one may wait");
        assert_eq!((first.ahead(), second.ahead()), (0, 1));
        assert!(matches!(ask(&slots), Err(Refused::Full(wait)) if wait >= Duration::from_secs(1)));
        let job = slots.take().expect("the first");
        assert_eq!(slots.status(), Status { slots: 1, free: 0, waiting: 1 });
        assert!(!job.is_left());
        drop(first);
        assert!(job.is_left());
        drop(second);
        assert_eq!(slots.status().waiting, 0);
        let _third = ask(&slots).expect("room again");
        slots.free(&job, Duration::from_secs(1));
        assert_eq!(slots.status(), Status { slots: 1, free: 1, waiting: 1 });
    }

    #[test]
    fn who_waits_too_long_or_when_it_ends_is_told_so() {
        let slots = Arc::new(Slots::new(1, 2));
        let mut begun = ask(&slots).expect("a free model");
        let _job = slots.take().expect("the first");
        let (mut late, mut last) = (ask(&slots).expect("a place"), ask(&slots).expect("a place"));
        slots.expire(late.number());
        slots.close();
        let told = |ticket: &mut Ticket| ticket.said.try_recv().expect("a word");
        assert!(matches!(told(&mut late), Said::Failed(Failed::Waited)));
        assert!(matches!(told(&mut last), Said::Failed(Failed::Closing)));
        assert!(matches!(told(&mut begun), Said::Failed(Failed::Closing)));
        assert!(matches!(ask(&slots), Err(Refused::Closing)));
        assert!(slots.take().is_none());
    }
}
