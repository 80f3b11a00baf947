//! What is recognised in tables of well-known samples, and what is not.
//!
//! Values of Chinook (MIT licence) and Sakila (BSD licence) are theirs; those of the others are invented.
#![allow(clippy::unwrap_used)]

use mintage_persons::{Locale, NationalId, Personal, Plan, Sample, recognise};

/// What was found, by the names of the columns.
fn found<'a>(table: &str, columns: &[(&'a str, &[&'a str])]) -> Vec<(&'a str, Personal)> {
    let samples = samples(columns);
    let found = recognise(table, &samples);
    assert!(found.iter().all(|found| !found.reason.is_empty()));
    found.iter().filter(|found| !found.reference).map(|found| (columns[found.column].0, found.what)).collect()
}

fn samples<'a>(columns: &[(&'a str, &[&'a str])]) -> Vec<Sample<'a>> {
    columns.iter().map(|(name, values)| Sample { name, values: values.to_vec() }).collect()
}

#[test]
fn secrets_are_known_by_the_names_of_columns() {
    let hash: &[&str] = &["8cb2237d0679ca88db6464eac60da96345513964"];
    for name in [
        "password",
        "passwd",
        "pwd",
        "pass_hash",
        "password_hash",
        "salt",
        "user_secret",
        "reset_token",
        "api_key",
        "apikey",
        "access_key",
        "private_key",
        "пароль",
        "Passwort",
        "mot_de_passe",
        "contraseña",
        "senha",
    ] {
        assert_eq!(found("staff", &[(name, hash)]), [(name, Personal::Secret)], "{name}");
    }
    let others: [(&str, &[&str]); 5] = [
        ("token_count", &["1200345", "17"]),
        ("pass_rate", &["0.75", "0.5"]),
        ("salt", &["1.25", "0.5"]),
        ("token", &["the", "cat"]),
        ("password_changed_at", &["2024-01-05"]),
    ];
    for (name, values) in others {
        assert!(found("staff", &[(name, values)]).is_empty(), "{name}");
    }
}

const CHINOOK_CUSTOMER: &[(&str, &[&str])] = &[
    ("CustomerId", &["1", "2", "3", "4", "5", "6", "7", "8"]),
    ("FirstName", &["Luís", "Leonie", "François", "Bjørn", "František", "Helena", "Astrid", "Daan"]),
    ("LastName", &["Gonçalves", "Köhler", "Tremblay", "Hansen", "Wichterlová", "Holý", "Gruber", "Peeters"]),
    (
        "Company",
        &[
            "Embraer - Empresa Brasileira de Aeronáutica S.A.",
            "JetBrains s.r.o.",
            "Woodstock Discos",
            "Google Inc.",
            "Apple Inc.",
        ],
    ),
    (
        "Address",
        &[
            "Av. Brigadeiro Faria Lima, 2170",
            "Theodor-Heuss-Straße 34",
            "1498 rue Bélanger",
            "Ullevålsveien 14",
            "Klanova 9/506",
            "Rilská 3174/6",
            "Rotenturmstraße 4, 1010 Innere Stadt",
            "Grétrystraat 63",
        ],
    ),
    ("City", &["São José dos Campos", "Stuttgart", "Montréal", "Oslo", "Prague", "Vienne", "Brussels"]),
    ("State", &["SP", "QC", "AB", "BC", "CA", "WA", "NY"]),
    ("Country", &["Brazil", "Germany", "Canada", "Norway", "Czech Republic", "Austria", "Belgium"]),
    ("PostalCode", &["12227-000", "70174", "H2G 1A7", "0171", "14700", "14300", "1010", "1000"]),
    (
        "Phone",
        &[
            "+55 (12) 3923-5555",
            "+49 0711 2842222",
            "+1 (514) 721-4711",
            "+47 22 44 22 22",
            "+420 2 4172 5555",
        ],
    ),
    ("Fax", &["+55 (12) 3923-5566", "+420 2 4172 5555", "+55 (11) 3033-4564", "+1 (780) 434-5565"]),
    (
        "Email",
        &[
            "luisg@embraer.com.br",
            "leonekohler@surfeu.de",
            "ftremblay@gmail.com",
            "bjorn.hansen@yahoo.no",
            "frantisekw@jetbrains.com",
        ],
    ),
    ("SupportRepId", &["3", "4", "5"]),
];

#[test]
fn chinook() {
    let customer = found("Customer", CHINOOK_CUSTOMER);
    use Personal::*;
    let expected = [
        ("FirstName", GivenName),
        ("LastName", FamilyName),
        ("Company", Company),
        ("Address", Street),
        ("City", City),
        ("State", Region),
        ("Country", Country),
        ("PostalCode", Postcode),
        ("Phone", Phone),
        ("Fax", Phone),
        ("Email", Email),
    ];
    assert_eq!(customer, expected);
    let artists: &[&str] = &[
        "AC/DC",
        "Accept",
        "Aerosmith",
        "Alanis Morissette",
        "Alice In Chains",
        "Antônio Carlos Jobim",
        "Apocalyptica",
        "Audioslave",
        "BackBeat",
        "Billy Cobham",
        "Black Label Society",
        "Black Sabbath",
        "Body Count",
        "Bruce Dickinson",
        "Buddy Guy",
        "Caetano Veloso",
        "Chico Buarque",
        "Chico Science & Nação Zumbi",
        "Cidade Negra",
        "Cláudio Zoli",
    ];
    assert_eq!(found("Artist", &[("ArtistId", &["1", "2"]), ("Name", artists)]), []);
    let tracks: &[&str] =
        &["For Those About To Rock", "Balls to the Wall", "Fast As a Shark", "Princess of the Dawn"];
    let composers: &[&str] = &[
        "Angus Young, Malcolm Young, Brian Johnson",
        "F. Baltes, S. Kaufman, U. Dirkscneider & W. Hoffman",
        "Deaffy & R.A. Smith-Diesel",
        "AC/DC",
        "Steven Tyler, Joe Perry, Jack Blades, Tommy Shaw",
        "Alanis Morissette & Glenn Ballard",
    ];
    assert_eq!(found("Track", &[("Name", tracks), ("Composer", composers)]), []);
    assert_eq!(found("Genre", &[("Name", &["Rock", "Jazz", "Metal", "Latin", "Reggae", "Blues"])]), []);
    let invoice = found(
        "Invoice",
        &[
            ("InvoiceDate", &["2021-01-01 00:00:00", "2021-01-02 00:00:00", "2021-01-03 00:00:00"]),
            (
                "BillingAddress",
                &["Theodor-Heuss-Straße 34", "Ullevålsveien 14", "Grétrystraat 63", "8210 111 ST NW"],
            ),
            ("BillingCity", &["Stuttgart", "Oslo", "Brussels", "Edmonton"]),
            ("BillingCountry", &["Germany", "Norway", "Belgium", "Canada"]),
            ("BillingPostalCode", &["70174", "0171", "1000", "T6G 2C7"]),
            ("Total", &["1.98", "3.96", "5.94", "8.91"]),
        ],
    );
    let expected = [
        ("BillingAddress", Street),
        ("BillingCity", City),
        ("BillingCountry", Country),
        ("BillingPostalCode", Postcode),
    ];
    assert_eq!(invoice, expected);
}

#[test]
fn chinook_follows_the_country() {
    let samples = samples(CHINOOK_CUSTOMER);
    let plan = Plan::of(&samples, &recognise("Customer", &samples));
    assert_eq!(plan.groups().len(), 1);
    let known = |k: usize, text: &str| samples[plan.columns()[k].column].values.contains(&text);
    for (country, postcode, phone) in
        [("Germany", 5, "+49"), ("Canada", 7, "+1"), ("Norway", 4, "+47"), ("Brazil", 9, "+55")]
    {
        let row = plan.row(11, &|name| Some(if name == "Country" { country } else { "x" }), &known);
        let get = |what| {
            row[plan.columns().iter().position(|column| column.what == what).unwrap()].clone().unwrap()
        };
        assert_eq!(get(Personal::Postcode).chars().count(), postcode, "{country}: {row:?}");
        assert!(get(Personal::Phone).starts_with(phone), "{country}: {row:?}");
    }
}

#[test]
fn sakila() {
    use Personal::*;
    let customer = found(
        "customer",
        &[
            ("first_name", &["MARY", "PATRICIA", "LINDA", "BARBARA", "ELIZABETH"]),
            ("last_name", &["SMITH", "JOHNSON", "WILLIAMS", "JONES", "BROWN"]),
            (
                "email",
                &[
                    "MARY.SMITH@sakilacustomer.org",
                    "LINDA.WILLIAMS@sakilacustomer.org",
                    "BARBARA.JONES@sakilacustomer.org",
                ],
            ),
            ("active", &["1", "0"]),
            ("create_date", &["2006-02-14"]),
        ],
    );
    assert_eq!(customer, [("first_name", GivenName), ("last_name", FamilyName), ("email", Email)]);
    let address = found(
        "address",
        &[
            (
                "address",
                &[
                    "47 MySakila Drive",
                    "28 MySQL Boulevard",
                    "23 Workhaven Lane",
                    "1913 Hanoi Way",
                    "1121 Loja Avenue",
                ],
            ),
            ("address2", &[]),
            ("district", &["Alberta", "QLD", "Nagasaki", "California", "Attika"]),
            ("city_id", &["300", "576", "463", "449"]),
            ("postal_code", &["35200", "17886", "83579", "53561"]),
            ("phone", &["28303384290", "838635286649", "448477190408", "705814003527"]),
        ],
    );
    assert_eq!(
        address,
        [("address", Street), ("district", Region), ("postal_code", Postcode), ("phone", Phone)]
    );
    let film = found(
        "film",
        &[
            (
                "title",
                &[
                    "ACADEMY DINOSAUR",
                    "ACE GOLDFINGER",
                    "ADAPTATION HOLES",
                    "AFFAIR PREJUDICE",
                    "AFRICAN EGG",
                    "AGENT TRUMAN",
                ],
            ),
            ("special_features", &["Trailers", "Deleted Scenes", "Commentaries"]),
        ],
    );
    assert_eq!(film, []);
    // A list of cities is recognised, and nobody's.
    let cities = [Sample { name: "city", values: vec!["Abha", "Abu Dhabi", "Adana", "Addis Abeba", "Aden"] }];
    let all = recognise("city", &cities);
    assert_eq!((all.len(), all[0].what, all[0].reference), (1, City, true));
    assert!(Plan::of(&cities, &all).columns().is_empty());
}

#[test]
fn formula_1() {
    use Personal::*;
    let drivers = found(
        "drivers",
        &[
            ("driverId", &["1", "2", "3", "4", "5", "6"]),
            ("driverRef", &["hartmann", "leclair", "rosberger", "van_damme", "kovalain", "nakashima"]),
            ("number", &["44", "6", "14"]),
            ("code", &["HAR", "LEC", "ROS", "DAM", "KOV", "NAK"]),
            ("forename", &["Leonard", "Nick", "Nicolas", "Fernando", "Heiko", "Kazuki"]),
            ("surname", &["Hartmann", "Leclair", "Rosberger", "van Damme", "Kovalain", "Nakashima"]),
            ("dob", &["1985-01-07", "1977-05-10", "1985-06-27", "1981-07-29"]),
            ("nationality", &["British", "German", "Spanish", "Finnish"]),
            (
                "url",
                &[
                    "http://en.wikipedia.org/wiki/Leonard_Hartmann",
                    "http://en.wikipedia.org/wiki/Nick_Leclair",
                ],
            ),
        ],
    );
    let expected = [
        ("driverRef", UserName),
        ("code", UserName),
        ("forename", GivenName),
        ("surname", FamilyName),
        ("dob", BirthDate),
        ("url", Url),
    ];
    assert_eq!(drivers, expected);
    let url: &[&str] = &["http://en.wikipedia.org/wiki/A", "http://en.wikipedia.org/wiki/B"];
    let circuits = found(
        "circuits",
        &[
            ("circuitRef", &["albert_park", "sepang", "bahrain", "catalunya"]),
            (
                "name",
                &[
                    "Albert Park Grand Prix Circuit",
                    "Sepang International Circuit",
                    "Circuit Gilles Villeneuve",
                    "Autódromo José Carlos Pace",
                ],
            ),
            ("location", &["Melbourne", "Kuala Lumpur", "Sakhir", "Montmeló"]),
            ("country", &["Australia", "Malaysia", "Bahrain", "Spain"]),
            ("url", url),
        ],
    );
    assert_eq!(circuits, []);
    let constructors = found(
        "constructors",
        &[("name", &["McLaren", "Williams", "Renault", "Ferrari", "Stewart", "Jordan"]), ("url", url)],
    );
    assert_eq!(constructors, []);
}

#[test]
fn names_with_titles_and_in_parentheses() {
    let names: &[&str] = &[
        "Brown, Mr. Owen Harris",
        "Carter, Mrs. John Bradley (Florence Brooks Taylor)",
        "Hale, Miss. Laura",
        "Futter, Mrs. James Henry (Lily May Peel)",
        "Allan, Mr. William Henry",
    ];
    let columns: &[(&str, &[&str])] = &[("Name", names), ("Sex", &["male", "female"])];
    assert_eq!(found("titanic", columns), [("Name", Personal::FullName), ("Sex", Personal::Sex)]);
    let samples = samples(columns);
    let plan = Plan::of(&samples, &recognise("titanic", &samples));
    let row = plan.row(1, &|name| Some(if name == "Sex" { "female" } else { "x" }), &|_, _| false);
    assert!(row[0].as_deref().unwrap().contains(", Ms. "), "{row:?}");
}

#[test]
fn things_are_no_persons() {
    for (table, columns) in [
        (
            "products",
            vec![(
                "name",
                &[
                    "Chef Anton's Cajun Seasoning",
                    "Grandma's Boysenberry Spread",
                    "Aniseed Syrup",
                    "Chai",
                    "Chang",
                ][..],
            )],
        ),
        (
            "airports",
            vec![
                ("name", &["Heathrow", "John F Kennedy Intl", "Charles De Gaulle"][..]),
                ("city", &["London", "New York", "Paris"]),
                ("country", &["UK", "USA", "France"]),
            ],
        ),
        (
            "planes",
            vec![("company", &["Boeing", "Airbus", "Embraer"][..]), ("model", &["737", "A320", "E190"])],
        ),
        (
            "sales",
            vec![
                ("amount", &["12.50", "13.75"][..]),
                ("region", &["North", "South"]),
                ("city", &["Berlin", "Paris"]),
            ],
        ),
        ("weather", vec![("station", &["London", "Paris"][..]), ("reading", &["1234567", "7654321"])]),
        ("iris", vec![("species", &["setosa", "versicolor", "virginica"][..])]),
        (
            "orders",
            vec![
                ("order_number", &["4539148803", "4539148804"][..]),
                ("sku", &["AB-123456", "CD-234567"]),
                ("status", &["open", "closed"]),
            ],
        ),
        ("schools", vec![("state", &["CA", "NY", "TX"][..]), ("score", &["1", "2"])]),
    ] {
        let columns: Vec<(&str, &[&str])> = columns;
        assert_eq!(found(table, &columns), [], "{table}");
    }
}

#[test]
fn russian_headers() {
    use Personal::*;
    let all = found(
        "клиенты",
        &[
            ("№", &["1", "2", "3"]),
            ("ФИО", &["Иванов Иван Иванович", "Петрова Анна Сергеевна", "Ткаченко Ольга Юрьевна"]),
            ("Дата рождения", &["31.05.1984", "01.12.1990"]),
            ("Пол", &["муж", "жен"]),
            ("Телефон", &["8 (912) 345-67-89", "+79031234567", "89261234567"]),
            ("Эл. почта", &["ivan@mail.ru", "anna@yandex.ru"]),
            ("Адрес", &["г. Москва, ул. Мира, д. 5, кв. 12", "г. Тверь, пер. Тихий, д. 8"]),
            ("Паспорт", &["45 08 123456", "40 10 654321"]),
            ("СНИЛС", &["112-233-445 95", "087-654-303 00"]),
            ("ИНН", &["500100732259"]),
            ("Сумма заказа", &["1200", "3400"]),
            ("Комментарий", &["Позвонить утром", "Оставить у двери"]),
        ],
    );
    let expected = [
        ("ФИО", FullName),
        ("Дата рождения", BirthDate),
        ("Пол", Sex),
        ("Телефон", Phone),
        ("Эл. почта", Email),
        ("Адрес", FullAddress),
        ("Паспорт", National(NationalId::Passport)),
        ("СНИЛС", National(NationalId::Snils)),
        ("ИНН", National(NationalId::Inn)),
    ];
    assert_eq!(all, expected);
}

#[test]
fn persons_of_a_row_are_told_apart() {
    let columns: &[(&str, &[&str])] = &[
        ("name", &["Anna Becker", "Hans Schmidt", "Lena Fischer"]),
        ("father_name", &["Karl Becker", "Otto Schmidt", "Emil Fischer"]),
        ("email", &["anna.becker@web.de", "h.schmidt@gmx.de", "lena.fischer@web.de"]),
        ("billing_city", &["Berlin", "Bonn", "Kiel"]),
        ("billing_street", &["Hauptstr. 1", "Am Markt 3", "Ring 5"]),
        ("shipping_city", &["Ulm", "Trier", "Jena"]),
        ("shipping_street", &["Gasse 1", "Weg 3", "Ufer 5"]),
    ];
    let samples = samples(columns);
    let found = recognise("patients", &samples);
    assert!(found.iter().all(|found| found.locale == Locale::DeDe), "{found:?}");
    let plan = Plan::of(&samples, &found);
    let labels: Vec<&str> = plan.groups().iter().map(|group| group.label.as_str()).collect();
    assert_eq!(labels[0], "");
    assert_eq!(labels.iter().filter(|label| ["father", "billing", "shipping"].contains(label)).count(), 3);
    let row = plan.row(3, &|_| Some("x"), &|_, _| false);
    let group = |name: &str| plan.columns().iter().find(|column| column.name == name).unwrap().group;
    assert_eq!(group("name"), group("email"));
    assert_ne!(row[0], row[1]);
}

const COLOURS: &[&str] = &[
    "goldenrod lavender spring chocolate lace",
    "blush thistle blue yellow saddle",
    "rose olive navy violet misty",
    "ivory red lavender rose smoke",
    "olive lace violet tan sienna",
    "lavender rose violet olive ivory",
];
const NOTES: &[&str] =
    &["call Jörg", "ask Anna", "mail Peter", "visit Klaus", "call Maria", "call Hans", "thank Petra"];
const PERSONS: &[&str] =
    &["Anna Müller", "Peter Schmidt", "Klaus Weber", "Maria Fischer", "Hans Meyer", "Petra Wagner"];

#[test]
fn free_text_and_names_of_things_are_no_names_of_persons() {
    for (table, column, values) in [
        ("part", "p_name", COLOURS),
        ("lots", "p_name", COLOURS),
        ("calls", "note", NOTES),
        ("calls", "what_to_do", NOTES),
        ("calls", "Bemerkung", NOTES),
        ("books", "title", PERSONS),
        ("films", "Titel", PERSONS),
        ("blumen", "Bezeichnung", PERSONS),
        ("flowers", "name", &["Rose", "Lily", "Iris", "Violet", "Daisy", "Jasmine"][..]),
        ("colours", "name", &["Olive", "Violet", "Rose", "Red", "Blue", "Black"]),
        ("teams", "name", &["Ferrari", "Williams", "Jordan", "Stewart", "Benetton", "Ligier"]),
        ("Track", "Name", &["Angela", "Roxanne", "Layla", "Jolene", "Billie Jean", "Peggy Sue"]),
        ("Genre", "Name", &["Rock", "Jazz", "Metal", "Latin", "Reggae", "Blues"]),
        (
            "orders",
            "product_name",
            &["Anna Karenina", "Emma", "Jane Eyre", "Oliver Twist", "David Copperfield"],
        ),
        ("customer_segments", "name", &["Young Families", "Grey Power", "May Flowers", "Summer Rose"]),
        ("region", "r_name", &["AFRICA", "AMERICA", "ASIA", "EUROPE", "MIDDLE EAST"]),
        ("товары", "название", &["Мария", "Анна", "Ольга", "Татьяна", "Ирина"]),
        ("группы_клиентов", "имя", &["Роза", "Лилия", "Вера", "Надежда", "Любовь"]),
    ] {
        assert_eq!(found(table, &[("id", &["1", "2", "3"]), (column, values)]), [], "{table}.{column}");
    }
}

#[test]
fn the_table_or_the_column_says_whose_a_name_is() {
    use Personal::FullName;
    // Few of these are known.
    let rare: &[&str] =
        &["Anna Qvortrup", "Zyx Abelone", "Ghanwe Marl", "Peter Obrzut", "Tlaloc Ix", "Maria Ngoyi"];
    for (table, column) in [
        ("customers", "name"),
        ("film_actors", "name"),
        ("mitarbeiter", "Name"),
        ("usuarios", "nombre"),
        ("orders", "driver"),
        ("orders", "customer_name"),
        ("films", "director"),
        ("films", "film_director"),
    ] {
        assert_eq!(found(table, &[(column, rare)]), [(column, FullName)], "{table}.{column}");
    }
    assert_eq!(found("lots", &[("name", rare)]), []);
    assert_eq!(found("parts", &[("name", rare)]), []);
    // Known ones show it wherever they stand.
    for (table, column) in [("lots", "name"), ("calls", "who"), ("vessels", "name")] {
        assert_eq!(found(table, &[(column, PERSONS)]), [(column, FullName)], "{table}.{column}");
    }
}

#[test]
fn given_and_family_names_are_told_apart_in_many_languages() {
    use Personal::*;
    let given: &[&str] = &["David", "Anna", "Thomas", "Maria", "Peter", "Laura"];
    let family: &[&str] = &["Aardsma", "Garcia", "Müller", "Rossi", "Lefebvre", "Smith"];
    for (one, other) in [
        ("nameFirst", "nameLast"),
        ("namefirst", "namelast"),
        ("first", "last"),
        ("first-name", "last-name"),
        ("firstName", "surname"),
        ("given_name", "family_name"),
        ("f_name", "l_name"),
        ("vorname", "nachname"),
        ("Vorname", "Name"),
        ("prénom", "nom"),
        ("PRENOM", "NOM"),
        ("nombre", "apellidos"),
        ("nombre", "primer_apellido"),
        ("nome", "cognome"),
        ("имя", "фамилия"),
        ("name", "surname"),
        ("imya", "fam"),
    ] {
        let all = found("people", &[("id", &["1", "2"]), (one, given), (other, family)]);
        assert_eq!(all, [(one, GivenName), (other, FamilyName)]);
    }
    let patronymics: &[&str] = &["Иванович", "Сергеевна", "Павлович", "Юрьевна"];
    for name in ["отчество", "patronymic", "Otchestvo"] {
        assert_eq!(found("люди", &[(name, patronymics)]), [(name, Patronymic)]);
    }
    // Given names in full, beside the one that somebody is called by.
    let full: &[&str] = &["David Allan", "Henry Louis", "Tommie Lee", "Donald William"];
    let all = found("people", &[("nameFirst", given), ("nameLast", family), ("nameGiven", full)]);
    assert_eq!(all, [("nameFirst", GivenName), ("nameLast", FamilyName), ("nameGiven", GivenName)]);
    let columns = [("nameFirst", given), ("nameLast", family), ("nameGiven", full)];
    let samples = samples(&columns);
    let plan = Plan::of(&samples, &recognise("people", &samples));
    for seed in 0..20 {
        let row = plan.row(seed, &|_| Some("x"), &|_, _| false);
        let (first, in_full) = (row[0].as_deref().unwrap(), row[2].as_deref().unwrap());
        let (called, other) = in_full.split_once(' ').unwrap();
        assert!(called == first && !other.is_empty(), "{row:?}");
    }
    // A whole name beside its first part stays whole.
    let whole: &[&str] = &["David Aardsma", "Anna Garcia", "Thomas Müller", "Maria Rossi"];
    assert_eq!(
        found("people", &[("first_name", given), ("name", whole)]),
        [("first_name", GivenName), ("name", FullName)]
    );
    // Places in an order are no names.
    assert_eq!(found("people", &[("first", &["12", "15", "17"]), ("last", &["yes", "no"])]), []);
}
