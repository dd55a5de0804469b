//! Images in encoded files: what each of them is called, what it shows, how it is read.

use super::content::{self, Fault, Header};
use super::known::{self, Known};
use super::left_out::{LeftOut, Skipped};
use super::listing;
use super::rows::Rows;
use crate::dataset::{Cached, Samples};
use crate::digest::Digest;
use crate::error::DataError;
use crate::parallel;
use crate::picture::{Decode, Decoded, Notices};
use augment::Image;
use serde::{Deserialize, Serialize};
use std::collections::HashMap;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// What to do with an image that cannot be read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum OnBad {
    /// Refuse the data.
    #[default]
    Error,
    /// Leave the image out; [`FolderSet::skipped`] lists it.
    Skip,
}

/// How one's own images are read.
///
/// | field | default | meaning |
/// |---|---|---|
/// | `labeled` | true | whether labels are read; without, every image is unlabelled |
/// | `labels` | none | a table of files and labels, for the images of a folder |
/// | `root` | none | where else the files of a table are looked for than in its own folder |
/// | `unlisted` | false | whether images of the folder that the table does not name are unlabelled ones |
/// | `exclude` | none | files and folders whose images do not count as those that a table leaves out |
/// | `no_label` | none | labels that stand for none, such as `unsup`: what has one is unlabelled |
/// | `classes` | as found, sorted | fixed class names: any other is an error |
/// | `on_bad` | error | what to do with an image that cannot be read |
/// | `decode` | | colours, size, the most pixels of an image |
/// | `digests` | true | whether the set knows the digests of its contents, for which every file is read |
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FolderOptions {
    /// Whether labels are read.
    pub labeled: bool,
    /// A table of labels.
    pub labels: Option<PathBuf>,
    /// Where else the files of a table may be.
    pub root: Option<PathBuf>,
    /// Whether images that a table leaves out count as unlabelled.
    pub unlisted: bool,
    /// What is no part of this set although it lies in its folder.
    pub exclude: Vec<PathBuf>,
    /// Labels that stand for none.
    pub no_label: Vec<String>,
    /// Fixed class names.
    pub classes: Option<Vec<String>>,
    /// What to do with bad images.
    pub on_bad: OnBad,
    /// How images are decoded.
    pub decode: Decode,
    /// Whether the set knows the digests of its contents.
    pub digests: bool,
}

impl Default for FolderOptions {
    fn default() -> Self {
        Self {
            labeled: true,
            labels: None,
            root: None,
            unlisted: false,
            exclude: vec![],
            no_label: vec![],
            classes: None,
            on_bad: OnBad::Error,
            decode: Decode::default(),
            digests: true,
        }
    }
}

impl FolderOptions {
    /// Whether a label is one, and does not stand for none.
    pub(super) fn is_label(&self, label: &str) -> bool {
        self.no_label.iter().all(|none| none.trim() != label.trim())
    }
}

/// One's own images, from a folder, a table or Parquet files; opened without decoding.
#[derive(Debug)]
pub struct FolderSet {
    /// The folder or file that was named.
    pub(super) path: PathBuf,
    pub(super) entries: Vec<Entry>,
    pub(super) classes: Vec<String>,
    pub(super) skipped: Vec<Skipped>,
    pub(super) notes: Vec<String>,
    pub(super) options: FolderOptions,
    pub(super) known: Known,
    /// How many images a table did not name when the set was opened.
    pub(super) unlisted: usize,
}

#[derive(Clone, Debug)]
pub(super) struct Entry {
    pub(super) place: Place,
    pub(super) id: String,
    pub(super) label: Option<u32>,
    /// Known where it has been read.
    pub(super) header: Option<Header>,
}

/// Where an encoded image lies.
#[derive(Clone, Debug)]
pub(super) enum Place {
    File(PathBuf),
    /// A row of a Parquet file.
    Row(Arc<Rows>, usize),
}

impl Place {
    pub(super) fn path(&self) -> &Path {
        match self {
            Self::File(path) => path,
            Self::Row(rows, _) => rows.path(),
        }
    }
}

impl FolderSet {
    /// The images that were left out, in the order of their paths.
    pub fn skipped(&self) -> &[Skipped] {
        &self.skipped
    }

    /// The images that were left out, by reason, the most frequent first.
    pub fn left_out(&self) -> Vec<LeftOut> {
        LeftOut::by_reason(&self.skipped)
    }

    /// What should be known of the data beside what was left out: classes without an image, files
    /// that a table names twice, and the like. A sentence each.
    pub fn notes(&self) -> &[String] {
        &self.notes
    }

    /// The file that an image is read from.
    pub fn path(&self, index: usize) -> &Path {
        self.entries[index].place.path()
    }

    /// The encoded image, as it is stored.
    pub fn encoded(&self, index: usize) -> Result<Vec<u8>, DataError> {
        let bytes = match &self.entries[index].place {
            Place::File(path) => std::fs::read(path).map_err(|error| error.to_string()),
            Place::Row(rows, row) => rows.image(*row),
        };
        bytes.map_err(|fault| self.bad(index, fault))
    }

    /// Decodes an image as the options say, or says why it cannot be, in the words of
    /// [`skipped`](Self::skipped).
    pub fn decode(&self, index: usize) -> Result<Decoded, Skipped> {
        let decoded = match self.encoded(index) {
            Ok(bytes) => self.options.decode.describe(&bytes),
            Err(DataError::Image { fault, .. }) => Err(fault),
            Err(error) => Err(error.to_string()),
        };
        decoded.map_err(|fault| self.left_out_for(index, fault))
    }

    pub(super) fn in_own_size(&self, index: usize) -> Result<Image, DataError> {
        let decode = Decode { size: None, ..self.options.decode };
        decode.bytes(&self.encoded(index)?).map_err(|fault| self.bad(index, fault))
    }

    fn left_out_for(&self, index: usize, fault: String) -> Skipped {
        let Fault { reason, fault } = Fault::of_decoder(fault);
        Skipped { path: self.place(index), reason, fault }
    }

    /// `work` of every image and its encoded bytes, in their order, made on all processors. Rows of
    /// a Parquet file are read one after the other.
    pub(super) fn map<T: Send>(
        &self,
        work: impl Fn(usize, Result<&[u8], DataError>) -> T + Sync,
    ) -> Vec<T> {
        let blocks = self.blocks();
        let of_block = |number: usize| {
            let block: Range<usize> = blocks[number].clone();
            let mut done = Vec::with_capacity(block.len());
            match &self.entries[block.start].place {
                Place::File(_) => done.extend(block.map(|i| match self.encoded(i) {
                    Ok(bytes) => work(i, Ok(&bytes)),
                    Err(error) => work(i, Err(error)),
                })),
                Place::Row(rows, first) => rows.images(*first, block.len(), |n, bytes| {
                    let i = block.start + n;
                    done.push(work(i, bytes.map_err(|fault| self.bad(i, fault))));
                }),
            }
            done
        };
        parallel::map(blocks.len(), of_block).into_iter().flatten().collect()
    }

    /// Ranges of images that are best read together: a file, or consecutive rows of a row group.
    fn blocks(&self) -> Vec<Range<usize>> {
        let mut blocks: Vec<Range<usize>> = Vec::new();
        for (i, entry) in self.entries.iter().enumerate() {
            let follows = |last: &Range<usize>| match (&self.entries[i - 1].place, &entry.place) {
                (Place::Row(before, row), Place::Row(rows, next)) => {
                    Arc::ptr_eq(before, rows)
                        && row + 1 == *next
                        && rows.group(*row) == rows.group(*next)
                        && last.len() < 1024
                }
                _ => false,
            };
            match blocks.last_mut() {
                Some(last) if follows(last) => last.end = i + 1,
                _ => blocks.push(i..i + 1),
            }
        }
        blocks
    }

    pub(super) fn bad(&self, index: usize, fault: String) -> DataError {
        DataError::Image { path: self.place(index), fault }
    }

    /// Where an image lies, for messages.
    fn place(&self, index: usize) -> PathBuf {
        match &self.entries[index].place {
            Place::File(path) => path.clone(),
            Place::Row(rows, row) => PathBuf::from(format!("{} row {row}", rows.path().display())),
        }
    }

    /// What the header of each image says, or why it cannot be decoded.
    pub(super) fn headers(&self) -> Vec<Result<Header, Skipped>> {
        let known: Option<Vec<_>> = self.entries.iter().map(|entry| entry.header.map(Ok)).collect();
        if let Some(known) = known {
            return known;
        }
        self.map(|i, bytes| {
            let bytes = bytes.map_err(|error| match error {
                DataError::Image { fault, .. } => Fault::of_decoder(fault),
                error => Fault::of_decoder(error.to_string()),
            });
            let header = bytes.and_then(|bytes| content::header(bytes, &self.options.decode));
            header.map_err(|Fault { reason, fault }| Skipped { path: self.place(i), reason, fault })
        })
    }

    /// Decodes every image once, on all processors. Those that do not decode are left out, or the
    /// first of them is an error, as the options say; what is decoded is kept in memory, up to
    /// `limit` bytes. What the decoder noticed is added to the notes. Digests are taken on the way,
    /// so that neither [`digests`](Samples::digests) nor [`contents`](super::contents) read the
    /// files again.
    pub fn decode_all(mut self, limit: u64) -> Result<Cached<Self>, DataError> {
        let used = std::sync::atomic::AtomicU64::new(0);
        let FolderOptions { decode, digests, .. } = self.options;
        let decoded = self.map(|_, bytes| {
            let bytes = match bytes {
                Ok(bytes) => bytes,
                Err(DataError::Image { fault, .. }) => return Err(fault),
                Err(error) => return Err(error.to_string()),
            };
            let Decoded { image, noticed, .. } = Decode { size: None, ..decode }.describe(bytes)?;
            let image = decode.smaller(image);
            let shown = || known::digest(&decode.sized(image.clone()));
            let taken = digests.then(|| (Digest::of(bytes), shown()));
            let size = image.pixels().len() as u64;
            let used = used.fetch_add(size, std::sync::atomic::Ordering::Relaxed);
            Ok(((used + size <= limit).then_some(image), taken, noticed))
        });
        let mut notices = Notices::default();
        let mut images = Vec::with_capacity(decoded.len());
        let mut entries = Vec::with_capacity(decoded.len());
        let mut taken = Vec::with_capacity(decoded.len());
        for (i, decoded) in decoded.into_iter().enumerate() {
            match decoded {
                Ok((image, of_image, noticed)) => {
                    notices.add(&noticed);
                    entries.push(i);
                    taken.extend(of_image);
                    images.push(image);
                }
                Err(fault) => {
                    let left_out = self.left_out_for(i, fault);
                    self.skipped.push(left_out);
                }
            }
        }
        if entries.len() < self.entries.len() {
            self = self.only(&entries);
        }
        if digests {
            let (files, shown): (Vec<_>, Vec<_>) = taken.into_iter().unzip();
            self.known = Known { files: files.into(), shown: shown.into() };
        }
        self.notes.extend(notices.lines());
        let set = Cached::new(self.checked(None)?, limit);
        for (i, image) in images.into_iter().enumerate() {
            if let Some(image) = image {
                set.keep(i, image);
            }
        }
        Ok(set)
    }

    /// The images with these numbers; their digests are kept.
    fn only(self, numbers: &[usize]) -> Self {
        let known = self.known.only(numbers);
        let entries = numbers.iter().map(|&i| self.entries[i].clone()).collect();
        Self { entries, known, ..self }
    }

    /// The images with a label, and those without, if there are any.
    pub fn by_label(self) -> (Self, Option<Self>) {
        let (with, without): (Vec<usize>, Vec<usize>) =
            (0..self.entries.len()).partition(|&i| self.entries[i].label.is_some());
        if without.is_empty() {
            return (self, None);
        }
        let rest = Self {
            path: self.path.clone(),
            entries: without.iter().map(|&i| self.entries[i].clone()).collect(),
            classes: vec![],
            skipped: vec![],
            notes: vec![],
            options: FolderOptions { labeled: false, ..self.options.clone() },
            known: Known::default(),
            unlisted: self.unlisted,
        };
        (self.only(&with), Some(rest))
    }

    /// Refuses what cannot be learned from, and leaves out classes that have no image. `meant` says
    /// what was probably meant where there is one class only.
    pub(super) fn checked(mut self, meant: Option<&str>) -> Result<Self, DataError> {
        let mut bad = self.skipped.iter().filter(|skipped| !skipped.is_no_image());
        if let (OnBad::Error, Some(first)) = (self.options.on_bad, bad.next()) {
            let others = match bad.count() {
                0 => String::new(),
                n => format!("; {n} more cannot be read either"),
            };
            let fault = format!("{}{others}", first.fault);
            return Err(DataError::Image { path: first.path.clone(), fault });
        }
        if self.entries.is_empty() {
            let image = self.skipped.iter().find(|skipped| !skipped.is_holder());
            if let Some(Skipped { path, fault, .. }) = image {
                let fault = format!("{fault}; no other image is good either");
                return Err(DataError::Image { path: path.clone(), fault });
            }
            return Err(match LeftOut::counted(&self.skipped) {
                None => self.missing("there is no image", "name a folder of images"),
                Some(files) => {
                    let fault = format!("there is no image but {files}");
                    self.missing(fault, "save the pictures as PNG files")
                }
            });
        }
        if self.options.labeled {
            self.check_classes(meant)?;
        }
        Ok(self)
    }

    fn check_classes(&mut self, meant: Option<&str>) -> Result<(), DataError> {
        let mut sizes = vec![0; self.classes.len()];
        self.entries.iter().flat_map(|entry| entry.label).for_each(|l| sizes[l as usize] += 1);
        if sizes.iter().all(|&size| size == 0) {
            return Err(self.missing("no image has a label", "name what holds the labels"));
        }
        if self.options.classes.is_some() {
            return Ok(());
        }
        let mut place = Vec::with_capacity(sizes.len());
        let (mut kept, mut empty) = (Vec::new(), Vec::new());
        let left_out = if sizes.contains(&0) { self.left_out_of() } else { HashMap::new() };
        for (name, &size) in std::mem::take(&mut self.classes).into_iter().zip(&sizes) {
            place.push(kept.len() as u32);
            if size > 0 {
                kept.push(name);
            } else {
                let files = left_out.get(&name);
                let files = files.map_or_else(String::new, |files| format!(" ({files})"));
                self.notes.push(format!(
                    "the class `{name}` has no image that can be read: left out{files}"
                ));
                empty.push(name);
            }
        }
        self.classes = kept;
        for entry in &mut self.entries {
            entry.label = entry.label.map(|label| place[label as usize]);
        }
        if let [class] = &self.classes[..] {
            let fault = format!("`{class}` is the only class that has images");
            let of_class = |name: &String| {
                Some(format!("`{name}` has none that can be read: {}", left_out.get(name)?))
            };
            let others = empty.iter().filter_map(of_class).take(3);
            let more = meant.map(str::to_owned).into_iter().chain(others);
            let fault = more.fold(fault, |fault, more| format!("{fault}; {more}"));
            let way_out = match self.skipped.iter().any(|skipped| skipped.is_convertible()) {
                true => "at least two classes are needed: convert pictures to PNG",
                false => "at least two classes are needed",
            };
            return Err(self.missing(fault, way_out));
        }
        Ok(())
    }

    /// What was left out of each class folder, by reason; only of those where something was.
    fn left_out_of(&self) -> HashMap<String, String> {
        let mut skipped: HashMap<String, Vec<&Skipped>> = HashMap::new();
        for one in &self.skipped {
            if let Some((class, _)) = listing::id(&one.path, &self.path).split_once('/') {
                skipped.entry(class.to_owned()).or_default().push(one);
            }
        }
        let counted = |(class, skipped)| Some((class, LeftOut::counted(skipped)?));
        skipped.into_iter().filter_map(counted).collect()
    }

    fn missing(&self, fault: impl Into<String>, way_out: &'static str) -> DataError {
        DataError::Missing { path: self.path.clone(), fault: fault.into(), way_out }
    }
}

impl Samples for FolderSet {
    type Item = Image;

    fn len(&self) -> usize {
        self.entries.len()
    }

    fn item(&self, index: usize) -> Result<Image, DataError> {
        Ok(self.of_kept(self.kept(index)?))
    }

    /// In its own size where that is the smaller one.
    fn kept(&self, index: usize) -> Result<Image, DataError> {
        Ok(self.options.decode.smaller(self.in_own_size(index)?))
    }

    fn of_kept(&self, kept: Image) -> Image {
        self.options.decode.sized(kept)
    }

    fn label(&self, index: usize) -> Option<u32> {
        self.entries[index].label
    }

    fn id(&self, index: usize) -> String {
        self.entries[index].id.clone()
    }

    fn classes(&self) -> &[String] {
        &self.classes
    }

    /// Digests of the encoded images, read once; none if the options say so.
    fn digests(&self) -> Result<Option<Vec<Digest>>, DataError> {
        if !self.options.digests {
            return Ok(None);
        }
        if let Some(known) = self.known.files.get() {
            return Ok(Some(known.clone()));
        }
        let digests = self.map(|_, bytes| bytes.map(Digest::of));
        let digests = digests.into_iter().collect::<Result<Vec<_>, _>>()?;
        Ok(Some(self.known.files.get_or_init(|| digests).clone()))
    }
}

/// Class names in order: by number if all are whole numbers, else by their bytes.
pub(crate) fn sorted(mut names: Vec<String>) -> Vec<String> {
    let numbers: Option<Vec<i128>> = names.iter().map(|name| name.parse().ok()).collect();
    match numbers {
        Some(_) => names.sort_by_key(|name| name.parse::<i128>().unwrap_or_default()),
        None => names.sort(),
    }
    names
}
