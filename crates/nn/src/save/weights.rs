//! Saving and loading the parameters of a module, by name.

use super::{DataError, load_tensors, save_tensors};
use crate::module::Module;
use gradus_tensor::Tensor;
use std::{
    collections::{BTreeMap, BTreeSet},
    path::Path,
};

/// Saves the parameters and buffers under their names, as a safetensors file. The file is complete or not there at all.
///
/// # Errors
/// When the file cannot be written.
pub fn save(module: &dyn Module, path: impl AsRef<Path>) -> Result<(), DataError> {
    let params = module.params();
    save_tensors(path, params.iter().map(|(name, param)| (name.clone(), param.value())), "")
}

/// Loads the parameters from a safetensors file. Either all of them are loaded, or the module stays as it is.
///
/// It may be a `state_dict` that PyTorch's users saved with `safetensors.torch.save_file`: layers have PyTorch's names,
/// shapes and buffers, and what [`save`] saves loads there, with `strict=True`.
///
/// # Errors
/// When the file cannot be read, or its names and shapes are not the module's: all that is missing, unexpected or of
/// another shape is named at once.
///
/// ```
/// use gradus_nn::{Linear, Module, load, save};
/// use gradus_tensor::Rng;
///
/// # let dir = tempfile::tempdir()?;
/// # let path = dir.path().join("weights.safetensors");
/// let mut rng = Rng::seed(0);
/// let trained = Linear::new(4, 2, &mut rng);
/// save(&trained, &path)?;
///
/// let mut fresh = Linear::new(4, 2, &mut rng);
/// load(&mut fresh, &path)?;
/// assert_eq!(fresh.weight.value(), trained.weight.value());
///
/// let other = load(&mut Linear::new(4, 3, &mut rng), &path).unwrap_err();
/// assert!(other.to_string().contains("weight has shape [2, 4] in the file, [3, 4] in the model"));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn load(module: &mut dyn Module, path: impl AsRef<Path>) -> Result<(), DataError> {
    let path = path.as_ref();
    set_params(module, load_tensors(path)?).map_err(|faults| DataError::new(path, faults))
}

/// Sets all parameters by name. Either all of them are set, or the module stays as it is and the faults are named.
pub(crate) fn set_params(module: &mut dyn Module, mut found: BTreeMap<String, Tensor>) -> Result<(), String> {
    check_params(module, &found)?;
    for (name, param) in module.params_mut() {
        *param.value_mut() = found.remove(&name).expect("checked above");
    }
    Ok(())
}

/// Says what is missing, unexpected or of another shape.
pub(crate) fn check_params(module: &dyn Module, found: &BTreeMap<String, Tensor>) -> Result<(), String> {
    let mut faults = Vec::new();
    let params = module.params();
    for (name, param) in &params {
        match found.get(name) {
            None => faults.push(format!("{name} is missing")),
            Some(value) if value.shape() != param.value().shape() => faults.push(format!(
                "{name} has shape {} in the file, {} in the model",
                value.shape(),
                param.value().shape()
            )),
            Some(_) => {}
        }
    }
    let known: BTreeSet<&String> = params.iter().map(|(name, _)| name).collect();
    let unexpected = found.keys().filter(|name| !known.contains(name));
    faults.extend(unexpected.map(|name| format!("{name} is not in the model")));
    if faults.is_empty() { Ok(()) } else { Err(faults.join("; ")) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Layer, Linear, Relu, Sequential};
    use gradus_tensor::Rng;

    fn net(seed: u64, hidden: usize) -> Sequential {
        let mut rng = Rng::seed(seed);
        Sequential::new()
            .push(Linear::new(4, hidden, &mut rng))
            .push(Relu)
            .push(Linear::new(hidden, 2, &mut rng).without_bias())
    }

    #[test]
    fn a_saved_model_predicts_the_same() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("net.safetensors");
        let (first, mut second) = (net(1, 5), net(2, 5));
        save(&first, &path).unwrap();
        load(&mut second, &path).unwrap();
        let x = Tensor::randn([3, 4], &mut Rng::seed(3));
        assert_eq!(first.forward(x.clone()), second.forward(x));
    }

    #[test]
    fn everything_that_does_not_fit_is_named_and_nothing_is_loaded() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("net.safetensors");
        save(&net(1, 6), &path).unwrap();
        let mut other = net(2, 5).push(Linear::new(2, 2, &mut Rng::seed(3)).without_bias());
        let before: Vec<Tensor> = other.params().iter().map(|(_, p)| p.value().clone()).collect();
        let message = load(&mut other, &path).unwrap_err().to_string();
        for part in [
            "net.safetensors",
            "0.weight has shape [6, 4] in the file, [5, 4] in the model",
            "0.bias has shape [6] in the file, [5] in the model",
            "2.weight has shape [2, 6] in the file, [2, 5] in the model",
            "3.weight is missing",
        ] {
            assert!(message.contains(part), "{message}");
        }
        let after: Vec<Tensor> = other.params().iter().map(|(_, p)| p.value().clone()).collect();
        assert_eq!(before, after);
        let message = load(&mut Linear::new(4, 6, &mut Rng::seed(1)), &path).unwrap_err().to_string();
        assert!(
            message.contains("weight is missing") && message.contains("2.weight is not in the model"),
            "{message}"
        );
    }
}
