//! The numbers that DeZero, the framework of *Deep Learning from Scratch 3*, computes on its way. Each was computed
//! independently, in f64.

use gradus_autograd::{check::numerical_gradient, functional::hessian, op::reference::Array, prelude::*};

#[track_caller]
fn close(found: f32, expected: f64) {
    assert!(
        (f64::from(found) - expected).abs() <= 1e-6 * expected.abs().max(1.0),
        "{found} is not {expected}"
    );
}

/// The function at a point and its gradient there.
fn at<const N: usize>(point: [f32; N], f: impl for<'t> Fn([Var<'t>; N]) -> Var<'t>) -> (f32, [f32; N]) {
    let tape = Tape::new();
    let x = point.map(|x| tape.var(x));
    let y = f(x);
    let gradients = y.backward();
    (y.item(), x.map(|x| gradients[x].item()))
}

#[test]
fn steps_3_and_6_square_exp_square() {
    let (y, [slope]) = at([0.5], |[x]| x.square().exp().square());
    close(y, 1.648721270700128);
    close(slope, 3.297442541400256);
    // Step 4, numerically; in f32 only three digits are right.
    let f = |x: &Tensor| x.square().exp().square().item();
    let numeric = numerical_gradient(f, &Tensor::scalar(0.5), 1e-2).item();
    assert!((numeric - 3.2974426).abs() < 3e-3, "{numeric}");
}

#[test]
fn steps_14_and_16_values_used_more_than_once() {
    assert_eq!(at([3.0], |[x]| x + x), (6.0, [2.0]));
    assert_eq!(at([3.0], |[x]| x + x + x), (9.0, [3.0]));
    let diamond = at([2.0], |[x]| {
        let a = x.square();
        a.square() + a.square()
    });
    assert_eq!(diamond, (32.0, [64.0]));
}

fn goldstein<'t>([x, y]: [Var<'t>; 2]) -> Var<'t> {
    let first = 19.0 - 14.0 * x + 3.0 * x.square() - 14.0 * y + 6.0 * x * y + 3.0 * y.square();
    let second = 18.0 - 32.0 * x + 12.0 * x.square() + 48.0 * y - 36.0 * x * y + 27.0 * y.square();
    (1.0 + (x + y + 1.0).square() * first) * (30.0 + (2.0 * x - 3.0 * y).square() * second)
}

#[test]
fn step_24_sphere_matyas_goldstein() {
    assert_eq!(at([1.0, 1.0], |[x, y]| x.square() + y.square()), (2.0, [2.0, 2.0]));
    let (z, [dx, dy]) = at([1.0, 1.0], |[x, y]| 0.26 * (x.square() + y.square()) - 0.48 * x * y);
    for slope in [z, dx, dy] {
        close(slope, 0.04);
    }
    assert_eq!(at([1.0, 1.0], goldstein), (1876.0, [-5376.0, 8064.0]));
}

/// Step 26, and step 35 for a derivative of high order.
#[test]
fn drawn_graphs() {
    let tape = Tape::new();
    let x = [tape.var(1.0), tape.var(1.0)];
    let dot = goldstein(x).graph().name(x[0], "x").name(x[1], "y").dot();
    let count = |text: &str| dot.lines().filter(|line| line.contains(text)).count();
    // Of the formula's 38 operations 10 are sums and differences of two values, 5 are products of two values.
    assert_eq!((count("shape=box"), count("fillcolor=orange"), count("color=orange") - 2), (38, 2, 38));
    assert_eq!((count("label=\"add\"") + count("label=\"sub\""), count("label=\"mul\"")), (10, 5));
    assert_eq!(count("->"), 38 + 38 + 15);

    let tape = Tape::new();
    let x = tape.var(1.0);
    let mut y = x.tanh();
    let mut sizes = vec![];
    for _ in 0..5 {
        y = y.grad(&[x])[0].unwrap();
        sizes.push(y.graph().mermaid().lines().filter(|line| line.contains("-->")).count());
    }
    assert!(sizes.is_sorted() && sizes[4] > 10 * sizes[0], "{sizes:?}");
}

#[test]
fn step_28_rosenbrock() {
    // The descent itself is in the book's tests.
    let tape = Tape::new();
    let x = [tape.var(0.0), tape.var(2.0)];
    let h = hessian(|[x, y]| 100.0 * (y - x.square()).square() + (x - 1.0).square(), x)
        .map(|row| row.map(|entry| entry.item()));
    assert_eq!(h, [[-798.0, 0.0], [0.0, 200.0]]);
    let tape = Tape::new();
    let [x, y] = [tape.var(0.0), tape.var(2.0)];
    let gradients = (100.0 * (y - x.square()).square() + (x - 1.0).square()).backward();
    assert_eq!((gradients[x].item(), gradients[y].item()), (-2.0, 400.0));
}

#[test]
fn steps_29_and_33_newtons_method() {
    // x⁴ - 2x² from 2.
    let mut x = 2.0;
    let printed = [1.4545454545, 1.1510467894, 1.0253259290, 1.0009084519, 1.0000012353, 1.0];
    for (step, next) in printed.into_iter().enumerate() {
        let tape = Tape::new();
        let v = tape.var(x);
        let y = v.square().square() - 2.0 * v.square();
        let first = y.grad(&[v])[0].unwrap();
        let second = first.grad(&[v])[0].unwrap();
        if step == 0 {
            assert_eq!((first.item(), second.item()), (24.0, 44.0));
        }
        x -= first.item() / second.item();
        close(x, next);
    }
    // The same in f64, to the last printed digit.
    let tape = Tape::new();
    let v = tape.var(2.0);
    let first = (v.square().square() - 2.0 * v.square()).grad(&[v])[0].unwrap();
    let second = first.grad(&[v])[0].unwrap();
    let (mut exact, mut x) = (tape.exact(), 2.0);
    for next in printed {
        exact.move_to(&[(v, Array::full([], x))]);
        x -= exact.of(first).data()[0] / exact.of(second).data()[0];
        assert!((x - next).abs() < 1e-10, "{x} is not {next}");
    }
}

#[test]
fn steps_34_and_35_sine_and_tanh_to_high_order() {
    let orders = |f: for<'t> fn(Var<'t>) -> Var<'t>, expected: [f64; 5]| {
        let tape = Tape::new();
        let x = tape.var(1.0);
        let mut y = f(x);
        for derivative in expected {
            y = y.grad(&[x])[0].unwrap();
            close(y.item(), derivative);
            let exact = tape.exact().of(y).data()[0];
            assert!((exact - derivative).abs() < 1e-10, "{exact} is not {derivative}");
        }
    };
    close(1f32.sin(), 0.8414709848);
    orders(|x| x.sin(), [0.5403023059, -0.8414709848, -0.5403023059, 0.8414709848, 0.5403023059]);
    orders(|x| x.tanh(), [0.4199743416, -0.6397000084, 0.6216266808, 0.6650910448, -5.5568935585]);
}

#[test]
fn step_36_a_gradient_within_a_loss() {
    // y = x², z = (y')³ + y: z' = 24x² + 2x, 100 at 2.
    let tape = Tape::new();
    let x = tape.var(2.0);
    let y = x.square();
    let slope = y.grad(&[x])[0].unwrap();
    let z = slope * slope * slope + y;
    assert_eq!(z.backward()[x].item(), 100.0);
}

#[test]
fn powers_with_scalars_on_both_sides() {
    let tape = Tape::new();
    let x = tape.var(2.0);
    let y = x.powf(3.0);
    assert_eq!((y.item(), y.backward()[x].item()), (8.0, 12.0));
    assert_eq!((3.0 / x - 1.0).backward()[x].item(), -0.75);
    assert_eq!((3.0 - x / 4.0).backward()[x].item(), -0.25);
}

/// NumPy's older random numbers, with which the steps make their data: the Mersenne twister (M. Matsumoto, T. Nishimura,
/// 1998), and Marsaglia's polar method for normal ones.
struct NumPy {
    state: [u32; 624],
    at: usize,
    spare: Option<f64>,
}

impl NumPy {
    fn seed(seed: u32) -> NumPy {
        let mut state = [seed; 624];
        for i in 1..624 {
            let before: u32 = state[i - 1];
            state[i] = 1812433253u32.wrapping_mul(before ^ (before >> 30)).wrapping_add(i as u32);
        }
        NumPy { state, at: 624, spare: None }
    }

    fn bits(&mut self) -> u32 {
        if self.at == 624 {
            for i in 0..624 {
                let y = (self.state[i] & 1 << 31) | (self.state[(i + 1) % 624] & !(1 << 31));
                let odd = if y % 2 == 1 { 0x9908b0df } else { 0 };
                self.state[i] = self.state[(i + 397) % 624] ^ (y >> 1) ^ odd;
            }
            self.at = 0;
        }
        let mut y = self.state[self.at];
        self.at += 1;
        y ^= y >> 11;
        y ^= (y << 7) & 0x9d2c5680;
        y ^= (y << 15) & 0xefc60000;
        y ^ (y >> 18)
    }

    fn uniform(&mut self) -> f64 {
        let (high, low) = (f64::from(self.bits() >> 5), f64::from(self.bits() >> 6));
        (high * 67108864.0 + low) / 9007199254740992.0
    }

    fn normal(&mut self) -> f64 {
        if let Some(spare) = self.spare.take() {
            return spare;
        }
        loop {
            let [a, b] = [(); 2].map(|()| 2.0 * self.uniform() - 1.0);
            let square = a * a + b * b;
            if square < 1.0 && square != 0.0 {
                let factor = (-2.0 * square.ln() / square).sqrt();
                self.spare = Some(factor * a);
                return factor * b;
            }
        }
    }

    fn rand(&mut self, shape: [usize; 2]) -> Tensor {
        Tensor::from_fn(shape, |_| self.uniform() as f32)
    }

    fn randn(&mut self, shape: [usize; 2], scale: f64) -> Tensor {
        Tensor::from_fn(shape, |_| (scale * self.normal()) as f32)
    }
}

/// Gradient descent on the mean squared error; the loss before each step.
fn descend<const N: usize>(
    params: &mut [Param; N],
    steps: usize,
    lr: f32,
    loss: impl for<'t> Fn([Var<'t>; N]) -> Var<'t>,
) -> Vec<f32> {
    let mut tape = Tape::new();
    let mut losses = Vec::with_capacity(steps);
    for _ in 0..steps {
        let (found, gradients, ()) =
            tape.step(|tape| (loss(std::array::from_fn(|i| tape.param(&params[i]))), ()));
        losses.push(found);
        for param in params.iter_mut() {
            *param.value_mut() = param.value() - &gradients[&*param] * lr;
        }
    }
    losses
}

#[test]
fn step_42_a_line_through_points() {
    let mut numpy = NumPy::seed(0);
    let x = numpy.rand([100, 1]);
    let y = &x * 2.0 + 5.0 + numpy.rand([100, 1]);
    let mut params = [Param::new([[0.0]]), Param::new([0.0])];
    let losses = descend(&mut params, 100, 0.1, |[w, b]| {
        let at = w.place();
        at.constant(&x).linear(&w, Some(&b)).mse_loss(&at.constant(&y))
    });
    close(losses[99], 0.0790860651);
    close(params[0].value().item(), 2.11807369);
    close(params[1].value().item(), 5.46608905);
}

#[test]
fn step_43_a_net_learns_a_sine() {
    let mut numpy = NumPy::seed(0);
    let x = numpy.rand([100, 1]);
    let y = (&x * (2.0 * std::f32::consts::PI)).sin() + numpy.rand([100, 1]);
    let mut params = [
        Param::new(numpy.randn([1, 10], 0.01)),
        Param::new([0.0; 10]),
        Param::new(numpy.randn([10, 1], 0.01)),
        Param::new([0.0]),
    ];
    let losses = descend(&mut params, 9001, 0.2, |[w1, b1, w2, b2]| {
        let at = w1.place();
        let h = (at.constant(&x).matmul(&w1) + b1).sigmoid();
        (h.matmul(&w2) + b2).mse_loss(&at.constant(&y))
    });
    close(losses[0], 0.847369585);
    // Rounding grows on the way: the valley at the end is the same, to four digits.
    for (step, expected) in [(1000, 0.2514), (8000, 0.0775), (9000, 0.0772)] {
        assert!((f64::from(losses[step]) - expected).abs() < 1e-4, "{step}: {}", losses[step]);
    }
}

#[test]
fn step_47_softmax_cross_entropy() {
    let mut numpy = NumPy::seed(0);
    let x = Tensor::from([[0.2, -0.4], [0.3, 0.5], [1.3, -3.2], [2.1, 0.3]]);
    let (w1, w2) = (numpy.randn([2, 10], 0.5f64.sqrt()), numpy.randn([10, 3], 0.1f64.sqrt()));
    let y = x.matmul(&w1).sigmoid().matmul(&w2);
    let p = y.softmax(1);
    for (k, expected) in [0.21068638, 0.25404893, 0.53526469].into_iter().enumerate() {
        close(p.get([0, k]), expected);
    }
    close(y.cross_entropy(&Indices::from([2, 0, 1, 0])).item(), 1.4967442462);
}
