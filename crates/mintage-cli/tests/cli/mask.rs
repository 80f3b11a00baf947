//! Masks: dates of birth, and keys that only the user knows.

use rusqlite::Connection;

use crate::helpers::Place;

/// Patients with dates of birth, one of them without, and visits that have the dates in another form.
fn patients(place: &Place) {
    let mut sql =
        "CREATE TABLE patients (id INTEGER PRIMARY KEY, last_name TEXT NOT NULL, birth_date TEXT);
         CREATE TABLE visits (id INTEGER PRIMARY KEY, who INTEGER NOT NULL, dob TEXT NOT NULL, fee INTEGER NOT NULL);
         INSERT INTO patients VALUES (1, 'Smith', NULL);"
            .to_owned();
    for id in 2..=60 {
        let name = ["Smith", "Jones", "Miller", "Davis", "Wilson"][id % 5];
        let (year, month, day) = (1930 + id * 17 % 70, id % 12 + 1, id * 7 % 28 + 1);
        sql.push_str(&format!("INSERT INTO patients VALUES ({id}, '{name}', '{year}-{month:02}-{day:02}');"));
        for i in 0..id % 3 {
            sql.push_str(&format!(
                "INSERT INTO visits (who, dob, fee) VALUES ({id}, '{day:02}.{month:02}.{year}', {});",
                (id + i) * 5 % 40
            ));
        }
    }
    Connection::open(place.path("clinic.db")).unwrap().execute_batch(&sql).unwrap();
}

/// How many rows a query counts, with the source at hand as `old`.
fn count(place: &Place, file: &str, sql: &str) -> i64 {
    let db = Connection::open(place.path(file)).unwrap();
    db.execute("ATTACH ?1 AS old", [place.path("clinic.db").to_str().unwrap()]).unwrap();
    db.query_row(&format!("SELECT count(*) FROM {sql}"), [], |row| row.get(0)).unwrap()
}

#[test]
fn dates_of_birth_move_alike_wherever_they_stand() {
    let place = Place::new();
    patients(&place);
    place.write("key", "not known to anybody");
    place.ok("mask clinic.db -o masked.db --key-file key");
    let said = place.ok("mask clinic.db --dry-run --json").json();
    let moves = |one: &&serde_json::Value| one["why"].as_str().unwrap().contains("moves by up to 180 days");
    assert_eq!(said["masked"].as_array().unwrap().iter().filter(moves).count(), 2, "{said}");
    let count = |file: &str, sql: &str| count(&place, file, sql);
    assert_eq!((count("masked.db", "patients"), count("masked.db", "visits")), (60, 59));
    let both = "patients AS new JOIN old.patients AS real USING (id) WHERE";
    let days = "abs(julianday(new.birth_date) - julianday(real.birth_date))";
    assert_eq!(count("masked.db", &format!("{both} {days} BETWEEN 1 AND 180")), 59);
    assert_eq!(count("masked.db", "patients WHERE birth_date IS NULL AND id = 1"), 1);
    let turned = "substr(dob, 7, 4) || '-' || substr(dob, 4, 2) || '-' || substr(dob, 1, 2)";
    let alike = format!("visits JOIN patients ON patients.id = who WHERE birth_date = {turned}");
    assert_eq!(count("masked.db", &alike), 59);
    let dates = |file: &str| {
        let sql = "SELECT group_concat(birth_date) FROM (SELECT birth_date FROM patients ORDER BY id)";
        Connection::open(place.path(file)).unwrap().query_row(sql, [], |row| row.get::<_, String>(0)).unwrap()
    };
    place.ok("mask clinic.db -o again.db --key-file key");
    place.ok("mask clinic.db -o other.db");
    assert_eq!(dates("masked.db"), dates("again.db"));
    assert_ne!(dates("masked.db"), dates("other.db"));
    place.ok("mask clinic.db -o kept.db --keep patients.birth_date");
    assert_eq!(dates("kept.db"), dates("clinic.db"));
}

#[test]
fn keys_that_nobody_declares_are_said() {
    let place = Place::new();
    patients(&place);
    place.ok("mask clinic.db -o part.db --key visits.who=patients --subset 30% --seed 4");
    let count = |sql: &str| count(&place, "part.db", sql);
    assert!((1..60).contains(&count("patients")) && (1..59).contains(&count("visits")));
    assert_eq!(count("visits WHERE who NOT IN (SELECT id FROM patients)"), 0);
    let of_taken = "old.visits WHERE who IN (SELECT id FROM patients)";
    assert_eq!(count("visits"), count(of_taken));
    let error = place.refused("mask clinic.db -o x.db --key visits.who");
    assert!(error.contains("orders.customer_id=customers.id"), "{error}");
    assert!(place.refused("mask clinic.db -o x.db --key visits.who=patient").contains("`patients`"));
}
