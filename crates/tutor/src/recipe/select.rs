//! Which weights of a training count.

use serde::{Deserialize, Serialize};

/// Which weights a training results in, and by which metric the best are known.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Select {
    /// A metric of the validation part; the task's first when absent.
    pub(crate) metric: Option<String>,
    /// What a training results in.
    pub(crate) weights: Weights,
}

/// Which weights a training results in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Weights {
    /// Those of the last step, as papers report them.
    #[default]
    Last,
    /// Those that were best on the validation part, the earliest of equals.
    Best,
}
