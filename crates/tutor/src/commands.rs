//! The commands, one file each.

pub(crate) mod check;
pub(crate) mod corrupt;
pub(crate) mod data;
mod device;
pub(crate) mod eval;
pub(crate) mod fit;
pub(crate) mod list;
pub(crate) mod predict;
pub(crate) mod report;
pub(crate) mod run;
mod say;
pub(crate) mod show;
pub(crate) mod weights;
mod which;

use say::say;
