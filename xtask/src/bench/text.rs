//! Text: nanoGPT's set-up for a CPU learns tinyshakespeare whole, ours learns it in the same run.

use std::{
    path::Path,
    process::{Command, Stdio},
};

use serde::Deserialize;

use super::{
    Args, Case, Speed,
    cases::{TEXT, TEXT_SAMPLE},
    command_line,
};
use crate::{
    Result,
    figure::{Context, Figure},
    python, root,
};

/// What either side comes to; the last line that `nanogpt.py` prints.
#[derive(Deserialize)]
struct Side {
    name: String,
    parameters: u64,
    /// Without the looks at the validation text.
    train_secs: f64,
    /// Nats a character of the last tenth of the text.
    val_nats: f64,
    /// Characters a second.
    sample_rate: f64,
    peak_mb: f64,
}

/// Seconds of learning and characters a second of sampling; how good either side is goes to the quality figures.
pub fn measure(programs: &Path, args: &Args) -> Result<Vec<Speed>> {
    let text = root().join(&args.data).join("text/tinyshakespeare.txt");
    let peer = nanogpt(&text, args)?;
    let ours = mintage_on_tinyshakespeare(programs, args)?;
    let context = Context::new(command_line(args));
    for side in std::iter::once(&peer).chain(&ours) {
        context.keep(loss(side))?;
    }
    let secs = speed(&TEXT, args, &peer, ours.as_ref(), |side| side.train_secs);
    let rate = speed(&TEXT_SAMPLE, args, &peer, ours.as_ref(), |side| side.sample_rate);
    // Faster is fewer seconds, and more characters a second.
    Ok(vec![compared(secs, |ours, peer| peer / ours), compared(rate, |ours, peer| ours / peer)])
}

/// The peer, from nothing to the end.
fn nanogpt(text: &Path, args: &Args) -> Result<Side> {
    let python = python::TABLE_PEERS.python().ok_or("no peers: bench/peers/requirements-table-peers.txt")?;
    let mut command = python::command(&python, "nanogpt.py");
    command.arg(text).args(["--threads", &args.threads.to_string()]);
    last_line(command)
}

/// Our side: the quality case `tinyshakespeare`, which has the same architecture, split and number of steps.
fn mintage_on_tinyshakespeare(programs: &Path, args: &Args) -> Result<Option<Side>> {
    let mut command = Command::new(programs.join("examples/quality"));
    command.current_dir(root()).args(["tinyshakespeare", "--fresh", "--runs", "runs/bench"]);
    command.arg("--data").arg(&args.data).args(["--threads", &args.threads.to_string()]);
    let output = command.stderr(Stdio::inherit()).output().map_err(|e| format!("{command:?}: {e}"))?;
    if !output.status.success() {
        return Err(format!("{command:?}: {}", output.status));
    }
    let text = String::from_utf8_lossy(&output.stdout);
    let figures: Vec<serde_json::Value> =
        text.lines().filter_map(|line| serde_json::from_str(line).ok()).collect();
    let value = |metric: &str| {
        let found =
            figures.iter().find(|figure| figure["metric"].as_str().is_some_and(|m| m.starts_with(metric)));
        found.and_then(|figure| figure["value"].as_f64()).ok_or(format!("quality prints no `{metric}`"))
    };
    Ok(Some(Side {
        name: "mintage".to_owned(),
        parameters: value("parameters")? as u64,
        train_secs: value("seconds of training")?,
        val_nats: value("nats a character")?,
        sample_rate: value("characters a second")?,
        peak_mb: value("peak memory")?,
    }))
}

fn last_line(mut command: Command) -> Result<Side> {
    let output = command.stderr(Stdio::inherit()).output().map_err(|e| format!("{command:?}: {e}"))?;
    if !output.status.success() {
        return Err(format!("{command:?}: {}", output.status));
    }
    let text = String::from_utf8_lossy(&output.stdout);
    let last = text.lines().last().unwrap_or_default();
    serde_json::from_str(last).map_err(|e| format!("{command:?}: {e}: {last}"))
}

fn loss(side: &Side) -> Figure {
    let setup = format!("{}, trained {:.0} s on the first 90 %", side.name, side.train_secs);
    let metric = "nats a character of the last 10 %, windows of 64";
    Figure { limit: None, ..Figure::lower("tinyshakespeare", metric, side.val_nats, "nats", 0.0, &setup) }
}

fn speed(case: &Case, args: &Args, peer: &Side, ours: Option<&Side>, of: impl Fn(&Side) -> f64) -> Speed {
    let mut speed = Speed::of(case, ours.map(&of), 1, command_line(args));
    speed.peer = Some(of(peer));
    speed.peer_name = Some(peer.name.clone());
    speed.peak_mb_peer = Some(peer.peak_mb);
    speed.peak_mb_ours = ours.map(|ours| ours.peak_mb);
    speed.losses = ours.map(|ours| (ours.val_nats, peer.val_nats));
    speed.parameters = ours.map(|ours| (ours.parameters, peer.parameters));
    speed
}

fn compared(mut speed: Speed, ratio: impl Fn(f64, f64) -> f64) -> Speed {
    if let Some((ours, peer)) = speed.ours.zip(speed.peer) {
        speed.compare(vec![ratio(ours, peer)]);
    }
    speed
}
