//! `cargo xtask generate`: what is made from something else, so that it can be made again.

use std::{
    collections::BTreeMap,
    fmt::Write,
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use clap::Subcommand;

use crate::{
    Result, at, cargo,
    figure::{Figure, figures},
    root, tables,
};

#[derive(clap::Args)]
pub struct Args {
    #[command(subcommand)]
    what: What,
}

#[derive(Subcommand)]
enum What {
    /// docs/quality.md and docs/tables.md from bench/results/quality.jsonl
    QualityDocs,
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
        What::QualityDocs => quality_docs(),
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

/// Writes docs/quality.md, the newest figure of each case and metric and where it comes from, and docs/tables.md.
pub fn quality_docs() -> Result<()> {
    let path = root().join("docs/quality.md");
    path.parent().map_or(Ok(()), |dir| fs::create_dir_all(dir).map_err(at(dir)))?;
    fs::write(&path, page(&figures()?)).map_err(at(&path))?;
    tables::docs()
}

const HEAD: &str = "# Quality

Measured figures, made by `cargo xtask generate quality-docs` from `bench/results/quality.jsonl`; do not edit
this page. The newest figure of each case stands here, older ones stay in the file. *Limit* is what must be
reached, *goal* what we would like; the **bold** ones are reached. Distances in an own encoder's feature space
are comparable with each other on the same data, and with nothing else.
";

fn page(figures: &[Figure]) -> String {
    let mut order: Vec<&str> = Vec::new();
    let mut cases: BTreeMap<&str, Vec<&Figure>> = BTreeMap::new();
    for figure in figures {
        if !order.contains(&figure.case.as_str()) {
            order.push(&figure.case);
        }
        let of_case = cases.entry(&figure.case).or_default();
        match of_case.iter().position(|old| old.metric == figure.metric) {
            Some(place) => of_case[place] = figure,
            None => of_case.push(figure),
        }
    }
    order.sort_unstable();
    let mut text = HEAD.to_owned();
    for case in order {
        section(&mut text, case, &cases[case]);
    }
    text
}

fn section(text: &mut String, case: &str, figures: &[&Figure]) {
    let _ = write!(text, "\n## {case}\n\n| figure | value | limit | goal | unit |\n|---|---|---|---|---|\n");
    for figure in figures {
        let bound = |bound: Option<f64>| match bound {
            None => "–".to_owned(),
            Some(b) if figure.keeps(b) => format!("**{}**", number(b)),
            Some(b) => number(b),
        };
        let (limit, goal) = (bound(figure.limit), bound(figure.goal));
        let _ = writeln!(
            text,
            "| {} | {} | {limit} | {goal} | {} |",
            figure.metric,
            number(figure.value),
            figure.unit
        );
    }
    let mut sources: Vec<String> = Vec::new();
    for figure in figures {
        let machine =
            figure.machine.as_ref().map(|m| format!("{}, {} cores", m.cpu, m.cores)).unwrap_or_default();
        let Figure { setup, command, commit, date, .. } = figure;
        let source = format!("{setup}.\n`{command}`, commit {commit}, {date}, {machine}.");
        if !sources.contains(&source) {
            sources.push(source);
        }
    }
    for source in sources {
        let _ = write!(text, "\n{source}\n");
    }
}

/// Four significant digits.
fn number(x: f64) -> String {
    match x.abs() {
        a if a == 0.0 || (a >= 1.0 && x.fract() == 0.0) => format!("{x}"),
        a if a >= 100.0 => format!("{x:.1}"),
        a if a >= 10.0 => format!("{x:.2}"),
        a if a >= 1.0 => format!("{x:.3}"),
        a if a >= 1e-3 => format!("{x:.4}"),
        _ => format!("{x:.1e}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn figure(value: f64, commit: &str) -> Figure {
        Figure {
            case: "mlp-vae".to_owned(),
            metric: "test NLL".to_owned(),
            value,
            unit: "nats".to_owned(),
            better: "lower".to_owned(),
            limit: Some(89.8),
            goal: Some(89.0),
            setup: "vae small".to_owned(),
            command: "cargo xtask quality mlp-vae".to_owned(),
            commit: commit.to_owned(),
            date: "2026-01-02".to_owned(),
            machine: None,
        }
    }

    #[test]
    fn the_newest_figure_stands_and_what_is_reached_is_bold() {
        let page = page(&[figure(95.0, "old"), figure(89.4, "new")]);
        assert!(page.contains("| test NLL | 89.40 | **89.80** | 89 | nats |"), "{page}");
        assert!(page.contains("commit new") && !page.contains("commit old"));
    }
}
