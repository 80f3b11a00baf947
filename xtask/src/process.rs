//! Cases of `cargo xtask quality` that look at the command from outside: how soon it answers, whether a killed
//! run comes to the same bytes.

use std::{
    fs,
    path::Path,
    process::Child,
    thread,
    time::{Duration, Instant},
};

use crate::{
    Result, at, built,
    command::{database, mintage, succeed},
    databases,
    figure::Figure,
    judging, median, peers, root, rows, studio, sweeps,
};

/// A case: the binary, a scratch folder, and what it measured.
type Case = fn(&Path, &Path) -> Result<Vec<Figure>>;

pub const CASES: [(&str, Case); 19] = [
    ("startup", startup),
    ("resume", resume),
    ("customers", rows::customers),
    ("many-rows", rows::many_rows),
    ("judge-cost", judging::cost),
    ("sweep", sweeps::sweep),
    ("database-f1", databases::f1),
    ("databases", databases::several),
    ("database-tpch", databases::tpch),
    ("database-tpch-large", databases::tpch_large),
    ("database-tpcds", databases::tpcds),
    ("peers-chinook", |binary, scratch| peers::beside("chinook", "1m", binary, scratch)),
    ("peers-sakila", |binary, scratch| peers::beside("sakila", "1m", binary, scratch)),
    ("peers-baseball", |binary, scratch| peers::beside("baseball", "2m", binary, scratch)),
    ("peers-f1", |binary, scratch| peers::beside("f1", "10m", binary, scratch)),
    ("baseball-qa", peers::baseball),
    ("studio", studio::speed),
    ("studio-load", studio::load),
    ("studio-kills", studio::kills),
];

/// Runs one of [`CASES`] with a binary that is built first.
pub fn run(name: &str, dev: bool) -> Result<Vec<Figure>> {
    let (_, case) =
        CASES.iter().find(|(case, _)| *case == name).ok_or_else(|| format!("no case `{name}`"))?;
    let binary = built(&["--bins"], dev)?.join("mintage");
    let scratch = root().join("runs/quality").join(format!("process-{name}"));
    let _ = fs::remove_dir_all(&scratch);
    fs::create_dir_all(&scratch).map_err(at(&scratch))?;
    let figures = case(&binary, &scratch);
    fs::remove_dir_all(&scratch).map_err(at(&scratch))?;
    figures
}

/// Milliseconds from the start of the process to its end: median of several.
fn startup(binary: &Path, scratch: &Path) -> Result<Vec<Figure>> {
    database(scratch)?;
    let millis_of = |line: &str, runs: usize| -> Result<f64> {
        let mut times = Vec::new();
        for _ in 0..runs {
            let start = Instant::now();
            succeed(&mut mintage(binary, scratch, line))?;
            times.push(start.elapsed().as_secs_f64() * 1e3);
        }
        Ok(median(times))
    };
    let version = millis_of("--version", 21)?;
    let mut figures =
        vec![Figure::lower("startup", "mintage --version", version, "ms", 20.0, "median of 21")];
    for family in ["vae", "gan", "vqvae", "flow"] {
        let name = format!("tiny-{family}");
        let train = format!("train demo.db --model {family} --size tiny --steps 20 --name {name}");
        succeed(&mut mintage(binary, scratch, &train))?;
        let millis = millis_of(&format!("sample {name} -n 64 -o new.png"), 7)?;
        let metric = format!("sample -n 64, tiny {family}, 28×28");
        figures.push(Figure::lower(
            "startup",
            &metric,
            millis,
            "ms",
            1000.0,
            "from process start, median of 7",
        ));
    }
    Ok(figures)
}

/// Bytes of the final weights that differ between a run that was never stopped and one that was killed
/// with SIGKILL at some moment after its first checkpoint, and resumed.
fn resume(binary: &Path, scratch: &Path) -> Result<Vec<Figure>> {
    const KILLS: u64 = 3;
    database(scratch)?;
    let mut figures = Vec::new();
    for family in ["vae", "gan", "vqvae", "flow"] {
        let train = format!("train demo.db --model {family} --size tiny --steps 200 --seed 7 --threads 2");
        succeed(&mut mintage(binary, scratch, &format!("{train} --name whole-{family}")))?;
        let mut differing = 0;
        for kill in 0..KILLS {
            let name = format!("killed-{family}-{kill}");
            let run = scratch.join("runs").join(&name);
            let mut child = mintage(binary, scratch, &format!("{train} --name {name}"))
                .spawn()
                .map_err(|e| format!("{}: {e}", binary.display()))?;
            wait_for(&run.join("checkpoints"), &mut child)?;
            // Some moment between two checkpoints, another one each time.
            thread::sleep(Duration::from_millis(u64::from(std::process::id()) * (kill + 1) % 700));
            child.kill().and_then(|()| child.wait()).map_err(|e| e.to_string())?;
            succeed(&mut mintage(binary, scratch, &format!("train --resume {name}")))?;
            let weights = |name: &str| {
                let path = scratch.join("runs").join(name).join("model.safetensors");
                fs::read(&path).map_err(at(&path))
            };
            let (whole, killed) = (weights(&format!("whole-{family}"))?, weights(&name)?);
            differing += whole.iter().zip(&killed).filter(|(a, b)| a != b).count();
            differing += whole.len().abs_diff(killed.len());
        }
        let metric = format!("bytes that differ after kill -9 and resume, {family}");
        let setup =
            format!("200 steps of the tiny model on the demo's database, {KILLS} kills at different moments");
        figures.push(Figure::lower("resume", &metric, differing as f64, "bytes", 0.0, &setup));
    }
    Ok(figures)
}

/// Waits until a folder has something in it, or the process has ended.
fn wait_for(dir: &Path, child: &mut Child) -> Result<()> {
    let there =
        || fs::read_dir(dir).is_ok_and(|mut entries| entries.any(|e| e.is_ok_and(|e| is_checkpoint(&e))));
    while !there() {
        if let Some(status) = child.try_wait().map_err(|e| e.to_string())? {
            return Err(format!("the run ended before its first checkpoint: {status}"));
        }
        thread::sleep(Duration::from_millis(5));
    }
    Ok(())
}

fn is_checkpoint(entry: &fs::DirEntry) -> bool {
    entry.file_name().to_string_lossy().starts_with("step-")
}
