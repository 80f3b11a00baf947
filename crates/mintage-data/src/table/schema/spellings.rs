//! How people write "missing", "yes" and "no", and what names of columns say of their values.

/// Missing wherever they stand.
const SURE: [&str; 24] = [
    "",
    "na",
    "n/a",
    "#n/a",
    "#na",
    "null",
    "(null)",
    "<null>",
    "nan",
    "<na>",
    "\\n",
    "nil",
    "нет данных",
    "н/д",
    "0000-00-00",
    "0000-00-00 00:00:00",
    "#null!",
    "n.a.",
    "not available",
    "#value!",
    "#div/0!",
    "#ref!",
    "#name?",
    "#num!",
];
/// Missing where the rest is anything but sentences or other signs. "x", "*", "none" and "unknown" are not among
/// them: where they stand between numbers they may as well be values.
const LIKELY: [&str; 8] = ["?", "??", "-", "--", "---", "—", ".", "…"];
/// How certain it must be that a text means "missing".
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Certainty {
    Sure,
    Likely,
}

/// How certain it is that `text` means "missing".
pub fn missing(text: &str) -> Option<Certainty> {
    // The longest spelling is shorter: most texts need no lower case.
    if text.len() > 40 {
        return None;
    }
    let text = text.trim().to_lowercase();
    let among = |list: &[&str]| list.contains(&text.as_str());
    match () {
        () if among(&SURE) => Some(Certainty::Sure),
        () if among(&LIKELY) => Some(Certainty::Likely),
        () => None,
    }
}

const YES_NO: [(&str, &str); 9] = [
    ("1", "0"),
    ("1.0", "0.0"),
    ("t", "f"),
    ("true", "false"),
    ("yes", "no"),
    ("y", "n"),
    ("on", "off"),
    ("да", "нет"),
    ("д", "н"),
];

/// Whether the two texts mean yes and no.
pub fn yes_and_no(a: &str, b: &str) -> bool {
    let (a, b) = (a.to_lowercase(), b.to_lowercase());
    YES_NO.iter().any(|&(yes, no)| (a == yes && b == no) || (a == no && b == yes))
}

/// Whether a text means yes.
pub fn is_yes(text: &str) -> bool {
    YES_NO.iter().any(|(yes, _)| text.to_lowercase() == *yes)
}

/// What a name says of the values.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hint {
    /// "customer_id", "CustomerId".
    Id,
    /// "zip", "country_code", "status": numbers there are no quantities.
    Code,
    /// "created_at", "timestamp".
    Time,
    Phone,
}

pub fn hint(name: &str) -> Option<Hint> {
    let words = words(name);
    let last = words.last()?.as_str();
    let any = |list: &[&str]| words.iter().any(|word| list.contains(&word.as_str()));
    match () {
        () if ["id", "uuid", "guid", "uid", "ид"].contains(&last) => Some(Hint::Id),
        () if any(&["phone", "tel", "telephone", "mobile", "fax", "телефон"]) => Some(Hint::Phone),
        () if any(&["zip", "zipcode", "postcode", "postal", "plz", "индекс", "инн", "ssn"]) => {
            Some(Hint::Code)
        }
        () if ["code", "type", "status", "kind", "category", "код", "тип", "статус"].contains(&last) => {
            Some(Hint::Code)
        }
        () if ["at", "time", "timestamp", "date", "day", "dt", "ts", "epoch", "дата", "время"]
            .contains(&last) =>
        {
            Some(Hint::Time)
        }
        () => None,
    }
}

/// "customerId", "customer-id" and "Customer ID" are two words each.
pub fn words(name: &str) -> Vec<String> {
    let mut words = vec![String::new()];
    let mut lower = false;
    for c in name.chars() {
        if !c.is_alphanumeric() || lower && c.is_uppercase() {
            words.push(String::new());
        }
        lower = c.is_lowercase();
        if c.is_alphanumeric()
            && let Some(word) = words.last_mut()
        {
            word.extend(c.to_lowercase());
        }
    }
    words.retain(|word| !word.is_empty());
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn knows_spellings() {
        assert_eq!(missing(" N/A "), Some(Certainty::Sure));
        assert_eq!(missing("?"), Some(Certainty::Likely));
        assert_eq!((missing("None"), missing("nantes")), (None, None));
        assert!(yes_and_no("Нет", "Да") && yes_and_no("t", "f") && !yes_and_no("yes", "да"));
    }

    #[test]
    fn names_give_hints() {
        for name in ["id", "customer_id", "CustomerId", "Customer ID", "orderUUID"] {
            assert_eq!(hint(name), Some(Hint::Id), "{name}");
        }
        for name in ["humid", "paid", "", "age"] {
            assert_eq!(hint(name), None, "{name}");
        }
        assert_eq!(hint("zip_code"), Some(Hint::Code));
        assert_eq!(hint("created_at"), Some(Hint::Time));
    }
}
