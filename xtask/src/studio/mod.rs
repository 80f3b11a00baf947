//! Cases of `cargo xtask quality` about the server and the studio: how soon they answer, what they cost a training, what
//! they bear, what a kill leaves.

mod kills;
mod load;
mod server;

pub use kills::kills;
pub use load::load;

use std::{
    collections::{BTreeSet, VecDeque},
    io::{Read, Write},
    path::Path,
    process::{Command, Stdio},
    time::Instant,
};

use serde_json::json;

use crate::{
    Result,
    command::{database, mintage, succeed},
    figure::Figure,
    median, root,
};
use server::Server;

/// Speed of answers: first paint, first token, rows, the latent pad, reads beside a training.
pub fn speed(binary: &Path, scratch: &Path) -> Result<Vec<Figure>> {
    database(scratch)?;
    for line in [
        "train demo.db --table products --column photo --model vae --size small --steps 30 --name images",
        "train demo.db --table texts --column text --model ar --size small --steps 10 --name texts",
        "train demo.db --table census --model ar --size small --steps 20 --name rows",
    ] {
        succeed(&mut mintage(binary, scratch, line))?;
    }
    let server = Server::start(binary, scratch)?;
    let mut figures = vec![assets(&server)?];
    figures.extend(first_paint(&server)?);
    figures.push(first_token(&server)?);
    figures.push(rows(&server, binary)?);
    figures.push(pad(&server)?);
    figures.push(reads(&server)?);
    drop(server);
    figures.push(idle(binary, scratch)?);
    Ok(figures)
}

/// Bytes of the scripts and styles that the first page loads, packed as they are sent.
fn assets(server: &Server) -> Result<Figure> {
    let (mut seen, mut queue) = (BTreeSet::new(), VecDeque::from(["/".to_owned()]));
    let mut bytes = 0;
    while let Some(path) = queue.pop_front() {
        if !seen.insert(path.clone()) {
            continue;
        }
        let text = String::from_utf8_lossy(&server.get(&path)?.body).into_owned();
        let packed = server.ask("GET", &path, "accept-encoding: gzip\r\n", "")?.body.len();
        if path != "/" {
            bytes += packed;
        }
        let folder = path.rsplit_once('/').map_or("", |(folder, _)| folder);
        for name in imports(&text) {
            let name = name.strip_prefix("./").unwrap_or(&name).to_owned();
            let full = if name.starts_with('/') { name } else { format!("{folder}/{name}") };
            queue.push_back(flat(&full));
        }
    }
    let setup = format!("{} files of the first page, gzip", seen.len() - 1);
    Ok(Figure::lower("studio", "JavaScript and CSS", bytes as f64 / 1000.0, "kB", 60.0, &setup))
}

/// What a page or a module loads at once: not what it imports later, by `import()`.
fn imports(text: &str) -> Vec<String> {
    let quoted = |rest: &str| rest.split(['"', '\'']).nth(1).map(str::to_owned);
    let mut found: Vec<String> = text
        .lines()
        .filter(|line| {
            line.starts_with("import ") || line.starts_with("} from ") || line.starts_with("export ")
        })
        .filter(|line| {
            line.contains(" from ") || line.starts_with("import \"") || line.starts_with("} from ")
        })
        .filter_map(quoted)
        .collect();
    for mark in ["src=\"", "href=\""] {
        found.extend(text.split(mark).skip(1).filter_map(|rest| rest.split('"').next()).map(str::to_owned));
    }
    found.retain(|name| name.ends_with(".js") || name.ends_with(".css"));
    found
}

/// A path without `..`.
fn flat(path: &str) -> String {
    let mut parts: Vec<&str> = Vec::new();
    for part in path.split('/').filter(|part| !part.is_empty() && *part != ".") {
        match part {
            ".." => drop(parts.pop()),
            part => parts.push(part),
        }
    }
    format!("/{}", parts.join("/"))
}

/// From opening the address to the first contentful paint in Chromium; nothing where the browser walk is not installed.
fn first_paint(server: &Server) -> Result<Option<Figure>> {
    let folder = root().join("crates/mintage-server/tests/browser");
    if !folder.join("node_modules/playwright-core").is_dir() {
        println!("first paint: skipped, `npm install` in {} is needed", folder.display());
        return Ok(None);
    }
    let url = format!("http://127.0.0.1:{}/?token={}", server.port, server::TOKEN);
    let output = Command::new("node")
        .arg("paint.mjs")
        .current_dir(&folder)
        .env("STUDIO_URL", url)
        .stderr(Stdio::inherit())
        .output()
        .map_err(|e| e.to_string())?;
    let text = String::from_utf8_lossy(&output.stdout);
    let millis: f64 = text.trim().parse().map_err(|_| format!("paint.mjs said {text}"))?;
    Ok(Some(Figure::lower(
        "studio",
        "first contentful paint",
        millis,
        "ms",
        300.0,
        "Chromium, median of 7 new pages",
    )))
}

/// From sending a prompt to its first new text.
fn first_token(server: &Server) -> Result<Figure> {
    let mut times = Vec::new();
    for seed in 0..21 {
        let body =
            json!({ "model": "texts", "prompt": "KING", "max_tokens": 40, "seed": seed, "stream": true })
                .to_string();
        let request = server.request("POST", "/v1/completions", "connection: close\r\n", &body);
        let mut stream = server.connect()?;
        let start = Instant::now();
        stream.write_all(request.as_bytes()).map_err(|e| e.to_string())?;
        let mut told = Vec::<u8>::new();
        let mut piece = [0; 4096];
        while !told.windows(8).any(|part| part == b"\"text\":\"") {
            let n = stream.read(&mut piece).map_err(|e| e.to_string())?;
            if n == 0 {
                return Err("no token came".to_owned());
            }
            told.extend(&piece[..n]);
        }
        times.push(start.elapsed().as_secs_f64() * 1e3);
    }
    Ok(Figure::lower(
        "studio",
        "first token over HTTP",
        median(times),
        "ms",
        60.0,
        "small ar of texts, median of 21",
    ))
}

/// Rows a second as CSV over HTTP beside those that the command writes to a pipe.
fn rows(server: &Server, binary: &Path) -> Result<Figure> {
    const ROWS: usize = 100_000;
    let mut ratios = Vec::new();
    for seed in 0..5 {
        let start = Instant::now();
        let line = format!("sample rows -n {ROWS} --seed {seed} -o -");
        let own = mintage(binary, &server.scratch, &line)
            .stdout(Stdio::piped())
            .output()
            .map_err(|e| e.to_string())?;
        let command = start.elapsed().as_secs_f64();
        let start = Instant::now();
        let body = json!({ "n": ROWS, "seed": seed }).to_string();
        let sent = server.ask("POST", "/api/models/rows/sample", "accept: text/csv\r\n", &body)?;
        let http = start.elapsed().as_secs_f64();
        if sent.body != own.stdout {
            return Err("the server's rows are not those of the command".to_owned());
        }
        ratios.push(command / http);
    }
    let setup = format!("{ROWS} rows of a small ar, command and server by turns, median of 5, equal bytes");
    let mut figure = Figure::lower(
        "studio",
        "rows a second over HTTP, of the command's own",
        median(ratios),
        "×",
        0.9,
        &setup,
    );
    figure.better = "higher".to_owned();
    Ok(figure)
}

/// From the place of a point between four anchors to the bytes of its picture.
fn pad(server: &Server) -> Result<Figure> {
    let mut times = Vec::new();
    for step in 0..40 {
        let (x, y) = (f64::from(step % 7) / 6.0, f64::from(step % 5) / 4.0);
        let weights = [(1.0 - x) * (1.0 - y), x * (1.0 - y), (1.0 - x) * y, x * y];
        let anchors = [1, 2, 3, 4].map(|seed| json!({ "seed": seed }));
        let start = Instant::now();
        let draw = server.post(
            "/api/models/images/sample",
            &json!({ "blend": { "anchors": anchors, "weights": weights } }),
        )?;
        let url = draw["items"][0]["url"].as_str().ok_or("no picture")?;
        server.get(url)?;
        times.push(start.elapsed().as_secs_f64() * 1e3);
    }
    Ok(Figure::lower(
        "studio",
        "latent pad, point to picture",
        median(times),
        "ms",
        100.0,
        "small VAE of 28×28, median of 40",
    ))
}

/// The slowest of a hundred of the studio's reads while a training holds all cores.
fn reads(server: &Server) -> Result<Figure> {
    let source = server.source("demo.db")?;
    let begun = server.post(
        "/api/runs",
        &json!({ "source": source, "table": "products", "column": "photo", "family": "vae", "size": "small", "steps": 1_000_000, "name": "busy" }),
    )?;
    let start = Instant::now();
    while server.get("/api/runs/busy")?.json()?["step"].as_u64().unwrap_or(0) == 0
        && start.elapsed().as_secs() < 60
    {}
    let paths = [
        "/api/runs".to_owned(),
        "/api/jobs".to_owned(),
        "/api/runs/busy".to_owned(),
        "/api/runs/busy/metrics".to_owned(),
        "/api/runs/busy/previews".to_owned(),
        format!("/api/sources/{source}/items?table=census&limit=50"),
    ];
    let mut times = Vec::new();
    for _ in 0..100 {
        for path in &paths {
            let start = Instant::now();
            server.get(path)?;
            times.push(start.elapsed().as_secs_f64() * 1e3);
        }
    }
    server.post("/api/runs/busy/stop", &json!({}))?;
    server.wait(&begun["job"], |state| !["queued", "running"].contains(&state))?;
    times.sort_by(f64::total_cmp);
    let p99 = times[times.len() * 99 / 100];
    Ok(Figure::lower(
        "studio",
        "p99 of reads beside a training",
        p99,
        "ms",
        150.0,
        "600 reads of six pages, two cores in use",
    ))
}

/// How much longer a training takes with a server and an open stream of changes beside it.
fn idle(binary: &Path, scratch: &Path) -> Result<Figure> {
    let train = |pair: usize, what: &str| -> Result<f64> {
        let line = format!(
            "train demo.db --table products --column photo --model vae --size tiny --steps 400 --name {what}-{pair}"
        );
        let start = Instant::now();
        succeed(&mut mintage(binary, scratch, &line))?;
        Ok(start.elapsed().as_secs_f64())
    };
    let mut ratios = Vec::new();
    for pair in 0..5 {
        let alone = train(pair, "alone")?;
        let server = Server::start(binary, scratch)?;
        let mut stream = server.connect()?;
        let request = server.request("GET", "/api/events?topics=jobs,runs", "", "");
        stream.write_all(request.as_bytes()).map_err(|e| e.to_string())?;
        ratios.push(train(pair, "beside")? / alone);
    }
    let loss = (median(ratios) - 1.0) * 100.0;
    Ok(Figure::lower(
        "studio",
        "training's loss of speed beside an idle studio",
        loss,
        "%",
        2.0,
        "tiny VAE, 400 steps, by turns, median of 5 pairs",
    ))
}
