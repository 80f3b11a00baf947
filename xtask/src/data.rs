//! `cargo xtask data`: brings the public data sets of the quality runs into one folder.
//!
//! Images, tables, databases, music, text, sounds and clips. Nothing is downloaded: the archives are taken from a folder that holds them,
//! Fashion-MNIST and Russian speech from where Debian's packages `dataset-fashion-mnist` and `festvox-ru` put them.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use crate::{Result, at, root};

#[derive(clap::Args)]
pub struct Args {
    /// Folder with images/mnist, images/cifar10.tar.xz, images/emoji64-rgb-idx4-ubyte.gz, tables, db, music, text, audio and video
    from: PathBuf,
    /// Folder with the four IDX files of Fashion-MNIST
    #[arg(long, default_value = "/usr/share/datasets/fashion-mnist")]
    fashion: PathBuf,
    /// Folder of the recordings of the Debian package festvox-ru; without it the cases of Russian speech cannot run
    #[arg(long, default_value = "/usr/share/festival/voices/russian/msu_ru_nsh_clunits/wav")]
    festvox: PathBuf,
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
    databases(&args.from.join("db"), &root().join(&args.to).join("db"))?;
    text(&args.from.join("text"), &root().join(&args.to).join("text"))?;
    music(&args.from.join("music"), &root().join(&args.to).join("music"))?;
    audio(&args.from.join("audio"), &args.festvox, &root().join(&args.to).join("audio"))?;
    video(&args.from, &root().join(&args.to).join("video"))?;
    let cifar = to.join("cifar10");
    if cifar.is_dir() {
        println!("{}: there already", cifar.display());
        return Ok(());
    }
    unpack(&from.join("cifar10.tar.xz"), &cifar, 0)
}

/// Unpacks an archive into a folder, without the first `strip` folders of its names.
fn unpack(archive: &Path, to: &Path, strip: usize) -> Result<()> {
    // Unpacked beside its place, so that an interrupted run leaves no half of it behind.
    let half = to.with_extension("tmp");
    fs::create_dir_all(&half).map_err(at(&half))?;
    println!("{}: unpacking", archive.display());
    let mut tar = Command::new("tar");
    tar.arg("xJf").arg(absolute(archive)?).arg(format!("--strip-components={strip}")).arg("-C").arg(&half);
    crate::run(&mut tar)?;
    fs::rename(&half, to).map_err(at(to))
}

/// Adult as CSV with a line of names, where the test rows' labels lose their point; Default and Shoppers in two parts.
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
    for name in ["default", "shoppers"] {
        split(&from.join(format!("{name}.csv.gz")), to, name)?;
    }
    Ok(())
}

/// One row in so many of a table without an official split is for tests, as in the benchmarks of TabSyn and TabDiff.
const TEST_EVERY: u32 = 10;

/// A table in two parts, each with the line of names.
fn split(archive: &Path, to: &Path, name: &str) -> Result<()> {
    let output = Command::new("gzip").arg("-dc").arg(archive).output().map_err(at(archive))?;
    if !output.status.success() {
        return Err(format!("{}: gzip fails", archive.display()));
    }
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    for (part, wanted) in [("train", false), ("test", true)] {
        let mut lines = text.lines();
        let names = lines.next().unwrap_or_default();
        // In no step with an order that the rows have.
        let is_test = |row: u32| (row.wrapping_mul(0x9e37_79b9) >> 16).is_multiple_of(TEST_EVERY);
        let rows = (0..).zip(lines).filter(|&(row, _)| is_test(row) == wanted).map(|(_, line)| line);
        let text: String = std::iter::once(names).chain(rows).flat_map(|line| [line, "\n"]).collect();
        let path = to.join(format!("{name}-{part}.csv"));
        fs::write(&path, text).map_err(at(&path))?;
    }
    Ok(())
}

/// Databases as they are, or unpacked.
fn databases(from: &Path, to: &Path) -> Result<()> {
    fs::create_dir_all(to).map_err(at(to))?;
    for name in ["chinook.sqlite", "sakila.sqlite", "f1.sqlite"] {
        copy(&from.join(name), &to.join(name))?;
    }
    let output =
        Command::new("xz").arg("-dc").arg(from.join("baseball.sqlite.xz")).output().map_err(at(from))?;
    let path = to.join("baseball.sqlite");
    fs::write(&path, output.stdout).map_err(at(&path))
}

/// Plays and novels as one file each, news as a folder a class.
fn text(from: &Path, to: &Path) -> Result<()> {
    fs::create_dir_all(to).map_err(at(to))?;
    copy(&from.join("tinyshakespeare.txt"), &to.join("tinyshakespeare.txt"))?;
    for name in ["russian-novels.txt", "russian-drama.txt"] {
        let (archive, path) = (from.join(format!("{name}.xz")), to.join(name));
        if path.exists() {
            println!("{}: there already", path.display());
            continue;
        }
        println!("{}: unpacking", archive.display());
        let output = Command::new("xz").arg("-dc").arg(&archive).output().map_err(at(&archive))?;
        if !output.status.success() {
            return Err(format!("{}: xz fails", archive.display()));
        }
        fs::write(&path, output.stdout).map_err(at(&path))?;
    }
    let news = to.join("bbc-news");
    if news.is_dir() {
        println!("{}: there already", news.display());
        return Ok(());
    }
    unpack(&from.join("bbc-news.tar.xz"), &news, 1)
}

/// Chorales on two grids, as MIDI files of four tracks, and pop songs.
fn music(from: &Path, to: &Path) -> Result<()> {
    fs::create_dir_all(to).map_err(at(to))?;
    let json = to.join("jsb-json");
    if !json.is_dir() {
        unpack(&from.join("jsb-chorales.tar.xz"), &json, 0)?;
    }
    for (name, file, ticks) in
        [("jsb16", "jsb-chorales-16th.json", "3"), ("jsb4", "jsb-chorales-quarter.json", "12")]
    {
        let (folder, half) = (to.join(name), to.join(format!("{name}.tmp")));
        if folder.is_dir() {
            println!("{}: there already", folder.display());
            continue;
        }
        let mut make = crate::cargo();
        make.args(["run", "--package", "mintage-data", "--example", "jsb", "--"]);
        crate::run(make.arg(absolute(&json.join(file))?).arg(&half).arg(ticks))?;
        fs::rename(&half, &folder).map_err(at(&folder))?;
    }
    let songs = to.join("pop909");
    if songs.is_dir() {
        println!("{}: there already", songs.display());
        return Ok(());
    }
    // Each song lies in a folder of its own.
    unpack(&from.join("pop909.tar.xz"), &songs, 2)
}

/// Speakers whose digits the codec of `codec-speakers` never hears.
const HELD_SPEAKERS: [&str; 2] = ["theo", "yweweler"];

/// Spoken digits with a folder a digit, those that the data set keeps for tests apart, and once more with two speakers
/// apart; Russian sentences.
fn audio(from: &Path, festvox: &Path, to: &Path) -> Result<()> {
    fs::create_dir_all(to).map_err(at(to))?;
    let all = to.join("fsdd");
    if !all.is_dir() {
        unpack(&from.join("fsdd.tar.xz"), &all, 1)?;
    }
    let (digits, speakers) = (to.join("digits"), to.join("speakers"));
    for entry in fs::read_dir(&all).map_err(at(&all))? {
        let path = entry.map_err(at(&all))?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        // DIGIT_SPEAKER_NUMBER.wav
        let [digit, speaker, number] = name.trim_end_matches(".wav").split('_').collect::<Vec<_>>()[..]
        else {
            continue;
        };
        let part = |held: bool| if held { "test" } else { "train" };
        let held = number.parse::<u32>().is_ok_and(|number| number < 5);
        let strange = HELD_SPEAKERS.contains(&speaker);
        for folder in [digits.join(part(held)).join(digit), speakers.join(part(strange)).join(speaker)] {
            fs::create_dir_all(&folder).map_err(at(&folder))?;
            fs::copy(&path, folder.join(&name)).map_err(at(&path))?;
        }
    }
    if !festvox.is_dir() {
        println!("{}: not there; the package festvox-ru has it", festvox.display());
        return Ok(());
    }
    copy_folder(festvox, &to.join("russian"))
}

/// Characters of Sprites and digits of MNIST, moving.
fn video(from: &Path, to: &Path) -> Result<()> {
    fs::create_dir_all(to).map_err(at(to))?;
    let sheets = to.join("sprite-sheets");
    if !sheets.is_dir() {
        unpack(&from.join("video/sprites.tar.xz"), &sheets, 0)?;
    }
    made("sprites", &sheets, &to.join("sprites"))?;
    made("moving_mnist", &from.join("images/mnist"), &to.join("moving-mnist"))
}

/// What an example of `mintage-data` makes of a folder, in another.
fn made(example: &str, from: &Path, to: &Path) -> Result<()> {
    if to.is_dir() {
        println!("{}: there already", to.display());
        return Ok(());
    }
    let half = to.with_extension("tmp");
    let mut make = crate::cargo();
    make.args(["run", "--package", "mintage-data", "--example", example, "--"]);
    crate::run(make.arg(absolute(from)?).arg(&half))?;
    fs::rename(&half, to).map_err(at(to))
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
