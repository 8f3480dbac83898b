//! How much memory a tensor may ask for: no more than the machine has.

use crate::{error::ShapeError, shape::Shape};
use std::{fs, path::Path, sync::OnceLock};

/// The most bytes that a tensor's elements can take: main memory, or what the process's control group may have of it, and
/// swap space. Where the system does not tell (it is read from Linux's `/proc` and `/sys`, once) there is no limit but the
/// system's own refusal.
///
/// The system may well give more than that (Linux often does, counting on it that nobody uses what he asked for), but all
/// elements of a tensor are written, and then it ends the process without a word.
fn most_bytes() -> usize {
    static MOST: OnceLock<usize> = OnceLock::new();
    *MOST.get_or_init(|| {
        let text = fs::read_to_string("/proc/meminfo").unwrap_or_default();
        let Some(memory) = kilobytes(&text, "MemTotal:") else { return usize::MAX };
        let memory = memory.min(group_limit().unwrap_or(usize::MAX));
        memory.saturating_add(kilobytes(&text, "SwapTotal:").unwrap_or(0))
    })
}

/// The bytes in a line of `/proc/meminfo`, which has kilobytes.
fn kilobytes(text: &str, name: &str) -> Option<usize> {
    let line = text.lines().find_map(|line| line.strip_prefix(name))?;
    line.trim().strip_suffix("kB")?.trim().parse::<usize>().ok()?.checked_mul(1024)
}

/// The smallest limit of the process's control group and those that it is in: of version 2, or of version 1's controller of
/// memory. Inside a container the path may not be there, and the root holds what the container may have.
fn group_limit() -> Option<usize> {
    let groups = fs::read_to_string("/proc/self/cgroup").ok()?;
    let mut least: Option<usize> = None;
    for line in groups.lines() {
        let mut parts = line.splitn(3, ':').skip(1);
        let (Some(controllers), Some(path)) = (parts.next(), parts.next()) else { continue };
        let (root, file) = match controllers {
            "" => ("/sys/fs/cgroup", "memory.max"),
            _ if controllers.split(',').any(|name| name == "memory") => {
                ("/sys/fs/cgroup/memory", "memory.limit_in_bytes")
            }
            _ => continue,
        };
        let path = path.trim_start_matches('/');
        for folder in Path::new(path).ancestors() {
            let limit = fs::read_to_string(Path::new(root).join(folder).join(file)).ok();
            // "max" is no number, and no limit.
            if let Some(limit) = limit.and_then(|limit| limit.trim().parse().ok()) {
                least = Some(least.map_or(limit, |least| least.min(limit)));
            }
        }
    }
    least
}

/// Whether the machine could hold so many elements.
pub(crate) fn is_affordable(len: usize) -> bool {
    len.saturating_mul(size_of::<f32>()) <= most_bytes()
}

/// What to say when it could not, or when the system refuses.
#[cold]
pub(crate) fn refusal(op: &str, shape: &Shape, len: usize) -> ShapeError {
    let bytes = len.saturating_mul(size_of::<f32>());
    let most = most_bytes();
    let why = match bytes > most {
        true => format!("more than the {} of this machine", readable(most)),
        false => "which the system does not give".to_string(),
    };
    ShapeError::new(format!("{op}: shape {shape} takes {bytes} bytes ({}), {why}", readable(bytes)))
}

/// An empty list with room for so many entries, or an error of `op` when there is no memory for it: for lists as long as a
/// caller's number.
pub fn list<T>(op: &str, len: usize) -> Result<Vec<T>, ShapeError> {
    let mut list = Vec::new();
    let bytes = len.saturating_mul(size_of::<T>());
    if bytes <= most_bytes() && list.try_reserve_exact(len).is_ok() {
        return Ok(list);
    }
    Err(ShapeError::new(format!(
        "{op}: a list of {len} entries takes {bytes} bytes ({}), and this machine has {}",
        readable(bytes),
        readable(most_bytes())
    )))
}

fn readable(bytes: usize) -> String {
    let units = ["bytes", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"];
    let mut size = bytes as f64;
    let mut unit = 0;
    while size >= 1024.0 && unit + 1 < units.len() {
        size /= 1024.0;
        unit += 1;
    }
    format!("{size:.1} {}", units[unit])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_of_meminfo() {
        let text = "MemTotal:       24684096 kB\nMemFree:  1 kB\nSwapTotal:             0 kB\n";
        assert_eq!(kilobytes(text, "MemTotal:"), Some(24_684_096 * 1024));
        assert_eq!(kilobytes(text, "SwapTotal:"), Some(0));
        assert_eq!(kilobytes(text, "Swap:"), None);
        assert_eq!(kilobytes("MemTotal: many kB", "MemTotal:"), None);
    }

    #[test]
    fn sizes_to_read() {
        assert_eq!(readable(16_000_000_000_000), "14.6 TiB");
        assert_eq!(readable(1023), "1023.0 bytes");
        assert_eq!(readable(usize::MAX), "16.0 EiB");
    }
}
