//! What programs ask for: every route on real models.

use std::io::{Read, Write};

use serde_json::{Value, json};

use super::{Server, TOKEN};

/// The events of a stream: names and data.
fn events(text: &str) -> Vec<(String, Value)> {
    let field = |event: &str, name: &str| {
        event.lines().find_map(|line| Some(line.strip_prefix(name)?.trim().to_owned()))
    };
    text.split("\n\n")
        .filter_map(|event| {
            let data = field(event, "data:")?;
            let data = serde_json::from_str(&data).unwrap_or(Value::String(data));
            Some((field(event, "event:").unwrap_or_default(), data))
        })
        .collect()
}

fn accepting(server: &Server, model: &str, accept: &str, body: Value) -> super::Answer {
    let bearer = format!("Bearer {TOKEN}");
    let headers =
        [("authorization", bearer.as_str()), ("content-type", "application/json"), ("accept", accept)];
    server.ask_with("POST", &format!("/api/models/{model}/sample"), &headers, body.to_string().as_bytes())
}

#[test]
fn a_run_is_planned_trained_looked_at_and_removed() {
    let server = Server::start();
    let source = server.source("rows.csv");
    let asked = |dry_run: bool| json!({ "source": source, "family": "mixture", "size": "tiny", "steps": 5, "name": "made", "dry_run": dry_run });
    let plan = server.post("/api/runs", asked(true)).is(&[200]).json();
    assert_eq!(plan["plan"]["family"], "mixture", "{plan}");
    assert!(plan["plan"]["parameters"].as_u64().unwrap() > 0);
    assert_eq!((&plan["plan"]["steps"], &plan["plan"]["time_secs"]), (&json!(5), &json!(null)), "{plan}");
    let timed = json!({ "source": source, "family": "mixture", "time": "90s", "dry_run": true });
    let timed = server.post("/api/runs", timed).is(&[200]).json();
    assert_eq!(
        (&timed["plan"]["steps"], &timed["plan"]["time_secs"]),
        (&json!(null), &json!(90.0)),
        "{timed}"
    );
    let root = server.place.root().canonicalize().unwrap();
    assert!(!plan.to_string().contains(root.to_str().unwrap()), "the plan tells where things lie");
    let begun = server.post("/api/runs", asked(false)).is(&[202]).json();
    assert_eq!(server.ended(begun["job"]["id"].as_str().unwrap())["state"], "done");
    let run = server.get("/api/runs/made").json();
    assert_eq!(
        (&run["state"], &run["family"], &run["source_id"]),
        (&json!("done"), &json!("mixture"), &json!(source)),
        "{run}"
    );
    let series = server.get("/api/runs/made/metrics").json();
    assert!(series["records"].as_array().unwrap().iter().any(|record| record["kind"] == "valid"), "{series}");
    let rest = server.get(&format!("/api/runs/made/metrics?since={}", series["next"])).json();
    assert_eq!(rest["records"], json!([]));
    let previews = server.get("/api/runs/made/previews").json();
    let first = previews["previews"][0]["url"].as_str().unwrap();
    server.get(first).is(&[200]);
    let longer = server.post("/api/runs/made/prolong", json!({ "steps": 8 })).is(&[202]).json();
    assert_eq!(server.ended(longer["job"]["id"].as_str().unwrap())["state"], "done");
    assert_eq!(server.get("/api/runs/made").json()["step"], 8);
    let shown = server.place.ok("show runs/made --json").json();
    assert_eq!(server.get("/api/runs/made").json()["advice"], shown["advice"]);
    server.ask("DELETE", "/api/runs/made", None).is(&[204]);
    server.get("/api/runs/made").is(&[404]);
    server.post("/api/runs", json!({ "source": source, "nam": "x" })).is(&[422]);
}

#[test]
fn what_fails_says_why() {
    let server = Server::start();
    let source = server.source("shop.db");
    let begun =
        server.post("/api/runs", json!({ "source": source, "table": "nope", "name": "bad", "steps": 1 }));
    let job = server.ended(begun.is(&[202]).json()["job"]["id"].as_str().unwrap());
    assert_eq!(job["state"], "failed");
    assert!(job["error"]["detail"].as_str().unwrap().contains("nope"), "{job}");
    let run = server.get("/api/runs/bad").json();
    assert_eq!(run["state"], "failed", "{run}");
    for (path, body) in [
        ("/api/models/none/sample", json!({})),
        ("/api/models/rows/sample", json!({ "n": 0 })),
        ("/api/models/rows/sample", json!({ "tempersture": 1 })),
        ("/api/models/rows/sample", json!([])),
        ("/api/inspect", json!({ "source": "s0" })),
        ("/api/sources", json!({ "at": "" })),
    ] {
        let answer = server.post(path, body);
        answer.is_for(&[404, 422], path);
        assert_eq!(answer.header("content-type"), "application/problem+json", "{path}");
        assert!(answer.json()["detail"].as_str().unwrap().len() > 5, "{}", answer.text());
    }
}

#[test]
fn items_come_in_every_format() {
    let server = Server::start();
    let draw = server.draw("rows", 5);
    assert_eq!((draw["columns"].as_array().unwrap().len(), draw["items"].as_array().unwrap().len()), (3, 5));
    assert_eq!(draw["seed"], 1);
    assert_eq!(server.draw("rows", 5)["items"], draw["items"], "the same seed gives the same rows");
    assert_eq!(server.get(&format!("/api/draws/{}", draw["draw"].as_str().unwrap())).json(), draw);
    let csv = accepting(&server, "rows", "text/csv", json!({ "n": 50, "seed": 1 }));
    assert_eq!((csv.is(&[200]).text().lines().count(), csv.header("mintage-seed")), (51, "1"));
    let command = server.place.ok("sample runs/rows -n 50 --seed 1 -o -").stdout;
    assert_eq!(csv.body, command, "the server and the command give the same rows");
    let lines = accepting(&server, "rows", "application/x-ndjson", json!({ "n": 4 }));
    assert_eq!(
        lines.is(&[200]).text().lines().filter(|line| serde_json::from_str::<Value>(line).is_ok()).count(),
        4
    );
    let arrow = accepting(&server, "rows", "application/vnd.apache.arrow.stream", json!({ "n": 4 }));
    assert!(arrow.is(&[200]).body.starts_with(&[0xff, 0xff, 0xff, 0xff]), "{:?}", &arrow.body[..8]);
    let parquet = accepting(&server, "rows", "application/vnd.apache.parquet", json!({ "n": 4 }));
    assert!(parquet.is(&[200]).body.starts_with(b"PAR1") && parquet.body.ends_with(b"PAR1"));
    let png = accepting(&server, "pics", "image/png", json!({ "n": 4 }));
    assert!(png.is(&[200]).body.starts_with(b"\x89PNG"));
    let text =
        accepting(&server, "words", "text/plain", json!({ "n": 1, "prompt": "The king", "length": 20 }));
    assert!(text.is(&[200]).text().starts_with("The king"));
    for (model, accept) in
        [("pics", "text/csv"), ("rows", "image/png"), ("words", "audio/wav"), ("rows", "image/webp")]
    {
        accepting(&server, model, accept, json!({ "n": 1 })).is_for(&[406, 422], accept);
    }
}

#[test]
fn media_come_in_parts() {
    let server = Server::start();
    let draw = server.draw("pics", 2);
    let url = draw["items"][1]["url"].as_str().unwrap();
    let whole = server.get(url);
    assert_eq!(whole.is(&[200]).header("accept-ranges"), "bytes");
    let bearer = format!("Bearer {TOKEN}");
    let part =
        |range: &str| server.ask_with("GET", url, &[("authorization", &bearer), ("range", range)], b"");
    let some = part("bytes=1-3");
    assert_eq!((some.status, &some.body[..]), (206, b"PNG".as_slice()));
    assert_eq!(some.header("content-range"), format!("bytes 1-3/{}", whole.body.len()));
    assert_eq!(part("bytes=999999-").status, 416);
    for name in ["2.png", "0.gif", "x.png", "0", "-1.png"] {
        server.get(&format!("/api/draws/{}/{name}", draw["draw"].as_str().unwrap())).is_for(&[404], name);
    }
}

#[test]
fn texts_stream_and_stop_when_nobody_reads() {
    let server = Server::start();
    let told = accepting(
        &server,
        "words",
        "text/event-stream",
        json!({ "n": 1, "seed": 3, "prompt": "The ", "length": 40 }),
    );
    let told = events(&told.text());
    let streamed: String = told
        .iter()
        .filter(|(name, _)| name == "text")
        .map(|(_, data)| data["new"].as_str().unwrap())
        .collect();
    let (last, draw) = told.last().unwrap();
    assert_eq!((last.as_str(), draw["items"][0]["text"].as_str()), ("done", Some(streamed.as_str())));
    assert!(streamed.starts_with("The "));
    let refused = accepting(&server, "words", "text/event-stream", json!({ "temperature": -1 }));
    assert_eq!(events(&refused.text())[0].0, "error");
    // A text without end, whose reader goes: the next request is not kept waiting.
    let body = json!({ "n": 1, "endless": true, "length": 5_000_000 }).to_string();
    let mut stream = server.connect();
    let head = format!(
        "POST /api/models/words/sample HTTP/1.1\r\nhost: 127.0.0.1:{}\r\nauthorization: Bearer {TOKEN}\r\n\
         content-type: application/json\r\naccept: text/event-stream\r\ncontent-length: {}\r\n\r\n{body}",
        server.port,
        body.len()
    );
    stream.write_all(head.as_bytes()).unwrap();
    let mut first = [0; 300];
    stream.read_exact(&mut first).unwrap();
    drop(stream);
    let start = std::time::Instant::now();
    server.draw("words", 1);
    assert!(start.elapsed().as_secs() < 20, "{:?}", start.elapsed());
}

#[test]
fn work_can_be_asked_for_later() {
    let server = Server::start();
    let bearer = format!("Bearer {TOKEN}");
    let headers = [
        ("authorization", bearer.as_str()),
        ("content-type", "application/json"),
        ("prefer", "respond-async"),
    ];
    let answer = server.ask_with("POST", "/api/models/rows/sample", &headers, br#"{"n":7,"seed":2}"#);
    let job = server.ended(answer.is(&[202]).json()["job"]["id"].as_str().unwrap());
    let draw = server.get(&format!("/api/draws/{}", job["draw"].as_str().unwrap())).json();
    assert_eq!((&draw["n"], &draw["seed"]), (&json!(7), &json!(2)));
}

#[test]
fn changes_are_heard_and_caught_up_with() {
    let server = Server::start();
    let mut stream = server.connect();
    let head = |last: &str| {
        format!(
            "GET /api/events?topics=jobs,runs HTTP/1.1\r\nhost: 127.0.0.1:{}\r\nauthorization: Bearer {TOKEN}\r\n{last}\r\n",
            server.port
        )
    };
    stream.write_all(head("").as_bytes()).unwrap();
    let source = server.source("rows.csv");
    let begun = server
        .post(
            "/api/runs",
            json!({ "source": source, "family": "mixture", "size": "tiny", "steps": 2, "name": "heard" }),
        )
        .json();
    server.ended(begun["job"]["id"].as_str().unwrap());
    stream.set_read_timeout(Some(std::time::Duration::from_secs(2))).unwrap();
    let mut bytes = Vec::new();
    let _ = stream.read_to_end(&mut bytes);
    let text = String::from_utf8_lossy(&bytes).into_owned();
    assert!(text.contains("event: snapshot") && text.contains("\"state\":\"done\""), "{text}");
    // Again from the first change on.
    let first: u64 = text
        .split("\nid: ")
        .nth(1)
        .or_else(|| text.split("id: ").nth(1))
        .unwrap()
        .lines()
        .next()
        .unwrap()
        .trim()
        .parse()
        .unwrap();
    let mut again = server.connect();
    again.write_all(head(&format!("last-event-id: {first}\r\n")).as_bytes()).unwrap();
    again.set_read_timeout(Some(std::time::Duration::from_secs(2))).unwrap();
    let mut bytes = Vec::new();
    let _ = again.read_to_end(&mut bytes);
    let text = String::from_utf8_lossy(&bytes).into_owned();
    assert!(!text.contains("event: snapshot") && text.contains("\"state\":\"done\""), "{text}");
}

#[test]
fn single_items_are_judged() {
    let server = Server::start();
    for model in ["rows", "pics"] {
        let draw = server.draw(model, 3);
        let one = json!({ "draw": draw["draw"], "item": 1 });
        let near = server.post(&format!("/api/models/{model}/nearest"), one.clone()).is(&[200]).json();
        assert_eq!(near["neighbours"].as_array().unwrap().len(), 3, "{near}");
        assert!(near["verdict"].is_string() && near["words"].is_string(), "{near}");
        if model == "pics" {
            server.get(near["neighbours"][0]["url"].as_str().unwrap()).is(&[200]);
        }
        let why = server.post(&format!("/api/models/{model}/explain"), one).is(&[200]).json();
        assert!((0.0..=100.0).contains(&why["score"].as_f64().unwrap()), "{why}");
        let scores = server
            .post(&format!("/api/models/{model}/score"), json!({ "draw": draw["draw"], "items": [2, 0] }));
        let scores = scores.is(&[200]).json();
        assert_eq!((&scores["scores"][0]["i"], scores["scores"].as_array().unwrap().len()), (&json!(2), 2));
        let real = server.get(&format!("/api/models/{model}/real?n=4&seed=1")).is(&[200]).json();
        assert!(!real["items"].as_array().unwrap().is_empty());
        for (item, k) in [(99, 1), (0, 0)] {
            let answer = server.post(
                &format!("/api/models/{model}/nearest"),
                json!({ "draw": draw["draw"], "item": item, "k": k }),
            );
            answer.is_for(&[200, 422], &format!("{item} {k}"));
        }
    }
    let other = server.draw("rows", 1);
    server.post("/api/models/pics/explain", json!({ "draw": other["draw"], "item": 0 })).is(&[422]);
}

#[test]
fn kept_items_are_written_and_taken_back() {
    let server = Server::start();
    let draw = server.draw("rows", 6);
    let kept = server
        .post("/api/models/rows/kept", json!({ "draw": draw["draw"], "items": [1, 4] }))
        .is(&[200])
        .json();
    let listed = server.get("/api/models/rows/kept").json();
    assert_eq!(listed["items"].as_array().unwrap().len(), 2, "{listed}");
    assert_eq!(listed["items"][0]["row"], draw["items"][1]["row"]);
    assert_eq!(server.get("/api/runs/rows").json()["kept"], 2);
    let shown = server
        .post("/api/models/rows/kept/write", json!({ "file": "new.csv", "dry_run": true }))
        .is(&[200])
        .json();
    assert!(!server.place.path("new.csv").exists());
    let written = server.post("/api/models/rows/kept/write", json!({ "file": "new.csv" })).is(&[200]).json();
    assert_eq!(written["rows"], shown["rows"]);
    assert_eq!(server.place.text("new.csv").lines().count(), 3);
    server.post("/api/models/rows/kept/undo", json!({ "batch": written["batch"] })).is(&[200]);
    assert!(!server.place.path("new.csv").exists());
    for file in ["../new.csv", "/tmp/new.csv", "", ".hidden.csv", "nowhere/new.csv"] {
        server.post("/api/models/rows/kept/write", json!({ "file": file })).is_for(&[403, 404, 422], file);
    }
    let gone = server
        .ask("DELETE", "/api/models/rows/kept", Some(&json!({ "ids": kept["kept"] })))
        .is(&[200])
        .json();
    assert_eq!(gone["removed"], 2);
}

#[test]
fn files_say_who_made_them() {
    let server = Server::start();
    let draw = server.draw("pics", 1);
    let picture = server.get(draw["items"][0]["url"].as_str().unwrap()).body;
    let bearer = format!("Bearer {TOKEN}");
    let headers = [("authorization", bearer.as_str()), ("content-type", "application/octet-stream")];
    let made = server.ask_with("POST", "/api/provenance?name=some.png", &headers, &picture).json();
    assert_eq!(
        (&made["made"], &made["run"], &made["seed"]),
        (&json!(true), &json!("pics"), &json!(1)),
        "{made}"
    );
    let foreign = server
        .ask_with("POST", "/api/provenance?name=some.png", &headers, &crate::helpers::png(1, 12))
        .json();
    assert_eq!(foreign["made"], false);
}

#[test]
fn openais_routes() {
    let server = Server::start();
    let models = server.get("/v1/models").json();
    assert_eq!(models["data"].as_array().unwrap().len(), 3);
    assert_eq!(server.get("/v1/models/words").json()["id"], "words");
    server.get("/v1/models/none").is(&[404]);
    let asked = json!({ "model": "words", "prompt": "The ", "max_tokens": 12, "seed": 4, "n": 2, "logit_bias": {}, "user": "me" });
    let answer = server.post("/v1/completions", asked.clone());
    let whole = answer.is(&[200]).json();
    assert_eq!(whole["choices"].as_array().unwrap().len(), 2, "{whole}");
    assert!(whole["choices"][0]["text"].as_str().unwrap().chars().count() <= 12);
    assert_eq!(answer.header("mintage-ignored"), "logit_bias, user");
    let mut stream = asked;
    stream["stream"] = json!(true);
    stream["n"] = json!(1);
    let pieces = events(&server.post("/v1/completions", stream).text());
    assert_eq!(pieces.last().unwrap().1, json!("[DONE]"));
    let text: String = pieces.iter().filter_map(|(_, piece)| piece["choices"][0]["text"].as_str()).collect();
    assert!(!text.is_empty() && text.chars().count() <= 12, "{text}");
    let class = server.get("/api/models/pics/schema").json()["schema"]["properties"]["where"]["properties"]["kind"]
        ["enum"][0]
        .as_str()
        .unwrap()
        .to_uppercase();
    let of_class = |prompt: &str| {
        server.post(
            "/v1/images/generations",
            json!({ "model": "pics", "prompt": prompt, "n": 2, "seed": 3, "size": "1024x1024" }),
        )
    };
    let pictures = of_class(&class);
    assert_eq!(pictures.is(&[200]).json()["data"].as_array().unwrap().len(), 2);
    let plain = of_class("");
    assert_ne!(plain.is(&[200]).json()["data"], pictures.json()["data"], "the prompt makes no difference");
    let unknown = of_class("a thing").is(&[400]).json();
    assert!(unknown["error"]["message"].as_str().unwrap().contains("a thing"), "{unknown}");
    let by_url = server
        .post("/v1/images/generations", json!({ "model": "pics", "prompt": "", "response_format": "url" }))
        .json();
    let url = by_url["data"][0]["url"].as_str().unwrap().split_once("/api").unwrap().1.to_owned();
    server.get(&format!("/api{url}")).is(&[200]);
    let told = server
        .post(
            "/api/generate",
            json!({ "model": "words", "prompt": "The ", "options": { "num_predict": 9, "seed": 1 } }),
        )
        .text();
    let last: Value = serde_json::from_str(told.lines().last().unwrap()).unwrap();
    assert_eq!(last["done"], true, "{told}");
    let whole = server.post("/api/generate", json!({ "model": "words", "prompt": "The ", "stream": false, "options": { "seed": 1, "num_predict": 9 } }));
    assert!(!whole.is(&[200]).json()["response"].as_str().unwrap().is_empty());
    assert_eq!(server.get("/api/tags").json()["models"].as_array().unwrap().len(), 3);
    let error = server.post("/v1/completions", json!({ "model": "pics", "prompt": "x" }));
    assert!(error.is(&[400, 422]).json()["error"]["message"].is_string());
    let form = [
        b"--b\r\ncontent-disposition: form-data; name=\"image\"; filename=\"a.png\"\r\ncontent-type: image/png\r\n\r\n".to_vec(),
        crate::helpers::png(2, 12),
        b"\r\n--b\r\ncontent-disposition: form-data; name=\"model\"\r\n\r\npics\r\n--b--\r\n".to_vec(),
    ]
    .concat();
    let bearer = format!("Bearer {TOKEN}");
    let headers = [("authorization", bearer.as_str()), ("content-type", "multipart/form-data; boundary=b")];
    server.ask_with("POST", "/v1/images/variations", &headers, &form).is(&[200]);
}

#[test]
fn the_studio_is_in_the_program() {
    let server = Server::start();
    for path in ["/", "/run/pics", "/sample/rows?n=3", "/data/x", "/kept/rows", "/compare", "/settings"] {
        let page = server.ask_with("GET", path, &[], b"");
        assert!(page.is_for(&[200], path).text().contains("<noscript>"), "{path}");
        assert_eq!(page.header("content-type"), "text/html; charset=utf-8");
        let text = page.text();
        assert!(
            !text.contains("<script>")
                && !text.contains(" style=\"")
                && !text.contains("http://")
                && !text.contains("https://"),
            "{text}"
        );
    }
    let script = server.ask_with("GET", "/assets/app.js", &[], b"");
    let tag = script.is(&[200]).header("etag").to_owned();
    assert_eq!(server.ask_with("GET", "/assets/app.js", &[("if-none-match", &tag)], b"").status, 304);
    server.ask_with("GET", "/assets/none.js", &[], b"").is(&[404]);
    server.get("/nothing").is(&[404]);
    let api = server.ask_with("GET", "/openapi.json", &[], b"").json();
    assert!(api["paths"].as_object().unwrap().len() > 25, "{}", api["paths"].as_object().unwrap().len());
}

#[test]
fn what_vanishes_is_missed_in_words() {
    let server = Server::start();
    let (rows, shop) = (server.source("rows.csv"), server.source("shop.db"));
    server.get(&format!("/api/sources/{rows}/items?limit=2")).is(&[200]);
    std::fs::remove_file(server.place.path("rows.csv")).unwrap();
    std::fs::remove_file(server.place.path("shop.db")).unwrap();
    let draw = server.draw("rows", 1);
    let asked = [
        server.get(&format!("/api/sources/{rows}/items?limit=2")),
        server.get(&format!("/api/sources/{shop}/items?table=goods")),
        server.post("/api/inspect", json!({ "source": shop })),
        server.post("/api/runs", json!({ "source": rows, "dry_run": true, "steps": 1 })),
        server.post("/api/models/rows/nearest", json!({ "draw": draw["draw"], "item": 0 })),
    ];
    for answer in asked {
        answer.is(&[404, 409, 422]);
        let problem = answer.json();
        assert!(problem["detail"].as_str().unwrap().len() > 10 && problem["hint"].is_string(), "{problem}");
    }
    // A model of a program that is not out yet.
    let config = server.place.text("runs/words/config.json");
    server.place.write("runs/words/config.json", config.replacen("\"format\": 2", "\"format\": 99", 1));
    let answer = server.post("/api/models/words/sample", json!({ "n": 1 }));
    let problem = answer.is(&[404, 409, 422]).json();
    assert!(problem["hint"].as_str().unwrap().contains("newer"), "{problem}");
    assert_eq!(
        server.get("/api/runs").json()["runs"].as_array().unwrap().len(),
        3,
        "it is listed nevertheless"
    );
    std::fs::remove_dir_all(server.place.path("runs/words")).unwrap();
    server.get("/api/runs/words").is(&[404]);
    server.post("/api/models/words/sample", json!({ "n": 1 })).is(&[404]);
    server.lives();
}

#[test]
fn sources_are_looked_at_page_by_page() {
    let server = Server::start();
    let shop = server.source("shop.db");
    let page =
        |query: &str| server.get(&format!("/api/sources/{shop}/items?table=goods&{query}")).is(&[200]).json();
    let first = page("limit=20&sort=-id");
    assert_eq!((&first["total"], first["rows"].as_array().unwrap().len()), (&json!(60), 20));
    assert_eq!(first["rows"][0]["cells"][0], 60);
    assert_eq!(page("limit=20&offset=50")["rows"].as_array().unwrap().len(), 10);
    assert_eq!(page("where=kind%3Dboot&where=id%3D1..30")["total"], 10);
    let cell = &first["rows"][0]["cells"][2];
    assert_eq!(cell["media"], "image", "{cell}");
    for (key, kind) in [("url", "image/png"), ("thumb", "image/png")] {
        assert_eq!(server.get(cell[key].as_str().unwrap()).is(&[200]).header("content-type"), kind);
    }
    let spread = server.get(&format!("/api/sources/{shop}/histograms?table=goods")).json();
    assert_eq!(spread["columns"]["kind"]["values"].as_array().unwrap().len(), 3, "{spread}");
    let folder = server.post("/api/sources", json!({ "at": "texts" })).is(&[200]).json();
    let files = server
        .get(&format!("/api/sources/{}/items?limit=3", folder["id"].as_str().unwrap()))
        .is(&[200])
        .json();
    assert_eq!(files["total"], 24);
}

#[test]
fn the_next_free_port_is_taken() {
    let first = Server::start();
    let port = first.port.to_string();
    let mut command = first.place.mintage(&["serve", "--json", "--port", &port]);
    command.env("MINTAGE_TOKEN", TOKEN);
    let second = Server::of(crate::helpers::Place::new(), command);
    assert!(second.port > first.port);
    second.lives();
}
