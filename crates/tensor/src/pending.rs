//! Plain stand-ins for kernels that another branch brings; this file goes when it is merged.

use crate::{Indices, OrFail, Shape, Tensor, shape::resolve_axis};

#[allow(missing_docs)]
impl Tensor {
    pub fn index_select(&self, axis: isize, indices: &Indices) -> Tensor {
        let axis = resolve_axis("", axis, self.shape()).or_fail();
        Tensor::from_fn(self.shape().with(axis, indices.len()), |i| {
            let mut i = i.to_vec();
            i[axis] = indices.as_slice()[i[axis]] as usize;
            self.get(i)
        })
    }
    pub fn index_add(&self, axis: isize, indices: &Indices, source: &Tensor) -> Tensor {
        let axis = resolve_axis("", axis, self.shape()).or_fail();
        self.adding(source, |i| i[axis] = indices.as_slice()[i[axis]] as usize)
    }
    pub fn gather(&self, axis: isize, indices: &Indices) -> Tensor {
        let axis = resolve_axis("", axis, self.shape()).or_fail();
        Tensor::from_fn(indices.shape(), |i| {
            let mut to = i.to_vec();
            to[axis] = indices.get(i) as usize;
            self.get(to)
        })
    }
    pub fn scatter_add(&self, axis: isize, indices: &Indices, source: &Tensor) -> Tensor {
        let axis = resolve_axis("", axis, self.shape()).or_fail();
        self.adding(source, |i| i[axis] = indices.get(&i[..]) as usize)
    }
    fn adding(&self, source: &Tensor, place: impl Fn(&mut Vec<usize>)) -> Tensor {
        let mut y = self.clone();
        Tensor::from_fn(source.shape(), |i| {
            let mut to = i.to_vec();
            place(&mut to);
            y.set(&to, y.get(&to) + source.get(i));
            0.0
        });
        y
    }
    pub fn concat(parts: &[&Tensor], axis: isize) -> Tensor {
        let axis = resolve_axis("", axis, parts[0].shape()).or_fail();
        let n = parts.iter().map(|p| p.shape()[axis]).sum();
        let shape: Shape = parts[0].shape().with(axis, n);
        Tensor::from_fn(shape, |i| {
            let mut i = i.to_vec();
            for p in parts {
                if i[axis] < p.shape()[axis] {
                    return p.get(i);
                }
                i[axis] -= p.shape()[axis];
            }
            unreachable!()
        })
    }
}
