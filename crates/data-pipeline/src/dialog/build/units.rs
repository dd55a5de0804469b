//! Encoded pairs of a unit on disk, until near-duplicates are known.
//!
//! A pair is: its part (1 byte), what near-duplicates have in common (16), its place among them
//! (16), the number of its conversation in the unit (4), lengths of the context and of the whole (2
//! each), ids (4 each, little-endian).

use crate::dialog::encoded::PairLengths;
use crate::dialog::funnel::Funnel;
use crate::dialog::part::DialogPart;
use crate::dialog::select::Selected;
use crate::dialog::subwords::Subwords;
use crate::digest::Digest;
use crate::error::DataError;
use crate::text::Sequence;
use serde::{Deserialize, Serialize};
use std::fs::File;
use std::io::{BufReader, Read};
use std::path::{Path, PathBuf};

const WAY_OUT: &str = "check the disk, or remove the folder and build anew";
const HEAD: usize = 41;

/// What became of a unit.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(super) struct Done {
    pub(super) funnel: Funnel,
    pub(super) pairs: u64,
}

fn paths(folder: &Path, unit: usize) -> [PathBuf; 2] {
    ["pairs", "json"].map(|ending| folder.join(format!("unit-{unit:06}.{ending}")))
}

/// What a stopped call made of a unit.
pub(super) fn done(folder: &Path, unit: usize) -> Result<Option<Done>, DataError> {
    let [_, note] = paths(folder, unit);
    match std::fs::read(&note) {
        Ok(bytes) => serde_json::from_slice(&bytes)
            .map(Some)
            .map_err(|error| DataError::format(&note, 0, error.to_string())),
        Err(_) => Ok(None),
    }
}

/// Writes the pairs of a unit.
pub(super) fn write(
    folder: &Path,
    unit: usize,
    selected: &Selected,
    subwords: &Subwords<'_>,
    lengths: &PairLengths,
) -> Result<Done, DataError> {
    let [path, note] = paths(folder, unit);
    let mut failed = None;
    let written = atomic_file::write_with(&path, |file| {
        let (mut conversation, mut before) = (0u32, None);
        for pair in &selected.pairs {
            // Pairs of one conversation stand together.
            let its = Some(&pair.conversation);
            conversation += u32::from(before.is_some() && before != its);
            before = its;
            let sequence = match lengths.encode_known(subwords, pair) {
                Ok(sequence) => sequence,
                Err(error) => {
                    failed = Some(error);
                    return Err(std::io::Error::other("the tokenizer failed"));
                }
            };
            file.write_all(&[pair.part as u8])?;
            file.write_all(&pair.fingerprint().to_bytes())?;
            file.write_all(&pair.place().to_bytes())?;
            file.write_all(&conversation.to_le_bytes())?;
            file.write_all(&(sequence.first as u16).to_le_bytes())?;
            file.write_all(&(sequence.len() as u16).to_le_bytes())?;
            for id in &sequence.ids {
                file.write_all(&id.to_le_bytes())?;
            }
        }
        Ok(())
    });
    if let Some(error) = failed {
        return Err(error);
    }
    written?;
    let done = Done { funnel: selected.funnel.clone(), pairs: selected.pairs.len() as u64 };
    atomic_file::write(&note, &serde_json::to_vec(&done).unwrap_or_default())?;
    Ok(done)
}

/// A pair as it was written.
pub(super) struct Written {
    pub(super) part: DialogPart,
    print: Digest,
    place: Digest,
    /// The number of its conversation among those of the unit.
    pub(super) conversation: u32,
    pub(super) sequence: Sequence,
}

/// Hands out the pairs of a unit in their order.
pub(super) fn read(
    folder: &Path,
    unit: usize,
    pairs: u64,
    each: &mut dyn FnMut(Written) -> Result<(), DataError>,
) -> Result<(), DataError> {
    let [path, _] = paths(folder, unit);
    let failed = || DataError::io(&path, WAY_OUT);
    let mut file = BufReader::with_capacity(1 << 16, File::open(&path).map_err(failed())?);
    let mut head = [0; HEAD];
    let mut bytes = Vec::new();
    for _ in 0..pairs {
        file.read_exact(&mut head).map_err(failed())?;
        let digest = |at: usize| {
            let mut digest = [0; 16];
            digest.copy_from_slice(&head[at..at + 16]);
            Digest::from_bytes(digest)
        };
        let length = |at: usize| u16::from_le_bytes([head[at], head[at + 1]]);
        let part = DialogPart::ALL.get(usize::from(head[0])).copied();
        let part = part.ok_or_else(|| DataError::format(&path, 0, "no part of that number"))?;
        bytes.resize(usize::from(length(39)) * 4, 0);
        file.read_exact(&mut bytes).map_err(failed())?;
        let ids = bytes.chunks_exact(4).map(|b| u32::from_le_bytes([b[0], b[1], b[2], b[3]]));
        let sequence = Sequence { ids: ids.collect(), first: u32::from(length(37)) };
        let conversation = u32::from_le_bytes([head[33], head[34], head[35], head[36]]);
        each(Written { part, print: digest(1), place: digest(17), conversation, sequence })?;
    }
    Ok(())
}

/// A bit for each pair of each unit.
#[derive(Debug)]
pub(super) struct Marks(Vec<Vec<u64>>);

impl Marks {
    fn none(pairs: &[u64]) -> Self {
        Self(pairs.iter().map(|pairs| vec![0; pairs.div_ceil(64) as usize]).collect())
    }

    fn set(&mut self, unit: usize, pair: usize) {
        self.0[unit][pair / 64] |= 1 << (pair % 64);
    }

    pub(super) fn has(&self, unit: usize, pair: usize) -> bool {
        self.0[unit][pair / 64] >> (pair % 64) & 1 == 1
    }

    pub(super) fn count(&self) -> u64 {
        self.0.iter().flatten().map(|bits| u64::from(bits.count_ones())).sum()
    }
}

/// Marks the pairs that are near-duplicates of one that is kept; `pairs` are those of each unit.
/// Memory holds `room` bytes of digests at once: where there are more, units are gone through
/// several times.
pub(super) fn near_duplicates(folder: &Path, pairs: &[u64], room: u64) -> Result<Marks, DataError> {
    let mut gone = Marks::none(pairs);
    type Row = (Digest, DialogPart, Digest, u32, u32);
    let all = pairs.iter().sum::<u64>() * size_of::<Row>() as u64;
    let passes = all.div_ceil(room.max(1)).max(1);
    for pass in 0..passes {
        let mut rows: Vec<Row> = Vec::new();
        for (unit, &pairs) in pairs.iter().enumerate() {
            let mut at = 0;
            read(folder, unit, pairs, &mut |pair| {
                let [a, b, c, d, ..] = pair.print.to_bytes();
                if u64::from(u32::from_be_bytes([a, b, c, d])) % passes == pass {
                    rows.push((pair.print, pair.part, pair.place, unit as u32, at));
                }
                at += 1;
                Ok(())
            })?;
        }
        rows.sort_unstable();
        for same in rows.chunk_by(|a, b| a.0 == b.0) {
            for &(.., unit, at) in &same[1..] {
                gone.set(unit as usize, at as usize);
            }
        }
    }
    Ok(gone)
}
