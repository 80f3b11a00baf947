//! The server, a training of it, and both are killed at random moments: no run, no kept item and no row may be lost.

use std::{fs, path::Path, process::Command, thread, time::Duration};

use serde_json::{Value, json};

use super::server::Server;
use crate::{
    Result, at,
    command::{database, mintage, succeed},
    figure::Figure,
};

const KILLS: usize = 30;

pub fn kills(binary: &Path, scratch: &Path) -> Result<Vec<Figure>> {
    database(scratch)?;
    let line =
        "train demo.db --table products --column photo --model vae --size tiny --steps 5 --name images";
    succeed(&mut mintage(binary, scratch, line))?;
    let mut random = 0x9e37_79b9_7f4a_7c15u64;
    let mut share = || {
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        (random >> 11) as f64 / (1u64 << 53) as f64
    };
    let mut lost = Vec::new();
    let mut reported: Vec<String> = Vec::new();
    for trial in 0..KILLS {
        let name = format!("run-{trial}");
        let mut server = Server::start(binary, scratch)?;
        let source = server.source("demo.db")?;
        let asked = json!({ "source": source, "table": "products", "column": "photo", "family": "vae", "size": "tiny", "steps": 200, "name": name });
        server.post("/api/runs", &asked)?;
        // Until it says so, nothing is kept; from then on all of it.
        let draw = server.post("/api/models/images/sample", &json!({ "n": 4, "seed": trial }))?;
        let kept =
            server.post("/api/models/images/kept", &json!({ "draw": draw["draw"], "items": [0, 2] }))?;
        reported.extend(
            kept["kept"].as_array().into_iter().flatten().filter_map(|id| id.as_str().map(str::to_owned)),
        );
        thread::sleep(Duration::from_secs_f64(share() * 3.0));
        let (kill_server, kill_training) = [(true, false), (false, true), (true, true)][trial % 3];
        let busy = training_of(&name);
        if kill_server {
            server.child.kill().map_err(|e| e.to_string())?;
            server.child.wait().map_err(|e| e.to_string())?;
        }
        if kill_training {
            busy.iter().for_each(|pid| drop(Command::new("kill").args(["-9", pid]).status()));
        }
        drop(server);
        // Whatever is left of a training ends before the next look.
        let again = Server::start(binary, scratch)?;
        for _ in 0..600 {
            if again.get(&format!("/api/runs/{name}"))?.json()?["live"] != true {
                break;
            }
            thread::sleep(Duration::from_millis(100));
        }
        let run = again.get(&format!("/api/runs/{name}"))?;
        // A training that was killed before its folder was made has lost nothing.
        if run.status == 200 {
            let state = run.json()?["state"].as_str().unwrap_or_default().to_owned();
            if state != "done" {
                let resumed = again.post(&format!("/api/runs/{name}/resume"), &json!({}));
                let ended = resumed.and_then(|begun| {
                    again.wait(&begun["job"], |state| !["queued", "running"].contains(&state))
                });
                match ended {
                    Ok(job) if job["state"] == "done" => {}
                    Ok(job) => lost.push(format!("trial {trial}: the run cannot go on: {job}")),
                    Err(error) => lost.push(format!("trial {trial}: {error}")),
                }
            }
        } else if scratch.join("runs").join(&name).join("run.json").is_file() {
            lost.push(format!("trial {trial}: the run is not listed"));
        }
        let listed = again.get("/api/models/images/kept")?.json()?;
        let ids: Vec<&str> =
            listed["items"].as_array().into_iter().flatten().filter_map(|item| item["id"].as_str()).collect();
        lost.extend(
            reported
                .iter()
                .filter(|id| !ids.contains(&id.as_str()))
                .map(|id| format!("trial {trial}: kept item {id}")),
        );
        lost.extend(
            listed["items"]
                .as_array()
                .into_iter()
                .flatten()
                .filter(|item| item["error"] != Value::Null)
                .map(|item| format!("trial {trial}: {item}")),
        );
        let rows = again
            .get(&format!("/api/sources/{}/items?table=products&limit=1", again.source("demo.db")?))?
            .json()?;
        if rows["total"] != 2000 {
            lost.push(format!("trial {trial}: {} rows", rows["total"]));
        }
        let dir = scratch.join("runs").join(&name);
        if dir.exists() {
            fs::remove_dir_all(&dir).map_err(at(&dir))?;
        }
    }
    lost.iter().for_each(|fault| println!("{fault}"));
    let setup =
        format!("{KILLS} kills with SIGKILL at random moments: the server, its training, both by turns");
    Ok(vec![Figure::lower(
        "studio-kills",
        "runs, kept items and rows lost",
        lost.len() as f64,
        "",
        0.0,
        &setup,
    )])
}

/// Processes that train the run of this name.
fn training_of(name: &str) -> Vec<String> {
    let flag = format!("--name={name}");
    let processes = fs::read_dir("/proc").into_iter().flatten().flatten();
    processes
        .filter(|process| {
            let line = fs::read(process.path().join("cmdline")).unwrap_or_default();
            line.split(|&byte| byte == 0).any(|argument| argument == flag.as_bytes())
        })
        .filter_map(|process| process.file_name().into_string().ok())
        .collect()
}
