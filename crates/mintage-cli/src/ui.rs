//! What the user sees: data on stdout, everything else on stderr; one bar on a terminal, otherwise one
//! line each ten seconds.

use std::{
    collections::HashMap,
    fs::File,
    io::{ErrorKind, IsTerminal, Write},
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use indicatif::{ProgressBar, ProgressStyle};
use mintage::{Event, Metrics, Plan};
use mintage_data::Detected;
use serde_json::Value;

use crate::{
    failure::{CliError, paint},
    settings::{Level, Progress, Settings},
    text::{count, duration, number, rules_in_force, shown, thousands, visible},
};

const LINE_EVERY: Duration = Duration::from_secs(10);
/// The same warning is not repeated within this time.
const WARN_EVERY: Duration = Duration::from_secs(60);
/// Places of a bar.
const BAR: u64 = 1000;

/// The way to the user.
#[derive(Debug)]
pub struct Ui {
    level: Level,
    color: bool,
    progress: Progress,
    json: Option<PathBuf>,
    /// The file that events go to, once the first one has.
    stream: Option<File>,
    bar: Option<ProgressBar>,
    /// What the bar shows: a stage of training, or a piece of work.
    doing: String,
    valid: Option<f64>,
    last_line: Option<Instant>,
    warned: HashMap<String, Instant>,
}

impl Ui {
    pub fn new(settings: &Settings) -> Self {
        Self {
            level: settings.level,
            color: settings.color,
            progress: settings.progress,
            json: settings.json.clone(),
            stream: None,
            bar: None,
            doing: String::new(),
            valid: None,
            last_line: None,
            warned: HashMap::new(),
        }
    }

    /// Whether the data are to be JSON.
    pub fn wants_json(&self) -> bool {
        self.json.is_some()
    }

    /// Whether stdout is to have JSON and nothing else.
    pub fn prints_json(&self) -> bool {
        self.json.as_deref() == Some(Path::new("-"))
    }

    /// Data: text to stdout; on a terminal without what that would obey.
    pub fn out(&mut self, text: &str) -> Result<(), CliError> {
        match std::io::stdout().is_terminal() {
            true => self.out_bytes(visible(text).as_bytes()),
            false => self.out_bytes(text.as_bytes()),
        }
    }

    /// Data: bytes to stdout.
    pub fn out_bytes(&mut self, bytes: &[u8]) -> Result<(), CliError> {
        to_stdout(bytes).map_err(stdout_failure)
    }

    /// Data: JSON to where `--json` says (nowhere without it).
    pub fn out_json(&mut self, value: &Value) -> Result<(), CliError> {
        let Some(path) = self.json.clone() else { return Ok(()) };
        let text = format!("{value:#}\n");
        if path == Path::new("-") {
            return self.out(&text);
        }
        mintage_data::write_through(&path, text.as_bytes()).map_err(CliError::io(path))
    }

    /// Data: an event as one line of JSON, where `--json` says. A reader that has gone does not stop a run.
    pub fn stream(&mut self, event: &Event) -> Result<(), CliError> {
        let Some(path) = self.json.clone() else { return Ok(()) };
        let line = format!("{}\n", serde_json::to_string(event).unwrap_or_default());
        if path == Path::new("-") {
            return match self.out(&line) {
                Err(CliError::Pipe) => Ok(()),
                other => other,
            };
        }
        let file = match &mut self.stream {
            Some(file) => file,
            None => self.stream.insert(File::create(&path).map_err(CliError::io(&path))?),
        };
        file.write_all(line.as_bytes()).map_err(CliError::io(path))
    }

    /// A line on stderr, unless told to be quiet.
    pub fn say(&self, text: &str) {
        self.titled_in("", "", text);
    }

    /// A line on stderr even for those who want quiet: the answer to what they asked.
    pub fn always(&self, text: &str) {
        self.line(&shown(text));
    }

    /// "made     runs/vae-shop-1": a line with a title, unless told to be quiet.
    pub fn field(&self, title: &str, text: &str) {
        self.titled_in(&format!("{title:<9}"), "1", text);
    }

    /// A title in an ANSI colour of our own, and a text from anywhere.
    fn titled_in(&self, title: &str, code: &str, text: &str) {
        if self.level >= Level::Normal {
            let title = if title.is_empty() { String::new() } else { paint(title, code, self.color) };
            self.line(&format!("{title}{}", shown(text)));
        }
    }

    /// A line on stderr for those who want to know more.
    pub fn detail(&self, text: &str) {
        if self.level >= Level::Verbose {
            self.line(&shown(text));
        }
    }

    /// Something the user should know.
    pub fn warn(&mut self, message: &str) {
        // "step 120: …" is the same warning as "step 121: …".
        let key = message.strip_prefix("step ").and_then(|m| m.split_once(": ")).map_or(message, |(_, m)| m);
        if self.warned.get(key).is_some_and(|at| at.elapsed() < WARN_EVERY) {
            return;
        }
        self.warned.insert(key.to_owned(), Instant::now());
        self.titled_in("warning", "33", &format!(": {message}"));
    }

    /// Says how many items of a source could not be read.
    pub fn skipped(&mut self, data: &mintage_data::ImageSet) {
        if data.skipped() > 0 {
            let first = data.first_skip().map(|f| format!(" (the first: {f})")).unwrap_or_default();
            self.warn(&format!("left out {} that could not be read{first}", count(data.skipped(), "item")));
        }
    }

    /// Asks for a yes; without a terminal to ask on the answer is no.
    pub fn ask(&mut self, question: &str) -> bool {
        if !(std::io::stdin().is_terminal() && std::io::stderr().is_terminal()) {
            return false;
        }
        self.clear();
        let mut answer = String::new();
        let asked = write!(std::io::stderr(), "{} [y/N] ", shown(question));
        asked.is_ok()
            && std::io::stdin().read_line(&mut answer).is_ok()
            && ["y", "yes", "д", "да"].contains(&answer.trim().to_lowercase().as_str())
    }

    /// Takes the bar away.
    pub fn clear(&mut self) {
        if let Some(bar) = self.bar.take() {
            bar.finish_and_clear();
        }
    }

    /// Draws an event.
    pub fn event(&mut self, event: &Event) {
        match event {
            Event::Plan(plan) => self.plan(plan),
            Event::Stage { index, count, name } => {
                self.doing = format!("{index}/{count} {name}");
                self.detail(&format!("stage {index} of {count}: {name}"));
            }
            Event::Step { step, progress, metrics, items_per_sec, eta_secs } => {
                let text = self.step_text(*step, metrics, *items_per_sec, *eta_secs);
                self.advance(*progress, &text);
            }
            Event::Valid { step, metrics, best } => {
                self.valid = metrics.first();
                let best = if *best { " (best so far)" } else { "" };
                self.detail(&format!(
                    "step {}: validation {}{best}",
                    thousands(*step as usize),
                    list(metrics)
                ));
            }
            Event::Preview { path, .. } => self.detail(&format!("preview {}", path.display())),
            Event::Checkpoint { path, .. } => self.detail(&format!("checkpoint {}", path.display())),
            Event::Warning { message } => self.warn(message),
            Event::Work { what, done, total } => self.work(what, *done, *total),
            Event::Done { .. } => {
                // Lines that were begun end at 100 %.
                if self.progress == Progress::Lines && self.last_line.take().is_some() {
                    self.advance(1.0, "");
                }
                self.clear();
            }
        }
    }

    /// What a source is read as, and why.
    pub fn kind(&self, found: &Detected) {
        self.field("kind", &format!("{} ({})", found.kind.name(), found.why));
    }

    fn plan(&mut self, plan: &Plan) {
        "training".clone_into(&mut self.doing);
        self.field("data", &plan.data);
        plan.makings.iter().for_each(|making| self.field("", making));
        self.rules(&plan.rules);
        plan.family_why.iter().for_each(|why| self.field("family", why));
        let parameters = thousands(plan.parameters);
        self.field(
            "model",
            &format!("{} {}, {parameters} parameters, batch {}", plan.family, plan.size, plan.batch),
        );
        self.field("device", &format!("{}, {}", plan.device, count(plan.threads, "thread")));
        let budget = match (plan.steps, plan.time_secs, plan.most_steps) {
            (Some(steps), ..) => count(steps as usize, "step"),
            (None, Some(secs), None) => duration(secs),
            (None, Some(secs), Some(most)) => {
                format!("{}, or {} if they are sooner done", duration(secs), count(most as usize, "step"))
            }
            (None, None, _) => String::new(),
        };
        let resumed = match plan.resumed_at {
            0 => String::new(),
            step => format!(", continued after step {}", thousands(step as usize)),
        };
        self.field("budget", &format!("{budget}{resumed}"));
        self.field("run", &plan.run.display().to_string());
    }

    /// The rules that new rows keep, where there are some.
    pub fn rules(&self, rules: &[String]) {
        if !rules.is_empty() {
            self.field("rules", &rules_in_force(rules));
        }
    }

    fn step_text(&self, step: u64, metrics: &Metrics, items_per_sec: f64, eta_secs: Option<f64>) -> String {
        let mut parts = vec![format!("step {}", thousands(step as usize))];
        parts.extend(metrics.0.first().map(|(name, value)| format!("{name} {}", number(*value))));
        parts.extend(self.valid.map(|value| format!("valid {}", number(value))));
        parts.push(format!("{} items/s", thousands(items_per_sec.max(0.0) as usize)));
        parts.extend(eta_secs.map(|secs| format!("{} left", duration(secs))));
        parts.join(" · ")
    }

    fn work(&mut self, what: &str, done: usize, total: usize) {
        if what != self.doing {
            // A new piece of work is announced at once, not ten seconds later.
            self.doing = what.to_owned();
            self.last_line = None;
        }
        let text =
            if total > 1 { format!("{} of {}", thousands(done), thousands(total)) } else { String::new() };
        if total == 0 || done < total {
            return self.advance(done as f64 / total.max(1) as f64, &text);
        }
        // Lines that were begun end at 100 %.
        if self.progress == Progress::Lines && self.last_line.take().is_some() {
            self.advance(1.0, &text);
        }
        self.doing.clear();
        self.clear();
    }

    /// Draws one part of a longer piece of work, in one bar over all of it.
    pub fn part(&mut self, whole: &str, share: f64, part: &str) {
        if self.doing != whole {
            whole.clone_into(&mut self.doing);
            self.last_line = None;
        }
        self.advance(share, part);
    }

    fn advance(&mut self, progress: f64, text: &str) {
        let share = progress.clamp(0.0, 1.0);
        match self.progress {
            Progress::None => {}
            Progress::Bar => {
                let bar = self.bar.get_or_insert_with(new_bar);
                bar.set_prefix(self.doing.clone());
                bar.set_position((share * BAR as f64) as u64);
                bar.set_message(text.to_owned());
            }
            Progress::Lines => {
                if self.last_line.is_none_or(|at| at.elapsed() >= LINE_EVERY) {
                    self.last_line = Some(Instant::now());
                    let line = format!("{} {:3.0}% {text}", self.doing, share * 100.0);
                    self.line(line.trim());
                }
            }
        }
    }

    fn line(&self, text: &str) {
        match &self.bar {
            Some(bar) => bar.suspend(|| eprintln_safe(text)),
            None => eprintln_safe(text),
        }
    }
}

/// Bytes to stdout, at once.
pub fn to_stdout(bytes: &[u8]) -> std::io::Result<()> {
    let mut stdout = std::io::stdout().lock();
    stdout.write_all(bytes).and_then(|()| stdout.flush())
}

/// What it means that stdout takes no more.
pub fn stdout_failure(error: std::io::Error) -> CliError {
    match error.kind() {
        ErrorKind::BrokenPipe => CliError::Pipe,
        _ => CliError::message(format!("stdout: {error}")),
    }
}

/// A line on stderr. Whoever has closed stderr does not want to know, and loses no run by it.
pub fn eprintln_safe(text: &str) {
    let _ = writeln!(std::io::stderr(), "{text}");
}

fn new_bar() -> ProgressBar {
    let style = ProgressStyle::with_template("{prefix:.bold} {bar:24.cyan/dim} {percent:>3}% {wide_msg}");
    let style = style.unwrap_or_else(|_| ProgressStyle::default_bar()).progress_chars("━╸─");
    ProgressBar::new(BAR).with_style(style)
}

/// "loss 0.23, kl 12.1".
pub fn list(metrics: &Metrics) -> String {
    let parts: Vec<String> =
        metrics.0.iter().map(|(name, value)| format!("{name} {}", number(*value))).collect();
    parts.join(", ")
}
