//! A server of the command, asked over real sockets.

use std::{
    fs,
    io::{BufRead, BufReader, Read, Write},
    net::TcpStream,
    path::{Path, PathBuf},
    process::{Child, Stdio},
    thread,
    time::{Duration, Instant},
};

use serde_json::Value;

use crate::{Result, command::mintage};

pub const TOKEN: &str = "0123456789abcdef0123456789abcdef";
/// Answers come within this.
const PATIENCE: Duration = Duration::from_secs(120);

/// A server in a folder, which ends with this value.
pub struct Server {
    pub child: Child,
    pub port: u16,
    pub scratch: PathBuf,
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

pub struct Answer {
    pub status: u16,
    pub body: Vec<u8>,
}

impl Answer {
    pub fn json(&self) -> Result<Value> {
        serde_json::from_slice(&self.body)
            .map_err(|e| format!("{e}: {}", String::from_utf8_lossy(&self.body)))
    }
}

impl Server {
    pub fn start(binary: &Path, scratch: &Path) -> Result<Self> {
        let mut command = mintage(binary, scratch, "serve --port 0 --json");
        command.env("MINTAGE_TOKEN", TOKEN).stdout(Stdio::piped());
        let mut child = command.spawn().map_err(|e| e.to_string())?;
        let out = child.stdout.take().ok_or("no output")?;
        let mut text = String::new();
        for line in BufReader::new(out).lines().map_while(std::result::Result::ok) {
            text.push_str(&line);
            if line == "}" {
                break;
            }
        }
        let told: Value = serde_json::from_str(&text).map_err(|e| format!("the server said {text}: {e}"))?;
        let port = told["port"].as_u64().ok_or("no port")? as u16;
        Ok(Self { child, port, scratch: scratch.to_owned() })
    }

    pub fn connect(&self) -> Result<TcpStream> {
        let stream = TcpStream::connect(("127.0.0.1", self.port)).map_err(|e| e.to_string())?;
        stream.set_read_timeout(Some(PATIENCE)).map_err(|e| e.to_string())?;
        stream.set_nodelay(true).map_err(|e| e.to_string())?;
        Ok(stream)
    }

    /// The head and the body of a request.
    pub fn request(&self, method: &str, path: &str, more: &str, body: &str) -> String {
        format!(
            "{method} {path} HTTP/1.1\r\nhost: 127.0.0.1:{}\r\nauthorization: Bearer {TOKEN}\r\ncontent-type: application/json\r\n\
             content-length: {}\r\n{more}\r\n{body}",
            self.port,
            body.len()
        )
    }

    pub fn ask(&self, method: &str, path: &str, more: &str, body: &str) -> Result<Answer> {
        let mut stream = self.connect()?;
        let request = self.request(method, path, &format!("connection: close\r\n{more}"), body);
        stream.write_all(request.as_bytes()).map_err(|e| e.to_string())?;
        let mut bytes = Vec::new();
        stream.read_to_end(&mut bytes).map_err(|e| format!("{path}: {e}"))?;
        answer(&bytes).ok_or_else(|| format!("{path}: no answer"))
    }

    pub fn get(&self, path: &str) -> Result<Answer> {
        self.ask("GET", path, "", "")
    }

    pub fn post(&self, path: &str, body: &Value) -> Result<Value> {
        let answer = self.ask("POST", path, "", &body.to_string())?;
        match answer.status < 300 {
            true => answer.json(),
            false => Err(format!("{path}: {} {}", answer.status, String::from_utf8_lossy(&answer.body))),
        }
    }

    /// Id of the source of this name.
    pub fn source(&self, name: &str) -> Result<String> {
        let sources = self.get("/api/sources")?.json()?;
        let found =
            sources["sources"].as_array().and_then(|all| all.iter().find(|source| source["name"] == name));
        Ok(found.and_then(|source| source["id"].as_str()).ok_or("no such source")?.to_owned())
    }

    /// Waits until a job is in a state that `done` accepts.
    pub fn wait(&self, job: &Value, done: impl Fn(&str) -> bool) -> Result<Value> {
        let start = Instant::now();
        let path = format!("/api/jobs/{}", job["id"].as_str().ok_or("no job")?);
        loop {
            let job = self.get(&path)?.json()?;
            if done(job["state"].as_str().unwrap_or_default()) {
                return Ok(job);
            }
            if start.elapsed() > PATIENCE {
                return Err(format!("waited too long for {job}"));
            }
            thread::sleep(Duration::from_millis(20));
        }
    }

    /// Resident memory in MB.
    pub fn memory_mb(&self) -> Result<f64> {
        let status =
            fs::read_to_string(format!("/proc/{}/status", self.child.id())).map_err(|e| e.to_string())?;
        let line = status.lines().find(|line| line.starts_with("VmRSS:")).ok_or("no VmRSS")?;
        let kb: f64 = line.split_whitespace().nth(1).and_then(|kb| kb.parse().ok()).ok_or("no number")?;
        Ok(kb / 1024.0)
    }
}

fn answer(bytes: &[u8]) -> Option<Answer> {
    let end = bytes.windows(4).position(|four| four == b"\r\n\r\n")?;
    let head = String::from_utf8_lossy(&bytes[..end]).to_ascii_lowercase();
    let status = head.split(' ').nth(1)?.parse().ok()?;
    let body = &bytes[end + 4..];
    let body = if head.contains("transfer-encoding: chunked") { joined(body) } else { body.to_vec() };
    Some(Answer { status, body })
}

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
