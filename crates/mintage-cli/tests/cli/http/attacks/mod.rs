//! Attacks on programs like this one, each as it was made elsewhere: on traversal in file servers, on the trust in the
//! browser of the user, on what models and data bring along, on memory and patience.

mod browser;
mod data;
mod load;
mod paths;

use std::fs;

use super::{Answer, Server};

const SECRET: &str = "the-secret-of-the-house";

/// A server whose folder lies beside a secret.
fn beside_a_secret(args: &[&str]) -> (Server, tempfile::TempDir) {
    let outside = tempfile::tempdir().unwrap();
    fs::write(outside.path().join("secret.txt"), SECRET).unwrap();
    (Server::with(args), outside)
}

fn tells_nothing(answer: &Answer, what: &str) {
    let text = answer.text();
    assert!(!text.contains(SECRET) && !text.contains("root:x:"), "{what}: {text}");
}

fn memory_kb(server: &Server) -> u64 {
    let status = fs::read_to_string(format!("/proc/{}/status", server.pid())).unwrap();
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}

/// The arguments of all processes.
fn command_lines() -> String {
    let processes = fs::read_dir("/proc").unwrap().flatten();
    processes
        .filter_map(|process| fs::read(process.path().join("cmdline")).ok())
        .map(|line| String::from_utf8_lossy(&line).into_owned())
        .collect()
}
