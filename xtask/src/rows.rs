//! Cases of `cargo xtask quality` about rows from outside: whose values come out of a table of persons, and what a
//! million rows and more cost.

use std::{
    collections::HashSet,
    fmt::Write,
    fs,
    path::Path,
    process::Child,
    thread,
    time::{Duration, Instant},
};

use crate::{
    Result, at,
    command::{mintage, succeed},
    figure::Figure,
    median,
};

const CUSTOMERS: usize = 3000;
/// Columns whose values belong to one person each.
const PERSONAL: [&str; 6] = ["name", "email", "phone", "address", "iban", "note"];

/// Values of real customers that come back in new rows, with the defaults and with rare values grouped.
pub fn customers(binary: &Path, scratch: &Path) -> Result<Vec<Figure>> {
    let source = scratch.join("customers.csv");
    let text = customers_csv();
    fs::write(&source, &text).map_err(at(&source))?;
    let mut figures = Vec::new();
    for (what, flags) in [("with the defaults", ""), ("rare = \"group\"", " -s data.rare=group")] {
        let name = format!("customers-{}", figures.len());
        run(binary, scratch, &format!("train customers.csv --time 20s --name {name}{flags}"))?;
        run(binary, scratch, &format!("sample {name} -n 1000 --seed 1 -o {name}.csv"))?;
        let new = scratch.join(format!("{name}.csv"));
        let new = fs::read_to_string(&new).map_err(at(&new))?;
        let copied: usize = PERSONAL.iter().map(|column| shared(&text, &new, column)).sum();
        let metric = format!("values of real customers in 1,000 new rows, {what}");
        let setup = format!("{CUSTOMERS} made-up customers; columns {}", PERSONAL.join(", "));
        figures.push(Figure::lower("customers", &metric, copied as f64, "values", 0.0, &setup));
    }
    figures.push(redrawn(binary, scratch)?);
    Ok(figures)
}

/// What the judge says of a model that was told to draw real names, addresses and numbers again.
fn redrawn(binary: &Path, scratch: &Path) -> Result<Figure> {
    run(binary, scratch, "train customers.csv --time 20s --name redrawn -s data.text=redraw")?;
    run(binary, scratch, "evaluate redrawn")?;
    let path = scratch.join("runs/redrawn/report.json");
    let report = fs::read(&path).map_err(at(&path))?;
    let report: serde_json::Value = serde_json::from_slice(&report).map_err(|e| e.to_string())?;
    let novelty = report.pointer("/dials/novelty/score").and_then(serde_json::Value::as_f64);
    let novelty = novelty.ok_or("the report has no novelty")?;
    let setup = format!("{CUSTOMERS} made-up customers, text = \"redraw\"");
    Ok(Figure::lower("customers", "novelty with names drawn again", novelty, "of 100", 10.0, &setup))
}

/// Cells of a column of `new` that stand in that column of `real`.
fn shared(real: &str, new: &str, column: &str) -> usize {
    let known: HashSet<&str> = cells(real, column).collect();
    cells(new, column).filter(|cell| !cell.is_empty() && known.contains(cell)).count()
}

/// The cells of a column of a CSV without quotes.
fn cells<'a>(text: &'a str, column: &str) -> impl Iterator<Item = &'a str> {
    let mut lines = text.lines();
    let at = lines.next().unwrap_or_default().split(',').position(|name| name == column);
    lines.filter_map(move |line| line.split(',').nth(at?))
}

/// A table of persons, none of whom is real: half of them in Cyrillic, as many users' are.
fn customers_csv() -> String {
    const FIRST: [&str; 12] = [
        "Anna",
        "Boris",
        "Clara",
        "David",
        "Emma",
        "Frank",
        "Анна",
        "Борис",
        "Вера",
        "Глеб",
        "Дарья",
        "Егор",
    ];
    const LAST: [&str; 6] = ["Mueller", "Smith", "Novak", "Иванов", "Петрова", "Сидоренко"];
    const ENDS: [&str; 10] = ["", "son", "er", "ov", "ский", "енко", "in", "an", "dt", "z"];
    const STREETS: [&str; 6] =
        ["Lindenweg", "High Street", "Rue Verte", "ул. Ленина", "пр. Мира", "Садовая ул."];
    const WORDS: [&str; 8] = ["calls", "late", "pays", "cash", "просит", "скидку", "moved", "вернул"];
    let mut text = "id,name,email,phone,address,iban,note,born,spent,segment\n".to_owned();
    for i in 0..CUSTOMERS {
        // A full cycle through the numbers below 3,000, so that every combination comes once.
        let k = (i * 1777 + 911) % CUSTOMERS;
        let (first, last) = (FIRST[k % 12], LAST[k / 12 % 6]);
        let (end, middle) = (ENDS[k / 72 % 10], (b'A' + (k / 720 % 26) as u8) as char);
        let note = [k, k / 8, k / 64, k / 512].map(|n| WORDS[n % 8]).join(" ");
        let (day, month, year) = (1 + k % 28, 1 + k / 28 % 12, 1940 + k % 65);
        let _ = writeln!(
            text,
            "{},{first} {middle}. {last}{end},user{k}x{}@mail{}.example,+49 40 {:07},{} {},DE{:02}{:018},{note},\
             {year}-{month:02}-{day:02},{}.{:02},{}",
            i + 1,
            k * 31 % 997,
            k % 7,
            k * 3331 % 10_000_000,
            STREETS[k % 6],
            1 + k / 6,
            10 + k % 89,
            37_040_044_053_201_300_u64 + k as u64 * 7919,
            10 + k * 13 % 900,
            k % 100,
            ["new", "regular", "gold"][k % 3],
        );
    }
    text
}

const ROWS: usize = 4_000_000;

/// Peak memory and speed of drawing many rows into each kind of file. Where `MINTAGE_AGAINST` names another build of
/// the command, both draw by turns and the ratio is kept.
pub fn many_rows(binary: &Path, scratch: &Path) -> Result<Vec<Figure>> {
    let source = scratch.join("many.csv");
    fs::write(&source, numbers_csv()).map_err(at(&source))?;
    run(binary, scratch, "train many.csv --model mixture --size tiny --steps 60 --name many")?;
    let against = std::env::var_os("MINTAGE_AGAINST").map(std::path::PathBuf::from);
    if let Some(other) = &against {
        run(other, scratch, "train many.csv --model mixture --size tiny --steps 60 --name many-before")?;
    }
    let mut figures = Vec::new();
    for suffix in ["csv", "parquet", "db"] {
        let (mut peaks, mut rates, mut ratios) = (Vec::new(), Vec::new(), Vec::new());
        for _ in 0..if against.is_some() { 3 } else { 1 } {
            let (peak_mb, secs) = drawn(binary, scratch, "many", suffix)?;
            peaks.push(peak_mb);
            rates.push(ROWS as f64 / secs);
            if let Some(other) = &against {
                ratios.push(drawn(other, scratch, "many-before", suffix)?.1 / secs);
            }
        }
        let setup = format!("{ROWS} rows of 7 columns, mixture tiny, 2 threads");
        let metric = format!("peak resident memory of sampling to .{suffix}");
        figures.push(Figure::lower("many-rows", &metric, median(peaks), "MB", 200.0, &setup));
        let rate =
            Figure::lower("many-rows", &format!("rows to .{suffix}"), median(rates), "rows/s", 0.0, &setup);
        figures.push(Figure { better: "higher".to_owned(), limit: None, ..rate });
        if against.is_some() {
            let metric = format!("rows a second to .{suffix}, against the version before");
            let ratio = Figure::lower("many-rows", &metric, median(ratios), "ratio", 1.0, &setup);
            figures.push(Figure { better: "higher".to_owned(), ..ratio });
        }
    }
    Ok(figures)
}

/// Peak memory in MB and seconds of one drawing.
fn drawn(binary: &Path, scratch: &Path, model: &str, suffix: &str) -> Result<(f64, f64)> {
    let target = scratch.join(format!("drawn.{suffix}"));
    for leftover in [&target, &scratch.join(format!("drawn.{suffix}.mintage.json"))] {
        let _ = fs::remove_file(leftover);
    }
    let line = format!("sample {model} -n {ROWS} --seed 1 --threads 2 -o drawn.{suffix}");
    let began = Instant::now();
    let mut child = mintage(binary, scratch, &line).spawn().map_err(|e| format!("{line}: {e}"))?;
    let peak = watched(&mut child)?;
    Ok((peak, began.elapsed().as_secs_f64()))
}

/// Waits for a process and returns the most memory that it held, in MB.
pub fn watched(child: &mut Child) -> Result<f64> {
    let status = format!("/proc/{}/status", child.id());
    let mut peak: f64 = 0.0;
    loop {
        let text = fs::read_to_string(&status).unwrap_or_default();
        let line = text.lines().find(|line| line.starts_with("VmHWM:"));
        let kib = line.and_then(|line| line.split_whitespace().nth(1)?.parse::<f64>().ok());
        peak = peak.max(kib.unwrap_or(0.0) * 1024.0 / 1e6);
        match child.try_wait().map_err(|e| e.to_string())? {
            Some(status) if status.success() => return Ok(peak),
            Some(status) => return Err(format!("the process ended with {status}")),
            None => thread::sleep(Duration::from_millis(10)),
        }
    }
}

fn numbers_csv() -> String {
    let mut text = "age,income,height,city,job,married,score\n".to_owned();
    for i in 0..20_000_usize {
        let mix = i.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 20;
        let _ = writeln!(
            text,
            "{},{},{}.{},{},{},{},{}",
            18 + mix % 70,
            1000 + mix / 7 % 90_000,
            150 + mix / 11 % 50,
            mix % 10,
            ["Paris", "Москва", "Oslo", "Rome", "Bonn"][mix / 13 % 5],
            ["cook", "clerk", "nurse", "smith"][mix / 17 % 4],
            ["yes", "no"][mix / 19 % 2],
            mix / 23 % 1000,
        );
    }
    text
}

fn run(binary: &Path, scratch: &Path, line: &str) -> Result<()> {
    succeed(&mut mintage(binary, scratch, line))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn customers_are_all_different() {
        let text = customers_csv();
        assert_eq!(text.lines().count(), CUSTOMERS + 1);
        for column in PERSONAL {
            let all: HashSet<&str> = cells(&text, column).collect();
            assert!(all.len() * 20 > CUSTOMERS * 19, "{column}: {}", all.len());
        }
        assert_eq!(shared(&text, &text, "name"), CUSTOMERS);
        assert!(text.lines().all(|line| line.matches(',').count() == 9));
    }
}
