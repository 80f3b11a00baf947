//! The whole way with clips: from files and databases to new ones that move, and judged. What needs `ffmpeg` runs where it is
//! installed, or with a program in its place.

use std::{fs, io::Cursor, os::unix::fs::PermissionsExt};

use image::{AnimationDecoder, codecs::gif::GifDecoder};
use mintage_data::{Animation, Ffmpeg, ImageShape, gif_bytes, provenance_of_clip};
use rusqlite::{Connection, params};

use crate::helpers::{Done, Place};

/// The smallest useful training of a model of clips.
const SMALL: &str = "--size tiny --steps 16 -s model.width=8 -s model.blocks=1 -s model.time_blocks=1 \
                     -s model.prior_width=32 -s model.prior_layers=1 -s model.codes=16 -s model.grid=3 -s model.batch=4";
const SIDE: usize = 12;

/// A square that walks to the right or falls, on a ground of its own; no two clips are alike.
fn film(kind: usize, i: usize, frames: usize, side: usize) -> Animation {
    let pixel = |frame: usize, at: usize| {
        let (row, column) = (at / side, at % side);
        let (along, across) = if kind == 0 { (column, row) } else { (row, column) };
        let inside = (along + side - frame - i % 5) % side < 4 && (across + i / 5) % side < 4;
        if inside { 200 + (i % 50) as u8 } else { (i / 3 % 60) as u8 }
    };
    let shape = ImageShape { channels: 1, height: side, width: side };
    let frame = |frame: usize| (0..side * side).map(|at| pixel(frame, at)).collect();
    Animation { shape, fps: 10.0, frames: (0..frames).map(frame).collect() }
}

fn gif(kind: usize, i: usize) -> Vec<u8> {
    gif_bytes(&film(kind, i, 6, SIDE), None).unwrap()
}

fn folder(place: &Place, each: usize) {
    for (kind, name) in ["идёт", "fall"].into_iter().enumerate() {
        (0..each).for_each(|i| place.write(&format!("clips/{name}/{i}.gif"), gif(kind, i)));
    }
}

/// Frames of a GIF, and their width.
fn frames(bytes: &[u8]) -> (usize, u32) {
    let frames = GifDecoder::new(Cursor::new(bytes)).unwrap().into_frames().collect_frames().unwrap();
    (frames.len(), frames[0].buffer().width())
}

/// `mintage LINE` with another `PATH`.
fn with_path(place: &Place, path: &str, line: &str) -> Done {
    let args: Vec<&str> = line.split_whitespace().collect();
    place.mintage(&args).env("PATH", path).output().unwrap().into()
}

#[test]
fn the_whole_way_with_clips() {
    let place = Place::new();
    folder(&place, 150);
    let said = place.ok("inspect clips");
    assert!(said.text().contains("300 clips") && said.text().contains("идёт 150"), "{}", said.text());
    assert!(said.stderr.contains("next: mintage train clips"), "{}", said.stderr);
    place.ok("init clips -o recipe.toml");
    place.ok(&format!("train recipe.toml {SMALL} --name m"));
    let said = place.ok("show m");
    let what = "clips, 6 frames 12×12 gray at 10 a second, 2 classes";
    assert!(said.text().contains(what) && said.text().contains(".gif"), "{}", said.text());
    drawn(&place);
    begun(&place);
    let said = place.ok("--json reconstruct m -n 4 -o back.gif").json();
    assert!(said["psnr_db"].is_number() && said["n"] == 4);
    place.write("long.gif", gif_bytes(&film(0, 3, 15, 24), None).unwrap());
    place.ok_args(&["reconstruct", "m", "long.gif", "clips/идёт/1.gif", "-o", "pairs.gif"]);
    assert_eq!(frames(&place.read("pairs.gif")).0, 15);
    judged(&place);
}

/// New ones in every format.
fn drawn(place: &Place) {
    // The same request gives the same clips; another seed others. What made them stands in them.
    place.ok("sample m -n 4 -o a.gif");
    place.ok("sample m -n 4 -o b.gif");
    assert_eq!(place.read("a.gif"), place.read("b.gif"));
    place.ok("sample m -n 4 -o c.gif --seed 2");
    assert!(place.read("a.gif") != place.read("c.gif"));
    assert_eq!(provenance_of_clip(&place.read("a.gif")).unwrap().family, "vqvae");
    place.ok("sample m -n 1 -o one.gif");
    assert_eq!(frames(&place.read("one.gif")), (6, 12));
    place.ok("sample m --grid 3x1 -o strip.png --frames 9");
    let (width, height) = place.picture_size("strip.png");
    assert!(width > 3 * 56 && height < 2 * 64, "{width}×{height}");
    place.ok_args(&["sample", "m", "-n", "3", "--where", "label=идёт", "-o", "new/"]);
    assert_eq!(place.files().keys().filter(|path| path.starts_with(place.path("new/идёт"))).count(), 3);
    assert!(place.text("new/metadata.csv").contains("vqvae"));
    if Ffmpeg::default().check("tests").is_ok() {
        place.ok("sample m -n 2 -o new.mp4 --temperature 0.9 --top-k 8");
        assert!(provenance_of_clip(&place.read("new.mp4")).is_some());
        place.ok("sample m -n 1 -o on.mp4 --continue new.mp4");
    }
}

/// Clips that begin with another one, which may be of any size and length.
fn begun(place: &Place) {
    place.ok("sample m -n 1 -o like.gif --like clips/fall/3.gif --strength 0.2");
    assert_eq!(frames(&place.read("like.gif")), (6, 12));
    place.ok("sample m -n 1 -o on.gif --continue clips/fall/3.gif");
    assert_eq!(frames(&place.read("on.gif")), (12, 12));
    place.ok("sample m -n 2 -o on.gif --continue clips/fall/3.gif --seconds 0.9");
    assert_eq!(frames(&place.read("on.gif")).0, 9);
}

fn judged(place: &Place) {
    let report = place.ok("evaluate m -n 20 --json -").json();
    let metrics = report["metrics"].as_array().unwrap();
    let names: Vec<&str> = metrics.iter().map(|m| m["name"].as_str().unwrap()).collect();
    for name in [
        "C2ST AUC",
        "Fréchet distance",
        "Fréchet distance of single frames",
        "Wasserstein distance of motion",
        "near copies",
        "frames closer to train than to holdout",
        "accuracy on real data, trained on new",
        "PSNR of held-out clips",
    ] {
        assert!(names.contains(&name), "{name} is not in {names:?}");
    }
    // With so few clips not every dial has a number, and those without say why.
    let told = |of: &str| report[of].as_object().map_or(0, serde_json::Map::len);
    assert_eq!((told("dials") + told("unmeasured"), told("dials") > 1), (4, true), "{report}");
    let page = place.text("runs/m/report.html");
    assert!(page.contains("data:image/gif") && !page.contains("<script") && page.len() < 2_000_000);
    (0..3).for_each(|i| place.write(&format!("other/{i}.gif"), gif(1, 7 * i)));
    let scores = place.ok("score m other");
    let lines: Vec<&str> = scores.text().lines().collect();
    assert!(lines[0] == "name,conformity,nll" && lines.len() == 4, "{}", scores.text());
    let said = place.ok("compare m m --grid both.gif");
    assert!(said.text().contains("vqvae tiny"), "{}", said.text());
    assert_eq!(frames(&place.read("both.gif")).0, 6);
    assert!(place.run("compare m --grid both.png").stderr.contains("compared in a .gif"));
}

#[test]
fn clips_of_a_database() {
    let place = Place::new();
    let connection = Connection::open(place.path("steps.db")).unwrap();
    connection.execute("CREATE TABLE steps (id INTEGER PRIMARY KEY, clip BLOB, kind TEXT)", ()).unwrap();
    for i in 0..60 {
        let row = params![gif(i % 2, i), ["идёт", "fall"][i % 2]];
        connection.execute("INSERT INTO steps (clip, kind) VALUES (?1, ?2)", row).unwrap();
    }
    place.ok(&format!("train steps.db --label kind {SMALL} --name m"));
    place.ok("sample m -n 4 -o steps.db");
    place.ok("sample m -n 2 -o steps.db --table more --column clip --label-column kind");
    let count = |sql: &str| connection.query_row(sql, (), |row| row.get::<_, u32>(0)).unwrap();
    let made =
        "mintage IS NOT NULL AND kind IN ('идёт', 'fall') AND substr(clip, 1, 3) = CAST('GIF' AS BLOB)";
    assert_eq!(count(&format!("SELECT count(*) FROM steps WHERE {made}")), 4);
    assert_eq!(count(&format!("SELECT count(*) FROM more WHERE {made}")), 2);
    // They are never learned from.
    let said = place.ok("inspect steps.db --table steps --column clip");
    assert!(said.text().contains("60 clips"), "{}", said.text());
}

#[test]
fn what_clips_are_not_asked_for() {
    let place = Place::new();
    folder(&place, 20);
    place.ok(&format!("train clips {SMALL} --name m"));
    place.write("text.mp4", "no film at all");
    place.write("still.gif", gif_bytes(&film(0, 1, 1, SIDE), None).unwrap());
    for (line, why) in [
        ("sample m --key C", "has no meaning"),
        ("sample m -o a.avi", "does not say what to write"),
        ("sample m --frames 1 -o a.gif", "2 to 10000 frames"),
        ("sample m --frames 8 --seconds 2 -o a.gif", "cannot be met together"),
        ("sample m --seconds -1 -o a.gif", "more than 0"),
        ("sample m --continue clips/fall/1.gif --frames 4 -o a.gif", "has 6 frames already"),
        ("sample m --like text.mp4 -o a.gif", "text.mp4: is no clip"),
        ("sample m --continue still.gif -o a.gif", "has one frame; that is a picture"),
        ("sample m --like clips/fall/99.gif -o a.gif", "there is no such file"),
        ("sample m --where label=jump -o a.gif", "knows no label"),
        ("sample m -o a.db", "--table of the database"),
        ("reconstruct m text.mp4", "is no clip"),
        ("reconstruct m clips/fall/1.gif -o a.wav", "end it with .gif"),
        ("evaluate m", "too few to judge"),
        ("train text.mp4", "is no clip"),
        ("train clips -s data.frames=1", "from 2 to 256"),
        ("train clips -s data.size=10", "multiple of 4"),
        ("train clips --model mixture", "there is no mixture of clips"),
    ] {
        let said = place.refused(line);
        assert!(said.contains(why), "{line}\n{said}");
    }
}

#[test]
fn a_family_without_an_encoder_says_so() {
    let place = Place::new();
    folder(&place, 10);
    place.ok("train clips --model gan --size tiny --steps 4 -s model.width=8 -s model.blocks=1 -s model.batch=4 --name m");
    place.ok("sample m -n 2 -o a.gif --frames 4");
    assert_eq!(frames(&place.read("a.gif")).0, 4);
    for line in ["sample m -o b.gif --continue clips/fall/1.gif", "reconstruct m clips/fall/1.gif"] {
        let said = place.refused(line);
        assert!(said.contains("a gan") && said.contains("vae and vqvae"), "{line}\n{said}");
    }
}

#[test]
fn clips_that_cannot_be_learned_from() {
    let place = Place::new();
    // Of one frame each: pictures, unless they are asked for as clips.
    for name in ["a", "b", "c"] {
        place.write(&format!("still/{name}.gif"), gif_bytes(&film(0, 1, 1, SIDE), None).unwrap());
    }
    assert!(place.refused("train still --kind video").contains("has one frame; that is a picture"));
    // Folders of frames of several sizes.
    for clip in 0..3 {
        for frame in 0..4 {
            let side = if frame == 3 { 16 } else { 12 };
            place.write(&format!("sizes/{clip}/{frame}.png"), crate::helpers::png(clip, side));
        }
    }
    let said = place.refused("train sizes --kind video");
    assert!(said.contains("its frames change in size: the first is 12×12, 3.png is 16×16"), "{said}");
    let whole = gif(0, 1);
    place.write("half.gif", &whole[..whole.len() * 2 / 3]);
    assert!(place.refused("train half.gif --kind video").contains("is cut off"));
}

#[test]
fn ffmpeg_missing_and_failing() {
    let place = Place::new();
    folder(&place, 20);
    place.ok(&format!("train clips {SMALL} --name m"));
    place.write("film.mp4", b"\0\0\0\x20ftypisom");
    for line in [
        "sample m -o new.mp4",
        "sample m -o new.gif --like film.mp4",
        "reconstruct m -o new.mp4",
        "train film.mp4",
    ] {
        let done = with_path(&place, "/nowhere", line);
        assert_eq!(done.code, Some(2), "{line}\n{}", done.stderr);
        assert!(
            done.stderr.contains("need the program `ffmpeg`") && done.stderr.contains("apt install"),
            "{}",
            done.stderr
        );
    }
    // One that is there, and cannot do it.
    let program =
        "#!/bin/sh\ncase \"$*\" in *-version*) echo 7;; *) echo 'no space left' >&2; exit 1;; esac\n";
    place.write("bin/ffmpeg", program);
    fs::set_permissions(place.path("bin/ffmpeg"), fs::Permissions::from_mode(0o755)).unwrap();
    let path = place.path("bin").display().to_string();
    for (line, why) in [
        ("sample m -o new.mp4", "ffmpeg cannot write it: no space left"),
        ("train film.mp4", "ffmpeg cannot read it: no space left"),
    ] {
        let done = with_path(&place, &path, line);
        assert!(done.code == Some(2) && done.stderr.contains(why), "{line}\n{}", done.stderr);
    }
    assert!(!place.path("new.mp4").exists() && !place.path("new.mp4.tmp").exists());
}
