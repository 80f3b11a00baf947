//! Sets of token sequences: from files to windows and segments.

#![allow(clippy::unwrap_used)]

use std::{fs, path::Path};

use mintage_data::{
    Column, SequenceSet, SourceSpec, Split, TextSource, TextUnit,
    music::{MusicUnit, Note, Score},
    sequence::{Augmentation, BOUNDARY, Chunking, Modality, NO_TOKEN, Transpose},
};

fn spec(path: &Path) -> SourceSpec {
    SourceSpec { source: path.display().to_string(), ..SourceSpec::default() }
}

/// Forty short texts in two classes.
fn texts(dir: &Path) {
    for (class, word) in [("дом", "дом стоит"), ("сад", "сад цветёт")] {
        fs::create_dir_all(dir.join(class)).unwrap();
        for i in 0..20 {
            let text = format!("{word} номер {i}. И ещё раз {i}! А потом всё.\n");
            fs::write(dir.join(class).join(format!("{i}.txt")), text).unwrap();
        }
    }
}

#[test]
fn documents_are_split_whole_and_come_back() {
    let dir = tempfile::tempdir().unwrap();
    texts(dir.path());
    let set = SequenceSet::open(&spec(dir.path())).unwrap();
    assert_eq!((set.info().modality, set.len()), (Modality::Text, 40));
    assert_eq!(set.info().classes, ["дом", "сад"]);
    let codec = set.codec().text().unwrap();
    for document in 0..40 {
        let tokens = set.document(document);
        assert_eq!(tokens[0], BOUNDARY);
        let text = codec.decode(&tokens);
        let class = set.info().classes[set.class(document).unwrap() as usize].as_str();
        assert!(text.starts_with(class) && set.name(document).starts_with(class), "{text}");
        assert_eq!(text, fs::read_to_string(dir.path().join(set.name(document))).unwrap());
    }
    // Whoever opens it again sees the same, whoever knows the codec as well.
    let again = SequenceSet::open_as(&spec(dir.path()), set.codec(), &set.info().classes).unwrap();
    assert_eq!(again.stream(Split::Holdout), set.stream(Split::Holdout));
    let ratio = set.info().chars_per_token;
    assert!((ratio - 1.0).abs() < 0.01, "{ratio}");
}

#[test]
fn windows_cover_every_split_and_stay_inside() {
    let dir = tempfile::tempdir().unwrap();
    texts(dir.path());
    let set = SequenceSet::open(&spec(dir.path())).unwrap();
    let cut = Chunking::Windows(7);
    for split in [Split::Train, Split::Valid, Split::Holdout] {
        let stream = set.stream(split);
        let items: Vec<u32> = set.items(split, cut).collect();
        let batch = set.batch(&items, cut, None);
        assert_eq!((batch.n, batch.time()), (items.len(), 7));
        // Every token but the first is to come out exactly once.
        let targets: Vec<u32> = batch.tokens.chunks(8).flat_map(|row| &row[1..]).copied().collect();
        let real = targets.iter().take_while(|&&t| t != NO_TOKEN).count();
        assert_eq!(targets[..real], stream[1..]);
        assert!(targets[real..].iter().all(|&t| t == NO_TOKEN));
        // In training they begin anywhere, the same for the same seed.
        let moved = set.batch(&items, cut, Some(1));
        assert_eq!(moved, set.batch(&items, cut, Some(1)));
        assert_ne!(moved, set.batch(&items, cut, Some(2)));
        for row in moved.tokens.chunks(8) {
            assert!(stream.windows(8).any(|window| window == row));
        }
        let classes: Vec<u32> = moved.classes.clone();
        assert_eq!(classes.len(), moved.tokens.len());
        assert!(classes.iter().all(|&class| class < 2));
    }
}

/// All windows of the pass of a shuffled training, and the classes of their tokens: from the first document's beginning on.
fn shuffled_pass(set: &SequenceSet, transpose: Transpose, pass: u64) -> Vec<(Vec<u32>, Option<u32>)> {
    let (cut, augmentation) = (Chunking::Windows(7), Augmentation { shuffle: true, transpose });
    let (windows, total) = (set.items(Split::Train, cut), set.tokens(Split::Train) as usize);
    let step = |item: u32| pass * windows.len() as u64 + u64::from(item);
    let rows = windows.clone().map(|item| set.training_batch(&[item], cut, augmentation, 5, step(item)));
    let mut places: Vec<(u32, u32)> = Vec::new();
    for row in rows {
        // Each window begins with the token that the one before ends with.
        assert!(places.pop().is_none_or(|(token, _)| token == row.tokens[0]));
        let classes = if row.classes.is_empty() { vec![NO_TOKEN; row.tokens.len()] } else { row.classes };
        places.extend(row.tokens.into_iter().zip(classes));
    }
    places.truncate(total);
    let first = places.iter().position(|&(token, _)| token == BOUNDARY).unwrap();
    places.rotate_left(first);
    let documents = places.chunk_by(|_, &(next, _)| next != BOUNDARY);
    let classes_agree = |places: &[(u32, u32)]| places.iter().all(|place| place.1 == places[0].1);
    let document = |places: &[(u32, u32)]| {
        assert!(classes_agree(places));
        let class = Some(places[0].1).filter(|&class| class != NO_TOKEN);
        (places.iter().map(|place| place.0).collect(), class)
    };
    documents.map(document).collect()
}

#[test]
fn shuffled_passes_have_every_document_in_another_order() {
    let dir = tempfile::tempdir().unwrap();
    texts(dir.path());
    let set = SequenceSet::open(&spec(dir.path())).unwrap();
    let train = set.splits().train.iter();
    let in_order: Vec<_> = train.map(|&document| (set.document(document), set.class(document))).collect();
    let passes: Vec<_> = (0..2).map(|pass| shuffled_pass(&set, Transpose::Off, pass)).collect();
    assert_eq!(passes[1], shuffled_pass(&set, Transpose::Window, 1));
    assert!(passes[0] != passes[1] && !passes.contains(&in_order));
    let sorted = |mut documents: Vec<(Vec<u32>, Option<u32>)>| {
        documents.sort_unstable();
        documents
    };
    for pass in passes {
        assert_eq!(sorted(pass), sorted(in_order.clone()));
    }
}

#[test]
fn a_shuffled_window_longer_than_all_documents_has_each_once() {
    let dir = tempfile::tempdir().unwrap();
    texts(dir.path());
    let set = SequenceSet::open(&spec(dir.path())).unwrap();
    let cut = Chunking::Windows(100_000);
    let augmentation = Augmentation { shuffle: true, ..Augmentation::default() };
    let batch = set.training_batch(&[0, 0], cut, augmentation, 5, 3);
    for row in batch.tokens.chunks(100_001) {
        let mut tokens: Vec<u32> = row.iter().copied().take_while(|&token| token != NO_TOKEN).collect();
        let mut stream = set.stream(Split::Train);
        tokens.sort_unstable();
        stream.sort_unstable();
        assert_eq!(tokens, stream);
    }
}

#[test]
fn training_without_augmentation_is_as_before() {
    let dir = tempfile::tempdir().unwrap();
    texts(dir.path());
    let set = SequenceSet::open(&spec(dir.path())).unwrap();
    for cut in [Chunking::Windows(7), Chunking::Segments(24)] {
        let items: Vec<u32> = set.items(Split::Train, cut).take(9).collect();
        let batch = set.training_batch(&items, cut, Augmentation::default(), 5, 9);
        assert_eq!(batch, set.batch(&items, cut, Some(5 ^ 9u64.rotate_left(32))));
    }
}

#[test]
fn segments_end_where_sentences_do() {
    let dir = tempfile::tempdir().unwrap();
    texts(dir.path());
    let set = SequenceSet::open(&spec(dir.path())).unwrap();
    let (codec, cut) = (set.codec().text().unwrap(), Chunking::Segments(24));
    let items: Vec<u32> = set.items(Split::Train, cut).collect();
    let batch = set.batch(&items, cut, Some(3));
    let mut all = String::new();
    for row in batch.tokens.chunks(26) {
        assert_eq!(row[0], BOUNDARY);
        let end = 1 + row[1..].iter().position(|&token| token == BOUNDARY).unwrap();
        assert!(row[end + 1..].iter().all(|&token| token == NO_TOKEN));
        let text = codec.decode(&row[1..end]);
        assert!(text.ends_with(['.', '!', '\n']), "{text:?}");
        all += &text;
    }
    assert_eq!(all, codec.decode(&set.stream(Split::Train)));
    // Those of each document, in its order.
    for document in 0..set.len() as u32 {
        let of = set.items_of(document, cut).flat_map(|item| set.item(item, cut).0);
        let tokens: Vec<u32> = of.filter(|&token| token != BOUNDARY).collect();
        assert_eq!(tokens, set.document(document)[1..]);
    }
}

#[test]
fn one_text_is_cut_into_parts() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("книга.txt");
    let text: String = (0..400).map(|i| format!("Строка {i} этой книги.\n")).collect();
    fs::write(&path, &text).unwrap();
    let set = SequenceSet::open(&spec(&path)).unwrap();
    assert!(set.is_one());
    let codec = set.codec().text().unwrap();
    let of = |split: Split| -> Vec<String> {
        set.splits().get(split).iter().map(|&document| codec.decode(&set.document(document))).collect()
    };
    let (train, valid, holdout) = (of(Split::Train), of(Split::Valid), of(Split::Holdout));
    assert_eq!((train.len(), valid.len(), holdout.len()), (5, 5, 1));
    let again: String = valid.iter().zip(&train).flat_map(|(valid, train)| [valid, train]).cloned().collect();
    assert_eq!(again + &holdout[0], text);
    assert!(train.iter().chain(&valid).all(|part| part.ends_with('\n')));
    let share = |parts: &[String]| parts.concat().len() as f64 / text.len() as f64;
    assert!(
        (share(&holdout) - 0.1).abs() < 0.01 && (share(&valid) - 0.05).abs() < 0.02,
        "{} {}",
        share(&holdout),
        share(&valid)
    );
    // Another file may be the holdout.
    let other = dir.path().join("другая.txt");
    fs::write(&other, &text[..text.len() / 2]).unwrap();
    let with = SourceSpec { holdout: Some(other.display().to_string()), ..spec(&path) };
    let set = SequenceSet::open(&with).unwrap();
    let codec = set.codec().text().unwrap();
    assert_eq!(codec.decode(&set.stream(Split::Holdout)), text[..text.len() / 2]);
    assert_eq!(
        codec.decode(&set.stream(Split::Train)).len() + codec.decode(&set.stream(Split::Valid)).len(),
        text.len()
    );
}

/// Thirty tunes of 32 quarters.
fn tunes(dir: &Path) {
    for i in 0..30u32 {
        tune(&dir.join(format!("{i}.mid")), 32, |step| 55 + ((7 * step + i) % 13) as u8);
    }
}

fn tune(path: &Path, quarters: u32, pitch: impl Fn(u32) -> u8) {
    let note = |step: u32| Note {
        start: 12 * step,
        duration: 12,
        pitch: pitch(step),
        velocity: 20,
        programme: 0,
        voice: 0,
    };
    let score = Score::new((0..quarters).map(note).collect(), Vec::new(), Vec::new());
    fs::write(path, score.to_midi("")).unwrap();
}

#[test]
fn segments_of_tunes_are_whole_bars() {
    let dir = tempfile::tempdir().unwrap();
    tunes(dir.path());
    let events = SourceSpec { music: Some(MusicUnit::Remi), ..spec(dir.path()) };
    let set = SequenceSet::open(&events).unwrap();
    let (codec, cut) = (set.codec().music().unwrap(), Chunking::Segments(50));
    let items: Vec<u32> = set.items(Split::Train, cut).collect();
    assert!(items.len() > set.splits().train.len());
    let mut all: Vec<u32> = Vec::new();
    for &item in &items {
        let (tokens, class) = set.item(item, cut);
        assert!(class.is_none() && tokens.len() <= 52);
        assert_eq!((tokens[0], tokens.last()), (BOUNDARY, Some(&BOUNDARY)));
        assert!(codec.is_bar(tokens[1]));
        all.extend(&tokens[1..tokens.len() - 1]);
    }
    let stream: Vec<u32> = set.stream(Split::Train).into_iter().filter(|&token| token != BOUNDARY).collect();
    assert_eq!(all, stream);
    // A grid has bars of equal length, and a place in one for every token.
    let grid = SourceSpec { music: Some(MusicUnit::GridQuarter), ..spec(dir.path()) };
    let set = SequenceSet::open(&grid).unwrap();
    let bar = *set.info().periods.last().unwrap();
    let cut = Chunking::Segments(2 * bar + 1);
    for item in set.items(Split::Train, cut) {
        let batch = set.batch(&[item], cut, None);
        let places: Vec<u32> =
            batch.period_positions[batch.period_positions.len() / batch.tokens.len()..].to_vec();
        assert_eq!(&places[..2], [0, 0]);
    }
}

#[test]
fn tunes_are_transposed_in_training_alone() {
    let dir = tempfile::tempdir().unwrap();
    tunes(dir.path());
    let set = SequenceSet::open(&spec(dir.path())).unwrap();
    assert_eq!((set.info().modality, set.len()), (Modality::Music, 30));
    let codec = set.codec().music().unwrap();
    let cut = Chunking::Windows(16);
    let items: Vec<u32> = set.items(Split::Train, cut).collect();
    let plain = set.batch(&items, cut, None);
    let moved: Vec<_> = (0..4).map(|seed| set.batch(&items, cut, Some(seed))).collect();
    let stream = set.stream(Split::Train);
    let known = |row: &[u32]| stream.windows(17).any(|window| window == row);
    assert!(plain.tokens.chunks(17).filter(|row| !row.contains(&NO_TOKEN)).all(known));
    assert!(moved.iter().any(|batch| batch.tokens.chunks(17).any(|row| !known(row))));
    // Whatever was moved, a transposition brings back.
    for row in moved.iter().flat_map(|batch| batch.tokens.chunks(17)) {
        let back = (-6..=6).filter_map(|semitones| codec.transpose(row, semitones));
        assert!(back.into_iter().any(|row| known(&row)));
    }
}

/// Thirty tunes of different lengths, each of five of eight pitches.
fn narrow_tunes(dir: &Path) -> SequenceSet {
    for i in 0..30u32 {
        tune(&dir.join(format!("{i}.mid")), 24 + i, |step| (55 + i % 4 + step % 5) as u8);
    }
    SequenceSet::open(&spec(dir)).unwrap()
}

#[test]
fn documents_are_transposed_by_all_that_the_range_allows_in_turn() {
    let dir = tempfile::tempdir().unwrap();
    let set = narrow_tunes(dir.path());
    let codec = set.codec().music().unwrap();
    let passes: Vec<_> = (0..4).map(|pass| shuffled_pass(&set, Transpose::Document, pass)).collect();
    for &document in &set.splits().train {
        let tokens = set.document(document);
        let allowed: Vec<i32> = codec.transpositions(&tokens).collect();
        assert_eq!(allowed.len(), 4);
        // Another tune of the length is this one, transposed.
        let moved_by = |semitones: i32| {
            let moved = codec.transpose(&tokens, semitones).unwrap();
            passes.iter().filter(|pass| pass.iter().any(|(tokens, _)| *tokens == moved)).count()
        };
        assert!(allowed.into_iter().all(|semitones| moved_by(semitones) == 1));
    }
}

#[test]
fn segments_of_tunes_are_transposed_as_a_whole_or_not_at_all() {
    let dir = tempfile::tempdir().unwrap();
    let set = narrow_tunes(dir.path());
    let (codec, cut) = (set.codec().music().unwrap(), Chunking::Segments(50));
    let items: Vec<u32> = set.items(Split::Train, cut).collect();
    let plain = set.batch(&items, cut, None);
    let batch = |transpose| {
        let augmentation = Augmentation { transpose, ..Augmentation::default() };
        set.training_batch(&items, cut, augmentation, 5, 0)
    };
    assert_eq!(batch(Transpose::Off), plain);
    let moved = batch(Transpose::Document);
    assert_ne!(moved, plain);
    for (row, old) in moved.tokens.chunks(52).zip(plain.tokens.chunks(52)) {
        let known = old.iter().position(|&token| token == NO_TOKEN).unwrap_or(52);
        let is_moved =
            |semitones| codec.transpose(&old[..known], semitones).as_deref() == Some(&row[..known]);
        assert!((-5..=6).any(is_moved) && row[known..] == old[known..]);
    }
}

#[test]
fn texts_of_a_column_have_the_class_of_their_row() {
    let texts: Vec<String> = (0..60).map(|row| format!("This is the text of row {row}, no more.")).collect();
    // Every third row has no text, every fifth no class.
    let text = |row: usize| (!row.is_multiple_of(3)).then(|| texts[row].as_str());
    let label = |row: usize| if row.is_multiple_of(5) { "" } else { ["b", "a"][row % 2] };
    let column = Column::of("text", (0..60).map(text));
    let labels = Column::of("group", (0..60).map(|row| Some(label(row))));
    let open = || TextSource::of_column("reviews", column.clone(), Some(&labels)).unwrap();
    let spec = SourceSpec { unit: Some(TextUnit::Bpe), vocab: Some(300), ..SourceSpec::default() };
    let set = SequenceSet::of_texts(open(), &spec).unwrap();
    assert_eq!((set.len(), set.info().classes.as_slice()), (40, &["a".to_owned(), "b".to_owned()][..]));
    let codec = set.codec().text().unwrap();
    for document in 0..40 {
        let text = codec.decode(&set.document(document));
        let row = texts.iter().position(|other| *other == text).unwrap();
        let class = set.class(document).map_or("", |class| set.info().classes[class as usize].as_str());
        assert_eq!((row % 3 > 0, class), (true, label(row)), "{text}");
    }
    let short = Column::of("text", [Some("too short"), None]);
    assert!(TextSource::of_column("reviews", short, None).is_err());
}
