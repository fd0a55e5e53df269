//! What all lists share: the parameters, the choice of accounts, and paging.

use serde::Serialize;
use serde_json::Value;

use super::{Call, Parameter, Result, Type};
use crate::{
    profile::{Release, Rules},
    server::{Body, Failure, Format},
    store::{Entity, select::Page},
};

pub(crate) const COMMON: &[Parameter] = &[
    Parameter::optional("keyword", Type::Text),
    Parameter::optional("page", Type::Long),
    Parameter::optional("pagesize", Type::Long),
    Parameter::optional("account", Type::Text),
    Parameter::optional("domainid", Type::Id(Entity::Domain)),
    Parameter::optional("isrecursive", Type::Bool),
    Parameter::optional("listall", Type::Bool),
    Parameter::optional("projectid", Type::Project).since(Release::V4_22),
];

/// CloudStack's `default.page.size`: also the most that one page may hold.
const MAX_PAGE: usize = 500;

/// The page that is asked for.
pub(crate) fn page(call: &Call) -> Result<Page> {
    limits(call.arguments.long("page"), call.arguments.long("pagesize"))
}

/// The rows of a list's answer, each of them written as soon as it is known: a page may hold 500 objects
/// with 30 fields each, and a tree of them all would cost more than everything else.
pub(crate) struct Rows {
    object: &'static str,
    format: Format,
    text: String,
    any: bool,
}

impl Rows {
    pub(crate) fn new(object: &'static str, format: Format) -> Self {
        Self { object, format, text: String::new(), any: false }
    }

    pub(crate) fn push(&mut self, row: &impl Serialize) {
        self.format.add_row(&mut self.text, self.object, !self.any, row);
        self.any = true;
    }

    /// Those of a page of `all`, which is known as a whole; returns how many there are.
    pub(super) fn push_page(&mut self, page: Page, all: impl IntoIterator<Item = Value>) -> usize {
        let mut count = 0;
        for row in all {
            if count >= page.skip && count - page.skip < page.take {
                self.push(&row);
            }
            count += 1;
        }
        count
    }

    /// The answer. `count` is of the whole list; an empty list has none.
    pub(crate) fn answer(self, rules: &Rules, count: usize) -> Body {
        let told = self.any || (count > 0 && rules.count_past_end);
        Body::Text(self.format.list(self.object, &self.text, told.then_some(count)))
    }
}

fn limits(page: Option<i64>, size: Option<i64>) -> Result<Page> {
    match (page, size) {
        (None, None) => Ok(Page { skip: 0, take: MAX_PAGE }),
        (None, Some(-1)) => Ok(Page::ALL),
        (Some(_), Some(-1)) => Err(Failure::parameter("Can't specify page parameter when pagesize is -1 (Unlimited)")),
        (None, Some(_)) => Err(Failure::parameter("\"page\" parameter is required when \"pagesize\" is specified")),
        (Some(_), None) => Err(Failure::parameter("\"pagesize\" parameter is required when \"page\" is specified")),
        (Some(page), Some(size)) => {
            let size = usize::try_from(size).unwrap_or(0);
            if size > MAX_PAGE {
                let text = format!("Page size can't exceed max allowed page size value: {MAX_PAGE}");
                return Err(Failure::parameter(text));
            }
            // Pages count from 1, and what is before the first page is the first page.
            let before = usize::try_from(page.saturating_sub(1)).unwrap_or(0);
            Ok(Page { skip: before.saturating_mul(size), take: size })
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn page_and_pagesize_come_together() {
        let page = |skip, take| Ok(Page { skip, take });
        assert_eq!(limits(None, None), page(0, 500));
        assert_eq!(limits(None, Some(-1)), Ok(Page::ALL));
        assert_eq!(limits(Some(3), Some(10)), page(20, 10));
        assert_eq!(limits(Some(0), Some(10)), page(0, 10));
        assert_eq!(limits(Some(-7), Some(10)), page(0, 10));
        for wrong in [(Some(1), None), (None, Some(1)), (Some(1), Some(-1)), (Some(1), Some(501))] {
            assert_eq!(limits(wrong.0, wrong.1).unwrap_err().code, 431, "{wrong:?}");
        }
        assert_eq!(limits(Some(i64::MAX), Some(500)).unwrap().take, 500);
        assert!(limits(Some(i64::MIN), Some(5)).is_ok());
    }
}
