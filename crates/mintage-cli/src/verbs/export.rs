//! `mintage export`: copies the model part of a run folder, which is a model folder by itself.

use std::{fs, path::Path};

use mintage::model::ModelConfig;
use serde_json::Value;

use crate::{
    args::Export,
    context::Context,
    failure::{Failure, Outcome, Verdict},
    report_view,
    text::{bytes, shell, thousands},
};

/// What belongs to the model; everything else in a run folder belongs to the run.
const PARTS: [&str; 8] = [
    "README.md",
    "recipe.toml",
    "config.json",
    "model.safetensors",
    "codec",
    "report.json",
    "report.html",
    "samples",
];

pub fn run(args: &Export, context: &mut Context) -> Verdict {
    let dir = context.model_dir(&args.model)?;
    let config = ModelConfig::load(&dir)?;
    let out = &args.out;
    let occupied = fs::read_dir(out).is_ok_and(|mut entries| entries.next().is_some()) || out.is_file();
    if occupied {
        let message = format!("{}: exists already", out.display());
        return Err(Failure::new(message, "choose another folder with -o, or remove that one"));
    }
    let mut total = 0;
    fs::create_dir_all(out).map_err(Failure::io(out))?;
    for part in PARTS {
        let from = dir.join(part);
        if from.exists() {
            total += copy(&from, &out.join(part))?;
        }
    }
    let card = out.join("README.md");
    if !card.exists() {
        let text = model_card(&config, report_view::read(&dir).as_ref());
        mintage_data::atomic_write(&card, text.as_bytes()).map_err(Failure::io(&card))?;
    }
    context.ui.titled("made", &format!("{} ({})", out.display(), bytes(total)));
    context.ui.titled("next", &format!("mintage sample {} -n 64 -o new.png", shell(out)));
    Ok(Outcome::Done)
}

/// Copies a file or a folder; returns the bytes copied.
fn copy(from: &Path, to: &Path) -> Result<u64, Failure> {
    if !from.is_dir() {
        return fs::copy(from, to).map_err(Failure::io(from));
    }
    fs::create_dir_all(to).map_err(Failure::io(to))?;
    let mut total = 0;
    for entry in fs::read_dir(from).map_err(Failure::io(from))? {
        let path = entry.map_err(Failure::io(from))?.path();
        if let Some(name) = path.file_name() {
            total += copy(&path, &to.join(name))?;
        }
    }
    Ok(total)
}

/// A short README for a model that has none.
fn model_card(config: &ModelConfig, report: Option<&Value>) -> String {
    let family = config.model.family().name();
    let sample = if config.info.item() == "image" { "-n 64 -o new.png" } else { "-n 1000 -o new.csv" };
    let scores = match report {
        Some(report) => format!("\n## Scores\n\n```\n{}```\n", report_view::dials(report)),
        None => String::new(),
    };
    format!(
        "# {family} {} for {}\n\nA generative model made with Mintage {} from {} training {}s.\n\n\
         ```sh\nmintage sample . {}\n```\n{scores}",
        config.size.name(),
        config.info.items(),
        config.mintage,
        thousands(config.info.train_len()),
        config.info.item(),
        sample,
    )
}
