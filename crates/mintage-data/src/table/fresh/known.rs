//! Texts that must not come back, kept without the texts.

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use xxhash_rust::xxh3::{xxh3_64, xxh3_64_with_seed};

/// Bits a text, at least; one of them is set.
const BITS_A_TEXT: usize = 8;
const MIN_BITS: usize = 64;
/// A longer set is no set of ours.
const MAX_BYTES: usize = 1 << 30;

/// A set that holds a bit for each text in the place of the text: one hash with a salt, as many bits as tell 8 to 16 times as
/// many places apart. A text that is in it is always found. One that is not is found in 1 of 8 to 16 cases: whoever makes
/// texts draws another one, and whoever reads the model's folder learns next to nothing from it, since a guess that is
/// found is as likely as not a coincidence.
///
/// Letters of either case are the same, and whatever is neither letter nor digit does not count: "+49 40 12" is
/// "+494012".
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Known {
    salt: u64,
    #[serde(serialize_with = "to_hex", deserialize_with = "from_hex")]
    bits: Vec<u8>,
}

impl Known {
    /// The set of these texts.
    pub fn of<'a>(texts: impl Iterator<Item = &'a str>) -> Self {
        let hashes: Vec<u64> = texts.map(|text| xxh3_64(spelled(text).as_bytes())).collect();
        // From the texts themselves, so that the same data give the same model, and other data another salt.
        let sum = hashes.iter().fold(hashes.len() as u64, |sum, &hash| sum.wrapping_add(hash));
        let salt = xxh3_64(&sum.to_le_bytes());
        let bits = (hashes.len() * BITS_A_TEXT).next_power_of_two().max(MIN_BITS);
        let mut known = Self { salt, bits: vec![0; bits / 8] };
        for hash in hashes {
            let (byte, bit) = known.place(hash);
            known.bits[byte] |= bit;
        }
        known
    }

    /// Whether it holds nothing.
    pub fn is_empty(&self) -> bool {
        self.bits.is_empty()
    }

    /// Whether `text` is one of them, or may be.
    pub fn may_hold(&self, text: &str) -> bool {
        if self.bits.is_empty() {
            return false;
        }
        let (byte, bit) = self.place(xxh3_64(spelled(text).as_bytes()));
        self.bits[byte] & bit != 0
    }

    /// The byte and the bit in it. There is at least one byte.
    fn place(&self, hash: u64) -> (usize, u8) {
        let place = xxh3_64_with_seed(&hash.to_le_bytes(), self.salt) % (self.bits.len() as u64 * 8);
        ((place / 8) as usize, 1 << (place % 8))
    }
}

/// Letters and digits in lower case: what two spellings of the same text have in common.
pub fn spelled(text: &str) -> String {
    let plain: String = text.chars().filter(|c| c.is_alphanumeric()).flat_map(char::to_lowercase).collect();
    if plain.is_empty() { text.to_owned() } else { plain }
}

fn to_hex<S: Serializer>(bits: &[u8], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&bits.iter().map(|byte| format!("{byte:02x}")).collect::<String>())
}

fn from_hex<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<u8>, D::Error> {
    let text = String::deserialize(deserializer)?;
    if text.len() > 2 * MAX_BYTES || !text.len().is_multiple_of(2) || !text.is_ascii() {
        return Err(de::Error::custom("a set of known texts has a wrong length"));
    }
    let byte = |at: usize| u8::from_str_radix(&text[at..at + 2], 16);
    (0..text.len()).step_by(2).map(byte).collect::<Result<_, _>>().map_err(de::Error::custom)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn finds_all_that_it_holds_in_any_spelling_and_few_others() {
        let texts: Vec<String> = (0..5000).map(|i| format!("Анна Ли-{i}")).collect();
        let known = Known::of(texts.iter().map(String::as_str));
        assert!(texts.iter().all(|text| known.may_hold(text) && known.may_hold(&text.to_uppercase())));
        assert!(known.may_hold("анна, ли 17"));
        let others = (5000..10_000).filter(|i| known.may_hold(&format!("Анна Ли-{i}"))).count();
        assert!((100..1000).contains(&others), "{others} of 5,000");
        let text = serde_json::to_string(&known).unwrap();
        assert!(text.len() < 5000 * 5 && !text.contains("Анна"));
        assert_eq!(serde_json::from_str::<Known>(&text).unwrap(), known);
        assert!(!Known::default().may_hold("Анна"));
        assert!(serde_json::from_str::<Known>(r#"{"salt": 1, "bits": "0g"}"#).is_err());
    }
}
