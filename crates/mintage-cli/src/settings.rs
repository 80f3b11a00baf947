//! What holds for every verb: the global flags, and below them the environment. The only file that reads
//! environment variables; they set the machine and the terminal, never what is learned.

use std::{
    collections::hash_map::RandomState,
    env,
    hash::{BuildHasher, Hasher},
    io::IsTerminal,
    path::PathBuf,
};

use mintage::nn::DeviceChoice;
use mintage_data::PgDefaults;

use crate::{
    args::{ColorChoice, Global},
    failure::CliError,
};

/// Seeds that are drawn lie below this: short enough to be typed again.
const FRESH_SEEDS: u64 = 1_000_000_000;

/// How much is said on stderr.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// Errors only.
    Quiet,
    Normal,
    Verbose,
}

/// The global flags, resolved.
#[derive(Clone, Debug)]
pub struct Settings {
    pub level: Level,
    /// Where JSON is wanted: a file, or `-` for stdout.
    pub json: Option<PathBuf>,
    /// Colours on stderr.
    pub color: bool,
    pub progress: Progress,
    /// Characters of a line on stdout that fit.
    pub width: usize,
    pub device: DeviceChoice,
    /// 0: as many as the machine has.
    pub threads: usize,
    pub seed: Option<u64>,
    /// Drawn by the operating system, for samples that are given none.
    fresh_seed: u64,
    pub runs: PathBuf,
    /// What a postgres:// address leaves open.
    /// What callers of a server prove themselves with.
    pub token: Option<String>,
    pub pg: PgDefaults,
}

/// How progress is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Progress {
    Bar,
    /// One line each ten seconds.
    Lines,
    None,
}

impl Settings {
    pub fn resolve(global: &Global) -> Result<Self, CliError> {
        let device = global.device.clone().or_else(|| variable("MINTAGE_DEVICE"));
        let level = level(global)?;
        Ok(Self {
            level,
            json: global.json.clone(),
            color: color(global),
            progress: match (global.no_progress || level == Level::Quiet, std::io::stderr().is_terminal()) {
                (true, _) => Progress::None,
                (false, true) => Progress::Bar,
                (false, false) => Progress::Lines,
            },
            width: width(),
            device: device.as_deref().unwrap_or("auto").parse::<DeviceChoice>()?,
            threads: threads(global)?,
            seed: global.seed,
            fresh_seed: RandomState::new().build_hasher().finish() % FRESH_SEEDS,
            runs: global
                .runs
                .clone()
                .or_else(|| variable("MINTAGE_RUNS").map(PathBuf::from))
                .unwrap_or_else(|| PathBuf::from("runs")),
            token: variable("MINTAGE_TOKEN"),
            // The variables of PostgreSQL's own programs.
            pg: PgDefaults {
                host: variable("PGHOST"),
                port: variable("PGPORT"),
                user: variable("PGUSER"),
                password: variable("PGPASSWORD"),
                database: variable("PGDATABASE"),
                sslmode: variable("PGSSLMODE"),
                sslrootcert: variable("PGSSLROOTCERT"),
                ..PgDefaults::default()
            },
        })
    }

    /// The seed for what shall come out alike each time: evaluations, previews, the demo.
    pub fn seed_or_default(&self) -> u64 {
        self.seed.unwrap_or(1)
    }

    /// The seed for new data: two samples differ unless they are given the same one.
    pub fn seed_or_fresh(&self) -> u64 {
        self.seed.unwrap_or(self.fresh_seed)
    }
}

/// What fits on a line where nobody says.
const USUAL_WIDTH: usize = 100;
/// A narrower terminal is written to like this one.
const MIN_WIDTH: usize = 40;

/// The width of the terminal.
fn width() -> usize {
    let told = variable("COLUMNS").and_then(|columns| columns.parse().ok());
    let found = || console::Term::stdout().size_checked().map(|(_, columns)| usize::from(columns));
    told.or_else(found).unwrap_or(USUAL_WIDTH).max(MIN_WIDTH)
}

/// Whether stderr is coloured. Apart from the other settings because errors in those are coloured too.
pub fn color(global: &Global) -> bool {
    match global.color {
        ColorChoice::Always => true,
        ColorChoice::Never => false,
        ColorChoice::Auto => {
            let dumb = variable("TERM").is_some_and(|term| term == "dumb");
            variable("NO_COLOR").is_none() && !dumb && std::io::stderr().is_terminal()
        }
    }
}

fn level(global: &Global) -> Result<Level, CliError> {
    if global.quiet {
        return Ok(Level::Quiet);
    }
    if global.verbose {
        return Ok(Level::Verbose);
    }
    match variable("MINTAGE_LOG").as_deref() {
        None | Some("normal") => Ok(Level::Normal),
        Some("quiet") => Ok(Level::Quiet),
        Some("verbose") => Ok(Level::Verbose),
        Some(other) => {
            Err(CliError::new(format!("MINTAGE_LOG is `{other}`"), "it may be quiet, normal or verbose"))
        }
    }
}

fn threads(global: &Global) -> Result<usize, CliError> {
    let Some(text) = global.threads.map(|n| n.to_string()).or_else(|| variable("MINTAGE_THREADS")) else {
        return Ok(0);
    };
    match text.parse() {
        Ok(n) if (1..=1024).contains(&n) => Ok(n),
        _ => Err(CliError::new(format!("`{text}` is no number of threads"), "a number from 1 to 1024")),
    }
}

/// A variable that is set and not empty.
fn variable(name: &str) -> Option<String> {
    env::var(name).ok().filter(|value| !value.is_empty())
}
