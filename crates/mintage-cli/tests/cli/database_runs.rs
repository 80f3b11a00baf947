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
        let (month, day) = (id * 5 % 12 + 1, id * 11 % 28 + 1);
        sql.push_str(&format!(
            "INSERT INTO customers VALUES ({id}, {}, '2021-{month:02}-{day:02}', {});",
            id % 8 + 1,
            id * 7 % 90
        ));
        for i in 0..id % 4 {
            let amount = (id + i) * 5 % 40 + 1;
            sql.push_str(&format!("INSERT INTO orders (customer, amount) VALUES ({id}, {amount});"));
        }
    }
    Connection::open(place.path("shop.db")).unwrap().execute_batch(&sql).unwrap();
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
