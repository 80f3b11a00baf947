//! docs/speed.md: the newest figure of each comparison.

use std::{fmt::Write, fs};

use super::{CASES, Kind, Speed, speeds};
use crate::{Result, at, root};

const HEAD: &str = "# Speed

Made by `cargo xtask bench` from `bench/results/speed.jsonl`; do not edit this page. Both sides do the same work in
processes of their own and take turns; *ratio* is the median over the pairs of how many times faster ours is, with the
smallest and the largest pair. Losses after the same number of steps stand beside each other so that the work can be
seen to be the same (the weights start from different random numbers). The page is of the machine that was measured last;
the file has the figures of others.
";

/// Writes docs/speed.md.
pub fn speed_docs() -> Result<()> {
    let path = root().join("docs/speed.md");
    fs::write(&path, page(&speeds()?)).map_err(at(&path))
}

/// "vae-28: 61.2 ms a step, PyTorch 2.15 84.0, ratio 1.37 (1.30 to 1.44)".
pub fn line(speed: &Speed) -> String {
    let ours = speed.ours.map_or_else(|| "–".to_owned(), number);
    let mut text = format!("{}: {ours} {}", speed.case, speed.unit);
    if let (Some(name), Some(peer)) = (&speed.peer_name, speed.peer) {
        let _ = write!(text, ", {name} {}", number(peer));
    }
    if let Some(ratio) = ratio(speed) {
        let _ = write!(text, ", ratio {ratio}");
    }
    if let (Some(ours), Some(peer)) = (speed.peak_mb_ours, speed.peak_mb_peer) {
        let _ = write!(text, ", peak {ours:.0} and {peer:.0} MB");
    }
    if let Some((ours, peer)) = speed.losses {
        let _ = write!(text, ", losses {} and {}", number(ours), number(peer));
    }
    text
}

fn ratio(speed: &Speed) -> Option<String> {
    Some(format!("{:.2} ({:.2} to {:.2})", speed.ratio?, speed.low?, speed.high?))
}

fn page(all: &[Speed]) -> String {
    let mut text = HEAD.to_owned();
    if let Some(last) = all.last() {
        let machine = machine_of(last);
        let _ = write!(
            text,
            "\n## {machine}\n\n| case | ours | peer | unit | ratio | peak MB, ours and peer | losses, ours and peer |\n\
             |---|---|---|---|---|---|---|\n"
        );
        let newest = newest(all, &machine);
        newest.iter().for_each(|speed| row(&mut text, speed));
        let steps = newest.iter().filter(|s| is_training(&s.case)).filter_map(|s| s.ratio);
        let steps: Vec<f64> = steps.collect();
        if !steps.is_empty() {
            let mean = (steps.iter().map(|r| r.ln()).sum::<f64>() / steps.len() as f64).exp();
            let least = steps.iter().copied().fold(f64::INFINITY, f64::min);
            let _ = write!(
                text,
                "\nTraining steps: geometric mean of the ratios {mean:.2}, smallest {least:.2}, over {} cases.\n",
                steps.len()
            );
        }
    }
    text.push_str("\n## Cases\n\n");
    CASES.iter().for_each(|case| {
        let _ = writeln!(text, "- `{}`: {}", case.name, case.what);
    });
    text
}

fn row(text: &mut String, speed: &Speed) {
    let two = |pair: Option<(f64, f64)>| {
        pair.map_or_else(|| "–".to_owned(), |(a, b)| format!("{}, {}", number(a), number(b)))
    };
    let peer = match (&speed.peer_name, speed.peer) {
        (Some(name), Some(peer)) => format!("{} ({name})", number(peer)),
        _ => "–".to_owned(),
    };
    let _ = writeln!(
        text,
        "| {} | {} | {peer} | {} | {} | {} | {} |",
        speed.case,
        speed.ours.map_or_else(|| "–".to_owned(), number),
        speed.unit,
        ratio(speed).unwrap_or_else(|| "–".to_owned()),
        two(speed.peak_mb_ours.zip(speed.peak_mb_peer)),
        two(speed.losses),
    );
}

/// The newest figure of each case and peer on a machine, in the order of the cases.
fn newest<'a>(all: &'a [Speed], machine: &str) -> Vec<&'a Speed> {
    let mut newest: Vec<&Speed> = Vec::new();
    for speed in all.iter().filter(|speed| machine_of(speed) == machine) {
        let key = |s: &Speed| (s.case.clone(), is_loop(s));
        match newest.iter().position(|old| key(old) == key(speed)) {
            Some(place) => newest[place] = speed,
            None => newest.push(speed),
        }
    }
    newest.sort_by_key(|s| CASES.iter().position(|case| case.name == s.case));
    newest
}

fn is_loop(speed: &Speed) -> bool {
    speed.peer_name.as_ref().is_some_and(|name| name.ends_with("plain loop"))
}

fn is_training(name: &str) -> bool {
    name != "matmul" && CASES.iter().any(|case| case.name == name && case.kind == Kind::Step)
}

fn machine_of(speed: &Speed) -> String {
    let m = &speed.machine;
    let kind = m.kind.as_ref().map_or_else(String::new, |kind| format!(" ({kind})"));
    format!("{}{kind}, {} cores, {} GB", m.cpu, m.cores, m.memory_gb)
}

/// Three significant digits.
fn number(x: f64) -> String {
    match x.abs() {
        a if a >= 100.0 => format!("{x:.0}"),
        a if a >= 10.0 => format!("{x:.1}"),
        a if a >= 1.0 => format!("{x:.2}"),
        _ => format!("{x:.4}"),
    }
}
