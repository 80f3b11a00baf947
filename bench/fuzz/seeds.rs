//! What is mutated: small files of every format, and tiny models of every kind and family.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::SystemTime,
};

use image::{DynamicImage, ImageFormat};
use rusqlite::Connection;

use super::{Options, formats};

/// Models: name, source, and what the command is told beside it.
const MODELS: [(&str, &str, &str); 24] = [
    ("table-vae", "rows.db", "--model vae"),
    ("table-vqvae", "rows.db", "--model vqvae"),
    ("table-ar", "shop.csv", "--model ar"),
    ("table-flow", "rows.db", "--model flow"),
    ("table-gan", "rows.db", "--model gan"),
    ("table-mixture", "shop.csv", "--model mixture"),
    ("table-rules", "rules.toml", "--model mixture"),
    ("image-vae", "images.db", "--label category --model vae"),
    ("image-vqvae", "images.db", "--label category --model vqvae"),
    ("image-gan", "images.db", "--label category --model gan"),
    ("image-flow", "images.db", "--label category --model flow"),
    ("text-ar", "texts.db", "--column text --label language --model ar"),
    ("text-vae", "text.txt", "--model vae"),
    ("text-vqvae", "text.txt", "--model vqvae"),
    ("text-gan", "text.txt", "--model gan"),
    ("text-bpe", "text.txt", "--model ar -s data.unit=bpe -s data.vocab=320"),
    ("music-ar", "tunes", "--model ar"),
    ("music-remi", "tunes", "--model vae -s data.music=remi"),
    ("sound-vqvae", "sounds", "--model vqvae"),
    ("sound-vae", "sounds", "--model vae"),
    ("sound-gan", "sounds.db", "--label digit --model gan"),
    ("clip-vqvae", "clips", "--model vqvae"),
    ("clip-vae", "clips", "--model vae"),
    ("clip-gan", "clips.db", "--label action --model gan"),
];

/// A folder, its table in the demo's database, rows, and what its column of bytes becomes: the column and a suffix.
type Part = (&'static str, &'static str, usize, Option<(&'static str, &'static str)>);

/// Parts of the database of the demo.
const PARTS: [Part; 6] = [
    ("rows", "census", 150, None),
    ("images", "products", 40, Some(("photo", "png"))),
    ("texts", "texts", 40, None),
    ("tunes", "tunes", 12, Some(("tune", "mid"))),
    ("sounds", "sounds", 24, Some(("recording", "wav"))),
    ("clips", "clips", 16, Some(("clip", "gif"))),
];

/// Recipes whose values are changed.
const RECIPES: [(&str, &str); 7] = [
    ("rows.db", "[model]\nfamily = \"ar\"\nsize = \"tiny\"\nwidth = 32\nblocks = 1\n"),
    ("shop.csv", "[model]\nfamily = \"mixture\"\nsize = \"tiny\"\n"),
    ("images.db", "label = \"category\"\nsize = 16\n[model]\nfamily = \"gan\"\nsize = \"tiny\"\n"),
    (
        "images.db",
        "label = \"category\"\n[model]\nfamily = \"vqvae\"\nsize = \"tiny\"\nwidth = 32\ncodes = 128\nbatch = 16\n",
    ),
    ("text.txt", "[model]\nfamily = \"ar\"\nsize = \"tiny\"\ncontext = 32\nbatch = 4\n"),
    ("sounds", "rate = 4000\n[model]\nfamily = \"gan\"\nsize = \"tiny\"\nbatch = 4\n"),
    ("clips", "frames = 4\n[model]\nfamily = \"vqvae\"\nsize = \"tiny\"\nbatch = 2\n"),
];

/// Makes the seeds, unless they were made by the same command.
pub fn make(options: &Options) {
    let dir = options.dir.join("seeds");
    let stamp = dir.join("made-by");
    let made = fs::metadata(&options.command).and_then(|m| m.modified()).unwrap();
    let made = made.duration_since(SystemTime::UNIX_EPOCH).unwrap().as_millis().to_string();
    if fs::read_to_string(&stamp).is_ok_and(|text| text == made) {
        return;
    }
    let _ = fs::remove_dir_all(&dir);
    fs::create_dir_all(dir.join("data")).unwrap();
    data(&dir.join("data"));
    models(options, &dir);
    files(options, &dir);
    recipes(&dir);
    fs::write(stamp, made).unwrap();
}

/// The data that models learn from.
fn data(dir: &Path) {
    let crates = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let demo = crates.join("mintage-cli/assets/demo.db");
    for (name, table, rows, column) in PARTS {
        let small = Connection::open(dir.join(format!("{name}.db"))).unwrap();
        small.execute_batch("PRAGMA page_size = 1024; PRAGMA journal_mode = OFF").unwrap();
        small.execute("ATTACH ?1 AS demo", [demo.to_str().unwrap()]).unwrap();
        // Evenly spread, so that every class is there.
        let every = format!("(SELECT max(1, count(*) / {rows}) FROM demo.{table})");
        let copy =
            format!("CREATE TABLE {table} AS SELECT * FROM demo.{table} WHERE id % {every} = 0 LIMIT {rows}");
        small.execute_batch(&copy).unwrap();
        small.execute_batch("DETACH demo").unwrap();
        let Some((column, extension)) = column else { continue };
        let folder = dir.join(name);
        fs::create_dir_all(&folder).unwrap();
        let mut select = small.prepare(&format!("SELECT {column} FROM {table}")).unwrap();
        let blobs = select.query_map([], |row| row.get::<_, Vec<u8>>(0)).unwrap();
        for (i, blob) in blobs.enumerate() {
            fs::write(folder.join(format!("{i:02}.{extension}")), blob.unwrap()).unwrap();
        }
    }
    let texts = Connection::open(dir.join("texts.db")).unwrap();
    let mut select = texts.prepare("SELECT text FROM texts").unwrap();
    let all: Vec<String> = select.query_map([], |row| row.get(0)).unwrap().map(Result::unwrap).collect();
    fs::write(dir.join("text.txt"), all.join("\n\n")).unwrap();
    fs::write(dir.join("shop.csv"), shop(',')).unwrap();
    let rules = "[data]\nsource = \"shop.csv\"\nrules = [\n\
        { kind = \"formula\", column = \"total\", equals = \"price * quantity\" },\n\
        { kind = \"order\", columns = [\"ordered\", \"shipped\"] },\n\
        { kind = \"combination\", columns = [\"kind\", \"colour\"] },\n\
        { kind = \"positive\", column = \"price\" },\n\
        { kind = \"range\", column = \"quantity\", min = 1, max = 9 },\n]\n";
    fs::write(dir.join("rules.toml"), rules).unwrap();
}

/// Orders with every kind of column.
fn shop(mark: char) -> String {
    let row = |i: usize| {
        let (price, quantity) = ((i * 37 % 500 + 5) as f64 / 4.0, i * 7 % 9 + 1);
        let (day, later) = (i * 11 % 27 + 1, (i * 11 % 27 + 1 + i % 3).min(28));
        let kind = ["boot", "coat", "bag"][i % 3];
        let colour = ["red", "blue"][i / 3 % 2];
        let note = if i.is_multiple_of(5) { String::new() } else { format!("n{}", i * i % 97) };
        let cells = [
            format!("ORD-{i:05}"),
            format!("2024-03-{day:02}"),
            format!("2024-03-{later:02}"),
            format!("{price:.2}"),
            quantity.to_string(),
            format!("{:.2}", price * quantity as f64),
            kind.to_owned(),
            colour.to_owned(),
            if i.is_multiple_of(2) { "yes" } else { "no" }.to_owned(),
            note,
        ];
        cells.join(&mark.to_string())
    };
    let header = ["id", "ordered", "shipped", "price", "quantity", "total", "kind", "colour", "paid", "note"];
    let rows = (0..160).map(row);
    std::iter::once(header.join(&mark.to_string())).chain(rows).map(|line| line + "\n").collect()
}

/// The command, in the folder of the seeds.
fn mintage(options: &Options, dir: &Path, line: &str) -> Command {
    let mut command = Command::new(&options.command);
    command.args(["--threads", "1", "--no-progress", "--runs"]).arg(dir.join("runs"));
    command.args(line.split_whitespace()).current_dir(dir.join("data"));
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
    command
}

fn models(options: &Options, dir: &Path) {
    const REPORT: &str = r#"{"format": 1, "model": "m", "family": "vae", "size": "tiny", "source": "s", "data": "150 rows",
        "item": "row", "n": 20, "seed": 1, "items_per_sec": 10.5, "train_secs": 2.0,
        "dials": {"fidelity": {"score": 50.0, "low": 40.0, "high": 60.0}},
        "metrics": [{"name": "trend", "space": "rows", "value": 0.9, "low": 0.8, "high": 0.95, "ceiling": 1.0,
        "floor": 0.5, "better": "higher", "dial": "fidelity"}]}"#;
    for pair in MODELS.chunks(options.jobs.max(1)) {
        let start = |&(name, source, told): &(&'static str, &str, &str)| {
            let source = dir.join("data").join(source);
            let line = format!(
                "train {} {told} --size tiny --steps 2 --seed 1 --name {name} -s train.previews=0",
                source.display()
            );
            (name, mintage(options, dir, &line).spawn().unwrap())
        };
        for (name, child) in pair.iter().map(start).collect::<Vec<_>>() {
            let done = child.wait_with_output().unwrap();
            assert!(done.status.success(), "{name}: {}", String::from_utf8_lossy(&done.stderr));
            fs::write(dir.join("runs").join(name).join("report.json"), REPORT).unwrap();
        }
    }
}

fn files(options: &Options, dir: &Path) {
    let put = |group: &str, name: &str, bytes: &[u8]| {
        let folder = dir.join("files").join(group);
        fs::create_dir_all(&folder).unwrap();
        fs::write(folder.join(name), bytes).unwrap();
    };
    let data = dir.join("data");
    let some = |folder: &str, n: usize| -> Vec<Vec<u8>> {
        let mut all: Vec<PathBuf> =
            fs::read_dir(data.join(folder)).unwrap().map(|e| e.unwrap().path()).collect();
        all.sort();
        all.iter().take(n).map(|path| fs::read(path).unwrap()).collect()
    };
    for (group, folder, extension) in [
        ("images", "images", "png"),
        ("clips", "clips", "gif"),
        ("music", "tunes", "mid"),
        ("sounds", "sounds", "wav"),
    ] {
        for (i, bytes) in some(folder, 3).iter().enumerate() {
            put(group, &format!("{i}.{extension}"), bytes);
        }
    }
    let picture = image::load_from_memory(&some("images", 1)[0]).unwrap();
    let kinds = [
        ("a.jpg", ImageFormat::Jpeg),
        ("a.bmp", ImageFormat::Bmp),
        ("a.webp", ImageFormat::WebP),
        ("a.gif", ImageFormat::Gif),
    ];
    for (name, format) in kinds {
        let mut bytes = std::io::Cursor::new(Vec::new());
        DynamicImage::from(picture.to_rgb8()).write_to(&mut bytes, format).unwrap();
        put("images", name, &bytes.into_inner());
    }
    let pixels: Vec<u8> = (0..20 * 64).map(|i: u32| (i * i % 251) as u8).collect();
    let idx = [&[0u8, 0, 8, 3, 0, 0, 0, 20, 0, 0, 0, 8, 0, 0, 0, 8][..], &pixels].concat();
    put("idx", "images-idx3-ubyte", &idx);
    put("idx", "images-idx3-ubyte.gz", &gzip(&idx));
    for name in ["rows", "images", "texts", "tunes"] {
        put("sqlite", &format!("{name}.db"), &fs::read(data.join(format!("{name}.db"))).unwrap());
    }
    put("tables", "shop.csv", shop(',').as_bytes());
    put("tables", "shop.tsv", shop('\t').as_bytes());
    put("tables", "semicolon.csv", shop(';').as_bytes());
    put(
        "tables",
        "list.json",
        br#"[{"a": 1, "b": "x"}, {"a": 2.5, "b": null}, {"a": 3, "b": "y", "c": [1, 2]}]"#,
    );
    let out = dir.join("files/tables");
    for name in ["new.jsonl", "new.csv.gz", "new.csv.zst", "new.jsonl.gz", "new.parquet", "rows.parquet"] {
        let model = if name == "rows.parquet" { "table-vae" } else { "table-mixture" };
        let line = format!("sample {model} -n 40 --seed 3 -o {}", out.join(name).display());
        let done = mintage(options, dir, &line).output().unwrap();
        assert!(done.status.success(), "{line}: {}", String::from_utf8_lossy(&done.stderr));
    }
    let apng = dir.join("files/clips/a.png");
    mintage(options, dir, &format!("sample clip-vqvae -n 1 --seed 3 -o {}", apng.display()))
        .output()
        .unwrap();
    let text = fs::read_to_string(data.join("text.txt")).unwrap();
    let text: String = text.chars().take(3000).collect();
    put("texts", "a.txt", text.as_bytes());
    put("texts", "wide.txt", &text.encode_utf16().flat_map(u16::to_le_bytes).collect::<Vec<u8>>());
    put("texts", "a.txt.gz", &gzip(text.as_bytes()));
    let fixtures =
        Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().join("mintage-data/tests/fixtures");
    for name in ["tone.flac", "tone.mp3", "tone.ogg"] {
        put("sounds", name, &fs::read(fixtures.join(name)).unwrap());
    }
}

fn gzip(data: &[u8]) -> Vec<u8> {
    let mut out = vec![0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255];
    formats::stored(data, &mut out);
    out.extend(formats::crc32(data).to_le_bytes());
    out.extend((data.len() as u32).to_le_bytes());
    out
}

fn recipes(dir: &Path) {
    fs::create_dir_all(dir.join("recipes")).unwrap();
    for (i, (source, rest)) in RECIPES.iter().enumerate() {
        let source = dir.join("data").join(source);
        let text =
            format!("[data]\nsource = \"{}\"\n{rest}[train]\nsteps = 1\npreviews = 0\n", source.display());
        fs::write(dir.join("recipes").join(format!("{i}.toml")), text).unwrap();
    }
}

/// Everything that was made, in an order that does not change.
pub struct Seeds {
    /// Group, name, bytes.
    pub files: Vec<(String, String, Vec<u8>)>,
    pub recipes: Vec<Vec<u8>>,
    /// Folders of runs, which are also models.
    pub runs: Vec<PathBuf>,
    pub data: PathBuf,
}

impl Seeds {
    pub fn load(dir: &Path) -> Self {
        let dir = dir.join("seeds");
        let mut files = Vec::new();
        for group in sorted(&dir.join("files")) {
            for file in sorted(&group) {
                let name = |path: &Path| path.file_name().unwrap().to_string_lossy().into_owned();
                // A note of where rows come from lies beside a file of them.
                if !name(&file).ends_with(".mintage.json") {
                    files.push((name(&group), name(&file), fs::read(&file).unwrap()));
                }
            }
        }
        let recipes = sorted(&dir.join("recipes")).iter().map(|path| fs::read(path).unwrap()).collect();
        Self { files, recipes, runs: sorted(&dir.join("runs")), data: dir.join("data") }
    }
}

pub fn sorted(dir: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(dir).unwrap_or_else(|e| panic!("{}: {e}", dir.display()));
    let mut all: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
    all.retain(|path| !path.file_name().unwrap().to_string_lossy().starts_with('.'));
    all.sort();
    all
}
