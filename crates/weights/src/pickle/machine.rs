//! Python's pickle machine, opcode by opcode: a stack, marks and a memo. The opcodes that call
//! something note the call.
//!
//! The opcodes are those of the comments in CPython's `Lib/pickletools.py`.

use std::collections::HashMap;
use std::sync::Arc;

use bytes::Bytes;

use super::arena::{Arena, Call, Id, Node};
use super::error::PickleError;

/// Runs to the first STOP; gives the objects, which of them is the pickle's, and where it ends.
pub(super) fn run(bytes: &[u8]) -> Result<(Arena, Id, usize), PickleError> {
    let mut machine = Machine { bytes, ..Machine::default() };
    loop {
        let at = machine.at;
        match machine.step() {
            Ok(None) => {}
            Ok(Some(root)) => return Ok((machine.arena, root, machine.at)),
            Err(fault) => return Err(PickleError { at, fault }),
        }
    }
}

#[derive(Default)]
struct Machine<'a> {
    bytes: &'a [u8],
    at: usize,
    arena: Arena,
    stack: Vec<Id>,
    /// Heights of the stack at the marks.
    marks: Vec<usize>,
    memo: HashMap<u64, Id>,
}

type Step<T = ()> = Result<T, String>;

impl<'a> Machine<'a> {
    /// Carries out one opcode; gives the pickle's object at its end.
    fn step(&mut self) -> Step<Option<Id>> {
        let code = self.take(1)?[0];
        match code {
            b'.' => return self.pop().map(Some),
            0x80 => {
                let protocol = self.take(1)?[0];
                if protocol > 5 {
                    return Err(format!("protocol {protocol}, of which nothing is known here"));
                }
            }
            0x95 => drop(self.take(8)?), // FRAME: how much to read ahead.
            b'(' => self.marks.push(self.stack.len()),
            b'0' => match self.marks.last() {
                Some(&mark) if mark == self.stack.len() => drop(self.marks.pop()),
                _ => drop(self.pop()?),
            },
            b'1' => drop(self.popped_to_mark()?),
            b'2' => {
                let top = self.top()?;
                self.stack.push(top);
            }
            b'p' => {
                let key = self.line_number()?;
                self.put(key)?;
            }
            b'q' => {
                let key = self.take(1)?[0].into();
                self.put(key)?;
            }
            b'r' => {
                let key = self.length(4)? as u64;
                self.put(key)?;
            }
            0x94 => {
                let key = self.memo.len() as u64;
                self.put(key)?;
            }
            b'g' => {
                let key = self.line_number()?;
                self.recall(key)?;
            }
            b'h' => {
                let key = self.take(1)?[0].into();
                self.recall(key)?;
            }
            b'j' => {
                let key = self.length(4)? as u64;
                self.recall(key)?;
            }
            b'N' | 0x88 | 0x89 | b'J' | b'K' | b'M' | b'G' | b'I' | b'L' | b'F' | 0x8a | 0x8b => {
                self.number(code)?;
            }
            b'S' | b'T' | b'U' | b'B' | b'C' | 0x8e | 0x96 | b'V' | b'X' | 0x8c | 0x8d => {
                self.text(code)?;
            }
            _ => self.container(code)?,
        }
        Ok(None)
    }

    fn number(&mut self, code: u8) -> Step {
        let node = match code {
            b'N' => Node::None,
            0x88 => Node::Bool(true),
            0x89 => Node::Bool(false),
            b'J' => Node::Int(i32::from_le_bytes(self.array()?).into()),
            b'K' => Node::Int(self.take(1)?[0].into()),
            b'M' => Node::Int(u16::from_le_bytes(self.array()?).into()),
            b'G' => Node::Float(f64::from_be_bytes(self.array()?)),
            b'F' => {
                let line = self.line()?;
                Node::Float(line.parse().map_err(|_| format!("{line:?} is no number"))?)
            }
            b'I' | b'L' => match self.line()? {
                "00" => Node::Bool(false),
                "01" => Node::Bool(true),
                line => decimal(line.strip_suffix('L').unwrap_or(line))?,
            },
            _ => {
                let count = if code == 0x8a { self.length(1)? } else { self.length(4)? };
                let bytes = self.take(count)?;
                match whole(bytes) {
                    Some(value) => Node::Int(value),
                    None => Node::Long(bytes.into()),
                }
            }
        };
        self.push(node)
    }

    fn text(&mut self, code: u8) -> Step {
        let node = match code {
            b'S' => Node::Bytes(unquoted(self.line()?)?.into()),
            b'V' => Node::Str(raw_unicode(self.line_bytes()?)?.into()),
            _ => {
                let count = match code {
                    b'U' | b'C' | 0x8c => self.length(1)?,
                    b'T' | b'B' | b'X' => self.length(4)?,
                    _ => self.length(8)?,
                };
                let bytes = self.take(count)?;
                if matches!(code, b'X' | 0x8c | 0x8d) {
                    // Python writes lone surrogates, which are no Unicode: they are replaced.
                    Node::Str(String::from_utf8_lossy(bytes).into())
                } else {
                    Node::Bytes(Bytes::copy_from_slice(bytes))
                }
            }
        };
        self.push(node)
    }

    fn container(&mut self, code: u8) -> Step {
        match code {
            b']' => self.push(Node::List(Vec::new())),
            b'}' => self.push(Node::Dict(Vec::new())),
            b')' => self.push(Node::Tuple(Vec::new())),
            0x8f => self.push(Node::Set(Vec::new())),
            b'l' | b't' | 0x91 => {
                let parts = self.popped_to_mark()?;
                self.push(match code {
                    b'l' => Node::List(parts),
                    b't' => Node::Tuple(parts),
                    _ => Node::Set(parts),
                })
            }
            0x85..=0x87 => {
                let count = usize::from(code - 0x84);
                let start = self.stack.len().checked_sub(count).ok_or("the stack is empty")?;
                if self.marks.last().is_some_and(|&mark| mark > start) {
                    return Err("a tuple reaches below a mark".to_owned());
                }
                let parts = self.stack.split_off(start);
                self.push(Node::Tuple(parts))
            }
            b'd' => {
                let entries = pairs(&self.popped_to_mark()?)?;
                self.push(Node::Dict(entries))
            }
            b'a' => {
                let item = self.pop()?;
                self.append(vec![item])
            }
            b'e' | 0x90 => {
                let items = self.popped_to_mark()?;
                self.append(items)
            }
            b's' => {
                let (value, key) = (self.pop()?, self.pop()?);
                self.set(vec![(key, value)])
            }
            b'u' => {
                let entries = pairs(&self.popped_to_mark()?)?;
                self.set(entries)
            }
            _ => self.call(code),
        }
    }

    fn call(&mut self, code: u8) -> Step {
        match code {
            b'c' => {
                let name = format!("{}.{}", self.line()?, self.line()?);
                self.push(Node::Global(name.into()))
            }
            0x93 => {
                let (name, module) = (self.pop()?, self.pop()?);
                match (self.arena.text(module), self.arena.text(name)) {
                    (Some(module), Some(name)) => {
                        let name = format!("{module}.{name}");
                        self.push(Node::Global(name.into()))
                    }
                    _ => Err("a class is named by something that is no text".to_owned()),
                }
            }
            b'i' => {
                let class = format!("{}.{}", self.line()?, self.line()?);
                let args = self.popped_to_mark()?;
                let class = self.arena.add(Node::Global(class.into()))?;
                let args = self.arena.add(Node::Tuple(args))?;
                self.push_call(class, args, None)
            }
            b'o' => {
                let mut args = self.popped_to_mark()?;
                if args.is_empty() {
                    return Err("an object without a class".to_owned());
                }
                let class = args.remove(0);
                let args = self.arena.add(Node::Tuple(args))?;
                self.push_call(class, args, None)
            }
            b'R' | 0x81 => {
                let (args, class) = (self.pop()?, self.pop()?);
                self.push_call(class, args, None)
            }
            0x92 => {
                let (named, args, class) = (self.pop()?, self.pop()?, self.pop()?);
                self.push_call(class, args, Some(named))
            }
            b'b' => {
                let (state, object) = (self.pop()?, self.top()?);
                if let Node::Call(call) = self.arena.get_mut(object) {
                    call.state = Some(state);
                }
                // Anything else, as a dictionary with further attributes, is what it is.
                Ok(())
            }
            b'P' => {
                let line: Arc<str> = self.line()?.into();
                let id = self.arena.add(Node::Str(line))?;
                self.push(Node::Persistent(id))
            }
            b'Q' => {
                let id = self.pop()?;
                self.push(Node::Persistent(id))
            }
            0x97 | 0x98 => Err("data outside of the pickle (an out-of-band buffer)".to_owned()),
            0x82..=0x84 => Err("an entry of Python's extension registry".to_owned()),
            _ => Err(format!("opcode 0x{code:02x}, which there is none of")),
        }
    }

    fn push(&mut self, node: Node) -> Step {
        let id = self.arena.add(node)?;
        self.stack.push(id);
        Ok(())
    }

    fn push_call(&mut self, class: Id, args: Id, named: Option<Id>) -> Step {
        if !matches!(self.arena.get(args), Node::Tuple(_)) {
            return Err("a call whose arguments are no tuple".to_owned());
        }
        let (items, entries) = (Vec::new(), Vec::new());
        let call = Call { class, args, named, state: None, items, entries };
        self.push(Node::Call(Box::new(call)))
    }

    fn top(&self) -> Step<Id> {
        if self.marks.last().is_some_and(|&mark| mark >= self.stack.len()) {
            return Err("there is nothing above the mark".to_owned());
        }
        self.stack.last().copied().ok_or_else(|| "the stack is empty".to_owned())
    }

    fn pop(&mut self) -> Step<Id> {
        let top = self.top()?;
        self.stack.pop();
        Ok(top)
    }

    fn popped_to_mark(&mut self) -> Step<Vec<Id>> {
        let mark = self.marks.pop().ok_or("there is no mark")?;
        Ok(self.stack.split_off(mark))
    }

    fn append(&mut self, new: Vec<Id>) -> Step {
        let top = self.top()?;
        match self.arena.get_mut(top) {
            Node::List(items) | Node::Set(items) => items.extend(new),
            Node::Call(call) => call.items.extend(new),
            _ => return Err("something is appended to what is no list".to_owned()),
        }
        Ok(())
    }

    fn set(&mut self, new: Vec<(Id, Id)>) -> Step {
        let top = self.top()?;
        match self.arena.get_mut(top) {
            Node::Dict(entries) => entries.extend(new),
            Node::Call(call) => call.entries.extend(new),
            _ => return Err("a key is set in what is no dictionary".to_owned()),
        }
        Ok(())
    }

    fn put(&mut self, key: u64) -> Step {
        let top = self.top()?;
        self.memo.insert(key, top);
        Ok(())
    }

    fn recall(&mut self, key: u64) -> Step {
        let id = *self.memo.get(&key).ok_or_else(|| format!("nothing was kept as {key}"))?;
        self.stack.push(id);
        Ok(())
    }

    fn take(&mut self, count: usize) -> Step<&'a [u8]> {
        let rest = &self.bytes[self.at..];
        let taken = rest.get(..count).ok_or("it ends early")?;
        self.at += count;
        Ok(taken)
    }

    fn array<const N: usize>(&mut self) -> Step<[u8; N]> {
        Ok(self.take(N)?.try_into().expect("N bytes"))
    }

    /// A little-endian number of `width` bytes that counts something.
    fn length(&mut self, width: usize) -> Step<usize> {
        let mut all = [0; 8];
        all[..width].copy_from_slice(self.take(width)?);
        usize::try_from(u64::from_le_bytes(all)).map_err(|e| e.to_string())
    }

    fn line_bytes(&mut self) -> Step<&'a [u8]> {
        let rest = &self.bytes[self.at..];
        let end = rest.iter().position(|&b| b == b'\n').ok_or("it ends early")?;
        self.at += end + 1;
        Ok(&rest[..end])
    }

    fn line(&mut self) -> Step<&'a str> {
        let line = std::str::from_utf8(self.line_bytes()?).map_err(|_| "a line is no text")?;
        Ok(line.trim_end_matches('\r'))
    }

    fn line_number(&mut self) -> Step<u64> {
        let line = self.line()?;
        line.parse().map_err(|_| format!("{line:?} is no number of a memo"))
    }
}

fn pairs(flat: &[Id]) -> Step<Vec<(Id, Id)>> {
    if !flat.len().is_multiple_of(2) {
        return Err("a key without a value".to_owned());
    }
    Ok(flat.chunks_exact(2).map(|pair| (pair[0], pair[1])).collect())
}

/// A little-endian integer in two's complement, if it has up to 64 bits.
fn whole(bytes: &[u8]) -> Option<i64> {
    let negative = bytes.last().is_some_and(|&b| b >= 0x80);
    let mut all = [if negative { 0xff } else { 0 }; 8];
    all.get_mut(..bytes.len())?.copy_from_slice(bytes);
    Some(i64::from_le_bytes(all))
}

/// An integer written as digits.
fn decimal(text: &str) -> Step<Node> {
    if let Ok(value) = text.parse() {
        return Ok(Node::Int(value));
    }
    let digits = text.strip_prefix('-').unwrap_or(text);
    // Python's own limit, as this takes time that grows with the square.
    if digits.is_empty() || digits.len() > 4300 || !digits.bytes().all(|b| b.is_ascii_digit()) {
        return Err(format!("{text:?} is no integer"));
    }
    let mut bytes = Vec::new();
    for digit in digits.bytes().map(|b| u32::from(b - b'0')) {
        let mut carry = digit;
        for byte in &mut bytes {
            carry += 10 * u32::from(*byte);
            *byte = carry as u8;
            carry >>= 8;
        }
        if carry > 0 {
            bytes.push(carry as u8);
        }
    }
    // One more for the sign; a negative number is the complement plus 1.
    bytes.push(0);
    if digits.len() < text.len() {
        let mut carry = true;
        for byte in &mut bytes {
            (*byte, carry) = (!*byte).overflowing_add(carry.into());
        }
    }
    // The shortest form, as the later protocols have it: the last byte's first bit is the sign.
    while let [.., before, last] = bytes[..]
        && last == if before < 0x80 { 0 } else { 0xff }
    {
        bytes.pop();
    }
    Ok(Node::Long(bytes.into()))
}

/// The bytes of a quoted string of protocol 0, as Python's `repr` writes them.
fn unquoted(line: &str) -> Step<Vec<u8>> {
    let fault = || format!("{line:?} is no quoted string");
    let quote = line.chars().next().filter(|c| matches!(c, '\'' | '"')).ok_or_else(fault)?;
    let inner = line.strip_prefix(quote).and_then(|rest| rest.strip_suffix(quote));
    let mut bytes = inner.ok_or_else(fault)?.bytes();
    let mut out = Vec::new();
    while let Some(byte) = bytes.next() {
        if byte != b'\\' {
            out.push(byte);
            continue;
        }
        match bytes.next().ok_or_else(fault)? {
            b'n' => out.push(b'\n'),
            b't' => out.push(b'\t'),
            b'r' => out.push(b'\r'),
            b'x' => {
                let mut digit = || char::from(bytes.next()?).to_digit(16);
                let (high, low) = (digit().ok_or_else(fault)?, digit().ok_or_else(fault)?);
                out.push((16 * high + low) as u8);
            }
            other @ (b'\\' | b'\'' | b'"') => out.push(other),
            _ => return Err(fault()),
        }
    }
    Ok(out)
}

/// A text of protocol 0, in Python's `raw-unicode-escape`: Latin-1 with `\uXXXX`, `\UXXXXXXXX`.
fn raw_unicode(line: &[u8]) -> Step<String> {
    let mut out = String::new();
    let mut rest = line;
    while let Some((&byte, tail)) = rest.split_first() {
        let width = match (byte, tail.first()) {
            (b'\\', Some(b'u')) => 4,
            (b'\\', Some(b'U')) => 8,
            _ => {
                out.push(byte.into());
                rest = tail;
                continue;
            }
        };
        let digits = tail.get(1..=width).and_then(|digits| std::str::from_utf8(digits).ok());
        let code = digits.and_then(|digits| u32::from_str_radix(digits, 16).ok());
        let code = code.ok_or("an escape in a text has too few digits")?;
        out.push(char::from_u32(code).unwrap_or(char::REPLACEMENT_CHARACTER));
        rest = &tail[width + 1..];
    }
    Ok(out)
}
