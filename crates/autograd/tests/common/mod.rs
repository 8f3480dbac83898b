//! What several tests use.

// Every test file compiles this module for itself and uses a part of it.

pub mod crooked;
