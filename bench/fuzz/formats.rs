//! What is done to the parts of a format, so that more than its first check is reached: lengths and checksums are put
//! right again, most times.

use std::ops::Range;

use mintage::nn::Rng;
use serde_json::Value;

use super::mutate::{self, chance, one};

/// A change that knows the format; `None` where the file has none of its parts.
pub fn change(name: &str, data: &[u8], other: &[u8], rng: &mut Rng) -> Option<Vec<u8>> {
    match name.rsplit('.').next()? {
        "png" | "apng" if chance(0.25, rng) => Some(odd_png(rng)),
        "png" | "apng" => png(data, rng),
        "json" => json(data, rng),
        "jsonl" => json_line(data, rng),
        "toml" => toml(data, rng),
        "safetensors" => safetensors(data, rng),
        "ogg" => ogg(data, other, rng),
        "wav" | "webp" => riff(data, rng),
        "mid" => midi(data, rng),
        "csv" | "tsv" => cells(data, rng),
        "gz" => packed(data, other, rng),
        _ => None,
    }
}

pub fn crc32(bytes: &[u8]) -> u32 {
    let bit = |crc: u32, _| if crc & 1 == 1 { crc >> 1 ^ 0xedb8_8320 } else { crc >> 1 };
    !bytes.iter().fold(!0, |crc, &byte| (0..8).fold(crc ^ u32::from(byte), bit))
}

/// The chunks of a file whose lengths are big-endian numbers before or after a name of four letters.
fn chunks(
    data: &[u8],
    first: usize,
    little: bool,
    name_first: bool,
    tail: usize,
    even: bool,
) -> Vec<Range<usize>> {
    let mut found = Vec::new();
    let mut at = first;
    while at + 8 <= data.len() {
        let number = if name_first { &data[at + 4..at + 8] } else { &data[at..at + 4] };
        let bytes: [u8; 4] = number.try_into().unwrap();
        let len = if little { u32::from_le_bytes(bytes) } else { u32::from_be_bytes(bytes) } as usize;
        let end = (at + 8 + len + tail + usize::from(even && len % 2 == 1)).min(data.len());
        found.push(at..end);
        at = end;
    }
    found
}

/// Drops, doubles, exchanges or changes a chunk.
fn shuffle(parts: &mut Vec<Vec<u8>>, rng: &mut Rng) {
    if parts.is_empty() {
        return;
    }
    let (at, to) = (rng.below(parts.len()), rng.below(parts.len()));
    match rng.below(6) {
        0 => drop(parts.remove(at)),
        1 => parts.insert(to, parts[at].clone()),
        2 => parts.swap(at, to),
        3 => parts.truncate(at + 1),
        _ => {
            let part = &mut parts[at];
            let mut body = part.split_off(8.min(part.len()));
            mutate::bytes(&mut body, &[], rng);
            part.extend(body);
        }
    }
}

fn png(data: &[u8], rng: &mut Rng) -> Option<Vec<u8>> {
    let head = data.get(..8)?;
    let mut parts: Vec<Vec<u8>> =
        chunks(data, 8, false, false, 4, false).into_iter().map(|range| data[range].to_vec()).collect();
    shuffle(&mut parts, rng);
    let mut out = head.to_vec();
    for mut part in parts {
        if part.len() >= 12 {
            part.truncate(part.len() - 4);
            let len = (part.len() - 8) as u32;
            part[..4].copy_from_slice(&len.to_be_bytes());
            part.extend(crc32(&part[4..]).to_be_bytes());
        }
        out.extend(part);
    }
    Some(out)
}

/// A picture that no program writes: any depth and colour, a palette of any length, too few or too many pixels.
fn odd_png(rng: &mut Rng) -> Vec<u8> {
    let (width, height) = (1 + rng.below(40) as u32, 1 + rng.below(40) as u32);
    let (depth, colour) = (*one(&[1u8, 2, 4, 8, 16], rng), *one(&[0u8, 2, 3, 3, 3, 4, 6], rng));
    let mut header = [width.to_be_bytes(), height.to_be_bytes()].concat();
    header.extend([depth, colour, 0, 0, rng.below(2) as u8]);
    let mut out = b"\x89PNG\r\n\x1a\n".to_vec();
    let mut put = |name: &[u8], body: &[u8]| {
        let named = [name, body].concat();
        out.extend((body.len() as u32).to_be_bytes());
        out.extend(&named);
        out.extend(crc32(&named).to_be_bytes());
    };
    let noise = |n: usize, rng: &mut Rng| (0..n).map(|_| rng.next_u64() as u8).collect::<Vec<u8>>();
    put(b"IHDR", &header);
    if colour == 3 || chance(0.2, rng) {
        let len = if chance(0.7, rng) { 3 * rng.below(20) } else { rng.below(780) };
        put(b"PLTE", &noise(len, rng));
    }
    if chance(0.3, rng) {
        let len = rng.below(20);
        put(b"tRNS", &noise(len, rng));
    }
    let samples = [1usize, 0, 3, 1, 2, 0, 4][colour as usize];
    let row = (width as usize * samples * depth as usize).div_ceil(8) + 1;
    let rows = if chance(0.8, rng) { height as usize } else { rng.below(60) };
    let mut pixels = noise(row * rows, rng);
    // The first byte of a row is its filter, of which there are five.
    pixels.iter_mut().step_by(row).for_each(|filter| *filter %= 5);
    put(b"IDAT", &zlib(&pixels));
    put(b"IEND", b"");
    out
}

/// Blocks that are not packed.
pub fn stored(data: &[u8], out: &mut Vec<u8>) {
    let blocks: Vec<&[u8]> = if data.is_empty() { vec![&[]] } else { data.chunks(65_535).collect() };
    for (i, block) in blocks.iter().enumerate() {
        let len = block.len() as u16;
        out.push(u8::from(i + 1 == blocks.len()));
        out.extend(len.to_le_bytes());
        out.extend((!len).to_le_bytes());
        out.extend(*block);
    }
}

fn zlib(data: &[u8]) -> Vec<u8> {
    let mut out = vec![0x78, 0x01];
    stored(data, &mut out);
    let sums = data.iter().fold((1u32, 0u32), |(a, b), &byte| {
        let a = (a + u32::from(byte)) % 65_521;
        (a, (b + a) % 65_521)
    });
    out.extend((sums.1 << 16 | sums.0).to_be_bytes());
    out
}

/// A packed file of something else: what `other` holds, changed, in blocks that are not packed.
fn packed(data: &[u8], other: &[u8], rng: &mut Rng) -> Option<Vec<u8>> {
    let mut inside = if chance(0.5, rng) { data.to_vec() } else { other.to_vec() };
    mutate::bytes(&mut inside, &[], rng);
    let mut out = vec![0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255];
    stored(&inside, &mut out);
    out.extend(crc32(&inside).to_le_bytes());
    out.extend((inside.len() as u32).to_le_bytes());
    Some(out)
}

fn json(data: &[u8], rng: &mut Rng) -> Option<Vec<u8>> {
    let mut value: Value = serde_json::from_slice(data).ok()?;
    mutate::json(&mut value, rng);
    Some(value.to_string().into_bytes())
}

fn json_line(data: &[u8], rng: &mut Rng) -> Option<Vec<u8>> {
    let mut lines: Vec<&[u8]> = data.split(|&byte| byte == b'\n').collect();
    let at = rng.below(lines.len());
    let line = json(lines[at], rng)?;
    lines[at] = &line;
    Some(lines.join(&b'\n'))
}

/// Keys that recipes have, beside those of the seed.
const KEYS: [(&str, &str); 30] = [
    ("data", "size"),
    ("data", "limit"),
    ("data", "frames"),
    ("data", "fps"),
    ("data", "rate"),
    ("data", "channels"),
    ("data", "seconds"),
    ("data", "vocab"),
    ("data", "rare_below"),
    ("data", "color"),
    ("data", "fit"),
    ("data", "unit"),
    ("data", "kind"),
    ("data", "label"),
    ("data", "column"),
    ("model", "width"),
    ("model", "batch"),
    ("model", "codes"),
    ("model", "latent"),
    ("model", "layers"),
    ("model", "heads"),
    ("model", "context"),
    ("model", "steps"),
    ("model", "grid"),
    ("model", "blocks"),
    ("model", "lr"),
    ("model", "family"),
    ("train", "patience"),
    ("train", "valid_items"),
    ("train", "seed"),
];

/// A recipe with other values; where it learns from stays.
fn toml(data: &[u8], rng: &mut Rng) -> Option<Vec<u8>> {
    let text = std::str::from_utf8(data).ok()?;
    let table: toml::Table = toml::from_str(text).ok()?;
    let mut value = serde_json::to_value(&table).ok()?;
    let source = value.get("data")?.get("source")?.clone();
    if chance(0.6, rng) {
        let (section, key) = *one(&KEYS, rng);
        let mut new = Value::from(64);
        mutate::json(&mut new, rng);
        value[section][key] = new;
    } else {
        mutate::json(&mut value, rng);
    }
    if let Some(data) = value.get_mut("data").and_then(Value::as_object_mut) {
        data.insert("source".to_owned(), source);
        data.remove("holdout");
    }
    if let Some(train) = value.get_mut("train").and_then(Value::as_object_mut) {
        train.insert("steps".to_owned(), 1.into());
    }
    let table = toml::Table::try_from(value).ok()?;
    Some(toml::to_string(&table).ok()?.into_bytes())
}

/// Names, shapes and places of the header, or numbers that are none.
fn safetensors(data: &[u8], rng: &mut Rng) -> Option<Vec<u8>> {
    let len = u64::from_le_bytes(data.get(..8)?.try_into().ok()?) as usize;
    let mut header: Value = serde_json::from_slice(data.get(8..8 + len)?).ok()?;
    let mut numbers = data[8 + len..].to_vec();
    if chance(0.3, rng) && numbers.len() > 4 {
        for _ in 0..=rng.below(20) {
            let at = rng.below(numbers.len() / 4) * 4;
            let odd = *one(&[f32::NAN, f32::INFINITY, 1e38, -1e38, 0.0, f32::MIN_POSITIVE], rng);
            numbers[at..at + 4].copy_from_slice(&odd.to_le_bytes());
        }
    } else {
        mutate::json(&mut header, rng);
    }
    let header = header.to_string().into_bytes();
    let mut out = (header.len() as u64).to_le_bytes().to_vec();
    out.extend(header);
    out.extend(numbers);
    Some(out)
}

/// Pages with their checksums put right.
fn ogg(data: &[u8], other: &[u8], rng: &mut Rng) -> Option<Vec<u8>> {
    let mut data = data.to_vec();
    mutate::bytes(&mut data, other, rng);
    let starts: Vec<usize> =
        data.windows(4).enumerate().filter(|(_, w)| *w == b"OggS").map(|(at, _)| at).collect();
    for (i, &start) in starts.iter().enumerate() {
        let end = starts.get(i + 1).copied().unwrap_or(data.len());
        if end - start >= 27 {
            data[start + 22..start + 26].fill(0);
            let bit = |crc: u32, _| if crc >> 31 == 1 { crc << 1 ^ 0x04c1_1db7 } else { crc << 1 };
            let crc =
                data[start..end].iter().fold(0, |crc, &byte| (0..8).fold(crc ^ u32::from(byte) << 24, bit));
            data[start + 22..start + 26].copy_from_slice(&crc.to_le_bytes());
        }
    }
    Some(data)
}

fn riff(data: &[u8], rng: &mut Rng) -> Option<Vec<u8>> {
    let head = data.get(..12)?.to_vec();
    let mut parts: Vec<Vec<u8>> =
        chunks(data, 12, true, true, 0, true).into_iter().map(|range| data[range].to_vec()).collect();
    shuffle(&mut parts, rng);
    Some([head, parts.concat()].concat())
}

fn midi(data: &[u8], rng: &mut Rng) -> Option<Vec<u8>> {
    let mut parts: Vec<Vec<u8>> =
        chunks(data, 0, false, true, 0, false).into_iter().map(|range| data[range].to_vec()).collect();
    shuffle(&mut parts, rng);
    if chance(0.8, rng) {
        for part in parts.iter_mut().filter(|part| part.len() >= 8) {
            let len = (part.len() - 8) as u32;
            part[4..8].copy_from_slice(&len.to_be_bytes());
        }
    }
    Some(parts.concat())
}

/// Other cells, signs and lines.
fn cells(data: &[u8], rng: &mut Rng) -> Option<Vec<u8>> {
    const CELLS: [&str; 16] = [
        "",
        "\"",
        "\"\"",
        "NaN",
        "inf",
        "-1e999",
        "1,5",
        "99999999999999999999",
        "2024-02-30",
        "25:61",
        "NULL",
        "\u{feff}",
        "a\"b",
        "\r",
        "é",
        "1970-01-01T00:00:00Z",
    ];
    let text = String::from_utf8_lossy(data).into_owned();
    let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
    for _ in 0..=rng.below(6) {
        let at = rng.below(lines.len().max(1));
        let Some(line) = lines.get_mut(at) else { break };
        let mark = if line.contains('\t') { '\t' } else { ',' };
        let mut cells: Vec<String> = line.split(mark).map(str::to_owned).collect();
        let cell = rng.below(cells.len());
        match rng.below(5) {
            0 => drop(cells.remove(cell)),
            1 => cells.insert(cell, (*one(&CELLS, rng)).to_owned()),
            2 => cells[cell] = cells[cell].repeat(1 + rng.below(2000)),
            _ => (*one(&CELLS, rng)).clone_into(&mut cells[cell]),
        }
        *line = cells.join(&mark.to_string());
        if chance(0.1, rng) {
            lines.remove(at);
        }
    }
    let end = *one(&["\n", "\n", "\n", "\r\n", "\r"], rng);
    let text = lines.join(end);
    Some(match rng.below(8) {
        0 => text.encode_utf16().flat_map(u16::to_le_bytes).collect(),
        1 => {
            [&[0xff, 0xfe][..], &text.encode_utf16().flat_map(u16::to_le_bytes).collect::<Vec<u8>>()].concat()
        }
        _ => text.into_bytes(),
    })
}
