//! Tries inputs, one after another: their numbers come in on stdin, what became of each goes out on stdout.

use std::{
    fs,
    io::{BufRead, Write},
    panic::{AssertUnwindSafe, catch_unwind},
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::{
        Mutex,
        atomic::{AtomicBool, Ordering},
    },
    time::Instant,
};

use mintage::{
    AnyConfig, AnyData, AudioRequest, Control, Error, Event, ImageRequest, Model, MusicRequest, Recipe, Run,
    TableRequest, TextRequest, VideoRequest,
    data::{SourceSpec, Split, inspect},
    models::{AnyModel, Batch, DataInfo, training_bytes},
    nn::DeviceChoice,
    run::RunState,
    train,
    train::resolve_run,
};

use super::{
    Options,
    inputs::{Input, input},
    seeds::{Seeds, sorted},
};

/// More than a training may take; see `CliError` in the command.
const TRAINING_BYTES: u64 = 700 << 20;

/// Where the last panic was, and what it said.
static PANIC: Mutex<String> = Mutex::new(String::new());

struct Child {
    seeds: Seeds,
    work: PathBuf,
    command: PathBuf,
}

pub fn run(options: &Options, number: &str) {
    std::panic::set_hook(Box::new(|info| {
        if let Ok(mut last) = PANIC.lock() {
            *last = info.to_string().replace('\n', " ");
        }
    }));
    let work = options.dir.join(format!("work-{number}"));
    let _ = fs::remove_dir_all(&work);
    let seeds = Seeds::load(&options.dir);
    let child = Child { seeds, work, command: options.command.clone() };
    child.prepare();
    let pool = rayon::ThreadPoolBuilder::new().num_threads(1).stack_size(8 << 20).build().unwrap();
    pool.install(|| {
        for line in std::io::stdin().lock().lines().map_while(Result::ok) {
            let Ok(number) = line.trim().parse() else { break };
            let input = input(&child.seeds, options.seed, number, options.only.as_deref());
            let (outcome, peak_mb) = child.attempt(&input);
            println!("{number}\t{}\t{peak_mb}\t{outcome}", input.group);
            std::io::stdout().flush().unwrap();
        }
    });
}

impl Child {
    /// Folders in which a file is changed: some that are whole lie beside it.
    fn prepare(&self) {
        for (group, folder) in
            [("images", "images"), ("clips", "clips"), ("music", "tunes"), ("sounds", "sounds")]
        {
            let whole = self.work.join(group);
            fs::create_dir_all(&whole).unwrap();
            for file in sorted(&self.seeds.data.join(folder)).iter().take(10) {
                fs::copy(file, whole.join(file.file_name().unwrap())).unwrap();
            }
        }
        for run in &self.seeds.runs {
            copy(run, &self.work.join("models").join(run.file_name().unwrap()), &["checkpoints", "samples"]);
        }
    }

    fn attempt(&self, input: &Input) -> (String, u64) {
        // Begins a new peak.
        let _ = fs::write("/proc/self/clear_refs", "5");
        PANIC.lock().unwrap().clear();
        let outcome = match catch_unwind(AssertUnwindSafe(|| self.try_one(input))) {
            Ok(Ok(())) => "ok".to_owned(),
            Ok(Err(error)) if error.starts_with("command:") => error,
            Ok(Err(error)) => format!("refused {}", error.replace(['\n', '\t'], " ")),
            Err(_) => format!("panic {}", PANIC.lock().unwrap()),
        };
        (outcome, peak_mb())
    }

    fn try_one(&self, input: &Input) -> Result<(), String> {
        let words = |error: Error| error.to_string();
        match input.group.as_str() {
            "model" => self.model(input).map_err(words),
            "run" => self.resume(input).map_err(words),
            "shown" => self.shown(input),
            "recipe" => {
                let text = String::from_utf8_lossy(&input.files[0].1).into_owned();
                let recipe = Recipe::parse(&text).map_err(|error| error.to_string())?;
                self.train(&recipe).map_err(words)
            }
            _ => self.file(input).map_err(words),
        }
    }

    /// A file of data: looked at, and opened to learn from.
    fn file(&self, input: &Input) -> Result<(), Error> {
        let (name, bytes) = &input.files[0];
        let inside = ["images", "clips", "music", "sounds"].contains(&input.group.as_str());
        let folder = if inside { self.work.join(&input.group) } else { self.work.join("alone") };
        if !inside {
            let _ = fs::remove_dir_all(&folder);
            fs::create_dir_all(&folder).unwrap();
        }
        let file = folder.join(if inside { format!("x-{name}") } else { name.clone() });
        fs::write(&file, bytes).unwrap();
        let source = if inside { &folder } else { &file };
        let spec = SourceSpec { source: source.display().to_string(), ..SourceSpec::default() };
        let done = inspect(&spec).map(|_| ()).map_err(Error::from).and_then(|()| opened(&spec));
        fs::remove_file(&file).unwrap();
        done
    }

    fn model(&self, input: &Input) -> Result<(), Error> {
        let name = input.folder.as_ref().unwrap().file_name().unwrap();
        let dir = self.work.join("models").join(name);
        for (file, bytes) in &input.files {
            fs::write(dir.join(file), bytes).unwrap();
        }
        let done = Model::load(&dir, &DeviceChoice::Cpu).and_then(|model| sample(&model));
        for (file, _) in &input.files {
            fs::copy(input.folder.as_ref().unwrap().join(file), dir.join(file)).unwrap();
        }
        done
    }

    /// A training that goes on for a step.
    fn resume(&self, input: &Input) -> Result<(), Error> {
        let dir = self.work.join("run");
        let _ = fs::remove_dir_all(&dir);
        copy(input.folder.as_ref().unwrap(), &dir, &["samples"]);
        for (file, bytes) in &input.files {
            fs::write(dir.join(file), bytes).unwrap();
        }
        let run = Run::open(&dir)?;
        let mut recipe = run.recipe()?;
        if run.file()?.state == RunState::Done {
            recipe.train.steps = Some(3);
        }
        let data = self.data(&recipe)?;
        go(&recipe, &data, Run::resume(&dir)?)
    }

    fn train(&self, recipe: &Recipe) -> Result<(), Error> {
        let data = self.data(recipe)?;
        let dir = self.work.join("run");
        let _ = fs::remove_dir_all(&dir);
        let run = Run::create(&dir, recipe)?;
        go(recipe, &data, run)
    }

    /// The data of a recipe, where they are those of the seeds: a changed path could lead anywhere.
    fn data(&self, recipe: &Recipe) -> Result<AnyData, Error> {
        let own = Path::new(&recipe.data.source);
        if own.parent() != Some(&self.seeds.data) || recipe.data.holdout.is_some() {
            return Err(Error::request("a source of its own"));
        }
        Ok(AnyData::open(&recipe.data)?)
    }

    /// The command that shows runs, as a user starts it.
    fn shown(&self, input: &Input) -> Result<(), String> {
        let runs = self.work.join("shown");
        let _ = fs::remove_dir_all(&runs);
        let own = input.folder.as_ref().unwrap();
        copy(own, &runs.join("a"), &["samples", "checkpoints"]);
        copy(own, &runs.join("b"), &["samples", "checkpoints"]);
        for (file, bytes) in &input.files {
            fs::write(runs.join("a").join(file), bytes).unwrap();
        }
        let mut refused = Ok(());
        for line in ["ls", "show a", "compare a b", "export a -o exported", "ls --json"] {
            let mut command = Command::new(&self.command);
            command.args(["--threads", "1", "--no-progress", "--runs"]).arg(&runs);
            command.args(line.split(' ')).current_dir(&runs).stdin(Stdio::null());
            let done = command.output().unwrap();
            match done.status.code() {
                Some(0) => {}
                Some(2) => refused = Err(String::from_utf8_lossy(&done.stderr).into_owned()),
                code => {
                    return Err(format!(
                        "command: {line}: {code:?} {}",
                        String::from_utf8_lossy(&done.stderr)
                    ));
                }
            }
        }
        refused
    }
}

/// Data as a training opens them, with a batch of them.
fn opened(spec: &SourceSpec) -> Result<(), Error> {
    let data = AnyData::open(spec)?;
    let config = AnyConfig::preset(None, mintage::Size::Tiny, &data.info(), &toml::Table::new())?;
    let items = data.items(Split::Train, config.chunking());
    let some = &items[..items.len().min(4)];
    data.batch(some, config.chunking(), Some(1))?;
    Ok(())
}

fn go(recipe: &Recipe, data: &AnyData, mut run: Run) -> Result<(), Error> {
    let resolved = resolve_run(recipe, data, &run)?;
    if training_bytes(&resolved.config, &resolved.info) > TRAINING_BYTES {
        return Err(Error::request("more memory than there is"));
    }
    let (stop, start) = (AtomicBool::new(false), Instant::now());
    let control = Control { stop: &stop, clock: &|| start.elapsed() };
    let mut steps = 0;
    let on = &mut |event: Event| {
        steps += u64::from(matches!(event, Event::Step { .. }));
        stop.store(steps > 1, Ordering::Relaxed);
    };
    train(recipe, data, &mut run, &DeviceChoice::Cpu, &control, on)?;
    Ok(())
}

/// A few of whatever the model makes.
fn sample(model: &Model) -> Result<(), Error> {
    let quiet = &mut |_: usize, _: usize| {};
    match &model.config.info {
        DataInfo::Image(_) => drop(model.sample(&ImageRequest { n: 2, ..ImageRequest::default() }, quiet)?),
        DataInfo::Table(info) => {
            drop(model.sample_rows(&TableRequest { n: 20, ..TableRequest::default() }, quiet)?);
            // What `score` asks of a model, of rows of first tokens.
            let rows = mintage::data::TableBatch { tokens: vec![0; 2 * info.fields.len()], n: 2 };
            drop(model.nll(&Batch::Table(rows), 1, 1));
        }
        DataInfo::Sequence(_) if matches!(model.any, AnyModel::Sequence(_)) && model.texts().is_ok() => {
            let request = TextRequest { length: Some(60), ..TextRequest::default() };
            drop(model.sample_texts(&request, &mut |_, _| true)?);
        }
        DataInfo::Sequence(_) => {
            let request = MusicRequest { bars: Some(2), ..MusicRequest::default() };
            drop(model.sample_tunes(&request, &mut |_, _| {})?);
        }
        DataInfo::Audio(_) => {
            drop(model.sample_sounds(&AudioRequest { n: 2, ..AudioRequest::default() }, quiet)?)
        }
        DataInfo::Video(_) => {
            drop(model.sample_clips(&VideoRequest { n: 1, ..VideoRequest::default() }, quiet)?)
        }
    }
    Ok(())
}

/// A copy of a folder without some of what is in it.
fn copy(from: &Path, to: &Path, without: &[&str]) {
    fs::create_dir_all(to).unwrap();
    for path in sorted(from) {
        let name = path.file_name().unwrap();
        match path.is_dir() {
            true if without.iter().any(|other| name == *other) => {}
            true => copy(&path, &to.join(name), without),
            false => drop(fs::copy(&path, to.join(name)).unwrap()),
        }
    }
}

/// The most memory that was held since the beginning of the input.
fn peak_mb() -> u64 {
    let text = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = text.lines().find(|line| line.starts_with("VmHWM:"));
    line.and_then(|line| line.split_whitespace().nth(1)?.parse::<u64>().ok()).unwrap_or(0) / 1024
}
