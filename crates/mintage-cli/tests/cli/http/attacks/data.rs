//! What data, databases and models of strangers bring along.

use std::fs;

use rusqlite::Connection;
use serde_json::{Value, json};

use super::command_lines;
use crate::{
    helpers::Place,
    http::{Server, TOKEN},
};

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
