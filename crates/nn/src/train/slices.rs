//! One rank's rows of every parameter, where the optimizer's state is split over the ranks of a group.

use crate::{
    group::{Group, GroupError, Parts, Reader, blocks, elements, filled, gather_words, put_f64},
    module::{Module, update_buffers},
    optim::{Optimizer, clip_by_norm, square_sums},
};
use gradus_autograd::{Gradients, Param};
use gradus_tensor::{Shape, Tensor};
use std::{convert::Infallible, ops::Range};

/// The rows of all parameters that are trained, as parameters of their names: the model that a rank's optimizer sees.
/// Blocks of rows go to the ranks in their order.
pub(super) struct Slices {
    params: Vec<(String, Param)>,
    /// Of the whole parameters.
    shapes: Vec<Shape>,
    blocks: Range<usize>,
}

impl Module for Slices {
    fn visit<'a>(&'a self, _: &str, f: &mut dyn FnMut(&str, &'a Param)) {
        self.params.iter().for_each(|(name, param)| f(name, param));
    }

    fn visit_mut<'a>(&'a mut self, _: &str, f: &mut dyn FnMut(&str, &'a mut Param)) {
        self.params.iter_mut().for_each(|(name, param)| f(name, param));
    }
}

impl Slices {
    /// Of a model whose optimizer has the whole state: it keeps this rank's rows of it.
    #[track_caller]
    pub(super) fn new(group: &dyn Group, model: &dyn Module, optimizer: &mut dyn Optimizer) -> Slices {
        let blocks = blocks(group.rank(), group.size());
        let (mut params, mut shapes) = (Vec::new(), Vec::new());
        for (name, param) in model.params().into_iter().filter(|(_, param)| !param.is_frozen()) {
            params.push((name, Param::new(rows(param.value(), &blocks))));
            shapes.push(param.value().shape().clone());
        }
        let slices = Slices { params, shapes, blocks };
        let shape = |name: &str| slices.find(name).map(|at| slices.params[at].1.value().shape().clone());
        let cut = |_: &str, tensor: &Tensor| Ok::<_, Infallible>(slices.rows(tensor));
        let Ok(()) = optimizer.base_mut().change_rows(true, shape, cut);
        slices
    }

    fn find(&self, name: &str) -> Option<usize> {
        self.params.iter().position(|(other, _)| other == name)
    }

    /// This rank's rows of a tensor.
    pub(super) fn rows(&self, tensor: &Tensor) -> Tensor {
        rows(tensor, &self.blocks)
    }

    /// The slices of the trained parameters in the order in which their gradients are told: the last first.
    pub(super) fn trained(&self) -> impl Iterator<Item = &Param> {
        self.params.iter().rev().map(|(_, param)| param)
    }

    /// A step of the optimizer, which changes this rank's rows; then all ranks have the rows of all. Gives the norm of
    /// all gradients where they are clipped.
    #[track_caller]
    pub(super) fn step(
        &mut self,
        group: &mut dyn Group,
        model: &mut dyn Module,
        optimizer: &mut dyn Optimizer,
        mut gradients: Gradients,
        clip_norm: Option<f64>,
    ) -> Result<Option<f64>, GroupError> {
        let mut norm = None;
        if let Some(max_norm) = clip_norm {
            let all = self.norm(group, &gradients)?;
            clip_by_norm(self, &mut gradients, all, max_norm);
            norm = Some(all);
        }
        optimizer.step(self, &gradients);
        let parts: Vec<&[f32]> = self
            .params
            .iter()
            .map(|(_, param)| param.value().as_slice().expect("an optimizer leaves it contiguous"))
            .collect();
        let mut params = model.params_mut();
        params.retain(|(_, param)| !param.is_frozen());
        let mut whole: Vec<&mut [f32]> =
            params.iter_mut().map(|(_, param)| param.value_mut().as_mut_slice()).collect();
        Parts::new(self.shapes.iter(), group.size()).gather(group, &parts, &mut whole)?;
        update_buffers(model, &gradients);
        Ok(norm)
    }

    /// [`grad_norm`](crate::optim::grad_norm) of the whole model, to the last bit.
    fn norm(&self, group: &mut dyn Group, gradients: &Gradients) -> Result<f64, GroupError> {
        let reached =
            || self.params.iter().zip(&self.shapes).filter(|((_, param), _)| gradients.of(param).is_some());
        let mut words = Vec::new();
        for ((_, param), shape) in reached() {
            square_sums(&gradients[param], shape, self.blocks.clone())
                .for_each(|square| put_f64(&mut words, square));
        }
        let all = gather_words(group, words)?;
        let mut ranks: Vec<Reader<'_>> =
            all.iter().enumerate().map(|(rank, words)| Reader::new(rank, words)).collect();
        let mut sum = 0.0;
        for (_, shape) in reached() {
            for (rank, words) in ranks.iter_mut().enumerate() {
                for _ in filled(shape, blocks(rank, all.len())) {
                    sum += words.f64()?;
                }
            }
        }
        Ok(sum.sqrt())
    }

    /// Gives the optimizer its whole state again, on every rank.
    pub(super) fn gather(
        self,
        group: &mut dyn Group,
        optimizer: &mut dyn Optimizer,
    ) -> Result<(), GroupError> {
        let shape = |name: &str| self.find(name).map(|at| self.shapes[at].clone());
        optimizer.base_mut().change_rows(false, shape, |name, part| {
            let shape = shape(name).expect("asked for before");
            let mut whole = Tensor::zeros(&shape);
            let part = part.as_slice().expect("an optimizer leaves it contiguous");
            Parts::new([&shape].into_iter(), group.size()).gather(
                group,
                &[part],
                &mut [whole.as_mut_slice()],
            )?;
            Ok(whole)
        })
    }
}

/// The rows of a tensor in some blocks.
fn rows(tensor: &Tensor, blocks: &Range<usize>) -> Tensor {
    let all = tensor.contiguous();
    let range = elements(tensor.shape(), blocks.clone());
    Tensor::new(&all.as_slice().expect("made contiguous")[range], part_shape(tensor.shape(), blocks))
}

/// The shape of the rows of a tensor in some blocks: it has as many axes as the tensor, but for a single number that is in
/// none of them.
fn part_shape(shape: &Shape, blocks: &Range<usize>) -> Vec<usize> {
    let range = elements(shape, blocks.clone());
    let row: usize = shape.iter().skip(1).product();
    let mut sizes = shape.to_vec();
    match sizes.first_mut() {
        Some(rows) => *rows = range.len() / row.max(1),
        None if range.is_empty() => sizes.push(0),
        None => {}
    }
    sizes
}
