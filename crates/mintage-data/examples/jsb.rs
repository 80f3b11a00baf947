//! Turns the JSB chorales (Boulanger-Lewandowski et al. 2012) from JSON into MIDI files of four tracks:
//! `jsb CHORALES.json DIR TICKS`, where a step has 3 ticks (sixteenths) or 12 (quarters). Started by
//! `cargo xtask data`.
//!
//! The file has train, valid and test; each is a list of chorales, a chorale a list of steps, a step the pitches
//! that sound. Sixteenths list soprano to bass, unisons twice, and leave out who rests; quarters are sorted sets
//! without unisons. So voices that are missing are found here: in sixteenths as rests, in quarters as unisons,
//! in both such that the voices move least. Equal pitches in a row become one note.

#![allow(clippy::unwrap_used)]
#![allow(clippy::disallowed_methods)]
#![allow(clippy::disallowed_macros)]

use std::{collections::BTreeMap, fs, path::Path};

use mintage_data::music::{
    MAX_DURATION, MusicTokenizer, MusicUnit, Note, RESOLUTION, Score, TempoChange, tempo_bin, velocity_bin,
};

const VOICES: usize = 4;
const CHOIR: u8 = 52;
const BPM: f64 = 80.0;

/// A pitch or a rest for each of soprano, alto, tenor and bass.
type Step = [Option<u8>; VOICES];

fn main() {
    let mut args = std::env::args().skip(1);
    let (Some(json), Some(out), Some(ticks)) = (args.next(), args.next(), args.next()) else {
        panic!("usage: jsb CHORALES.json DIR TICKS");
    };
    let ticks: u32 = ticks.parse().unwrap();
    let parts: BTreeMap<String, Vec<Vec<Vec<f64>>>> =
        serde_json::from_str(&fs::read_to_string(&json).unwrap()).unwrap();
    let mut scores = Vec::new();
    let mut chorales = Vec::new();
    for (part, list) in parts {
        let dir = Path::new(&out).join(part);
        fs::create_dir_all(&dir).unwrap();
        for (number, chorale) in list.into_iter().enumerate() {
            let steps = voiced(&chorale, ticks);
            let bytes = score(&steps, ticks).to_midi("JSB chorales, Boulanger-Lewandowski et al. 2012");
            fs::write(dir.join(format!("{:03}.mid", number + 1)), &bytes).unwrap();
            scores.push(Score::from_midi(&bytes).unwrap());
            chorales.push((chorale, steps));
        }
    }
    check(&scores, &chorales, ticks);
}

/// The files must give back every step, or figures on them would be of another data set.
fn check(scores: &[Score], chorales: &[(Vec<Vec<f64>>, Vec<Step>)], ticks: u32) {
    let codec = MusicTokenizer::fit(None, scores);
    let unit = if ticks == RESOLUTION { MusicUnit::GridQuarter } else { MusicUnit::Grid };
    assert_eq!((codec.unit(), codec.voices()), (unit, Some(VOICES)));
    let mut tokens = 0;
    for (score, (chorale, steps)) in scores.iter().zip(chorales) {
        let ids = codec.encode(score);
        let pitches: Vec<Option<u8>> = ids.iter().map(|id| codec.pitch_of(*id)).collect();
        assert_eq!(pitches, steps.concat());
        for (row, step) in pitches.chunks(VOICES).zip(chorale) {
            let mut heard: Vec<u8> = row.iter().flatten().copied().collect();
            let mut given: Vec<u8> = step.iter().map(|pitch| *pitch as u8).collect();
            if ticks == RESOLUTION {
                heard.sort_unstable();
                heard.dedup();
                given.sort_unstable();
            }
            assert_eq!(heard, given);
        }
        tokens += ids.len();
    }
    println!("{} chorales, {tokens} tokens, vocabulary {}: all steps come back", scores.len(), codec.vocab());
}

/// Who sings what: of all ways to give a step's pitches to the voices, the one in which they move least.
fn voiced(chorale: &[Vec<f64>], ticks: u32) -> Vec<Step> {
    let mut last: Step = [Some(72), Some(65), Some(58), Some(50)];
    let mut steps = Vec::with_capacity(chorale.len());
    for given in chorale {
        let mut pitches: Vec<u8> = given.iter().map(|pitch| *pitch as u8).collect();
        if ticks == RESOLUTION {
            pitches.sort_unstable_by(|a, b| b.cmp(a));
        }
        let ways = if ticks == RESOLUTION { unisons(&pitches) } else { rests(&pitches) };
        let step = ways.into_iter().min_by_key(|way| movement(&last, way)).unwrap_or_default();
        // Who rests is remembered where it was.
        for voice in 0..VOICES {
            last[voice] = step[voice].or(last[voice]);
        }
        steps.push(step);
    }
    steps
}

fn movement(last: &Step, step: &Step) -> u32 {
    let moved = |(a, b): (&Option<u8>, &Option<u8>)| a.zip(*b).map_or(0, |(a, b)| u32::from(a.abs_diff(b)));
    last.iter().zip(step).map(moved).sum()
}

/// All ways to spread pitches over the voices in order, some voices resting.
fn rests(pitches: &[u8]) -> Vec<Step> {
    let sing = |mask: &u32| mask.count_ones() as usize == pitches.len();
    let way = |mask: u32| {
        let mut next = pitches.iter().copied();
        std::array::from_fn(|voice| if mask >> voice & 1 == 1 { next.next() } else { None })
    };
    (0..1u32 << VOICES).filter(sing).map(way).collect()
}

/// All ways to spread pitches over the voices in order, some voices in unison.
fn unisons(pitches: &[u8]) -> Vec<Step> {
    let count = pitches.len();
    if count == 0 {
        return vec![[None; VOICES]];
    }
    let codes = 0..count.pow(VOICES as u32);
    let ways =
        codes.map(|code| std::array::from_fn::<usize, VOICES, _>(|v| code / count.pow(v as u32) % count));
    let complete = |way: &[usize; VOICES]| way.is_sorted() && (0..count).all(|pitch| way.contains(&pitch));
    ways.filter(complete).map(|way| way.map(|pitch| Some(pitches[pitch]))).collect()
}

fn score(steps: &[Step], ticks: u32) -> Score {
    let mut notes: Vec<Note> = Vec::new();
    for voice in 0..VOICES {
        let mut before = None;
        for (number, step) in steps.iter().enumerate() {
            let same = step[voice].is_some() && step[voice] == before;
            before = step[voice];
            match (step[voice], notes.last_mut()) {
                // A pitch that is held longer than notes can last is struck again.
                (Some(_), Some(note)) if same && note.duration + ticks <= MAX_DURATION => {
                    note.duration += ticks
                }
                (Some(pitch), _) => notes.push(Note {
                    start: number as u32 * ticks,
                    duration: ticks,
                    pitch,
                    velocity: velocity_bin(80),
                    programme: CHOIR,
                    voice: voice as u8,
                }),
                (None, _) => {}
            }
        }
    }
    Score::new(notes, vec![], vec![TempoChange { tick: 0, tempo: tempo_bin(BPM) }])
}
