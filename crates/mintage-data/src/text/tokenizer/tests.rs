#![allow(clippy::unwrap_used)]
use proptest::prelude::*;

use super::*;
use crate::text::tokenizer::bpe::words;

const RUSSIAN: &str = "Все счастливые семьи похожи друг на друга, каждая несчастливая семья несчастлива по-своему. \
    Всё смешалось в доме Облонских.\nЖена узнала, что муж был в связи с бывшею в их доме француженкою.\n";

/// Fits one text, of which `bytes` are told.
fn try_fit(
    unit: Option<TextUnit>,
    vocab: Option<usize>,
    text: &str,
    bytes: u64,
) -> Result<TextTokenizer, Error> {
    let visit = |show: &mut dyn FnMut(&str)| {
        show(text);
        Ok(())
    };
    TextTokenizer::fit(unit, vocab, &visit, bytes)
}

fn fit(unit: Option<TextUnit>, vocab: Option<usize>, text: &str) -> TextTokenizer {
    try_fit(unit, vocab, text, text.len() as u64).unwrap()
}

fn all_units() -> Vec<TextTokenizer> {
    TextUnit::ALL.map(|unit| fit(Some(unit), None, &RUSSIAN.repeat(20))).to_vec()
}

/// Words that repeat, with some English, numbers and line ends among them.
fn novel(bytes: usize) -> String {
    let words: Vec<&str> = RUSSIAN.split(' ').chain(["don't", "1812", "\t", " ", "…", "«Война»"]).collect();
    let mut text = String::new();
    let mut state = 7u64;
    while text.len() < bytes {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        text.push_str(words[(state >> 33) as usize % words.len()]);
        text.push(if state >> 60 == 0 { '\n' } else { ' ' });
    }
    text
}

fn anything() -> impl Strategy<Value = String> {
    let any_chars = prop::collection::vec(any::<char>(), 0..60).prop_map(|c| c.into_iter().collect());
    prop_oneof![
        any_chars,
        "\\PC{0,60}",
        "[а-яё А-Я\\n\\r\\t.,'’0-9a-z]{0,80}",
        "( |\\n|'s|ё|é|\u{a0}|1){0,40}"
    ]
}

proptest! {
    #[test]
    fn any_text_comes_back(text in anything()) {
        for codec in units() {
            let tokens = codec.encode(&text);
            prop_assert!(tokens.iter().all(|&t| t != BOUNDARY && (t as usize) < codec.vocab()));
            prop_assert_eq!(&codec.decode(&tokens), &text);
            prop_assert_eq!(codec.decode_bytes(&tokens), text.as_bytes());
        }
    }

    #[test]
    fn any_tokens_are_a_text(tokens in prop::collection::vec(0u32..400, 0..60)) {
        for codec in units() {
            let whole = codec.decode(&tokens);
            let mut decoder = codec.decoder();
            let mut parts: Vec<String> = tokens.iter().filter_map(|&t| decoder.push(t)).collect();
            parts.extend(decoder.finish());
            prop_assert_eq!(parts.concat(), whole);
            if !tokens.contains(&BOUNDARY) {
                let bytes = codec.decode_bytes(&tokens);
                prop_assert_eq!(codec.decode(&tokens), String::from_utf8_lossy(&bytes));
            }
        }
    }

    #[test]
    fn pieces_of_words_are_those_of_the_tokenizers(text in anything()) {
        let Coder::Bpe(bpe) = &units()[2].coder else { unreachable!() };
        let theirs = bpe.tokenizer().encode(text.as_str(), false).unwrap();
        let theirs: Vec<u32> = theirs.get_ids().iter().map(|id| id + 1).collect();
        prop_assert_eq!(units()[2].encode(&text), theirs);
        prop_assert_eq!(words(&text).collect::<String>(), text);
    }

    #[test]
    fn cuts_leave_words_alone(text in "( |\\n|\\t|'s|ё|é|aa|1|\\.|—){0,80}", size in 1usize..20) {
        let pieces: Vec<&str> = Pieces::of_size(&text, size).collect();
        prop_assert_eq!(pieces.concat(), &text[..]);
        prop_assert!(pieces.iter().flat_map(|piece| words(piece)).eq(words(&text)));
    }
}

/// Fitted once for all cases.
fn units() -> &'static [TextTokenizer] {
    static UNITS: std::sync::LazyLock<Vec<TextTokenizer>> = std::sync::LazyLock::new(all_units);
    &UNITS
}

#[test]
fn amount_and_script_choose_the_unit() {
    assert_eq!(fit(None, None, &RUSSIAN.repeat(3)).unit(), TextUnit::Chars);
    assert_eq!(fit(None, Some(400), &RUSSIAN.repeat(20)).unit(), TextUnit::Bpe);
    let large = try_fit(None, None, &RUSSIAN.repeat(20), 5 << 20).unwrap();
    assert_eq!(large.unit(), TextUnit::Bpe);
    let chinese: String = ('一'..).take(400).flat_map(|c| [c; 3]).collect();
    assert_eq!(fit(None, None, &chinese).unit(), TextUnit::Bpe);
    assert_eq!(fit(Some(TextUnit::Chars), None, &chinese).vocab(), 402);
}

#[test]
fn an_alphabet_is_of_what_is_frequent() {
    let codec = fit(Some(TextUnit::Chars), None, "ббббааааxxв");
    assert_eq!((codec.vocab(), codec.encode("аб")), (4, vec![2, 3]));
    assert_eq!(codec.unknown_chars("абвxв"), ['в', 'x']);
    // The escape, and 21 digits to the base of two.
    assert_eq!(codec.encode("в").len(), 22);
    assert_eq!(fit(Some(TextUnit::Chars), Some(6), &RUSSIAN.repeat(9)).vocab(), 6);
    assert_eq!(fit(Some(TextUnit::Chars), None, "ааа").decode(&[2, 3]), " а");
    let too_few = try_fit(Some(TextUnit::Chars), Some(3), "абв", 9);
    assert!(too_few.unwrap_err().hint().is_some());
    assert!(
        TextTokenizer::fit(None, None, &|_| Ok(()), 0).unwrap_err().to_string().contains("no characters")
    );
}

#[test]
fn escapes_that_a_model_breaks_off_are_no_panic() {
    let codec = &units()[1];
    let foreign = codec.encode("日");
    assert_eq!(codec.decode(&foreign), "日");
    assert_eq!(codec.decode(&foreign[..2]), "\u{fffd}");
    assert_eq!(codec.decode(&[&foreign[..2], &foreign].concat()), "\u{fffd}日");
    assert_eq!(codec.decode(&[&foreign[..2], &[BOUNDARY], &codec.encode("семья")].concat()), "\u{fffd}семья");
    // Digits of no code point.
    let last = vec![codec.vocab() as u32 - 1; foreign.len() - 1];
    assert_eq!(codec.decode(&[&foreign[..1], &last].concat()), "\u{fffd}");
}

#[test]
fn streams_whole_characters_only() {
    let text = "Ёж 🦔 и 日本\u{301}!";
    for codec in units() {
        let mut decoder = codec.decoder();
        let parts: Vec<String> =
            codec.encode(text).into_iter().filter_map(|token| decoder.push(token)).collect();
        assert_eq!(parts.concat(), text);
        assert_eq!(decoder.finish(), None);
    }
    let bytes = TextTokenizer::bytes();
    let mut decoder = bytes.decoder();
    let emoji: Vec<u32> = bytes.encode("🦔");
    assert_eq!(emoji[..3].iter().filter_map(|&t| decoder.push(t)).count(), 0);
    assert_eq!(decoder.push(emoji[3]).as_deref(), Some("🦔"));
    assert_eq!(decoder.push(emoji[0]), None);
    assert_eq!(decoder.push(BOUNDARY).as_deref(), Some("\u{fffd}"));
}

#[test]
fn long_texts_encode_in_pieces_as_whole() {
    let text = novel(3 << 20);
    for codec in units() {
        let whole = codec.encode_piece(&text, &mut Memo::default());
        assert_eq!(codec.encode(&text), whole);
        let mut streamed = Vec::new();
        codec
            .encode_into(&text, &mut |tokens| {
                streamed.extend_from_slice(tokens);
                Ok(())
            })
            .unwrap();
        assert_eq!(streamed, whole);
        assert_eq!(codec.decode(&whole), text);
    }
    let full = units()[0].encode_into(&text, &mut |_| Err(Error::bad("disk", "is full")));
    assert_eq!(full.unwrap_err().to_string(), "disk: is full");
}

#[test]
fn bpe_knows_every_script_and_long_runs() {
    let codec = fit(Some(TextUnit::Bpe), Some(600), &novel(200_000));
    assert!(codec.vocab() <= 600 && codec.vocab() > 400, "{}", codec.vocab());
    assert!(codec.encode("несчастливая").len() <= 4);
    for text in
        ["ქართული ენა", "हिन्दी", "日本語のテキスト", "🦔🦔", "\u{0}\u{7f}\u{ad}", &"a".repeat(700_000)]
    {
        assert_eq!(codec.decode(&codec.encode(text)), text);
    }
    // Neither training nor encoding takes long over a word of a megabyte.
    let odd = fit(Some(TextUnit::Bpe), None, &"=".repeat(1 << 20));
    assert_eq!(odd.decode(&odd.encode("==== да")), "==== да");
    let bounds = try_fit(Some(TextUnit::Bpe), Some(100), RUSSIAN, 100).unwrap_err();
    assert_eq!(bounds.hint().as_deref(), Some("between 300 and 65536 are possible"));
}

#[test]
fn training_is_the_same_every_time() {
    let text = novel(300_000);
    let vocab =
        |codec: TextTokenizer| (0..codec.vocab() as u32).map(|t| codec.token_text(t)).collect::<Vec<_>>();
    let codec = || fit(Some(TextUnit::Bpe), Some(700), &text);
    assert_eq!(vocab(codec()), vocab(codec()));
}

#[test]
fn segments_end_where_sentences_do() {
    let codec = fit(Some(TextUnit::Chars), None, &"Да! Нет?\n…».".repeat(4));
    let ends = |text: &str| codec.ends_segment(codec.encode(text)[0]);
    assert!(ends("!") && ends("?") && ends("\n") && ends("…") && ends("."));
    assert!(
        !ends("Д") && !ends(" ") && !ends("»") && !codec.ends_segment(BOUNDARY) && !codec.ends_segment(1)
    );
    assert!(TextTokenizer::bytes().ends_segment(u32::from(b'\n') + 1));
    assert!(units()[2].token_text(BOUNDARY).is_empty() && units()[2].token_text(99_999).is_empty());
}

#[test]
fn save_and_load() {
    for codec in units() {
        let dir = tempfile::tempdir().unwrap();
        codec.save(dir.path()).unwrap();
        let loaded = TextTokenizer::load(dir.path()).unwrap();
        assert_eq!((loaded.unit(), loaded.vocab()), (codec.unit(), codec.vocab()));
        assert_eq!(loaded.encode(RUSSIAN), codec.encode(RUSSIAN));
        assert_eq!(format!("{loaded:?}"), format!("{codec:?}"));
    }
}

#[test]
fn damaged_files_are_told() {
    let dir = tempfile::tempdir().unwrap();
    let (text, tokenizer) = (dir.path().join(FILE), dir.path().join("tokenizer.json"));
    let why = || TextTokenizer::load(dir.path()).unwrap_err().to_string();
    assert!(why().contains("text.json"));
    for (saved, expected) in [
        ("", "EOF"),
        (r#"{"unit":"words","vocab":9}"#, "unknown variant"),
        (r#"{"unit":"bytes","vocab":9}"#, "speaks of 9 tokens"),
        (r#"{"unit":"chars","vocab":3,"alphabet":"a"}"#, "no alphabet"),
        (r#"{"unit":"chars","vocab":4,"alphabet":"ba"}"#, "out of order"),
    ] {
        std::fs::write(&text, saved).unwrap();
        assert!(why().contains(expected), "{}", why());
    }
    units()[2].save(dir.path()).unwrap();
    let whole = std::fs::read_to_string(&tokenizer).unwrap();
    for bad in [
        whole.chars().take(3000).collect(),
        "{}".to_owned(),
        whole.replace("\"use_regex\":true", "\"use_regex\":false"),
        whole.replacen("\"!\":0", "\"!\":9999", 1),
        whole.replace("\"BPE\"", "\"WordLevel\""),
        whole.replace("\"dropout\":null", "\"dropout\":0.1"),
    ] {
        std::fs::write(&tokenizer, bad).unwrap();
        assert!(why().contains("tokenizer.json"), "{}", why());
    }
}
