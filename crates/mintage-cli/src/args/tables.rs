//! Which tables of a database are learned, and which stay as they are.

use clap::Args;

#[derive(Args, Clone, Debug, Default)]
pub struct Tables {
    /// Learn these tables of a database together, with the keys between them (all without this, --table for one alone)
    #[arg(long = "tables", value_name = "TABLES", value_delimiter = ',', conflicts_with = "resume")]
    pub only: Vec<String>,
    /// Tables to leave out
    #[arg(long, value_name = "TABLES", value_delimiter = ',', conflicts_with = "resume")]
    pub exclude: Vec<String>,
    /// Tables whose rows stay as they are, but for the persons in them
    #[arg(long, value_name = "TABLES", value_delimiter = ',', conflicts_with = "resume")]
    pub keep: Vec<String>,
    /// Tables to learn that would be kept as lists that others refer to
    #[arg(long, value_name = "TABLES", value_delimiter = ',', conflicts_with = "resume")]
    pub learn: Vec<String>,
    /// Read so many rows of all tables of a database at most, in whole families (what fits into memory without this)
    #[arg(long, value_name = "ROWS", value_parser = clap::value_parser!(u64).range(1..), conflicts_with = "resume")]
    pub limit: Option<u64>,
}

impl Tables {
    /// Whether anything is said of tables: a whole database is meant then.
    pub fn are_chosen(&self) -> bool {
        let lists = [&self.only, &self.exclude, &self.keep, &self.learn];
        lists.iter().any(|list| !list.is_empty()) || self.limit.is_some()
    }
}
