//! What a pickle holds, as plain data.

use std::sync::Arc;

use bytes::Bytes;

use crate::TensorData;

/// A Python object as data. Parts that the pickle shares are shared here too.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// `None`.
    None,
    /// A truth value.
    Bool(bool),
    /// An integer of up to 64 bits.
    Int(i64),
    /// A longer integer: its bytes in two's complement, little-endian.
    Long(Arc<[u8]>),
    /// A float.
    Float(f64),
    /// A text.
    Str(Arc<str>),
    /// `bytes` or `bytearray`; also what Python 2 calls a string.
    Bytes(Bytes),
    /// A list.
    List(Arc<[Value]>),
    /// A tuple, or a `torch.Size`.
    Tuple(Arc<[Value]>),
    /// A set or frozenset, in the order of the pickle.
    Set(Arc<[Value]>),
    /// A dictionary of any kind.
    Dict(Arc<Dict>),
    /// A NumPy array of numbers.
    Array(Arc<TensorData>),
    /// A class or function, by its full name. It is never looked up.
    Global(Arc<str>),
    /// What the pickle's writer kept elsewhere, by the writer's own description of it.
    Persistent(Arc<Value>),
    /// Any other object: what would have been called and with what. It never is.
    Object(Arc<Object>),
    /// A container at the place where it contains itself.
    Cycle,
}

impl Value {
    /// A text, or bytes of Python 2 that are one.
    pub fn as_str(&self) -> Option<&str> {
        match self {
            Value::Str(text) => Some(text),
            Value::Bytes(bytes) => std::str::from_utf8(bytes).ok(),
            _ => None,
        }
    }

    /// An integer.
    pub fn as_int(&self) -> Option<i64> {
        match self {
            Value::Int(value) => Some(*value),
            _ => None,
        }
    }

    /// The parts of a list or tuple.
    pub fn as_list(&self) -> Option<&[Value]> {
        match self {
            Value::List(parts) | Value::Tuple(parts) => Some(parts),
            _ => None,
        }
    }

    /// A dictionary.
    pub fn as_dict(&self) -> Option<&Dict> {
        match self {
            Value::Dict(dict) => Some(dict),
            _ => None,
        }
    }

    /// A NumPy array.
    pub fn as_array(&self) -> Option<&TensorData> {
        match self {
            Value::Array(array) => Some(array),
            _ => None,
        }
    }

    /// An object that is not understood.
    pub fn as_object(&self) -> Option<&Object> {
        match self {
            Value::Object(object) => Some(object),
            _ => None,
        }
    }

    /// What this is, in one or two words.
    pub fn kind(&self) -> &str {
        match self {
            Value::None => "None",
            Value::Bool(_) => "a bool",
            Value::Int(_) | Value::Long(_) => "an int",
            Value::Float(_) => "a float",
            Value::Str(_) => "a str",
            Value::Bytes(_) => "bytes",
            Value::List(_) => "a list",
            Value::Tuple(_) => "a tuple",
            Value::Set(_) => "a set",
            Value::Dict(_) => "a dict",
            Value::Array(_) => "an array",
            Value::Global(name) => name,
            Value::Persistent(_) => "a reference",
            Value::Object(object) => &object.class,
            Value::Cycle => "a cycle",
        }
    }
}

/// A dictionary's entries, in the order of the pickle.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Dict {
    /// Keys and values; a key that was set twice stands here twice, the later one counts.
    pub entries: Vec<(Value, Value)>,
}

impl Dict {
    /// The value of a key that is a text, or bytes that are this text.
    pub fn get(&self, key: &str) -> Option<&Value> {
        self.entries.iter().rev().find(|(k, _)| k.as_str() == Some(key)).map(|(_, value)| value)
    }

    /// The entries whose keys are texts.
    pub fn texts(&self) -> impl Iterator<Item = (&str, &Value)> {
        self.entries.iter().filter_map(|(key, value)| Some((key.as_str()?, value)))
    }
}

/// An object that only Python could make: the call that makes it, and what is done to it then.
#[derive(Clone, Debug, PartialEq)]
pub struct Object {
    /// The full name of what is called, as `torch._utils._rebuild_tensor_v2`.
    pub class: Arc<str>,
    /// The arguments of the call.
    pub args: Arc<[Value]>,
    /// Its named arguments.
    pub named: Option<Value>,
    /// What its `__setstate__` is given, or what its `__dict__` is filled with.
    pub state: Option<Value>,
    /// What is appended to it, for a subclass of a list.
    pub items: Vec<Value>,
    /// What is set in it, for a subclass of a dictionary.
    pub entries: Dict,
}
