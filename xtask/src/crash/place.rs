//! Where it is tried: real data of several kinds, small models of them, and the command.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    process::{Child, Command, Output, Stdio},
    thread,
    time::{Duration, Instant},
};

use serde_json::Value;

use crate::{Result, at, root};

/// Rows of the real table.
pub const ROWS: usize = 400;
/// Pictures in the real folder.
pub const PICTURES: usize = 60;

pub struct Place {
    binary: PathBuf,
    pub scratch: PathBuf,
}

/// Every file below a folder, hidden ones too, with its bytes.
pub type Contents = BTreeMap<PathBuf, Vec<u8>>;

impl Place {
    /// Makes the data and trains the models.
    pub fn new(binary: PathBuf, scratch: PathBuf) -> Result<Self> {
        let place = Self { binary, scratch };
        let mut csv = "id,age,city,income\n".to_owned();
        for i in 0..ROWS {
            let city = ["Oslo", "Roma", "Wien", "Kyiv"][i % 4];
            csv.push_str(&format!(
                "{},{},{city},{}.{:02}\n",
                i + 1,
                18 + i * 7 % 60,
                900 + i * 37 % 4000,
                i % 100
            ));
        }
        place.put("real.csv", csv.as_bytes())?;
        let demo = root().join("crates/mintage-cli/assets/demo.db");
        fs::copy(&demo, place.scratch.join("demo.db")).map_err(at(&demo))?;
        fs::copy(root().join("README.md"), place.scratch.join("real.txt")).map_err(at(&place.scratch))?;
        place.done("train real.csv --model ar --size tiny --steps 30 --name rows")?;
        place.done("train demo.db --model vae --size tiny --steps 20 --name pictures")?;
        place.done("train real.txt --size tiny --steps 10 --name texts")?;
        // What a model makes is real enough, once nothing says that it was made.
        place.done("sample rows -n 400 -o rows.jsonl")?;
        let _ = fs::remove_file(place.scratch.join("rows.jsonl.mintage.json"));
        Ok(place)
    }

    fn put(&self, name: &str, bytes: &[u8]) -> Result<()> {
        let path = self.scratch.join(name);
        fs::write(&path, bytes).map_err(at(&path))
    }

    /// A folder of its own for a trial, with copies of the files `names`.
    pub fn fresh(&self, names: &[&str]) -> Result<PathBuf> {
        let dir = self.scratch.join("trial");
        let _ = fs::remove_dir_all(&dir);
        fs::create_dir_all(&dir).map_err(at(&dir))?;
        for name in names {
            fs::copy(self.scratch.join(name), dir.join(name)).map_err(at(&dir))?;
        }
        Ok(dir)
    }

    pub fn command(&self, line: &str) -> Command {
        let mut command = Command::new(&self.binary);
        command.args(line.split(' ')).args(["--no-progress", "--threads", "1"]);
        command.env("MINTAGE_RUNS", self.scratch.join("runs")).current_dir(&self.scratch);
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }

    /// The command under a limit on the size of files.
    pub fn limited(&self, line: &str, kilobytes: usize) -> Command {
        let mut command = Command::new("bash");
        let script = format!("ulimit -f {kilobytes}; exec \"$0\" {line} --no-progress --threads 1");
        command.args(["-c", &script]).arg(&self.binary);
        command.env("MINTAGE_RUNS", self.scratch.join("runs")).current_dir(&self.scratch);
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }

    pub fn output(&self, line: &str) -> Result<Output> {
        self.command(line).output().map_err(|e| format!("{line}: {e}"))
    }

    /// Runs to the end, which must be a good one.
    pub fn done(&self, line: &str) -> Result<()> {
        let output = self.output(line)?;
        match output.status.success() {
            true => Ok(()),
            false => Err(format!("{line}: {}: {}", output.status, String::from_utf8_lossy(&output.stderr))),
        }
    }

    /// How long a command takes that is left alone.
    pub fn time(&self, line: &str) -> Result<Duration> {
        let start = Instant::now();
        self.done(line)?;
        Ok(start.elapsed())
    }

    /// Starts a command and kills it after so long, unless it has ended; whether it was killed.
    pub fn kill(&self, line: &str, after: Duration) -> Result<bool> {
        let mut child: Child = self
            .command(line)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .map_err(|e| format!("{line}: {e}"))?;
        thread::sleep(after);
        let ended = child.try_wait().map_err(|e| e.to_string())?.is_some();
        let _ = child.kill();
        child.wait().map_err(|e| e.to_string())?;
        Ok(!ended)
    }

    /// How many real rows or pictures a source holds.
    pub fn real(&self, source: &str) -> Result<usize> {
        let output = self.output(&format!("inspect {source} --json"))?;
        let found: Value = serde_json::from_slice(&output.stdout)
            .map_err(|e| format!("inspect {source}: {e}: {}", String::from_utf8_lossy(&output.stderr)))?;
        let count = found["images"]["count"].as_u64().or_else(|| found["tables"][0]["rows"].as_u64());
        Ok(count.unwrap_or(0) as usize)
    }
}

pub fn contents(dir: &Path) -> Contents {
    let mut all = Contents::new();
    let Ok(entries) = fs::read_dir(dir) else { return all };
    for path in entries.flatten().map(|entry| entry.path()) {
        if path.is_dir() {
            all.extend(contents(&path));
        } else {
            let bytes = fs::read(&path).unwrap_or_default();
            all.insert(path, bytes);
        }
    }
    all
}

/// Files that are there for a moment only, when all goes well.
pub fn left_behind(dir: &Path) -> Vec<String> {
    let name = |path: PathBuf| path.strip_prefix(dir).unwrap_or(&path).display().to_string();
    let names = contents(dir).into_keys().map(name);
    names
        .filter(|name| name.contains(".tmp") || name.ends_with("-journal") || name.ends_with("-wal"))
        .collect()
}
