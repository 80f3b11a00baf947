//! Sources of texts: encodings, compression, folders, columns of tables, and what is refused.
#![allow(clippy::unwrap_used)]

use std::{fs, io::Write, path::Path};

use mintage_data::{DataKind, SourceSpec, TextSource, TextTokenizer, is_text};

const SENTENCE: &str =
    "Все счастливые семьи похожи друг на друга, каждая несчастливая семья несчастлива по-своему.\r\n";

fn russian() -> String {
    SENTENCE.repeat(12)
}

fn spec(path: &Path) -> SourceSpec {
    SourceSpec { source: path.display().to_string(), ..SourceSpec::default() }
}

fn write(path: &Path, bytes: impl AsRef<[u8]>) {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, bytes).unwrap();
}

/// The only text of a file of `bytes`.
fn read(name: &str, bytes: &[u8]) -> Result<String, mintage_data::Error> {
    let dir = tempfile::tempdir().unwrap();
    write(&dir.path().join(name), bytes);
    let source = TextSource::open(&spec(&dir.path().join(name)))?;
    assert!(source.is_whole() && source.len() == 1 && source.labels().is_none());
    assert_eq!(source.name(0), name);
    let text = source.text(0)?.into_owned();
    assert_eq!(source.bytes(), text.len() as u64);
    Ok(text)
}

fn error(spec: &SourceSpec) -> (String, String) {
    let error = TextSource::open(spec).unwrap_err();
    (error.to_string(), error.hint().unwrap_or_default())
}

fn gz(text: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(text).unwrap();
    encoder.finish().unwrap()
}

fn xz(text: &[u8]) -> Vec<u8> {
    let mut encoder = liblzma::write::XzEncoder::new(Vec::new(), 1);
    encoder.write_all(text).unwrap();
    encoder.finish().unwrap()
}

#[test]
fn encodings_and_compressions() {
    let text = russian();
    let utf16 = |bytes: fn(u16) -> [u8; 2]| -> Vec<u8> { text.encode_utf16().flat_map(bytes).collect() };
    let le = utf16(u16::to_le_bytes);
    let be = utf16(u16::to_be_bytes);
    let cp1251 = encoding_rs::WINDOWS_1251.encode(&text).0.into_owned();
    for bytes in [
        text.as_bytes().to_vec(),
        [b"\xef\xbb\xbf", text.as_bytes()].concat(),
        cp1251.clone(),
        encoding_rs::KOI8_R.encode(&text).0.into_owned(),
        [&b"\xff\xfe"[..], &le].concat(),
        [&b"\xfe\xff"[..], &be].concat(),
        le,
        be,
    ] {
        assert_eq!(read("a.txt", &bytes).unwrap(), text);
        assert_eq!(read("a.txt.gz", &gz(&bytes)).unwrap(), text);
        assert_eq!(read("a.md.xz", &xz(&bytes)).unwrap(), text);
        assert_eq!(read("corpus", &zstd::encode_all(&bytes[..], 3).unwrap()).unwrap(), text);
    }
    assert_eq!(
        read("late.txt", &[&b"1234567890\n".repeat(200_000)[..], &cp1251].concat()).unwrap().lines().last(),
        text.lines().last()
    );
}

#[test]
fn a_large_file_is_the_same_text() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("large.txt");
    let text = russian().repeat((65 << 20) / russian().len() + 1);
    write(&path, &text);
    let source = TextSource::open(&spec(&path)).unwrap();
    assert!(source.text(0).unwrap() == text);
    assert!(matches!(source.text(0).unwrap(), std::borrow::Cow::Borrowed(_)));
    write(&path, [&b"\xef\xbb\xbf"[..], text.as_bytes()].concat());
    assert!(TextSource::open(&spec(&path)).unwrap().text(0).unwrap() == text);
    write(&path, encoding_rs::WINDOWS_1251.encode(&text.repeat(2)).0);
    assert!(TextSource::open(&spec(&path)).unwrap().text(0).unwrap() == text.repeat(2));
}

#[test]
fn damaged_bytes_are_an_error_or_replaced() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("a.txt");
    let text = russian();
    write(&path, [text.as_bytes(), b"\xd0\xd0 ", text.as_bytes()].concat());
    let (why, hint) = error(&spec(&path));
    assert!(why.ends_with(&format!("a.txt: byte {} is no text in UTF-8", text.len())), "{why}");
    assert_eq!(hint, "`--lossy` replaces such bytes");
    let source = TextSource::open(&SourceSpec { lossy: true, ..spec(&path) }).unwrap();
    assert_eq!(source.text(0).unwrap(), format!("{text}\u{fffd}\u{fffd} {text}"));
    // Half of a pair of UTF-16.
    let mut wide: Vec<u8> = text.encode_utf16().flat_map(u16::to_le_bytes).collect();
    wide.extend([0x3d, 0xd8, b'\n', 0]);
    write(&path, &wide);
    assert!(error(&spec(&path)).0.contains(&format!("byte {} is no text in UTF-16LE", wide.len() - 4)));
}

#[test]
fn what_is_no_text_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("a.txt");
    let why = |bytes: &[u8]| {
        write(&path, bytes);
        error(&spec(&path))
    };
    assert!(why(b"").0.ends_with("is empty"));
    assert!(why(b"\xef\xbb\xbf \r\n\n").0.ends_with("is empty"));
    assert!(why(b"A line of text.").0.contains("too short to learn from: 15 bytes"));
    assert!(why(&b"text\0".repeat(100)).0.contains("binary: byte 4 is zero"));
    assert!(why(&b"\x01\x02ab".repeat(100)).0.contains("control characters"));
    assert!(why(b"%PDF-1.7 and so on").0.contains("PDF"));
    assert!(why(&gz(&b"text\0".repeat(100))).0.contains("binary"));
    assert!(why(&gz(&russian().into_bytes())[..40]).0.contains("a.txt"));
    assert!(error(&spec(&dir.path().join("b.txt"))).1.contains("did you mean `a.txt`"));
    assert!(error(&SourceSpec::default()).0.contains("empty"));
    write(&path, russian());
    assert!(error(&SourceSpec { label: Some("topic".into()), ..spec(&path) }).0.contains("no labels"));
    assert!(error(&SourceSpec { column: Some("body".into()), ..spec(&path) }).0.contains("plain text"));
}

#[test]
fn folders_have_labels_and_an_order() {
    let dir = tempfile::tempdir().unwrap();
    for (file, text) in
        [("sport/10.txt", "ten"), ("sport/2.txt", "two"), ("arts/1.md", "one"), ("arts/.hidden.txt", "no")]
    {
        write(&dir.path().join(file), text.repeat(100));
    }
    write(&dir.path().join("sport/3.txt.xz"), xz(russian().as_bytes()));
    write(&dir.path().join("sport/empty.txt"), "");
    let source = TextSource::open(&spec(dir.path())).unwrap();
    let names: Vec<String> = (0..source.len()).map(|i| source.name(i)).collect();
    assert_eq!(names, ["arts/1.md", "sport/2.txt", "sport/3.txt.xz", "sport/10.txt"]);
    assert_eq!(source.labels().unwrap(), ["arts", "sport", "sport", "sport"]);
    assert_eq!(source.text(2).unwrap(), russian());
    assert_eq!(source.notes(), ["1 empty file was left out"]);
    assert!(!source.is_whole() && source.official_holdout().is_none() && source.bytes() > 900);
    let plain = TextSource::open(&SourceSpec { label: Some("none".into()), ..spec(dir.path()) }).unwrap();
    assert!(plain.labels().is_none());
    let some = TextSource::open(&SourceSpec { limit: Some(2), ..spec(dir.path()) }).unwrap();
    assert_eq!((some.len(), some.name(1)), (2, "sport/3.txt.xz".to_owned()));
    assert!(error(&SourceSpec { label: Some("topic".into()), ..spec(dir.path()) }).1.contains("sub-folders"));
}

#[test]
fn a_test_folder_or_another_source_is_the_holdout() {
    let dir = tempfile::tempdir().unwrap();
    for file in ["train/pos/1.txt", "train/neg/1.txt", "test/pos/1.txt", "test/neg/2.txt"] {
        write(&dir.path().join(file), russian());
    }
    let source = TextSource::open(&spec(dir.path())).unwrap();
    assert_eq!(source.official_holdout(), Some(0..2));
    assert_eq!(source.labels().unwrap(), ["neg", "pos", "neg", "pos"]);
    let (train, test) = (dir.path().join("train"), dir.path().join("test/pos"));
    let holdout = Some(test.display().to_string());
    let error = error(&SourceSpec { holdout: holdout.clone(), ..spec(&train) });
    assert!(error.0.contains("has no labels"), "{error:?}");
    let both = SourceSpec { holdout, label: Some("none".into()), ..spec(&train) };
    let both = TextSource::open(&both).unwrap();
    assert_eq!((both.len(), both.official_holdout()), (3, Some(2..3)));
    let (a, b) = (train.join("pos/1.txt"), train.join("neg/1.txt"));
    let files = SourceSpec { holdout: Some(b.display().to_string()), ..spec(&a) };
    let files = TextSource::open(&files).unwrap();
    assert!(
        files.is_whole() && files.official_holdout() == Some(1..2) && files.text(1).unwrap() == russian()
    );
}

#[test]
fn folders_without_texts_say_what_they_hold() {
    let dir = tempfile::tempdir().unwrap();
    assert!(error(&spec(dir.path())).0.contains("holds no files"));
    write(&dir.path().join("a.pdf"), "x");
    write(&dir.path().join("b.pdf"), "x");
    write(&dir.path().join("README"), "x");
    let (why, hint) = error(&spec(dir.path()));
    assert!(
        why.contains("holds no text files") && hint.ends_with("found: 2 .pdf, 1 without a suffix"),
        "{hint}"
    );
    write(&dir.path().join("c.txt"), "");
    assert!(error(&spec(dir.path())).0.contains("only empty files"));
    write(&dir.path().join("c.txt"), "short");
    assert!(error(&spec(dir.path())).0.contains("too short"));
}

fn body(i: usize) -> String {
    format!(
        "Body number {i} says a thing or two, \"quoted\" and otherwise, and it goes on for quite a while."
    )
}

fn check_table(spec: SourceSpec) {
    let chosen = TextSource::open(&spec).unwrap();
    assert!(chosen.notes()[0].contains("column `body` was chosen"), "{:?}", chosen.notes());
    assert_eq!(chosen.place(), Some(("news".to_owned(), "body".to_owned())));
    let spec = SourceSpec { column: Some("body".into()), label: Some("topic".into()), ..spec };
    let source = TextSource::open(&spec).unwrap();
    assert_eq!(source.len(), 19);
    assert_eq!(
        (source.name(0), source.name(18)),
        ("row 1 of news.body".into(), "row 20 of news.body".into())
    );
    assert_eq!(source.text(18).unwrap(), body(19));
    assert_eq!(source.labels().unwrap()[..2], ["t0", "t1"]);
    assert_eq!(source.notes(), ["1 row without a text was left out"]);
    assert_eq!(source.bytes(), (0..20).filter(|&i| i != 7).map(|i| body(i).len() as u64).sum::<u64>());
    let resolved = source.resolved(&spec);
    assert_eq!((resolved.kind, resolved.column.as_deref()), (Some(DataKind::Text), Some("body")));
    let both = TextSource::open(&SourceSpec { holdout: Some(spec.source.clone()), ..spec.clone() }).unwrap();
    assert_eq!((both.len(), both.official_holdout()), (38, Some(19..38)));
    assert_eq!(both.labels().unwrap().len(), 38);
    let plain = SourceSpec { label: None, ..spec.clone() };
    assert!(is_text(&plain).unwrap());
    assert!(!is_text(&SourceSpec { column: Some("topic".into()), ..plain.clone() }).unwrap());
    assert!(!is_text(&SourceSpec { column: Some("body,topic".into()), ..plain.clone() }).unwrap());
    assert!(!is_text(&SourceSpec { column: None, ..plain.clone() }).unwrap());
    assert!(!is_text(&SourceSpec { kind: Some(DataKind::Table), ..plain.clone() }).unwrap());
    let two = error(&SourceSpec { column: Some("body,topic".into()), ..plain.clone() });
    assert!(two.1.contains("texts come from one column"), "{two:?}");
    let wrong = error(&SourceSpec { column: Some("bdy".into()), ..plain });
    assert_eq!(wrong.1, "did you mean `body`?");
    assert!(error(&SourceSpec { label: Some("body".into()), ..spec }).0.contains("text and label at once"));
}

fn cells() -> impl Iterator<Item = (usize, Option<String>, String)> {
    (0..20).map(|i| (i, (i != 7).then(|| body(i)), format!("t{}", i % 3)))
}

#[test]
fn columns_of_files() {
    let dir = tempfile::tempdir().unwrap();
    let (mut csv, mut jsonl) = ("id,body,topic\n".to_owned(), String::new());
    for (id, body, topic) in cells() {
        let quoted = body.as_ref().map_or(String::new(), |body| format!("\"{}\"", body.replace('"', "\"\"")));
        csv += &format!("{id},{quoted},{topic}\n");
        jsonl += &format!("{}\n", serde_json::json!({ "id": id, "body": body, "topic": topic }));
    }
    write(&dir.path().join("news.csv"), csv);
    write(&dir.path().join("news.jsonl"), jsonl);
    check_table(spec(&dir.path().join("news.csv")));
    check_table(spec(&dir.path().join("news.jsonl")));
}

#[test]
fn columns_of_databases() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("shop.db");
    let db = rusqlite::Connection::open(&path).unwrap();
    db.execute_batch("CREATE TABLE news (id INTEGER PRIMARY KEY, body TEXT, topic TEXT)").unwrap();
    for cell in cells() {
        db.execute("INSERT INTO news VALUES (?1, ?2, ?3)", rusqlite::params![cell.0 as i64, cell.1, cell.2])
            .unwrap();
    }
    check_table(spec(&path));
    db.execute_batch("CREATE TABLE other (x, mintage)").unwrap();
    check_table(SourceSpec { table: Some("news".into()), ..spec(&path) });
    assert!(error(&spec(&path)).1.contains("--table"));
    let query = Some("SELECT upper(body) AS loud, topic FROM news -- all".to_owned());
    let source = TextSource::open(&SourceSpec { query, ..spec(&path) }).unwrap();
    assert!(source.text(0).unwrap().starts_with("BODY NUMBER 0"));
    let none = error(&SourceSpec { table: Some("other".into()), ..spec(&path) });
    assert!(none.0.contains("holds no rows"), "{none:?}");
}

#[test]
fn several_columns_of_text_must_be_chosen_from() {
    let dir = tempfile::tempdir().unwrap();
    let rows: String = (0..12).map(|i| format!("{i}\t{}\t{}\n", body(i), body(i + 1))).collect();
    write(&dir.path().join("a.tsv"), format!("id\tone\ttwo\n{rows}"));
    let (why, hint) = error(&spec(&dir.path().join("a.tsv")));
    assert!(
        why.contains("several columns") && hint == "choose one of them with --column: one, two",
        "{hint}"
    );
    write(&dir.path().join("b.csv"), "id,x\n1,a\n2,b\n");
    let (why, hint) = error(&spec(&dir.path().join("b.csv")));
    assert!(why.contains("no column of running text") && hint.ends_with("--column: id, x"), "{hint}");
}

#[test]
fn texts_are_told_from_other_data() {
    let dir = tempfile::tempdir().unwrap();
    let at = |name: &str| dir.path().join(name);
    let is = |name: &str| is_text(&spec(&at(name))).unwrap();
    for name in [
        "a.txt",
        "B.MD",
        "c.txt.xz",
        "d.csv",
        "e.jsonl",
        "f.dat",
        "m/1.mid",
        "m/1.txt",
        "i/1.png",
        "i/2.png",
        "i/3.txt",
        "t/1.txt",
        "t/2.txt",
        "t/cover.jpg",
    ] {
        write(&at(name), "x,y\n1,2\n");
    }
    assert!(is("a.txt") && is("B.MD") && is("c.txt.xz") && is("t"));
    assert!(!is("d.csv") && !is("e.jsonl") && !is("f.dat") && !is("m") && !is("i") && !is("nowhere.txt"));
    assert!(is_text(&SourceSpec { kind: Some(DataKind::Text), ..spec(&at("f.dat")) }).unwrap());
    assert!(!is_text(&SourceSpec { kind: Some(DataKind::Music), ..spec(&at("a.txt")) }).unwrap());
}

#[test]
fn a_codec_fits_a_source() {
    let dir = tempfile::tempdir().unwrap();
    write(&dir.path().join("a.txt"), russian());
    let source = TextSource::open(&spec(&dir.path().join("a.txt"))).unwrap();
    let visit = |show: &mut dyn FnMut(&str)| {
        (0..source.len()).try_for_each(|i| source.text(i).map(|text| show(&text)))
    };
    let codec = TextTokenizer::fit(None, None, &visit, source.bytes()).unwrap();
    let text = source.text(0).unwrap();
    assert_eq!(codec.decode(&codec.encode(&text)), text);
}

#[test]
fn a_spec_keeps_its_form() {
    let plain = serde_json::to_string(&SourceSpec::default()).unwrap();
    assert!(!plain.contains("lossy") && !plain.contains("kind\""));
    let spec: SourceSpec = serde_json::from_str(r#"{"kind":"text","lossy":true}"#).unwrap();
    assert!(spec.lossy && spec.kind == Some(DataKind::Text));
    assert!(format!("{spec:?}").contains("kind: Some(Text)"));
}
