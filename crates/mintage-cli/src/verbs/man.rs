//! `mintage man`: the manual pages, made from the definitions.

use std::path::Path;

use clap::Command;

use super::flags;
use crate::{
    args::Man,
    context::Context,
    failure::{CliError, CliResult, Outcome},
};

pub fn run(args: &Man, context: &mut Context) -> CliResult {
    match &args.out {
        Some(dir) => {
            std::fs::create_dir_all(dir).map_err(CliError::io(dir))?;
            let mut command = flags::command();
            command.build();
            write_pages(command, dir)?;
            context.ui.field("made", &dir.display().to_string());
        }
        None => {
            let mut page = Vec::new();
            clap_mangen::Man::new(flags::command()).render(&mut page).map_err(CliError::io("stdout"))?;
            context.ui.out_bytes(&page)?;
        }
    }
    Ok(Outcome::Done)
}

/// A page of a command, and one of each below it.
fn write_pages(command: Command, dir: &Path) -> Result<(), CliError> {
    for below in command.get_subcommands().filter(|below| !below.is_hide_set()) {
        write_pages(below.clone(), dir)?;
    }
    let page = clap_mangen::Man::new(command);
    let path = dir.join(page.get_filename());
    let mut text = Vec::new();
    page.render(&mut text).map_err(CliError::io(&path))?;
    mintage_data::write_through(&path, &text).map_err(CliError::io(path))
}
