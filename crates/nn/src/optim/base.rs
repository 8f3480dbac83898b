//! What all optimizers have in common: settings for groups of parameters, and state by parameter name.

use crate::{
    module::{Module, join, update_buffers},
    save::{State, StateError, named_twice},
};
use gradus_autograd::{Gradients, Param};
use gradus_tensor::{Shape, Tensor, Update, kernels::update::UpdateFn, update_all};
use std::{borrow::Cow, collections::BTreeMap, fmt, sync::Arc};

/// The learning rate and weight decay, those of groups of parameters, and the state by parameter name: the part that
/// is the same in every [`Optimizer`](super::Optimizer). An optimizer of your own has one too, see there.
#[derive(Clone, Debug)]
pub struct Base {
    /// The optimizer's name, which a saved state carries.
    name: &'static str,
    pub(super) lr: f64,
    pub(super) weight_decay: f64,
    pub(super) groups: Vec<Group>,
    slots: BTreeMap<String, Slot>,
    /// Whether the slots have one rank's rows of what is remembered.
    is_split: bool,
}

/// Other settings for some of the parameters; see [`Optimizer::group`](super::Optimizer::group).
#[derive(Clone)]
pub struct Group {
    chosen: Chosen,
    lr_factor: f64,
    weight_decay: Option<f64>,
}

type Chosen = Arc<dyn Fn(&str, &Param) -> bool + Send + Sync>;

impl Group {
    /// The parameters for which `chosen(name, parameter)` holds, with no setting changed yet.
    pub fn new(chosen: impl Fn(&str, &Param) -> bool + Send + Sync + 'static) -> Group {
        Group { chosen: Arc::new(chosen), lr_factor: 1.0, weight_decay: None }
    }

    /// Biases, the scales of norms, and whatever else has fewer than two axes.
    pub fn vectors() -> Group {
        Group::new(|_, param| param.value().rank() < 2)
    }

    /// Their learning rate is this multiple of the optimizer's, so that a schedule moves both.
    ///
    /// # Panics
    /// When it is negative or not finite.
    #[track_caller]
    pub fn lr_factor(self, lr_factor: f64) -> Group {
        check("lr_factor", lr_factor);
        Group { lr_factor, ..self }
    }

    /// Their weight decay, instead of the optimizer's.
    ///
    /// # Panics
    /// When it is negative or not finite.
    #[track_caller]
    pub fn weight_decay(self, weight_decay: f64) -> Group {
        check("weight_decay", weight_decay);
        Group { weight_decay: Some(weight_decay), ..self }
    }
}

impl fmt::Debug for Group {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Group(lr_factor {}, weight_decay {:?})", self.lr_factor, self.weight_decay)
    }
}

/// What decays an average: a share that stays, below 1.
#[track_caller]
pub(super) fn check_share(optimizer: &str, name: &str, value: f64) {
    assert!((0.0..1.0).contains(&value), "{optimizer}: {name} is {value}; it must be in 0..1");
}

/// What decays the averages of the gradient and of its square.
#[track_caller]
pub(super) fn check_betas(optimizer: &str, (b1, b2): (f64, f64)) {
    check_share(optimizer, "β₁", b1);
    check_share(optimizer, "β₂", b2);
}

#[track_caller]
pub(super) fn check(name: &str, value: f64) {
    assert!(
        value >= 0.0 && value.is_finite(),
        "optimizer: {name} is {value}; it must be at least 0 and finite"
    );
}

/// What an update rule may depend on beside its hyperparameters: the settings of one parameter at one step.
#[derive(Clone, Copy, Debug)]
pub struct Settings {
    /// The learning rate.
    pub lr: f64,
    /// The factor λ of weight decay.
    pub weight_decay: f64,
    /// The number of this parameter's step: 1 is the first.
    pub step: u64,
}

/// What is remembered of one parameter.
#[derive(Clone, Debug, Default)]
struct Slot {
    steps: u64,
    /// Under PyTorch's names.
    state: Vec<(Cow<'static, str>, Tensor)>,
    /// The parameter's shape.
    shape: Shape,
}

/// One parameter at one step of an optimizer, for [`Base::each`].
#[derive(Debug)]
pub struct ParamStep<'a> {
    /// The parameter's name.
    pub name: &'a str,
    /// The learning rate, the weight decay and the number of the step.
    pub settings: Settings,
    /// The parameter's value, which the step changes.
    pub weight: &'a mut Tensor,
    /// Its gradient, of the same shape.
    pub gradient: &'a Tensor,
    slot: &'a mut Slot,
}

impl ParamStep<'_> {
    /// What is remembered of the parameter under a name, of any shape: zeros at first. It is saved with the optimizer.
    ///
    /// # Panics
    /// When it was remembered with another shape.
    #[track_caller]
    pub fn state(&mut self, name: &'static str, shape: impl AsRef<[usize]>) -> &mut Tensor {
        let shape = Shape::new(shape.as_ref());
        let known = self.slot.state.iter().position(|(other, _)| other == name);
        let at = known.unwrap_or_else(|| {
            self.slot.state.push((Cow::Borrowed(name), Tensor::zeros(&shape)));
            self.slot.state.len() - 1
        });
        let tensor = &mut self.slot.state[at].1;
        check_state(self.name, &shape, name, tensor);
        tensor
    }
}

#[track_caller]
fn check_state(param: &str, shape: &Shape, name: &str, tensor: &Tensor) {
    assert!(
        tensor.shape() == shape,
        "optimizer: {param} needs {name} {shape}, and has one of shape {}; a new model needs a new optimizer",
        tensor.shape()
    );
}

/// Why a state cannot be split over ranks.
const NOT_ELEMENTWISE: &str = "looks at whole parameters, and no rank has one where the state is split over ranks: train \
                               without zero_redundancy";

/// The name of the number of steps among a parameter's saved tensors, as in PyTorch.
const STEP: &str = "step";

/// The name of the list of what is saved of a parameter, by which a missing part is noticed.
const SLOT: &str = "slot";

impl Base {
    /// For an optimizer of this name, with this learning rate and no weight decay.
    ///
    /// # Panics
    /// When the learning rate is negative or not finite.
    #[track_caller]
    pub fn new(name: &'static str, lr: f64) -> Base {
        check("lr", lr);
        Base { name, lr, weight_decay: 0.0, groups: Vec::new(), slots: BTreeMap::new(), is_split: false }
    }

    fn settings(&self, name: &str, param: &Param, step: u64) -> Settings {
        let mut settings = Settings { lr: self.lr, weight_decay: self.weight_decay, step };
        // Of several groups that choose a parameter the last one holds.
        if let Some(group) = self.groups.iter().rev().find(|group| (group.chosen)(name, param)) {
            settings.lr *= group.lr_factor;
            settings.weight_decay = group.weight_decay.unwrap_or(self.weight_decay);
        }
        settings
    }

    /// Changes every parameter that is not frozen by the formula for its settings, with `N` tensors of state of these
    /// names, which start as zeros; and the buffers, as the forward pass asked for.
    ///
    /// # Panics
    /// When the loss does not reach a parameter, a parameter's shape is not that of its state, or two have one name.
    #[track_caller]
    pub fn update<F: UpdateFn<N> + Send, const N: usize>(
        &mut self,
        names: [&'static str; N],
        model: &mut dyn Module,
        gradients: &Gradients,
        mut formula: impl FnMut(Settings) -> F,
    ) {
        let mut rows = rows(model, gradients);
        // All slots are held at once, for writing.
        let mut slots: Vec<Slot> =
            rows.iter().map(|(name, ..)| self.slots.remove(name).unwrap_or_default()).collect();
        let mut updates = Vec::with_capacity(rows.len());
        for ((name, param, gradient), slot) in rows.iter_mut().zip(&mut slots) {
            slot.steps += 1;
            let formula = formula(self.settings(name, param, slot.steps));
            let state = slot.state(names, name, param.value());
            let gradient = gradient.as_slice().expect("made contiguous above");
            updates.push(Update { formula, gradient, weight: param.value_mut().as_mut_slice(), state });
        }
        update_all(updates);
        self.slots.extend(rows.into_iter().map(|(name, ..)| name).zip(slots));
        update_buffers(model, gradients);
    }

    /// Calls `f` with every parameter that is not frozen, in the model's order, for rules that are not elementwise: those
    /// that look at norms, rows or columns, and remember tensors of other shapes. And changes the buffers, as the forward
    /// pass asked for. [`Base::update`] is the faster way where a rule is elementwise.
    ///
    /// # Panics
    /// When the loss does not reach a parameter, or `f` gives a parameter another shape; when a trainer has split the
    /// state over ranks, so that no rank has a whole parameter to look at.
    #[track_caller]
    pub fn each(&mut self, model: &mut dyn Module, gradients: &Gradients, mut f: impl FnMut(ParamStep<'_>)) {
        assert!(!self.is_split, "optimizer: {} {}", self.name, NOT_ELEMENTWISE);
        for (name, param, gradient) in rows(model, gradients) {
            let mut slot = self.slots.remove(&name).unwrap_or_default();
            slot.steps += 1;
            slot.shape = param.value().shape().clone();
            let settings = self.settings(&name, param, slot.steps);
            let (weight, gradient) = (param.value_mut(), &gradient);
            f(ParamStep { name: &name, settings, weight, gradient, slot: &mut slot });
            assert!(
                *weight.shape() == slot.shape,
                "optimizer: the step gave {name}, of shape {}, the shape {}",
                slot.shape,
                weight.shape()
            );
            self.slots.insert(name, slot);
        }
        update_buffers(model, gradients);
    }

    /// The number of steps that the parameter of this name has made.
    pub fn steps(&self, name: &str) -> u64 {
        self.slots.get(name).map_or(0, |slot| slot.steps)
    }

    /// Goes on with one rank's rows of all that is remembered, or with the whole again: `shape` is that of a parameter, if
    /// it is one of those, and `change` gives what is in the place of a tensor.
    ///
    /// # Panics
    /// When something is remembered that is not elementwise.
    #[track_caller]
    pub(crate) fn change_rows<E>(
        &mut self,
        is_split: bool,
        shape: impl Fn(&str) -> Option<Shape>,
        mut change: impl FnMut(&str, &Tensor) -> Result<Tensor, E>,
    ) -> Result<(), E> {
        for (name, slot) in &mut self.slots {
            let Some(shape) = shape(name) else { continue };
            for (_, tensor) in &mut slot.state {
                assert!(*tensor.shape() == slot.shape, "optimizer: {} {}", self.name, NOT_ELEMENTWISE);
                *tensor = change(name, tensor)?;
            }
            slot.shape = shape;
        }
        self.is_split = is_split;
        Ok(())
    }

    #[track_caller]
    pub(super) fn state(&self) -> State {
        assert!(
            !self.is_split,
            "optimizer: its state is split over the ranks of a group, and this rank has a part of it: save when fit has \
             ended; after an error go on from what was saved"
        );
        let mut state = State::new();
        state.put("optimizer", self.name);
        state.put("lr", self.lr);
        state.put("weight_decay", self.weight_decay);
        for (name, slot) in &self.slots {
            state.put(join(name, SLOT), slot.describe(&slot.shape, true));
            state.put_tensor(join(name, STEP), count_to_tensor(slot.steps));
            for (kind, tensor) in &slot.state {
                state.put_tensor(join(name, kind), tensor.clone());
            }
        }
        state
    }

    pub(super) fn restore(&mut self, state: &State, model: &dyn Module) -> Result<(), StateError> {
        let saved: String = state.get("optimizer")?;
        if saved != self.name {
            return Err(StateError::new(format!("it is the state of {saved}, not of {}", self.name)));
        }
        if let Some(name) = named_twice(model.params().iter().map(|(name, _)| &name[..])) {
            return Err(StateError::new(format!("the model names two parameters {name}")));
        }
        let rate = |name: &str| match state.get::<f64>(name) {
            Ok(value) if value >= 0.0 && value.is_finite() => Ok(value),
            Ok(value) => Err(StateError::new(format!("{name} is {value}; it must be at least 0 and finite"))),
            Err(error) => Err(error),
        };
        let (lr, weight_decay) = (rate("lr")?, rate("weight_decay")?);
        let params: BTreeMap<String, &Param> = model.params().into_iter().collect();
        let mut slots: BTreeMap<String, Slot> = BTreeMap::new();
        let mut counted: Vec<&str> = Vec::new();
        let mut faults = Vec::new();
        for (key, tensor) in state.tensors() {
            // No name of a state has a dot.
            let (name, kind) = key.rsplit_once('.').unwrap_or(("", key));
            let slot = slots.entry(name.to_owned()).or_default();
            match params.get(name) {
                None => faults.push(format!("{key} is of no parameter of the model")),
                Some(_) if kind == STEP => match tensor_to_count(tensor) {
                    Some(count) => {
                        slot.steps = count;
                        counted.push(name);
                    }
                    None => faults.push(format!("{key} is no number of steps")),
                },
                Some(_) => slot.state.push((Cow::Owned(kind.to_owned()), tensor.clone())),
            }
        }
        for (name, param) in &params {
            let shape = param.value().shape();
            match (state.get::<String>(&join(name, SLOT)), slots.get_mut(name)) {
                (Err(_), None) => {}
                (Err(_), Some(_)) => faults.push(format!("{} is missing", join(name, SLOT))),
                (Ok(saved), slot) => {
                    let of = saved.split(':').next().unwrap_or_default();
                    let has_count = counted.contains(&&name[..]);
                    let found =
                        slot.as_ref().map_or("nothing".into(), |slot| slot.describe(shape, has_count));
                    if of != shape.to_string() {
                        faults
                            .push(format!("{name} has shape {of} in the saved state, {shape} in the model"));
                    } else if found != saved {
                        faults.push(format!("of {name} {saved} was saved, and there is {found}"));
                    }
                    if let Some(slot) = slot {
                        slot.shape = shape.clone();
                    }
                }
            }
        }
        if !faults.is_empty() {
            return Err(StateError::new(faults.join("; ")));
        }
        (self.lr, self.weight_decay, self.slots, self.is_split) = (lr, weight_decay, slots, false);
        Ok(())
    }
}

impl Slot {
    /// A line that lists what is saved of the parameter, by which a missing part is noticed.
    fn describe(&self, shape: &Shape, has_count: bool) -> String {
        let mut parts: Vec<String> =
            self.state.iter().map(|(name, tensor)| format!("{name} {}", tensor.shape())).collect();
        parts.extend(has_count.then(|| STEP.to_owned()));
        parts.sort_unstable();
        format!("{shape}: {}", parts.join(", "))
    }

    /// The tensors of these names; zeros where there are none yet.
    #[track_caller]
    fn state<const N: usize>(
        &mut self,
        names: [&'static str; N],
        param: &str,
        value: &Tensor,
    ) -> [&mut [f32]; N] {
        if !self.state.iter().map(|(name, _)| &name[..]).eq(names) {
            let old = std::mem::take(&mut self.state);
            let find = |name| old.iter().find(|(n, _)| n == name).map(|(_, tensor)| tensor.clone());
            let of = |name| (Cow::Borrowed(name), find(name).unwrap_or_else(|| Tensor::zeros(value.shape())));
            self.state = names.map(of).into();
        }
        self.shape = value.shape().clone();
        let all: &mut [_; N] = self.state[..].as_mut().try_into().expect("made of N names");
        for (name, tensor) in &*all {
            check_state(param, value.shape(), name, tensor);
        }
        all.each_mut().map(|(_, tensor)| tensor.as_mut_slice())
    }
}

/// The parameters that are to be changed, with their gradients.
#[track_caller]
fn rows<'m>(model: &'m mut dyn Module, gradients: &Gradients) -> Vec<(String, &'m mut Param, Tensor)> {
    gradients.check_mode();
    let (mut rows, mut unreached) = (Vec::new(), Vec::new());
    for (name, param) in model.params_mut() {
        if param.is_frozen() {
            continue;
        }
        match gradients.of(param) {
            // A gradient that was broadcast has all its elements in one place.
            Some(gradient) => rows.push((name, param, gradient.contiguous())),
            None => unreached.push(name),
        }
    }
    assert!(
        unreached.is_empty(),
        "optimizer: the loss does not reach {}; freeze what is not to be trained, or step only the part of the \
         model that is",
        unreached.join(", ")
    );
    let names_twice = named_twice(rows.iter().map(|(name, ..)| &name[..]));
    assert!(
        names_twice.is_none(),
        "optimizer: the model names two parameters {}; each needs a state of its own",
        names_twice.unwrap_or_default()
    );
    rows
}

/// f32s hold whole numbers to 2^24; two of them a number of steps that no run reaches.
fn count_to_tensor(count: u64) -> Tensor {
    Tensor::from([(count >> 24) as f32, (count & 0xff_ffff) as f32])
}

fn tensor_to_count(tensor: &Tensor) -> Option<u64> {
    let [high, low] = tensor.to_vec()[..] else { return None };
    let whole = |x: f32| (x >= 0.0 && x < (1 << 24) as f32 && x.fract() == 0.0).then_some(x as u64);
    Some(whole(high)? << 24 | whole(low)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_of_steps_survives_as_a_tensor() {
        for count in [0, 1, 0xff_ffff, 1 << 24, (1 << 24) + 1, 123_456_789_012] {
            assert_eq!(tensor_to_count(&count_to_tensor(count)), Some(count));
        }
        for bad in [&[1.0][..], &[0.0, 0.5], &[0.0, -1.0], &[f32::NAN, 0.0], &[0.0, 16777216.0]] {
            assert_eq!(tensor_to_count(&Tensor::new(bad, [bad.len()])), None, "{bad:?}");
        }
    }
}
