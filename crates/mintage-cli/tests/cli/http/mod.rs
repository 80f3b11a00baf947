//! The server from outside: the real process, asked over real sockets.

mod attacks;
mod browser;
mod routes;

use std::{
    fs,
    io::{BufRead, BufReader, Read, Write},
    net::TcpStream,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::OnceLock,
    time::Duration,
};

use serde_json::{Value, json};

use crate::helpers::Place;

/// The token of every server of the tests.
pub const TOKEN: &str = "0123456789abcdef0123456789abcdef";
/// Answers come within this on however busy a machine.
const PATIENCE: Duration = Duration::from_secs(120);

/// A server on data and models of its own.
pub struct Server {
    pub place: Place,
    child: Child,
    pub port: u16,
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// What a server answers.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
}

impl Answer {
    pub fn header(&self, name: &str) -> &str {
        self.headers.iter().find(|(known, _)| known == name).map_or("", |(_, value)| value)
    }

    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("{error}: {}", self.text()))
    }

    /// The status, which is one of these.
    pub fn is(&self, statuses: &[u16]) -> &Self {
        assert!(statuses.contains(&self.status), "{} is none of {statuses:?}: {}", self.status, self.text());
        self
    }

    /// The same, with the request in the message.
    pub fn is_for(&self, statuses: &[u16], what: &str) -> &Self {
        assert!(
            statuses.contains(&self.status),
            "{what}: {} is none of {statuses:?}: {}",
            self.status,
            self.text()
        );
        self
    }
}

/// A folder with data and a model of rows, of pictures and of texts, made once.
fn template() -> &'static Path {
    static TEMPLATE: OnceLock<PathBuf> = OnceLock::new();
    TEMPLATE.get_or_init(|| {
        let place = Place::new();
        let rows: String =
            (0..120).map(|i| format!("{},{},{}\n", i % 7, ["a", "b", "c"][i % 3], i * 3 % 11)).collect();
        place.write("rows.csv", format!("size,kind,=sum\n{rows}"));
        place.shop("shop.db", 60);
        for i in 0..24 {
            place.write(
                &format!("texts/{i}.txt"),
                format!("The {} of the king and the queen is {i}. ", i % 5).repeat(6),
            );
        }
        place.ok("train rows.csv --model ar --size tiny --steps 6 --name rows");
        place.ok("train shop.db --model vae --label kind --size tiny --steps 6 --name pics");
        place.ok("train texts --model ar --size tiny --steps 6 --name words");
        let kept = place.root().to_owned();
        // The folder of the template goes with the machine's temporary files.
        std::mem::forget(place);
        kept
    })
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap().flatten() {
        let target = to.join(entry.file_name());
        match entry.file_type().unwrap().is_dir() {
            true => copy(&entry.path(), &target),
            false => drop(fs::copy(entry.path(), target).unwrap()),
        }
    }
}

impl Server {
    pub fn start() -> Self {
        Self::with(&[])
    }

    pub fn with(args: &[&str]) -> Self {
        let place = Place::new();
        copy(template(), place.root());
        Self::at(place, args)
    }

    pub fn at(place: Place, args: &[&str]) -> Self {
        let mut command = place.mintage(&["serve", "--port", "0", "--json"]);
        command.args(args);
        Self::of(place, command)
    }

    /// A server that another command starts, such as a shell with limits.
    pub fn of(place: Place, mut command: Command) -> Self {
        command.env("MINTAGE_TOKEN", TOKEN).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut child = command.spawn().unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let mut text = String::new();
        for line in lines.map_while(Result::ok) {
            text.push_str(&line);
            if line == "}" {
                break;
            }
        }
        let told: Value = serde_json::from_str(&text).unwrap_or_else(|_| panic!("the server said: {text}"));
        let port = told["port"].as_u64().unwrap() as u16;
        Self { place, child, port }
    }

    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Kills the process as a crash would.
    pub fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    pub fn connect(&self) -> TcpStream {
        let stream = TcpStream::connect(("127.0.0.1", self.port)).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream
    }

    /// Sends bytes as they are, and reads all that comes back.
    pub fn raw(&self, request: &[u8]) -> Answer {
        let mut stream = self.connect();
        // A server that has heard enough may have closed already.
        let _ = stream.write_all(request);
        let mut bytes = Vec::new();
        let _ = stream.read_to_end(&mut bytes);
        answer(&bytes)
    }

    /// A request with the right host and these headers.
    pub fn ask_with(&self, method: &str, path: &str, headers: &[(&str, &str)], body: &[u8]) -> Answer {
        let mut head =
            format!("{method} {path} HTTP/1.1\r\nhost: 127.0.0.1:{}\r\nconnection: close\r\n", self.port);
        for (name, value) in headers {
            head.push_str(&format!("{name}: {value}\r\n"));
        }
        if !body.is_empty() || method == "POST" {
            head.push_str(&format!("content-length: {}\r\n", body.len()));
        }
        self.raw(&[head.as_bytes(), b"\r\n", body].concat())
    }

    /// A request of a program that has the token.
    pub fn ask(&self, method: &str, path: &str, body: Option<&Value>) -> Answer {
        let bearer = format!("Bearer {TOKEN}");
        let body = body.map(Value::to_string).unwrap_or_default();
        let headers = [("authorization", bearer.as_str()), ("content-type", "application/json")];
        self.ask_with(method, path, &headers, body.as_bytes())
    }

    pub fn get(&self, path: &str) -> Answer {
        self.ask("GET", path, None)
    }

    pub fn post(&self, path: &str, body: Value) -> Answer {
        self.ask("POST", path, Some(&body))
    }

    /// The id of the source of this name.
    pub fn source(&self, name: &str) -> String {
        let sources = self.get("/api/sources").json();
        let found = sources["sources"].as_array().unwrap().iter().find(|source| source["name"] == name);
        found.unwrap_or_else(|| panic!("{sources}"))["id"].as_str().unwrap().to_owned()
    }

    /// Waits until a job has ended, and gives it.
    pub fn ended(&self, job: &str) -> Value {
        let start = std::time::Instant::now();
        loop {
            let job = self.get(&format!("/api/jobs/{job}")).json();
            if !["queued", "running"].contains(&job["state"].as_str().unwrap()) {
                return job;
            }
            assert!(start.elapsed() < PATIENCE, "waited too long for {job}");
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    /// The server still answers.
    pub fn lives(&self) {
        self.get("/health").is(&[200]);
    }

    /// Draws a few items of a model.
    pub fn draw(&self, model: &str, n: usize) -> Value {
        let answer = self.post(&format!("/api/models/{model}/sample"), json!({ "n": n, "seed": 1 }));
        answer.is(&[200]);
        answer.json()
    }
}

fn answer(bytes: &[u8]) -> Answer {
    let end = bytes.windows(4).position(|four| four == b"\r\n\r\n").unwrap_or(bytes.len());
    let head = String::from_utf8_lossy(&bytes[..end]).into_owned();
    let mut lines = head.split("\r\n");
    let status = lines.next().and_then(|line| line.split(' ').nth(1)?.parse().ok()).unwrap_or(0);
    let headers: Vec<(String, String)> = lines
        .filter_map(|line| line.split_once(": "))
        .map(|(name, value)| (name.to_ascii_lowercase(), value.to_owned()))
        .collect();
    let body = bytes.get(end + 4..).unwrap_or_default();
    let is_chunked = headers.iter().any(|(name, value)| name == "transfer-encoding" && value == "chunked");
    Answer { status, body: if is_chunked { joined(body) } else { body.to_vec() }, headers }
}

/// The body that chunks are parts of.
fn joined(mut chunks: &[u8]) -> Vec<u8> {
    let mut body = Vec::new();
    while let Some(end) = chunks.windows(2).position(|two| two == b"\r\n") {
        let length =
            std::str::from_utf8(&chunks[..end]).ok().and_then(|text| usize::from_str_radix(text, 16).ok());
        let Some(length) = length.filter(|&length| length > 0) else { break };
        body.extend(chunks.get(end + 2..end + 2 + length).unwrap_or_default());
        chunks = chunks.get(end + 4 + length..).unwrap_or_default();
    }
    body
}
