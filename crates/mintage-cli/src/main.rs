//! The command `mintage`: the only crate that prints, draws progress, reads the environment and exits.
//!
//! `args` is what can be typed, `settings` what it comes to with the environment, `verbs` what is done;
//! everything that could be of use to a program lies in the library, not here.

#![allow(clippy::disallowed_methods)]

mod alloc;
mod args;
mod comparison;
mod context;
mod failure;
mod interrupt;
mod limits;
mod memory;
mod pictures;
mod report_view;
mod settings;
mod sweep_plan;
mod text;
mod ui;
mod verbs;

use std::{panic, process::ExitCode};

use clap::FromArgMatches;

use crate::{
    args::Cli,
    context::Context,
    failure::{BUG, COULD_NOT, CliError, CliResult},
    settings::Settings,
    ui::eprintln_safe,
};

fn main() -> ExitCode {
    alloc::keep_pages();
    limits::tell_of_full_files();
    panic::set_hook(Box::new(bug));
    let mut command = verbs::flags::command();
    let given = command.get_matches_mut();
    let cli = Cli::from_arg_matches(&given).unwrap_or_else(|error| error.format(&mut command).exit());
    match run(&cli) {
        Ok(outcome) => outcome.into(),
        // Whoever reads our output has enough of it.
        Err(CliError::Pipe) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln_safe(&failure.text(settings::color(&cli.global)));
            if cli.global.verbose {
                failure.list().iter().for_each(|line| eprintln_safe(&format!("  {line}")));
            }
            COULD_NOT.into()
        }
    }
}

fn run(cli: &Cli) -> CliResult {
    let mut context = Context::new(Settings::resolve(&cli.global)?);
    let verdict = verbs::run(&cli.verb, &mut context);
    context.ui.clear();
    verdict
}

/// What is said when the program itself has gone wrong, in whichever thread.
fn bug(info: &panic::PanicHookInfo) {
    if mintage_data::panic_is_caught() {
        return;
    }
    let payload = info.payload();
    let what =
        payload.downcast_ref::<&str>().copied().or(payload.downcast_ref::<String>().map(String::as_str));
    let place = info.location().map(|at| format!(" at {}:{}", at.file(), at.line())).unwrap_or_default();
    let what = what.unwrap_or("no reason given");
    eprintln_safe(&format!("\nerror: mintage {} went wrong{place}: {what}", env!("CARGO_PKG_VERSION")));
    eprintln_safe(
        "  hint: this is a bug and none of your doing; please report it with the command you typed,",
    );
    eprintln_safe("        the lines above, and what `mintage doctor` says");
    std::process::exit(BUG);
}
