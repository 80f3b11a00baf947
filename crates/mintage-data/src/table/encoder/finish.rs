//! From tokens to whole rows, a part at a time: what rows of different parts must not share is remembered.

use std::collections::HashSet;

use super::{
    AFRESH, Limits, RowEncoder,
    places::{Places, Ranks},
    unit,
};
use crate::{
    Error,
    table::{
        Column, Table, Type,
        ids::IdMaker,
        rules::{By, Keys},
        schema::{ColumnSchema, Format, IdFormat, Kind, TableSchema},
    },
};

/// Rounds in which rows that break a rule are drawn again.
const MAX_REDRAWS: usize = 40;
/// Rows of a round, at least and at most: most of them may be refused as well.
const MIN_REDRAWN_ROWS: usize = 256;
const MAX_REDRAWN_ROWS: usize = 16_384;
/// Rows without one that can stay, after which no more are drawn.
const MAX_ROWS_WITHOUT_SUCCESS: usize = 50_000;
/// Rounds in which rows that repeat others are drawn again, before values are chosen for them; and where they may be alike
/// once a condition is no longer true of them.
const ROUNDS_OF_REPEATS: usize = 4;
const ROUNDS_OF_CONDITIONS: usize = 20;

/// Draws tokens for rows of the part that is being made, each named as often as it is wanted.
pub type Redraw<'a> = dyn FnMut(&[u32]) -> Vec<u16> + 'a;

/// Makes rows of tokens, part after part. It alone knows what parts before have used up.
pub struct Finisher<'a> {
    codec: &'a RowEncoder,
    /// Of the columns of the form that models see.
    makers: Vec<Option<IdMaker>>,
    keys: Keys,
    /// Of the rows of all parts, but for those that are drawn again: most of these are thrown away, and would take the
    /// ranks of rows of later parts.
    ranks: Ranks,
    /// Rows that were drawn again, over all parts.
    redrawn: usize,
}

/// Why a row cannot stay.
enum Fault {
    /// It breaks this rule or condition.
    Refused(String),
    /// It has the key of another row.
    Repeats,
    /// It names a person by cells of which each is many people's.
    Somebody,
}

impl<'a> Finisher<'a> {
    /// A finisher that has not made any rows yet.
    ///
    /// # Errors
    /// The pattern of the identifiers in a column is not a regular expression.
    pub fn new(codec: &'a RowEncoder) -> Result<Self, Error> {
        let makers = codec.rules.schema().columns.iter().map(maker_of).collect::<Result<_, Error>>()?;
        Ok(Self { codec, makers, keys: Keys::of(&codec.rules), ranks: Ranks::default(), redrawn: 0 })
    }

    /// Takes the keys of rows that are there already.
    pub fn add_present(&mut self, present: &Table) {
        self.keys.add_present(present, &self.codec.rules);
    }

    /// Takes the keys of another table that a column may refer to.
    pub fn add_references(&mut self, name: &str, keys: &Column) {
        self.keys.add_references(name, keys, &self.codec.rules);
    }

    /// How many rows had to be drawn again so far.
    pub fn redrawn(&self) -> usize {
        self.redrawn
    }

    /// Makes the rows of `n` rows of tokens: decoded, identifiers made, the cells of `given` put back as they were,
    /// every rule kept. Rows that break a rule which nothing else can mend are drawn again by `redraw`; without it they
    /// stay.
    ///
    /// # Errors
    /// No rows can be made that keep a rule or a condition, which the error names, or no more identifiers can be made.
    pub fn part(
        &mut self,
        tokens: &[u16],
        n: usize,
        limits: &Limits,
        given: Option<&Table>,
        redraw: Option<&mut Redraw>,
        random: &mut dyn FnMut() -> u64,
    ) -> Result<Table, Error> {
        let mut table = self.rows(tokens, n, limits, given, false, random)?;
        if let Some(redraw) = redraw {
            self.draw_again(&mut table, limits, given, redraw, random)?;
        }
        let rules = &self.codec.rules;
        let mut fixed = limits.fixed().to_vec();
        fixed.extend(given.map(|given| rules.given_columns(given)).unwrap_or_default());
        self.keys.make_differ(rules, &mut table, &fixed, random)?;
        self.keys.remember(&table, rules.own());
        Ok(table)
    }

    /// Whole rows, before they are compared with others. Those that are drawn `again` take no ranks.
    fn rows(
        &mut self,
        tokens: &[u16],
        n: usize,
        limits: &Limits,
        given: Option<&Table>,
        again: bool,
        random: &mut dyn FnMut() -> u64,
    ) -> Result<Table, Error> {
        let rules = &self.codec.rules;
        let mut uniform = || unit(random());
        let mut places = match again {
            true => Places::given(&mut uniform),
            false => Places::even(&mut self.ranks, &mut uniform),
        };
        let mut table = self.codec.decode(tokens, n, limits, &mut places);
        for (column, maker) in table.columns.iter_mut().zip(&mut self.makers) {
            if let Some(maker) = maker {
                make_afresh(column, maker, random)?;
            }
        }
        // Before the rules, which compute from what is given.
        put_back(&mut table, rules.schema(), given);
        if given.is_some() {
            // What other cells are the same as may have been given.
            self.codec.copy_same(tokens, limits, None, &mut table);
            put_back(&mut table, rules.schema(), given);
        }
        let mut table = rules.inverse(&table, random)?;
        put_back(&mut table, rules.own(), given);
        if let Some(given) = given {
            rules.reconcile(&mut table, given);
        }
        table.file.clone_from(&self.codec.file);
        Ok(table)
    }

    /// The rows that cannot stay, in order.
    fn faults(&self, table: &Table, limits: &Limits, fixed: &[usize], repeats: By) -> Vec<(usize, Fault)> {
        let rules = &self.codec.rules;
        let refused = rules.refused(table).into_iter();
        let mut faults: Vec<(usize, Fault)> =
            refused.map(|(row, rule)| (row, Fault::Refused(format!("rule `{rule}`")))).collect();
        let refused = limits.refused(table, rules.own()).into_iter();
        faults.extend(refused.map(|(row, wanted)| (row, Fault::Refused(format!("condition `{wanted}`")))));
        let dangling = self.keys.dangling(table, rules.own()).into_iter();
        faults.extend(dangling.map(|(row, name)| {
            (row, Fault::Refused(format!("rule `{name} refers to a row that is there`")))
        }));
        // Where there are no others, such persons are left.
        let somebody = |row: &usize| {
            let mut pairs =
                self.codec.together.iter().filter(|pair| !pair.columns.iter().any(|at| fixed.contains(at)));
            repeats != By::None && pairs.any(|pair| pair.may_hold(table, *row))
        };
        faults.extend((0..table.rows()).filter(somebody).map(|row| (row, Fault::Somebody)));
        let repeated = self.keys.repeated(repeats, table, rules.own()).into_iter();
        faults.extend(repeated.map(|row| (row, Fault::Repeats)));
        // Of several faults of a row the first.
        faults.sort_by_key(|(row, _)| *row);
        faults.dedup_by_key(|(row, _)| *row);
        faults
    }

    /// Draws rows again until none breaks a rule or a condition; some that repeat others may be left.
    fn draw_again(
        &mut self,
        table: &mut Table,
        limits: &Limits,
        given: Option<&Table>,
        redraw: &mut Redraw,
        random: &mut dyn FnMut() -> u64,
    ) -> Result<(), Error> {
        let (mut tried, mut taken) = (0, 0);
        let fixed = given.map(|given| self.codec.rules.given_columns(given)).unwrap_or_default();
        for round in 0..MAX_REDRAWS {
            let repeats = match () {
                () if round < ROUNDS_OF_REPEATS => By::All,
                () if round < ROUNDS_OF_CONDITIONS => By::Conditions,
                () => By::None,
            };
            let bad = self.faults(table, limits, &fixed, repeats);
            let Some((_, first)) = bad.first() else { return Ok(()) };
            if round + 1 == MAX_REDRAWS || taken == 0 && tried >= MAX_ROWS_WITHOUT_SUCCESS {
                return Err(hopeless(first, bad.len(), tried, taken));
            }
            let rows: Vec<u32> = bad.iter().map(|(row, _)| *row as u32).collect();
            // As many as it takes by what was kept so far.
            let n = (rows.len() * 2 * (tried + 1) / (taken + 1)).clamp(MIN_REDRAWN_ROWS, MAX_REDRAWN_ROWS);
            let wanted: Vec<u32> = rows.iter().copied().cycle().take(n).collect();
            let own = given.map(|given| given.select(&wanted));
            let drawn = self.rows(&redraw(&wanted), n, limits, own.as_ref(), true, random)?;
            self.redrawn += rows.len();
            tried += n;
            let faulty: HashSet<usize> =
                self.faults(&drawn, limits, &fixed, By::All).into_iter().map(|(row, _)| row).collect();
            let good: Vec<usize> = (0..drawn.rows()).filter(|row| !faulty.contains(row)).collect();
            taken += replace(table, &rows, &drawn, &wanted, &good, given.is_none());
        }
        Ok(())
    }
}

/// Puts `good` rows of those that were drawn in the place of `rows`; `any` of them will do, or only one that was drawn
/// for the same row. Tells how many there were.
fn replace(
    table: &mut Table,
    rows: &[u32],
    drawn: &Table,
    wanted: &[u32],
    good: &[usize],
    any: bool,
) -> usize {
    let pairs: Vec<(u32, usize)> = match any {
        true => rows.iter().copied().zip(good.iter().copied()).collect(),
        false => {
            let mut done = HashSet::new();
            good.iter().map(|&at| (wanted[at], at)).filter(|(row, _)| done.insert(*row)).collect()
        }
    };
    for (column, from) in table.columns.iter_mut().zip(&drawn.columns) {
        for &(row, at) in &pairs {
            column.set(row as usize, from.cell(at));
        }
    }
    pairs.len()
}

/// The error of rows that go on breaking a rule.
fn hopeless(fault: &Fault, left: usize, tried: usize, taken: usize) -> Error {
    let what = match fault {
        Fault::Refused(what) => what.clone(),
        Fault::Repeats => "rules of rows that must differ".to_owned(),
        Fault::Somebody => "names of nobody".to_owned(),
    };
    let why = format!("{taken} of {tried} rows that were drawn keep it, and {left} more are wanted");
    let hint = match fault {
        Fault::Refused(what) if what.starts_with("condition") => "ask for fewer rows or for a wider range",
        _ => "ask for fewer rows, train for longer, or leave rules to the target: rules = \"off\" in [data]",
    };
    Error::bad(what, why).with_hint(hint)
}

/// What makes the values of a column that are not drawn.
fn maker_of(schema: &ColumnSchema) -> Result<Option<IdMaker>, Error> {
    let format = match (&schema.format, schema.kind) {
        (Format::Id(format), Kind::Id) => format,
        _ => match schema.made_afresh() {
            Some(format) => format,
            None => return Ok(None),
        },
    };
    let declaration = &schema.declaration;
    // Codes differ as long as there are others: postal codes do in a small table, and cannot in a large one.
    let may_repeat = matches!(format, IdFormat::Text { .. } | IdFormat::Code { .. });
    let all_differ = schema.kind == Kind::Id && schema.unique && !may_repeat;
    let unique = declaration.unique || declaration.primary_key || all_differ;
    Ok(Some(IdMaker::new(format, std::iter::empty())?.repeating(!unique)))
}

/// Puts new values where a sign stands for them.
fn make_afresh(
    column: &mut Column,
    maker: &mut IdMaker,
    random: &mut dyn FnMut() -> u64,
) -> Result<(), Error> {
    // What may not be missing is an empty text.
    let required = column.declaration.not_null || column.declaration.primary_key;
    let filler = maker.filler().map(str::to_owned);
    let any = if column.declaration.ty == Type::Json { "{}" } else { "" };
    let empty = required.then_some(filler.as_deref().unwrap_or(any));
    let mut made = Column::new(&column.name, column.declaration.clone());
    for cell in column.iter() {
        match cell {
            Some(AFRESH) => made.push(maker.next_cell(random)?.as_deref().or(empty)),
            cell => made.push(cell),
        }
    }
    *column = made;
    Ok(())
}

/// Puts the cells that were given where others were drawn.
fn put_back(table: &mut Table, schema: &TableSchema, given: Option<&Table>) {
    for (schema, column) in schema.columns.iter().zip(&mut table.columns) {
        let Some(given) = given.and_then(|given| given.column(&schema.name)) else { continue };
        let drawn = std::mem::replace(column, Column::new(&column.name, column.declaration.clone()));
        let is_whole =
            given.missing() == 0 && !given.values().iter().any(|text| schema.is_missing(Some(text)));
        if is_whole && given.len() == drawn.len() {
            column.gather(given, (0..given.len() as u32).map(Some));
            continue;
        }
        for (own, drawn) in given.iter().zip(drawn.iter()) {
            column.push(if schema.is_missing(own) { drawn } else { own });
        }
    }
}
