//! Elements sent to places, and what becomes of those that meet there: their sum, product, mean, largest or smallest.

use super::gather;
use crate::{op::prelude::*, ops::methods::*};
use gradus_tensor::Indices;

/// What [`scatter_reduce`](crate::ops::indexing::Indexing::scatter_reduce) makes of the elements that meet in a place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ScatterReduction {
    /// Their sum.
    Sum,
    /// Their product.
    Prod,
    /// Their mean.
    Mean,
    /// The largest; equal ones share the gradient equally.
    Amax,
    /// The smallest; equal ones share the gradient equally.
    Amin,
}

#[track_caller]
pub(super) fn scatter_reduce<V: Value>(
    x: &V,
    axis: isize,
    indices: &Indices,
    source: &V,
    how: ScatterReduction,
    include_self: bool,
) -> V {
    let (shape, at) = (x.shape(), x.place());
    let places = gather::places("scatter_reduce", axis, &shape, indices, &source.shape()).or_fail();
    let mut counts = vec![0; shape.numel()];
    places.iter().for_each(|&place| counts[place] += 1);
    let of_counts = |f: &dyn Fn(usize) -> f32| {
        at.constant(Tensor::new(counts.iter().map(|&count| f(count)).collect::<Vec<_>>(), &shape))
    };
    match how {
        ScatterReduction::Sum | ScatterReduction::Mean => {
            let replaced = || of_counts(&|count| if count == 0 { 0.0 } else { 1.0 });
            let own = if include_self { x.clone() } else { x.masked_fill(&replaced(), 0.0) };
            let sum = own.scatter_add(axis, indices, source);
            if how == ScatterReduction::Sum {
                return sum;
            }
            sum / of_counts(&|count| (if include_self { count + 1 } else { count.max(1) }) as f32)
        }
        ScatterReduction::Prod => {
            let own = (0..shape.numel()).filter(|&place| include_self || counts[place] == 0);
            let sent = places.iter().enumerate().map(|(k, &place)| (place, shape.numel() + k));
            let mut members: Vec<(usize, usize)> = own.map(|place| (place, place)).chain(sent).collect();
            members.sort_by_key(|&(place, _)| place);
            let elements = V::concat(&[&x.flatten(), &source.flatten()], 0);
            products(elements, members, shape.numel()).reshape(shape)
        }
        ScatterReduction::Amax | ScatterReduction::Amin => {
            let largest = how == ScatterReduction::Amax;
            V::apply(ScatterExtremum { axis, indices: indices.clone(), largest, include_self }, &[x, source])
        }
    }
}

/// The product of the elements of each group. The members are groups and places in `elements`, in the order of the groups.
///
/// Elements are multiplied in pairs, then these products in pairs, and so on, so that the gradient is right, to every
/// order, where elements are 0.
#[track_caller]
fn products<V: Value>(elements: V, members: Vec<(usize, usize)>, groups: usize) -> V {
    let (pairs, places) = pairs(members, groups, elements.shape()[0]);
    let (one, mut rounds) = (elements.place().constant([1.0]), vec![elements]);
    for [left, right] in pairs {
        let last = &rounds[rounds.len() - 1];
        let partners = V::concat(&[last, &one], 0).index_select(0, &right);
        let joined = last.index_select(0, &left) * partners;
        rounds.push(joined);
    }
    V::concat(&rounds.iter().collect::<Vec<_>>(), 0).index_select(0, &places)
}

/// For each round of joining in pairs who stands left and right among what the last round, at first the elements, gave; and
/// where at last each group's result stands in what all rounds gave, one after the other.
fn pairs(mut members: Vec<(usize, usize)>, groups: usize, elements: usize) -> (Vec<[Indices; 2]>, Indices) {
    let (mut rounds, mut places) = (Vec::new(), vec![0; groups]);
    let (mut before, mut len) = (0, elements);
    loop {
        let (mut left, mut right, mut joined) = (Vec::new(), Vec::new(), Vec::new());
        for group in members.chunk_by(|a, b| a.0 == b.0) {
            if let &[(group, place)] = group {
                places[group] = before + place;
                continue;
            }
            for pair in group.chunks(2) {
                joined.push((pair[0].0, left.len()));
                left.push(pair[0].1);
                // The one without a partner is joined to the neutral element, which stands behind all.
                right.push(pair.get(1).map_or(len, |&(_, place)| place));
            }
        }
        if left.is_empty() {
            return (rounds, places.into());
        }
        (before, len, members) = (before + len, left.len(), joined);
        rounds.push([left.into(), right.into()]);
    }
}

/// The largest, or smallest, of each element and those that indices send to its place.
#[derive(Clone, Debug)]
pub struct ScatterExtremum {
    /// The axis; negative counts from the back.
    pub axis: isize,
    /// Where on it the elements of the second input go.
    pub indices: Indices,
    /// Whether the largest wins, or the smallest.
    pub largest: bool,
    /// Whether an element to whose place others are sent takes part.
    pub include_self: bool,
}

impl ScatterExtremum {
    /// The best of each place by `better`, and which elements of both inputs, row-major, are there and equal to it.
    fn winners<T: Copy + PartialEq>(
        &self,
        shape: &[usize],
        [x, source]: [&[T]; 2],
        better: impl Fn(T, T) -> bool,
        mut wins: impl FnMut(T, T) -> bool,
    ) -> (Vec<T>, [Vec<bool>; 2], Vec<usize>) {
        let places =
            gather::places(Self::NAME, self.axis, shape, &self.indices, self.indices.shape()).or_fail();
        let mut found: Vec<Option<T>> = x.iter().copied().map(Some).collect();
        if !self.include_self {
            places.iter().for_each(|&place| found[place] = None);
        }
        let takes_part: Vec<bool> = found.iter().map(Option::is_some).collect();
        for (&s, &place) in source.iter().zip(&places) {
            if found[place].is_none_or(|best| better(s, best)) {
                found[place] = Some(s);
            }
        }
        let best: Vec<T> = found.into_iter().map(|best| best.expect("each place has an element")).collect();
        let of_x = (0..x.len()).map(|i| takes_part[i] && wins(x[i], best[i])).collect();
        let of_source = source.iter().zip(&places).map(|(&s, &place)| wins(s, best[place])).collect();
        (best, [of_x, of_source], places)
    }
}

impl Op for ScatterExtremum {
    const NAME: &'static str = "scatter_reduce";
    const FORMULA: &'static str =
        "y = the best of x and all s sent to a place; dx, ds = g / k at the k equal to it, zero elsewhere";
    const PRECISION: Precision = Precision::Ulps(0.0);
    /// 1 at the winners of both inputs and 0 elsewhere, and how many there are in each place.
    type Saved = [Tensor; 3];

    fn infer(&self, inputs: &[&[usize]]) -> Result<Shapes, ShapeError> {
        let [x, source] = arity::<Self, _>(inputs);
        gather::check_sent(Self::NAME, self.axis, x, &self.indices, source)?;
        Ok(Shape::new(x).into())
    }

    fn forward(&self, inputs: &[&Tensor]) -> (Outputs, Self::Saved) {
        let [x, source] = [inputs[0], inputs[1]].map(Tensor::to_vec);
        let better = |a: f32, b: f32| if self.largest { a > b } else { a < b } || a.is_nan();
        let wins = |a: f32, best: f32| a == best || a.is_nan() && best.is_nan();
        let shape = inputs[0].shape();
        let (best, winners, places) = self.winners(shape, [&x, &source], better, wins);
        let [of_x, of_source] = winners.map(|wins| wins.into_iter().map(f32::from).collect::<Vec<_>>());
        let mut count = of_x.clone();
        places.iter().zip(&of_source).for_each(|(&place, won)| count[place] += won);
        let of_source = Tensor::new(of_source, inputs[1].shape());
        let [best, of_x, count] = [best, of_x, count].map(|elements| Tensor::new(elements, shape));
        (best.into(), [of_x, of_source, count])
    }

    fn backward<V: Value>(&self, cx: &mut Backward<'_, V>, [of_x, of_source, count]: &Self::Saved) {
        let g = cx.cotangent();
        let at = g.place();
        let share = g / at.constant(count.clone());
        cx.add(0, || share.strong_mul(&at.constant(of_x.clone())));
        cx.add(1, || share.gather(self.axis, &self.indices).strong_mul(&at.constant(of_source.clone())));
    }

    fn reference(&self, inputs: &[&Array], branches: &mut Branches<'_>) -> Vec<Array> {
        let [x, source] = [inputs[0].data(), inputs[1].data()];
        let better = |a: f64, b: f64| if self.largest { a > b } else { a < b };
        let shape = inputs[0].shape();
        let equal = |a, best| branches.test(a == best);
        let (_, [of_x, of_source], places) = self.winners(shape, [x, source], better, equal);
        // The mean of the winners, so that frozen ties share.
        let (mut sum, mut count) = (vec![0.0; x.len()], vec![0.0; x.len()]);
        let all = (0..x.len()).zip(x).zip(of_x).chain(places.into_iter().zip(source).zip(of_source));
        for ((place, element), _) in all.filter(|(_, wins)| *wins) {
            sum[place] += element;
            count[place] += 1.0;
        }
        let y: Vec<f64> = sum.iter().zip(&count).map(|(sum, count)| sum / count).collect();
        vec![Array::new(y, shape)]
    }

    fn samples(g: &mut Gen) -> Vec<Sample> {
        let (shape, axis, indices) = gather::sample(g);
        let (largest, include_self) = (g.between(0, 1) == 0, g.between(0, 1) == 0);
        let op = ScatterExtremum { axis, indices: indices.clone(), largest, include_self };
        let apart = [g.normal(&shape), g.normal(indices.shape())];
        let tied = [g.tied(shape), g.tied(indices.shape())];
        vec![Sample::new(op.clone(), apart), Sample::new(op, tied)]
    }

    fn error_cases() -> Vec<ErrorCase> {
        let op = |indices| ScatterExtremum { axis: 0, indices, largest: true, include_self: true };
        vec![
            ErrorCase::new(
                op([0, 3].into()),
                &[&[3], &[2]],
                "scatter_reduce: index 3 is out of range for axis 0 of shape [3]",
            ),
            ErrorCase::new(
                op([0, 1].into()),
                &[&[3], &[3]],
                "scatter_reduce: the indices have shape [2], the source [3]: they must be equal",
            ),
            ErrorCase::new(
                op([0].into()),
                &[&[3, 2], &[1]],
                "scatter_reduce: indices of shape [1] do not fit shape [3, 2]: only axis 0 may differ",
            ),
        ]
    }
}
