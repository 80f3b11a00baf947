//! The verbs, one file each.

pub mod compare;
pub mod completions;
pub mod copy;
mod database;
mod database_scores;
mod database_show;
pub mod demo;
pub mod doctor;
pub mod evaluate;
mod evaluate_new;
pub mod explain;
pub mod export;
mod exports;
pub mod flags;
pub mod init;
pub mod inspect;
mod judging;
pub mod keep;
pub mod ls;
pub mod man;
pub mod mask;
pub mod models;
pub mod nearest;
mod one_item;
pub mod reconstruct;
pub mod rm;
pub mod sample;
pub mod score;
pub mod serve;
pub mod show;
pub mod sweep;
pub mod train;

use mintage::DataInfo;
use mintage_data::sequence::Modality;

use crate::{
    args::Verb,
    context::{Context, in_pool},
    failure::CliResult,
};

/// Does what the command line says.
pub fn run(verb: &Verb, context: &mut Context) -> CliResult {
    match verb {
        Verb::Ls => ls::run(context),
        Verb::Show(args) => show::run(args, context),
        Verb::Rm(args) => rm::run(args, context),
        Verb::Export(args) => export::run(args, context),
        Verb::Models => models::run(context),
        Verb::Doctor => doctor::run(context),
        Verb::Completions(args) => completions::run(args, context),
        Verb::Man(args) => man::run(args, context),
        Verb::Studio(args) => serve::studio(args, context),
        Verb::Serve(args) => serve::serve(args, context),
        Verb::Demo(args) => pooled(context, |context| demo::run(args, context)),
        Verb::Inspect(args) => pooled(context, |context| inspect::run(args, context)),
        Verb::Init(args) => pooled(context, |context| init::run(args, context)),
        Verb::Train(args) => pooled(context, |context| match database::is_whole(args, context) {
            true => database::train(args, context),
            false => train::run(args, context),
        }),
        Verb::Sweep(args) => pooled(context, |context| sweep::run(args, context)),
        Verb::Copy(args) => pooled(context, |context| copy::run(args, context)),
        Verb::Mask(args) => pooled(context, |context| mask::run(args, context)),
        Verb::Sample(args) => pooled(context, |context| sample::run(args, context)),
        Verb::Keep(args) => pooled(context, |context| keep::run(args, context)),
        Verb::Reconstruct(args) => pooled(context, |context| reconstruct::run(args, context)),
        Verb::Evaluate(args) => pooled(context, |context| evaluate::run(args, context)),
        Verb::Score(args) => pooled(context, |context| score::run(args, context)),
        Verb::Nearest(args) => pooled(context, |context| nearest::run(args, context)),
        Verb::Explain(args) => pooled(context, |context| explain::run(args, context)),
        Verb::Compare(args) => pooled(context, |context| compare::run(args, context)),
    }
}

/// The whole verb inside one pool of the threads that were asked for.
fn pooled(context: &mut Context, verb: impl FnOnce(&mut Context) -> CliResult + Send) -> CliResult {
    in_pool(context.settings.threads, || verb(context))?
}

/// Flags of `mintage sample` that make something of a model of such data to look at or to listen to.
pub fn sample_flags(info: &DataInfo) -> &'static str {
    match info {
        DataInfo::Image(_) => "-n 64 -o new.png",
        DataInfo::Table(_) => "-n 1000 -o new.csv",
        DataInfo::Sequence(info) => match info.modality {
            Modality::Text => "--length 1000",
            Modality::Music => "-o new.wav",
        },
        DataInfo::Audio(_) => "-o new.wav",
        DataInfo::Video(_) => "-o new.gif",
    }
}
