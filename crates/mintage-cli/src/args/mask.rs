//! What `mintage mask` is told.

use std::path::PathBuf;

use clap::Args;

use super::{ExistsChoice, any_name};

#[derive(Args, Debug)]
pub struct Mask {
    /// A SQLite file, a postgres:// address, or a folder of CSV, Parquet and JSON Lines files
    #[arg(value_name = "SOURCE", value_parser = any_name())]
    pub source: String,
    /// Where the masked rows go: a .db or a postgres:// address
    #[arg(short, long = "out", value_name = "TARGET", value_parser = any_name(), required_unless_present = "dry_run")]
    pub out: Option<String>,
    /// A file with a secret: the same one gives the same masks in every run (none can be repeated without this)
    #[arg(long, value_name = "FILE")]
    pub key_file: Option<PathBuf>,
    /// Take a part of the rows, such as 5%, with all that they refer to
    #[arg(long, value_name = "SHARE", value_parser = share)]
    pub subset: Option<f64>,
    /// Columns that stay as they are, such as customers.city
    #[arg(long, value_name = "TABLE.COLUMN", value_delimiter = ',')]
    pub keep: Vec<String>,
    /// These tables alone
    #[arg(long, value_name = "TABLES", value_delimiter = ',')]
    pub tables: Vec<String>,
    /// Tables to leave out
    #[arg(long, value_name = "TABLES", value_delimiter = ',')]
    pub exclude: Vec<String>,
    /// A key between tables that nobody declares, such as orders.customer_id=customers.id, as often as wanted;
    /// orders.ref=none says that what was declared or found is none
    #[arg(long = "key", value_name = "KEY")]
    pub keys: Vec<String>,
    /// What to do when the target is there already
    #[arg(long, value_enum, value_name = "WHAT", default_value_t = ExistsChoice::Fail)]
    pub if_exists: ExistsChoice,
    /// Say what would be masked and why, and write nothing
    #[arg(long)]
    pub dry_run: bool,
}

/// "5%" or ".05".
fn share(text: &str) -> Result<f64, String> {
    let (number, scale) = match text.trim().strip_suffix('%') {
        Some(percent) => (percent.trim(), 100.0),
        None => (text.trim(), 1.0),
    };
    match number.parse::<f64>().map(|number| number / scale) {
        Ok(share) if share > 0.0 && share <= 1.0 => Ok(share),
        _ => Err("a share is needed, such as 5% or 0.05".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::share;

    #[test]
    fn shares_are_percents_or_numbers() {
        assert_eq!((share("5%"), share("0.05")), (Ok(0.05), Ok(0.05)));
        assert!(["0", "120%", "-1", "half"].iter().all(|text| share(text).is_err()));
    }
}
