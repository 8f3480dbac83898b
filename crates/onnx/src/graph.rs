//! A graph of ONNX while it grows: nodes, and the numbers that they take.

use crate::proto::{Attribute, BOOL, FLOAT, INT64, Node, TensorData};
use gradus_tensor::{Indices, Tensor};

/// The name of a value in the graph.
pub(crate) type Name = String;

/// Nodes in the order in which they run, and constants.
#[derive(Default)]
pub(crate) struct Graph {
    pub(crate) nodes: Vec<Node>,
    pub(crate) constants: Vec<TensorData>,
    made: usize,
}

impl Graph {
    /// A node with one output, which gets a name of its own.
    pub(crate) fn node(&mut self, op: &str, inputs: &[&str], attributes: Vec<Attribute>) -> Name {
        let [output] = self.nodes::<1>(op, inputs, attributes);
        output
    }

    /// A node with `N` outputs.
    pub(crate) fn nodes<const N: usize>(
        &mut self,
        op: &str,
        inputs: &[&str],
        attributes: Vec<Attribute>,
    ) -> [Name; N] {
        self.several(op, inputs, attributes, N).try_into().expect("as many as were asked for")
    }

    /// A node with so many outputs.
    pub(crate) fn several(
        &mut self,
        op: &str,
        inputs: &[&str],
        attribute: Vec<Attribute>,
        outputs: usize,
    ) -> Vec<Name> {
        let output: Vec<Name> = (0..outputs).map(|_| self.fresh(&op.to_lowercase())).collect();
        self.nodes.push(Node {
            input: inputs.iter().map(|&name| name.into()).collect(),
            output: output.clone(),
            name: format!("{}_{}", op.to_lowercase(), self.nodes.len()),
            op_type: op.into(),
            attribute,
        });
        output
    }

    /// A name that no parameter of a model has.
    fn fresh(&mut self, of: &str) -> Name {
        self.made += 1;
        format!("/{of}.{}", self.made)
    }

    /// A tensor of the file, under a name of its own.
    pub(crate) fn tensor(&mut self, x: &Tensor) -> Name {
        let name = self.fresh("constant");
        self.named_tensor(&name, x)
    }

    /// A tensor of the file under this name.
    pub(crate) fn named_tensor(&mut self, name: &str, x: &Tensor) -> Name {
        let raw = x.iter().flat_map(f32::to_le_bytes).collect();
        self.push(name, FLOAT, x.shape(), raw);
        name.into()
    }

    pub(crate) fn number(&mut self, x: f64) -> Name {
        self.tensor(&Tensor::from(x as f32))
    }

    /// A row of whole numbers, such as a shape.
    pub(crate) fn whole(&mut self, numbers: impl IntoIterator<Item = i64>) -> Name {
        let numbers: Vec<i64> = numbers.into_iter().collect();
        let name = self.fresh("numbers");
        let raw = numbers.iter().flat_map(|x| x.to_le_bytes()).collect();
        self.push(&name, INT64, &[numbers.len()], raw);
        name
    }

    /// A row of sizes.
    pub(crate) fn sizes(&mut self, sizes: &[usize]) -> Name {
        self.whole(sizes.iter().map(|&n| n as i64))
    }

    pub(crate) fn indices(&mut self, indices: &Indices) -> Name {
        let name = self.fresh("indices");
        let raw = indices.iter().flat_map(|i| i64::from(i).to_le_bytes()).collect();
        self.push(&name, INT64, indices.shape(), raw);
        name
    }

    fn push(&mut self, name: &str, data_type: i32, shape: &[usize], raw_data: Vec<u8>) {
        let dims = shape.iter().map(|&n| n as i64).collect();
        self.constants.push(TensorData { dims, data_type, name: name.into(), raw_data });
    }

    /// 1 where a condition holds, 0 where not.
    pub(crate) fn as_numbers(&mut self, condition: &str) -> Name {
        self.node("Cast", &[condition], vec![int("to", FLOAT.into())])
    }

    /// Where numbers are not 0.
    pub(crate) fn as_condition(&mut self, numbers: &str) -> Name {
        self.node("Cast", &[numbers], vec![int("to", BOOL.into())])
    }

    /// Two values by an operation of two.
    pub(crate) fn of_two(&mut self, op: &str, a: &str, b: &str) -> Name {
        self.node(op, &[a, b], vec![])
    }

    /// A value and a number by an operation of two.
    pub(crate) fn with_number(&mut self, op: &str, x: &str, number: f64) -> Name {
        let number = self.number(number);
        self.node(op, &[x, &number], vec![])
    }

    /// A reduction, whose axes are an input.
    pub(crate) fn reduce(&mut self, op: &str, x: &str, axes: &[usize], keepdims: bool) -> Name {
        let axes = self.sizes(axes);
        // Over no axes the value stays what it is; without this word that would mean all of them.
        let attributes = vec![int("keepdims", keepdims.into()), int("noop_with_empty_axes", 1)];
        self.node(op, &[x, &axes], attributes)
    }

    pub(crate) fn reshape(&mut self, x: &str, shape: &[usize]) -> Name {
        let shape = self.sizes(shape);
        // A size of 0 is one, not the size that was there.
        self.node("Reshape", &[x, &shape], vec![int("allowzero", 1)])
    }

    /// Elements `first`, `first + step`, .. of an axis, `len` of them.
    pub(crate) fn slice(&mut self, x: &str, axis: usize, first: i64, step: i64, len: usize) -> Name {
        let end = first + step * len as i64;
        // Before the first element there is no index that would not be counted from the end.
        let end = if end < 0 { i64::MIN + 1 } else { end };
        let [first, end, axis, step] = [first, end, axis as i64, step].map(|x| self.whole([x]));
        self.node("Slice", &[x, &first, &end, &axis, &step], vec![])
    }
}

fn attribute(name: &str, r#type: i32) -> Attribute {
    Attribute { name: name.into(), r#type, ..Default::default() }
}

pub(crate) fn float(name: &str, f: f64) -> Attribute {
    Attribute { f: f as f32, ..attribute(name, 1) }
}

pub(crate) fn int(name: &str, i: i64) -> Attribute {
    Attribute { i, ..attribute(name, 2) }
}

pub(crate) fn text(name: &str, s: &str) -> Attribute {
    Attribute { s: s.into(), ..attribute(name, 3) }
}

pub(crate) fn ints(name: &str, ints: impl IntoIterator<Item = usize>) -> Attribute {
    Attribute { ints: ints.into_iter().map(|n| n as i64).collect(), ..attribute(name, 7) }
}
