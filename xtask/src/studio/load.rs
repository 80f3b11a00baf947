//! What a server bears: many connections, jobs and readers, and clients that never finish.

use std::{
    io::{Read, Write},
    path::Path,
    thread,
    time::{Duration, Instant},
};

use serde_json::json;

use super::server::Server;
use crate::{
    Result,
    command::{database, mintage, succeed},
    figure::Figure,
};

const CONNECTIONS: usize = 200;
const JOBS: usize = 10_000;
const READERS: usize = 1_000;
const SLOW: Duration = Duration::from_secs(60);

pub fn load(binary: &Path, scratch: &Path) -> Result<Vec<Figure>> {
    database(scratch)?;
    let line =
        "train demo.db --table products --column photo --model vae --size tiny --steps 5 --name images";
    succeed(&mut mintage(binary, scratch, line))?;
    let server = Server::start(binary, scratch)?;
    let mut figures = vec![connections(&server)?];
    let mut worst = queue(&server)?;
    worst = worst.max(readers(&server)?);
    worst = worst.max(slow(&server)?);
    let memory = server.memory_mb()?;
    let setup = format!(
        "worst of the answers beside {JOBS} queued jobs, {READERS} readers that never read, slow headers for 60 s"
    );
    figures.push(Figure::lower("studio-load", "an answer under load", worst, "ms", 1000.0, &setup));
    figures.push(Figure::lower(
        "studio-load",
        "memory under load",
        memory,
        "MB",
        300.0,
        "resident, after all of it",
    ));
    Ok(figures)
}

fn answer_ms(server: &Server) -> Result<f64> {
    let start = Instant::now();
    server.get("/api/runs")?;
    Ok(start.elapsed().as_secs_f64() * 1e3)
}

/// The slowest answer of many connections that ask at once.
fn connections(server: &Server) -> Result<Figure> {
    let slowest = thread::scope(|scope| -> Result<f64> {
        let askers: Vec<_> = (0..CONNECTIONS).map(|_| scope.spawn(|| answer_ms(server))).collect();
        let mut slowest = 0f64;
        for asker in askers {
            slowest = slowest.max(asker.join().map_err(|_| "a connection has ended".to_owned())??);
        }
        Ok(slowest)
    })?;
    let setup = format!("slowest of {CONNECTIONS} connections that ask for the runs at once");
    Ok(Figure::lower("studio-load", "200 connections", slowest, "ms", 5000.0, &setup))
}

/// Ten thousand jobs behind one that trains, over one connection; the next is refused, and all can be cancelled.
fn queue(server: &Server) -> Result<f64> {
    let source = server.source("demo.db")?;
    let body = |name: String| {
        json!({ "source": source, "table": "products", "family": "vae", "size": "tiny", "steps": 1_000_000, "name": name }).to_string()
    };
    let mut kept = None;
    let mut ask = |name: String| -> Result<u16> {
        let mut stream = match kept.take() {
            Some(stream) => stream,
            None => server.connect()?,
        };
        stream
            .write_all(server.request("POST", "/api/runs", "", &body(name)).as_bytes())
            .map_err(|e| e.to_string())?;
        let mut told = Vec::new();
        let mut piece = [0; 8192];
        loop {
            let n = stream.read(&mut piece).map_err(|e| e.to_string())?;
            told.extend(&piece[..n]);
            if n == 0 {
                return Err("the server hung up".to_owned());
            }
            let text = String::from_utf8_lossy(&told);
            let Some((head, rest)) = text.split_once("\r\n\r\n") else { continue };
            let length =
                head.lines().find_map(|line| line.strip_prefix("content-length: ")?.parse::<usize>().ok());
            if length.is_none_or(|length| rest.len() < length) {
                continue;
            }
            let status = head.split(' ').nth(1).and_then(|code| code.parse().ok());
            // Who is refused is hung up on.
            if !head.contains("connection: close") {
                kept = Some(stream);
            }
            return status.ok_or_else(|| head.to_owned());
        }
    };
    let mut refused = 0;
    for i in 0..JOBS + 5 {
        match ask(format!("q{i}"))? {
            202 => {}
            503 => refused += 1,
            status => return Err(format!("job {i}: {status}")),
        }
    }
    if refused == 0 {
        return Err("a queue without end".to_owned());
    }
    let worst = answer_ms(server)?;
    println!("{} queued, {refused} refused; {worst:.0} ms", JOBS + 5 - refused);
    loop {
        let jobs = server.get("/api/jobs")?.json()?;
        let open: Vec<String> = jobs["jobs"]
            .as_array()
            .into_iter()
            .flatten()
            .filter(|job| job["state"] == "queued" || job["state"] == "running")
            .filter_map(|job| job["id"].as_str().map(str::to_owned))
            .collect();
        if open.is_empty() {
            return Ok(worst);
        }
        for id in open {
            server.ask("DELETE", &format!("/api/jobs/{id}"), "", "")?;
        }
    }
}

/// Readers of events that never read. Some are refused: each holds a connection.
fn readers(server: &Server) -> Result<f64> {
    let mut held = Vec::new();
    let mut worst = 0f64;
    for i in 0..READERS {
        // A server that has no place for it lets it wait.
        let Ok(mut stream) = server.connect() else { continue };
        let _ = stream.write_all(server.request("GET", "/api/events", "", "").as_bytes());
        held.push(stream);
        if i % 100 == 99 {
            worst = worst.max(answer_ms(server)?);
        }
    }
    Ok(worst)
}

/// Headers a byte at a time.
fn slow(server: &Server) -> Result<f64> {
    let mut streams = (0..200).map(|_| server.connect()).collect::<Result<Vec<_>>>()?;
    let start = Instant::now();
    let mut worst = 0f64;
    while start.elapsed() < SLOW {
        for stream in &mut streams {
            let _ = stream.write_all(b"x");
        }
        thread::sleep(Duration::from_secs(2));
        worst = worst.max(answer_ms(server)?);
    }
    Ok(worst)
}
