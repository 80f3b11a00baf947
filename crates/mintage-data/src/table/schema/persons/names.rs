//! What the names of columns say of the persons in them, in the languages of those who use it.

use super::super::spellings;

/// What the name of a column says of the persons in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Personal {
    Name,
    /// One word by which a person is known to a machine: "login".
    Handle,
    Address,
    Note,
    Number,
}

impl Personal {
    pub(super) fn is_text(self) -> bool {
        self != Self::Number
    }
}

#[rustfmt::skip]
const NAMES: [&str; 72] = [
    "name", "fullname", "firstname", "lastname", "surname", "forename", "givenname", "familyname",
    "middlename", "maiden", "patronymic", "vorname", "nachname", "familienname", "nom", "prenom", "prénom",
    "nombre", "apellido", "apellidos", "cognome", "nome", "sobrenome", "imie", "nazwisko", "имя", "фамилия",
    "отчество", "фио", "клиент", "person", "contact", "holder", "patient", "employee", "passenger",
    "author", "customer", "client", "member", "guest", "owner", "driver", "doctor", "physician", "nurse",
    "teacher", "manager", "supervisor", "sender", "recipient", "tenant", "applicant", "student", "spouse",
    "kunde", "mitarbeiter", "arzt", "пациент", "сотрудник", "врач", "менеджер", "водитель", "учитель",
    "руководитель", "покупатель", "заказчик", "получатель", "отправитель", "владелец", "студент", "супруг",
];
#[rustfmt::skip]
const HANDLES: [&str; 9] = [
    "username", "login", "nickname", "nick", "handle", "user", "логин", "ник", "пользователь",
];
/// Names of what is nobody.
#[rustfmt::skip]
const THINGS: [&str; 41] = [
    "product", "item", "goods", "article", "city", "town", "country", "region", "state", "company", "brand",
    "file", "category", "department", "store", "shop", "station", "model", "column", "table", "event",
    "course", "school", "airport", "товар", "город", "страна", "область", "segment", "group", "type",
    "class", "status", "role", "kind", "level", "position", "тип", "статус", "группа", "роль",
];
#[rustfmt::skip]
const ADDRESSES: [&str; 16] = [
    "address", "addr", "street", "strasse", "straße", "adresse", "anschrift", "rue", "calle", "direccion",
    "dirección", "indirizzo", "адрес", "улица", "apartment", "квартира",
];
#[rustfmt::skip]
const NOTES: [&str; 23] = [
    "note", "notes", "comment", "comments", "remark", "remarks", "message", "feedback", "memo", "bemerkung",
    "notiz", "kommentar", "заметка", "заметки", "комментарий", "примечание", "примечания", "complaint",
    "complaints", "жалобы", "жалоба", "анамнез", "отзыв",
];
#[rustfmt::skip]
const NUMBERS: [&str; 37] = [
    "iban", "account", "konto", "card", "passport", "ssn", "снилс", "snils", "инн", "inn", "огрн", "ogrn",
    "паспорт", "insurance", "licence", "license", "policy", "полис", "счет", "счёт", "карта", "plate",
    "vin", "imei", "lic", "permit", "taxpayer", "acct", "cc", "pan", "mobile", "phone", "tel", "telephone", "телефон",
    "мобильный", "вин",
];
/// Names of what is counted or measured, of whomever it is.
#[rustfmt::skip]
const QUANTITIES: [&str; 16] = [
    "balance", "amount", "sum", "total", "count", "limit", "value", "age", "price", "cost", "size",
    "баланс", "сумма", "остаток", "возраст", "количество",
];

/// Whom the values of a column of this name belong to, if anybody.
pub(super) fn personal(name: &str) -> Option<Personal> {
    let words = spellings::words(name);
    let any = |list: &[&str]| words.iter().any(|word| list.contains(&word.as_str()));
    match () {
        () if any(&QUANTITIES) => None,
        () if any(&ADDRESSES) => Some(Personal::Address),
        () if any(&NOTES) => Some(Personal::Note),
        () if any(&THINGS) => None,
        () if any(&NUMBERS) => Some(Personal::Number),
        () if any(&HANDLES) => Some(Personal::Handle),
        () if any(&NAMES) => Some(Personal::Name),
        () => None,
    }
}
