//! A method that `Tensor` has of its own and a trait of values has too is one method: both give the same bits, and so
//! does the recorded one.

use gradus_autograd::{
    ops::{
        conv::Convolution, elementwise::*, indexing::*, linear::Products, normalize::Normalize,
        reduce::Reduce, selection::Selection, shape::*,
    },
    prelude::*,
};
use gradus_tensor::Shape;
use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

/// What a method returns, in bits; every NaN is the same one.
trait Bits {
    fn bits(&self) -> Vec<(Shape, Vec<u32>)>;
}

impl Bits for Tensor {
    fn bits(&self) -> Vec<(Shape, Vec<u32>)> {
        let bits = |x: f32| if x.is_nan() { f32::NAN.to_bits() } else { x.to_bits() };
        vec![(self.shape().clone(), self.iter().map(bits).collect())]
    }
}

impl Bits for Var<'_> {
    fn bits(&self) -> Vec<(Shape, Vec<u32>)> {
        self.value().bits()
    }
}

impl Bits for Indices {
    fn bits(&self) -> Vec<(Shape, Vec<u32>)> {
        vec![(self.shape().clone(), self.as_slice().iter().map(|&i| i as u32).collect())]
    }
}

impl<V: Bits> Bits for (V, Indices) {
    fn bits(&self) -> Vec<(Shape, Vec<u32>)> {
        [self.0.bits(), self.1.bits()].concat()
    }
}

/// What the methods are called on and with.
#[derive(Clone)]
struct Given<V> {
    /// `[6, 37]`
    x: V,
    /// `[6, 37]`
    y: V,
    /// `[1, 37]`, zeros and ones
    mask: V,
    /// `[5, 37]`
    weight: V,
    /// `[2, 3, 6, 5]`
    images: V,
    /// `[4, 3, 2, 3]`
    kernels: V,
    /// `[4]`
    bias: V,
    /// `[6, 6]`
    square: V,
    /// `[1, 6, 37]`
    columns: V,
}

impl<V> Given<V> {
    fn map<W>(&self, f: impl Fn(&V) -> W) -> Given<W> {
        let Given { x, y, mask, weight, images, kernels, bias, square, columns } = self;
        Given {
            x: f(x),
            y: f(y),
            mask: f(mask),
            weight: f(weight),
            images: f(images),
            kernels: f(kernels),
            bias: f(bias),
            square: f(square),
            columns: f(columns),
        }
    }
}

/// The same elements, laid out in memory in another way.
fn laid_out(x: &Tensor, how: usize) -> Tensor {
    match how {
        0 => x.contiguous(),
        1 => x.transpose(0, -1).contiguous().transpose(0, -1),
        2 => x.flip(-1).contiguous().flip(-1),
        _ => Tensor::concat(&[&x.unsqueeze(-1), &x.unsqueeze(-1)], -1).contiguous().select(-1, 1),
    }
}

/// Ordinary numbers, and with `wild` some that are not.
fn given(wild: bool, how: usize) -> Given<Tensor> {
    let mut rng = Rng::seed(3);
    let mut randn = |shape: &[usize]| {
        let mut data = Tensor::randn(shape, &mut rng).to_vec();
        let wilds = [0.0, -0.0, f32::INFINITY, 1e30, 1e-40, f32::NEG_INFINITY, 2.5, 0.0, f32::NAN];
        if wild {
            for (x, odd) in data.iter_mut().step_by(4).zip(wilds) {
                *x = odd;
            }
        }
        Tensor::new(data, shape)
    };
    let plain = Given {
        x: randn(&[6, 37]),
        y: randn(&[6, 37]),
        mask: randn(&[1, 37]).is_positive(),
        weight: randn(&[5, 37]),
        images: randn(&[2, 3, 6, 5]),
        kernels: randn(&[4, 3, 2, 3]),
        bias: randn(&[4]),
        square: randn(&[6, 6]),
        columns: randn(&[1, 6, 37]),
    };
    plain.map(|x| laid_out(x, how))
}

/// Calls each method three ways: `Tensor`'s own, the trait's on tensors, the trait's on recorded values. A method whose
/// own form consumes its tensor says `own`.
macro_rules! same_bits {
    ($g:ident, $about:expr; $($Trait:ident { $($name:ident ($($arguments:tt)*) $($own:ident)?;)* })*) => {{
        let (tensors, about): (&Given<Tensor>, &str) = (&$g, $about);
        let tape = Tape::new();
        let vars = tensors.map(|x| tape.var(x));
        let mut names: BTreeSet<&'static str> = BTreeSet::new();
        $($({
            let $g = tensors;
            let own = same_bits!(@own $name, $($own)?; $($arguments)*).bits();
            let through = <Tensor as $Trait>::$name($($arguments)*).bits();
            let $g = &vars;
            let recorded = <Var<'_> as $Trait>::$name($($arguments)*).bits();
            let name = stringify!($name);
            assert!(own == through, "{name}: Tensor's own and {}'s differ, {about}", stringify!($Trait));
            assert!(own == recorded, "{name}: Tensor's own and the recorded one differ, {about}");
            names.insert(name);
        })*)*
        names
    }};
    (@own $name:ident, own; &$g:ident.$x:ident, $($rest:tt)*) => { Tensor::$name($g.$x.clone(), $($rest)*) };
    (@own $name:ident, ; $($arguments:tt)*) => { Tensor::$name($($arguments)*) };
}

fn compare(g: Given<Tensor>, about: &str) -> BTreeSet<&'static str> {
    // Some places get several parts, others none.
    let (four, twice) = (Indices::from([3, 0, 3, 5]), Indices::from([4, 1, 4, 4, 0, 1]));
    let places = Indices::new((0..6 * 9).map(|i| i * 5 % 37).collect::<Vec<i32>>(), [6, 9]);
    let spots = Indices::new((0..6 * 37).map(|i| i * i % 37).collect::<Vec<i32>>(), [6, 37]);
    let options = Conv2dOptions { stride: [2, 1], padding: [1, 0], ..Default::default() };
    let single = Conv2dOptions::default();
    same_bits! { g, about;
        Elementwise {
            exp(&g.x); exp2(&g.x); expm1(&g.x); log(&g.x); log2(&g.x); log10(&g.x); log1p(&g.x); sqrt(&g.x);
            rsqrt(&g.x); reciprocal(&g.x); square(&g.x); powf(&g.x, 1.7); erf(&g.x); normal_cdf(&g.x); abs(&g.x);
            clamp(&g.x, -0.5, 0.75);
        }
        Trigonometric {
            sin(&g.x); cos(&g.x); tan(&g.x); asin(&g.x); acos(&g.x); atan(&g.x); sinh(&g.x); cosh(&g.x);
            asinh(&g.x); acosh(&g.x); atanh(&g.x);
        }
        Activations {
            tanh(&g.x); sigmoid(&g.x); gelu(&g.x); gelu_tanh(&g.x); silu(&g.x); softplus(&g.x);
            softplus_with(&g.x, 1.5, 2.0); mish(&g.x);
            relu(&g.x); leaky_relu(&g.x, 0.1); elu(&g.x, 1.5);
        }
        Binary { maximum(&g.x, &g.y); minimum(&g.x, &g.y); }
        Comparison { is_positive(&g.x); sign(&g.x); floor(&g.x); ceil(&g.x); round(&g.x); trunc(&g.x); }
        Reduce {
            sum(&g.x); sum_axes(&g.x, 0, true); mean(&g.x); mean_axes(&g.x, 1, false); max(&g.x);
            max_axes(&g.x, 1, false); min(&g.x); min_axes(&g.x, 0, false); argmax(&g.x, 1); argmin(&g.x, 0);
            var(&g.x); var_axes(&g.x, 1, 0, true); std(&g.x);
            std_axes(&g.x, 1, 1, false); vector_norm(&g.x, 3.0, 1, false); logsumexp(&g.x);
            logsumexp_axes(&g.x, 1, false); cumsum(&g.x, 1); cumprod(&g.x, 1); linear_recurrence(&g.x, &g.y, 0);
        }
        Shaping {
            broadcast_to(&g.x, [2, 6, 37]); concat(&[&g.x, &g.y], 0); flatten(&g.x); flip(&g.x, 1);
            permute(&g.x, [1, 0]); reshape(&g.x, [37, 6]); select(&g.x, 1, -2); slice(&g.x, 1, 3..30);
            squeeze(&g.mask, 0); sum_to(&g.x, [1, 37]); t(&g.x); transpose(&g.x, 0, 1); unsqueeze(&g.x, 1);
        }
        Selection { select_where(&g.mask, &g.x, &g.y); }
        Indexing {
            index_select(&g.x, 0, &four); gather(&g.x, 1, &places);
            index_add(&g.x, 0, &twice, &g.y) own; scatter_add(&g.x, 1, &spots, &g.y) own;
        }
        Order { sort(&g.x, 1, true); topk(&g.x, 3, 1, true); topk(&g.x, 3, 0, false); }
        Normalize { softmax(&g.x, 1); log_softmax(&g.x, 0); }
        Products { linear(&g.x, &g.weight, None); matmul(&g.square, &g.x); }
        Convolution {
            conv2d(&g.images, &g.kernels, Some(&g.bias), options); unfold(&g.images, [2, 3], options);
            fold(&g.columns, [3, 38], [3, 2], single);
        }
    }
}

/// The names of methods in the text of a crate: those in blocks that begin with one of `heads`, and in rows of tables.
fn methods(folder: &Path, head: fn(&str) -> bool, row: fn(&str) -> Option<&str>) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for path in sources(folder) {
        let text = fs::read_to_string(&path).unwrap();
        let (mut inside, mut table) = (false, false);
        for line in text.lines() {
            if line.starts_with(char::is_alphabetic) {
                inside = head(line);
                table = line.contains("! {") && !line.starts_with("macro_rules!");
            }
            let function = line.trim_start().trim_start_matches("pub ").strip_prefix("fn ");
            let name = match function {
                Some(rest) if inside && line.starts_with("    ") && !line.starts_with("     ") => {
                    rest.split(['(', '<']).next()
                }
                None if table => row(line.trim()),
                _ => None,
            };
            let is_name =
                |name: &&str| name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_');
            found.extend(name.filter(is_name).map(String::from));
        }
    }
    found
}

fn sources(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let (folders, files): (Vec<_>, Vec<_>) = entries.partition(|path| path.is_dir());
    files.into_iter().chain(folders.iter().flat_map(|folder| sources(folder))).collect()
}

/// The names that are both `Tensor`'s and a trait's. Private functions of `Tensor` may be among them and do no harm.
fn twice() -> BTreeSet<String> {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let tensor = methods(
        &here.join("../tensor/src"),
        |line| line.starts_with("impl Tensor {"),
        |row| Some(row.split_once(" = ")?.0),
    );
    let traits = methods(
        &here.join("src/ops"),
        |line| line.starts_with("pub trait "),
        |row| Some(row.split_once(" => ")?.0.split('(').next().unwrap()),
    );
    assert!(tensor.len() > 120 && traits.len() > 220, "{} and {} names", tensor.len(), traits.len());
    tensor.intersection(&traits).cloned().collect()
}

#[test]
fn a_method_that_is_there_twice_gives_the_same_bits() {
    let mut compared = BTreeSet::new();
    for how in 0..4 {
        for wild in [false, true] {
            compared = compare(given(wild, how), &format!("layout {how}, wild: {wild}"));
        }
    }
    let compared: BTreeSet<String> = compared.into_iter().map(String::from).collect();
    let twice = twice();
    let missing: Vec<_> = twice.difference(&compared).collect();
    assert!(missing.is_empty(), "Tensor's own and a trait's, but not compared above: {missing:?}");
    let gone: Vec<_> = compared.difference(&twice).collect();
    assert!(gone.is_empty(), "compared above, but not found twice in the sources: {gone:?}");
}
