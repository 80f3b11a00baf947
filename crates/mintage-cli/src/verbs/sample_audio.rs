//! `mintage sample` of sounds: WAV files, a folder, or BLOBs of a table; and sounds through a model's codec.

use std::path::{Path, PathBuf};

use mintage::{
    AnyData, AudioRequest, Event, Family, Model,
    evaluate::audio::mel_distance_db,
    models::audio::si_sdr_db,
    sample::{Sounds, audio::interleaved},
};
use mintage_data::{
    Provenance,
    audio::{WavDepth, wav_bytes},
    names::path_of,
    write_files, write_through,
};
use serde_json::json;

use super::{
    conditioning::vary_or_continue,
    flags::{self, Kind},
    places::{
        Place, in_samples, is_database, is_folder, make_parent, may_write, place, report_rows, stands_beside,
        suffix,
    },
    sample_text::{check_choice, choice, label},
};
use crate::{
    args::{ExistsChoice, Reconstruct, Sample},
    context::Context,
    failure::{CliError, CliResult, Outcome},
    pictures::spread,
    text::{count, shell},
};

/// Where sounds go.
#[derive(Debug, PartialEq)]
enum Target {
    File(PathBuf),
    Folder(PathBuf),
    /// A SQLite file or an address.
    Database(String),
}

pub fn run(args: &Sample, model: &Model, context: &mut Context) -> CliResult {
    check(args, model)?;
    // Before time is spent.
    depth(args)?;
    let seed = context.settings.seed_or_fresh();
    let target = match args.out.as_deref() {
        Some(out) => target(out)?,
        None => Target::File(in_samples(model, &format!("seed-{seed}.wav"))?),
    };
    match &target {
        Target::File(path) => may_write(path, args.if_exists)?,
        Target::Folder(path) => stands_beside(path, args.if_exists)?,
        Target::Database(_) => {}
    }
    let place = match &target {
        Target::Database(target) => {
            let labelled = !model.sounds()?.codec.classes.is_empty();
            Some(place(target, args, model, labelled, context)?)
        }
        _ => None,
    };
    let n = args.n.unwrap_or(1);
    if n > 1 && matches!(target, Target::File(_)) {
        return Err(CliError::new("a file holds one sound", "give a folder/ for several"));
    }
    let request = AudioRequest {
        n,
        label: label(args, model)?,
        conditioning: vary_or_continue(args, |path| sound(path, model))?,
        seconds: args.seconds,
        choice: choice(args),
        guidance: args.guidance,
        seed,
    };
    let options = json!({
        "where": args.condition, "continue": args.continued, "like": args.like, "strength": args.strength,
        "seconds": args.seconds, "temperature": args.temperature, "top_k": args.top_k, "top_p": args.top_p,
        "min_p": args.min_p, "guidance": args.guidance,
    });
    let provenance = model.provenance(seed, options);
    let ui = &mut context.ui;
    let sounds = model.sample_sounds(&request, &mut |done, total| {
        ui.event(&Event::Work { what: "sampling".to_owned(), done, total });
    });
    context.ui.clear();
    write(&target, place.as_ref(), &sounds?, args, &provenance, context)
}

fn write(
    target: &Target,
    place: Option<&Place>,
    sounds: &Sounds,
    args: &Sample,
    provenance: &Provenance,
    context: &mut Context,
) -> CliResult {
    let what = count(sounds.len(), "new sound");
    let json = provenance.to_json();
    let depth = depth(args)?;
    let wav = |i: usize| wav_bytes(&sounds.interleaved(i), sounds.channels, sounds.rate_hz, depth, &json);
    match (target, place) {
        (Target::File(path), _) => {
            make_parent(path)?;
            write_through(path, &wav(0)).map_err(CliError::io(path))?;
            context.ui.field("made", &format!("{what} of {:.1} s in {}", sounds.seconds(0), shell(path)));
        }
        (Target::Folder(dir), _) => {
            let file = |i: usize| Ok((sounds.class(i).unwrap_or_default(), wav(i)));
            write_files(dir, sounds.len(), "wav", &file, provenance)?;
            context.ui.field("made", &format!("{what} in {}", shell(dir)));
        }
        (Target::Database(_), Some(place)) => {
            let item = |i: usize| Ok((wav(i), sounds.class(i)));
            let rows = place.items(context).append(sounds.len(), &item, provenance)?;
            report_rows(rows, place, context);
        }
        (Target::Database(_), None) => return Err(CliError::message("no table was chosen")),
    }
    Ok(Outcome::Done)
}

fn depth(args: &Sample) -> Result<WavDepth, CliError> {
    match args.bits {
        None | Some(16) => Ok(WavDepth::Bits16),
        Some(24) => Ok(WavDepth::Bits24),
        Some(32) => Ok(WavDepth::Float),
        Some(bits) => Err(CliError::new(
            format!("a WAV file is not written with {bits} bits a sample"),
            "--bits is 16, 24 or 32",
        )),
    }
}

/// A sound of a file as a model hears it.
fn sound(path: &Path, model: &Model) -> Result<Vec<f32>, CliError> {
    let bytes = mintage_data::read_item_file(path)?;
    let found = model.sounds()?.codec.decode(bytes);
    found.map_err(|why| CliError::message(format!("{}: {why}", path.display())))
}

fn target(out: &str) -> Result<Target, CliError> {
    let path = path_of(out).into_owned();
    match suffix(&path).as_str() {
        _ if is_folder(out) => Ok(Target::Folder(path)),
        "wav" => Ok(Target::File(path)),
        _ if is_database(out) => Ok(Target::Database(out.to_owned())),
        _ => Err(CliError::new(
            format!("{out}: does not say what to write"),
            "end it with .wav for a sound, / for a folder of sounds, .db or a postgres:// address for rows of a database",
        )),
    }
}

/// What has no meaning for sounds, and values that have none at all.
fn check(args: &Sample, model: &Model) -> Result<(), CliError> {
    flags::check(args, Kind::Audio)?;
    // A GAN has no pass without classes to steer away from.
    if args.guidance.is_some() && model.config.model.family() == Family::Gan {
        return Err(flags::meaningless("--guidance", Kind::Audio));
    }
    check_choice(args)
}

/// Between a sound and the next, in seconds.
const PAUSE_SECS: f64 = 0.3;

/// `mintage reconstruct`: each original, and behind it what comes back through the codec, one after another.
pub fn reconstruct(args: &Reconstruct, model: &Model, context: &mut Context) -> CliResult {
    let originals = match args.files.is_empty() {
        true => held_out(args, model, context)?,
        false => args.files.iter().map(|path| sound(path, model)).collect::<Result<_, _>>()?,
    };
    let out = match &args.out {
        Some(path) => path.clone(),
        None => in_samples(model, "reconstruction.wav")?,
    };
    may_write(&out, ExistsChoice::Fail)?;
    make_parent(&out)?;
    let info = model.sounds()?.info;
    let pause = vec![0.0; (PAUSE_SECS * f64::from(info.rate_hz)) as usize * info.channels];
    let (mut samples, mut ratios, mut distances) = (Vec::new(), Vec::new(), Vec::new());
    for original in &originals {
        let back = model.reconstruct_sound(original)?;
        for sound in [original, &back] {
            samples.extend(interleaved(sound, info.channels));
            samples.extend(&pause);
        }
        ratios.extend(si_sdr_db(original, &back, original.len()));
        let time = original.len() / info.channels;
        distances.extend(mel_distance_db(original, &back, time, info.rate_hz));
    }
    let seed = context.settings.seed_or_default();
    let provenance = model.provenance(seed, json!({ "reconstruct": originals.len() })).to_json();
    let bytes = wav_bytes(&samples, info.channels, info.rate_hz, WavDepth::Bits16, &provenance);
    write_through(&out, &bytes).map_err(CliError::io(&out))?;
    let mean = |values: &[f64]| values.iter().sum::<f64>() / values.len().max(1) as f64;
    // Where phases are made anew, waves cannot be compared.
    let ratio = model.sounds()?.model.keeps_waves().then(|| mean(&ratios));
    let distance = mean(&distances);
    context.ui.out_json(&json!({
        "file": out, "n": originals.len(), "si_sdr_db": ratio, "mel_distance_db": distance,
    }))?;
    context.ui.field("made", &format!("{} ({})", shell(&out), count(originals.len(), "pair")));
    if let Some(db) = ratio {
        context.ui.field("wave", &format!("{db:.1} dB SI-SDR on the average (more is better)"));
    }
    context.ui.field("sound", &format!("{distance:.1} dB between mel spectrograms (less is better)"));
    Ok(Outcome::Done)
}

/// Sounds of the holdout, which the model never heard.
fn held_out(args: &Reconstruct, model: &Model, context: &mut Context) -> Result<Vec<Vec<f32>>, CliError> {
    if args.n == 0 {
        return Err(CliError::message("-n must be at least 1"));
    }
    let AnyData::Audio(set) = context.data_of(model, &args.moved)? else {
        return Err(CliError::message("the source does not hold sounds any more"));
    };
    let chosen = spread(&set.splits().holdout, args.n);
    match chosen.is_empty() {
        true => Err(CliError::new(
            "the data have no holdout, they are too few",
            "name sound files to reconstruct",
        )),
        false => Ok(chosen.into_iter().map(|item| set.sound(item)).collect()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_suffix_decides() {
        assert_eq!(target("a.WAV").ok(), Some(Target::File("a.WAV".into())));
        assert_eq!(target("new/").ok(), Some(Target::Folder("new/".into())));
        assert_eq!(target("shop.db").ok(), Some(Target::Database("shop.db".into())));
        assert!(target("a.mp3").is_err());
    }
}
