//! Batches of matrices, handed one after the other to functions of nalgebra's f64 matrices; and their shape rules.

use gradus_autograd::op::prelude::*;
use gradus_tensor::shape::broadcast;
use nalgebra::DMatrix;
use rayon::prelude::*;

pub(crate) type Matrix = DMatrix<f64>;

/// The batch, the rows and the columns of matrices.
pub(crate) fn parts<'a>(name: &str, x: &'a [usize]) -> Result<(&'a [usize], usize, usize), ShapeError> {
    match x {
        [batch @ .., rows, columns] => Ok((batch, *rows, *columns)),
        _ => Err(ShapeError::new(format!("{name}: shape {x:?} is no matrix: it needs two axes at least"))),
    }
}

/// The batch and the size of square matrices.
pub(crate) fn square<'a>(name: &str, x: &'a [usize]) -> Result<(&'a [usize], usize), ShapeError> {
    let (batch, rows, columns) = parts(name, x)?;
    if rows != columns {
        return Err(ShapeError::new(format!(
            "{name}: the matrices of {x:?} are {rows} by {columns}, not square: the last two axes must be equal"
        )));
    }
    Ok((batch, rows))
}

/// The batch, the rows and the columns of matrices with at least as many rows as columns.
pub(crate) fn tall<'a>(name: &str, x: &'a [usize]) -> Result<(&'a [usize], usize, usize), ShapeError> {
    let (batch, rows, columns) = parts(name, x)?;
    if rows < columns {
        return Err(ShapeError::new(format!(
            "{name}: the matrices of {x:?} have {rows} rows, fewer than their {columns} columns; hint: t() has more"
        )));
    }
    Ok((batch, rows, columns))
}

/// The shape rule of what makes of a square matrix another one of its size.
pub(crate) fn infer_square<O: Op>(inputs: &[&[usize]]) -> Result<Shapes, ShapeError> {
    let [a] = arity::<O, _>(inputs);
    square(O::NAME, a)?;
    Ok(Shape::new(a).into())
}

/// The forward of what makes of a square matrix another one of its size.
pub(crate) fn each_square(inputs: &[&Tensor], f: impl Fn(&Matrix) -> Option<Matrix> + Sync) -> Outputs {
    let [batch @ .., n, _] = &inputs[0].shape()[..] else { unreachable!("the shape rule asks for matrices") };
    let [y] = each(inputs, batch, [&[*n, *n]], |a| Some([f(&a[0])?]));
    y.into()
}

/// The shape of the solution of `A X = B`.
pub(crate) fn solution(name: &str, a: &[usize], b: &[usize]) -> Result<Shape, ShapeError> {
    let (of_a, n) = square(name, a)?;
    let (of_b, columns) = right_side(name, a, b, n)?;
    Ok(shape_of(&broadcast(name, of_a, of_b)?, &[n, columns]))
}

/// Whether `A X = B` has the sizes of least squares.
pub(crate) fn least_squares(name: &str, a: &[usize], b: &[usize]) -> Result<(), ShapeError> {
    let (of_a, rows, _) = tall(name, a)?;
    let (of_b, _) = right_side(name, a, b, rows)?;
    broadcast(name, of_a, of_b).map(|_| ())
}

/// The batch and the columns of B in `A X = B`, of which A has these rows.
fn right_side<'a>(
    name: &str,
    a: &[usize],
    b: &'a [usize],
    rows: usize,
) -> Result<(&'a [usize], usize), ShapeError> {
    let Ok((batch, rows_of_b, columns)) = parts(name, b) else {
        let hint = "hint: unsqueeze(-1) makes a column of a vector";
        return Err(ShapeError::new(format!(
            "{name}: the right side has shape {b:?}, not [.., {rows}, k]; {hint}"
        )));
    };
    if rows_of_b != rows {
        return Err(ShapeError::new(format!(
            "{name}: {a:?} by {b:?}: {rows} equations need a right side [.., {rows}, k], not one of {rows_of_b} rows"
        )));
    }
    Ok((batch, columns))
}

/// The shape of a batch of something.
pub(crate) fn shape_of(batch: &[usize], each: &[usize]) -> Shape {
    Shape::new(&[batch, each].concat())
}

/// `f` of the matrices at each place of a batch, to which the inputs broadcast. `f` gives `M` matrices of these sizes, whose elements
/// become the last axes of the outputs; where it has none, or the input is not finite, the outputs are NaN.
pub(crate) fn each<const M: usize>(
    inputs: &[&Tensor],
    batch: &[usize],
    sizes: [&[usize]; M],
    f: impl Fn(&[Matrix]) -> Option<[Matrix; M]> + Sync,
) -> [Tensor; M] {
    let inputs: Vec<_> = inputs
        .iter()
        .map(|x| {
            let [.., rows, columns] = x.shape()[..] else { unreachable!("the shape rule asks for matrices") };
            (x.broadcast_to(shape_of(batch, &[rows, columns])).to_vec(), rows, columns)
        })
        .collect();
    let of_place = |i: usize| -> [Vec<f32>; M] {
        let of_input = |(x, rows, columns): &(Vec<f32>, usize, usize)| {
            let elements = x[i * rows * columns..][..rows * columns].iter();
            Matrix::from_row_iterator(*rows, *columns, elements.map(|&x| f64::from(x)))
        };
        let matrices: Vec<Matrix> = inputs.iter().map(of_input).collect();
        // The library has no matrices without elements.
        if sizes.iter().all(|size| size.contains(&0)) {
            return sizes.map(|_| Vec::new());
        }
        let is_finite = matrices.iter().all(|m| m.iter().all(|x| x.is_finite()));
        match is_finite.then(|| f(&matrices)).flatten() {
            Some(results) => results.map(|m| m.transpose().iter().map(|&x| x as f32).collect()),
            None => sizes.map(|size| vec![f32::NAN; size.iter().product()]),
        }
    };
    let count = batch.iter().product();
    let places: Vec<_> = (0..count).into_par_iter().map(of_place).collect();
    let mut outputs = sizes.map(|size| Vec::with_capacity(count * size.iter().product::<usize>()));
    for place in places {
        outputs.iter_mut().zip(place).for_each(|(output, part)| output.extend(part));
    }
    let mut sizes = sizes.iter();
    outputs.map(|elements| Tensor::new(elements, shape_of(batch, sizes.next().expect("as many as outputs"))))
}

/// The signs that make the first component of each column that is not small positive.
pub(crate) fn signs(columns: &Matrix) -> Vec<f64> {
    let sign = |column: &[f64]| column[first_large(column)].signum();
    (0..columns.ncols()).map(|j| sign(columns.column(j).as_slice())).collect()
}

/// The place of the first number that is at least 0.618 of the largest: a share that vectors of simple numbers do not hit.
pub(crate) fn first_large(vector: &[f64]) -> usize {
    let largest = vector.iter().fold(0.0, |most: f64, x| most.max(x.abs()));
    vector.iter().position(|x| x.abs() >= 0.618_033_988_75 * largest).unwrap_or(0)
}

/// Each column times its sign.
pub(crate) fn scale_columns(matrix: &mut Matrix, signs: &[f64]) {
    matrix.column_iter_mut().zip(signs).for_each(|(mut column, &sign)| column *= sign);
}

/// Each row times its sign.
pub(crate) fn scale_rows(matrix: &mut Matrix, signs: &[f64]) {
    matrix.row_iter_mut().zip(signs).for_each(|(mut row, &sign)| row *= sign);
}
