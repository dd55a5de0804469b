//! Rows of a table by number.

use tch::Tensor;

use crate::{Init, Role, Scope};

/// A table of vectors, one a token (or position, or segment).
#[derive(Debug)]
pub struct Embedding {
    weight: Tensor,
}

impl Embedding {
    /// Makes `weight` `[rows, width]`. Weight decay touches it as it does kernels.
    pub fn new(scope: &mut Scope<'_>, rows: i64, width: i64, init: Init) -> Self {
        Self { weight: scope.tensor("weight", &[rows, width], Role::Weight, init) }
    }

    /// A layer with this one's table, shared and not copied, for another place of the network.
    pub fn shared(&self) -> Self {
        Self { weight: self.weight.shallow_clone() }
    }

    /// The table `[rows, width]`.
    pub fn weight(&self) -> &Tensor {
        &self.weight
    }

    /// int64 numbers of any shape to `[..., width]`. A number that is not in the table is an error
    /// of libtorch, and panics: check what comes from outside.
    pub fn forward(&self, numbers: &Tensor) -> Tensor {
        Tensor::embedding(&self.weight, numbers, -1, false, false)
    }
}
