//! The command line: definitions only. Help, man pages and completions all come from here.

mod columns;
mod copy;
mod keep;
mod mask;
mod sample;
mod serve;
mod sweep;
mod tables;

use std::{ffi::OsStr, path::PathBuf};

use clap::{
    Args, Parser, Subcommand, ValueEnum,
    builder::{EnumValueParser, OsStringValueParser, PossibleValue, TypedValueParser},
    error::ErrorKind,
    value_parser,
};
use mintage::{Family, Size};
use mintage_data::IfExists;

pub use columns::Columns;
pub use copy::Copy;
pub use keep::Keep;
pub use mask::Mask;
pub use sample::{Amount, Sample};
pub use serve::Serve;
pub use sweep::{Compare, Exports, Sweep};
pub use tables::Tables;

/// Learn a generative model from the data you have; mint new data like it.
#[derive(Debug, Parser)]
#[command(
    name = "mintage",
    version,
    disable_help_subcommand = true,
    subcommand_required = true,
    arg_required_else_help = true,
    after_help = "Begin with `mintage demo`, or with `mintage inspect` on data of your own.\n\n\
                  Environment: MINTAGE_RUNS, MINTAGE_DEVICE, MINTAGE_THREADS, MINTAGE_TOKEN, MINTAGE_LOG (quiet, \
                  normal, verbose), NO_COLOR.\n\
                  Exit codes: 0 done, 1 a check said no, 2 could not do it, 70 a bug, 130 interrupted."
)]
pub struct Cli {
    #[command(flatten)]
    pub global: Global,
    #[command(subcommand)]
    pub verb: Verb,
}

const EVALUATE_EXAMPLES: &str = "Examples:\n  mintage evaluate vqvae-shop-1 --fail-under fidelity=0.8\n  \
                                 mintage evaluate held-out.csv ctgan.csv --train train.csv --label income";
const NEAREST_EXAMPLES: &str =
    "Examples:\n  mintage nearest ar-shop-1 new.csv\n  mintage nearest vqvae-shop-1 -n 8 --seed 1";
const EXPLAIN_EXAMPLES: &str =
    "Examples:\n  mintage explain ar-shop-1 new.csv\n  mintage explain vqvae-shop-1 -n 8 --seed 1 --json";
const EVERYWHERE: &str = "Everywhere";
/// The largest integer of TOML, which recipes are written in.
const MAX_INT: u64 = i64::MAX as u64;

/// Flags of every verb.
#[derive(Args, Clone, Debug)]
pub struct Global {
    /// Say nothing but errors
    #[arg(short, long, global = true, conflicts_with = "verbose", help_heading = EVERYWHERE)]
    pub quiet: bool,
    /// Say more: validations, previews, checkpoints
    #[arg(short, long, global = true, help_heading = EVERYWHERE)]
    pub verbose: bool,
    /// Write JSON to stdout, or to FILE
    #[arg(
        long,
        global = true,
        value_name = "FILE",
        num_args = 0..=1,
        require_equals = true,
        default_missing_value = "-",
        help_heading = EVERYWHERE
    )]
    pub json: Option<PathBuf>,
    /// Colours in messages
    #[arg(long, global = true, value_enum, value_name = "WHEN", default_value = "auto", help_heading = EVERYWHERE)]
    pub color: ColorChoice,
    /// Show no progress
    #[arg(long, global = true, help_heading = EVERYWHERE)]
    pub no_progress: bool,
    /// Where to compute: auto, cpu or vulkan
    #[arg(long, global = true, value_name = "DEVICE", help_heading = EVERYWHERE)]
    pub device: Option<String>,
    /// CPU threads (all of them without this)
    #[arg(long, global = true, value_name = "N", help_heading = EVERYWHERE)]
    pub threads: Option<usize>,
    /// Seed of every random choice: the same seed gives the same result
    #[arg(long, global = true, value_name = "N", value_parser = value_parser!(u64).range(..=MAX_INT), help_heading = EVERYWHERE)]
    pub seed: Option<u64>,
    /// Folder of the runs ("runs" without this)
    #[arg(long, global = true, value_name = "DIR", help_heading = EVERYWHERE)]
    pub runs: Option<PathBuf>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum ColorChoice {
    Auto,
    Always,
    Never,
}

#[derive(Debug, Subcommand)]
// There is one of these in a program.
#[allow(clippy::large_enum_variant)]
pub enum Verb {
    /// See it work: a small database, a model trained on it, new rows in it, the scores
    #[command(after_help = "Example: mintage demo demo --time 90s")]
    Demo(Demo),
    /// Show what a source holds and what can be learned from it
    #[command(after_help = "Example: mintage inspect shop.db")]
    Inspect(Inspect),
    /// Write a commented recipe for a source
    #[command(after_help = "Example: mintage init shop.db -o recipe.toml")]
    Init(Init),
    /// Train a model on a source or a recipe
    #[command(
        after_help = "Examples:\n  mintage train shop.db --time 10m\n  mintage train recipe.toml -s model.width=64\n  \
                      mintage train --resume"
    )]
    Train(Train),
    /// Train several families with several seeds, equal budgets, and set them side by side
    #[command(
        after_help = "Examples:\n  mintage sweep shop.db --models vae,gan --seeds 3 --time 5m --latex table.tex\n  \
                      mintage sweep --resume sweep-shop"
    )]
    Sweep(Sweep),
    /// Copy a table: learn it, draw as many new rows, check them, write them
    #[command(after_help = "Example: mintage copy customers.csv new.csv --safe")]
    Copy(Copy),
    /// Copy a database with other persons in it: every personal value gets a mask, all else stays
    #[command(after_help = "Examples:\n  mintage mask shop.db --dry-run\n  \
                      mintage mask shop.db -o test.db --key-file key --subset 5%")]
    Mask(Mask),
    /// Draw new data from a model
    #[command(after_help = "Examples:\n  mintage sample vqvae-shop-1 -n 64 -o new.png\n  \
                      mintage sample vqvae-shop-1 -n 500 -o shop.db --table products --column photo --where category=coat")]
    Sample(Sample),
    /// Keep chosen samples with the run, write them to a database, take them back
    #[command(after_help = "Examples:\n  mintage keep vqvae-shop-1 -n 16 --items 0,3,7..9 --seed 1\n  \
                      mintage keep vqvae-shop-1 --write -o shop.db --dry-run\n  \
                      mintage keep vqvae-shop-1 --write -o shop.db\n  \
                      mintage keep vqvae-shop-1 --undo 0123456789abcdef")]
    Keep(Keep),
    /// Send data through the encoder and back, side by side (vae, vqvae)
    #[command(after_help = "Example: mintage reconstruct vqvae-shop-1 a.png b.png -o pairs.png")]
    Reconstruct(Reconstruct),
    /// Score a model, or what another program made, against data that it never saw
    #[command(after_help = EVALUATE_EXAMPLES)]
    Evaluate(Evaluate),
    /// Say of each item of a source how well it conforms to what the model learned from
    #[command(after_help = "Example: mintage score vqvae-shop-1 photos/ > scores.csv")]
    Score(Score),
    /// Show the training items nearest to each new one, beside what held-out items have
    #[command(after_help = NEAREST_EXAMPLES)]
    Nearest(Nearest),
    /// Say how real each new item looks to a detector, and what gives it away
    #[command(after_help = EXPLAIN_EXAMPLES)]
    Explain(Explain),
    /// Set runs side by side: scores, means over seeds, and what differs in their configurations
    #[command(after_help = "Example: mintage compare vae-shop-1 vqvae-shop-1 --grid side-by-side.png")]
    Compare(Compare),
    /// Open the studio: look at data, train, draw, listen, choose and write back, in a browser
    #[command(after_help = "Example: mintage studio shop.db")]
    Studio(Serve),
    /// Serve models to programs over HTTP
    #[command(after_help = "Example: mintage serve --port 7700")]
    Serve(Serve),
    /// List the runs
    #[command(after_help = "Example: mintage ls")]
    Ls,
    /// Show all that is known of a run or a model, or which model made a file
    #[command(after_help = "Examples:\n  mintage show vqvae-shop-1\n  mintage show new.png")]
    Show(Show),
    /// Remove runs
    #[command(after_help = "Example: mintage rm vae-shop-1")]
    Rm(Rm),
    /// Copy the model out of a run folder, without checkpoints and logs
    #[command(after_help = "Example: mintage export vqvae-shop-1 -o shop-model")]
    Export(Export),
    /// Show which families of models work for which kinds of data
    #[command(after_help = "Example: mintage models")]
    Models,
    /// Look at this machine: what is slow, what is missing
    #[command(after_help = "Example: mintage doctor")]
    Doctor,
    /// Write the completions of a shell to stdout
    #[command(
        after_help = "Example: mintage completions bash > ~/.local/share/bash-completion/completions/mintage"
    )]
    Completions(Completions),
    /// Write the manual page to stdout, or all of them to a folder
    #[command(after_help = "Example: mintage man -o man1")]
    Man(Man),
}

/// Where the data of a model lie now.
#[derive(Args, Clone, Debug, Default)]
pub struct SourceOverride {
    /// The data the model was trained on, where they have moved
    #[arg(long, value_name = "SOURCE", value_parser = any_name())]
    pub source: Option<String>,
    /// Connect to the server that the model names as its source, without asking
    #[arg(long)]
    pub yes: bool,
}

#[derive(Args, Debug)]
pub struct Demo {
    /// Folder to make
    #[arg(value_name = "DIR", default_value = "mintage-demo")]
    pub dir: PathBuf,
    /// Time for training; the evaluation comes on top
    #[arg(long, value_name = "TIME", default_value = "90s")]
    pub time: String,
    /// Remove what an earlier demo left in the folder
    #[arg(long)]
    pub force: bool,
}

#[derive(Args, Debug)]
pub struct Inspect {
    /// A SQLite file, a postgres:// address, CSV, Parquet, JSON Lines, a folder of tables, images, texts, MIDI
    /// files, sounds or clips, a text, a clip, or IDX images
    #[arg(value_name = "SOURCE", value_parser = any_name())]
    pub source: String,
    #[command(flatten)]
    pub columns: Columns,
    /// Lines as long as what is in them, in place of what fits the terminal
    #[arg(long)]
    pub wide: bool,
    /// Write a grid of images to this PNG; of clips strips of film, or a GIF that moves
    #[arg(long, value_name = "FILE")]
    pub preview: Option<PathBuf>,
    /// Of a database or a folder of tables: write a drawing of the tables and their keys to this SVG
    #[arg(long, value_name = "FILE")]
    pub schema: Option<PathBuf>,
    /// A key between tables that nobody declares, such as orders.customer_id=customers.id, as often as wanted;
    /// orders.ref=none says that what was declared or found is none
    #[arg(long = "key", value_name = "KEY")]
    pub keys: Vec<String>,
}

#[derive(Args, Debug)]
pub struct Init {
    /// A SQLite file, a postgres:// address, CSV, Parquet, JSON Lines, a folder of images, texts, MIDI files,
    /// sounds or clips, a text, a clip, or IDX images
    #[arg(value_name = "SOURCE", value_parser = any_name())]
    pub source: String,
    #[command(flatten)]
    pub columns: Columns,
    /// The recipe to write; `-` is stdout
    #[arg(short, long = "out", value_name = "FILE", default_value = "recipe.toml")]
    pub out: PathBuf,
    /// Overwrite an existing file
    #[arg(long)]
    pub force: bool,
}

#[derive(Args, Debug)]
pub struct Train {
    /// Data (a SQLite file, a postgres:// address, CSV, Parquet, JSON Lines, a folder of images, texts, MIDI files,
    /// sounds or clips, a text, a clip, IDX images) or a recipe.toml
    #[arg(value_name = "SOURCE|RECIPE", required_unless_present = "resume", conflicts_with = "resume", value_parser = any_name())]
    pub target: Option<String>,
    #[command(flatten)]
    pub columns: Columns,
    /// Family of models
    #[arg(long, value_enum, value_name = "FAMILY")]
    pub model: Option<FamilyChoice>,
    /// Size of the model
    #[arg(long, value_parser = SizeParser, value_name = "SIZE")]
    pub size: Option<SizeChoice>,
    /// Budget of time, such as 90s, 10m or 2h; with --resume what comes on top of the time spent
    #[arg(long, value_name = "TIME", conflicts_with = "steps")]
    pub time: Option<String>,
    /// Budget in steps, in place of time; with --resume the step to end at, counted from the beginning
    #[arg(long, value_name = "N", value_parser = value_parser!(u64).range(1..=MAX_INT))]
    pub steps: Option<u64>,
    /// Name of the run (FAMILY-SOURCE-N without this)
    #[arg(long, value_name = "NAME", conflicts_with = "resume")]
    pub name: Option<String>,
    #[command(flatten)]
    pub tables: Tables,
    /// A key between tables that nobody declares, such as orders.customer_id=customers.id, as often as wanted;
    /// orders.ref=none says that what was declared or found is none
    #[arg(long = "key", value_name = "KEY", conflicts_with = "resume")]
    pub keys: Vec<String>,
    /// Continue a run, or the latest one that was interrupted
    #[arg(long, value_name = "NAME", num_args = 0..=1)]
    pub resume: Option<Option<String>>,
    /// Print the recipe with all that was resolved, and train nothing
    #[arg(long)]
    pub dry_run: bool,
    /// Connect to the server that the recipe or the run names as its source, without asking
    #[arg(long)]
    pub yes: bool,
    /// Set any option of the recipe: model.width=64, train.patience=0, data.size=32
    #[arg(short = 's', long = "set", value_name = "KEY=VALUE")]
    pub set: Vec<String>,
}

/// A family by name, or `auto`: let the kind of data decide.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FamilyChoice(Option<Family>);

impl FamilyChoice {
    /// `None`: let the kind of data decide.
    pub fn family(self) -> Option<Family> {
        self.0
    }
}

impl ValueEnum for FamilyChoice {
    fn value_variants<'a>() -> &'a [Self] {
        const AND_AUTO: usize = Family::ALL.len() + 1;
        const ALL: [FamilyChoice; AND_AUTO] = {
            let mut all = [FamilyChoice(None); AND_AUTO];
            let mut at = 0;
            while at < Family::ALL.len() {
                all[at + 1] = FamilyChoice(Some(Family::ALL[at]));
                at += 1;
            }
            all
        };
        &ALL
    }

    fn to_possible_value(&self) -> Option<PossibleValue> {
        Some(PossibleValue::new(self.0.map_or("auto", Family::name)))
    }
}

/// A file, a folder, a run or an address, in whatever bytes: names of files need not be texts.
fn any_name() -> impl TypedValueParser<Value = String> {
    OsStringValueParser::new().map(|name| mintage_data::names::text_of(&name))
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum SizeChoice {
    Tiny,
    Small,
    Base,
    Large,
}

/// Sizes of models; a number is taken for the side of images, and the error says where that belongs.
#[derive(Clone, Debug)]
struct SizeParser;

impl TypedValueParser for SizeParser {
    type Value = SizeChoice;

    fn parse_ref(
        &self,
        command: &clap::Command,
        arg: Option<&clap::Arg>,
        value: &OsStr,
    ) -> Result<SizeChoice, clap::Error> {
        let digits = value.to_string_lossy();
        if digits.starts_with(|c: char| c.is_ascii_digit()) {
            let message = format!(
                "--size is the size of the model, not of images: tiny, small, base or large\n  hint: sides of images: -s data.size={digits}\n"
            );
            return Err(clap::Error::raw(ErrorKind::InvalidValue, message).with_cmd(command));
        }
        EnumValueParser::<SizeChoice>::new().parse_ref(command, arg, value)
    }

    fn possible_values(&self) -> Option<Box<dyn Iterator<Item = PossibleValue> + '_>> {
        Some(Box::new(SizeChoice::value_variants().iter().filter_map(ValueEnum::to_possible_value)))
    }
}

impl From<SizeChoice> for Size {
    fn from(choice: SizeChoice) -> Self {
        match choice {
            SizeChoice::Tiny => Self::Tiny,
            SizeChoice::Small => Self::Small,
            SizeChoice::Base => Self::Base,
            SizeChoice::Large => Self::Large,
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum ExistsChoice {
    /// Say so and write nothing
    Fail,
    /// Add the new rows
    Append,
    /// Put the new rows in its place
    Replace,
}

impl From<ExistsChoice> for IfExists {
    fn from(choice: ExistsChoice) -> Self {
        match choice {
            ExistsChoice::Fail => Self::Fail,
            ExistsChoice::Append => Self::Append,
            ExistsChoice::Replace => Self::Replace,
        }
    }
}

#[derive(Args, Debug)]
pub struct Reconstruct {
    /// A run's name or a model's folder
    #[arg(value_name = "MODEL", value_parser = any_name())]
    pub model: String,
    /// Images, sounds or clips; without any, data that the model never saw
    #[arg(value_name = "FILE")]
    pub files: Vec<PathBuf>,
    /// How many of the held-out data
    #[arg(short = 'n', long = "n", value_name = "N", default_value_t = 32)]
    pub n: usize,
    /// The PNG or WAV to write, of clips the GIF, PNG or MP4; without this one in the model's own folder
    #[arg(short, long = "out", value_name = "FILE")]
    pub out: Option<PathBuf>,
    #[command(flatten)]
    pub moved: SourceOverride,
}

#[derive(Args, Debug)]
pub struct Evaluate {
    /// A run's name or a model's folder; before NEW real data, any source that `train` reads
    #[arg(value_name = "MODEL|REAL", value_parser = any_name())]
    pub model: String,
    /// What another program made, to be judged beside the real data: any such source of the same kind
    #[arg(value_name = "NEW", value_parser = any_name())]
    pub new: Option<String>,
    /// With NEW: what that program was trained on. All of REAL is held out then, and copies are judged. Without this a tenth
    /// of REAL is compared with, and copies are not judged. REAL again means that it was trained on all of REAL, but for a part
    /// `test`: copies are searched for
    #[arg(long, value_name = "TRAIN", requires = "new", value_parser = any_name())]
    pub train: Option<String>,
    #[command(flatten)]
    pub columns: Columns,
    /// How many samples to judge
    #[arg(short = 'n', long = "n", value_name = "N")]
    pub n: Option<usize>,
    /// Of an `ar` of texts or tunes: also give the likelihood of held-out documents while weights and counts follow each
    /// document as it is read. That takes two to three times as long as the likelihood by itself
    #[arg(long, conflicts_with = "new")]
    pub adapt: bool,
    /// Write the report as JSON; `-` is stdout
    // Takes the place of the global flag, whose id and type it shares: the value arrives there.
    #[arg(id = "json", long = "json", value_name = "FILE")]
    pub _json: Option<PathBuf>,
    /// Write the report as a page
    #[arg(long, value_name = "FILE")]
    pub html: Option<PathBuf>,
    /// End with exit code 1 when a dial is below this: fidelity=0.8 or fidelity=80. Of a whole database also cardinality,
    /// shapes, trends and hops, and detection, which may not be above
    #[arg(long, value_name = "DIAL=SCORE", value_delimiter = ',')]
    pub fail_under: Vec<String>,
    #[command(flatten)]
    pub moved: SourceOverride,
}

#[derive(Args, Debug)]
pub struct Score {
    /// A run's name or a model's folder
    #[arg(value_name = "MODEL", value_parser = any_name())]
    pub model: String,
    /// The data to judge
    #[arg(value_name = "SOURCE", value_parser = any_name())]
    pub items: String,
    #[command(flatten)]
    pub columns: Columns,
    #[command(flatten)]
    pub moved: SourceOverride,
}

#[derive(Args, Debug)]
pub struct Nearest {
    /// A run's name or a model's folder
    #[arg(value_name = "MODEL", value_parser = any_name())]
    pub model: String,
    /// The items to ask about; without any, new ones are drawn
    #[arg(value_name = "SOURCE", value_parser = any_name())]
    pub items: Option<String>,
    /// Without SOURCE: how many new ones to draw
    #[arg(short = 'n', long = "n", value_name = "N", default_value_t = 4, conflicts_with = "items")]
    pub n: usize,
    /// How many training items to show for each
    #[arg(short = 'k', long = "neighbours", value_name = "K", default_value_t = 3)]
    pub neighbours: usize,
    #[command(flatten)]
    pub columns: Columns,
    #[command(flatten)]
    pub moved: SourceOverride,
}

#[derive(Args, Debug)]
pub struct Explain {
    /// A run's name or a model's folder
    #[arg(value_name = "MODEL", value_parser = any_name())]
    pub model: String,
    /// The items to ask about; without any, new ones are drawn
    #[arg(value_name = "SOURCE", value_parser = any_name())]
    pub items: Option<String>,
    /// Without SOURCE: how many new ones to draw
    #[arg(short = 'n', long = "n", value_name = "N", default_value_t = 4, conflicts_with = "items")]
    pub n: usize,
    #[command(flatten)]
    pub columns: Columns,
    #[command(flatten)]
    pub moved: SourceOverride,
}

#[derive(Args, Debug)]
pub struct Show {
    /// A run's name or a model's folder; or a file, a folder or a database, to see which model made what is in it
    #[arg(value_name = "MODEL|FILE", value_parser = any_name())]
    pub model: String,
    /// Print the recipe and nothing else
    #[arg(long)]
    pub recipe: bool,
    /// Print the JSON Schema of what can be asked of the model, with its conditions and their values
    #[arg(long, conflicts_with = "recipe")]
    pub schema: bool,
    /// Of a database: the table to look at (all of them without this)
    #[arg(long, value_name = "TABLE", conflicts_with_all = ["recipe", "schema"])]
    pub table: Option<String>,
}

#[derive(Args, Debug)]
pub struct Rm {
    /// Runs, by name or by folder
    // Not `runs`: that is the id of the global flag.
    #[arg(value_name = "RUN", required = true, value_parser = any_name())]
    pub names: Vec<String>,
    /// Do not ask
    #[arg(short, long)]
    pub yes: bool,
}

#[derive(Args, Debug)]
pub struct Export {
    /// A run's name or a model's folder
    #[arg(value_name = "RUN", value_parser = any_name())]
    pub model: String,
    /// Folder to make
    #[arg(short, long = "out", value_name = "DIR")]
    pub out: PathBuf,
}

#[derive(Args, Debug)]
pub struct Completions {
    #[arg(value_enum, value_name = "SHELL")]
    pub shell: clap_complete::Shell,
}

#[derive(Args, Debug)]
pub struct Man {
    /// Folder for one page a verb
    #[arg(short, long = "out", value_name = "DIR")]
    pub out: Option<PathBuf>,
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn definitions_are_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn json_is_a_flag_everywhere_and_takes_a_file_in_evaluate() {
        let json = |line: &str| Cli::try_parse_from(line.split(' ')).ok().and_then(|cli| cli.global.json);
        assert_eq!(json("mintage ls --json"), Some(PathBuf::from("-")));
        assert_eq!(json("mintage --json ls"), Some(PathBuf::from("-")));
        assert_eq!(json("mintage ls --json=x"), Some(PathBuf::from("x")));
        assert_eq!(json("mintage evaluate m --json x"), Some(PathBuf::from("x")));
        assert_eq!(json("mintage --json evaluate m"), Some(PathBuf::from("-")));
        assert_eq!(json("mintage evaluate m"), None);
    }

    #[test]
    fn resume_takes_a_name_or_none() {
        let resume = |line: &str| match Cli::try_parse_from(line.split(' ')).map(|cli| cli.verb) {
            Ok(Verb::Train(train)) => train.resume,
            _ => None,
        };
        assert_eq!(resume("mintage train --resume"), Some(None));
        assert_eq!(resume("mintage train --resume a"), Some(Some("a".to_owned())));
        assert!(Cli::try_parse_from(["mintage", "train"]).is_err());
    }
}
