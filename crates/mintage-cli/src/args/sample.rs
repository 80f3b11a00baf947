//! Flags of `mintage sample`. Each is a field of a request or of an output (`generate/fields.rs` of the library).

use std::path::PathBuf;

use clap::Args;

use super::{ExistsChoice, any_name};

#[derive(Args, Debug)]
pub struct Sample {
    /// A run's name or a model's folder
    #[arg(value_name = "MODEL", value_parser = any_name())]
    pub model: String,
    /// How many (64 images, 16 clips, or as many as the grid has places; 1,000 rows; 1 text, tune or sound). Whole
    /// databases: TABLE=N, as often as wanted, for tables that belong to no other
    #[arg(short = 'n', long = "n", value_name = "N", value_parser = amount)]
    pub n: Vec<Amount>,
    /// Whole databases: how many rows, as a multiple of those learned from
    #[arg(long, value_name = "X", value_parser = positive)]
    pub scale: Option<f64>,
    /// A .db or a postgres:// address to insert rows into, or else: Images: a .png (one or a grid), a folder/, `-` for a
    /// PNG on stdout; without this a grid in the model's own folder. Rows: a .csv, .tsv, .jsonl or .parquet (also .gz,
    /// .zst), `-` for CSV on stdout. Texts: a .txt, a folder/, rows as above; without this stdout, letter by letter.
    /// Music: a .mid, a .wav, a folder/ of MIDI files; without this a .wav in the model's folder. Sounds: a .wav, a
    /// folder/; without this a .wav in the model's folder. Clips: a .gif, a .png or an .mp4 (one or a grid), a folder/ of
    /// GIFs; without this a .gif in the model's folder
    #[arg(short, long = "out", value_name = "OUT", value_parser = any_name())]
    pub out: Option<String>,
    /// All but rows: only this class, label=VALUE or COLUMN=VALUE. Rows: COLUMN=VALUE or COLUMN=FROM..TO, as often
    /// as wanted. Whole databases: TABLE.COLUMN=VALUE, likewise
    #[arg(long = "where", value_name = "COLUMN=VALUE")]
    pub condition: Vec<String>,
    /// Rows to complete: a file with some of the columns; every row of it gets the others. Whole databases: the rows of a
    /// table, TABLE=FILE, as often as wanted; all that belongs to them is new
    #[arg(long, value_name = "FILE", conflicts_with = "fill", value_parser = any_name())]
    pub given: Vec<String>,
    /// Rows with gaps: missing cells get values, everything else stays
    #[arg(long, value_name = "FILE", value_parser = any_name())]
    pub fill: Option<String>,
    /// What to do when the file or the table is there already (folders and databases of media keep what they have)
    #[arg(long, value_enum, value_name = "WHAT", default_value_t = ExistsChoice::Fail)]
    pub if_exists: ExistsChoice,
    /// The encoding of a new file, such as utf-8, utf-16le or windows-1251 (that of the file learned from without
    /// this)
    #[arg(long, value_name = "ENCODING")]
    pub encoding: Option<String>,
    /// What separates the cells of a new .csv or of stdout, such as `;` or `tab` (as in the file learned from
    /// without this)
    #[arg(long, value_name = "CHARACTER")]
    pub delimiter: Option<String>,
    /// Put an apostrophe before texts of CSV that a spreadsheet would take for formulas (those that begin with =, +, -
    /// or @)
    #[arg(long)]
    pub quote_formulas: bool,
    /// Leave no mark of what made the new rows: training takes them for real
    #[arg(long)]
    pub no_provenance: bool,
    /// Texts: what every one begins with
    #[arg(long, value_name = "TEXT", conflicts_with = "continued")]
    pub prompt: Option<String>,
    /// Texts, music, sounds and clips: a file to go on from
    #[arg(long = "continue", value_name = "FILE")]
    pub continued: Option<PathBuf>,
    /// Texts: characters at most (2,000 without this). Music: exactly so many bars
    #[arg(long, value_name = "N")]
    pub length: Option<usize>,
    /// Sounds: bits of a sample in WAV files: 16 (the default), 24, or 32 (floating point, never cut off)
    #[arg(long, value_name = "N")]
    pub bits: Option<u8>,
    /// Clips: frames of each; without this as many as those learned from have
    #[arg(long, value_name = "N")]
    pub frames: Option<usize>,
    /// Sounds: how long they may be; without this as long as those learned from, or as their segments. Clips: how
    /// long they are
    #[arg(long, value_name = "S", allow_negative_numbers = true)]
    pub seconds: Option<f64>,
    /// Texts: go on behind the end of a text, with another one, up to the length
    #[arg(long)]
    pub endless: bool,
    /// Texts: end before this; as often as wanted
    #[arg(long, value_name = "TEXT")]
    pub stop: Vec<String>,
    /// Texts: only such as match this regular expression from beginning to end
    #[arg(long = "match", value_name = "REGEX", conflicts_with = "json_shape")]
    pub pattern: Option<String>,
    /// Texts: only JSON like this, whose texts name types: {"name": "string", "age": "integer"}
    #[arg(long, value_name = "JSON")]
    pub json_shape: Option<String>,
    /// Music: only notes of this scale, such as "C major" or "f# minor"
    #[arg(long, value_name = "KEY")]
    pub key: Option<String>,
    /// Music: only this metre, such as 3/4
    #[arg(long, value_name = "METRE")]
    pub metre: Option<String>,
    /// Music: only pitches in this range, as MIDI numbers
    #[arg(long, value_name = "LOW..HIGH")]
    pub range: Option<String>,
    /// Music: the SoundFont that a .wav is played with (a small synthesiser of our own without this)
    #[arg(long, value_name = "FILE")]
    pub sound_font: Option<PathBuf>,
    /// Texts, music, sounds and clips: only tokens at least this share as probable as the most probable one
    #[arg(long, value_name = "P", allow_negative_numbers = true)]
    pub min_p: Option<f64>,
    /// Texts and music: how much less probable recent tokens become; 1, which leaves them alone, without this
    #[arg(long, value_name = "R", allow_negative_numbers = true)]
    pub repetition: Option<f64>,
    /// Variations of this image, text, tune, sound or clip (vae, vqvae; flow of images)
    #[arg(long, value_name = "FILE", conflicts_with = "between")]
    pub like: Option<PathBuf>,
    /// The way from one image, text or tune to another (vae; flow of images); 8 steps without -n
    #[arg(long, value_names = ["FILE", "FILE"], num_args = 2)]
    pub between: Vec<PathBuf>,
    /// How far variations go: 0 is the file itself, as the model sees it, 1 a new one; 0.5 without this
    #[arg(long, value_name = "S", requires = "like", allow_negative_numbers = true)]
    pub strength: Option<f64>,
    /// 1 is the model's own distribution, and what is used without this; lower is safer and less diverse
    #[arg(long, value_name = "T", allow_negative_numbers = true)]
    pub temperature: Option<f64>,
    /// How strongly the label steers; 1 is the plain model
    #[arg(long, value_name = "W", allow_negative_numbers = true)]
    pub guidance: Option<f64>,
    /// How far to go from what an early version of the model draws, at twice the time; 1 is the model alone (flow of
    /// images; vae of sounds, clips and large images)
    #[arg(long, value_name = "W", allow_negative_numbers = true)]
    pub autoguidance: Option<f64>,
    /// Only the K most probable codes at each place (vqvae), or tokens (texts, music)
    #[arg(long, value_name = "K")]
    pub top_k: Option<usize>,
    /// Only the most probable codes (vqvae) or tokens (texts, music) up to this probability in all
    #[arg(long, value_name = "P", allow_negative_numbers = true)]
    pub top_p: Option<f64>,
    /// Columns and rows of a grid
    #[arg(long, value_name = "COLSxROWS")]
    pub grid: Option<String>,
    /// Table to insert rows into (the one learned from without this)
    #[arg(long, value_name = "TABLE")]
    pub table: Option<String>,
    /// Column for the new data (the one learned from without this)
    #[arg(long, value_name = "COLUMN")]
    pub column: Option<String>,
    /// Column for the label (the one learned from without this)
    #[arg(long, value_name = "COLUMN")]
    pub label_column: Option<String>,
}

/// How many, of all or of a table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Amount {
    All(usize),
    Of(String, usize),
}

fn amount(text: &str) -> Result<Amount, String> {
    let number =
        |text: &str| text.trim().parse::<usize>().map_err(|_| "a number is needed, such as 100".to_owned());
    match text.rsplit_once('=') {
        Some((table, n)) => Ok(Amount::Of(table.trim().to_owned(), number(n)?)),
        None => Ok(Amount::All(number(text)?)),
    }
}

fn positive(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(x) if x > 0.0 && x.is_finite() => Ok(x),
        _ => Err("a number over 0 is needed, such as 2.5".to_owned()),
    }
}
