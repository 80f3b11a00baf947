//! The first page in a real browser, where one is at hand. The walk through all of the studio is in
//! `crates/mintage-server/tests/browser`.

#![allow(clippy::disallowed_macros)]

use std::{
    io::{Read, Write},
    net::{TcpListener, TcpStream},
    process::{Command, Stdio},
    sync::{Arc, Mutex},
    thread,
    time::{Duration, Instant},
};

use super::Server;

/// How long a browser may take on however busy a machine.
const PATIENCE: Duration = Duration::from_secs(90);

/// What a browser asks for on its way to a server.
struct Proxy {
    port: u16,
    asked: Arc<Mutex<String>>,
}

impl Proxy {
    /// Passes everything on to `port`.
    fn start(listener: TcpListener, port: u16) -> Self {
        let own = listener.local_addr().unwrap().port();
        let asked = Arc::new(Mutex::new(String::new()));
        let heard = asked.clone();
        thread::spawn(move || {
            for mut client in listener.incoming().flatten() {
                let Ok(mut server) = TcpStream::connect(("127.0.0.1", port)) else { return };
                let (mut back, mut to) = (server.try_clone().unwrap(), client.try_clone().unwrap());
                let heard = heard.clone();
                thread::spawn(move || drop(std::io::copy(&mut back, &mut to)));
                thread::spawn(move || {
                    let mut piece = [0; 4096];
                    while let Ok(n) = client.read(&mut piece) {
                        if n == 0 || server.write_all(&piece[..n]).is_err() {
                            break;
                        }
                        heard.lock().unwrap().push_str(&String::from_utf8_lossy(&piece[..n]));
                    }
                });
            }
        });
        Self { port: own, asked }
    }
}

#[test]
fn chromium_draws_the_first_page() {
    let names = ["chromium", "chromium-browser", "google-chrome"];
    let Some(browser) = names.into_iter().find(|name| Command::new(name).arg("--version").output().is_ok())
    else {
        println!("skipped: there is no Chromium here");
        return;
    };
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let name = format!("127.0.0.1:{}", listener.local_addr().unwrap().port());
    let server = Server::with(&["--host-name", &name]);
    let proxy = Proxy::start(listener, server.port);
    let profile = tempfile::tempdir().unwrap();
    let mut child = Command::new(browser)
        .args(["--headless", "--no-sandbox", "--disable-gpu", "--remote-debugging-port=0"])
        .arg(format!("--user-data-dir={}", profile.path().display()))
        .arg(format!("http://127.0.0.1:{}/?token={}", proxy.port, super::TOKEN))
        .env("HOME", profile.path())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    // The picture of a card is asked for when the scripts have drawn the card, from what the server told them.
    let start = Instant::now();
    let lines = || -> Vec<String> {
        let asked = proxy.asked.lock().unwrap();
        asked.lines().filter(|line| line.starts_with("GET ")).map(str::to_owned).collect()
    };
    let drawn = || lines().iter().any(|line| line.contains("/api/runs/pics/previews/"));
    while !drawn() && start.elapsed() < PATIENCE {
        if child.try_wait().unwrap().is_some() {
            println!("skipped: Chromium does not start here");
            return;
        }
        thread::sleep(Duration::from_millis(50));
    }
    let _ = child.kill();
    let _ = child.wait();
    assert!(drawn(), "the page was not drawn: {:?}", lines());
}
