//! Data larger than memory: the price in memory of a folder whose decoded images exceed what is kept, and of a text of a
//! gigabyte.

use std::{
    fs::{self, File},
    io::{BufWriter, Write},
    path::Path,
    sync::Arc,
};

use mintage::{
    AnyData, Family, Model, Recipe,
    data::{ImageSet, ImageShape, Images, png_bytes},
    nn::Rng,
};

use crate::{
    Options,
    baselines::russian_works,
    figures::Figure,
    training::{recipe, setup, trained},
};

const IMAGES: usize = 120_000;
const SHAPE: ImageShape = ImageShape { channels: 3, height: 64, width: 64 };

/// Peak memory after training on a few images, then after training on many: the difference is the data's.
pub fn streaming(case: &str, options: &Options) {
    let folder = options.runs.join("streamed-images");
    let few = train_on(&folder.join("few"), 500, "streamed-few", options);
    let base = peak_mb();
    drop(few);
    let model = train_on(&folder.join("many"), IMAGES, "streamed-many", options);
    let peak = peak_mb();
    let how = format!(
        "{}; a folder of {IMAGES} PNG, 64×64 RGB; 500 of them take {base:.0} MB",
        setup(&model, options)
    );
    Figure::lower(case, "peak resident memory", peak, "MB").print(&how);
    Figure::lower(case, "the same beyond that of 500 images", peak - base, "MB").limit(1000.0).print(&how);
}

fn train_on(folder: &Path, count: usize, name: &str, options: &Options) -> Model {
    write_images(folder, count);
    let mut recipe = Recipe::for_source(&folder.display().to_string());
    recipe.data.label = Some("none".to_owned());
    recipe.model.family = Some(Family::Vae);
    recipe.set("size=tiny").unwrap();
    recipe.train.steps = Some(300);
    let data = Arc::new(ImageSet::open(&recipe.data).unwrap());
    assert_eq!((data.shape(), data.is_streamed()), (SHAPE, count == IMAGES));
    trained(&recipe, &data.clone().into(), name, options)
}

const TEXT_BYTES: usize = 1_000_000_000;

/// Peak memory of learning from one text of a gigabyte, from opening it to the end of a minute's training.
pub fn long_text(case: &str, options: &Options) {
    let path = options.runs.join("gibibyte.txt");
    if !path.exists() {
        fs::create_dir_all(&options.runs).unwrap();
        let half = path.with_extension("tmp");
        write_text(&half, options);
        fs::rename(&half, &path).unwrap();
    }
    let recipe = recipe(&path, Family::Ar, 1.0, &["model.size=tiny"], options);
    let data = AnyData::open(&recipe.data).unwrap();
    let AnyData::Sequence(set) = &data else { panic!("no sequences") };
    let tokens = set.info().train_tokens;
    let model = trained(&recipe, &data, case, options);
    let how =
        format!("{}; one text of {TEXT_BYTES} bytes, {tokens} tokens to learn from", setup(&model, options));
    Figure::lower(case, "peak resident memory, mapped files included", peak_mb(), "MB")
        .limit(2000.0)
        .print(&how);
}

/// Russian works over and over, each time with the letters moved on by one, so that there are always new words.
fn write_text(path: &Path, options: &Options) {
    const LETTERS: u32 = 32; // а to я
    let works = russian_works(options);
    let mut out = BufWriter::new(File::create(path).unwrap());
    let mut written = 0;
    for shift in 0.. {
        for work in &works {
            let moved = |letter: char, first: char| {
                let at = (letter as u32 - first as u32 + shift) % LETTERS;
                char::from_u32(first as u32 + at).unwrap()
            };
            let text: String = work
                .text
                .chars()
                .map(|letter| match letter {
                    'а'..='я' => moved(letter, 'а'),
                    'А'..='Я' => moved(letter, 'А'),
                    other => other,
                })
                .collect();
            out.write_all(text.as_bytes()).unwrap();
            written += text.len();
            if written >= TEXT_BYTES {
                return out.flush().unwrap();
            }
        }
    }
}

/// Smooth pictures, no two alike, a thousand a folder.
fn write_images(folder: &Path, count: usize) {
    if folder.join("whole").exists() {
        return;
    }
    let side = SHAPE.width;
    for index in 0..count {
        let dir = folder.join(format!("{:03}", index / 1000));
        if index % 1000 == 0 {
            fs::create_dir_all(&dir).unwrap();
        }
        let mut rng = Rng::new(index as u64, 0);
        let wave: Vec<f32> = (0..9).map(|_| rng.uniform()).collect();
        let value = |c: usize, y: usize, x: usize| {
            let phase = wave[c] * x as f32 + wave[3 + c] * y as f32 + 6.3 * wave[6 + c];
            (127.5 + 127.0 * (0.3 * phase).sin()) as u8
        };
        let pixels =
            (0..3 * side * side).map(|i| value(i / (side * side), i / side % side, i % side)).collect();
        let image = Images { shape: SHAPE, pixels, labels: vec![], classes: vec![] };
        fs::write(dir.join(format!("{index:06}.png")), png_bytes(&image, 0, None).unwrap()).unwrap();
    }
    fs::write(folder.join("whole"), "").unwrap();
}

/// The most memory this process ever had resident, as the kernel counts it.
pub fn peak_mb() -> f64 {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap_or("0");
    line.trim().trim_end_matches("kB").trim().parse::<f64>().unwrap_or(0.0) / 1e3
}
