//! What an n-gram model writes, what it never does, and how well it tells texts that it has not seen.

#![allow(clippy::unwrap_used)]
use std::collections::HashSet;

use super::*;

/// Sentences of two languages, most of them new ones of the same parts; each has a name that is in no other.
fn texts(n: usize) -> Vec<Labelled> {
    let english = [["The tea", "This cup", "My tin"], ["is warm", "came late", "smells fine"]];
    let russian =
        [["Этот чай", "Вся кружка", "Моя банка"], ["радует утром", "горчит немного", "пахнет мёдом"]];
    let ends = [["and I like it.", "as ever!", "so what?"], ["и это хорошо.", "как всегда!", "ну и что?"]];
    let one = |id: usize| {
        let (is_russian, id) = (id % 2, id / 2);
        let parts = [english, russian][is_russian];
        let end = ends[is_russian][id / 9 % 3];
        let text = format!(
            "{} {}, {} Tin {} of Name{id}x{is_russian}",
            parts[0][id % 3],
            parts[1][id / 3 % 3],
            end,
            id % 2
        );
        Labelled { text, group: ["en", "ru"][is_russian].to_owned() }
    };
    (0..n).map(one).collect()
}

fn written(model: &NGram, group: &str, seed: u64) -> Vec<String> {
    let mut writer = model.writer();
    (0..60).filter_map(|row| writer.text(group, 300, 1.0, &mut Rng::new(seed, row))).collect()
}

#[test]
fn writes_the_words_of_each_group() {
    let model = NGram::of(Counts::of(&texts(400)));
    let is_cyrillic = |text: &String| text.chars().any(|c| ('а'..='я').contains(&c));
    let (english, russian) = (written(&model, "en", 1), written(&model, "ru", 1));
    assert!(english.len() > 40 && russian.len() > 40, "{} {}", english.len(), russian.len());
    assert!(!english.iter().any(is_cyrillic) && russian.iter().all(is_cyrillic), "{english:?} {russian:?}");
    // Of a group that is not known it writes either.
    let any = written(&model, "?", 1);
    assert!(any.iter().any(is_cyrillic) && !any.iter().all(is_cyrillic), "{any:?}");
}

#[test]
fn writes_no_word_of_one_text_alone() {
    let source = texts(400);
    let counts = Counts::of(&source);
    assert!(counts.words.iter().all(|word| !word.contains("Name")), "{:?}", counts.words);
    let model = NGram::of(counts);
    let new = [written(&model, "en", 2), written(&model, "ru", 2)].concat();
    assert!(!new.is_empty() && new.iter().all(|text| !text.contains("Name") && !text.is_empty()));
}

#[test]
fn writes_no_long_run_of_one_text_alone() {
    // Each number is in several texts, but what stands around it in one.
    let text = |id: usize| {
        let around: Vec<String> = (0..30).map(|at| format!("w{}", (id * 17 + at * at * 3) % 50)).collect();
        Labelled { text: around.join(" "), group: String::new() }
    };
    let source: Vec<Labelled> = (0..60).map(text).collect();
    let mut whose: HashMap<Vec<&str>, HashSet<usize>> = HashMap::new();
    for (at, text) in source.iter().enumerate() {
        for run in tokens(&text.text).windows(MAX_RUN) {
            whose.entry(run.to_vec()).or_default().insert(at);
        }
    }
    assert!(whose.values().any(|texts| texts.len() == 1));
    let model = NGram::of(Counts::of(&source));
    for new in written(&model, "", 3) {
        for run in tokens(&new).windows(MAX_RUN) {
            assert!(whose.get(run).is_none_or(|texts| texts.len() > 1), "{run:?}");
        }
    }
}

#[test]
fn the_same_seed_writes_the_same() {
    let model = NGram::of(Counts::of(&texts(400)));
    assert_eq!(written(&model, "en", 4), written(&model, "en", 4));
    assert_ne!(written(&model, "en", 4), written(&model, "en", 5));
    assert!(written(&model, "en", 4).iter().collect::<HashSet<_>>().len() > 20);
}

#[test]
fn probabilities_come_to_one() {
    let model = NGram::of(Counts::of(&texts(100)));
    for (group, before) in [(0, [END; 3]), (1, [END, END, 2]), (9, [3, 4, 5])] {
        let all = 0..model.words.len() as u32;
        let sum: f64 = all.map(|word| model.probability(group, before, word)).sum();
        assert!((sum - 1.0).abs() < 1e-9, "{sum}");
    }
}

#[test]
fn words_before_tell_much_of_a_text() {
    let mut learned = texts(400);
    let held: Vec<Labelled> = (0..40).map(|at| learned.remove(at * 9)).collect();
    let spelling = Spelling::of(learned.iter().map(|text| text.text.as_str()));
    let mut model = NGram::of(Counts::of(&learned));
    let bits = model.bits(&held, &spelling);
    model.levels = model.levels.split_off(LEVELS.len() - 1);
    let of_words = model.bits(&held, &spelling);
    assert!(bits > 0.0 && bits + 0.5 < of_words, "{bits} {of_words}");
}

#[test]
fn a_file_gives_the_same_model_and_a_damaged_one_an_error() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("ngram.json");
    let counts = Counts::of(&texts(200));
    counts.save(&path).unwrap();
    assert_eq!(Counts::load(&path).unwrap(), counts);
    let text = std::fs::read_to_string(&path).unwrap();
    let lost = Counts { groups: Vec::new(), ..counts.clone() };
    let empty = Counts { words: Vec::new(), ..counts.clone() };
    let far = Counts { grams: vec![(0, [0, 0, 0, u32::MAX], 1)], ..counts.clone() };
    let none = Counts { grams: vec![(0, [0; 4], 0)], ..counts.clone() };
    let unordered = Counts { runs: vec![2, 1], ..counts };
    for damaged in [lost, empty, far, none, unordered] {
        damaged.save(&path).unwrap();
        let error = Counts::load(&path).unwrap_err().to_string();
        assert!(error.contains("do not belong together"), "{error}");
    }
    for damaged in [&text[..text.floor_char_boundary(text.len() / 2)], "[]", "{}", ""] {
        std::fs::write(&path, damaged).unwrap();
        assert!(Counts::load(&path).unwrap_err().to_string().contains("cannot be read"));
    }
    // Nothing that was counted is nothing that can be written.
    let nothing =
        Counts { groups: Vec::new(), words: vec![String::new(); 2], grams: Vec::new(), runs: Vec::new() };
    assert_eq!(NGram::of(nothing).writer().text("en", 100, 1.0, &mut Rng::new(1, 0)), None);
}
