//! Weights under the names and in the layouts of the book's programs, such as W1, b1, gamma1 and beta1.
//!
//! | here | in the book (*Deep Learning from Scratch*, K. Saitoh) |
//! | --- | --- |
//! | weight of a [`Linear`](crate::Linear), `[out, in]` | `W1`, `W2`, ..., `[in, out]`: transposed |
//! | weight of a [`Conv2d`](crate::Conv2d), `[out, in, h, w]` | `W1`, `W2`, ..., the same |
//! | bias of either, `[out]` | `b1`, `b2`, ..., the same |
//! | weight and bias of a [`BatchNorm`](crate::BatchNorm), `[channels]` | `gamma1`, `beta1`, ... |
//! | its running mean and variance | not saved |
//!
//! Affine and convolution layers are counted together, in the order of the model's fields, and normalisations apart from
//! them. A weight is known by its number of axes: the table of an [`Embedding`](crate::Embedding), which the book does not
//! turn, would be taken for an affine one. The book pickles a dictionary of these arrays; `numpy.savez(path, **params)` makes
//! it an archive that `data::npy::npz` reads with the feature `npz`, in single or in half precision.
//!
//! Two things are no weights, and are to be built as the book has them: its dropout multiplies in evaluation
//! ([`Dropout::scaled_in_evaluation`](crate::Dropout::scaled_in_evaluation)), and images are flattened channel by channel,
//! row by row, as [`Flatten`](crate::Flatten) does too.

use crate::{module::Module, save::StateError};
use gradus_tensor::Tensor;
use std::collections::{BTreeMap, HashMap};

/// The parameters of a model under the book's names, in the book's layouts.
///
/// # Errors
/// When a parameter has no name there, such as one of a recurrent layer.
///
/// ```
/// use gradus_nn::{Linear, Relu, Sequential, book};
/// use gradus_tensor::Rng;
///
/// let mut rng = Rng::seed(0);
/// let net = Sequential::new().push(Linear::new(784, 50, &mut rng)).push(Relu).push(Linear::new(50, 10, &mut rng));
/// let params = book::state_dict(&net)?;
/// assert_eq!(params.keys().collect::<Vec<_>>(), ["W1", "W2", "b1", "b2"]);
/// assert_eq!(params["W1"].shape(), &[784, 50]);
/// # Ok::<(), gradus_nn::StateError>(())
/// ```
pub fn state_dict(module: &dyn Module) -> Result<BTreeMap<String, Tensor>, StateError> {
    let (names, params) = (names(module)?, module.params());
    let in_book = |(name, param): &(String, &gradus_autograd::Param)| {
        Some((names.get(name)?.clone(), turned(param.value())))
    };
    Ok(params.iter().filter_map(in_book).collect())
}

/// Sets the parameters of a model from the book's, by their names there. Either all of them are set, or the model stays as
/// it is.
///
/// # Errors
/// When an array is missing, of another shape, or has no place in the model: all are named. As [`state_dict`].
///
/// ```
/// use gradus_nn::{Layer, Linear, book};
/// use gradus_tensor::{Rng, Tensor};
///
/// let mut layer = Linear::new(2, 3, &mut Rng::seed(0));
/// let weights = [("W1".to_string(), Tensor::from([[1.0, 3.0, 5.0], [2.0, 4.0, 6.0]])), ("b1".to_string(), Tensor::zeros([3]))];
/// book::load_state_dict(&mut layer, weights.into())?;
/// assert_eq!(layer.forward(Tensor::from([1.0, 2.0])).to_vec(), [5.0, 11.0, 17.0]);
/// # Ok::<(), gradus_nn::StateError>(())
/// ```
pub fn load_state_dict(
    module: &mut dyn Module,
    mut tensors: BTreeMap<String, Tensor>,
) -> Result<(), StateError> {
    let names = names(module)?;
    let mut faults = Vec::new();
    let mut found = HashMap::new();
    for (name, param) in module.params() {
        let Some(in_book) = names.get(&name) else { continue };
        match tensors.remove(in_book) {
            None => faults.push(format!("{in_book} is missing")),
            Some(tensor) => {
                let (given, wanted) = (tensor.shape().clone(), turned(param.value()).shape().clone());
                if given == wanted {
                    found.insert(name, turned(&tensor));
                } else {
                    faults.push(format!("{in_book} has shape {given}, the model's has {wanted}"));
                }
            }
        }
    }
    faults.extend(tensors.keys().map(|name| format!("{name} has no place in the model")));
    if !faults.is_empty() {
        return Err(StateError::new(faults.join("; ")));
    }
    for (name, param) in module.params_mut() {
        if let Some(tensor) = found.remove(&name) {
            *param.value_mut() = tensor;
        }
    }
    Ok(())
}

/// The notes' rule of thumb for the number of hidden units, `samples / (factor · (inputs + outputs))`, with a factor between 2
/// and 10. It keeps a net small against its data; that a larger one need not over-fit is known since.
///
/// ```
/// use gradus_nn::book::hidden_units;
///
/// // MNIST: from 37.8 down to 7.56.
/// assert!((hidden_units(60_000, 784, 10, 2.0) - 37.783).abs() < 1e-3);
/// assert!((hidden_units(60_000, 784, 10, 10.0) - 7.557).abs() < 1e-3);
/// ```
///
/// # Panics
/// When there are neither inputs nor outputs, or the factor is not positive.
#[track_caller]
pub fn hidden_units(samples: usize, inputs: usize, outputs: usize, factor: f64) -> f64 {
    assert!(
        inputs + outputs > 0 && factor > 0.0,
        "hidden_units: {inputs} inputs, {outputs} outputs and a factor of {factor}; there must be units, and the factor must \
         be positive"
    );
    samples as f64 / (factor * (inputs + outputs) as f64)
}

/// The other layout of a weight of an affine layer; everything else as it is.
fn turned(tensor: &Tensor) -> Tensor {
    if tensor.rank() == 2 { tensor.t().contiguous() } else { tensor.clone() }
}

/// The book's name of each parameter that it has.
fn names(module: &dyn Module) -> Result<HashMap<String, String>, StateError> {
    let mut names = HashMap::new();
    // How many layers of either kind there were, and by path which one a bias belongs to.
    let (mut weights, mut norms) = (0, 0);
    let mut bias_names: HashMap<String, String> = HashMap::new();
    for (name, param) in module.params() {
        if param.is_buffer() {
            continue;
        }
        let (path, last) = name.rsplit_once('.').unwrap_or(("", &name));
        let in_book = match (last, param.value().rank()) {
            ("weight", 1) => {
                norms += 1;
                bias_names.insert(path.to_owned(), format!("beta{norms}"));
                Some(format!("gamma{norms}"))
            }
            ("weight", 2 | 4) => {
                weights += 1;
                bias_names.insert(path.to_owned(), format!("b{weights}"));
                Some(format!("W{weights}"))
            }
            ("bias", 1) => bias_names.remove(path),
            _ => None,
        };
        let shape = param.value().shape();
        let in_book = in_book
            .ok_or_else(|| StateError::new(format!("{name} of shape {shape} has no name in the book")))?;
        names.insert(name, in_book);
    }
    Ok(names)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{BatchNorm1d, Conv2d, Flatten, Layer, Linear, Lstm, Relu, Sequential};
    use gradus_tensor::Rng;

    #[test]
    fn the_rule_of_hidden_units() {
        assert_eq!((hidden_units(100, 3, 2, 2.0), hidden_units(0, 3, 2, 10.0)), (10.0, 0.0));
        // The notes print three digits.
        for (factor, printed) in [(2.0, 37.8), (10.0, 7.56)] {
            assert!((hidden_units(60_000, 784, 10, factor) / printed - 1.0).abs() < 5e-4);
        }
    }

    fn net(seed: u64) -> Sequential {
        let mut rng = Rng::seed(seed);
        Sequential::new()
            .push(Conv2d::new(1, 2, 3, &mut rng))
            .push(Flatten)
            .push(Linear::new(2 * 4 * 4, 5, &mut rng))
            .push(BatchNorm1d::new(5))
            .push(Relu)
            .push(Linear::new(5, 3, &mut rng).without_bias())
    }

    #[test]
    fn layers_are_counted_and_only_affine_weights_turned() {
        let net = net(1);
        let params = state_dict(&net).unwrap();
        let shapes: Vec<(&str, Vec<usize>)> =
            params.iter().map(|(name, tensor)| (&name[..], tensor.shape().to_vec())).collect();
        let expected: [(&str, &[usize]); 7] = [
            ("W1", &[2, 1, 3, 3]),
            ("W2", &[32, 5]),
            ("W3", &[5, 3]),
            ("b1", &[2]),
            ("b2", &[5]),
            ("beta1", &[5]),
            ("gamma1", &[5]),
        ];
        assert!(shapes.iter().map(|(n, s)| (*n, &s[..])).eq(expected), "{shapes:?}");
        // Element by element: W2[i][j] is weight[j][i].
        let weight = net.params()[2].1.value().clone();
        assert!((0..32).all(|i| (0..5).all(|j| params["W2"].get([i, j]) == weight.get([j, i]))));
    }

    #[test]
    fn what_goes_out_comes_back() {
        let (first, mut second) = (net(1), net(2));
        load_state_dict(&mut second, state_dict(&first).unwrap()).unwrap();
        let x = Tensor::randn([2, 1, 6, 6], &mut Rng::seed(3));
        assert_eq!(first.forward(x.clone()), second.forward(x));
    }

    #[test]
    fn all_that_does_not_fit_is_named_and_nothing_is_loaded() {
        let mut model = net(1);
        let before = state_dict(&model).unwrap();
        let mut params = before.clone();
        params.insert("W2".into(), Tensor::zeros([5, 32]));
        params.insert("W4".into(), Tensor::zeros([1]));
        params.remove("b1");
        let error = load_state_dict(&mut model, params).unwrap_err().to_string();
        let expected =
            "b1 is missing; W2 has shape [5, 32], the model's has [32, 5]; W4 has no place in the model";
        assert!(error.contains(expected), "{error}");
        assert_eq!(state_dict(&model).unwrap(), before);
        let lstm = Lstm::new(2, 3, &mut Rng::seed(0));
        assert!(state_dict(&lstm).unwrap_err().to_string().contains("has no name in the book"));
    }
}
