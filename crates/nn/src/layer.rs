//! Layers: modules that map a value to a value; and boxes and lists of them.

use crate::module::Module;
use gradus_autograd::{Formula, Param, Value, Var};
use gradus_tensor::{Part, Tensor, Within};

/// A module that maps a value to a value: on tensors it predicts, on variables it is recorded.
///
/// ```
/// use gradus_nn::{Layer, Linear, module};
/// use gradus_autograd::prelude::*;
///
/// struct Net { hidden: Linear, output: Linear }
/// module!(Net { hidden, output });
///
/// impl Layer for Net {
///     fn forward<V: Value>(&self, x: V) -> V {
///         self.output.forward(self.hidden.forward(x).relu())
///     }
/// }
///
/// let mut rng = Rng::seed(0);
/// let net = Net { hidden: Linear::new(4, 8, &mut rng), output: Linear::new(8, 2, &mut rng) };
/// assert_eq!(net.forward(Tensor::ones([3, 4])).shape(), &[3, 2]);
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` is no layer",
    label = "it has no `forward` from one value to one value",
    note = "write `impl Layer for` your type: `fn forward<V: Value>(&self, x: V) -> V`, and `module!` for its parameters",
    note = "what is no type of its own, as a closure, goes into the `forward` of a model"
)]
pub trait Layer: Module {
    /// The layer's output.
    fn forward<V: Value>(&self, x: V) -> V;

    /// What it is, for messages: the name of its type, `Linear`.
    fn kind(&self) -> &'static str {
        let name = std::any::type_name::<Self>();
        let path = name.split('<').next().unwrap_or(name);
        path.rsplit("::").next().unwrap_or(path)
    }
}

/// What a box of a layer can be called through; every [`Layer`] that can be copied and sent has it.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be one of the layers of a box or a `Sequential`",
    note = "it needs `Layer`, `Clone`, `Send` and `Sync`, and may borrow nothing: write `#[derive(Clone)]` above it and `impl Layer for` it"
)]
pub trait DynLayer: Module + Send + Sync {
    /// [`Layer::forward`] on a tensor.
    #[track_caller]
    fn forward_tensor(&self, x: Tensor) -> Tensor;

    /// [`Layer::forward`] on a variable.
    #[track_caller]
    fn forward_var<'t>(&self, x: Var<'t>) -> Var<'t>;

    /// [`Layer::kind`].
    fn dyn_kind(&self) -> &'static str;

    /// A copy with parameters of its own.
    fn boxed_clone(&self) -> Box<dyn DynLayer + Send + Sync>;
}

impl<L: Layer + Clone + Send + Sync + 'static> DynLayer for L {
    #[track_caller]
    fn forward_tensor(&self, x: Tensor) -> Tensor {
        self.forward(x)
    }

    #[track_caller]
    fn forward_var<'t>(&self, x: Var<'t>) -> Var<'t> {
        self.forward(x)
    }

    fn dyn_kind(&self) -> &'static str {
        self.kind()
    }

    fn boxed_clone(&self) -> Box<dyn DynLayer + Send + Sync> {
        Box::new(self.clone())
    }
}

struct AsFormula<'a, D: ?Sized>(&'a D);

impl<D: DynLayer + ?Sized> Formula for AsFormula<'_, D> {
    #[track_caller]
    fn on_tensor(&self, x: Tensor) -> Tensor {
        self.0.forward_tensor(x)
    }

    #[track_caller]
    fn on_var<'t>(&self, x: Var<'t>) -> Var<'t> {
        self.0.forward_var(x)
    }
}

impl<D: DynLayer + ?Sized> Layer for Box<D> {
    #[track_caller]
    fn forward<V: Value>(&self, x: V) -> V {
        x.through(&AsFormula(&**self))
    }

    fn kind(&self) -> &'static str {
        (**self).dyn_kind()
    }
}

macro_rules! clone {
    ($($Dyn:ty),*) => {$(
        impl Clone for Box<$Dyn> {
            /// A copy with parameters of its own.
            fn clone(&self) -> Box<$Dyn> {
                (**self).boxed_clone()
            }
        }
    )*};
}

clone!(dyn DynLayer, dyn DynLayer + Send, dyn DynLayer + Sync, dyn DynLayer + Send + Sync);

/// Layers one after the other, chosen at run time.
///
/// A copy has parameters of its own, with the same values: it is trained by itself. What goes wrong inside is reported with
/// the place of the layer, which is that in the names of its parameters, and with what it is.
///
/// ```
/// use gradus_nn::{Layer, Linear, Relu, Sequential};
/// use gradus_tensor::{Rng, Tensor};
///
/// let mut rng = Rng::seed(0);
/// let net = Sequential::new().push(Linear::new(4, 8, &mut rng)).push(Relu).push(Linear::new(8, 2, &mut rng));
/// assert_eq!(net.forward(Tensor::ones([3, 4])).shape(), &[3, 2]);
/// ```
///
/// ```should_panic
/// # use gradus_nn::{Layer, Linear, Relu, Sequential};
/// # use gradus_tensor::{Rng, Tensor};
/// # let mut rng = Rng::seed(0);
/// let inner = Sequential::new().push(Relu).push(Linear::new(3, 2, &mut rng));
/// let net = Sequential::new().push(Linear::new(4, 8, &mut rng)).push(inner);
/// // linear: x [3, 8] has 8 features, the weight [2, 3] takes 3; in layer 1.1, Linear
/// net.forward(Tensor::ones([3, 4]));
/// ```
#[derive(Clone, Default)]
pub struct Sequential {
    layers: Vec<Box<dyn DynLayer>>,
}

impl Sequential {
    /// No layers: the identity.
    pub fn new() -> Sequential {
        Sequential::default()
    }

    /// Adds a layer at the end.
    pub fn push(mut self, layer: impl Layer + Clone + Send + Sync + 'static) -> Sequential {
        self.layers.push(Box::new(layer));
        self
    }

    /// The number of layers.
    pub fn len(&self) -> usize {
        self.layers.len()
    }

    /// Whether there are no layers.
    pub fn is_empty(&self) -> bool {
        self.layers.is_empty()
    }

    /// What comes out of every layer, for a look inside: see [`train::Statistics`](crate::train::Statistics).
    ///
    /// ```
    /// use gradus_nn::{Linear, Relu, Sequential, train::dead_units};
    /// use gradus_tensor::{Rng, Tensor};
    ///
    /// let mut rng = Rng::seed(0);
    /// let net = Sequential::new().push(Linear::new(4, 8, &mut rng)).push(Relu);
    /// let outputs = net.activations(Tensor::randn([100, 4], &mut rng));
    /// assert_eq!(outputs.len(), 2);
    /// assert_eq!(dead_units(&outputs[1]), 0.0);
    /// ```
    #[track_caller]
    pub fn activations(&self, mut x: Tensor) -> Vec<Tensor> {
        let mut outputs = Vec::with_capacity(self.len());
        for (i, layer) in self.layers.iter().enumerate() {
            let _part = Within::new(Part::Place(i), layer.kind());
            x = layer.forward(x);
            outputs.push(x.clone());
        }
        outputs
    }
}

impl std::fmt::Debug for Sequential {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Sequential of {} layers, {} parameters", self.len(), self.param_count())
    }
}

/// Its layers are named by their positions: `0.weight`, `2.weight`.
impl Module for Sequential {
    fn visit<'a>(&'a self, path: &str, f: &mut dyn FnMut(&str, &'a Param)) {
        self.layers.visit(path, f);
    }

    fn visit_mut<'a>(&'a mut self, path: &str, f: &mut dyn FnMut(&str, &'a mut Param)) {
        self.layers.visit_mut(path, f);
    }
}

impl Layer for Sequential {
    #[track_caller]
    fn forward<V: Value>(&self, mut x: V) -> V {
        // No closure here: a fold's would hide the caller's line.
        for (i, layer) in self.layers.iter().enumerate() {
            let _part = Within::new(Part::Place(i), layer.kind());
            x = layer.forward(x);
        }
        x
    }
}
