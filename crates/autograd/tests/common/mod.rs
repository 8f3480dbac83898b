//! What several tests use.

pub mod crooked;
