//! The Python in which the peers run and the judges of other houses: virtual environments of their own, made once.

use std::{
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use crate::root;

/// A virtual environment under `bench`.
pub struct Environment {
    folder: &'static str,
    /// What to install, a file of `bench/peers`.
    requirements: &'static str,
    /// The file lists all that is needed: nothing else is installed.
    complete: bool,
    /// What must be there to be imported.
    imports: &'static str,
}

/// PyTorch.
pub const TORCH: Environment = Environment {
    folder: "bench/.venv",
    requirements: "requirements.txt",
    // What torch itself asks for is several times as much.
    complete: true,
    imports: "torch, numpy, PIL",
};

/// The metrics of tables: SDMetrics, XGBoost.
pub const TABLE_METRICS: Environment = Environment {
    folder: "bench/.venv-tables",
    requirements: "requirements-tables.txt",
    complete: false,
    imports: "sdmetrics, xgboost",
};

/// The generators of tables.
pub const TABLE_PEERS: Environment = Environment {
    folder: "bench/.venv-table-peers",
    requirements: "requirements-table-peers.txt",
    complete: false,
    imports: "ctgan, sdv, mostlyai.engine",
};

/// The generators of whole databases, and the judge of one of them.
pub const DATABASE_PEERS: Environment = Environment {
    folder: "bench/.venv-databases",
    requirements: "requirements-databases.txt",
    complete: true,
    imports: "sdv, mostlyai.sdk, mostlyai.engine, mostlyai.qa",
};

/// The rows of TPC-H and TPC-DS.
pub const TPC: Environment = Environment {
    folder: "bench/.venv-tpc",
    requirements: "requirements-tpc.txt",
    complete: false,
    // The package is a program: there is nothing of its own to import.
    imports: "sqlite3",
};

impl Environment {
    /// Its Python, made where it is not there; nothing, with a word why, where that fails.
    pub fn python(&self) -> Option<PathBuf> {
        let python = root().join(self.folder).join("bin/python");
        if self.works(&python) {
            return Some(python);
        }
        let made = self.make().is_ok() && self.works(&python);
        if !made {
            eprintln!(
                "{} could not be made: what needs it is left out (Python 3 with venv, and a way to PyPI, would help)",
                self.folder
            );
        }
        made.then_some(python)
    }

    fn works(&self, python: &Path) -> bool {
        let mut import = Command::new(python);
        import.args(["-c", &format!("import {}", self.imports)]).stdout(Stdio::null()).stderr(Stdio::null());
        import.status().is_ok_and(|status| status.success())
    }

    fn make(&self) -> crate::Result<()> {
        let requirements = root().join("bench/peers").join(self.requirements);
        println!("making {} and installing into it what {} lists", self.folder, requirements.display());
        crate::run(Command::new("python3").args(["-m", "venv", self.folder]))?;
        let mut install = Command::new(root().join(self.folder).join("bin/pip"));
        install.args(["install", "--quiet"]);
        if self.complete {
            install.arg("--no-deps");
        }
        crate::run(install.arg("--requirement").arg(requirements))
    }
}

/// A script of `bench/peers`.
pub fn command(python: &Path, script: &str) -> Command {
    let mut command = Command::new(python);
    command.arg(root().join("bench/peers").join(script));
    command
}
