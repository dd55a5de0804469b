//! Networks as ONNX files, opset 17 (the format: onnx.proto of github.com/onnx/onnx, IR version 8).
//!
//! | | name | kind | shape |
//! |---|---|---|---|
//! | in | `images` | float32, pixels from 0 to 1 | `[batch, channels, height, width]`; any sizes, of a vision transformer one |
//! | out | `logits` | float32 | `[batch, classes]` |
//! | out | `probabilities` | float32 | `[batch, classes]` |
//!
//! Normalisation is the file's first operation, so that nothing is subtracted or divided outside;
//! batch norm is folded into convolutions. The texts (`metadata_props`) are those that safetensors
//! files have ([`weights::meta`]): `classes`, `preprocess`, `architecture`.

use anyhow::{Context, Result, ensure};
use messages::{
    Attribute, Dimension, Entry, GraphProto, ModelProto, NodeProto, OperatorSetIdProto, ShapeProto,
    TensorProto, TensorType, TypeProto, ValueInfoProto,
};
use prost::Message;
use torch::graph::{Array, Graph, Operation, Value};
use weights::meta::Meta;

use super::input::Normalization;

mod messages;

/// Protocol buffers hold less than this.
const MOST_BYTES: usize = 1 << 31;

/// The file of a network that takes normalised images, with its normalisation before it.
pub(crate) fn file(graph: &Graph, normalization: &Normalization, meta: &Meta) -> Result<Vec<u8>> {
    let classes = graph.steps().last().map(|step| match &step.operation {
        Operation::Linear { bias, .. } => bias.values.len() as i64,
        other => panic!("a network whose last operation is {other:?}"),
    });
    let classes = classes.context("a network without operations")?;
    let channels = normalization.mean.len() as i64;
    let of_channel = |value: &dyn Fn(usize) -> f64| Array {
        shape: vec![channels],
        values: (0..channels as usize).map(|c| value(c) as f32).collect(),
    };
    let Normalization { mean, std } = normalization;
    let mut nodes = Nodes::default();
    let mut names = vec![nodes.affine(
        "images",
        &of_channel(&|c| 1.0 / std[c]),
        &of_channel(&|c| -mean[c] / std[c]),
    )];
    for step in graph.steps() {
        let inputs: Vec<&str> =
            step.inputs.iter().map(|value: &Value| names[value.number()].as_str()).collect();
        let name = nodes.operation(&step.operation, &inputs);
        names.push(name);
    }
    let logits = names.pop().expect("the normalised images at least");
    nodes.add("Identity", &[&logits], "logits", vec![]);
    nodes.add("Softmax", &["logits"], "probabilities", vec![integer("axis", 1)]);
    let [height, width] = match graph.fixed_sides() {
        Some(sides) => sides.map(Side::Of),
        None => ["height", "width"].map(Side::Any),
    };
    let sides = [Side::Any("batch"), Side::Of(channels), height, width];
    let out = [Side::Any("batch"), Side::Of(classes)];
    let graph = GraphProto {
        node: nodes.nodes,
        name: "network".to_owned(),
        initializer: nodes.numbers,
        input: vec![value("images", &sides)],
        output: vec![value("logits", &out), value("probabilities", &out)],
    };
    let model = ModelProto {
        ir_version: 8,
        producer_name: "tutor".to_owned(),
        producer_version: env!("CARGO_PKG_VERSION").to_owned(),
        graph: Some(graph),
        opset_import: vec![OperatorSetIdProto { domain: String::new(), version: 17 }],
        metadata_props: meta
            .iter()
            .map(|(key, value)| Entry { key: key.clone(), value: value.clone() })
            .collect(),
    };
    ensure!(
        model.encoded_len() < MOST_BYTES,
        "the network has {} MB of weights, and an ONNX file holds less than 2 GB: export it as \
         safetensors",
        model.encoded_len() >> 20
    );
    Ok(model.encode_to_vec())
}

/// The nodes of a graph and their constants.
#[derive(Default)]
struct Nodes {
    nodes: Vec<NodeProto>,
    numbers: Vec<TensorProto>,
}

impl Nodes {
    fn add(&mut self, kind: &str, inputs: &[&str], output: &str, attribute: Vec<Attribute>) {
        self.nodes.push(NodeProto {
            input: inputs.iter().map(|&name| name.to_owned()).collect(),
            output: vec![output.to_owned()],
            name: output.to_owned(),
            op_type: kind.to_owned(),
            attribute,
        });
    }

    /// Adds a node; gives the name of its output.
    fn node(&mut self, kind: &str, inputs: &[&str], attribute: Vec<Attribute>) -> String {
        let name = format!("{}_{}", kind.to_lowercase(), self.nodes.len());
        self.add(kind, inputs, &name, attribute);
        name
    }

    /// Keeps numbers; gives their name.
    fn number(&mut self, shape: &[i64], values: &[f32]) -> String {
        let name = format!("w{}", self.numbers.len());
        self.numbers.push(TensorProto {
            dims: shape.to_vec(),
            data_type: FLOAT,
            name: name.clone(),
            raw_data: values.iter().flat_map(|value| value.to_le_bytes()).collect(),
        });
        name
    }

    /// Keeps whole numbers, a vector or a single one; gives their name.
    fn whole(&mut self, shape: &[i64], values: &[i64]) -> String {
        let name = format!("w{}", self.numbers.len());
        self.numbers.push(TensorProto {
            dims: shape.to_vec(),
            data_type: INT64,
            name: name.clone(),
            raw_data: values.iter().flat_map(|value| value.to_le_bytes()).collect(),
        });
        name
    }

    fn array(&mut self, array: &Array) -> String {
        self.number(&array.shape, &array.values)
    }

    /// Each channel times a number, plus a number.
    fn affine(&mut self, x: &str, scale: &Array, shift: &Array) -> String {
        let [scale, shift] = [scale, shift]
            .map(|array| self.number(&[array.values.len() as i64, 1, 1], &array.values));
        let scaled = self.node("Mul", &[x, &scale], vec![]);
        self.node("Add", &[&scaled, &shift], vec![])
    }

    fn operation(&mut self, operation: &Operation, inputs: &[&str]) -> String {
        let x = inputs[0];
        match operation {
            Operation::Conv { weight, bias, stride, padding, groups } => {
                let kernel = weight.shape[2];
                let [weight, bias] = [weight, bias].map(|array| self.array(array));
                let mut attributes = vec![
                    integers("kernel_shape", &[kernel; 2]),
                    integers("strides", &[*stride; 2]),
                    integer("group", *groups),
                ];
                attributes.push(match padding {
                    Some(zeros) => integers("pads", &[*zeros; 4]),
                    None => text("auto_pad", "SAME_UPPER"),
                });
                self.node("Conv", &[x, &weight, &bias], attributes)
            }
            Operation::Affine { scale, shift } => self.affine(x, scale, shift),
            Operation::LeakyRelu(0.0) => self.node("Relu", inputs, vec![]),
            Operation::LeakyRelu(slope) => {
                self.node("LeakyRelu", inputs, vec![float("alpha", *slope as f32)])
            }
            Operation::Relu6 => {
                let [low, high] = [0.0, 6.0].map(|bound| self.number(&[], &[bound]));
                self.node("Clip", &[x, &low, &high], vec![])
            }
            Operation::Sigmoid => self.node("Sigmoid", inputs, vec![]),
            Operation::Add => self.node("Add", inputs, vec![]),
            Operation::Mul => self.node("Mul", inputs, vec![]),
            Operation::MaxPool { kernel, stride, padding } => {
                let attributes = vec![
                    integers("kernel_shape", &[*kernel; 2]),
                    integers("strides", &[*stride; 2]),
                    integers("pads", &[*padding; 4]),
                ];
                self.node("MaxPool", inputs, attributes)
            }
            Operation::Mean => self.node("GlobalAveragePool", inputs, vec![]),
            Operation::Flatten => self.node("Flatten", inputs, vec![integer("axis", 1)]),
            Operation::Linear { weight, bias } => {
                let [weight, bias] = [weight, bias].map(|array| self.array(array));
                self.node("Gemm", &[x, &weight, &bias], vec![integer("transB", 1)])
            }
            Operation::Tokens => {
                // The places become one dimension, and the channels the last.
                let shape = self.whole(&[3], &[0, 0, -1]);
                let flat = self.node("Reshape", &[x, &shape], vec![]);
                self.node("Transpose", &[&flat], vec![integers("perm", &[0, 2, 1])])
            }
            Operation::Before(tokens) => self.before(x, tokens),
            Operation::Plus(numbers) => {
                let numbers = self.array(numbers);
                self.node("Add", &[x, &numbers], vec![])
            }
            Operation::LayerNorm { weight, bias, eps } => {
                let [weight, bias] = [weight, bias].map(|array| self.array(array));
                let eps = float("epsilon", *eps as f32);
                self.node(
                    "LayerNormalization",
                    &[x, &weight, &bias],
                    vec![integer("axis", -1), eps],
                )
            }
            Operation::LinearOfTokens { weight, bias } => {
                let [weight, bias] = [weight, bias].map(|array| self.array(array));
                let turned = self.node("Transpose", &[&weight], vec![integers("perm", &[1, 0])]);
                let product = self.node("MatMul", &[x, &turned], vec![]);
                self.node("Add", &[&product, &bias], vec![])
            }
            Operation::Attention { heads } => self.attention(x, *heads),
            Operation::Gelu => {
                let [root, one, half] =
                    [0.5f32.sqrt(), 1.0, 0.5].map(|value| self.number(&[], &[value]));
                let inner = self.node("Mul", &[x, &root], vec![]);
                let erf = self.node("Erf", &[&inner], vec![]);
                let share = self.node("Add", &[&erf, &one], vec![]);
                let whole = self.node("Mul", &[x, &share], vec![]);
                self.node("Mul", &[&whole, &half], vec![])
            }
            Operation::Token(which) => {
                let which = self.whole(&[], &[*which]);
                self.node("Gather", &[x, &which], vec![integer("axis", 1)])
            }
            Operation::MeanOfTokens(first) => {
                let [from, to, axis] = [*first, i64::MAX, 1].map(|n| self.whole(&[1], &[n]));
                let tokens = self.node("Slice", &[x, &from, &to, &axis], vec![]);
                let attributes = vec![integers("axes", &[1]), integer("keepdims", 0)];
                self.node("ReduceMean", &[&tokens], attributes)
            }
            Operation::Concat => self.node("Concat", inputs, vec![integer("axis", 1)]),
        }
    }

    /// Tokens before those of every image of a batch.
    fn before(&mut self, x: &str, tokens: &Array) -> String {
        let tokens = self.array(tokens);
        let [first, ones] = [(&[1][..], &[0][..]), (&[2], &[1, 1])].map(|(s, v)| self.whole(s, v));
        let shape = self.node("Shape", &[x], vec![]);
        let batch = self.node("Gather", &[&shape, &first], vec![integer("axis", 0)]);
        let shape = self.node("Concat", &[&batch, &ones], vec![integer("axis", 0)]);
        let tokens = self.node("Expand", &[&tokens, &shape], vec![]);
        self.node("Concat", &[&tokens, x], vec![integer("axis", 1)])
    }

    /// Attention from queries, keys and values side by side.
    fn attention(&mut self, x: &str, heads: i64) -> String {
        // [n, tokens, 3, heads, width of a head] to [3, n, heads, tokens, width of a head].
        let shape = self.whole(&[5], &[0, 0, 3, heads, -1]);
        let parts = self.node("Reshape", &[x, &shape], vec![]);
        let parts = self.node("Transpose", &[&parts], vec![integers("perm", &[2, 0, 3, 1, 4])]);
        let [q, k, v] = [0, 1, 2].map(|part| {
            let which = self.whole(&[], &[part]);
            self.node("Gather", &[&parts, &which], vec![integer("axis", 0)])
        });
        let k = self.node("Transpose", &[&k], vec![integers("perm", &[0, 1, 3, 2])]);
        let scores = self.node("MatMul", &[&q, &k], vec![]);
        let (shape, last) = (self.node("Shape", &[&q], vec![]), self.whole(&[], &[3]));
        let width = self.node("Gather", &[&shape, &last], vec![integer("axis", 0)]);
        let width = self.node("Cast", &[&width], vec![integer("to", FLOAT.into())]);
        let root = self.node("Sqrt", &[&width], vec![]);
        let scores = self.node("Div", &[&scores, &root], vec![]);
        let shares = self.node("Softmax", &[&scores], vec![integer("axis", -1)]);
        let mixed = self.node("MatMul", &[&shares, &v], vec![]);
        let mixed = self.node("Transpose", &[&mixed], vec![integers("perm", &[0, 2, 1, 3])]);
        let shape = self.whole(&[3], &[0, 0, -1]);
        self.node("Reshape", &[&mixed, &shape], vec![])
    }
}

/// A side of a tensor.
enum Side {
    Of(i64),
    Any(&'static str),
}

fn value(name: &str, sides: &[Side]) -> ValueInfoProto {
    let dim = sides.iter().map(|side| match side {
        Side::Of(n) => Dimension { value: Some(*n), param: None },
        Side::Any(name) => Dimension { value: None, param: Some((*name).to_owned()) },
    });
    let shape = Some(ShapeProto { dim: dim.collect() });
    let tensor_type = Some(TensorType { elem_type: FLOAT, shape });
    ValueInfoProto { name: name.to_owned(), r#type: Some(TypeProto { tensor_type }) }
}

fn integer(name: &str, i: i64) -> Attribute {
    Attribute { name: name.to_owned(), i: Some(i), kind: 2, ..Attribute::default() }
}

fn integers(name: &str, values: &[i64]) -> Attribute {
    Attribute { name: name.to_owned(), ints: values.to_vec(), kind: 7, ..Attribute::default() }
}

fn float(name: &str, f: f32) -> Attribute {
    Attribute { name: name.to_owned(), f: Some(f), kind: 1, ..Attribute::default() }
}

fn text(name: &str, s: &str) -> Attribute {
    let s = Some(s.as_bytes().to_vec());
    Attribute { name: name.to_owned(), s, kind: 3, ..Attribute::default() }
}

/// `TensorProto.DataType.FLOAT`.
const FLOAT: i32 = 1;

/// `TensorProto.DataType.INT64`.
const INT64: i32 = 7;

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    fn array(shape: &[i64], value: f32) -> Array {
        let count = shape.iter().product::<i64>() as usize;
        Array { shape: shape.to_vec(), values: vec![value; count] }
    }

    /// A convolution, every activation, a residual connection, a head of three classes.
    fn graph() -> Graph {
        let mut graph = Graph::default();
        let (weight, bias) = (array(&[4, 2, 3, 3], 0.5), array(&[4], 0.25));
        let conv = Operation::Conv { weight, bias, stride: 2, padding: None, groups: 1 };
        let stem = graph.push(conv, &[graph.input()]);
        let relu6 = graph.push(Operation::Relu6, &[stem]);
        let leaky = graph.push(Operation::LeakyRelu(0.1), &[relu6]);
        let sum = graph.push(Operation::Add, &[leaky, stem]);
        let mean = graph.push(Operation::Mean, &[sum]);
        let flat = graph.push(Operation::Flatten, &[mean]);
        let (weight, bias) = (array(&[3, 4], 1.0), array(&[3], 0.0));
        graph.push(Operation::Linear { weight, bias }, &[flat]);
        graph
    }

    #[test]
    fn nodes_take_what_is_there_and_the_texts_are_kept() {
        let normalization = Normalization { mean: vec![0.5, 0.25], std: vec![0.5, 0.125] };
        let meta = Meta::from([("classes".to_owned(), "[\"a\"]".to_owned())]);
        let bytes = file(&graph(), &normalization, &meta).expect("a file");
        let model = ModelProto::decode(&bytes[..]).expect("the same messages");
        assert_eq!((model.ir_version, model.opset_import[0].version), (8, 17));
        assert_eq!(model.metadata_props[0].key, "classes");
        let graph = model.graph.expect("a graph");
        let mut known: BTreeSet<&str> = graph.initializer.iter().map(|n| &*n.name).collect();
        known.insert("images");
        for node in &graph.node {
            assert!(node.input.iter().all(|name| known.contains(&**name)), "{node:?}");
            assert!(known.insert(&node.output[0]), "{node:?}");
        }
        assert!(known.contains("logits") && known.contains("probabilities"));
        // (x − mean) / std comes first.
        let number = |name: &str| {
            let found = graph.initializer.iter().find(|n| n.name == name).expect(name);
            let value = |b: &[u8]| f32::from_le_bytes(b.try_into().expect("four bytes"));
            (found.dims.clone(), found.raw_data.chunks(4).map(value).collect::<Vec<_>>())
        };
        assert_eq!(graph.node[0].op_type, "Mul");
        assert_eq!(number(&graph.node[0].input[1]), (vec![2, 1, 1], vec![2.0, 8.0]));
        assert_eq!(number(&graph.node[1].input[1]), (vec![2, 1, 1], vec![-1.0, -2.0]));
        let conv = graph.node.iter().find(|node| node.op_type == "Conv").expect("a convolution");
        let same = conv.attribute.iter().find(|a| a.name == "auto_pad").expect("its padding");
        assert_eq!(same.s.as_deref(), Some(&b"SAME_UPPER"[..]));
    }
}
