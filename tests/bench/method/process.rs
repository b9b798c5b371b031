//! What the system knows of a process: CPU time, memory. Where it runs.

use std::{
    fs,
    process::{Child, Command},
};

/// CPU seconds the living threads of a process have used, to the nanosecond.
pub(crate) fn cpu_seconds(pid: u32) -> f64 {
    let threads = fs::read_dir(format!("/proc/{pid}/task")).into_iter().flatten().flatten();
    let spent = |thread: fs::DirEntry| {
        let text = fs::read_to_string(thread.path().join("schedstat")).ok()?;
        text.split(' ').next()?.parse::<u64>().ok()
    };
    threads.filter_map(spent).sum::<u64>() as f64 / 1e9
}

/// Memory of a process in KiB, its share of what is shared included.
pub(crate) fn pss_kib(pid: u32) -> u64 {
    let text = fs::read_to_string(format!("/proc/{pid}/smaps_rollup")).unwrap_or_default();
    text.lines().find_map(|line| line.strip_prefix("Pss:")?.trim().strip_suffix(" kB")?.parse().ok()).unwrap_or(0)
}

/// A command that runs on one core alone, where the machine has `taskset` and more than one.
pub(crate) fn pinned(core: usize, program: impl AsRef<std::ffi::OsStr>) -> Command {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    if core >= cores || Command::new("taskset").arg("--version").output().is_err() {
        return Command::new(program);
    }
    let mut command = Command::new("taskset");
    command.arg("-c").arg(core.to_string()).arg(program);
    command
}

/// A process under test; it ends with this.
pub(crate) struct Sut(pub(crate) Child);

impl Sut {
    /// Its number.
    pub(crate) fn pid(&self) -> u32 {
        self.0.id()
    }
}

impl Drop for Sut {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
