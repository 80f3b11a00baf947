//! The whole way with sounds: from files and databases to new ones that can be heard, and judged.

use mintage_data::audio::{WavDepth, provenance_of_wav, wav_bytes};
use rusqlite::{Connection, params};

use crate::helpers::Place;

const RATE_HZ: u32 = 4_000;
/// The smallest useful training of a model of sounds.
const SMALL: &str = "--size tiny --steps 24 -s model.width=32 -s model.blocks=1 -s model.prior_width=32 \
                     -s model.prior_layers=1 -s model.codes=16 -s model.coarse=2 -s model.fine=2 -s model.batch=8";

/// A low tone or a high one, of about a quarter of a second, no two alike.
fn tone(kind: usize, i: usize) -> Vec<u8> {
    let hz = [220.0, 900.0][kind] * (1.0 + i as f32 / 400.0);
    let length = 900 + i % 7 * 20;
    let sample = |t: usize| 0.4 * (std::f32::consts::TAU * hz * t as f32 / RATE_HZ as f32).sin();
    wav_bytes(&(0..length).map(sample).collect::<Vec<f32>>(), 1, RATE_HZ, WavDepth::Bits16, "")
}

fn folder(place: &Place, each: usize) {
    for (kind, name) in ["бас", "свист"].into_iter().enumerate() {
        (0..each).for_each(|i| place.write(&format!("sounds/{name}/{i}.wav"), tone(kind, i)));
    }
}

/// Samples of a WAV file of this program: a header of 44 bytes, two bytes each.
fn seconds(wav: &[u8]) -> f64 {
    let at = wav.windows(4).position(|four| four == b"data").unwrap();
    let bytes = u32::from_le_bytes(wav[at + 4..at + 8].try_into().unwrap());
    f64::from(bytes / 2) / f64::from(RATE_HZ)
}

#[test]
fn the_whole_way_with_sounds() {
    let place = Place::new();
    folder(&place, 150);
    let said = place.ok("inspect sounds");
    assert!(said.text().contains("300 sounds") && said.text().contains("бас 150"), "{}", said.text());
    place.ok("init sounds -o recipe.toml");
    place.ok(&format!("train recipe.toml {SMALL} --name m"));
    assert!(place.ok("show m").text().contains("sounds of up to 0.3 s, 4000 Hz mono, 2 classes"));
    // The same request gives the same sound; another seed another. What made it stands in it.
    place.ok("sample m -o a.wav");
    place.ok("sample m -o b.wav");
    assert_eq!(place.read("a.wav"), place.read("b.wav"));
    place.ok("sample m -o c.wav --seed 2");
    assert!(place.read("a.wav") != place.read("c.wav"));
    assert!(provenance_of_wav(&place.read("a.wav")).is_some());
    // The same samples in four bytes each.
    place.ok("sample m --bits 32 -o wide.wav");
    let bytes = |name: &str| (seconds(&place.read(name)) * f64::from(RATE_HZ)).round();
    assert_eq!(bytes("wide.wav"), 2.0 * bytes("a.wav"));
    place.ok_args(&["sample", "m", "-n", "3", "--where", "label=свист", "-o", "new/"]);
    assert_eq!(place.files().keys().filter(|path| path.starts_with(place.path("new/свист"))).count(), 3);
    // Longer than it ever heard, varied, and going on.
    place.ok("sample m -o long.wav --seconds 1.5 --temperature 0.9 --top-k 8");
    assert!((0.01..=1.5).contains(&seconds(&place.read("long.wav"))));
    place.ok("sample m -o like.wav --like sounds/бас/3.wav --strength 0.2");
    place.ok("sample m -o on.wav --continue sounds/бас/3.wav --seconds 0.4");
    assert!(seconds(&place.read("on.wav")) > 0.2);
    let said = place.ok("--json reconstruct m -n 4 -o back.wav").json();
    assert!(said["si_sdr_db"].is_number() && said["mel_distance_db"].is_number() && said["n"] == 4);
    place.ok("reconstruct m sounds/бас/1.wav");
    judged(&place);
}

fn judged(place: &Place) {
    let report = place.ok("evaluate m -n 20 --json -").json();
    let metrics = report["metrics"].as_array().unwrap();
    let names: Vec<&str> = metrics.iter().map(|m| m["name"].as_str().unwrap()).collect();
    for name in ["C2ST AUC", "Fréchet distance", "near copies", "SI-SDR of held-out sounds"] {
        assert!(names.contains(&name), "{name} is not in {names:?}");
    }
    let page = place.text("runs/m/report.html");
    assert!(page.contains("New sounds") && page.contains("data:audio/wav") && !page.contains("<script"));
    (0..3).for_each(|i| place.write(&format!("other/{i}.wav"), tone(1, 7 * i)));
    let scores = place.ok("score m other");
    let lines: Vec<&str> = scores.text().lines().collect();
    assert!(lines[0] == "name,conformity,nll" && lines.len() == 4, "{}", scores.text());
}

#[test]
fn sounds_of_a_database() {
    let place = Place::new();
    let connection = Connection::open(place.path("calls.db")).unwrap();
    connection.execute("CREATE TABLE calls (id INTEGER PRIMARY KEY, voice BLOB, kind TEXT)", ()).unwrap();
    for i in 0..60 {
        let kind = ["бас", "свист"][i % 2];
        let row = params![tone(i % 2, i), kind];
        connection.execute("INSERT INTO calls (voice, kind) VALUES (?1, ?2)", row).unwrap();
    }
    place.ok(&format!("train calls.db --label kind {SMALL} --name m"));
    place.ok("sample m -n 4 -o calls.db");
    let count = |sql: &str| connection.query_row(sql, (), |row| row.get::<_, u32>(0)).unwrap();
    let made = "SELECT count(*) FROM calls WHERE mintage IS NOT NULL AND kind IN ('бас', 'свист') \
                AND substr(voice, 1, 4) = CAST('RIFF' AS BLOB)";
    assert_eq!(count(made), 4);
    // They are never learned from.
    assert!(place.ok("inspect calls.db").text().contains("60 sounds"));
}

#[test]
fn what_sounds_are_not_asked_for() {
    let place = Place::new();
    folder(&place, 20);
    place.ok(&format!("train sounds {SMALL} --name m"));
    place.write("text.wav", "no sound at all");
    for (line, why) in [
        ("sample m --key C", "has no meaning"),
        ("sample m -n 2 -o a.wav", "one sound"),
        ("sample m -o a.mp3", "does not say what to write"),
        ("sample m --bits 12 -o a.wav", "12 bits"),
        ("sample m --seconds 0 -o a.wav", "more than 0"),
        ("sample m --seconds 9999 -o a.wav", "at most 600"),
        ("sample m --like text.wav -o a.wav", "text.wav"),
        ("sample m --where label=дискант -o a.wav", "knows no label"),
        ("train sounds --model ar", "there is no ar of sounds"),
        ("train sounds -s model.prior_width=33", "must be even"),
    ] {
        let said = place.refused(line);
        assert!(said.contains(why), "{line}\n{said}");
    }
}
