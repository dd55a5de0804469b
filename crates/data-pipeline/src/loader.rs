//! Batches of augmented images, prepared on worker threads, the same bytes for any number of workers.
//!
//! What a step holds is a pure function of the streams and the step's number: the [`Sampler`] says which entries come, and
//! each view is drawn with [`Key`] {seed, epoch, index: slot, view}. Worker `w` of `W` prepares steps `w`, `w + W`, ... and
//! the consumer takes from the workers in turn, so timing decides nothing.

use crate::dataset::Samples;
use crate::error::DataError;
use crate::sampler::{Draw, Order, Sampler};
use augment::Image;
use augment::rng::{Key, Rng};
use augment::scratch::Scratch;
use ndarray::Array4;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, sync_channel};
use std::thread::JoinHandle;

/// How an image becomes what the network sees, in place: an augmentation policy, or nothing at all. It is told the number of the
/// step, for augmentation that changes while a run goes on, and must be a pure function of what it is given.
pub type View = Arc<dyn Fn(&mut Image, &mut Rng, &mut Scratch, u64) + Send + Sync>;

/// The view that leaves an image as it is.
pub fn plain() -> View {
    Arc::new(|_, _, _, _| {})
}

/// The label in a [`HostBatch`] of a sample that has none.
pub const NO_LABEL: u32 = u32::MAX;

/// How many steps a worker may be ahead of the consumer.
const AHEAD: usize = 2;

/// What one part of each step is drawn from. Give each stream of a run its own `seed`, or equal slots of two streams are
/// augmented alike.
#[derive(Clone)]
pub struct Stream {
    /// Where the images come from.
    pub set: Arc<dyn Samples>,
    /// The indices into `set` that take part. One may occur several times and then counts as several entries.
    pub entries: Vec<u32>,
    /// The views made of each image, all of one size within a view.
    pub views: Vec<View>,
    /// Images a step.
    pub batch: usize,
    /// The seed of order and augmentation.
    pub seed: u64,
    /// The order of the entries.
    pub order: Order,
}

/// One stream's part of a step; `b` images.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HostBatch {
    /// Positions in [`Stream::entries`], length `b`.
    pub slots: Vec<u32>,
    /// Indices in the data set, length `b`.
    pub indices: Vec<u32>,
    /// How often the order had gone round all entries before each, length `b`.
    pub epochs: Vec<u64>,
    /// Labels, length `b`; [`NO_LABEL`] where there is none.
    pub labels: Vec<u32>,
    /// For each view the images `[b, height, width, channels]`.
    pub views: Vec<Array4<u8>>,
}

/// Everything for one step.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    /// The number of the step, counted from the start of the run.
    pub step: u64,
    /// One batch a stream, in the order of the streams.
    pub batches: Vec<HostBatch>,
}

/// What the random numbers of a view of an image are drawn from; `seed` is the stream's, `view` the view's position.
pub fn key(seed: u64, epoch: u64, slot: u32, view: usize) -> Key {
    Key { seed, epoch, index: u64::from(slot), view: view as u64 }
}

impl Stream {
    fn check(&self) -> Result<(), DataError> {
        let fault = |what: String| Err(DataError::Request(format!("a loader's stream {what}")));
        if self.entries.is_empty() || self.entries.len() > u32::MAX as usize {
            return fault(format!("has {} entries", self.entries.len()));
        }
        if self.batch == 0 {
            return fault("has a batch of 0 images".into());
        }
        match self.entries.iter().find(|&&entry| entry as usize >= self.set.len()) {
            Some(entry) => fault(format!("names sample {entry} of a set of {}", self.set.len())),
            None => Ok(()),
        }
    }

    fn sampler(&self) -> Sampler {
        Sampler::new(self.entries.len() as u32, self.seed, self.order)
    }

    /// Loads and augments the samples drawn. `None` if told to stop meanwhile.
    fn prepare(
        &self,
        step: u64,
        draws: &[Draw],
        stop: &AtomicBool,
        room: &mut Room,
    ) -> Result<Option<HostBatch>, DataError> {
        let slots: Vec<u32> = draws.iter().map(|draw| draw.slot).collect();
        let indices: Vec<u32> = slots.iter().map(|&slot| self.entries[slot as usize]).collect();
        let labels =
            indices.iter().map(|&i| self.set.label(i as usize).unwrap_or(NO_LABEL)).collect();
        let epochs = draws.iter().map(|draw| draw.epoch).collect();
        let mut views: Vec<Stack> = self.views.iter().map(|_| Stack::default()).collect();
        if !self.views.is_empty() {
            for (draw, &index) in draws.iter().zip(&indices) {
                if stop.load(Ordering::Relaxed) {
                    return Ok(None);
                }
                let image = self.set.image(index as usize)?;
                for (number, (view, stack)) in self.views.iter().zip(&mut views).enumerate() {
                    let key = key(self.seed, draw.epoch, draw.slot, number);
                    room.image.clone_from(&image);
                    view(&mut room.image, &mut key.rng(), &mut room.scratch, step);
                    stack.push(&room.image, draws.len()).map_err(|sizes| {
                        let id = self.set.id(index as usize);
                        DataError::Request(format!(
                            "{id} does not fit into its batch: {sizes} (set a common size)"
                        ))
                    })?;
                }
            }
        }
        let views = views.into_iter().map(Stack::into_array).collect();
        Ok(Some(HostBatch { slots, indices, epochs, labels, views }))
    }
}

/// Images of one size, growing into `[b, height, width, channels]`.
#[derive(Default)]
struct Stack {
    shape: [usize; 3],
    count: usize,
    bytes: Vec<u8>,
}

impl Stack {
    fn push(&mut self, image: &Image, expected: usize) -> Result<(), String> {
        let shape = [image.height(), image.width(), image.channels()];
        if self.count == 0 {
            self.shape = shape;
            self.bytes.reserve_exact(expected * image.pixels().len());
        } else if shape != self.shape {
            return Err(format!("{shape:?} beside {:?} (height, width, channels)", self.shape));
        }
        self.count += 1;
        self.bytes.extend_from_slice(image.pixels());
        Ok(())
    }

    fn into_array(self) -> Array4<u8> {
        let [h, w, c] = self.shape;
        Array4::from_shape_vec((self.count, h, w, c), self.bytes)
            .expect("every image had the same size")
    }
}

/// Which steps there are.
#[derive(Clone, Copy)]
enum Extent {
    /// Steps `..end` of a run that goes round its entries again and again.
    Run { end: Option<u64> },
    /// Every entry once; the last batch is short if it must be.
    Pass { entries: u64 },
}

/// What a worker augments in, kept from image to image.
struct Room {
    image: Image,
    scratch: Scratch,
}

/// Prepares steps, one after the other.
struct Preparer {
    streams: Arc<[Stream]>,
    samplers: Vec<Sampler>,
    extent: Extent,
    stop: Arc<AtomicBool>,
    room: Room,
}

impl Preparer {
    fn new(streams: Arc<[Stream]>, extent: Extent, stop: Arc<AtomicBool>) -> Self {
        let samplers = streams.iter().map(Stream::sampler).collect();
        let room = Room { image: Image::filled(1, 1, 1, 0), scratch: Scratch::new() };
        Self { streams, samplers, extent, stop, room }
    }

    /// `None` past the end, or when told to stop. A panic in a data set or a view comes back as an error.
    fn step(&mut self, step: u64) -> Option<Result<Step, DataError>> {
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

    fn prepare(&mut self, step: u64) -> Option<Result<Step, DataError>> {
        let mut batches = Vec::with_capacity(self.streams.len());
        for (stream, sampler) in self.streams.iter().zip(&mut self.samplers) {
            let first = step.checked_mul(stream.batch as u64)?;
            let last = match self.extent {
                Extent::Run { .. } => first.checked_add(stream.batch as u64)?,
                Extent::Pass { entries } => entries.min(first + stream.batch as u64),
            };
            let draws: Vec<Draw> = (first..last).map(|position| sampler.at(position)).collect();
            if draws.is_empty() {
                return None;
            }
            match stream.prepare(step, &draws, &self.stop, &mut self.room) {
                Ok(batch) => batches.push(batch?),
                Err(error) => return Some(Err(error)),
            }
        }
        Some(Ok(Step { step, batches }))
    }
}

type Prepared = Result<Step, DataError>;

/// Where steps come from.
enum Source {
    /// Prepared when asked for.
    Here(Box<Preparer>),
    /// Taken from the workers in turn; `turn` is the next one's number, `expected` the end of the steps.
    Workers {
        queues: Vec<Receiver<Prepared>>,
        threads: Vec<JoinHandle<()>>,
        turn: usize,
        expected: Option<u64>,
    },
    /// Nothing comes any more; perhaps one last error.
    Over(Option<DataError>),
}

/// An iterator of prepared steps. Dropping it stops its workers; after an error it ends.
///
/// ```
/// use data_pipeline::{dataset::digits, loader::{Loader, Stream, plain}, sampler::Order};
/// use std::sync::Arc;
/// let set = Arc::new(digits::load());
/// let stream = Stream { set, entries: (0..100).collect(), views: vec![plain()], batch: 16, seed: 1, order: Order::Shuffled };
/// let step = Loader::start(vec![stream], 0, Some(10), 2).next().unwrap().unwrap();
/// assert_eq!(step.batches[0].views[0].dim(), (16, 8, 8, 1));
/// ```
pub struct Loader {
    source: Source,
    step: u64,
    stop: Arc<AtomicBool>,
    /// What lets go of views that wait for something.
    release: Option<Box<dyn FnOnce() + Send>>,
}

impl Loader {
    /// Steps `from_step..to_step` (without end if `None`) of a training run: each step takes `batch` draws of every stream,
    /// going round its entries as often as needed. With 0 workers the calling thread does the work. A stream without
    /// entries, with a batch of 0 or with an entry out of range makes the first item an error.
    pub fn start(
        streams: Vec<Stream>,
        from_step: u64,
        to_step: Option<u64>,
        workers: usize,
    ) -> Self {
        let fault = streams.iter().find_map(|stream| stream.check().err());
        Self::new(streams, Extent::Run { end: to_step }, from_step, workers, fault)
    }

    /// One pass over a stream: every entry exactly once, in the stream's order (that of epoch 0 if shuffled); the last batch
    /// may be short. A stream without entries gives no steps.
    pub fn pass(stream: Stream, workers: usize) -> Self {
        let entries = stream.entries.len() as u64;
        if entries == 0 {
            return Self::over(None, 0);
        }
        let fault = stream.check().err();
        Self::new(vec![stream], Extent::Pass { entries }, 0, workers, fault)
    }

    fn new(
        streams: Vec<Stream>,
        extent: Extent,
        from: u64,
        workers: usize,
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
        let streams: Arc<[Stream]> = streams.into();
        if workers == 0 {
            let preparer = Preparer::new(streams, extent, stop.clone());
            return Self {
                source: Source::Here(Box::new(preparer)),
                step: from,
                stop,
                release: None,
            };
        }
        let (mut queues, mut threads) = (Vec::new(), Vec::new());
        for worker in 0..workers as u64 {
            let (sender, queue) = sync_channel(AHEAD);
            let mut preparer = Preparer::new(streams.clone(), extent, stop.clone());
            let work = move || {
                let mut step = from + worker;
                while let Some(prepared) = preparer.step(step) {
                    let last = prepared.is_err();
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
                // The workers already there leave when `queues` is dropped.
                Err(error) => {
                    stop.store(true, Ordering::Relaxed);
                    let fault = DataError::Request(format!(
                        "loader worker {worker} cannot start: {error} (use fewer workers)"
                    ));
                    return Self::over(Some(fault), from);
                }
            }
        }
        let source = Source::Workers { queues, threads, turn: 0, expected };
        Self { source, step: from, stop, release: None }
    }

    fn over(fault: Option<DataError>, step: u64) -> Self {
        Self { source: Source::Over(fault), step, stop: Arc::default(), release: None }
    }

    /// The same with something to be called once when it stops, after an error too, before it waits for its workers: for views
    /// that may be waiting for what nobody will tell them any more.
    #[must_use]
    pub fn when_stopped(mut self, release: impl FnOnce() + Send + 'static) -> Self {
        self.release = Some(Box::new(release));
        self
    }
}

impl Iterator for Loader {
    type Item = Result<Step, DataError>;

    fn next(&mut self) -> Option<Self::Item> {
        let item = match &mut self.source {
            Source::Here(preparer) => preparer.step(self.step),
            Source::Workers { queues, turn, expected, .. } => {
                let item = queues[*turn].recv().ok();
                *turn = (*turn + 1) % queues.len();
                // A worker closes its queue after its last step; before that, something took it away.
                let lost =
                    || DataError::Worker { step: self.step, fault: "the worker is gone".into() };
                item.or_else(|| expected.is_none_or(|end| self.step < end).then(|| Err(lost())))
            }
            Source::Over(fault) => fault.take().map(Err),
        };
        self.step += 1;
        if !matches!(item, Some(Ok(_))) {
            self.finish();
        }
        item
    }
}

impl Loader {
    /// Stops the workers and waits for them; each leaves after the image in hand at the latest.
    fn finish(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(release) = self.release.take() {
            release();
        }
        if let Source::Workers { queues, threads, .. } =
            std::mem::replace(&mut self.source, Source::Over(None))
        {
            drop(queues);
            for thread in threads {
                // Panics of data sets and views were caught and sent; there is nothing left to report.
                let _ = thread.join();
            }
        }
    }
}

impl Drop for Loader {
    fn drop(&mut self) {
        self.finish();
    }
}
