//! The case `sweep` of `cargo xtask quality`: a sweep that is killed again and again comes to the table of one that was not.

use std::{
    fs,
    path::Path,
    thread,
    time::{Duration, Instant},
};

use crate::{
    Result, at,
    command::{database, mintage, succeed},
    figure::Figure,
};

const FAMILIES: [&str; 4] = ["vae", "gan", "vqvae", "flow"];
const SEEDS: usize = 3;
const KILLS: u32 = 7;

/// Four families with three seeds each on the demo's census rows, with equal budgets of steps.
pub fn sweep(binary: &Path, scratch: &Path) -> Result<Vec<Figure>> {
    database(scratch)?;
    let line = |name: &str| {
        format!(
            "sweep demo.db --table census --label income --models {} --sizes tiny --seeds {SEEDS} --steps 200 \
             --threads 2 --name {name} --csv {name}.csv",
            FAMILIES.join(",")
        )
    };
    let began = Instant::now();
    succeed(&mut mintage(binary, scratch, &line("whole")))?;
    let whole = began.elapsed();
    let mut kills = 0;
    for kill in 0..KILLS {
        let mut child = mintage(binary, scratch, &line("killed"))
            .spawn()
            .map_err(|e| format!("{}: {e}", binary.display()))?;
        // Other moments each time, over about the whole of it: in trainings, in evaluations, between the two.
        let after =
            whole.mul_f64(0.13 + 0.011 * f64::from(kill)) + Duration::from_millis(u64::from(kill) * 17);
        thread::sleep(after);
        if child.try_wait().map_err(|e| e.to_string())?.is_some() {
            break;
        }
        child.kill().and_then(|()| child.wait()).map_err(|e| e.to_string())?;
        kills += 1;
    }
    succeed(&mut mintage(binary, scratch, "sweep --resume killed --threads 2 --csv killed.csv"))?;
    let table = |name: &str| {
        let path = scratch.join(format!("{name}.csv"));
        fs::read_to_string(&path).map_err(at(&path)).map(|text| cells(&text))
    };
    let (one, other) = (table("whole")?, table("killed")?);
    let differing = one.iter().zip(&other).filter(|(a, b)| a != b).count() + one.len().abs_diff(other.len());
    let setup = format!(
        "{} families, {SEEDS} seeds, 200 steps of the tiny models on the demo's census rows; {kills} kills with SIGKILL; \
         {} cells, those of the clock left out",
        FAMILIES.len(),
        one.len()
    );
    let metric = "cells that differ after kills and resumes";
    let cells = Figure::lower("sweep", metric, differing as f64, "cells", 0.0, &setup);
    let metric = "bytes of weights that differ after kills and resumes";
    let bytes = weights_that_differ(scratch)? as f64;
    Ok(vec![cells, Figure::lower("sweep", metric, bytes, "bytes", 0.0, &setup)])
}

/// Over all runs.
fn weights_that_differ(scratch: &Path) -> Result<usize> {
    let mut differing = 0;
    for family in FAMILIES {
        for seed in 1..=SEEDS {
            let weights = |sweep: &str| {
                let path = format!("runs/{sweep}/{family}-tiny-{seed}/model.safetensors");
                let path = scratch.join(path);
                fs::read(&path).map_err(at(&path))
            };
            let (one, other) = (weights("whole")?, weights("killed")?);
            differing +=
                one.iter().zip(&other).filter(|(a, b)| a != b).count() + one.len().abs_diff(other.len());
        }
    }
    Ok(differing)
}

/// The cells of a CSV, without those of columns that depend on the clock.
fn cells(text: &str) -> Vec<String> {
    let mut lines = text.lines().map(split);
    let head = lines.next().unwrap_or_default();
    let lasting = |(at, _): &(usize, String)| !head.get(*at).is_some_and(|name| name.starts_with("clock "));
    let rows = lines.flat_map(|row| {
        row.into_iter().enumerate().filter(lasting).map(|(_, cell)| cell).collect::<Vec<_>>()
    });
    rows.chain(head.iter().cloned()).collect()
}

/// The cells of a line, some of them in quotes.
fn split(line: &str) -> Vec<String> {
    let (mut cells, mut quoted) = (vec![String::new()], false);
    for c in line.chars() {
        match (c, quoted) {
            ('"', _) => quoted = !quoted,
            (',', false) => cells.push(String::new()),
            (c, _) => {
                if let Some(cell) = cells.last_mut() {
                    cell.push(c);
                }
            }
        }
    }
    cells
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cells_of_the_clock_are_left_out() {
        let text = "model,\"a, b mean\",clock secs mean\nvae tiny,0.5,1.25\n";
        assert_eq!(cells(text), ["vae tiny", "0.5", "model", "a, b mean", "clock secs mean"]);
    }
}
