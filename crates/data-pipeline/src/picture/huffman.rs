//! Bits out of a JPEG scan, and the codes in them.

use super::jpeg::{Decoded, Refused};

/// How many bits are looked up at once.
const FAST: u32 = 9;

/// A Huffman table.
pub(super) struct Table {
    /// By the next [`FAST`] bits: length and value of a short code; length 0 for a longer one.
    fast: Vec<(u8, u8)>,
    /// For each length: the first code beyond it, aligned to 16 bits, and what to add to find its value.
    beyond: [u32; 17],
    offset: [i32; 17],
    values: Vec<u8>,
}

impl Table {
    /// From the number of codes of each length, and their values; `None` where lengths promise more codes than there are.
    pub(super) fn new(counts: &[u8; 16], values: &[u8]) -> Option<Self> {
        let mut table = Self {
            fast: vec![(0, 0); 1 << FAST],
            beyond: [0; 17],
            offset: [0; 17],
            values: values.to_vec(),
        };
        let (mut code, mut index) = (0u32, 0usize);
        for length in 1..=16u32 {
            let count = u32::from(counts[length as usize - 1]);
            table.offset[length as usize] = index as i32 - code as i32;
            if code + count > 1 << length {
                return None;
            }
            if length <= FAST {
                for i in 0..count {
                    let first = (code + i) << (FAST - length);
                    let entry = (length as u8, values[index + i as usize]);
                    table.fast[first as usize..][..1 << (FAST - length)].fill(entry);
                }
            }
            code += count;
            index += count as usize;
            table.beyond[length as usize] = code << (16 - length);
            code <<= 1;
        }
        Some(table)
    }
}

/// Reads bits, the highest of each byte first.
pub(super) struct Bits<'a> {
    bytes: &'a [u8],
    at: usize,
    /// The next bits, from the top.
    window: u64,
    count: u32,
    /// Bits of the window that no byte gave, since a marker or the end came.
    made_up: u32,
}

impl<'a> Bits<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, at: 0, window: 0, count: 0, made_up: 0 }
    }

    /// At least 32 bits.
    #[inline]
    fn fill(&mut self) {
        if let Some(eight) = self.bytes.get(self.at..).and_then(|bytes| bytes.first_chunk::<8>()) {
            let word = u64::from_be_bytes(*eight);
            // Whether none of the bytes is 0xff.
            const ONES: u64 = 0x0101_0101_0101_0101;
            if (!word).wrapping_sub(ONES) & word & (ONES << 7) == 0 {
                let bytes = (64 - self.count) / 8;
                // What the window takes of a further byte is the same that comes with that byte.
                self.window |= word >> self.count;
                self.count += 8 * bytes;
                self.at += bytes as usize;
                return;
            }
        }
        while self.count <= 56 {
            let byte = match (self.bytes.get(self.at), self.bytes.get(self.at + 1)) {
                (Some(0xff), Some(0)) => {
                    self.at += 2;
                    0xff
                }
                (Some(0xff), _) | (None, _) => {
                    self.made_up += 8;
                    0
                }
                (Some(&byte), _) => {
                    self.at += 1;
                    byte
                }
            };
            self.window |= u64::from(byte) << (56 - self.count);
            self.count += 8;
        }
    }

    fn drop(&mut self, n: u32) {
        self.window <<= n;
        self.count -= n;
    }

    /// A number of up to 16 bits.
    #[inline]
    pub(super) fn take(&mut self, n: u32) -> i32 {
        if n == 0 {
            return 0;
        }
        if self.count < 32 {
            self.fill();
        }
        let value = (self.window >> (64 - n)) as i32;
        self.drop(n);
        value
    }

    /// A number of `n` bits whose first says its sign.
    #[inline]
    pub(super) fn signed(&mut self, n: u32) -> i32 {
        let value = self.take(n);
        if n > 0 && value < 1 << (n - 1) { value - (1 << n) + 1 } else { value }
    }

    /// The next code's value.
    #[inline]
    pub(super) fn code(&mut self, table: &Table) -> Decoded<u8> {
        if self.count < 32 {
            self.fill();
        }
        let (length, value) = table.fast[(self.window >> (64 - FAST)) as usize];
        if length > 0 {
            self.drop(u32::from(length));
            return Ok(value);
        }
        let next = (self.window >> 48) as u32;
        let longer = FAST + 1..=16;
        let length =
            longer.into_iter().find(|&l| next < table.beyond[l as usize]).ok_or(Refused)?;
        let index = (next >> (16 - length)) as i32 + table.offset[length as usize];
        self.drop(length);
        table.values.get(index as usize).copied().ok_or(Refused)
    }

    /// Whether more bits were read than there were.
    pub(super) fn overrun(&self) -> bool {
        self.made_up > self.count
    }

    /// Goes past the restart marker of this number, which must come next.
    pub(super) fn restart(&mut self, number: u8) -> Decoded<()> {
        if self.overrun() || self.bytes.get(self.at..self.at + 2) != Some(&[0xff, 0xd0 + number]) {
            return Err(Refused);
        }
        (self.at, self.window, self.count, self.made_up) = (self.at + 2, 0, 0, 0);
        Ok(())
    }

    /// Bytes up to the marker that ends the scan.
    pub(super) fn consumed(&self) -> usize {
        self.at
    }
}
