//! The whole way with images and texts in a PostgreSQL table: looked at, learned, judged, and new ones beside the old.

use postgres::Client;

use crate::{
    helpers::{KINDS, Place, QUICK, png},
    server::{PASSWORD, server},
};

/// The table `goods (id, kind, photo)` with `n` rows.
fn goods(client: &mut Client, n: usize) {
    for i in 0..n {
        let insert = "INSERT INTO goods (kind, photo) VALUES ($1, $2)";
        client.execute(insert, &[&KINDS[i % 3], &png(i, 12)]).unwrap();
    }
}

fn number(client: &mut Client, sql: &str) -> i64 {
    client.query_one(sql, &[]).unwrap().get(0)
}

/// No file of a run has a password in it.
fn check_no_password(place: &Place) {
    for (path, bytes) in place.files() {
        let text = String::from_utf8_lossy(&bytes);
        assert!(!text.contains("geheim"), "{}", path.display());
    }
}

#[test]
fn the_whole_way_with_images_of_a_server() {
    let Some(server) = server() else { return };
    let place = Place::new();
    let (mut client, source) =
        server.database("cli_images", "CREATE TABLE goods (id serial PRIMARY KEY, kind text, photo bytea)");
    goods(&mut client, 300);
    let seen = place.ok(&format!("inspect {source} --label kind"));
    assert!(seen.text().contains("read as image: column goods.photo holds images"), "{}", seen.text());
    assert!(seen.text().contains("300 images") && seen.text().contains("3 classes"), "{}", seen.text());
    place.ok(&format!("init {source} --label kind -o recipe.toml"));
    assert!(place.text("recipe.toml").contains("column = \"photo\""));
    let plan = place.ok(&format!("train {source} --label kind --dry-run"));
    assert!(plan.stderr.contains("kind     image (column goods.photo holds images)"), "{}", plan.stderr);
    let plan = place.ok(&format!("train {source} --kind table --dry-run"));
    assert!(plan.stderr.contains("kind     table (the kind that was asked for)"), "{}", plan.stderr);
    assert!(plan.text().contains("kind = \"table\""), "{}", plan.text());

    place.ok(&format!(
        "train {source} --table goods --column photo --label kind --model vae {QUICK} --name m"
    ));
    check_no_password(&place);
    let made = place.ok(&format!("sample m -n 5 -o {source} --where kind=boot"));
    assert!(made.stderr.contains("5 new images in goods.photo"), "{}", made.stderr);
    assert!(
        !made.stderr.contains("geheim") && !made.stderr.contains("nothing was made for"),
        "{}",
        made.stderr
    );
    assert_eq!(
        number(&mut client, "SELECT count(*) FROM goods WHERE mintage IS NOT NULL AND kind = 'boot'"),
        5
    );
    place.ok(&format!("sample m -n 3 -o {source} --table fresh"));
    assert_eq!(number(&mut client, "SELECT count(*) FROM fresh WHERE id > 0 AND photo IS NOT NULL"), 3);
    // What was made is not learned from, whoever asks.
    assert!(place.ok(&format!("inspect {source} --table goods")).text().contains("300 images"));
    place.ok(&format!("reconstruct m --source {source} -n 2 -o pairs.png"));
    let scores = place.ok(&format!("score m {source} --table goods --column photo --source {source}"));
    assert_eq!(scores.text().lines().count(), 301);
    let mut evaluate = place.mintage(&["evaluate", "m", "--yes", "-n", "20"]);
    // A password goes to a server that a model names only where it is for that host.
    let done = evaluate.env("PGHOST", "127.0.0.1").env("PGPASSWORD", PASSWORD).output().unwrap();
    assert_eq!(done.status.code(), Some(0), "{}", String::from_utf8_lossy(&done.stderr));
    check_no_password(&place);

    // What is wrong is said before anything is made, and nothing changes.
    let said = place.refused(&format!("sample m -n 2 -o {source} --table goods --column kind"));
    assert!(said.contains("column `kind` is of type text, not bytea"), "{said}");
    let said = place.refused(&format!("sample m -n 2 -o {source} --table goods --column foto"));
    assert!(said.contains("did you mean `photo`?"), "{said}");
    let said = place.refused(&format!("sample m -n 2 -o {source} --if-exists replace"));
    assert!(said.contains("--if-exists replace is for single files") && !said.contains("geheim"), "{said}");
    let away = source.replace(&format!(":{}", server.port), ":1");
    let said = place.refused(&format!("sample m -n 2 -o {away}"));
    assert!(said.contains("refused") && !said.contains("geheim"), "{said}");
    assert_eq!(number(&mut client, "SELECT count(*) FROM goods"), 305);
}

#[test]
fn the_whole_way_with_texts_of_a_server() {
    let Some(server) = server() else { return };
    let place = Place::new();
    let (mut client, source) = server.database(
        "cli_texts",
        "CREATE TABLE news (id serial PRIMARY KEY, topic text, body text, photo bytea)",
    );
    for i in 0..60 {
        let body =
            format!("The cat number {i} sleeps by day and eats {} times. Then it walks away!", i % 7 + 1);
        let insert = "INSERT INTO news (topic, body) VALUES ($1, $2)";
        client.execute(insert, &[&["a", "b"][i % 2], &body]).unwrap();
    }
    let small = "--size tiny --steps 6 -s model.width=32 -s model.layers=1 -s model.heads=2 -s model.hidden=32 \
                 -s model.context=64 -s model.batch=8";
    place.ok(&format!("train {source} --table news --column body --label topic {small} --name t"));
    place.ok(&format!("sample t -n 3 --length 60 --where topic=a -o {source} --if-exists append"));
    let made = "SELECT count(*) FROM news WHERE mintage IS NOT NULL AND topic = 'a' AND length(body) > 0 AND id > 60";
    assert_eq!(number(&mut client, made), 3);
    place.ok(&format!("sample t -n 2 --length 60 -o {source} --table fresh"));
    assert_eq!(number(&mut client, "SELECT count(*) FROM fresh WHERE body IS NOT NULL"), 2);
    let seen = place.ok(&format!("inspect {source} --table news --column body"));
    assert!(seen.text().contains("60 texts"), "{}", seen.text());
    check_no_password(&place);
}
