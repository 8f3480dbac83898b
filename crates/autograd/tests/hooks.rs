//! Sweeps from Var: seeds, several losses, hooks, detached and shared values.

use gradus_autograd::prelude::*;

#[test]
fn hooks_run_once_in_order_when_the_gradient_is_complete() {
    let tape = Tape::new();
    let x = tape.var([1.0, 2.0]);
    let h = x.square();
    // Three uses of h: 1 + 2 + h.
    let loss = (h + h * 2.0 + h.square() * 0.5).sum();
    let log = std::cell::RefCell::new(Vec::new());
    let hooks = Hooks::new()
        .read(x, |g| log.borrow_mut().push(("x", g.to_vec())))
        .read(h, |g| log.borrow_mut().push(("first", g.to_vec())))
        .replace(h, |g| g * 10.0)
        .read(h, |g| log.borrow_mut().push(("second", g.to_vec())))
        .read(loss, |g| log.borrow_mut().push(("loss", g.to_vec())));
    let gradients = loss.backward_with(hooks);
    assert_eq!(gradients[x].to_vec(), [80.0, 280.0]);
    let expected = [
        ("loss", vec![1.0]),
        ("first", vec![4.0, 7.0]),
        ("second", vec![40.0, 70.0]),
        ("x", vec![80.0, 280.0]),
    ];
    assert_eq!(log.into_inner(), expected);
    // The next sweep knows nothing of them.
    assert_eq!(loss.backward()[x].to_vec(), [8.0, 28.0]);
}

#[test]
fn hooks_on_parameters_pieces_and_values_that_the_loss_misses() {
    let w = Param::new([[1.0, 2.0], [3.0, 4.0]]);
    let tape = Tape::new();
    let v = tape.param(&w);
    let pieces = v.split(&[1, 1], 0);
    let loss = pieces[1].square().sum();
    let mut missed = 0;
    let hooks = Hooks::new()
        .read(pieces[0], |_| missed += 1)
        .retain(pieces[0])
        .retain(pieces[1])
        .replace(v, |g| g * 0.5);
    let gradients = loss.backward_with(hooks);
    assert_eq!(missed, 0);
    assert!(gradients.get(pieces[0]).is_none());
    assert_eq!(gradients[pieces[1]].to_vec(), [6.0, 8.0]);
    assert_eq!(gradients[&w].to_vec(), [0.0, 0.0, 3.0, 4.0]);
    assert_eq!(gradients[v].to_vec(), [0.0, 0.0, 3.0, 4.0]);
}

#[test]
fn hooks_see_through_checkpoints() {
    let tape = Tape::new();
    let x = tape.var([0.5, 1.0]);
    let mut inner = None;
    let y = tape.place().checkpoint(|| {
        inner = Some(x.sin());
        inner.unwrap().exp()
    });
    let mut seen = Vec::new();
    y.sum().backward_with(Hooks::new().read(inner.unwrap(), |g| seen = g.to_vec()));
    assert_eq!(seen, y.value().to_vec());
}

#[test]
#[should_panic(expected = "backward: a hook gave a gradient of shape [] for %1 [2]")]
fn a_hook_must_keep_the_shape() {
    let tape = Tape::new();
    let x = tape.var([1.0, 2.0]);
    let h = x * 2.0;
    h.sum().backward_with(Hooks::new().replace(h, |g| g.sum()));
}

#[test]
#[should_panic(expected = "backward: a hook is for a variable of another tape")]
fn a_hook_must_be_for_this_tape() {
    let (tape, other) = (Tape::new(), Tape::new());
    tape.var(1.0).backward_with(Hooks::new().retain(other.var(1.0)));
}

#[test]
#[should_panic(expected = "hooks: no gradient flows to the constant %0 []")]
fn constants_have_no_hooks() {
    let tape = Tape::new();
    let _ = Hooks::new().retain(tape.constant(1.0));
}

#[test]
fn a_seed_cotangent_is_a_weighted_sum() {
    let tape = Tape::new();
    let x = tape.var([1.0, 2.0, 3.0]);
    let y = x.square();
    let seeded = y.backward_from([1.0, 0.0, -2.0]);
    assert_eq!(seeded[x].to_vec(), [2.0, 0.0, -12.0]);
    assert_eq!((y * tape.constant([1.0, 0.0, -2.0])).sum().backward()[x], seeded[x]);
    // A leaf is its own loss; a seed for it comes back.
    assert_eq!(x.backward_from([4.0, 5.0, 6.0])[x].to_vec(), [4.0, 5.0, 6.0]);
    // A recorded seed takes part in the second derivative.
    let v = tape.var([1.0, 1.0, 1.0]);
    let slope = y.grad_from(v, &[x])[0].unwrap();
    assert_eq!(slope.sum().backward()[v].to_vec(), [2.0, 4.0, 6.0]);
}

#[test]
fn several_losses_share_a_tape() {
    let w = Param::new([0.3, -0.7]);
    let tape = Tape::new();
    let x = tape.var([1.5, 2.5]);
    let h = (tape.param(&w) * x).tanh();
    let (first, second) = (h.sum(), h.square().sum());
    let (one, two, both) = (first.backward(), second.backward(), (first + second).backward());
    let close = |a: &Tensor, b: &Tensor| (a - b).iter().all(|off| off.abs() < 1e-6);
    assert!(close(&(&one[x] + &two[x]), &both[x]));
    assert!(close(&(&one[&w] + &two[&w]), &both[&w]));
    // Sweeping again changes nothing; merging adds the parameters' gradients.
    assert_eq!(first.backward()[x], one[x]);
    assert!(close(&one.merge(two)[&w], &both[&w]));
}

#[test]
fn gradients_of_values_in_between() {
    let tape = Tape::new();
    let x = tape.var(2.0);
    let h = x * 3.0;
    let loss = h.square() + h;
    assert_eq!(loss.grad(&[h, x, loss]).map_items(), [13.0, 39.0, 1.0]);
    let gradients = loss.backward_with(Hooks::new().retain(h).retain(loss).retain(x));
    assert_eq!((gradients[h].item(), gradients[x].item(), gradients[loss].item()), (13.0, 39.0, 1.0));
}

trait Items {
    fn map_items(&self) -> Vec<f32>;
}

impl Items for Vec<Option<Var<'_>>> {
    fn map_items(&self) -> Vec<f32> {
        self.iter().map(|v| v.unwrap().item()).collect()
    }
}

#[test]
fn detached_values_are_constants() {
    let tape = Tape::new();
    let x = tape.var(3.0);
    let y = x * x.detach();
    assert_eq!(y.backward()[x].item(), 3.0);
    assert!(y.grad(&[x])[0].unwrap().grad(&[x])[0].is_none());
    assert!(x.square().detach().backward().get(x).is_none());
}

#[test]
fn a_shared_parameter_has_one_gradient() {
    // The same weight forwards and transposed, as tied embeddings have it.
    let w = Param::new([[1.0, 2.0], [3.0, 4.0]]);
    let tape = Tape::new();
    let x = tape.constant([[1.0, -1.0]]);
    let loss = x.matmul(&tape.param(&w)).matmul(&tape.param(&w).t()).sum();
    let shared = loss.backward()[&w].clone();
    let (a, b) = (tape.var(w.value()), tape.var(w.value()));
    let apart = x.matmul(&a).matmul(&b.t()).sum().backward();
    assert_eq!(shared, &apart[a] + &apart[b]);
    assert_eq!(tape.graph().to_string().matches("param").count(), 1);
}

#[test]
fn unreached_parameters_are_listed() {
    let (mut used, unused, cut) = (Param::new(1.0), Param::new([2.0, 3.0]), Param::new(4.0));
    let report = |used: &Param| {
        let tape = Tape::new();
        let loss = tape.param(used) * 2.0 + tape.param(&cut).detach();
        let all = [("a.used".into(), used), ("b.unused".into(), &unused), ("b.cut".into(), &cut)];
        loss.backward().unreached(&all).iter().map(ToString::to_string).collect::<Vec<_>>()
    };
    let expected = [
        "b.unused [2]: not used on the tape",
        "b.cut []: used on the tape, but the loss does not depend on it",
    ];
    assert_eq!(report(&used), expected);
    used.set_frozen(true);
    assert_eq!(report(&used), expected);
}

/// Each parameter once: with the bits of an ordinary sweep, as soon as it is complete, and not twice.
#[test]
fn gradients_are_handed_out_when_they_are_complete() {
    let params: Vec<Param> = (0..7).map(|i| Param::new([0.5 + i as f32, -1.5])).collect();
    let [low, twice, high, beside, after, unused, frozen] = &params[..] else { unreachable!() };
    let mut frozen = frozen.clone();
    frozen.set_frozen(true);
    let log = std::cell::RefCell::new(Vec::new());
    let run = |handed_out: bool| {
        let tape = Tape::new();
        let x = tape.var([0.3, 0.7]);
        let low_h = (x * tape.param(low)).tanh();
        let h = low_h * tape.param(twice) + tape.param(beside).detach() * tape.param(&frozen);
        let loss = (h * tape.param(high) + tape.param(twice)).square().sum();
        tape.param(after);
        let list = [low, twice, high, beside, after, unused, &frozen];
        if !handed_out {
            let gradients = loss.backward();
            let all: Vec<Option<Tensor>> = list.iter().map(|param| gradients.of(param).cloned()).collect();
            return (all, gradients[x].clone());
        }
        let mut all = vec![None; list.len()];
        let gradients = loss.backward_handing_out(&list, &mut |at, gradient| {
            log.borrow_mut().push(at);
            all[at] = gradient;
        });
        assert!(list.iter().all(|param| gradients.of(param).is_none()));
        assert_eq!(gradients.unreached(&[("low".to_string(), low)]).len(), 1);
        (all, gradients[x].clone())
    };
    let (expected, found) = (run(false), run(true));
    assert_eq!(found, expected);
    assert_eq!(
        found.0.iter().map(Option::is_some).collect::<Vec<_>>(),
        [true, true, true, false, false, false, false]
    );
    // Not on the tape; recorded after the loss; then from the last that was recorded to the first.
    assert_eq!(log.into_inner(), [5, 4, 2, 6, 3, 1, 0]);
}

/// A parameter that changed while it was recorded is on the tape twice.
#[test]
fn a_parameter_that_changed_is_handed_out_as_the_sum_of_its_uses() {
    let mut w = Param::new([2.0]);
    let tape = Tape::new();
    let first = tape.param(&w).square();
    *w.value_mut() = Tensor::from([5.0]);
    let loss = (first * tape.param(&w)).sum();
    let mut handed = Vec::new();
    loss.backward_handing_out(&[&w], &mut |at, gradient| handed.push((at, gradient.unwrap().to_vec())));
    assert_eq!(handed, [(0, vec![2.0 * 2.0 * 5.0 + 4.0])]);
}

#[test]
fn gradients_are_handed_out_while_anomalies_are_looked_for_too() {
    let (low, high) = (Param::new([2.0]), Param::new([3.0]));
    let tape = Tape::new();
    tape.detect_anomaly(true);
    let loss = (tape.param(&low).square() * tape.param(&high)).sum();
    let mut seen = Vec::new();
    loss.backward_handing_out(&[&low, &high], &mut |at, gradient| seen.push((at, gradient.unwrap().item())));
    assert_eq!(seen, [(1, 4.0), (0, 12.0)]);
}
