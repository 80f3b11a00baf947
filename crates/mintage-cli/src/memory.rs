//! How much memory this process may still take.

use std::fs;

use mintage::{models::training_bytes, train::Resolved};

use crate::{failure::CliError, text::bytes};

/// An error before a training is begun that memory cannot hold: the allocator would end the process in the middle of it.
pub fn refuse_too_large(resolved: &Resolved) -> Result<(), CliError> {
    let needed = training_bytes(&resolved.config, &resolved.info);
    match available() {
        Some(free) if needed > free => Err(CliError::new(
            format!("training takes about {} of memory, and {} are free", bytes(needed), bytes(free)),
            "choose a smaller model.batch, model.width, data.size or --size",
        )),
        _ => Ok(()),
    }
}

/// What is left of the machine's memory, of the process's container and of its limit on address space; nothing where
/// none of them is known.
fn available() -> Option<u64> {
    let number = |path: &str| fs::read_to_string(path).ok()?.trim().parse::<u64>().ok();
    let container = number("/sys/fs/cgroup/memory.max")
        .zip(number("/sys/fs/cgroup/memory.current"))
        .map(|(most, used)| most.saturating_sub(used));
    [of_machine().map(|(_, free)| free), container, of_address_space()].into_iter().flatten().min()
}

/// Bytes that the machine has, and those of them that are free.
pub fn of_machine() -> Option<(u64, u64)> {
    let text = fs::read_to_string("/proc/meminfo").ok()?;
    kibibytes(&text, "MemTotal:").zip(kibibytes(&text, "MemAvailable:"))
}

fn of_address_space() -> Option<u64> {
    let limits = fs::read_to_string("/proc/self/limits").ok()?;
    let line = limits.lines().find(|line| line.starts_with("Max address space"))?;
    let most: u64 = line.split_whitespace().nth(3)?.parse().ok()?;
    let used = kibibytes(&fs::read_to_string("/proc/self/status").ok()?, "VmSize:")?;
    Some(most.saturating_sub(used))
}

/// The value of a line such as "MemTotal:  16316412 kB", in bytes.
fn kibibytes(text: &str, key: &str) -> Option<u64> {
    let line = text.lines().find(|line| line.starts_with(key))?;
    line.split_whitespace().nth(1)?.parse::<u64>().ok().map(|kib| kib * 1024)
}
