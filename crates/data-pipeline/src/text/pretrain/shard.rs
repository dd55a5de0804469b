//! A file of sequences in token ids.
//!
//! All numbers are little-endian. Digests are the first 16 bytes of SHA-256.
//!
//! | byte | size | what |
//! |---|---|---|
//! | 0 | 8 | `TUTORTOK` |
//! | 8 | 4 | version of the format, 1 |
//! | 12 | 4 | bytes of an id: 2 where all ids of the vocabulary fit, else 4 |
//! | 16 | 16 | digest of the vocabulary ([`Tokenizer::digest`](crate::text::Tokenizer::digest)) |
//! | 32 | 16 | digest of the settings that the sequences were made with |
//! | 48 | 8 | number of sequences |
//! | 56 | 8 | number of tokens |
//! | 64 | 8 | the first document in the file |
//! | 72 | 8 | the document behind the last |
//! | 80 | 8 | tokens that were cut off |
//! | 88 | 4 | number of the file, from 0 |
//! | 92 | 4 | 1 for the last file, else 0 |
//! | 96 | 4 | size of the vocabulary |
//! | 100 | 4 | 0 |
//! | 104 | 16 | digest of all bytes from 136 on |
//! | 120 | 16 | digest of bytes 0 to 119 |
//! | 136 | 8 a sequence | its first token (4), its length (2), how much of it is segment 0 (2) |
//! | then | 2 or 4 a token | ids |

use crate::digest::Digest;
use crate::error::DataError;
use crate::text::sequence::Sequence;
use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

const MAGIC: &[u8; 8] = b"TUTORTOK";
const HEADER: usize = 136;
/// Bytes of an entry in the table of sequences.
const ENTRY: usize = 8;

/// What the header of a file says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Header {
    pub(super) wide: bool,
    pub(super) vocabulary: Digest,
    pub(super) settings: Digest,
    pub(super) sequences: u64,
    pub(super) tokens: u64,
    pub(super) documents: (u64, u64),
    pub(super) dropped: u64,
    pub(super) number: u32,
    pub(super) last: bool,
    pub(super) size: u32,
    pub(super) body: Digest,
}

impl Header {
    fn bytes(&self) -> Vec<u8> {
        let mut bytes = MAGIC.to_vec();
        bytes.extend(1u32.to_le_bytes());
        bytes.extend((if self.wide { 4u32 } else { 2 }).to_le_bytes());
        bytes.extend(self.vocabulary.to_bytes());
        bytes.extend(self.settings.to_bytes());
        let (first, end) = self.documents;
        for number in [self.sequences, self.tokens, first, end, self.dropped] {
            bytes.extend(number.to_le_bytes());
        }
        for number in [self.number, u32::from(self.last), self.size, 0] {
            bytes.extend(number.to_le_bytes());
        }
        bytes.extend(self.body.to_bytes());
        let own = Digest::of(&bytes);
        bytes.extend(own.to_bytes());
        bytes
    }

    /// What tells the file from others: it covers the content's digest.
    pub(super) fn digest(&self) -> Digest {
        Digest::of(&self.bytes())
    }

    /// From the first bytes of a file; the error is what is wrong with them.
    fn parse(bytes: &[u8; HEADER]) -> Result<Self, String> {
        let u32_at = |at| u32::from_le_bytes(part(bytes, at));
        let u64_at = |at| u64::from_le_bytes(part(bytes, at));
        let digest_at = |at| Digest::from_bytes(part(bytes, at));
        if &bytes[..8] != MAGIC {
            return Err("no file of tokens".into());
        }
        if u32_at(8) != 1 {
            return Err(format!("version {} of the format, only 1 is known", u32_at(8)));
        }
        if digest_at(120) != Digest::of(&bytes[..120]) {
            return Err("the header does not have its digest".into());
        }
        Ok(Self {
            wide: u32_at(12) == 4,
            vocabulary: digest_at(16),
            settings: digest_at(32),
            sequences: u64_at(48),
            tokens: u64_at(56),
            documents: (u64_at(64), u64_at(72)),
            dropped: u64_at(80),
            number: u32_at(88),
            last: u32_at(92) == 1,
            size: u32_at(96),
            body: digest_at(104),
        })
    }

    fn id_bytes(&self) -> u64 {
        if self.wide { 4 } else { 2 }
    }

    /// The length of the whole file, nothing if no file is so long.
    fn file_len(&self) -> Option<u64> {
        let table = self.sequences.checked_mul(ENTRY as u64)?;
        let ids = self.tokens.checked_mul(self.id_bytes())?;
        table.checked_add(ids)?.checked_add(HEADER as u64)
    }
}

fn part<const N: usize>(bytes: &[u8], at: usize) -> [u8; N] {
    let mut part = [0; N];
    part.copy_from_slice(&bytes[at..at + N]);
    part
}

/// The name of a file by its number.
pub(super) fn name(number: u32) -> String {
    format!("tokens-{number:05}.shard")
}

/// Sequences that become a file.
#[derive(Debug, Default)]
pub(super) struct Body {
    table: Vec<u8>,
    ids: Vec<u8>,
    pub(super) tokens: u64,
    pub(super) sequences: u64,
}

impl Body {
    /// Adds a sequence, of at most 65,535 tokens.
    pub(super) fn push(&mut self, sequence: &Sequence, wide: bool) {
        self.table.extend((self.tokens as u32).to_le_bytes());
        self.table.extend((sequence.len() as u16).to_le_bytes());
        self.table.extend((sequence.first as u16).to_le_bytes());
        for &id in &sequence.ids {
            if wide {
                self.ids.extend(id.to_le_bytes());
            } else {
                self.ids.extend((id as u16).to_le_bytes());
            }
        }
        self.tokens += sequence.len() as u64;
        self.sequences += 1;
    }

    /// Writes the file; of the header, the body's digest and counts are filled in here.
    pub(super) fn write(self, folder: &Path, mut header: Header) -> Result<(), DataError> {
        (header.sequences, header.tokens) = (self.sequences, self.tokens);
        let mut body = self.table;
        body.extend(self.ids);
        header.body = Digest::of(&body);
        let path = folder.join(name(header.number));
        atomic_file::write_with(&path, |file| {
            file.write_all(&header.bytes())?;
            file.write_all(&body)
        })?;
        Ok(())
    }
}

/// One file of sequences, open for reading. Sequences are read at their place when they are asked
/// for, which the system serves from its memory of the file; nothing is kept here.
#[derive(Debug)]
pub struct Shard {
    path: PathBuf,
    file: File,
    header: Header,
}

impl Shard {
    /// Opens a file and checks its header and its length. The content is checked by
    /// [`Shard::verify`], which reads all of it.
    ///
    /// # Errors
    /// When it is another kind of file, cut short or of another version.
    pub fn open(path: &Path) -> Result<Self, DataError> {
        let way_out = "build the tokens again";
        let file = File::open(path).map_err(DataError::io(path, way_out))?;
        let length = file.metadata().map_err(DataError::io(path, way_out))?.len();
        let mut bytes = [0; HEADER];
        if length < HEADER as u64 {
            let fault = format!("{length} bytes are no file of tokens");
            return Err(Self::fault(path, 0, fault));
        }
        file.read_exact_at(&mut bytes, 0).map_err(DataError::io(path, way_out))?;
        let header = Header::parse(&bytes).map_err(|fault| Self::fault(path, 0, fault))?;
        if header.file_len() != Some(length) {
            let expected = header.file_len().unwrap_or(u64::MAX);
            let fault = format!("{length} bytes, {expected} are promised: the file is cut short");
            return Err(Self::fault(path, length, fault));
        }
        Ok(Self { path: path.to_path_buf(), file, header })
    }

    fn fault(path: &Path, offset: u64, fault: String) -> DataError {
        let way_out = "remove the file and build the tokens again; building goes on there";
        DataError::Format { path: path.to_path_buf(), offset, fault, way_out }
    }

    pub(super) fn header(&self) -> &Header {
        &self.header
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// The number of sequences.
    pub fn sequences(&self) -> u64 {
        self.header.sequences
    }

    /// The first token, the length and the share of segment 0 of a sequence.
    fn entry(&self, index: u64) -> Result<(u64, usize, u32), DataError> {
        let at = HEADER as u64 + index * ENTRY as u64;
        let mut bytes = [0; ENTRY];
        self.read(&mut bytes, at)?;
        let start = u64::from(u32::from_le_bytes(part(&bytes, 0)));
        let length = u16::from_le_bytes(part(&bytes, 4));
        let first = u16::from_le_bytes(part(&bytes, 6));
        if length == 0 || first > length || start + u64::from(length) > self.header.tokens {
            let fault = format!("sequence {index} has tokens {start} to {start} + {length}");
            return Err(Self::fault(&self.path, at, fault));
        }
        Ok((start, usize::from(length), u32::from(first)))
    }

    /// The number of tokens of segment 1 of all sequences.
    pub(super) fn second_tokens(&self) -> Result<u64, DataError> {
        let mut bytes = vec![0; ENTRY << 13];
        let (mut at, mut left) = (HEADER as u64, self.header.sequences * ENTRY as u64);
        let mut tokens = 0;
        while left > 0 {
            let some = left.min(bytes.len() as u64) as usize;
            self.read(&mut bytes[..some], at)?;
            tokens += bytes[..some].chunks_exact(ENTRY).fold(0, |sum, entry| {
                let [length, first] = [4, 6].map(|at| u16::from_le_bytes(part(entry, at)));
                sum + u64::from(length.saturating_sub(first))
            });
            at += some as u64;
            left -= some as u64;
        }
        Ok(tokens)
    }

    /// The number of tokens of a sequence.
    ///
    /// # Errors
    /// As [`Shard::sequence`].
    pub fn length(&self, index: u64) -> Result<usize, DataError> {
        Ok(self.entry(index)?.1)
    }

    /// A sequence. Panics if `index` is out of range.
    ///
    /// # Errors
    /// When the file cannot be read any more, or does not hold ids of its vocabulary.
    pub fn sequence(&self, index: u64) -> Result<Sequence, DataError> {
        assert!(index < self.header.sequences, "sequence {index} of {}", self.header.sequences);
        let (start, length, first) = self.entry(index)?;
        let width = self.header.id_bytes();
        let at = HEADER as u64 + self.header.sequences * ENTRY as u64 + start * width;
        let mut bytes = vec![0; length * width as usize];
        self.read(&mut bytes, at)?;
        let ids: Vec<u32> = if self.header.wide {
            bytes.chunks_exact(4).map(|id| u32::from_le_bytes(part(id, 0))).collect()
        } else {
            bytes.chunks_exact(2).map(|id| u16::from_le_bytes(part(id, 0)).into()).collect()
        };
        match ids.iter().find(|&&id| id >= self.header.size) {
            Some(id) => {
                let fault = format!("id {id}, the vocabulary has {}", self.header.size);
                Err(Self::fault(&self.path, at, fault))
            }
            None => Ok(Sequence { ids, first }),
        }
    }

    fn read(&self, bytes: &mut [u8], at: u64) -> Result<(), DataError> {
        let way_out = "check the disk, or build the tokens again";
        self.file.read_exact_at(bytes, at).map_err(DataError::io(&self.path, way_out))
    }

    /// Reads the whole file and compares its digest.
    ///
    /// # Errors
    /// When a byte has changed.
    pub fn verify(&self) -> Result<(), DataError> {
        let bytes = std::fs::read(&self.path)
            .map_err(DataError::io(&self.path, "build the tokens again"))?;
        if bytes.get(HEADER..).map(Digest::of) != Some(self.header.body) {
            let fault = "the content does not have its digest".to_owned();
            return Err(Self::fault(&self.path, HEADER as u64, fault));
        }
        Ok(())
    }
}
