//! x
#![forbid(unsafe_code)]

mod calls;
mod check;
mod estimate;
mod functions;
mod given;
mod json;
mod ladder;
mod noise;
mod pattern;
mod report;
mod rng;
mod scan;
mod search;
mod slope;
mod verdict;

pub use check::Check;
pub use estimate::Estimate;
pub use functions::{
    check_gradient, check_gradient_f32, check_gradient_of, check_hessian, check_hvp, check_jacobian, check_jvp,
    check_vjp,
};
pub use given::{Derivative, Number, Numbers, Point};
pub use json::Json;
pub use ladder::Line;
pub use noise::{Noise, noise};
pub use pattern::{Pair, Pattern, pattern, pattern_along};
pub use report::{Finding, Place, Report};
pub use search::{Direction, Given, Subject, Task};
pub use slope::{Claim, derivative, judge};
pub use verdict::{Judgement, Reason, Verdict};
