//! What the folders that files lie in say of them. Folders `train` and `test`, as data sets often have them, divide the
//! data: what lies in `test` is held out. Below them, or at the top, folders are labels; a folder that holds all the
//! others says nothing. A few files beside folders that hold nearly all are left out, and named.

use std::{
    collections::BTreeSet,
    ffi::{OsStr, OsString},
    ops::Range,
    path::{Path, PathBuf},
};

use super::listing::some_of;

/// Names of folders with what is learned from, of those that are held out, and of other parts of a data set.
const TRAIN: [&str; 2] = ["train", "training"];
const HELD_OUT: [&str; 4] = ["test", "testing", "holdout", "held-out"];
const VALID: [&str; 5] = ["valid", "val", "validation", "dev", "eval"];
/// Of so many files one may lie beside the folders.
const FILES_PER_STRAY: usize = 10;

/// Files with what their folders say.
#[derive(Debug, Default)]
pub(crate) struct Division {
    pub files: Vec<PathBuf>,
    /// The label of every file, empty for one that is held out without any; nothing where there are none.
    pub labels: Option<Vec<String>>,
    /// The files that are held out, which lie side by side.
    pub held: Option<Range<usize>>,
    pub notes: Vec<String>,
}

impl Division {
    /// Whether several labels tell files apart.
    pub fn has_classes(&self) -> bool {
        let mut labels = self.labels.iter().flatten().filter(|label| !label.is_empty());
        let first = labels.next();
        labels.any(|label| Some(label) != first)
    }
}

/// Divides sorted files by their folders; `labelled` says whether folders may be labels.
pub(crate) fn divide(files: Vec<PathBuf>, labelled: bool) -> Division {
    let depth = common_depth(&files);
    let parts = Parts::of(&files, depth);
    let held = |file: &PathBuf| parts.is_held(file);
    let mut division = Division { files, ..Division::default() };
    if parts.by_train {
        division.leave_out_beside(|file| parts.folder(file).is_none());
    }
    if labelled {
        let label = |file: &PathBuf| {
            folder_at(file, parts.label_depth(file)).map(|folder| folder.to_string_lossy().into_owned())
        };
        let lies_beside = |file: &PathBuf| !held(file) && label(file).is_none();
        let names: BTreeSet<String> =
            division.files.iter().filter(|file| !held(file)).filter_map(label).collect();
        if names.len() > 1 {
            division.leave_out_beside(lies_beside);
        }
        if !names.is_empty() && !division.files.iter().any(lies_beside) {
            let known = |name: String| if names.contains(&name) { name } else { String::new() };
            let labels = division.files.iter().map(|file| label(file).map_or_else(String::new, known));
            division.labels = Some(labels.collect());
        }
    }
    division.hold_out_of(&parts);
    division
}

impl Division {
    /// Leaves out the files that lie beside folders, where they are few.
    fn leave_out_beside(&mut self, lies_beside: impl Fn(&PathBuf) -> bool) {
        let stray: Vec<&PathBuf> = self.files.iter().filter(|file| lies_beside(file)).collect();
        if stray.is_empty() || !are_few(stray.len(), self.files.len()) {
            return;
        }
        let what = match stray.len() {
            1 => "1 file beside the folders is".to_owned(),
            n => format!("{n} files beside the folders are"),
        };
        self.notes.push(format!("{what} left out: {}", some_of(&stray)));
        self.files.retain(|file| !lies_beside(file));
    }

    /// Holds out what lies in a folder for it.
    pub fn hold_out(&mut self) {
        let parts = Parts::of(&self.files, common_depth(&self.files));
        self.hold_out_of(&parts);
    }

    /// Leaves the files for which `kept` says so.
    pub fn select(&mut self, kept: &[bool]) {
        let before = |bound: usize| kept[..bound].iter().filter(|kept| **kept).count();
        self.held =
            self.held.take().map(|held| before(held.start)..before(held.end)).filter(|held| !held.is_empty());
        let mut keeps = kept.iter();
        self.files.retain(|_| keeps.next() == Some(&true));
        if let Some(labels) = &mut self.labels {
            let mut keeps = kept.iter();
            labels.retain(|_| keeps.next() == Some(&true));
        }
    }

    /// "24 files in test are held out", or nothing.
    pub fn held_note(&self) -> Option<String> {
        let held = self.held.clone()?;
        let folders: BTreeSet<String> = self.files[held.clone()]
            .iter()
            .flat_map(|file| file.ancestors().skip(1))
            .filter(|folder| folder.file_name().is_some_and(|name| part_named(name) == Some(Part::HeldOut)))
            .map(|folder| format!("{}/", folder.display()))
            .collect();
        let folders: Vec<String> = folders.into_iter().collect();
        let verb = if held.len() == 1 { "is" } else { "are" };
        Some(format!("{} in {} {verb} held out for scores", held.len(), folders.join(" and ")))
    }

    fn hold_out_of(&mut self, parts: &Parts) {
        let held: Vec<usize> = (0..self.files.len()).filter(|&i| parts.is_held(&self.files[i])).collect();
        let (Some(&first), Some(&last)) = (held.first(), held.last()) else { return };
        if held.len() == self.files.len() {
            return;
        }
        if last - first + 1 == held.len() {
            self.held = Some(first..last + 1);
            return;
        }
        // Of several such folders some others may lie between.
        let mut order: Vec<usize> = (0..self.files.len()).collect();
        order.sort_by_key(|&i| held.binary_search(&i).is_ok());
        self.files = order.iter().map(|&i| std::mem::take(&mut self.files[i])).collect();
        if let Some(labels) = &mut self.labels {
            *labels = order.iter().map(|&i| std::mem::take(&mut labels[i])).collect();
        }
        self.held = Some(self.files.len() - held.len()..self.files.len());
    }
}

fn are_few(beside: usize, all: usize) -> bool {
    beside * FILES_PER_STRAY <= all || beside == 1 && all > 4
}

/// How many folders lie above all the files, but for a few.
fn common_depth(files: &[PathBuf]) -> usize {
    let mut depth = 0;
    loop {
        let tops: BTreeSet<&OsStr> = files.iter().filter_map(|file| folder_at(file, depth)).collect();
        let beside = files.iter().filter(|file| folder_at(file, depth).is_none()).count();
        let deeper = files.iter().any(|file| folder_at(file, depth + 1).is_some());
        let only = tops.len() == 1 && !tops.iter().any(|top| part_named(top).is_some());
        if !only || !deeper || beside > 0 && !are_few(beside, files.len()) {
            return depth;
        }
        depth += 1;
    }
}

/// The parts of a data set.
struct Parts {
    depth: usize,
    /// Names of the folders that are held out, as they are written.
    held: BTreeSet<OsString>,
    /// Whether what is learned from has a folder, too.
    by_train: bool,
}

#[derive(Clone, Copy, PartialEq)]
enum Part {
    Train,
    Valid,
    HeldOut,
}

fn part_named(folder: &OsStr) -> Option<Part> {
    let name = folder.to_string_lossy().to_lowercase().replace('_', "-");
    let is = |names: &[&str]| names.contains(&name.as_str());
    match () {
        () if is(&TRAIN) => Some(Part::Train),
        () if is(&VALID) => Some(Part::Valid),
        () if is(&HELD_OUT) => Some(Part::HeldOut),
        () => None,
    }
}

impl Parts {
    fn of(files: &[PathBuf], depth: usize) -> Self {
        let tops: BTreeSet<&OsStr> = files.iter().filter_map(|file| folder_at(file, depth)).collect();
        let has = |part: Part| tops.iter().any(|top| part_named(top) == Some(part));
        let by_train = has(Part::Train) && (has(Part::HeldOut) || has(Part::Valid));
        let is_held = |top: &&OsStr| part_named(top) == Some(Part::HeldOut);
        let held: BTreeSet<&OsStr> = tops.iter().copied().filter(is_held).collect();
        let others: BTreeSet<&OsStr> = tops.difference(&held).copied().collect();
        // Without a folder `train` the classes, or the files themselves, lie beside `test`.
        let has_same_classes = || {
            let of_held =
                files.iter().filter(|file| folder_at(file, depth).is_some_and(|top| held.contains(top)));
            let mut classes = of_held.map(|file| folder_at(file, depth + 1)).peekable();
            others.len() > 1
                && classes.peek().is_some()
                && classes.all(|c| c.is_some_and(|c| others.contains(c)))
        };
        let lies_beside = || {
            let beside = files.iter().filter(|file| folder_at(file, depth).is_none()).count();
            others.is_empty() && beside * 2 >= files.len()
        };
        let divided = by_train || !held.is_empty() && (has_same_classes() || lies_beside());
        let held = if divided { held.into_iter().map(OsStr::to_owned).collect() } else { BTreeSet::new() };
        Self { depth, held, by_train }
    }

    fn folder<'a>(&self, file: &'a Path) -> Option<&'a OsStr> {
        folder_at(file, self.depth)
    }

    fn is_held(&self, file: &Path) -> bool {
        self.folder(file).is_some_and(|folder| self.held.contains(folder))
    }

    /// How many folders stand before the one that is a file's label.
    fn label_depth(&self, file: &Path) -> usize {
        self.depth + usize::from(self.by_train || self.is_held(file))
    }
}

/// The folder that a file lies in, below so many others.
fn folder_at(file: &Path, depth: usize) -> Option<&OsStr> {
    let mut parts = file.components().skip(depth);
    let folder = parts.next()?.as_os_str();
    parts.next().map(|_| folder)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn divided(names: &[&str]) -> (Division, Vec<String>) {
        let mut files: Vec<PathBuf> = names.iter().map(PathBuf::from).collect();
        files.sort();
        let division = divide(files, true);
        let labels = division.labels.clone().unwrap_or_default();
        (division, labels)
    }

    #[test]
    fn folders_are_labels_and_a_few_files_beside_are_left_out() {
        let many: Vec<String> = (0..20).map(|i| format!("{}/{i:02}.png", ["cat", "dog"][i % 2])).collect();
        let mut names: Vec<&str> = many.iter().map(String::as_str).collect();
        names.extend(["cover.png"]);
        let (division, labels) = divided(&names);
        assert_eq!((division.files.len(), labels[0].as_str(), labels[19].as_str()), (20, "cat", "dog"));
        assert_eq!(division.notes, ["1 file beside the folders is left out: cover.png"]);
        names.extend(["a.png", "b.png", "c.png", "d.png"]);
        let (division, labels) = divided(&names);
        assert_eq!((division.files.len(), labels.len()), (25, 0));
        // One folder above all says nothing.
        assert_eq!(divided(&["x/a/1.png", "x/b/2.png"]).1, ["a", "b"]);
        assert!(!divided(&["x/1.png", "x/2.png"]).0.has_classes());
    }

    #[test]
    fn test_is_held_out_however_it_is_written() {
        let held = |names: &[&str]| divided(names).0.held;
        assert_eq!(held(&["test/1.png", "train/1.png", "train/2.png"]), Some(0..1));
        assert_eq!(held(&["Test/1.png", "Train/1.png", "Train/2.png"]), Some(0..1));
        assert_eq!(held(&["data/testing/1.png", "data/training/1.png"]), Some(0..1));
        assert_eq!(held(&["test/1.png", "train/1.png", "unlabelled/2.png"]), Some(0..1));
        assert_eq!(held(&["holdout/1.png", "test/1.png", "train/1.png"]), Some(0..2));
        assert_eq!(held(&["Holdout/1.png", "Train/1.png", "test/1.png"]), Some(1..3));
        assert_eq!(held(&["1.png", "2.png", "test/3.png"]), Some(2..3));
        assert_eq!(held(&["test/1.png", "test/2.png"]), None);
        // A class of this name, beside others.
        assert_eq!(held(&["exam/1.png", "test/1.png", "quiz/1.png"]), None);
    }

    #[test]
    fn labels_lie_below_the_parts() {
        let (division, labels) = divided(&["test/a/1", "test/b/1", "train/a/2", "train/b/2"]);
        assert_eq!(
            (division.held, labels),
            (Some(0..2), vec!["a".into(), "b".into(), "a".into(), "b".into()])
        );
        let (division, labels) = divided(&["a/1", "a/2", "b/1", "test/a/3", "test/b/3"]);
        assert_eq!((division.held, labels.join(" ")), (Some(3..5), "a a b a b".to_owned()));
        // What is held out may have no labels.
        let (division, labels) = divided(&["test/1", "test/2", "train/a/2", "train/b/2"]);
        assert_eq!((division.held, labels.join(" ")), (Some(0..2), "  a b".to_owned()));
    }
}
