//! The front page and the guide are run: every command in them works as it stands there, in the order in which it
//! stands, and every file that is linked or named exists.

use std::{
    collections::BTreeSet,
    env, fs,
    path::{Path, PathBuf},
};

use rusqlite::Connection;

use crate::helpers::Place;

/// Pages with commands, in English and in Russian, in the order in which a newcomer reads them.
const PAGES: [(&str, &str); 2] = [("README.md", "README.ru.md"), ("GUIDE.md", "GUIDE.ru.md")];
/// Pages whose links are followed.
const LINKED: [&str; 6] =
    ["README.md", "README.ru.md", "GUIDE.md", "GUIDE.ru.md", "ARCHITECTURE.md", "CONTRIBUTING.md"];
/// Lines of the front page, at most.
const MAX_LINES: usize = 150;

#[test]
fn both_languages_have_the_same_commands() {
    for (english, russian) in PAGES {
        for language in ["sh", "text"] {
            assert_eq!(blocks(english, language), blocks(russian, language), "{russian}");
        }
    }
}

#[test]
fn the_front_page_is_short() {
    for page in ["README.md", "README.ru.md"] {
        let lines = text(page).lines().count();
        assert!(lines <= MAX_LINES, "{page} has {lines} lines");
    }
}

/// What the front page shows of the library is a part of a program that is compiled.
#[test]
fn the_library_of_the_front_page_is_an_example() {
    let example = fs::read_to_string(root().join("crates/mintage/examples/rows.rs")).unwrap();
    for page in ["README.md", "README.ru.md"] {
        let shown = blocks(page, "rust");
        let mut lines = example.lines().map(str::trim);
        for line in shown.iter().flatten() {
            assert!(lines.any(|own| own == line.trim()), "{page}: `{line}` is not in rows.rs, in that order");
        }
    }
}

#[test]
fn the_front_page_has_the_matrix_of_models() {
    let printed = Place::new().ok("models");
    let lines = printed.text().lines().take_while(|line| !line.is_empty());
    let matrix: Vec<String> = lines.map(|line| line.trim_end().to_owned()).collect();
    assert!(matrix.len() > 6, "{matrix:?}");
    assert!(blocks("README.md", "text").contains(&matrix), "{matrix:?}");
}

#[test]
fn every_command_works() {
    let place = Place::new();
    let mut path = PathBuf::from(env!("CARGO_BIN_EXE_mintage")).parent().unwrap().as_os_str().to_owned();
    path.push(":");
    path.push(env::var_os("PATH").unwrap_or_default());
    for (page, _) in PAGES {
        for line in commands(page).iter().filter_map(|line| quick(line)) {
            let mut shell = place.program("sh");
            shell.args(["-c", &line]).env("PATH", &path).env_remove("MINTAGE_RUNS");
            let done = shell.output().unwrap();
            assert!(done.status.success(), "{page}: {line}\n{}", String::from_utf8_lossy(&done.stderr));
        }
    }
    what_they_promise(&place);
}

/// The command with a budget of seconds; nothing where it builds instead of using what is built.
fn quick(line: &str) -> Option<String> {
    if line.starts_with("cargo test ") || line.starts_with("cargo install ") {
        return None;
    }
    let line = line.replace("cargo run -- demo", "mintage demo --time 8s");
    let line = line.replace("--time 2m", "--time 4s").replace("--time 1m", "--time 1s");
    assert!(line.starts_with("mintage "), "{line}");
    Some(line)
}

/// What the text around the commands says of their results.
fn what_they_promise(place: &Place) {
    let made = [
        "mintage-demo/real-above-new.png",
        "mintage-demo/rows.csv",
        "mintage-demo/coats.png",
        "mintage-demo/music.wav",
        "mintage-demo/three.wav",
        "mintage-demo/video.gif",
        "mintage-demo/products.png",
        "mintage-demo/recipe.toml",
        "mintage-demo/new/metadata.csv",
        "mintage-demo/pairs.png",
        "mintage-demo/model/report.html",
        "mintage-demo/scores.csv",
        "mintage-demo/side-by-side.png",
        "mintage-demo/table.tex",
        "mintage-demo/sweep.html",
        "mintage-demo/sweep.csv",
        "mintage-demo/sweep.svg",
        "runs/sweep-demo/vae-tiny-2/report.html",
        "mintage-demo/gan-model/model.safetensors",
        "runs/gan-products/samples",
        "runs/gan-products/report.html",
        "mintage-demo/new-tune.wav",
        "mintage-demo/tune.wav",
        "mintage-demo/tune.mid",
        "runs/texts/report.html",
        "runs/tunes/report.html",
        "mintage-demo/shop-model/database.json",
        "runs/shop/scores.json",
    ];
    for name in made {
        assert!(place.path(name).exists(), "{name}");
    }
    let top: BTreeSet<_> = fs::read_dir(place.root()).unwrap().map(|e| e.unwrap().file_name()).collect();
    assert_eq!(top, BTreeSet::from(["mintage-demo".into(), "runs".into()]));
    assert_eq!(place.text("mintage-demo/scores.csv").lines().count(), 101);
    let database = Connection::open(place.path("mintage-demo/demo.db")).unwrap();
    let count = |sql: &str| database.query_row(sql, [], |row| row.get::<_, u32>(0)).unwrap();
    assert_eq!(count("SELECT count(*) FROM products WHERE mintage IS NULL"), 2000);
    // The demo makes about forty of all categories, four of them coats; the guide adds twenty coats.
    assert_eq!(count("SELECT count(*) FROM products WHERE mintage IS NOT NULL"), 60);
    assert_eq!(count("SELECT count(*) FROM products WHERE mintage IS NOT NULL AND category = 'coat'"), 24);
    // Ten by the demo, in two languages; the guide adds twenty.
    assert_eq!(count("SELECT count(*) FROM texts WHERE mintage IS NOT NULL AND language = 'русский'"), 25);
    assert_eq!(count("SELECT count(*) FROM tunes WHERE mintage IS NOT NULL"), 5);
    for shop in ["shop-new.db", "new-shop.db", "larger-shop.db"] {
        let database = Connection::open(place.path(&format!("mintage-demo/{shop}"))).unwrap();
        let count = |sql: &str| database.query_row(sql, [], |row| row.get::<_, u32>(0)).unwrap();
        assert_eq!(count("SELECT count(*) FROM pragma_foreign_key_check"), 0, "{shop}");
        // The guide asks for twice as many as the demo's database has.
        let (all, wanted) =
            (count("SELECT count(*) FROM customers"), if shop == "larger-shop.db" { 2 } else { 1 });
        assert!(all > 300 * wanted && all <= 600 * wanted, "{shop}: {all} customers");
    }
}

#[test]
fn what_the_tree_of_files_names_exists() {
    let named = named_in_tree("ARCHITECTURE.md");
    assert!(named.len() > 30, "{named:?}");
    let missing: Vec<&PathBuf> = named.iter().filter(|path| !root().join(path).exists()).collect();
    assert!(missing.is_empty(), "ARCHITECTURE.md names {missing:?}");
}

#[test]
fn what_is_linked_exists() {
    for page in LINKED {
        let text = text(page);
        let links = text.split("](").skip(1).filter_map(|rest| rest.split(')').next());
        for link in links.filter(|link| !link.contains("://")) {
            let (file, anchor) = link.split_once('#').unwrap_or((link, ""));
            let file = if file.is_empty() { page } else { file };
            assert!(root().join(file).exists(), "{page} links {link}");
            assert!(anchor.is_empty() || anchors(file).contains(anchor), "{page} links {link}");
        }
    }
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn text(page: &str) -> String {
    fs::read_to_string(root().join(page)).unwrap_or_else(|e| panic!("{page}: {e}"))
}

/// What the headings of a page are linked by: small letters, and hyphens for spaces.
fn anchors(page: &str) -> BTreeSet<String> {
    let anchor = |heading: &str| -> String {
        let heading = heading.trim_start_matches('#').trim().to_lowercase();
        let kept = heading.chars().filter(|c| c.is_alphanumeric() || " -_".contains(*c));
        kept.map(|c| if c == ' ' { '-' } else { c }).collect()
    };
    text(page).lines().filter(|line| line.starts_with('#')).map(anchor).collect()
}

/// The blocks of the language, or those without one, as lines.
fn blocks(page: &str, language: &str) -> Vec<Vec<String>> {
    let text = text(page);
    // Between the fences lie text and blocks by turns.
    let blocks = text.split("\n```").skip(1).step_by(2);
    let wanted = blocks.filter_map(|block| block.split_once('\n')).filter(|(name, _)| *name == language);
    wanted.map(|(_, lines)| lines.lines().map(str::to_owned).collect()).collect()
}

/// The lines of all blocks of commands.
fn commands(page: &str) -> Vec<String> {
    let lines: Vec<String> =
        blocks(page, "sh").concat().into_iter().filter(|line| !line.is_empty()).collect();
    assert!(lines.len() > 10, "{lines:?}");
    lines
}

/// Files and folders of the tree, by the indentation of their lines. At least two spaces end a name.
fn named_in_tree(page: &str) -> Vec<PathBuf> {
    let mut above: Vec<(usize, PathBuf)> = Vec::new();
    let mut named = Vec::new();
    for line in blocks(page, "").concat().iter().filter(|line| !line.trim().is_empty()) {
        let depth = line.len() - line.trim_start().len();
        above.retain(|(of, _)| *of < depth);
        let dir = above.last().map(|(_, dir)| dir.clone()).unwrap_or_default();
        let parts: Vec<&str> = line.trim().split("  ").filter(|part| !part.is_empty()).collect();
        // The last part says what it is, where there is more than one.
        let names = &parts[..parts.len().max(2) - 1];
        named.extend(names.iter().map(|name| dir.join(name)));
        above.push((depth, dir.join(names[0])));
    }
    named
}
