//! The book's experiments on training. On the embedded 8x8 digits and on made-up data, with thresholds of their own, they
//! are ordinary tests. On MNIST, with the book's thresholds, they are ignored and take the directory of its four files from
//! a variable:
//!
//! ```text
//! GRADUS_MNIST=path/to/mnist cargo test --release -p gradus --test experiments -- --ignored --nocapture --test-threads=1
//! ```
//!
//! What they gave is recorded in docs/experiments.md.

mod cures;
mod digits;
mod flow;
mod mnist;
#[path = "../../examples/common/nets.rs"]
#[expect(dead_code, reason = "the examples' nets, of which some are used here")]
mod nets;
mod rows;
mod runs;
mod spiral;
mod words;
