//! Choosing between tensors by a mask.

use crate::{error::OrFail, par, shape::broadcast, tensor::Tensor};

impl Tensor {
    /// With this tensor as mask: the elements of `a` where it is not 0, of `b` where it is. The three broadcast.
    ///
    /// # Panics
    /// When the shapes do not broadcast.
    ///
    /// ```
    /// # use gradus_tensor::Tensor;
    /// let mask = Tensor::from([1.0, 0.0]);
    /// let y = mask.select_where(&Tensor::from([3.0, 4.0]), &Tensor::scalar(0.0));
    /// assert_eq!(y.to_vec(), [3.0, 0.0]);
    /// ```
    #[track_caller]
    pub fn select_where(&self, a: &Tensor, b: &Tensor) -> Tensor {
        let shape = broadcast("select_where", a.shape(), b.shape()).or_fail();
        let shape = broadcast("select_where", self.shape(), &shape).or_fail();
        let [mask, a, b] = [self, a, b].map(|x| x.broadcast_to(&shape).contiguous());
        let [mask, a, b] = [&mask, &a, &b].map(|x| x.as_slice().expect("made contiguous above"));
        Tensor::written(shape, |out| {
            par::for_each_chunk(out, par::ELEMENTWISE, |start, out| {
                let sides = mask[start..].iter().zip(&a[start..]).zip(&b[start..]);
                out.iter_mut().zip(sides).for_each(|(y, ((&m, &a), &b))| *y = if m != 0.0 { a } else { b });
            });
        })
    }
}
