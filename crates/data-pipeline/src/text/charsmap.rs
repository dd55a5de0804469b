//! The characters that a model of SentencePiece replaces before it cuts a text.
//!
//! The map is a table of numbers that lead from byte to byte (a double array, Yata et al. 2007),
//! and the texts that replace what was found.

/// What is replaced by what.
#[derive(Debug)]
pub(super) struct Charsmap {
    units: Vec<u32>,
    /// Texts, each with a byte 0 behind it.
    texts: Vec<u8>,
}

/// Where a unit leads.
fn offset(unit: u32) -> usize {
    ((unit >> 10) << ((unit & (1 << 9)) >> 6)) as usize
}

impl Charsmap {
    /// Reads the map: the table's length in bytes, the table, the texts.
    pub(super) fn read(bytes: &[u8]) -> Result<Self, String> {
        let cut = || "its map of characters is cut short".to_owned();
        let (length, rest) = bytes.split_first_chunk::<4>().ok_or_else(cut)?;
        let length = u32::from_le_bytes(*length) as usize;
        let (table, texts) = rest.split_at_checked(length).ok_or_else(cut)?;
        let (table, odd) = table.as_chunks::<4>();
        let texts = texts.to_vec();
        if !odd.is_empty() || std::str::from_utf8(&texts).is_err() {
            return Err("its map of characters is damaged".to_owned());
        }
        Ok(Self { units: table.iter().map(|&unit| u32::from_le_bytes(unit)).collect(), texts })
    }

    /// What replaces the longest start of `text` that is replaced at all, and that start's length
    /// in bytes.
    pub(super) fn longest(&self, text: &str) -> Option<(&str, usize)> {
        let (mut at, mut found) = (offset(*self.units.first()?), None);
        for (i, &byte) in text.as_bytes().iter().enumerate() {
            at ^= byte as usize;
            let Some(&unit) = self.units.get(at) else { break };
            if unit & (1 << 31 | 0xff) != u32::from(byte) {
                break;
            }
            at ^= offset(unit);
            if unit & (1 << 8) != 0
                && let Some(&leaf) = self.units.get(at)
            {
                found = Some(((leaf & !(1 << 31)) as usize, i + 1));
            }
        }
        let (start, length) = found?;
        let rest = self.texts.get(start..)?;
        let end = rest.iter().position(|&byte| byte == 0)?;
        // A damaged map must not cut a character.
        let new = std::str::from_utf8(&rest[..end]).ok()?;
        text.is_char_boundary(length).then_some((new, length))
    }
}
