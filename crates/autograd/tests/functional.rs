//! Derivatives as functions, against closed forms.

use gradus_autograd::{
    functional::{grad, hessian, hvp, jacobian, jvp, laplacian, value_and_grad, vjp},
    prelude::*,
};
use gradus_tensor::Shape;

/// Equal to a few roundings of the largest element.
#[track_caller]
fn close(found: &Tensor, expected: &Tensor) {
    assert_eq!(found.shape(), expected.shape());
    let largest = expected.iter().fold(0.0f32, |m, x| m.max(x.abs()));
    for (i, (a, b)) in found.iter().zip(expected.iter()).enumerate() {
        assert!((a - b).abs() <= 4e-6 * largest, "element {i}: {a} is not {b}\n{found:?}\n{expected:?}");
    }
}

/// Closures that are kept in a variable need to be told that what they give lives as long as what they take.
fn function<'t>(f: impl Fn(Var<'t>) -> Var<'t> + Copy) -> impl Fn(Var<'t>) -> Var<'t> + Copy {
    f
}

fn random(shape: &[usize], seed: u64) -> Tensor {
    Tensor::randn(shape, &mut Rng::seed(seed))
}

#[test]
fn quadratic_forms() {
    // xᵀAx + bᵀx: gradient (A + Aᵀ)x + b, Hessian A + Aᵀ.
    let (a, b, point, v) = (random(&[5, 5], 1), random(&[5], 2), random(&[5], 3), random(&[5], 4));
    let tape = Tape::new();
    let (x, v) = (tape.var(&point), tape.constant(&v));
    let f = function(|x| {
        let at = x.place();
        (x.matmul(&at.constant(&a).matmul(&x)) + (at.constant(&b) * x)).sum()
    });
    let symmetric = &a + a.t();
    let (y, slope) = value_and_grad(f, x);
    close(&y.value(), &(point.matmul(&a.matmul(&point)) * 5.0 + (&b * &point).sum()));
    // The sum is over the five elements of the sum with a vector.
    close(&slope.value(), &(symmetric.matmul(&point) * 5.0 + &b));
    close(&hessian(f, x).value(), &(&symmetric * 5.0));
    close(&hvp(f, x, v).value(), &(symmetric.matmul(&v.value()) * 5.0));
    // A function of the gradient: |f'|² has the gradient 2 H f'.
    let steepness = grad(|x| grad(f, x).square().sum(), x);
    close(&steepness.value(), &(symmetric.matmul(&slope.value()) * 10.0));
}

#[test]
fn jacobian_of_the_softmax() {
    let tape = Tape::new();
    let x = tape.var(random(&[6], 5));
    let y = x.softmax(0).value();
    let exact =
        Tensor::from_fn([6, 6], |i| y.get([i[0]]) * (if i[0] == i[1] { 1.0 } else { 0.0 } - y.get([i[1]])));
    close(&jacobian(|x| x.softmax(0), x).value(), &exact);
    let v = random(&[6], 6);
    let (value, pushed) = jvp(|x| x.softmax(0), x, tape.constant(&v));
    close(&value.value(), &y);
    close(&pushed.value(), &exact.matmul(&v));
    let (_, pullback) = vjp(|x| x.softmax(0), x);
    close(&pullback(tape.constant(&v)).value(), &v.matmul(&exact));
    close(&pullback(tape.constant(&v * 2.0)).value(), &(v.matmul(&exact) * 2.0));
}

#[test]
fn jacobian_by_a_matrix_has_both_shapes() {
    // y = W x: ∂y_i/∂W_jk = δ_ij x_k, ∂y/∂x = W.
    let tape = Tape::new();
    let (w, x) = (tape.var(random(&[2, 3], 7)), tape.var(random(&[3], 8)));
    let [by_w, by_x] = jacobian(|[w, x]: [Var<'_>; 2]| w.matmul(&x), [w, x]);
    assert_eq!(by_w.shape(), [2, 2, 3]);
    let exact = Tensor::from_fn([2, 2, 3], |i| if i[0] == i[1] { x.value().get([i[2]]) } else { 0.0 });
    assert_eq!(by_w.value(), exact);
    assert_eq!(by_x.value(), w.value());
    // Nothing in, nothing out.
    let empty = jacobian(|x| x * 2.0, tape.var(Tensor::zeros([0, 2])));
    assert_eq!(empty.shape(), [0, 2, 0, 2]);
}

#[test]
fn rosenbrock() {
    let f = function(|x| {
        let (a, b) = (x.select(0, 0), x.select(0, 1));
        100.0 * (b - a.square()).square() + (1.0 - a).square()
    });
    let tape = Tape::new();
    for (a, b) in [(1.0f32, 1.0f32), (0.0, 2.0), (-1.5, 0.5)] {
        let x = tape.var([a, b]);
        let slope = Tensor::from([-400.0 * a * (b - a * a) - 2.0 * (1.0 - a), 200.0 * (b - a * a)]);
        let curvature = Tensor::from([[1200.0 * a * a - 400.0 * b + 2.0, -400.0 * a], [-400.0 * a, 200.0]]);
        let [found, exact] = [grad(f, x).value(), slope];
        assert!((&found - &exact).iter().all(|off| off.abs() < 1e-3), "{found:?} {exact:?}");
        close(&hessian(f, x).value(), &curvature);
        let v = Tensor::from([0.5, -2.0]);
        close(&hvp(f, x, tape.constant(&v)).value(), &curvature.matmul(&v));
    }
}

/// A unit vector times a matrix is a row of it, which is not computed: of more outputs than are taken at a time, of a vector
/// and of a matrix of one row.
#[test]
fn the_jacobian_of_a_linear_layer_is_its_weight_times_slopes() {
    let (w, x) = (random(&[150, 7], 1), random(&[7], 2));
    let slopes = Tensor::ones([7]) - x.tanh().square();
    for shape in [&[7][..], &[1, 7]] {
        let tape = Tape::new();
        let (w, x) = (tape.var(&w), tape.var(x.reshape(shape)));
        let dy = jacobian(|x| x.tanh().linear(&w, None), x);
        close(&dy.value().reshape([150, 7]), &(w.value() * &slopes));
        // It is recorded: the derivative of the sum of its squares by the weight.
        let by_weight = dy.square().sum().grad(&[w])[0].expect("the Jacobian comes from the weight");
        close(&by_weight.value(), &(w.value() * slopes.square() * 2.0));
    }
}

/// Units that are turned round before they are multiplied are no units: the Jacobian of a bᵀ by a is δ_ik b_j.
#[test]
fn the_jacobian_of_an_outer_product() {
    let tape = Tape::new();
    let (a, b) = (tape.var(random(&[9, 1], 1)), tape.constant(random(&[1, 9], 2)));
    let exact = Tensor::eye(9).reshape([9, 1, 9]) * b.value().reshape([1, 9, 1]);
    close(&jacobian(|a| a.matmul(&b), a).value().reshape([9, 9, 9]), &exact);
}

/// Of a hundred elements at a time, by operations that have a batched form and by some that have none (sorting, a convolution, a
/// weight that the cotangent reaches), the rows are what one sweep a row gives.
#[test]
fn the_rows_of_a_jacobian_are_sweeps() {
    let tape = Tape::new();
    let (x, w) = (tape.var(random(&[2, 1, 9, 8], 1)), tape.var(random(&[3, 1, 2, 2], 2)));
    fn f<'t>([x, w]: [Var<'t>; 2]) -> Var<'t> {
        let h = x.conv2d(&w, None, Conv2dOptions::default()).tanh();
        let [n, c, height, width] = h.dims();
        let h = h.reshape([n * c, height * width]);
        let sorted = h.slice(1, ..20).sort(1, false).0;
        Var::concat(&[&sorted, &h.matmul(&h.t()), &h.mean_axes(1, true).broadcast_to([n * c, 2])], 1)
    }
    let jacobians = jacobian(f, [x, w]);
    let (y, pullback) = vjp(f, [x, w]);
    assert!(y.numel() > 100);
    for i in 0..y.numel() {
        let mut unit = Tensor::zeros([y.numel()]);
        unit.as_mut_slice()[i] = 1.0;
        let rows = pullback(tape.constant(unit.reshape(y.shape())));
        for (jacobian, row) in jacobians.iter().zip(rows) {
            let rows = jacobian.value().reshape([y.numel(), row.numel()]);
            close(&rows.select(0, i as isize), &row.value().reshape([row.numel()]));
        }
    }
    // What no input reaches is zero, and a function may give its argument.
    let [dx, dw] = jacobian(|[x, _]| x.select(0, 0), [x, w]);
    assert_eq!(dw.value(), Tensor::zeros([1, 9, 8, 3, 1, 2, 2]));
    assert_eq!(dx.value().sum().item(), 72.0);
    let identity = jacobian(|x| x, tape.var(random(&[150], 3)));
    assert_eq!(identity.value(), Tensor::eye(150));
    assert_eq!(jacobian(|x| x.slice(0, ..0), tape.var([1.0, 2.0])).value().shape(), &Shape::from([0, 2]));
}

#[test]
fn blocks_of_a_hessian() {
    // a² b + b³: [[2b, 2a], [2a, 6b]].
    let tape = Tape::new();
    let point = vec![tape.var(2.0), tape.var(3.0), tape.var(5.0)];
    fn f(x: Vec<Var<'_>>) -> Var<'_> {
        x[0] * x[0] * x[1] + x[1] * x[1] * x[1]
    }
    let h = hessian(f, point.clone());
    let numbers: Vec<Vec<f32>> = h.iter().map(|row| row.iter().map(|x| x.item()).collect()).collect();
    assert_eq!(numbers, [[6.0, 4.0, 0.0], [4.0, 18.0, 0.0], [0.0, 0.0, 0.0]]);
    let v = vec![tape.constant(1.0), tape.constant(10.0), tape.constant(100.0)];
    let product: Vec<f32> = hvp(f, point, v).iter().map(|x| x.item()).collect();
    assert_eq!(product, [46.0, 184.0, 0.0]);
}

#[test]
fn the_laplacian_of_a_network_is_the_trace_of_each_points_hessian() {
    let tape = Tape::new();
    let (points, w, v) =
        (tape.var(random(&[4, 3], 30)), tape.var(random(&[3, 8], 31)), tape.var(random(&[8], 32)));
    let net = function(|x| x.matmul(&w).tanh().matmul(&v));
    let found = laplacian(net, points);
    let traces: Vec<f32> = (0..4).map(|i| hessian(net, points.select(0, i)).trace().item()).collect();
    close(&found.value(), &Tensor::from(traces));
    // By hand: Σ_h v_h |w_h|² tanh''(x w_h), and its derivative by v.
    let hidden = points.value().matmul(&w.value()).tanh();
    let bent = hidden.map(|y| -2.0 * y * (1.0 - y * y)) * w.value().square().sum_axes(0, false);
    close(&found.value(), &bent.matmul(&v.value()));
    close(&found.sum().backward()[v], &bent.sum_axes(0, false));
    // Linear in the point, of no point, and with an axis of length 1 behind.
    assert_eq!(laplacian(|x| x.sum_axes(-1, false), points).value(), Tensor::zeros([4]));
    assert_eq!(laplacian(net, tape.var(Tensor::zeros([0, 3]))).numel(), 0);
    close(&laplacian(|x| net(x).unsqueeze(1), points).value(), &found.value());
}

#[test]
fn composition() {
    // The Jacobian of a composition is the product of the Jacobians; jvp and vjp go through it in either direction.
    let (a, b) = (random(&[4, 3], 9), random(&[2, 4], 10));
    let tape = Tape::new();
    let (a, b) = (tape.constant(a), tape.constant(b));
    let inner = function(|x| a.matmul(&x).tanh());
    let outer = function(|x| b.matmul(&x).exp());
    let x = tape.var(random(&[3], 11));
    let whole = jacobian(|x| outer(inner(x)), x).value();
    let middle = tape.var(inner(x).value());
    let parts = jacobian(outer, middle).value().matmul(&jacobian(inner, x).value());
    close(&whole, &parts);
    let v = tape.constant(random(&[3], 12));
    let (h, dh) = jvp(inner, x, v);
    let (_, dy) = jvp(outer, h, dh);
    close(&dy.value(), &jvp(|x| outer(inner(x)), x, v).1.value());
    close(&dy.value(), &whole.matmul(&v.value()));
}

#[test]
fn nesting_tells_inner_and_outer_arguments_apart() {
    let tape = Tape::new();
    let x = tape.var(3.0);
    // d/dx (x · d/dy (x + y) at y = x) = d/dx (x · 1) = 1, also where y is x itself.
    assert_eq!(grad(|x| x * grad(|y| x + y, x), x).item(), 1.0);
    assert_eq!(grad(|x| x * grad(|y| x + y, x.tape().var(3.0)), x).item(), 1.0);
    assert_eq!(grad(|y| x * y, x).item(), 3.0);
    // Derivatives of sin, one in another.
    let d1 = |x| grad(|x: Var<'_>| x.sin(), x);
    let d2 = |x| grad(d1, x);
    let d3 = |x| grad(d2, x);
    let x = 3.0f32;
    for (found, exact) in
        [(d1(tape.var(x)), x.cos()), (d2(tape.var(x)), -x.sin()), (d3(tape.var(x)), -x.cos())]
    {
        assert!((found.item() - exact).abs() < 1e-6, "{found:?} is not {exact}");
    }
    // The result belongs to the tape: backward goes through it to the point.
    let point = tape.var(2.0);
    let slope = grad(|x| x * x * x, point * point);
    assert_eq!(slope.backward()[point].item(), 6.0 * 4.0 * 4.0); // 3 x⁴ → 12 x³ at 2
}

#[test]
fn inputs_without_influence_have_zero_derivatives() {
    let tape = Tape::new();
    let (x, y) = (tape.var([1.0, 2.0]), tape.var([3.0, 4.0]));
    let [dx, dy] = grad(|[x, _]: [Var<'_>; 2]| x.sum(), [x, y]);
    assert_eq!((dx.value().to_vec(), dy.value().to_vec()), (vec![1.0; 2], vec![0.0; 2]));
    let constant = tape.constant(5.0);
    assert_eq!(hessian(|_| constant, x).value(), Tensor::zeros([2, 2]));
    assert_eq!(jvp(|_| constant, x, y).1.item(), 0.0);
    assert_eq!(hvp(|x| x.sum(), x, y).value().to_vec(), [0.0; 2]);
    assert_eq!(jacobian(|x| x.is_positive(), x).value(), Tensor::zeros([2, 2]));
    // The function may be differentiated by what is a constant elsewhere.
    assert_eq!(grad(|c| c * c, constant).item(), 10.0);
}

#[test]
fn orders_of_a_pushforward() {
    // Nested jvp gives directional derivatives of any order: exp along 1 stays exp.
    let tape = Tape::new();
    let (x, one) = (tape.var(0.5), tape.constant(1.0));
    let second = jvp(|x| jvp(|x| jvp(|x| x.exp(), x, one).1, x, one).1, x, one).1;
    assert!((second.item() - 0.5f32.exp()).abs() < 1e-6);
    // Along a tangent that depends on the point: d/dx (2x · x) = 4x.
    let mixed = grad(|x| jvp(|y| y * y, x, x).1, x);
    assert_eq!(mixed.item(), 2.0);
}

#[test]
fn scalars_keep_rank_zero_through_every_function() {
    let tape = Tape::new();
    let (x, v) = (tape.var(2.0), tape.constant(3.0));
    let f = function(|x| x * x * x);
    let (y, slope) = value_and_grad(f, x);
    let (pushed_y, pushed) = jvp(f, x, v);
    let (pulled_y, pullback) = vjp(f, x);
    let found = [
        (grad(f, x), 12.0),
        (y, 8.0),
        (slope, 12.0),
        (pushed_y, 8.0),
        (pushed, 36.0),
        (pulled_y, 8.0),
        (pullback(v), 36.0),
        (jacobian(f, x), 12.0),
        (hessian(f, x), 12.0),
        (hvp(f, x, v), 36.0),
    ];
    for (value, exact) in found {
        assert_eq!((&value.shape()[..], value.item()), (&[][..], exact));
    }
    // A vector of one element is no scalar.
    let one = tape.var([2.0]);
    assert_eq!(grad(f, one).shape(), [1]);
    assert_eq!(jacobian(f, one).shape(), [1, 1]);
    assert_eq!(hessian(f, one).shape(), [1, 1]);
    // A scalar function of a vector, and a vector function of a scalar.
    assert_eq!(jacobian(|x| x.sum(), tape.var([1.0, 2.0])).shape(), [2]);
    assert_eq!(jacobian(|x| x.broadcast_to([4]), x).value().to_vec(), [1.0; 4]);
    assert_eq!(jvp(|x| x.broadcast_to([4]), x, v).1.value().to_vec(), [3.0; 4]);
}

#[test]
fn inputs_without_elements_go_through_every_function() {
    let tape = Tape::new();
    let (x, v) = (tape.var(Tensor::zeros([0, 3])), tape.constant(Tensor::zeros([0, 3])));
    let f = function(|x| x * x * x);
    let total = function(|x| (x * x * x).sum());
    let (y, slope) = value_and_grad(total, x);
    assert_eq!((y.item(), slope.shape()), (0.0, Shape::new(&[0, 3])));
    assert_eq!(grad(total, x).shape(), [0, 3]);
    let (y, pushed) = jvp(f, x, v);
    assert_eq!((y.shape(), pushed.shape()), (Shape::new(&[0, 3]), Shape::new(&[0, 3])));
    assert_eq!(jvp(total, x, v).1.item(), 0.0);
    assert_eq!(vjp(f, x).1(v).shape(), [0, 3]);
    assert_eq!(vjp(total, x).1(tape.constant(2.0)).shape(), [0, 3]);
    assert_eq!(jacobian(f, x).shape(), [0, 3, 0, 3]);
    assert_eq!(jacobian(total, x).shape(), [0, 3]);
    assert_eq!(hessian(total, x).shape(), [0, 3, 0, 3]);
    assert_eq!(hvp(total, x, v).shape(), [0, 3]);
    // Beside an input that has elements; and an output that has none.
    let full = tape.var([1.0, 2.0, 3.0]);
    let [by_full, by_x] = grad(|[full, x]: [Var<'_>; 2]| full.square().sum() + (x * full).sum(), [full, x]);
    assert_eq!((by_full.value().to_vec(), by_x.shape()), (vec![2.0, 4.0, 6.0], Shape::new(&[0, 3])));
    assert_eq!(jacobian(|full| full.slice(0, ..0), full).shape(), [0, 3]);
}
