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

    /// `condition` has one question mark, for what is wanted.
    pub(crate) fn belongs(mut self, condition: &str, wanted: Option<impl Into<Value>>) -> Self {
        let Some(wanted) = wanted else { return self };
        self.values.push(wanted.into());
        self.when(condition)
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

    fn compare(self, column: &str, how: &str, wanted: Option<impl Into<Value>>) -> Self {
        self.belongs(&format!("{column} {how}"), wanted)
    }

    /// Hands the rows of a page to `each`; returns how many there are on all pages.
    pub(crate) fn page<T, E: From<rusqlite::Error>>(
        self,
        db: &Connection,
        page: Page,
        read: fn(&Row<'_>) -> Result<T>,
        mut each: impl FnMut(T) -> Result<(), E>,
    ) -> Result<usize, E> {
        let Self { columns, from, joins, order, conditions, values } = self;
        let take = i64::try_from(page.take).unwrap_or(-1);
        let skip = i64::try_from(page.skip).unwrap_or(i64::MAX);
        let mut sql = db.prepare_cached(&format!(
            "SELECT {columns} FROM {from} {joins} WHERE {conditions} ORDER BY {order} LIMIT ? OFFSET ?"
        ))?;
        let bound = values.iter().cloned().chain([take.into(), skip.into()]);
        let mut found = 0;
        for row in sql.query_map(params_from_iter(bound), read)? {
            each(row?)?;
            found += 1;
        }
        // A page that is not full is the last, and tells how many there are.
        if found < page.take && (page.skip == 0 || found > 0) {
            return Ok(page.skip + found);
        }
        let mut sql = db.prepare_cached(&format!("SELECT count(*) FROM {from} WHERE {conditions}"))?;
        let count: i64 = sql.query_row(params_from_iter(values), |row| row.get(0))?;
        Ok(usize::try_from(count).unwrap_or_default())
    }

    /// The only row.
    pub(crate) fn one<T>(self, db: &Connection, read: fn(&Row<'_>) -> Result<T>) -> Result<Option<T>> {
        let mut only = None;
        self.page(db, Page { skip: 0, take: 2 }, read, |row| {
            only = Some(row);
            Ok::<_, rusqlite::Error>(())
        })?;
        Ok(only)
    }
}
