//! Paths, links and files that lead or unpack where they should not.

use std::{fs, io::Write, os::unix::fs::symlink};

use serde_json::json;

use super::{SECRET, beside_a_secret, memory_kb, tells_nothing};
use crate::http::{Server, TOKEN};

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
