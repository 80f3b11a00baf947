//! Memory, connections, queues, disks.

use std::{
    io::{Read, Write},
    net::TcpStream,
    time::{Duration, Instant},
};

use serde_json::{Value, json};

use super::memory_kb;
use crate::{
    helpers::Place,
    http::{Server, TOKEN},
};

#[test]
fn attack_20_bodies_without_end() {
    let server = Server::start();
    let bearer =
        format!("authorization: Bearer {TOKEN}\r\ncontent-type: application/json\r\nconnection: close\r\n");
    let head = |more: &str| {
        format!(
            "POST /api/models/words/sample HTTP/1.1\r\nhost: 127.0.0.1:{}\r\n{bearer}{more}\r\n",
            server.port
        )
    };
    let start = Instant::now();
    server.raw(head("content-length: 10000000000\r\n").as_bytes()).is(&[413]);
    // Chunks for ever.
    let mut stream = server.connect();
    stream.write_all(head("transfer-encoding: chunked\r\n").as_bytes()).unwrap();
    let chunk = [b"100000\r\n".as_slice(), &vec![b' '; 1 << 20], b"\r\n"].concat();
    let sent = (0..200).take_while(|_| stream.write_all(&chunk).is_ok()).count();
    assert!(sent < 200, "200 MB were taken");
    let packed = server.ask_with(
        "POST",
        "/api/models/words/sample",
        &[
            ("authorization", &format!("Bearer {TOKEN}")),
            ("content-type", "application/json"),
            ("content-encoding", "gzip"),
        ],
        &[0x1f, 0x8b, 8, 0, 0, 0, 0, 0],
    );
    packed.is(&[400, 415]);
    let deep = "[".repeat(100_000);
    let bodies = [
        deep.clone(),
        format!("{{\"where\":{deep}"),
        "{\"n\":9223372036854775808}".to_owned(),
        "{\"n\":18446744073709551615}".to_owned(),
        "{\"n\":1e300}".to_owned(),
        "{\"n\":100000000}".to_owned(),
        "{\"length\":9223372036854775807,\"n\":1000000}".to_owned(),
        "{\"match\":\"(a{1,1000}){1,1000}(b{1,1000}){1,1000}\"}".to_owned(),
        "{\"match\":\"((((((((((a+)+)+)+)+)+)+)+)+)+)+\\\\z)|(\"}".to_owned(),
        format!("{{\"match\":\"{}\"}}", "(".repeat(50_000)),
        format!("{{\"stop\":[{}\"x\"]}}", "\"y\",".repeat(1_000_000)),
        format!("{{\"prompt\":\"{}\"}}", "x".repeat(20_000_000)),
        "{\"temperature\":1e999}".to_owned(),
        "not json".to_owned(),
    ];
    for body in bodies {
        let what: String = body.chars().take(60).collect();
        let answer = server.ask_with(
            "POST",
            "/api/models/words/sample",
            &[("authorization", &format!("Bearer {TOKEN}")), ("content-type", "application/json")],
            body.as_bytes(),
        );
        answer.is_for(&[400, 413, 422], &what);
    }
    let many: serde_json::Map<String, Value> = (0..100_000).map(|i| (format!("c{i}"), json!(1))).collect();
    server.post("/api/models/rows/sample", json!({ "where": many })).is(&[422]);
    assert!(start.elapsed() < Duration::from_secs(100), "{:?}", start.elapsed());
    server.lives();
}

#[test]
fn attack_21_connections_that_stay() {
    let server = Server::start();
    let slow: Vec<TcpStream> = (0..300)
        .map(|_| {
            let mut stream = server.connect();
            stream.write_all(b"GET /health HTTP/1.1\r\nhost: ").unwrap();
            stream
        })
        .collect();
    let bearer = format!("host: 127.0.0.1:{}\r\nauthorization: Bearer {TOKEN}\r\n", server.port);
    let readers: Vec<TcpStream> = (0..300)
        .map(|_| {
            let mut stream = server.connect();
            stream.write_all(format!("GET /api/events HTTP/1.1\r\n{bearer}\r\n").as_bytes()).unwrap();
            stream
        })
        .collect();
    let start = Instant::now();
    server.lives();
    server.get("/api/runs").is(&[200]);
    assert!(start.elapsed() < Duration::from_secs(5), "{:?}", start.elapsed());
    let full = server.get("/api/events");
    assert_eq!(full.status, 503, "{}", full.text());
    // Headers that do not come end their connection.
    for mut stream in slow {
        stream.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
        let mut rest = Vec::new();
        let ended = stream.read_to_end(&mut rest);
        assert!(
            ended.is_ok() || ended.is_err_and(|error| error.kind() == std::io::ErrorKind::ConnectionReset)
        );
    }
    assert!(memory_kb(&server) < 300_000);
    drop(readers);
    server.lives();
}

#[test]
fn attack_22_queues_and_races() {
    let server = Server::start();
    let rows = server.source("rows.csv");
    let begin = |name: &str, steps: u64| {
        server.post(
            "/api/runs",
            json!({ "source": rows, "name": name, "steps": steps, "family": "ar", "size": "tiny" }),
        )
    };
    let first = begin("first", 1_000_000).is(&[202]).json();
    let second = begin("second", 1_000_000).is(&[202]).json();
    begin("second", 1).is(&[409]);
    let first_job = first["job"]["id"].as_str().unwrap();
    let start = Instant::now();
    server.ask("DELETE", "/api/runs/first", None).is(&[409]);
    while server.get("/api/runs/first").json()["step"].as_u64().unwrap_or(0) == 0 {
        assert!(start.elapsed() < Duration::from_secs(60));
        std::thread::sleep(Duration::from_millis(50));
    }
    server.ask("DELETE", "/api/runs/first", None).is(&[409]);
    // A second server on the same folder sees the same.
    let other = {
        let mut command = server.place.mintage(&["serve", "--port", "0", "--json", "--runs", "runs"]);
        command.env("MINTAGE_TOKEN", TOKEN);
        Server::of(Place::new(), command)
    };
    assert_eq!(other.get("/api/runs/first").json()["live"], true);
    other.ask("DELETE", "/api/runs/first", None).is(&[409]);
    let queued = second["job"]["id"].as_str().unwrap();
    server.ask("DELETE", &format!("/api/jobs/{queued}"), None).is(&[200]);
    server.ask("DELETE", &format!("/api/jobs/{queued}"), None).is(&[200]);
    assert_eq!(server.get(&format!("/api/jobs/{queued}")).json()["state"], "cancelled");
    server.post("/api/runs/first/stop", json!({})).is(&[202]);
    server.post("/api/runs/first/stop", json!({})).is(&[202, 409]);
    assert_eq!(server.ended(first_job)["state"], "cancelled");
    assert_eq!(server.get("/api/runs/first").json()["state"], "interrupted");
    server.ask("DELETE", "/api/jobs/nothing", None).is(&[404]);
    server.ask("DELETE", "/api/runs/first", None).is(&[204]);
    assert!(!server.place.path("runs/first").exists());
}

#[test]
fn attack_23_a_disk_that_is_full() {
    let place = Place::new();
    crate::http::copy(crate::http::template(), place.root());
    let mut command = place.program("sh");
    let binary = env!("CARGO_BIN_EXE_mintage");
    // Files of more than 2 blocks of 512 bytes are refused, as a full disk would.
    command.args(["-c", &format!("ulimit -f 2; exec '{binary}' serve --port 0 --json --threads 2")]);
    let server = Server::of(place, command);
    let draw = server.draw("pics", 64);
    let items: Vec<usize> = (0..64).collect();
    let answer = server.post("/api/models/pics/kept", json!({ "draw": draw["draw"], "items": items }));
    answer.is(&[422, 507]);
    assert!(answer.json()["hint"].is_string(), "{}", answer.text());
    assert_eq!(server.get("/api/models/pics/kept").json()["items"], json!([]), "half of it was kept");
    server.lives();
}

#[test]
fn a_killed_server_loses_no_training() {
    let mut server = Server::start();
    let rows = server.source("rows.csv");
    server
        .post(
            "/api/runs",
            json!({ "source": rows, "name": "long", "steps": 1_000_000, "family": "ar", "size": "tiny" }),
        )
        .is(&[202]);
    let start = Instant::now();
    while server.get("/api/runs/long").json()["step"].as_u64().unwrap_or(0) == 0 {
        assert!(start.elapsed() < Duration::from_secs(60));
        std::thread::sleep(Duration::from_millis(50));
    }
    server.kill();
    let mut command = server.place.mintage(&["serve", "--port", "0", "--json"]);
    command.env("MINTAGE_TOKEN", TOKEN);
    let again = Server::of(Place::new(), command);
    let run = again.get("/api/runs/long").json();
    assert_eq!((run["state"].as_str(), run["live"].as_bool()), (Some("training"), Some(true)), "{run}");
    again.post("/api/runs/long/stop", json!({})).is(&[202]);
    while again.get("/api/runs/long").json()["live"] == true {
        assert!(start.elapsed() < Duration::from_secs(120));
        std::thread::sleep(Duration::from_millis(50));
    }
    assert_eq!(again.get("/api/runs/long").json()["state"], "interrupted");
}
