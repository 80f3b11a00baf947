//! What is wrong with data: exit code 2, a message that names the place and says what to
//! do, nothing on stdout, and nothing left on disk ([`Place::refused`] sees to the last three).

use insta::assert_snapshot;
use rusqlite::{Connection, params};

use crate::helpers::{KINDS, Place, QUICK, picture, png, png_claiming};

#[test]
fn a_source_that_is_not_there_or_no_source() {
    let place = Place::new();
    place.pictures("pictures", 4);
    place.write("notes.xyz", "no pictures here");
    assert_snapshot!(place.refused("train nowhere.db"), @r"
    error: nowhere.db: there is no such file or folder
      hint: paths are taken from the folder that you are in
    ");
    assert_snapshot!(place.refused("inspect picturs"), @r"
    error: picturs: there is no such file or folder
      hint: did you mean `pictures`?
    ");
    assert_snapshot!(place.refused("train notes.xyz"), @r"
    error: notes.xyz: is of no kind that is read, which are SQLite, CSV, TSV, JSON and JSON Lines, Parquet, IDX, texts (.txt, .md, …), MIDI, WAV, FLAC, Ogg, MP3, GIF, APNG, MP4 and WebM, folders of images, texts, tunes, sounds or clips, and postgres:// addresses
      hint: --kind text reads the file as a text, --kind table as a table of delimited text
    ");
}

#[test]
fn a_folder_without_images_or_with_one() {
    let place = Place::new();
    std::fs::create_dir(place.path("empty")).unwrap();
    place.pictures("one", 1);
    assert_snapshot!(place.refused("train empty"), @r"
    error: empty: holds no images
      hint: images are files that end in png, jpg, jpeg, jpe, jfif, gif, webp, bmp
    ");
    assert_snapshot!(place.refused("train one"), @r"
    error: one: holds one image only; there is nothing to learn from one
      hint: a few hundred images are a good beginning
    ");
}

#[test]
fn too_many_broken_images_are_refused_and_the_first_is_named() {
    let place = Place::new();
    place.pictures("pictures", 20);
    place.write("pictures/003.png", b"this is no picture");
    let half = png(7, 12);
    place.write("pictures/007.png", &half[..half.len() / 2]);
    assert_snapshot!(place.refused("train pictures"), @r"
    error: pictures: 2 of 20 images cannot be read; the first is 003.png: no image: the bytes are not PNG, JPEG, GIF, WebP or BMP
      hint: up to 5 % are skipped; mend or remove the others (-v names them all), or train with -s data.skip_share=0.1
    ");
    let all = place.refused("inspect pictures -v");
    assert!(all.contains("\n  003.png: no image") && all.contains("\n  007.png: damaged image"), "{all}");
    let done = place.ok(&format!("train pictures --model vae {QUICK} -s data.skip_share=0.1 -v"));
    assert!(done.stderr.contains("left out 007.png: damaged image"), "{}", done.stderr);
}

#[test]
fn a_broken_image_among_many_is_left_out_and_counted() {
    let place = Place::new();
    place.pictures("pictures", 40);
    let half = png(7, 12);
    place.write("pictures/007.png", &half[..half.len() / 2]);
    let done = place.ok(&format!("train pictures --model vae {QUICK}"));
    assert!(done.stderr.contains("39 images"), "{}", done.stderr);
    let warnings: Vec<&str> = done.stderr.lines().filter(|line| line.starts_with("warning")).collect();
    assert_snapshot!(warnings.join("\n"), @"warning: left out 1 item that could not be read (the first: 007.png: damaged image (unexpected end of file))");
    assert_snapshot!(place.refused("train pictures -s data.strict=true"), @r"
    error: pictures: 007.png: damaged image (unexpected end of file)
      hint: mend or remove it; where strict is not set, up to 5 % are left out
    ");
}

#[test]
fn a_header_that_claims_too_many_pixels() {
    let place = Place::new();
    place.pictures("pictures", 40);
    place.write("pictures/007.png", png_claiming(50_000, 50_000));
    assert_snapshot!(place.refused("train pictures -s data.strict=true"), @r"
    error: pictures: 007.png: 50000×50000 pixels are over the limit of 16384 a side
      hint: mend or remove it; where strict is not set, up to 5 % are left out
    ");
}

#[test]
fn blobs_that_are_no_images() {
    let place = Place::new();
    let database = Connection::open(place.path("files.db")).unwrap();
    database.execute_batch("CREATE TABLE files (body BLOB)").unwrap();
    for i in 0..30 {
        database.execute("INSERT INTO files VALUES (?1)", params![vec![i as u8; 40]]).unwrap();
    }
    assert_snapshot!(place.refused("train files.db"), @r"
    error: files.db: table `files`: holds nothing but BLOBs, and no images
      hint: images are BLOBs of PNG, JPEG, GIF, WebP or BMP bytes; `mintage inspect` shows the columns
    ");
    assert_snapshot!(place.refused("train files.db --table files --column body"), @"error: files.db: table `files`: column `body` holds BLOBs, which no table model learns");
    let shop = place.shop("shop.db", 40);
    shop.execute("UPDATE goods SET photo = ?1 WHERE id = 17", params![vec![1u8; 40]]).unwrap();
    assert_snapshot!(place.refused("train shop.db -s data.strict=true"), @r"
    error: shop.db: row 17 of goods.photo: no image: the bytes are not PNG, JPEG, GIF, WebP or BMP
      hint: mend or remove it; where strict is not set, up to 5 % are left out
    ");
}

#[test]
fn tables_and_columns_that_are_not_there() {
    let place = Place::new();
    place.shop("shop.db", 30).execute_batch("CREATE TABLE empty (id INTEGER, photo BLOB)").unwrap();
    assert_snapshot!(place.refused("train shop.db --table empty --column photo"), @r"
    error: shop.db: table `empty`: holds no rows
      hint: rows that mintage made do not count
    ");
    assert_snapshot!(place.refused("train shop.db --table good"), @r"
    error: shop.db: has no table `good`
      hint: did you mean `goods`?
    ");
    assert_snapshot!(place.refused("train shop.db --table zebra"), @r"
    error: shop.db: has no table `zebra`
      hint: the tables are empty, goods
    ");
    assert_snapshot!(place.refused("train shop.db --table goods --column foto"), @r"
    error: shop.db: table `goods` has no column `foto`
      hint: did you mean `photo`?
    ");
    assert_snapshot!(place.refused("train shop.db --column foto"), @r"
    error: shop.db: no column with images was found where you asked for it
      hint: images are in --table goods --column photo
    ");
    assert_snapshot!(place.refused("train shop.db --label knd"), @r"
    error: shop.db: table `goods` has no column `knd`
      hint: did you mean `kind`?
    ");
}

#[test]
fn several_columns_with_images_have_to_be_chosen_from() {
    let place = Place::new();
    let shop = place.shop("shop.db", 30);
    shop.execute_batch("ALTER TABLE goods ADD COLUMN back BLOB; UPDATE goods SET back = photo").unwrap();
    assert_snapshot!(place.refused("train shop.db"), @r"
    error: shop.db: several columns hold images
      hint: choose: --table goods --column photo or --table goods --column back
    ");
}

#[test]
fn a_label_that_is_an_id() {
    let place = Place::new();
    place.shop("shop.db", 40);
    assert_snapshot!(place.refused("train shop.db --label id"), @r"
    error: shop.db: the label has 40 values in 40 images; that is no label
      hint: choose a column with few values, or leave out --label
    ");
}

#[test]
fn a_label_with_one_member_and_a_missing_one_are_learned_from() {
    let place = Place::new();
    let shop = place.shop("shop.db", 40);
    shop.execute_batch(
        "UPDATE goods SET kind = 'hat' WHERE id = 5; UPDATE goods SET kind = NULL WHERE id = 6",
    )
    .unwrap();
    for family in ["vae", "gan"] {
        place.ok(&format!("train shop.db --label kind --model {family} {QUICK} --name {family}"));
        for kind in ["hat", "(missing)", KINDS[0]] {
            place.ok(&format!("sample {family} --where kind={kind} -n 2 -o {kind}.png"));
        }
    }
    let seen = place.ok("inspect shop.db --label kind");
    assert!(seen.text().contains("label `hat` has one member only"), "{}", seen.text());
}

#[test]
fn images_of_many_sizes_become_one_size() {
    let place = Place::new();
    for i in 0..40 {
        place.write(&format!("pictures/{i}.png"), png(i, 9 + i as u32));
    }
    place.ok(&format!("train pictures --model vae {QUICK} --name mixed"));
    place.ok("sample mixed -n 1 -o one.png");
    assert_eq!(place.picture_size("one.png"), (28, 28));
}

#[test]
fn a_dozen_images_are_learned_from_and_judged() {
    let place = Place::new();
    place.pictures("few", 12);
    for family in ["vae", "gan", "vqvae", "flow"] {
        place.ok(&format!("train few --model {family} {QUICK} --name {family}"));
        place.ok(&format!("sample {family} -n 3 -o {family}.png"));
    }
    let judged = place.run("evaluate vqvae");
    assert!([Some(0), Some(2)].contains(&judged.code), "{}", judged.stderr);
}

#[test]
fn images_that_are_all_equal_are_learned_from() {
    let place = Place::new();
    for i in 0..30 {
        place.write(&format!("same/{i}.png"), png(1, 12));
    }
    for family in ["vae", "gan", "vqvae", "flow"] {
        place.ok(&format!("train same --model {family} {QUICK} --name {family}"));
        place.ok(&format!("sample {family} -n 3 -o {family}.png"));
    }
}

#[test]
fn a_class_of_three_images_is_drawn() {
    let place = Place::new();
    let shop = place.shop("shop.db", 40);
    shop.execute_batch("UPDATE goods SET kind = 'hat' WHERE id < 4").unwrap();
    place.ok(&format!("train shop.db --label kind --model vqvae {QUICK} --name shop"));
    place.ok("sample shop --where kind=hat -n 3 -o hats.png");
}

#[test]
fn images_that_are_all_length_are_learned_from() {
    let place = Place::new();
    for i in 0..30 {
        let wide = image::imageops::resize(&picture(i, 12), 240, 6, image::imageops::FilterType::Triangle);
        let mut bytes = std::io::Cursor::new(Vec::new());
        wide.write_to(&mut bytes, image::ImageFormat::Png).unwrap();
        place.write(&format!("wide/{i}.png"), bytes.into_inner());
    }
    for family in ["vae", "vqvae", "flow"] {
        place.ok(&format!("train wide --model {family} {QUICK} --name {family}"));
        place.ok(&format!("sample {family} -n 2 -o {family}.png"));
    }
}
