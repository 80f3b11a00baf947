//! Paragraphs of Russian novels.

use std::{fs, sync::Arc};

use mintage::{
    AnyData,
    data::{DataKind, SequenceSet, SourceSpec, TextTokenizer},
    evaluate::NewItems,
    nn::Rng,
};

use super::{Ladder, compared, evenly};
use crate::{Options, baselines::russian_works};

/// Training paragraphs for each held-out one.
const TRAIN: usize = 9;
/// New paragraphs that are compared at most, as `evaluate` does.
const MAX_ITEMS: usize = 200;
/// Characters of a paragraph.
const CHARS: std::ops::Range<usize> = 200..900;

pub fn ladder(n: usize, options: &Options) -> Ladder {
    let works = russian_works(options);
    let mut all: Vec<&str> = works
        .iter()
        .flat_map(|work| work.text.split('\n'))
        .map(str::trim)
        .filter(|p| CHARS.contains(&p.chars().count()))
        .collect();
    all.sort_unstable();
    all.dedup();
    let order = Rng::new(1, 1).permutation(all.len());
    let paragraphs: Vec<&str> = order.into_iter().map(|i| all[i]).collect();
    let (fresh, rest) = paragraphs.split_at(n);
    let known = &rest[..rest.len().min((1 + TRAIN) * n)];
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("paragraphs.jsonl");
    let lines: Vec<String> =
        known.iter().map(|text| serde_json::json!({ "text": text }).to_string()).collect();
    fs::write(&path, lines.join("\n")).unwrap();
    let source = path.to_string_lossy().into_owned();
    let spec = SourceSpec {
        source,
        kind: Some(DataKind::Text),
        column: Some("text".into()),
        ..SourceSpec::default()
    };
    let set = SequenceSet::open(&spec).unwrap();
    let fresh: Vec<String> =
        compared(fresh, MAX_ITEMS.min(n)).into_iter().map(|&text| text.to_owned()).collect();
    let n = fresh.len();
    let train: Vec<Vec<u32>> = evenly(set.splits().train.len(), n)
        .into_iter()
        .map(|at| set.document(set.splits().train[at]).into_iter().filter(|&t| t != 0).collect())
        .collect();
    let codec = set.codec().text().unwrap().clone();
    let encode = |texts: &[String]| texts.iter().map(|text| codec.encode(text)).collect::<Vec<_>>();
    let each = |change: &dyn Fn(&str, &mut Rng) -> String| {
        let mut rng = Rng::new(4, 0);
        encode(&fresh.iter().map(|text| change(text, &mut rng)).collect::<Vec<_>>())
    };
    let tokens = encode(&fresh);
    let rungs = vec![
        ("fresh", tokens.clone()),
        ("little noise", each(&|text, rng| letters_changed(text, 0.02, rng))),
        ("much noise", each(&|text, rng| letters_changed(text, 0.2, rng))),
        ("noise", each(&|text, rng| letters_changed(text, 1.0, rng))),
        ("little mixed", each(&|text, rng| words_swapped(text, 0.1, rng))),
        ("much mixed", each(&|text, rng| words_swapped(text, 1.0, rng))),
        ("trivial", each(&|text, rng| words_of(&fresh, text.split(' ').count(), rng))),
        ("half", (0..n).map(|i| tokens[i % (n / 10).max(2)].clone()).collect()),
        ("one", vec![tokens[0].clone(); n]),
        ("copied", train.clone()),
        (
            "half copied",
            (0..n).map(|i| if i % 2 == 0 { train[i].clone() } else { tokens[i].clone() }).collect(),
        ),
        ("near copies", train.iter().map(|tokens| half_of(tokens, &tokens_of(&codec, &fresh[0]))).collect()),
    ];
    let rungs = rungs
        .into_iter()
        .map(|(name, all)| (name, NewItems::Sequence(all.into_iter().map(|tokens| (tokens, None)).collect())))
        .collect();
    Ladder { data: AnyData::Sequence(Arc::new(set)), n, rungs }
}

fn tokens_of(codec: &TextTokenizer, text: &str) -> Vec<u32> {
    codec.encode(text)
}

/// Each letter is another one, now and then.
fn letters_changed(text: &str, share: f32, rng: &mut Rng) -> String {
    let letters: Vec<char> = ('а'..='я').chain([' ', ',', '.']).collect();
    text.chars().map(|c| if rng.uniform() < share { letters[rng.below(letters.len())] } else { c }).collect()
}

/// Each word changes places with another one of its text, now and then.
fn words_swapped(text: &str, share: f32, rng: &mut Rng) -> String {
    let mut words: Vec<&str> = text.split(' ').collect();
    for at in 0..words.len() {
        if rng.uniform() < share {
            let other = rng.below(words.len());
            words.swap(at, other);
        }
    }
    words.join(" ")
}

/// Words of anywhere.
fn words_of(texts: &[String], n: usize, rng: &mut Rng) -> String {
    let one = |_| {
        let words: Vec<&str> = texts[rng.below(texts.len())].split(' ').collect();
        words[rng.below(words.len())]
    };
    (0..n).map(one).collect::<Vec<&str>>().join(" ")
}

/// The first half of a copy, and then something else.
fn half_of(copied: &[u32], other: &[u32]) -> Vec<u32> {
    [&copied[..copied.len() / 2], &other[..other.len() / 2]].concat()
}
