//! Sources of data by ids: what lies in the folder that is served, and databases that the user names.

use std::{
    fs,
    path::{Path, PathBuf},
    sync::{Arc, Mutex},
    time::SystemTime,
};

use mintage_data::{
    PgDefaults, SourceSpec,
    browse::Browser,
    is_postgres,
    names::{path_of, text_of},
    table::without_passwords,
};
use serde::Serialize;
use utoipa::ToSchema;
use xxhash_rust::xxh3::xxh3_64;

use crate::{lock, problem::Problem};

/// Sources that are listed.
const MAX_SOURCES: usize = 500;
/// How files end that are surely data.
const SUFFIXES: [&str; 14] = [
    "db", "db3", "sqlite", "sqlite3", "csv", "tsv", "jsonl", "ndjson", "parquet", "gz", "zst", "txt", "mid",
    "wav",
];

/// A source, as it is listed.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct SourceView {
    /// Its name in addresses.
    pub id: String,
    /// Its path inside the folder that is served, or its address without a password.
    pub name: String,
    /// `sqlite`, `postgres`, `file` or `folder`.
    pub kind: &'static str,
    /// Ids of the runs that learned from it.
    pub in_use: Vec<String>,
}

/// A source.
#[derive(Clone, Debug)]
pub struct Source {
    /// Its name in addresses.
    pub id: String,
    /// What users see.
    pub name: String,
    /// `sqlite`, `postgres`, `file` or `folder`.
    pub kind: &'static str,
    /// What the library opens: an absolute path, or an address without its password.
    pub spec: SourceSpec,
}

impl Source {
    /// What the program is called with in the folder that is served: runs remember it as from a terminal there.
    pub fn argument(&self) -> &str {
        if self.kind == "postgres" { &self.spec.source } else { &self.name }
    }
}

/// All sources.
pub struct Sources {
    root: PathBuf,
    pg: PgDefaults,
    /// Whether users may name servers: on loopback alone, or others could reach into the network through this one.
    may_name_servers: bool,
    list: Mutex<Vec<Arc<Source>>>,
    /// Sources that are looked at, the latest last, each with what it was like when it was opened.
    open: Mutex<Vec<Opened>>,
}

/// The id of a source, when its file was changed last, and what reads it.
type Opened = (String, Option<SystemTime>, Arc<Browser>);

/// Sources that are held open.
const MAX_OPEN: usize = 4;

impl Sources {
    /// What lies in `root`, which is canonical, and what the command line names.
    ///
    /// # Errors
    /// A source that the command line names is not there.
    pub fn open(root: &Path, named: &[String], pg: PgDefaults, on_loopback: bool) -> Result<Self, Problem> {
        let sources = Self {
            root: root.to_owned(),
            pg,
            may_name_servers: true,
            list: Mutex::default(),
            open: Mutex::default(),
        };
        for name in named {
            sources.add_any(name, false)?;
        }
        for name in candidates(root) {
            // What cannot be one is left out.
            let _ = sources.add_any(&name, true);
        }
        Ok(Self { may_name_servers: on_loopback, ..sources })
    }

    /// All of them, by name.
    pub fn all(&self) -> Vec<Arc<Source>> {
        let mut all = lock(&self.list).clone();
        all.sort_by(|a, b| a.name.cmp(&b.name));
        all
    }

    /// One of them.
    pub fn get(&self, id: &str) -> Result<Arc<Source>, Problem> {
        lock(&self.list).iter().find(|source| source.id == id).cloned().ok_or_else(|| {
            Problem::not_found("there is no such source").with_hint("GET /api/sources lists what there is")
        })
    }

    /// Adds what a user names: a path inside the folder that is served, or a PostgreSQL server.
    pub fn add(&self, at: &str) -> Result<Arc<Source>, Problem> {
        self.add_any(at, true)
    }

    fn add_any(&self, at: &str, inside: bool) -> Result<Arc<Source>, Problem> {
        let at = at.trim();
        if at.is_empty() || at.contains('\0') {
            return Err(Problem::request("a source needs a path or an address"));
        }
        let mut spec = SourceSpec { source: at.to_owned(), pg: self.pg.clone(), ..SourceSpec::default() };
        let (name, kind) = if is_postgres(at) || at.contains("://") {
            if !is_postgres(at) {
                return Err(Problem::request(format!(
                    "{}: of servers only PostgreSQL is read",
                    without_passwords(at)
                ))
                .with_hint("give an address that begins with postgres://, or a path"));
            }
            if !self.may_name_servers {
                return Err(Problem::new(
                    axum::http::StatusCode::FORBIDDEN,
                    "servers are only named where this one is reached from its own machine alone",
                )
                .with_hint("name it on the command line that starts this server"));
            }
            spec.hide_passwords();
            (without_passwords(&spec.source).into_owned(), "postgres")
        } else {
            let path = self.path_inside(at, inside)?;
            spec.source = text_of(path.as_os_str());
            let shown = path.strip_prefix(&self.root).unwrap_or(&path);
            (shown.display().to_string(), kind_of(&path))
        };
        let source = Arc::new(Source { id: id_of(&spec.source), name, kind, spec });
        let mut list = lock(&self.list);
        match list.iter().position(|known| known.id == source.id) {
            // A new password takes the place of the old one.
            Some(at) => list[at] = source.clone(),
            None if list.len() >= MAX_SOURCES => {
                return Err(Problem::conflict(format!("{MAX_SOURCES} sources are listed already")));
            }
            None => list.push(source.clone()),
        }
        Ok(source)
    }

    /// A path, which may not lead outside of the folder that is served.
    pub fn path_inside(&self, at: &str, inside: bool) -> Result<PathBuf, Problem> {
        let path = self.root.join(&*path_of(at));
        let found = fs::canonicalize(&path).map_err(|_| {
            Problem::not_found(format!("{at}: there is no such file or folder"))
                .with_hint("paths begin in the folder that is served")
        })?;
        match !inside || found.starts_with(&self.root) {
            true => Ok(found),
            false => Err(Problem::new(
                axum::http::StatusCode::FORBIDDEN,
                "the path leads outside of the folder that is served",
            )
            .with_hint("start the server with --root FOLDER, or name the source on its command line")),
        }
    }

    /// A source opened for reading only.
    pub fn browser(&self, source: &Source) -> Result<Arc<Browser>, Problem> {
        // Rows of a file are read once: another file in its place is read again.
        let changed = || fs::metadata(&*source.spec.path()).and_then(|file| file.modified()).ok();
        let changed = if source.kind == "postgres" { None } else { changed() };
        let known = |open: &[Opened]| {
            open.iter()
                .find(|(id, at, _)| *id == source.id && *at == changed)
                .map(|(.., browser)| browser.clone())
        };
        if let Some(browser) = known(&lock(&self.open)) {
            return Ok(browser);
        }
        let browser = Arc::new(Browser::open(&source.spec.source, &source.spec.pg)?);
        let mut open = lock(&self.open);
        open.retain(|(id, ..)| *id != source.id);
        if open.len() == MAX_OPEN {
            open.remove(0);
        }
        open.push((source.id.clone(), changed, browser.clone()));
        Ok(browser)
    }

    /// A path for a new file, which lies in a folder that is there, inside the one that is served.
    pub fn new_file(&self, at: &str) -> Result<PathBuf, Problem> {
        let at = path_of(at.trim()).into_owned();
        let name = at.file_name().filter(|name| !name.to_string_lossy().starts_with('.'));
        let name = name.ok_or_else(|| Problem::request("a file needs a name").with_hint("new.csv, say"))?;
        let folder = at.parent().map(|folder| text_of(folder.as_os_str())).unwrap_or_default();
        let folder = self.path_inside(if folder.is_empty() { "." } else { &folder }, true)?;
        let path = folder.join(name);
        match path.symlink_metadata().is_ok_and(|there| there.is_symlink()) {
            true => Err(Problem::conflict("a link lies there, and none is followed")),
            false => Ok(path),
        }
    }

    /// What is known of servers.
    pub fn pg(&self) -> &PgDefaults {
        &self.pg
    }

    /// The same, with the password of a server that a user has named; nothing where nobody has.
    pub fn pg_of(&self, server: &str) -> Option<PgDefaults> {
        let server = without_passwords(server);
        let list = lock(&self.list);
        list.iter()
            .find(|known| known.kind == "postgres" && known.name == server)
            .map(|known| known.spec.pg.clone())
    }

    /// The id of the source that a run learned from; adds it where it lies in the folder that is served.
    pub fn of_run(&self, spec: &SourceSpec) -> Option<String> {
        if is_postgres(&spec.source) {
            let id = id_of(&without_passwords(&spec.source));
            return lock(&self.list).iter().any(|known| known.id == id).then_some(id);
        }
        let path = fs::canonicalize(self.root.join(&*spec.path())).ok()?;
        let id = id_of(&text_of(path.as_os_str()));
        if lock(&self.list).iter().any(|known| known.id == id) {
            return Some(id);
        }
        self.add_any(&spec.source, true).ok().map(|source| source.id.clone())
    }
}

fn id_of(source: &str) -> String {
    format!("s{:012x}", xxh3_64(source.as_bytes()) >> 16)
}

fn kind_of(path: &Path) -> &'static str {
    if path.is_dir() {
        return "folder";
    }
    let suffix = path.extension().map(|suffix| suffix.to_string_lossy().to_lowercase()).unwrap_or_default();
    match suffix.as_str() {
        "db" | "db3" | "sqlite" | "sqlite3" => "sqlite",
        _ => "file",
    }
}

/// Names in a folder that may be data.
fn candidates(root: &Path) -> Vec<String> {
    let entries = fs::read_dir(root).into_iter().flatten().flatten();
    let mut found: Vec<String> = entries
        .filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_file()))
        .filter_map(|entry| entry.file_name().into_string().ok())
        .filter(|name| !name.starts_with('.'))
        .filter(|name| {
            let suffix = name.rsplit_once('.').map(|(_, suffix)| suffix.to_lowercase()).unwrap_or_default();
            SUFFIXES.contains(&suffix.as_str())
        })
        .collect();
    found.sort();
    found.truncate(MAX_SOURCES / 2);
    found
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn served() -> (tempfile::TempDir, Sources) {
        let outside = tempfile::tempdir().unwrap();
        let root = outside.path().join("root");
        fs::create_dir_all(root.join("pictures")).unwrap();
        fs::write(root.join("shop.csv"), "a\n1\n").unwrap();
        fs::write(outside.path().join("secret.csv"), "a\n1\n").unwrap();
        let root = fs::canonicalize(&root).unwrap();
        let sources = Sources::open(&root, &[], PgDefaults::default(), true).unwrap();
        (outside, sources)
    }

    #[test]
    fn lists_what_lies_in_the_folder() {
        let (_kept, sources) = served();
        let names: Vec<String> = sources.all().iter().map(|source| source.name.clone()).collect();
        assert_eq!(names, ["shop.csv"]);
        assert_eq!(sources.add("pictures").unwrap().kind, "folder");
    }

    #[test]
    fn rejects_paths_that_lead_outside() {
        let (kept, sources) = served();
        let secret = kept.path().join("secret.csv");
        for path in ["../secret.csv", "pictures/../../secret.csv", secret.to_str().unwrap(), "/etc/passwd"] {
            assert_eq!(sources.add(path).unwrap_err().status, 403, "{path}");
        }
        for path in ["", "nowhere.csv", "shop.csv\0.png", "file:///etc/passwd", "http://169.254.169.254/"] {
            assert!(sources.add(path).is_err(), "{path}");
        }
    }

    #[cfg(unix)]
    #[test]
    fn rejects_links_that_lead_outside() {
        let (kept, sources) = served();
        let link = kept.path().join("root/link.csv");
        std::os::unix::fs::symlink(kept.path().join("secret.csv"), link).unwrap();
        assert_eq!(sources.add("link.csv").unwrap_err().status, 403);
    }

    #[test]
    fn passwords_are_not_shown() {
        let (_kept, sources) = served();
        let source = sources.add("postgres://me:geheim@127.0.0.1/shop").unwrap();
        let shown = format!("{} {} {}", source.id, source.name, source.spec.source);
        assert!(!shown.contains("geheim"), "{shown}");
        assert_eq!(source.spec.pg.known.values().next().map(String::as_str), Some("geheim"));
    }
}
