//! Recipes: all that changes from run to run, as data. The parts that papers share; each paper
//! composes them in its own folder.

pub(crate) mod by_type;
pub(crate) mod catalog;
pub(crate) mod class_names;
pub(crate) mod data;
pub(crate) mod edit;
pub(crate) mod evaluate;
pub(crate) mod faults;
pub(crate) mod head;
mod keys;
pub(crate) mod naming;
pub(crate) mod near;
pub(crate) mod own_name;
pub(crate) mod paths;
pub(crate) mod reading;
pub(crate) mod row;
pub(crate) mod select;
