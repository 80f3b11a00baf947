//! The whole way with texts and with music: from files and databases to new ones, within limits, and judged.

use std::fs;

use mintage_data::music::{Metre, MetreChange, Note, Score};
use rusqlite::{Connection, params};

use crate::helpers::Place;

/// The smallest useful training of a model of sequences.
const SMALL: &str = "--size tiny --steps 40 -s model.width=32 -s model.layers=1 -s model.heads=2 -s model.hidden=32 \
                     -s model.context=64 -s model.batch=8 -s model.lr=0.01";

/// A line in a kind of its own.
fn line(kind: usize, i: usize) -> String {
    let (who, does) = ([("Кот", "спит"), ("Пёс", "лает")][kind], ["днём", "ночью", "всегда"][i % 3]);
    format!("{} {} {does} и ест {} раз. А потом гуляет по саду!\n", who.0, who.1, i % 7 + 1)
}

/// Texts in two folders, two hundred of each.
fn texts(place: &Place) {
    for (kind, name) in ["коты", "псы"].into_iter().enumerate() {
        for i in 0..200 {
            place.write(&format!("texts/{name}/{i}.txt"), line(kind, i));
        }
    }
}

fn tune(i: u32) -> Score {
    let note = |step: u32| Note {
        start: 12 * step,
        duration: 12,
        pitch: 60 + [0, 2, 4, 5, 7, 9, 11][((step * (i % 3 + 1) + i) % 7) as usize],
        velocity: 20,
        programme: 0,
        voice: (step % 2) as u8,
    };
    Score::new((0..32).map(note).collect(), Vec::new(), Vec::new())
}

#[test]
fn the_whole_way_with_texts() {
    let place = Place::new();
    texts(&place);
    let said = place.ok("inspect texts");
    assert!(
        said.text().contains("400 texts") && said.text().contains("2 classes: коты 200, псы 200"),
        "{}",
        said.text()
    );
    place.ok("init texts -o recipe.toml");
    place.ok(&format!("train recipe.toml {SMALL} --name m"));
    assert!(place.ok("show m").text().contains("texts of"));
    assert!(place.text("runs/m/log.txt").contains("counts: ") && place.path("runs/m/counts.bin").exists());
    // The same request gives the same text; another seed another.
    let text = place.ok("sample m --length 80");
    assert_eq!(text.stdout, place.ok("sample m --length 80").stdout);
    assert!(text.stdout != place.ok("sample m --length 80 --seed 2").stdout);
    assert!(text.text().chars().count() <= 81);
    within_limits(&place);
    to_everywhere(&place);
    let report = place.ok("evaluate m -n 20 --adapt --json -").json();
    let names: Vec<&str> =
        report["metrics"].as_array().unwrap().iter().map(|m| m["name"].as_str().unwrap()).collect();
    for name in
        ["C2ST AUC", "2-gram JS distance", "self-BLEU", "longest run copied", "negative log-likelihood"]
    {
        assert!(names.contains(&name), "{name} is not in {names:?}");
    }
    assert!(names.iter().any(|name| name.starts_with("accuracy of classes")));
    assert!(names.contains(&"the same of the network alone"), "{names:?}");
    assert!(names.contains(&"negative log-likelihood, adapting"), "{names:?}");
    let page = place.text("runs/m/report.html");
    assert!(page.contains("New texts") && page.contains("<mark>") && !page.contains("<script"));
    place.write("other/новости.txt", "Сегодня в городе идёт дождь, завтра будет солнце. ".repeat(8));
    place.write("other/кот.txt", (0..8).map(|i| line(0, i)).collect::<String>());
    let scores = place.ok("score m other --label none").text().to_owned();
    let of = |name: &str| -> f64 {
        let line = scores.lines().find(|line| line.starts_with(name)).unwrap();
        line.split(',').nth(2).unwrap().parse().unwrap()
    };
    assert!(of("кот") < of("новости"), "{scores}");
    place.ok("export m -o model");
    assert_eq!(place.ok("sample model --length 80").stdout, text.stdout);
    // Without its counts a network works alone.
    fs::remove_file(place.path("model/counts.bin")).unwrap();
    assert!(place.ok("sample model --length 80").stdout != text.stdout);
    place.write("model/counts.bin", "PK");
    assert!(place.refused("sample model").contains("counts.bin: is no file of counts"));
}

fn within_limits(place: &Place) {
    let one = |args: &[&str]| place.ok_args(&[&["sample", "m"], args].concat()).text().trim_end().to_owned();
    assert!(one(&["--prompt", "Кот спит", "--length", "40"]).starts_with("Кот спит"));
    assert!(!one(&["--stop", "и", "--length", "60"]).contains('и'));
    let matched = one(&["--match", "(Кот|Пёс) [а-яё]{3,5} [а-яё]+\\."]);
    assert!(
        matched.starts_with(['К', 'П']) && matched.ends_with('.') && matched.split(' ').count() == 3,
        "{matched}"
    );
    place.write("начало.txt", "Пёс лает");
    assert!(!one(&["--continue", "начало.txt", "--length", "30"]).starts_with("Пёс лает"));
    one(&[
        "--where",
        "label=псы",
        "--temperature",
        "0.7",
        "--top-k",
        "5",
        "--top-p",
        "0.9",
        "--min-p",
        "0.05",
        "--repetition",
        "1.2",
    ]);
    for (args, said) in [
        (&["--prompt", "Zebra"][..], "has never seen"),
        (&["--length", "0"], "at least 1"),
        (&["--match", "("], "cannot be used as a pattern"),
        (&["--json-shape", "[]"], "exactly one item"),
        (&["--json-shape", "{\"a\": \"integer\"}"], "no text came to a match"),
        (&["--where", "label=кот"], "did you mean `коты`?"),
        (&["--min-p", "2"], "between 0 and 1"),
        (&["--repetition", "0"], "1 or more"),
        (&["--guidance", "-1"], "must be 0 or more"),
        (&["--like", "начало.txt"], "ar has no encoder"),
        (&["--like", "начало.txt", "--strength", "2"], "between 0 and 1"),
        (&["--between", "начало.txt"], "2 values required"),
    ] {
        let error = place.refused_args(&[&["sample", "m"], args].concat());
        assert!(error.contains(said), "{args:?}: {error}");
    }
}

fn to_everywhere(place: &Place) {
    place.ok("sample m -n 3 --length 60 -o new.txt");
    assert_eq!(place.text("new.txt").matches("――――――――").count(), 2);
    assert!(place.text("new.txt.mintage.json").contains("\"seed\""));
    place.ok("sample m -n 4 --length 60 --where label=псы -o new/");
    assert!(place.text("new/псы/000002.txt").chars().count() <= 60);
    assert!(place.text("new/metadata.csv").contains("псы/000003.txt"));
    place.ok("sample m -n 5 --length 60 --where label=псы -o new.jsonl");
    assert_eq!(place.text("new.jsonl").lines().count(), 5);
    assert!(place.text("new.jsonl").contains("\"label\":\"псы\""), "{}", place.text("new.jsonl"));
    place.ok("sample m -n 5 --length 60 -o new.db --table texts");
    let database = Connection::open(place.path("new.db")).unwrap();
    let count = |sql: &str| database.query_row(sql, [], |row| row.get::<_, u32>(0)).unwrap();
    assert_eq!(count("SELECT count(*) FROM texts WHERE mintage IS NOT NULL AND length(text) <= 60"), 5);
    let several = place.ok("sample m -n 2 --length 30 --json").json();
    assert_eq!(several["texts"].as_array().unwrap().len(), 2);
}

#[test]
fn families_with_plans_and_with_a_critic() {
    let place = Place::new();
    texts(&place);
    for (a, text) in [("a.txt", line(0, 0)), ("b.txt", line(1, 1))] {
        place.write(a, text);
    }
    for family in ["vae", "vqvae", "gan"] {
        place.ok(&format!("train texts {SMALL} --model {family} --name {family}"));
        let text = place.ok(&format!("sample {family} --where label=псы --length 80"));
        assert_eq!(text.stdout, place.ok(&format!("sample {family} --where label=псы --length 80")).stdout);
        let long = place.ok(&format!("sample {family} --length 400 --endless --prompt Кот"));
        assert!(long.text().chars().count() > 390);
        let report = place.ok(&format!("evaluate {family} -n 16 --json -"));
        assert!(!report.text().contains("adapting"));
        let said = place.refused(&format!("evaluate {family} --adapt"));
        assert!(said.contains("cannot adapt to what it reads") && said.contains("`ar`"), "{said}");
        place.ok(&format!("score {family} texts/псы --label none"));
    }
    let count = |text: &str| text.matches("――――――――").count() + 1;
    for family in ["vae", "vqvae"] {
        let like = place.ok(&format!("sample {family} -n 3 --like a.txt --strength 0.3"));
        assert_eq!(count(like.text()), 3);
    }
    assert_eq!(count(place.ok("sample vae --between a.txt b.txt").text()), 8);
    let error = place.refused("sample vqvae --between a.txt b.txt");
    assert!(error.contains("nothing between the codes"), "{error}");
    assert!(place.refused("sample vae --between a.txt b.txt -n 1").contains("two steps at least"));
    place.write("empty.txt", "\n");
    assert!(place.refused("sample vae --like empty.txt").contains("there is no text in it"));
    place.write("latin.txt", "Zebra");
    assert!(place.refused("sample vae --like latin.txt").contains("has never seen"));
    place.write("long.txt", (0..20).map(|i| line(0, i)).collect::<String>());
    let said = place.ok("sample vae --like long.txt --length 20");
    assert!(said.stderr.contains("it goes by the first of them"), "{}", said.stderr);
}

#[test]
fn texts_of_a_column_and_of_one_file() {
    let place = Place::new();
    let connection = Connection::open(place.path("news.db")).unwrap();
    connection.execute_batch("CREATE TABLE news (id INTEGER PRIMARY KEY, body TEXT, topic TEXT)").unwrap();
    for i in 0..120 {
        let body = format!("Запись {i}. {}{}", line(i % 2, i), line(i % 2, i + 1));
        let topic = ["коты", "псы"][i % 2];
        connection.execute("INSERT INTO news (body, topic) VALUES (?1, ?2)", params![body, topic]).unwrap();
    }
    place.ok(&format!("train news.db --column body --label topic {SMALL} --name news"));
    place.ok("sample news -n 4 --where topic=псы --length 50 -o news.db --if-exists append");
    let count = |sql: &str| connection.query_row(sql, [], |row| row.get::<_, u32>(0)).unwrap();
    assert_eq!(count("SELECT count(*) FROM news WHERE mintage IS NOT NULL AND topic = 'псы'"), 4);
    // All columns are rows, as before.
    assert!(place.ok("inspect news.db").text().contains("120 rows"));
    place.write("книга.txt", (0..300).map(|i| line(i % 2, i)).collect::<String>());
    assert!(place.ok("inspect книга.txt").text().contains("one text"));
    place.ok(&format!("train книга.txt {SMALL} --name книга"));
    assert!(place.ok("sample книга --length 300 --endless").text().chars().count() > 290);
}

/// Of characters that come once or twice nothing is learned but that there are some.
#[test]
fn rare_characters_do_not_become_any_characters() {
    let place = Place::new();
    let mut lines = String::new();
    for i in 0..80_u32 {
        let rare = char::from_u32(0x4e00 + i).unwrap();
        lines += &format!("{{\"text\": \"the cat number {i} sat on the mat of {rare} and slept\"}}\n");
    }
    place.write("cats.jsonl", &lines);
    place.ok("train cats.jsonl --kind text --column text --model ar --size tiny --steps 2 -s data.unit=chars --name cats");
    let sampled = place.ok("sample cats -n 12 --length 120");
    let written = sampled.text();
    let strange: String = written.chars().filter(|&c| !lines.contains(c) && !"\n―".contains(c)).collect();
    assert!(written.chars().count() > 200 && strange.is_empty(), "{strange:?} in {written}");
}

#[test]
fn the_whole_way_with_music() {
    let place = Place::new();
    for i in 0..140 {
        place.write(&format!("tunes/{i}.mid"), tune(i).to_midi(""));
    }
    assert!(place.ok("inspect tunes").text().contains("140 tunes"));
    place.ok(&format!("train tunes {SMALL} -s data.music=remi --name m"));
    place.ok("sample m --length 4 --key C -o new.mid");
    let score = Score::from_midi(&place.read("new.mid")).unwrap();
    let scale = [0, 2, 4, 5, 7, 9, 11];
    assert!(!score.is_empty() && score.notes().iter().all(|note| scale.contains(&(note.pitch % 12))));
    assert!(score.end() <= 4 * 48, "{}", score.end());
    place.ok("sample m --length 4 --range 60..66 -o low.mid");
    let score = Score::from_midi(&place.read("low.mid")).unwrap();
    assert!(score.notes().iter().all(|note| (60..=66).contains(&note.pitch)));
    place.ok("sample m --continue tunes/7.mid --length 2 -o on.mid");
    let on = Score::from_midi(&place.read("on.mid")).unwrap();
    assert!(on.notes().len() >= tune(7).notes().len());
    place.ok("sample m --length 2 -o new.wav");
    assert!(place.read("new.wav").starts_with(b"RIFF"));
    place.ok("sample m -n 3 --length 2 -o new/");
    assert!(place.path("new/000002.mid").exists() && place.path("new/metadata.csv").exists());
    place.ok("evaluate m -n 8 --json -");
    let page = place.text("runs/m/report.html");
    assert!(page.contains("Figures of tunes") && page.contains("<svg") && page.contains("data:audio/wav"));
    place.ok(&format!("train tunes {SMALL} -s data.music=remi --model vae --name v"));
    place.ok("sample v --like tunes/7.mid -o like.mid");
    place.ok("sample v --between tunes/7.mid tunes/8.mid -n 3 -o way/");
    assert!(place.path("way/000002.mid").exists());
    for (args, said) in [
        ("--like tunes/7.mid -o a.mid", "ar has no encoder"),
        ("-o new.mp3", "does not say what to write"),
        ("-n 2 -o two.mid", "a file holds one tune"),
        ("--key X -o a.mid", "is no key"),
        ("--metre 3 -o a.mid", "is no metre"),
        ("--range 1..2 -o a.mid", "no pitch in this range"),
        ("--prompt x -o a.mid", "has no meaning"),
        ("--length 0 -o a.mid", "at least 1"),
    ] {
        let error = place.refused(&format!("sample m {args}"));
        assert!(error.contains(said), "{args}: {error}");
    }
}

#[test]
fn tunes_of_a_database_on_the_grid() {
    let place = Place::new();
    let connection = Connection::open(place.path("songs.db")).unwrap();
    connection.execute_batch("CREATE TABLE songs (id INTEGER PRIMARY KEY, tune BLOB)").unwrap();
    for i in 0..40 {
        connection.execute("INSERT INTO songs (tune) VALUES (?1)", params![tune(i).to_midi("")]).unwrap();
    }
    place.ok(&format!("train songs.db {SMALL} --name m"));
    place.ok("sample m -n 3 --length 2 -o songs.db");
    let count = |sql: &str| connection.query_row(sql, [], |row| row.get::<_, u32>(0)).unwrap();
    assert_eq!(count("SELECT count(*) FROM songs WHERE mintage IS NOT NULL"), 3);
    // What was made is never learned from.
    assert!(place.ok("inspect songs.db").text().contains("40 tunes"));
}

#[test]
fn texts_and_tunes_that_cannot_be_learned() {
    let place = Place::new();
    place.write("blob.txt", [0u8, 159, 146, 150].repeat(100));
    place.write("short.txt", "коротко");
    place.write("empty.txt", "");
    let mut broken = "Слова и ещё слова. ".repeat(60).into_bytes();
    broken[500] = 0xff;
    place.write("broken.txt", &broken);
    for (name, said) in
        [("blob.txt", "blob.txt"), ("short.txt", "too short"), ("empty.txt", "empty"), ("broken.txt", "byte")]
    {
        let error = place.refused(&format!("train {name}"));
        assert!(error.contains(said), "{name}: {error}");
    }
    place.ok(&format!("train broken.txt --lossy {SMALL} --name lossy"));
    let mut bytes = tune(1).to_midi("");
    bytes.truncate(60);
    place.write("tunes/0.mid", &bytes);
    (1..5).for_each(|i| place.write(&format!("tunes/{i}.mid"), tune(i).to_midi("")));
    assert!(place.refused("train tunes").contains("0.mid"));
}

#[test]
fn a_metre_is_kept_to_whatever_the_model_prefers() {
    let place = Place::new();
    for i in 0..40u32 {
        let (metre, bar) =
            [((4, 4), 48), ((6, 8), 36), ((3, 4), 36)][if i < 36 { i as usize % 2 } else { 2 }];
        let metre = MetreChange { tick: 0, metre: Metre::new(metre.0, metre.1).unwrap() };
        let notes = tune(i).notes().iter().filter(|note| note.start < 4 * bar).copied().collect();
        place.write(&format!("tunes/{i}.mid"), Score::new(notes, vec![metre], vec![]).to_midi(""));
    }
    let barely = SMALL.replace("--steps 40", "--steps 3");
    for unit in ["remi", "grid"] {
        place.ok(&format!("train tunes {barely} -s data.music=\"{unit}\" --name {unit}"));
        for metre in ["3/4", "6/8", "4/4"] {
            let folder = format!("{unit}-{}", metre.replace('/', "-"));
            place.ok(&format!("sample {unit} -n 12 --length 4 --metre {metre} --range 60..70 -o {folder}/"));
            for i in 0..12 {
                let made = Score::from_midi(&place.read(&format!("{folder}/{i:06}.mid"))).unwrap();
                let bars: Vec<String> = made.bars().map(|bar| bar.metre.to_string()).collect();
                assert_eq!(bars, [metre; 4], "{folder} {i}");
                assert!(made.notes().iter().all(|note| (60..=70).contains(&note.pitch)));
            }
        }
        let why = place.refused(&format!("sample {unit} --metre 5/4 -o new.mid"));
        assert!(why.contains("no tunes in 5/4") && why.contains("3/4"), "{why}");
    }
}
