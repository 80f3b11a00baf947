//! Spoken digits; where more are asked for than were recorded, the same at several speeds, those of a recording on one side.

use std::{fs, path::Path, sync::Arc};

use mintage::{
    AnyData,
    data::{
        AudioSet, SourceSpec, Split,
        audio::{WavDepth, wav_bytes},
    },
    evaluate::NewItems,
    nn::Rng,
};

use super::{Ladder, compared};
use crate::Options;

/// Training sounds for each held-out one, where there are so many.
const TRAIN: usize = 9;
/// New sounds that are compared at most, as `evaluate` does.
const MAX_ITEMS: usize = 1000;
/// Samples that are moved together: 30 ms at 8 kHz.
const PIECE: usize = 240;

#[derive(Clone)]
struct Sound {
    samples: Vec<f32>,
    digit: u32,
}

pub fn ladder(n: usize, options: &Options) -> Ladder {
    let (all, rate) = recordings(&options.data.join("audio/fsdd"));
    let order = Rng::new(1, 1).permutation(all.len());
    let all: Vec<&Sound> = order.into_iter().map(|i| &all[i]).collect();
    // So many speeds of each recording that a third of them is enough for any side.
    let speeds = (3 * n).div_ceil(all.len());
    let recorded = n.div_ceil(speeds);
    let at_speeds = |sounds: &[&Sound]| -> Vec<Sound> {
        let speed = |at: usize| 0.8 + 0.5 * (at as f32 + 0.5) / speeds as f32;
        let each =
            |sound: &&Sound| (0..speeds).map(|at| played(sound, speed(at), speeds)).collect::<Vec<_>>();
        sounds.iter().flat_map(each).collect()
    };
    let (fresh, rest) = all.split_at(recorded);
    let (held, rest) = rest.split_at(recorded);
    let train = at_speeds(&rest[..rest.len().min(TRAIN * recorded)]);
    let (fresh, held) = (at_speeds(fresh), at_speeds(held));
    let dir = tempfile::tempdir().unwrap();
    write(&dir.path().join("train"), &train, rate);
    write(&dir.path().join("test"), &held, rate);
    let source = dir.path().to_string_lossy().into_owned();
    let set = AudioSet::open(&SourceSpec { source, ..SourceSpec::default() }).unwrap();
    let digits: Vec<String> = (0..10).map(|digit| digit.to_string()).collect();
    assert_eq!((set.classes(), set.codec().rate_hz), (&digits[..], rate));
    // As the set has them: one loudness for all.
    let loudness = rms(&whole(&set, Split::Train).concat());
    let fresh: Vec<Sound> =
        compared(&fresh, MAX_ITEMS.min(n)).into_iter().map(|s| as_loud(s, loudness)).collect();
    let train: Vec<Sound> =
        compared(&train, MAX_ITEMS.min(n)).into_iter().map(|s| as_loud(s, loudness)).collect();
    let n = fresh.len();
    let each = |sounds: &[Sound], change: &dyn Fn(&Sound, &mut Rng) -> Vec<f32>| -> Vec<Sound> {
        let mut rng = Rng::new(4, 0);
        sounds.iter().map(|s| Sound { samples: change(s, &mut rng), ..*s }).collect()
    };
    let kept: Vec<&Sound> = fresh.iter().filter(|sound| sound.digit < 5).collect();
    let rungs = vec![
        ("fresh", fresh.clone()),
        ("little noise", each(&fresh, &|sound, rng| noisy(sound, 0.1, rng))),
        ("much noise", each(&fresh, &|sound, rng| noisy(sound, 1.0, rng))),
        ("noise", each(&fresh, &|sound, rng| noisy(sound, 100.0, rng))),
        ("little mixed", each(&fresh, &|sound, rng| pieces_swapped(sound, 0.2, rng))),
        ("much mixed", each(&fresh, &|sound, rng| pieces_swapped(sound, 1.0, rng))),
        ("trivial", each(&fresh, &|sound, rng| pieces_of(&train, sound.samples.len(), rng))),
        ("half", (0..n).map(|i| kept[i % kept.len()].clone()).collect()),
        ("one", vec![fresh[0].clone(); n]),
        ("copied", train.clone()),
        ("half copied", (0..n).map(|i| if i % 2 == 0 { &train[i] } else { &fresh[i] }.clone()).collect()),
        ("near copies", each(&train, &|sound, rng| noisy(sound, 0.01, rng))),
    ];
    let rungs = rungs.into_iter().map(|(name, sounds)| {
        let (samples, labels) = sounds.into_iter().map(|sound| (sound.samples, sound.digit)).unzip();
        (name, NewItems::Audio(samples, labels))
    });
    let rungs = rungs.collect();
    Ladder { data: AnyData::Audio(Arc::new(set)), n, rungs }
}

/// All recordings and their rate.
fn recordings(folder: &Path) -> (Vec<Sound>, u32) {
    let source = folder.to_string_lossy().into_owned();
    let set = AudioSet::open(&SourceSpec { source, ..SourceSpec::default() }).unwrap();
    let mut all = Vec::new();
    for split in [Split::Train, Split::Valid, Split::Holdout] {
        let numbers = set.splits().get(split);
        let sounds = whole(&set, split).into_iter().zip(numbers);
        // DIGIT_SPEAKER_NUMBER.wav
        let digit = |number: u32| set.name(number).rsplit('/').next().unwrap()[..1].parse().unwrap();
        all.extend(sounds.map(|(samples, &number)| Sound { samples, digit: digit(number) }));
    }
    (all, set.codec().rate_hz)
}

/// The sounds of a split without what they are filled up with.
fn whole(set: &AudioSet, split: Split) -> Vec<Vec<f32>> {
    let items: Vec<u32> = set.items(split).collect();
    let batch = set.batch(&items, None);
    let all = batch.samples.chunks_exact(set.codec().segment).zip(&batch.lengths);
    all.map(|(sound, &length)| sound[..length as usize].to_vec()).collect()
}

fn write(folder: &Path, sounds: &[Sound], rate: u32) {
    for (i, sound) in sounds.iter().enumerate() {
        let folder = folder.join(sound.digit.to_string());
        fs::create_dir_all(&folder).unwrap();
        let bytes = wav_bytes(&sound.samples, 1, rate, WavDepth::Bits16, "");
        fs::write(folder.join(format!("{i:05}.wav")), bytes).unwrap();
    }
}

/// Faster or slower, as a tape; as it is where there is only one speed.
fn played(sound: &Sound, speed: f32, speeds: usize) -> Sound {
    if speeds == 1 {
        return sound.clone();
    }
    let at = |i: usize| {
        let place = i as f32 * speed;
        let (left, share) = (place as usize, place.fract());
        let right = (left + 1).min(sound.samples.len() - 1);
        sound.samples[left] * (1.0 - share) + sound.samples[right] * share
    };
    let length = ((sound.samples.len() - 1) as f32 / speed) as usize;
    Sound { samples: (0..length).map(at).collect(), ..*sound }
}

fn rms(samples: &[f32]) -> f32 {
    (samples.iter().map(|v| v * v).sum::<f32>() / samples.len().max(1) as f32).sqrt()
}

fn as_loud(sound: &Sound, loudness: f32) -> Sound {
    let gain = loudness / rms(&sound.samples).max(1e-6);
    Sound { samples: sound.samples.iter().map(|v| (v * gain).clamp(-1.0, 1.0)).collect(), ..*sound }
}

/// With normal noise of so many times its own loudness, then as loud as before.
fn noisy(sound: &Sound, share: f32, rng: &mut Rng) -> Vec<f32> {
    let loudness = rms(&sound.samples);
    let noise = rng.normals(sound.samples.len());
    let samples = sound.samples.iter().zip(noise).map(|(v, noise)| v + share * loudness * noise).collect();
    as_loud(&Sound { samples, ..*sound }, loudness).samples
}

/// Short pieces change places, now and then.
fn pieces_swapped(sound: &Sound, share: f32, rng: &mut Rng) -> Vec<f32> {
    let mut pieces: Vec<&[f32]> = sound.samples.chunks(PIECE).collect();
    for at in 0..pieces.len() {
        if rng.uniform() < share {
            let other = rng.below(pieces.len());
            pieces.swap(at, other);
        }
    }
    pieces.concat()
}

/// Short pieces of anywhere.
fn pieces_of(sounds: &[Sound], length: usize, rng: &mut Rng) -> Vec<f32> {
    let mut samples = Vec::new();
    while samples.len() < length {
        let pieces: Vec<&[f32]> = sounds[rng.below(sounds.len())].samples.chunks(PIECE).collect();
        samples.extend(pieces[rng.below(pieces.len())]);
    }
    samples.truncate(length);
    samples
}
