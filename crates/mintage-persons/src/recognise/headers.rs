//! What the names of columns and tables say, in English, German, French, Russian and a few words of other languages.

use crate::{
    kind::{NationalId, Personal},
    text::{fold, words},
};

/// What the name of a column says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Header {
    pub what: Personal,
    /// The rest of the name: "billing" of `BillingCity`, whose person or address it is.
    pub label: String,
    /// Whether the name alone is nearly enough: `last_name`, but not `name`.
    pub strong: bool,
}

use Personal::*;

/// Phrases, the strong ones; longer phrases win.
#[rustfmt::skip]
const STRONG: &[(Personal, &str)] = &[
    (GivenName, "first name|firstname|fname|given name|givenname|given names|forename|forenames|vorname|prenom|christian name|имя клиента|имя сотрудника|first"),
    (MiddleName, "middle name|middlename|middle initial|mname|zweiter vorname|second prenom"),
    (FamilyName, "last name|lastname|lname|surname|family name|familyname|nachname|familienname|nom de famille|nom famille|фамилия|apellido|apellidos|cognome|sobrenome|nazwisko|maiden name|geburtsname|last"),
    (Patronymic, "отчество|patronymic|otchestvo"),
    (FullName, "full name|fullname|фио|ф и о|fio|display name|real name|contact name|customer name|client name|employee name|patient name|person name|nom complet|nom prenom|prenom nom|vollstaendiger name|cardholder name|cardholder|holder name|card holder|account holder|имя и фамилия|фамилия имя отчество|фамилия имя|имя фамилия|author name|passenger name|owner name|recipient name|sender name|contact person|ansprechpartner|контактное лицо"),
    (Email, "email|e mail|mail|email address|e mail address|mail address|emailaddress|электронная почта|эл почта|эл адрес|адрес электронной почты|почта|courriel|емейл|имейл|емэйл|correo|adresse mail|mailadresse|email id"),
    (UserName, "username|user name|login|login name|nickname|nick|логин|ник|benutzername|screen name|identifiant|user login|имя пользователя|userid|handle"),
    (Phone, "phone|telephone|tel|mobile|cell|cellphone|fax|phone number|phone no|telephone number|mobile number|fax number|телефон|тел|мобильный|мобильный телефон|мобильный номер|номер телефона|факс|handy|handynummer|telefon|telefonnummer|telefono|portable|numero de telephone|contact number|phonenumber|mobilephone|homephone|workphone|msisdn|rufnummer"),
    (Street, "street|street address|streetaddress|strasse|rue|улица|calle|address|addr|address line|address line 1|address 1|addr 1|адрес|adresse|anschrift|postal address|mailing address|home address|адрес регистрации|адрес проживания|адрес доставки|почтовый адрес|direccion|indirizzo|ulica|strasse und hausnummer|strasse hausnummer|ул"),
    (City, "city|town|ort|stadt|ville|город|ciudad|citta|населенный пункт|wohnort|locality|municipality|city name|town name|post town|commune"),
    (Region, "state|province|region|county|bundesland|departement|область|регион|край|district|state province|субъект|субъект рф|stateprovince|state code"),
    (Postcode, "zip|zipcode|zip code|postcode|post code|postal code|postalcode|plz|postleitzahl|code postal|codepostal|индекс|почтовый индекс|zip postal code|cp|postal"),
    (Country, "country|land|pays|страна|pais|country name|country code|staat|гражданство"),
    (Company, "company|company name|companyname|firma|entreprise|societe|организация|компания|employer|работодатель|firm|organisation|organization|место работы|unternehmen|фирма|firmenname|business name|organization name|employeur"),
    (Url, "url|website|homepage|site|home page|web site|webseite|web page|link|сайт|blog|profile url|веб сайт|wiki|wikipedia|site web"),
    (Iban, "iban|bank account|bankverbindung|iban number"),
    (Card, "card|card number|credit card|credit card number|creditcard|cardnumber|cc|cc number|ccnumber|pan|карта|номер карты|kreditkarte|kreditkartennummer|carte bancaire|carte bleue|debit card|банковская карта"),
    (National(NationalId::Ssn), "ssn|social security|social security number|social security no"),
    (National(NationalId::Nino), "nino|ni number|national insurance|national insurance number|ni no"),
    (National(NationalId::SteuerId), "steuer id|steuerid|steuer identifikationsnummer|steueridentifikationsnummer|steuernummer|idnr|tax id|tin"),
    (National(NationalId::Nir), "nir|numero de securite sociale|securite sociale|num secu|numero secu|insee|no securite sociale"),
    (National(NationalId::Snils), "снилс|snils"),
    (National(NationalId::Inn), "инн|inn"),
    (National(NationalId::Passport), "паспорт|passport|passport number|passport no|серия и номер паспорта|серия номер паспорта|паспортные данные|reisepass|passeport|номер паспорта|passnummer"),
    (Ip, "ip|ip address|ipaddress|ip addr|ipaddr|ip адрес|remote addr|client ip|ipv4|ipv6"),
    (Mac, "mac|mac address|macaddress|mac адрес|mac addr"),
    (BirthDate, "dob|birthdate|birth date|date of birth|birthday|born|geburtsdatum|geburtstag|date de naissance|naissance|дата рождения|день рождения|bday|birth day|geboren"),
    (Sex, "sex|gender|geschlecht|sexe|пол|genre sexe|anrede|civilite"),
];

/// Names that say it only where the values agree.
#[rustfmt::skip]
const WEAK: &[(Personal, &str)] = &[
    (GivenName, "имя|nombre|nome|imie"),
    (FullName, "name|nom|contact|holder|patient|employee|passenger|author|customer|client|member|guest|owner|driver|doctor|physician|nurse|teacher|manager|supervisor|sender|recipient|tenant|applicant|student|spouse|person|kunde|mitarbeiter|arzt|клиент|пациент|сотрудник|врач|менеджер|водитель|учитель|руководитель|покупатель|заказчик|получатель|отправитель|владелец|студент|супруг|user|пользователь|actor|director|auteur|agent|cashier|seller|buyer|продавец|plaintiff|witness|worker|работник|житель|father|mother|отец|мать"),
];

/// Words that make a name one of something else: keys, counts, marks.
#[rustfmt::skip]
const NOT_A_VALUE: &[&str] = &[
    "id", "ids", "ид", "key", "fk", "uuid", "guid", "count", "cnt", "type", "status", "verified", "flag", "hash", "date", "time",
    "at", "age", "amount", "balance", "format", "is", "has", "rank", "score", "length", "valid", "confirmed", "code", "код",
    "тип", "статус", "количество", "sum", "total", "limit", "avg", "population", "lat", "lng", "latitude", "longitude",
    "expiry", "cvv", "cvc", "pin", "reader", "size", "price",
];

/// Words of things that have names, cities and companies and are nobody.
#[rustfmt::skip]
const THINGS: &[&str] = &[
    "product", "item", "goods", "article", "brand", "file", "category", "categories", "department", "shop", "station",
    "model", "column", "table", "event", "course", "school", "airport", "airline", "plane", "aircraft", "flight", "товар",
    "segment", "group", "class", "role", "kind", "level", "position", "genre", "film", "movie", "track", "album", "artist",
    "playlist", "song", "band", "team", "circuit", "constructor", "race", "season", "language", "media", "playlisttrack",
    "книга", "book", "game", "project", "repo", "package", "server", "host", "device", "sensor", "vehicle", "car",
    "recipe", "species", "plant", "animal", "disease", "drug", "medicine", "stadium", "hotel", "restaurant", "mountain",
    "river", "planet", "star", "фильм", "категория", "услуга", "продукт", "изделие", "материал", "inventory", "menu", "city",
    "cities", "country", "countries", "region", "state", "город", "страна", "bank", "банк", "field", "param", "parameter",
    "font", "color", "colour", "tag", "topic", "forum", "page", "image", "photo", "display", "function", "module", "chemical",
];

/// Words of tables of persons.
#[rustfmt::skip]
const PERSONS: &[&str] = &[
    "customer", "client", "user", "person", "people", "employee", "staff", "actor", "driver", "patient", "member", "student",
    "author", "contact", "passenger", "subscriber", "account", "guest", "lead", "donor", "teacher", "doctor", "player",
    "athlete", "voter", "worker", "visitor", "citizen", "resident", "tenant", "applicant", "candidate", "borrower", "owner",
    "kunde", "mitarbeiter", "personal", "clients", "salarie", "clientele", "клиент", "сотрудник", "пользовател", "пациент",
    "человек", "люди", "персон", "студент", "абонент", "работник", "покупател", "жител", "контакт", "physician", "nurse",
    "manager", "seller", "buyer", "crew", "cast", "artist_person", "profile", "family", "speaker", "attendee", "participant",
];

/// What the table is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Subject {
    Persons,
    Things,
    Unknown,
}

pub(super) fn subject(table: &str) -> Subject {
    let words = words(table);
    let is = |list: &[&str]| words.iter().any(|word| is_one_of(word, list));
    match () {
        () if is(PERSONS) => Subject::Persons,
        () if is(THINGS) => Subject::Things,
        () => Subject::Unknown,
    }
}

/// "cities" of "city", "клиенты" of "клиент": the word, in the plural or with an ending.
fn is_one_of(word: &str, list: &[&str]) -> bool {
    list.iter().any(|entry| {
        let cyrillic = entry.starts_with(|c: char| !c.is_ascii());
        word == *entry
            || word.strip_suffix('s').is_some_and(|stem| stem == *entry)
            || word.strip_suffix("es").is_some_and(|stem| stem == *entry)
            || cyrillic && word.starts_with(entry) && word.chars().count() <= entry.chars().count() + 3
    })
}

/// Whether the table is a list of such places: `city` of `city`, `country` of `countries`.
pub(super) fn is_reference(table: &str, what: Personal) -> bool {
    let list: &[&str] = match what {
        City => &["city", "cities", "town", "город", "stadt", "ville", "airport", "station", "circuit"],
        Region => &[
            "state",
            "region",
            "province",
            "county",
            "область",
            "регион",
            "district",
            "bundesland",
            "departement",
        ],
        Country => &["country", "countries", "страна", "land", "pays", "nation"],
        Postcode => &["zip", "zipcode", "postcode", "plz", "индекс"],
        _ => return false,
    };
    let words = words(table);
    words.len() <= 2 && words.iter().any(|word| is_one_of(word, list))
}

/// What the name of a column says, if anything.
pub(super) fn header(name: &str) -> Option<Header> {
    let words: Vec<String> = words(name).iter().map(|word| fold(word)).collect();
    let strong = longest(&words, STRONG);
    let (what, at, n) = strong.or_else(|| longest(&words, WEAK))?;
    let rest: Vec<&str> = words
        .iter()
        .enumerate()
        .filter(|(i, _)| !(at..at + n).contains(i))
        .map(|(_, word)| word.as_str())
        .collect();
    // The second line of an address is a flat or a floor.
    let second_line = what == Street && rest.iter().any(|word| ["2", "3"].contains(word));
    if second_line || rest.iter().any(|word| NOT_A_VALUE.contains(word)) {
        return None;
    }
    let thing = rest.iter().any(|word| is_one_of(word, THINGS));
    if thing && matches!(what, FullName | GivenName | Company | UserName) {
        return None;
    }
    let filler = |word: &&&str| {
        !["number", "no", "nr", "номер", "name", "the", "of", "de", "и", "line", "1", "primary", "main"]
            .contains(*word)
            && crate::russian::Case::named(&[(**word).to_owned()]).is_none()
            && !word.chars().all(|c| c.is_numeric())
    };
    let label = rest.iter().filter(filler).copied().collect::<Vec<_>>().join("_");
    Some(Header { what, label, strong: strong.is_some() })
}

/// The longest phrase among the words: what it says, where it begins and how many words it has.
fn longest(words: &[String], table: &[(Personal, &str)]) -> Option<(Personal, usize, usize)> {
    let mut best: Option<(Personal, usize, usize)> = None;
    for (what, phrases) in table {
        for phrase in phrases.split('|') {
            let n = phrase.split(' ').count();
            let found = words
                .windows(n.max(1))
                .position(|window| phrase.split(' ').eq(window.iter().map(String::as_str)));
            // Of phrases of one length the last in the name: `customer_email_address` ends with what it is.
            if let Some(at) = found.filter(|at| best.is_none_or(|best| (n, *at) > (best.2, best.1))) {
                best = Some((*what, at, n));
            }
        }
    }
    // "first" and "last" alone are places in an order.
    best.filter(|&(_, at, n)| n > 1 || words.len() == 1 || !["first", "last"].contains(&words[at].as_str()))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn names_of_columns_are_read() {
        for (name, what, label) in [
            ("FirstName", GivenName, ""),
            ("last_name", FamilyName, ""),
            ("BillingPostalCode", Postcode, "billing"),
            ("customer_email", Email, "customer"),
            ("E-Mail", Email, ""),
            ("эл. почта", Email, ""),
            ("ФИО", FullName, ""),
            ("фио_род", FullName, ""),
            ("Телефон клиента", Phone, "клиента"),
            ("дата рождения", BirthDate, ""),
            ("date_of_birth", BirthDate, ""),
            ("Straße", Street, ""),
            ("father_name", FullName, "father"),
            ("phone2", Phone, ""),
            ("prénom", GivenName, ""),
        ] {
            let found = header(name).unwrap();
            assert_eq!((found.what, found.label.as_str()), (what, label), "{name}");
        }
        for name in [
            "city_id",
            "product_name",
            "is_email_verified",
            "price",
            "email_count",
            "filename",
            "last_update",
            "address2",
        ] {
            assert_eq!(header(name), None, "{name}");
        }
    }

    #[test]
    fn tables_have_a_subject() {
        assert_eq!((subject("customers"), subject("Track")), (Subject::Persons, Subject::Things));
        assert_eq!((subject("клиенты"), subject("address")), (Subject::Persons, Subject::Unknown));
        assert!(is_reference("city", City) && !is_reference("customer", City));
    }
}
