//! What the tests share: the command as a user starts it, in a folder of its own, and tiny real data.

use std::{
    collections::BTreeMap,
    fs,
    io::Cursor,
    path::{Path, PathBuf},
    process::{Child, Command, Output, Stdio},
    thread::sleep,
    time::{Duration, Instant},
};

use image::{GrayImage, ImageFormat, Luma};
use rusqlite::{Connection, params};
use serde_json::Value;
use tempfile::TempDir;

/// The smallest useful training.
pub const QUICK: &str = "--size tiny --steps 6";
/// Labels of [`Place::shop`]: the first is not ASCII, which many a path breaks on.
pub const KINDS: [&str; 3] = ["пальто", "boot", "hand bag"];
/// What is waited for at most, on however busy a machine.
const PATIENCE: Duration = Duration::from_secs(120);

/// A folder to work in. Paths in commands are relative to it, and with them those in messages, so that
/// messages are the same from run to run.
pub struct Place(TempDir);

/// How a command ended and what it said.
pub struct Done {
    /// Nothing when a signal ended it.
    pub code: Option<i32>,
    pub stdout: Vec<u8>,
    pub stderr: String,
}

impl Place {
    pub fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    pub fn root(&self) -> &Path {
        self.0.path()
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.root().join(name)
    }

    pub fn read(&self, name: &str) -> Vec<u8> {
        fs::read(self.path(name)).unwrap_or_else(|e| panic!("{name}: {e}"))
    }

    pub fn text(&self, name: &str) -> String {
        String::from_utf8(self.read(name)).unwrap()
    }

    pub fn json(&self, name: &str) -> Value {
        serde_json::from_slice(&self.read(name)).unwrap()
    }

    pub fn write(&self, name: &str, bytes: impl AsRef<[u8]>) {
        let path = self.path(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, bytes).unwrap();
    }

    /// The width and height of a picture; it has to decode.
    pub fn picture_size(&self, name: &str) -> (u32, u32) {
        let picture = image::load_from_memory(&self.read(name)).unwrap_or_else(|e| panic!("{name}: {e}"));
        (picture.width(), picture.height())
    }

    /// Every file below the folder with its bytes.
    pub fn files(&self) -> BTreeMap<PathBuf, Vec<u8>> {
        files_below(self.root()).into_iter().map(|path| (path.clone(), fs::read(path).unwrap())).collect()
    }

    /// `program` in this folder, with nothing of the outside that could change what it does.
    pub fn program(&self, program: &str) -> Command {
        let mut command = Command::new(program);
        for (name, _) in std::env::vars_os() {
            if name.to_string_lossy().starts_with("MINTAGE_") {
                command.env_remove(name);
            }
        }
        command.current_dir(self.root()).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command.env("NO_COLOR", "1").env("COLUMNS", "100").env("MINTAGE_RUNS", "runs");
        command
    }

    /// `mintage` with these arguments.
    pub fn mintage(&self, args: &[&str]) -> Command {
        let mut command = self.program(env!("CARGO_BIN_EXE_mintage"));
        command.args(["--threads", "2", "--no-progress"]).args(args);
        // Samples are fresh each time; a test wants to know what comes.
        if args.first() == Some(&"sample") && !args.contains(&"--seed") {
            command.args(["--seed", "1"]);
        }
        command
    }

    /// Runs `mintage LINE`, where spaces part the arguments.
    pub fn run(&self, line: &str) -> Done {
        self.run_args(&words(line))
    }

    /// Runs `mintage` with arguments that may hold spaces.
    pub fn run_args(&self, args: &[&str]) -> Done {
        self.mintage(args).output().unwrap().into()
    }

    /// Runs what has to succeed.
    pub fn ok(&self, line: &str) -> Done {
        self.ok_args(&words(line))
    }

    pub fn ok_args(&self, args: &[&str]) -> Done {
        let done = self.run_args(args);
        assert_eq!(done.code, Some(0), "mintage {args:?}\n{}", done.stderr);
        done
    }

    /// Runs what has to be refused: exit code 2, nothing on stdout, and not a byte on disk changed.
    /// Returns what was said.
    pub fn refused(&self, line: &str) -> String {
        self.refused_args(&words(line))
    }

    pub fn refused_args(&self, args: &[&str]) -> String {
        let before = self.files();
        let done = self.run_args(args);
        assert_eq!(done.code, Some(2), "mintage {args:?}\n{}", done.stderr);
        assert_eq!(String::from_utf8_lossy(&done.stdout), "", "mintage {args:?}");
        let after = self.files();
        let changed: Vec<&PathBuf> = after.keys().filter(|f| before.get(*f) != after.get(*f)).collect();
        assert!(changed.is_empty() && before.len() == after.len(), "mintage {args:?} left {changed:?}");
        done.stderr
    }

    /// Starts `mintage LINE` and lets it run.
    pub fn start(&self, line: &str) -> Running {
        Running(Some(self.mintage(&words(line)).spawn().unwrap()))
    }

    /// `n` pictures in a folder.
    pub fn pictures(&self, folder: &str, n: usize) {
        for i in 0..n {
            self.write(&format!("{folder}/{i:03}.png"), png(i, 12));
        }
    }

    /// A database with `n` rows in the table `goods (id, kind, photo)`.
    pub fn shop(&self, file: &str, n: usize) -> Connection {
        self.shop_with_table(file, "goods", n)
    }

    pub fn shop_with_table(&self, file: &str, table: &str, n: usize) -> Connection {
        let connection = Connection::open(self.path(file)).unwrap();
        let table = table.replace('"', "\"\"");
        let create = format!("CREATE TABLE \"{table}\" (id INTEGER PRIMARY KEY, kind TEXT, photo BLOB)");
        connection.execute_batch(&create).unwrap();
        let insert = format!("INSERT INTO \"{table}\" (kind, photo) VALUES (?1, ?2)");
        for i in 0..n {
            connection.execute(&insert, params![KINDS[i % 3], png(i, 12)]).unwrap();
        }
        connection
    }
}

impl From<Output> for Done {
    fn from(output: Output) -> Self {
        let stderr = String::from_utf8(output.stderr).unwrap();
        Self { code: output.status.code(), stdout: output.stdout, stderr }
    }
}

impl Done {
    pub fn text(&self) -> &str {
        std::str::from_utf8(&self.stdout).unwrap()
    }

    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.stdout).unwrap()
    }
}

/// A command that runs beside the test and ends with it, also when the test fails.
pub struct Running(Option<Child>);

impl Running {
    /// Waits until `ready` holds while the command runs.
    pub fn until(&mut self, what: &str, ready: impl Fn() -> bool) {
        let start = Instant::now();
        while !ready() {
            let ended = self.0.as_mut().unwrap().try_wait().unwrap();
            assert!(ended.is_none(), "ended before {what}: {}", self.end().stderr);
            assert!(start.elapsed() < PATIENCE, "waited too long for {what}");
            sleep(Duration::from_millis(5));
        }
    }

    /// Sends a signal by its name.
    pub fn signal(&self, name: &str) {
        let id = self.0.as_ref().unwrap().id().to_string();
        assert!(Command::new("kill").args(["-s", name, &id]).status().unwrap().success());
    }

    /// Waits for the end.
    pub fn end(&mut self) -> Done {
        self.0.take().unwrap().wait_with_output().unwrap().into()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if let Some(child) = &mut self.0 {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

fn words(line: &str) -> Vec<&str> {
    line.split_whitespace().collect()
}

pub fn files_below(dir: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path());
    entries.flat_map(|path| if path.is_dir() { files_below(&path) } else { vec![path] }).collect()
}

/// A picture of one of three kinds (a square, a disc, stripes); no two are the same.
pub fn picture(i: usize, side: u32) -> GrayImage {
    GrayImage::from_fn(side, side, |x, y| {
        let (dx, dy) = (x as i32 - (side / 2) as i32, y as i32 - (side / 2) as i32);
        let inside = match i % 3 {
            0 => dx.abs().max(dy.abs()) < side as i32 / 3,
            1 => dx * dx + dy * dy < (side * side / 8) as i32,
            _ => y % 4 < 2,
        };
        let shade = 120 + (i * 37 % 120) as u8;
        // A corner that counts: many pictures would be copies of each other without it.
        let count = (x == 0 && y == 0) as u8 * (i % 251) as u8;
        Luma([if inside { shade } else { 20 + (i / 3 % 60) as u8 }.wrapping_add(count)])
    })
}

/// The picture as a PNG file's bytes.
pub fn png(i: usize, side: u32) -> Vec<u8> {
    let mut bytes = Cursor::new(Vec::new());
    picture(i, side).write_to(&mut bytes, ImageFormat::Png).unwrap();
    bytes.into_inner()
}

/// A PNG file whose header claims another size, with the checksum that belongs to it.
pub fn png_claiming(width: u32, height: u32) -> Vec<u8> {
    let mut bytes = png(0, 12);
    bytes[16..20].copy_from_slice(&width.to_be_bytes());
    bytes[20..24].copy_from_slice(&height.to_be_bytes());
    let sum = crc32(&bytes[12..29]);
    bytes[29..33].copy_from_slice(&sum.to_be_bytes());
    bytes
}

fn crc32(bytes: &[u8]) -> u32 {
    let bit = |crc: u32, _| if crc & 1 == 1 { crc >> 1 ^ 0xedb8_8320 } else { crc >> 1 };
    !bytes.iter().fold(!0, |crc, &byte| (0..8).fold(crc ^ u32::from(byte), bit))
}
