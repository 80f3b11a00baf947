//! `mintage rm`: removes run folders, and nothing but run folders.

use std::{
    fs,
    io::{IsTerminal, Write},
    path::{Path, PathBuf},
};

use mintage::{Run, run};
use mintage_data::names::path_of;

use crate::{
    args::Rm,
    context::Context,
    failure::{CliError, CliResult, Outcome},
    sweep_plan::{self, Plan},
    text::count,
    ui::eprintln_safe,
};

pub fn run(args: &Rm, context: &mut Context) -> CliResult {
    // All are checked before the first is removed.
    let mut dirs = Vec::new();
    for name in &args.names {
        let dir = match sweep_plan::find(&path_of(name), &context.settings.runs) {
            Some(sweep) => sweep,
            None => context.model_dir(name)?,
        };
        check(&dir)?;
        if !dirs.contains(&dir) {
            dirs.push(dir);
        }
    }
    if !args.yes && !confirmed(&dirs)? {
        context.ui.say("nothing was removed");
        return Ok(Outcome::No);
    }
    for dir in &dirs {
        // Held until the folder is gone: a run that trains now is not removed under its own feet.
        let lock = run::lock(dir)?;
        let of_sweep = runs_of(dir).iter().map(|dir| Run::resume(dir)).collect::<Result<Vec<_>, _>>()?;
        fs::remove_dir_all(dir).map_err(CliError::io(dir))?;
        drop((lock, of_sweep));
        context.ui.field("removed", &dir.display().to_string());
    }
    Ok(Outcome::Done)
}

/// The runs of a sweep; a run has none.
fn runs_of(dir: &Path) -> Vec<PathBuf> {
    let cells = Plan::read(dir).map(|plan| plan.cells()).unwrap_or_default();
    cells.iter().map(|cell| dir.join(cell.name())).filter(|dir| dir.join("run.json").is_file()).collect()
}

/// Refuses whatever is not a run folder itself, or that of a sweep with nothing but its runs.
fn check(dir: &Path) -> Result<(), CliError> {
    if fs::symlink_metadata(dir).map_err(CliError::io(dir))?.is_symlink() {
        return Err(CliError::new(format!("{}: is a link", dir.display()), "remove the link by hand"));
    }
    if dir.join(run::SWEEP_FILE).is_file() {
        check_sweep(dir)?;
    } else if !dir.join("run.json").is_file() || !dir.join("recipe.toml").is_file() {
        let message = format!("{}: is no run folder (it has no run.json and recipe.toml)", dir.display());
        return Err(CliError::new(message, "an exported model is removed by hand"));
    }
    // "." or ".." would take the ground from under the shell.
    let here = std::env::current_dir().and_then(fs::canonicalize);
    if let (Ok(here), Ok(there)) = (here, fs::canonicalize(dir))
        && here.starts_with(&there)
    {
        let message = format!("{}: is where you are, or above it", dir.display());
        return Err(CliError::new(message, "go to another folder first"));
    }
    Ok(())
}

/// Refuses the folder of a sweep in which something lies that the sweep has not made.
fn check_sweep(dir: &Path) -> Result<(), CliError> {
    let plan = Plan::read(dir)?;
    let ours: Vec<String> = plan.cells().into_iter().map(|cell| cell.name()).collect();
    let entries = fs::read_dir(dir).map_err(CliError::io(dir))?.flatten();
    let names = entries.map(|entry| entry.file_name().to_string_lossy().into_owned());
    match names.into_iter().find(|name| !ours.contains(name) && !sweep_plan::is_own_file(name)) {
        Some(other) => Err(CliError::new(
            format!("{}: holds {other}, which is not of the sweep", dir.display()),
            "take it away first",
        )),
        None => Ok(()),
    }
}

fn confirmed(dirs: &[PathBuf]) -> Result<bool, CliError> {
    if !std::io::stdin().is_terminal() {
        return Err(CliError::new("cannot ask whether to remove, stdin is no terminal", "give --yes"));
    }
    for dir in dirs {
        eprintln_safe(&format!("  {}", dir.display()));
    }
    let mut stderr = std::io::stderr();
    let _ = write!(stderr, "remove {}? [y/N] ", count(dirs.len(), "run")).and_then(|()| stderr.flush());
    let mut answer = String::new();
    std::io::stdin().read_line(&mut answer).map_err(CliError::io("stdin"))?;
    Ok(matches!(answer.trim().to_lowercase().as_str(), "y" | "yes"))
}
