//! Free text of a database is written by a model of its own: which columns and which model, that none comes from the source,
//! that rows without a text stay so, and that the same seed writes the same.

#![allow(clippy::unwrap_used, clippy::disallowed_methods)]

use std::{collections::HashSet, path::Path, sync::atomic::AtomicBool, time::Instant};

use mintage::{
    Control, Event, Recipe,
    data::{SourceSpec, Table, table::schema::TextMode, table::spelled},
    database::{DatabaseData, DatabaseModel, DatabaseRequest, Part, prove, train_database},
    nn::DeviceChoice,
};
use rusqlite::{Connection, params};

const REVIEWS: usize = 400;
/// A review in so many has no text.
const WITHOUT: usize = 8;

/// A number below `n` that follows from two others.
fn mixed(a: usize, b: usize, n: usize) -> usize {
    ((a * 31 + b + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 33) % n
}

/// A sentence or two of a language and an opinion.
fn review(id: usize, language: &str, is_good: bool) -> String {
    let (subjects, verdicts, ends) = match (language, is_good) {
        ("en", true) => (
            ["The tea", "This cup", "My new tin", "Their box of tea"],
            ["is warm and lovely", "was a real joy", "makes every morning better", "came early and whole"],
            [
                "I will buy it again.",
                "All my friends want one.",
                "Well worth the money!",
                "Five stars from me.",
            ],
        ),
        ("en", _) => (
            ["The tea", "This cup", "My new tin", "Their box of tea"],
            ["was cold and bitter", "came late and broken", "smells of old paper", "is not worth the price"],
            ["Never again.", "I want my money back.", "A sad gift for anyone.", "One star is too many."],
        ),
        (_, true) => (
            ["Этот чай", "Новая кружка", "Моя коробка", "Весь набор"],
            ["радует каждое утро", "пришёл целым и вовремя", "пахнет летом и мёдом", "лучше всех прежних"],
            ["Куплю ещё раз.", "Советую всем друзьям.", "Своих денег стоит!", "Большое спасибо магазину."],
        ),
        _ => (
            ["Этот чай", "Новая кружка", "Моя коробка", "Весь набор"],
            [
                "горчит и пахнет пылью",
                "пришёл разбитым и поздно",
                "не стоит своей цены",
                "остыл ещё в дороге",
            ],
            ["Больше не куплю.", "Верните мне деньги.", "Очень жаль времени.", "Никому не советую."],
        ),
    };
    let (a, b, c) = (mixed(id, 0, 4), mixed(id, 1, 4), mixed(id, 2, 4));
    // The number of the cup keeps texts apart.
    format!("{} {}, {} {}", subjects[a], verdicts[b], id % 97, ends[c])
}

/// Customers with names and addresses, products with short names, and reviews in two languages.
fn shop(path: &Path) {
    let db = Connection::open(path).unwrap();
    db.execute_batch(
        "CREATE TABLE customers (id INTEGER PRIMARY KEY, name TEXT NOT NULL, email TEXT NOT NULL, street TEXT NOT NULL);
         CREATE TABLE products (id INTEGER PRIMARY KEY, title TEXT NOT NULL, price REAL NOT NULL, line TEXT NOT NULL);
         CREATE TABLE reviews (id INTEGER PRIMARY KEY, product INTEGER NOT NULL REFERENCES products,
             customer INTEGER NOT NULL REFERENCES customers, language TEXT NOT NULL, stars INTEGER NOT NULL,
             code TEXT NOT NULL UNIQUE, text TEXT);
         BEGIN;",
    )
    .unwrap();
    let given = ["Anna", "Peter", "Olga", "John", "Mary", "Ivan"];
    let family = ["Smith", "Miller", "Brown", "Taylor", "Wilson", "Moore", "Clark"];
    for id in 1..=150usize {
        let name = format!("{} {}", given[id % 6], family[id % 7]);
        let email = format!("{}{id}@mail.example", given[id % 6].to_lowercase());
        let street = format!("{} Main Street", id * 3);
        db.execute("INSERT INTO customers VALUES (?1, ?2, ?3, ?4)", params![id as i64, name, email, street])
            .unwrap();
    }
    for id in 1..=40usize {
        let line = ["tea", "cup", "tin"][id % 3];
        let product = params![id as i64, format!("Fine {line} {id}"), id as f64 * 1.5, line];
        db.execute("INSERT INTO products VALUES (?1, ?2, ?3, ?4)", product).unwrap();
    }
    for id in 1..=REVIEWS {
        let (language, stars) = (["en", "ru"][mixed(id, 3, 2)], mixed(id, 4, 5) + 1);
        let text = (id % WITHOUT != 0).then(|| review(id, language, stars > 3));
        let (product, customer) = (mixed(id, 5, 40) + 1, mixed(id, 6, 150) + 1);
        let code = format!("R-{:06}", id * 7919 % 999_983);
        let row = params![id as i64, product as i64, customer as i64, language, stars as i64, code, text];
        db.execute("INSERT INTO reviews VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)", row).unwrap();
    }
    db.execute_batch("COMMIT").unwrap();
}

fn spec(path: &Path) -> SourceSpec {
    SourceSpec { source: path.display().to_string(), ..SourceSpec::default() }
}

fn source_texts(data: &DatabaseData) -> impl Iterator<Item = &str> {
    data.rows("reviews").unwrap().column("text").unwrap().iter().flatten()
}

fn texts(tables: &[Table]) -> Vec<Option<&str>> {
    let reviews = tables.iter().find(|table| table.name == "reviews").unwrap();
    reviews.column("text").unwrap().iter().collect()
}

#[test]
fn finds_the_column_of_free_text_alone() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("shop.db");
    shop(&path);
    let data = DatabaseData::open(&spec(&path), &[], &[]).unwrap();
    let found: Vec<String> = data.texts().iter().map(|text| text.label()).collect();
    assert_eq!(found, ["reviews.text"]);
    let by: Vec<&str> = data.texts()[0].by().collect();
    assert!(by.contains(&"language") && by.contains(&"stars"), "{by:?}");
    // The whole time is parted, and the text has some of it.
    let (tables, texts) = (data.shares(), data.text_shares());
    let all: f64 = tables.iter().chain(&texts).sum();
    assert!((all - 1.0).abs() < 1e-9 && texts[0] > 0.01, "{tables:?} {texts:?}");

    for text in [TextMode::Redraw, TextMode::Empty] {
        let data = DatabaseData::open(&SourceSpec { text, ..spec(&path) }, &[], &[]).unwrap();
        assert!(data.texts().is_empty() && data.text_shares().is_empty());
    }
    // Under a condition that a model knows nothing of, texts stay as they were made before.
    let db = Connection::open(&path).unwrap();
    db.execute_batch(
        "CREATE TABLE notes (id INTEGER PRIMARY KEY, stars INTEGER NOT NULL, text TEXT CHECK (length(text) < 200));
         INSERT INTO notes SELECT id, stars, text FROM reviews;",
    )
    .unwrap();
    let data = DatabaseData::open(&spec(&path), &["notes".to_owned()], &[]).unwrap();
    assert!(data.texts().is_empty());
}

#[test]
fn writes_texts_that_the_source_does_not_have() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("shop.db");
    shop(&path);
    let data = DatabaseData::open(&spec(&path), &[], &[]).unwrap();
    let mut recipe = Recipe::for_source(&path.display().to_string());
    recipe.set("model.size=tiny").unwrap();
    recipe.set("train.steps=40").unwrap();
    let (stop, start) = (AtomicBool::new(false), Instant::now());
    let control = Control { stop: &stop, clock: &|| start.elapsed() };
    let run = folder.path().join("run");
    let mut trained = Vec::new();
    train_database(&recipe, &data, &run, &DeviceChoice::Cpu, &control, &mut |name, event| {
        if matches!(event, Event::Done { .. }) {
            trained.push(name.to_owned());
        }
    })
    .unwrap();
    assert_eq!(trained.last().map(String::as_str), Some("reviews.text"));
    let learned = data.plans().iter().filter(|plan| plan.part == Part::Learned).count();
    assert_eq!(trained.len(), learned + 1);

    // Both models were judged; what follows is of the one that counts, whichever was the better.
    let writer = run.join("texts/0/writer.json");
    let judged = std::fs::read_to_string(&writer).unwrap();
    std::fs::write(&writer, judged.replace("\"neural\"", "\"ngram\"")).unwrap();
    let model = DatabaseModel::load(&run, &DeviceChoice::Cpu).unwrap();
    let request = DatabaseRequest { seed: 7, ..DatabaseRequest::default() };
    let made = model.sample(&request, &mut |_, _| {}).unwrap();
    let new = texts(&made);
    let source: HashSet<String> = source_texts(&data).map(spelled).collect();
    let written: Vec<&str> = new.iter().flatten().copied().collect();
    assert!(written.len() * 2 > new.len() && written.len() < new.len(), "{} of {}", written.len(), new.len());
    assert!(written.iter().all(|text| !text.trim().is_empty() && !source.contains(&spelled(text))));
    let different: HashSet<&&str> = written.iter().collect();
    assert!(different.len() * 10 > written.len() * 8, "{} of {}", different.len(), written.len());
    let proof = prove(&data, model.plans(), &made).with_written(model.texts());
    let reviews = proof.tables.iter().find(|table| table.table == "reviews").unwrap();
    let [written] = reviews.written.as_slice() else { panic!("{:?}", reviews.written) };
    let by = |text: &str| written.by.starts_with(text) && written.by.contains("; the neural one ");
    assert!(written.column == "text" && by("an n-gram model ("), "{written:?}");
    // What it writes is made of the words of the source, in the language of the row.
    let words: HashSet<&str> = source_texts(&data).flat_map(str::split_whitespace).collect();
    let new_words: Vec<&str> = new.iter().flatten().flat_map(|text| text.split_whitespace()).collect();
    let known = new_words.iter().filter(|word| words.contains(*word)).count();
    assert!(known * 10 > new_words.len() * 9, "{known} of {}", new_words.len());
    let rows = made.iter().find(|table| table.name == "reviews").unwrap();
    let languages = rows.column("language").unwrap().iter();
    let is_russian = |text: &str| text.chars().any(|c| ('а'..='я').contains(&c));
    let agree = languages
        .zip(&new)
        .filter(|(language, text)| text.is_none_or(|text| is_russian(text) == (*language == Some("ru"))));
    let agree = agree.count();
    assert!(agree * 100 > new.len() * 95, "{agree} of {}", new.len());
    let counted = reviews.personal.iter().find(|counted| counted.of == "text").unwrap();
    assert!(counted.checked > 0 && counted.failed == 0, "{counted:?}");

    // What was saved writes the same from the same seed, and something else from another.
    let again = DatabaseModel::load(&run, &DeviceChoice::Cpu).unwrap();
    assert_eq!(made, again.sample(&request, &mut |_, _| {}).unwrap());
    let other = DatabaseRequest { seed: 8, ..DatabaseRequest::default() };
    let other = again.sample(&other, &mut |_, _| {}).unwrap();
    assert_ne!(new, texts(&other));

    // What is damaged or not there is said.
    let file = run.join("database.json");
    let text = std::fs::read_to_string(&file).unwrap();
    let damaged = text.replacen("\"column\":\"text\",\"characters\"", "\"column\":\"id\",\"characters\"", 1);
    assert_ne!(damaged, text);
    std::fs::write(&file, damaged).unwrap();
    assert!(DatabaseModel::load(&run, &DeviceChoice::Cpu).is_err());
    std::fs::write(&file, text).unwrap();

    // The neural model writes where it is the better one.
    let file = run.join("texts/0/writer.json");
    let text = std::fs::read_to_string(&file).unwrap();
    std::fs::write(&file, text.replace("\"ngram\"", "\"neural\"")).unwrap();
    let neural = DatabaseModel::load(&run, &DeviceChoice::Cpu).unwrap();
    assert!(neural.texts()[0].writer().starts_with("a neural model ("), "{}", neural.texts()[0].writer());
    let other = neural.sample(&request, &mut |_, _| {}).unwrap();
    let other = texts(&other);
    assert_ne!(new, other);
    assert!(other.iter().flatten().all(|text| !source.contains(&spelled(text))));

    for damaged in ["{\"by\":\"nobody\"}", ""] {
        std::fs::write(&file, damaged).unwrap();
        assert!(DatabaseModel::load(&run, &DeviceChoice::Cpu).is_err());
    }
    std::fs::write(&file, text).unwrap();
    let counts = run.join("texts/0/ngram.json");
    std::fs::write(&counts, "{}").unwrap();
    let damaged = DatabaseModel::load(&run, &DeviceChoice::Cpu).unwrap();
    assert!(damaged.sample(&request, &mut |_, _| {}).is_err());
    std::fs::remove_file(counts).unwrap();
    assert!(DatabaseModel::load(&run, &DeviceChoice::Cpu).is_err());
    std::fs::remove_file(file).unwrap();
    let missing = DatabaseModel::load(&run, &DeviceChoice::Cpu).err().unwrap().to_string();
    assert!(missing.contains("`reviews.text` is not learned yet"), "{missing}");
}
