//! Text without learning by gradients: what compressors and n-gram models need for a character of held-out text.

use std::{
    collections::HashMap,
    fs::{self, File},
    io::Read,
    path::Path,
};

use liblzma::read::XzDecoder;
use mintage::evaluate::sequence::{BOUNDARY, KneserNey};

use crate::{
    Options,
    compress::{Compressor, conditional_bits},
    figures::Figure,
};

/// Works of which one is held out.
const ONE_IN: usize = 10;

/// The first 90 % of the characters are known, the last 10 % are to be told, as for nanoGPT.
pub fn tinyshakespeare(case: &str, options: &Options) {
    let text = read(&options.data.join("text"), "tinyshakespeare.txt");
    let (train, held) = text.split_at(text.len() * 9 / 10); // all of it is ASCII
    figures(case, &[train], &[held], "the first 90 % known");
}

/// Novels and plays; every tenth work is held out.
pub fn russian(case: &str, options: &Options) {
    let works = russian_works(options);
    let side = |wanted: bool| {
        works.iter().filter(|work| work.held == wanted).map(|work| work.text.as_str()).collect()
    };
    let (train, held): (Vec<&str>, Vec<&str>) = (side(false), side(true));
    figures(case, &train, &held, "whole works held out, one in ten");
}

/// A novel or a play.
pub struct Work {
    pub name: String,
    pub text: String,
    pub held: bool,
}

/// All of them, and which are held out.
pub fn russian_works(options: &Options) -> Vec<Work> {
    let folder = options.data.join("text");
    let mut all = Vec::new();
    for file in ["russian-novels.txt", "russian-drama.txt"] {
        for (i, (name, text)) in works(&read(&folder, file)).into_iter().enumerate() {
            let held = i % ONE_IN == ONE_IN / 2 - 1;
            all.push(Work { name: name.to_owned(), text: text.to_owned(), held });
        }
    }
    all
}

/// A text file, as it is or packed by xz.
fn read(folder: &Path, name: &str) -> String {
    let plain = folder.join(name);
    if plain.exists() {
        return fs::read_to_string(plain).unwrap();
    }
    let mut text = String::new();
    let packed = File::open(folder.join(format!("{name}.xz"))).unwrap();
    XzDecoder::new(packed).read_to_string(&mut text).unwrap();
    text
}

/// The works of a collection, with their names: each stands below a line `<|name|>`.
fn works(text: &str) -> Vec<(&str, &str)> {
    text.split("\n<|").skip(1).filter_map(|part| part.split_once("|>\n")).collect()
}

fn figures(case: &str, train: &[&str], held: &[&str], how: &str) {
    let characters = held.iter().map(|text| text.chars().count()).sum::<usize>() as f64;
    let print = |name: String, bits: f64| {
        let metric = format!("bits a character, {name}");
        Figure::lower(case, &metric, bits / characters, "bits").print(how);
    };
    let (alphabet, vocab) = alphabet(train);
    let (train_tokens, held_tokens) = (tokens(train, &alphabet), tokens(held, &alphabet));
    for order in [1, 5, 6, 7] {
        let model = KneserNey::fit(order, vocab, train_tokens.iter().map(|text| &text[..]));
        let nats: f64 = held_tokens.iter().map(|text| model.nll(text)).sum();
        print(format!("Kneser–Ney of order {order}"), nats / std::f64::consts::LN_2);
    }
    let (train, held) = (train.concat(), held.concat());
    for compressor in [Compressor::Ppmd(6), Compressor::Ppmd(16), Compressor::Xz] {
        print(compressor.name(), conditional_bits(compressor, train.as_bytes(), held.as_bytes()).unwrap());
    }
}

/// A token for each character of train, and how many tokens there are with the boundary and one for all others.
fn alphabet(train: &[&str]) -> (HashMap<char, u32>, usize) {
    let mut alphabet = HashMap::new();
    for character in train.iter().flat_map(|text| text.chars()) {
        let next = alphabet.len() as u32 + 1;
        alphabet.entry(character).or_insert(next);
    }
    let vocab = alphabet.len() + 2;
    (alphabet, vocab)
}

/// Where there are several texts, a boundary ends each and has to be told as well.
fn tokens(texts: &[&str], alphabet: &HashMap<char, u32>) -> Vec<Vec<u32>> {
    let other = alphabet.len() as u32 + 1;
    let token = |character: char| alphabet.get(&character).copied().unwrap_or(other);
    let end = (texts.len() > 1).then_some(BOUNDARY);
    texts.iter().map(|text| text.chars().map(token).chain(end).collect()).collect()
}
