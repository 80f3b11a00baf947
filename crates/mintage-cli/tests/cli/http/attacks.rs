//! Attacks on programs like this one, each as it was made elsewhere: on traversal in file servers, on the trust in the
//! browser of the user, on what models and data bring along, on memory and patience.

use std::{
    fs,
    io::{Read, Write},
    net::TcpStream,
    os::unix::fs::symlink,
    time::{Duration, Instant},
};

use rusqlite::Connection;
use serde_json::{Value, json};

use super::{Server, TOKEN};
use crate::helpers::Place;

const SECRET: &str = "the-secret-of-the-house";

/// A server whose folder lies beside a secret.
fn beside_a_secret(args: &[&str]) -> (Server, tempfile::TempDir) {
    let outside = tempfile::tempdir().unwrap();
    fs::write(outside.path().join("secret.txt"), SECRET).unwrap();
    (Server::with(args), outside)
}

fn tells_nothing(answer: &super::Answer, what: &str) {
    let text = answer.text();
    assert!(!text.contains(SECRET) && !text.contains("root:x:"), "{what}: {text}");
}

#[test]
fn attack_01_paths_that_climb() {
    let web = tempfile::tempdir().unwrap();
    fs::create_dir(web.path().join("web")).unwrap();
    fs::write(web.path().join("web/index.html"), "page").unwrap();
    fs::write(web.path().join("secret.txt"), SECRET).unwrap();
    let dir = web.path().join("web");
    let server = Server::with(&["--studio-dir", dir.to_str().unwrap()]);
    let ways = [
        "../secret.txt",
        "../../../../../../etc/passwd",
        "%2e%2e/secret.txt",
        "..%2fsecret.txt",
        "%2e%2e%2fsecret.txt",
        "%252e%252e%252fsecret.txt",
        "..\\secret.txt",
        "..%5csecret.txt",
        "C:/secret.txt",
        "/etc/passwd",
        "//etc/passwd",
        "%00../secret.txt",
        "a;/../secret.txt",
        "a%23/../secret.txt",
        "./../secret.txt",
        "....//secret.txt",
        "%c0%ae%c0%ae/secret.txt",
    ];
    for start in [
        "/",
        "/assets/",
        "/api/runs/",
        "/api/runs/pics/previews/",
        "/api/draws/d1/",
        "/api/models/pics/kept/",
        "/run/",
    ] {
        for way in ways {
            let path = format!("{start}{way}");
            let answer = server.ask_with("GET", &path, &[("authorization", &format!("Bearer {TOKEN}"))], b"");
            tells_nothing(&answer, &path);
            // Addresses of pages are all one page.
            let is_page = start == "/run/" && answer.text() == "page";
            assert!(is_page || [400, 404].contains(&answer.status), "{path}: {}", answer.status);
        }
    }
}

#[test]
fn attack_02_paths_as_names() {
    let server = Server::start();
    let rows = server.source("rows.csv");
    let before = server.place.files().len();
    for name in ["/tmp/x", "../x", "file:///tmp/x", "a/b", "a\\b", ".hidden", "", "x\0y", "-rf", "a\nb"] {
        server.post("/api/runs", json!({ "source": rows, "name": name, "steps": 1 })).is_for(&[422], name);
    }
    for model in ["%2Fetc", "file:%2F%2F%2Fetc", "..", "~root", "/etc/passwd"] {
        server.post(&format!("/api/models/{model}/sample"), json!({})).is_for(&[400, 404], model);
    }
    let bearer = format!("Bearer {TOKEN}");
    for name in ["../../x.csv", "/tmp/x.csv", "x.csv%00.png", "x.%2F..%2F"] {
        let headers = [("authorization", bearer.as_str()), ("content-type", "application/octet-stream")];
        let answer =
            server.ask_with("POST", &format!("/api/provenance?name={name}"), &headers, b"a,b\n1,2\n");
        assert_eq!(
            answer.is_for(&[200, 400], name).status == 200,
            answer.text().contains("\"made\":false"),
            "{name}"
        );
    }
    assert_eq!(server.place.files().len(), before, "a file was made");
}

#[test]
fn attack_03_links_that_lead_outside() {
    let (server, outside) = beside_a_secret(&[]);
    let secret = outside.path().join("secret.txt");
    let run = server.place.path("runs/pics");
    for name in ["samples/step-000000099.png", "samples/step-000000098.txt", "report.html", "log.txt"] {
        let _ = fs::remove_file(run.join(name));
        symlink(&secret, run.join(name)).unwrap();
    }
    symlink(outside.path(), server.place.path("linked")).unwrap();
    symlink(&secret, server.place.path("linked.csv")).unwrap();
    for path in [
        "/api/runs/pics/previews/step-000000099.png",
        "/api/runs/pics/previews/step-000000098.txt",
        "/api/runs/pics/report",
        "/api/runs/pics",
    ] {
        tells_nothing(&server.get(path), path);
    }
    // Folders as well as files.
    fs::remove_dir_all(run.join("samples")).unwrap();
    fs::write(outside.path().join("step-000000001.txt"), SECRET).unwrap();
    symlink(outside.path(), run.join("samples")).unwrap();
    tells_nothing(&server.get("/api/runs/pics/previews/step-000000001.txt"), "a folder that is a link");
    for at in ["linked", "linked.csv", "linked/secret.txt"] {
        server.post("/api/sources", json!({ "at": at })).is_for(&[403], at);
    }
}

#[test]
fn attack_04_files_that_unpack_without_end() {
    let server = Server::start();
    // 64 MB of zeros in 64 KB, as a table that is packed.
    let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    let zeros = vec![0u8; 1 << 20];
    (0..64).for_each(|_| packed.write_all(&zeros).unwrap());
    let bomb = packed.finish().unwrap();
    let bearer = format!("Bearer {TOKEN}");
    let headers = [("authorization", bearer.as_str()), ("content-type", "application/octet-stream")];
    let before = memory_kb(&server);
    for name in ["bomb.csv.gz", "..%2Fbomb.zip", "bomb.png", "bomb.parquet", "bomb.gz"] {
        let answer = server.ask_with("POST", &format!("/api/provenance?name={name}"), &headers, &bomb);
        assert!(answer.status == 400 || answer.json()["made"] == false, "{name}: {}", answer.text());
    }
    assert!(memory_kb(&server) < before + 200_000, "{} KB more", memory_kb(&server) - before);
}

fn memory_kb(server: &Server) -> u64 {
    let status = fs::read_to_string(format!("/proc/{}/status", server.pid())).unwrap();
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}

#[test]
fn attack_05_links_in_a_folder_for_editing() {
    let web = tempfile::tempdir().unwrap();
    fs::write(web.path().join("secret.txt"), SECRET).unwrap();
    let dir = web.path().join("web");
    fs::create_dir(&dir).unwrap();
    fs::write(dir.join("index.html"), "page").unwrap();
    symlink(web.path().join("secret.txt"), dir.join("link.js")).unwrap();
    symlink(web.path(), dir.join("folder")).unwrap();
    let server = Server::with(&["--studio-dir", dir.to_str().unwrap()]);
    assert_eq!(server.get("/").text(), "page");
    for path in ["/assets/link.js", "/assets/folder/secret.txt"] {
        tells_nothing(server.get(path).is_for(&[404], path), path);
    }
}

#[test]
fn attack_06_names_that_windows_gives_to_devices() {
    let server = Server::start();
    let rows = server.source("rows.csv");
    for name in
        ["CON", "nul", "NUL.txt", "com1", "LPT9.csv", "aux.", "a:b", "run.", "run ", "a<b", "a|b", "what?"]
    {
        server.post("/api/runs", json!({ "source": rows, "name": name, "steps": 1 })).is_for(&[422], name);
    }
}

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

/// The arguments of all processes.
fn command_lines() -> String {
    let processes = fs::read_dir("/proc").unwrap().flatten();
    processes
        .filter_map(|process| fs::read(process.path().join("cmdline")).ok())
        .map(|line| String::from_utf8_lossy(&line).into_owned())
        .collect()
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
fn attack_15_files_that_are_something_else() {
    let server = Server::start();
    let page = "<html><script>alert(1)</script></html>";
    for (name, kind) in [
        ("step-000000071.wav", "audio/wav"),
        ("step-000000072.png", "image/png"),
        ("step-000000073.txt", "text/plain; charset=utf-8"),
    ] {
        fs::write(server.place.path(&format!("runs/pics/samples/{name}")), page).unwrap();
        let answer = server.get(&format!("/api/runs/pics/previews/{name}"));
        assert_eq!(answer.is(&[200]).header("content-type"), kind);
        assert_eq!(answer.header("x-content-type-options"), "nosniff");
        assert!(answer.header("content-security-policy").starts_with("sandbox;"), "{name}");
    }
    // Pictures that are scripts, in a database.
    let shop = server.source("shop.db");
    Connection::open(server.place.path("shop.db")).unwrap().execute_batch(
        "CREATE TABLE files (id INTEGER PRIMARY KEY, item BLOB); INSERT INTO files (item) VALUES \
         (CAST('<svg xmlns=\"http://www.w3.org/2000/svg\" onload=\"alert(1)\"/>' AS BLOB)), (CAST('<html><script>alert(1)</script>' AS BLOB));",
    ).unwrap();
    for item in [1, 2] {
        let answer = server.get(&format!("/api/sources/{shop}/media?table=files&column=item&item={item}"));
        assert_eq!(answer.is(&[200]).header("content-type"), "application/octet-stream");
        assert_eq!(
            (answer.header("content-disposition"), answer.header("x-content-type-options")),
            ("attachment", "nosniff")
        );
    }
    for name in ["step-000000074.html", "step-000000074.svg", "step-000000074.js"] {
        fs::write(server.place.path(&format!("runs/pics/samples/{name}")), page).unwrap();
        server.get(&format!("/api/runs/pics/previews/{name}")).is_for(&[404], name);
    }
}

#[test]
fn attack_16_sql_in_names() {
    let server = Server::start();
    let shop = server.source("shop.db");
    let rows = |table: &str| {
        let connection = Connection::open(server.place.path("shop.db")).unwrap();
        connection
            .query_row(&format!("SELECT count(*) FROM {table}"), [], |row| row.get::<_, i64>(0))
            .unwrap()
    };
    let evil = [
        "goods\"; DROP TABLE goods; --",
        "goods; DELETE FROM goods",
        "(SELECT load_extension('x'))",
        "sqlite_master",
        "goods WHERE 1=1; ATTACH 'x.db' AS x",
        "pg_read_file('/etc/passwd')",
    ];
    for table in evil {
        server.post("/api/inspect", json!({ "source": shop, "table": table })).is_for(&[422], table);
        let answer =
            server.post("/api/runs", json!({ "source": shop, "table": table, "steps": 1, "dry_run": true }));
        answer.is_for(&[422], table);
    }
    for key in [
        "data.query",
        "data.source",
        "data.holdout",
        "data.allow_made",
        "data.query ",
        "query",
        "data.source=x;model.lr",
    ] {
        let settings = json!({ key: "SELECT * FROM goods; DROP TABLE goods" });
        let asked = json!({ "source": shop, "steps": 1, "settings": settings, "dry_run": true });
        server.post("/api/runs", asked).is_for(&[422], key);
    }
    // Pages of a source: names and conditions come from whoever asks.
    let items = |query: &str| server.get(&format!("/api/sources/{shop}/items?{query}"));
    assert_eq!(items("table=goods&limit=5").is(&[200]).json()["total"], 60);
    for query in [
        "table=goods%22%3B%20DROP%20TABLE%20goods%3B--",
        "table=goods&sort=id%3B%20DROP%20TABLE%20goods",
        "table=goods&sort=(SELECT%201)",
        "table=goods&where=1%3D1)%20OR%20(1%3D1",
        "table=goods&limit=99999999999999999999",
        "table=goods&offset=-1",
        "table=sqlite_master&sort=x%27",
    ] {
        items(query).is_for(&[400, 404, 422], query);
    }
    for condition in ["kind%3Dboot%27%20OR%20%271%27%3D%271", "id%3D1%20OR%201%3D1;%20--%3Dx"] {
        assert_eq!(
            items(&format!("table=goods&where={condition}")).is(&[200]).json()["total"],
            0,
            "{condition}"
        );
    }
    let media = format!("/api/sources/{shop}/media?table=goods&column=photo%22%20FROM%20goods--&item=1");
    server.get(&media).is(&[404, 422]);
    assert_eq!(rows("goods"), 60);
    assert!(!server.place.path("x.db").exists());
}

#[test]
fn attack_17_passwords_of_databases() {
    const PASSWORD: &str = "geheim-und-lang";
    let server = Server::start();
    let address = format!("postgres://me:{PASSWORD}@127.0.0.1:1/shop?connect_timeout=1");
    let added = server.post("/api/sources", json!({ "at": address }));
    added.is(&[200]);
    let id = added.json()["id"].as_str().unwrap().to_owned();
    let mut told = added.text() + &server.get("/api/sources").text();
    told += &server.post("/api/inspect", json!({ "source": id, "table": "t" })).text();
    told +=
        &server.post("/api/runs", json!({ "source": id, "table": "t", "steps": 1, "dry_run": true })).text();
    let begun = server.post("/api/runs", json!({ "source": id, "table": "t", "steps": 1, "name": "pg" }));
    let job = begun.is(&[202]).json()["job"]["id"].as_str().unwrap().to_owned();
    while server.get(&format!("/api/jobs/{job}")).json()["state"] == "running" {
        assert!(!command_lines().contains(PASSWORD), "a list of processes shows the password");
    }
    let job = server.ended(&job);
    assert_eq!(job["state"], "failed", "{job}");
    told += &job.to_string();
    told += &server.get("/api/runs").text();
    told += &server.get("/api/jobs").text();
    assert!(!told.contains(PASSWORD), "{told}");
    let files = server.place.files();
    assert!(
        files.values().all(|bytes| !bytes.windows(PASSWORD.len()).any(|part| part == PASSWORD.as_bytes()))
    );
}

#[test]
fn attack_18_requests_into_the_network() {
    let server = Server::start();
    for at in [
        "http://169.254.169.254/latest/meta-data",
        "https://10.0.0.1/",
        "ftp://h/x",
        "file:///etc/passwd",
        "mysql://h/d",
        "gopher://h",
    ] {
        server.post("/api/sources", json!({ "at": at })).is_for(&[403, 404, 422], at);
    }
    // Where others reach this server, they could reach through it.
    let open = Server::with(&["--host", "0.0.0.0"]);
    open.post("/api/sources", json!({ "at": "postgres://inner.host/db" })).is(&[403]);
    let refused = open.place.run("serve --host 0.0.0.0 --no-token --port 0");
    assert_eq!(refused.code, Some(2), "{}", refused.stderr);
    assert!(refused.stderr.contains("token"), "{}", refused.stderr);
}

#[test]
fn attack_19_models_of_strangers() {
    let server = Server::start();
    let weights = server.place.path("runs/pics/model.safetensors");
    let whole = fs::read(&weights).unwrap();
    let sample = |what: &str| {
        let answer = server.post("/api/models/pics/sample", json!({ "n": 1 }));
        answer.is_for(&[404, 409, 422], what);
        server.lives();
    };
    let mut long = whole.clone();
    long[..8].copy_from_slice(&(1u64 << 63).to_le_bytes());
    fs::write(&weights, &long).unwrap();
    sample("a header of 2^63 bytes");
    let header = br#"{"decoder.weight":{"dtype":"F32","shape":[4294967296,4294967296,4294967296],"data_offsets":[0,8]}}"#;
    let mut shapes = (header.len() as u64).to_le_bytes().to_vec();
    shapes.extend(header);
    shapes.extend([0; 8]);
    fs::write(&weights, &shapes).unwrap();
    sample("a shape that overflows");
    fs::write(&weights, &whole).unwrap();
    let config = server.place.text("runs/pics/config.json");
    let mut value: Value = serde_json::from_str(&config).unwrap();
    value["model"]["width"] = json!(1_000_000_000);
    server.place.write("runs/pics/config.json", value.to_string());
    sample("a width of 10^9");
    server.place.write("runs/pics/config.json", &config[..config.len() / 2]);
    sample("half a configuration");
    server.place.write("runs/pics/config.json", &config);
    server.post("/api/models/pics/sample", json!({ "n": 1 })).is(&[200]);
}

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

#[test]
fn attack_23_a_disk_that_is_full() {
    let place = Place::new();
    super::copy(super::template(), place.root());
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
fn attack_24_write_backs_that_clash() {
    let server = Server::start();
    let shop = server.source("shop.db");
    let count = || {
        let connection = Connection::open(server.place.path("shop.db")).unwrap();
        connection.query_row("SELECT count(*) FROM goods", [], |row| row.get::<_, i64>(0)).unwrap()
    };
    let sql =
        |text: &str| Connection::open(server.place.path("shop.db")).unwrap().execute_batch(text).unwrap();
    let draw = server.draw("pics", 4);
    server.post("/api/models/pics/kept", json!({ "draw": draw["draw"], "items": [0, 2] })).is(&[200]);
    let to = |dry_run: bool| {
        server.post(
            "/api/models/pics/kept/write",
            json!({ "source": shop, "table": "goods", "dry_run": dry_run }),
        )
    };
    let shown = to(true);
    assert_eq!(shown.is(&[200]).json()["n"], 2, "{}", shown.text());
    assert_eq!(count(), 60);
    // The table has changed since it was shown.
    sql("CREATE TRIGGER no BEFORE INSERT ON goods BEGIN SELECT RAISE(ABORT, 'not today'); END;");
    let refused = to(false);
    assert!(refused.is(&[422]).text().contains("not today"), "{}", refused.text());
    assert_eq!(count(), 60);
    sql("DROP TRIGGER no; DROP TABLE IF EXISTS other;");
    let written = to(false).is(&[200]).json();
    assert_eq!(count(), 62);
    sql("UPDATE goods SET kind = 'edited' WHERE id = (SELECT max(id) FROM goods);");
    let undone = server.post("/api/models/pics/kept/undo", json!({ "batch": written["batch"] }));
    assert_eq!(undone.is(&[200]).json()["removed"], 2, "{}", undone.text());
    assert_eq!(count(), 60);
    server.post("/api/models/pics/kept/undo", json!({ "batch": written["batch"] })).is(&[404, 409, 422]);
    server.post("/api/models/pics/kept/undo", json!({ "batch": "' OR 1=1 --" })).is(&[404, 409, 422]);
    assert_eq!(count(), 60);
    // Somebody takes the table away.
    sql("DROP TABLE goods;");
    to(false).is(&[200, 422]);
    server.lives();
}

#[test]
fn attack_25_cells_that_are_formulas() {
    let place = Place::new();
    let rows: String = (0..120)
        .map(|i| format!("{},\"{}\"\n", i % 5, ["=1+1", "+cmd", "-2+3", "@SUM(A1)"][i % 4]))
        .collect();
    place.write("cells.csv", format!("n,kind\n{rows}"));
    place.ok("train cells.csv --model ar --size tiny --steps 30 --name cells");
    let server = Server::at(place, &[]);
    let asked = |query: &str| {
        let answer = server.ask_with(
            "POST",
            &format!("/api/models/cells/sample{query}"),
            &[
                ("authorization", &format!("Bearer {TOKEN}")),
                ("content-type", "application/json"),
                ("accept", "text/csv"),
            ],
            b"{\"n\":20,\"seed\":1}",
        );
        answer.is(&[200]);
        assert!(
            answer.header("content-disposition").starts_with("attachment"),
            "a browser would open it at once"
        );
        answer.text()
    };
    let is_formula = |cell: &str| cell.starts_with(['=', '+', '-', '@']);
    let cells = |text: &str| {
        text.lines()
            .skip(1)
            .filter_map(|line| line.split(',').nth(1).map(|cell| cell.trim_matches('"').to_owned()))
            .collect::<Vec<_>>()
    };
    assert!(cells(&asked("")).iter().any(|cell| is_formula(cell)), "nothing to guard against");
    assert!(!cells(&asked("?formulas=quote")).iter().any(|cell| is_formula(cell)));
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

#[test]
fn attack_27_tools_of_language_models() {
    let server = Server::start();
    let call = json!({ "jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": { "name": "read", "arguments": { "path": "/etc/passwd" } } });
    for path in ["/mcp", "/sse", "/api/mcp", "/v1/mcp", "/messages"] {
        server.post(path, call.clone()).is_for(&[404, 405], path);
    }
    // What a row says is data: a request that names files of this machine is refused, in whichever field.
    for request in [
        json!({ "given": { "file": "/etc/passwd" } }),
        json!({ "fill": { "file": "rows.csv" } }),
        json!({ "like": { "file": "/etc/passwd" } }),
        json!({ "continue": { "file": "/etc/passwd" } }),
        json!({ "between": [{ "file": "/etc/passwd" }, { "file": "/etc/passwd" }] }),
        json!({ "blend": { "anchors": [{ "file": "/etc/passwd" }, { "seed": 1 }], "weights": [0.5, 0.5] } }),
    ] {
        for model in ["rows", "pics", "words"] {
            let answer = server.post(&format!("/api/models/{model}/sample"), request.clone());
            answer.is_for(&[403, 422], &request.to_string());
            assert!(!answer.text().contains("root:x:"));
        }
    }
}
