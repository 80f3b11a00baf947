//! What a column may hold of a person.

use serde::{Deserialize, Serialize};

/// What a column holds of a person.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Personal {
    /// "Anna Müller", "Иванов И. И."
    FullName,
    GivenName,
    MiddleName,
    FamilyName,
    Patronymic,
    /// Told by the data, never made: it says which names fit.
    Sex,
    Email,
    UserName,
    Phone,
    /// Street with house number: "12 Main St", "ул. Садовая, д. 5, кв. 3".
    Street,
    /// An address with its city, and perhaps its postcode and region, in one column.
    FullAddress,
    City,
    /// State, county, Bundesland, область: a closed list, so that new values may be among those of the source.
    Region,
    Postcode,
    /// Told by the data, never made: it says which names, places and postcodes fit.
    Country,
    Company,
    Url,
    Iban,
    /// Number of a payment card.
    Card,
    National(NationalId),
    Ip,
    Mac,
    /// A password, its hash or salt, a token or a key of an interface.
    Secret,
    /// Told by the data, never made here: a date is a quantity, and the caller moves it ([`crate::Mask::shift_days`]).
    BirthDate,
}

/// Numbers that states give to persons.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum NationalId {
    /// United States, social security: "123-45-6789".
    Ssn,
    /// United Kingdom, national insurance: "QQ 12 34 56 C".
    Nino,
    /// Germany, taxes: eleven digits, the last a check digit.
    SteuerId,
    /// France, social security: fifteen digits, the last two a key.
    Nir,
    /// Russia, pensions: "112-233-445 95".
    Snils,
    /// Russia, taxpayers: twelve digits of a person, ten of a company.
    Inn,
    /// Of any country; of Russia "45 12 345678".
    Passport,
}

impl Personal {
    /// Whether [`crate::Plan`] makes it: the rest is learned by others, and read here.
    pub fn is_made(self) -> bool {
        !matches!(self, Self::Sex | Self::Country | Self::BirthDate)
    }

    /// Whether new values are none of the source: all that is made but regions, which are a closed list.
    pub fn is_fresh(self) -> bool {
        self.is_made() && self != Self::Region
    }

    pub(crate) fn is_name(self) -> bool {
        matches!(
            self,
            Self::FullName | Self::GivenName | Self::MiddleName | Self::FamilyName | Self::Patronymic
        )
    }

    pub(crate) fn is_place(self) -> bool {
        matches!(self, Self::City | Self::Region | Self::Postcode)
    }

    /// What one's values are, in words: "e-mail addresses".
    pub fn described(self) -> &'static str {
        match self {
            Self::FullName => "names of persons",
            Self::GivenName => "given names",
            Self::MiddleName => "middle names",
            Self::FamilyName => "family names",
            Self::Patronymic => "patronymics",
            Self::Sex => "sexes",
            Self::Email => "e-mail addresses",
            Self::UserName => "user names",
            Self::Phone => "telephone numbers",
            Self::Street => "streets with house numbers",
            Self::FullAddress => "postal addresses",
            Self::City => "cities",
            Self::Region => "regions",
            Self::Postcode => "postcodes",
            Self::Country => "countries",
            Self::Company => "companies",
            Self::Url => "web addresses",
            Self::Iban => "IBANs",
            Self::Card => "card numbers",
            Self::National(NationalId::Ssn) => "US social security numbers",
            Self::National(NationalId::Nino) => "UK national insurance numbers",
            Self::National(NationalId::SteuerId) => "German tax numbers",
            Self::National(NationalId::Nir) => "French social security numbers",
            Self::National(NationalId::Snils) => "Russian pension numbers (СНИЛС)",
            Self::National(NationalId::Inn) => "Russian taxpayer numbers (ИНН)",
            Self::National(NationalId::Passport) => "passport numbers",
            Self::Ip => "IP addresses",
            Self::Mac => "MAC addresses",
            Self::Secret => "passwords, tokens or keys",
            Self::BirthDate => "dates of birth",
        }
    }
}
