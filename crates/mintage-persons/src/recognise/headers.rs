//! What the names of columns and tables say, in English, German, French, Russian, Spanish and Italian.

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
    /// Whether it says that there is a name, and not whose: `name`, `nom`, `имя`.
    pub plain: bool,
}

use Personal::*;

/// Phrases, the strong ones; longer phrases win.
#[rustfmt::skip]
const STRONG: &[(Personal, &str)] = &[
    (GivenName, "first name|firstname|fname|given name|givenname|given names|forename|forenames|vorname|prenom|christian name|имя клиента|имя сотрудника|name first|namefirst|name given|namegiven|first names|rufname|nombre de pila|primer nombre|nome di battesimo|voornaam|имя собственное|imya"),
    (MiddleName, "middle name|middlename|middle initial|mname|zweiter vorname|second prenom|name middle|segundo nombre"),
    (FamilyName, "last name|lastname|lname|surname|family name|familyname|nachname|familienname|nom de famille|nom famille|фамилия|apellido|apellidos|cognome|sobrenome|nazwisko|maiden name|geburtsname|name last|namelast|name family|zuname|familiya|primer apellido|segundo apellido|apellido paterno|apellido materno|nom usage|nom d usage|nom de naissance|achternaam"),
    (Patronymic, "отчество|patronymic|patronym|otchestvo"),
    (FullName, "full name|fullname|фио|ф и о|fio|display name|real name|contact name|customer name|client name|employee name|patient name|person name|nom complet|nom prenom|prenom nom|nom et prenom|prenom et nom|nombre completo|nombre y apellidos|apellidos y nombre|nome completo|nome e cognome|cognome e nome|vor und nachname|name vorname|vorname name|vorname nachname|vollstaendiger name|cardholder name|cardholder|holder name|card holder|account holder|имя и фамилия|фамилия имя отчество|фамилия имя|имя фамилия|author name|passenger name|owner name|recipient name|sender name|contact person|ansprechpartner|контактное лицо"),
    (Email, "email|e mail|mail|email address|e mail address|mail address|emailaddress|электронная почта|эл почта|эл адрес|адрес электронной почты|почта|courriel|емейл|имейл|емэйл|correo|correo electronico|posta elettronica|adresse mail|mailadresse|email id"),
    (UserName, "username|user name|login|login name|nickname|nick|логин|ник|benutzername|screen name|identifiant|user login|имя пользователя|userid|handle"),
    (Phone, "phone|telephone|tel|mobile|cell|cellphone|fax|phone number|phone no|telephone number|mobile number|fax number|телефон|тел|мобильный|мобильный телефон|мобильный номер|номер телефона|факс|handy|handynummer|telefon|telefonnummer|telefono|portable|numero de telephone|contact number|phonenumber|mobilephone|homephone|workphone|msisdn|rufnummer|movil|celular|cellulare|telefone|mobilnummer|telefonnr|numero de telefono"),
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
    (Secret, "password|passwd|pwd|password hash|passwordhash|password digest|pass hash|passhash|pwd hash|passwd hash|hashed password|salt|secret|secret key|token|token hash|api key|apikey|access key|access key id|private key|пароль|хеш пароля|соль пароля|токен|passwort|kennwort|mot de passe|motdepasse|contrasena|senha"),
    (BirthDate, "dob|birthdate|birth date|date of birth|birthday|born|geburtsdatum|geburtstag|date de naissance|naissance|дата рождения|день рождения|bday|birth day|geboren"),
    (Sex, "sex|gender|geschlecht|sexe|пол|genre sexe|anrede|civilite"),
];

/// Names that say it only where the values agree.
#[rustfmt::skip]
const WEAK: &[(Personal, &str)] = &[
    (GivenName, "имя|nombre|nome|imie|first|given|f name"),
    (FamilyName, "last|fam|familia|l name"),
    (FullName, "name|nom|contact|holder|patient|employee|passenger|author|customer|client|member|guest|owner|driver|doctor|physician|nurse|teacher|manager|supervisor|sender|recipient|tenant|applicant|student|spouse|person|kunde|mitarbeiter|arzt|клиент|пациент|сотрудник|врач|менеджер|водитель|учитель|руководитель|покупатель|заказчик|получатель|отправитель|владелец|студент|супруг|user|пользователь|actor|director|auteur|agent|cashier|seller|buyer|продавец|plaintiff|witness|worker|работник|житель|father|mother|отец|мать"),
];

/// Phrases that say that there is a name, and not whose.
const PLAIN: &[&str] = &["name", "nom", "nombre", "nome", "имя", "imie"];

/// Words of free text, and of names that things have: no column called so is a name of persons, whatever it tells of them.
#[rustfmt::skip]
const TEXTS: &[&str] = &[
    "note", "comment", "remark", "description", "desc", "descr", "text", "message", "msg", "body", "subject", "title", "summary",
    "content", "review", "feedback", "reason", "instruction", "memo", "abstract", "caption", "headline", "slogan", "question",
    "answer", "bemerkung", "bemerkungen", "kommentar", "kommentare", "notiz", "notizen", "beschreibung", "hinweis", "nachricht",
    "titel", "betreff", "anmerkung", "bezeichnung", "commentaire", "remarque", "titre", "libelle", "intitule", "nota",
    "comentario", "descripcion", "titulo", "mensaje", "titolo", "descrizione", "commento", "messaggio", "комментарий",
    "примечание", "описание", "заметка", "заметки", "текст", "сообщение", "название", "наименование", "заголовок", "тема",
];

/// Words that make a name one of something else: keys, counts, marks.
#[rustfmt::skip]
const NOT_A_VALUE: &[&str] = &[
    "id", "ids", "ид", "key", "fk", "uuid", "guid", "count", "cnt", "type", "status", "verified", "flag", "hash", "date", "time",
    "at", "age", "amount", "balance", "format", "is", "has", "rank", "score", "length", "valid", "confirmed", "code", "код",
    "тип", "статус", "количество", "sum", "total", "limit", "avg", "population", "lat", "lng", "latitude", "longitude",
    "expiry", "cvv", "cvc", "pin", "reader", "size", "price",
];

/// Words beside a password or a token that make the name one of a fact about it.
#[rustfmt::skip]
const ABOUT_SECRETS: &[&str] = &[
    "name", "strength", "policy", "changed", "updated", "created", "expires", "expired", "attempts", "required", "method",
    "algorithm", "algo", "version", "provider", "scope", "index", "kind", "days", "number", "pos", "tag", "used", "left",
];

/// Words of names that say clearly that there are passwords: salt may be food, and tokens words.
const PASSWORDS: &[&str] = &[
    "password",
    "passwd",
    "pwd",
    "passhash",
    "passwordhash",
    "пароль",
    "пароля",
    "passwort",
    "kennwort",
    "passe",
    "motdepasse",
    "contrasena",
    "senha",
];

/// Whether the name of a column says that it holds passwords, whatever they look like.
pub(super) fn is_password(name: &str) -> bool {
    words(name).iter().any(|word| PASSWORDS.contains(&fold(word).as_str()))
}

/// Words of things that have names, cities and companies and are nobody.
#[rustfmt::skip]
const THINGS: &[&str] = &[
    "product", "item", "goods", "article", "brand", "file", "category", "department", "shop", "station",
    "model", "column", "table", "event", "course", "school", "airport", "airline", "plane", "aircraft", "flight", "товар",
    "segment", "group", "class", "role", "kind", "level", "position", "genre", "film", "movie", "track", "album", "artist",
    "playlist", "song", "band", "team", "circuit", "constructor", "race", "season", "language", "media", "playlisttrack",
    "книга", "book", "game", "project", "repo", "package", "server", "host", "device", "sensor", "vehicle", "car",
    "recipe", "species", "plant", "animal", "disease", "drug", "medicine", "stadium", "hotel", "restaurant", "mountain",
    "river", "planet", "star", "фильм", "категория", "услуга", "продукт", "изделие", "материал", "inventory", "menu", "city",
    "country", "region", "state", "город", "страна", "bank", "банк", "field", "param", "parameter",
    "font", "color", "colour", "tag", "topic", "forum", "page", "image", "photo", "display", "function", "module", "chemical",
    "part", "nation", "supply", "location", "place", "store", "warehouse", "branch", "office", "company", "organization",
    "organisation", "club", "league", "tournament", "sponsor", "currency", "continent", "district", "county", "province",
    "municipality", "village", "town", "port", "harbour", "ship", "vessel", "boat", "horse", "pet", "dog", "cat", "breed", "material",
    "ingredient", "food", "dish", "wine", "beer", "cheese", "flower", "tree", "bird", "fish", "crop", "mineral", "element", "unit",
    "division", "series", "episode", "show", "festival", "concert", "venue", "theater", "theatre", "museum", "library", "magazine",
    "journal", "newspaper", "newsgroup", "feature", "option", "setting", "attribute", "property", "plan", "campaign", "offer",
    "collection", "street", "road", "route", "line", "stop", "park", "lake", "island", "building", "room", "floor", "machine",
    "tool", "toy", "house", "college", "university", "faculty", "subject", "lesson", "exam", "skill", "job", "industry", "sector",
    "produkt", "produkte", "artikel", "ware", "waren", "teil", "teile", "kategorie", "kategorien", "abteilung", "abteilungen",
    "filiale", "filialen", "lager", "verein", "vereine", "mannschaft", "mannschaften", "buch", "buecher", "filme", "lied", "lieder",
    "marke", "marken", "land", "laender", "stadt", "staedte", "strecke", "projekt", "projekte", "sprache", "sprachen", "gruppe",
    "gruppen", "produit", "piece", "categorie", "pays", "ville", "magasin", "equipe", "marque", "livre", "langue", "groupe",
    "producto", "articulo", "categoria", "pais", "paises", "ciudad", "ciudades", "tienda", "equipo", "marca", "libro", "pelicula",
    "idioma", "prodotto", "prodotti", "articolo", "articoli", "categorie", "paese", "paesi", "citta", "negozio", "negozi", "squadra",
    "squadre", "деталь", "детали", "регион", "район", "магазин", "склад", "команда", "команды", "отдел", "бренд", "марка", "жанр",
    "филиал", "станция", "станции", "валюта", "язык", "групп", "проект", "школ", "категории", "услуги", "материал", "област",
];

/// Words of tables of persons.
#[rustfmt::skip]
const PERSONS: &[&str] = &[
    "customer", "client", "user", "person", "people", "employee", "staff", "actor", "driver", "patient", "member", "student",
    "author", "contact", "passenger", "subscriber", "account", "guest", "lead", "donor", "teacher", "doctor", "player",
    "athlete", "voter", "worker", "visitor", "citizen", "resident", "tenant", "applicant", "candidate", "borrower", "owner",
    "kunde", "mitarbeiter", "personal", "clients", "salarie", "clientele", "клиент", "сотрудник", "пользовател", "пациент",
    "человек", "люди", "персон", "студент", "абонент", "работник", "покупател", "жител", "контакт", "physician", "nurse",
    "manager", "seller", "buyer", "crew", "cast", "profile", "speaker", "attendee", "participant",
    "human", "man", "men", "woman", "women", "child", "children", "pupil", "scholar", "professor", "instructor", "lecturer", "coach",
    "trainer", "pilot", "officer", "agent", "director", "writer", "singer", "composer", "investor", "shareholder", "beneficiary",
    "insured", "policyholder", "colleague", "friend", "neighbour", "relative", "father", "mother", "spouse", "husband", "wife",
    "supervisor", "reporter", "assignee", "courier", "rider", "umpire", "referee", "skater", "swimmer",
    "kunden", "angestellte", "angestellter", "angestellten", "benutzer", "nutzer", "personen", "patienten", "schueler", "studenten",
    "studierende", "lehrer", "mitglied", "mitglieder", "teilnehmer", "fahrer", "spieler", "leute", "autoren", "arzt", "aerzte",
    "mieter", "kontakt", "kontakte", "utilisateur", "employe", "personne", "joueur", "joueuse", "acteur", "auteur", "eleve",
    "etudiant", "membre", "conducteur", "abonne", "cliente", "usuario", "empleado", "persona", "jugador", "alumno", "paciente",
    "estudiante", "miembro", "clienti", "utente", "utenti", "dipendente", "dipendenti", "persone", "giocatore", "giocatori",
    "studenti", "pazienti", "водител", "игрок", "ученик", "преподавател", "учител", "врач", "автор", "актер", "участник",
    "гражд", "лицо", "лица", "кадры", "заказчик", "получател", "отправител", "владел", "арендатор", "руководител", "менеджер",
];

/// What the table is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Subject {
    Persons,
    Things,
    Unknown,
}

/// What the name of a table or a column is about: its last word that says so (`customer_segments` are things, `film_actors`
/// persons), or its first one where the language puts what it is in front ("группы клиентов", "pays du client").
pub(super) fn subject(name: &str) -> Subject {
    let words: Vec<String> = words(name).iter().map(|word| fold(word)).collect();
    let of_word = |word: &String| match () {
        () if is_one_of(word, PERSONS) => Some(Subject::Persons),
        () if is_one_of(word, THINGS) => Some(Subject::Things),
        () => None,
    };
    let leads = |word: &String| {
        word.starts_with(|c: char| ('а'..='я').contains(&c))
            || ["de", "des", "du", "del", "di", "della"].contains(&word.as_str())
    };
    let mut said = words.iter().filter_map(of_word);
    let found = if words.iter().any(leads) { said.next() } else { said.next_back() };
    found.unwrap_or(Subject::Unknown)
}

/// Whether the name of a column says that it holds free text, or the name of a thing.
pub(super) fn is_text(name: &str) -> bool {
    words(name).iter().any(|word| is_one_of(&fold(word), TEXTS))
}

/// "cities" of "city", "клиенты" of "клиент": the word, in the plural or with an ending.
fn is_one_of(word: &str, list: &[&str]) -> bool {
    list.iter().any(|entry| {
        let cyrillic = entry.starts_with(|c: char| !c.is_ascii());
        let is_plural = |ending: &str, more: &str| {
            word.strip_suffix(ending).is_some_and(|stem| entry.strip_suffix(more) == Some(stem))
        };
        word == *entry
            || is_plural("s", "")
            || is_plural("es", "")
            || is_plural("ies", "y")
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
    if what == Secret {
        let about = rest.iter().any(|word| ABOUT_SECRETS.contains(word) || is_one_of(word, TEXTS));
        // Whose it is does not matter: it agrees with nothing.
        return (!about).then(|| Header { what, label: String::new(), strong: true, plain: false });
    }
    let phrase = words[at..at + n].join(" ");
    let plain = PLAIN.contains(&phrase.as_str());
    // The director of a film is somebody, the department of an employee and the name of a product are not.
    let is_thing = |word: &String| is_one_of(word, THINGS);
    let thing = if what == FullName && strong.is_none() && !plain {
        words[at + n..].iter().any(is_thing)
    } else {
        words[..at].iter().chain(&words[at + n..]).any(is_thing)
    };
    if thing && matches!(what, FullName | GivenName | FamilyName | Company | UserName) {
        return None;
    }
    if rest.iter().any(|word| is_one_of(word, TEXTS)) {
        return None;
    }
    let filler = |word: &&&str| {
        !["number", "no", "nr", "номер", "name", "the", "of", "de", "и", "line", "1", "primary", "main"]
            .contains(*word)
            && crate::russian::Case::named(&[(**word).to_owned()]).is_none()
            && !word.chars().all(|c| c.is_numeric())
    };
    let label = rest.iter().filter(filler).copied().collect::<Vec<_>>().join("_");
    Some(Header { what, label, strong: strong.is_some(), plain })
}

/// The longest phrase among the words: what it says, where it begins and how many words it has.
fn longest(words: &[String], table: &[(Personal, &str)]) -> Option<(Personal, usize, usize)> {
    let mut best: Option<(Personal, usize, usize)> = None;
    for (what, phrases) in table {
        for phrase in phrases.split('|') {
            let n = phrase.split(' ').count();
            // "first" and "last" beside other words are places in an order.
            if words.len() > 1 && ["first", "last", "given"].contains(&phrase) {
                continue;
            }
            let found = words
                .windows(n.max(1))
                .position(|window| phrase.split(' ').eq(window.iter().map(String::as_str)));
            // Of phrases of one length the last in the name: `customer_email_address` ends with what it is.
            if let Some(at) = found.filter(|at| best.is_none_or(|best| (n, *at) > (best.2, best.1))) {
                best = Some((*what, at, n));
            }
        }
    }
    best
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
            "contact_note",
            "name_of_product",
            "employee_department",
            "first_order",
        ] {
            assert_eq!(header(name), None, "{name}");
        }
    }

    #[test]
    fn tables_have_a_subject() {
        assert_eq!((subject("customers"), subject("Track")), (Subject::Persons, Subject::Things));
        assert_eq!((subject("клиенты"), subject("address")), (Subject::Persons, Subject::Unknown));
        assert_eq!(
            (subject("customer_segments"), subject("film_actors")),
            (Subject::Things, Subject::Persons)
        );
        assert_eq!(
            (subject("группы_клиентов"), subject("pays_du_client")),
            (Subject::Things, Subject::Things)
        );
        assert_eq!((subject("Mitarbeiter"), subject("employés")), (Subject::Persons, Subject::Persons));
        assert!(is_text("order_comments") && !is_text("customer"));
        assert!(is_reference("city", City) && !is_reference("customer", City));
    }
}
