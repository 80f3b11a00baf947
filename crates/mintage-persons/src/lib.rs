//! People who do not exist: which columns of a table hold personal data, new values for them, and masks of the old ones.
//!
//! A table of customers cannot be shared, and a model that has learned their names may say them. So names, addresses and
//! numbers are not learned at all: they are recognised here, and made afresh in the locale and the format of the column. What
//! is made is nobody's (domains under `.example`, telephone numbers kept for films, cards for tests, numbers that no office
//! issues), agrees within a row, and is never a value of the source.
//!
//! ```text
//!  name and values          [Found]: what, whose, why         [Plan]: groups, formats
//!  of each column  ──recognise──►  first_name  GivenName  ──Plan::of──►  person  ┬ given, family, patronymic ── sex
//!                                  e_mail      Email                             ├ e-mail, login, number
//!                                  zip         Postcode                          └ address: city─region─postcode ── country
//!                                                                         │
//!                       seed ──────────────── Plan::row ──────────────────┤──► new values, none of the source
//!                       key, the row's values ─ Mask::row ────────────────┘──► the same mask for the same value
//! ```
//!
//! The crate is pure: it knows no files, no databases, no models and no clock, and everything follows from a seed or a key.
//! It does not find names within free text, makes no dates, and learns nothing: categories such as sex and country are read
//! from the row.
//!
//! **Recognition** ([`recognise`]). The name of a column, in several languages, lowers the bar; the values decide (known names,
//! forms, check digits); the rest of the table judges what is in doubt. A false alarm would replace a column that could be
//! learned, so a `city` needs a street or a person beside it, and the `name` of a product has to be that of a person.
//!
//! **New rows** ([`Plan::row`]). A seed draws a person and an address; each column shows a part of them in its own format
//! ("IVANOV, Ivan", "Иванову И. И.", "+7 (9##) ###-##-##"). Where a value is of the source, the part is drawn again: from the
//! same list, then composed (two names, a town on no map, a number behind the login).
//!
//! **Masks** ([`Mask::row`]). The draw of a value is a pseudorandom function of key, kind and value (SipHash-2-4), made
//! injective by remembering what is given away. Names are masked by their parts, so that tables agree. Dates of birth are moved
//! by the caller, by as many days as [`Mask::shift_days`] says.
//!
//! What "never a value of the source" leaves out: regions and single initials, which are closed lists. A caller for whom given
//! names and cities are no secrets answers `false` for those columns, and gets frequent names instead of composed ones.
//!
//! # How it is used
//!
//! ```
//! use std::collections::HashSet;
//!
//! use mintage_persons::{Mask, Plan, Sample, recognise};
//!
//! // 1. Names of columns and distinct values, or a sample of them.
//! let columns = [
//!     Sample { name: "first_name", values: vec!["Anna", "Robert", "Linda"] },
//!     Sample { name: "last_name", values: vec!["Smith", "Jones", "Miller"] },
//!     Sample { name: "email", values: vec!["anna.smith@gmail.com", "robert.jones@aol.com"] },
//!     Sample { name: "gender", values: vec!["F", "M"] },
//!     Sample { name: "amount", values: vec!["12.50", "99.00"] },
//! ];
//! let found = recognise("customers", &columns);
//! for found in &found {
//!     assert!(!found.reason.is_empty()); // Shown to the user, who may strike columns out.
//! }
//!
//! // 2. The plan, which is kept beside the model (serde).
//! let plan = Plan::of(&columns, &found);
//! let known: Vec<HashSet<&str>> =
//!     plan.columns().iter().map(|column| columns[column.column].values.iter().copied().collect()).collect();
//! let is_known = |at: usize, text: &str| known[at].contains(text);
//!
//! // 3. New rows: the model has made sex and amount; "" says that a personal value is to be there.
//! let cell = |name: &str| Some(if name == "gender" { "F" } else { "" });
//! let row = plan.row(42, &cell, &is_known);
//! let email = row[2].as_deref().unwrap_or_default();
//! assert!(email.contains("example") && !is_known(2, email));
//!
//! // 4. Or masks of the rows that there are.
//! let real = |name: &str| match name {
//!     "first_name" => Some("Anna"),
//!     "email" => Some("anna.smith@gmail.com"),
//!     "gender" => Some("F"),
//!     _ => None, // Missing values stay missing.
//! };
//! let mut mask = Mask::new(b"a secret of the owner");
//! assert_eq!(mask.row(&plan, &real, &is_known), mask.row(&plan, &real, &is_known));
//! ```
//!
//! Of a person with rows in several tables the seed is derived from the key of the person, and given to [`Plan::row`] of each
//! table, or to [`Plan::row_of`] where a row names several. One [`Mask`] is used for all tables; those with names go first, so
//! that e-mail addresses follow them. Its `is_known` should know the values of the column in all tables.

mod kind;
mod recognise;

mod plan;

mod format;
mod make;
mod mask;

mod digits;
mod locale;
mod russian;
mod secret;
mod sex;
mod stream;
mod text;

pub use format::{Format, Pattern};
pub use kind::{NationalId, Personal};
pub use locale::Locale;
pub use mask::Mask;
pub use plan::{Group, Plan, PlannedColumn};
pub use recognise::{Found, Sample, recognise};
pub use russian::Case;
pub use sex::Sex;
pub use text::Letters;
