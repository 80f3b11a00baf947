//! Runs of whole databases: what becomes of rows that are kept, what is shown of a run, and what it is not asked for.

use rusqlite::Connection;

use crate::helpers::Place;

/// Eight sellers, whose rows are kept, and sixty customers with their orders.
fn shop(place: &Place) {
    let mut sql =
        "CREATE TABLE sellers (id INTEGER PRIMARY KEY, last_name TEXT NOT NULL, birth_date TEXT NOT NULL);
         CREATE TABLE customers (id INTEGER PRIMARY KEY, seller INTEGER NOT NULL REFERENCES sellers,
             since TEXT NOT NULL, points INTEGER NOT NULL);
         CREATE TABLE orders (id INTEGER PRIMARY KEY, customer INTEGER NOT NULL REFERENCES customers,
             amount INTEGER NOT NULL);"
            .to_owned();
    for id in 1..=8 {
        let name = ["Smith", "Jones", "Miller", "Davis", "Wilson", "Moore", "Taylor", "Brown"][id - 1];
        let (year, month, day) = (1950 + id * 5, id, id * 3);
        sql.push_str(&format!("INSERT INTO sellers VALUES ({id}, '{name}', '{year}-{month:02}-{day:02}');"));
    }
    for id in 1..=60 {
        let (month, day) = (id % 4 + 1, id * 11 % 20 + 1);
        sql.push_str(&format!(
            "INSERT INTO customers VALUES ({id}, {}, '2021-{month:02}-{day:02}', {});",
            id % 8 + 1,
            id * 7 % 45
        ));
        for i in 0..id % 4 {
            let amount = (id + i) * 5 % 40 + 1;
            sql.push_str(&format!("INSERT INTO orders (customer, amount) VALUES ({id}, {amount});"));
        }
    }
    Connection::open(place.path("shop.db")).unwrap().execute_batch(&sql).unwrap();
}

/// Learns the shop as the run `shop`, in an instant.
fn learned() -> Place {
    let place = Place::new();
    shop(&place);
    place.ok("train shop.db --size tiny --steps 2 --name shop");
    place
}

#[test]
fn dates_of_birth_of_rows_that_are_kept_move() {
    let place = Place::new();
    shop(&place);
    let said = place.ok("train shop.db --size tiny --steps 2 --name shop");
    assert!(said.stderr.contains("sellers.birth_date"), "{}", said.stderr);
    place.ok("sample shop -o new.db");
    let new = Connection::open(place.path("new.db")).unwrap();
    new.execute("ATTACH ?1 AS old", [place.path("shop.db").to_str().unwrap()]).unwrap();
    let days = "abs(julianday(new.birth_date) - julianday(real.birth_date))";
    let moved = format!(
        "SELECT count(*) FROM sellers AS new JOIN old.sellers AS real USING (id) WHERE {days} BETWEEN 1 AND 180"
    );
    assert_eq!(new.query_row(&moved, [], |row| row.get::<_, i64>(0)).unwrap(), 8);
}

#[test]
fn a_run_is_shown_with_its_tables() {
    let place = learned();
    let runs = place.ok("ls");
    let orders = 90;
    let rows = 8 + 60 + orders;
    assert!(runs.text().contains(&format!("database shop.db, 3 tables, {rows} rows")), "{}", runs.text());
    let listed = place.ok("ls --json").json();
    assert_eq!(listed[0]["database"], serde_json::json!({ "tables": 3, "rows": rows }));
    let said = place.ok("show shop");
    let text = said.text();
    for told in [
        &*format!("shop.db: 3 tables, 2 keys, {rows} rows"),
        "kept as it is: 8 rows are too few to learn",
        "ar tiny, 2 steps in ",
        "\ntrained  20",
        "\nmade up  sellers: last_name\n",
        "orders.customer → customers.id\n",
        "customers.seller → sellers.id\n",
        "next     mintage sample runs/shop -o new.db",
        "mintage evaluate runs/shop",
    ] {
        assert!(text.contains(told), "{told}: {text}");
    }
    let json = place.ok("show shop --json").json();
    let tables = json["tables"].as_array().unwrap();
    let orders = tables.iter().find(|table| table["table"] == "orders").unwrap();
    assert_eq!(orders["model"], "ar tiny, 2 steps");
    assert_eq!(orders["refers_to"][0], "customers");
    assert_eq!(orders["columns"], 3);
    let sellers = tables.iter().find(|table| table["table"] == "sellers").unwrap();
    assert_eq!(sellers["personal"][0], "last_name");
    // What was measured is shown, too.
    let said = place.ok("evaluate shop");
    assert!(said.stderr.contains("50 is the best, a mere guess; less is chance"), "{}", said.stderr);
    let text = place.ok("show shop").text().to_owned();
    assert!(text.contains("fidelity") && text.contains("runs/shop/report.html"), "{text}");
}

#[test]
fn a_run_that_is_not_finished_is_shown_with_how_to_go_on() {
    let place = learned();
    let run = place.text("runs/shop/run.json").replace("\"done\"", "\"training\"");
    place.write("runs/shop/run.json", run);
    std::fs::remove_file(place.path("runs/shop/tables/2/config.json")).unwrap();
    let text = place.ok("show shop").text().to_owned();
    assert!(text.contains("not learned yet") && text.contains("--name shop goes on"), "{text}");
    assert!(!text.contains("mintage sample") && !text.contains("\ntrained"), "{text}");
    // Neither by its name nor as the one that waits.
    for line in ["train --resume shop --steps 9", "train --resume"] {
        let error = place.refused(line);
        assert!(error.contains("shop is of a whole database") && error.contains("--name shop"), "{error}");
    }
    assert!(!place.path("runs/shop/config.json").exists());
}

#[test]
fn places_that_are_no_database_are_refused_with_the_command_that_works() {
    let place = learned();
    std::fs::create_dir(place.path("there")).unwrap();
    for (out, told, works) in [
        ("x.csv", "x.csv: a whole database goes into a file of SQLite, and .csv is none", "-o x.db"),
        ("rows/x.PARQUET", ".parquet is none", "-o rows/x.db"),
        ("page.html", ".html is none", "-o page.db"),
        ("new/", "new/: a whole database goes into one file, and this is a folder", "-o new.db"),
        ("there", "this is a folder", "-o there.db"),
    ] {
        for command in ["mintage sample shop", "mintage mask shop.db"] {
            let error = place.refused(&format!("{} -o {out}", command.trim_start_matches("mintage ")));
            assert!(error.contains(told) && error.contains(&format!("{command} {works}")), "{error}");
            assert!(error.contains("postgres://"), "{error}");
        }
    }
    place.ok("sample shop -o x");
}

#[test]
fn rejects_given_words_where_dates_and_numbers_are() {
    let place = learned();
    place.write("words.csv", "id,since,points\n901,2021-02-03,5\n902,hello,7\n");
    place.write("many.csv", "id,points\n901,many\n");
    place.write("mine.csv", "id,since,points\n901,2021-02-03,5\n902,2021-02-04,\n");
    for (file, told) in [
        ("words.csv", "`customers`, row 2: `since` is `hello`, which is no date"),
        ("many.csv", "`customers`, row 1: `points` is `many`, which is no number"),
    ] {
        let error = place.refused(&format!("sample shop --given customers={file} -o new.db"));
        assert!(error.contains(told) && error.contains("leave the cell empty"), "{error}");
    }
    place.ok("sample shop --given customers=mine.csv -o new.db");
}
