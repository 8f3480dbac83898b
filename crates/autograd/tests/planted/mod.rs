//! Functions with gradients written by hand, and the faults of `benches/checkers/faults.csv` planted into those: the list that
//! gradus and other checkers are put before.

mod functions;
mod linear;
mod rules;

pub use functions::{FUNCTIONS, point, uniform};

use gradus_autograd::op::prelude::*;
use std::path::Path;

/// A row of the list: what is wrong with the gradient of an input of a function.
#[derive(Clone, Debug)]
pub struct Row {
    pub function: String,
    pub input: usize,
    pub fault: String,
    /// The numbers that the fault asks for.
    pub numbers: Vec<f32>,
}

impl Row {
    /// The function with its right gradient.
    pub fn right(function: &str) -> Row {
        Row { function: function.into(), input: 0, fault: String::new(), numbers: Vec::new() }
    }
}

/// The list.
pub fn faults() -> Vec<Row> {
    let path =
        Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().map(|at| at.join("benches/checkers/faults.csv"));
    let path = path.into_iter().find(|path| path.exists()).expect("benches/checkers/faults.csv");
    let text = std::fs::read_to_string(path).unwrap();
    let row = |line: &str| {
        let [function, input, fault, argument] = line.split(',').collect::<Vec<_>>().try_into().unwrap();
        Row {
            function: function.into(),
            input: input.parse().unwrap(),
            fault: fault.into(),
            numbers: argument.split_whitespace().map(|number| number.parse().unwrap()).collect(),
        }
    };
    text.lines().skip(1).map(row).collect()
}

/// A function as an operation, with its gradient by hand.
#[derive(Clone, Debug)]
pub struct Planted(pub Row);

impl Op for Planted {
    const NAME: &'static str = "planted";
    const PRECISION: Precision = Precision::Ulps(1.0);
    type Saved = ();

    fn infer(&self, inputs: &[&[usize]]) -> Result<Shapes, ShapeError> {
        let zeros: Vec<Array> = inputs.iter().map(|shape| Array::full(shape, 0.0)).collect();
        let y = self.reference(&zeros.iter().collect::<Vec<_>>(), &mut Branches::recording());
        Ok(Shape::new(y[0].shape()).into())
    }

    fn forward(&self, inputs: &[&Tensor]) -> (Outputs, ()) {
        let arrays: Vec<Array> = inputs.iter().map(|&x| Array::from(x)).collect();
        let y = self.reference(&arrays.iter().collect::<Vec<_>>(), &mut Branches::recording());
        (y[0].to_tensor().into(), ())
    }

    fn backward<V: Value>(&self, cx: &mut Backward<'_, V>, _: &()) {
        let (x, y, g) = (cx.input_list(), cx.output(), cx.cotangent());
        let gradients = rules::gradients(&self.0, x, y, &g);
        gradients.into_iter().enumerate().for_each(|(input, gradient)| cx.add(input, || gradient));
    }

    fn reference(&self, inputs: &[&Array], branches: &mut Branches<'_>) -> Vec<Array> {
        vec![functions::forward(&self.0.function, inputs, branches)]
    }

    fn samples(_: &mut Gen) -> Vec<Sample> {
        vec![]
    }
}
