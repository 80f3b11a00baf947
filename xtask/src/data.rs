//! `cargo xtask data`: brings the public data sets of the quality runs into one folder.
//!
//! Nothing is downloaded: the archives are taken from a folder that holds them, Fashion-MNIST from where
//! Debian's package `dataset-fashion-mnist` puts it.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use crate::{Result, at, root};

#[derive(clap::Args)]
pub struct Args {
    /// Folder with images/mnist, images/cifar10.tar.xz and images/emoji64-rgb-idx4-ubyte.gz
    from: PathBuf,
    /// Folder with the four IDX files of Fashion-MNIST
    #[arg(long, default_value = "/usr/share/datasets/fashion-mnist")]
    fashion: PathBuf,
    /// Folder to fill
    #[arg(long, default_value = "data")]
    to: PathBuf,
}

pub fn run(args: &Args) -> Result<()> {
    let to = &root().join(&args.to).join("images");
    fs::create_dir_all(to).map_err(at(to))?;
    let from = args.from.join("images");
    copy_folder(&from.join("mnist"), &to.join("mnist"))?;
    copy_folder(&args.fashion, &to.join("fashion-mnist"))?;
    let emoji = "emoji64-rgb-idx4-ubyte.gz";
    copy(&from.join(emoji), &to.join(emoji))?;
    tables(&args.from.join("tables"), &root().join(&args.to).join("tables"))?;
    let cifar = to.join("cifar10");
    if cifar.is_dir() {
        println!("{}: there already", cifar.display());
        return Ok(());
    }
    // Unpacked beside its place, so that an interrupted run leaves no half of it behind.
    let half = to.join("cifar10.tmp");
    fs::create_dir_all(&half).map_err(at(&half))?;
    let archive = from.join("cifar10.tar.xz");
    println!("{}: unpacking", archive.display());
    crate::run(Command::new("tar").arg("xJf").arg(absolute(&archive)?).arg("-C").arg(&half))?;
    fs::rename(&half, &cifar).map_err(at(&cifar))
}

/// Adult as CSV with a line of names; the test rows' labels lose their point.
fn tables(from: &Path, to: &Path) -> Result<()> {
    const NAMES: &str = "age,workclass,fnlwgt,education,education-num,marital-status,occupation,relationship,race,sex,\
                         capital-gain,capital-loss,hours-per-week,native-country,income\n";
    fs::create_dir_all(to).map_err(at(to))?;
    for (archive, name) in [("adult.data.xz", "adult-train.csv"), ("adult.test.xz", "adult-test.csv")] {
        let output = Command::new("xz").arg("-dc").arg(from.join(archive)).output().map_err(at(from))?;
        let rows = String::from_utf8_lossy(&output.stdout).into_owned();
        let rows = rows.lines().filter(|line| line.contains(", "));
        let line = |line: &str| line.trim_end_matches('.').replace(", ", ",") + "\n";
        let text: String = std::iter::once(NAMES.to_owned()).chain(rows.map(line)).collect();
        let path = to.join(name);
        fs::write(&path, text).map_err(at(&path))?;
    }
    Ok(())
}

fn absolute(path: &Path) -> Result<PathBuf> {
    path.canonicalize().map_err(at(path))
}

fn copy_folder(from: &Path, to: &Path) -> Result<()> {
    fs::create_dir_all(to).map_err(at(to))?;
    for entry in fs::read_dir(from).map_err(at(from))? {
        let entry = entry.map_err(at(from))?;
        copy(&entry.path(), &to.join(entry.file_name()))?;
    }
    Ok(())
}

fn copy(from: &Path, to: &Path) -> Result<()> {
    if to.exists() {
        println!("{}: there already", to.display());
        return Ok(());
    }
    println!("{} → {}", from.display(), to.display());
    fs::copy(from, to).map(|_| ()).map_err(at(from))
}
