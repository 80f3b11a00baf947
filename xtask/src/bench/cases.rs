//! What is compared with what, and how a case is measured.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::Instant,
};

use super::{
    Setup, Speed,
    worker::{Turn, Worker},
};
use crate::{Result, at, median, python, root};

/// One comparison.
pub struct Case {
    pub name: &'static str,
    pub what: &'static str,
    pub unit: &'static str,
    pub kind: Kind,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Milliseconds a training step.
    Step,
    /// Things a second; the peers' case names, which may be two or none.
    Rate(&'static [&'static str]),
    /// Things a second out of a folder of PNG files of this side.
    Folder(usize),
    /// Milliseconds from the start of a process to its first sample.
    Startup,
    /// Seconds that a table takes to learn; named tables-PEER-FAMILY.
    Table,
    /// What comes of learning a text: seconds, and characters a second.
    Text,
}

impl Kind {
    /// A model is learned to its end: measured only where it is asked for.
    pub fn is_whole(self) -> bool {
        matches!(self, Self::Table | Self::Text)
    }
}

/// Learning nanoGPT's text, and sampling what was learned: measured in one run.
pub const TEXT: Case = Case {
    name: "text",
    what: "tinyshakespeare by characters: nanoGPT's set-up for a CPU (4 × 128, 64 characters, 2000 steps), and ours",
    unit: "s to learn",
    kind: Kind::Text,
};
pub const TEXT_SAMPLE: Case = Case {
    name: "text-sample",
    what: "one sample of what `text` has learned; nanoGPT has no KV cache",
    unit: "characters/s",
    kind: Kind::Text,
};

const fn step(name: &'static str, what: &'static str) -> Case {
    Case { name, what, unit: "ms a step", kind: Kind::Step }
}

const fn table(name: &'static str, what: &'static str) -> Case {
    Case { name, what, unit: "s to learn", kind: Kind::Table }
}

pub const CASES: [Case; 24] = [
    step("mlp-vae", "MLP VAE of 400 units, 28×28, batch 200"),
    step("vae-28", "residual VAE small, 28×28, batch 32"),
    step("vae-64", "residual VAE small, 64×64 RGB, batch 32"),
    step("vqvae-32", "VQ-VAE small, its first stage, 32×32 RGB, batch 32"),
    step("gan-32", "GAN small, discriminator and generator, penalties every other step, 32×32 RGB, batch 32"),
    step("flow-32", "flow small, 32×32 RGB, batch 16"),
    step("gpt-small", "transformer 4 × 128, 64 tokens, batch 12"),
    step("gpt-large", "transformer 6 × 384, 256 tokens, batch 8"),
    step("table-mlp-500", "MLP 280–256–256–150, batch 500"),
    step("table-mlp-4096", "MLP 280–256–256–150, batch 4096"),
    Case {
        name: "gpt-small-sample",
        what: "transformer 4 × 128, one text of 64 tokens; peers with a KV cache and with a plain loop",
        unit: "tokens/s",
        kind: Kind::Rate(&["gpt-small-sample", "gpt-small-loop"]),
    },
    Case {
        name: "gpt-large-sample",
        what: "transformer 6 × 384, one text of 256 tokens; peers with a KV cache and with a plain loop",
        unit: "tokens/s",
        kind: Kind::Rate(&["gpt-large-sample", "gpt-large-loop"]),
    },
    Case {
        name: "gan-sample",
        what: "GAN small, 64 images 32×32 RGB",
        unit: "images/s",
        kind: Kind::Rate(&["gan-sample"]),
    },
    Case {
        name: "flow-sample",
        what: "flow small, 64 images 32×32 RGB in 19 evaluations",
        unit: "images/s",
        kind: Kind::Rate(&["flow-sample"]),
    },
    Case {
        name: "load-32",
        what: "batches of 64 from a folder of PNG files, 32×32 RGB; the peer has two workers",
        unit: "images/s",
        kind: Kind::Folder(32),
    },
    Case {
        name: "load-64",
        what: "batches of 64 from a folder of PNG files, 64×64 RGB; the peer has two workers",
        unit: "images/s",
        kind: Kind::Folder(64),
    },
    Case {
        name: "peak",
        what: "the machine's limit: multiply-adds on registers; a product of `matmul` takes 17.2 billion operations",
        unit: "GFLOP/s",
        kind: Kind::Rate(&[]),
    },
    Case { name: "matmul", what: "2048 × 2048 times 2048 × 2048", unit: "ms a product", kind: Kind::Step },
    Case {
        name: "start",
        what: "start of the process to one image of a small GAN",
        unit: "ms",
        kind: Kind::Startup,
    },
    table(
        "tables-ctgan-mixture",
        "Adult (32,561 rows): CTGAN with its defaults, and our mixture with its own",
    ),
    table("tables-tvae-mixture", "the same: SDV's TVAE, and our mixture"),
    table("tables-mostlyai-ar", "the same: MOSTLY AI's TabularARGN, and our any-order model"),
    TEXT,
    TEXT_SAMPLE,
];

/// Seconds that a turn should take.
const TURN_SECS: f64 = 1.5;
/// Turns come in multiples of this: the GAN's penalties fall due every other step.
const GRAIN: usize = 4;

/// Measures a case against each of its peers, or ours alone.
pub fn measure(case: &Case, setup: &Setup) -> Result<Vec<Speed>> {
    let data = match case.kind {
        Kind::Startup => return start(case, setup).map(|speed| vec![speed]),
        Kind::Folder(side) => folder_of_pngs(setup, side)?,
        _ => setup.data.clone(),
    };
    let peers: &[&str] = match case.kind {
        Kind::Rate(names) => names,
        _ => &[case.name],
    };
    let Some(python) = setup.python.as_ref().filter(|_| !peers.is_empty()) else {
        return by_turns(case, setup, &data, None).map(|speed| vec![speed]);
    };
    peers.iter().map(|peer| by_turns(case, setup, &data, Some((python, peer)))).collect()
}

/// Ours and one peer, a turn each, again and again.
fn by_turns(case: &Case, setup: &Setup, data: &Path, peer: Option<(&PathBuf, &str)>) -> Result<Speed> {
    let threads = setup.threads.to_string();
    let mut command = Command::new(setup.ours.join("examples/bench"));
    command.arg(case.name).args(["--threads", &threads, "--data"]).arg(data);
    let mut ours = Worker::start(&mut command)?;
    let mut theirs = match peer {
        Some((python, name)) => {
            let mut command = python::command(python, "peer.py");
            command.arg(name).args(["--threads", &threads, "--data"]).arg(data);
            Some(Worker::start(&mut command)?)
        }
        None => None,
    };
    let count = warm_up(&mut ours)?;
    if let Some(worker) = &mut theirs {
        worker.go(count)?;
    }
    let mut turns: Vec<(Turn, Option<Turn>)> = Vec::new();
    for pair in 0..setup.pairs {
        // Who begins changes, so that neither always works on a warmer or a cooler machine.
        let (a, b) = match (&mut theirs, pair % 2) {
            (Some(worker), 1) => {
                let b = worker.go(count)?;
                (ours.go(count)?, Some(b))
            }
            (Some(worker), _) => (ours.go(count)?, Some(worker.go(count)?)),
            (None, _) => (ours.go(count)?, None),
        };
        turns.push((a, b));
    }
    summary(case, setup, turns, ours, theirs, peer.map(|(_, name)| name))
}

/// A few units that are not counted; how many make a turn.
fn warm_up(worker: &mut Worker) -> Result<usize> {
    worker.go(GRAIN)?;
    let turn = worker.go(GRAIN)?;
    let units = TURN_SECS / turn.secs.max(1e-6) * GRAIN as f64;
    Ok((units as usize / GRAIN).clamp(1, 100_000) * GRAIN)
}

fn summary(
    case: &Case,
    setup: &Setup,
    turns: Vec<(Turn, Option<Turn>)>,
    ours: Worker,
    theirs: Option<Worker>,
    peer: Option<&str>,
) -> Result<Speed> {
    let value = |turn: &Turn| match case.kind {
        Kind::Step => turn.secs / turn.units * 1e3,
        _ => turn.units / turn.secs,
    };
    let mut speed = setup.speed(case, median(turns.iter().map(|(a, _)| value(a)).collect()));
    let pairs: Vec<(&Turn, &Turn)> = turns.iter().filter_map(|(a, b)| Some((a, b.as_ref()?))).collect();
    let parameters = ours.ready.parameters;
    speed.peak_mb_ours = ours.finish()?;
    let Some(theirs) = theirs else { return Ok(speed) };
    let ratios: Vec<f64> = pairs.iter().map(|(a, b)| b.secs / b.units / (a.secs / a.units)).collect();
    speed.peer = Some(median(pairs.iter().map(|(_, b)| value(b)).collect()));
    speed.compare(ratios);
    speed.losses = pairs.last().and_then(|(a, b)| a.loss.zip(b.loss));
    speed.parameters = (parameters > 0).then_some((parameters, theirs.ready.parameters));
    let how = if peer.is_some_and(|name| name.ends_with("-loop")) { ", plain loop" } else { "" };
    speed.peer_name = theirs.ready.name.as_ref().map(|name| format!("{name}{how}"));
    speed.peak_mb_peer = theirs.finish()?;
    Ok(speed)
}

/// Whole processes, by turns: from nothing to one image in a file.
fn start(case: &Case, setup: &Setup) -> Result<Speed> {
    let scratch = root().join("runs/bench-start");
    let _ = fs::remove_dir_all(&scratch);
    fs::create_dir_all(&scratch).map_err(at(&scratch))?;
    let mintage = setup.ours.join("mintage");
    let quiet = |command: &mut Command| -> Result<f64> {
        let start = Instant::now();
        let status = command.stdout(Stdio::null()).stderr(Stdio::null()).status();
        match status {
            Ok(status) if status.success() => Ok(start.elapsed().as_secs_f64() * 1e3),
            other => Err(format!("{command:?}: {other:?}")),
        }
    };
    let model = scratch.join("model");
    let database = root().join("crates/mintage-cli/assets/demo.db");
    quiet(
        Command::new(&mintage)
            .arg("train")
            .arg(database)
            .args(["--model", "gan", "--steps", "3"])
            .args(["--label", "none", "--name", "model", "--runs"])
            .arg(&scratch),
    )?;
    let weights = scratch.join("peer.pt");
    if let Some(python) = &setup.python {
        quiet(python::command(python, "start.py").arg("--make").arg(&weights).arg(scratch.join("peer.png")))?;
    }
    let (mut ours, mut theirs) = (Vec::new(), Vec::new());
    for _ in 0..=setup.pairs {
        let out = scratch.join("ours.png");
        ours.push(quiet(Command::new(&mintage).arg("sample").arg(&model).args(["-n", "1", "-o"]).arg(out))?);
        if let Some(python) = &setup.python {
            theirs.push(quiet(
                python::command(python, "start.py").arg(&weights).arg(scratch.join("peer.png")),
            )?);
        }
    }
    fs::remove_dir_all(&scratch).map_err(at(&scratch))?;
    // The first of each found the disk's cache cold.
    let (ours, theirs) = (&ours[1..], theirs.get(1..).unwrap_or_default());
    let mut speed = setup.speed(case, median(ours.to_vec()));
    let ratios: Vec<f64> = ours.iter().zip(theirs).map(|(a, b)| b / a).collect();
    if !ratios.is_empty() {
        speed.peer = Some(median(theirs.to_vec()));
        speed.peer_name = Some("PyTorch".to_owned());
        speed.compare(ratios);
    }
    Ok(speed)
}

/// Two thousand pictures (fewer, where they are made up) as PNG files, from CIFAR-10 or the emoji, written once.
fn folder_of_pngs(setup: &Setup, side: usize) -> Result<PathBuf> {
    let kind = if setup.made_up { "made-up-png" } else { "png" };
    let folder = root().join(format!("bench/data/{kind}-{side}"));
    if folder.is_dir() {
        return Ok(folder);
    }
    let export_set = if side == 32 { "export-cifar" } else { "export-emoji" };
    let mut export = Command::new(setup.ours.join("examples/bench"));
    export.arg(export_set).arg("--data").arg(&setup.data).arg("--to").arg(&folder);
    crate::run(&mut export)?;
    Ok(folder)
}

/// The data sets, or a folder of pictures that are made up once, where any of them is missing; whether they are.
pub fn pictures(ours: &Path, data: PathBuf) -> Result<(PathBuf, bool)> {
    let sets = ["mnist", "cifar10", "emoji64-rgb-idx4-ubyte.gz"];
    if sets.iter().all(|set| data.join("images").join(set).exists()) {
        return Ok((data, false));
    }
    let folder = root().join("bench/data/made-up");
    if !folder.is_dir() {
        println!(
            "no data sets in {}: pictures are made up, which the time does not depend on",
            data.display()
        );
        crate::run(Command::new(ours.join("examples/bench")).arg("make-up").arg("--to").arg(&folder))?;
    }
    Ok((folder, true))
}
