//! `mintage sample` of music: MIDI files, sound, a folder, or BLOBs of a table.

use std::path::{Path, PathBuf};

use mintage::{
    Event, Model, MusicRequest,
    models::GenerativeModel,
    sample::{check_conditioning, music::Key},
};
use mintage_data::{
    Provenance, Score,
    audio::{WavDepth, wav_bytes},
    music::{Metre, render},
    names::path_of,
    write_files, write_through,
};
use serde_json::json;

use super::{
    flags::{self, Kind},
    places::{
        Place, in_samples, is_database, is_folder, make_parent, may_write, place, report_rows, stands_beside,
        suffix,
    },
    sample_text::{INTERPOLATION_STEPS, check_choice, choice, conditioning, label, lengths, warn_of_length},
};
use crate::{
    args::Sample,
    context::Context,
    failure::{CliError, CliResult, Outcome},
    text::{count, shell},
};

/// Samples a second of sound.
const RATE_HZ: u32 = 44_100;

#[derive(Clone, Copy, Debug, PartialEq)]
enum Format {
    Midi,
    Wav,
}

/// Where tunes go.
#[derive(Debug, PartialEq)]
enum Target {
    File(PathBuf, Format),
    Folder(PathBuf),
    /// A SQLite file or an address.
    Database(String),
}

pub fn run(args: &Sample, model: &Model, context: &mut Context) -> CliResult {
    check(args)?;
    let seed = context.settings.seed_or_fresh();
    let own = || in_samples(model, &format!("seed-{seed}.wav"));
    let target = match args.out.as_deref() {
        Some(out) => target(out)?,
        None => Target::File(own()?, Format::Wav),
    };
    match &target {
        Target::File(path, _) => may_write(path, args.if_exists)?,
        Target::Folder(path) => stands_beside(path, args.if_exists)?,
        Target::Database(_) => {}
    }
    let n = args.n.unwrap_or(if args.between.is_empty() { 1 } else { INTERPOLATION_STEPS });
    if n > 1 && matches!(target, Target::File(..)) {
        return Err(CliError::new("a file holds one tune", "give a folder/ for several"));
    }
    let conditioning = conditioning(args, tune)?;
    check_conditioning(&conditioning, model, n)?;
    let (parts, codec) = model.music()?;
    for (path, tokens) in lengths(args, &conditioning, |tune| codec.encode(tune).len()) {
        warn_of_length(path, tokens, parts.model.config().context(), context);
    }
    let request = MusicRequest {
        n,
        conditioning,
        label: label(args, model)?,
        guidance: args.guidance,
        prompt: args.continued.as_deref().map(tune).transpose()?,
        bars: args.length,
        key: args.key.as_deref().map(Key::parse).transpose()?,
        metre: args.metre.as_deref().map(metre).transpose()?,
        range: args.range.as_deref().map(range).transpose()?,
        choice: choice(args),
        seed,
    };
    let options = json!({
        "where": args.condition, "continue": args.continued, "like": args.like,
        "between": args.between, "strength": args.strength, "bars": args.length, "key": args.key,
        "metre": args.metre, "range": args.range, "temperature": args.temperature, "top_k": args.top_k,
        "top_p": args.top_p, "min_p": args.min_p, "repetition": args.repetition,
        "guidance": args.guidance,
    });
    let place = match &target {
        Target::Database(target) => Some(place(target, args, model, request.label.is_some(), context)?),
        _ => None,
    };
    let provenance = model.provenance(seed, options);
    let ui = &mut context.ui;
    let tunes = model.sample_tunes(&request, &mut |done, total| {
        ui.event(&Event::Work { what: "composing".to_owned(), done, total });
    });
    context.ui.clear();
    let tunes = tunes?;
    if tunes.iter().all(Score::is_empty) {
        return Err(CliError::new(
            "the model has composed nothing but silence",
            "train it longer, or try another --seed",
        ));
    }
    write_tunes(&target, place.as_ref(), &tunes, request.label.as_deref(), args, &provenance, context)
}

fn write_tunes(
    target: &Target,
    place: Option<&Place>,
    tunes: &[Score],
    label: Option<&str>,
    args: &Sample,
    provenance: &Provenance,
    context: &mut Context,
) -> CliResult {
    let what = count(tunes.len(), "new tune");
    let json = provenance.to_json();
    match (target, place) {
        (Target::File(path, format), _) => {
            make_parent(path)?;
            match format {
                Format::Midi => write_through(path, &tunes[0].to_midi(&json)).map_err(CliError::io(path))?,
                Format::Wav => write_sound(&tunes[0], path, args.sound_font.as_deref(), &json)?,
            }
            let secs = tunes[0].seconds();
            context.ui.field("made", &format!("{what} of {secs:.0} s in {}", shell(path)));
        }
        (Target::Folder(dir), _) => {
            let file = |i: usize| Ok((label.unwrap_or_default(), tunes[i].to_midi(&json)));
            write_files(dir, tunes.len(), "mid", &file, provenance)?;
            context.ui.field("made", &format!("{what} in {}", shell(dir)));
        }
        (Target::Database(_), Some(place)) => {
            let item = |i: usize| Ok((tunes[i].to_midi(&json), label));
            let rows = place.items(context).append(tunes.len(), &item, provenance)?;
            report_rows(rows, place, context);
        }
        (Target::Database(_), None) => return Err(CliError::message("no table was chosen")),
    }
    Ok(Outcome::Done)
}

/// Plays a tune into a file.
pub fn write_sound(
    tune: &Score,
    path: &Path,
    sound_font: Option<&Path>,
    provenance: &str,
) -> Result<(), CliError> {
    let sound = render(tune, RATE_HZ, sound_font)?;
    write_through(path, &wav_bytes(&sound, 2, RATE_HZ, WavDepth::Bits16, provenance))
        .map_err(CliError::io(path))
}

fn target(out: &str) -> Result<Target, CliError> {
    let path = path_of(out).into_owned();
    match suffix(&path).as_str() {
        _ if is_folder(out) => Ok(Target::Folder(path)),
        "mid" | "midi" => Ok(Target::File(path, Format::Midi)),
        "wav" => Ok(Target::File(path, Format::Wav)),
        _ if is_database(out) => Ok(Target::Database(out.to_owned())),
        _ => Err(CliError::new(
            format!("{out}: does not say what to write"),
            "end it with .mid or .wav for a tune, / for a folder of MIDI files, .db or a postgres:// address for rows of a \
             database",
        )),
    }
}

/// A tune of a file.
fn tune(path: &Path) -> Result<Score, CliError> {
    let bytes = mintage_data::read_item_file(path)?;
    Score::from_midi(&bytes).map_err(|error| CliError::message(format!("{}: {error}", path.display())))
}

/// "3/4".
fn metre(text: &str) -> Result<Metre, CliError> {
    let parts =
        text.split_once('/').and_then(|(n, d)| Metre::new(n.trim().parse().ok()?, d.trim().parse().ok()?));
    parts.ok_or_else(|| CliError::new(format!("`{text}` is no metre"), "write it like 3/4"))
}

/// "48..72": MIDI numbers.
fn range(text: &str) -> Result<(u8, u8), CliError> {
    let ends = text.split_once("..").and_then(|(low, high)| {
        let ends: (u8, u8) = (low.trim().parse().ok()?, high.trim().parse().ok()?);
        (ends.0 <= ends.1 && ends.1 < 128).then_some(ends)
    });
    ends.ok_or_else(|| {
        CliError::new(
            format!("`{text}` is no range of pitches"),
            "write it like 48..72: MIDI numbers, 60 is middle C",
        )
    })
}

/// What has no meaning for music, and values that have none at all.
fn check(args: &Sample) -> Result<(), CliError> {
    flags::check(args, Kind::Music)?;
    check_choice(args)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_and_limits() {
        assert_eq!(target("a.MID").ok(), Some(Target::File("a.MID".into(), Format::Midi)));
        assert_eq!(target("a.wav").ok(), Some(Target::File("a.wav".into(), Format::Wav)));
        assert_eq!(target("tunes/").ok(), Some(Target::Folder("tunes/".into())));
        assert!(target("a.mp3").is_err());
        assert_eq!(range("48..72").ok(), Some((48, 72)));
        assert!(range("72..48").is_err() && range("1").is_err() && range("0..128").is_err());
        assert!(metre("3/4").is_ok() && metre("3/5").is_err() && metre("x").is_err());
    }
}
