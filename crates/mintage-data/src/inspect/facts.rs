//! What sets of images, sounds, clips, texts and tunes say of themselves, and what will hurt.

use serde::Serialize;

use super::{Alert, AudioFacts, ImageFacts, SequenceFacts, VideoFacts};
use crate::{AudioSet, ImageSet, SequenceSet, Split, VideoSet, sequence::Tokenizer};

/// Tokens of a train split below which little is learned.
const FEW_TOKENS: u64 = 20_000;
/// Images or sounds below which little is learned.
const FEW_ITEMS: usize = 200;
/// Items of clips below which little is learned.
const FEW_CLIPS: usize = 100;
/// Characters of an example.
pub(super) const EXAMPLE: usize = 40;

pub(super) fn image_facts(set: &ImageSet, alerts: &mut Vec<Alert>) -> ImageFacts {
    let classes = class_counts(set.classes(), set.labels());
    let mut alert = |message: String, hint: &str| {
        alerts.push(Alert { message, hint: (!hint.is_empty()).then(|| hint.to_owned()) });
    };
    if set.skipped() > 0 {
        let first = set.first_skip().unwrap_or_default();
        let what = match set.skipped() {
            1 => "1 image cannot be read and is skipped: ".to_owned(),
            n => format!("{n} images cannot be read and are skipped; the first is "),
        };
        alert(format!("{what}{first}"), if set.skipped() > 1 { "-v names them all" } else { "" });
    }
    set.notes().iter().for_each(|note| alert(note.clone(), ""));
    if set.len() < FEW_ITEMS {
        let what = if set.len() == 1 { "1 image is".to_owned() } else { format!("{} images are", set.len()) };
        alert(format!("{what} few: expect copies and noise"), "a few hundred are a good beginning");
    }
    add_class_alerts(&classes, "image", alerts);
    let s = set.splits();
    ImageFacts {
        count: set.len(),
        skipped: set.skipped(),
        shape: set.shape(),
        classes,
        splits: (s.train.len(), s.valid.len(), s.holdout.len()),
        streamed: set.is_streamed(),
    }
}

/// Name and number of items of each class.
fn class_counts(classes: &[String], labels: &[u32]) -> Vec<(String, usize)> {
    let mut counts = vec![0usize; classes.len()];
    for &label in labels {
        if let Some(count) = counts.get_mut(label as usize) {
            *count += 1;
        }
    }
    classes.iter().cloned().zip(counts).collect()
}

/// What is unfortunate about classes; `thing` is one of their members.
fn add_class_alerts(classes: &[(String, usize)], thing: &str, alerts: &mut Vec<Alert>) {
    for (name, _) in classes.iter().filter(|(_, count)| *count == 1) {
        alerts.push(Alert {
            message: format!("label `{name}` has one member only"),
            hint: Some(format!("nothing can be learned of a class from one {thing}")),
        });
    }
    let (least, most) = (classes.iter().map(|c| c.1).min(), classes.iter().map(|c| c.1).max());
    if let (Some(least), Some(most)) = (least, most)
        && most > 20 * least.max(1)
    {
        alerts.push(Alert {
            message: format!("the classes are uneven: {least} to {most} {thing}s"),
            hint: Some("rare classes will turn out worse".to_owned()),
        });
    }
}

pub(super) fn clip_facts(set: &VideoSet, alerts: &mut Vec<Alert>) -> VideoFacts {
    let (classes, codec, splits) = (class_counts(set.classes(), set.labels()), set.codec(), set.splits());
    alerts.extend(set.notes().iter().map(|note| Alert { message: note.clone(), hint: None }));
    if set.len() < FEW_CLIPS {
        alerts.push(Alert {
            message: format!(
                "{} items of {} frames are few: expect copies and noise",
                set.len(),
                codec.frames
            ),
            hint: Some("a few hundred are a good beginning".to_owned()),
        });
    }
    add_class_alerts(&classes, "clip", alerts);
    VideoFacts {
        count: set.clip_count(),
        skipped: set.skipped(),
        shape: set.shape(),
        frames: codec.frames,
        fps: codec.fps,
        seconds: set.seconds(),
        windows: set.len(),
        classes,
        splits: (splits.train.len(), splits.valid.len(), splits.holdout.len()),
        mapped: set.is_mapped(),
    }
}

pub(super) fn sound_facts(set: &AudioSet, alerts: &mut Vec<Alert>) -> AudioFacts {
    let classes = class_counts(set.classes(), set.labels());
    alerts.extend(set.notes().iter().map(|note| Alert { message: note.clone(), hint: None }));
    let (items, splits, codec) = (set.items(Split::Train).len(), set.splits(), set.codec());
    if items < FEW_ITEMS {
        let what = if codec.whole { "sounds" } else { "segments of sounds" };
        alerts.push(Alert {
            message: format!("{items} {what} to learn from are few: expect copies and noise"),
            hint: Some("a few hundred are a good beginning".to_owned()),
        });
    }
    add_class_alerts(&classes, "sound", alerts);
    let lengths = || (0..set.len() as u32).map(|sound| set.seconds(sound));
    AudioFacts {
        count: set.len(),
        one: set.is_one(),
        skipped: set.skipped(),
        rate_hz: codec.rate_hz,
        channels: codec.channels,
        seconds: lengths().sum(),
        shortest_seconds: lengths().fold(f64::INFINITY, f64::min),
        longest_seconds: lengths().fold(0.0, f64::max),
        whole: codec.whole,
        item_seconds: codec.segment_seconds(),
        train_items: items,
        classes,
        splits: (splits.train.len(), splits.valid.len(), splits.holdout.len()),
        mapped: set.is_mapped(),
    }
}

pub(super) fn sequence_facts(set: &SequenceSet, alerts: &mut Vec<Alert>) -> SequenceFacts {
    let info = set.info();
    let all = 0..set.len() as u32;
    let members = |class: usize| all.clone().filter(|&i| set.class(i) == Some(class as u32)).count();
    let classes = info.classes.iter().enumerate().map(|(class, name)| (name.clone(), members(class)));
    let (unit, example) = match set.codec() {
        Tokenizer::Text(codec) => {
            let text =
                codec.decode(&set.beginning(0, 4 * EXAMPLE)).split_whitespace().collect::<Vec<_>>().join(" ");
            (json_name(&codec.unit()), text.chars().take(2 * EXAMPLE).collect())
        }
        Tokenizer::Music(codec) => (json_name(&codec.unit()), String::new()),
    };
    let splits = set.splits();
    let tokens: u64 =
        [Split::Train, Split::Valid, Split::Holdout].map(|split| set.tokens(split)).iter().sum();
    if info.train_tokens < FEW_TOKENS {
        alerts.push(Alert {
            message: format!(
                "{} tokens to learn from are few: expect copies and nonsense",
                info.train_tokens
            ),
            hint: Some("a hundred thousand are a good beginning".to_owned()),
        });
    }
    alerts.extend(set.notes().iter().map(|note| Alert { message: note.clone(), hint: None }));
    SequenceFacts {
        modality: info.modality,
        count: set.len(),
        one: set.is_one(),
        unit,
        tokens,
        vocab: info.vocab,
        chars_per_token: info.chars_per_token,
        classes: classes.collect(),
        splits: (splits.train.len(), splits.valid.len(), splits.holdout.len()),
        example,
    }
}

/// A unit's name in recipes.
fn json_name(unit: &impl Serialize) -> String {
    serde_json::to_value(unit).ok().and_then(|name| name.as_str().map(str::to_owned)).unwrap_or_default()
}
