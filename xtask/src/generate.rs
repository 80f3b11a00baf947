//! `cargo xtask generate`: what is made from something else, so that it can be made again.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use clap::Subcommand;

use crate::{Result, at, cargo, defaults, root, tables};

#[derive(clap::Args)]
pub struct Args {
    #[command(subcommand)]
    what: What,
}

#[derive(Subcommand)]
enum What {
    /// docs/tables.md from bench/results/quality.jsonl
    Tables,
    /// The defaults of `mintage train` from bench/results/quality.jsonl
    Defaults,
    /// docs/pictures from the models of the quality runs and from a demo
    Pictures {
        /// Folder of the quality runs
        #[arg(long, default_value = "runs/quality")]
        runs: PathBuf,
        /// Folder that `mintage demo` made
        #[arg(long, default_value = "mintage-demo")]
        demo: PathBuf,
    },
    /// The demo's database from Fashion-MNIST
    DemoDb {
        /// Folder with the IDX files
        #[arg(long, default_value = "data/images/fashion-mnist")]
        data: PathBuf,
    },
}

pub fn run(args: &Args) -> Result<()> {
    match &args.what {
        What::Tables => tables::docs(),
        What::Defaults => defaults::write(),
        What::Pictures { runs, demo } => pictures(runs, demo),
        What::DemoDb { data } => {
            let mut make = cargo();
            make.args(["run", "--package", "mintage-data", "--example", "demo_db", "--"]);
            crate::run(make.arg(data).arg("crates/mintage-cli/assets/demo.db"))
        }
    }
}

/// A grid of each family on Fashion-MNIST, one class a column; all of them side by side with the table of
/// their scores; the demo's picture.
fn pictures(runs: &Path, demo: &Path) -> Result<()> {
    let to = root().join("docs/pictures");
    fs::create_dir_all(&to).map_err(at(&to))?;
    let models: Vec<PathBuf> = FAMILIES.iter().map(|family| runs.join(format!("fashion-{family}"))).collect();
    for (family, model) in FAMILIES.iter().zip(&models) {
        let picture = to.join(format!("{family}.png"));
        crate::run(
            mintage().arg("sample").arg(model).args(["--grid", "10x6", "--seed", "1", "-o"]).arg(picture),
        )?;
    }
    leaderboard(&models, &to.join("side-by-side.png"))?;
    let (from, to) = (root().join(demo).join("real-above-new.png"), to.join("demo.png"));
    fs::copy(&from, &to).map(|_| ()).map_err(at(&from))
}

const FAMILIES: [&str; 4] = ["vae", "gan", "vqvae", "flow"];

fn mintage() -> Command {
    let mut command = cargo();
    command.args(["run", "--quiet", "--"]).current_dir(root());
    command
}

/// docs/leaderboard.md: what `mintage compare` says of the four families.
fn leaderboard(models: &[PathBuf], picture: &Path) -> Result<()> {
    let mut compare = mintage();
    compare.arg("compare").args(models).arg("--grid").arg(picture);
    let output = compare.output().map_err(|e| format!("{compare:?}: {e}"))?;
    if !output.status.success() {
        return Err(format!("{compare:?}: {}", String::from_utf8_lossy(&output.stderr)));
    }
    let names: Vec<String> = models.iter().map(|model| model.display().to_string()).collect();
    let text = format!(
        "# Leaderboard\n\nFour families on Fashion-MNIST, trained and judged by `cargo xtask quality`; scores from 0 (a \
         trivial generator) to\n100 (fresh real images), with 95 % intervals. Made by `cargo xtask generate pictures`.\n\n\
         ```console\n$ mintage compare {}\n{}```\n\nSamples from one seed:\n\n![Samples of each family]\
         (pictures/side-by-side.png)\n",
        names.join(" "),
        String::from_utf8_lossy(&output.stdout),
    );
    let path = root().join("docs/leaderboard.md");
    fs::write(&path, text).map_err(at(&path))
}
