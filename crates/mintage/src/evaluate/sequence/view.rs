//! What people read, look at and listen to: new passages beside what they are nearest to.

use std::fmt::Write;

use mintage_data::{
    music::{piano_roll_svg, render},
    sequence::Tokenizer,
};

use super::{
    Copied,
    music::{figures, figures_of},
    passage,
    sets::{Found, Passage, Sets, score_of, unit},
};
use crate::report::{Exhibit, audio::player, charts::escaped};

/// Passages that are shown.
const MAX_PASSAGES: usize = 6;
/// Words around a copied run.
const CONTEXT_WORDS: usize = 30;
/// Characters of a passage that are shown.
const MAX_CHARS: usize = 700;
/// Tunes that can be heard: a page has to stay small enough to send.
const MAX_TUNES: usize = 3;
/// Bars of each tune.
const MAX_BARS: usize = 8;
/// Sampling rate of the tunes.
const RATE_HZ: u32 = 16_000;
/// Bytes of the page that a tune may take.
const MAX_PLAYER_BYTES: usize = 420_000;

pub(super) fn exhibits(sets: &Sets, found: &Found) -> Vec<Exhibit> {
    let new: Vec<usize> =
        (0..sets.new.len()).step_by((sets.new.len() / MAX_PASSAGES).max(1)).take(MAX_PASSAGES).collect();
    let real: Vec<&Passage> =
        sets.fresh.iter().step_by((sets.fresh.len() / MAX_PASSAGES).max(1)).take(MAX_PASSAGES).collect();
    match sets.data.codec() {
        Tokenizer::Text(_) => vec![texts(sets, found, &new), held_out(sets, &real)],
        Tokenizer::Music(_) => {
            let new: Vec<&Passage> = new.into_iter().map(|at| &sets.new[at]).take(MAX_TUNES).collect();
            let real = &real[..real.len().min(MAX_TUNES)];
            vec![tunes("New tunes", sets, &new), tunes("Held-out tunes", sets, real), spread(sets)]
        }
    }
}

fn text_of(sets: &Sets, passage: &Passage) -> String {
    let text = sets.data.codec().text().map(|codec| codec.decode(&passage.tokens)).unwrap_or_default();
    match text.char_indices().nth(MAX_CHARS) {
        Some((at, _)) => format!("{}…", &text[..at]),
        None => text,
    }
}

fn class_of(sets: &Sets, passage: &Passage) -> String {
    let name = passage.class.and_then(|class| sets.data.info().classes.get(class as usize));
    name.map(|name| format!("<b>{}</b> ", escaped(name))).unwrap_or_default()
}

/// New passages, each beside the stretch of the training texts that holds the longest run that it has from there.
fn texts(sets: &Sets, found: &Found, shown: &[usize]) -> Exhibit {
    let mut html = String::from("<div class=\"texts\">");
    for &at in shown {
        let passage = &sets.new[at];
        let _ = write!(
            html,
            "<div class=\"pair\"><div><p class=\"soft\">{}new; the detector gives it {:.0} % to be real</p><p class=\"text\">{}</p></div>",
            class_of(sets, passage),
            100.0 * found.realness[at],
            escaped(&text_of(sets, passage)),
        );
        html += &found.copied.as_ref().map(|copied| nearest(sets, &copied[at])).unwrap_or_default();
        html.push_str("</div>");
    }
    html.push_str("</div>");
    let note = match found.copied {
        Some(_) => "Each with the place in the training texts that it shares the longest run of words with.",
        None => "",
    };
    Exhibit { title: "New texts".to_owned(), note: note.to_owned(), html }
}

/// The stretch of the training texts with the longest run of a new one.
fn nearest(sets: &Sets, copied: &Copied) -> String {
    let around = passage(&sets.train, &copied.longest, CONTEXT_WORDS);
    let run = copied.longest.train..copied.longest.train + copied.longest.length;
    let [before, shared, after] = [around.start..run.start, run.clone(), run.end..around.end]
        .map(|range| escaped(&sets.words.text(&sets.train[range])));
    format!(
        "<div><p class=\"soft\">nearest in train: {} {} in a row</p><p class=\"text\">{before} <mark>{shared}</mark> \
         {after}</p></div>",
        copied.longest.length,
        unit(sets.data),
    )
}

fn held_out(sets: &Sets, shown: &[&Passage]) -> Exhibit {
    let mut html = String::from("<div class=\"texts\">");
    for passage in shown {
        let (class, text) = (class_of(sets, passage), escaped(&text_of(sets, passage)));
        let _ = write!(html, "<div><p class=\"soft\">{class}held out</p><p class=\"text\">{text}</p></div>");
    }
    html.push_str("</div>");
    Exhibit { title: "Held-out texts".to_owned(), note: "What the model never saw.".to_owned(), html }
}

/// Piano rolls, and what they sound like.
fn tunes(title: &str, sets: &Sets, shown: &[&Passage]) -> Exhibit {
    let mut html = String::new();
    for passage in shown {
        let Some(score) = score_of(sets.data.codec(), passage).map(|score| score.first_bars(MAX_BARS)) else {
            continue;
        };
        let sound =
            render(&score, RATE_HZ, None).map(|samples| player(&samples, 2, RATE_HZ, MAX_PLAYER_BYTES));
        let _ = write!(
            html,
            "<figure>{}<div class=\"wide roll\">{}</div>{}</figure>",
            class_of(sets, passage),
            piano_roll_svg(&score, 900),
            sound.unwrap_or_default()
        );
    }
    let note = format!(
        "The first {MAX_BARS} bars of each: time to the right, pitch upwards, a colour for each part."
    );
    Exhibit { title: title.to_owned(), note, html }
}

/// Every figure beside that of the held-out tunes.
fn spread(sets: &Sets) -> Exhibit {
    let rows = figures(&figures_of(sets, &sets.real), &figures_of(sets, &sets.new));
    let mut html = String::from(
        "<table><tr><th>figure</th><th>held out</th><th>±</th><th>new</th><th>deviations</th></tr>",
    );
    for row in rows {
        let _ = write!(
            html,
            "<tr><td>{}</td><td>{:.3}</td><td>{:.3}</td><td>{:.3}</td><td>{:.2}</td></tr>",
            escaped(row.name),
            row.real,
            row.deviation,
            row.new,
            row.deviations()
        );
    }
    html.push_str("</table>");
    let note = "Mean and standard deviation over the held-out tunes, the mean of the new ones, and how far it lies off.";
    Exhibit { title: "Figures of tunes".to_owned(), note: note.to_owned(), html }
}
