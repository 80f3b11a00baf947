//! Whether texts name persons, by the texts alone: columns of names are called anything.
//!
//! Some hundred of the most frequent given and family names of many languages tell that a column holds names; the other
//! names need not be known. Places, goods and companies are rarely called so.

use std::collections::BTreeSet;

/// The share of values that must have the form of a name.
const MIN_NAME_SHAPE_SHARE: f64 = 0.8;
/// The share of those that must have a known name: many names are in no list.
const MIN_KNOWN_NAME_SHARE: f64 = 0.2;
/// Different known names that there must be: a place may be called after somebody.
const MIN_KNOWN_NAMES: usize = 2;
/// The share of values that are surnames with initials, streets with numbers, or sentences with a known name.
const MIN_PERSON_SHARE: f64 = 0.6;
/// Values of a column, at least: fewer say nothing.
const MIN_VALUES: usize = 5;
/// Words of a name.
const NAME_WORDS: std::ops::RangeInclusive<usize> = 2..=5;
/// Words of a sentence about somebody, at least: fewer may be a title.
const MIN_SENTENCE_WORDS: usize = 5;
/// Characters of a name, at most.
const MAX_NAME_CHARS: usize = 60;

#[rustfmt::skip]
const FREQUENT_NAMES: &[&str] = &[
    "james", "mary", "michael", "patricia", "john", "jennifer", "robert", "linda", "david", "elizabeth", "william",
    "barbara", "richard", "susan", "joseph", "jessica", "thomas", "karen", "charles", "sarah", "christopher", "lisa",
    "daniel", "nancy", "matthew", "sandra", "anthony", "ashley", "mark", "emily", "steven", "kimberly", "andrew",
    "margaret", "paul", "donna", "joshua", "michelle", "kenneth", "carol", "kevin", "amanda", "brian", "melissa",
    "george", "deborah", "edward", "stephanie", "jason", "laura", "ryan", "helen", "peter", "olivia", "emma", "sophia",
    "noah", "liam", "smith", "johnson", "williams", "brown", "jones", "miller", "davis", "wilson", "taylor",
    "anna", "maria", "hans", "klaus", "wolfgang", "jürgen", "uwe", "stefan", "andreas", "thorsten", "sabine", "ursula",
    "monika", "petra", "claudia", "lena", "lukas", "jonas", "felix", "finn", "clara", "ida", "müller", "schmidt",
    "schneider", "fischer", "weber", "meyer", "wagner", "becker", "jean", "pierre", "michel", "philippe", "marie",
    "camille", "chloé", "léa", "manon", "julien", "nicolas", "antoine", "martin", "bernard", "dubois", "josé", "jose",
    "antonio", "manuel", "juan", "carlos", "luis", "miguel", "carmen", "ana", "lucía", "lucia", "sofía",
    "garcía", "garcia", "rodríguez", "rodriguez", "martínez", "martinez", "lópez", "lopez", "gonzález", "fernández",
    "giuseppe", "giovanni", "marco", "francesca", "giulia", "rossi", "russo", "ferrari", "joão", "pedro", "paulo",
    "silva", "santos", "oliveira", "piotr", "krzysztof", "andrzej", "tomasz", "katarzyna", "małgorzata", "agnieszka",
    "nowak", "kowalski", "kowalska", "jan", "pieter", "johan", "sanne", "daan", "de vries", "lars", "erik", "anders",
    "ingrid", "astrid", "jensen", "nielsen", "hansen", "olsen", "johansson", "andersson", "jiří", "petr", "novák",
    "mehmet", "mustafa", "ayşe", "fatma", "yılmaz", "ahmed", "ahmad", "mohammed", "muhammad", "mohamed", "ali", "omar",
    "hassan", "fatima", "aisha", "raj", "rahul", "priya", "amit", "singh", "kumar", "sharma", "patel", "nguyen", "nguyễn",
    "tran", "trần", "wang", "li", "zhang", "liu", "chen", "yang", "huang", "zhao", "kim", "park", "sato", "suzuki",
    "tanaka", "yamamoto", "hiroshi", "yuki", "ivan", "olga", "natalia", "tatiana", "svetlana", "dmitry", "sergey",
    "alexey", "alexander", "vladimir", "elena", "irina", "ivanov", "petrov", "smirnov", "sofia", "sofie", "nora", "max",
    "александр", "сергей", "дмитрий", "андрей", "алексей", "владимир", "николай", "иван", "михаил", "евгений", "юрий",
    "виктор", "игорь", "павел", "олег", "роман", "максим", "артём", "артем", "кирилл", "пётр", "петр", "анна", "мария",
    "елена", "ольга", "наталья", "татьяна", "ирина", "светлана", "екатерина", "людмила", "марина", "юлия", "дарья",
    "анастасия", "вера", "галина", "нина", "иванов", "иванова", "петров", "петрова", "сидоров", "сидорова", "смирнов",
    "смирнова", "кузнецов", "кузнецова", "попов", "попова", "васильев", "соколов", "михайлов", "новиков", "фёдоров",
    "морозов", "волков", "олександр", "андрій", "оксана", "шевченко", "коваленко",
    "γιώργος", "γεώργιος", "μαρία", "ελένη", "δημήτρης", "νίκος", "κώστας", "αικατερίνη", "βασίλης", "ιωάννης", "άννα",
    "παπαδόπουλος", "παπαδοπούλου",
    "محمد", "أحمد", "علي", "حسن", "حسين", "فاطمة", "مريم", "عمر", "عائشة", "خالد", "يوسف",
    "דוד", "שרה", "משה", "יוסף", "כהן", "לוי", "김", "이", "박", "최",
];
/// Frequent family names of China and Japan, with which whole names begin.
#[rustfmt::skip]
const HAN: &[&str] = &[
    "王", "李", "张", "張", "刘", "劉", "陈", "陳", "杨", "楊", "赵", "趙", "黄", "黃", "周", "吴", "吳", "徐", "孙", "孫", "朱",
    "马", "馬", "胡", "林", "郭", "何", "高", "罗", "羅", "佐藤", "鈴木", "高橋", "田中", "伊藤", "渡辺", "渡邊", "山本", "中村", "小林",
    "加藤", "吉田", "山田", "佐々木", "山口", "松本", "井上", "木村", "清水", "斎藤", "김", "이", "박", "최", "정",
];
#[rustfmt::skip]
const STREETS: &[&str] = &[
    "street", "st", "road", "rd", "avenue", "ave", "lane", "ln", "drive", "dr", "boulevard", "blvd", "court", "way",
    "rue", "chemin", "allée", "via", "viale", "corso", "calle", "avenida", "plaza", "rua", "ulica", "ul", "straat",
    "weg", "gasse", "allee", "platz", "ул", "улица", "пр", "проспект", "переулок", "пер", "шоссе", "вулиця",
];
#[rustfmt::skip]
const STREET_ENDS: &[&str] = &["straße", "strasse", "str", "weg", "gasse", "straat", "gatan", "gata", "vej"];

/// Whether these texts, which are distinct, are whole names, logins made of them, addresses, or sentences about somebody.
pub(super) fn name_somebody(texts: &[&str]) -> bool {
    if texts.len() < MIN_VALUES {
        return false;
    }
    let share =
        |is: &dyn Fn(&str) -> bool| texts.iter().filter(|text| is(text)).count() as f64 / texts.len() as f64;
    let known: BTreeSet<String> = texts
        .iter()
        .flat_map(|text| words(text))
        .filter(|word| is_frequent(word))
        .map(str::to_lowercase)
        .collect();
    let named = known.len() >= MIN_KNOWN_NAMES
        && share(&|text| is_formed(text)) >= MIN_NAME_SHAPE_SHARE
        && share(&|text| is_formed(text) && has_known(text)) >= MIN_KNOWN_NAME_SHARE;
    let logins = || {
        share(&is_login) >= MIN_NAME_SHAPE_SHARE
            && share(&|text| is_login(text) && has_known(text)) >= MIN_KNOWN_NAME_SHARE
    };
    let sentences = || {
        share(&|text| words(text).count() >= MIN_SENTENCE_WORDS && has_known_capital(text))
            >= MIN_PERSON_SHARE
    };
    named
        || share(&|text| with_initials(text) || is_han(text) || is_street(text)) >= MIN_PERSON_SHARE
        || logins()
        || sentences()
}

fn words(text: &str) -> impl Iterator<Item = &str> {
    text.split(|c: char| !(c.is_alphanumeric() || "'’-\u{301}".contains(c))).filter(|word| !word.is_empty())
}

fn is_frequent(word: &str) -> bool {
    FREQUENT_NAMES.contains(&word.to_lowercase().as_str())
}

fn has_known(text: &str) -> bool {
    words(text).flat_map(|word| word.split('-')).any(is_frequent)
}

/// Within a sentence only a word with a capital may be a name; the first one says nothing.
fn has_known_capital(text: &str) -> bool {
    words(text).skip(1).any(|word| word.starts_with(char::is_uppercase) && is_frequent(word))
}

/// "Anna Müller", "Müller, Anna", "Anna M. O'Neil", "de la Cruz, Ana": words with capitals and no digits.
fn is_formed(text: &str) -> bool {
    let allowed = |c: char| c.is_alphabetic() || " ,.'’-\u{301}".contains(c);
    let capital = |word: &&str| !word.starts_with(char::is_lowercase);
    let n = words(text).count();
    text.chars().count() <= MAX_NAME_CHARS
        && NAME_WORDS.contains(&n)
        && text.chars().all(allowed)
        && words(text).filter(capital).count() * 2 > n
}

/// "Петрова М.П.", "J. K. Rowling": one long word, and initials.
fn with_initials(text: &str) -> bool {
    let (long, initials): (Vec<&str>, Vec<&str>) = words(text).partition(|word| word.chars().count() > 2);
    let capital = |word: &&str| word.starts_with(char::is_uppercase);
    long.len() == 1
        && (1..=3).contains(&initials.len())
        && text.contains('.')
        && long.iter().chain(&initials).all(capital)
        && initials.iter().all(|word| word.chars().count() == 1)
}

/// "anna.nguyen", "anna_nguyen7".
fn is_login(text: &str) -> bool {
    let parts: Vec<&str> = text.split(['.', '_', '-']).collect();
    let allowed = |c: char| c.is_alphanumeric() || "._-".contains(c);
    let begins = |part: &&str| part.starts_with(char::is_lowercase);
    (2..=3).contains(&parts.len()) && text.chars().all(allowed) && parts.iter().all(begins)
}

/// "佐藤 太郎", "王伟".
fn is_han(text: &str) -> bool {
    let plain: String = text.chars().filter(|c| !c.is_whitespace() && *c != '\u{3000}').collect();
    let is_cjk = |c: char| matches!(c, '\u{3005}' | '\u{3040}'..='\u{30ff}' | '\u{4e00}'..='\u{9fff}' | '\u{ac00}'..='\u{d7a3}');
    (2..=6).contains(&plain.chars().count())
        && plain.chars().all(is_cjk)
        && HAN.iter().any(|name| plain.starts_with(name) && plain.len() > name.len())
}

/// "42 Kowalski Street", "12 rue de Metz", "Hauptstraße 5".
fn is_street(text: &str) -> bool {
    let lower = text.to_lowercase();
    let street = |word: &str| {
        STREETS.contains(&word) || STREET_ENDS.iter().any(|end| word.len() > end.len() && word.ends_with(end))
    };
    text.contains(|c: char| c.is_ascii_digit()) && words(&lower).any(street)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_known_under_any_heading() {
        for texts in [
            ["Anna Müller", "Felix Xanther", "Peter Kobold", "Zora Blix", "Maria O'Neil"],
            ["Jensen, Lukas", "Vandergrift, Sanne", "Blom, Ada", "Olsen, Erik", "Kvist, Tor"],
            ["Петрова М.П.", "Зюзин А. А.", "Крот Б.В.", "Эльф Г.Г.", "Лис Ы.Ю."],
            ["Иван Зюзин", "Ольга Крот", "Пётр Эльф", "Зара Лис", "Анна Ёж"],
            ["Γιώργος Κόκκινος", "Ελένη Μαύρου", "Ρένα Λευκή", "Νίκος Πράσινος", "Ζωή Γκρι"],
            ["佐藤 太郎", "鈴木花子", "高橋 一", "田中愛", "王伟"],
            ["محمد بدر", "فاطمة نور", "علي قمر", "سعاد شمس", "مريم نجم"],
            ["anna.nguyen", "bob.xi", "peter.kobold2", "zora.blix", "maria.neil"],
            ["42 Kowalski Street", "12 rue de Metz", "7 Elm Road", "Hauptstraße 5", "ул. Мира, 12"],
            [
                "Please call Sofie back about it",
                "We wrote to Peter this morning again",
                "Then Anna asked for more time",
                "Nobody told Max about the move yet",
                "The bill went to Maria by mail",
            ],
        ] {
            assert!(name_somebody(&texts), "{texts:?}");
        }
    }

    #[test]
    fn things_and_places_are_nobody() {
        for texts in [
            ["New York", "San Francisco", "Rio de Janeiro", "Cape Town", "Los Angeles"],
            ["Red Shirt", "Blue Shirt", "Green Trousers", "Black Hat", "White Socks"],
            ["Private Sector", "Local Government", "Self Employed", "Never Worked", "Without Pay"],
            ["red", "green", "blue", "Anna", "Peter"],
            ["in-stock", "sold-out", "pre-order", "on-hold", "back-order"],
            ["Москва", "Нижний Новгород", "Ростов на Дону", "Великий Устюг", "Санкт Петербург"],
            [
                "Delivered late",
                "Paid in full",
                "Sent back",
                "On its way to the store now",
                "Lost in the mail today",
            ],
        ] {
            assert!(!name_somebody(&texts), "{texts:?}");
        }
        assert!(!name_somebody(&["Anna Müller"]) && !name_somebody(&[]));
    }
}
