//! Backpropagation by hand, derived in three ways, for nets whose layers all have sigmoids.

use gradus::prelude::*;

/// A layer is its weight, `[out, in]`, and its bias, `[1, out]`. Gradients come in the same form.
pub(crate) type Net<V> = Vec<[V; 2]>;

/// BP1 to BP4, for C = Σ ‖a - y‖² / 2n. Rows are examples.
pub(crate) fn four_equations(net: &Net<Tensor>, [x, y]: [&Tensor; 2]) -> Net<Tensor> {
    let (mut a, mut slopes) = (vec![x.clone()], Vec::new());
    for [w, b] in net {
        let z = a[a.len() - 1].matmul(&w.t()) + b;
        slopes.push(z.sigmoid() * (1.0 - z.sigmoid()));
        a.push(z.sigmoid());
    }
    let mut gradients = Vec::new();
    // BP1: δ of the last layer is ∇C ⊙ σ'(z).
    let mut delta = (&a[net.len()] - y) / x.size(0) as f32 * &slopes[net.len() - 1];
    for l in (0..net.len()).rev() {
        // BP3 and BP4: ∂C/∂b = δ, ∂C/∂w = δ aᵀ, summed over the examples.
        gradients.insert(0, [delta.t().matmul(&a[l]), delta.sum_axes([0], true)]);
        if l > 0 {
            // BP2: δ of the layer before is (wᵀ δ) ⊙ σ'(z).
            delta = delta.matmul(&net[l][0]) * &slopes[l - 1];
        }
    }
    gradients
}

/// Zhou's, for the same cost: unit by unit and example by example, with thresholds θ = -b. Steps Δ are -η times gradients.
pub(crate) fn thresholds(net: &Net<Tensor>, [x, y]: [&Tensor; 2]) -> Net<Tensor> {
    let n = x.size(0);
    let mut gradients: Net<Tensor> = net.iter().map(|layer| layer.clone().map(|t| t * 0.0)).collect();
    for example in 0..n {
        let mut a = vec![x.select(0, example as isize).to_vec()];
        for [w, b] in net {
            let input = |j| (0..w.size(1)).map(|i| w.get([j, i]) * a[a.len() - 1][i]).sum::<f32>();
            let threshold = |j| -b.get([0, j]);
            a.push((0..w.size(0)).map(|j| 1.0 / (1.0 + (threshold(j) - input(j)).exp())).collect());
        }
        // g_j = (y_j - a_j) a_j (1 - a_j)
        let last = &a[net.len()];
        let mut g: Vec<f32> =
            (0..last.len()).map(|j| (y.get([example, j]) - last[j]) * last[j] * (1.0 - last[j])).collect();
        for l in (0..net.len()).rev() {
            let [dw, db] = &mut gradients[l];
            for (j, g) in g.iter().enumerate() {
                // Δw_ji = η g_j a_i and Δθ_j = -η g_j, so Δb_j = η g_j
                a[l].iter().enumerate().for_each(|(i, a)| dw.set([j, i], dw.get([j, i]) - g * a / n as f32));
                db.set([0, j], db.get([0, j]) - g / n as f32);
            }
            // e_h = a_h (1 - a_h) Σ_j g_j w_jh
            let back = |h| g.iter().enumerate().map(|(j, g)| g * net[l][0].get([j, h])).sum::<f32>();
            g = a[l].iter().enumerate().map(|(h, a)| a * (1.0 - a) * back(h)).collect();
        }
    }
    gradients
}

/// Ng's, for the cross-entropy with a penalty: a unit that is 1 before each layer, and its weights first in Θ.
pub(crate) fn bias_units(net: &Net<Tensor>, [x, y]: [&Tensor; 2], lambda: f32) -> Net<Tensor> {
    let m = x.size(0);
    let theta: Vec<Tensor> = net.iter().map(|[w, b]| Tensor::concat(&[&b.t(), w], 1)).collect();
    let with_bias = |a: &Tensor| Tensor::concat(&[&Tensor::ones([m, 1]), a], 1);
    let mut a = vec![x.clone()];
    theta.iter().for_each(|theta| a.push(with_bias(&a[a.len() - 1]).matmul(&theta.t()).sigmoid()));
    // In the last layer the slope of the sigmoid cancels: δ = a - y.
    let (mut delta, mut gradients) = (&a[net.len()] - y, Vec::new());
    for l in (0..net.len()).rev() {
        // Δ = Σ δ aᵀ; D = Δ / m + λ / m Θ, where Θ's first column counts as 0.
        let sums = delta.t().matmul(&with_bias(&a[l])) / m as f32;
        let [bias, weight] = [0..1, 1..theta[l].size(1)].map(|columns| sums.slice(1, columns));
        gradients.insert(0, [weight + &net[l][0] * (lambda / m as f32), bias.t()]);
        delta = delta.matmul(&theta[l]).slice(1, 1..theta[l].size(1)) * &a[l] * (1.0 - &a[l]);
    }
    gradients
}
