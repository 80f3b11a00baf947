//! Files of one kind in a column of a table, whatever the database: a row an item, another column the labels. Which
//! column that is, the bytes in the columns say.

use super::{
    SourceSpec,
    media::{IMAGES, Media},
};
use crate::{
    Error,
    store::{Ask, Database, Items, Place, check_column},
    video::CLIPS,
};

/// An open column of images, or of other media.
#[derive(Debug)]
pub(crate) struct ColumnSource {
    pub table: String,
    pub column: String,
    items: Items,
}

impl ColumnSource {
    /// Opens the column of a database that `spec` asks for, or the only one that holds such files.
    ///
    /// # Errors
    /// There is no such column or several, or nothing to learn from is in it.
    pub fn open(mut database: Box<dyn Database>, spec: &SourceSpec, media: &Media) -> Result<Self, Error> {
        let name = database.name().to_owned();
        if spec.query.is_some() {
            let why = format!("a query gives rows and texts, and no {}", media.name);
            return Err(
                Error::bad(name, why).with_hint("name the table and the column: --table T --column C")
            );
        }
        let (table, column) = choose(&mut *database, spec, media)?;
        let label = spec.label.as_deref().filter(|_| !spec.no_labels());
        if let Some(label) = label {
            check_column(&name, &table, label, &database.columns(&table)?)?;
        }
        let limit = spec.limit.filter(|&limit| limit > 0);
        let items = database.items(&Ask { table: &table, column: &column, label, limit })?;
        if items.numbers.is_empty() {
            return Err(Error::bad(format!("{name}: {table}.{column}"), "holds no rows to learn from")
                .with_hint("empty values do not count, nor do rows that mintage made"));
        }
        Ok(Self { table, column, items })
    }

    pub fn len(&self) -> usize {
        self.items.numbers.len()
    }

    /// "row 17 of products.photo".
    pub fn name(&self, item: usize) -> String {
        format!("row {} of {}.{}", self.items.numbers[item], self.table, self.column)
    }

    /// The label of every item as text, or nothing where none are asked for.
    pub fn labels(&self) -> Option<&[String]> {
        self.items.labels.as_deref()
    }

    /// The bytes of an item; none of one that is too long to be meant.
    ///
    /// # Errors
    /// It cannot be read any more.
    pub fn fetch(&self, item: usize) -> Result<Vec<u8>, Error> {
        self.items.bytes.read(item)
    }
}

/// Columns of bytes, and how the first values of each begin.
pub(crate) struct Heads(Vec<(Place, Vec<Vec<u8>>)>);

impl Heads {
    /// Looks into the columns for which `is_wanted`, of the tables of a database and of the view `wanted`.
    ///
    /// # Errors
    /// They cannot be read.
    pub fn of(
        database: &mut dyn Database,
        wanted: Option<&str>,
        is_wanted: impl Fn(&Place) -> bool,
    ) -> Result<Self, Error> {
        let places = database.byte_columns(wanted)?.into_iter().filter(is_wanted);
        let looked =
            places.map(|place| Ok((database.heads(&place)?, place))).collect::<Result<Vec<_>, _>>()?;
        Ok(Self(looked.into_iter().map(|(heads, place)| (place, heads)).collect()))
    }

    /// The columns that were looked into.
    pub fn places(&self) -> impl Iterator<Item = &Place> {
        self.0.iter().map(|(place, _)| place)
    }

    /// The columns most of whose values begin like such files.
    pub fn holding(&self, media: &Media) -> Vec<Place> {
        let holds =
            |heads: &[Vec<u8>]| 2 * heads.iter().filter(|head| (media.is)(head)).count() > heads.len();
        self.0.iter().filter(|(_, heads)| holds(heads)).map(|(place, _)| place.clone()).collect()
    }
}

/// The table and the column to read: as asked for, or the only ones that hold what is looked for.
fn choose(database: &mut dyn Database, spec: &SourceSpec, media: &Media) -> Result<Place, Error> {
    let name = media.name;
    let shown = database.name().to_owned();
    if let Some(table) = &spec.table {
        database.check_table(table)?;
        if let Some(column) = &spec.column {
            check_column(&shown, table, column, &database.columns(table)?)?;
            return Ok((table.clone(), column.clone()));
        }
    }
    let heads = Heads::of(database, spec.table.as_deref(), |_| true)?;
    let all = heads.holding(media);
    let mut found: Vec<Place> = all.iter().filter(|place| spec.asks_for(place)).cloned().collect();
    if found.len() > 1 && media.name == IMAGES.name {
        // Every GIF is an image, too: where others are there, clips are not meant.
        let moving = heads.holding(&CLIPS);
        if !found.iter().all(|place| moving.contains(place)) {
            found.retain(|place| !moving.contains(place));
        }
    }
    match found.len() {
        1 => Ok(found.remove(0)),
        0 if !all.is_empty() => {
            let places: Vec<String> = all.iter().map(|(t, c)| format!("--table {t} --column {c}")).collect();
            Err(Error::bad(shown, format!("no column with {name} was found where you asked for it"))
                .with_hint(format!("{name} are in {}", places.join(", "))))
        }
        0 => Err(Error::bad(shown, format!("no column with {name} was found")).with_hint(media.hint)),
        _ => {
            let all: Vec<String> = found.iter().map(|(t, c)| format!("--table {t} --column {c}")).collect();
            Err(Error::bad(shown, format!("several columns hold {name}"))
                .with_hint(format!("choose: {}", all.join(" or "))))
        }
    }
}
