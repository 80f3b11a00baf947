//! Four bars of pop songs, or two where more are asked for than there are; those of a song on one side.

use std::{fs, path::Path, sync::Arc};

use mintage::{
    AnyData,
    data::{Score, SequenceSet, SourceSpec, music::Note},
    evaluate::NewItems,
    nn::Rng,
};

use super::{Ladder, compared};
use crate::Options;

/// Training passages for each held-out one, where there are so many.
const TRAIN: usize = 9;
/// New passages that are compared at most, as `evaluate` does.
const MAX_ITEMS: usize = 200;
const SOURCE: &str = "POP909, Wang et al. 2020";
/// Tunes of a ladder, at most, for passages of four bars: a third of the songs have as many.
const MAX_PASSAGES_OF_FOUR_BARS: usize = 5000;
/// Notes of a bar at least, on the average.
const NOTES: usize = 6;

pub fn ladder(n: usize, options: &Options) -> Ladder {
    let bars = if n > MAX_PASSAGES_OF_FOUR_BARS { 2 } else { 4 };
    let songs = songs(&options.data.join("music/pop909"), bars);
    let third = songs.len() / 3;
    // As few passages of a song as will do.
    let side = |songs: &[Vec<Score>], most: usize| -> Vec<Score> {
        let longest = songs.iter().map(Vec::len).max().unwrap_or(0);
        let turn = |turn: usize| songs.iter().filter_map(move |song| song.get(turn));
        (0..longest).flat_map(turn).take(most).cloned().collect()
    };
    let fresh = side(&songs[..third], n);
    let held = side(&songs[third..2 * third], n);
    let train = side(&songs[2 * third..], TRAIN * n);
    assert!(fresh.len() == n && held.len() == n, "{} and {} passages", fresh.len(), held.len());
    let dir = tempfile::tempdir().unwrap();
    write(&dir.path().join("train"), &train);
    write(&dir.path().join("test"), &held);
    let source = dir.path().to_string_lossy().into_owned();
    let set = SequenceSet::open(&SourceSpec { source, ..SourceSpec::default() }).unwrap();
    let codec = set.codec().music().unwrap().clone();
    let n = MAX_ITEMS.min(n);
    let (fresh, train) = (compared(&fresh, n), compared(&train, n));
    let each = |scores: &[&Score], change: &dyn Fn(&Score, &mut Rng) -> Score| -> Vec<Vec<u32>> {
        let mut rng = Rng::new(4, 0);
        // As it would come back from a file, like all that is known.
        let filed = |score: &Score| Score::from_midi(&score.to_midi(SOURCE)).unwrap();
        scores.iter().map(|score| codec.encode(&filed(&change(score, &mut rng)))).collect()
    };
    let as_is = |scores: &[&Score]| each(scores, &|score, _| score.clone());
    let (tokens, copied) = (as_is(&fresh), as_is(&train));
    let rungs = vec![
        ("fresh", tokens.clone()),
        ("little noise", each(&fresh, &|score, rng| pitches_changed(score, 0.05, rng))),
        ("much noise", each(&fresh, &|score, rng| pitches_changed(score, 0.4, rng))),
        ("noise", each(&fresh, &|score, rng| anything(score, rng))),
        ("little mixed", each(&fresh, &|score, rng| moments_swapped(score, 0.1, rng))),
        ("much mixed", each(&fresh, &|score, rng| moments_swapped(score, 1.0, rng))),
        ("trivial", tokens.iter().map(|one| tokens_of(&copied, one.len())).collect()),
        ("half", (0..n).map(|i| tokens[i % (n / 10).max(2)].clone()).collect()),
        ("one", vec![tokens[0].clone(); n]),
        ("copied", copied.clone()),
        ("half copied", (0..n).map(|i| if i % 2 == 0 { &copied[i] } else { &tokens[i] }.clone()).collect()),
        ("near copies", each(&train, &|score, rng| pitches_changed(score, 0.02, rng))),
    ];
    let rungs = rungs.into_iter().map(|(name, all)| {
        (name, NewItems::Sequence(all.into_iter().map(|tokens| (tokens, None)).collect()))
    });
    let rungs = rungs.collect();
    Ladder { data: AnyData::Sequence(Arc::new(set)), n, rungs }
}

/// The passages of every song; songs and passages in an order that says nothing.
fn songs(folder: &Path, bars: usize) -> Vec<Vec<Score>> {
    let mut files: Vec<_> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    let order = Rng::new(1, 1).permutation(files.len());
    let song = |i: usize| passages(&Score::from_midi(&fs::read(&files[i]).unwrap()).unwrap(), bars);
    let mut rng = Rng::new(2, 1);
    let mixed = |passages: Vec<Score>| -> Vec<Score> {
        rng.permutation(passages.len()).into_iter().map(|i| passages[i].clone()).collect()
    };
    order.into_iter().map(song).filter(|passages| passages.len() > 8).map(mixed).collect()
}

/// So many bars and as many more, each from its first beat.
fn passages(song: &Score, bars: usize) -> Vec<Score> {
    let starts: Vec<u32> = song.bars().map(|bar| bar.start).collect();
    let mut all = Vec::new();
    for passage in starts.windows(bars + 1).step_by(bars) {
        let (from, to) = (passage[0], passage[bars]);
        let within = song.notes().iter().filter(|note| (from..to).contains(&note.start));
        let notes: Vec<Note> = within.map(|note| Note { start: note.start - from, ..*note }).collect();
        if notes.len() >= NOTES * bars {
            all.push(Score::new(notes, Vec::new(), Vec::new()));
        }
    }
    all
}

fn write(folder: &Path, scores: &[Score]) {
    fs::create_dir_all(folder).unwrap();
    for (i, score) in scores.iter().enumerate() {
        fs::write(folder.join(format!("{i:05}.mid")), score.to_midi(SOURCE)).unwrap();
    }
}

/// The same moments, other notes of its range, now and then.
fn pitches_changed(score: &Score, share: f32, rng: &mut Rng) -> Score {
    let pitches = score.notes().iter().map(|note| note.pitch);
    let (low, high) = (pitches.clone().min().unwrap(), pitches.max().unwrap());
    let mut other = |note: &Note| match rng.uniform() < share {
        true => Note { pitch: low + rng.below(usize::from(high - low) + 1) as u8, ..*note },
        false => *note,
    };
    Score::new(score.notes().iter().map(&mut other).collect(), Vec::new(), Vec::new())
}

/// The moments of two notes are exchanged, now and then.
fn moments_swapped(score: &Score, share: f32, rng: &mut Rng) -> Score {
    let mut notes = score.notes().to_vec();
    for at in 0..notes.len() {
        if rng.uniform() < share {
            let other = rng.below(notes.len());
            let (a, b) = (notes[at].start, notes[other].start);
            (notes[at].start, notes[other].start) = (b, a);
        }
    }
    Score::new(notes, Vec::new(), Vec::new())
}

/// As many notes of any pitch, anywhere, of any length.
fn anything(score: &Score, rng: &mut Rng) -> Score {
    let end = score.end().max(1) as usize;
    let mut any = |note: &Note| Note {
        start: rng.below(end) as u32,
        duration: 1 + rng.below(48) as u32,
        pitch: 30 + rng.below(60) as u8,
        ..*note
    };
    Score::new(score.notes().iter().map(&mut any).collect(), Vec::new(), Vec::new())
}

/// Tokens of anywhere.
fn tokens_of(passages: &[Vec<u32>], n: usize) -> Vec<u32> {
    let mut rng = Rng::new(9, n as u64);
    let mut one = |_| {
        let passage = &passages[rng.below(passages.len())];
        passage[rng.below(passage.len())]
    };
    (0..n).map(&mut one).collect()
}
