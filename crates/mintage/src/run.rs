//! The run folder, which is also the model folder: paths, atomic writes, checkpoints, the lock.
//!
//! A run survives being killed at any moment: every file is written beside its final place, synced and
//! renamed, and the metrics of steps after the last checkpoint are dropped when the run is resumed.

use std::{
    fs::{self, File, TryLockError},
    io::Write,
    path::{Path, PathBuf},
};

use mintage_data::{read_text, real_folder};
use mintage_nn::TensorMap;
use serde::{Deserialize, Serialize};

use crate::{
    error::Error,
    events::{Metrics, StopReason},
    folder::{MAX_FILE_BYTES, load_weights, read_json, refuse_not_finite, write, write_json},
    model::ModelConfig,
    recipe::Recipe,
};

pub use crate::folder::SWEEP_FILE;
pub(crate) use crate::folder::write_weights;

/// The state of a training run, kept in `run.json`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum RunState {
    /// Training now, or killed; it can be resumed.
    Training,
    /// Stopped by the user; it can be resumed.
    Interrupted,
    /// Ended by itself: the budget is spent, or more steps would not help.
    Done,
}

impl RunState {
    /// The state in lower case, as it stands in `run.json`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Training => "training",
            Self::Interrupted => "interrupted",
            Self::Done => "done",
        }
    }
}

/// The content of `run.json`.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct RunFile {
    /// Version of the format: 1.
    pub format: u32,
    /// Whether the run is training, interrupted or done.
    pub state: RunState,
    /// Number of steps done when the file was written.
    pub step: u64,
    /// Seconds of training when the file was written.
    pub train_secs: f64,
    /// Why training ended; runs of before 2026-11-29 do not say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended: Option<StopReason>,
}

/// Where training stood at a checkpoint, beside the weights.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct TrainState {
    /// Number of steps done.
    pub step: u64,
    /// Seconds of training.
    pub train_secs: f64,
    /// First metric of the best validation of the present stage so far; less is better.
    pub best: Option<f64>,
    /// Step of that validation.
    pub best_step: u64,
    /// Number of validations since then.
    pub since_best: usize,
    /// Number of the validations of the budget that are done.
    pub validations: u64,
    /// Number of the previews of the budget that are done.
    pub previews: u64,
    /// Number of the checkpoints of the budget that are done.
    pub checkpoints: u64,
    /// Index of the present stage, from 0.
    #[serde(alias = "phase")]
    pub stage: usize,
    /// Why training ended, once nothing but publishing is left to do.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended: Option<StopReason>,
    /// Bytes of the series of metrics at this checkpoint; a resumed run drops what was written after it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub metrics_bytes: Option<u64>,
}

impl TrainState {
    /// What is wrong with it as the state at `step` of a training of `stages` stages: the file may be damaged.
    fn check(&self, step: Option<u64>) -> Result<(), String> {
        let looks = [self.validations, self.previews, self.checkpoints];
        let sound = step.is_none_or(|step| step == self.step)
            && (0.0..=MAX_TRAIN_SECS).contains(&self.train_secs)
            && self.best_step <= self.step
            && looks.iter().all(|&count| count <= MAX_LOOKS)
            && self.since_best as u64 <= MAX_LOOKS
            && self.stage <= MAX_STAGES;
        sound.then_some(()).ok_or_else(|| "holds numbers that no training has".to_owned())
    }
}

/// An open run folder.
///
/// While it is locked for training, no other process can train in it.
#[derive(Debug)]
pub struct Run {
    dir: PathBuf,
    /// Held for as long as the value lives.
    _lock: Option<File>,
}

/// What `mintage ls` shows of a run.
#[derive(Clone, Debug, Serialize)]
pub struct RunInfo {
    /// Name of the run: that of its folder, or SWEEP/RUN.
    pub name: String,
    /// Folder of the run.
    pub dir: PathBuf,
    /// Whether it is training, interrupted or done.
    pub state: RunState,
    /// Number of steps done, as `run.json` has it.
    pub step: u64,
    /// Seconds of training, as `run.json` has it.
    pub train_secs: f64,
    /// What is known of the published model; `None` while nothing is published.
    pub config: Option<ModelConfig>,
}

/// Longer than any training: a thousand years.
pub(crate) const MAX_TRAIN_SECS: f64 = 3e10;
/// More validations, previews or checkpoints than any training has.
const MAX_LOOKS: u64 = 1 << 32;
/// No family trains in more stages.
const MAX_STAGES: usize = 8;
/// No series of metrics is longer.
const MAX_METRICS_BYTES: u64 = 16 << 30;
/// More steps than any training has.
const MAX_STEPS: u64 = 1 << 48;

const RUN_FILE: &str = "run.json";
const LOCK_FILE: &str = ".lock";
const STATE_FILE: &str = "state.safetensors";
const TRAIN_FILE: &str = "train.json";
pub(crate) const METRICS_FILE: &str = "metrics.jsonl";
/// Whose appearance ends a training: for those who did not start its process, and where there are no signals.
const STOP_FILE: &str = "stop";
/// Looks at a lock that somebody else only looks at as well.
const MAX_LOCK_TRIES: usize = 10_000;
/// When validations were, apart from what they found: that is the same whenever it is found.
pub(crate) const TIMES_FILE: &str = "times.jsonl";

impl Run {
    /// Makes a new run folder for `recipe`, locked for training.
    ///
    /// # Errors
    /// The folder is not empty, cannot be written, or another process trains in it.
    pub fn create(dir: &Path, recipe: &Recipe) -> Result<Self, Error> {
        if dir.exists() && fs::read_dir(dir).map_err(Error::io(dir))?.next().is_some() {
            let hint = "choose another --name, or continue it with --resume";
            return Err(Error::folder(dir, "exists already").with_hint(hint));
        }
        fs::create_dir_all(dir.join("samples")).map_err(Error::io(dir))?;
        let run = Self { dir: dir.to_owned(), _lock: Some(lock(dir)?) };
        write(&run.dir.join("recipe.toml"), recipe.to_toml().as_bytes())?;
        run.set_state(RunState::Training, 0, 0.0)?;
        Ok(run)
    }

    /// Opens an existing run, locked for further training.
    ///
    /// # Errors
    /// The folder is not that of a run, or another process trains in it.
    pub fn resume(dir: &Path) -> Result<Self, Error> {
        let mut run = Self::open(dir)?;
        run._lock = Some(lock(dir)?);
        // It was for a training that has ended.
        run.forget_stop();
        Ok(run)
    }

    /// Asks the process that trains in a run folder to end as by Ctrl-C: it saves, and the run can be resumed. It looks for
    /// the file `stop` a few times a second; where nobody trains, the next training removes it.
    ///
    /// # Errors
    /// The folder is not that of a run, or cannot be written.
    pub fn ask_to_stop(dir: &Path) -> Result<(), Error> {
        Self::open(dir)?;
        open_own(&dir.join(STOP_FILE), false).map(drop)
    }

    /// Whether somebody has asked the training to end.
    pub(crate) fn is_asked_to_stop(&self) -> bool {
        fs::symlink_metadata(self.dir.join(STOP_FILE)).is_ok_and(|there| there.is_file())
    }

    /// Removes what [`ask_to_stop`](Self::ask_to_stop) has left.
    pub(crate) fn forget_stop(&self) {
        if self.is_asked_to_stop() {
            let _ = fs::remove_file(self.dir.join(STOP_FILE));
        }
    }

    /// Whether some process trains in a run folder now, or holds its lock for another reason. Nobody is kept from locking it
    /// by being asked about.
    pub fn is_live(dir: &Path) -> bool {
        let path = dir.join(LOCK_FILE);
        if !fs::symlink_metadata(&path).is_ok_and(|there| there.is_file()) {
            return false;
        }
        // A shared lock stands in nobody's way but that of a trainer, who tries again: see `lock`.
        File::open(&path).is_ok_and(|file| matches!(file.try_lock_shared(), Err(TryLockError::WouldBlock)))
    }

    /// Opens an existing run for reading.
    ///
    /// # Errors
    /// The folder is not that of a run: it has no `run.json`.
    pub fn open(dir: &Path) -> Result<Self, Error> {
        if !dir.join(RUN_FILE).is_file() {
            return Err(Error::folder(dir, "is no run folder (it has no run.json)"));
        }
        Ok(Self { dir: dir.to_owned(), _lock: None })
    }

    /// All runs in a folder and in the sweeps that lie there, by name.
    ///
    /// A run of a sweep is called SWEEP/RUN. A folder that does not exist has no runs.
    ///
    /// # Errors
    /// Never at present: what cannot be read is left out.
    pub fn list(runs: &Path) -> Result<Vec<RunInfo>, Error> {
        let mut found = Vec::new();
        for dir in folders(runs) {
            if let Some(run) = Self::open(&dir).ok().and_then(|run| run.info().ok()) {
                found.push(run);
            } else if dir.join(SWEEP_FILE).is_file() {
                let sweep = dir.file_name().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default();
                let members = folders(&dir).into_iter().filter_map(|d| Self::open(&d).ok()?.info().ok());
                found.extend(members.map(|run| RunInfo { name: format!("{sweep}/{}", run.name), ..run }));
            }
        }
        found.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(found)
    }

    /// The folder of the run.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// The name of the folder.
    pub fn name(&self) -> String {
        self.dir.file_name().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default()
    }

    /// The recipe that the run was made from.
    ///
    /// # Errors
    /// `recipe.toml` is missing, or cannot be understood.
    pub fn recipe(&self) -> Result<Recipe, Error> {
        let path = self.dir.join("recipe.toml");
        Ok(Recipe::parse(&read_text(&path, MAX_FILE_BYTES)?)?)
    }

    /// What `run.json` says.
    ///
    /// # Errors
    /// The file is missing or damaged.
    pub fn file(&self) -> Result<RunFile, Error> {
        let path = self.dir.join(RUN_FILE);
        let file: RunFile = read_json(&path)?;
        match (0.0..=MAX_TRAIN_SECS).contains(&file.train_secs) && file.step <= MAX_STEPS {
            true => Ok(file),
            false => Err(Error::folder(path, "holds numbers that no training has")
                .with_hint("the file is damaged: put back a copy of it, or start another run")),
        }
    }

    /// What `mintage ls` shows of the run.
    ///
    /// # Errors
    /// `run.json` is missing or damaged.
    pub fn info(&self) -> Result<RunInfo, Error> {
        let RunFile { state, step, train_secs, .. } = self.file()?;
        let config = ModelConfig::load(&self.dir).ok();
        Ok(RunInfo { name: self.name(), dir: self.dir.clone(), state, step, train_secs, config })
    }

    pub(crate) fn set_state(&self, state: RunState, step: u64, train_secs: f64) -> Result<(), Error> {
        self.write_file(RunFile { format: 1, state, step, train_secs, ended: None })
    }

    /// Interrupted or done.
    pub(crate) fn end(&self, reason: StopReason, step: u64, train_secs: f64) -> Result<(), Error> {
        let state = if reason == StopReason::Interrupted { RunState::Interrupted } else { RunState::Done };
        self.write_file(RunFile { format: 1, state, step, train_secs, ended: Some(reason) })
    }

    fn write_file(&self, file: RunFile) -> Result<(), Error> {
        write_json(&self.dir.join(RUN_FILE), &file)
    }

    /// Writes a checkpoint and removes all but the last two.
    pub(crate) fn checkpoint(&self, state: &TrainState, tensors: &TensorMap) -> Result<PathBuf, Error> {
        let all = self.checkpoints_folder()?;
        let dir = all.join(format!("step-{:09}", state.step));
        let temporary = all.join(".writing");
        let _ = fs::remove_dir_all(&temporary);
        fs::create_dir_all(&temporary).map_err(Error::io(&temporary))?;
        write_weights(&temporary.join(STATE_FILE), tensors)?;
        write_json(&temporary.join(TRAIN_FILE), state)?;
        // The folder appears under its name only when it is whole.
        let _ = fs::remove_dir_all(&dir);
        fs::rename(&temporary, &dir).map_err(Error::io(&dir))?;
        let steps = self.checkpoints();
        for old in steps.iter().rev().skip(2) {
            let _ = fs::remove_dir_all(old);
        }
        Ok(dir)
    }

    /// The folder of the checkpoints, made where it is not there. A run may come from a stranger: it may be no link.
    pub(crate) fn checkpoints_folder(&self) -> Result<PathBuf, Error> {
        real_folder(&self.dir, Path::new("checkpoints")).map_err(Error::io(&self.dir))
    }

    /// Checkpoint folders, oldest first.
    pub(crate) fn checkpoints(&self) -> Vec<PathBuf> {
        let Ok(entries) = fs::read_dir(self.dir.join("checkpoints")) else { return Vec::new() };
        let is_step = |p: &PathBuf| p.file_name().is_some_and(|n| n.to_string_lossy().starts_with("step-"));
        let mut found: Vec<PathBuf> = entries.flatten().map(|e| e.path()).filter(is_step).collect();
        found.sort();
        found
    }

    /// What a checkpoint holds; an error where it is damaged.
    pub(crate) fn read_checkpoint(&self, dir: &Path) -> Result<(TrainState, TensorMap), Error> {
        let path = dir.join(TRAIN_FILE);
        let state: TrainState = read_json(&path)?;
        let name = dir.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        let step = name.strip_prefix("step-").and_then(|digits| digits.parse().ok());
        state.check(step).map_err(|why| Error::folder(&path, why))?;
        let path = dir.join(STATE_FILE);
        let tensors = load_weights(&path)?;
        refuse_not_finite(&tensors, &path)?;
        Ok((state, tensors))
    }

    /// Where the weights of the best validation lie.
    pub(crate) fn best_weights(&self) -> PathBuf {
        self.dir.join("checkpoints").join("best.safetensors")
    }

    /// Appends one line of metrics.
    pub(crate) fn append_metrics(&self, step: u64, kind: &str, metrics: &Metrics) -> Result<(), Error> {
        let mut line = serde_json::Map::new();
        line.insert("step".to_owned(), step.into());
        line.insert("kind".to_owned(), kind.into());
        for (name, value) in &metrics.0 {
            line.insert(name.clone(), (*value).into());
        }
        self.append(METRICS_FILE, &serde_json::Value::Object(line).to_string())
    }

    /// Appends when a validation was: its step, its stage from 1 (each minimises a number of its own), and the training time
    /// until then.
    pub(crate) fn append_time(&self, step: u64, stage: usize, secs: f64) -> Result<(), Error> {
        let line = serde_json::json!({ "step": step, "stage": stage + 1, "secs": secs });
        self.append(TIMES_FILE, &line.to_string())
    }

    /// Appends the line that a stage begins with: what comes behind it is about another number.
    pub(crate) fn append_stage(&self, first_step: u64, name: &str) -> Result<(), Error> {
        let line = serde_json::json!({ "step": first_step, "kind": "stage", "name": name });
        self.append(METRICS_FILE, &line.to_string())
    }

    /// Appends one line to `log.txt`.
    pub(crate) fn log(&self, line: &str) -> Result<(), Error> {
        self.append("log.txt", line)
    }

    fn append(&self, file: &str, line: &str) -> Result<(), Error> {
        let path = self.dir.join(file);
        let mut file = open_own(&path, true)?;
        writeln!(file, "{line}").map_err(Error::io(&path))
    }

    /// Bytes of the series of metrics.
    pub(crate) fn metrics_bytes(&self) -> u64 {
        fs::metadata(self.dir.join(METRICS_FILE)).map_or(0, |file| file.len())
    }

    /// Drops the metrics that were written after the checkpoint of `state`; a resumed run writes them again.
    pub(crate) fn truncate_metrics(&self, state: &TrainState) -> Result<(), Error> {
        let step_of =
            |line: &str| serde_json::from_str::<serde_json::Value>(line).ok()?.get("step")?.as_u64();
        let until = |text: &str| -> String {
            let keep = |line: &&str| step_of(line).is_some_and(|step| step <= state.step);
            text.lines().filter(keep).flat_map(|line| [line, "\n"]).collect()
        };
        let path = self.dir.join(TIMES_FILE);
        if let Ok(text) = read_text(&path, MAX_METRICS_BYTES) {
            write(&path, until(&text).as_bytes())?;
        }
        let path = self.dir.join(METRICS_FILE);
        let Ok(text) = read_text(&path, MAX_METRICS_BYTES) else { return Ok(()) };
        let kept = match state.metrics_bytes {
            Some(bytes) => text.get(..bytes as usize).unwrap_or(&text).to_owned(),
            // Checkpoints of older versions know their step alone.
            None => until(&text),
        };
        write(&path, kept.as_bytes())
    }
}

/// The folders in a folder.
fn folders(dir: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(dir).into_iter().flatten().flatten();
    entries.map(|entry| entry.path()).filter(|path| path.is_dir()).collect()
}

/// Locks a folder for training until the returned file is dropped.
///
/// The lock is the operating system's and goes away with the process, however it ends.
///
/// # Errors
/// Another process holds the lock, or the file of the lock cannot be written.
pub fn lock(dir: &Path) -> Result<File, Error> {
    let path = dir.join(LOCK_FILE);
    let file = open_own(&path, false)?;
    for _ in 0..MAX_LOCK_TRIES {
        match file.try_lock() {
            Ok(()) => return Ok(file),
            // One that can be shared is held for a moment by somebody who looks whether anybody trains.
            Err(TryLockError::WouldBlock) if file.try_lock_shared().is_ok() => {
                file.unlock().map_err(Error::io(&path))?;
                std::thread::yield_now();
            }
            Err(TryLockError::WouldBlock) => break,
            Err(TryLockError::Error(error)) => return Err(Error::io(&path)(error)),
        }
    }
    let hint = "wait until it ends, or end it (Ctrl-C saves)";
    Err(Error::folder(dir, "another process is training in this run folder").with_hint(hint))
}

/// Opens a file of a run for writing. The run may come from a stranger: a link may lead anywhere, and a pipe be waited for.
pub(crate) fn open_own(path: &Path, append: bool) -> Result<File, Error> {
    match fs::symlink_metadata(path) {
        Ok(there) if there.is_symlink() => {
            return Err(Error::folder(path, "is a link, and nothing in a run is written through it"));
        }
        Ok(there) if !there.is_file() => {
            return Err(Error::folder(path, "is no file, and a file of the run has its name"));
        }
        _ => {}
    }
    let mut options = File::options();
    options.create(true).truncate(false).write(true).append(append);
    options.open(path).map_err(Error::io(path))
}
