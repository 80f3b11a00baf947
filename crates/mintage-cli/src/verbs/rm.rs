//! `mintage rm`: removes run folders, and nothing but run folders.

use std::{
    fs,
    io::{IsTerminal, Write},
    path::{Path, PathBuf},
};

use mintage::Run;

use crate::{
    args::Rm,
    context::Context,
    failure::{Failure, Outcome, Verdict},
    text::count,
    ui::complain,
};

pub fn run(args: &Rm, context: &mut Context) -> Verdict {
    // All are checked before the first is removed.
    let mut dirs = Vec::new();
    for name in &args.names {
        let dir = context.model_dir(name)?;
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
        let lock = Run::resume(dir)?;
        fs::remove_dir_all(dir).map_err(Failure::io(dir))?;
        drop(lock);
        context.ui.titled("removed", &dir.display().to_string());
    }
    Ok(Outcome::Done)
}

/// Refuses whatever is not a run folder itself.
fn check(dir: &Path) -> Result<(), Failure> {
    if fs::symlink_metadata(dir).map_err(Failure::io(dir))?.is_symlink() {
        return Err(Failure::new(format!("{}: is a link", dir.display()), "remove the link by hand"));
    }
    if !dir.join("run.json").is_file() || !dir.join("recipe.toml").is_file() {
        let message = format!("{}: is no run folder (it has no run.json and recipe.toml)", dir.display());
        return Err(Failure::new(message, "an exported model is removed by hand"));
    }
    // "." or ".." would take the ground from under the shell.
    let here = std::env::current_dir().and_then(fs::canonicalize);
    if let (Ok(here), Ok(there)) = (here, fs::canonicalize(dir))
        && here.starts_with(&there)
    {
        let message = format!("{}: is where you are, or above it", dir.display());
        return Err(Failure::new(message, "go to another folder first"));
    }
    Ok(())
}

fn confirmed(dirs: &[PathBuf]) -> Result<bool, Failure> {
    if !std::io::stdin().is_terminal() {
        return Err(Failure::new("cannot ask whether to remove, stdin is no terminal", "give --yes"));
    }
    for dir in dirs {
        complain(&format!("  {}", dir.display()));
    }
    let mut stderr = std::io::stderr();
    let _ = write!(stderr, "remove {}? [y/N] ", count(dirs.len(), "run")).and_then(|()| stderr.flush());
    let mut answer = String::new();
    std::io::stdin().read_line(&mut answer).map_err(Failure::io("stdin"))?;
    Ok(matches!(answer.trim().to_lowercase().as_str(), "y" | "yes"))
}
