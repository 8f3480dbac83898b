//! Scopes: what is recorded inside is dropped at the end, what was there stays, and no variable outlives its value unseen.

use gradus_autograd::{functional::hvp, prelude::*};

use crate::panics::panic_of;

/// The panic begins with `message` and points into this file, at the line that `f` stands on.
macro_rules! panics_here {
    ($message:literal, $f:expr) => {{
        let line = line!();
        let (text, file, at) = panic_of(|| $f);
        assert!(text.starts_with($message), "{text}");
        assert!(
            file.ends_with("scope.rs") && (line..line + 3).contains(&at),
            "{text}: points to {file}:{at}"
        );
    }};
}

const ENDED: &str = "the variable was recorded in a tape.scope that has ended";

#[test]
fn sixty_hessian_vector_products_leave_nothing() {
    let tape = Tape::new();
    let x = tape.var([0.5, -1.0, 2.0]);
    let loss = x.square().square().sum();
    let before = tape.len();
    for k in 0..60 {
        let v = Tensor::from_fn([3], |i| (i[0] + k) as f32);
        let product = tape.scope(|| {
            let slope = loss.grad(&[x])[0].unwrap();
            slope.grad_from(tape.constant(&v), &[x])[0].unwrap().value()
        });
        // The Hessian of Σ x⁴ is diagonal, with 12 x².
        assert_eq!(product, Tensor::from([3.0, 12.0, 48.0]) * &v);
        assert_eq!(tape.len(), before);
    }
    // The same without a scope: what they would have left.
    let plain = hvp(|x| x.square().square().sum(), x, tape.constant([1.0, 1.0, 1.0]));
    assert_eq!(plain.value().to_vec(), [3.0, 12.0, 48.0]);
    assert!(tape.len() > before);
    // What was there before goes on as if nothing had been.
    assert_eq!(loss.backward()[x].to_vec(), [0.5, -4.0, 32.0]);
}

#[test]
fn a_variable_of_a_scope_that_has_ended_is_refused() {
    let tape = Tape::new();
    let x = tape.var([1.0, 2.0]);
    let y = tape.scope(|| x * 3.0);
    // Another value takes the position, also in another scope and in one that ends later.
    let z = x + 1.0;
    panics_here!("the variable was recorded in a tape.scope that has ended", y.value());
    panics_here!("the variable was recorded in a tape.scope that has ended", y.shape());
    panics_here!("the variable was recorded in a tape.scope that has ended", y + z);
    panics_here!("the variable was recorded in a tape.scope that has ended", z * y);
    panics_here!("the variable was recorded in a tape.scope that has ended", y.sum());
    panics_here!("the variable was recorded in a tape.scope that has ended", y.backward_from([1.0, 1.0]));
    panics_here!("the variable was recorded in a tape.scope that has ended", z.grad(&[y]));
    panics_here!(
        "the variable was recorded in a tape.scope that has ended",
        z.backward_with(Hooks::new().retain(y))
    );
    panics_here!(
        "the variable was recorded in a tape.scope that has ended",
        z.sum().backward().get(y).is_none()
    );
    panics_here!(
        "the variable was recorded in a tape.scope that has ended",
        z.graph().name(y, "y").to_string()
    );
    assert_eq!(format!("{y:?}"), "Var %1 of a scope that has ended");
    tape.scope(|| {
        assert!(panic_of(|| y.value()).0.starts_with(ENDED));
        assert_eq!(z.value().to_vec(), [2.0, 3.0]);
    });
    assert_eq!(z.value().to_vec(), [2.0, 3.0]);
}

/// Every variable of a tree of scopes, used after each end: those of open scopes live, the others are refused.
#[test]
fn nested_scopes_drop_each_their_own() {
    let tape = Tape::new();
    let alive = |x: Var<'_>| std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| x.item())).ok();
    let outer = tape.var(1.0);
    let (mut second, mut third, mut fourth) = (outer, outer, outer);
    tape.scope(|| {
        second = outer + 1.0;
        tape.scope(|| third = second + 1.0);
        fourth = second + 2.0; // where the third stood
        assert_eq!([second, third, fourth].map(alive), [Some(2.0), None, Some(4.0)]);
        tape.scope(|| ()); // drops nothing
        assert_eq!(alive(fourth), Some(4.0));
    });
    assert_eq!([outer, second, third, fourth].map(alive), [Some(1.0), None, None, None]);
    let fifth = outer + 4.0;
    tape.scope(|| fifth + 1.0);
    let sixth = outer + 5.0;
    assert_eq!(
        [outer, second, third, fourth, fifth, sixth].map(alive),
        [Some(1.0), None, None, None, Some(5.0), Some(6.0)]
    );
}

#[test]
fn gradients_of_a_scope_are_those_of_variables_that_were_there() {
    let tape = Tape::new();
    let (x, w) = (tape.var(3.0), Param::new(2.0));
    let gradients = tape.scope(|| {
        let inner = tape.var(5.0);
        (tape.param(&w) * x * inner).backward()
    });
    assert_eq!((gradients[x].item(), gradients[&w].item()), (10.0, 15.0));
    let new = tape.var(1.0); // where `inner` stood
    panics_here!("gradients: they came from a tape.scope that has ended", gradients[new].item());
    let hooks = tape.scope(|| Hooks::new().retain(x * x));
    panics_here!(
        "backward: a hook is for a variable of a tape.scope that has ended",
        (new * x).backward_with(hooks)
    );
    // The parameter comes onto the tape again.
    assert_eq!(tape.param(&w).square().backward()[&w].item(), 4.0);
}

#[test]
fn a_scope_ends_when_it_panics_and_with_its_checkpoints_and_updates() {
    let mut tape = Tape::training(0);
    {
        let x = tape.var([1.0, 2.0]);
        let kept = x.place().checkpoint(|| (x * x).exp());
        let before = tape.len();
        panic_of(|| tape.scope(|| (x + 1.0) + tape.var([1.0, 2.0, 3.0])));
        assert_eq!(tape.len(), before);
        let mut seen = Param::buffer(0.0);
        let inside = tape.scope(|| {
            tape.place().update_buffer(&seen, 1.0, Tensor::scalar(1.0));
            let y = x.place().checkpoint(|| (x * x).exp());
            y.sum().backward()[x].clone()
        });
        assert_eq!(tape.len(), before);
        let gradients = kept.sum().backward();
        assert_eq!(gradients[x], inside);
        gradients.update_buffer(&mut seen);
        assert_eq!(seen.value().item(), 0.0, "what a scope asked for is dropped with it");
        let inner = x.place().checkpoint(|| tape.scope(|| (x * x).sum().item()) + x);
        assert_eq!(inner.sum().backward()[x].to_vec(), [1.0, 1.0]);
    }
    tape.clear();
    let x = tape.var(1.0);
    assert_eq!(tape.scope(|| x + 1.0).tape().len(), 1);
}

/// Updates of two scopes of one tape are two, those that two losses of one recording share are one.
#[test]
fn updates_of_scopes_are_merged_as_of_tapes() {
    let (tape, mut seen) = (Tape::training(0), Param::buffer(0.0));
    let x = tape.var(2.0);
    let shard = || {
        tape.scope(|| {
            tape.place().update_buffer(&seen, 1.0, Tensor::scalar(1.0));
            (x * x).backward().merge((x * 2.0).backward())
        })
    };
    let gradients = shard().merge(shard());
    gradients.update_buffer(&mut seen);
    assert_eq!(seen.value().item(), 2.0);
}
