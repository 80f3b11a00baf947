//! Every kind comes back as it was; what is written is taken back, and nothing else.

#![allow(clippy::unwrap_used)]

mod damage;

use std::{
    cell::Cell,
    sync::{LazyLock, atomic::AtomicBool},
    time::Duration,
};

use mintage_data::{
    IfExists, Score,
    music::{Note, TempoChange},
};
use mintage_nn::DeviceChoice;
use rusqlite::Connection;
use serde_json::json;
use tempfile::TempDir;

use super::*;
use crate::{
    AnyData, Control, Event, Model, Recipe, Run, StopReason,
    generate::{Documents, Output, Request},
    run::RunState,
    train,
};

const DEMO: &str = "../mintage-cli/assets/demo.db";

/// The recipe for a kind of the demo's data: few of them, and few steps.
fn recipe(kind: DataKind) -> Recipe {
    let (table, label) = match kind {
        DataKind::Image => ("products", Some("category")),
        DataKind::Table => ("census", None),
        DataKind::Text => ("texts", Some("language")),
        DataKind::Music => ("tunes", None),
        DataKind::Audio => ("sounds", Some("digit")),
        DataKind::Video => ("clips", Some("action")),
    };
    let database = Path::new(env!("CARGO_MANIFEST_DIR")).join(DEMO);
    let mut recipe = Recipe::for_source(&database.display().to_string());
    let mut set = |setting: String| recipe.set(&setting).unwrap();
    set(format!("data.table=\"{table}\""));
    label.into_iter().for_each(|label| set(format!("data.label=\"{label}\"")));
    if kind == DataKind::Text {
        set("data.column=\"text\"".to_owned());
        set("data.kind=\"text\"".to_owned());
    }
    for setting in ["model.size=tiny", "train.seed=1", "train.steps=1"] {
        set(setting.to_owned());
    }
    recipe
}

/// A model of one step, and the folder that holds its run.
fn trained(kind: DataKind) -> (TempDir, Model) {
    let recipe = recipe(kind);
    let data = AnyData::open(&recipe.data).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let mut run = Run::create(&folder.path().join("run"), &recipe).unwrap();
    let stop = AtomicBool::new(false);
    let control = Control { stop: &stop, clock: &|| Duration::ZERO };
    train(&recipe, &data, &mut run, &DeviceChoice::Cpu, &control, &mut |_| {}).unwrap();
    let model = Model::load(run.dir(), &DeviceChoice::Cpu).unwrap();
    (folder, model)
}

/// A draw of a model, and what made it.
fn drawn(model: &Model, n: usize, seed: u64) -> (Samples, Provenance) {
    let mut request = Request { n: Some(n), seed: Some(seed), ..Request::default() };
    match model.kind() {
        DataKind::Text => request.length = Some(40),
        DataKind::Music => request.length = Some(1),
        _ => {}
    }
    let mut generation = model.generate(&request).unwrap();
    let samples = generation.all(&mut |_| {}).unwrap();
    (samples, generation.provenance())
}

static IMAGES: LazyLock<(TempDir, Model)> = LazyLock::new(|| trained(DataKind::Image));
static ROWS: LazyLock<(TempDir, Model)> = LazyLock::new(|| trained(DataKind::Table));

fn pg() -> PgDefaults {
    PgDefaults::default()
}

/// Another folder for what is kept, so that tests do not meet.
fn kept() -> (TempDir, Kept) {
    let dir = tempfile::tempdir().unwrap();
    let kept = Kept::open(dir.path()).unwrap();
    (dir, kept)
}

/// All that is in a database: how its tables are declared, and every cell.
fn contents(path: &Path) -> Vec<String> {
    let connection = Connection::open(path).unwrap();
    let sql =
        "SELECT name, sql FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite_%' ORDER BY name";
    let mut statement = connection.prepare(sql).unwrap();
    let tables = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?))).unwrap();
    let tables: Vec<(String, String)> = tables.map(Result::unwrap).collect();
    let mut all = Vec::new();
    for (name, sql) in tables {
        all.push(sql);
        let mut statement = connection.prepare(&format!("SELECT * FROM \"{name}\"")).unwrap();
        let columns = statement.column_count();
        let mut rows = statement.query([]).unwrap();
        while let Some(row) = rows.next().unwrap() {
            let cells: Vec<String> = (0..columns).map(|i| format!("{:?}", row.get_ref(i).unwrap())).collect();
            all.push(cells.join("|"));
        }
    }
    all
}

fn goods(path: &Path) -> Connection {
    let connection = Connection::open(path).unwrap();
    let sql = "CREATE TABLE goods (id INTEGER PRIMARY KEY, kind TEXT, photo BLOB, price REAL DEFAULT 9.5); \
               INSERT INTO goods (id, kind, photo) VALUES (7, 'coat', x'0102'), (9, NULL, NULL)";
    connection.execute_batch(sql).unwrap();
    connection
}

fn to_goods(path: &Path) -> Output {
    Output {
        table: Some("goods".to_owned()),
        column: Some("photo".to_owned()),
        label_column: Some("kind".to_owned()),
        ..Output::to(path.display().to_string())
    }
}

/// Keeps all items of a draw.
fn keep_all(kept: &Kept, model: &Model, n: usize, seed: u64) -> Vec<String> {
    let (samples, provenance) = drawn(model, n, seed);
    kept.keep(&samples, &(0..samples.len()).collect::<Vec<_>>(), &provenance, 1_700_000_000).unwrap()
}

fn check_kind(model: &Model) {
    let (_dir, kept) = kept();
    let (samples, provenance) = drawn(model, 3, 7);
    let ids = kept.keep(&samples, &[2, 0], &provenance, 5).unwrap();
    let again = kept.keep(&samples, &[1], &provenance, 6).unwrap();
    assert_eq!((ids.join(","), again.join(",")), ("1,2".to_owned(), "3".to_owned()));
    let back = kept.samples(&["2".to_owned(), "3".to_owned(), "1".to_owned()]).unwrap();
    let labels = |samples: &Samples| -> Vec<Option<String>> {
        (0..3).map(|i| content::label_of(samples, i).map(str::to_owned)).collect()
    };
    assert_eq!(labels(&back), labels(&samples));
    match (&back, &samples) {
        (Samples::Image(a), Samples::Image(b)) => {
            assert_eq!((a.shape, &a.pixels), (b.shape, &b.pixels));
        }
        (Samples::Video(a), Samples::Video(b)) => {
            assert_eq!((a.shape, a.frames, a.fps.to_bits()), (b.shape, b.frames, b.fps.to_bits()));
            assert_eq!(a.pixels, b.pixels);
        }
        (Samples::Audio(a), Samples::Audio(b)) => {
            assert_eq!((a.channels, a.rate_hz, &a.samples), (b.channels, b.rate_hz, &b.samples));
        }
        _ => assert_eq!(back, samples),
    }
    let item = &kept.list().unwrap()[0];
    assert_eq!((item.index, item.kept_at, item.made_by.seed), (2, 5, 7));
    assert_eq!(item.kind, model.kind());
    if let Some(name) = item.file() {
        let bytes = kept.bytes("1").unwrap();
        assert_eq!(bytes, fs::read(kept.dir.join("kept").join(&name)).unwrap());
        // Whoever trains on the folder takes none of them for real.
        assert!(mintage_data::is_made_file(&kept.dir.join("kept").join(name)));
    }
    assert_eq!(kept.remove(&["1".to_owned(), "9".to_owned()]).unwrap(), 1);
    assert!(kept.samples(&["1".to_owned()]).unwrap_err().to_string().contains("no sample `1`"));
    assert_eq!(kept.list().unwrap().len(), 2);
    assert_eq!(kept.keep(&samples, &[0], &provenance, 7).unwrap(), ["4"]);
}

#[test]
fn images_come_back_exactly() {
    check_kind(&IMAGES.1);
}

#[test]
fn rows_come_back_exactly() {
    check_kind(&ROWS.1);
}

#[test]
fn texts_come_back_exactly_and_go_to_rows_with_their_labels() {
    let (_folder, model) = trained(DataKind::Text);
    check_kind(&model);
    let (dir, kept) = kept();
    let path = dir.path().join("t.db");
    let connection = Connection::open(&path).unwrap();
    connection
        .execute_batch("CREATE TABLE texts (id INTEGER PRIMARY KEY, text TEXT, language TEXT)")
        .unwrap();
    let before = contents(&path);
    let ids = keep_all(&kept, &model, 2, 3);
    let output = Output { if_exists: IfExists::Append, ..Output::to(path.display().to_string()) };
    let written = kept.write(&ids, &model, &output, &pg(), false, 9).unwrap();
    assert_eq!(written.columns, ["id", "text", "language"]);
    let text = kept.list().unwrap()[0].text().unwrap().to_owned();
    assert_eq!(written.rows[0][..2], [json!(1), json!(text)]);
    kept.undo(&written.batch.unwrap(), &pg()).unwrap();
    assert_eq!(contents(&path), before);
}

#[test]
fn tunes_come_back_exactly() {
    let (_folder, model) = trained(DataKind::Music);
    check_kind(&model);
}

#[test]
fn sounds_come_back_exactly() {
    let (_folder, model) = trained(DataKind::Audio);
    check_kind(&model);
}

#[test]
fn clips_come_back_exactly() {
    let (_folder, model) = trained(DataKind::Video);
    check_kind(&model);
}

#[test]
fn a_tune_comes_back_that_a_midi_file_does_not_hold() {
    let (_dir, kept) = kept();
    // The only voice of its programme is the fourth: of a file it would be the first.
    let note = Note { start: 3, duration: 7, pitch: 60, velocity: 9, programme: 40, voice: 3 };
    let tune = Score::new(vec![note], vec![], vec![TempoChange { tick: 0, tempo: 3 }]);
    let plain = Score::new(vec![Note { voice: 0, ..note }], vec![], vec![]);
    let tunes = Samples::Music(Documents { items: vec![tune, plain], label: None });
    let provenance = IMAGES.1.provenance(1, json!({}));
    let ids = kept.keep(&tunes, &[0, 1], &provenance, 0).unwrap();
    assert_eq!(kept.samples(&ids).unwrap(), tunes);
    let list = fs::read_to_string(kept.dir.join("kept.jsonl")).unwrap();
    let mut lines = list.lines();
    assert!(lines.next().unwrap().contains("\"score\"") && !lines.next().unwrap().contains("\"score\""));
}

#[test]
fn images_are_shown_written_and_taken_back_from_sqlite() {
    let (dir, kept) = kept();
    let model = &IMAGES.1;
    let path = dir.path().join("shop.db");
    goods(&path);
    let (before, bytes) = (contents(&path), fs::read(&path).unwrap());
    let mut ids = keep_all(&kept, model, 2, 1);
    ids.extend(keep_all(&kept, model, 1, 2));
    let output = to_goods(&path);
    let shown = kept.write(&ids, model, &output, &pg(), true, 9).unwrap();
    assert_eq!(fs::read(&path).unwrap(), bytes);
    assert_eq!((shown.n, &shown.batch), (3, &None));
    assert_eq!(shown.columns, ["id", "kind", "photo", "price"]);
    assert_eq!(
        (&shown.rows[0][0], &shown.rows[2][0], &shown.rows[1][3]),
        (&json!(10), &json!(12), &json!(9.5))
    );
    assert_eq!(shown.rows[0][2]["media"], "image");
    assert!(kept.batches().unwrap().is_empty());

    let written = kept.write(&ids, model, &output, &pg(), false, 9).unwrap();
    assert_eq!(written.rows, shown.rows);
    let batch = written.batch.unwrap();
    let marks = {
        let connection = Connection::open(&path).unwrap();
        let sql = "SELECT group_concat(DISTINCT json_extract(mintage, '$.seed')), \
                   count(*) FILTER (WHERE json_extract(mintage, '$.batch') = ?1) FROM goods";
        connection
            .query_row(sql, [&batch], |row| Ok((row.get::<_, String>(0)?, row.get::<_, i64>(1)?)))
            .unwrap()
    };
    assert_eq!(marks, ("1,2".to_owned(), 3));
    let item = kept.list().unwrap().remove(0);
    assert_eq!(
        item.written.map(|written| (written.batch, written.at, written.complete)),
        Some((batch.clone(), 9, true))
    );

    let undone = kept.undo(&batch, &pg()).unwrap();
    assert_eq!((undone.removed, undone.notes), (3, Vec::<String>::new()));
    assert_eq!(contents(&path), before);
    assert!(kept.list().unwrap().iter().all(|item| item.written.is_none()));
    assert!(kept.undo(&batch, &pg()).unwrap_err().to_string().contains("no batch"));
}

#[test]
fn an_undo_says_what_was_edited_and_touches_no_other_batch() {
    let (dir, kept) = kept();
    let model = &IMAGES.1;
    let path = dir.path().join("shop.db");
    goods(&path);
    let ids = keep_all(&kept, model, 3, 1);
    let write = || kept.write(&ids, model, &to_goods(&path), &pg(), false, 9).unwrap().batch.unwrap();
    let (first, second) = (write(), write());
    assert_ne!(first, second);
    let connection = Connection::open(&path).unwrap();
    connection
        .execute_batch("UPDATE goods SET price = 1 WHERE id = 11; DELETE FROM goods WHERE id = 12")
        .unwrap();
    let undone = kept.undo(&first, &pg()).unwrap();
    assert_eq!(undone.removed, 2);
    assert!(
        undone.notes.iter().any(|note| note.starts_with("1 of them had been changed")),
        "{:?}",
        undone.notes
    );
    assert!(undone.notes.iter().any(|note| note.starts_with("1 of them were gone")), "{:?}", undone.notes);
    let left: i64 = connection.query_row("SELECT count(*) FROM goods", [], |row| row.get(0)).unwrap();
    assert_eq!(left, 2 + 3);
    // The marks of the other batch need their column.
    assert_eq!(kept.undo(&second, &pg()).unwrap().removed, 3);
    assert!(contents(&path)[0].contains("mintage"));
}

#[test]
fn rejects_an_undo_that_other_rows_stand_against() {
    for (action, said) in
        [("", "does not let the rows go"), ("ON DELETE CASCADE", "refer to rows of this batch")]
    {
        let (dir, kept) = kept();
        let model = &IMAGES.1;
        let path = dir.path().join("shop.db");
        let connection = goods(&path);
        let ids = keep_all(&kept, model, 2, 1);
        let batch = kept.write(&ids, model, &to_goods(&path), &pg(), false, 9).unwrap().batch.unwrap();
        let sql = format!(
            "CREATE TABLE orders (good INTEGER REFERENCES goods (id) {action}); INSERT INTO orders VALUES (11)"
        );
        connection.execute_batch(&sql).unwrap();
        let before = contents(&path);
        let error = kept.undo(&batch, &pg()).unwrap_err();
        assert!(error.to_string().contains(said) && error.hint().is_some(), "{error}");
        assert_eq!(contents(&path), before);
        connection.execute_batch("DELETE FROM orders").unwrap();
        assert_eq!(kept.undo(&batch, &pg()).unwrap().removed, 2);
    }
}

#[test]
fn keeps_everything_where_a_table_refuses_a_row() {
    let (dir, kept) = kept();
    let model = &IMAGES.1;
    let path = dir.path().join("shop.db");
    let connection = goods(&path);
    let ids = keep_all(&kept, model, 3, 1);
    let refusals = [
        (
            "CREATE TRIGGER no BEFORE INSERT ON goods BEGIN SELECT CASE WHEN \
          (SELECT count(*) FROM goods) > 3 THEN RAISE(ABORT, 'enough') END; END",
            "enough",
            "DROP TRIGGER no",
        ),
        (
            "CREATE TRIGGER no BEFORE INSERT ON goods BEGIN SELECT RAISE(IGNORE); END",
            "did not take item 1",
            "DROP TRIGGER no",
        ),
        (
            "CREATE TRIGGER no AFTER INSERT ON goods BEGIN UPDATE goods SET mintage = NULL; END",
            "with their mark",
            "DROP TRIGGER no",
        ),
        ("CREATE UNIQUE INDEX no ON goods (price) WHERE id > 9", "UNIQUE", "DROP INDEX no"),
    ];
    connection.execute_batch("ALTER TABLE goods ADD COLUMN mintage TEXT").unwrap();
    for (rule, said, without) in refusals {
        connection.execute_batch(rule).unwrap();
        let before = contents(&path);
        let list = fs::read(kept.dir.join("kept.jsonl")).unwrap();
        for dry_run in [true, false] {
            let error = kept.write(&ids, model, &to_goods(&path), &pg(), dry_run, 9).unwrap_err();
            assert!(error.to_string().contains(said), "{error}");
            assert_eq!(contents(&path), before);
            assert_eq!(fs::read(kept.dir.join("kept.jsonl")).unwrap(), list);
        }
        assert!(kept.batches().unwrap().is_empty() && kept.list().unwrap().len() == 3);
        connection.execute_batch(without).unwrap();
    }
    // A trigger that adds to a row is part of it, and no edit.
    let rule =
        "CREATE TRIGGER more AFTER INSERT ON goods BEGIN UPDATE goods SET price = 3 WHERE id = NEW.id; END";
    connection.execute_batch(rule).unwrap();
    let written = kept.write(&ids, model, &to_goods(&path), &pg(), false, 9).unwrap();
    assert!(written.rows.iter().all(|row| row[3] == json!(3.0)), "{:?}", written.rows);
    assert_eq!(kept.undo(&written.batch.unwrap(), &pg()).unwrap().notes, Vec::<String>::new());
}

#[test]
fn rows_are_shown_written_and_taken_back() {
    let (dir, kept) = kept();
    let model = &ROWS.1;
    let path = dir.path().join("census.db");
    fs::copy(Path::new(env!("CARGO_MANIFEST_DIR")).join(DEMO), &path).unwrap();
    let before = contents(&path);
    let ids = keep_all(&kept, model, 5, 1);
    let output = Output { if_exists: IfExists::Append, ..Output::to(path.display().to_string()) };
    let shown = kept.write(&ids, model, &output, &pg(), true, 9).unwrap();
    assert_eq!(contents(&path), before);
    let written = kept.write(&ids, model, &output, &pg(), false, 9).unwrap();
    assert_eq!(written.rows, shown.rows);
    // As it was kept, but for keys.
    let item = &kept.list().unwrap()[0];
    let names = kept.columns_of(item).unwrap();
    let age = names.iter().position(|name| name == "age").unwrap();
    let place = written.columns.iter().position(|name| name == "age").unwrap();
    assert_eq!(written.rows[0][place].to_string(), item.cells().unwrap()[age].clone().unwrap());
    assert_ne!(contents(&path), before);
    kept.undo(&written.batch.unwrap(), &pg()).unwrap();
    assert_eq!(contents(&path), before);

    // A database that was made for them goes as well.
    let new = dir.path().join("new.db");
    let output = Output { table: Some("people".to_owned()), ..Output::to(new.display().to_string()) };
    let shown = kept.write(&ids, model, &output, &pg(), true, 9).unwrap();
    assert!(!new.exists());
    let written = kept.write(&ids, model, &output, &pg(), false, 9).unwrap();
    assert_eq!(written.rows, shown.rows);
    let fails = kept.write(&ids, model, &output, &pg(), true, 9).unwrap_err();
    assert!(fails.to_string().contains("is there already"), "{fails}");
    kept.undo(&written.batch.unwrap(), &pg()).unwrap();
    assert!(!new.exists());
}

#[test]
fn files_are_taken_back_if_nobody_has_changed_them() {
    let (dir, kept) = kept();
    let model = &ROWS.1;
    let ids = keep_all(&kept, model, 4, 1);
    for name in ["a.csv", "a.jsonl", "a.parquet"] {
        let path = dir.path().join(name);
        let output = Output { if_exists: IfExists::Append, ..Output::to(path.display().to_string()) };
        let shown = kept.write(&ids, model, &output, &pg(), true, 9).unwrap();
        assert!(!path.exists() && shown.rows.len() == 4, "{name}");
        let write = || kept.write(&ids, model, &output, &pg(), false, 9).unwrap();
        let written = write();
        assert_eq!(written.rows, shown.rows);
        assert_eq!(kept.undo(&written.batch.unwrap(), &pg()).unwrap().removed, 4);
        assert!(!path.exists() && !dir.path().join(format!("{name}.mintage.json")).exists());
        let batch = write().batch.unwrap();
        let mut changed = fs::read(&path).unwrap();
        changed.push(b'\n');
        fs::write(&path, changed).unwrap();
        let undone = kept.undo(&batch, &pg()).unwrap();
        assert_eq!(undone.removed, 0);
        assert!(path.exists() && undone.notes[0].contains("not as it was written"), "{:?}", undone.notes);
    }
    // Behind rows that were there they stay.
    let csv = dir.path().join("a.csv");
    let output = Output { if_exists: IfExists::Append, ..Output::to(csv.display().to_string()) };
    let batch = kept.write(&ids, model, &output, &pg(), false, 9).unwrap().batch.unwrap();
    assert!(kept.undo(&batch, &pg()).unwrap().notes[0].contains("was there before"));

    let images = &IMAGES.1;
    let (_pictures, kept) = self::kept();
    let ids = keep_all(&kept, images, 3, 1);
    for name in ["grid.png", "pictures/"] {
        let path = dir.path().join(name);
        let output = Output::to(path.display().to_string());
        let shown = kept.write(&ids, images, &output, &pg(), true, 9).unwrap();
        assert!(!path.exists() && shown.rows.len() == 3, "{name}");
        let batch = kept.write(&ids, images, &output, &pg(), false, 9).unwrap().batch.unwrap();
        assert!(path.exists());
        assert_eq!(kept.undo(&batch, &pg()).unwrap().removed, 3, "{name}");
        assert!(!path.exists());
    }
}

#[test]
fn rejects_outputs_that_could_not_be_taken_back() {
    let (dir, kept) = kept();
    let ids = keep_all(&kept, &ROWS.1, 1, 1);
    let path = dir.path().join("a.csv").display().to_string();
    let refused =
        |output: Output| kept.write(&ids, &ROWS.1, &output, &pg(), false, 9).unwrap_err().to_string();
    assert!(refused(Output { no_provenance: true, ..Output::to(&path) }).contains("no_provenance"));
    assert!(refused(Output { if_exists: IfExists::Replace, ..Output::to(&path) }).contains("replace"));
    let none = kept.write(&[], &ROWS.1, &Output::to(&path), &pg(), false, 9).unwrap_err();
    assert!(none.to_string().contains("no item was named"), "{none}");
    let twice = [ids[0].clone(), ids[0].clone()];
    assert!(kept.samples(&twice).unwrap_err().to_string().contains("named twice"));
    let other = kept.write(&ids, &IMAGES.1, &Output::to("a.png"), &pg(), true, 9).unwrap_err();
    assert!(other.to_string().contains("not of the kind"), "{other}");
}

#[test]
fn a_stop_file_ends_a_training_that_can_be_resumed() {
    let mut recipe = recipe(DataKind::Image);
    recipe.set("train.steps=100000").unwrap();
    let data = AnyData::open(&recipe.data).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let dir = folder.path().join("run");
    assert!(Run::ask_to_stop(&dir).is_err() && !Run::is_live(&dir));
    let mut run = Run::create(&dir, &recipe).unwrap();
    let (stop, time) = (AtomicBool::new(false), Cell::new(0.0));
    // A tenth of a second between two looks at the clock.
    let clock = || {
        time.set(time.get() + 0.1);
        Duration::from_secs_f64(time.get())
    };
    let control = Control { stop: &stop, clock: &clock };
    let (asked, mut steps) = (Cell::new(false), 0);
    let mut on = |event: Event| {
        if let Event::Step { step, .. } = event {
            assert!(Run::is_live(&dir));
            steps = step;
            if !asked.replace(true) {
                Run::ask_to_stop(&dir).unwrap();
            }
        }
    };
    let reason = train(&recipe, &data, &mut run, &DeviceChoice::Cpu, &control, &mut on).unwrap();
    assert_eq!(reason, StopReason::Interrupted);
    assert!(steps < 20, "{steps}");
    drop(run);
    assert!(!Run::is_live(&dir) && !dir.join("stop").exists());
    assert_eq!(Run::open(&dir).unwrap().file().unwrap().state, RunState::Interrupted);
    // What was meant for a training that has ended does not end the next one.
    Run::ask_to_stop(&dir).unwrap();
    let run = Run::resume(&dir).unwrap();
    assert!(Run::is_live(&dir) && !run.is_asked_to_stop());
    assert!(Run::resume(&dir).is_err());
}

#[test]
fn whoever_looks_at_a_lock_keeps_nobody_from_it() {
    let folder = tempfile::tempdir().unwrap();
    let done = AtomicBool::new(false);
    let look = || {
        while !done.load(std::sync::atomic::Ordering::Relaxed) {
            Run::is_live(folder.path());
        }
    };
    std::thread::scope(|scope| {
        scope.spawn(look);
        let locked: Vec<bool> = (0..2000).map(|_| crate::run::lock(folder.path()).is_ok()).collect();
        done.store(true, std::sync::atomic::Ordering::Relaxed);
        assert!(locked.into_iter().all(|locked| locked));
    });
}
