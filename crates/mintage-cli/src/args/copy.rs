//! What `mintage copy` is told.

use std::path::PathBuf;

use clap::{Args, value_parser};

use super::{Columns, ExistsChoice, FamilyChoice, MAX_INT, SizeChoice, any_name};

#[derive(Args, Debug)]
pub struct Copy {
    /// The table to copy: a SQLite file, a postgres:// address, CSV, Parquet, JSON Lines
    #[arg(value_name = "SOURCE", value_parser = any_name())]
    pub source: String,
    /// Where the new rows go: a .csv, .tsv, .jsonl or .parquet (also .gz, .zst), a .db or a postgres:// address
    #[arg(value_name = "TARGET", value_parser = any_name())]
    pub target: String,
    /// Write nothing where a check fails, say which, and end with exit code 1
    #[arg(long)]
    pub safe: bool,
    /// Budget of time to learn in
    #[arg(long, value_name = "TIME", conflicts_with = "steps", default_value = "2m")]
    pub time: String,
    /// Budget in steps, in place of time
    #[arg(long, value_name = "N", value_parser = value_parser!(u64).range(1..=MAX_INT))]
    pub steps: Option<u64>,
    #[command(flatten)]
    pub columns: Columns,
    /// Family of models
    #[arg(long, value_enum, value_name = "FAMILY")]
    pub model: Option<FamilyChoice>,
    /// Size of the model
    #[arg(long, value_enum, value_name = "SIZE")]
    pub size: Option<SizeChoice>,
    /// Set any option of the recipe: data.rare=group, data.text=empty
    #[arg(short = 's', long = "set", value_name = "KEY=VALUE")]
    pub set: Vec<String>,
    /// Table of the target database (the one copied without this)
    #[arg(long, value_name = "TABLE")]
    pub into: Option<String>,
    /// What to do when the file or the table is there already
    #[arg(long, value_enum, value_name = "WHAT", default_value_t = ExistsChoice::Fail)]
    pub if_exists: ExistsChoice,
    /// The page that says of each column how it was made and checked (TARGET.html, or copy.html, without this)
    #[arg(long, value_name = "FILE")]
    pub page: Option<PathBuf>,
    /// Keep what was learned as a run of this name (it is removed without this)
    #[arg(long, value_name = "NAME")]
    pub name: Option<String>,
}
