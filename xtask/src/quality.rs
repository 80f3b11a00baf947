//! `cargo xtask quality`: runs cases of `bench/quality` and keeps every figure they print.

use std::{
    io::{BufRead, BufReader},
    path::PathBuf,
    process::{Command, Stdio},
};

use crate::{
    Result, built,
    figure::{Context, Figure},
    process, root, tables,
};

#[derive(clap::Args)]
pub struct Args {
    /// Cases to run, one after another; without any, their names are listed
    cases: Vec<String>,
    /// Folder with the data sets (`cargo xtask data` fills it)
    #[arg(long, default_value = "data")]
    data: PathBuf,
    /// Training time in place of the case's own
    #[arg(long)]
    minutes: Option<f64>,
    /// Threads of the run
    #[arg(long, default_value_t = 2)]
    threads: usize,
    /// Where to compute: cpu, or vulkan, which is built in then
    #[arg(long, default_value = "cpu")]
    device: String,
    /// Train again where an earlier run has left its model
    #[arg(long)]
    fresh: bool,
    /// Of the cases `defaults`: trainings whose name has these parts, such as emoji64/vqvae/4m
    #[arg(long, value_name = "NAME")]
    only: Option<String>,
    /// Settings over those of the case, as in `mintage train -s`
    #[arg(short = 's', long = "set")]
    set: Vec<String>,
    /// Build as `cargo run` does, instead of with --release: saves a build where the tests have run
    #[arg(long)]
    dev: bool,
}

pub fn run(args: &Args) -> Result<()> {
    if args.cases.is_empty() {
        process::CASES.iter().for_each(|(name, _)| println!("{name}"));
        return crate::run(example(args)?.arg("--list"));
    }
    let context = Context::new(command_line(args));
    for case in &args.cases {
        if process::CASES.iter().any(|(name, _)| name == case) {
            process::run(case, args.dev)?.into_iter().try_for_each(|figure| context.keep(figure))?;
        } else {
            trained(case, args, &context)?;
        }
    }
    tables::docs()
}

/// The example of the library that trains and measures, built.
fn example(args: &Args) -> Result<Command> {
    let mut what = vec!["--example", "quality"];
    if args.device == "vulkan" {
        what.extend(["--features", "mintage/vulkan"]);
    }
    let target = built(&what, args.dev)?;
    let mut example = Command::new(target.join("examples/quality"));
    example.current_dir(root());
    Ok(example)
}

/// Runs a case of the example and keeps the figures among the lines it prints.
fn trained(case: &str, args: &Args, context: &Context) -> Result<()> {
    if !args.data.is_dir() {
        return Err(format!("{}: no such folder; `cargo xtask data` makes it", args.data.display()));
    }
    let mut child = example(args)?;
    child.arg(case).arg("--data").arg(&args.data);
    child.arg("--fashion").arg(args.data.join("images/fashion-mnist"));
    child.args(["--threads", &args.threads.to_string()]);
    if let Some(minutes) = args.minutes {
        child.args(["--minutes", &minutes.to_string()]);
    }
    child.args(["--device", &args.device]);
    if args.fresh {
        child.arg("--fresh");
    }
    if let Some(only) = &args.only {
        child.args(["--only", only]);
    }
    for setting in &args.set {
        child.args(["-s", setting]);
    }
    printed(child, |figure| context.keep(figure))?;
    if !tables::is_published(case) {
        return Ok(());
    }
    let rows = root().join("runs/quality").join(case).join("new.csv");
    tables::check(case, &rows, &args.data)?.into_iter().try_for_each(|figure| context.keep(figure))
}

/// Keeps the figures that a command prints as they come; its other lines are shown.
pub fn printed(mut command: Command, keep: impl Fn(Figure) -> Result<()>) -> Result<()> {
    let shown = format!("{command:?}");
    let mut running = command.stdout(Stdio::piped()).spawn().map_err(|e| format!("{shown}: {e}"))?;
    let lines = running.stdout.take().map(BufReader::new).into_iter().flat_map(BufRead::lines);
    for line in lines.map_while(std::result::Result::ok) {
        match serde_json::from_str::<Figure>(&line) {
            Ok(figure) => keep(figure)?,
            Err(_) => println!("{line}"),
        }
    }
    let status = running.wait().map_err(|e| e.to_string())?;
    if status.success() { Ok(()) } else { Err(format!("{shown} ended with {status}")) }
}

/// What to type to measure the same again.
fn command_line(args: &Args) -> String {
    let mut line = format!("cargo xtask quality {}", args.cases.join(" "));
    if args.dev {
        line.push_str(" --dev");
    }
    if let Some(minutes) = args.minutes {
        line.push_str(&format!(" --minutes {minutes}"));
    }
    if args.threads != 2 {
        line.push_str(&format!(" --threads {}", args.threads));
    }
    if args.device != "cpu" {
        line.push_str(&format!(" --device {}", args.device));
    }
    if args.fresh {
        line.push_str(" --fresh");
    }
    if let Some(only) = &args.only {
        line.push_str(&format!(" --only {only}"));
    }
    for setting in &args.set {
        line.push_str(&format!(" -s {setting}"));
    }
    line
}
