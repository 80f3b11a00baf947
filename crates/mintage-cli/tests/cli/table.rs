//! The whole way with table rows, with every family: from a database to new rows in it, in files, and judged.

use std::collections::HashSet;

use rusqlite::{Connection, params};

use crate::helpers::Place;

const TABLE: &str = "клиенты";
const ROWS: usize = 400;

/// `клиенты (id, age, city, joined, spent, vip)`: what is spent goes with age, gaps in `city`.
fn shop(place: &Place) -> Connection {
    let connection = Connection::open(place.path("shop.db")).unwrap();
    connection
        .execute_batch(&format!(
            "CREATE TABLE \"{TABLE}\" (id INTEGER PRIMARY KEY, age INTEGER, city TEXT, joined TEXT, spent REAL, vip TEXT);
             CREATE TABLE about (note TEXT); INSERT INTO about VALUES ('made for tests');"
        ))
        .unwrap();
    let insert =
        format!("INSERT INTO \"{TABLE}\" (age, city, joined, spent, vip) VALUES (?1, ?2, ?3, ?4, ?5)");
    for i in 0..ROWS {
        let age = 18 + (i * 7) % 60;
        let city = [Some("Москва"), Some("Казань"), Some("Omsk"), None][i * i % 7 % 4];
        let joined = format!("2024-{:02}-{:02}", i % 12 + 1, i % 28 + 1);
        let spent = age as f64 * 1.5 + (i % 10) as f64 / 4.0;
        let vip = if age > 50 { "да" } else { "нет" };
        connection.execute(&insert, params![age as i64, city, joined, spent, vip]).unwrap();
    }
    connection
}

fn csv(text: &str) -> Vec<Vec<String>> {
    text.lines().map(|line| line.split(',').map(str::to_owned).collect()).collect()
}

fn whole_way(family: &str) {
    let place = Place::new();
    let connection = shop(&place);
    let said = place.ok(&format!("inspect shop.db --table {TABLE}"));
    assert!(said.text().contains("400 rows") && said.text().contains("datetime"), "{}", said.text());
    place.ok(&format!("train shop.db --table {TABLE} --model {family} --size tiny --steps 30 --name m"));
    // The same request gives the same rows; another seed others.
    let rows = place.ok("sample m -n 50");
    assert_eq!(rows.stdout, place.ok("sample m -n 50").stdout);
    assert!(rows.stdout != place.ok("sample m -n 50 --seed 2").stdout);
    let rows = csv(rows.text());
    assert_eq!(rows[0], ["id", "age", "city", "joined", "spent", "vip"]);
    assert_eq!(rows.len(), 51);
    let ids: HashSet<&String> = rows[1..].iter().map(|row| &row[0]).collect();
    assert_eq!(ids.len(), 50);
    assert!(ids.iter().all(|id| id.parse::<usize>().unwrap() > ROWS), "{ids:?}");
    conditions(&place);
    partial_rows(&place);
    // Beside the old rows, which they never become.
    place.ok("sample m -n 20 -o shop.db --if-exists append");
    let count = |sql: &str| connection.query_row(sql, [], |row| row.get::<_, i64>(0)).unwrap();
    assert_eq!(count(&format!("SELECT count(*) FROM \"{TABLE}\"")), ROWS as i64 + 20);
    assert_eq!(count(&format!("SELECT count(*) FROM \"{TABLE}\" WHERE mintage IS NOT NULL")), 20);
    assert_eq!(
        count(&format!("SELECT count(*) FROM \"{TABLE}\" WHERE typeof(age) = 'integer'")),
        ROWS as i64 + 20
    );
    assert!(place.refused("sample m -n 20 -o shop.db").contains("is there already"));
    for file in ["new.parquet", "new.jsonl.gz", "new.tsv"] {
        place.ok(&format!("sample m -n 20 -o {file}"));
        assert!(place.ok(&format!("inspect {file}")).text().contains("20 rows"), "{file}");
    }
    let report = place.ok("evaluate m --json -").json();
    let names: Vec<&str> =
        report["metrics"].as_array().unwrap().iter().map(|m| m["name"].as_str().unwrap()).collect();
    for name in ["C2ST AUC", "pair trends", "β-recall", "exact copies", "unique keys"] {
        assert!(names.contains(&name), "{name} is not in {names:?}");
    }
    let page = place.text("runs/m/report.html");
    assert!(page.contains("What gives it away") && page.contains("Казань") && !page.contains("<script"));
    let scores = place.ok(&format!("score m shop.db --table {TABLE}"));
    assert_eq!(scores.text().lines().count(), ROWS + 1);
    // Age, what is spent and vip are learned as one: they go together.
    assert!(place.ok("show m").text().contains("rows of 3 columns"));
    place.ok("export m -o model");
    assert_eq!(place.ok("sample model -n 50").stdout, place.ok("sample m -n 50").stdout);
}

fn conditions(place: &Place) {
    let rows = place.ok_args(&["sample", "m", "-n", "40", "--where", "city=Казань", "--where", "age=30..40"]);
    for row in &csv(rows.text())[1..] {
        assert_eq!(row[2], "Казань");
        assert!((30..=40).contains(&row[1].parse::<i64>().unwrap()), "{row:?}");
    }
    for (condition, said) in [
        ("city=Казнь", "did you mean `Казань`?"),
        ("town=Omsk", "is not in the table"),
        ("age=40..30", "ends before it begins"),
        ("age", "is no condition"),
        ("id=7", "is an identifier"),
    ] {
        let error = place.refused_args(&["sample", "m", "--where", condition]);
        assert!(error.contains(said), "{condition}: {error}");
    }
}

/// Given cells stay as they are, gaps are filled.
fn partial_rows(place: &Place) {
    place.write("part.csv", "age,city\n33,Omsk\n44,\n");
    let rows = csv(place.ok("sample m --given part.csv").text());
    assert_eq!((rows[1][1].as_str(), rows[1][2].as_str(), rows[2][1].as_str()), ("33", "Omsk", "44"));
    let rows = csv(place.ok("sample m --fill part.csv").text());
    assert!(!rows[2][2].is_empty() && rows[1][2] == "Omsk", "{rows:?}");
    place.write("wrong.csv", "age,town\n33,Omsk\n");
    assert!(place.refused("sample m --given wrong.csv").contains("`town`"));
    assert!(place.refused("sample m --given part.csv --given part.csv").contains("more than once"));
}

#[test]
fn an_any_order_model_goes_the_whole_way() {
    whole_way("ar");
}

#[test]
fn a_mixture_goes_the_whole_way() {
    whole_way("mixture");
}

#[test]
fn a_vae_goes_the_whole_way() {
    whole_way("vae");
}

#[test]
fn a_vqvae_goes_the_whole_way() {
    whole_way("vqvae");
}

#[test]
fn a_gan_goes_the_whole_way() {
    whole_way("gan");
}

#[test]
fn a_flow_goes_the_whole_way() {
    whole_way("flow");
}

/// Rules of a recipe hold in every row.
#[test]
fn rules_hold() {
    let place = Place::new();
    shop(&place);
    let recipe = format!(
        "[data]\nsource = 'shop.db'\ntable = '{TABLE}'\n[[data.rules]]\nkind = 'combination'\ncolumns = ['age', 'vip']\n\
         [[data.rules]]\nkind = 'range'\ncolumn = 'spent'\nmin = 0\n[model]\nfamily = 'mixture'\n[train]\nsteps = 5\n"
    );
    place.write("r.toml", &recipe);
    place.ok("train r.toml --name m");
    for row in &csv(place.ok("sample m -n 300 --where vip=да").text())[1..] {
        assert!(row[1].parse::<i64>().unwrap() > 50 && row[5] == "да", "{row:?}");
    }
    place.ok("evaluate m");
    let page = place.text("runs/m/report.html");
    assert!(page.contains("Rules kept") && page.contains("<td>spent at least 0</td><td>0</td>"), "{page}");
    // `init` proposes what holds, and its recipe is one.
    place.ok(&format!("init shop.db --table {TABLE} -o proposed.toml"));
    assert!(place.text("proposed.toml").contains("# ar, mixture, vae"));
    place.ok("train proposed.toml --model mixture --steps 2 --name p");
    let broken = recipe.replace("min = 0", "min = 40");
    place.write("r.toml", &broken);
    let said = place.refused("train r.toml --name n");
    assert!(said.contains("spent"), "{said}");
}

/// What is wrong with a table is said before anything is made.
#[test]
fn mistakes_are_explained() {
    let place = Place::new();
    for (file, text, said) in [
        ("ragged.csv", "a,b\n1,2\n1,2,3\n", "line 3"),
        ("one.csv", "a,b\n1,2\n", "a single row"),
        ("nul.csv", "a,b\n1,\u{0}\n", "NUL"),
    ] {
        place.write(file, text);
        let error = place.refused(&format!("train {file}"));
        assert!(error.contains(said), "{file}: {error}");
    }
    shop(&place);
    assert!(place.refused("train shop.db --table клинты").contains("клиенты"));
    assert!(place.refused("copy shop.db new.csv").contains("--table"));
    let error = place.refused("train postgres://nobody:secret@127.0.0.1:9/none --table t");
    assert!(!error.contains("secret"), "{error}");
}

/// What a database declares holds in new rows, in a new file, in a new database and beside the old ones.
#[test]
fn declared_rules_are_in_force() {
    let place = Place::new();
    let connection = Connection::open(place.path("boxes.db")).unwrap();
    connection
        .execute_batch(
            "CREATE TABLE boxes (station TEXT, at TIMESTAMP, w REAL, h REAL, area REAL GENERATED ALWAYS AS (w * h) STORED, \
             lo INT, hi INT, CHECK (lo <= hi), CHECK (length(station) < 2 OR hi > 50), PRIMARY KEY (station, at))",
        )
        .unwrap();
    for i in 0..600i64 {
        let at = format!("2024-01-{:02} {:02}:00:00", i / 3 / 24 + 1, i / 3 % 24);
        let lo = i * 7 % 50;
        let values = params![
            ["A", "B", "C"][i as usize % 3],
            at,
            (i % 91) as f64 / 8.0,
            (i % 77) as f64 / 4.0,
            lo,
            lo + i % 9
        ];
        connection
            .execute("INSERT INTO boxes (station, at, w, h, lo, hi) VALUES (?1, ?2, ?3, ?4, ?5, ?6)", values)
            .unwrap();
    }
    let plan = place.ok("train boxes.db --model mixture --steps 5 --dry-run");
    let said = plan.stderr.clone();
    for rule in ["rules in force: ", "station + at unique", "area = w * h", "lo <= hi", "rules = \"off\""] {
        assert!(said.contains(rule), "{rule} is not in {said}");
    }
    assert!(!plan.text().contains("fit =") && !plan.text().contains("color ="), "{}", plan.text());
    assert!(place.ok("inspect boxes.db").text().contains("station + at unique (`rules = \"off\"`"));
    place.ok("train boxes.db --model mixture --steps 5 --name b");
    place.ok("sample b -n 50 -o boxes.db --if-exists append");
    place.ok("sample b -n 50 -o boxes.db --if-exists append --seed 7");
    place.ok("sample b -n 400 -o new.db");
    let other = Connection::open(place.path("new.db")).unwrap();
    let count = |connection: &Connection, sql: &str| {
        connection.query_row(sql, [], |row| row.get::<_, i64>(0)).unwrap()
    };
    assert_eq!(count(&connection, "SELECT count(*) FROM boxes"), 700);
    assert_eq!(count(&other, "SELECT count(DISTINCT station || at) FROM boxes"), 400);
    assert_eq!(count(&other, "SELECT count(*) FROM boxes WHERE abs(area - w * h) > 1e-9 OR lo > hi"), 0);
    for row in &csv(place.ok("sample b -n 200").text())[1..] {
        let number = |at: usize| row[at].parse::<f64>().unwrap();
        assert!((number(4) - number(2) * number(3)).abs() < 1e-9 && number(5) <= number(6), "{row:?}");
    }
    // Without them whatever the model draws.
    place.ok("train boxes.db --model mixture --steps 5 --name off -s data.rules=off");
    let free = csv(place.ok("sample off -n 200").text());
    assert!(free[1..].iter().any(|row| row[5].parse::<i64>().unwrap() > row[6].parse::<i64>().unwrap()));
}
