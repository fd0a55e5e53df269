//! Lists: conditions on the rows of a table, which the database counts and pages.

use rusqlite::{Connection, Row, params_from_iter, types::Value};

use super::{Result, account::Owner};

/// Which of the rows that the conditions leave are wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Page {
    pub skip: usize,
    pub take: usize,
}

impl Page {
    pub(crate) const ALL: Self = Self { skip: 0, take: usize::MAX };
}

/// One page, and how many rows there are on all pages.
pub(crate) struct Found<T> {
    pub count: usize,
    pub rows: Vec<T>,
}

impl<T> Found<T> {
    /// A page of what is known as a whole.
    pub(crate) fn of(all: Vec<T>, page: Page) -> Self {
        Self { count: all.len(), rows: all.into_iter().skip(page.skip).take(page.take).collect() }
    }

    pub(crate) fn try_map<U, E>(self, view: impl FnMut(T) -> Result<U, E>) -> Result<Found<U>, E> {
        Ok(Found { count: self.count, rows: self.rows.into_iter().map(view).collect::<Result<_, _>>()? })
    }
}

/// What of a list is shown.
pub(crate) enum Scope {
    All,
    Account(i64),
    Domains(Vec<i64>),
}

impl Scope {
    pub(crate) fn shows(&self, owner: Owner) -> bool {
        match self {
            Self::All => true,
            Self::Account(account) => *account == owner.account,
            Self::Domains(domains) => domains.contains(&owner.domain),
        }
    }
}

/// A query that grows by what is asked for. What is not asked for, `None`, is no condition.
pub(crate) struct Select {
    columns: &'static str,
    from: &'static str,
    joins: &'static str,
    order: &'static str,
    conditions: String,
    values: Vec<Value>,
}

impl Select {
    /// `from` names what conditions are about, `order` how rows are sorted.
    pub(crate) fn of(columns: &'static str, from: &'static str, order: &'static str) -> Self {
        Self { columns, from, joins: "", order, conditions: "1".to_owned(), values: Vec::new() }
    }

    /// What rows need beyond what conditions are about; each row must have exactly one match.
    pub(crate) fn with(mut self, joins: &'static str) -> Self {
        self.joins = joins;
        self
    }

    pub(crate) fn when(mut self, condition: &str) -> Self {
        self.conditions.push_str(" AND ");
        self.conditions.push_str(condition);
        self
    }

    pub(crate) fn is(self, column: &str, wanted: Option<impl Into<Value>>) -> Self {
        self.compare(column, "= ?", wanted)
    }

    /// Text is compared as by CloudStack's database, which does not mind case.
    pub(crate) fn says(self, column: &str, wanted: Option<&str>) -> Self {
        self.compare(column, "= ? COLLATE NOCASE", wanted.map(str::to_owned))
    }

    pub(crate) fn since(self, column: &str, first: Option<String>) -> Self {
        self.compare(column, ">= ?", first)
    }

    /// What begins with `last`, as times of a day do, is not past it.
    pub(crate) fn until(self, column: &str, last: Option<String>) -> Self {
        self.compare(column, "<= ?", last.map(|last| last + "~"))
    }

    /// Without the condition, no row is wanted.
    pub(crate) fn only_if(self, wanted: bool) -> Self {
        if wanted { self } else { self.when("0") }
    }

    pub(crate) fn mentions(self, column: &str, word: Option<&str>) -> Self {
        let pattern = word.map(|word| {
            let escaped = word.replace('\\', "\\\\").replace('%', "\\%").replace('_', "\\_");
            format!("%{escaped}%")
        });
        self.compare(column, "LIKE ? ESCAPE '\\'", pattern)
    }

    /// `table` has the columns `account_id` and `domain_id`.
    pub(crate) fn within(self, scope: &Scope, table: &str) -> Self {
        self.owned(scope, &format!("{table}.account_id"), &format!("{table}.domain_id"))
    }

    pub(crate) fn owned(self, scope: &Scope, account: &str, domain: &str) -> Self {
        match scope {
            Scope::All => self,
            Scope::Account(wanted) => self.is(account, Some(*wanted)),
            Scope::Domains(wanted) => {
                let wanted: Vec<_> = wanted.iter().map(i64::to_string).collect();
                self.when(&format!("{domain} IN ({})", wanted.join(", ")))
            }
        }
    }

    fn compare(mut self, column: &str, how: &str, wanted: Option<impl Into<Value>>) -> Self {
        let Some(wanted) = wanted else { return self };
        self.values.push(wanted.into());
        self.when(&format!("{column} {how}"))
    }

    pub(crate) fn page<T>(self, db: &Connection, page: Page, read: fn(&Row<'_>) -> Result<T>) -> Result<Found<T>> {
        let Self { columns, from, joins, order, conditions, values } = self;
        let take = i64::try_from(page.take).unwrap_or(-1);
        let skip = i64::try_from(page.skip).unwrap_or(i64::MAX);
        let mut sql = db.prepare_cached(&format!(
            "SELECT {columns} FROM {from} {joins} WHERE {conditions} ORDER BY {order} LIMIT ? OFFSET ?"
        ))?;
        let bound = values.iter().cloned().chain([take.into(), skip.into()]);
        let rows: Vec<T> = sql.query_map(params_from_iter(bound), read)?.collect::<Result<_>>()?;
        // A page that is not full is the last, and tells how many there are.
        let is_last = rows.len() < page.take && (page.skip == 0 || !rows.is_empty());
        let count = if is_last {
            page.skip + rows.len()
        } else {
            let mut sql = db.prepare_cached(&format!("SELECT count(*) FROM {from} WHERE {conditions}"))?;
            let count: i64 = sql.query_row(params_from_iter(values), |row| row.get(0))?;
            usize::try_from(count).unwrap_or_default()
        };
        Ok(Found { count, rows })
    }

    /// The only row.
    pub(crate) fn one<T>(self, db: &Connection, read: fn(&Row<'_>) -> Result<T>) -> Result<Option<T>> {
        Ok(self.page(db, Page { skip: 0, take: 2 }, read)?.rows.pop())
    }
}
