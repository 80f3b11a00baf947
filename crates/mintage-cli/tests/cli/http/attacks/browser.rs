//! The trust in the user's browser: other sites, other ports, frames, markup, tokens, headers.

use std::fs;

use serde_json::json;

use super::command_lines;
use crate::{
    helpers::Place,
    http::{Server, TOKEN},
};

#[test]
fn attack_07_other_hosts() {
    let server = Server::start();
    let port = server.port;
    let token = format!("authorization: Bearer {TOKEN}\r\n");
    let other = if port == 1 { 2 } else { port - 1 };
    for hosts in [
        "host: evil.example\r\n".to_owned(),
        format!("host: evil.example:{port}\r\n"),
        format!("host: 127.0.0.1:{other}\r\n"),
        "host: 127.0.0.1\r\n".to_owned(),
        format!("host: 127.0.0.1.evil.example:{port}\r\n"),
        format!("host: 127.0.0.1:{port}\r\nhost: evil.example\r\n"),
        format!("host: 127.0.0.1:{port}\r\nhost: 127.0.0.1:{port}\r\n"),
        String::new(),
        "host: \r\n".to_owned(),
    ] {
        let request = format!("GET /api/state HTTP/1.1\r\n{hosts}{token}connection: close\r\n\r\n");
        server.raw(request.as_bytes()).is_for(&[400, 403], &hosts);
    }
    let old = format!("GET /api/state HTTP/1.0\r\nhost: 127.0.0.1:{port}\r\n{token}\r\n");
    server.raw(old.as_bytes()).is(&[505]);
    for authority in ["evil.example", &format!("127.0.0.1:{other}")] {
        let request = format!(
            "GET http://{authority}/api/state HTTP/1.1\r\nhost: 127.0.0.1:{port}\r\n{token}connection: close\r\n\r\n"
        );
        server.raw(request.as_bytes()).is_for(&[400, 403], authority);
    }
    for own in ["127.0.0.1", "localhost", "[::1]"] {
        let request =
            format!("GET /api/state HTTP/1.1\r\nhost: {own}:{port}\r\n{token}connection: close\r\n\r\n");
        server.raw(request.as_bytes()).is_for(&[200], own);
    }
}

/// The cookie that the user's browser sends along.
fn cookie(server: &Server) -> String {
    format!("mintage-{}={TOKEN}", server.port)
}

#[test]
fn attack_08_posts_from_other_sites() {
    let server = Server::start();
    let (cookie, rows) = (cookie(&server), server.source("rows.csv"));
    let body = json!({ "source": rows, "name": "stolen", "steps": 1 }).to_string();
    for kind in [
        "text/plain",
        "application/x-www-form-urlencoded",
        "multipart/form-data; boundary=x",
        "text/json",
        "",
    ] {
        let mut headers = vec![("cookie", cookie.as_str())];
        if !kind.is_empty() {
            headers.push(("content-type", kind));
        }
        for path in ["/api/runs", "/v1/images/variations", "/v1/completions", "/api/runs/pics/stop"] {
            let answer = server.ask_with("POST", path, &headers, body.as_bytes());
            answer.is_for(&[403, 415], &format!("{kind} {path}"));
        }
    }
    let foreign = [
        ("sec-fetch-site", "cross-site"),
        ("sec-fetch-site", "same-site"),
        ("sec-fetch-site", "CROSS-SITE"),
        ("sec-fetch-site", "nonsense"),
        ("origin", "null"),
        ("origin", "https://evil.example"),
        ("origin", "http://127.0.0.1:1"),
        ("origin", "file://"),
    ];
    for header in foreign {
        let headers = [("cookie", cookie.as_str()), ("content-type", "application/json"), header];
        server
            .ask_with("POST", "/api/runs", &headers, body.as_bytes())
            .is_for(&[403], &format!("{header:?}"));
    }
    let own = format!("http://127.0.0.1:{}", server.port);
    let headers = [
        ("cookie", cookie.as_str()),
        ("content-type", "application/json"),
        ("origin", own.as_str()),
        ("sec-fetch-site", "same-origin"),
    ];
    server.ask_with("POST", "/api/sources", &headers, br#"{"at":"texts"}"#).is(&[200]);
    assert!(!server.place.path("runs/stolen").exists());
}

#[test]
fn attack_09_gets_that_change_something() {
    let server = Server::start();
    let before = server.place.files();
    for path in [
        "/api/runs/pics/stop",
        "/api/runs/pics/resume",
        "/api/runs/pics/prolong",
        "/api/runs/pics/evaluate",
        "/api/models/pics/sample",
        "/api/models/pics/kept/write",
        "/api/models/pics/kept/undo",
        "/api/inspect",
        "/api/provenance",
        "/api/models/pics/score",
        "/v1/completions",
        "/v1/images/generations",
    ] {
        for method in ["GET", "HEAD"] {
            server.ask_with(method, path, &[("cookie", &cookie(&server))], b"").is_for(&[404, 405], path);
        }
    }
    for path in
        ["/api/runs", "/api/runs/pics", "/api/models/pics/kept", "/api/jobs", "/api/models/pics/schema"]
    {
        server.get(path).is_for(&[200], path);
    }
    assert!(server.place.files() == before, "a GET has changed a file");
}

#[test]
fn attack_10_pages_at_another_port_of_this_machine() {
    let server = Server::start();
    let cookie = cookie(&server);
    for headers in [
        vec![("sec-fetch-site", "same-site"), ("sec-fetch-mode", "cors")],
        vec![("origin", "http://localhost:9999")],
        vec![("origin", "http://127.0.0.1:9999"), ("sec-fetch-site", "same-site")],
    ] {
        let all: Vec<(&str, &str)> = headers.iter().copied().chain([("cookie", cookie.as_str())]).collect();
        let answer = server.ask_with("GET", "/api/runs", &all, b"");
        answer.is_for(&[403], &format!("{headers:?}"));
        assert_eq!(answer.header("access-control-allow-origin"), "");
    }
    // A cookie of a server at another port is another's.
    let other = format!("mintage-{}={TOKEN}", server.port.wrapping_add(1));
    server.ask_with("GET", "/api/runs", &[("cookie", &other)], b"").is(&[401]);
}

#[test]
fn attack_11_private_data_as_script_or_picture() {
    let server = Server::start();
    let draw = server.draw("pics", 1);
    let picture = draw["items"][0]["url"].as_str().unwrap();
    for path in ["/api/runs", picture, "/v1/models"] {
        for kind in ["script", "image", "style", "audio"] {
            let headers = [
                ("cookie", cookie(&server)),
                ("sec-fetch-site", "cross-site".into()),
                ("sec-fetch-dest", kind.into()),
            ];
            let headers: Vec<(&str, &str)> =
                headers.iter().map(|(name, value)| (*name, value.as_str())).collect();
            server.ask_with("GET", path, &headers, b"").is_for(&[403], path);
        }
        let own = server.get(path);
        assert_eq!(own.header("cross-origin-resource-policy"), "same-origin", "{path}");
        assert_eq!(own.header("x-content-type-options"), "nosniff", "{path}");
    }
}

#[test]
fn attack_12_frames() {
    let server = Server::start();
    for path in ["/", "/run/pics", "/docs", "/api/runs", "/health", "/nothing"] {
        let policy = server.get(path).header("content-security-policy").to_owned();
        assert!(policy.contains("frame-ancestors 'none'"), "{path}: {policy}");
    }
    fs::write(server.place.path("runs/pics/report.html"), "<script>alert(1)</script>").unwrap();
    let report = server.get("/api/runs/pics/report");
    let policy = report.header("content-security-policy");
    assert!(policy.contains("frame-ancestors 'self'") && policy.starts_with("sandbox;"), "{policy}");
    assert!(!policy.contains("script-src") && !policy.contains("allow-scripts"), "{policy}");
}

#[test]
fn attack_13_tokens_that_leak() {
    let server = Server::start();
    for query in [
        format!("token={TOKEN}"),
        format!("token={TOKEN}&next=//evil.example"),
        format!("next=//evil.example&token={TOKEN}"),
    ] {
        let answer = server.ask_with("GET", &format!("/?{query}"), &[], b"");
        answer.is(&[303]);
        assert_eq!(answer.header("location"), "/");
        let cookie = answer.header("set-cookie");
        assert!(
            cookie.contains("HttpOnly")
                && cookie.contains("SameSite=Strict")
                && cookie.starts_with(&format!("mintage-{}=", server.port)),
            "{cookie}"
        );
        assert_eq!(answer.header("referrer-policy"), "no-referrer");
    }
    for path in ["//evil.example/?token=x", "/run/x?token=wrong", "/?token="] {
        let answer = server.ask_with("GET", path, &[], b"");
        assert!(answer.header("set-cookie").is_empty(), "{path}");
        assert!(["", "/"].contains(&answer.header("location")), "{path}");
    }
    // A token in an address of the API is no token.
    server.ask_with("GET", &format!("/api/runs?token={TOKEN}"), &[], b"").is(&[401]);
    for wrong in ["", "Bearer", "Bearer x", &format!("Basic {TOKEN}"), &format!("Bearer {TOKEN}x")] {
        server.ask_with("GET", "/api/runs", &[("authorization", wrong)], b"").is_for(&[401], wrong);
    }
    let processes = command_lines();
    assert!(!processes.contains(TOKEN), "a list of processes shows the token");
}

#[test]
fn attack_14_texts_that_are_markup() {
    let place = Place::new();
    let evil = "<img src=x onerror=alert(1)>";
    let rows: String =
        (0..80).map(|i| format!("{},\"</script><script>alert({})</script>\"\n", i % 5, i % 4)).collect();
    place.write("evil.csv", format!("n,\"{evil}\"\n{rows}"));
    place.ok("train evil.csv --model ar --size tiny --steps 4 --name evil");
    let server = Server::at(place, &[]);
    let source = server.source("evil.csv");
    let asked = [
        server.get("/api/runs/evil"),
        server.get("/api/models/evil/schema"),
        server.post("/api/models/evil/sample", json!({ "n": 2 })),
        server.post("/api/inspect", json!({ "source": source })),
        server.post("/api/models/evil/sample", json!({ "where": { evil: "\u{202e}nothing" } })),
        server.get(&format!("/api/runs/{}", "%3Cimg%20src=x%20onerror=alert(1)%3E")),
        server.get("/%3Cscript%3Ealert(1)%3C/script%3E"),
    ];
    for answer in asked {
        let kind = answer.header("content-type");
        assert!(
            ["application/json", "application/problem+json"].contains(&kind),
            "{kind}: {}",
            answer.text()
        );
        assert_eq!(answer.header("x-content-type-options"), "nosniff");
        assert!(answer.header("content-security-policy").contains("script-src 'self'"));
    }
    let rows = server.ask_with(
        "POST",
        "/api/models/evil/sample",
        &[
            ("authorization", &format!("Bearer {TOKEN}")),
            ("content-type", "application/json"),
            ("accept", "text/csv"),
        ],
        b"{\"n\":2}",
    );
    assert_eq!(rows.header("content-type"), "text/csv; charset=utf-8");
    assert_eq!(rows.header("x-content-type-options"), "nosniff");
}

#[test]
fn attack_26_headers() {
    let server = Server::start();
    // Field names of a body come back in a header.
    let answer = server.post(
        "/v1/completions",
        json!({ "model": "words", "max_tokens": 3, "a\r\nset-cookie: x=1": true, "b\u{0}": 1 }),
    );
    answer.is(&[200]);
    assert!(answer.header("set-cookie").is_empty());
    for path in ["/run/a%0d%0aset-cookie:x=1", "/api/runs/a%0d%0aset-cookie:x=1"] {
        let answer = server.get(path);
        assert!(answer.header("set-cookie").is_empty(), "{path}");
    }
    let long = "x".repeat(1 << 20);
    let answer = server.ask_with("GET", "/health", &[("x-long", &long)], b"");
    assert!([0, 400, 431].contains(&answer.status), "{}", answer.status);
    let address = format!("/api/runs/{}", "y".repeat(40_000));
    server.get(&address).is(&[0, 400, 404, 414, 431]);
    let many: Vec<(&str, &str)> = (0..500).map(|_| ("x-many", "1")).collect();
    assert!([0, 400, 431].contains(&server.ask_with("GET", "/health", &many, b"").status));
    // Two requests in one.
    let smuggled = format!(
        "POST /api/sources HTTP/1.1\r\nhost: 127.0.0.1:{}\r\ncontent-length: 4\r\ntransfer-encoding: chunked\r\n\
         authorization: Bearer {TOKEN}\r\ncontent-type: application/json\r\nconnection: close\r\n\r\n0\r\n\r\nGET /api/runs HTTP/1.1\r\n\r\n",
        server.port
    );
    let answer = server.raw(smuggled.as_bytes());
    assert!(!answer.text().contains("\"runs\""), "{}", answer.text());
    server.lives();
}
