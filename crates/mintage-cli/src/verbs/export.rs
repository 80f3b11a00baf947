//! `mintage export`: copies the model part of a run folder, which is a model folder by itself.

use std::{
    fs::{self, File},
    io,
    path::{Path, PathBuf},
};

use mintage::model::ModelConfig;
use serde_json::Value;
use tempfile::TempDir;

use super::sample_flags;
use crate::{
    args::Export,
    context::Context,
    failure::{CliError, CliResult, Outcome},
    report_view,
    text::{bytes, shell, thousands},
};

/// What belongs to the model; everything else in a run folder belongs to the run, or to nobody.
const FILES: [&str; 7] = [
    "README.md",
    "recipe.toml",
    "config.json",
    "model.safetensors",
    "counts.bin",
    "report.json",
    "report.html",
];
const CODECS: [&str; 7] =
    ["image.json", "table.json", "text.json", "music.json", "audio.json", "video.json", "tokenizer.json"];
/// How the name of a folder begins that is not whole yet.
const STAGE: &str = ".mintage-export-";
/// Suffixes of samples.
const SAMPLES: [&str; 7] = ["png", "gif", "csv", "txt", "mid", "wav", "mp4"];

pub fn run(args: &Export, context: &mut Context) -> CliResult {
    let dir = context.model_dir(&args.model)?;
    let config = ModelConfig::load(&dir)?;
    let out = &args.out;
    check_target(&dir, out)?;
    let parts = parts(&dir)?;
    let parent = out.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    fs::create_dir_all(parent).map_err(CliError::io(parent))?;
    // The folder gets its name when it is whole; a failure leaves nothing.
    remove_stale(parent);
    let (whole, _held) = stage(parent).map_err(CliError::io(parent))?;
    let mut total = 0;
    for part in &parts {
        let to = whole.path().join(part);
        if let Some(folder) = to.parent() {
            fs::create_dir_all(folder).map_err(CliError::io(folder))?;
        }
        total += fs::copy(dir.join(part), &to).map_err(CliError::io(out.join(part)))?;
    }
    if !parts.iter().any(|part| part == Path::new("README.md")) {
        let text = model_card(&config, report_view::read(&dir).as_ref());
        let card = whole.path().join("README.md");
        mintage_data::atomic_write(&card, text.as_bytes()).map_err(CliError::io(out.join("README.md")))?;
    }
    open_to_all(whole.path()).map_err(CliError::io(out))?;
    fs::rename(whole.path(), out).map_err(CliError::io(out))?;
    context.ui.field("made", &format!("{} ({})", out.display(), bytes(total)));
    context.ui.field("next", &format!("mintage sample {} {}", shell(out), sample_flags(&config.info)));
    Ok(Outcome::Done)
}

/// A folder to fill, and the lock on it, by which others see that somebody does.
fn stage(parent: &Path) -> io::Result<(TempDir, Option<File>)> {
    loop {
        let whole = tempfile::Builder::new().prefix(STAGE).tempdir_in(parent)?;
        // Where folders cannot be locked, none is taken for stale either.
        let held = File::open(whole.path()).ok().filter(|held| held.lock().is_ok());
        // Somebody else may have taken it for stale before the lock was on it.
        if whole.path().is_dir() {
            return Ok((whole, held));
        }
    }
}

/// Removes what exports have left that were killed.
fn remove_stale(parent: &Path) {
    let Ok(entries) = fs::read_dir(parent) else { return };
    let is_stage = |entry: &fs::DirEntry| {
        entry.file_name().to_string_lossy().starts_with(STAGE)
            && entry.file_type().is_ok_and(|kind| kind.is_dir())
    };
    for entry in entries.flatten().filter(is_stage) {
        // The lock goes with the process that had it, however that ended.
        let free = File::open(entry.path()).ok().filter(|file| file.try_lock().is_ok());
        if free.is_some() {
            let _ = fs::remove_dir_all(entry.path());
        }
    }
}

/// The target must be a place of its own: not there yet, or an empty folder, and not inside the model.
fn check_target(dir: &Path, out: &Path) -> Result<(), CliError> {
    let taken = match fs::symlink_metadata(out) {
        Ok(there) if there.is_dir() => fs::read_dir(out).is_ok_and(|mut entries| entries.next().is_some()),
        Ok(_) => true,
        Err(_) => false,
    };
    if taken {
        let message = format!("{}: exists already", out.display());
        return Err(CliError::new(message, "choose another folder with -o, or remove that one"));
    }
    let model = fs::canonicalize(dir).map_err(CliError::io(dir))?;
    let there = out.ancestors().find_map(|folder| {
        let folder = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
        fs::canonicalize(folder).ok()
    });
    match there.is_some_and(|there| there.starts_with(&model)) {
        true => Err(CliError::new(
            format!("{}: lies inside the model", out.display()),
            "choose a folder beside it with -o",
        )),
        false => Ok(()),
    }
}

/// The files of the model in `dir`, without links: what they lead to is not the model's.
fn parts(dir: &Path) -> Result<Vec<PathBuf>, CliError> {
    let is_own = |path: &Path| fs::symlink_metadata(dir.join(path)).is_ok_and(|there| there.is_file());
    let is_folder = |name: &str| fs::symlink_metadata(dir.join(name)).is_ok_and(|there| there.is_dir());
    for name in ["config.json", "model.safetensors", "counts.bin", "codec"] {
        if fs::symlink_metadata(dir.join(name)).is_ok_and(|there| there.is_symlink()) {
            let message = format!("{}: is a link, which is not followed", dir.join(name).display());
            return Err(CliError::new(message, "put the file itself there"));
        }
    }
    let mut parts: Vec<PathBuf> = FILES.iter().map(PathBuf::from).collect();
    if is_folder("codec") {
        parts.extend(CODECS.iter().map(|name| Path::new("codec").join(name)));
    }
    if is_folder("samples") {
        let samples = dir.join("samples");
        let is_sample = |path: &PathBuf| {
            path.extension()
                .is_some_and(|suffix| SAMPLES.iter().any(|known| suffix.eq_ignore_ascii_case(known)))
        };
        let entries = fs::read_dir(&samples).map_err(CliError::io(&samples))?;
        let mut found: Vec<PathBuf> =
            entries.flatten().map(|entry| Path::new("samples").join(entry.file_name())).collect();
        found.retain(is_sample);
        found.sort();
        parts.extend(found);
    }
    parts.retain(|part| is_own(part));
    Ok(parts)
}

/// Temporary folders are for their owner alone; a model is as open as any folder that the user makes.
fn open_to_all(dir: &Path) -> std::io::Result<()> {
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        // A folder made the ordinary way shows what the user's mask leaves.
        let probe = dir.join("codec");
        let mode = fs::metadata(&probe).map_or(0o755, |there| there.permissions().mode());
        fs::set_permissions(dir, fs::Permissions::from_mode(mode))?;
    }
    Ok(())
}

/// A short README for a model that has none.
fn model_card(config: &ModelConfig, report: Option<&Value>) -> String {
    let family = config.model.family().name();
    let scores = match report {
        Some(report) => format!(
            "\n## Scores\n\n{}\n```\n{}```\n",
            report_view::verdict(report),
            report_view::dials(report)
        ),
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
        sample_flags(&config.info),
    )
}
