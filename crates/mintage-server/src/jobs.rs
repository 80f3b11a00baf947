//! Long work: trainings and evaluations, one at a time, each a process of its own.
//!
//! A crash or a lack of memory takes that process alone, and a server that is killed takes none: what a process says goes
//! into a file, and its state is in the folder of the run. A server that starts finds the trainings that go on.

use std::{
    collections::VecDeque,
    ffi::OsString,
    fs::{self, File},
    io::{Read, Seek, SeekFrom},
    path::{Path, PathBuf},
    process::Stdio,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use axum::http::StatusCode;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tokio::{process::Command, sync::Notify, time::sleep};
use utoipa::ToSchema;

use crate::{events::Events, ids, lock, problem::Problem};

/// Jobs that wait.
pub(crate) const MAX_QUEUED: usize = 10_000;
/// Jobs that have ended and are still listed.
const MAX_ENDED: usize = 200;
/// Between looks at what a process has said.
const LOOK_EVERY: Duration = Duration::from_millis(200);
/// Bytes of what a process has said that are read at a look.
const MAX_SAID_BYTES: u64 = 4 << 20;
/// Bytes of its errors.
const MAX_ERROR_BYTES: u64 = 64 << 10;
/// A question to the program is answered within this.
const MAX_ANSWER: Duration = Duration::from_secs(120);

/// What a job is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum What {
    /// A training, its beginning or its going on.
    Train,
    /// The report of a run.
    Evaluate,
    /// New items.
    Sample,
}

/// Where a job stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum JobState {
    /// Others go before it.
    Queued,
    /// At work.
    Running,
    /// It came to its end.
    Done,
    /// It could not.
    Failed,
    /// It was not wanted any more.
    Cancelled,
}

/// Why a job failed.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct Failure {
    /// What went wrong.
    pub detail: String,
    /// What to do about it, where that is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hint: Option<String>,
}

/// Long work.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct Job {
    /// Its name in addresses.
    pub id: String,
    /// What is done.
    pub what: What,
    /// Id of the run.
    pub run: String,
    /// Where it stands.
    pub state: JobState,
    /// Seconds since 1970.
    pub created: u64,
    /// When it began.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub started: Option<u64>,
    /// When it ended.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ended: Option<u64>,
    /// How much of it is done, from 0 to 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub progress: Option<f64>,
    /// Seconds until it ends, as far as can be told.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub eta_secs: Option<f64>,
    /// Why it failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<Failure>,
    /// What was drawn.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub draw: Option<String>,
    /// Why a training took its family, where nobody named one and measurements chose it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub family_why: Option<String>,
}

impl Job {
    /// Whether it waits or is at work.
    pub fn is_open(&self) -> bool {
        matches!(self.state, JobState::Queued | JobState::Running)
    }
}

/// A call of the program.
#[derive(Clone, Debug, Default)]
pub struct Call {
    /// Behind the program's name.
    pub args: Vec<OsString>,
    /// Variables of its environment, such as passwords: a list of processes does not show them.
    pub env: Vec<(String, String)>,
}

/// How the program is called.
#[derive(Clone, Debug)]
pub struct Program {
    /// The program itself.
    pub path: PathBuf,
    /// Folder that it works in.
    pub root: PathBuf,
    /// Folder of the runs.
    pub runs: PathBuf,
}

impl Program {
    fn command(&self, call: &Call) -> Command {
        let mut command = Command::new(&self.path);
        command.args(&call.args).envs(call.env.iter().map(|(name, value)| (name, value)));
        command.current_dir(&self.root).stdin(Stdio::null());
        // Ctrl-C in the terminal of the server is for the server.
        #[cfg(unix)]
        command.process_group(0);
        command
    }

    /// What the program answers as JSON.
    pub async fn ask(&self, call: &Call) -> Result<Value, Problem> {
        let mut command = self.command(call);
        let output = command.stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true).output();
        let output = match tokio::time::timeout(MAX_ANSWER, output).await {
            Ok(Ok(output)) => output,
            Ok(Err(error)) => return Err(not_started(&error)),
            Err(_) => {
                return Err(Problem::new(StatusCode::GATEWAY_TIMEOUT, "the source took too long to read"));
            }
        };
        if !output.status.success() {
            let failure = failure_of(&String::from_utf8_lossy(&output.stderr));
            return Err(Problem { hint: failure.hint, ..Problem::request(failure.detail) });
        }
        serde_json::from_slice(&output.stdout)
            .map_err(|_| Problem::new(StatusCode::INTERNAL_SERVER_ERROR, "the program's answer is no JSON"))
    }
}

fn not_started(error: &std::io::Error) -> Problem {
    Problem::new(StatusCode::INTERNAL_SERVER_ERROR, format!("the program could not be started: {error}"))
}

/// All jobs.
pub struct Jobs {
    program: Program,
    events: Arc<Events>,
    list: Mutex<List>,
    news: Notify,
    next: AtomicU64,
}

#[derive(Default)]
struct List {
    all: VecDeque<Held>,
    queue: VecDeque<String>,
}

struct Held {
    job: Job,
    call: Call,
    /// Set when it is not wanted any more.
    cancel: Arc<AtomicBool>,
}

impl Jobs {
    /// No jobs.
    pub fn new(program: Program, events: Arc<Events>) -> Self {
        Self { program, events, list: Mutex::default(), news: Notify::new(), next: AtomicU64::new(now()) }
    }

    /// How the program is called.
    pub fn program(&self) -> &Program {
        &self.program
    }

    /// All jobs, the newest first.
    pub fn all(&self) -> Vec<Job> {
        lock(&self.list).all.iter().rev().map(|held| held.job.clone()).collect()
    }

    /// One of them.
    pub fn get(&self, id: &str) -> Option<Job> {
        lock(&self.list).all.iter().find(|held| held.job.id == id).map(|held| held.job.clone())
    }

    /// The job that works on a run or will.
    pub fn of_run(&self, run: &str) -> Option<Job> {
        let list = lock(&self.list);
        list.all.iter().map(|held| &held.job).find(|job| job.run == run && job.is_open()).cloned()
    }

    /// The training of a run that failed last, if it was its last job.
    pub fn failed(&self, run: &str) -> Option<Failure> {
        let list = lock(&self.list);
        let last = list.all.iter().rev().map(|held| &held.job).find(|job| job.run == run)?;
        last.error.clone().filter(|_| last.what == What::Train)
    }

    /// Puts work at the end of the queue.
    pub fn add(&self, what: What, run: &str, call: Call) -> Result<Job, Problem> {
        let mut list = lock(&self.list);
        if list.queue.len() >= MAX_QUEUED {
            return Err(full());
        }
        let job = self.fresh(what, run, JobState::Queued);
        list.queue.push_back(job.id.clone());
        list.hold(job.clone(), call, Arc::default());
        drop(list);
        self.tell(&job);
        self.news.notify_one();
        Ok(job)
    }

    /// A job that somebody else works on, such as the thread that draws; `cancel` is set when it is not wanted any more.
    pub fn add_foreign(&self, what: What, run: &str, cancel: Arc<AtomicBool>) -> Result<Job, Problem> {
        let mut list = lock(&self.list);
        if list.all.iter().filter(|held| held.job.is_open()).count() >= MAX_QUEUED {
            return Err(full());
        }
        let job = self.fresh(what, run, JobState::Queued);
        list.hold(job.clone(), Call::default(), cancel);
        drop(list);
        self.tell(&job);
        Ok(job)
    }

    fn fresh(&self, what: What, run: &str, state: JobState) -> Job {
        Job {
            id: format!("j{}", self.next.fetch_add(1, Ordering::Relaxed)),
            what,
            run: run.to_owned(),
            state,
            created: now(),
            started: None,
            ended: None,
            progress: None,
            eta_secs: None,
            error: None,
            draw: None,
            family_why: None,
        }
    }

    /// Ends a job: one that waits leaves the queue, a training saves and ends as by Ctrl-C, anything else is broken off.
    pub fn cancel(&self, id: &str) -> Option<Job> {
        let mut list = lock(&self.list);
        let held = list.all.iter_mut().find(|held| held.job.id == id)?;
        held.cancel.store(true, Ordering::Relaxed);
        let is_queued = held.job.state == JobState::Queued;
        if is_queued {
            held.job.state = JobState::Cancelled;
            held.job.ended = Some(now());
        }
        let job = held.job.clone();
        list.queue.retain(|queued| queued != id);
        list.forget();
        drop(list);
        if is_queued {
            self.tell(&job);
        }
        Some(job)
    }

    /// Changes a job and tells of it.
    pub fn update(&self, id: &str, change: impl FnOnce(&mut Job)) {
        let mut list = lock(&self.list);
        let Some(held) = list.all.iter_mut().find(|held| held.job.id == id) else { return };
        let before = held.job.state;
        change(&mut held.job);
        if held.job.state != before && held.job.state != JobState::Running {
            held.job.ended = Some(now());
            held.job.eta_secs = None;
        }
        let job = held.job.clone();
        list.forget();
        drop(list);
        self.tell(&job);
    }

    fn tell(&self, job: &Job) {
        self.events.send("jobs", "job", json!(job));
        if matches!(job.state, JobState::Queued | JobState::Done | JobState::Failed | JobState::Cancelled) {
            self.events.send("runs", "runs", json!({ "run": job.run, "change": "state" }));
        }
    }

    /// Works off the queue for as long as the server runs.
    pub async fn work(self: Arc<Self>) {
        loop {
            let Some((job, call, cancel)) = self.take() else {
                self.news.notified().await;
                continue;
            };
            let state = match self.run(&job, &call, &cancel).await {
                Ok(()) if cancel.load(Ordering::Relaxed) => Ok(JobState::Cancelled),
                Ok(()) => Ok(JobState::Done),
                Err(failure) => Err(failure),
            };
            self.update(&job.id, |job| match state {
                Ok(state) => {
                    job.state = state;
                    job.progress = (state == JobState::Done).then_some(1.0).or(job.progress);
                }
                Err(_) if cancel.load(Ordering::Relaxed) => job.state = JobState::Cancelled,
                Err(failure) => {
                    job.state = JobState::Failed;
                    job.error = Some(failure);
                }
            });
        }
    }

    /// The next job.
    fn take(&self) -> Option<(Job, Call, Arc<AtomicBool>)> {
        let mut list = lock(&self.list);
        let id = list.queue.pop_front()?;
        let held = list.all.iter_mut().find(|held| held.job.id == id)?;
        held.job.state = JobState::Running;
        held.job.started = Some(now());
        let taken = (held.job.clone(), held.call.clone(), held.cancel.clone());
        drop(list);
        self.tell(&taken.0);
        Some(taken)
    }

    async fn run(&self, job: &Job, call: &Call, cancel: &AtomicBool) -> Result<(), Failure> {
        let failed = |error: std::io::Error| Failure {
            detail: format!("the program could not be started: {error}"),
            hint: None,
        };
        let folder = self.program.runs.join(".studio");
        fs::create_dir_all(&folder).map_err(failed)?;
        let (said, errors) =
            (folder.join(format!("{}.jsonl", job.id)), folder.join(format!("{}.err", job.id)));
        let mut command = self.program.command(call);
        command.stdout(File::create(&said).map_err(failed)?).stderr(File::create(&errors).map_err(failed)?);
        let mut child = command.spawn().map_err(failed)?;
        let mut told = Told { path: said.clone(), at: 0 };
        let mut asked = false;
        let status = loop {
            let ended = tokio::select! {
                status = child.wait() => Some(status.map_err(failed)?),
                () = sleep(LOOK_EVERY) => None,
            };
            told.lines(|line| self.hear(job, line));
            if let Some(status) = ended {
                break status;
            }
            if cancel.load(Ordering::Relaxed) && !asked {
                asked = true;
                match job.what {
                    What::Train => ids::ask_to_stop(&self.program.runs, &job.run),
                    What::Evaluate | What::Sample => {
                        let _ = child.start_kill();
                    }
                }
            }
        };
        let text = head_of(&errors);
        let _ = (fs::remove_file(&said), fs::remove_file(&errors));
        match status.success() || (status.code() == Some(130)) {
            true => Ok(()),
            false => Err(match text.contains("error:") {
                true => failure_of(&text),
                false => Failure {
                    detail: format!("the process was ended from outside ({status})"),
                    hint: Some(
                        "there may not be enough memory; a smaller size or batch needs less".to_owned(),
                    ),
                },
            }),
        }
    }

    /// One line of what a process says.
    fn hear(&self, job: &Job, line: &str) {
        let Ok(mut event) = serde_json::from_str::<Value>(line) else { return };
        let name = event["event"].as_str().unwrap_or_default().to_owned();
        match name.as_str() {
            "step" => {
                let (progress, eta) = (event["progress"].as_f64(), event["eta_secs"].as_f64());
                self.update(&job.id, |job| (job.progress, job.eta_secs) = (progress, eta));
            }
            "work" => {
                let share = event["done"].as_f64().zip(event["total"].as_f64());
                let share = share.map(|(done, total)| (done / total.max(1.0)).clamp(0.0, 1.0));
                self.update(&job.id, |job| job.progress = share);
                return;
            }
            "plan" => {
                if let Some(why) = event["family_why"].as_str().map(str::to_owned) {
                    self.update(&job.id, |job| job.family_why = Some(why));
                }
                self.events.send("runs", "runs", json!({ "run": job.run, "change": "new" }));
            }
            "" => return,
            _ => {}
        }
        tidy(&mut event, &job.run);
        let data = json!({ "run": job.run, "event": event });
        self.events.send(format!("run:{}", job.run), "run", data);
    }
}

impl List {
    fn hold(&mut self, job: Job, call: Call, cancel: Arc<AtomicBool>) {
        self.all.push_back(Held { job, call, cancel });
        self.forget();
    }

    /// Leaves out the oldest of more ended jobs than are listed.
    fn forget(&mut self) {
        let over = self.all.iter().filter(|held| !held.job.is_open()).count();
        let mut excess = over.saturating_sub(MAX_ENDED);
        self.all.retain(|held| {
            let goes = excess > 0 && !held.job.is_open();
            excess -= usize::from(goes);
            !goes
        });
    }
}

fn full() -> Problem {
    Problem::new(StatusCode::SERVICE_UNAVAILABLE, format!("{MAX_QUEUED} jobs wait already"))
        .with_hint("cancel some of them, or wait")
}

/// Metrics by their names, addresses in place of paths.
fn tidy(event: &mut Value, run: &str) {
    for key in ["metrics", "valid"] {
        if let Some(pairs) = event[key].as_array() {
            let by_name =
                pairs.iter().filter_map(|pair| Some((pair[0].as_str()?.to_owned(), pair[1].clone())));
            event[key] = Value::Object(by_name.collect());
        }
    }
    let Some(fields) = event.as_object_mut() else { return };
    for key in ["run", "model"] {
        fields.remove(key);
    }
    if let Some(path) = fields.remove("path")
        && let Some(name) = path.as_str().and_then(|path| Path::new(path).file_name()?.to_str())
        && fields.get("event").is_some_and(|event| event == "preview")
    {
        fields.insert("url".to_owned(), json!(ids::preview_url(run, name)));
        fields.insert("type".to_owned(), json!(ids::media_type(name)));
    }
}

/// What a process has written so far, line by line.
struct Told {
    path: PathBuf,
    at: u64,
}

impl Told {
    fn lines(&mut self, mut on: impl FnMut(&str)) {
        let Ok(mut file) = File::open(&self.path) else { return };
        let mut bytes = Vec::new();
        let read = file
            .seek(SeekFrom::Start(self.at))
            .and_then(|_| file.take(MAX_SAID_BYTES).read_to_end(&mut bytes));
        // A line that is not whole yet is read at the next look.
        let Some(end) = read.ok().and_then(|_| bytes.iter().rposition(|&byte| byte == b'\n')) else { return };
        self.at += end as u64 + 1;
        String::from_utf8_lossy(&bytes[..end]).lines().for_each(&mut on);
    }
}

fn head_of(path: &Path) -> String {
    let mut bytes = Vec::new();
    let _ = File::open(path).and_then(|file| file.take(MAX_ERROR_BYTES).read_to_end(&mut bytes));
    String::from_utf8_lossy(&bytes).into_owned()
}

/// The message and the hint that the command ends with.
fn failure_of(text: &str) -> Failure {
    let after = text.rsplit_once("error: ").map_or(text, |(_, after)| after);
    let (detail, hint) = match after.split_once("\n  hint: ") {
        Some((detail, hint)) => (detail, Some(hint)),
        None => (after, None),
    };
    let joined = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
    Failure { detail: joined(detail), hint: hint.map(joined) }
}

/// Seconds since 1970.
pub(crate) fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn reads_what_the_command_says_of_a_failure() {
        let failure = failure_of(
            "kind  image\nerror: demo.db: has no table\n  `x`\n  hint: the tables are\n        a, b\n",
        );
        assert_eq!(failure.detail, "demo.db: has no table `x`");
        assert_eq!(failure.hint.as_deref(), Some("the tables are a, b"));
    }

    #[test]
    fn events_tell_no_paths() {
        let mut event =
            json!({ "event": "preview", "step": 3, "path": "/home/me/runs/a/samples/step-3.png" });
        tidy(&mut event, "a");
        assert_eq!(event["url"], "/api/runs/a/previews/step-3.png");
        assert!(!event.to_string().contains("/home"));
        let mut event = json!({ "event": "step", "metrics": [["loss", 1.5]] });
        tidy(&mut event, "a");
        assert_eq!(event["metrics"]["loss"], 1.5);
    }

    /// No jobs, of a program that is never called.
    fn none() -> Jobs {
        let program = Program { path: PathBuf::new(), root: PathBuf::new(), runs: PathBuf::new() };
        Jobs::new(program, Arc::new(Events::new(0)))
    }

    #[test]
    fn keeps_the_reason_for_a_family() {
        let jobs = none();
        let job = jobs.add(What::Train, "a", Call::default()).unwrap();
        jobs.hear(&job, r#"{ "event": "plan", "family": "vae", "family_why": "vae small: best of 4" }"#);
        let kept = jobs.get(&job.id).and_then(|job| job.family_why);
        assert_eq!(kept.as_deref(), Some("vae small: best of 4"));
    }

    #[test]
    fn of_many_ended_jobs_the_newest_are_listed() {
        let jobs = none();
        let ids: Vec<String> = (0..MAX_ENDED + 50)
            .filter_map(|i| jobs.add(What::Train, &format!("r{i}"), Call::default()).ok())
            .map(|job| job.id)
            .collect();
        ids.iter().for_each(|id| drop(jobs.cancel(id)));
        assert_eq!(jobs.all().len(), MAX_ENDED);
        assert!(jobs.get(&ids[49]).is_none() && jobs.get(&ids[50]).is_some());
    }
}
