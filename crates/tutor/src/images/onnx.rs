//! Networks as ONNX files, opset 17 (the format: onnx.proto of github.com/onnx/onnx, IR version 8).
//!
//! | | name | kind | shape |
//! |---|---|---|---|
//! | in | `images` | float32, pixels from 0 to 1 | `[batch, channels, height, width]`, any sizes |
//! | out | `logits` | float32 | `[batch, classes]` |
//! | out | `probabilities` | float32 | `[batch, classes]` |
//!
//! Normalisation is the file's first operation, so that nothing is subtracted or divided outside;
//! batch norm is folded into convolutions. The texts (`metadata_props`) are those that safetensors
//! files have ([`weights::meta`]): `classes`, `preprocess`, `architecture`.

use anyhow::{Context, Result, ensure};
use prost::Message;
use torch::graph::{Array, Graph, Operation, Value};
use weights::meta::Meta;

use super::input::Normalization;

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
    let sides = [Side::Any("batch"), Side::Of(channels), Side::Any("height"), Side::Any("width")];
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
        }
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

// The messages of onnx.proto, with the fields that are written here.

#[derive(Clone, PartialEq, Message)]
struct ModelProto {
    #[prost(int64, tag = "1")]
    ir_version: i64,
    #[prost(string, tag = "2")]
    producer_name: String,
    #[prost(string, tag = "3")]
    producer_version: String,
    #[prost(message, optional, tag = "7")]
    graph: Option<GraphProto>,
    #[prost(message, repeated, tag = "8")]
    opset_import: Vec<OperatorSetIdProto>,
    #[prost(message, repeated, tag = "14")]
    metadata_props: Vec<Entry>,
}

#[derive(Clone, PartialEq, Message)]
struct OperatorSetIdProto {
    #[prost(string, tag = "1")]
    domain: String,
    #[prost(int64, tag = "2")]
    version: i64,
}

#[derive(Clone, PartialEq, Message)]
struct Entry {
    #[prost(string, tag = "1")]
    key: String,
    #[prost(string, tag = "2")]
    value: String,
}

#[derive(Clone, PartialEq, Message)]
struct GraphProto {
    #[prost(message, repeated, tag = "1")]
    node: Vec<NodeProto>,
    #[prost(string, tag = "2")]
    name: String,
    #[prost(message, repeated, tag = "5")]
    initializer: Vec<TensorProto>,
    #[prost(message, repeated, tag = "11")]
    input: Vec<ValueInfoProto>,
    #[prost(message, repeated, tag = "12")]
    output: Vec<ValueInfoProto>,
}

#[derive(Clone, PartialEq, Message)]
struct NodeProto {
    #[prost(string, repeated, tag = "1")]
    input: Vec<String>,
    #[prost(string, repeated, tag = "2")]
    output: Vec<String>,
    #[prost(string, tag = "3")]
    name: String,
    #[prost(string, tag = "4")]
    op_type: String,
    #[prost(message, repeated, tag = "5")]
    attribute: Vec<Attribute>,
}

#[derive(Clone, PartialEq, Message)]
struct Attribute {
    #[prost(string, tag = "1")]
    name: String,
    #[prost(float, optional, tag = "2")]
    f: Option<f32>,
    #[prost(int64, optional, tag = "3")]
    i: Option<i64>,
    #[prost(bytes = "vec", optional, tag = "4")]
    s: Option<Vec<u8>>,
    #[prost(int64, repeated, packed = "false", tag = "8")]
    ints: Vec<i64>,
    /// 1 for `f`, 2 for `i`, 3 for `s`, 7 for `ints`.
    #[prost(int32, tag = "20")]
    kind: i32,
}

#[derive(Clone, PartialEq, Message)]
struct TensorProto {
    #[prost(int64, repeated, packed = "false", tag = "1")]
    dims: Vec<i64>,
    #[prost(int32, tag = "2")]
    data_type: i32,
    #[prost(string, tag = "8")]
    name: String,
    #[prost(bytes = "vec", tag = "9")]
    raw_data: Vec<u8>,
}

#[derive(Clone, PartialEq, Message)]
struct ValueInfoProto {
    #[prost(string, tag = "1")]
    name: String,
    #[prost(message, optional, tag = "2")]
    r#type: Option<TypeProto>,
}

#[derive(Clone, PartialEq, Message)]
struct TypeProto {
    #[prost(message, optional, tag = "1")]
    tensor_type: Option<TensorType>,
}

#[derive(Clone, PartialEq, Message)]
struct TensorType {
    #[prost(int32, tag = "1")]
    elem_type: i32,
    #[prost(message, optional, tag = "2")]
    shape: Option<ShapeProto>,
}

#[derive(Clone, PartialEq, Message)]
struct ShapeProto {
    #[prost(message, repeated, tag = "1")]
    dim: Vec<Dimension>,
}

#[derive(Clone, PartialEq, Message)]
struct Dimension {
    #[prost(int64, optional, tag = "1")]
    value: Option<i64>,
    #[prost(string, optional, tag = "2")]
    param: Option<String>,
}

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
