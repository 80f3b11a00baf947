//! Tables: a peer with its defaults learns Adult, ours learns it in the same run, both are judged alike.

use std::{
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::Instant,
};

use serde::Deserialize;

use super::{Args, Case, Speed, command_line};
use crate::{
    Result, at,
    figure::{Context, Figure},
    python, quality, root, tables,
};

/// Rows that are drawn: as many as there are in the training table.
const ROWS: &str = "32561";

/// What `table_peer.py` says.
#[derive(Deserialize)]
struct Peer {
    name: String,
    train_secs: f64,
    peak_mb: f64,
}

/// A peer's time to learn, and ours; how good both are goes to the quality figures.
pub fn measure(case: &Case, ours: &Path, args: &Args) -> Result<Speed> {
    let python = python::TABLE_PEERS.python().ok_or("no peers: bench/peers/requirements-table-peers.txt")?;
    let data = root().join(&args.data);
    let train = data.join("tables/adult-train.csv");
    let scratch = root().join("runs/bench-tables");
    std::fs::create_dir_all(&scratch).map_err(at(&scratch))?;
    let (name, family) = case.name.trim_start_matches("tables-").split_once('-').unwrap_or((case.name, ""));
    let rows = scratch.join(format!("{name}.csv"));
    let mut command = python::command(&python, "table_peer.py");
    command.arg(name).arg(&train).arg(&rows).args(["--rows", ROWS, "--threads", &args.threads.to_string()]);
    let output = command.stderr(Stdio::inherit()).output().map_err(|e| format!("{command:?}: {e}"))?;
    let text = String::from_utf8_lossy(&output.stdout);
    let last = text.lines().last().unwrap_or_default();
    let peer: Peer = serde_json::from_str(last).map_err(|e| format!("{command:?}: {e}: {last}"))?;
    let setup = format!("{} with its defaults, trained {:.0} s", peer.name, peer.train_secs);
    judge(&rows, ours, &data, &setup, args)?;
    let own = learn(family, &train, &scratch, ours, args)?;
    let how = format!("mintage train --model {family}, trained {:.0} s; beside {name}", own.secs);
    judge(&own.rows, ours, &data, &how, args)?;
    let mut speed = Speed::of(case, Some(own.secs), 1, command_line(args));
    speed.peer = Some(peer.train_secs);
    speed.peer_name = Some(peer.name);
    speed.peak_mb_peer = Some(peer.peak_mb);
    speed.compare(vec![peer.train_secs / own.secs]);
    Ok(speed)
}

struct Own {
    /// From the start of the process to its end.
    secs: f64,
    rows: PathBuf,
}

/// What a user would type.
fn learn(family: &str, train: &Path, scratch: &Path, ours: &Path, args: &Args) -> Result<Own> {
    let mintage = |verb: &str| {
        let mut command = Command::new(ours.join("mintage"));
        command.arg(verb).env("MINTAGE_THREADS", args.threads.to_string());
        command.stdout(Stdio::null()).stderr(Stdio::null());
        command
    };
    let run = format!("mintage-{family}");
    let model = scratch.join(&run);
    let rows = scratch.join(format!("{run}.csv"));
    for old in [&model, &rows] {
        let _ = std::fs::remove_dir_all(old).or_else(|_| std::fs::remove_file(old));
    }
    let start = Instant::now();
    let mut command = mintage("train");
    command.arg(train).args(["--model", family, "--name", &run, "--runs"]).arg(scratch);
    crate::run(&mut command)?;
    let secs = start.elapsed().as_secs_f64();
    crate::run(mintage("sample").arg(&model).args(["-n", ROWS, "--seed", "1", "-o"]).arg(&rows))?;
    Ok(Own { secs, rows })
}

/// Figures by ours and by Python.
fn judge(rows: &Path, ours: &Path, data: &Path, setup: &str, args: &Args) -> Result<()> {
    let name = rows.file_stem().unwrap_or_default().to_string_lossy();
    let case = format!("adult-{name}");
    let context = Context::new(command_line(args));
    let mut example = Command::new(ours.join("examples/quality"));
    example.arg("adult-rows").arg("--rows").arg(rows).arg("--data").arg(data).current_dir(root());
    let keep = |figure: Figure| {
        let setup = format!("{setup}; {}", figure.setup);
        context.keep(Figure { setup, ..figure })
    };
    quality::printed(example, keep)?;
    tables::check(&case, rows, data)?.into_iter().try_for_each(keep)
}
