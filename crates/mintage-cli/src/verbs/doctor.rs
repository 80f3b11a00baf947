//! `mintage doctor`: what this machine has, what is slow and what is missing.

use std::{fs, path::Path, process::Command, thread};

use mintage::nn::{DeviceChoice, DeviceError};
use serde_json::json;

use crate::{
    context::Context,
    failure::{CliResult, Outcome},
    memory::of_machine,
    text::{Table, bytes, count},
};

/// One line of the examination.
struct Finding {
    what: &'static str,
    is: String,
    /// What is slow or missing about it.
    but: Option<String>,
}

pub fn run(context: &mut Context) -> CliResult {
    let runs = context.settings.runs.clone();
    let findings = [
        version(),
        processor(),
        threads(context.settings.threads),
        memory(),
        devices(),
        disk(&runs),
        folder(&runs),
    ];
    if context.ui.wants_json() {
        let all: Vec<_> =
            findings.iter().map(|f| json!({ "what": f.what, "is": f.is, "but": f.but })).collect();
        context.ui.out_json(&all.into())?;
        return Ok(Outcome::Done);
    }
    let mut table = Table::new(["", "", ""]);
    for finding in &findings {
        let mark = if finding.but.is_some() { "!" } else { "ok" };
        table.row([mark.to_owned(), finding.what.to_owned(), finding.is.clone()]);
    }
    let mut text = table.text().trim_start().to_owned();
    let troubles: Vec<String> =
        findings.iter().filter_map(|f| Some(format!("! {}: {}\n", f.what, f.but.as_ref()?))).collect();
    text.push_str(&match troubles.is_empty() {
        true => "\nnothing is missing\n".to_owned(),
        false => format!("\n{}", troubles.concat()),
    });
    context.ui.out(&text)?;
    Ok(Outcome::Done)
}

fn version() -> Finding {
    let profile = if cfg!(debug_assertions) { "debug" } else { "release" };
    let is = format!(
        "{} ({profile}, {} {})",
        env!("CARGO_PKG_VERSION"),
        std::env::consts::OS,
        std::env::consts::ARCH
    );
    // No worse for a debug build: the development profile optimises the arithmetic.
    Finding { what: "mintage", is, but: None }
}

fn processor() -> Finding {
    let features: Vec<&str> = features().into_iter().filter(|(_, has)| *has).map(|(name, _)| name).collect();
    let name = fs::read_to_string("/proc/cpuinfo").ok().and_then(|text| {
        let line = text.lines().find(|line| line.starts_with("model name"))?;
        Some(line.split_once(':')?.1.trim().to_owned())
    });
    let name = name.unwrap_or_else(|| std::env::consts::ARCH.to_owned());
    let slow = cfg!(target_arch = "x86_64") && !(features.contains(&"avx2") && features.contains(&"fma"));
    let but =
        slow.then(|| "without AVX2 and FMA the plain kernels are used, several times slower".to_owned());
    Finding { what: "processor", is: format!("{name} ({})", features.join(", ")), but }
}

#[cfg(target_arch = "x86_64")]
fn features() -> Vec<(&'static str, bool)> {
    vec![
        ("sse4.2", is_x86_feature_detected!("sse4.2")),
        ("avx", is_x86_feature_detected!("avx")),
        ("avx2", is_x86_feature_detected!("avx2")),
        ("fma", is_x86_feature_detected!("fma")),
        ("avx512f", is_x86_feature_detected!("avx512f")),
    ]
}

#[cfg(target_arch = "aarch64")]
fn features() -> Vec<(&'static str, bool)> {
    vec![("neon", std::arch::is_aarch64_feature_detected!("neon"))]
}

#[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
fn features() -> Vec<(&'static str, bool)> {
    Vec::new()
}

fn threads(wanted: usize) -> Finding {
    let has = thread::available_parallelism().map_or(1, |n| n.get());
    let used = if wanted == 0 { has } else { wanted };
    let but = match used {
        used if used > has => {
            Some(format!("more threads than the {has} that this process may use only slow it down"))
        }
        used if used < has => Some(format!("{has} could be used")),
        _ => None,
    };
    Finding { what: "threads", is: count(used, "thread"), but }
}

fn memory() -> Finding {
    match of_machine() {
        Some((total, free)) => {
            let but = (free < 1 << 30)
                .then(|| "less than 1 GB is free; use --size tiny or a smaller batch".to_owned());
            Finding { what: "memory", is: format!("{} free of {}", bytes(free), bytes(total)), but }
        }
        None => Finding { what: "memory", is: "unknown on this system".to_owned(), but: None },
    }
}

fn devices() -> Finding {
    let is = match DeviceChoice::Vulkan.open() {
        Ok(_) => "cpu, vulkan",
        Err(DeviceError::NoGpu) => "cpu (no GPU that speaks Vulkan was found)",
        Err(_) => "cpu (this build has no vulkan)",
    };
    Finding { what: "devices", is: is.to_owned(), but: None }
}

/// Free space where the runs are, from `df`: the standard library has no way to ask.
fn disk(runs: &Path) -> Finding {
    let place = existing(runs);
    let free = Command::new("df").arg("-Pk").arg(&place).output().ok().and_then(|output| {
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        text.lines().nth(1)?.split_whitespace().nth(3)?.parse::<u64>().ok().map(|kib| kib * 1024)
    });
    match free {
        Some(free) => {
            let but = (free < 1 << 30).then(|| "less than 1 GB is free; checkpoints may not fit".to_owned());
            Finding { what: "disk", is: format!("{} free", bytes(free)), but }
        }
        None => Finding { what: "disk", is: "unknown on this system".to_owned(), but: None },
    }
}

fn folder(runs: &Path) -> Finding {
    let probe = existing(runs).join(format!(".mintage-doctor-{}", std::process::id()));
    let but =
        fs::write(&probe, b"").err().map(|e| format!("cannot be written ({e}); choose another with --runs"));
    let _ = fs::remove_file(&probe);
    Finding { what: "runs", is: runs.display().to_string(), but }
}

/// The folder itself, or the nearest above it that is there.
fn existing(dir: &Path) -> std::path::PathBuf {
    let found = dir.ancestors().find(|d| d.is_dir());
    found.map_or_else(|| ".".into(), Path::to_owned)
}
