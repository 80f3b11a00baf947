//! Gives inputs to processes that try them, watches over these, and says what came of it.

use std::{
    collections::BTreeMap,
    fs,
    io::{BufRead, BufReader, Write},
    path::Path,
    process::{Child, ChildStdin, Command, ExitCode, Stdio},
    sync::{
        Mutex,
        atomic::{AtomicU64, Ordering},
        mpsc::{Receiver, RecvTimeoutError, channel},
    },
    thread,
    time::{Duration, Instant},
};

use serde_json::json;

use super::{Options, inputs::input, seeds::Seeds};

/// An answer takes no longer.
const PATIENCE: Duration = Duration::from_secs(20);
/// No input takes more memory.
const MAX_MB: u64 = 1000;
/// Address space of a process, in kilobytes: beyond that it is ended by its allocator.
const SPACE_KB: u64 = 3_000_000;
/// Inputs after which a process is started afresh, so that one of them cannot spoil all others.
const LIFE: u64 = 2000;

/// What became of inputs.
#[derive(Default)]
struct Tally {
    /// By group: tried, refused.
    groups: BTreeMap<String, [u64; 2]>,
    panics: u64,
    signals: u64,
    hangs: u64,
    too_large: u64,
    peak_mb: u64,
    /// The first input of each different message.
    failures: BTreeMap<String, u64>,
}

pub fn run(options: &Options) -> ExitCode {
    let (first, last) = match (options.replay, options.inputs) {
        (Some(number), _) => (number, number + 1),
        (None, inputs) => (0, inputs.unwrap_or(u64::MAX)),
    };
    let (next, tally, start) = (AtomicU64::new(first), Mutex::new(Tally::default()), Instant::now());
    let end = start + Duration::from_secs_f64(60.0 * options.minutes);
    let endless = options.inputs.is_some() || options.replay.is_some();
    thread::scope(|scope| {
        for job in 0..options.jobs {
            let (next, tally) = (&next, &tally);
            scope.spawn(move || {
                let mut worker: Option<Worker> = None;
                while endless || Instant::now() < end {
                    let number = next.fetch_add(1, Ordering::Relaxed);
                    if number >= last {
                        break;
                    }
                    let own = worker.get_or_insert_with(|| Worker::start(options, job));
                    if !own.attempt(options, number, tally) || own.tried >= LIFE {
                        worker = None;
                    }
                }
            });
        }
    });
    let tally = tally.into_inner().unwrap();
    let inputs: u64 = tally.groups.values().map(|group| group[0]).sum();
    let failures = tally.panics + tally.signals + tally.hangs + tally.too_large;
    if failures > 0 {
        keep(options, &tally);
    }
    let line = json!({
        "inputs": inputs, "seed": options.seed, "secs": start.elapsed().as_secs_f64().round(), "jobs": options.jobs,
        "panics": tally.panics, "signals": tally.signals, "hangs": tally.hangs, "over_1_gb": tally.too_large,
        "peak_mb": tally.peak_mb, "groups": tally.groups,
    });
    println!("{line}");
    if failures == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Writes the inputs that failed, and how they are tried again.
fn keep(options: &Options, tally: &Tally) {
    let seeds = Seeds::load(&options.dir);
    for (message, &number) in &tally.failures {
        let input = input(&seeds, options.seed, number, options.only.as_deref());
        let dir = options.dir.join("failures").join(format!("{}-{}-{number}", input.group, options.seed));
        for (name, bytes) in &input.files {
            let path = dir.join(name);
            fs::create_dir_all(path.parent().unwrap_or(&dir)).unwrap();
            fs::write(path, bytes).unwrap();
        }
        let folder = input.folder.as_deref().and_then(Path::file_name).unwrap_or_default().to_string_lossy();
        let only = options.only.as_ref().map(|only| format!(" --only {only}")).unwrap_or_default();
        let again = format!("cargo xtask fuzz --seed {} --replay {number}{only}", options.seed);
        fs::write(dir.join("what.txt"), format!("{message}\nin {folder}\n{again}\n")).unwrap();
        eprintln!("{} {folder}: {message}\n    {again}", input.group);
    }
}

/// A process that tries inputs.
struct Worker {
    child: Child,
    to: ChildStdin,
    from: Receiver<String>,
    tried: u64,
}

impl Worker {
    fn start(options: &Options, job: usize) -> Self {
        let own = std::env::current_exe().unwrap();
        let mut command = Command::new("sh");
        command.args(["-c", &format!("ulimit -v {SPACE_KB}; ulimit -c 0; exec \"$0\" \"$@\"")]).arg(own);
        command.args(["--command", &options.command.display().to_string()]);
        command.args(["--dir", &options.dir.display().to_string(), "--seed", &options.seed.to_string()]);
        if let Some(only) = &options.only {
            command.args(["--only", only]);
        }
        command.env("MINTAGE_FUZZ_CHILD", job.to_string());
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut child = command.spawn().unwrap();
        let (to, out) = (child.stdin.take().unwrap(), child.stdout.take().unwrap());
        let (send, from) = channel();
        thread::spawn(move || {
            let lines = BufReader::new(out).lines().map_while(Result::ok);
            lines.take_while(|line| send.send(line.clone()).is_ok()).for_each(drop);
        });
        Self { child, to, from, tried: 0 }
    }

    /// Tries an input; `false` when the process is gone.
    fn attempt(&mut self, options: &Options, number: u64, tally: &Mutex<Tally>) -> bool {
        self.tried += 1;
        let sent = writeln!(self.to, "{number}");
        let answer = match sent {
            Ok(()) => self.from.recv_timeout(PATIENCE),
            Err(_) => Err(RecvTimeoutError::Disconnected),
        };
        let mut tally = tally.lock().unwrap();
        if let Ok(line) = answer {
            tally.note(&line, number);
            if options.replay.is_some() {
                eprintln!("{line}");
            }
            return true;
        }
        let hangs = answer == Err(RecvTimeoutError::Timeout);
        if hangs {
            let _ = self.child.kill();
        }
        let status = self.child.wait().map_or_else(|e| e.to_string(), |status| status.to_string());
        tally.hangs += u64::from(hangs);
        tally.signals += u64::from(!hangs);
        let message = if hangs { "no answer".to_owned() } else { status };
        // Which group it was of, its number says.
        let groups = tally.groups.entry("lost".to_owned()).or_default();
        groups[0] += 1;
        tally.failures.insert(format!("{message} (input {number})"), number);
        false
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Tally {
    fn note(&mut self, line: &str, number: u64) {
        let mut parts = line.splitn(4, '\t').skip(1);
        let (group, peak, outcome) = (
            parts.next().unwrap_or_default(),
            parts.next().unwrap_or_default(),
            parts.next().unwrap_or_default(),
        );
        let counts = self.groups.entry(group.to_owned()).or_default();
        counts[0] += 1;
        counts[1] += u64::from(outcome.starts_with("refused"));
        let peak = peak.parse().unwrap_or(0);
        self.peak_mb = self.peak_mb.max(peak);
        if peak > MAX_MB {
            self.too_large += 1;
            self.failures.entry(format!("{peak} MB")).or_insert(number);
        }
        if outcome.starts_with("panic") || outcome.starts_with("command:") {
            self.panics += 1;
            // Numbers apart, the same panic at the same place.
            let place: String =
                outcome.chars().filter(|c| !c.is_ascii_digit() || outcome.len() < 20).collect();
            let known = self
                .failures
                .keys()
                .any(|message| message.chars().filter(|c| !c.is_ascii_digit()).eq(place.chars()));
            if !known {
                self.failures.insert(outcome.to_owned(), number);
            }
        }
    }
}
