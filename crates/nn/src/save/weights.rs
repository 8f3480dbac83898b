//! The parameters of a module by name: as tensors, in files, and back.

use super::{
    DataError, StateError,
    safetensors::{insert, read_tensors, save_tensors},
};
use crate::module::Module;
use gradus_tensor::Tensor;
use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
    path::Path,
};

/// The parameters and buffers by name, as PyTorch's `state_dict`. The tensors are shared, not copied.
///
/// # Errors
/// When two parameters have one name.
///
/// ```
/// use gradus_nn::{Linear, LoadOptions, load_state_dict, state_dict};
/// use gradus_tensor::{Rng, Tensor};
///
/// let mut layer = Linear::new(2, 1, &mut Rng::seed(0));
/// let mut tensors = state_dict(&layer)?;
/// tensors.insert("bias".to_string(), Tensor::from([5.0]));
/// load_state_dict(&mut layer, tensors, &LoadOptions::default())?;
/// assert_eq!(layer.bias.unwrap().value().to_vec(), [5.0]);
/// # Ok::<(), gradus_nn::StateError>(())
/// ```
pub fn state_dict(module: &dyn Module) -> Result<BTreeMap<String, Tensor>, StateError> {
    let mut tensors = BTreeMap::new();
    for (name, param) in module.params() {
        if tensors.insert(name.clone(), param.value().clone()).is_some() {
            return Err(StateError::new(format!("the model names two parameters {name}")));
        }
    }
    Ok(tensors)
}

/// Saves the parameters and buffers under their names, as a safetensors file. The file is complete or not there at all.
///
/// # Errors
/// When the file cannot be written, or two parameters have one name.
pub fn save(module: &dyn Module, path: impl AsRef<Path>) -> Result<(), DataError> {
    let params = module.params();
    save_tensors(path, params.iter().map(|(name, param)| (name.clone(), param.value())), "")
}

/// Loads the parameters from a safetensors file or, with the feature `pt`, from one of `torch.save`. Either all of them are
/// loaded, or the module stays as it is.
///
/// It may be a `state_dict` that PyTorch's users saved with `safetensors.torch.save_file`: layers have PyTorch's names,
/// shapes and buffers, and what [`save`] saves loads there, with `strict=True`. What kinds of elements are read says
/// [`load_tensors`](crate::load_tensors). [`load_with`] loads parts of a model, and tensors of other names.
///
/// # Errors
/// When the file cannot be read, or its names and shapes are not the module's: what is missing, unexpected or of another
/// shape is named, as is a part such as `module.` that all names of one side begin with. When the module names two parameters
/// alike.
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
    load_with(module, path, &LoadOptions::default()).map(|_| ())
}

/// Gives the name of a tensor in a module, from its own; none to leave it out.
pub type Rename<'a> = &'a dyn Fn(&str) -> Option<String>;

/// How tensors by name become a module's parameters: all of them, under their own names, unless it says otherwise.
#[derive(Clone, Copy)]
pub struct LoadOptions<'a> {
    /// Whether every parameter must be among the tensors, and every tensor a parameter. Otherwise those that are on both
    /// sides are set, which must be at least one; their shapes must agree all the same.
    pub strict: bool,
    /// Other names for the tensors, or for some none.
    pub rename: Option<Rename<'a>>,
}

impl Default for LoadOptions<'_> {
    fn default() -> Self {
        LoadOptions { strict: true, rename: None }
    }
}

impl fmt::Debug for LoadOptions<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "LoadOptions(strict {}, renaming {})", self.strict, self.rename.is_some())
    }
}

impl LoadOptions<'_> {
    fn renamed(&self, name: &str) -> Option<String> {
        self.rename.map_or_else(|| Some(name.to_owned()), |rename| rename(name))
    }
}

/// What was not loaded, where that is allowed: PyTorch's `missing_keys` and `unexpected_keys`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Unmatched {
    /// Parameters that are not among the tensors, which stayed as they were.
    pub missing: Vec<String>,
    /// Tensors that are no parameters, by their new names.
    pub unexpected: Vec<String>,
}

/// Loads parameters from a file, as [`load`], with options: some of them, or under other names. Either all that fit are loaded,
/// or the module stays as it is. Returns what was not loaded.
///
/// # Errors
/// As [`load`]; without `strict` when no name is on both sides, or a shape is not the module's. When two tensors get one name.
///
/// ```
/// use gradus_nn::{Linear, LoadOptions, Sequential, load_with, save};
/// use gradus_tensor::Rng;
///
/// # let dir = tempfile::tempdir()?;
/// # let path = dir.path().join("weights.safetensors");
/// let mut rng = Rng::seed(0);
/// let two = || Sequential::new().push(Linear::new(4, 3, &mut Rng::seed(0))).push(Linear::new(3, 2, &mut Rng::seed(1)));
/// save(&two(), &path)?;
///
/// // The first layer of a net as a layer of its own: "0.weight" is its "weight".
/// let mut first = Linear::new(4, 3, &mut rng);
/// let rename = |name: &str| name.strip_prefix("0.").map(str::to_string);
/// load_with(&mut first, &path, &LoadOptions { rename: Some(&rename), ..Default::default() })?;
///
/// // A net with one layer more, which stays as it was.
/// let mut three = two().push(Linear::new(2, 2, &mut rng));
/// let unmatched = load_with(&mut three, &path, &LoadOptions { strict: false, ..Default::default() })?;
/// assert_eq!(unmatched.missing, ["2.weight", "2.bias"]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn load_with(
    module: &mut dyn Module,
    path: impl AsRef<Path>,
    options: &LoadOptions<'_>,
) -> Result<Unmatched, DataError> {
    let path = path.as_ref();
    let tensors = read_tensors(path, &|name| options.renamed(name))?;
    set_params(module, tensors, options.strict, "the file").map_err(|faults| DataError::new(path, faults))
}

/// Sets parameters by name from tensors in memory, as PyTorch's `load_state_dict`. Either all that fit are set, or the
/// module stays as it is. Returns what was not set.
///
/// # Errors
/// As [`load_with`]. An example is at [`state_dict`].
pub fn load_state_dict(
    module: &mut dyn Module,
    tensors: BTreeMap<String, Tensor>,
    options: &LoadOptions<'_>,
) -> Result<Unmatched, StateError> {
    let mut renamed = BTreeMap::new();
    for (name, tensor) in tensors {
        if let Some(new_name) = options.renamed(&name) {
            insert(&mut renamed, &name, new_name, tensor).map_err(StateError::new)?;
        }
    }
    set_params(module, renamed, options.strict, "the tensors").map_err(StateError::new)
}

/// Sets parameters by name. Either all that fit are set, or the module stays as it is and the faults are named; `source` is
/// where the tensors come from.
pub(crate) fn set_params(
    module: &mut dyn Module,
    mut found: BTreeMap<String, Tensor>,
    strict: bool,
    source: &str,
) -> Result<Unmatched, String> {
    let unmatched = check_params(module, &found, strict, source)?;
    for (name, param) in module.params_mut() {
        if let Some(value) = found.remove(&name) {
            *param.value_mut() = value;
        }
    }
    Ok(unmatched)
}

/// Says what is missing, unexpected or of another shape, or named twice by the module.
pub(crate) fn check_params(
    module: &dyn Module,
    found: &BTreeMap<String, Tensor>,
    strict: bool,
    source: &str,
) -> Result<Unmatched, String> {
    let wanted = state_dict(module).map_err(|error| error.to_string())?;
    let params = module.params();
    let mut unmatched = Unmatched::default();
    let mut faults = Vec::new();
    for (name, param) in &params {
        match found.get(name) {
            None => unmatched.missing.push(name.clone()),
            Some(value) if value.shape() != param.value().shape() => faults.push(format!(
                "{name} has shape {} in {source}, {} in the model",
                value.shape(),
                param.value().shape()
            )),
            Some(_) => {}
        }
    }
    unmatched.unexpected = found.keys().filter(|name| !wanted.contains_key(*name)).cloned().collect();
    let nothing = unmatched.missing.len() == params.len() && !params.is_empty();
    if strict || nothing {
        faults.extend(unmatched.missing.iter().map(|name| format!("{name} is missing")));
        faults.extend(unmatched.unexpected.iter().map(|name| format!("{name} is not in the model")));
    }
    if faults.is_empty() {
        return Ok(unmatched);
    }
    // First, because the list that explains it is long.
    let mut message = prefix_hint(&unmatched, &wanted, found, source).unwrap_or_default();
    message += &listed(&faults);
    Err(message)
}

/// The most faults that are told one by one.
const MOST_FAULTS: usize = 10;

/// A list of sentences, cut with a count where it is long.
fn listed(faults: &[String]) -> String {
    let mut text = faults[..faults.len().min(MOST_FAULTS)].join("; ");
    if faults.len() > MOST_FAULTS {
        text += &format!("; and {} more", faults.len() - MOST_FAULTS);
    }
    text
}

/// What all names of one side begin with and those of the other do not, and how to load all the same.
fn prefix_hint(
    unmatched: &Unmatched,
    wanted: &BTreeMap<String, Tensor>,
    found: &BTreeMap<String, Tensor>,
    source: &str,
) -> Option<String> {
    let rename = "load with LoadOptions { rename, .. }, where rename is";
    if let Some(prefix) = prefix(&unmatched.unexpected, found.keys(), wanted) {
        return Some(format!(
            "all names of {source} begin with {prefix}: {rename} \
             |name| name.strip_prefix({prefix:?}).map(str::to_string); "
        ));
    }
    let prefix = prefix(&unmatched.missing, wanted.keys(), found)?;
    Some(format!(
        "all names of the model begin with {prefix}, those of {source} do not: {rename} \
         |name| Some(format!(\"{prefix}{{name}}\")); "
    ))
}

/// What all names begin with such that the others have one of `strangers` without it; it ends with a dot.
fn prefix<'a>(
    strangers: &[String],
    mut names: impl Iterator<Item = &'a String>,
    others: &BTreeMap<String, Tensor>,
) -> Option<String> {
    let stranger = strangers.first()?;
    let mut dots = stranger.match_indices('.').map(|(at, _)| stranger.split_at(at + 1));
    let (prefix, _) = dots.find(|(_, rest)| others.contains_key(*rest))?;
    names.all(|name| name.starts_with(prefix)).then(|| prefix.to_owned())
}

/// The first name that is there twice.
pub(crate) fn named_twice<'a>(names: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let mut seen = BTreeSet::new();
    names.into_iter().find(|name| !seen.insert(*name))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Layer, Linear, Param, Relu, Sequential, join};
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

    fn named(names: &[&str]) -> BTreeMap<String, Tensor> {
        names.iter().map(|name| (name.to_string(), Tensor::ones([2]))).collect()
    }

    /// A parameter of two elements under each of these names.
    struct Named(Vec<(&'static str, Param)>);

    impl Named {
        fn new(names: &[&'static str]) -> Named {
            Named(names.iter().map(|name| (*name, Param::new([0.0, 0.0]))).collect())
        }

        fn values(&self) -> Vec<f32> {
            self.0.iter().map(|(_, param)| param.value().get([0])).collect()
        }
    }

    impl Module for Named {
        fn visit<'a>(&'a self, path: &str, f: &mut dyn FnMut(&str, &'a Param)) {
            self.0.iter().for_each(|(name, param)| f(&join(path, name), param));
        }

        fn visit_mut<'a>(&'a mut self, path: &str, f: &mut dyn FnMut(&str, &'a mut Param)) {
            self.0.iter_mut().for_each(|(name, param)| f(&join(path, name), param));
        }
    }

    fn set(module: &mut Named, names: &[&str], options: &LoadOptions<'_>) -> Result<Unmatched, String> {
        load_state_dict(module, named(names), options).map_err(|error| error.to_string())
    }

    const LOOSE: LoadOptions<'static> = LoadOptions { strict: false, rename: None };

    #[test]
    fn without_strict_what_fits_is_set_and_the_rest_is_told() {
        let mut module = Named::new(&["a", "b"]);
        let unmatched = set(&mut module, &["b", "c"], &LOOSE).unwrap();
        assert_eq!(module.values(), [0.0, 1.0]);
        assert_eq!(
            (&unmatched.missing[..], &unmatched.unexpected[..]),
            (&["a".to_owned()][..], &["c".to_owned()][..])
        );
        // Loading nothing is no way of loading.
        let error = set(&mut module, &["c"], &LOOSE).unwrap_err();
        assert_eq!(error, "a is missing; b is missing; c is not in the model");
        // Nor is another shape.
        let wrong =
            BTreeMap::from([("a".to_owned(), Tensor::ones([3])), ("b".to_owned(), Tensor::zeros([2]))]);
        let error = load_state_dict(&mut module, wrong, &LOOSE).unwrap_err().to_string();
        assert_eq!(error, "a has shape [3] in the tensors, [2] in the model");
        assert_eq!(module.values(), [0.0, 1.0]);
    }

    #[test]
    fn tensors_are_renamed_or_left_out() {
        let mut module = Named::new(&["a", "b"]);
        let rename = |name: &str| name.strip_prefix("net.").map(str::to_owned);
        let options = LoadOptions { rename: Some(&rename), ..Default::default() };
        assert_eq!(set(&mut module, &["net.a", "net.b", "head.c"], &options).unwrap(), Unmatched::default());
        assert_eq!(module.values(), [1.0, 1.0]);
        let same = |_: &str| Some("a".to_owned());
        let options = LoadOptions { rename: Some(&same), ..Default::default() };
        let error = set(&mut module, &["x", "y"], &options).unwrap_err();
        assert_eq!(error, "tensor y becomes a second one of the name a");
    }

    #[test]
    fn a_common_prefix_is_noticed_on_either_side() {
        let plain = LoadOptions::default();
        let error = set(&mut Named::new(&["a.w", "b"]), &["module.a.w", "module.b"], &plain).unwrap_err();
        assert!(
            error.starts_with(
                "all names of the tensors begin with module.: load with LoadOptions { rename, .. }, where rename is \
                 |name| name.strip_prefix(\"module.\").map(str::to_string); a.w is missing; "
            ),
            "{error}"
        );
        let error = set(&mut Named::new(&["net.0.a", "net.0.b"]), &["a", "b"], &plain).unwrap_err();
        assert!(
            error.starts_with(
                "all names of the model begin with net.0., those of the tensors do not: load with LoadOptions \
                 { rename, .. }, where rename is |name| Some(format!(\"net.0.{name}\")); "
            ),
            "{error}"
        );
        // One of several parts has it, or a name only ends alike.
        for names in [["module.a", "b"], ["xa", "xb"]] {
            let error = set(&mut Named::new(&["a", "b"]), &names, &plain).unwrap_err();
            assert!(!error.contains("rename"), "{error}");
        }
    }

    #[test]
    fn long_lists_are_cut_with_a_count() {
        let names: Vec<String> = (10..60).map(|i| format!("p{i}")).collect();
        let names: Vec<&str> = names.iter().map(|name| &name[..]).collect();
        let error = set(&mut Named::new(&["a"]), &names, &LoadOptions::default()).unwrap_err();
        assert!(error.starts_with("a is missing; p10 is not in the model; "), "{error}");
        assert!(error.ends_with("p18 is not in the model; and 41 more"), "{error}");
    }

    #[test]
    fn a_model_that_names_two_parameters_alike_is_refused_before_anything_changes() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("file");
        save(&Named::new(&["a", "b"]), &path).unwrap();
        let mut module = Named::new(&["a", "b", "a"]);
        let error = load(&mut module, &path).unwrap_err();
        assert_eq!(error.reason, "the model names two parameters a");
        assert_eq!(set(&mut module, &["a", "b"], &LOOSE).unwrap_err(), error.reason);
        assert_eq!(module.values(), [0.0; 3]);
        assert_eq!(state_dict(&module).unwrap_err().to_string(), error.reason);
        let before = std::fs::read(&path).unwrap();
        assert_eq!(save(&module, &path).unwrap_err().reason, "two tensors are named a");
        assert_eq!(std::fs::read(&path).unwrap(), before);
    }
}
