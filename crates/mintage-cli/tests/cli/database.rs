//! Whole databases and folders of tables: what `inspect` shows of them, and how they are learned and made anew.

use rusqlite::Connection;

use crate::{helpers::Place, server::server};

const SQL: &str = "PRAGMA foreign_keys = OFF; CREATE TABLE customers (id INTEGER PRIMARY KEY, name TEXT);
     CREATE TABLE orders (id INTEGER PRIMARY KEY, customer_id INT NOT NULL REFERENCES customers, placed_at TEXT);
     INSERT INTO customers VALUES (1, 'Ann'), (2, 'Bea'), (3, 'Cleo');
     INSERT INTO orders VALUES (1, 1, '2024-01-01'), (2, 1, '2024-01-02'), (3, 2, '2024-01-02'), (4, 9, '2024-01-03'), (5, 3, '2024-01-04');";
const TEXT: &str = "schema: 2 tables, 1 key, 8 rows
customers: 3 rows, 2 columns, entity, key id
orders: 5 rows, 3 columns, event, key id
  customer_id → customers.id, 1 row to nothing
";

#[test]
fn a_database_is_shown_with_its_keys() {
    let place = Place::new();
    Connection::open(place.path("shop.db")).unwrap().execute_batch(SQL).unwrap();
    let said = place.ok("inspect shop.db --schema shop.svg");
    assert!(said.text().contains("\norders: 5 rows\n") && said.text().contains(TEXT), "{}", said.text());
    let svg = place.text("shop.svg");
    assert!(svg.starts_with("<svg ") && svg.contains(">orders</text>") && svg.ends_with("</svg>\n"), "{svg}");
    let json = place.ok("inspect shop.db --json").json();
    assert_eq!(json["schema"]["tables"][1]["foreign_keys"][0]["orphans"], 1);
    assert_eq!(json["tables"][1]["rows"], 5);
    // One table is not a whole database.
    let one = place.ok("inspect shop.db --table orders");
    assert!(!one.text().contains("schema:"), "{}", one.text());
    assert!(place.ok("inspect shop.db --table orders --json").json().get("schema").is_none());
}

#[test]
fn a_broken_key_is_told_and_hides_nothing_else() {
    let place = Place::new();
    let shop = Connection::open(place.path("shop.db")).unwrap();
    shop.execute_batch(SQL).unwrap();
    shop.execute_batch("CREATE TABLE notes (id INTEGER PRIMARY KEY, o INT REFERENCES order_s (id))").unwrap();
    let said = place.ok("inspect shop.db");
    let told = "table `notes`: the key o refers to table `order_s`, which is not there";
    assert!(
        said.text().contains("\norders: 5 rows\n") && said.text().replace("\n  ", " ").contains(told),
        "{}",
        said.text()
    );
    assert!(place.refused("inspect shop.db --schema shop.svg").contains(told));
    let error = place.refused("inspect nowhere.db --schema a.svg");
    assert!(error.contains("there is no such file"), "{error}");
}

#[test]
fn a_folder_of_files_is_a_database() {
    let place = Place::new();
    let mut orders = "id,customer_id,total\n".to_owned();
    let mut customers = "id,name,city\n".to_owned();
    for i in 1..=40 {
        let of = if i % 10 == 0 { "NA".to_owned() } else { format!("{}.0", i % 13 + 1) };
        orders.push_str(&format!("{i},{of},{}\n", i * 3));
        customers.push_str(&format!("{i},name {i},city {}\n", i % 3));
    }
    place.write("shop/orders.csv", orders);
    place.write("shop/customers.csv", customers);
    let said = place.ok("inspect shop --schema shop.svg");
    assert!(said.text().contains("read as table: each file of the folder is a table"), "{}", said.text());
    let key =
        "  customer_id ⇢ customers.id, optional, found: all its 13 values are there and the names fit\n";
    assert!(said.text().contains(key), "{}", said.text());
    assert!(
        said.text().contains("\ncustomers: 40 rows, 3 columns, entity, key id by its values\n"),
        "{}",
        said.text()
    );
    place.write("notes.csv", "a,b\n1,2\n");
    let error = place.refused("inspect notes.csv --schema a.svg");
    assert!(error.contains("--schema is for databases"), "{error}");
}

/// Forty shops with sales of tea and tins, and a table of three towns.
fn sales(place: &Place) {
    let shop = Connection::open(place.path("shop.db")).unwrap();
    shop.execute_batch(
        "CREATE TABLE towns (code TEXT PRIMARY KEY, name TEXT NOT NULL);
         CREATE TABLE shops (id INTEGER PRIMARY KEY, town TEXT NOT NULL REFERENCES towns, size INTEGER NOT NULL);
         CREATE TABLE sales (id INTEGER PRIMARY KEY, shop INTEGER NOT NULL REFERENCES shops, ware TEXT NOT NULL,
             amount INTEGER NOT NULL CHECK (amount > 0));
         CREATE INDEX by_shop ON sales (shop);
         INSERT INTO towns VALUES ('a', 'Aden'), ('b', 'Bonn'), ('c', 'Cork');",
    )
    .unwrap();
    for id in 1..=40i64 {
        let town = ["a", "b", "c"][id as usize % 3];
        shop.execute("INSERT INTO shops VALUES (?1, ?2, ?3)", (id, town, id * 7 % 90 + 10)).unwrap();
        for i in 0..id % 5 {
            let ware = if (id + i) % 2 == 0 { "tea" } else { "tin" };
            shop.execute("INSERT INTO sales (shop, ware, amount) VALUES (?1, ?2, ?3)", (id, ware, i + 1))
                .unwrap();
        }
    }
}

#[test]
fn a_database_is_learned_and_made_anew() {
    let place = Place::new();
    sales(&place);
    let said = place.ok("train shop.db --tables all --size tiny --steps 10 --name shop");
    assert!(said.stderr.contains("kept as it is") && said.stderr.contains("2/2"), "{}", said.stderr);
    let said = place.ok("sample shop -o new.db --scale 2 --json").json();
    assert_eq!(said["tables"][1]["rows"], 80, "{said}");
    let new = Connection::open(place.path("new.db")).unwrap();
    let count = |sql: &str| new.query_row(sql, [], |row| row.get::<_, i64>(0)).unwrap();
    assert_eq!(count("SELECT count(*) FROM pragma_foreign_key_check"), 0);
    assert_eq!(count("SELECT count(*) FROM sales WHERE shop NOT IN (SELECT id FROM shops) OR amount < 1"), 0);
    assert!(count("SELECT count(*) FROM sales") > 40);
    assert_eq!(count("SELECT count(*) FROM sqlite_schema WHERE name = 'by_shop'"), 1);
    // The same seed makes the same rows, and what Mintage made is not learned from again.
    place.ok("sample shop -o again.db --scale 2");
    let again = Connection::open(place.path("again.db")).unwrap();
    let all = |db: &Connection| -> String {
        let sql = "SELECT group_concat(shop || ware || amount) FROM (SELECT * FROM sales ORDER BY id)";
        db.query_row(sql, [], |row| row.get(0)).unwrap()
    };
    assert_eq!(all(&new), all(&again));
    let scores = place.ok("evaluate shop --json -").json();
    assert!(scores["scores"]["hops"][0].as_array().is_some_and(|hop| !hop.is_empty()), "{scores}");
    let mean = |of: &str| {
        let all = scores[of]["shapes"].as_array().unwrap();
        all.iter().map(|score| score["score"].as_f64().unwrap()).sum::<f64>() / all.len() as f64
    };
    assert_eq!(mean("keys_at_random"), 1.0);
    assert!(mean("scores") > 0.5, "{scores}");
    assert!((0.5..1.0).contains(&mean("ceiling")), "{scores}");
    assert!(place.text("runs/shop/report.html").contains("half against half"));
    // The sales have dials, or say why not; forty shops are too few.
    let of = |table: usize| &scores["table_dials"][table];
    assert_eq!(
        (of(0)["table"].as_str(), of(1)["table"].as_str()),
        (Some("shops"), Some("sales")),
        "{scores}"
    );
    assert!(
        of(0)["unmeasured"]["fidelity"].as_str().is_some_and(|why| why.contains("too few rows")),
        "{scores}"
    );
    assert_eq!(of(1)["n"], 20, "{scores}");
    for dial in ["fidelity", "coverage", "novelty", "utility"] {
        let is_said = |value: &serde_json::Value| {
            value["dials"].get(dial).is_some() || value["unmeasured"].get(dial).is_some()
        };
        assert!(is_said(&scores) && is_said(of(1)), "{dial}: {scores}");
    }
    let shapes = &scores["scores"]["means"]["shapes"];
    let [low, value, high] = ["low", "value", "high"].map(|end| shapes[end].as_f64().unwrap());
    assert!(low <= value && value <= high && (value - mean("scores")).abs() < 1e-9, "{shapes}");
    assert_eq!(scores["scores"]["pairs"][0]["of"], "sales.shop", "{scores}");
}

#[test]
fn new_rows_and_runs_name_the_family_that_learned_them() {
    let place = Place::new();
    sales(&place);
    place.ok("train shop.db --model mixture --size tiny --steps 2 --name shop");
    let runs = place.ok("ls");
    assert!(runs.text().contains("mixture tiny") && runs.text().contains("shop.db"), "{}", runs.text());
    place.ok("sample shop -o new.db");
    let new = Connection::open(place.path("new.db")).unwrap();
    let sql = r#"SELECT count(*) FROM shops WHERE mintage LIKE '%"family":"mixture"%'"#;
    assert_eq!(new.query_row(sql, [], |row| row.get::<_, i64>(0)).unwrap(), 40);
}

#[test]
fn columns_of_files_are_said_to_be_empty() {
    let place = Place::new();
    sales(&place);
    let shop = Connection::open(place.path("shop.db")).unwrap();
    let sql = "ALTER TABLE towns ADD COLUMN arms BLOB; ALTER TABLE shops ADD COLUMN photo BLOB;
         UPDATE towns SET arms = x'00ff01'; UPDATE shops SET photo = x'00ff02';";
    shop.execute_batch(sql).unwrap();
    place.ok("train shop.db --size tiny --steps 2 --name shop");
    let said = place.ok("sample shop -o new.db");
    for told in ["towns: arms without values (its rows are kept", "shops: photo without values (a column of"]
    {
        assert!(said.stderr.contains(told), "{}", said.stderr);
    }
}

#[test]
fn a_database_that_another_program_made_is_judged() {
    let place = Place::new();
    sales(&place);
    for name in ["same.db", "moved.db", "less.db"] {
        std::fs::copy(place.path("shop.db"), place.path(name)).unwrap();
    }
    let change = |name: &str, sql: &str| {
        Connection::open(place.path(name)).unwrap().execute_batch(sql).unwrap();
    };
    change("moved.db", "UPDATE sales SET shop = (SELECT min(id) FROM shops)");
    change("less.db", "PRAGMA foreign_keys = OFF; DROP TABLE sales");
    let mean = |new: &str, of: &str| {
        let json = place.ok(&format!("evaluate shop.db {new} --json -")).json();
        let all = json["scores"][of].as_array().unwrap().clone();
        all.iter().map(|score| score["score"].as_f64().unwrap()).sum::<f64>() / all.len() as f64
    };
    assert_eq!((mean("same.db", "cardinality"), mean("same.db", "shapes")), (1.0, 1.0));
    let moved = mean("moved.db", "cardinality");
    assert!(moved < 0.9, "{moved}");
    assert!(place.text("runs/reports/moved-db/report.html").contains(">sales</text>"));
    let said = place.ok("evaluate shop.db less.db");
    assert!(said.stderr.contains("sales: the new database lacks it"), "{}", said.stderr);
    let error = place.refused("evaluate shop.db same.db -n 5");
    assert!(error.contains("-n means nothing to a whole database"), "{error}");
}

#[test]
fn a_report_shows_the_schema_and_what_was_counted() {
    let place = Place::new();
    sales(&place);
    let shop = Connection::open(place.path("shop.db")).unwrap();
    let sql = "CREATE TABLE \"a<b\"\"c\" (id INTEGER PRIMARY KEY, shop INTEGER NOT NULL REFERENCES shops, email TEXT)";
    shop.execute_batch(sql).unwrap();
    for id in 1..=40i64 {
        let name = ["anna", "boris", "clara", "dmitri", "edith"][id as usize % 5];
        let values = (id, id, format!("{name}.{}@mail.example", id * 37));
        shop.execute("INSERT INTO \"a<b\"\"c\" VALUES (?1, ?2, ?3)", values).unwrap();
    }
    drop(shop);
    place.ok("train shop.db --tables all --size tiny --steps 10 --name shop");
    let limits = "--fail-under detection=100,cardinality=0 --fail-under shapes=.01";
    place.ok(&format!("evaluate shop --json made.json --html pages/shop.html {limits}"));
    let page = place.text("runs/shop/report.html");
    assert_eq!(page, place.text("pages/shop.html"));
    for name in ["towns", "shops", "sales", "a&lt;b&quot;c"] {
        assert!(page.contains(&format!(">{name}</text>")), "{name}: {page}");
    }
    assert!(!page.contains("a<b") && !page.contains("<script") && page.contains("keys at random"), "{page}");
    let shared = "values that are made afresh or may point at a person are shared with the source";
    assert!(page.contains(&format!("<b>0</b> {shared}")), "{page}");
    let (json, scores) = (place.json("made.json"), place.json("runs/shop/scores.json"));
    assert_eq!(json["proof"], scores["proof"]);
    let tables = json["proof"]["tables"].as_array().unwrap();
    let of = |name: &str| tables.iter().find(|table| table["table"] == name).unwrap();
    let odd = of("a<b\"c");
    assert_eq!(
        (odd["personal"][0]["of"].as_str(), odd["personal"][0]["failed"].as_u64()),
        (Some("email"), Some(0))
    );
    assert_eq!((odd["unique"][0]["failed"].as_u64(), odd["keys"][0]["failed"].as_u64()), (Some(0), Some(0)));
    assert_eq!(
        (of("towns")["is_kept"].as_bool(), of("sales")["is_kept"].as_bool()),
        (Some(true), Some(false))
    );
    let done = place.run("evaluate shop --fail-under detection=0,novelty=100");
    assert!(done.code == Some(1) && done.stderr.contains("check failed: detection is"), "{}", done.stderr);
    assert!(done.stderr.contains("novelty"), "{}", done.stderr);
}

#[test]
fn what_a_whole_database_cannot_be_asked_is_said() {
    let place = Place::new();
    sales(&place);
    let error = place.refused("train shop.db --tables shops,nothing");
    assert!(error.contains("no table `nothing`") && error.contains("sales, shops, towns"), "{error}");
    assert!(place.refused("train shop.db --tables all --column size").contains("all of its columns"));
    place.write("rows.csv", "a,b\n1,2\n3,4\n");
    assert!(place.refused("train rows.csv --tables all").contains("is no database"));
    place.ok("train shop.db --tables shops,sales --size tiny --steps 2 --name two");
    assert!(place.refused("sample two").contains("-o new.db"));
    assert!(place.refused("score two shop.db --table sales").contains("of a whole database"));
    assert!(place.refused("sample two -n 5 -o new.db").contains("--scale"));
    assert!(place.refused("sample two -o shop.db --if-exists replace").contains("the source itself"));
    assert!(
        place
            .refused("evaluate two --fail-under beauty=1")
            .contains("fidelity, coverage, novelty, utility, cardinality")
    );
    assert!(place.refused("evaluate two -n 5").contains("-n means nothing"));
    let error = place.refused("sample two -o rows.csv");
    assert!(error.contains("rows.csv"), "{error}");
}

#[test]
fn a_folder_of_files_is_learned_as_a_database() {
    let place = Place::new();
    let mut orders = "id,customer_id,total\n".to_owned();
    let mut customers = "id,city\n".to_owned();
    for i in 1..=60 {
        orders.push_str(&format!("{i},{},{}\n", i % 23 + 1, i * 3 % 17));
        customers.push_str(&format!("{i},city {}\n", i % 3));
    }
    place.write("shop/orders.csv", orders);
    place.write("shop/customers.csv", customers);
    place.ok("train shop --tables all --size tiny --steps 5 --name files");
    let said = place.ok("sample files -o new.db --json").json();
    assert_eq!(said["tables"][0]["rows"].as_u64().map(|n| n > 0), Some(true), "{said}");
    let new = Connection::open(place.path("new.db")).unwrap();
    let orphans = "SELECT count(*) FROM orders WHERE customer_id NOT IN (SELECT id FROM customers)";
    assert_eq!(new.query_row(orphans, [], |row| row.get::<_, i64>(0)).unwrap(), 0);
}

#[test]
fn a_database_grows_where_it_is() {
    let place = Place::new();
    sales(&place);
    place.ok("train shop.db --tables all --size tiny --steps 10 --name shop");
    let said = place.ok("sample shop -o shop.db --if-exists append --json").json();
    assert_eq!(said["tables"][2]["rows"], 0, "{said}");
    assert_eq!(said["tables"][2]["present"], 3, "{said}");
    let shop = Connection::open(place.path("shop.db")).unwrap();
    let count = |sql: &str| shop.query_row(sql, [], |row| row.get::<_, i64>(0)).unwrap();
    assert_eq!(count("SELECT count(*) FROM shops WHERE (id > 40) = (mintage IS NOT NULL)"), 80);
    assert_eq!(count("SELECT count(*) FROM pragma_foreign_key_check"), 0);
    let strangers = "SELECT count(*) FROM sales WHERE mintage IS NOT NULL AND shop <= 40";
    assert_eq!(count(strangers), 0);
}

#[test]
fn a_database_goes_to_a_server_and_grows_there() {
    let Some(server) = server() else { return };
    let place = Place::new();
    sales(&place);
    place.ok("train shop.db --tables all --size tiny --steps 10 --name shop");
    let (mut client, target) = server.database("cli_whole", "");
    let said = place.ok(&format!("sample shop -o {target} --json"));
    assert!(!said.text().contains("geheim") && !said.stderr.contains("geheim"), "{}", said.stderr);
    let mut count = |sql: &str| client.query_one(sql, &[]).unwrap().get::<_, i64>(0);
    assert_eq!(count("SELECT count(*) FROM shops JOIN towns ON code = town"), 40);
    assert_eq!(count("SELECT count(*) FROM pg_constraint WHERE contype = 'f'"), 2);
    let error = place.refused(&format!("sample shop -o {target}"));
    assert!(error.contains("`sales`, `shops`, `towns` are there already"), "{error}");
    place.ok(&format!("sample shop -o {target} --if-exists append"));
    assert_eq!(count("SELECT count(*) FROM shops"), 80);
    assert_eq!(count("SELECT count(*) FROM towns"), 3);
    assert_eq!(count("SELECT count(*) FROM sales WHERE id < 1 OR amount < 1"), 0);
    place.ok(&format!("sample shop -o {target} --if-exists replace --scale 2"));
    assert_eq!(count("SELECT max(id) FROM shops"), 80);
}

/// Clients with visits, a total of what they spent, and where each visit was paid: the client's address.
fn clients(place: &Place) {
    let db = Connection::open(place.path("clients.db")).unwrap();
    db.execute_batch(
        "CREATE TABLE client (id INTEGER PRIMARY KEY, first_name TEXT NOT NULL, last_name TEXT NOT NULL, sex TEXT NOT NULL,
             email TEXT NOT NULL UNIQUE, city TEXT, postcode TEXT, country TEXT NOT NULL, spent REAL);
         CREATE TABLE visit (id INTEGER PRIMARY KEY, client INTEGER NOT NULL REFERENCES client, number INTEGER NOT NULL,
             came TEXT NOT NULL, left TEXT NOT NULL, paid REAL NOT NULL, bill_email TEXT NOT NULL, CHECK (left >= came));
         CREATE TABLE login (email TEXT PRIMARY KEY REFERENCES client (email), level INTEGER NOT NULL);",
    )
    .unwrap();
    let given = [("Anna", "f"), ("Robert", "m"), ("Linda", "f"), ("James", "m"), ("Mary", "f")];
    let family = ["Smith", "Jones", "Miller", "Davis", "Wilson", "Moore", "Taylor"];
    let towns =
        [("Berlin", "10115", "Germany"), ("Lyon", "69001", "France"), ("Leeds", "LS1 4AP", "United Kingdom")];
    for id in 1..=60i64 {
        let ((first, sex), last) = (given[id as usize % 5], family[id as usize % 7]);
        let (city, postcode, country) = towns[id as usize % 3];
        let email = format!("{}.{}{id}@gmail.com", first.to_lowercase(), last.to_lowercase());
        let visits: Vec<f64> = (1..=id % 4).map(|number| (id * number % 17) as f64 + 2.5).collect();
        let spent: f64 = visits.iter().sum();
        let row = (id, first, last, sex, &email, city, postcode, country, spent);
        db.execute("INSERT INTO client VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)", row).unwrap();
        for (at, paid) in visits.iter().enumerate() {
            let day = 1 + (id as usize + at * 5) % 20;
            let row = (
                id,
                at as i64 + 1,
                format!("2024-03-{day:02}"),
                format!("2024-03-{:02}", day + at + 1),
                paid,
                &email,
            );
            db.execute("INSERT INTO visit (client, number, came, left, paid, bill_email) VALUES (?1, ?2, ?3, ?4, ?5, ?6)", row)
                .unwrap();
        }
        if id % 2 == 0 {
            db.execute("INSERT INTO login VALUES (?1, ?2)", (&email, id % 3)).unwrap();
        }
    }
}

/// How many rows a query counts, with the source at hand as `old`.
fn count(place: &Place, file: &str, sql: &str) -> i64 {
    let db = Connection::open(place.path(file)).unwrap();
    db.execute("ATTACH ?1 AS old", [place.path("clients.db").to_str().unwrap()]).unwrap();
    db.query_row(&format!("SELECT count(*) FROM {sql}"), [], |row| row.get(0)).unwrap()
}

#[test]
fn what_agrees_across_tables_agrees_in_new_rows() {
    let place = Place::new();
    clients(&place);
    // Without a flag: a source of several tables is a whole.
    let said = place.ok("train clients.db --exclude login --size tiny --steps 10 --name all");
    assert!(
        said.stderr.contains("made up") && said.stderr.contains("first_name, last_name, email"),
        "{}",
        said.stderr
    );
    place.ok("sample all -o new.db");
    let count = |sql: &str| count(&place, "new.db", sql);
    assert_eq!(count("client"), 60);
    // Nobody of the source is there, and what belongs together does.
    for column in ["first_name", "last_name", "email", "city", "postcode"] {
        let shared = format!("client WHERE {column} IN (SELECT {column} FROM old.client)");
        assert_eq!(count(&shared), 0, "{column}");
    }
    assert_eq!(count("visit JOIN client ON client.id = client WHERE bill_email <> email"), 0);
    assert_eq!(count("visit WHERE left < came"), 0);
    let numbers =
        "(SELECT number, row_number() OVER (PARTITION BY client ORDER BY number) AS place FROM visit)";
    assert_eq!(count(&format!("{numbers} WHERE number <> place")), 0);
    let sums =
        "(SELECT spent, sum(paid) AS paid FROM client JOIN visit ON client.id = client GROUP BY client.id)";
    assert_eq!(count(&format!("{sums} WHERE abs(spent - paid) > 0.005")), 0);
    // As many visits a client as there were, however they are spread.
    let spread =
        |of: &str| format!("(SELECT client, count(*) AS n FROM {of}visit GROUP BY client) WHERE n = 3");
    assert_eq!(count(&spread("")), count(&spread("old.")));
}

#[test]
fn sizes_conditions_and_rows_that_are_given() {
    let place = Place::new();
    clients(&place);
    place.ok("train clients.db --exclude login --size tiny --steps 10 --name all");
    place.ok("sample all -n client=20 --where client.country=France -o new.db");
    let count = |file: &str, sql: &str| count(&place, file, sql);
    assert_eq!(count("new.db", "client"), 20);
    assert_eq!(count("new.db", "client WHERE country <> 'France'"), 0);
    // A condition on children says nothing of their parents.
    place.ok("sample all --where visit.paid=10.. -o paid.db");
    assert_eq!((count("paid.db", "client"), count("paid.db", "visit WHERE paid < 10")), (60, 0));
    assert!(count("paid.db", "visit") > 0);
    let error = place.refused("sample all -o new.db");
    assert!(error.contains("choose another file, or --if-exists append or replace"), "{error}");
    place.write("mine.csv", "id,first_name,country,sex\n901,Ivan,Germany,m\n902,Olga,France,f\n");
    place.ok("sample all --given client=mine.csv -o given.db");
    let mine = "client WHERE (id, first_name, country) IN (VALUES (901, 'Ivan', 'Germany'), (902, 'Olga', 'France'))";
    assert_eq!((count("given.db", "client"), count("given.db", mine)), (2, 2));
    assert_eq!(count("given.db", "visit WHERE client NOT IN (901, 902)"), 0);
    // Visits say to which client they belong, or belong to any.
    place.write("visit.csv", "client,number,paid\n902,2,9.5\n901,1,7.5\n902,1,8.5\n,1,6.5\n,1,5.5\n");
    place.write("lost.csv", "client,number,paid\n902,2,9.5\n77,1,5.5\n");
    place.ok("sample all --given client=mine.csv --given visit.csv -o both.db");
    let visits = "visit WHERE (client, number, paid) IN (VALUES (902, 2, 9.5), (901, 1, 7.5), (902, 1, 8.5))";
    assert_eq!((count("both.db", "visit"), count("both.db", visits)), (5, 3));
    let others = "visit JOIN client ON client.id = client AND bill_email = email WHERE paid IN (6.5, 5.5)";
    assert_eq!(count("both.db", others), 2);
    let sums =
        "(SELECT spent, sum(paid) AS paid FROM client JOIN visit ON client.id = client GROUP BY client.id)";
    assert_eq!(count("both.db", &format!("{sums} WHERE abs(spent - paid) > 0.005")), 0);
    for (flags, told) in [
        ("-n 20", "-n TABLE=N"),
        ("-n visit=20", "the rows of `visit` follow from those of `client`"),
        ("-n nobody=20", "no table `nobody`"),
        ("--where country=France", "names no table"),
        ("--where visit.client=3", "is a key to `client`"),
        ("--where client.spent=5..", "is computed from `visit`"),
        ("--where client.moon=5", "no column `moon`"),
        ("--scale 1e10", "more than can be made"),
        ("-n client=1000000000000", "more than can be made"),
        (
            "--given client=mine.csv --given visit=lost.csv",
            "`visit`, row 2: `client` 77 is of no row of `client`",
        ),
        ("--given visit=mine.csv", "`visit` has no column `first_name`"),
        ("--given client=mine.csv --given client=mine.csv", "rows of `client` are given more than once"),
    ] {
        let error = place.refused(&format!("sample all {flags} -o wrong.db"));
        assert!(error.contains(told), "{flags}: {error}");
    }
    assert!(!place.path("wrong.db").exists());
}

#[test]
fn rows_of_several_tables_are_given() {
    let place = Place::new();
    let shop = Connection::open(place.path("shop.db")).unwrap();
    shop.execute_batch(
        "CREATE TABLE customer (id INTEGER PRIMARY KEY, age INTEGER NOT NULL);
         CREATE TABLE product (id INTEGER PRIMARY KEY, price INTEGER NOT NULL);
         CREATE TABLE purchase (id INTEGER PRIMARY KEY, customer INTEGER NOT NULL REFERENCES customer,
             product INTEGER NOT NULL REFERENCES product, pieces INTEGER NOT NULL);",
    )
    .unwrap();
    for id in 1..=40i64 {
        shop.execute("INSERT INTO customer VALUES (?1, ?2)", (id, 20 + id * 7 % 50)).unwrap();
        shop.execute("INSERT INTO product VALUES (?1, ?2)", (id, 5 + id * 11 % 30)).unwrap();
    }
    for id in 1..=120i64 {
        let row = (id, id % 40 + 1, id * 7 % 40 + 1, id % 4 + 1);
        shop.execute("INSERT INTO purchase VALUES (?1, ?2, ?3, ?4)", row).unwrap();
    }
    drop(shop);
    place.ok("train shop.db --learn product,customer --size tiny --steps 10 --name shop");
    place.write("customer.csv", "id,age\n901,33\n902,44\n");
    place.write("wares.csv", "id,price\n71,5\n72,\n73,7\n");
    place.ok("sample shop --given customer.csv --given product=wares.csv -o new.db");
    let new = Connection::open(place.path("new.db")).unwrap();
    let count = |sql: &str| {
        let sql = format!("SELECT count(*) FROM {sql}");
        new.query_row(&sql, [], |row| row.get::<_, i64>(0)).unwrap()
    };
    assert_eq!((count("customer"), count("product")), (2, 3));
    assert_eq!(count("customer WHERE (id, age) IN (VALUES (901, 33), (902, 44))"), 2);
    assert_eq!(count("product WHERE (id, price) IN (VALUES (71, 5), (73, 7)) OR id = 72 AND price > 0"), 3);
    assert_eq!(count("purchase WHERE customer NOT IN (901, 902) OR product NOT IN (71, 72, 73)"), 0);
}

#[test]
fn rows_of_one_parent_have_values_of_their_own() {
    let place = Place::new();
    let inn = Connection::open(place.path("inn.db")).unwrap();
    inn.execute_batch(
        "CREATE TABLE guest (id INTEGER PRIMARY KEY, age INTEGER NOT NULL);
         CREATE TABLE stay (guest INTEGER NOT NULL REFERENCES guest, day TEXT NOT NULL, room TEXT NOT NULL,
             PRIMARY KEY (guest, day), UNIQUE (guest, room));
         CREATE TABLE bill (id INTEGER PRIMARY KEY, guest INTEGER NOT NULL REFERENCES guest, day TEXT NOT NULL);",
    )
    .unwrap();
    for id in 1..=40i64 {
        inn.execute("INSERT INTO guest VALUES (?1, ?2)", (id, 20 + id * 7 % 50)).unwrap();
        for i in 0..=id % 4 {
            let day = format!("2024-01-{:02}", 1 + (id * 3 + i * 5) % 28);
            let room = ["tea", "cup", "tin", "pot", "jug", "mug"][(id + i) as usize % 6];
            inn.execute("INSERT INTO stay VALUES (?1, ?2, ?3)", (id, &day, room)).unwrap();
            inn.execute("INSERT INTO bill (guest, day) VALUES (?1, ?2)", (id, &day)).unwrap();
        }
    }
    drop(inn);
    place.ok("train inn.db --size tiny --steps 10 --name inn");
    place.ok("sample inn -o new.db");
    let new = Connection::open(place.path("new.db")).unwrap();
    let count = |sql: &str| new.query_row(sql, [], |row| row.get::<_, i64>(0)).unwrap();
    // None was left out on writing.
    assert_eq!(count("SELECT count(*) FROM stay"), 100);
    assert_eq!(count("SELECT count(DISTINCT guest || ' ' || room) FROM stay"), 100);
    // Nothing but the source says so of bills.
    assert_eq!(count("SELECT count(*) FROM bill"), 100);
    assert_eq!(count("SELECT count(DISTINCT guest || ' ' || day) FROM bill"), 100);
    assert_eq!(count("SELECT count(*) FROM bill WHERE day NOT BETWEEN '2024-01-01' AND '2024-01-28'"), 0);
}

#[test]
fn a_database_is_masked() {
    let place = Place::new();
    clients(&place);
    let said = place.ok("mask clients.db --dry-run --json").json();
    assert!(said["masked"].as_array().unwrap().iter().any(|one| one["column"] == "email"), "{said}");
    place.write("key", "not known to anybody");
    place.ok("mask clients.db -o masked.db --key-file key");
    let count = |file: &str, sql: &str| count(&place, file, sql);
    assert_eq!(count("masked.db", "client JOIN old.client AS real USING (id, sex, country, spent)"), 60);
    for column in ["first_name", "last_name", "email"] {
        assert_eq!(
            count("masked.db", &format!("client WHERE {column} IN (SELECT {column} FROM old.client)")),
            0,
            "{column}"
        );
    }
    // The same person is masked alike wherever it stands, also as a key.
    assert_eq!(
        count("masked.db", "visit JOIN client ON client.id = client WHERE bill_email = email"),
        count("masked.db", "visit")
    );
    assert_eq!(count("masked.db", "login JOIN client USING (email)"), 30);
    assert_eq!(count("masked.db", "pragma_foreign_key_check"), 0);
    place.ok("mask clients.db -o again.db --key-file key");
    let emails = |file: &str| {
        let sql = "SELECT group_concat(email) FROM (SELECT email FROM client ORDER BY id)";
        Connection::open(place.path(file)).unwrap().query_row(sql, [], |row| row.get::<_, String>(0)).unwrap()
    };
    assert_eq!(emails("masked.db"), emails("again.db"));
    place.ok("mask clients.db -o other.db");
    assert_ne!(emails("masked.db"), emails("other.db"));
    place.ok("mask clients.db -o part.db --subset 20% --keep client.city --seed 3");
    assert!((1..40).contains(&count("part.db", "client")));
    assert_eq!(count("part.db", "pragma_foreign_key_check"), 0);
    assert_eq!(
        count("part.db", "client JOIN old.client AS real USING (id, city)"),
        count("part.db", "client")
    );
    for (line, told) in [
        ("mask clients.db", "--out"),
        ("mask clients.db -o clients.db --if-exists replace", "is the source"),
        ("mask clients.db -o x.db --keep client.moon", "no column `client.moon`"),
        ("mask clients.db -o x.db --subset 0", "a share is needed"),
        ("mask nowhere.db -o x.db", "no such file"),
    ] {
        let error = place.refused(line);
        assert!(error.contains(told), "{line}: {error}");
    }
}
