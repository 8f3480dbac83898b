//! Workloads of whole training steps.

use super::workload::Workload;

pub(crate) fn workloads() -> Vec<Workload> {
    Vec::new()
}
