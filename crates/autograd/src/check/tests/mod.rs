//! Faults planted in rules and models, to try the laws and the checker themselves.

mod faulty;
mod grid;
mod mutants;
mod planted;
