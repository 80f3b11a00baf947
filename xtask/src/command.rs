//! The command `mintage`, started from outside.

use std::{
    fs,
    path::Path,
    process::{Command, Stdio},
};

use crate::{Result, at, root};

/// The binary with a line of arguments, in a folder that has its runs too.
pub fn mintage(binary: &Path, scratch: &Path, line: &str) -> Command {
    let mut command = Command::new(binary);
    command.args(line.split(' ')).arg("--no-progress").env("MINTAGE_RUNS", scratch.join("runs"));
    command.current_dir(scratch).stdout(Stdio::null()).stderr(Stdio::null());
    command
}

/// Runs a command to its end; another status than 0 is an error.
pub fn succeed(command: &mut Command) -> Result<()> {
    let status = command.status().map_err(|e| format!("{command:?}: {e}"))?;
    if status.success() { Ok(()) } else { Err(format!("{command:?}: {status}")) }
}

/// The demo's database, which comes with the source.
pub fn database(scratch: &Path) -> Result<()> {
    let from = root().join("crates/mintage-cli/assets/demo.db");
    fs::copy(&from, scratch.join("demo.db")).map(|_| ()).map_err(at(&from))
}
