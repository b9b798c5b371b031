//! The process as the kernel sees it (proc(5)), under the names every Prometheus client uses. What cannot be read is left
//! out.

use std::fs;

/// Ticks of the kernel's clock in a second: 100 wherever Linux runs.
const TICKS: f64 = 100.0;

/// What was read.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Process {
    /// Resident memory, in bytes.
    pub(super) memory: Option<u64>,
    /// Open file descriptors.
    pub(super) files: Option<u64>,
    /// How many there may be.
    pub(super) most_files: Option<u64>,
    /// Seconds on a core, of all threads.
    pub(super) cpu: Option<f64>,
    /// Threads.
    pub(super) threads: Option<u64>,
}

/// Reads them.
pub(super) fn read() -> Process {
    let text = |name: &str| fs::read_to_string(format!("/proc/self/{name}")).unwrap_or_default();
    let (status, limits) = (text("status"), text("limits"));
    Process {
        memory: number_after(&status, "VmRSS:").map(|kib| kib << 10),
        threads: number_after(&status, "Threads:"),
        most_files: number_after(&limits, "Max open files"),
        files: fs::read_dir("/proc/self/fd").ok().map(|entries| entries.count() as u64),
        cpu: cpu(&text("stat")),
    }
}

/// The number that follows a name at the beginning of a line.
fn number_after(text: &str, name: &str) -> Option<u64> {
    text.lines().find_map(|line| line.strip_prefix(name)).and_then(|rest| rest.split_whitespace().next()?.parse().ok())
}

/// Fields 14 and 15 of `stat`: ticks in the program and in the kernel. The second field may hold anything, in parentheses.
fn cpu(stat: &str) -> Option<f64> {
    let mut fields = stat.rsplit_once(')')?.1.split_whitespace().skip(11).map(str::parse::<f64>);
    let (user, system) = (fields.next()?.ok()?, fields.next()?.ok()?);
    Some((user + system) / TICKS)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kernel_tells() {
        let process = read();
        assert!(process.memory.unwrap() > 1 << 20 && process.files.unwrap() > 2 && process.threads.unwrap() >= 1, "{process:?}");
        assert!(process.most_files.unwrap() >= process.files.unwrap() && process.cpu.is_some(), "{process:?}");
    }

    #[test]
    fn a_name_with_parentheses_does_not_confuse() {
        assert_eq!(cpu("1 (a) b) S 1 2 3 4 5 6 7 8 9 10 150 50 0 0"), Some(2.0));
        assert_eq!(cpu("garbage"), None);
    }
}
