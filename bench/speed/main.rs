//! Our side of `cargo xtask bench`: a worker that does one case's work whenever it is told to.
//!
//! `bench CASE [--threads N] [--data DIR]`; `bench export-SET --data DIR --to DIR`, which writes some images
//! of a data set as PNG files; `bench make-up --to DIR`, which makes pictures up where there are no data sets. It
//! prints `{"ready": …}` once all is built, then reads lines `go K` and answers each with the seconds that K units
//! took; at the end of input it prints its peak of memory. `bench/peers/peer.py` speaks the same, so that `xtask` can let the two work by turns.

#![allow(clippy::unwrap_used)]
#![allow(clippy::disallowed_methods)]
#![allow(clippy::disallowed_macros)]

#[path = "../../crates/mintage-cli/src/alloc.rs"]
mod alloc;
mod images;
mod loading;
mod made_up;
mod text;
mod transformer;

use std::{io::BufRead, path::PathBuf, process::ExitCode, time::Instant};

use serde_json::json;

/// What the command line says.
pub struct Setting {
    /// Folder of the data sets, or of the PNG files to load.
    pub data: PathBuf,
}

/// A case, ready to work.
pub struct Work {
    /// Parameters of its model, 0 where there is none.
    pub parameters: usize,
    /// What the rate counts, for each unit: steps, tokens, images.
    pub units: usize,
    /// Does one unit; the loss, where there is one.
    pub unit: Box<dyn FnMut() -> Option<f64> + Send>,
}

type Build = fn(&str, &Setting) -> Work;

const CASES: [(&str, Build); 18] = [
    ("mlp-vae", images::mlp_vae),
    ("vae-28", images::vae),
    ("vae-64", images::vae),
    ("vqvae-32", images::vqvae),
    ("gan-32", images::gan),
    ("flow-32", images::flow),
    ("gpt-small", text::train),
    ("gpt-large", text::train),
    ("table-mlp-500", text::table_mlp),
    ("table-mlp-4096", text::table_mlp),
    ("gpt-small-sample", text::sample),
    ("gpt-large-sample", text::sample),
    ("gan-sample", images::gan_sample),
    ("flow-sample", images::flow_sample),
    ("load-32", loading::load),
    ("load-64", loading::load),
    ("matmul", loading::matmul),
    ("peak", loading::peak),
];

fn main() -> ExitCode {
    alloc::keep_pages();
    let mut setting = Setting { data: "data".into() };
    let (mut case, mut threads, mut to) = (String::new(), 2, PathBuf::new());
    let mut args = std::env::args().skip(1);
    while let Some(arg) = args.next() {
        match arg.as_str() {
            "--data" => setting.data = args.next().unwrap().into(),
            "--to" => to = args.next().unwrap().into(),
            "--threads" => threads = args.next().unwrap().parse().unwrap(),
            _ => case = arg,
        }
    }
    if let Some(set) = case.strip_prefix("export-") {
        loading::export(&setting.data, set, &to);
        return ExitCode::SUCCESS;
    }
    if case == "make-up" {
        made_up::data_sets(&to);
        return ExitCode::SUCCESS;
    }
    let Some((name, build)) = CASES.iter().find(|(name, _)| *name == case) else {
        eprintln!("no case `{case}`");
        return ExitCode::from(2);
    };
    let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
    pool.install(|| serve(build(name, &setting)));
    ExitCode::SUCCESS
}

fn serve(mut work: Work) {
    println!("{}", json!({ "ready": { "parameters": work.parameters } }));
    for line in std::io::stdin().lock().lines().map_while(Result::ok) {
        let count: usize = line.trim_start_matches("go ").trim().parse().unwrap();
        let start = Instant::now();
        let losses: Vec<f64> = (0..count).filter_map(|_| (work.unit)()).collect();
        let secs = start.elapsed().as_secs_f64();
        let loss = (!losses.is_empty()).then(|| losses.iter().sum::<f64>() / losses.len() as f64);
        println!("{}", json!({ "secs": secs, "loss": loss, "units": count * work.units }));
    }
    println!("{}", json!({ "peak_mb": peak_mb() }));
}

/// Most memory that was resident at once.
fn peak_mb() -> Option<f64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find(|line| line.starts_with("VmHWM:"))?;
    Some(line.split_whitespace().nth(1)?.parse::<f64>().ok()? / 1024.0)
}
