//! Makes the database that `mintage demo` carries: 200 images of each class of Fashion-MNIST as PNG BLOBs, and 5,000
//! rows of the census table Adult.
//!
//! `cargo xtask generate demo-db --data DIR`, where DIR holds the IDX files of Fashion-MNIST; `cargo xtask data` makes
//! `data/tables/adult-train.csv`.

#![allow(clippy::unwrap_used)]
#![allow(clippy::disallowed_methods)]
#![allow(clippy::disallowed_macros)]

use std::path::PathBuf;

use mintage_data::{Column, ImageSet, SourceSpec, png_bytes, table::read};
use rusqlite::{Connection, params, params_from_iter};

const PER_CLASS: usize = 200;

/// Names of the ten classes, in the order of their numbers (the data set's README), without slashes.
const CATEGORIES: [&str; 10] =
    ["t-shirt", "trousers", "pullover", "dress", "coat", "sandal", "shirt", "sneaker", "bag", "ankle boot"];

const SCHEMA: &str = "
    CREATE TABLE products (id INTEGER PRIMARY KEY, name TEXT, category TEXT, photo BLOB);
    CREATE TABLE about (what TEXT, source TEXT, licence TEXT);
    INSERT INTO about VALUES (
        'products: 2,000 of the 60,000 training images of Fashion-MNIST, 200 of each class; the names are numbered',
        'Han Xiao, Kashif Rasul, Roland Vollgraf: Fashion-MNIST, arXiv:1708.07747, \
https://github.com/zalandoresearch/fashion-mnist',
        'MIT License, Copyright (c) 2017 Zalando SE'
    );
    CREATE TABLE census (id INTEGER PRIMARY KEY, age INTEGER, workclass TEXT, education TEXT, education_years INTEGER,
        marital_status TEXT, occupation TEXT, relationship TEXT, race TEXT, sex TEXT, capital_gain INTEGER,
        capital_loss INTEGER, hours_per_week INTEGER, native_country TEXT, income TEXT);
    INSERT INTO about VALUES (
        'census: 5,000 of the 32,561 training rows of Adult, evenly spread, without the sampling weight',
        'Barry Becker, Ronny Kohavi: Adult, UCI Machine Learning Repository, 1996, https://doi.org/10.24432/C5XW20',
        'CC BY 4.0'
    );";

const CENSUS: &str = "data/tables/adult-train.csv";
const CENSUS_ROWS: usize = 5000;
/// The weight of a row in the census says nothing of the person.
const LEFT_OUT: &str = "fnlwgt";

fn main() {
    let mut args = std::env::args().skip(1);
    let (Some(source), Some(out)) = (args.next(), args.next().map(PathBuf::from)) else {
        panic!("usage: demo_db DIRECTORY-OF-FASHION-MNIST OUT.db");
    };
    let set = ImageSet::open(&SourceSpec { source, ..SourceSpec::default() }).unwrap();
    // Split by hash, the whole is shuffled enough; the official test images stay out.
    let mut chosen: Vec<u32> = Vec::new();
    for class in 0..CATEGORIES.len() as u32 {
        let of_class = |item: &&u32| set.labels()[**item as usize] == class;
        chosen.extend(set.splits().train.iter().filter(of_class).take(PER_CLASS));
    }
    chosen.sort_unstable();
    let images = set.images(&chosen).unwrap();
    let _ = std::fs::remove_file(&out);
    let mut connection = Connection::open(&out).unwrap();
    let insert = connection.transaction().unwrap();
    insert.execute_batch(SCHEMA).unwrap();
    let mut count = [0; CATEGORIES.len()];
    for i in 0..images.len() {
        let class = images.labels[i] as usize;
        count[class] += 1;
        let name = format!("{} {}", CATEGORIES[class], count[class]);
        let png = png_bytes(&images, i, None).unwrap();
        insert
            .execute(
                "INSERT INTO products (name, category, photo) VALUES (?1, ?2, ?3)",
                params![name, CATEGORIES[class], png],
            )
            .unwrap();
    }
    let census = read(&SourceSpec { source: CENSUS.to_owned(), ..SourceSpec::default() }).unwrap();
    let columns: Vec<&Column> = census.columns.iter().filter(|column| column.name != LEFT_OUT).collect();
    let sql = format!("INSERT INTO census VALUES (NULL{})", ", ?".repeat(columns.len()));
    for i in 0..CENSUS_ROWS {
        let row = i * census.rows() / CENSUS_ROWS;
        // The columns' own types make numbers of what looks like one.
        let cells = columns.iter().map(|column| column.cell(row).filter(|cell| *cell != "?"));
        insert.execute(&sql, params_from_iter(cells)).unwrap();
    }
    insert.commit().unwrap();
    connection.execute_batch("VACUUM").unwrap();
    eprintln!("{}: {} rows, {} bytes", out.display(), images.len(), out.metadata().unwrap().len());
}
