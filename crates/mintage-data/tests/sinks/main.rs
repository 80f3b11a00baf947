//! What a sink finds there stays as it was and stays real; what it makes is marked, whole, and never learned from.
#![allow(clippy::unwrap_used)]

#[path = "../common/mod.rs"]
mod common;
mod rows;

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
    thread,
};

use common::{column, provenance, write};
use mintage_data::{
    AudioSet, Clips, Error, ImageSet, ImageShape, Images, MusicSource, SourceSpec, Table, TextSource, Type,
    append_rows,
    audio::{WavDepth, wav_bytes},
    gif_bytes, png_bytes,
    table::{IfExists, read},
    write_files, write_folder, write_text,
};

const SHAPE: ImageShape = ImageShape { channels: 1, height: 4, width: 4 };

/// As users have it: what was made is left out.
fn spec(source: impl ToString) -> SourceSpec {
    SourceSpec { source: source.to_string(), ..SourceSpec::default() }
}

fn images(n: usize, from: usize, labels: &[&str]) -> Images {
    let pixel = |i: usize| ((i * 7919 + from * 104_729) % 251) as u8;
    Images {
        shape: SHAPE,
        pixels: (0..n * 16).map(pixel).collect(),
        labels: if labels.is_empty() { vec![] } else { (0..n).map(|i| (i % labels.len()) as u32).collect() },
        classes: labels.iter().map(|label| (*label).to_owned()).collect(),
    }
}

/// Real images, in sub-folders where there are labels.
fn real(dir: &Path, n: usize, labels: &[&str]) {
    let images = images(n, 1, labels);
    for i in 0..n {
        let folder = dir.join(images.label(i).unwrap_or_default());
        fs::create_dir_all(&folder).unwrap();
        fs::write(folder.join(format!("good{i:03}.png")), png_bytes(&images, i, None).unwrap()).unwrap();
    }
}

/// Every file below a folder, hidden ones too, with its bytes.
fn contents(dir: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    let mut all = Vec::new();
    for entry in fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            all.extend(contents(&path));
        } else {
            all.push((path.clone(), fs::read(&path).unwrap()));
        }
    }
    all.sort();
    all
}

fn assert_kept(before: &[(PathBuf, Vec<u8>)], except: &str) {
    for (path, bytes) in before.iter().filter(|(path, _)| !path.ends_with(except)) {
        assert_eq!(&fs::read(path).unwrap(), bytes, "{}", path.display());
    }
}

#[test]
fn real_images_stay_real_when_new_ones_come() {
    for labels in [&[][..], &["a", "b"]] {
        let dir = tempfile::tempdir().unwrap();
        real(dir.path(), 60, labels);
        let before = contents(dir.path());
        for _ in 0..2 {
            write_folder(dir.path(), &images(10, 2, labels), &provenance()).unwrap();
        }
        assert_kept(&before, "");
        assert!(!dir.path().join("metadata.csv").exists(), "it would hide the real ones");
        let set = ImageSet::open(&spec(dir.path().display())).unwrap();
        assert_eq!((set.len(), set.classes().len()), (60, labels.len()));
        assert_eq!(set.notes(), ["20 made by mintage, left out"]);
        let all = SourceSpec { allow_made: true, ..spec(dir.path().display()) };
        assert_eq!(ImageSet::open(&all).unwrap().len(), 80);
        // Even without the list.
        fs::remove_file(dir.path().join("mintage.jsonl")).unwrap();
        assert_eq!(ImageSet::open(&spec(dir.path().display())).unwrap().len(), 60);
    }
}

#[test]
fn what_was_made_can_be_read_again_when_asked() {
    let dir = tempfile::tempdir().unwrap();
    for _ in 0..2 {
        write_folder(dir.path(), &images(4, 2, &["coat", "ankle / boot"]), &provenance()).unwrap();
    }
    assert!(dir.path().join("ankle _ boot/000001.png").is_file());
    let set = ImageSet::open(&SourceSpec { allow_made: true, ..spec(dir.path().display()) }).unwrap();
    assert_eq!((set.len(), set.shape()), (8, SHAPE));
    assert_eq!(set.classes(), ["ankle / boot", "coat"]);
}

#[test]
fn one_picture_written_among_real_ones_is_left_out() {
    let dir = tempfile::tempdir().unwrap();
    real(dir.path(), 20, &[]);
    let png = png_bytes(&images(1, 3, &[]), 0, Some(&provenance())).unwrap();
    fs::write(dir.path().join("new.png"), png).unwrap();
    assert_eq!(ImageSet::open(&spec(dir.path().display())).unwrap().len(), 20);
}

#[test]
fn metadata_go_on_in_the_way_of_their_owner() {
    let rows = |separator: char, end: &str, more: &str| {
        let line = |i: usize| format!("good{i:03}.png{separator}{}{more}{end}", ["кот", "пёс"][i % 2]);
        (0..60).map(line).collect::<String>()
    };
    let header = |separator: char, end: &str, more: &str| format!("file_name{separator}label{more}{end}");
    let utf8 = format!("{}{}", header(',', "\n", ""), rows(',', "\n", ""));
    let author = format!("{}{}", header(',', "\n", ",author"), rows(',', "\n", ",Аня"));
    let semicolons = format!("{}{}", header(';', "\r\n", ""), rows(';', "\r\n", ""));
    let cases = [
        ("utf-8", utf8.clone().into_bytes()),
        ("no line end", utf8.trim_end().as_bytes().to_vec()),
        ("author", author.into_bytes()),
        ("semicolons", semicolons.into_bytes()),
        ("cp1251", encoding_rs::WINDOWS_1251.encode(&utf8).0.into_owned()),
        ("utf-16", [0xfeff].into_iter().chain(utf8.encode_utf16()).flat_map(u16::to_le_bytes).collect()),
    ];
    for (case, before) in cases {
        let dir = tempfile::tempdir().unwrap();
        real(dir.path(), 60, &[]);
        let path = dir.path().join("metadata.csv");
        fs::write(&path, &before).unwrap();
        for _ in 0..2 {
            write_folder(dir.path(), &images(3, 2, &["кот"]), &provenance()).unwrap();
        }
        let after = fs::read(&path).unwrap();
        assert!(after.starts_with(&before) && after.len() > before.len(), "{case}");
        if ["utf-8", "no line end", "author"].contains(&case) {
            let set = ImageSet::open(&spec(dir.path().display())).unwrap();
            assert_eq!((set.len(), set.classes()), (60, &["кот".to_owned(), "пёс".to_owned()][..]), "{case}");
        }
    }
    // What is no list of files is nobody's to touch.
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("metadata.csv"), "my,own\n1,2\n").unwrap();
    write_folder(dir.path(), &images(3, 2, &[]), &provenance()).unwrap();
    assert_eq!(fs::read_to_string(dir.path().join("metadata.csv")).unwrap(), "my,own\n1,2\n");
}

#[test]
fn texts_tunes_sounds_and_clips_are_left_out_too() {
    let json = provenance().to_json();
    let dir = tempfile::tempdir().unwrap();
    let text = |i: usize| format!("Real text number {i}. {}", "Words and words. ".repeat(4 + i % 3));
    for i in 0..30 {
        fs::write(dir.path().join(format!("{i}.txt")), text(i)).unwrap();
    }
    let file = |i: usize| Ok(("", format!("Made {i}").into_bytes()));
    write_files(dir.path(), 12, "txt", &file, &provenance()).unwrap();
    write_text(&dir.path().join("single.txt"), "Made alone", &provenance()).unwrap();
    let set = TextSource::open(&spec(dir.path().display())).unwrap();
    assert_eq!((set.len(), set.notes()), (30, &["13 made by mintage, left out".to_owned()][..]));
    // A text that its owner wrote in the place of one that was made is the owner's.
    let made = fs::read_dir(dir.path()).unwrap().map(|e| e.unwrap().path());
    let made = made.into_iter().find(|path| fs::read(path).unwrap() == b"Made 3").unwrap();
    fs::write(made, "Now this is mine, and no machine has written it.").unwrap();
    assert_eq!(TextSource::open(&spec(dir.path().display())).unwrap().len(), 31);
    let single = TextSource::open(&spec(dir.path().join("single.txt").display()));
    assert!(matches!(single, Err(Error::OnlyMade { .. })));

    let dir = tempfile::tempdir().unwrap();
    let sound = |i: usize, provenance: &str| {
        let wave: Vec<f32> = (0..4000).map(|t| ((t * (i + 3)) as f32 / 40.0).sin() * 0.5).collect();
        wav_bytes(&wave, 1, 8000, WavDepth::Bits16, provenance)
    };
    for i in 0..20 {
        fs::write(dir.path().join(format!("real{i}.wav")), sound(i, "")).unwrap();
    }
    write_files(dir.path(), 4, "wav", &|i| Ok(("", sound(i, &json))), &provenance()).unwrap();
    assert_eq!(AudioSet::open(&spec(dir.path().display())).unwrap().len(), 20);
}

#[test]
fn tunes_are_known_by_their_first_event() {
    let (dir, made) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let tune = |i: u8, text: &[u8]| {
        let mut track = vec![0, 0xff, 0x01, text.len() as u8 & 0x7f];
        if text.len() > 127 {
            track.pop();
            track.extend([0x80 | (text.len() >> 7) as u8, text.len() as u8 & 0x7f]);
        }
        track.extend(text);
        for note in 0..8 {
            track.extend([0, 0x90, 60 + (i + note) % 12, 90, 0x60, 0x80, 60 + (i + note) % 12, 0]);
        }
        track.extend([0, 0xff, 0x2f, 0]);
        let mut bytes = b"MThd\0\0\0\x06\0\0\0\x01\0\x60MTrk".to_vec();
        bytes.extend((track.len() as u32).to_be_bytes());
        bytes.extend(track);
        bytes
    };
    for i in 0..12 {
        fs::write(dir.path().join(format!("real{i}.mid")), tune(i, b"a melody")).unwrap();
    }
    let json = provenance().to_json();
    let file = |i: usize| Ok(("", tune(i as u8 + 3, json.as_bytes())));
    write_files(dir.path(), 5, "mid", &file, &provenance()).unwrap();
    assert_eq!(MusicSource::open(&spec(dir.path().display())).unwrap().len(), 12);
    write_files(made.path(), 5, "mid", &file, &provenance()).unwrap();
    let error = MusicSource::open(&spec(made.path().display())).unwrap_err();
    assert!(matches!(error, Error::OnlyMade { count: 5, .. }), "{error}");
    assert!(error.hint().unwrap().contains("--allow-made"));
}

#[test]
fn clips_are_known_by_their_comment() {
    let dir = tempfile::tempdir().unwrap();
    let clips = Clips {
        shape: SHAPE,
        frames: 3,
        fps: 10.0,
        pixels: (0..20 * 48).map(|i| ((i * 31) % 251) as u8).collect(),
        labels: vec![],
        classes: vec![],
    };
    for i in 0..14 {
        fs::write(dir.path().join(format!("real{i}.gif")), gif_bytes(&clips.film(i), None).unwrap()).unwrap();
    }
    let file = |i: usize| Ok(("", gif_bytes(&clips.film(14 + i), Some(&provenance()))?));
    write_files(dir.path(), 6, "gif", &file, &provenance()).unwrap();
    let set = mintage_data::VideoSet::open(&spec(dir.path().display())).unwrap();
    assert_eq!(set.clip_count(), 14);
    assert!(set.notes().contains(&"6 made by mintage, left out".to_owned()), "{:?}", set.notes());
}

#[test]
fn four_writers_into_one_folder_lose_nothing() {
    let dir = tempfile::tempdir().unwrap();
    thread::scope(|scope| {
        for writer in 0..4 {
            let dir = dir.path();
            scope.spawn(move || {
                for part in 0..4 {
                    write_folder(dir, &images(50, writer * 10 + part, &["a", "b"]), &provenance()).unwrap();
                }
            });
        }
    });
    let text = fs::read_to_string(dir.path().join("metadata.csv")).unwrap();
    let named: BTreeSet<&str> = text.lines().skip(1).map(|line| line.split(',').next().unwrap()).collect();
    assert_eq!(named.len(), 800);
    assert!(named.iter().all(|name| dir.path().join(name).is_file()));
    let pictures =
        contents(dir.path()).into_iter().filter(|(path, _)| path.extension() == Some("png".as_ref()));
    assert_eq!(pictures.count(), 800);
    let all = SourceSpec { allow_made: true, ..spec(dir.path().display()) };
    assert_eq!(ImageSet::open(&all).unwrap().len(), 800);
}

#[test]
fn a_failure_leaves_the_folder_as_it_was() {
    let dir = tempfile::tempdir().unwrap();
    let out = dir.path().join("new/deep");
    for bad in ["x".repeat(300), "é".repeat(150), "metadata.csv".to_owned(), "mintage.jsonl".to_owned()] {
        let error = write_folder(&out, &images(4, 2, &["ok", &bad]), &provenance()).unwrap_err();
        assert!(error.to_string().starts_with("label `"), "{error}");
        assert!(!dir.path().join("new").exists());
    }
    real(dir.path(), 5, &[]);
    write_folder(dir.path(), &images(5, 2, &[]), &provenance()).unwrap();
    fs::write(dir.path().join("metadata.csv"), "file_name,label\ngood000.png,a\n").unwrap();
    let before = contents(dir.path());
    let file = |i: usize| match i {
        3 => Err(Error::bad("item 3", "went wrong")),
        _ => Ok(("new", vec![1; 10])),
    };
    assert!(write_files(dir.path(), 5, "png", &file, &provenance()).is_err());
    assert_eq!(contents(dir.path()), before);
    assert!(!dir.path().join("new").exists());
}

#[cfg(unix)]
#[test]
fn a_label_that_is_a_link_is_not_followed() {
    let (dir, home) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    std::os::unix::fs::symlink(home.path(), dir.path().join("cat")).unwrap();
    let error = write_folder(dir.path(), &images(4, 2, &["cat"]), &provenance()).unwrap_err();
    assert!(error.to_string().contains("link"), "{error}");
    assert_eq!(contents(home.path()), []);
}

#[test]
fn what_a_killed_writer_left_is_removed_by_the_next() {
    let dir = tempfile::tempdir().unwrap();
    fs::create_dir(dir.path().join(".mintage-abcdefgh.tmp")).unwrap();
    fs::write(dir.path().join(".mintage-abcdefgh.tmp/0"), "half").unwrap();
    fs::write(dir.path().join("mintage.jsonl"), "{\"made_by\":").unwrap();
    write_folder(dir.path(), &images(3, 2, &[]), &provenance()).unwrap();
    assert!(!dir.path().join(".mintage-abcdefgh.tmp").exists());
    let error = ImageSet::open(&spec(dir.path().display())).unwrap_err();
    assert!(matches!(error, Error::OnlyMade { count: 3, .. }), "{error}");
}

fn people(from: usize, n: usize) -> Table {
    let names: Vec<String> = (from..from + n).map(|i| format!("имя, \"{i}\"")).collect();
    let ages: Vec<String> = (from..from + n).map(|i| (20 + i % 50).to_string()).collect();
    let cell = |(i, text): (usize, &String)| (i % 7 > 0).then(|| text.clone());
    let ages: Vec<Option<String>> = ages.iter().enumerate().map(cell).collect();
    let columns = vec![
        column("name", Type::Text, &names.iter().map(|n| Some(n.as_str())).collect::<Vec<_>>()),
        column("age", Type::Integer, &ages.iter().map(Option::as_deref).collect::<Vec<_>>()),
    ];
    Table { name: "people".to_owned(), columns, ..Table::default() }
}

/// Without anything that says that it was made.
fn real_rows(path: &Path, n: usize) {
    write(&people(0, n), &path.display().to_string(), None, IfExists::Fail, &[]).unwrap();
    fs::remove_file(format!("{}.mintage.json", path.display())).unwrap();
}

#[test]
fn a_new_database_is_whole_or_not_there() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("n.db");
    let failing = |i: usize| match i {
        1 => Err(Error::bad("image 1", "went wrong")),
        _ => Ok((vec![1, 2, 3], None)),
    };
    assert!(mintage_data::append_blobs(&path, "t", "photo", None, 2, &failing, &provenance()).is_err());
    assert_eq!(contents(dir.path()), []);
    // A journal of another database of that name would be played back into the new one.
    fs::write(dir.path().join("n.db-journal"), "old").unwrap();
    let error = append_rows(&path, "t", "photo", None, &images(2, 1, &[]), &provenance()).unwrap_err();
    assert!(error.to_string().contains("n.db-journal"), "{error}");
    assert!(!path.exists());
}

#[test]
fn image_writers_wait_for_each_other() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("shop.db");
    thread::scope(|scope| {
        for writer in 0..4 {
            let path = &path;
            scope.spawn(move || {
                for part in 0..5 {
                    append_rows(
                        path,
                        "t",
                        "photo",
                        None,
                        &images(10, writer * 10 + part, &[]),
                        &provenance(),
                    )
                    .unwrap();
                }
            });
        }
    });
    let connection = rusqlite::Connection::open(&path).unwrap();
    let count: i64 = connection.query_row("SELECT count(*) FROM t", [], |row| row.get(0)).unwrap();
    assert_eq!(count, 200);
    drop(connection);
    assert_eq!(contents(dir.path()).len(), 1);
}

#[test]
fn what_was_made_into_a_folder_within_or_above_is_left_out() {
    let dir = tempfile::tempdir().unwrap();
    real(dir.path(), 60, &[]);
    write_folder(&dir.path().join("new"), &images(12, 2, &["a", "b"]), &provenance()).unwrap();
    assert!(dir.path().join("new/metadata.csv").is_file());
    assert_eq!(ImageSet::open(&spec(dir.path().display())).unwrap().len(), 60);

    let dir = tempfile::tempdir().unwrap();
    let text = |i: usize| format!("{i} мама мыла раму, a note about nothing in particular\n").repeat(20);
    for i in 0..30 {
        fs::create_dir_all(dir.path().join("out/cat")).unwrap();
        fs::write(dir.path().join(format!("out/cat/real{i}.txt")), text(i)).unwrap();
    }
    let file = |i: usize| Ok(("cat", text(100 + i).into_bytes()));
    write_files(&dir.path().join("out"), 8, "txt", &file, &provenance()).unwrap();
    for place in ["", "out", "out/cat"] {
        let place = dir.path().join(place);
        assert_eq!(TextSource::open(&spec(place.display())).unwrap().len(), 30, "{}", place.display());
    }
    let made = fs::read_dir(dir.path().join("out/cat")).unwrap().map(|entry| entry.unwrap().path());
    let made = made.filter(|path| !path.display().to_string().contains("real")).min().unwrap();
    assert!(TextSource::open(&spec(made.display())).is_err(), "a single text that is listed");
}

#[test]
fn a_list_with_nothing_but_its_header_says_nothing() {
    for header in ["file_name,label\n", "file_name,label,mintage\n", "file_name"] {
        let dir = tempfile::tempdir().unwrap();
        real(dir.path(), 60, &["a", "b"]);
        fs::write(dir.path().join("metadata.csv"), header).unwrap();
        let set = ImageSet::open(&spec(dir.path().display())).unwrap();
        assert_eq!((set.len(), set.classes().len()), (60, 2), "{header:?}");
    }
}

#[cfg(unix)]
#[test]
fn made_rows_and_texts_are_known_through_links() {
    use std::os::unix::fs::symlink;
    let dir = tempfile::tempdir().unwrap();
    let at = |name: &str| dir.path().join(name);
    fs::create_dir(at("far")).unwrap();
    real_rows(&at("far/rows.csv"), 40);
    let target = at("far/rows.csv").display().to_string();
    write(&people(100, 10), &target, None, IfExists::Append, &[]).unwrap();
    symlink(at("far/rows.csv"), at("rows.csv")).unwrap();
    assert_eq!(read(&spec(at("rows.csv").display())).unwrap().rows(), 40);
    write_text(&at("far/new.txt"), &"made ".repeat(400), &provenance()).unwrap();
    symlink(at("far/new.txt"), at("new.txt")).unwrap();
    assert!(TextSource::open(&spec(at("new.txt").display())).is_err());
}

/// Opening a pipe that nobody writes to would wait for ever, and reading a device never end.
#[cfg(unix)]
#[test]
fn pipes_and_devices_in_the_way_are_refused_or_left() {
    use std::os::unix::fs::symlink;
    let dir = tempfile::tempdir().unwrap();
    let at = |name: &str| dir.path().join(name);
    let pipe = |name: &str| {
        #[expect(clippy::disallowed_methods, reason = "the standard library makes no FIFOs")]
        let made = std::process::Command::new("mkfifo").arg(at(name)).status();
        assert!(made.unwrap().success());
    };
    fs::create_dir(at("pictures")).unwrap();
    pipe("pictures/metadata.csv");
    write_folder(&at("pictures"), &images(3, 1, &[]), &provenance()).unwrap();
    pipe("f.csv");
    for if_exists in [IfExists::Fail, IfExists::Append, IfExists::Replace] {
        let error = write(&people(1, 3), &at("f.csv").display().to_string(), None, if_exists, &[]);
        assert!(error.unwrap_err().to_string().contains("is a device or a pipe"));
    }
    for (name, what) in [("x.csv", "a named pipe"), ("y.csv", "a device")] {
        real_rows(&at(name), 40);
        let note = format!("{name}.mintage.json");
        match what {
            "a device" => symlink("/dev/zero", at(&note)).unwrap(),
            _ => pipe(&note),
        }
        let error = read(&spec(at(name).display())).unwrap_err();
        assert!(error.to_string().contains(what), "{error}");
        let error = write(&people(100, 3), &at(name).display().to_string(), None, IfExists::Append, &[]);
        assert!(error.unwrap_err().to_string().contains(what));
    }
    fs::write(at("a.txt"), "a text that somebody wrote ".repeat(200)).unwrap();
    pipe("a.txt.mintage.json");
    assert_eq!(TextSource::open(&spec(at("a.txt").display())).unwrap().len(), 1);
}
