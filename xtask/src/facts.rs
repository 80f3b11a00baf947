//! What a figure must carry to mean anything: the commit and the machine it was measured on.

use std::{fs, process::Command};

use serde::{Deserialize, Serialize};

use crate::root;

/// Facts about the machine.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Machine {
    pub cpu: String,
    /// What the name alone does not tell: "family 6, model 143, AVX-512".
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kind: Option<String>,
    pub cores: usize,
    pub memory_gb: u64,
    pub os: String,
    pub rustc: String,
}

impl Machine {
    pub fn here() -> Self {
        let cpuinfo = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
        let meminfo = fs::read_to_string("/proc/meminfo").unwrap_or_default();
        let field = |text: &str, name: &str| -> Option<String> {
            let line = text.lines().find(|line| line.starts_with(name))?;
            Some(line.split_once(':')?.1.trim().to_owned())
        };
        let kilobytes = field(&meminfo, "MemTotal")
            .and_then(|text| text.split_whitespace().next()?.parse::<u64>().ok())
            .unwrap_or(0);
        Self {
            cpu: field(&cpuinfo, "model name").unwrap_or_else(|| "unknown".to_owned()),
            kind: field(&cpuinfo, "cpu family").zip(field(&cpuinfo, "model\t")).map(|(family, model)| {
                let flags = field(&cpuinfo, "flags").unwrap_or_default();
                let has = |name: &str| flags.split_whitespace().any(|flag| flag == name);
                let vectors = [("avx512f", ", AVX-512"), ("avx2", ", AVX2")].into_iter().find(|v| has(v.0));
                format!("family {family}, model {model}{}", vectors.map_or("", |v| v.1))
            }),
            cores: std::thread::available_parallelism().map_or(1, usize::from),
            memory_gb: (kilobytes as f64 / 1e6).round() as u64,
            os: format!("{} {}", std::env::consts::OS, std::env::consts::ARCH),
            rustc: output("rustc", &["--version"]).unwrap_or_else(|| "unknown".to_owned()),
        }
    }
}

/// The commit, with a `+` where the working tree differs from it.
pub fn commit() -> String {
    let hash = output("git", &["rev-parse", "--short=12", "HEAD"]).unwrap_or_else(|| "unknown".to_owned());
    // Results and docs are written by the very run that asks.
    let code = ["status", "--porcelain", "--", "crates", "xtask", "Cargo.toml", "Cargo.lock"];
    let dirty = output("git", &code).is_some_and(|text| !text.is_empty());
    if dirty { format!("{hash}+") } else { hash }
}

/// Today, as year-month-day (UTC).
pub fn today() -> String {
    let secs = std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)
        .map_or(0, |elapsed| elapsed.as_secs());
    date_of((secs / 86_400) as i64)
}

/// The civil date of a day counted from 1970-01-01.
fn date_of(day: i64) -> String {
    // Years that begin in March have their leap day at the end: months then follow from a line.
    let day = day + 719_468;
    let era = day.div_euclid(146_097);
    let of_era = day.rem_euclid(146_097);
    let year_of_era = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted = (5 * of_year + 2) / 153;
    let month = if shifted < 10 { shifted + 3 } else { shifted - 9 };
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    format!("{year:04}-{month:02}-{:02}", of_year - (153 * shifted + 2) / 5 + 1)
}

fn output(program: &str, args: &[&str]) -> Option<String> {
    let output = Command::new(program).args(args).current_dir(root()).output().ok()?;
    output.status.success().then(|| String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates() {
        for (day, date) in
            [(0, "1970-01-01"), (19_782, "2024-02-29"), (19_783, "2024-03-01"), (20_819, "2027-01-01")]
        {
            assert_eq!(date_of(day), date);
        }
    }
}
