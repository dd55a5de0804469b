//! A thread in which a model works.

use crate::error::{Error, Result};
use crate::kept::{self, Kept};
use crate::model::{About, Maker, Model, Piece};
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
        shared.slots.free(began.elapsed());
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
    let (mut stops, mut late) = (Stops::new(&job.stops), false);
    let reply = model.reply(&job.ask, &mut |Piece { tokens, text }| {
        late = Instant::now() >= until;
        if late || job.is_left() || shared.slots.is_closing() {
            return ControlFlow::Break(());
        }
        let text = if single { stops.push(text) } else { String::new() };
        match job.to.send(Said::Piece { tokens, text }) {
            Ok(()) if !stops.met() => ControlFlow::Continue(()),
            _ => ControlFlow::Break(()),
        }
    });
    if shared.slots.is_closing() {
        return Said::Failed(Failed::Closing);
    }
    let mut reply = match reply {
        Ok(reply) => reply,
        Err(why) => return Said::Failed(Failed::Model(why)),
    };
    let rest = stops.finish();
    if single && !rest.is_empty() {
        let tokens = reply.candidates.first().map_or(0, |candidate| candidate.tokens);
        let _ = job.to.send(Said::Piece { tokens, text: rest });
    }
    let cut = |candidate: &mut crate::Candidate| stops::cut(&mut candidate.text, &job.stops);
    let stopped = reply.candidates.iter_mut().map(cut).collect();
    Said::Done(Done { reply, stopped, late })
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
