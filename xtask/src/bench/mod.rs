//! `cargo xtask bench`: our speed beside that of the peers, both measured by turns in one run.
//!
//! A case is done by two processes that stay: ours (`bench/speed`) and the peer's
//! (`bench/peers`). They work alternately, so that whatever else slows the machine slows both; the ratio is
//! taken pair by pair, and its median is the result.

mod cases;
mod docs;
mod tables;
mod text;
mod worker;

use std::{fs, path::PathBuf};

use serde::{Deserialize, Serialize};

use crate::{
    Result, append, at, built,
    facts::{Machine, commit, today},
    median, python, root,
};
use cases::{CASES, Case, Kind};
pub use docs::speed_docs;

#[derive(clap::Args)]
pub struct Args {
    /// Cases to run; without any, all of them but those of tables and text, which learn whole: an hour
    cases: Vec<String>,
    /// Pairs of turns a case
    #[arg(long, default_value_t = 7)]
    pairs: usize,
    /// Threads of either side
    #[arg(long, default_value_t = 2)]
    threads: usize,
    /// Folder with the data sets (`cargo xtask data` fills it)
    #[arg(long, default_value = "data")]
    data: PathBuf,
    /// Ours alone, without Python
    #[arg(long)]
    alone: bool,
    /// Build as `cargo run` does, instead of with --release: saves a build where the tests have run
    #[arg(long)]
    dev: bool,
    /// List the cases
    #[arg(long)]
    list: bool,
}

/// One line of `bench/results/speed.jsonl`.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Speed {
    pub case: String,
    /// Median rate or time of ours, in `unit`; none where only the peer could be measured.
    pub ours: Option<f64>,
    pub peer: Option<f64>,
    pub peer_name: Option<String>,
    pub unit: String,
    /// Median over the pairs of how many times faster ours is; `low` and `high` are the pairs' extremes.
    pub ratio: Option<f64>,
    pub low: Option<f64>,
    pub high: Option<f64>,
    pub peak_mb_ours: Option<f64>,
    pub peak_mb_peer: Option<f64>,
    /// Parameters of either model, and the loss after the same number of steps: the same work.
    pub parameters: Option<(u64, u64)>,
    pub losses: Option<(f64, f64)>,
    pub pairs: usize,
    /// The pictures were made up, not those of the data sets.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub made_up: bool,
    pub command: String,
    pub commit: String,
    pub date: String,
    pub machine: Machine,
}

impl Speed {
    /// A figure of a case without a peer yet.
    fn of(case: &Case, ours: Option<f64>, pairs: usize, command: String) -> Self {
        Self {
            case: case.name.to_owned(),
            ours,
            peer: None,
            peer_name: None,
            unit: case.unit.to_owned(),
            ratio: None,
            low: None,
            high: None,
            peak_mb_ours: None,
            peak_mb_peer: None,
            parameters: None,
            losses: None,
            pairs,
            made_up: false,
            command,
            commit: commit(),
            date: today(),
            machine: Machine::here(),
        }
    }

    /// Keeps how many times faster ours was in each pair.
    fn compare(&mut self, ratios: Vec<f64>) {
        self.low = ratios.iter().copied().reduce(f64::min);
        self.high = ratios.iter().copied().reduce(f64::max);
        self.ratio = Some(median(ratios));
    }
}

/// Where the figures are kept.
fn results() -> PathBuf {
    root().join("bench/results/speed.jsonl")
}

pub fn run(args: &Args) -> Result<()> {
    if args.list {
        CASES.iter().for_each(|case| println!("{:18} {}", case.name, case.what));
        return Ok(());
    }
    let chosen = chosen(&args.cases)?;
    let ours = built(&["--bins", "--example", "bench", "--example", "quality"], args.dev)?;
    let (tables, chosen): (Vec<&Case>, Vec<&Case>) = chosen.into_iter().partition(|c| c.kind == Kind::Table);
    for case in tables {
        keep(&tables::measure(case, &ours, args)?)?;
    }
    let (texts, chosen): (Vec<&Case>, Vec<&Case>) = chosen.into_iter().partition(|c| c.kind == Kind::Text);
    if !texts.is_empty() {
        text::measure(&ours, args)?.iter().try_for_each(keep)?;
    }
    if chosen.is_empty() {
        return speed_docs().and_then(|()| crate::tables::docs());
    }
    let python = if args.alone { None } else { python::TORCH.python() };
    let (data, made_up) = cases::pictures(&ours, root().join(&args.data))?;
    let setup = Setup {
        ours,
        python,
        data,
        made_up,
        threads: args.threads,
        pairs: args.pairs.max(1),
        command: command_line(args),
    };
    for case in chosen {
        cases::measure(case, &setup)?.iter().try_for_each(keep)?;
    }
    speed_docs()
}

fn keep(speed: &Speed) -> Result<()> {
    println!("{}", docs::line(speed));
    append(&results(), speed)
}

/// What every case needs.
struct Setup {
    /// Folder of the built programs.
    ours: PathBuf,
    /// The Python that has the peers' packages.
    python: Option<PathBuf>,
    data: PathBuf,
    /// There are no data sets: pictures are made up.
    made_up: bool,
    threads: usize,
    pairs: usize,
    command: String,
}

impl Setup {
    /// A figure of a case without a peer yet.
    fn speed(&self, case: &Case, ours: f64) -> Speed {
        Speed { made_up: self.made_up, ..Speed::of(case, Some(ours), self.pairs, self.command.clone()) }
    }
}

fn chosen(names: &[String]) -> Result<Vec<&'static Case>> {
    if names.is_empty() {
        return Ok(CASES.iter().filter(|case| !case.kind.is_whole()).collect());
    }
    // `tables` stands for all of tables-…, `text` for text-… as well.
    let stands_for = |name: &str, case: &Case| {
        case.name == name
            || case.name.strip_prefix(name).is_some_and(|rest| rest.starts_with('-')) && case.kind.is_whole()
    };
    let mut found = Vec::new();
    for name in names {
        let of_name: Vec<&Case> = CASES.iter().filter(|case| stands_for(name, case)).collect();
        if of_name.is_empty() {
            return Err(format!("no case `{name}`; --list shows them"));
        }
        found.extend(of_name);
    }
    Ok(found)
}

fn command_line(args: &Args) -> String {
    let mut line = format!("cargo xtask bench {}", args.cases.join(" ")).trim_end().to_owned();
    if args.dev {
        line.push_str(" --dev");
    }
    if args.threads != 2 {
        line.push_str(&format!(" --threads {}", args.threads));
    }
    if args.alone {
        line.push_str(" --alone");
    }
    line
}

/// All figures kept so far, oldest first.
fn speeds() -> Result<Vec<Speed>> {
    let path = results();
    let text = fs::read_to_string(&path).map_err(at(&path))?;
    let read = |(number, line): (usize, &str)| {
        serde_json::from_str(line).map_err(|e| format!("{}:{}: {e}", path.display(), number + 1))
    };
    text.lines().enumerate().map(read).collect()
}
