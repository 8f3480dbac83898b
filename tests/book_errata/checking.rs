//! Programs that do not do what they say: the gradient check, the regularised gradient, initial weights.

use crate::{apart, close};
use gradus::prelude::*;
use std::{cell::Cell, rc::Rc};

const EPSILON: f64 = 1e-5;

fn squares(v: &[f64]) -> f64 {
    v.iter().map(|v| v * v).sum()
}

/// The check as it should be: copies, and each coordinate put back.
fn numerical(at: &[f64]) -> Vec<f64> {
    let moved = |i: usize, by: f64| {
        let mut v = at.to_vec();
        v[i] += by;
        squares(&v)
    };
    (0..at.len()).map(|i| (moved(i, EPSILON) - moved(i, -EPSILON)) / (2.0 * EPSILON)).collect()
}

#[test]
fn names_of_one_vector_are_no_copies() {
    numerical(&[1.0, 2.0, 3.0]).iter().zip([2.0, 4.0, 6.0]).for_each(|(n, g)| close(*n, g, 1e-9));
    // NumPy's `plus = vector; minus = vector` are three names of the same numbers.
    let vector = [1.0, 2.0, 3.0].map(|v| Rc::new(Cell::new(v)));
    let (plus, minus) = (vector.clone(), vector.clone());
    let value = |v: &[Rc<Cell<f64>>; 3]| v.iter().map(|v| v.get() * v.get()).sum::<f64>();
    for i in 0..3 {
        plus[i].set(vector[i].get() + EPSILON);
        minus[i].set(vector[i].get() - EPSILON);
        assert_eq!((value(&plus) - value(&minus)) / (2.0 * EPSILON), 0.0);
    }
}

#[test]
fn each_coordinate_is_put_back() {
    let at = [1.0, 2.0, 3.0];
    let (mut plus, mut minus) = (at, at);
    for (i, (expected, printed)) in [(2.0, 2.0), (4.0, 6.0), (6.0, 12.0)].into_iter().enumerate() {
        plus[i] += EPSILON;
        minus[i] -= EPSILON;
        // The shifts of the coordinates before are still there.
        close((squares(&plus) - squares(&minus)) / (2.0 * EPSILON), printed, 1e-9);
        close(numerical(&at)[i], expected, 1e-9);
    }
}

#[test]
fn a_mean_of_signed_differences_hides_errors() {
    let (right, wrong) = (numerical(&[1.0, 2.0, 3.0]), [3.0, 3.0, 6.0]);
    let differences = || right.iter().zip(wrong).map(|(r, w)| r - w);
    close(differences().sum::<f64>() / 3.0, 0.0, 1e-9);
    // And overwritten in each turn it is the last coordinate's.
    close(differences().next_back().unwrap(), 0.0, 1e-9);
    let norm = |v: &mut dyn Iterator<Item = f64>| v.map(|v| v * v).sum::<f64>().sqrt();
    let relative =
        norm(&mut differences()) / (norm(&mut right.iter().copied()) + norm(&mut wrong.into_iter()));
    apart(relative, 0.0, 0.05);
}

/// The gradient of a layer, row by row with the bias first: Δ/m, and (λ/m) Θ but for the bias.
fn regularised(delta: &[[f64; 3]; 2], theta: &[[f64; 3]; 2], m: f64, lambda: f64) -> [[f64; 3]; 2] {
    std::array::from_fn(|j| {
        std::array::from_fn(|i| delta[j][i] / m + if i == 0 { 0.0 } else { lambda / m * theta[j][i] })
    })
}

const DELTA: [[f64; 3]; 2] = [[0.4, -0.2, 0.8], [1.2, 0.6, -0.4]];
const THETA: [[f64; 3]; 2] = [[0.5, 1.5, -2.0], [-0.3, 0.7, 0.9]];

#[test]
fn the_second_layer_has_its_penalty_too() {
    let (m, lambda) = (4.0, 2.0);
    let right = regularised(&DELTA, &THETA, m, lambda);
    // The program keeps the sum in `delta2` and returns `Delta2`.
    let returned = DELTA.map(|row| row.map(|d| d / m));
    // A cost that is linear but for the penalty has this gradient.
    let cost = |theta: &[[f64; 3]; 2]| -> f64 {
        (0..2)
            .flat_map(|j| (0..3).map(move |i| (j, i)))
            .map(|(j, i)| {
                let t = theta[j][i];
                DELTA[j][i] * t / m + if i == 0 { 0.0 } else { lambda / (2.0 * m) * t * t }
            })
            .sum()
    };
    for j in 0..2 {
        for i in 0..3 {
            let moved = |v| {
                let mut theta = THETA;
                theta[j][i] = v;
                cost(&theta)
            };
            let numerical = crate::slope(moved, THETA[j][i]);
            close(numerical, right[j][i], 1e-9);
            if i > 0 {
                apart(numerical, returned[j][i], 0.1);
            }
        }
    }
}

#[test]
fn biases_are_spared_without_erasing_them() {
    // NumPy's reshape is a view: `theta1[:, 0] = 0` is written to the caller's vector.
    let mut flat: Vec<f64> = THETA.concat();
    for row in flat.chunks_mut(3) {
        row[0] = 0.0;
    }
    assert_eq!((flat[0], flat[3]), (0.0, 0.0));
    // The penalty leaves them out and the vector as it is.
    let kept = THETA;
    let gradient = regularised(&DELTA, &kept, 4.0, 2.0);
    assert_eq!((gradient[0][0], gradient[1][0]), (0.1, 0.3));
    assert_eq!((kept[0][0], kept[1][0]), (0.5, -0.3));
}

#[test]
fn uniform_numbers_are_not_normal() {
    let drawn = Init::Uniform(0.12).weight([100, 100], &mut Rng::seed(0));
    let std = 0.12 / 3.0_f32.sqrt();
    close(drawn.std().item().into(), std.into(), 0.001);
    // None lies beyond 1.74 standard deviations; of a normal distribution 8 % do.
    assert!(drawn.abs().max().item() <= 0.12);
    let normal = Init::Normal(std).weight([100, 100], &mut Rng::seed(0));
    let beyond = normal.iter().filter(|w| w.abs() > 0.12).count();
    close(beyond as f64 / 1e4, 0.083, 0.015);
}

#[test]
fn weights_have_both_signs() {
    // rand() lies in 0..1: behind 400 inputs in 0..1 every sum is near 100, where sigmoid has no slope left.
    let (mut rng, n) = (Rng::seed(0), 400);
    let x = Tensor::uniform([8, n], 0.0, 1.0, &mut rng);
    let one_sided = x.matmul(&Tensor::uniform([n, 25], 0.0, 1.0, &mut rng));
    assert!(one_sided.min().item() > 80.0);
    assert!(one_sided.sigmoid().iter().all(|y| y == 1.0));
    let both = x.matmul(&Tensor::uniform([n, 25], -0.12, 0.12, &mut rng));
    assert!(both.abs().max().item() < 4.0);
    // Of integers between the two bounds there is but one.
    assert!(Tensor::uniform([100], -0.12, 0.12, &mut rng).iter().all(|w| w.round() == 0.0));
}
