//! One scan of a JPEG file: some components' coefficients, whole or in part.

use super::huffman::{Bits, Table};
use super::jpeg::{Decoded, Frame, Refused, Tables, ZIGZAG};

/// What a scan's header says.
pub(super) struct Scan {
    /// Components, each with its tables for the first and for the other coefficients.
    components: Vec<(usize, usize, usize)>,
    /// The first and the last coefficient in zigzag order.
    first: usize,
    last: usize,
    /// Bits that earlier scans left, and that later ones will.
    high: u32,
    low: u32,
}

impl Scan {
    pub(super) fn read(body: &[u8], frame: &Frame) -> Decoded<Self> {
        let (&count, rest) = body.split_first().ok_or(Refused)?;
        let count = usize::from(count);
        if count == 0 || count > frame.components.len() || rest.len() != 2 * count + 3 {
            return Err(Refused);
        }
        let mut components = Vec::with_capacity(count);
        for &[id, tables] in rest[..2 * count].as_chunks::<2>().0 {
            let (dc, ac) = (usize::from(tables >> 4), usize::from(tables & 15));
            let index = frame.find(id)?;
            if dc > 3 || ac > 3 || components.iter().any(|&(other, _, _)| other == index) {
                return Err(Refused);
            }
            components.push((index, dc, ac));
        }
        let [first, last, bits] = rest[2 * count..] else { return Err(Refused) };
        let (first, last) = (usize::from(first), usize::from(last));
        let (high, low) = (u32::from(bits >> 4), u32::from(bits & 15));
        let good = if frame.progressive {
            last < 64
                && first <= last
                && low < 14
                && (high == 0 || high == low + 1)
                && if first == 0 { last == 0 } else { count == 1 }
        } else {
            (first, last, high, low) == (0, 63, 0, 0)
        };
        if good { Ok(Self { components, first, last, high, low }) } else { Err(Refused) }
    }
}

/// What goes on from block to block.
#[derive(Default)]
struct State {
    /// The last first coefficient of each component.
    before: [i32; 4],
    /// Blocks that still have no coefficients of their own.
    empty: u32,
}

/// Decodes a scan into the frame's blocks.
pub(super) fn run(scan: &Scan, frame: &mut Frame, tables: &Tables, bits: &mut Bits) -> Decoded<()> {
    let mut state = State::default();
    let mut unit = 0;
    let restarts = |bits: &mut Bits, state: &mut State, unit: usize| {
        if tables.interval > 0 && unit > 0 && unit.is_multiple_of(tables.interval) {
            *state = State::default();
            return bits.restart(((unit / tables.interval - 1) % 8) as u8);
        }
        Ok(())
    };
    if let [(index, dc, ac)] = scan.components[..] {
        // One component alone comes block by block, without what only fills units.
        let progressive = frame.progressive;
        let component = &mut frame.components[index];
        let coder = Coder::new(scan, tables, dc, ac, progressive)?;
        for y in 0..component.down {
            for x in 0..component.across {
                restarts(bits, &mut state, unit)?;
                coder.block(
                    bits,
                    &mut state,
                    0,
                    &mut component.blocks[y * component.stride + x],
                )?;
                unit += 1;
            }
            if bits.overrun() {
                return Err(Refused);
            }
        }
        return Ok(());
    }
    let coders: Vec<Coder> = scan
        .components
        .iter()
        .map(|&(_, dc, ac)| Coder::new(scan, tables, dc, ac, frame.progressive))
        .collect::<Decoded<_>>()?;
    let (across, down) = frame.units();
    for row in 0..down {
        for column in 0..across {
            restarts(bits, &mut state, unit)?;
            for (slot, (&(index, _, _), coder)) in scan.components.iter().zip(&coders).enumerate() {
                let component = &mut frame.components[index];
                for v in 0..component.v {
                    let start = (row * component.v + v) * component.stride + column * component.h;
                    for block in &mut component.blocks[start..start + component.h] {
                        coder.block(bits, &mut state, slot, block)?;
                    }
                }
            }
            unit += 1;
        }
        if bits.overrun() {
            return Err(Refused);
        }
    }
    Ok(())
}

/// How the blocks of a component are coded in a scan.
struct Coder<'a> {
    dc: Option<&'a Table>,
    ac: Option<&'a Table>,
    kind: Kind,
    first: usize,
    last: usize,
    low: u32,
}

enum Kind {
    Whole,
    FirstDc,
    MoreDc,
    FirstAc,
    MoreAc,
}

impl<'a> Coder<'a> {
    fn new(
        scan: &Scan,
        tables: &'a Tables,
        dc: usize,
        ac: usize,
        progressive: bool,
    ) -> Decoded<Self> {
        let kind = match (progressive, scan.first, scan.high) {
            (false, _, _) => Kind::Whole,
            (true, 0, 0) => Kind::FirstDc,
            (true, 0, _) => Kind::MoreDc,
            (true, _, 0) => Kind::FirstAc,
            (true, _, _) => Kind::MoreAc,
        };
        let (dc, ac) = (tables.dc[dc].as_ref(), tables.ac[ac].as_ref());
        let needed = match kind {
            Kind::Whole => dc.is_some() && ac.is_some(),
            Kind::FirstDc => dc.is_some(),
            Kind::MoreDc => true,
            Kind::FirstAc | Kind::MoreAc => ac.is_some(),
        };
        if !needed {
            return Err(Refused);
        }
        Ok(Self { dc, ac, kind, first: scan.first, last: scan.last, low: scan.low })
    }

    #[inline]
    fn block(
        &self,
        bits: &mut Bits,
        state: &mut State,
        slot: usize,
        block: &mut [i16; 64],
    ) -> Decoded<()> {
        match self.kind {
            Kind::Whole => {
                self.first_dc(bits, state, slot, block)?;
                self.whole_ac(bits, block)
            }
            Kind::FirstDc => self.first_dc(bits, state, slot, block),
            Kind::MoreDc => {
                block[0] |= (bits.take(1) << self.low) as i16;
                Ok(())
            }
            Kind::FirstAc => self.first_ac(bits, state, block),
            Kind::MoreAc => self.more_ac(bits, state, block),
        }
    }

    fn first_dc(
        &self,
        bits: &mut Bits,
        state: &mut State,
        slot: usize,
        block: &mut [i16; 64],
    ) -> Decoded<()> {
        let size = u32::from(bits.code(self.dc.ok_or(Refused)?)?);
        if size > 15 {
            return Err(Refused);
        }
        state.before[slot] = state.before[slot].wrapping_add(bits.signed(size));
        block[0] = (state.before[slot] << self.low) as i16;
        Ok(())
    }

    fn whole_ac(&self, bits: &mut Bits, block: &mut [i16; 64]) -> Decoded<()> {
        let table = self.ac.ok_or(Refused)?;
        let mut k = 1;
        while k < 64 {
            let code = bits.code(table)?;
            let (run, size) = (usize::from(code >> 4), u32::from(code & 15));
            if size == 0 {
                if run < 15 {
                    break;
                }
                k += 16;
                continue;
            }
            k += run;
            let place = *ZIGZAG.get(k).ok_or(Refused)?;
            block[usize::from(place)] = bits.signed(size) as i16;
            k += 1;
        }
        Ok(())
    }

    fn first_ac(&self, bits: &mut Bits, state: &mut State, block: &mut [i16; 64]) -> Decoded<()> {
        if state.empty > 0 {
            state.empty -= 1;
            return Ok(());
        }
        let table = self.ac.ok_or(Refused)?;
        let mut k = self.first;
        while k <= self.last {
            let code = bits.code(table)?;
            let (run, size) = (usize::from(code >> 4), u32::from(code & 15));
            if size == 0 {
                if run < 15 {
                    state.empty = (1 << run) - 1 + bits.take(run as u32) as u32;
                    break;
                }
                k += 16;
                continue;
            }
            k += run;
            let place = *ZIGZAG.get(k).ok_or(Refused)?;
            block[usize::from(place)] = (bits.signed(size) << self.low) as i16;
            k += 1;
        }
        Ok(())
    }

    fn more_ac(&self, bits: &mut Bits, state: &mut State, block: &mut [i16; 64]) -> Decoded<()> {
        let table = self.ac.ok_or(Refused)?;
        let (plus, minus) = (1i16 << self.low, -1i16 << self.low);
        let refine = |bits: &mut Bits, value: &mut i16| {
            if bits.take(1) == 1 && *value & plus == 0 {
                *value = value.wrapping_add(if *value >= 0 { plus } else { minus });
            }
        };
        let mut k = self.first;
        if state.empty == 0 {
            while k <= self.last {
                let code = bits.code(table)?;
                let (mut run, size) = (i32::from(code >> 4), code & 15);
                let mut new = 0;
                match size {
                    0 if run < 15 => {
                        state.empty = (1 << run) + bits.take(run as u32) as u32;
                        break;
                    }
                    0 => {}
                    1 => new = if bits.take(1) == 1 { plus } else { minus },
                    _ => return Err(Refused),
                }
                while k <= self.last {
                    let value = &mut block[usize::from(ZIGZAG[k])];
                    k += 1;
                    if *value != 0 {
                        refine(bits, value);
                    } else if run == 0 {
                        *value = new;
                        break;
                    } else {
                        run -= 1;
                    }
                }
            }
        }
        if state.empty > 0 {
            for &place in ZIGZAG.get(k..=self.last).unwrap_or_default() {
                let value = &mut block[usize::from(place)];
                if *value != 0 {
                    refine(bits, value);
                }
            }
            state.empty -= 1;
        }
        Ok(())
    }
}
