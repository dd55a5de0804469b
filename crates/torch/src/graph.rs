//! A trained network as a list of operations with their numbers, for programs that run it
//! elsewhere.
//!
//! [`Inference::graph`](crate::Inference::graph) makes one: batch norm is folded into convolutions,
//! LayerScale into linear layers.

use tch::{Device, Kind, Tensor};

use crate::grad::no_grad;

/// Numbers of a tensor, row by row.
#[derive(Clone, Debug, PartialEq)]
pub struct Array {
    /// Its shape.
    pub shape: Vec<i64>,
    /// Its values, as many as the shape has places.
    pub values: Vec<f32>,
}

impl Array {
    /// The numbers of a tensor, as float32.
    pub fn of(tensor: &Tensor) -> Self {
        let values = no_grad(|| tensor.to_device(Device::Cpu).to_kind(Kind::Float).reshape([-1]));
        let values = Vec::try_from(values).expect("a vector of float32");
        Self { shape: tensor.size(), values }
    }
}

/// An operation. Images are `[n, channels, h, w]`, tokens `[n, tokens, width]`.
#[derive(Clone, Debug, PartialEq)]
pub enum Operation {
    /// A convolution of images.
    Conv {
        /// `[outputs, inputs / groups, kernel, kernel]`.
        weight: Array,
        /// `[outputs]`.
        bias: Array,
        /// The stride in both directions.
        stride: i64,
        /// Zeros on every side; `None` is TensorFlow's SAME, under which the output has
        /// `ceil(side / stride)` places and an odd zero goes to the bottom and right.
        padding: Option<i64>,
        /// Groups of channels.
        groups: i64,
    },
    /// Each channel of images times a number, plus a number.
    Affine {
        /// `[channels]`.
        scale: Array,
        /// `[channels]`.
        shift: Array,
    },
    /// x where it is positive, this times x elsewhere; 0 makes it ReLU.
    LeakyRelu(f64),
    /// x, but at least 0 and at most 6.
    Relu6,
    /// 1 / (1 + exp(−x)).
    Sigmoid,
    /// The sum of two values of one shape.
    Add,
    /// The product of two values; `[n, channels, 1, 1]` is taken for all places.
    Mul,
    /// The largest value under a square window.
    MaxPool {
        /// Its side.
        kernel: i64,
        /// The stride in both directions.
        stride: i64,
        /// Places added on every side, which never are the largest.
        padding: i64,
    },
    /// The mean over all places, `[n, channels, 1, 1]`.
    Mean,
    /// `[n, channels, 1, 1]` to `[n, channels]`.
    Flatten,
    /// `[n, inputs]` to `[n, outputs]`.
    Linear {
        /// `[outputs, inputs]`.
        weight: Array,
        /// `[outputs]`.
        bias: Array,
    },
    /// Images to tokens, one a place, row by row.
    Tokens,
    /// Puts these tokens, equal for every image, before the image's own.
    Before(
        /// `[1, tokens, width]`.
        Array,
    ),
    /// Adds these numbers, equal for every image, to its tokens.
    Plus(
        /// `[1, tokens, width]`.
        Array,
    ),
    /// Each token less its mean, divided by its deviation, times a weight, plus a bias.
    LayerNorm {
        /// `[width]`.
        weight: Array,
        /// `[width]`.
        bias: Array,
        /// What is added to variances.
        eps: f64,
    },
    /// A linear layer applied to each token.
    LinearOfTokens {
        /// `[outputs, inputs]`.
        weight: Array,
        /// `[outputs]`.
        bias: Array,
    },
    /// Attention of all tokens to all: `[n, tokens, 3 · width]`, queries, keys and values side by
    /// side and in each the heads, to `[n, tokens, width]`. Scores are divided by the root of a
    /// head's width.
    Attention {
        /// Among how many heads the width is divided.
        heads: i64,
    },
    /// x · Φ(x) with the normal distribution's Φ.
    Gelu,
    /// One of the tokens: `[n, width]`.
    Token(i64),
    /// The mean of the tokens from this one on: `[n, width]`.
    MeanOfTokens(i64),
    /// `[n, a]` and `[n, b]` side by side: `[n, a + b]`.
    Concat,
}

/// What an operation gives, or the images that go in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Value(usize);

impl Value {
    /// 0 for the images that go in, i for the result of operation i, counted from 1.
    pub fn number(self) -> usize {
        self.0
    }
}

/// An operation and what it is applied to.
#[derive(Clone, Debug, PartialEq)]
pub struct Step {
    /// The operation.
    pub operation: Operation,
    /// What it is applied to: each is the graph's input or the result of a step before.
    pub inputs: Vec<Value>,
}

/// Operations in the order in which they can be done; the last one's result is the network's.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Graph {
    steps: Vec<Step>,
    sides: Option<[i64; 2]>,
    fixed: bool,
}

impl Graph {
    /// A graph without operations yet, for images of this height and width.
    pub fn of_sides(sides: [i64; 2]) -> Self {
        Self { sides: Some(sides), ..Self::default() }
    }

    /// Height and width of the images, if they are known, for operations that are made for these
    /// alone.
    pub fn fix_sides(&mut self) -> Option<[i64; 2]> {
        self.fixed |= self.sides.is_some();
        self.sides
    }

    /// Height and width of the images, where there are operations for these alone.
    pub fn fixed_sides(&self) -> Option<[i64; 2]> {
        self.sides.filter(|_| self.fixed)
    }

    /// The images that go in.
    pub fn input(&self) -> Value {
        Value(0)
    }

    /// Adds an operation on values of this graph; gives its result.
    pub fn push(&mut self, operation: Operation, inputs: &[Value]) -> Value {
        assert!(inputs.iter().all(|value| value.0 <= self.steps.len()), "a value of another graph");
        self.steps.push(Step { operation, inputs: inputs.to_vec() });
        Value(self.steps.len())
    }

    /// The operations in order.
    pub fn steps(&self) -> &[Step] {
        &self.steps
    }
}
