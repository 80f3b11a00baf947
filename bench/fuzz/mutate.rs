//! What is done to bytes and to JSON, whatever they hold.

use mintage::nn::Rng;
use serde_json::Value;

/// Numbers at which arithmetic breaks.
const NUMBERS: [i64; 26] = [
    0,
    1,
    2,
    3,
    -1,
    -2,
    7,
    16,
    127,
    128,
    255,
    256,
    1000,
    32_767,
    65_535,
    65_536,
    1_000_000,
    50_000_000,
    i32::MAX as i64,
    1 << 31,
    u32::MAX as i64,
    1 << 32,
    1_000_000_000_000,
    1 << 53,
    i64::MAX,
    i64::MIN,
];

const FLOATS: [f64; 12] =
    [0.0, -0.0, 0.5, -1.0, 1.5, 1e-300, 1e-9, 1e9, 1e30, 1e300, f64::MAX, f64::MIN_POSITIVE];

const TEXTS: [&str; 12] =
    ["", " ", "0", "-1", "NaN", "\u{0}", "%", "../../x", "é\u{301}", "[a-z]{9999}", "((((", "%Y-%m-%dT%Q"];

pub fn one<'a, T>(all: &'a [T], rng: &mut Rng) -> &'a T {
    &all[rng.below(all.len())]
}

pub fn chance(share: f32, rng: &mut Rng) -> bool {
    rng.uniform() < share
}

/// A few changes to bytes; `other` is another seed of the same group.
pub fn bytes(data: &mut Vec<u8>, other: &[u8], rng: &mut Rng) {
    for _ in 0..=rng.below(4) {
        change(data, other, rng);
    }
}

fn change(data: &mut Vec<u8>, other: &[u8], rng: &mut Rng) {
    if data.is_empty() {
        data.extend((0..rng.below(64)).map(|_| 0u8));
        return;
    }
    let at = place(data.len(), rng);
    let len = (1 + rng.below(16)).min(data.len() - at);
    match rng.below(10) {
        0 => data[at] ^= 1 << rng.below(8),
        1 => data[at] = rng.next_u64() as u8,
        2 => data[at..at + len].fill(*one(&[0u8, 255, 127, 128, b'0', b'"'], rng)),
        3 => drop(data.drain(at..at + len)),
        4 => {
            let part = data[at..at + len].to_vec();
            data.splice(at..at, part);
        }
        5 => data.truncate(at),
        6 => number(data, at, rng),
        7 => number(data, at, rng),
        8 if !other.is_empty() => {
            let from = rng.below(other.len());
            let part = &other[from..(from + 1 + rng.below(200)).min(other.len())];
            data.splice(at..at + len, part.iter().copied());
        }
        _ => {
            let noise: Vec<u8> = (0..len).map(|_| rng.next_u64() as u8).collect();
            data[at..at + len].copy_from_slice(&noise);
        }
    }
}

/// Headers are at the beginning, and at the end of some formats.
fn place(len: usize, rng: &mut Rng) -> usize {
    match rng.below(3) {
        0 => rng.below(len.min(64)),
        1 => len - 1 - rng.below(len.min(256)),
        _ => rng.below(len),
    }
}

/// A number of 1 to 8 bytes, either end first.
fn number(data: &mut [u8], at: usize, rng: &mut Rng) {
    let width = (*one(&[1usize, 2, 4, 8], rng)).min(data.len() - at);
    let value = *one(&NUMBERS, rng) as u64;
    let bytes = if rng.below(2) == 0 {
        value.to_le_bytes()
    } else {
        value.rotate_left(8 * (8 - width as u32)).to_be_bytes()
    };
    data[at..at + width].copy_from_slice(&bytes[..width]);
}

/// Changes a value somewhere inside.
pub fn json(value: &mut Value, rng: &mut Rng) {
    for _ in 0..=rng.below(2) {
        let all = count(value);
        let mut at = rng.below(all);
        visit(value, &mut at, &mut |node| node_change(node, rng));
    }
}

fn count(value: &Value) -> usize {
    1 + match value {
        Value::Array(all) => all.iter().map(count).sum(),
        Value::Object(all) => all.values().map(count).sum(),
        _ => 0usize,
    }
}

/// Calls `f` with the value of that number, in order.
fn visit(value: &mut Value, at: &mut usize, f: &mut impl FnMut(&mut Value)) -> bool {
    if *at == 0 {
        f(value);
        return true;
    }
    *at -= 1;
    match value {
        Value::Array(all) => all.iter_mut().any(|value| visit(value, at, f)),
        Value::Object(all) => all.values_mut().any(|value| visit(value, at, f)),
        _ => false,
    }
}

fn node_change(node: &mut Value, rng: &mut Rng) {
    if chance(0.1, rng) {
        *node = any(rng);
        return;
    }
    match node {
        Value::Number(number) => *node = other_number(number.as_f64().unwrap_or(0.0), number.is_f64(), rng),
        Value::Bool(yes) => *yes = !*yes,
        Value::String(text) => {
            *text = match rng.below(3) {
                0 => (*one(&TEXTS, rng)).to_owned(),
                1 => text.chars().rev().collect(),
                _ => text.repeat(1 + rng.below(3)),
            };
        }
        Value::Array(all) => array_change(all, rng),
        Value::Object(all) => {
            let keys: Vec<String> = all.keys().cloned().collect();
            if keys.is_empty() {
                return;
            }
            let (a, b) = (one(&keys, rng).clone(), one(&keys, rng).clone());
            match rng.below(3) {
                0 => drop(all.remove(&a)),
                1 => {
                    let other = all[&b].clone();
                    all.insert(a, other);
                }
                _ => drop(all.insert("unknown".to_owned(), any(rng))),
            }
        }
        Value::Null => *node = any(rng),
    }
}

fn array_change(all: &mut Vec<Value>, rng: &mut Rng) {
    if all.is_empty() {
        all.push(any(rng));
        return;
    }
    let at = rng.below(all.len());
    match rng.below(6) {
        0 => drop(all.remove(at)),
        1 => all.insert(at, all[at].clone()),
        2 => all.reverse(),
        3 => all.clear(),
        4 => all.truncate(at),
        _ => {
            let many = 1 + rng.below(50);
            let copies = vec![all[at].clone(); many];
            all.extend(copies);
        }
    }
}

fn other_number(old: f64, is_float: bool, rng: &mut Rng) -> Value {
    let whole = old as i64;
    match rng.below(10) {
        0 => whole.wrapping_add(1).into(),
        1 => whole.wrapping_sub(1).into(),
        2 => whole.saturating_mul(2).into(),
        3 => (whole / 2).into(),
        4 => whole.saturating_mul(1000).into(),
        5 => whole.wrapping_neg().into(),
        6 => u64::MAX.into(),
        7 if is_float => (*one(&FLOATS, rng)).into(),
        8 => (*one(&FLOATS, rng)).into(),
        _ => (*one(&NUMBERS, rng)).into(),
    }
}

fn any(rng: &mut Rng) -> Value {
    match rng.below(6) {
        0 => Value::Null,
        1 => (*one(&NUMBERS, rng)).into(),
        2 => (*one(&FLOATS, rng)).into(),
        3 => (*one(&TEXTS, rng)).into(),
        4 => Value::Array(vec![(*one(&NUMBERS, rng)).into(); rng.below(4)]),
        _ => Value::Object(serde_json::Map::new()),
    }
}
