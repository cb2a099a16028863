//! As much of protobuf and of ONNX's messages as is needed to write a graph (<https://onnx.ai/onnx/repo-docs/IR.html>,
//! field numbers by onnx.proto).

/// Types of tensors.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Type {
    Float = 1,
    Byte = 2,
    Int = 7,
    Half = 10,
}

/// A setting of a node.
pub(super) enum Setting<'a> {
    Int(i64),
    Ints(&'a [i64]),
    Float(f32),
    Word(&'a str),
}

/// A graph that is being written: nodes in their order, constants, each by its name.
#[derive(Default)]
pub(super) struct Graph {
    nodes: Vec<u8>,
    constants: Vec<u8>,
    count: usize,
}

/// What one node gives, or a constant.
#[derive(Clone, Debug)]
pub(super) struct Name(pub(super) String);

impl Graph {
    /// A node; what it gives.
    pub(super) fn node(&mut self, op: &str, from: &[&Name], settings: &[(&str, Setting<'_>)]) -> Name {
        let name = Name(format!("t{}", self.count));
        self.named(name.clone(), op, from, settings);
        name
    }

    /// A node whose value has this name.
    pub(super) fn named(&mut self, name: Name, op: &str, from: &[&Name], settings: &[(&str, Setting<'_>)]) {
        let mut node = Vec::new();
        from.iter().for_each(|input| bytes(&mut node, 1, input.0.as_bytes()));
        bytes(&mut node, 2, name.0.as_bytes());
        bytes(&mut node, 4, op.as_bytes());
        for (key, setting) in settings {
            let mut attribute = Vec::new();
            bytes(&mut attribute, 1, key.as_bytes());
            let kind = match setting {
                Setting::Float(value) => {
                    number(&mut attribute, 2 << 3 | 5);
                    attribute.extend(value.to_le_bytes());
                    1
                }
                Setting::Int(value) => {
                    int(&mut attribute, 3, *value);
                    2
                }
                Setting::Word(value) => {
                    bytes(&mut attribute, 4, value.as_bytes());
                    3
                }
                Setting::Ints(values) => {
                    values.iter().for_each(|value| int(&mut attribute, 8, *value));
                    7
                }
            };
            int(&mut attribute, 20, kind);
            bytes(&mut node, 5, &attribute);
        }
        bytes(&mut self.nodes, 1, &node);
        self.count += 1;
    }

    /// A constant of these sizes, its data little-endian.
    pub(super) fn constant(&mut self, kind: Type, sizes: &[usize], data: &[u8]) -> Name {
        let name = Name(format!("c{}", self.count));
        self.count += 1;
        let mut tensor = Vec::with_capacity(data.len() + 64);
        sizes.iter().for_each(|size| int(&mut tensor, 1, *size as i64));
        int(&mut tensor, 2, kind as i64);
        bytes(&mut tensor, 8, name.0.as_bytes());
        bytes(&mut tensor, 9, data);
        bytes(&mut self.constants, 5, &tensor);
        name
    }

    pub(super) fn float(&mut self, value: f32) -> Name {
        self.constant(Type::Float, &[], &value.to_le_bytes())
    }

    pub(super) fn byte(&mut self, value: u8) -> Name {
        self.constant(Type::Byte, &[], &[value])
    }

    pub(super) fn ints(&mut self, values: &[i64]) -> Name {
        let data: Vec<u8> = values.iter().flat_map(|n| n.to_le_bytes()).collect();
        self.constant(Type::Int, &[values.len()], &data)
    }

    /// The whole file. Inputs and outputs with their sizes, of which words are any.
    pub(super) fn model(
        self,
        (version, opset): (i64, i64),
        inputs: &[(&str, Type, &[Size<'_>])],
        outputs: &[(&str, Type, &[Size<'_>])],
    ) -> Vec<u8> {
        let mut graph = self.nodes;
        bytes(&mut graph, 2, b"graph");
        graph.extend(self.constants);
        for (field, list) in [(11, inputs), (12, outputs)] {
            list.iter().for_each(|(name, kind, sizes)| bytes(&mut graph, field, &value(name, *kind, sizes)));
        }
        let mut set = Vec::new();
        bytes(&mut set, 1, b"");
        int(&mut set, 2, opset);
        let mut model = Vec::with_capacity(graph.len() + 64);
        int(&mut model, 1, version);
        bytes(&mut model, 2, b"damctl");
        bytes(&mut model, 7, &graph);
        bytes(&mut model, 8, &set);
        model
    }
}

/// A size of a tensor.
#[derive(Clone, Copy)]
pub(super) enum Size<'a> {
    Any(&'a str),
    Of(usize),
}

fn value(name: &str, kind: Type, sizes: &[Size<'_>]) -> Vec<u8> {
    let mut shape = Vec::new();
    for size in sizes {
        let mut dimension = Vec::new();
        match size {
            Size::Of(n) => int(&mut dimension, 1, *n as i64),
            Size::Any(name) => bytes(&mut dimension, 2, name.as_bytes()),
        }
        bytes(&mut shape, 1, &dimension);
    }
    let (mut tensor, mut of_type, mut value) = (Vec::new(), Vec::new(), Vec::new());
    int(&mut tensor, 1, kind as i64);
    bytes(&mut tensor, 2, &shape);
    bytes(&mut of_type, 1, &tensor);
    bytes(&mut value, 1, name.as_bytes());
    bytes(&mut value, 2, &of_type);
    value
}

/// Seven bits a byte, the lowest first, the eighth saying that more follow.
fn number(to: &mut Vec<u8>, mut n: u64) {
    while n > 0x7f {
        to.push(n as u8 | 0x80);
        n >>= 7;
    }
    to.push(n as u8);
}

fn int(to: &mut Vec<u8>, field: u64, value: i64) {
    number(to, field << 3);
    number(to, value as u64);
}

fn bytes(to: &mut Vec<u8>, field: u64, data: &[u8]) {
    number(to, field << 3 | 2);
    number(to, data.len() as u64);
    to.extend_from_slice(data);
}
