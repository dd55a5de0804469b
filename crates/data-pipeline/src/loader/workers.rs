//! The worker threads, and the iterator that takes prepared steps from them.

use super::ahead::Ahead;
use super::collate::Collate;
use super::stream::{Step, Stream};
use crate::error::DataError;
use crate::sampler::{Draw, Sampler};
use std::ops::{Bound, RangeBounds};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, sync_channel};
use std::thread::JoinHandle;

/// How many steps a worker may be ahead of the consumer.
const AHEAD: usize = 2;

/// What may be prepared and not yet taken, bytes.
const MEMORY: u64 = 2 << 30;

/// Which steps there are.
#[derive(Clone, Copy)]
enum Extent {
    /// Steps `..end` of a run that goes round its entries again and again.
    Run { end: Option<u64> },
    /// Every entry once; the last batch may be short.
    Pass { entries: u64 },
}

/// Which part of every batch is prepared, where several processes share each equally.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Share {
    /// Which process this is, counted from 0.
    pub rank: usize,
    /// How many there are.
    pub size: usize,
    /// In how many equal parts, one behind the other, a batch is computed: each of them is shared.
    pub parts: usize,
}

impl Share {
    /// All of it.
    pub const WHOLE: Self = Self { rank: 0, size: 1, parts: 1 };

    /// The positions that this process takes of those of a batch, part by part.
    fn of(self, first: u64, last: u64) -> impl Iterator<Item = u64> {
        let [rank, size, parts] = [self.rank, self.size, self.parts].map(|n| n as u64);
        let own = last.saturating_sub(first) / (size * parts);
        (0..parts).flat_map(move |part| {
            let start = first + (part * size + rank) * own;
            start..start + own
        })
    }

    /// Refuses a batch of so many samples if the processes cannot share each of its parts equally.
    ///
    /// # Errors
    /// [`DataError::Request`], which says of what the batch has to be a multiple.
    pub fn check(self, batch: usize) -> Result<(), DataError> {
        let Self { rank, size, parts } = self;
        if rank >= size {
            return Err(DataError::Request(format!("share {rank} of {size}, counted from 0")));
        }
        if parts == 0 || !batch.is_multiple_of(parts) {
            return Err(DataError::Request(format!("a batch of {batch} in {parts} equal parts")));
        }
        if !(batch / parts).is_multiple_of(size) {
            let batch = batch / parts;
            return Err(DataError::Request(format!(
                "a batch of {batch} samples cannot be shared equally by {size} processes: take a \
                 multiple of {size}"
            )));
        }
        Ok(())
    }
}

type Prepared<C> = Result<Step<<C as Collate>::Batch>, DataError>;

/// Prepares steps, one after the other.
struct Preparer<C: Collate> {
    streams: Arc<[Stream<C>]>,
    samplers: Vec<Sampler>,
    extent: Extent,
    share: Share,
    stop: Arc<AtomicBool>,
    scratch: C::Scratch,
}

impl<C: Collate> Preparer<C> {
    fn new(streams: Arc<[Stream<C>]>, extent: Extent, share: Share, stop: Arc<AtomicBool>) -> Self {
        let samplers = streams.iter().map(Stream::sampler).collect();
        Self { streams, samplers, extent, share, stop, scratch: C::Scratch::default() }
    }

    /// `None` past the end, or when told to stop. A panic in a data set or a collate comes back as
    /// an error.
    fn step(&mut self, step: u64) -> Option<Prepared<C>> {
        if let Extent::Run { end: Some(end) } = self.extent
            && step >= end
        {
            return None;
        }
        let attempt = catch_unwind(AssertUnwindSafe(|| self.prepare(step)));
        attempt.unwrap_or_else(|panic| {
            let text = panic.downcast_ref::<String>().map(String::as_str);
            let fault = text
                .or(panic.downcast_ref::<&str>().copied())
                .unwrap_or("a panic without a message")
                .to_owned();
            Some(Err(DataError::Worker { step, fault }))
        })
    }

    fn prepare(&mut self, step: u64) -> Option<Prepared<C>> {
        let mut batches = Vec::with_capacity(self.streams.len());
        for (stream, sampler) in self.streams.iter().zip(&mut self.samplers) {
            let first = step.checked_mul(stream.batch as u64)?;
            let last = match self.extent {
                Extent::Run { .. } => first.checked_add(stream.batch as u64)?,
                Extent::Pass { entries } => entries.min(first + stream.batch as u64),
            };
            let own = self.share.of(first, last);
            let draws: Vec<Draw> = own.map(|position| sampler.at(position)).collect();
            if draws.is_empty() {
                return None;
            }
            match stream.prepare(step, &draws, &self.stop, &mut self.scratch) {
                Ok(batch) => batches.push(batch?),
                Err(error) => return Some(Err(error)),
            }
        }
        Some(Ok(Step { step, batches }))
    }
}

/// Where steps come from.
enum Steps<C: Collate> {
    /// Prepared when asked for.
    Here(Box<Preparer<C>>),
    /// Taken from the workers in turn; `turn` is the next one's number, `expected` the end of the
    /// steps.
    Workers {
        queues: Vec<Receiver<Prepared<C>>>,
        threads: Vec<JoinHandle<()>>,
        turn: usize,
        expected: Option<u64>,
        ahead: Arc<Ahead>,
    },
    /// No more steps; perhaps one last error.
    Over(Option<DataError>),
}

/// An iterator of prepared steps. Dropping it stops its workers; after an error it ends.
///
/// ```
/// use data_pipeline::{dataset::digits, loader::{Loader, Stream, Views, plain}, sampler::Order};
/// use std::sync::Arc;
/// let stream = Stream {
///     set: Arc::new(digits::load()),
///     entries: (0..100).collect(),
///     collate: Views(vec![plain()]),
///     batch: 16,
///     seed: 1,
///     order: Order::Shuffled,
/// };
/// let mut steps = Loader::builder(vec![stream]).steps(0..10).workers(2).start();
/// let step = steps.next().unwrap().unwrap();
/// assert_eq!(step.batches[0].data[0].dim(), (16, 8, 8, 1));
/// ```
pub struct Loader<C: Collate> {
    source: Steps<C>,
    step: u64,
    stop: Arc<AtomicBool>,
    /// Called once when it stops.
    release: Option<Box<dyn FnOnce() + Send>>,
}

/// What a [`Loader`] will do, to be changed before it [starts](LoaderBuilder::start).
#[must_use = "it prepares nothing before it is started"]
pub struct LoaderBuilder<C: Collate> {
    streams: Vec<Stream<C>>,
    from: u64,
    end: Option<u64>,
    workers: usize,
    share: Share,
    memory: u64,
}

impl<C: Collate + 'static> LoaderBuilder<C> {
    /// The steps of a training run that are prepared, `from..end` or, without end, `from..`. The
    /// default is `0..`.
    pub fn steps(mut self, steps: impl RangeBounds<u64>) -> Self {
        self.from = match steps.start_bound() {
            Bound::Included(&step) => step,
            Bound::Excluded(&step) => step.saturating_add(1),
            Bound::Unbounded => 0,
        };
        self.end = match steps.end_bound() {
            Bound::Included(&step) => Some(step.saturating_add(1)),
            Bound::Excluded(&step) => Some(step),
            Bound::Unbounded => None,
        };
        self
    }

    /// Number of worker threads. With 0, the default, the calling thread does the work.
    pub fn workers(mut self, workers: usize) -> Self {
        self.workers = workers;
        self
    }

    /// For one of several processes that take the steps of a run together: of every stream's batch
    /// only this share is prepared, with the very samples and random numbers that a single process
    /// would give them. A batch that cannot be shared equally makes the first item an error.
    ///
    /// ```
    /// use data_pipeline::dataset::VecSet;
    /// use data_pipeline::loader::{AsIs, Loader, Share, Stream};
    /// let words = VecSet::new("words", vec!["a", "b", "c"], None, vec![])?;
    /// let stream = Stream::shuffled(std::sync::Arc::new(words), AsIs::default(), 4, 1);
    /// let whole = Loader::builder(vec![stream.clone()]).steps(0..1).start().next();
    /// let share = Share { rank: 1, size: 2, parts: 1 };
    /// let half = Loader::builder(vec![stream]).steps(0..1).share(share).start().next();
    /// let [whole, half] = [whole.expect("a step")?, half.expect("a step")?];
    /// assert_eq!(half.batches[0].data, whole.batches[0].data[2..]);
    /// # Ok::<(), data_pipeline::error::DataError>(())
    /// ```
    pub fn share(mut self, share: Share) -> Self {
        self.share = share;
        self
    }

    /// The limit in bytes of what the workers have prepared and nobody has taken yet; the default
    /// is 2 GiB. One step is always prepared, whatever it takes.
    pub fn memory_limit(mut self, bytes: u64) -> Self {
        self.memory = bytes;
        self
    }

    /// Starts the workers. A stream without entries, with a batch of 0 or with an entry out of
    /// range makes the first item an error.
    pub fn start(self) -> Loader<C> {
        let Self { streams, from, end, workers, share, memory } = self;
        let faults = |stream: &Stream<C>| stream.check().and_then(|()| share.check(stream.batch));
        let fault = streams.iter().find_map(|stream| faults(stream).err());
        Loader::launch(streams, (Extent::Run { end }, share), from, workers, memory, fault)
    }
}

impl<C: Collate + 'static> Loader<C> {
    /// Steps of a training run: each takes `batch` draws of every stream, going round its entries
    /// as often as needed.
    pub fn builder(streams: Vec<Stream<C>>) -> LoaderBuilder<C> {
        LoaderBuilder {
            streams,
            from: 0,
            end: None,
            workers: 0,
            share: Share::WHOLE,
            memory: MEMORY,
        }
    }

    /// One pass over a stream, prepared by so many worker threads: every entry exactly once, in the
    /// stream's order (that of epoch 0 if shuffled); the last batch may be short. A stream without
    /// entries gives no steps.
    pub fn pass(stream: Stream<C>, workers: usize) -> Self {
        let entries = stream.entries.len() as u64;
        if entries == 0 {
            return Self::over(None, 0);
        }
        let fault = stream.check().err();
        let all = (Extent::Pass { entries }, Share::WHOLE);
        Self::launch(vec![stream], all, 0, workers, MEMORY, fault)
    }

    fn launch(
        streams: Vec<Stream<C>>,
        (extent, share): (Extent, Share),
        from: u64,
        workers: usize,
        memory: u64,
        fault: Option<DataError>,
    ) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        if fault.is_some() || streams.is_empty() {
            return Self::over(fault, from);
        }
        let expected = match extent {
            Extent::Run { end } => end,
            Extent::Pass { entries } => Some(entries.div_ceil(streams[0].batch as u64)),
        };
        let streams: Arc<[Stream<C>]> = streams.into();
        if workers == 0 {
            let preparer = Preparer::new(streams, extent, share, stop.clone());
            return Self {
                source: Steps::Here(Box::new(preparer)),
                step: from,
                stop,
                release: None,
            };
        }
        let (mut queues, mut threads) = (Vec::new(), Vec::new());
        let ahead = Arc::new(Ahead::new(from, memory));
        for worker in 0..workers as u64 {
            let (sender, queue) = sync_channel(AHEAD);
            let mut preparer = Preparer::new(streams.clone(), extent, share, stop.clone());
            let ahead_of_worker = ahead.clone();
            let work = move || {
                let (mut step, ahead) = (from + worker, ahead_of_worker);
                while ahead.wait_for(step)
                    && let Some(prepared) = preparer.step(step)
                {
                    let last = prepared.is_err();
                    ahead.prepared(prepared.as_ref().map_or(0, Step::bytes::<C>));
                    if sender.send(prepared).is_err() || last {
                        break;
                    }
                    step += workers as u64;
                }
            };
            queues.push(queue);
            let named = std::thread::Builder::new().name(format!("loader-{worker}"));
            match named.spawn(work) {
                Ok(thread) => threads.push(thread),
                // The workers already started end when `queues` is dropped.
                Err(error) => {
                    stop.store(true, Ordering::Relaxed);
                    ahead.stop();
                    let fault = DataError::Request(format!(
                        "loader worker {worker} cannot start: {error} (use fewer workers)"
                    ));
                    return Self::over(Some(fault), from);
                }
            }
        }
        let source = Steps::Workers { queues, threads, turn: 0, expected, ahead };
        Self { source, step: from, stop, release: None }
    }

    fn over(fault: Option<DataError>, step: u64) -> Self {
        Self { source: Steps::Over(fault), step, stop: Arc::default(), release: None }
    }

    /// Calls `release` once when the loader stops: at its end, after an error, or when it is
    /// dropped. It is called before the loader waits for its workers. Needed where a view waits for
    /// something that the training loop provides: `release` must wake such views, or the loader
    /// would wait for its workers forever.
    #[must_use]
    pub fn when_stopped(mut self, release: impl FnOnce() + Send + 'static) -> Self {
        self.release = Some(Box::new(release));
        self
    }
}

impl<C: Collate> Iterator for Loader<C> {
    type Item = Result<Step<C::Batch>, DataError>;

    fn next(&mut self) -> Option<Self::Item> {
        let item = match &mut self.source {
            Steps::Here(preparer) => preparer.step(self.step),
            Steps::Workers { queues, turn, expected, ahead, .. } => {
                let item = queues[*turn].recv().ok();
                ahead.taken();
                *turn = (*turn + 1) % queues.len();
                // A worker closes its queue after its last step; if that comes earlier, the worker
                // is lost.
                let lost =
                    || DataError::Worker { step: self.step, fault: "the worker is gone".into() };
                item.or_else(|| expected.is_none_or(|end| self.step < end).then(|| Err(lost())))
            }
            Steps::Over(fault) => fault.take().map(Err),
        };
        self.step += 1;
        if !matches!(item, Some(Ok(_))) {
            self.finish();
        }
        item
    }
}

impl<C: Collate> Loader<C> {
    /// Stops the workers and waits for them; each ends after its current sample at the latest.
    fn finish(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(release) = self.release.take() {
            release();
        }
        if let Steps::Workers { queues, threads, ahead, .. } =
            std::mem::replace(&mut self.source, Steps::Over(None))
        {
            drop(queues);
            ahead.stop();
            for thread in threads {
                // Panics of data sets and collates were caught and sent; there is nothing left to
                // report.
                let _ = thread.join();
            }
        }
    }
}

impl<C: Collate> Drop for Loader<C> {
    fn drop(&mut self) {
        self.finish();
    }
}
