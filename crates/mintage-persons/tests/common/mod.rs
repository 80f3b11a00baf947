//! Tables of people who do not exist, a few rows in each locale: what the tests learn formats from.

use std::collections::{HashMap, HashSet};

use mintage_persons::{Locale, Plan, Sample, recognise};

/// Columns with their values; the values of one place are a row.
pub type Columns = Vec<(String, Vec<String>)>;

/// A table in the locale: the first line are the names of the columns.
pub fn table(locale: Locale) -> Columns {
    let lines: &[&str] = match locale {
        Locale::EnUs => &[
            "first_name|middle_initial|last_name|full_name|email|username|phone|street|city|state|zip|address|company|website|iban|card_number|ssn|ip|mac|gender|fax",
            "John|Q.|Anderson|John Anderson|john.anderson@gmail.com|janderson|(212) 736-5000|12 Elm Street|Springfield|IL|62701|12 Elm Street, Springfield, IL 62701|Acme Inc.|https://www.acme.com|DE89 3704 0044 0532 0130 00|4539 1488 0343 6467|123-45-6789|93.184.216.34|00:1a:2b:3c:4d:5e|M|212-736-5001",
            "Mary|R.|Becker|Mary Becker|mbecker@yahoo.com|mbecker7|(415) 555-2671|4410 Oak Ave|Dayton|OH|45402|4410 Oak Ave, Dayton, OH 45402|Widget Works LLC|https://widget.com|DE75512108001245126199|5500000000000004|219-09-9999|8.8.4.4|00:1a:2b:3c:4d:5f|F|415-736-5001",
            "Linda|S.|Jones|Linda Jones|linda_jones12@aol.com|ljones|(303) 499-7111|7 Pine Rd|Provo|UT|84601|7 Pine Rd, Provo, UT 84601|Initech Corp.|http://initech.com/linda|DE12500105170648489890|4111 1111 1111 1111|457-55-5462|1.1.1.1|00:1a:2b:3c:4d:60|F|303-736-5001",
            "James|T.|Wilson|James Wilson|jwilson@example.org|jwilson|(512) 463-2000|350 Lake Dr|Salem|OR|97301|350 Lake Dr, Salem, OR 97301|Wilson & Sons|https://wilson.com|DE27100777770209299700|4012888888881881|078-05-1120|9.9.9.9|00:1a:2b:3c:4d:61|M|512-736-5001",
            "Susan|U.|Miller|Susan Miller|susan.miller@gmail.com|smiller|(617) 495-1000|88 Main St|Lowell|MA|01850|88 Main St, Lowell, MA 01850|Miller Group|https://www.millergroup.com|DE02120300000000202051|5105 1051 0510 5100|321-54-9876|4.2.2.1|00:1a:2b:3c:4d:62|F|617-736-5001",
        ],
        Locale::EnGb => &[
            "forename|surname|name|e-mail|login|telephone|street|town|county|postcode|address|company|url|iban|card|ni_number|ip_address|sex",
            "Oliver|Hughes|Hughes, Oliver|oliver.hughes@btinternet.com|ohughes|020 7946 1234|12 High Street|Woking|Surrey|GU21 6XR|12 High Street, Woking GU21 6XR|Hughes Ltd|http://www.hughes.co.uk|GB82WEST12345698765432|4539148803436467|AB 12 34 56 C|81.2.69.142|male",
            "Emily|Clarke|Clarke, Emily|e.clarke@gmail.com|eclarke|0161 496 1234|4 Mill Lane|Bury|Lancashire|BL9 0SW|4 Mill Lane, Bury BL9 0SW|Clarke & Sons|http://clarke.co.uk|GB33BUKB20201555555555|5500000000000004|CE 23 45 67 A|81.2.69.143|female",
            "George|Walker|Walker, George|gwalker@sky.com|gwalker|01632 960123|77 The Avenue|Ely|Cambridgeshire|CB7 4DL|77 The Avenue, Ely CB7 4DL|Walker PLC|http://walker.co.uk/george|GB94BARC10201530093459|4111111111111111|GH 34 56 78 B|81.2.69.144|male",
            "Amelia|Cooper|Cooper, Amelia|amelia.cooper@outlook.com|acooper|0113 496 0123|9 Park Road|Otley|West Yorkshire|LS21 3AA|9 Park Road, Otley LS21 3AA|Cooper LLP|http://cooper.co.uk|GB60BARC20000055779911|4012888888881881|JK 45 67 89 D|81.2.69.145|female",
            "Harry|Bennett|Bennett, Harry|harry.bennett@gmail.com|hbennett|07700 912345|101 Church Lane|Rye|East Sussex|TN31 7HE|101 Church Lane, Rye TN31 7HE|Bennett Limited|http://bennett.co.uk|GB29NWBK60161331926819|5105105105105100|LM 56 78 90 A|81.2.69.146|male",
        ],
        Locale::DeDe => &[
            "Vorname|Nachname|Name|E-Mail|Benutzername|Telefon|Straße|Ort|Bundesland|PLZ|Adresse|Firma|Webseite|IBAN|Kreditkarte|Steuer-ID|IP|Geschlecht",
            "Anna|Müller|Frau Anna Müller|anna.mueller@web.de|amueller|030 1234567|Lindenstraße 12|Fürth|Bayern|90762|Lindenstraße 12, 90762 Fürth|Müller GmbH|https://www.mueller.de|DE89 3704 0044 0532 0130 00|4539 1488 0343 6467|86095742719|93.184.216.34|w",
            "Hans|Schmidt|Herr Hans Schmidt|h.schmidt@gmx.de|hschmidt|+49 89 7654321|Am Markt 3|Gotha|Thüringen|99867|Am Markt 3, 99867 Gotha|Schmidt AG|https://schmidt.de|DE75 5121 0800 1245 1261 99|4111 1111 1111 1111|47036892816|93.184.216.35|m",
            "Lena|Fischer|Frau Lena Fischer|lena_fischer@t-online.de|lfischer|040 7654321|Gartenweg 45|Celle|Niedersachsen|29221|Gartenweg 45, 29221 Celle|Fischer KG|https://fischer.de|DE12 5001 0517 0648 4898 90|5500 0000 0000 0004|65929970489|93.184.216.36|w",
            "Jürgen|Wagner|Herr Jürgen Wagner|juergen.wagner@web.de|jwagner|0221 765432|Bergstr. 101|Hilden|Nordrhein-Westfalen|40721|Bergstr. 101, 40721 Hilden|Wagner OHG|https://wagner.de/juergen|DE27 1007 7777 0209 2997 00|4012 8888 8888 1881|57549285017|93.184.216.37|m",
            "Klara|Becker|Frau Klara Becker|klara.becker@gmx.de|kbecker|069 1234567|Hauptstr. 9|Fulda|Hessen|36037|Hauptstr. 9, 36037 Fulda|Becker UG|https://becker.de|DE02 1203 0000 0000 2020 51|5105 1051 0510 5100|25768131411|93.184.216.38|w",
        ],
        Locale::FrFr => &[
            "Prénom|Nom de famille|Nom complet|Courriel|Identifiant|Téléphone|Rue|Ville|Région|Code postal|Adresse|Entreprise|Site web|IBAN|Carte bancaire|NIR|Adresse IP|Sexe",
            "Camille|Dubois|DUBOIS Camille|camille.dubois@orange.fr|cdubois|01 42 68 53 00|12 rue des Lilas|Sceaux|Île-de-France|92330|12 rue des Lilas, 92330 Sceaux|Dubois SARL|http://www.dubois.fr|FR14 2004 1010 0505 0001 3M02 606|4539 1488 0343 6467|2 55 08 14 168 025 38|93.184.216.34|F",
            "Hugo|Moreau|MOREAU Hugo|h.moreau@free.fr|hmoreau|+33 4 78 30 12 34|3, avenue Foch|Vienne|Auvergne-Rhône-Alpes|38200|3, avenue Foch, 38200 Vienne|Moreau SA|http://moreau.fr|FR76 3000 6000 0112 3456 7890 189|4111 1111 1111 1111|1 85 05 78 006 084 91|93.184.216.35|H",
            "Léa|Petit|PETIT Léa|lea.petit@sfr.fr|lpetit|05 56 12 34 56|45 boulevard Carnot|Dax|Nouvelle-Aquitaine|40100|45 boulevard Carnot, 40100 Dax|Petit SAS|http://petit.fr|FR76 3000 4000 0312 3456 7890 143|5500 0000 0000 0004|2 69 05 49 588 157 80|93.184.216.36|F",
            "Louis|Girard|GIRARD Louis|louisgirard@gmail.com|lgirard|06 12 34 56 78|101 rue Pasteur|Dole|Bourgogne-Franche-Comté|39100|101 rue Pasteur, 39100 Dole|Girard EURL|http://girard.fr/louis|FR76 1020 7000 0123 4567 8901 234|4012 8888 8888 1881|1 51 02 46 102 043 25|93.184.216.37|H",
            "Manon|Lambert|LAMBERT Manon|manon.lambert@orange.fr|mlambert|02 98 76 54 32|7 place du Marché|Vitré|Bretagne|35500|7 place du Marché, 35500 Vitré|Lambert et Fils|http://lambert.fr|FR76 1027 8000 0123 4567 8901 234|5105 1051 0510 5100|2 84 12 75 120 005 10|93.184.216.38|F",
        ],
        _ => &[
            "фамилия|имя|отчество|ФИО|ФИО (родительный)|эл. почта|логин|телефон|улица|город|область|индекс|адрес|организация|сайт|IBAN|номер карты|СНИЛС|ИНН|паспорт|IP|пол",
            "Иванов|Иван|Иванович|Иванов Иван Иванович|Иванова Ивана Ивановича|ivan.ivanov@mail.ru|iivanov|+7 (912) 345-67-89|ул. Садовая, д. 5, кв. 31|Клин|Московская область|141600|141600, г. Клин, ул. Садовая, д. 5|ООО «Пример»|https://primer.ru|DE89370400440532013000|4539 1488 0343 6467|112-233-445 95|500100732259|45 08 123456|93.184.216.34|м",
            "Петрова|Анна|Сергеевна|Петрова Анна Сергеевна|Петровой Анны Сергеевны|a.petrova@yandex.ru|apetrova|+7 (903) 123-45-67|ул. Мира, д. 12, кв. 4|Вязьма|Смоленская область|215110|215110, г. Вязьма, ул. Мира, д. 12|АО «Образец»|https://obrazec.ru|DE75512108001245126199|4111 1111 1111 1111|087-654-303 00|500100732259|40 10 654321|93.184.216.35|ж",
            "Смирнов|Олег|Павлович|Смирнов Олег Павлович|Смирнова Олега Павловича|smirnov_oleg@mail.ru|osmirnov|+7 (926) 765-43-21|пер. Тихий, д. 101, кв. 7|Ржев|Тверская область|172380|172380, г. Ржев, пер. Тихий, д. 101|ООО «Вектор Плюс»|https://vektor.ru/oleg|DE12500105170648489890|5500 0000 0000 0004|112-233-445 95|500100732259|46 05 111222|93.184.216.36|м",
            "Ткаченко|Ольга|Юрьевна|Ткаченко Ольга Юрьевна|Ткаченко Ольги Юрьевны|olga.tkachenko@gmail.com|otkachenko|+7 (495) 123-45-67|ул. Лесная, д. 8, кв. 15|Елец|Липецкая область|399770|399770, г. Елец, ул. Лесная, д. 8|ИП «Ткаченко»|https://tkachenko.ru|DE27100777770209299700|4012 8888 8888 1881|087-654-303 00|500100732259|42 12 333444|93.184.216.37|ж",
            "Белинский|Пётр|Ильич|Белинский Пётр Ильич|Белинского Петра Ильича|petr@mail.ru|pbelinskiy|+7 (921) 555-66-77|пр-т Победы, д. 33, кв. 2|Выборг|Ленинградская область|188800|188800, г. Выборг, пр-т Победы, д. 33|ПАО «Север»|https://sever.ru|DE02120300000000202051|5105 1051 0510 5100|112-233-445 95|500100732259|41 09 555666|93.184.216.38|м",
        ],
    };
    let mut columns: Columns = lines[0].split('|').map(|name| (name.to_owned(), Vec::new())).collect();
    for line in &lines[1..] {
        let cells: Vec<&str> = line.split('|').collect();
        assert_eq!(cells.len(), columns.len(), "{line}");
        for (column, cell) in columns.iter_mut().zip(cells) {
            column.1.push(cell.to_owned());
        }
    }
    columns
}

/// The distinct values of each column.
pub fn samples(columns: &Columns) -> Vec<Sample<'_>> {
    let distinct = |values: &'_ [String]| {
        let mut seen = HashSet::new();
        let texts: Vec<usize> = (0..values.len()).filter(|&at| seen.insert(values[at].as_str())).collect();
        texts
    };
    columns
        .iter()
        .map(|(name, values)| Sample {
            name,
            values: distinct(values).into_iter().map(|at| values[at].as_str()).collect(),
        })
        .collect()
}

pub fn plan(table: &str, columns: &Columns) -> Plan {
    let samples = samples(columns);
    Plan::of(&samples, &recognise(table, &samples))
}

/// As many rows as asked, by a plan, with what the other columns of the table say.
pub fn grown(columns: &Columns, rows: usize, first_seed: u64) -> Columns {
    let plan = plan("customers", columns);
    let made: HashMap<&str, usize> =
        plan.columns().iter().enumerate().map(|(k, c)| (c.name.as_str(), k)).collect();
    let mut grown: Columns =
        columns.iter().map(|(name, _)| (name.clone(), Vec::with_capacity(rows))).collect();
    for row in 0..rows {
        let cell = |name: &str| {
            let column = columns.iter().find(|column| column.0 == name)?;
            Some(column.1[row % column.1.len()].as_str())
        };
        let values = plan.row(first_seed + row as u64, &cell, &|_, _| false);
        for column in &mut grown {
            let value = match made.get(column.0.as_str()) {
                Some(&k) => values[k].clone().unwrap_or_default(),
                None => cell(&column.0).unwrap_or_default().to_owned(),
            };
            column.1.push(value);
        }
    }
    grown
}
