//! Keys that no store declares: those of several columns, and those that the user names.

use std::collections::BTreeMap;

use super::*;

fn given(texts: &[&str]) -> Vec<KeySpec> {
    texts.iter().map(|text| KeySpec::parse(text).unwrap()).collect()
}

fn read(sql: &str, keys: Vec<KeySpec>) -> Result<Schema, Error> {
    let (_dir, spec) = file(sql);
    Schema::read(&SourceSpec { keys, ..spec })
}

/// Orders whose columns all could be of customers and of shops.
fn shop() -> String {
    let mut sql = "CREATE TABLE customers (id INTEGER PRIMARY KEY); CREATE TABLE shops (id INTEGER PRIMARY KEY);
        CREATE TABLE orders (id INTEGER PRIMARY KEY, buyer INT REFERENCES shops, shop_id INT, customer_id INT, place INT, odd INT);"
        .to_owned();
    (1..=20).for_each(|i| {
        sql.push_str(&format!("INSERT INTO customers VALUES ({i}); INSERT INTO shops VALUES ({i});"));
    });
    (1..=40).for_each(|i| {
        let of = i % 20 + 1;
        sql.push_str(&format!("INSERT INTO orders VALUES ({i}, {of}, {of}, {of}, {of}, {});", 1000 + i));
    });
    sql
}

#[test]
fn keys_that_are_given_are_added_corrected_and_removed() {
    let sql = shop();
    let found = ["orders.buyer → shops.id", "orders.shop_id → shops.id", "orders.customer_id → customers.id"];
    assert_eq!(keys(&schema(&sql)), found);
    let keys_given = given(&["orders.buyer=customers.id", "Orders.place=shops", "orders.shop_id=none"]);
    let schema = read(&sql, keys_given).unwrap();
    let expected =
        ["orders.buyer → customers.id", "orders.place → shops.id", "orders.customer_id → customers.id"];
    assert_eq!(keys(&schema), expected);
    let origins: Vec<bool> = schema.keys().map(|(_, key)| key.origin == Origin::Given).collect();
    assert_eq!(origins, [true, true, false]);
    assert!(schema.keys().all(|(_, key)| key.orphans == Some(0)));
    assert!(schema.text().contains("  buyer ⇢ customers.id, optional, given\n"), "{}", schema.text());
    // What is declared stays so when it is said again.
    let schema = read(&sql, given(&["orders.buyer=shops"])).unwrap();
    assert_eq!(schema.table("orders").unwrap().foreign_keys[0].origin, Origin::Declared);
}

#[test]
fn keys_that_cannot_be_are_refused_with_the_reason() {
    let cases = [
        ("ordrs.buyer=customers", "names table `ordrs`, which is not there", "did you mean `orders`?"),
        ("orders.buyer=customer", "names table `customer`, which is not there", "did you mean `customers`?"),
        ("orders.bujer=customers", "names column `bujer`, which table `orders`", "did you mean `buyer`?"),
        ("orders.buyer=customers.idd", "names column `idd`, which table `customers`", "did you mean `id`?"),
        ("orders.buyer+place=customers", "has 2 columns, and refers to 1 column of `customers`", "id"),
        ("orders.buyer=orders.place", "tells no rows apart: 20 values of it are in several rows", "differ"),
        ("orders.id=orders.id", "refers to itself", ""),
        ("orders.odd=customers", "refers to customers.id, which has none of its 40 values", "same values"),
    ];
    let sql = shop();
    for (text, why, hint) in cases {
        let error = read(&sql, given(&[text])).unwrap_err();
        assert!(error.to_string().contains(why), "{text}: {error}");
        assert!(error.hint().unwrap_or_default().contains(hint), "{text}: {:?}", error.hint());
    }
    let error = read(&sql, given(&["orders.place=shops", "orders.place=customers"])).unwrap_err();
    assert!(error.to_string().contains("the key orders.place that is given is there twice"), "{error}");
    let none = KeySpec { table: "orders".into(), column: Some("place".into()), ..KeySpec::default() };
    let both = KeySpec { columns: vec!["buyer".into()], parent: Some("shops".into()), ..none.clone() };
    let removed = KeySpec { remove: true, parent: Some("shops".into()), ..none.clone() };
    let errors = [none, both, removed].map(|key| read(&sql, vec![key]).unwrap_err().to_string());
    let expected =
        ["which table it refers to", "once which columns it has", "refers to a table and is removed"];
    for (error, why) in errors.iter().zip(expected) {
        assert!(error.contains(why), "{error}");
    }
}

#[test]
fn a_broken_key_can_be_said_to_be_none() {
    let sql = "CREATE TABLE a (id INTEGER PRIMARY KEY, x INT REFERENCES gone (id), y INT REFERENCES b);
        CREATE TABLE b (id INTEGER PRIMARY KEY);";
    assert!(failure(sql).hint().unwrap().contains("--key TABLE.COLUMN=none"));
    assert_eq!(keys(&read(sql, given(&["a.x=none"])).unwrap()), ["a.y → b.id"]);
    assert_eq!(keys(&read(sql, given(&["a.x=b"])).unwrap()), ["a.y → b.id", "a.x → b.id"]);
}

#[test]
fn one_column_refers_to_several_tables() {
    let mut sql =
        "CREATE TABLE photos (id INTEGER PRIMARY KEY); CREATE TABLE orders (id INTEGER PRIMARY KEY);
        CREATE TABLE comments (id INTEGER PRIMARY KEY, kind TEXT, subject INT);"
            .to_owned();
    for i in 1..=30 {
        sql.push_str(&format!("INSERT INTO photos VALUES ({i}); INSERT INTO orders VALUES ({});", i + 100));
        sql.push_str(&format!(
            "INSERT INTO comments VALUES ({i}, 'Photo', {i}), ({}, 'it''s', {});",
            i + 30,
            i + 100
        ));
    }
    sql.push_str("INSERT INTO comments VALUES (99, 'it''s', 1), (100, NULL, 7);");
    let parents =
        [("Photo", "photos"), ("it's", "orders")].map(|(kind, of)| (kind.to_owned(), of.to_owned()));
    let key = KeySpec {
        table: "comments".into(),
        column: Some("subject".into()),
        by: Some("kind".into()),
        parents: BTreeMap::from(parents),
        ..KeySpec::default()
    };
    let schema = read(&sql, vec![key.clone()]).unwrap();
    assert_eq!(keys(&schema), ["comments.subject → photos.id", "comments.subject → orders.id"]);
    let facts: Vec<(String, Option<u64>)> =
        schema.keys().map(|(_, key)| (key.label(), key.orphans)).collect();
    assert_eq!(facts, [("subject[Photo]".to_owned(), Some(0)), ("subject[it's]".to_owned(), Some(1))]);
    let line = "  subject ⇢ orders.id where kind is it's, optional, given, 1 row to nothing\n";
    assert!(schema.text().contains(line), "{}", schema.text());
    let back: Schema = serde_json::from_str(&serde_json::to_string(&schema).unwrap()).unwrap();
    assert_eq!(back, schema);
    let wrong = KeySpec { by: Some("kin".into()), ..key };
    let error = read(&sql, vec![wrong]).unwrap_err();
    assert!(error.to_string().contains("names column `kin`"), "{error}");
}

#[test]
fn keys_of_several_columns_are_found_in_files() {
    let dir = tempfile::tempdir().unwrap();
    let (mut lines, mut returns) = ("order_no,pos,amount\n".to_owned(), "order_no,pos,reason\n".to_owned());
    for order in 1..=40 {
        for pos in 1..=3 {
            lines.push_str(&format!("{order},{pos},{}\n", order * pos % 7));
            if order <= 20 {
                returns.push_str(&format!("{order},{pos},why {}\n", order % 4));
            }
        }
    }
    std::fs::write(dir.path().join("lines.csv"), lines).unwrap();
    std::fs::write(dir.path().join("returns.csv"), returns).unwrap();
    let spec = SourceSpec { source: dir.path().display().to_string(), ..SourceSpec::default() };
    let schema = Schema::read(&spec).unwrap();
    assert_eq!(keys(&schema), ["returns.(order_no, pos) → lines.(order_no, pos)"]);
    let lines = schema.table("lines").unwrap();
    assert_eq!((lines.primary_key.len(), lines.key_found), (2, true));
    let line =
        "  (order_no, pos) ⇢ lines.(order_no, pos), found: all its 60 values are there and the names fit\n";
    assert!(schema.text().contains(line), "{}", schema.text());
}

#[test]
fn keys_of_several_columns_are_found_where_none_is_declared() {
    let mut sql = "CREATE TABLE line (order_no INT, pos INT, PRIMARY KEY (order_no, pos));
        CREATE TABLE refund (id INTEGER PRIMARY KEY, OrderNo INTEGER, pos INT);"
        .to_owned();
    for i in 0..60 {
        sql.push_str(&format!("INSERT INTO line VALUES ({}, {});", i / 3 + 1, i % 3 + 1));
        sql.push_str(&format!("INSERT INTO refund (OrderNo, pos) VALUES ({}, {});", i % 20 + 1, i % 2 + 1));
    }
    let found = schema(&sql);
    assert_eq!(keys(&found), ["refund.(OrderNo, pos) → line.(order_no, pos)"]);
    assert!(found.keys().all(|(_, key)| key.orphans == Some(0)));
    sql.push_str("CREATE TABLE detail (id INTEGER PRIMARY KEY REFERENCES refund);");
    assert_eq!(keys(&schema(&sql)), ["detail.id → refund.id"]);
}

#[test]
fn a_key_with_a_few_orphans_is_one() {
    let mut sql =
        "CREATE TABLE customers (id INTEGER PRIMARY KEY); CREATE TABLE orders (id INTEGER PRIMARY KEY, customer_id INT);"
            .to_owned();
    (1..=100).for_each(|i| sql.push_str(&format!("INSERT INTO customers VALUES ({i});")));
    for i in 1..=300 {
        let of = if i <= 291 { i % 97 + 1 } else { 1000 + i % 3 };
        sql.push_str(&format!("INSERT INTO orders VALUES ({i}, {of});"));
    }
    let schema = schema(&sql);
    let line = "  customer_id ⇢ customers.id, optional, found: 97 % of its 100 values are there and the names fit, 9 rows to nothing\n";
    assert!(schema.text().contains(line), "{}", schema.text());
}

#[test]
fn tables_are_kept_and_learned_as_is_said() {
    let (_dir, spec) = file(&shop());
    let schema = Schema::read(&spec).unwrap();
    let names = |list: &[&str]| list.iter().map(|name| (*name).to_owned()).collect::<Vec<String>>();
    let choices = |keep: &[&str], learn: &[&str]| {
        schema.choices(&SourceSpec { keep: names(keep), learn: names(learn), ..spec.clone() })
    };
    // As the store spells them.
    let said: Vec<(String, Choice)> = choices(&["Shops"], &["orders"]).unwrap().into_iter().collect();
    assert_eq!(said, [("orders".to_owned(), Choice::Learn), ("shops".to_owned(), Choice::Keep)]);
    let error = choices(&["shop"], &[]).unwrap_err();
    assert!(
        error
            .to_string()
            .ends_with("table `shop`, which is to be kept as it is, is not there, or is left out")
    );
    assert_eq!(error.hint().as_deref(), Some("did you mean `shops`?"));
    let error = choices(&[], &["x"]).unwrap_err();
    assert_eq!(error.hint().as_deref(), Some("the tables are customers, orders, shops"));
    let error = choices(&["orders"], &["ORDERS"]).unwrap_err();
    assert!(
        error.to_string().contains("table `orders` is to be kept as it is, and to be learned"),
        "{error}"
    );
}
