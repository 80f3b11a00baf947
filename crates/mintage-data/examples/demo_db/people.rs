//! Customers that do not exist: names, towns, telephone numbers of ranges that are set aside for plays and films (in Russia,
//! which has none, numbers that begin with 0 and so belong to nobody), addresses at example.org and example.com.

use std::collections::HashSet;

use crate::random::Random;

#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Language {
    German,
    English,
    French,
    Russian,
}

pub struct Country {
    pub name: &'static str,
    pub language: Language,
    /// How many of the customers live there, as a weight.
    pub weight: f64,
    /// Years of women and of men, on average.
    pub age: [f64; 2],
    /// Days from the order to the parcel on its way, at least and at most.
    pub days: (f64, f64),
    /// First names of women and of men, with commas between them, as in all lists here.
    first: [&'static str; 2],
    last: &'static str,
    towns: &'static [Town],
}

struct Town {
    name: &'static str,
    phone: &'static str,
    postcodes: &'static str,
}

pub static COUNTRIES: [Country; 5] = [
    Country {
        name: "Germany",
        language: Language::German,
        weight: 0.30,
        age: [42.0, 46.0],
        days: (0.4, 2.0),
        first: [
            "Anna, Lena, Julia, Sabine, Katrin, Petra, Miriam, Johanna, Claudia, Birgit, \
                Lea, Franziska, Nina, Heike, Käthe",
            "Lukas, Jan, Thomas, Stefan, Jürgen, Markus, Felix, Jonas, Uwe, Andreas, \
                Tobias, Björn, Dieter, Paul, Matthias",
        ],
        last: "Müller, Schmidt, Weber, Wagner, Becker, Hoffmann, Schäfer, Koch, Bauer, \
                Richter, Klein, Wolf, Schröder, Neumann, Schwarz, Zimmermann, Krüger, \
                Hartmann, Lange, Krause, Lehmann, Köhler, Maier, Voß",
        towns: &[
            Town {
                name: "Berlin",
                phone: "+49 30 23125 ###",
                postcodes: "1011#, 1043#, 1096#, 1204#, 1335#, 1405#",
            },
            Town {
                name: "Hamburg",
                phone: "+49 40 66969 ###",
                postcodes: "2009#, 2035#, 2045#, 2208#, 2276#",
            },
            Town { name: "München", phone: "+49 89 99998 ###", postcodes: "8033#, 8053#, 8079#, 8154#" },
            Town { name: "Köln", phone: "+49 221 4710 ###", postcodes: "5066#, 5073#, 5082#, 5093#" },
            Town {
                name: "Frankfurt am Main",
                phone: "+49 69 90009 ###",
                postcodes: "6031#, 6032#, 6043#, 6059#",
            },
        ],
    },
    Country {
        name: "United States",
        language: Language::English,
        weight: 0.22,
        age: [35.0, 38.0],
        days: (2.5, 6.0),
        first: [
            "Emily, Ashley, Jessica, Olivia, Madison, Grace, Linda, Karen, Nicole, Hannah, \
                Megan, Sofia, Tiffany, Denise",
            "James, Michael, Ethan, Tyler, Jacob, Robert, Kevin, Brian, Jason, Carlos, \
                Logan, Eric, Marcus, Scott",
        ],
        last: "Johnson, Williams, Miller, Davis, Garcia, Rodriguez, Martinez, Anderson, \
                Thomas, Moore, Jackson, Lee, Harris, Clark, Lewis, Robinson, Walker, Young, \
                Nguyen, Torres, Rivera, Campbell",
        towns: &[
            Town { name: "New York", phone: "+1 212 555 01##", postcodes: "1000#, 1001#, 1002#, 1012#" },
            Town { name: "Chicago", phone: "+1 312 555 01##", postcodes: "6060#, 6061#, 6064#" },
            Town { name: "Houston", phone: "+1 713 555 01##", postcodes: "7700#, 7702#, 7705#" },
            Town { name: "Seattle", phone: "+1 206 555 01##", postcodes: "9810#, 9811#, 9812#" },
            Town { name: "Boston", phone: "+1 617 555 01##", postcodes: "0211#, 0212#, 0213#" },
            Town { name: "Denver", phone: "+1 303 555 01##", postcodes: "8020#, 8021#, 8022#" },
        ],
    },
    Country {
        name: "Россия",
        language: Language::Russian,
        weight: 0.20,
        age: [33.0, 36.0],
        days: (3.0, 8.0),
        first: [
            "Анна, Мария, Екатерина, Ольга, Наталья, Елена, Дарья, Полина, Ирина, Ксения, \
                Татьяна, Юлия, Светлана, Вера",
            "Александр, Дмитрий, Сергей, Андрей, Алексей, Иван, Михаил, Николай, Павел, \
                Егор, Илья, Роман, Фёдор, Юрий",
        ],
        // Women's have an «а» more.
        last: "Иванов, Смирнов, Кузнецов, Попов, Васильев, Петров, Соколов, Михайлов, \
                Новиков, Фёдоров, Морозов, Волков, Алексеев, Лебедев, Семёнов, Егоров, \
                Павлов, Козлов, Степанов, Никитин, Орлов, Зайцев, Ершов, Щукин",
        towns: &[
            Town {
                name: "Москва",
                phone: "+7 495 0##-##-##",
                postcodes: "1010##, 1051##, 1150##, 1173##, 1255##",
            },
            Town {
                name: "Санкт-Петербург",
                phone: "+7 812 0##-##-##",
                postcodes: "1900##, 1911##, 1941##, 1971##",
            },
            Town { name: "Новосибирск", phone: "+7 383 0##-##-##", postcodes: "6300##" },
            Town { name: "Екатеринбург", phone: "+7 343 0##-##-##", postcodes: "6200##, 6201##" },
            Town { name: "Казань", phone: "+7 843 0##-##-##", postcodes: "4200##, 4201##" },
            Town { name: "Самара", phone: "+7 846 0##-##-##", postcodes: "4430##, 4431##" },
        ],
    },
    Country {
        name: "United Kingdom",
        language: Language::English,
        weight: 0.16,
        age: [39.0, 43.0],
        days: (1.5, 4.0),
        first: [
            "Charlotte, Amelia, Isla, Poppy, Freya, Margaret, Fiona, Gemma, Harriet, \
                Imogen, Niamh, Rosie",
            "Oliver, George, Harry, Alfie, Callum, Graham, Nigel, Rhys, Hamish, Simon, \
                Toby, Gareth",
        ],
        last: "Smith, Jones, Taylor, Brown, Davies, Evans, Wilson, Roberts, Wright, \
                Thompson, Hughes, Edwards, Green, Wood, Patel, Khan, MacDonald, Fraser, \
                Bennett, Cooper",
        towns: &[
            Town {
                name: "London",
                phone: "+44 20 7946 0###",
                postcodes: "E1 #@@, N1 #@@, SE1 #@@, SW4 #@@, W2 #@@, NW3 #@@",
            },
            Town { name: "Manchester", phone: "+44 161 496 0###", postcodes: "M1 #@@, M4 #@@, M14 #@@" },
            Town { name: "Birmingham", phone: "+44 121 496 0###", postcodes: "B1 #@@, B5 #@@, B16 #@@" },
            Town { name: "Leeds", phone: "+44 113 496 0###", postcodes: "LS1 #@@, LS6 #@@, LS11 #@@" },
            Town { name: "Bristol", phone: "+44 117 496 0###", postcodes: "BS1 #@@, BS6 #@@" },
            Town { name: "Edinburgh", phone: "+44 131 496 0###", postcodes: "EH1 #@@, EH6 #@@, EH10 #@@" },
        ],
    },
    Country {
        name: "France",
        language: Language::French,
        weight: 0.12,
        age: [37.0, 40.0],
        days: (1.0, 3.5),
        first: [
            "Camille, Léa, Manon, Chloé, Sylvie, Élodie, Nathalie, Inès, Claire, Mathilde, \
                Aurélie, Brigitte",
            "Hugo, Louis, Julien, Antoine, Rémi, François, Bastien, Théo, Guillaume, \
                Olivier, Benoît, Yves",
        ],
        last: "Martin, Bernard, Dubois, Durand, Leroy, Moreau, Lefèvre, Fournier, Girard, \
                Bonnet, Rousseau, Lambert, Faure, Mercier, Gauthier, Chevalier, Perrin, \
                Besnard",
        towns: &[
            Town { name: "Paris", phone: "+33 1 99 00 ## ##", postcodes: "7500#, 7501#" },
            Town { name: "Nantes", phone: "+33 2 61 91 ## ##", postcodes: "44000, 44100, 44200, 44300" },
            Town { name: "Strasbourg", phone: "+33 3 53 01 ## ##", postcodes: "67000, 67100, 67200" },
            Town { name: "Lyon", phone: "+33 4 65 71 ## ##", postcodes: "69001, 69002, 69003, 69007" },
            Town { name: "Toulouse", phone: "+33 5 36 49 ## ##", postcodes: "31000, 31200, 31300, 31400" },
        ],
    },
];

/// For women and for men.
const PATRONYMICS: [&str; 2] = [
    "Александровна, Алексеевна, Андреевна, Викторовна, Владимировна, Дмитриевна, Ивановна, Ильинична, Михайловна, \
     Николаевна, Петровна, Сергеевна",
    "Александрович, Алексеевич, Андреевич, Викторович, Владимирович, Дмитриевич, Иванович, Ильич, Михайлович, \
     Николаевич, Петрович, Сергеевич",
];

/// Who somebody is and where.
pub struct Person {
    pub country: &'static Country,
    pub is_woman: bool,
    pub age: f64,
    pub name: String,
    pub email: String,
    pub phone: Option<String>,
    pub city: Option<String>,
    pub postcode: Option<String>,
}

impl Person {
    /// Somebody whose address `taken` does not have yet.
    pub fn new(random: &mut Random, taken: &mut HashSet<String>) -> Self {
        let weights: Vec<f64> = COUNTRIES.iter().map(|country| country.weight).collect();
        let country = &COUNTRIES[random.weighted(&weights)];
        let is_woman = random.chance(0.58);
        let sex = usize::from(!is_woman);
        let age = (country.age[sex] + 12.0 * random.normal()).clamp(21.0, 86.0);
        let (first, last) = (random.word(country.first[sex]), random.word(country.last));
        let is_russian = country.language == Language::Russian;
        let last = if is_russian && is_woman { format!("{last}а") } else { last.to_owned() };
        let name = match is_russian {
            true => format!("{last} {first} {}", random.word(PATRONYMICS[sex])),
            false => format!("{first} {last}"),
        };
        let email = email(random, (first, last.as_str()), 2025 - age as u32, taken);
        // The first towns of a country are its largest.
        let weights: Vec<f64> = (0..country.towns.len()).map(|at| 1.0 / (at + 1) as f64).collect();
        let town = &country.towns[random.weighted(&weights)];
        let phone = random.chance(0.75).then(|| random.fill(town.phone));
        let postcode = random.word(town.postcodes);
        let place = random.chance(0.96).then(|| (town.name.to_owned(), random.fill(postcode)));
        let (city, postcode) = place.unzip();
        Self { country, is_woman, age, name, email, phone, city, postcode }
    }
}

fn email(random: &mut Random, (first, last): (&str, &str), year: u32, taken: &mut HashSet<String>) -> String {
    let (first, last) = (latin(first), latin(last));
    let initial = &first[..1];
    let name = match random.below(4) {
        0 => format!("{first}.{last}"),
        1 => format!("{initial}.{last}"),
        2 => format!("{first}.{last}{:02}", year % 100),
        _ => format!("{last}.{first}"),
    };
    let host = random.pick(&["example.org", "example.com"]);
    let numbers = std::iter::once(String::new()).chain((2u32..).map(|number| number.to_string()));
    let mut all = numbers.map(|number| format!("{name}{number}@{host}"));
    let email = all.find(|email| !taken.contains(email)).unwrap();
    taken.insert(email.clone());
    email
}

/// In small letters of ASCII.
fn latin(name: &str) -> String {
    let latin = |c: char| match c {
        'ä' => "ae".to_owned(),
        'ö' => "oe".to_owned(),
        'ü' => "ue".to_owned(),
        'ß' => "ss".to_owned(),
        'é' | 'è' | 'ê' | 'ë' => "e".to_owned(),
        'î' | 'ï' => "i".to_owned(),
        'ç' => "c".to_owned(),
        'а' => "a".to_owned(),
        'б' => "b".to_owned(),
        'в' => "v".to_owned(),
        'г' => "g".to_owned(),
        'д' => "d".to_owned(),
        'е' | 'э' => "e".to_owned(),
        'ё' => "yo".to_owned(),
        'ж' => "zh".to_owned(),
        'з' => "z".to_owned(),
        'и' | 'й' => "i".to_owned(),
        'к' => "k".to_owned(),
        'л' => "l".to_owned(),
        'м' => "m".to_owned(),
        'н' => "n".to_owned(),
        'о' => "o".to_owned(),
        'п' => "p".to_owned(),
        'р' => "r".to_owned(),
        'с' => "s".to_owned(),
        'т' => "t".to_owned(),
        'у' => "u".to_owned(),
        'ф' => "f".to_owned(),
        'х' => "kh".to_owned(),
        'ц' => "ts".to_owned(),
        'ч' => "ch".to_owned(),
        'ш' => "sh".to_owned(),
        'щ' => "shch".to_owned(),
        'ъ' | 'ь' => String::new(),
        'ы' => "y".to_owned(),
        'ю' => "yu".to_owned(),
        'я' => "ya".to_owned(),
        other => other.to_string(),
    };
    name.to_lowercase().chars().map(latin).collect()
}
