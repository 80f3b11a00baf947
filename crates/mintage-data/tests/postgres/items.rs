//! Images, sounds, tunes, clips and texts in tables of a server: read, added to, and never half-written.

use mintage_data::{
    Animation, AudioSet, DataKind, Error, ImageSet, ImageShape, Images, ItemTable, MusicSource, PgDefaults,
    Score, SourceSpec, TextSource, VideoSet,
    audio::{WavDepth, wav_bytes},
    detect, gif_bytes,
    inspect::{ColumnKind, inspect},
    music::Note,
    png_bytes,
};
use postgres::Client;

use super::{
    common::{failure, provenance},
    server::{PASSWORD, server},
};

type Make = fn(usize) -> Vec<u8>;

pub fn png(i: usize) -> Vec<u8> {
    let shape = ImageShape { channels: 1, height: 8, width: 8 };
    let images = Images { shape, pixels: vec![(i * 5 + 40) as u8; 64], labels: vec![], classes: vec![] };
    png_bytes(&images, 0, None).unwrap()
}

fn wav(i: usize) -> Vec<u8> {
    let wave = |at: usize| 0.2 * (at as f32 * (200 + 10 * i) as f32 * std::f32::consts::TAU / 8000.0).sin();
    wav_bytes(&(0..2000).map(wave).collect::<Vec<f32>>(), 1, 8000, WavDepth::Bits16, "")
}

fn midi(i: usize) -> Vec<u8> {
    let note = |step: u32| Note {
        start: 12 * step,
        duration: 12,
        pitch: 40 + (step as usize * 7 + i) as u8 % 40,
        velocity: 20,
        programme: 0,
        voice: 0,
    };
    Score::new((0..8).map(note).collect(), vec![], vec![]).to_midi("")
}

fn gif(i: usize) -> Vec<u8> {
    let shape = ImageShape { channels: 3, height: 16, width: 16 };
    let frame = |at: usize| (0..768).map(|byte| if byte / 48 == (at + i) % 16 { 250 } else { 20 }).collect();
    gif_bytes(&Animation { shape, fps: 10.0, frames: (0..8).map(frame).collect() }, None).unwrap()
}

/// What is asked of a table.
fn of(source: &str, table: &str, label: Option<&str>) -> SourceSpec {
    SourceSpec {
        source: source.to_owned(),
        table: Some(table.to_owned()),
        label: label.map(str::to_owned),
        ..SourceSpec::default()
    }
}

/// Fills the columns `kind` and `file` of a table.
fn fill(client: &mut Client, table: &str, n: usize, make: Make) {
    let insert = format!("INSERT INTO {table} (kind, file) VALUES ($1, $2::bytea)");
    for i in 0..n {
        client.execute(&insert, &[&["a", "b"][i % 2], &make(i)]).unwrap();
    }
}

/// Adds items to the column `file` of a table.
fn add(source: &str, table: &str, n: usize, make: Make) -> Result<usize, Error> {
    let pg = &PgDefaults::default();
    let to = ItemTable { target: source, pg, table, column: "file", label: Some("kind") };
    to.check()?;
    to.append(n, &|i| Ok((make(100 + i), Some("b"))), &provenance())
}

fn number(client: &mut Client, sql: &str) -> i64 {
    client.query_one(sql, &[]).unwrap().get(0)
}

/// How many items of each part there are, and what the first is called.
fn seen(kind: DataKind, spec: &SourceSpec) -> (usize, String) {
    match kind {
        DataKind::Image => ImageSet::open(spec).map(|set| (set.len(), set.name(0))),
        DataKind::Audio => AudioSet::open(spec).map(|set| (set.len(), set.name(0))),
        DataKind::Music => MusicSource::open(spec).map(|set| (set.len(), set.name(0))),
        DataKind::Video => VideoSet::open(spec).map(|set| (set.clip_count(), String::new())),
        DataKind::Text | DataKind::Table => unreachable!("they are no files"),
    }
    .unwrap()
}

#[test]
fn files_of_every_kind_are_read_and_added_to() {
    let Some(server) = server() else { return };
    let (mut client, source) = server.database("media", "");
    let kinds: [(DataKind, ColumnKind, &str, Make); 4] = [
        (DataKind::Image, ColumnKind::Image, "photos", png),
        (DataKind::Audio, ColumnKind::Audio, "sounds", wav),
        (DataKind::Music, ColumnKind::Music, "tunes", midi),
        (DataKind::Video, ColumnKind::Video, "clips", gif),
    ];
    for (kind, column, table, make) in kinds {
        let create = format!("CREATE TABLE {table} (id serial PRIMARY KEY, kind text NOT NULL, file bytea)");
        client.batch_execute(&create).unwrap();
        fill(&mut client, table, 12, make);
        client
            .execute(&format!("INSERT INTO {table} (kind, file) VALUES ('a', NULL), ('a', '')"), &[])
            .unwrap();
        let spec = of(&source, table, Some("kind"));
        let found = detect(&spec).unwrap();
        assert_eq!(found.kind, kind);
        assert!(found.why.contains(&format!("column {table}.file holds")), "{}", found.why);
        let first = seen(kind, &spec);
        assert_eq!(first.0, 12, "{table}");
        assert!(first.1.is_empty() || first.1 == format!("row 1 of {table}.file"), "{}", first.1);
        // Beside the old ones, with keys of the server's own, and never read as real.
        assert_eq!(add(&source, table, 3, make).unwrap(), 3);
        assert_eq!(seen(kind, &spec).0, 12, "{table}");
        assert_eq!(number(&mut client, &format!("SELECT count(*) FROM {table} WHERE id > 14")), 3);
        let said =
            format!("SELECT count(*) FROM {table} WHERE mintage::json->>'family' = 'ar' AND kind = 'b'");
        assert_eq!(number(&mut client, &said), 3);
        let facts = inspect(&spec).unwrap();
        assert_eq!(facts.read_as, kind);
        assert_eq!(facts.tables[0].columns[2].kind, column, "{table}");
        // Into a table that is not there yet, whose rows are all made.
        assert_eq!(add(&source, &format!("new_{table}"), 2, make).unwrap(), 2);
        assert_eq!(number(&mut client, &format!("SELECT max(id) FROM new_{table}")), 2);
        assert!(
            failure(ImageSet::open(&SourceSpec {
                column: Some("file".into()),
                ..of(&source, &format!("new_{table}"), None)
            }))
            .contains("holds no rows to learn from")
        );
    }
    // The only table with tunes that are real needs no name; what holds several kinds is asked about.
    let any = SourceSpec { source: source.clone(), ..SourceSpec::default() };
    assert!(failure(ImageSet::open(&any)).contains("several columns hold images"));
}

#[test]
fn what_is_said_comes_first() {
    let Some(server) = server() else { return };
    let (mut client, source) =
        server.database("said", "CREATE TABLE t (id serial, kind text, n int, file bytea)");
    fill(&mut client, "t", 12, png);
    let kind = |kind, column: Option<&str>, query: Option<&str>| {
        let (column, query) = (column.map(str::to_owned), query.map(str::to_owned));
        detect(&SourceSpec { kind, column, query, ..of(&source, "t", None) }).unwrap().kind
    };
    assert_eq!(kind(None, None, None), DataKind::Image);
    assert_eq!(kind(Some(DataKind::Table), None, None), DataKind::Table);
    assert_eq!(kind(None, Some("kind,n"), None), DataKind::Table);
    assert_eq!(kind(None, None, Some("SELECT * FROM t")), DataKind::Table);
    let query = SourceSpec { query: Some("SELECT file FROM t".into()), ..of(&source, "t", None) };
    assert!(failure(ImageSet::open(&query)).contains("a query gives rows and texts, and no images"));
}

#[test]
fn order_names_and_limits_do_not_need_a_key() {
    let Some(server) = server() else { return };
    let (mut client, source) = server.database(
        "keyless",
        "CREATE DOMAIN picture AS bytea CHECK (octet_length(VALUE) > 1);
         CREATE TABLE t (kind text, file picture); CREATE SCHEMA s;
         CREATE TABLE s.named (a text, b int, kind text, file bytea, PRIMARY KEY (b, a));
         CREATE VIEW v AS SELECT kind, file FROM t;
         CREATE TABLE parts (id int, kind text, file bytea) PARTITION BY RANGE (id);
         CREATE TABLE part PARTITION OF parts FOR VALUES FROM (0) TO (1000)",
    );
    fill(&mut client, "t", 40, png);
    client
        .batch_execute(
            "INSERT INTO s.named SELECT kind, row_number() OVER (), kind, file FROM t;
             INSERT INTO parts SELECT row_number() OVER (), kind, file FROM t",
        )
        .unwrap();
    let all: Vec<u32> = (0..40).collect();
    let first = ImageSet::open(&of(&source, "t", Some("kind"))).unwrap();
    assert_eq!((first.len(), first.classes().len()), (40, 2));
    let expected: Vec<u8> = (0..40).map(|i| (i * 5 + 40) as u8).collect();
    for table in ["t", "s.named", "v", "parts"] {
        let set = ImageSet::open(&of(&source, table, Some("kind"))).unwrap();
        let grays: Vec<u8> = set.batch(&all).unwrap().pixels.chunks(64).map(|image| image[0]).collect();
        assert_eq!(grays, expected, "{table}");
        assert_eq!(set.name(7), format!("row 8 of {table}.file"));
        assert_eq!(set.labels()[7], 1);
        // Decoded when they are needed, they are the same.
        let streamed = ImageSet::open_within(&of(&source, table, Some("kind")), 100).unwrap();
        assert!(streamed.is_streamed());
        assert_eq!(streamed.batch(&all).unwrap(), set.batch(&all).unwrap());
    }
    let few = ImageSet::open(&SourceSpec { limit: Some(7), ..of(&source, "t", None) }).unwrap();
    let names: Vec<String> = (0..7).map(|i| few.name(i)).collect();
    assert_eq!(names, [1, 6, 12, 18, 23, 29, 35].map(|row| format!("row {row} of t.file")), "evenly spread");
}

#[test]
fn another_table_is_the_holdout() {
    let Some(server) = server() else { return };
    let create =
        "CREATE TABLE early (kind text, file bytea); CREATE TABLE late (id serial, file bytea, kind text)";
    let (mut client, source) = server.database("holdout", create);
    fill(&mut client, "early", 8, midi);
    fill(&mut client, "late", 3, |i| midi(i + 20));
    let spec = SourceSpec { holdout: Some("late".into()), ..of(&source, "early", Some("kind")) };
    let tunes = MusicSource::open(&spec).unwrap();
    assert_eq!((tunes.len(), tunes.official_holdout()), (11, Some(8..11)));
    assert_eq!(tunes.labels().unwrap()[9], "b");
    assert_eq!(tunes.name(8), "row 1 of late.file");
}

#[test]
fn mistakes_are_said_and_change_nothing() {
    let Some(server) = server() else { return };
    let (mut client, source) = server.database(
        "mistakes",
        "CREATE TABLE t (id serial PRIMARY KEY, kind varchar(3), file bytea, raw bytea);
         CREATE TABLE strict (id serial, kind text, file bytea, price int NOT NULL);
         CREATE TABLE counted (id serial, kind int, file bytea);
         CREATE TABLE deaf (id serial, kind text, file bytea);
         CREATE RULE deaf AS ON INSERT TO deaf DO INSTEAD NOTHING;
         CREATE VIEW v AS SELECT kind, file FROM t;
         CREATE TABLE words (kind text, file text)",
    );
    fill(&mut client, "t", 12, png);
    let open = |spec: SourceSpec| failure(ImageSet::open(&spec));
    let in_column = |column: &str| SourceSpec { column: Some(column.into()), ..of(&source, "t", None) };
    assert!(open(of(&source, "tt", None)).contains("has no table `tt` | did you mean `t`?"));
    assert!(open(in_column("fil")).contains("table `t` has no column `fil` | did you mean `file`?"));
    assert!(
        open(in_column("kind"))
            .contains("column `kind` of table `t` is of type character varying(3), not bytea")
    );
    assert!(open(of(&source, "t", Some("kinds"))).contains("has no column `kinds` | did you mean `kind`?"));
    assert!(open(of(&source, "t", Some("raw"))).contains("column `raw` of table `t` holds bytes"));
    assert!(open(of(&source, "words", None)).contains("no column with images was found where you asked"));
    let wrong = source.replace(&format!(":{}", server.port), ":1");
    let error = open(of(&wrong, "t", None));
    assert!(error.contains("refused") && !error.contains(PASSWORD), "{error}");

    let pg = &PgDefaults::default();
    let refused = |table: &str| failure(add(&source, table, 3, png));
    assert!(refused("strict").contains("column `price` must have a value"));
    assert!(refused("v").contains("is a view"));
    assert!(refused("words").contains("column `file` is of type text, not bytea"));
    assert!(refused("counted").contains("invalid input syntax for type integer: \"b\""));
    assert!(refused("deaf").contains("did not take item 1"));
    let to = |column, label| ItemTable { target: &source, pg, table: "t", column, label };
    assert!(failure(to("fil", None).check()).contains("has no column `fil` | did you mean `file`?"));
    assert!(failure(to("file", Some("kin")).check()).contains("has no column `kin`"));
    assert!(!format!("{:?}", to("file", None)).contains("geheim"));
    // A failure in the middle takes everything back, the column `mintage` as well.
    let half = |i| match i {
        2 => Err(Error::bad("item 2", "cannot be made")),
        _ => Ok((png(i), None)),
    };
    assert!(failure(to("file", None).append(3, &half, &provenance())).contains("cannot be made"));
    let long = |i| Ok((png(i), Some("too long")));
    assert!(failure(to("file", Some("kind")).append(3, &long, &provenance())).contains("value too long"));
    let columns = "SELECT count(*) FROM pg_attribute WHERE attname = 'mintage' AND NOT attisdropped";
    assert_eq!(number(&mut client, columns), 0);
    assert_eq!(number(&mut client, "SELECT count(*) FROM t"), 12);
    // A label of another type is cast to it, and a missing one stays so.
    let counted = ItemTable { target: &source, pg, table: "counted", column: "file", label: Some("kind") };
    counted.append(2, &|i| Ok((png(i), Some(["7", "(missing)"][i]))), &provenance()).unwrap();
    assert_eq!(number(&mut client, "SELECT sum(kind) FROM counted"), 7);
    assert_eq!(number(&mut client, "SELECT count(*) FROM counted WHERE kind IS NULL"), 1);
    assert_eq!(counted.left_empty().unwrap(), [""; 0]);
}

#[test]
fn one_snapshot_is_read_and_nothing_stays_open() {
    let Some(server) = server() else { return };
    let (mut client, source) =
        server.database("snapshot", "CREATE TABLE t (id serial PRIMARY KEY, kind text, file bytea)");
    fill(&mut client, "t", 30, png);
    let set = ImageSet::open_within(&of(&source, "t", None), 100).unwrap();
    let all: Vec<u32> = (0..30).collect();
    let before = set.batch(&all).unwrap();
    let others = "SELECT count(*) FROM pg_stat_activity WHERE datname = 'snapshot' AND backend_type = 'client backend' \
                  AND pid <> pg_backend_pid()";
    let closed = (0..100).any(|_| {
        std::thread::sleep(std::time::Duration::from_millis(20));
        number(&mut client, others) == 0
    });
    assert!(closed, "the connection ends with the reading");
    client.batch_execute("DROP TABLE t").unwrap();
    assert_eq!(set.batch(&all).unwrap(), before);
}

#[test]
fn texts_are_read_with_labels() {
    let Some(server) = server() else { return };
    let (mut client, source) = server
        .database("texts", "CREATE TABLE news (id serial PRIMARY KEY, topic text, body text, mintage text)");
    for i in 0..20 {
        let body =
            format!("Text number {i} says that it is the {i}th of many, and no more than that. ").repeat(3);
        let made = (i >= 16).then_some("{}");
        let sql = "INSERT INTO news (topic, body, mintage) VALUES ($1, $2, $3)";
        client.execute(sql, &[&["a", "b"][i % 2], &body, &made]).unwrap();
    }
    let spec = SourceSpec { column: Some("body".into()), ..of(&source, "news", Some("topic")) };
    assert_eq!(detect(&spec).unwrap().kind, DataKind::Text);
    let texts = TextSource::open(&spec).unwrap();
    assert_eq!((texts.len(), texts.name(0)), (16, "row 1 of news.body".to_owned()));
    assert_eq!(texts.labels().unwrap()[1], "b");
    assert_eq!(detect(&of(&source, "news", None)).unwrap().kind, DataKind::Table);
}
