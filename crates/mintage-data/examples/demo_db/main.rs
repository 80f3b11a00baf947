//! Makes the database that `mintage demo` carries: 200 images of each class of Fashion-MNIST as PNG BLOBs, 5,000 rows of
//! the census table Adult, 1,600 short texts in two languages, 229 chorales as MIDI BLOBs, 240 spoken digits as WAV BLOBs,
//! 198 moving characters as GIF BLOBs, and a shop that sells the clothes of those images.
//!
//! `cargo xtask generate demo-db --data DIR`, where DIR holds the IDX files of Fashion-MNIST; `cargo xtask data` makes
//! the others. Where the database is there already, what it lacks is added.

#![allow(clippy::unwrap_used)]
#![allow(clippy::disallowed_methods)]
#![allow(clippy::disallowed_macros)]

mod people;
mod random;
mod reviews;
mod shop;

use std::{fs, path::PathBuf};

use mintage_data::{
    Clips, Column, ImageSet, ImageShape, SourceSpec, VideoSet, gif_bytes, png_bytes, table::read,
};
use rusqlite::{Connection, Transaction, params, params_from_iter};

const PER_CLASS: usize = 200;

/// Names of the ten classes, in the order of their numbers (the data set's README), without slashes.
const CATEGORIES: [&str; 10] =
    ["t-shirt", "trousers", "pullover", "dress", "coat", "sandal", "shirt", "sneaker", "bag", "ankle boot"];

const ABOUT: &str = "CREATE TABLE IF NOT EXISTS about (what TEXT, source TEXT, licence TEXT);";

const PRODUCTS: &str = "
    CREATE TABLE products (id INTEGER PRIMARY KEY, name TEXT, category TEXT, photo BLOB);
    INSERT INTO about VALUES (
        'products: 2,000 of the 60,000 training images of Fashion-MNIST, 200 of each class; the names are numbered',
        'Han Xiao, Kashif Rasul, Roland Vollgraf: Fashion-MNIST, arXiv:1708.07747, \
https://github.com/zalandoresearch/fashion-mnist',
        'MIT License, Copyright (c) 2017 Zalando SE'
    );";

const CENSUS_TABLE: &str = "
    CREATE TABLE census (id INTEGER PRIMARY KEY, age INTEGER, workclass TEXT, education TEXT, education_years INTEGER,
        marital_status TEXT, occupation TEXT, relationship TEXT, race TEXT, sex TEXT, capital_gain INTEGER,
        capital_loss INTEGER, hours_per_week INTEGER, native_country TEXT, income TEXT);
    INSERT INTO about VALUES (
        'census: 5,000 of the 32,561 training rows of Adult, evenly spread, without the sampling weight',
        'Barry Becker, Ronny Kohavi: Adult, UCI Machine Learning Repository, 1996, https://doi.org/10.24432/C5XW20',
        'CC BY 4.0'
    );";

const TEXTS_TABLE: &str = "
    CREATE TABLE texts (id INTEGER PRIMARY KEY, language TEXT, author TEXT, text TEXT);
    INSERT INTO about VALUES (
        'texts: 800 speeches of plays by William Shakespeare, 800 paragraphs of stories by Anton Chekhov',
        'tinyshakespeare, https://github.com/karpathy/char-rnn; https://github.com/JoannaBy/RussianNovels',
        'public domain'
    );";

const TUNES_TABLE: &str = "
    CREATE TABLE tunes (id INTEGER PRIMARY KEY, name TEXT, tune BLOB);
    INSERT INTO about VALUES (
        'tunes: 229 chorales by Johann Sebastian Bach on a grid of sixteenths, as MIDI files of four voices',
        'Nicolas Boulanger-Lewandowski et al., arXiv:1206.6392; https://github.com/czhuang/JSB-Chorales-dataset',
        'public domain'
    );";

const SOUNDS_TABLE: &str = "
    CREATE TABLE sounds (id INTEGER PRIMARY KEY, digit INTEGER, speaker TEXT, recording BLOB);
    INSERT INTO about VALUES (
        'sounds: 240 of the 3,000 spoken digits of FSDD, two speakers, in µ-law of 8 bits at 8 kHz',
        'Zohar Jackson et al.: Free Spoken Digit Dataset, https://github.com/Jakobovski/free-spoken-digit-dataset',
        'CC BY-SA 4.0'
    );";

const CLIPS_TABLE: &str = "
    CREATE TABLE clips (id INTEGER PRIMARY KEY, action TEXT, side TEXT, clip BLOB);
    INSERT INTO about VALUES (
        'clips: 198 characters in eight frames, cut to 48 × 48, composed of the layers of Sprites',
        'Liberated Pixel Cup, http://lpc.opengameart.org; Yingzhen Li, Stephan Mandt: Disentangled Sequential Autoencoder, \
arXiv:1803.02991, https://github.com/YingzhenLi/Sprites',
        'CC BY-SA 3.0'
    );";

const CENSUS: &str = "data/tables/adult-train.csv";
const CENSUS_ROWS: usize = 5000;
/// The weight of a row in the census says nothing of the person.
const LEFT_OUT: &str = "fnlwgt";

/// Characters of a text, and how many there are in either language.
const CHARS: std::ops::RangeInclusive<usize> = 80..=420;
const TEXTS: usize = 800;

const RECORDINGS: &str = "data/audio/fsdd";
const SPEAKERS: [&str; 2] = ["jackson", "nicolas"];
/// Numbers of the recordings of each digit by a speaker; those below are the data set's test.
const NUMBERS: std::ops::Range<usize> = 5..17;

const SPRITES: &str = "data/video/sprites/train";
/// Of each action from each side.
const CHARACTERS: usize = 22;
/// The part of a frame that characters stand in: its left, its top, its side.
const CUT: (usize, usize, usize) = (8, 14, 48);

/// Makes and fills a table.
type Fill<'a> = &'a dyn Fn(&Transaction);

fn main() {
    let mut args = std::env::args().skip(1);
    let (Some(source), Some(out)) = (args.next(), args.next().map(PathBuf::from)) else {
        panic!("usage: demo_db DIRECTORY-OF-FASHION-MNIST OUT.db");
    };
    let mut connection = Connection::open(&out).unwrap();
    connection.execute_batch(ABOUT).unwrap();
    let tables: [(&str, Fill); 7] = [
        ("products", &|insert| products(&source, insert)),
        ("census", &census),
        ("texts", &texts),
        ("tunes", &tunes),
        ("sounds", &sounds),
        ("clips", &clips),
        // With its orders, their lines and its reviews; it needs products.
        ("customers", &shop::fill),
    ];
    for (table, fill) in tables {
        let sql = "SELECT count(*) FROM sqlite_master WHERE name = ?1";
        if connection.query_row(sql, [table], |row| row.get::<_, u32>(0)).unwrap() == 0 {
            let insert = connection.transaction().unwrap();
            fill(&insert);
            insert.commit().unwrap();
        }
    }
    // Small pages: most BLOBs fill one and a bit of the usual size.
    connection.execute_batch("PRAGMA page_size = 512; VACUUM").unwrap();
    eprintln!("{}: {} bytes", out.display(), out.metadata().unwrap().len());
}

fn products(source: &str, insert: &Transaction) {
    insert.execute_batch(PRODUCTS).unwrap();
    let set = ImageSet::open(&SourceSpec { source: source.to_owned(), ..SourceSpec::default() }).unwrap();
    // Split by hash, the whole is shuffled enough; the official test images stay out.
    let mut chosen: Vec<u32> = Vec::new();
    for class in 0..CATEGORIES.len() as u32 {
        let of_class = |item: &&u32| set.labels()[**item as usize] == class;
        chosen.extend(set.splits().train.iter().filter(of_class).take(PER_CLASS));
    }
    chosen.sort_unstable();
    let images = set.images(&chosen).unwrap();
    let mut count = [0; CATEGORIES.len()];
    for i in 0..images.len() {
        let class = images.labels[i] as usize;
        count[class] += 1;
        let name = format!("{} {}", CATEGORIES[class], count[class]);
        let png = png_bytes(&images, i, None).unwrap();
        let sql = "INSERT INTO products (name, category, photo) VALUES (?1, ?2, ?3)";
        insert.execute(sql, params![name, CATEGORIES[class], png]).unwrap();
    }
}

fn census(insert: &Transaction) {
    insert.execute_batch(CENSUS_TABLE).unwrap();
    let census = read(&SourceSpec { source: CENSUS.to_owned(), ..SourceSpec::default() }).unwrap();
    let columns: Vec<&Column> = census.columns.iter().filter(|column| column.name != LEFT_OUT).collect();
    let sql = format!("INSERT INTO census VALUES (NULL{})", ", ?".repeat(columns.len()));
    for i in 0..CENSUS_ROWS {
        let row = i * census.rows() / CENSUS_ROWS;
        // The columns' own types make numbers of what looks like one.
        let cells = columns.iter().map(|column| column.cell(row).filter(|cell| *cell != "?"));
        insert.execute(&sql, params_from_iter(cells)).unwrap();
    }
}

fn texts(insert: &Transaction) {
    insert.execute_batch(TEXTS_TABLE).unwrap();
    let plays = fs::read_to_string("data/text/tinyshakespeare.txt").unwrap();
    let novels = fs::read_to_string("data/text/russian-novels.txt").unwrap();
    let stories: String = novels.split("<|").filter(|work| work.starts_with("Chekhov")).collect();
    let both = [
        ("English", "William Shakespeare", plays.split("\n\n").map(str::trim).collect::<Vec<_>>()),
        ("русский", "Антон Чехов", stories.lines().map(str::trim).collect()),
    ];
    for (language, author, parts) in both {
        let fitting: Vec<&str> =
            parts.into_iter().filter(|part| CHARS.contains(&part.chars().count())).collect();
        for i in 0..TEXTS {
            let text = fitting[i * fitting.len() / TEXTS];
            let sql = "INSERT INTO texts (language, author, text) VALUES (?1, ?2, ?3)";
            insert.execute(sql, params![language, author, text]).unwrap();
        }
    }
}

fn tunes(insert: &Transaction) {
    insert.execute_batch(TUNES_TABLE).unwrap();
    let mut files: Vec<PathBuf> =
        fs::read_dir("data/music/jsb16/train").unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort_unstable();
    for (i, file) in files.iter().enumerate() {
        let tune = fs::read(file).unwrap();
        let sql = "INSERT INTO tunes (name, tune) VALUES (?1, ?2)";
        insert.execute(sql, params![format!("chorale {}", i + 1), tune]).unwrap();
    }
}

fn sounds(insert: &Transaction) {
    insert.execute_batch(SOUNDS_TABLE).unwrap();
    for number in NUMBERS {
        for digit in 0..10 {
            for speaker in SPEAKERS {
                let wav = fs::read(format!("{RECORDINGS}/{digit}_{speaker}_{number}.wav")).unwrap();
                let sql = "INSERT INTO sounds (digit, speaker, recording) VALUES (?1, ?2, ?3)";
                insert.execute(sql, params![digit, speaker, mu_law_wav(&wav)]).unwrap();
            }
        }
    }
}

/// A WAV file of 16 bits and one channel in half as many (ITU-T G.711).
fn mu_law_wav(wav: &[u8]) -> Vec<u8> {
    let chunk = |name: &[u8; 4]| {
        let at = wav.windows(4).position(|window| window == name).unwrap() + 4;
        let length = u32::from_le_bytes(wav[at..at + 4].try_into().unwrap()) as usize;
        &wav[at + 4..(at + 4 + length).min(wav.len())]
    };
    let (format, data) = (chunk(b"fmt "), chunk(b"data"));
    assert_eq!((&format[..4], &format[14..16]), (&[1, 0, 1, 0][..], &[16, 0][..]), "16 bits, one channel");
    let samples: Vec<u8> =
        data.chunks_exact(2).map(|pair| mu_law(i16::from_le_bytes([pair[0], pair[1]]))).collect();
    let rate = u32::from_le_bytes(format[4..8].try_into().unwrap());
    let odd = samples.len() % 2;
    let mut new = Vec::new();
    new.extend(b"RIFF");
    new.extend((50 + samples.len() + odd).to_le_bytes()[..4].iter());
    new.extend(b"WAVEfmt ");
    new.extend(18u32.to_le_bytes());
    // µ-law, one channel, a byte a sample, nothing more to say.
    [7u16, 1].iter().for_each(|v| new.extend(v.to_le_bytes()));
    [rate, rate].iter().for_each(|v| new.extend(v.to_le_bytes()));
    [1u16, 8, 0].iter().for_each(|v| new.extend(v.to_le_bytes()));
    new.extend(b"fact");
    [4, samples.len() as u32].iter().for_each(|v| new.extend(v.to_le_bytes()));
    new.extend(b"data");
    new.extend((samples.len() as u32).to_le_bytes());
    new.extend(samples);
    new.resize(new.len() + odd, 0);
    new
}

/// Sign, exponent and mantissa of a sample, inverted.
fn mu_law(sample: i16) -> u8 {
    const BIAS: i32 = 132;
    let magnitude = (i32::from(sample).abs() + BIAS).min(32_767);
    let exponent = (magnitude >> 7).ilog2() as i32;
    let mantissa = (magnitude >> (exponent + 3)) & 0x0f;
    !((i32::from(sample < 0) << 7 | exponent << 4 | mantissa) as u8)
}

fn clips(insert: &Transaction) {
    insert.execute_batch(CLIPS_TABLE).unwrap();
    let set = VideoSet::open(&SourceSpec { source: SPRITES.to_owned(), ..SourceSpec::default() }).unwrap();
    let all: Vec<u32> = (0..set.len() as u32).collect();
    for number in 0..CHARACTERS {
        for (class, name) in set.classes().iter().enumerate() {
            let (action, side) = name.split_once('-').unwrap();
            let members: Vec<u32> =
                all.iter().copied().filter(|&item| set.labels()[item as usize] as usize == class).collect();
            let chosen = members[number * members.len() / CHARACTERS];
            let gif = gif_bytes(&cut(&set.clips(&[chosen])).film(0), None).unwrap();
            let sql = "INSERT INTO clips (action, side, clip) VALUES (?1, ?2, ?3)";
            insert.execute(sql, params![action, side, gif]).unwrap();
        }
    }
}

/// The middle of each frame.
fn cut(clips: &Clips) -> Clips {
    let ((left, top, side), ImageShape { width, height, .. }) = (CUT, clips.shape);
    let rows = |plane: &[u8]| -> Vec<u8> {
        (top..top + side).flat_map(|y| &plane[y * width + left..][..side]).copied().collect()
    };
    Clips {
        shape: ImageShape { width: side, height: side, ..clips.shape },
        pixels: clips.pixels.chunks_exact(width * height).flat_map(rows).collect(),
        ..clips.clone()
    }
}
