//! Reviews of a small grammar in four languages: what they say depends on the stars, the category and how long the parcel
//! took. More than 5,000 sentences are possible.

use crate::{people::Language, random::Random};

/// Lists of words have commas between them, lists of sentences bars. In a sentence `{it}` is the thing, `{is}` its verb,
/// `{a}` and `{b}` praise, `{c}` and `{d}` blame, `{days}` how many days the parcel took.
struct Grammar {
    /// For each category the thing, and which of the endings its adjectives have.
    things: [(&'static str, usize); 10],
    /// The verb for one thing and for several.
    is: [&'static str; 2],
    endings: &'static [&'static str],
    praise: &'static str,
    blame: &'static str,
    /// For few stars, three, and many.
    openings: [&'static str; 3],
    /// Of clothes, of shoes and of bags: bad and good.
    details: [[&'static str; 2]; 3],
    /// Slow and fast.
    delivery: [&'static str; 2],
    /// For few stars, three, and many.
    closings: [&'static str; 3],
}

/// Places of categories. Shoes come in pairs in every language, trousers in some.
const SHOES: [usize; 3] = [5, 7, 9];
const TROUSERS: usize = 1;
const BAG: usize = 8;

static ENGLISH: Grammar = Grammar {
    things: [
        ("the t-shirt", 0),
        ("the trousers", 0),
        ("the pullover", 0),
        ("the dress", 0),
        ("the coat", 0),
        ("the sandals", 0),
        ("the shirt", 0),
        ("the sneakers", 0),
        ("the bag", 0),
        ("the ankle boots", 0),
    ],
    is: ["is", "are"],
    endings: &[""],
    praise: "comfortable, beautiful, light, well made, elegant, sturdy, well cut, perfect",
    blame: "stiff, badly sewn, thin, flimsy, dull, uncomfortable, too small, shapeless",
    openings: [
        "{it} {is} {c} and {d}.|I expected more: {it} {is} {c}.|{it} looked {a} in the photo, but {is} {c}.|\
         Very {c}, and {d} as well.|Disappointed, since {it} {is} {c}.",
        "{it} {is} {a}, but {c}.|Not bad: {it} {is} {a}, though a bit {c}.|For this price {it} {is} {a} enough.|\
         {a}, yet also {c}.",
        "{it} {is} {a} and {b}.|I love how {a} {it} {is}.|{it} {is} even more {a} than in the photo.|\
         Very {a}, and {b} too.|Exactly what I wanted: {it} {is} {a} and {b}.",
    ],
    details: [
        [
            "A seam came apart after two days.|It shrank in the first wash.|The colour is not the one in the photo.|\
             The fabric scratches.|Order one size up.",
            "The fabric feels soft.|It fits as described.|The colour stays after washing.|I wear it to the office.|\
             My size was right at once.",
        ],
        [
            "The sole is hard and slips when it rains.|They rub at the heel.|The glue came off in a week.|\
             They are half a size too small.|My feet hurt in the evening.",
            "The sole is soft, and I walk in them all day.|They fit without breaking in.|They keep dry in the rain.|\
             The size is as usual.|Good for long walks.",
        ],
        [
            "The zip got stuck on the first day.|The strap is too short.|It smells of plastic.|The lining is torn.|\
             A laptop does not fit in.",
            "A laptop and a bottle fit in.|The strap can be adjusted well.|The zip runs smoothly.|\
             It has many useful pockets.|It goes with everything.",
        ],
    ],
    delivery: [
        "It took {days} days until it was shipped.|After {days} days of waiting I had almost given up.|\
         Shipping was slow: {days} days.",
        "It arrived quickly.|Shipped on the next day.|Fast and well packed.",
    ],
    closings: [
        "I sent it back.|Not again.|I want my money back.|Save your money.",
        "It will do.|I would think twice.|All right for the price.|Perhaps in another colour.",
        "I would buy it again.|Five stars from me.|I already ordered another one.|A good present, too.",
    ],
};

static GERMAN: Grammar = Grammar {
    things: [
        ("das T-Shirt", 0),
        ("die Hose", 0),
        ("der Pullover", 0),
        ("das Kleid", 0),
        ("der Mantel", 0),
        ("die Sandalen", 0),
        ("das Hemd", 0),
        ("die Turnschuhe", 0),
        ("die Tasche", 0),
        ("die Stiefeletten", 0),
    ],
    is: ["ist", "sind"],
    endings: &[""],
    praise: "bequem, schön, leicht, gut verarbeitet, elegant, robust, gut geschnitten, perfekt",
    blame: "steif, schlecht genäht, dünn, unbequem, blass, billig gemacht, zu klein, formlos",
    openings: [
        "{it} {is} {c} und {d}.|Ich hatte mehr erwartet: {it} {is} {c}.|Auf dem Foto {a}, in Wirklichkeit {c}.|\
         Leider {is} {it} {c} und {d}.|Sehr {c}, außerdem {d}.",
        "{it} {is} {a}, aber {c}.|Für den Preis {is} {it} {a} genug.|Zwar {a}, aber auch etwas {c}.|\
         Im Großen und Ganzen {is} {it} {a}.",
        "{it} {is} {a} und {b}.|Noch besser als auf dem Foto: {it} {is} {a} und {b}.|Sehr {a}, dazu {b}.|\
         Ich bin begeistert, {it} {is} {a}.|Genau das Richtige, {a} und {b}.",
    ],
    details: [
        [
            "Nach zwei Tagen ging eine Naht auf.|Beim ersten Waschen eingelaufen.|Die Farbe ist anders als auf dem Foto.|\
             Der Stoff kratzt.|Lieber eine Nummer größer bestellen.",
            "Der Stoff fühlt sich weich an.|Die Größe stimmt.|Die Farbe bleibt auch nach dem Waschen.|\
             Passt gut ins Büro.|Sitzt auf Anhieb.",
        ],
        [
            "Die Sohle ist hart und rutscht bei Regen.|Sie scheuern an der Ferse.|Nach einer Woche löste sich der Kleber.|\
             Sie fallen eine halbe Nummer kleiner aus.|Abends tun mir die Füße weh.",
            "Die Sohle ist weich, ich laufe den ganzen Tag darin.|Sie passen ohne Einlaufen.|Auch bei Regen bleibt alles trocken.|\
             Die Größe fällt normal aus.|Gut für lange Wege.",
        ],
        [
            "Der Reißverschluss klemmte am ersten Tag.|Der Riemen ist zu kurz.|Sie riecht nach Plastik.|\
             Das Futter ist eingerissen.|Ein Laptop passt nicht hinein.",
            "Laptop und Flasche passen hinein.|Der Riemen lässt sich gut verstellen.|Der Reißverschluss läuft leicht.|\
             Viele nützliche Fächer.|Passt zu allem.",
        ],
    ],
    delivery: [
        "Erst nach {days} Tagen verschickt.|{days} Tage Wartezeit sind zu viel.|Der Versand war langsam: {days} Tage.",
        "Schnell geliefert.|Am nächsten Tag verschickt.|Flott und gut verpackt.",
    ],
    closings: [
        "Ging zurück.|Nicht noch einmal.|Ich möchte mein Geld zurück.|Schade ums Geld.",
        "Geht in Ordnung.|Ich würde es mir zweimal überlegen.|Für den Preis in Ordnung.|Vielleicht in einer anderen Farbe.",
        "Gerne wieder.|Volle Punktzahl.|Ich habe gleich noch einmal bestellt.|Auch ein schönes Geschenk.",
    ],
};

static FRENCH: Grammar = Grammar {
    things: [
        ("le t-shirt", 0),
        ("le pantalon", 0),
        ("le pull", 0),
        ("la robe", 1),
        ("le manteau", 0),
        ("les sandales", 2),
        ("la chemise", 1),
        ("les baskets", 2),
        ("le sac", 0),
        ("les bottines", 2),
    ],
    is: ["est", "sont"],
    endings: &["", "e", "es"],
    praise: "joli, élégant, bien coupé, bien fini, charmant, résistant, ravissant, excellent",
    blame: "décevant, mal coupé, mal fini, lourd, trop petit, trop grand, délavé, gênant",
    openings: [
        "{it} {is} {c} et {d}.|Déception : {it} {is} {c}.|{a} en photo, {c} en vrai.|Malheureusement {it} {is} {c}.|\
         Vraiment {c}, et {d} en plus.",
        "{it} {is} {a}, mais {c}.|Pour ce prix, {it} {is} assez {a}.|Plutôt {a}, bien que {c}.|\
         Dans l'ensemble {it} {is} {a}.",
        "{it} {is} {a} et {b}.|Encore mieux qu'en photo : {it} {is} {a} et {b}.|Vraiment {a}, et {b} en plus.|\
         J'adore, {it} {is} {a}.|Exactement ce que je cherchais, {a} et {b}.",
    ],
    details: [
        [
            "Une couture a lâché au bout de deux jours.|Ça a rétréci au premier lavage.|La couleur n'est pas celle de la photo.|\
             Le tissu gratte.|Prenez une taille au-dessus.",
            "Le tissu est doux.|La taille est juste.|La couleur tient au lavage.|Parfait pour le bureau.|Ça tombe très bien.",
        ],
        [
            "La semelle est dure et glisse sous la pluie.|Ça frotte au talon.|La colle a lâché en une semaine.|\
             Elles taillent petit.|J'ai mal aux pieds le soir.",
            "La semelle est souple, je marche toute la journée avec.|Confortables dès le premier jour.|\
             Les pieds restent au sec.|La taille est normale.|Très bien pour les longues marches.",
        ],
        [
            "La fermeture s'est bloquée le premier jour.|La bandoulière est trop courte.|Ça sent le plastique.|\
             La doublure est déchirée.|Un ordinateur n'y entre pas.",
            "Un ordinateur et une bouteille y entrent.|La bandoulière se règle bien.|La fermeture glisse bien.|\
             Beaucoup de poches utiles.|Ça va avec tout.",
        ],
    ],
    delivery: [
        "Expédié seulement après {days} jours.|{days} jours d'attente, c'est trop.|L'envoi a été lent : {days} jours.",
        "Livraison rapide.|Expédié le lendemain.|Rapide et bien emballé.",
    ],
    closings: [
        "Je l'ai renvoyé.|Plus jamais.|Je veux être remboursé.|Gardez votre argent.",
        "Ça ira.|À réfléchir.|Correct pour le prix.|Peut-être dans une autre couleur.",
        "J'en rachèterai.|Cinq étoiles.|J'en ai déjà recommandé.|Un beau cadeau aussi.",
    ],
};

static RUSSIAN: Grammar = Grammar {
    things: [
        ("футболка", 1),
        ("брюки", 3),
        ("пуловер", 0),
        ("платье", 2),
        ("пальто", 2),
        ("сандалии", 3),
        ("рубашка", 1),
        ("кроссовки", 3),
        ("сумка", 1),
        ("ботинки", 3),
    ],
    is: ["", ""],
    endings: &["ый", "ая", "ое", "ые"],
    praise: "удобн, красив, качественн, прочн, приятн, отличн, стильн, замечательн",
    blame: "неудобн, некрасив, непрочн, некачественн, груб, блёкл, бесформенн, странн",
    openings: [
        "{it} {c} и {d}.|Ждали другого: {it} {c}.|На фото {it} {a}, а на деле {c}.|Очень {c} {it}.|\
         К сожалению, {it} {c} и {d}.",
        "{it} {a}, но {c}.|За эти деньги {it} {a}.|В целом {a} {it}, хотя и {c}.|Вроде бы {a} {it}, но немного {c}.",
        "{it} {a} и {b}.|Очень {a} {it}.|В жизни лучше, чем на фото: {it} {a} и {b}.|{a} и {b} {it}, всё как хотелось.|\
         Нравится всё: {it} {a}, и цвет хороший.",
    ],
    details: [
        [
            "Шов разошёлся через два дня.|После первой стирки размер уже не тот.|Цвет не как на фото.|Ткань колется.|\
             Берите на размер больше.",
            "Ткань мягкая.|Размер подошёл сразу.|После стирки цвет не изменился.|Хорошо и в офис, и на прогулку.|\
             Швы ровные.",
        ],
        [
            "Подошва жёсткая и скользит в дождь.|Натирают пятку.|Подошва отклеилась через неделю.|Маломерят на полразмера.|\
             К вечеру болят ноги.",
            "Подошва мягкая, хожу весь день.|Разнашивать не пришлось.|В дождь ноги сухие.|Размер в размер.|\
             Подходят для долгих прогулок.",
        ],
        [
            "Молния заела в первый же день.|Ремень слишком короткий.|Пахнет пластиком.|Подкладка порвалась.|\
             Ноутбук не помещается.",
            "Ноутбук и бутылка помещаются.|Ремень хорошо регулируется.|Молния ходит легко.|Много полезных карманов.|\
             Подходит ко всему.",
        ],
    ],
    delivery: [
        "Отправили только через {days} дн.|Ждать отправки {days} дн. — это много.|Отправка долгая: {days} дн.",
        "Пришло быстро.|Отправили на следующий день.|Быстро и хорошо упаковано.",
    ],
    closings: [
        "Оформляю возврат.|Больше не закажу.|Верните деньги.|Жаль денег.",
        "Сойдёт.|Ещё подумаю.|За такую цену нормально.|Может быть, в другом цвете.",
        "Закажу ещё.|Пять звёзд.|Уже есть и второй заказ.|И в подарок хорошо.",
    ],
};

/// What somebody writes of a thing of this category which was on its way after so many days.
pub fn review(random: &mut Random, language: Language, category: usize, stars: u8, days: i64) -> String {
    let grammar = match language {
        Language::English => &ENGLISH,
        Language::German => &GERMAN,
        Language::French => &FRENCH,
        Language::Russian => &RUSSIAN,
    };
    let mood = match stars {
        0..=2 => 0,
        3 => 1,
        _ => 2,
    };
    let mut all = vec![opening(random, grammar, category, mood)];
    // Who is angry writes more.
    let lengths = if mood == 0 { [0.15, 0.4, 0.45] } else { [0.35, 0.4, 0.25] };
    let sentences = 1 + random.weighted(&lengths);
    if sentences > 1 {
        let group = match category {
            BAG => 2,
            shoes if SHOES.contains(&shoes) => 1,
            _ => 0,
        };
        let good = usize::from(mood == 2 || mood == 1 && random.chance(0.5));
        all.push(random.sentence(grammar.details[group][good]).to_owned());
    }
    if sentences > 2 {
        let last = match days {
            5.. if mood < 2 || random.chance(0.4) => random.sentence(grammar.delivery[0]),
            0..=1 if random.chance(0.5) => random.sentence(grammar.delivery[1]),
            _ => random.sentence(grammar.closings[mood]),
        };
        all.push(last.replace("{days}", &days.to_string()));
    }
    all.join(" ")
}

fn opening(random: &mut Random, grammar: &Grammar, category: usize, mood: usize) -> String {
    let (it, form) = grammar.things[category];
    let is_plural = SHOES.contains(&category) || category == TROUSERS && it.ends_with('s');
    let (praise, blame) = (two(random, grammar.praise), two(random, grammar.blame));
    let adjective = |stem: &str| format!("{stem}{}", grammar.endings[form]);
    let sentence = random
        .sentence(grammar.openings[mood])
        .replace("{it}", it)
        .replace("{is}", grammar.is[usize::from(is_plural)])
        .replace("{a}", &adjective(praise.0))
        .replace("{b}", &adjective(praise.1))
        .replace("{c}", &adjective(blame.0))
        .replace("{d}", &adjective(blame.1));
    let mut rest = sentence.chars();
    let first = rest.next().unwrap().to_uppercase();
    first.chain(rest).collect()
}

/// Two different words of a list.
fn two(random: &mut Random, list: &'static str) -> (&'static str, &'static str) {
    let words: Vec<&'static str> = list.split(", ").collect();
    let first = random.below(words.len());
    let second = (first + 1 + random.below(words.len() - 1)) % words.len();
    (words[first], words[second])
}
