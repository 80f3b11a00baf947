//! A small shop beside the photos of products: customers, their orders line by line, reviews, and prices. All of it is made
//! up, the same whenever it is made. What belongs together does so for reasons that a model of the whole database can find:
//! what is bought depends on who buys and when, how often on a habit, stars on the parcel, and texts on stars.

use std::collections::HashSet;

use chrono::{Datelike, NaiveDate, TimeDelta};
use rusqlite::{Transaction, params};

use crate::{CATEGORIES, people::Person, random::Random, reviews::review};

const SEED: u64 = 27;
const CUSTOMERS: usize = 600;
/// Orders of a customer, at most.
const MAX_ORDERS: usize = 12;
/// Days from the first of January 2022, when the shop opens, to the end of 2025. All times here are such days.
const END: f64 = 1461.0;
/// Of a product, by its category; a third dearer or cheaper is usual.
const PRICES: [f64; CATEGORIES.len()] = [15.0, 39.0, 44.0, 59.0, 119.0, 34.0, 32.0, 69.0, 54.0, 89.0];

const TABLES: &str = "
    CREATE TABLE customers (id INTEGER PRIMARY KEY, name TEXT NOT NULL, sex TEXT CHECK (sex IN ('f', 'm')), born DATE,
        email TEXT NOT NULL UNIQUE, phone TEXT, country TEXT NOT NULL, city TEXT, postcode TEXT, joined DATE NOT NULL);
    CREATE TABLE orders (id INTEGER PRIMARY KEY, customer_id INTEGER NOT NULL REFERENCES customers (id),
        ordered_at TEXT NOT NULL, shipped_at TEXT, status TEXT NOT NULL
            CHECK (status IN ('new', 'paid', 'shipped', 'delivered', 'returned', 'cancelled')),
        CHECK (shipped_at IS NULL OR shipped_at >= ordered_at));
    CREATE TABLE order_lines (order_id INTEGER NOT NULL REFERENCES orders (id), position INTEGER NOT NULL,
        product_id INTEGER NOT NULL REFERENCES products (id), quantity INTEGER NOT NULL CHECK (quantity > 0),
        unit_price REAL NOT NULL, PRIMARY KEY (order_id, position));
    CREATE TABLE reviews (id INTEGER PRIMARY KEY, product_id INTEGER NOT NULL REFERENCES products (id),
        customer_id INTEGER NOT NULL REFERENCES customers (id),
        stars INTEGER NOT NULL CHECK (stars BETWEEN 1 AND 5), written_at TEXT NOT NULL, text TEXT NOT NULL,
        UNIQUE (product_id, customer_id));
    CREATE INDEX orders_of_customers ON orders (customer_id);
    CREATE INDEX lines_of_products ON order_lines (product_id);
    INSERT INTO about VALUES (
        'customers, orders, order_lines, reviews, and the prices of products: a shop',
        'made up by a program of this project; nobody in it exists',
        'MIT or Apache-2.0'
    );";

struct Product {
    id: i64,
    category: usize,
    price: f64,
}

struct Customer {
    person: Person,
    joined: f64,
    /// Days between two orders, on average, if it were always Christmas.
    gap: f64,
}

struct Order {
    customer: usize,
    at: f64,
    /// Until it is shipped.
    days: f64,
    is_shipped: bool,
    status: &'static str,
    /// Products by their place, and how many of each.
    lines: Vec<(usize, u32)>,
}

/// Makes the shop of the products that are there.
pub fn fill(insert: &Transaction) {
    insert.execute_batch(TABLES).unwrap();
    let random = &mut Random(SEED);
    let products = products(insert, random);
    let customers = customers(insert, random);
    let orders = orders(insert, random, &products, &customers);
    reviews(insert, random, &products, &customers, &orders);
}

/// Gives the products their prices.
fn products(insert: &Transaction, random: &mut Random) -> Vec<Product> {
    let sql = "SELECT count(*) FROM pragma_table_info('products') WHERE name = 'price'";
    if insert.query_row(sql, [], |row| row.get::<_, u32>(0)).unwrap() == 0 {
        insert.execute_batch("ALTER TABLE products ADD COLUMN price REAL").unwrap();
    }
    let mut asked = insert.prepare("SELECT id, category FROM products ORDER BY id").unwrap();
    let found = asked.query_map([], |row| Ok((row.get::<_, i64>(0)?, row.get::<_, String>(1)?))).unwrap();
    let found: Vec<(i64, String)> = found.map(Result::unwrap).collect();
    let mut all = Vec::new();
    for (id, name) in found {
        let category = CATEGORIES.iter().position(|category| *category == name).unwrap();
        let whole = (PRICES[category] * (0.3 * random.normal()).exp()).floor();
        let cents = *random.pick(&[99.0, 99.0, 95.0, 50.0, 0.0]);
        let price = (whole * 100.0 + cents) / 100.0;
        insert.execute("UPDATE products SET price = ?2 WHERE id = ?1", params![id, price]).unwrap();
        all.push(Product { id, category, price });
    }
    all
}

fn customers(insert: &Transaction, random: &mut Random) -> Vec<Customer> {
    // The shop grows.
    let mut days: Vec<f64> = (0..CUSTOMERS).map(|_| (random.unit().sqrt() * (END - 40.0)).floor()).collect();
    days.sort_by(f64::total_cmp);
    let mut taken = HashSet::new();
    let mut all = Vec::new();
    for joined in days {
        let person = Person::new(random, &mut taken);
        let sex = random.chance(0.93).then_some(if person.is_woman { "f" } else { "m" });
        let born = random.chance(0.94).then(|| date(END - person.age * 365.25));
        let Person { name, email, phone, city, postcode, country, .. } = &person;
        let sql = "INSERT INTO customers (name, sex, born, email, phone, country, city, postcode, joined)
            VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)";
        let joined_on = date(joined);
        insert
            .execute(sql, params![name, sex, born, email, phone, country.name, city, postcode, joined_on])
            .unwrap();
        // Most buy now and then, a few all the time.
        let gap = [270.0, 100.0, 30.0][random.weighted(&[0.55, 0.33, 0.12])];
        all.push(Customer { person, joined, gap });
    }
    all
}

fn orders(
    insert: &Transaction,
    random: &mut Random,
    products: &[Product],
    customers: &[Customer],
) -> Vec<Order> {
    let of = |category: usize| -> Vec<usize> {
        (0..products.len()).filter(|&at| products[at].category == category).collect()
    };
    let by_category: Vec<Vec<usize>> = (0..CATEGORIES.len()).map(of).collect();
    let mut all: Vec<Order> = Vec::new();
    for (at, customer) in customers.iter().enumerate() {
        let mut day = customer.joined + random.exponential(6.0).floor();
        let mut count = 0;
        let never = random.chance(0.1);
        while !never && day < END && count < MAX_ORDERS {
            // The first order has its reason in the registration, not in the season.
            let chance = if count == 0 { 0.85 } else { season(day) };
            if random.chance(chance) {
                all.push(order(random, products, &by_category, (at, customer), day));
                count += 1;
            }
            day += random.exponential(customer.gap).max(1.0).ceil();
        }
    }
    all.sort_by(|a, b| a.at.total_cmp(&b.at));
    for (id, order) in (1i64..).zip(&all) {
        let shipped = order.is_shipped.then(|| stamp(order.at + order.days));
        let sql = "INSERT INTO orders VALUES (?1, ?2, ?3, ?4, ?5)";
        let customer = order.customer as i64 + 1;
        insert.execute(sql, params![id, customer, stamp(order.at), shipped, order.status]).unwrap();
        for (position, &(product, quantity)) in (1i64..).zip(&order.lines) {
            let Product { id: product, price, .. } = &products[product];
            let sql = "INSERT INTO order_lines VALUES (?1, ?2, ?3, ?4, ?5)";
            insert.execute(sql, params![id, position, product, quantity, price]).unwrap();
        }
    }
    all
}

/// How much is bought on a day, next to the weeks before Christmas.
fn season(day: f64) -> f64 {
    let date = day_of(day);
    match (date.month(), date.day()) {
        (12, ..=19) => 1.0,
        (11, _) => 0.85,
        (12, _) => 0.3,
        _ => 0.45,
    }
}

fn order(
    random: &mut Random,
    products: &[Product],
    by_category: &[Vec<usize>],
    (number, customer): (usize, &Customer),
    day: f64,
) -> Order {
    let person = &customer.person;
    // Most buy in the evening.
    let at = day + ((17.0 + 3.5 * random.normal()) / 24.0).clamp(0.0, 0.999);
    let mut lines: Vec<(usize, u32)> = Vec::new();
    for _ in 0..=random.weighted(&[0.52, 0.27, 0.13, 0.08]) {
        let category = random.weighted(&taste(person, day_of(day).month()));
        // Some products are known better than others.
        let place = random.unit().powi(2) * by_category[category].len() as f64;
        let product = by_category[category][place as usize];
        let quantities = if products[product].price < 25.0 { [0.7, 0.2, 0.1] } else { [0.95, 0.05, 0.0] };
        let quantity = 1 + random.weighted(&quantities) as u32;
        if lines.iter().all(|line| line.0 != product) {
            lines.push((product, quantity));
        }
    }
    let (least, most) = person.country.days;
    let days = random.between(least, most) * if day_of(day).month() == 12 { 1.3 } else { 1.0 };
    let fits_badly = |line: &(usize, u32)| {
        matches!(CATEGORIES[products[line.0].category], "dress" | "sandal" | "ankle boot")
    };
    let returned = if lines.iter().any(fits_badly) { 0.13 } else { 0.04 };
    let is_cancelled = random.chance(0.05);
    let is_shipped = !is_cancelled && at + days < END;
    let status = match () {
        () if is_cancelled => "cancelled",
        () if !is_shipped && at > END - 1.0 => "new",
        () if !is_shipped => "paid",
        () if at + days > END - 5.0 => "shipped",
        () if random.chance(returned) => "returned",
        () => "delivered",
    };
    Order { customer: number, at, days, is_shipped, status, lines }
}

/// How much somebody likes each category in a month.
fn taste(person: &Person, month: u32) -> [f64; CATEGORIES.len()] {
    // In the order of CATEGORIES.
    let mut all: [f64; CATEGORIES.len()] = match person.is_woman {
        true => [1.2, 0.9, 1.0, 2.2, 0.9, 1.3, 0.5, 1.0, 2.0, 1.4],
        false => [1.8, 1.7, 1.1, 0.03, 0.8, 0.5, 2.2, 2.0, 0.35, 0.5],
    };
    let of_age = if person.age < 32.0 {
        [1.8, 1.0, 0.9, 1.2, 0.7, 1.0, 0.7, 2.0, 1.0, 1.0]
    } else if person.age < 50.0 {
        [1.0; CATEGORIES.len()]
    } else {
        [0.6, 1.2, 1.6, 0.8, 1.6, 0.8, 1.5, 0.4, 1.1, 0.9]
    };
    let of_month = match month {
        5..=8 => [1.7, 0.8, 0.35, 1.5, 0.2, 2.8, 1.0, 1.0, 1.0, 0.3],
        11 | 12 | 1 | 2 => [0.6, 1.0, 2.0, 0.8, 2.3, 0.12, 1.0, 0.8, 1.3, 2.2],
        _ => [1.0; CATEGORIES.len()],
    };
    for (weight, (age, month)) in all.iter_mut().zip(of_age.iter().zip(&of_month)) {
        *weight *= age * month;
    }
    all
}

fn reviews(
    insert: &Transaction,
    random: &mut Random,
    products: &[Product],
    customers: &[Customer],
    orders: &[Order],
) {
    let mut written = HashSet::new();
    let mut all = Vec::new();
    for order in orders.iter().filter(|order| matches!(order.status, "delivered" | "returned")) {
        let person = &customers[order.customer].person;
        for &(product, _) in &order.lines {
            let at = order.at + order.days + 2.0 + random.exponential(9.0);
            if at < END && random.chance(0.33) && written.insert((order.customer, product)) {
                let Product { id, category, .. } = products[product];
                let stars = stars(random, order, person, category);
                let text = review(random, person.country.language, category, stars, order.days as i64);
                all.push((at, id, order.customer as i64 + 1, stars, text));
            }
        }
    }
    all.sort_by(|a, b| a.0.total_cmp(&b.0));
    for (at, product, customer, stars, text) in all {
        let sql = "INSERT INTO reviews (product_id, customer_id, stars, written_at, text) VALUES (?1, ?2, ?3, ?4, ?5)";
        insert.execute(sql, params![product, customer, stars, stamp(at), text]).unwrap();
    }
}

fn stars(random: &mut Random, order: &Order, person: &Person, category: usize) -> u8 {
    let mut weights = match order.status {
        "returned" => [0.35, 0.30, 0.20, 0.10, 0.05],
        _ => [0.05, 0.07, 0.14, 0.30, 0.44],
    };
    let is_slow = order.days > 5.0;
    let is_liked = matches!(CATEGORIES[category], "sneaker" | "bag" | "pullover");
    for (weight, factor) in weights[..2].iter_mut().zip([1.5, 1.3]) {
        *weight *= if is_slow { factor } else { 1.0 };
    }
    weights[4] *= match person.country.name {
        "United States" => 1.6,
        "Germany" => 0.6,
        _ => 1.0,
    };
    weights[4] *= if is_liked { 1.5 } else { 0.9 };
    random.weighted(&weights) as u8 + 1
}

/// The day of a time.
fn day_of(at: f64) -> NaiveDate {
    NaiveDate::from_ymd_opt(2022, 1, 1).unwrap() + TimeDelta::days(at.floor() as i64)
}

fn date(at: f64) -> String {
    day_of(at).to_string()
}

fn stamp(at: f64) -> String {
    let seconds = (at.fract() * 86_400.0) as u32;
    format!("{} {:02}:{:02}:{:02}", date(at), seconds / 3600, seconds / 60 % 60, seconds % 60)
}
