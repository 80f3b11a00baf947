//! Folders as people have them: metadata in any form, documents and stray files beside the data, parts for testing, files of
//! kinds that are not read; of images, texts, tunes, sounds and clips alike.
#![allow(clippy::unwrap_used)]

use std::{fs, path::Path};

use mintage_data::{
    Animation, AudioSet, DataKind, ImageSet, ImageShape, Images, MusicSource, SourceSpec, TextSource,
    VideoSet,
    audio::{WavDepth, wav_bytes},
    gif_bytes, inspect, is_music, is_sound, is_text, is_video,
    music::{Note, Score},
    png_bytes,
};

fn write(root: &Path, file: &str, bytes: impl AsRef<[u8]>) {
    let path = root.join(file);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, bytes).unwrap();
}

fn spec(root: &Path) -> SourceSpec {
    SourceSpec { source: root.display().to_string(), ..SourceSpec::default() }
}

/// The name of a folder, and one of its files.
type Kind = (&'static str, &'static str, fn(usize) -> Vec<u8>);

/// What items of every kind are made of.
const KINDS: [Kind; 5] = [
    ("images", "png", image),
    ("texts", "txt", text),
    ("tunes", "mid", tune),
    ("sounds", "wav", sound),
    ("clips", "gif", clip),
];

fn image(i: usize) -> Vec<u8> {
    let shape = ImageShape { channels: 1, height: 8, width: 8 };
    let images = Images { shape, pixels: vec![(i * 5 + 40) as u8; 64], labels: vec![], classes: vec![] };
    png_bytes(&images, 0, None).unwrap()
}

fn text(i: usize) -> Vec<u8> {
    format!("Text number {i} says that it is the {i}th of many, and no more than that.\n")
        .repeat(3)
        .into_bytes()
}

fn tune(i: usize) -> Vec<u8> {
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

fn sound(i: usize) -> Vec<u8> {
    let samples: Vec<f32> = (0..1600).map(|t| (t as f32 * (0.1 + i as f32 * 0.01)).sin() * 0.3).collect();
    wav_bytes(&samples, 1, 8000, WavDepth::Bits16, "")
}

fn clip(i: usize) -> Vec<u8> {
    let frames = (0..4).map(|frame| vec![(i * 5 + frame * 40) as u8; 64]).collect();
    let shape = ImageShape { channels: 1, height: 8, width: 8 };
    gif_bytes(&Animation { shape, fps: 10.0, frames }, None).unwrap()
}

/// What opening a folder said.
#[derive(Debug)]
struct Opened {
    classes: Vec<String>,
    count: usize,
    held: usize,
    notes: String,
}

fn open(kind: &str, spec: &SourceSpec) -> Result<Opened, mintage_data::Error> {
    let opened = |classes: &[String], count: usize, held: usize, notes: &[String]| Opened {
        classes: classes.to_vec(),
        count,
        held,
        notes: notes.join("\n"),
    };
    let classes = |labels: Option<&[String]>| {
        let mut classes = labels.unwrap_or_default().to_vec();
        classes.sort();
        classes.dedup();
        classes
    };
    let held = |range: Option<std::ops::Range<usize>>| range.map_or(0, |range| range.len());
    Ok(match kind {
        "images" => {
            let set = ImageSet::open(spec)?;
            opened(set.classes(), set.len(), set.splits().holdout.len(), set.notes())
        }
        "texts" => {
            let source = TextSource::open(spec)?;
            opened(&classes(source.labels()), source.len(), held(source.official_holdout()), source.notes())
        }
        "tunes" => {
            let source = MusicSource::open(spec)?;
            opened(&classes(source.labels()), source.len(), held(source.official_holdout()), source.notes())
        }
        "sounds" => {
            let set = AudioSet::open(spec)?;
            opened(set.classes(), set.len(), set.splits().holdout.len(), set.notes())
        }
        _ => {
            let set = VideoSet::open(spec)?;
            opened(set.classes(), set.clip_count(), set.splits().holdout.len(), set.notes())
        }
    })
}

#[test]
fn documents_and_stray_files_take_no_labels_away() {
    for (kind, suffix, make) in KINDS {
        let dir = tempfile::tempdir().unwrap();
        for i in 0..24 {
            write(dir.path(), &format!("{}/{i:02}.{suffix}", ["bad", "good"][i % 2]), make(i));
        }
        for name in ["README.md", "LICENSE", "Thumbs.db", ".DS_Store", ".gitattributes", "good/README.txt"] {
            write(dir.path(), name, "About these data, in so many words. ".repeat(20));
        }
        let found = open(kind, &spec(dir.path())).unwrap();
        assert_eq!((found.classes.join(" "), found.count), ("bad good".to_owned(), 24), "{kind}");
        write(dir.path(), &format!("stray.{suffix}"), make(30));
        let found = open(kind, &spec(dir.path())).unwrap();
        assert_eq!((found.classes.join(" "), found.count), ("bad good".to_owned(), 24), "{kind}");
        assert!(
            found.notes.contains(&format!("beside the folders is left out: stray.{suffix}")),
            "{kind}: {found:?}"
        );
    }
}

#[test]
fn what_lies_in_test_is_held_out_and_said_to_be() {
    for (kind, suffix, make) in KINDS {
        for labelled in [false, true] {
            let dir = tempfile::tempdir().unwrap();
            for i in 0..24 {
                let part = if i < 18 { "Train" } else { "Test" };
                let class = if labelled { ["a/", "b/"][i % 2] } else { "" };
                write(dir.path(), &format!("{part}/{class}{i:02}.{suffix}"), make(i));
            }
            let found = open(kind, &spec(dir.path())).unwrap();
            assert_eq!((found.count, found.held), (24, 6), "{kind} {labelled}: {found:?}");
            assert_eq!(found.classes.len(), if labelled { 2 } else { 0 }, "{kind} {labelled}: {found:?}");
            assert!(found.notes.contains("6 in Test/ are held out"), "{kind} {labelled}: {found:?}");
        }
    }
}

/// Metadata of 20 files in every form, with the column `animal`, and a file that is not there.
fn metadata(suffix: &str, delimiter: char) -> String {
    let mut text = format!("file_name{delimiter}animal\n");
    for i in 0..20 {
        text.push_str(&format!("x/{i}.{suffix}{delimiter}{}\n", ["кот", "пёс"][i % 2]));
    }
    text + &format!("x/99.{suffix}{delimiter}кот\n")
}

fn json_lines(suffix: &str) -> String {
    let line = |i: usize| {
        let (animal, file) = (["кот", "пёс"][i % 2], format!("x\\{i}.{suffix}"));
        format!("{}\n", serde_json::json!({ "animal": animal, "file_name": file }))
    };
    (0..20).chain([99]).map(line).collect()
}

#[test]
fn metadata_are_read_in_every_form() {
    for (kind, suffix, make) in KINDS {
        let utf16: Vec<u8> = [
            &b"\xff\xfe"[..],
            &metadata(suffix, ';').encode_utf16().flat_map(u16::to_le_bytes).collect::<Vec<_>>(),
        ]
        .concat();
        let forms: [(&str, Vec<u8>); 6] = [
            ("metadata.csv", metadata(suffix, ',').into_bytes()),
            ("metadata.csv", metadata(suffix, ';').into_bytes()),
            ("metadata.csv", encoding_rs::WINDOWS_1251.encode(&metadata(suffix, '\t')).0.into_owned()),
            ("metadata.csv", utf16),
            ("metadata.jsonl", json_lines(suffix).into_bytes()),
            ("x/metadata.jsonl", json_lines(suffix).replace("x\\\\", "").into_bytes()),
        ];
        for (name, bytes) in forms {
            let dir = tempfile::tempdir().unwrap();
            (0..20).for_each(|i| write(dir.path(), &format!("x/{i}.{suffix}"), make(i)));
            write(dir.path(), &format!("x/unnamed.{suffix}"), make(40));
            write(dir.path(), name, &bytes);
            let labelled = SourceSpec { label: Some("animal".into()), ..spec(dir.path()) };
            let found = open(kind, &labelled).unwrap();
            assert_eq!((found.classes.join(" "), found.count), ("кот пёс".to_owned(), 20), "{kind} {name}");
            assert!(found.notes.contains("names 1 file that is not there"), "{kind} {name}: {found:?}");
            assert!(
                found.notes.contains(&format!("does not name is left out: x/unnamed.{suffix}")),
                "{kind} {name}: {found:?}"
            );
            let wrong = SourceSpec { label: Some("animl".into()), ..spec(dir.path()) };
            assert_eq!(
                open(kind, &wrong).unwrap_err().hint().as_deref(),
                Some("did you mean `animal`?"),
                "{kind} {name}"
            );
        }
    }
}

#[test]
fn metadata_for_something_else_are_told_and_not_used() {
    let dir = tempfile::tempdir().unwrap();
    (0..20).for_each(|i| write(dir.path(), &format!("wavs/LJ{i:03}.wav"), sound(i)));
    // The transcripts of LJSpeech: names without suffixes, no header, a quote that is never closed.
    let lines: String =
        (0..20).map(|i| format!("LJ{i:03}|What is said, \"in words {i}|What is said\n")).collect();
    write(dir.path(), "metadata.csv", lines);
    assert!(is_sound(&spec(dir.path())).unwrap());
    let set = AudioSet::open(&spec(dir.path())).unwrap();
    assert_eq!((set.len(), set.classes().len()), (20, 0));
    write(dir.path(), "metadata.csv", "speaker,age\nanna,30\nbert,40\n");
    let set = AudioSet::open(&spec(dir.path())).unwrap();
    assert!(
        set.notes().iter().any(|note| note == "metadata.csv is not used: has no column `file_name`"),
        "{:?}",
        set.notes()
    );
    let labelled = SourceSpec { label: Some("age".into()), ..spec(dir.path()) };
    assert!(AudioSet::open(&labelled).unwrap_err().to_string().contains("no column `file_name`"));
}

#[test]
fn files_of_kinds_that_are_not_read_are_named() {
    let dir = tempfile::tempdir().unwrap();
    (0..20).for_each(|i| write(dir.path(), &format!("{i}.png"), image(i)));
    write(dir.path(), "20.JFIF", jpeg());
    for name in ["a.heic", "b.heic", "c.tif"] {
        write(dir.path(), name, "x");
    }
    let set = ImageSet::open(&spec(dir.path())).unwrap();
    assert_eq!((set.len(), set.skipped()), (21, 0));
    assert!(
        set.notes()[0]
            .starts_with("3 files are left out, images of kinds that are not read: 2 .heic, 1 .tif"),
        "{:?}",
        set.notes()
    );
    assert!(inspect(&spec(dir.path())).unwrap().alerts.iter().any(|alert| alert.message.contains(".heic")));
    for (suffix, hint) in
        [("m4a", "FLAC"), ("opus", "FLAC"), ("au", "FLAC"), ("w64", "FLAC"), ("heic", "PNG"), ("wmv", "MP4")]
    {
        let dir = tempfile::tempdir().unwrap();
        (0..3).for_each(|i| write(dir.path(), &format!("{i}.{suffix}"), "x"));
        let error = inspect(&spec(dir.path())).unwrap_err();
        assert!(error.to_string().contains(&format!("found: 3 .{suffix}")), "{error}");
        assert!(error.hint().unwrap().contains(hint), "{error:?}");
    }
}

fn jpeg() -> Vec<u8> {
    let mut bytes = std::io::Cursor::new(Vec::new());
    image::GrayImage::from_pixel(8, 8, image::Luma([200]))
        .write_to(&mut bytes, image::ImageFormat::Jpeg)
        .unwrap();
    bytes.into_inner()
}

#[test]
fn texts_beside_files_describe_them() {
    for (kind, suffix, make) in KINDS.into_iter().filter(|(kind, ..)| *kind != "texts") {
        let dir = tempfile::tempdir().unwrap();
        for i in 0..12 {
            write(dir.path(), &format!("{i:02}.{suffix}"), make(i));
            write(dir.path(), &format!("{i:02}.txt"), text(i));
        }
        let spec = spec(dir.path());
        let is = [is_video(&spec), is_music(&spec), is_text(&spec), is_sound(&spec)].map(Result::unwrap);
        let wanted = ["clips", "tunes", "texts", "sounds"].map(|other| other == kind);
        assert_eq!(is, wanted, "{kind}");
        assert_eq!(open(kind, &spec).unwrap().count, 12, "{kind}");
        let texts = SourceSpec { kind: Some(DataKind::Text), ..spec };
        assert!(is_text(&texts).unwrap() && TextSource::open(&texts).unwrap().len() == 12);
    }
}

#[test]
fn two_kinds_of_as_many_files_are_asked_about() {
    let dir = tempfile::tempdir().unwrap();
    for i in 0..12 {
        write(dir.path(), &format!("{i:02}.wav"), sound(i));
        write(dir.path(), &format!("{i:02}.mid"), tune(i));
    }
    let error = inspect(&spec(dir.path())).unwrap_err();
    assert!(error.to_string().contains("holds 12 tunes and 12 sounds"), "{error}");
    assert_eq!(error.hint().unwrap(), "choose with --kind music or --kind audio");
    let sounds = SourceSpec { kind: Some(DataKind::Audio), ..spec(dir.path()) };
    assert_eq!(inspect(&sounds).unwrap().sounds.unwrap().count, 12);
}

#[test]
fn aiff_is_read() {
    let dir = tempfile::tempdir().unwrap();
    for i in 0..6usize {
        let samples: Vec<i16> =
            (0..1600).map(|t| ((t as f32 * (0.1 + i as f32 * 0.01)).sin() * 9000.0) as i16).collect();
        write(dir.path(), &format!("{i}.aiff"), aiff(&samples));
    }
    let set = AudioSet::open(&spec(dir.path())).unwrap();
    assert_eq!((set.len(), set.codec().rate_hz), (6, 8000));
    assert!((set.seconds(0) - 0.2).abs() < 1e-3);
    let whole = aiff(&vec![900; 1600]);
    write(dir.path(), "0.aiff", &whole[..whole.len() / 2]);
    let error = AudioSet::open(&SourceSpec { strict: true, ..spec(dir.path()) }).unwrap_err();
    assert!(error.to_string().contains("0.aiff: is cut off"), "{error}");
}

/// Mono at 8,000 Hz.
fn aiff(samples: &[i16]) -> Vec<u8> {
    let data: Vec<u8> = samples.iter().flat_map(|sample| sample.to_be_bytes()).collect();
    let chunk = |name: &[u8], body: Vec<u8>| [name, &(body.len() as u32).to_be_bytes(), &body].concat();
    // 8,000 as a float of 80 bits.
    let rate = [0x40, 0x0b, 0xfa, 0, 0, 0, 0, 0, 0, 0];
    let common =
        [&1u16.to_be_bytes()[..], &(samples.len() as u32).to_be_bytes(), &16u16.to_be_bytes(), &rate]
            .concat();
    let sound = [&[0; 8][..], &data].concat();
    let body = [b"AIFF".to_vec(), chunk(b"COMM", common), chunk(b"SSND", sound)].concat();
    chunk(b"FORM", body)
}
