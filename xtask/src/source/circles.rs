//! Circles of imports among the files of a crate.
//!
//! A file imports another where it names it by a path that begins with `crate`, `super` or `self`, or by a `use` of one
//! of its modules. What a module takes from the modules inside it does not count: they are a part of it. A name that a
//! module re-exports counts as that module's own. Code of tests is left out.
//!
//! A circle means that none of its files can be read, moved or tested without the others. Those that stay are listed in
//! ARCHITECTURE.md, each with its reason.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::Path,
};

use super::{
    lex::{tokens, without_tests},
    rust_files,
};
use crate::{Result, at};

const PAGE: &str = "ARCHITECTURE.md";
const HEADING: &str = "### Import circles";

/// A module as its path in its crate; the root is empty.
type Module = Vec<String>;
/// What each module imports.
type Imports = BTreeMap<Module, BTreeSet<Module>>;

/// Circles that the page does not list, and listed ones that are gone.
pub fn check(root: &Path) -> Result<Vec<String>> {
    let page = root.join(PAGE);
    let listed = listed(&fs::read_to_string(&page).map_err(at(&page))?);
    let mut found = BTreeSet::new();
    for (name, src) in crates(root)? {
        let files = rust_files(&src)?;
        let mut sources = BTreeMap::new();
        for file in files {
            let text = fs::read_to_string(&file).map_err(at(&file))?;
            sources.insert(module(file.strip_prefix(&src).unwrap_or(&file)), text);
        }
        found.extend(circles(&imports(&sources)).into_iter().map(|circle| (name.clone(), circle)));
    }
    let shown = |(name, circle): &(String, Vec<String>)| format!("`{name}`: `{}`", circle.join("`, `"));
    let new = found.difference(&listed).map(|circle| format!("circle of imports: {}", shown(circle)));
    let gone = listed.difference(&found).map(|circle| format!("{PAGE} lists no circle: {}", shown(circle)));
    Ok(new.chain(gone).collect())
}

/// Names and source folders of all crates.
fn crates(root: &Path) -> Result<Vec<(String, std::path::PathBuf)>> {
    let dir = root.join("crates");
    let mut found = vec![("xtask".to_owned(), root.join("xtask/src"))];
    for entry in fs::read_dir(&dir).map_err(at(&dir))? {
        let entry = entry.map_err(at(&dir))?;
        found.push((entry.file_name().to_string_lossy().into_owned(), entry.path().join("src")));
    }
    Ok(found)
}

/// Circles of the page: lines "- `crate`: `module`, `module`. Reason." below their heading.
fn listed(page: &str) -> BTreeSet<(String, Vec<String>)> {
    // An entry may go on in indented lines.
    let section = page.split(HEADING).nth(1).unwrap_or_default().replace("\n  ", " ");
    let lines = section.lines().skip(1).take_while(|line| !line.starts_with('#'));
    let names = lines.filter_map(|line| {
        let (name, rest) = line.strip_prefix("- `")?.split_once("`: ")?;
        let (circle, _) = rest.split_once("`.")?;
        let modules = circle.split('`').filter(|part| !part.is_empty() && *part != ", ");
        let mut modules: Vec<String> = modules.map(str::to_owned).collect();
        modules.sort();
        Some((name.to_owned(), modules))
    });
    names.collect()
}

/// The module that a file is, by its path below `src`.
fn module(file: &Path) -> Module {
    let path = file.with_extension("");
    let mut parts: Module = path.iter().map(|part| part.to_string_lossy().into_owned()).collect();
    if parts.last().is_some_and(|last| ["mod", "lib", "main"].contains(&last.as_str())) {
        parts.pop();
    }
    parts
}

fn imports(sources: &BTreeMap<Module, String>) -> Imports {
    let mut imports = Imports::new();
    for (module, text) in sources {
        let tokens = tokens(text);
        let is_inside = |target: &Module| target.starts_with(module);
        let targets = paths(&without_tests(&tokens)).into_iter();
        let targets = targets.filter_map(|path| target(module, &path, sources));
        imports.insert(module.clone(), targets.filter(|target| !is_inside(target)).collect());
    }
    imports
}

/// All paths of `use` declarations, and those elsewhere that begin with `crate`, `super` or `self`.
fn paths<'a>(tokens: &[&'a str]) -> Vec<Vec<&'a str>> {
    let (mut found, mut at) = (Vec::new(), 0);
    while at < tokens.len() {
        let begins = ["crate", "super", "self"].contains(&tokens[at]) && tokens.get(at + 1) == Some(&"::");
        // `$crate::…` of a macro, `pub(in crate::…)`.
        let is_other = at > 0 && ["$", "::", "in"].contains(&tokens[at - 1]);
        if tokens[at] == "use" {
            at = tree(tokens, at + 1, &[], &mut found);
        } else if begins && !is_other {
            let end = tokens[at..].chunks(2).take_while(|pair| pair.get(1) == Some(&"::")).count();
            let parts = tokens[at..].iter().step_by(2).take(end + 1);
            found.push(parts.copied().collect());
            at += 2 * end;
        }
        at += 1;
    }
    found
}

/// Reads a tree of a `use` declaration from `at` on; says where it ends.
fn tree<'a>(tokens: &[&'a str], mut at: usize, before: &[&'a str], found: &mut Vec<Vec<&'a str>>) -> usize {
    let mut path = before.to_vec();
    while at < tokens.len() {
        match tokens[at] {
            "::" => {}
            "{" => {
                while !["}", ";"].contains(tokens.get(at).unwrap_or(&";")) {
                    at = tree(tokens, at + 1, &path, found);
                }
                // Past the closing brace: the branch that it ends has nothing more.
                return at + 1;
            }
            "," | "}" | ";" => break,
            "as" => at += 1,
            part => path.push(part),
        }
        at += 1;
    }
    if path.len() > before.len() {
        found.push(path);
    }
    at
}

/// The module of this crate that a path of `module` leads to, if it leads to one.
fn target(module: &Module, path: &[&str], sources: &BTreeMap<Module, String>) -> Option<Module> {
    let mut path = path.iter();
    let mut place = module.clone();
    match *path.next()? {
        "crate" => place.clear(),
        "self" => {}
        "super" => drop(place.pop()),
        first => {
            place.push(first.to_owned());
            sources.contains_key(&place).then_some(())?;
        }
    }
    for &part in path {
        if part == "super" {
            place.pop();
            continue;
        }
        place.push(part.to_owned());
        if !sources.contains_key(&place) {
            place.pop();
            break;
        }
    }
    Some(place)
}

/// Sets of modules of which each imports the others, directly or not.
fn circles(imports: &Imports) -> Vec<Vec<String>> {
    let reach: BTreeMap<&Module, BTreeSet<&Module>> =
        imports.keys().map(|module| (module, reached(module, imports))).collect();
    let mut found = BTreeSet::new();
    for (module, there) in &reach {
        let mut circle: Vec<String> =
            there.iter().filter(|other| reach[**other].contains(*module)).map(|m| m.join("::")).collect();
        circle.sort();
        if circle.len() > 1 {
            found.insert(circle);
        }
    }
    found.into_iter().collect()
}

/// All modules that one imports, directly or not.
fn reached<'a>(module: &Module, imports: &'a Imports) -> BTreeSet<&'a Module> {
    let mut found = BTreeSet::new();
    let mut left: Vec<&Module> = imports.get(module).into_iter().flatten().collect();
    while let Some(next) = left.pop() {
        if let Some((next, targets)) = imports.get_key_value(next)
            && found.insert(next)
        {
            left.extend(targets);
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(files: &[(&str, &str)]) -> Vec<Vec<String>> {
        let sources = files.iter().map(|(file, text)| (module(Path::new(file)), (*text).to_owned()));
        circles(&imports(&sources.collect()))
    }

    #[test]
    fn circles_are_found_by_use_and_by_path() {
        let files = [
            ("lib.rs", "pub use a::A;"),
            ("a.rs", "use crate::{b::{self, B as C}, d::D};"),
            ("b/mod.rs", "fn f() { super::c::g() }"),
            ("c.rs", "use super::a::A;"),
            ("d.rs", "use std::fmt;"),
        ];
        assert_eq!(found(&files), [["a", "b", "c"]]);
    }

    #[test]
    fn modules_inside_tests_and_the_root_make_none() {
        let files = [
            ("lib.rs", "use a::A;"),
            ("a.rs", "mod b; use b::B; #[cfg(test)] mod tests { use crate::c::C; }"),
            ("a/b.rs", "use super::A;"),
            ("c.rs", "use crate::{a::A, Error};"),
        ];
        assert!(found(&files).is_empty());
    }

    #[test]
    fn nested_trees_are_read() {
        let text = "use super::{a::{b, c::*}, d as e}; use f; pub(in crate::g) fn h() { crate::i::j::k() }";
        let found: Vec<String> = paths(&tokens(text)).iter().map(|path| path.join("::")).collect();
        assert_eq!(found, ["super::a::b", "super::a::c::*", "super::d", "f", "crate::i::j::k"]);
    }

    #[test]
    fn the_page_is_read() {
        let page = "### Import circles\n\nOf these:\n\n- `x`: `a`,\n  `b::c`. Both are `d`.\n\n## Else\n- `y`: `e`, `f`. No.";
        assert_eq!(
            listed(page).into_iter().collect::<Vec<_>>(),
            [("x".to_owned(), vec!["a".to_owned(), "b::c".to_owned()])]
        );
    }
}
