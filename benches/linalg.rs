//! How long linear algebra takes, forward and with gradients, beside PyTorch: `benches/peers/README.md` says how.
//!
//! ```text
//! cargo bench -q --features linalg --bench linalg               all workloads, a JSON line each
//! cargo bench -q --features linalg --bench linalg -- --list     their names
//! cargo bench -q --features linalg --bench linalg -- --stdin    reads a name a line, answers each with a JSON line
//! ```

#![expect(clippy::print_stdout, reason = "its output is what it is for")]

#[path = "yardstick/workload.rs"]
mod workload;

use gradus::{linalg::LinearAlgebra, prelude::*};
use std::hint::black_box;
use workload::{Workload, answer, list, run_all};

fn main() {
    let workloads: Vec<Workload> =
        [("64x16x16", vec![64, 16, 16]), ("256x256", vec![256, 256])].into_iter().flat_map(of_size).collect();
    let word = std::env::args().find(|word| word == "--list" || word == "--stdin");
    let task = match word.as_deref() {
        Some("--list") => list,
        Some(_) => answer,
        None => run_all,
    };
    task(&workloads, "", 1.0);
}

fn of_size((size, shape): (&str, Vec<usize>)) -> Vec<Workload> {
    let n = shape[shape.len() - 1];
    // Near to the identity, so that no determinant leaves f32; and symmetric and positive definite.
    let noise = Tensor::randn(&shape, &mut Rng::seed(0)) / (n as f32).sqrt() * 0.5;
    let near = &noise + Tensor::eye(n);
    let definite = noise.matmul(&noise.t()) + Tensor::eye(n);
    let mut all = Vec::new();
    macro_rules! of {
        ($($name:literal $input:ident |$a:ident| $y:expr;)*) => {$(
            let input = $input.clone();
            all.push(Workload::new(format!("linalg_{}_{size}", $name), move || {
                let $a = input.clone();
                move || { black_box($y); }
            }));
            let input = $input.clone();
            all.push(Workload::new(format!("linalg_{}_fb_{size}", $name), move || {
                let (input, mut tape) = (input.clone(), Tape::new());
                move || {
                    let $a = tape.var(&input);
                    let sums = $y.into_iter().map(|y| y.sum());
                    black_box(sums.reduce(|a, b| a + b).expect("an output").backward());
                    tape.clear();
                }
            }));
        )*};
    }
    of! {
        "solve" near |a| [a.solve(&a.t())];
        "inverse" near |a| [a.inverse()];
        "det" near |a| [a.det()];
        "matrix_exp" near |a| [a.matrix_exp()];
        "cholesky" definite |a| [a.cholesky()];
        "qr" near |a| a.qr();
        "eigh" definite |a| a.eigh();
        "svd" near |a| a.svd();
    }
    all
}
