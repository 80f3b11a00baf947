//! What `mintage sweep` and `mintage compare` are told, and where they write what they found.

use std::path::PathBuf;

use clap::{Args, value_parser};

use super::{Columns, FamilyChoice, MAX_INT, SizeChoice, SizeParser, SourceOverride, any_name};

#[derive(Args, Debug)]
pub struct Sweep {
    /// Data, or a recipe.toml, as for `mintage train`
    #[arg(value_name = "SOURCE|RECIPE", required_unless_present = "resume", conflicts_with = "resume", value_parser = any_name())]
    pub target: Option<String>,
    #[command(flatten)]
    pub columns: Columns,
    /// Families of models, with commas between them (all that work for the data without this)
    #[arg(long, value_enum, value_name = "FAMILY,…", value_delimiter = ',')]
    pub models: Vec<FamilyChoice>,
    /// Sizes of the models, with commas between them (small without this)
    #[arg(long, value_parser = SizeParser, value_name = "SIZE,…", value_delimiter = ',')]
    pub sizes: Vec<SizeChoice>,
    /// Seeds to train with: 3 stands for the seeds 1, 2 and 3; a list such as 4,7 for these (`4,` for 4
    /// alone). All runs are judged with one seed, --seed
    #[arg(long, value_name = "N|LIST", default_value = "3")]
    pub seeds: String,
    /// Budget of time of every run, such as 90s, 10m or 2h; the evaluations come on top
    #[arg(long, value_name = "TIME", conflicts_with = "steps")]
    pub time: Option<String>,
    /// Budget of every run in steps, in place of time: the table is the same whenever it is made
    #[arg(long, value_name = "N", value_parser = value_parser!(u64).range(1..=MAX_INT))]
    pub steps: Option<u64>,
    /// How many samples of every run to judge
    #[arg(short = 'n', long = "n", value_name = "N")]
    pub n: Option<usize>,
    /// Name of the sweep, a folder among the runs (sweep-SOURCE without this)
    #[arg(long, value_name = "NAME", conflicts_with = "resume")]
    pub name: Option<String>,
    /// Go on with a sweep that was interrupted
    #[arg(long, value_name = "NAME", value_parser = any_name())]
    pub resume: Option<String>,
    /// Say what would be trained and about how long that would take, and train nothing
    #[arg(long)]
    pub dry_run: bool,
    /// Connect to the server that the recipe or the sweep names as its source, without asking
    #[arg(long)]
    pub yes: bool,
    /// Set any option of the recipe, for all runs: train.patience=0, data.size=32, model.lr=0.001
    #[arg(short = 's', long = "set", value_name = "KEY=VALUE")]
    pub set: Vec<String>,
    #[command(flatten)]
    pub exports: Exports,
}

#[derive(Args, Debug)]
pub struct Compare {
    /// Runs, models or sweeps; without any, all runs that were evaluated
    #[arg(value_name = "RUN", value_parser = any_name())]
    pub models: Vec<String>,
    /// Write samples of all of them, from the same seed and beneath real ones, to this PNG; of clips to this GIF
    #[arg(long, value_name = "FILE")]
    pub grid: Option<PathBuf>,
    #[command(flatten)]
    pub exports: Exports,
    #[command(flatten)]
    pub moved: SourceOverride,
}

/// Files that a comparison is written to.
#[derive(Args, Clone, Debug, Default)]
pub struct Exports {
    /// Write the table over seeds as CSV, every digit
    #[arg(long, value_name = "FILE", help_heading = "Tables and charts")]
    pub csv: Option<PathBuf>,
    /// Write it as LaTeX, for the package booktabs
    #[arg(long, value_name = "FILE", help_heading = "Tables and charts")]
    pub latex: Option<PathBuf>,
    /// Write it as a page, with charts
    #[arg(long, value_name = "FILE", help_heading = "Tables and charts")]
    pub html: Option<PathBuf>,
    /// Draw the dials, and validation against training time
    #[arg(long, value_name = "FILE", help_heading = "Tables and charts")]
    pub svg: Option<PathBuf>,
}
