//! From the objects of a pickle to values: which calls stand for data, and what every other call
//! is kept as.

use std::sync::Arc;

use bytes::Bytes;

use super::arena::{Arena, Call, Id, Node};
use super::budget::Budget;
use super::numpy;
use super::value::{Dict, Object, Value};

/// How deep objects may lie in each other: Python itself gives up at about 1000, and the parts of a
/// network lie a few dozen deep.
const DEEPEST: usize = 250;

/// The value of `root` in a pickle of `size` bytes with each reference to data outside in it, or
/// why there is none.
pub(super) fn value(arena: &Arena, root: Id, size: usize) -> Result<(Value, Vec<Value>), String> {
    let done = vec![Progress::New; arena.len()];
    let budget = Budget::of_pickle(size);
    let mut reader = Reader { arena, done, budget, references: Vec::new() };
    let value = reader.value(root, 0)?;
    Ok((value, reader.references))
}

#[derive(Clone)]
enum Progress {
    New,
    /// Its parts are being read.
    Begun,
    Done(Value),
}

struct Reader<'a> {
    arena: &'a Arena,
    done: Vec<Progress>,
    budget: Budget,
    references: Vec<Value>,
}

impl Reader<'_> {
    fn value(&mut self, id: Id, depth: usize) -> Result<Value, String> {
        match &self.done[id as usize] {
            Progress::Done(value) => return Ok(value.clone()),
            Progress::Begun => return Ok(Value::Cycle),
            Progress::New => {}
        }
        if depth > DEEPEST {
            return Err(format!("objects lie more than {DEEPEST} deep in each other"));
        }
        self.done[id as usize] = Progress::Begun;
        let deeper = depth + 1;
        let value = match self.arena.get(id) {
            Node::None => Value::None,
            Node::Bool(value) => Value::Bool(*value),
            Node::Int(value) => Value::Int(*value),
            Node::Long(bytes) => Value::Long(bytes.clone()),
            Node::Float(value) => Value::Float(*value),
            Node::Str(text) => Value::Str(text.clone()),
            Node::Bytes(bytes) => Value::Bytes(bytes.clone()),
            Node::List(parts) => Value::List(self.values(parts, deeper)?.into()),
            Node::Tuple(parts) => Value::Tuple(self.values(parts, deeper)?.into()),
            Node::Set(parts) => Value::Set(self.values(parts, deeper)?.into()),
            Node::Dict(entries) => Value::Dict(Arc::new(self.entries(entries, deeper)?)),
            Node::Global(name) => Value::Global(name.clone()),
            Node::Persistent(id) => {
                let reference = self.value(*id, deeper)?;
                self.references.push(reference.clone());
                Value::Persistent(Arc::new(reference))
            }
            Node::Call(call) => self.call(call, deeper)?,
        };
        self.done[id as usize] = Progress::Done(value.clone());
        Ok(value)
    }

    fn values(&mut self, ids: &[Id], depth: usize) -> Result<Vec<Value>, String> {
        ids.iter().map(|&id| self.value(id, depth)).collect()
    }

    fn entries(&mut self, pairs: &[(Id, Id)], depth: usize) -> Result<Dict, String> {
        let pair =
            |&(key, value): &(Id, Id)| Ok((self.value(key, depth)?, self.value(value, depth)?));
        Ok(Dict { entries: pairs.iter().map(pair).collect::<Result<_, String>>()? })
    }

    fn call(&mut self, call: &Call, depth: usize) -> Result<Value, String> {
        let class = match self.value(call.class, depth)? {
            Value::Global(name) => name,
            // What is called is itself the result of a call: kept, and not understood.
            other => format!("({})", other.kind()).into(),
        };
        let state = call.state.map(|id| self.value(id, depth)).transpose()?;
        let Value::Tuple(args) = self.value(call.args, depth)? else {
            return Err("an object is made of itself".to_owned());
        };
        let named = call.named.map(|id| self.value(id, depth)).transpose()?;
        let object = Object {
            class,
            args,
            named,
            state,
            items: self.values(&call.items, depth)?,
            entries: self.entries(&call.entries, depth)?,
        };
        let data = data(&object, &mut self.budget);
        Ok(data.unwrap_or_else(|| Value::Object(Arc::new(object))))
    }
}

/// What an object is, where it stands for data.
fn data(object: &Object, budget: &mut Budget) -> Option<Value> {
    // Python 2 has its builtins in another module.
    let class = object.class.strip_prefix("__builtin__.").map(|name| format!("builtins.{name}"));
    match (class.as_deref().unwrap_or(&object.class), &*object.args) {
        ("collections.OrderedDict" | "builtins.dict", args) => dict(args.first(), object, budget),
        // The first argument makes the values of keys that are not there.
        ("collections.defaultdict", args) => dict(args.get(1), object, budget),
        ("builtins.set" | "builtins.frozenset", args) => {
            Some(Value::Set(parts(args.first(), object, budget)?.into()))
        }
        ("builtins.list", args) => Some(Value::List(parts(args.first(), object, budget)?.into())),
        ("builtins.tuple" | "torch.Size", args) => {
            Some(Value::Tuple(parts(args.first(), object, budget)?.into()))
        }
        ("builtins.bytearray" | "builtins.bytes", []) => Some(Value::Bytes(Bytes::new())),
        ("builtins.bytearray" | "builtins.bytes", [bytes @ Value::Bytes(_)]) => Some(bytes.clone()),
        // How Python 3 writes bytes by the protocols of Python 2: a text in Latin-1.
        ("_codecs.encode" | "builtins.bytearray", [Value::Str(text), encoding]) => {
            budget.take(text.len())?;
            let latin = matches!(encoding.as_str(), Some("latin1" | "latin-1"));
            let bytes = text.chars().map(|c| u8::try_from(u32::from(c)).ok());
            let bytes: Option<Vec<u8>> = bytes.collect();
            Some(Value::Bytes(bytes.filter(|_| latin)?.into()))
        }
        (name, _) if name.starts_with("numpy.") => numpy::understood(object, budget),
        _ => None,
    }
}

fn dict(first: Option<&Value>, object: &Object, budget: &mut Budget) -> Option<Value> {
    let mut entries = match first {
        None | Some(Value::None) => Vec::new(),
        Some(Value::Dict(dict)) => {
            budget.take_values(dict.entries.len())?;
            dict.entries.clone()
        }
        // Python 2 writes an OrderedDict as a list of pairs.
        Some(list) => {
            let list = list.as_list()?;
            budget.take_values(list.len())?;
            let pair = |pair: &Value| match pair.as_list()? {
                [key, value] => Some((key.clone(), value.clone())),
                _ => None,
            };
            list.iter().map(pair).collect::<Option<_>>()?
        }
    };
    entries.extend(object.entries.entries.iter().cloned());
    Some(Value::Dict(Arc::new(Dict { entries })))
}

fn parts(first: Option<&Value>, object: &Object, budget: &mut Budget) -> Option<Vec<Value>> {
    let mut all = match first {
        None => Vec::new(),
        Some(list) => {
            let list = list.as_list()?;
            budget.take_values(list.len())?;
            list.to_vec()
        }
    };
    all.extend(object.items.iter().cloned());
    Some(all)
}
