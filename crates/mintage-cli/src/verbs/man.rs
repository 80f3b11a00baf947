//! `mintage man`: the manual pages, made from the definitions.

use clap::CommandFactory;

use crate::{
    args::{Cli, Man},
    context::Context,
    failure::{Failure, Outcome, Verdict},
};

pub fn run(args: &Man, context: &mut Context) -> Verdict {
    match &args.out {
        Some(dir) => {
            std::fs::create_dir_all(dir).map_err(Failure::io(dir))?;
            clap_mangen::generate_to(Cli::command(), dir).map_err(Failure::io(dir))?;
            context.ui.titled("made", &dir.display().to_string());
        }
        None => {
            let mut page = Vec::new();
            clap_mangen::Man::new(Cli::command()).render(&mut page).map_err(Failure::io("stdout"))?;
            context.ui.out_bytes(&page)?;
        }
    }
    Ok(Outcome::Done)
}
