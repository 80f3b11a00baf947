//! Clips from every kind of source: what is found, how it is cut and split, what is refused, and what comes back from
//! where Mintage wrote it. Those of films run where `ffmpeg` is on PATH.
#![allow(clippy::unwrap_used)]

use std::{fs, path::Path};

use image::{Rgb, RgbImage};
use mintage_data::{
    Animation, Clips, DataKind, Ffmpeg, ImageSet, ImageShape, Provenance, SourceSpec, Split, VideoSet,
    apng_bytes, append_blobs, gif_bytes, inspect, inspect::ColumnKind, is_video, provenance_of_clip,
    write_clip_folder, write_frame_folders, write_mp4,
};
use rusqlite::Connection;

fn spec(path: &Path) -> SourceSpec {
    SourceSpec { source: path.display().to_string(), allow_made: true, ..SourceSpec::default() }
}

fn video(path: &Path) -> SourceSpec {
    SourceSpec { kind: Some(DataKind::Video), ..spec(path) }
}

/// A square of a colour of its own that walks to the right, a pixel a frame, ten frames a second.
fn walk(seed: usize, frames: usize, side: usize) -> Animation {
    let frame = |at: usize| {
        let image = RgbImage::from_fn(side as u32, side as u32, |x, y| {
            let inside = (x as usize + side - at % side) % side < 4 && (y as usize + seed) % side < 4;
            if inside { Rgb([250, (seed * 40 % 256) as u8, 10]) } else { Rgb([20, 20, (seed % 200) as u8]) }
        });
        image.into_raw()
    };
    let shape = ImageShape { channels: 3, height: side, width: side };
    Animation { shape, fps: 10.0, frames: (0..frames).map(frame).collect() }
}

fn gif(seed: usize, frames: usize) -> Vec<u8> {
    gif_bytes(&walk(seed, frames, 16), None).unwrap()
}

fn put(path: &Path, bytes: impl AsRef<[u8]>) {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, bytes).unwrap();
}

fn refused(spec: &SourceSpec) -> String {
    VideoSet::open(spec).unwrap_err().to_string()
}

fn provenance() -> Provenance {
    Provenance {
        model: "шаг".into(),
        weights: "3f9c2a7b".into(),
        family: "vqvae".into(),
        seed: 3,
        options: serde_json::json!({}),
        version: "0".into(),
    }
}

fn ffmpeg() -> Option<Ffmpeg> {
    let ffmpeg = Ffmpeg::default();
    ffmpeg.check("tests").is_ok().then_some(ffmpeg)
}

#[test]
fn a_folder_of_gifs_and_apngs() {
    let dir = tempfile::tempdir().unwrap();
    for i in 0..40 {
        let name = format!("{}/{i:02}.{}", ["run", "walk"][i % 2], ["gif", "png"][i / 2 % 2]);
        let bytes = if i / 2 % 2 == 0 { gif(i, 12) } else { apng_bytes(&walk(i, 12, 16), None).unwrap() };
        put(&dir.path().join(name), bytes);
    }
    let spec = spec(dir.path());
    assert!(is_video(&spec).unwrap());
    let set = VideoSet::open(&spec).unwrap();
    assert_eq!(
        (set.len(), set.clip_count(), set.classes()),
        (40, 40, &["run".to_owned(), "walk".to_owned()][..])
    );
    assert_eq!(set.shape(), ImageShape { channels: 3, height: 16, width: 16 });
    assert_eq!((set.codec().frames, set.codec().fps), (12, 10.0));
    assert!((set.seconds() - 48.0).abs() < 1e-9);
    let s = set.splits();
    assert!(s.train.len() > 25 && !s.valid.is_empty() && !s.holdout.is_empty());

    // What was drawn comes back exactly.
    let item = (0..40).find(|&i| set.name(i) == "run/02.png").unwrap();
    let clips = set.clips(&[item]);
    assert_eq!((clips.film(0), clips.label(0)), (walk(2, 12, 16), Some("run")));

    // A square and a ground in a colour of each clip: few enough to choose among them.
    let palette = set.palette().unwrap();
    let all = set.batch(&set.splits().train, None).pixels;
    assert!(palette.indices(&all, 12 * 256).missing.is_empty());

    // A single one as the model sees it, whatever its length.
    let codec = set.codec();
    assert_eq!(codec.read(&dir.path().join("run/02.png"), &Ffmpeg::default()).unwrap(), clips.pixels);
    put(&dir.path().join("else/text.mp4"), "no film");
    let why = codec.read(&dir.path().join("else/text.mp4"), &Ffmpeg::default()).unwrap_err().to_string();
    assert!(why.contains("text.mp4: is no clip"), "{why}");
    let error = codec.read(&dir.path().join("run/03.png"), &Ffmpeg::default()).unwrap_err();
    assert_eq!(error.hint().as_deref(), Some("did you mean `02.png`?"));
    fs::remove_dir_all(dir.path().join("else")).unwrap();

    // From a mapped file, and with the codec of a trained model, the same.
    let mapped = VideoSet::open_with(&spec, None, &Ffmpeg::default(), 1000).unwrap();
    assert!(mapped.is_mapped() && !set.is_mapped());
    let all: Vec<u32> = (0..40).collect();
    assert_eq!(mapped.batch(&all, Some(1)), set.batch(&all, Some(1)));
    assert_eq!((mapped.fingerprint(), mapped.splits()), (set.fingerprint(), set.splits()));
    let mut codec = set.codec().clone();
    (codec.classes, codec.frames) = (vec!["walk".to_owned()], 4);
    let known = VideoSet::open_as(&spec, &codec).unwrap();
    assert_eq!((known.len(), known.clip_count()), (120, 40));
    assert!(known.palette().is_none(), "the model has its own");
    assert!(known.labels().contains(&0) && known.labels().contains(&1));

    let found = inspect(&spec).unwrap();
    let facts = found.clips.unwrap();
    assert_eq!((found.kind.as_str(), facts.count, facts.windows, facts.classes.len()), ("folder", 40, 40, 2));
}

#[test]
fn still_pictures_stay_images() {
    let dir = tempfile::tempdir().unwrap();
    for i in 0..30u8 {
        let image = RgbImage::from_pixel(8, 8, Rgb([i, 2, 3]));
        // Numbered pictures in sub-folders: the usual folder of images with labels.
        let path = dir.path().join(format!("{}/{i:04}.png", ["a", "b"][usize::from(i) % 2]));
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        image.save(path).unwrap();
    }
    put(&dir.path().join("a/moves.gif"), gif(1, 5));
    put(&dir.path().join("b/still.gif"), gif(1, 1));
    assert!(!is_video(&spec(dir.path())).unwrap());
    assert_eq!(ImageSet::open(&spec(dir.path())).unwrap().len(), 32);
    assert!(!is_video(&spec(&dir.path().join("b/still.gif"))).unwrap());
    assert!(is_video(&spec(&dir.path().join("a/moves.gif"))).unwrap());
    let image = SourceSpec { kind: Some(DataKind::Image), ..spec(&dir.path().join("a/moves.gif")) };
    assert!(!is_video(&image).unwrap());
}

#[test]
fn folders_of_frames() {
    let dir = tempfile::tempdir().unwrap();
    for i in 0..12 {
        for (number, frame) in walk(i, 6, 16).frames.into_iter().enumerate() {
            let image = RgbImage::from_raw(16, 16, frame).unwrap();
            let path = dir.path().join(format!("{}/clip{i}/f{}.png", ["run", "walk"][i % 2], number + 7));
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            image.save(path).unwrap();
        }
    }
    assert!(!is_video(&spec(dir.path())).unwrap(), "they look like folders of images");
    let set = VideoSet::open(&video(dir.path())).unwrap();
    assert_eq!((set.len(), set.classes().len(), set.codec().frames), (12, 2, 6));
    let item = (0..12).find(|&i| set.name(i) == "run/clip2").unwrap();
    assert_eq!(set.clips(&[item]).film(0).frames, walk(2, 6, 16).frames, "f7 to f12, by number");
    // One folder of frames is one clip.
    let why = refused(&video(&dir.path().join("run/clip2")));
    assert!(why.contains("too short to learn from"), "{why}");
}

#[test]
fn one_clip_is_split_in_time() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("long.gif");
    put(&path, gif(3, 400));
    let set = VideoSet::open(&spec(&path)).unwrap();
    let frames = set.codec().frames;
    assert_eq!((set.clip_count(), frames), (1, 16));
    let s = set.splits();
    // 25 windows: three are held out, one validates.
    assert_eq!((s.train.len(), s.valid.len(), s.holdout.len()), (21, 1, 3));
    assert_eq!(set.name(*s.holdout.first().unwrap()), "long.gif at 35.2 s");
    let end = set.clips(&[*s.holdout.last().unwrap()]);
    let square = walk(3, 400, 16).frames;
    assert_eq!(end.film(0).frames, square[400 - frames..]);
    // Windows of training begin anywhere, but never among the frames of another split.
    let item = *s.train.last().unwrap();
    let first = |seed| set.batch(&[item], seed);
    assert_eq!(first(Some(5)), first(Some(5)));
    assert!((0..20).any(|seed| first(Some(seed)) != first(None)));
    let short = dir.path().join("short.gif");
    put(&short, gif(3, 4));
    assert!(refused(&spec(&short)).contains("too short to learn from"));
    // A trained model takes it all the same.
    assert_eq!(VideoSet::open_as(&spec(&short), set.codec()).unwrap().len(), 1);
}

#[test]
fn a_few_long_clips_are_each_split_in_time() {
    let dir = tempfile::tempdir().unwrap();
    (0..3).for_each(|i| put(&dir.path().join(format!("{i}.gif")), gif(i, 160)));
    let set = VideoSet::open(&spec(dir.path())).unwrap();
    let clips_of = |split| -> Vec<String> {
        let mut names: Vec<String> =
            set.splits().get(split).iter().map(|&i| set.name(i)[..5].to_owned()).collect();
        names.dedup();
        names
    };
    for split in [Split::Train, Split::Valid, Split::Holdout] {
        assert_eq!(clips_of(split), ["0.gif", "1.gif", "2.gif"], "{split:?}");
    }
}

#[test]
fn short_clips_stand_still_at_their_end_and_a_test_folder_is_held_out() {
    let dir = tempfile::tempdir().unwrap();
    for i in 0..12 {
        put(&dir.path().join(format!("train/{i:02}.gif")), gif(i, 10));
        put(&dir.path().join(format!("test/{i:02}.gif")), gif(i + 50, if i == 0 { 3 } else { 10 }));
    }
    let set = VideoSet::open(&spec(dir.path())).unwrap();
    assert_eq!((set.codec().frames, set.splits().holdout.len()), (10, 12));
    let short = *set.splits().holdout.iter().find(|&&i| set.name(i) == "test/00.gif").unwrap();
    let frames = set.clips(&[short]).film(0).frames;
    assert_eq!(frames[..3], walk(50, 3, 16).frames);
    assert!(frames[3..].iter().all(|frame| *frame == frames[2]));
}

#[test]
fn another_folder_is_held_out() {
    let dir = tempfile::tempdir().unwrap();
    for i in 0..30 {
        let name = if i < 20 {
            format!("all/{}/{i:02}.gif", ["run", "walk"][i % 2])
        } else {
            format!("late/{i}.gif")
        };
        put(&dir.path().join(name), gif(i, 6));
    }
    let holdout = Some(dir.path().join("late").display().to_string());
    let spec = SourceSpec { holdout, limit: Some(15), ..spec(&dir.path().join("all")) };
    let set = VideoSet::open(&spec).unwrap();
    let held = &set.splits().holdout;
    assert_eq!((set.len(), held.len(), set.classes().len()), (25, 10, 2));
    assert!(held.iter().all(|&item| set.name(item).starts_with('2') && set.labels()[item as usize] == 2));
}

#[test]
fn blobs_of_a_table_without_what_mintage_made() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("clips.db");
    let connection = Connection::open(&path).unwrap();
    connection.execute_batch("CREATE TABLE acts (id INTEGER PRIMARY KEY, act TEXT, clip BLOB)").unwrap();
    for i in 0..20 {
        let values = rusqlite::params![["run", "walk"][i % 2], gif(i, 8)];
        connection.execute("INSERT INTO acts (act, clip) VALUES (?1, ?2)", values).unwrap();
    }
    let new = |i: usize| Ok((gif(i + 100, 8), Some("run")));
    append_blobs(&path, "acts", "clip", Some("act"), 5, &new, &provenance()).unwrap();
    assert!(is_video(&spec(&path)).unwrap());
    let labelled = SourceSpec { label: Some("act".to_owned()), ..spec(&path) };
    let set = VideoSet::open(&labelled).unwrap();
    assert_eq!((set.len(), set.classes().len()), (20, 2));
    // Items are in the order of their splits, which hashes decide.
    assert!((0..20).any(|item| set.name(item) == "row 1 of acts.clip"));
    let resolved = set.resolved(&labelled);
    assert_eq!((resolved.kind, resolved.column.as_deref()), (Some(DataKind::Video), Some("clip")));
    let found = inspect(&spec(&path)).unwrap();
    assert!(found.tables[0].columns.iter().any(|column| column.kind == ColumnKind::Video));
    assert_eq!(found.clips.unwrap().count, 20);
    assert!(found.alerts.iter().any(|alert| alert.message.contains("`act` has few values")));
    // Still pictures beside them: nothing says which are meant, and images it is.
    connection.execute_batch("ALTER TABLE acts ADD COLUMN face BLOB").unwrap();
    connection.execute("UPDATE acts SET face = ?1", [gif(1, 1)]).unwrap();
    assert!(!is_video(&spec(&path)).unwrap());
    assert!(is_video(&SourceSpec { column: Some("clip".to_owned()), ..spec(&path) }).unwrap());
}

#[test]
fn bad_clips_are_counted_or_refused() {
    let dir = tempfile::tempdir().unwrap();
    (0..60).for_each(|i| put(&dir.path().join(format!("{i:02}.gif")), gif(i, 6)));
    put(&dir.path().join("one.gif"), gif(0, 1));
    let set = VideoSet::open(&spec(dir.path())).unwrap();
    assert_eq!((set.len(), set.skipped()), (60, 1));
    assert!(
        set.notes()[0].ends_with("the first is one.gif: has one frame; that is a picture"),
        "{:?}",
        set.notes()
    );
    let strict = refused(&SourceSpec { strict: true, ..spec(dir.path()) });
    assert!(strict.contains("one.gif: has one frame"), "{strict}");
    put(&dir.path().join("half.gif"), &gif(0, 6)[..150]);
    put(&dir.path().join("none.gif"), b"GIF89a");
    put(&dir.path().join("many.gif"), gif(0, 5000));
    let why = refused(&spec(dir.path()));
    assert!(why.contains("4 of 64 clips cannot be read; the first is half.gif: is cut off"), "{why}");
    let alone = |name: &str| refused(&video(&dir.path().join(name)));
    assert!(alone("many.gif").contains("more than 4096 frames"), "{}", alone("many.gif"));
    assert!(alone("one.gif").ends_with("one.gif: has one frame; that is a picture"));
    assert!(alone("none.gif").ends_with("is cut off"));
    assert!(alone("nowhere.gif").contains("no such file"));
    put(&dir.path().join("notes.txt"), b"text");
    assert!(alone("notes.txt").contains("is neither a clip nor"));
}

#[test]
fn what_is_written_can_be_read_again() {
    let shape = ImageShape { channels: 1, height: 8, width: 8 };
    let pixels: Vec<u8> = (0..12 * 4 * 64u32).map(|i| (i * 7 % 251) as u8).collect();
    let labels = (0..12).map(|i| i % 2).collect();
    let classes = vec!["run".to_owned(), "walk".to_owned()];
    let clips = Clips { shape, frames: 4, fps: 8.0, pixels, labels, classes };
    for suffix in ["gif", "png"] {
        let dir = tempfile::tempdir().unwrap();
        write_clip_folder(dir.path(), &clips, suffix, &provenance(), &Ffmpeg::default()).unwrap();
        let set = VideoSet::open(&spec(dir.path())).unwrap();
        assert_eq!((set.len(), set.codec().frames, set.classes().len()), (12, 4, 2), "{suffix}");
        let all: Vec<u32> = (0..12).collect();
        let again = set.clips(&all);
        for i in 0..12 {
            assert!((0..12).any(|j| again.clip(j) == clips.clip(i)), "{suffix} {i}");
        }
        let bytes = fs::read(dir.path().join(format!("run/000000.{suffix}"))).unwrap();
        assert_eq!(provenance_of_clip(&bytes), Some(provenance()));
    }
    let dir = tempfile::tempdir().unwrap();
    write_frame_folders(dir.path(), &clips, &provenance()).unwrap();
    let set = VideoSet::open(&video(dir.path())).unwrap();
    assert_eq!((set.len(), set.codec().frames, set.classes().len()), (12, 4, 2));
    let set = VideoSet::from_memory(clips.clone());
    let item = (0..12).find(|&i| set.name(i) == "clip 5").unwrap();
    assert_eq!(set.clips(&[item]).clip(0), clips.clip(5));
}

#[test]
fn a_missing_program_is_named_before_anything_is_read() {
    let dir = tempfile::tempdir().unwrap();
    (0..3).for_each(|i| put(&dir.path().join(format!("{i}.mp4")), b"\0\0\0\x20ftypisom"));
    assert!(is_video(&spec(dir.path())).unwrap());
    let missing = Ffmpeg::at("/no/such/ffmpeg");
    let error = VideoSet::open_with(&spec(dir.path()), None, &missing, 1 << 20).unwrap_err();
    assert!(error.to_string().contains("need the program `ffmpeg`, which is not on PATH"), "{error}");
    assert!(error.hint().unwrap().contains("apt install ffmpeg"));
}

#[test]
fn films_come_and_go_through_ffmpeg() {
    let Some(ffmpeg) = ffmpeg() else { return };
    let dir = tempfile::tempdir().unwrap();
    // A name that looks like an option, and one that looks like an address.
    let film = walk(3, 60, 32);
    for name in ["-y.mp4", "http:x.mp4", "ходьба.mp4"] {
        let path = dir.path().join(name);
        write_mp4(&path, &film, Some(&provenance()), &ffmpeg).unwrap();
        assert_eq!(provenance_of_clip(&fs::read(&path).unwrap()), Some(provenance()));
    }
    let files = fs::read_dir(dir.path()).unwrap().count();
    assert_eq!(files, 3, "nothing temporary is left");
    let set = VideoSet::open(&spec(dir.path())).unwrap();
    assert_eq!((set.clip_count(), set.codec().fps, set.shape().width), (3, 10.0, 32));
    assert!((set.seconds() - 18.0).abs() < 0.5, "{}", set.seconds());
    let whole = set.clips(set.splits().train.as_slice());
    assert!(!whole.is_empty());
    let first = set.clips(&[set.splits().valid[0]]).film(0);
    let error: u64 =
        first.frames[0].iter().zip(&film.frames[0]).map(|(a, b)| u64::from(a.abs_diff(*b))).sum();
    assert!(error / (first.frames[0].len() as u64) < 12, "{error}");
    // Half the rate takes every second frame.
    let half = VideoSet::open(&SourceSpec { fps: Some(5.0), ..spec(dir.path()) }).unwrap();
    assert!((half.seconds() - 18.0).abs() < 1.0);

    let bytes = fs::read(dir.path().join("-y.mp4")).unwrap();
    put(&dir.path().join("half.mp4"), &bytes[..bytes.len() / 3]);
    let why = refused(&spec(&dir.path().join("half.mp4")));
    assert!(why.contains("ffmpeg cannot read it: "), "{why}");
    put(&dir.path().join("list.mp4"), b"#EXTM3U\n#EXTINF:1,\n/etc/hostname\n");
    assert!(refused(&video(&dir.path().join("list.mp4"))).contains("is no clip"));

    let clips = set.clips(&set.splits().valid);
    write_clip_folder(&dir.path().join("new"), &clips, "mp4", &provenance(), &ffmpeg).unwrap();
    assert!(dir.path().join("new/000000.mp4").is_file());

    put(&dir.path().join("none.mp4"), b"something else");
    assert!(is_video(&spec(&dir.path().join("none.mp4"))).unwrap());
    assert!(refused(&spec(&dir.path().join("none.mp4"))).contains("is no clip"));

    let path = dir.path().join("films.db");
    let connection = Connection::open(&path).unwrap();
    connection.execute_batch("CREATE TABLE films (film BLOB)").unwrap();
    for _ in 0..2 {
        connection.execute("INSERT INTO films VALUES (?1)", [&bytes]).unwrap();
    }
    assert!(is_video(&spec(&path)).unwrap());
    assert_eq!(VideoSet::open(&spec(&path)).unwrap().clip_count(), 2);
}
