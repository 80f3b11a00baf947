//! Flags of `mintage keep`.

use clap::Args;

use super::{ExistsChoice, any_name};

const OTHERS: [&str; 4] = ["list", "remove", "write", "undo"];

#[derive(Args, Debug)]
pub struct Keep {
    /// A run's name or a model's folder
    #[arg(value_name = "MODEL", value_parser = any_name())]
    pub model: String,
    /// Draw this many, and keep them
    #[arg(short = 'n', long = "n", value_name = "N", conflicts_with_all = OTHERS)]
    pub n: Option<usize>,
    /// Of what is drawn keep these alone, counted from 0: 0,3,7..9
    #[arg(long, value_name = "LIST", conflicts_with_all = OTHERS)]
    pub items: Option<String>,
    /// Draw only this class, or rows with this value: COLUMN=VALUE or COLUMN=FROM..TO, as often as wanted
    #[arg(long = "where", value_name = "COLUMN=VALUE", conflicts_with_all = OTHERS)]
    pub condition: Vec<String>,
    /// Draw what this JSON asks for; `mintage show MODEL --schema` says what can be asked
    #[arg(long, value_name = "JSON", conflicts_with_all = OTHERS)]
    pub request: Option<String>,
    /// List what is kept, and what was written
    #[arg(long, conflicts_with_all = ["remove", "write", "undo"])]
    pub list: bool,
    /// Remove these from what is kept: 4 or 2..5
    #[arg(long, value_name = "ID", num_args = 1.., conflicts_with_all = ["write", "undo"])]
    pub remove: Vec<String>,
    /// Write these to OUT, in one transaction; without IDs all that were not written yet
    #[arg(long, value_name = "ID", num_args = 0.., requires = "out", conflicts_with = "undo")]
    pub write: Option<Vec<String>>,
    /// Take a batch back: remove exactly its rows from their database, or the file that it made
    #[arg(long, value_name = "BATCH")]
    pub undo: Option<String>,
    /// Where --write writes: a .db or a postgres:// address, or any file or folder/ that `mintage sample -o` takes
    #[arg(short, long = "out", value_name = "OUT", requires = "write", value_parser = any_name())]
    pub out: Option<String>,
    /// Table of a database (that of the training data without this)
    #[arg(long, value_name = "TABLE", requires = "write")]
    pub table: Option<String>,
    /// Column for the new items (that of the training data without this)
    #[arg(long, value_name = "COLUMN", requires = "write")]
    pub column: Option<String>,
    /// Column for their label (that of the training data without this)
    #[arg(long, value_name = "COLUMN", requires = "write")]
    pub label_column: Option<String>,
    /// What to do when the file or the table is there already (folders and databases of media keep what they have)
    #[arg(long, value_enum, value_name = "WHAT", default_value_t = ExistsChoice::Fail)]
    pub if_exists: ExistsChoice,
    /// Show the rows exactly as they would be written, and change nothing
    #[arg(long, requires = "write")]
    pub dry_run: bool,
    /// Connect to the server that the run names for a batch, without asking
    #[arg(long, requires = "undo")]
    pub yes: bool,
}
