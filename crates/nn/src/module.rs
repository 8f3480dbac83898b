//! Modules: things with parameters, visited by dotted names.

use gradus_autograd::{Gradients, Param};
use std::fmt;

/// Something with parameters: a layer, a model, a single parameter, a list of modules.
///
/// Parameters, with [buffers](Param::buffer) among them, are visited in the order of the fields, by dotted names such as
/// `conv1.weight`. Write it for a struct with [`module!`](crate::module!).
pub trait Module {
    /// Calls `f` with the name and the parameter, for every parameter. `path` goes before the names.
    fn visit<'a>(&'a self, path: &str, f: &mut dyn FnMut(&str, &'a Param));

    /// Calls `f` with the name and the parameter for changing, for every parameter.
    fn visit_mut<'a>(&'a mut self, path: &str, f: &mut dyn FnMut(&str, &'a mut Param));

    /// All parameters and buffers with their names.
    fn params(&self) -> Vec<(String, &Param)> {
        let mut all = Vec::new();
        self.visit("", &mut |name, param| all.push((name.to_string(), param)));
        all
    }

    /// All parameters and buffers with their names, for changing, all at once.
    fn params_mut(&mut self) -> Vec<(String, &mut Param)> {
        let mut all = Vec::new();
        self.visit_mut("", &mut |name, param| all.push((name.to_string(), param)));
        all
    }

    /// The number of parameter elements, without those of buffers.
    fn param_count(&self) -> usize {
        self.params()
            .iter()
            .filter(|(_, param)| !param.is_buffer())
            .map(|(_, param)| param.value().numel())
            .sum()
    }
}

/// Makes the changes of all buffers of a model that its forward pass asked for, such as moving the running averages of
/// batch normalisation. Optimizers do it in their step; this is for a loop without one.
///
/// ```
/// use gradus_autograd::prelude::*;
/// use gradus_nn::{BatchNorm1d, Layer, update_buffers};
///
/// let mut norm = BatchNorm1d::new(1);
/// let (_, gradients, ()) = Tape::training(0)
///     .step(|tape| (norm.forward(tape.constant([[1.0], [3.0]])).sum(), ()));
/// update_buffers(&mut norm, &gradients);
/// assert_eq!(norm.running_mean.value().to_vec(), [0.2]); // a tenth of the way from 0 to the batch's 2
/// ```
pub fn update_buffers(model: &mut dyn Module, gradients: &Gradients) {
    model.visit_mut("", &mut |_, param| gradients.update_buffer(param));
}

/// Writes [`Module`] for a struct, which may have a parameter like `<const N: usize>`: names its fields once. Fields after a
/// `;` hold no parameters. A field that is not named does not compile.
///
/// ```
/// use gradus_nn::{Linear, Module, module};
///
/// struct Net {
///     hidden: Linear,
///     output: Linear,
///     classes: usize,
/// }
/// module!(Net { hidden, output; classes });
///
/// let mut rng = gradus_tensor::Rng::seed(0);
/// let net = Net { hidden: Linear::new(4, 3, &mut rng), output: Linear::new(3, 2, &mut rng), classes: 2 };
/// let names: Vec<String> = net.params().into_iter().map(|(name, _)| name).collect();
/// assert_eq!(names, ["hidden.weight", "hidden.bias", "output.weight", "output.bias"]);
/// ```
#[macro_export]
macro_rules! module {
    ($Type:ident $(<const $N:ident: usize>)? { $($field:ident),* $(,)? $(; $($plain:ident),* $(,)?)? }) => {
        impl $(<const $N: usize>)? $crate::Module for $Type $(<$N>)? {
            fn visit<'a>(&'a self, path: &str, f: &mut dyn FnMut(&str, &'a $crate::Param)) {
                // Every field by name: one that is forgotten is an error here.
                let $Type { $($field,)* $($($plain: _,)*)? } = self;
                $( $crate::Module::visit($field, &$crate::join(path, stringify!($field)), f); )*
                let _ = (path, f);
            }

            fn visit_mut<'a>(&'a mut self, path: &str, f: &mut dyn FnMut(&str, &'a mut $crate::Param)) {
                let $Type { $($field,)* $($($plain: _,)*)? } = self;
                $( $crate::Module::visit_mut($field, &$crate::join(path, stringify!($field)), f); )*
                let _ = (path, f);
            }
        }
    };
}

/// A name below a path: `conv1` and `weight` give `conv1.weight`.
pub fn join(path: &str, name: &str) -> String {
    if path.is_empty() { name.to_string() } else { format!("{path}.{name}") }
}

impl Module for Param {
    fn visit<'a>(&'a self, path: &str, f: &mut dyn FnMut(&str, &'a Param)) {
        f(path, self);
    }

    fn visit_mut<'a>(&'a mut self, path: &str, f: &mut dyn FnMut(&str, &'a mut Param)) {
        f(path, self);
    }
}

impl<M: Module> Module for Option<M> {
    fn visit<'a>(&'a self, path: &str, f: &mut dyn FnMut(&str, &'a Param)) {
        if let Some(module) = self {
            module.visit(path, f);
        }
    }

    fn visit_mut<'a>(&'a mut self, path: &str, f: &mut dyn FnMut(&str, &'a mut Param)) {
        if let Some(module) = self {
            module.visit_mut(path, f);
        }
    }
}

impl<M: Module + ?Sized> Module for Box<M> {
    fn visit<'a>(&'a self, path: &str, f: &mut dyn FnMut(&str, &'a Param)) {
        (**self).visit(path, f);
    }

    fn visit_mut<'a>(&'a mut self, path: &str, f: &mut dyn FnMut(&str, &'a mut Param)) {
        (**self).visit_mut(path, f);
    }
}

/// Its modules are named by their positions: `0`, `1`, ...
impl<M: Module> Module for Vec<M> {
    fn visit<'a>(&'a self, path: &str, f: &mut dyn FnMut(&str, &'a Param)) {
        for (i, module) in self.iter().enumerate() {
            module.visit(&join(path, &i.to_string()), f);
        }
    }

    fn visit_mut<'a>(&'a mut self, path: &str, f: &mut dyn FnMut(&str, &'a mut Param)) {
        for (i, module) in self.iter_mut().enumerate() {
            module.visit_mut(&join(path, &i.to_string()), f);
        }
    }
}

/// A table of a module's parameters: name, shape, number of elements; and their total, which leaves buffers out. What is
/// not trained is marked. What a model does with them is shown by [`Summary`](crate::Summary).
pub struct Parameters<'a>(pub &'a dyn Module);

impl fmt::Debug for Parameters<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl fmt::Display for Parameters<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let params = self.0.params();
        let width = params.iter().map(|(name, _)| name.len()).max().unwrap_or(0).max(5);
        for (name, param) in &params {
            let shape = format!("{:?}", &param.value().shape()[..]);
            let mark = match (param.is_buffer(), param.is_frozen()) {
                (true, _) => "  buffer",
                (false, true) => "  frozen",
                (false, false) => "",
            };
            writeln!(f, "{name:width$}  {shape:16} {:>9}{mark}", param.value().numel())?;
        }
        write!(f, "{:width$}  {:16} {:>9}", "total", "", self.0.param_count())
    }
}
