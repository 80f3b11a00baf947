//! A process that works when told to; both sides speak the same few words.

use std::{
    io::{BufRead, BufReader, Lines, Write},
    process::{Child, ChildStdin, ChildStdout, Command, Stdio},
};

use serde::Deserialize;

use crate::Result;

/// A process of either side, ready.
pub struct Worker {
    name: String,
    child: Child,
    input: Option<ChildStdin>,
    output: Lines<BufReader<ChildStdout>>,
    pub ready: Ready,
}

/// What it says of itself.
#[derive(Deserialize)]
pub struct Ready {
    pub parameters: u64,
    /// The peer's library and its version.
    pub name: Option<String>,
}

/// What a turn came to.
#[derive(Deserialize)]
pub struct Turn {
    pub secs: f64,
    pub loss: Option<f64>,
    pub units: f64,
}

#[derive(Deserialize)]
struct Hello {
    ready: Ready,
}

#[derive(Deserialize)]
struct Goodbye {
    peak_mb: Option<f64>,
}

impl Worker {
    /// Starts a process and waits until it is ready.
    pub fn start(command: &mut Command) -> Result<Self> {
        let name = format!("{command:?}");
        command.stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn().map_err(|e| format!("{name}: {e}"))?;
        let input = child.stdin.take();
        let output = child.stdout.take().ok_or_else(|| format!("{name}: no output"))?;
        let ready = Ready { parameters: 0, name: None };
        let mut worker = Self { name, child, input, output: BufReader::new(output).lines(), ready };
        worker.ready = worker.read::<Hello>()?.ready;
        Ok(worker)
    }

    /// Has it do `count` units.
    pub fn go(&mut self, count: usize) -> Result<Turn> {
        let input = self.input.as_mut().ok_or("the worker has been sent home")?;
        writeln!(input, "go {count}")
            .and_then(|()| input.flush())
            .map_err(|e| format!("{}: {e}", self.name))?;
        self.read()
    }

    /// Ends it; the most memory that it held, in megabytes.
    pub fn finish(mut self) -> Result<Option<f64>> {
        drop(self.input.take());
        let goodbye = self.read::<Goodbye>()?;
        let status = self.child.wait().map_err(|e| e.to_string())?;
        if status.success() { Ok(goodbye.peak_mb) } else { Err(format!("{}: {status}", self.name)) }
    }

    fn read<T: for<'a> Deserialize<'a>>(&mut self) -> Result<T> {
        match self.output.next() {
            Some(Ok(line)) => serde_json::from_str(&line).map_err(|e| format!("{}: {e}: {line}", self.name)),
            Some(Err(error)) => Err(format!("{}: {error}", self.name)),
            None => Err(format!("{}: ended without a word", self.name)),
        }
    }
}

impl Drop for Worker {
    /// A worker that was not sent home is not left behind.
    fn drop(&mut self) {
        if !matches!(self.child.try_wait(), Ok(Some(_))) {
            let _ = self.child.kill();
            let _ = self.child.wait();
        }
    }
}
