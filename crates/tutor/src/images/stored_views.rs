//! Views that are kept as what the first stages of a network make of them, for trainings in which
//! these stages stay as they are: a view of a picture is decoded, augmented and run through them
//! once, and all trainings of a seed read it from there.
//!
//! A training reads in turn the views that there are of a picture, where it would otherwise draw a
//! new one each time.

use std::collections::{BTreeMap, HashMap};
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

use anyhow::{Context, Result};
use augment::policy::Policy;
use data_pipeline::dataset::Samples;
use data_pipeline::digest::Digest;
use data_pipeline::error::DataError;
use data_pipeline::loader::{Collate, Items};
use torch::device::copy_async;
use torch::precision::Precision;
use torch::{Device, Features, Inference, Kind, Mode, Model, Tensor, store};
use vision_models::NetConfig;

use super::evaluator::Evaluator;
use super::setting::Setting;
use super::subset::{Set, Subset};
use crate::run::files;

/// How many pictures are shown to a front at a time.
const BATCH: usize = 64;

/// The first stages of a network, which stay as they are.
pub(crate) struct Front<'a> {
    setting: &'a Setting<'a>,
    net: Inference,
    stages: usize,
    /// The precision of the trainings.
    kind: Kind,
    /// Tells these stages and what is shown to them from others.
    digest: String,
}

impl<'a> Front<'a> {
    /// The first `stages` stages of a network, in the precision of the setting.
    pub(crate) fn new(
        setting: &'a Setting<'a>,
        net: &NetConfig,
        model: &Model,
        stages: usize,
    ) -> Result<Self> {
        let precision = setting.shared.precision;
        let kind = match precision {
            Precision::Float32 => Kind::Float,
            Precision::Bfloat16 => Kind::BFloat16,
        };
        let weights = store::to_bytes(&model.params.of_stages(stages), &BTreeMap::new());
        let input = &setting.data.input;
        let seen = serde_json::to_string(input)?;
        let digest = format!("{stages} {} {seen} {kind:?}", Digest::of(&weights));
        let (channels, classes) = (input.channels as i64, setting.classes() as i64);
        let net = net.for_inference(&model.params, channels, classes, precision);
        Ok(Self { setting, net, stages, kind, digest })
    }

    /// Runs it over some pictures through a policy, in order, and hands on the numbers `[n, ...]`
    /// of each batch, channels last.
    fn each(
        &self,
        subset: &Subset,
        policy: &Policy,
        seed: u64,
        mut take: impl FnMut(Tensor) -> Result<()>,
    ) -> Result<()> {
        let (feed, workers) = (self.setting.feed(None), self.setting.shared.workers);
        let shown = Evaluator::new(feed, policy, BATCH, workers).interruptible().drawn_by(seed);
        for images in shown.batches(subset) {
            let made = self.net.forward_stages(&images?, 0..self.stages, Mode::Eval);
            let made = made.to_kind(self.kind);
            take(if made.dim() == 4 { made.permute([0, 2, 3, 1]) } else { made }.contiguous())?;
        }
        Ok(())
    }

    /// Seconds that a view takes, and the bytes that are kept of it; from some pictures.
    pub(crate) fn cost(&self, subset: &Subset, policy: &Policy) -> Result<(f64, u64)> {
        let subset = subset.spread(4 * BATCH);
        let (mut times, mut bytes) = (vec![(Instant::now(), 0)], 0);
        self.each(&subset, policy, 0, |made| {
            let count = made.size()[0] as usize;
            bytes = (made.numel() / count * made.kind().elt_size_in_bytes()) as u64;
            times.push((Instant::now(), count));
            Ok(())
        })?;
        // The first one waits for the loader, and makes what later ones find.
        let counted = if times.len() > 2 { &times[1..] } else { &times[..] };
        let seconds = (counted[counted.len() - 1].0 - counted[0].0).as_secs_f64();
        let seen: usize = counted[1..].iter().map(|(_, count)| count).sum();
        Ok((seconds / seen.max(1) as f64, bytes))
    }

    /// `count` views of each picture of a subset, kept in `dir` under `name`; those that an earlier
    /// process kept there are read.
    pub(crate) fn store(
        &self,
        dir: &Path,
        name: &str,
        subset: &Subset,
        policy: &Policy,
        count: usize,
    ) -> Result<StoredViews> {
        files::make_folder(dir)?;
        let mut subset = subset.clone();
        subset.indices.sort_unstable();
        subset.indices.dedup();
        let text = serde_json::to_string(policy)?;
        let told = format!("{} {text} {:?}", self.digest, subset.ids());
        let all = Digest::of(told.as_bytes());
        let file = |number: usize| {
            let seed = self.setting.key(&format!("stored/{name}/{number}"));
            let own = Digest::of(format!("{all} {seed}").as_bytes());
            let path = dir.join(format!("{name}-{number}-{own}"));
            if !path.exists() {
                self.write(&path, &subset, policy, seed)?;
            }
            Stored::open(path)
        };
        let files = (0..count).map(file).collect::<Result<Vec<_>>>()?;
        let rows: HashMap<u32, u64> = subset.indices.iter().copied().zip(0..).collect();
        Ok(StoredViews { rows: Arc::new(rows), files: files.into(), kind: self.kind })
    }

    /// Writes a view of each picture of a subset: the rank and the shape of what is kept of one
    /// picture, in 8 bytes each, then the pictures.
    fn write(&self, path: &Path, subset: &Subset, policy: &Policy, seed: u64) -> Result<()> {
        let mut failed = None;
        let written = atomic_file::write_with(path, |out| {
            let mut begun = false;
            let done = self.each(subset, policy, seed, |made| {
                let shape = &made.size()[1..];
                if !begun {
                    let header = std::iter::once(shape.len() as i64).chain(shape.iter().copied());
                    out.write_all(&header.flat_map(i64::to_le_bytes).collect::<Vec<u8>>())?;
                    begun = true;
                }
                let mut bytes = vec![0; made.numel() * made.kind().elt_size_in_bytes()];
                made.to_device(Device::Cpu).copy_data_u8(&mut bytes, made.numel());
                Ok(out.write_all(&bytes)?)
            });
            done.map_err(|error| io::Error::other(failed.insert(error).to_string()))
        });
        match failed {
            Some(error) => Err(error.context("a view of each picture cannot be stored")),
            None => Ok(written?),
        }
    }
}

/// A file with a view of each picture.
struct Stored {
    file: File,
    path: PathBuf,
    /// Of one picture, channels last.
    shape: Vec<i64>,
}

impl Stored {
    fn open(path: PathBuf) -> Result<Self> {
        let cannot = || format!("cannot read {}", path.display());
        let file = File::open(&path).with_context(cannot)?;
        let number = |at: usize| {
            let mut bytes = [0; 8];
            file.read_exact_at(&mut bytes, 8 * at as u64).with_context(cannot)?;
            anyhow::Ok(i64::from_le_bytes(bytes))
        };
        let shape = (1..=number(0)? as usize).map(number).collect::<Result<_>>()?;
        Ok(Self { file, path, shape })
    }

    /// Reads what is kept of the picture in row `row`.
    fn read(&self, row: u64, bytes: &mut [u8]) -> Result<(), DataError> {
        let header = 8 * (1 + self.shape.len() as u64);
        let at = header + row * bytes.len() as u64;
        self.file.read_exact_at(bytes, at).map_err(|source| DataError::Io {
            path: self.path.clone(),
            source,
            way_out: "remove it, and run the same command again",
        })
    }
}

/// What a [`Front`] makes of some views of each picture of a subset.
#[derive(Clone)]
pub(crate) struct StoredViews {
    /// In which row of each file a picture is, by its index in the set.
    rows: Arc<HashMap<u32, u64>>,
    files: Arc<[Stored]>,
    kind: Kind,
}

impl StoredViews {
    fn bytes(&self) -> usize {
        let numbers: i64 = self.files[0].shape.iter().product();
        numbers as usize * self.kind.elt_size_in_bytes()
    }

    /// A batch of pictures, as the network's other stages take it.
    pub(super) fn tensor(&self, bytes: &[u8], device: Device) -> Tensor {
        let shape = &self.files[0].shape;
        let count = bytes.len() / self.bytes();
        let size: Vec<i64> = std::iter::once(count as i64).chain(shape.iter().copied()).collect();
        let read = copy_async(&Tensor::from_data_size(bytes, &size, self.kind), device);
        let read = read.to_kind(Kind::Float);
        if read.dim() == 4 { read.permute([0, 3, 1, 2]) } else { read }
    }
}

/// Pictures of a set that are not read, for batches of what is stored of them.
pub(super) struct Unread(pub(super) Set);

impl Samples for Unread {
    type Item = ();

    fn len(&self) -> usize {
        self.0.len()
    }

    fn item(&self, _index: usize) -> Result<(), DataError> {
        Ok(())
    }

    fn label(&self, index: usize) -> Option<u32> {
        self.0.label(index)
    }

    fn id(&self, index: usize) -> String {
        self.0.id(index)
    }

    fn classes(&self) -> &[String] {
        self.0.classes()
    }
}

/// Reads the views of a batch.
#[derive(Clone)]
pub(super) struct Reader(Vec<InTurn>);

/// A view of a batch: where it is stored, how many views of the batch are stored there, and how
/// many of these come before it.
#[derive(Clone)]
struct InTurn {
    view: StoredViews,
    together: usize,
    before: usize,
}

impl Reader {
    pub(super) fn new(views: Vec<StoredViews>) -> Self {
        let like = |view: &StoredViews, among: &[StoredViews]| {
            among.iter().filter(|other| Arc::ptr_eq(&other.files, &view.files)).count()
        };
        let in_turn = |(i, view): (usize, &StoredViews)| InTurn {
            view: view.clone(),
            together: like(view, &views),
            before: like(view, &views[..i]),
        };
        Self(views.iter().enumerate().map(in_turn).collect())
    }

    /// The tensors of a batch, one a view.
    pub(super) fn tensors(&self, read: &[Vec<u8>], device: Device) -> Vec<Tensor> {
        self.0.iter().zip(read).map(|(own, bytes)| own.view.tensor(bytes, device)).collect()
    }
}

impl Collate for Reader {
    type Item = ();
    type Batch = Vec<Vec<u8>>;
    type Scratch = ();

    fn collate(&self, items: Items<'_, ()>, _: &mut ()) -> Result<Vec<Vec<u8>>, DataError> {
        let size = |view: &StoredViews| view.bytes() * items.len();
        let mut read: Vec<_> = self.0.iter().map(|own| vec![0; size(&own.view)]).collect();
        for (i, drawn) in items.enumerate() {
            let drawn = drawn?;
            for (InTurn { view, together, before }, bytes) in self.0.iter().zip(&mut read) {
                // The views of a picture in turn; those of one batch are different ones.
                let turn = drawn.epoch as usize * together + before;
                let row = view.rows.get(&drawn.index).copied();
                let row = row.ok_or_else(|| {
                    DataError::Request(format!("no view of {} is stored", drawn.id()))
                })?;
                let size = view.bytes();
                let into = &mut bytes[i * size..][..size];
                view.files[turn % view.files.len()].read(row, into)?;
            }
        }
        Ok(read)
    }

    fn bytes(batch: &Vec<Vec<u8>>) -> u64 {
        batch.iter().map(|view| view.len() as u64).sum()
    }
}
