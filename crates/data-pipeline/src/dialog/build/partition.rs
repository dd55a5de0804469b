//! Messages on disk, those of a conversation in one file.
//!
//! A conversation's name is hashed; the hash says in which of the files its messages go, and in
//! which of a file's 64 buckets. How many bytes each bucket takes in memory is counted along, so
//! that buckets can be put together to units that fit. Digests of texts go to files of their own,
//! by their first byte, so that the same texts meet.

use super::begun::READ;
use crate::dialog::clean;
use crate::dialog::message::Message;
use crate::dialog::read::{DialogReadOptions, NamedFile, add};
use crate::digest::Digest;
use crate::error::DataError;
use crate::text::read::Tally;
use serde::{Deserialize, Serialize};
use std::fs::{File, OpenOptions};
use std::io::{BufRead, BufReader, BufWriter, Read, Write};
use std::ops::Range;
use std::path::{Path, PathBuf};

/// Buckets of a file.
const BUCKETS: usize = 64;

/// How far partitioning came: everything of the first so many files of the sources is there.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(super) struct Partitions {
    files: usize,
    /// Bytes of the files of messages, and of digests.
    lengths: [Vec<u64>; 2],
    /// Bytes in memory of each bucket of each file, one file behind the other.
    buckets: Vec<u64>,
    pub(super) tally: Tally,
    pub(super) messages: u64,
    /// Bytes of all texts.
    pub(super) bytes: u64,
    #[serde(skip)]
    folder: PathBuf,
}

/// Buckets of a file whose messages are in memory together.
#[derive(Clone, Debug)]
pub(super) struct Unit {
    file: usize,
    buckets: Range<usize>,
    pub(super) bytes: u64,
}

const WAY_OUT: &str = "check the disk and its space, and start again: it goes on there";
const KINDS: [&str; 2] = ["messages", "digests"];

/// File and bucket of a conversation.
fn place(conversation: &str, files: usize) -> (usize, usize) {
    let [a, b, c, ..] = Digest::of(conversation.as_bytes()).to_bytes();
    (usize::from(u16::from_be_bytes([a, b])) % files, usize::from(c) % BUCKETS)
}

impl Partitions {
    /// Distributes the messages of all sources on `count` files, or goes on with that.
    pub(super) fn make(
        folder: &Path,
        sources: &[NamedFile<'_>],
        options: &DialogReadOptions,
        count: usize,
        memory: u64,
        mut progress: impl FnMut(u64),
    ) -> Result<Self, DataError> {
        std::fs::create_dir_all(folder).map_err(DataError::io(folder, WAY_OUT))?;
        let note = folder.join(READ);
        let mut own = match std::fs::read(&note) {
            Ok(bytes) => serde_json::from_slice(&bytes)
                .map_err(|error| DataError::format(&note, 0, error.to_string()))?,
            Err(_) => Self {
                lengths: [vec![0; count], vec![0; count]],
                buckets: vec![0; count * BUCKETS],
                ..Self::default()
            },
        };
        own.folder = folder.to_path_buf();
        if own.files == sources.len() {
            return Ok(own);
        }
        let room = (memory / 16 / (2 * count as u64)).clamp(512, 1 << 16) as usize;
        let open = |kind: usize| -> Result<Vec<BufWriter<File>>, DataError> {
            let one = |i: usize| {
                let path = own.path(kind, i);
                let failed = || DataError::io(&path, WAY_OUT);
                let options = OpenOptions::new().create(true).append(true).open(&path);
                let file = options.map_err(failed())?;
                // What a stopped call wrote of the file that it was at is written anew.
                file.set_len(own.lengths[kind][i]).map_err(failed())?;
                Ok(BufWriter::with_capacity(room, file))
            };
            (0..count).map(one).collect()
        };
        let mut files = [open(0)?, open(1)?];
        for (at, file) in sources.iter().enumerate().skip(own.files) {
            let NamedFile { source, path, name } = file;
            let mut each = |message: Message| {
                let (file, bucket) = place(&message.conversation, count);
                let text = clean::one_line(&message.text);
                let digest = Digest::of(text.as_bytes()).to_bytes();
                let mut line = serde_json::to_vec(&message)
                    .map_err(|error| DataError::Request(error.to_string()))?;
                line.push(b'\n');
                let of_text = usize::from(digest[0]) % count;
                for (kind, i, bytes) in [(0, file, &line[..]), (1, of_text, &digest[..])] {
                    let failed = DataError::io(&own.folder, WAY_OUT);
                    files[kind][i].write_all(bytes).map_err(failed)?;
                    own.lengths[kind][i] += bytes.len() as u64;
                }
                own.buckets[file * BUCKETS + bucket] += message.bytes() as u64;
                own.messages += 1;
                own.bytes += text.len() as u64;
                Ok(())
            };
            let tally = source.read_as(name, path, options, &mut each)?;
            add(&mut own.tally, &tally);
            own.files = at + 1;
            for file in files.iter_mut().flatten() {
                let failed = || DataError::io(folder, WAY_OUT);
                file.flush().map_err(failed())?;
                file.get_ref().sync_data().map_err(failed())?;
            }
            let text = serde_json::to_vec(&own).unwrap_or_default();
            atomic_file::write(&note, &text)?;
            progress(own.files as u64);
        }
        Ok(own)
    }

    fn path(&self, kind: usize, file: usize) -> PathBuf {
        self.folder.join(format!("{}-{file:03}", KINDS[kind]))
    }

    fn count(&self) -> usize {
        self.lengths[0].len()
    }

    /// Units whose messages take up to `most` bytes of memory each, in an order that depends on
    /// nothing else.
    pub(super) fn units(&self, most: u64) -> Result<Vec<Unit>, DataError> {
        let mut units: Vec<Unit> = Vec::new();
        for file in 0..self.count() {
            let buckets = &self.buckets[file * BUCKETS..(file + 1) * BUCKETS];
            for (bucket, &bytes) in buckets.iter().enumerate().filter(|(_, bytes)| **bytes > 0) {
                if bytes > most {
                    return Err(self.too_large(file, bucket, bytes, most));
                }
                match units.last_mut() {
                    Some(last) if last.file == file && last.bytes + bytes <= most => {
                        last.buckets.end = bucket + 1;
                        last.bytes += bytes;
                    }
                    _ => units.push(Unit { file, buckets: bucket..bucket + 1, bytes }),
                }
            }
        }
        Ok(units)
    }

    fn too_large(&self, file: usize, bucket: usize, bytes: u64, most: u64) -> DataError {
        let mut largest: std::collections::HashMap<String, u64> = Default::default();
        let read = self.read(file, &(bucket..bucket + 1), &mut |message| {
            *largest.entry(message.conversation.clone()).or_default() += message.bytes() as u64;
        });
        let largest = largest.into_iter().max_by_key(|(name, bytes)| (*bytes, name.clone()));
        match (read, largest) {
            (Err(error), _) => error,
            (_, largest) => {
                let (name, its) = largest.unwrap_or_default();
                let name =
                    if name.is_empty() { "without a name".into() } else { format!("`{name}`") };
                DataError::Request(format!(
                    "messages of {bytes} bytes belong together (of them {its} bytes of the \
                     conversation {name}), but an eighth of the memory, {most} bytes, is all that \
                     there is for them (allow more memory{})",
                    if name.starts_with('`') {
                        ""
                    } else {
                        ", or give messages their conversation"
                    }
                ))
            }
        }
    }

    fn read(
        &self,
        file: usize,
        buckets: &Range<usize>,
        each: &mut dyn FnMut(Message),
    ) -> Result<(), DataError> {
        let path = self.path(0, file);
        let mut lines = BufReader::with_capacity(
            1 << 16,
            File::open(&path).map_err(DataError::io(&path, WAY_OUT))?,
        );
        let mut line = Vec::new();
        while lines.read_until(b'\n', &mut line).map_err(DataError::io(&path, WAY_OUT))? > 0 {
            let message: Message = serde_json::from_slice(&line)
                .map_err(|error| DataError::format(&path, 0, error.to_string()))?;
            if buckets.contains(&place(&message.conversation, self.count()).1) {
                each(message);
            }
            line.clear();
        }
        Ok(())
    }

    /// The messages of a unit.
    pub(super) fn messages(&self, unit: &Unit) -> Result<Vec<Message>, DataError> {
        let mut messages = Vec::new();
        self.read(unit.file, &unit.buckets, &mut |message| messages.push(message))?;
        Ok(messages)
    }

    /// The messages without a conversation, which are all in one of the units.
    pub(super) fn unnamed(&self, units: &[Unit]) -> Result<Vec<Message>, DataError> {
        let (file, bucket) = place("", self.count());
        let has = |unit: &&Unit| unit.file == file && unit.buckets.contains(&bucket);
        let unit = units.iter().find(has);
        let mut messages = unit.map_or(Ok(Vec::new()), |unit| self.messages(unit))?;
        messages.retain(|message| message.conversation.is_empty());
        Ok(messages)
    }

    /// Hands out all messages, one after another.
    pub(super) fn each(&self, each: &mut dyn FnMut(Message)) -> Result<(), DataError> {
        (0..self.count()).try_for_each(|file| self.read(file, &(0..BUCKETS), each))
    }

    /// Digests of texts that occur more than `most` times, and how often. Memory holds `room` bytes
    /// of digests at once: a larger file is gone through several times.
    pub(super) fn frequent(&self, most: u32, room: u64) -> Result<Vec<(Digest, u32)>, DataError> {
        let mut frequent = Vec::new();
        for file in 0..self.count() {
            let path = self.path(1, file);
            let passes = self.lengths[1][file].div_ceil(room.max(1)).max(1);
            for pass in 0..passes {
                let failed = || DataError::io(&path, WAY_OUT);
                let mut bytes =
                    BufReader::with_capacity(1 << 16, File::open(&path).map_err(failed())?);
                let (mut digests, mut digest) = (Vec::new(), [0; 16]);
                for _ in 0..self.lengths[1][file] / 16 {
                    bytes.read_exact(&mut digest).map_err(failed())?;
                    let [.., a, b, c, d] = digest;
                    if u64::from(u32::from_be_bytes([a, b, c, d])) % passes == pass {
                        digests.push(Digest::from_bytes(digest));
                    }
                }
                digests.sort_unstable();
                for same in digests.chunk_by(|a, b| a == b) {
                    if same.len() as u64 > u64::from(most) {
                        frequent.push((same[0], same.len() as u32));
                    }
                }
            }
        }
        Ok(frequent)
    }
}
