//! What several tests use.

pub mod alarms;
pub mod crooked;
