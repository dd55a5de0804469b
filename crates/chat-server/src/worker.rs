//! A thread in which a model works.

use crate::error::{Error, Result};
use crate::kept::{self, Kept};
use crate::model::{About, Candidate, Dropped, Maker, Model, Piece, Reply};
use crate::slots::{Done, Failed, Job, Said, Slots};
use crate::stops::{self, Stops};
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
pub(crate) fn start(makers: Vec<Maker>, shared: &Shared) -> Result<(About, Vec<JoinHandle<()>>)> {
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
    let mut first = None;
    for _ in 0..threads.len() {
        // One that panics while it is made says nothing.
        match from.recv().unwrap_or_else(|_| Err("the model could not be made".to_owned())) {
            Ok(about) => first = first.or(Some(about)),
            Err(error) => {
                shared.slots.close();
                return Err(Error::Model(error));
            }
        }
    }
    let about = first.ok_or_else(|| Error::Model("there is no model to serve".to_owned()))?;
    Ok((about, threads))
}

/// Replies until the server ends.
fn work(model: &dyn Model, shared: &Shared) {
    let name = model.about().name;
    while let Some(job) = shared.slots.take() {
        let began = Instant::now();
        let said = match catch_unwind(AssertUnwindSafe(|| reply(model, &job, shared))) {
            Ok(said) => said,
            Err(_) => Said::Failed(Failed::Broken),
        };
        if let (Said::Done(done), Some(kept), false) = (&said, &shared.kept, job.is_left()) {
            keep(kept, &name, &job, done);
        }
        // Free before the end is told: whoever has heard it may ask again at once.
        shared.slots.free(&job, began.elapsed());
        let _ = job.to.send(said);
    }
}

/// Replies to one request, until it is done, nobody waits for it, or it takes too long.
fn reply(model: &dyn Model, job: &Job, shared: &Shared) -> Said {
    if job.is_left() || job.to.send(Said::Begun).is_err() {
        return Said::Failed(Failed::Closing);
    }
    let until = Instant::now() + shared.most;
    let single = job.ask.sampling.candidates == 1;
    let (mut stops, mut late, mut sent) = (Stops::new(&job.stops), false, 0);
    let reply = model.reply(&job.ask, &mut |Piece { tokens, text }| {
        late = Instant::now() >= until;
        if late || job.is_left() || shared.slots.is_closing() {
            return ControlFlow::Break(());
        }
        let text = if single { stops.push(text) } else { String::new() };
        sent += text.len();
        match job.to.send(Said::Piece { tokens, text }) {
            Ok(()) if !stops.met() => ControlFlow::Continue(()),
            _ => ControlFlow::Break(()),
        }
    });
    if shared.slots.is_closing() {
        return Said::Failed(Failed::Closing);
    }
    let reply = match reply {
        Ok(reply) => reply,
        Err(why) => return Said::Failed(Failed::Model(why)),
    };
    let (reply, stopped) = said(reply, &job.stops);
    if let (true, Some(only)) = (single, reply.candidates.first())
        && only.dropped.is_none()
        && let Some(rest) = only.text.get(sent..).filter(|rest| !rest.is_empty())
    {
        // What was held back, or written when the time was over.
        let _ = job.to.send(Said::Piece { tokens: only.tokens, text: rest.to_owned() });
    }
    Said::Done(Done { reply, stopped, late })
}

/// What may be said of a reply, and which of its candidates a stop has cut. One of which nothing is
/// left stands behind the others; what a filter has refused is told to nobody.
fn said(reply: Reply, stops: &[String]) -> (Reply, Vec<bool>) {
    let cut = |mut candidate: Candidate| {
        let stopped = stops::cut(&mut candidate.text, stops);
        if candidate.dropped.is_none() && candidate.text.trim().is_empty() {
            let why = "says nothing".to_owned();
            candidate.dropped = Some(Dropped { why, unsafe_text: false });
        }
        if candidate.dropped.as_ref().is_some_and(|dropped| dropped.unsafe_text) {
            candidate.text.clear();
        }
        (candidate, stopped)
    };
    let mut all: Vec<(Candidate, bool)> = reply.candidates.into_iter().map(cut).collect();
    all.sort_by_key(|(candidate, _)| candidate.dropped.is_some());
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
        let dropped = dropped.map(|unsafe_text| Dropped { why: "a reason".into(), unsafe_text });
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
}
