//! Makes the database that `mintage demo` carries: 200 images of each class of Fashion-MNIST as PNG BLOBs, 5,000 rows of
//! the census table Adult, 1,600 short texts in two languages, and 229 chorales as MIDI BLOBs.
//!
//! `cargo xtask generate demo-db --data DIR`, where DIR holds the IDX files of Fashion-MNIST; `cargo xtask data` makes
//! the others. Where the database is there already, what it lacks is added.

#![allow(clippy::unwrap_used)]
#![allow(clippy::disallowed_methods)]
#![allow(clippy::disallowed_macros)]

use std::{fs, path::PathBuf};

use mintage_data::{Column, ImageSet, SourceSpec, png_bytes, table::read};
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

const CENSUS: &str = "data/tables/adult-train.csv";
const CENSUS_ROWS: usize = 5000;
/// The weight of a row in the census says nothing of the person.
const LEFT_OUT: &str = "fnlwgt";

/// Characters of a text, and how many there are in either language.
const CHARS: std::ops::RangeInclusive<usize> = 80..=420;
const TEXTS: usize = 800;

/// Makes and fills a table.
type Fill<'a> = &'a dyn Fn(&Transaction);

fn main() {
    let mut args = std::env::args().skip(1);
    let (Some(source), Some(out)) = (args.next(), args.next().map(PathBuf::from)) else {
        panic!("usage: demo_db DIRECTORY-OF-FASHION-MNIST OUT.db");
    };
    let mut connection = Connection::open(&out).unwrap();
    connection.execute_batch(ABOUT).unwrap();
    let tables: [(&str, Fill); 4] = [
        ("products", &|insert| products(&source, insert)),
        ("census", &census),
        ("texts", &texts),
        ("tunes", &tunes),
    ];
    for (table, fill) in tables {
        let sql = "SELECT count(*) FROM sqlite_master WHERE name = ?1";
        if connection.query_row(sql, [table], |row| row.get::<_, u32>(0)).unwrap() == 0 {
            let insert = connection.transaction().unwrap();
            fill(&insert);
            insert.commit().unwrap();
        }
    }
    connection.execute_batch("VACUUM").unwrap();
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
