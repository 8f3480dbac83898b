//! Modules: things with parameters, visited by dotted names.

use gradus_autograd::{Gradients, Param};
use std::fmt;

/// Something with parameters: a layer, a model, a single parameter, a list of modules.
///
/// Parameters, with [buffers](Param::buffer) among them, are visited in the order of the fields, by dotted names such as
/// `conv1.weight`. Write it for a struct with [`module!`](crate::module!).
#[diagnostic::on_unimplemented(
    message = "`{Self}` is no module",
    label = "it has no parameters that a `Module` could visit",
    note = "for a struct write `module!(Net {{ hidden, output; classes }})`: the fields with parameters, and those without behind the `;`",
    note = "modules are layers, `Param`, and `Option`, `Box` and `Vec` of modules"
)]
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

/// Writes [`Module`] for a struct: names its fields once. Fields after a `;` hold no parameters. A field that is not named
/// does not compile, and the message names it.
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
///
/// Fields of tuple structs go by their numbers. Type parameters are modules, and may have a bound beside that, for which
/// the struct asks; constants stand with their type.
///
/// ```
/// use gradus_nn::{Layer, Linear, Module, module};
///
/// struct Pair(Linear, Linear, &'static str);
/// module!(Pair(0, 1; 2));
///
/// struct Ensemble<A, B: Layer, const N: usize> {
///     heads: [Option<A>; N],
///     body: B,
/// }
/// module!(Ensemble<A, B: Layer, const N: usize> { body; heads });
///
/// let linear = || Linear::new(1, 1, &mut gradus_tensor::Rng::seed(0));
/// let net = Ensemble::<Linear, _, 2> { heads: [None, None], body: linear() };
/// assert_eq!(net.params()[1].0, "body.bias");
/// assert_eq!(Pair(linear(), linear(), "a pair").params()[3].0, "1.bias");
/// ```
///
/// ```compile_fail,E0063
/// use gradus_nn::{Linear, module};
///
/// struct Net { hidden: Linear, output: Linear }
/// module!(Net { hidden }); // missing field `output` in initializer of `Net`
/// ```
#[macro_export]
macro_rules! module {
    ($Type:ident { $($fields:tt)* }) => {
        $crate::module! { @fields [$Type [] []] [] $($fields)* }
    };
    ($Type:ident ( $($fields:tt)* )) => {
        $crate::module! { @fields [$Type [] []] [] $($fields)* }
    };
    ($Type:ident < $($rest:tt)*) => {
        $crate::module! { @generics $Type [] [] $($rest)* }
    };

    // The parameters of the type, one after the other: how they are declared, and what they are called.
    (@generics $Type:ident $declared:tt $named:tt > { $($fields:tt)* }) => {
        $crate::module! { @fields [$Type $declared $named] [] $($fields)* }
    };
    (@generics $Type:ident $declared:tt $named:tt > ( $($fields:tt)* )) => {
        $crate::module! { @fields [$Type $declared $named] [] $($fields)* }
    };
    (@generics $Type:ident $declared:tt $named:tt , $($rest:tt)*) => {
        $crate::module! { @generics $Type $declared $named $($rest)* }
    };
    (@generics $Type:ident [$($declared:tt)*] [$($named:tt)*] const $N:ident: $Kind:ident $($rest:tt)*) => {
        $crate::module! { @generics $Type [$($declared)* const $N: $Kind,] [$($named)* $N,] $($rest)* }
    };
    (@generics $Type:ident [$($declared:tt)*] [$($named:tt)*] $T:ident: $Bound:ident $($rest:tt)*) => {
        $crate::module! { @generics $Type [$($declared)* $T: $Bound + $crate::Module,] [$($named)* $T,] $($rest)* }
    };
    (@generics $Type:ident [$($declared:tt)*] [$($named:tt)*] $T:ident $($rest:tt)*) => {
        $crate::module! { @generics $Type [$($declared)* $T: $crate::Module,] [$($named)* $T,] $($rest)* }
    };

    // The fields, which may be numbers: those with parameters, and behind a `;` those without.
    (@fields $type:tt $modules:tt) => {
        $crate::module! { @impl $type $modules [] }
    };
    (@fields $type:tt $modules:tt ; $($plain:tt),* $(,)?) => {
        $crate::module! { @impl $type $modules [$($plain)*] }
    };
    (@fields $type:tt [$($modules:tt)*] $field:tt $(, $($rest:tt)*)?) => {
        $crate::module! { @fields $type [$($modules)* $field] $($($rest)*)? }
    };
    (@fields $type:tt [$($modules:tt)*] $field:tt ; $($rest:tt)*) => {
        $crate::module! { @fields $type [$($modules)* $field] ; $($rest)* }
    };

    (@impl [$Type:ident [$($declared:tt)*] [$($named:tt)*]] [$($field:tt)*] [$($plain:tt)*]) => {
        impl<$($declared)*> $crate::Module for $Type<$($named)*> {
            fn visit<'a>(&'a self, path: &str, f: &mut dyn FnMut(&str, &'a $crate::Param)) {
                // Never called: a field that is forgotten is an error here, which names it. A pattern's error would not, as
                // fields are not of the macro.
                let _ = || -> Self { $Type { $($field: $crate::field(),)* $($plain: $crate::field(),)* } };
                $( $crate::Module::visit(&self.$field, &$crate::join(path, stringify!($field)), f); )*
                let _ = (path, f);
            }

            fn visit_mut<'a>(&'a mut self, path: &str, f: &mut dyn FnMut(&str, &'a mut $crate::Param)) {
                $( $crate::Module::visit_mut(&mut self.$field, &$crate::join(path, stringify!($field)), f); )*
                let _ = (path, f);
            }
        }
    };
}

/// A field of any type, for a struct that [`module!`](crate::module!) has the compiler check and never makes.
#[doc(hidden)]
pub fn field<T>() -> T {
    unreachable!("module! makes no struct")
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
