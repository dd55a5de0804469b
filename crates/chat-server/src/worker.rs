//! A thread in which a model works.

use crate::error::{Error, Result};
use crate::kept::{self, Kept};
use crate::model::{
    About, Ask, Candidate, Dropped, Model, ModelFactory, Piece, Reply, RequestQueue,
};
use crate::slots::{Done, Failed, Job, Said, Slots};
use crate::stops::{self, Stops};
use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::mpsc::sync_channel;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// What all workers share.
#[derive(Clone)]
pub(crate) struct Shared {
    pub(crate) slots: Arc<Slots>,
    pub(crate) kept: Option<Arc<Kept>>,
    /// How long a reply may take.
    pub(crate) most: Duration,
}

/// Starts a thread for each model; gives what the first one is when all are made.
///
/// # Errors
/// [`Error::Model`] when one cannot be made; the others end then.
pub(crate) fn start(
    makers: Vec<ModelFactory>,
    shared: &Shared,
) -> Result<(About, Vec<JoinHandle<()>>)> {
    let (to, from) = sync_channel(makers.len());
    let mut threads = Vec::new();
    for make in makers {
        let (to, shared) = (to.clone(), shared.clone());
        let work = move || {
            let model = match make() {
                Ok(model) => model,
                Err(error) => return drop(to.send(Err(error))),
            };
            if to.send(Ok(model.about())).is_ok() {
                drop(to);
                work(model.as_ref(), &shared);
            }
        };
        let thread = std::thread::Builder::new().name("chat-model".to_owned()).spawn(work);
        threads.push(thread.map_err(|error| Error::Model(error.to_string()))?);
    }
    drop(to);
    let (mut first, mut together) = (None, 0);
    for _ in 0..threads.len() {
        // One that panics while it is made says nothing.
        match from.recv().unwrap_or_else(|_| Err("the model could not be made".to_owned())) {
            Ok(about) => {
                together += about.max_concurrent.max(1);
                first = first.or(Some(about));
            }
            Err(error) => {
                shared.slots.close();
                return Err(Error::Model(error));
            }
        }
    }
    shared.slots.hold(together);
    let about = first.ok_or_else(|| Error::Model("there is no model to serve".to_owned()))?;
    Ok((about, threads))
}

/// Replies until the server ends.
fn work(model: &dyn Model, shared: &Shared) {
    let About { name, max_concurrent, .. } = model.about();
    let together = max_concurrent.max(1);
    while let Some(first) = shared.slots.take() {
        let under_way = BTreeMap::new();
        let mut line = Waiting { shared, name: &name, together, first: Some(first), under_way };
        // A model that panics has replied to nobody whom it had begun with.
        if catch_unwind(AssertUnwindSafe(|| model.reply_to_all(&mut line))).is_err() {
            tracing::error!("the model {name} panicked");
        }
        line.break_off();
    }
}

/// Requests of the common line for one model.
struct Waiting<'a> {
    shared: &'a Shared,
    name: &'a str,
    /// How many it replies to at once.
    together: usize,
    /// The one that it was woken for.
    first: Option<Job>,
    under_way: BTreeMap<u64, UnderWay>,
}

/// A request that is replied to.
struct UnderWay {
    job: Job,
    began: Instant,
    stops: Stops,
    /// Whether it took too long.
    late: bool,
    /// Bytes of text that were sent.
    sent: usize,
}

impl UnderWay {
    /// Whether one candidate is drawn, whose text is told as it is written.
    fn is_single(&self) -> bool {
        self.job.ask.sampling.candidates == 1
    }
}

impl Waiting<'_> {
    /// Begins with a request, if somebody still waits for it.
    fn begin(&mut self, job: Job) -> Option<(u64, Ask)> {
        if job.is_left() || job.to.send(Said::Begun).is_err() {
            self.shared.slots.free(&job, Duration::ZERO);
            let _ = job.to.send(Said::Failed(Failed::Closing));
            return None;
        }
        let (number, ask) = (job.number, job.ask.clone());
        let (began, stops) = (Instant::now(), Stops::new(&job.stops));
        self.under_way.insert(number, UnderWay { job, began, stops, late: false, sent: 0 });
        Some((number, ask))
    }

    /// Tells the end of a reply.
    fn end(&self, of: UnderWay, said: Said) {
        let job = &of.job;
        if let (Said::Done(done), Some(kept), false) = (&said, &self.shared.kept, job.is_left()) {
            keep(kept, self.name, job, done);
        }
        // Free before the end is told: whoever has heard it may ask again at once.
        self.shared.slots.free(job, of.began.elapsed());
        let _ = job.to.send(said);
    }

    /// Tells those who were begun with and have no reply that the model has failed.
    fn break_off(&mut self) {
        if let Some(job) = self.first.take() {
            let _ = self.begin(job);
        }
        for of in std::mem::take(&mut self.under_way).into_values() {
            self.end(of, Said::Failed(Failed::Broken));
        }
    }
}

impl RequestQueue for Waiting<'_> {
    fn more(&mut self) -> Vec<(u64, Ask)> {
        let mut more = Vec::new();
        while self.under_way.len() < self.together {
            let job = self.first.take().or_else(|| self.shared.slots.take_waiting());
            let Some(job) = job else { break };
            more.extend(self.begin(job));
        }
        more
    }

    fn piece(&mut self, number: u64, Piece { tokens, text }: Piece<'_>) -> ControlFlow<()> {
        let Some(of) = self.under_way.get_mut(&number) else { return ControlFlow::Break(()) };
        of.late = of.began.elapsed() >= self.shared.most;
        if of.late || of.job.is_left() || self.shared.slots.is_closing() {
            return ControlFlow::Break(());
        }
        let text = if of.is_single() { of.stops.push(text) } else { String::new() };
        of.sent += text.len();
        match of.job.to.send(Said::Piece { tokens, text }) {
            Ok(()) if !of.stops.met() => ControlFlow::Continue(()),
            _ => ControlFlow::Break(()),
        }
    }

    /// Tells a reply when it is done, nobody waits for it, or it took too long.
    fn done(&mut self, number: u64, reply: Result<Reply, String>) {
        let Some(of) = self.under_way.remove(&number) else { return };
        if self.shared.slots.is_closing() {
            return self.end(of, Said::Failed(Failed::Closing));
        }
        let reply = match reply {
            Ok(reply) => reply,
            Err(why) => return self.end(of, Said::Failed(Failed::Model(why))),
        };
        let (reply, stopped) = said(reply, &of.job.stops);
        if let (true, Some(only)) = (of.is_single(), reply.candidates.first())
            && only.dropped.is_none()
            && let Some(rest) = only.text.get(of.sent..).filter(|rest| !rest.is_empty())
        {
            // What was held back, or written when the time was over.
            let _ = of.job.to.send(Said::Piece { tokens: only.tokens, text: rest.to_owned() });
        }
        let late = of.late;
        self.end(of, Said::Done(Done { reply, stopped, late }));
    }
}

/// What may be said of a reply, and which of its candidates a stop has cut. Those that may be given
/// come first, then those that were only cut off, which whoever asks for several gets, too; one of
/// which nothing is left stands behind them. What a filter has refused is told to nobody.
fn said(reply: Reply, stops: &[String]) -> (Reply, Vec<bool>) {
    let cut = |mut candidate: Candidate| {
        let stopped = stops::cut(&mut candidate.text, stops);
        let may_be_said = candidate.dropped.as_ref().is_none_or(|dropped| dropped.truncated);
        if may_be_said && candidate.text.trim().is_empty() {
            let why = "says nothing".to_owned();
            candidate.dropped = Some(Dropped { why, ..Dropped::default() });
        }
        if candidate.dropped.as_ref().is_some_and(|dropped| dropped.unsafe_text) {
            candidate.text.clear();
        }
        (candidate, stopped)
    };
    let mut all: Vec<(Candidate, bool)> = reply.candidates.into_iter().map(cut).collect();
    all.sort_by_key(|(candidate, _)| match &candidate.dropped {
        None => 0,
        Some(dropped) if dropped.truncated => 1,
        Some(_) => 2,
    });
    let (candidates, stopped) = all.into_iter().unzip();
    (Reply { candidates, ..reply }, stopped)
}

/// Keeps what is said. What cannot be written is told to the log: the chat goes on.
fn keep(kept: &Kept, name: &str, job: &Job, done: &Done) {
    let given = done.reply.candidates.first().filter(|best| best.dropped.is_none());
    let Some(given) = given.filter(|given| !given.text.is_empty()) else { return };
    let [id, conversation] = &job.names;
    let mut item = kept::item(id, name, conversation, &job.ask, given);
    if done.stopped.first() == Some(&true) {
        // The likelihood is that of the whole text.
        item.likelihood = None;
    }
    if let Err(error) = kept.add(&item) {
        tracing::error!("what was said is not kept: {error}");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn candidate(text: &str, dropped: Option<bool>) -> Candidate {
        let dropped = dropped.map(|unsafe_text| Dropped {
            why: "a reason".into(),
            unsafe_text,
            ..Dropped::default()
        });
        Candidate { text: text.to_owned(), dropped, ..Candidate::default() }
    }

    #[test]
    fn what_a_stop_leaves_empty_is_behind_and_what_is_refused_is_not_told() {
        let candidates = vec![
            candidate("STOP here", None),
            candidate("one STOP two", None),
            candidate(" \n", None),
            candidate("three", None),
            candidate("an insult", Some(true)),
            candidate("said before", Some(false)),
        ];
        let (reply, stopped) = said(Reply { candidates, ..Reply::default() }, &["STOP".to_owned()]);
        let texts: Vec<&str> = reply.candidates.iter().map(|c| c.text.as_str()).collect();
        assert_eq!(texts, ["one ", "three", "", " \n", "", "said before"]);
        assert_eq!(stopped, [true, false, true, false, false, false]);
        let why = |at: usize| reply.candidates[at].dropped.as_ref().map(|dropped| &*dropped.why);
        assert_eq!((why(0), why(1)), (None, None));
        assert_eq!(
            (why(2), why(3), why(4)),
            (Some("says nothing"), Some("says nothing"), Some("a reason"))
        );
    }

    #[test]
    fn what_was_only_cut_off_is_before_what_is_refused() {
        let cut_off = |text: &str| {
            let mut candidate = candidate(text, Some(false));
            candidate.dropped.as_mut().expect("a reason").truncated = true;
            candidate
        };
        let candidates = vec![
            candidate("whole", None),
            candidate("an insult", Some(true)),
            cut_off("STOP and so on"),
            cut_off("one of"),
            cut_off("two of"),
        ];
        let (reply, _) = said(Reply { candidates, ..Reply::default() }, &["STOP".to_owned()]);
        let texts: Vec<&str> = reply.candidates.iter().map(|c| c.text.as_str()).collect();
        assert_eq!(texts, ["whole", "one of", "two of", "", ""]);
        let dropped = reply.candidates[4].dropped.as_ref().expect("nothing is left");
        assert_eq!((&*dropped.why, dropped.truncated), ("says nothing", false));
    }
}
