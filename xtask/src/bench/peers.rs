//! The Python in which the peers run: a virtual environment of its own, made once.

use std::{
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use crate::root;

/// The peers' Python, made where it is not there; nothing, with a word why, where that fails.
pub fn python() -> Option<PathBuf> {
    let python = root().join("bench/.venv/bin/python");
    let works = |python: &Path| {
        let import =
            Command::new(python).args(["-c", "import torch, numpy, PIL"]).stderr(Stdio::null()).status();
        import.is_ok_and(|status| status.success())
    };
    if works(&python) {
        return Some(python);
    }
    let made = make().is_ok() && works(&python);
    if !made {
        eprintln!(
            "bench/.venv could not be made: ours alone is measured (Python 3 with venv, and a way to PyPI, would help)"
        );
    }
    made.then_some(python)
}

fn make() -> crate::Result<()> {
    let requirements = root().join("bench/peers/requirements.txt");
    println!("making bench/.venv and installing into it what {} lists", requirements.display());
    crate::run(Command::new("python3").args(["-m", "venv", "bench/.venv"]))?;
    let mut install = Command::new(root().join("bench/.venv/bin/pip"));
    // The file lists all that is needed; what torch itself asks for is several times as much.
    crate::run(install.args(["install", "--quiet", "--no-deps", "--requirement"]).arg(requirements))
}

/// A script of the peers.
pub fn command(python: &Path, script: &str) -> Command {
    let mut command = Command::new(python);
    command.arg(root().join("bench/peers").join(script));
    command
}
