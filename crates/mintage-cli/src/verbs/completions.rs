//! `mintage completions`: the completions of a shell, made from the definitions.

use clap::CommandFactory;

use crate::{
    args::{Cli, Completions},
    context::Context,
    failure::{CliResult, Outcome},
};

pub fn run(args: &Completions, context: &mut Context) -> CliResult {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut Cli::command(), "mintage", &mut script);
    context.ui.out_bytes(&script)?;
    Ok(Outcome::Done)
}
