//! A real PostgreSQL server, which the tests start for themselves and which ends with them.

#![allow(dead_code, clippy::disallowed_macros)] // Not every test needs all of it.

use std::{
    env, fs,
    net::TcpListener,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::LazyLock,
};

use postgres::{Client, NoTls};

/// The user that owns the server and the password that it asks for.
pub const USER: &str = "mintage";
pub const PASSWORD: &str = "geheim/@:?#";
pub const ENCODED: &str = "geheim%2F%40%3A%3F%23";

/// A server in a folder of its own.
pub struct Server {
    pub dir: PathBuf,
    pub port: u16,
    pub has_tls: bool,
    /// Stops the server when this process ends.
    _guard: Child,
}

/// Why there is no server.
type Missing = String;

static SERVER: LazyLock<Result<Server, Missing>> = LazyLock::new(Server::start);

/// The server, or nothing where there is none and none is required.
pub fn server() -> Option<&'static Server> {
    match &*SERVER {
        Ok(server) => Some(server),
        Err(why) => {
            let required = env::var("MINTAGE_TEST_POSTGRES").is_ok_and(|value| value == "required");
            assert!(!required, "{why}");
            println!("skipped: {why}");
            None
        }
    }
}

impl Server {
    fn start() -> Result<Self, Missing> {
        let missing = || "no PostgreSQL on this machine (install the Debian package postgresql)".to_owned();
        let bin = programs().ok_or_else(missing)?;
        let dir = tempfile::Builder::new().prefix("mintage-pg").tempdir().unwrap().keep();
        if is_root() {
            // The server refuses to run as root.
            run(Command::new("chown").arg("postgres").arg(&dir))?;
        }
        let data = dir.join("data");
        fs::write(dir.join("password"), PASSWORD).unwrap();
        let password = format!("--pwfile={}", dir.join("password").display());
        run(as_owner(&bin.join("initdb"))
            .args(["-A", "scram-sha-256", "-U", USER, "-E", "UTF8", "--no-sync", &password, "-D"])
            .arg(&data))?;
        let has_tls = make_certificate(&data);
        let port = TcpListener::bind(("127.0.0.1", 0)).and_then(|free| free.local_addr()).unwrap().port();
        let tls = if has_tls { "-c ssl=on" } else { "" };
        let options =
            format!("-p {port} -k {} -c fsync=off -c listen_addresses=127.0.0.1 {tls}", dir.display());
        run(as_owner(&bin.join("pg_ctl"))
            .args(["-w", "-l"])
            .arg(dir.join("log"))
            .arg("-o")
            .arg(options)
            .arg("-D")
            .arg(&data)
            .arg("start"))?;
        let guard = stop_at_exit(&bin, &dir)?;
        Ok(Self { dir, port, has_tls, _guard: guard })
    }

    /// An address of a database, with what follows it.
    pub fn at(&self, database: &str, more: &str) -> String {
        format!("postgres://{USER}:{ENCODED}@127.0.0.1:{}/{database}{more}", self.port)
    }

    pub fn client(&self, database: &str) -> Client {
        Client::connect(&self.at(database, ""), NoTls).unwrap()
    }

    /// A new database after some SQL: its client and its address.
    pub fn database(&self, name: &str, sql: &str) -> (Client, String) {
        self.client("postgres").batch_execute(&format!("CREATE DATABASE {name}")).unwrap();
        let mut client = self.client(name);
        client.batch_execute(sql).unwrap();
        (client, self.at(name, ""))
    }
}

/// The folder of `initdb` and `pg_ctl`.
fn programs() -> Option<PathBuf> {
    let path = env::var_os("PATH").unwrap_or_default();
    let debian = fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let all = env::split_paths(&path).chain(debian.map(|version| version.path().join("bin")));
    all.into_iter().find(|dir| dir.join("initdb").exists() && dir.join("pg_ctl").exists())
}

fn is_root() -> bool {
    Command::new("id").arg("-u").output().is_ok_and(|id| id.stdout.starts_with(b"0\n"))
}

/// A program as a user that may start a server.
fn as_owner(program: &Path) -> Command {
    let mut command = if is_root() { Command::new("runuser") } else { Command::new(program) };
    if is_root() {
        command.args(["-u", "postgres", "--"]).arg(program);
    }
    command.current_dir("/");
    command
}

fn run(command: &mut Command) -> Result<(), Missing> {
    let output = command.stdout(Stdio::null()).stderr(Stdio::null()).status();
    match output {
        Ok(status) if status.success() => Ok(()),
        other => Err(format!("{command:?} failed: {other:?}")),
    }
}

/// A certificate for 127.0.0.1 that is its own authority, where there is `openssl`.
fn make_certificate(data: &Path) -> bool {
    let (key, certificate) = (data.join("server.key"), data.join("server.crt"));
    let made = run(as_owner(Path::new("openssl"))
        .args(["req", "-new", "-x509", "-days", "2", "-nodes", "-subj", "/CN=localhost"])
        .args(["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1"])
        .args(["-addext", "subjectAltName=DNS:localhost", "-addext", "basicConstraints=CA:FALSE"])
        .arg("-keyout")
        .arg(&key)
        .arg("-out")
        .arg(&certificate));
    made.is_ok() && run(as_owner(Path::new("chmod")).arg("600").arg(&key)).is_ok()
}

/// A shell that waits for the end of a pipe, which comes with the end of this process, and stops the server.
fn stop_at_exit(bin: &Path, dir: &Path) -> Result<Child, Missing> {
    let (stop, dir) = (bin.join("pg_ctl"), dir.display());
    let script = format!("cat; {} -m immediate -D {dir}/data stop; rm -rf {dir}", stop.display());
    let mut shell = as_owner(Path::new("/bin/sh"));
    shell.arg("-c").arg(script).stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
    shell.spawn().map_err(|error| error.to_string())
}
