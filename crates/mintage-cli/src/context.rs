//! What the verbs share: finding and loading a model, opening its data, the pool, the clock.

use std::{
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use mintage::{AnyData, Event, Model, Run, recipe::nearest, run::RunState};
use mintage_data::{Detected, Error, SourceSpec, detect, names::path_of};

use crate::{
    args::{Columns, SourceOverride},
    failure::CliError,
    settings::Settings,
    sweep_plan::{self, Plan},
    text::shell,
    ui::Ui,
};

/// Worker threads get as much stack as the main thread usually has.
const STACK_BYTES: usize = 8 << 20;

/// What every verb is given.
#[derive(Debug)]
pub struct Context {
    pub settings: Settings,
    pub ui: Ui,
}

impl Context {
    pub fn new(settings: Settings) -> Self {
        let ui = Ui::new(&settings);
        Self { settings, ui }
    }

    /// The folder that `name` means: a path, or a run by its name.
    pub fn model_dir(&self, name: &str) -> Result<PathBuf, CliError> {
        let is_model = |dir: &Path| dir.join("config.json").is_file() || dir.join("run.json").is_file();
        let path = &*path_of(name);
        let run = self.settings.runs.join(path);
        if let Some(found) = [path, &run].into_iter().find(|dir| is_model(dir)) {
            return Ok(found.to_owned());
        }
        if let Some(sweep) = sweep_plan::find(path, &self.settings.runs) {
            let cells = Plan::read(&sweep)?.cells();
            let names: Vec<String> = cells.iter().map(|cell| format!("{name}/{}", cell.name())).collect();
            let names: Vec<&str> = names.iter().map(String::as_str).collect();
            return Err(CliError::new(
                format!("{}: is a sweep of several runs", shell(&sweep)),
                format!("name one of them: {}", some_of(&names)),
            ));
        }
        if path.is_dir() {
            return Err(CliError::new(
                format!("{}: holds no model", path.display()),
                "name a run, or a folder with config.json and model.safetensors",
            ));
        }
        let runs = Run::list(&self.settings.runs)?;
        let names: Vec<&str> = runs.iter().map(|run| run.name.as_str()).collect();
        let hint = match (nearest(name, names.iter().copied()), names.is_empty()) {
            (Some(near), _) => format!("did you mean `{near}`?"),
            (None, true) => {
                let runs = self.settings.runs.display();
                format!("there are no runs in {runs} yet: `mintage train SOURCE` makes one")
            }
            (None, false) => format!("the runs are {}", some_of(&names)),
        };
        Err(CliError::new(format!("no model `{name}`"), hint))
    }

    /// Whether `name` means a model, finished or not, and no data.
    pub fn is_model(&self, name: &str) -> bool {
        let path = &*path_of(name);
        let dir = if path.exists() { path.to_owned() } else { self.settings.runs.join(path) };
        let has = |file: &str| dir.join(file).is_file();
        has("run.json") || (has("config.json") && has("model.safetensors"))
    }

    /// Loads the model that `name` means.
    pub fn load(&self, name: &str) -> Result<Model, CliError> {
        let dir = self.model_dir(name)?;
        if dir.join("config.json").symlink_metadata().is_err() {
            return Err(without_config(&dir));
        }
        Ok(Model::load(&dir, &self.settings.device)?)
    }

    /// Says which seed was drawn, where none was given.
    pub fn tell_seed(&self) {
        if self.settings.seed.is_none() {
            let seed = self.settings.seed_or_fresh();
            self.ui.field("seed", &format!("{seed} (--seed {seed} makes the same again)"));
        }
    }

    /// The data a model was trained on, read as the model sees them.
    pub fn data_of(&mut self, model: &Model, moved: &SourceOverride) -> Result<AnyData, CliError> {
        let mut spec = model.config.source.clone();
        if let Some(source) = &moved.source {
            spec.source.clone_from(source);
            // What the model itself names beside it was not asked for on this command line.
            let named: Vec<String> = spec.holdout.iter().cloned().collect();
            self.ask_before(&named, &mut spec, "the model", moved.yes)?;
            spec.hide_passwords();
        } else {
            self.ask_before_contact(&mut spec, "the model", moved.yes)?;
        }
        if moved.source.is_none() && !is_server(&spec.source) && !spec.path().exists() {
            return Err(CliError::new(
                format!("the model was trained on {}, which is not there", spec.source),
                "say where the data are now with --source, or run this where they are",
            ));
        }
        self.open(&spec, Some(model))
    }

    /// A server that a model or a recipe names is not contacted unless the user says so: whoever wrote the file may be
    /// somebody else. PGPASSWORD goes there only where it is for that host.
    pub fn ask_before_contact(
        &mut self,
        spec: &mut SourceSpec,
        who: &str,
        yes: bool,
    ) -> Result<(), CliError> {
        let named: Vec<String> = std::iter::once(&spec.source).chain(&spec.holdout).cloned().collect();
        self.ask_before(&named, spec, who, yes)
    }

    /// The same for the sources `named` alone.
    fn ask_before(
        &mut self,
        named: &[String],
        spec: &mut SourceSpec,
        who: &str,
        yes: bool,
    ) -> Result<(), CliError> {
        let servers: Vec<&str> =
            named.iter().map(String::as_str).filter(|source| is_server(source)).collect();
        if servers.is_empty() {
            return Ok(());
        }
        let role = if servers.contains(&spec.source.as_str()) { "source" } else { "holdout" };
        let question = format!("{who} names {} as its {role}", servers.join(" and "));
        if !yes && !self.ui.ask(&format!("{question}; connect?")) {
            let hint = match who {
                "the model" if role == "source" => "--yes connects to it; --source SOURCE names another one",
                _ => "--yes connects to it",
            };
            return Err(CliError::new(
                format!("{question}, and it was not asked for on this command line"),
                hint,
            ));
        }
        spec.pg.only_own_host = true;
        Ok(())
    }

    /// The specification with what the environment says of servers.
    pub fn reachable(&self, spec: &SourceSpec) -> SourceSpec {
        let mut pg = self.settings.pg.clone();
        pg.known.clone_from(&spec.pg.known);
        pg.only_own_host = spec.pg.only_own_host;
        SourceSpec { pg, ..spec.clone() }
    }

    /// Opens a source to learn from, and says what could not be read. With the kind of its data and how that is known.
    pub fn open_to_learn(&mut self, spec: &SourceSpec) -> Result<(AnyData, Detected), CliError> {
        let spec = self.reachable(spec);
        let found = detect(&spec)?;
        let data = self.opened(|| AnyData::open_detected(&spec, &found))?;
        Ok((data, found))
    }

    /// Opens a source, as `model` sees it where one is given, and says what could not be read.
    pub fn open(&mut self, spec: &SourceSpec, model: Option<&Model>) -> Result<AnyData, CliError> {
        let spec = self.reachable(spec);
        let data = match model {
            Some(model) => self.opened(|| AnyData::open_as(&spec, &model.codec)),
            None => self.opened(|| AnyData::open(&spec)),
        }?;
        if model.is_some() {
            data.notes().iter().for_each(|note| self.ui.warn(note));
        }
        Ok(data)
    }

    /// What `open` opens, with progress and with what it left out.
    fn opened(&mut self, open: impl FnOnce() -> Result<AnyData, Error>) -> Result<AnyData, CliError> {
        self.ui.event(&Event::Work { what: "reading".to_owned(), done: 0, total: 1 });
        let opened = open();
        if opened.is_ok() {
            self.ui.event(&Event::Work { what: "reading".to_owned(), done: 1, total: 1 });
        }
        self.ui.clear();
        let data = opened?;
        if let AnyData::Image(set) = &data {
            self.ui.skipped(set);
        }
        data.skips().iter().for_each(|skip| self.ui.detail(&format!("left out {skip}")));
        Ok(data)
    }
}

/// The specification that the flags give for a source.
pub fn source_spec(source: &str, columns: &Columns) -> SourceSpec {
    let Columns { table, query, column, label, holdout, kind, lossy, strict, allow_made, .. } =
        columns.clone();
    let (source, kind) = (source.to_owned(), kind.map(Into::into));
    let mut spec = SourceSpec {
        source,
        kind,
        table,
        query,
        column,
        label,
        holdout,
        lossy,
        strict,
        allow_made,
        ..SourceSpec::default()
    };
    columns.describe(&mut spec);
    spec.hide_passwords();
    spec
}

/// Why a folder without `config.json` holds no model.
fn without_config(dir: &Path) -> CliError {
    if mintage::database::is_database_run(dir) {
        return CliError::new(
            format!("{}: is of a whole database, not of one kind of data", dir.display()),
            format!("`mintage sample {} -o new.db` makes one, `mintage evaluate` judges it", shell(dir)),
        );
    }
    let is_done = Run::open(dir).and_then(|run| run.file()).is_ok_and(|file| file.state == RunState::Done);
    if is_done {
        return CliError::new(
            format!("{}: has no config.json, though its training was finished", dir.display()),
            "put back a copy of the file; without it the model cannot be read",
        );
    }
    CliError::new(
        format!("{}: has no model yet, its training was not finished", dir.display()),
        format!("continue it with `mintage train --resume {}`", shell(dir)),
    )
}

/// Whether a source is the address of a server rather than a path.
pub fn is_server(source: &str) -> bool {
    source.contains("://")
}

/// Runs `work` inside one pool of threads, where parallel work starts without waking sleeping threads.
pub fn in_pool<T: Send>(threads: usize, work: impl FnOnce() -> T + Send) -> Result<T, CliError> {
    let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).stack_size(STACK_BYTES).build();
    match pool {
        Ok(pool) => Ok(pool.install(work)),
        Err(error) => {
            Err(CliError::new(format!("the threads could not be started: {error}"), "try --threads 1"))
        }
    }
}

/// A clock that starts now.
pub fn clock() -> impl Fn() -> Duration {
    let start = Instant::now();
    move || start.elapsed()
}

/// The first few of a list, and how many more there are.
pub fn some_of(names: &[&str]) -> String {
    const NAMES_SHOWN: usize = 8;
    match names.len().saturating_sub(NAMES_SHOWN) {
        0 => names.join(", "),
        more => format!("{} and {more} more", names[..NAMES_SHOWN].join(", ")),
    }
}
