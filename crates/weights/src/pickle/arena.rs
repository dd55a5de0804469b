//! The objects of a pickle while it is read, when they still change.

use std::sync::Arc;

use bytes::Bytes;

/// The place of an object.
pub(super) type Id = u32;

/// The most objects of one pickle.
const MOST: usize = 10_000_000;

/// An object that refers to others by their places.
#[derive(Debug)]
pub(super) enum Node {
    None,
    Bool(bool),
    Int(i64),
    Long(Arc<[u8]>),
    Float(f64),
    Str(Arc<str>),
    Bytes(Bytes),
    List(Vec<Id>),
    Tuple(Vec<Id>),
    Set(Vec<Id>),
    Dict(Vec<(Id, Id)>),
    Global(Arc<str>),
    Persistent(Id),
    Call(Box<Call>),
}

/// An object that a call makes.
#[derive(Debug)]
pub(super) struct Call {
    /// What is called.
    pub(super) class: Id,
    /// A tuple.
    pub(super) args: Id,
    /// Named arguments: a dictionary.
    pub(super) named: Option<Id>,
    pub(super) state: Option<Id>,
    pub(super) items: Vec<Id>,
    pub(super) entries: Vec<(Id, Id)>,
}

/// All objects of a pickle.
#[derive(Debug, Default)]
pub(super) struct Arena {
    nodes: Vec<Node>,
}

impl Arena {
    /// Takes an object in. Fails if there are too many.
    pub(super) fn add(&mut self, node: Node) -> Result<Id, String> {
        if self.nodes.len() == MOST {
            return Err(format!("more than {MOST} objects"));
        }
        self.nodes.push(node);
        Ok((self.nodes.len() - 1) as Id)
    }

    pub(super) fn get(&self, id: Id) -> &Node {
        &self.nodes[id as usize]
    }

    pub(super) fn get_mut(&mut self, id: Id) -> &mut Node {
        &mut self.nodes[id as usize]
    }

    pub(super) fn len(&self) -> usize {
        self.nodes.len()
    }

    /// A text or Python 2's string.
    pub(super) fn text(&self, id: Id) -> Option<&str> {
        match self.get(id) {
            Node::Str(text) => Some(text),
            Node::Bytes(bytes) => std::str::from_utf8(bytes).ok(),
            _ => None,
        }
    }
}
