//! Sums of products that are written with index letters: `"bij,bjk->bik"`.

use crate::{op::prelude::*, ops::methods::*};
use std::collections::BTreeMap;

/// An axis: its letter, or for one that an ellipsis stands for, how far it is from the back of these.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Label {
    Ellipsis(usize),
    Letter(char),
}

/// What an equation says of operands of certain shapes.
struct Plan {
    /// The axes of each operand.
    inputs: Vec<Vec<Label>>,
    /// The axes of the result.
    output: Vec<Label>,
}

/// [`Products::einsum`].
#[track_caller]
pub(super) fn einsum<V: Value>(equation: &str, operands: &[&V]) -> V {
    let shapes: Vec<Shape> = operands.iter().map(|x| x.shape()).collect();
    let Plan { inputs, output } = Plan::new(equation, &shapes).or_fail();
    let mut result: Option<Factor<V>> = None;
    for (i, (&x, labels)) in operands.iter().zip(&inputs).enumerate() {
        let later =
            |label: &Label| output.contains(label) || inputs[i + 1..].iter().flatten().any(|l| l == label);
        let factor = Factor { x: x.clone(), labels: labels.clone() }.without_repeats();
        result = Some(match result {
            None => factor.summed(&later),
            Some(left) => {
                let right = factor.summed(&|label| later(label) || left.labels.contains(label));
                left.contract(right, &later)
            }
        });
    }
    result.expect("the plan refuses no operands").in_order(&output)
}

/// A value and what its axes are called.
struct Factor<V> {
    x: V,
    labels: Vec<Label>,
}

impl<V: Value> Factor<V> {
    /// Of axes with one label the diagonal.
    #[track_caller]
    fn without_repeats(mut self) -> Factor<V> {
        let repeat = |labels: &[Label]| {
            let pairs = (0..labels.len()).flat_map(|b| (0..b).map(move |a| (a, b)));
            pairs.into_iter().find(|&(a, b)| labels[a] == labels[b])
        };
        while let Some((a, b)) = repeat(&self.labels) {
            self.x = self.x.diagonal(0, a as isize, b as isize);
            let label = self.labels.remove(b);
            self.labels.remove(a);
            self.labels.push(label);
        }
        self
    }

    /// The axes that nobody needs any more, summed away.
    #[track_caller]
    fn summed(mut self, needed: &impl Fn(&Label) -> bool) -> Factor<V> {
        let axes: Vec<isize> =
            (0..).zip(&self.labels).filter(|(_, label)| !needed(label)).map(|(axis, _)| axis).collect();
        if !axes.is_empty() {
            self.x = self.x.sum_axes(axes, false);
            self.labels.retain(needed);
        }
        self
    }

    /// The axes in this order.
    #[track_caller]
    fn in_order(self, labels: &[Label]) -> V {
        if self.labels == labels {
            return self.x;
        }
        let place = |label| self.labels.iter().position(|l| l == label).expect("every label has its axis");
        self.x.permute(labels.iter().map(|label| place(label) as isize).collect::<Vec<_>>())
    }

    fn size(&self, label: &Label) -> usize {
        self.labels.iter().position(|l| l == label).map_or(1, |axis| self.x.shape()[axis])
    }

    /// The sum of products over the labels that both have and nobody needs any more: a matrix product, batched over the
    /// labels that both keep.
    #[track_caller]
    fn contract(self, right: Factor<V>, needed: &impl Fn(&Label) -> bool) -> Factor<V> {
        let shared = |label: &&Label| right.labels.contains(label);
        let (batch, inner): (Vec<Label>, Vec<Label>) =
            self.labels.iter().filter(shared).partition(|l| needed(l));
        let own = |of: &Factor<V>, other: &Factor<V>| -> Vec<Label> {
            of.labels.iter().filter(|label| !other.labels.contains(label)).copied().collect()
        };
        let (rows, columns) = (own(&self, &right), own(&right, &self));

        let sizes =
            |of: &Factor<V>, labels: &[Label]| -> Vec<usize> { labels.iter().map(|l| of.size(l)).collect() };
        let (row_sizes, column_sizes) = (sizes(&self, &rows), sizes(&right, &columns));
        // An axis of size 1 that an ellipsis broadcasts.
        let joint: Vec<usize> = inner.iter().map(|l| broadcast_size(self.size(l), right.size(l))).collect();
        let (left_batch, right_batch) = (sizes(&self, &batch), sizes(&right, &batch));
        let (m, k, n): (usize, usize, usize) =
            (row_sizes.iter().product(), joint.iter().product(), column_sizes.iter().product());

        let left = self.in_order(&[&batch[..], &rows, &inner].concat());
        let left = left.broadcast_to([&left_batch[..], &row_sizes, &joint].concat());
        let right = right.in_order(&[&batch[..], &inner, &columns].concat());
        let right = right.broadcast_to([&right_batch[..], &joint, &column_sizes].concat());
        let left = left.reshape([&left_batch[..], &[m, k]].concat());
        let right = right.reshape([&right_batch[..], &[k, n]].concat());
        // Without a sum the products need no matrices, least of all those of one element that "i,i->i" would have.
        let product = if inner.is_empty() { left * right } else { left.matmul(&right) };

        let both = left_batch.iter().zip(&right_batch).map(|(&a, &b)| broadcast_size(a, b));
        let shape: Vec<usize> = both.chain(row_sizes).chain(column_sizes).collect();
        Factor { x: product.reshape(shape), labels: [batch, rows, columns].concat() }
    }
}

fn broadcast_size(a: usize, b: usize) -> usize {
    if a == 1 { b } else { a }
}

impl Plan {
    fn new(equation: &str, shapes: &[Shape]) -> Result<Plan, ShapeError> {
        let wrong = |why: String| Err(ShapeError::new(format!("einsum: {equation:?}: {why}")));
        let text: String = equation.chars().filter(|c| !c.is_whitespace()).collect();
        let (left, right) = match text.split_once("->") {
            Some((left, right)) => (left, Some(right)),
            None => (&text[..], None),
        };
        let terms: Vec<&str> = left.split(',').collect();
        if terms.len() != shapes.len() || shapes.is_empty() {
            return wrong(format!("it names {} operands, {} were given", terms.len(), shapes.len()));
        }

        let mut inputs = Vec::new();
        let mut known: BTreeMap<Label, (usize, usize)> = BTreeMap::new();
        for (i, (term, shape)) in terms.iter().zip(shapes).enumerate() {
            let labels = match parse(term, shape.rank()) {
                Ok(labels) => labels,
                Err(why) => return wrong(format!("operand {i}, {term:?} of shape {shape}: {why}")),
            };
            for (&label, &size) in labels.iter().zip(&shape[..]) {
                let &mut (first, known_size) = known.entry(label).or_insert((i, size));
                let broadcasts = matches!(label, Label::Ellipsis(_)) && (size == 1 || known_size == 1);
                if size != known_size && !broadcasts {
                    let name = match label {
                        Label::Letter(letter) => format!("{letter:?}"),
                        Label::Ellipsis(from_back) => format!("axis -{} of the ellipsis", from_back + 1),
                    };
                    let shapes = format!("{} and {shape}", shapes[first]);
                    return wrong(format!(
                        "{name} is {known_size} in operand {first} and {size} in operand {i}, of shapes {shapes}"
                    ));
                }
                if known_size == 1 {
                    known.insert(label, (i, size));
                }
            }
            inputs.push(labels);
        }

        let ellipsis = known.keys().filter(|label| matches!(label, Label::Ellipsis(_))).rev().copied();
        let output = match right {
            // What stands once, in the order of the alphabet, as in NumPy.
            None => {
                let once = |label: &Label| inputs.iter().flatten().filter(|l| *l == label).count() == 1;
                let letters = known.keys().filter(|label| matches!(label, Label::Letter(_)) && once(label));
                ellipsis.chain(letters.copied()).collect()
            }
            Some(right) => {
                let all: Vec<Label> = ellipsis.collect();
                let letters = right.replace("...", "").chars().count();
                let rank = if right.contains("...") { letters + all.len() } else { letters };
                match parse(right, rank) {
                    Ok(labels) => labels,
                    Err(why) => return wrong(format!("the result {right:?}: {why}")),
                }
            }
        };
        for (i, label) in output.iter().enumerate() {
            let Label::Letter(letter) = label else { continue };
            if !known.contains_key(label) {
                return wrong(format!("the result has {letter:?}, which no operand has"));
            }
            if output[..i].contains(label) {
                return wrong(format!("the result has {letter:?} twice"));
            }
        }
        Ok(Plan { inputs, output })
    }
}

/// The labels of a term for a value of this rank.
fn parse(term: &str, rank: usize) -> Result<Vec<Label>, String> {
    let (before, after) = term.split_once("...").unwrap_or((term, ""));
    let letters = before.chars().chain(after.chars()).count();
    if let Some(stray) = before.chars().chain(after.chars()).find(|c| !c.is_ascii_alphabetic()) {
        return Err(format!("{stray:?} is neither a letter nor part of one ellipsis \"...\""));
    }
    let covered = match rank.checked_sub(letters) {
        Some(covered) if covered == 0 || term.contains("...") => covered,
        _ => return Err(format!("{letters} letters do not name {rank} axes")),
    };
    let letter = |text: &str| text.chars().map(Label::Letter).collect::<Vec<_>>();
    Ok([letter(before), (0..covered).rev().map(Label::Ellipsis).collect(), letter(after)].concat())
}
