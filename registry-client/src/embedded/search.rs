//! From typed conditions to SQL, and from the last row of a page to where the next one begins.
//!
//! A page begins after the last row of the page before, not at an offset, so nothing is seen twice or missed while others write.

use rusqlite::types::Value as Sql;
use serde::{Serialize, de::DeserializeOwned};

use crate::{Comparison, Condition, Error, Page, PageToken, Query, Result, Value};

/// Where a field is in MLflow's tables.
pub(super) enum Column<'a> {
    Text(&'static str),
    Number(&'static str),
    /// The column `value` of the row with this key.
    KeyedText {
        rows: &'static str,
        key: &'a str,
    },
    /// The column `value` of the row with this key.
    KeyedNumber {
        rows: &'static str,
        key: &'a str,
    },
}

pub(super) trait SearchField {
    fn column(&self) -> Column<'_>;
}

/// Conditions in SQL, joined by `AND`, and the values to bind.
#[derive(Default)]
pub(super) struct Clauses {
    conditions: Vec<String>,
    values: Vec<Sql>,
}

impl Clauses {
    pub(super) fn add(&mut self, condition: &str, values: impl IntoIterator<Item = Sql>) {
        self.conditions.push(condition.to_owned());
        self.values.extend(values);
    }

    pub(super) fn to_where(&self) -> String {
        if self.conditions.is_empty() {
            String::new()
        } else {
            format!("WHERE {}", self.conditions.join(" AND "))
        }
    }

    pub(super) fn values(&self) -> &[Sql] {
        &self.values
    }
}

pub(super) fn clauses<F: SearchField>(query: &Query<F>) -> Result<Clauses> {
    let mut clauses = Clauses::default();
    for condition in &query.conditions {
        let column = condition.field.column();
        let value = operand(&column, condition)?;
        match column {
            Column::Text(name) | Column::Number(name) => {
                clauses.add(&compare(name, condition.comparison), [value])
            }
            Column::KeyedText { rows, key } | Column::KeyedNumber { rows, key } => {
                let compared = compare("k.value", condition.comparison);
                clauses.add(
                    &format!("EXISTS (SELECT 1 FROM {rows} AND k.key = ? AND {compared})"),
                    [key.to_owned().into(), value],
                );
            }
        }
    }
    Ok(clauses)
}

/// Returns where the page that is asked for begins.
pub(super) fn after<K: DeserializeOwned>(query_page: &Query<impl Sized>) -> Result<Option<K>> {
    let Some(token) = &query_page.page else { return Ok(None) };
    serde_json::from_str(token.as_str())
        .map(Some)
        .map_err(|e| Error::invalid("the page token is not one that this search returned").with_source(e))
}

/// Makes a page of one row more than it holds.
pub(super) fn page<T, K: Serialize>(mut items: Vec<T>, size: u32, key: impl Fn(&T) -> K) -> Page<T> {
    if items.len() <= size as usize {
        return Page { items, next: None };
    }
    items.truncate(size as usize);
    let next = items.last().map(|last| {
        PageToken::new(serde_json::to_string(&key(last)).expect("a page's key is made of texts and numbers"))
    });
    Page { items, next }
}

fn compare(column: &str, comparison: Comparison) -> String {
    let operator = match comparison {
        Comparison::Equal => "=",
        Comparison::NotEqual => "<>",
        Comparison::Less => "<",
        Comparison::LessOrEqual => "<=",
        Comparison::Greater => ">",
        Comparison::GreaterOrEqual => ">=",
        Comparison::Like => "LIKE",
        Comparison::LikeAnyCase => return format!("lower({column}) LIKE lower(?)"),
    };
    format!("{column} {operator} ?")
}

fn operand<F>(column: &Column<'_>, condition: &Condition<F>) -> Result<Sql> {
    use Comparison::{Equal, Like, LikeAnyCase, NotEqual};
    let is_text = matches!(column, Column::Text(_) | Column::KeyedText { .. });
    match (&condition.value, condition.comparison) {
        (Value::Text(text), Equal | NotEqual | Like | LikeAnyCase) if is_text => Ok(text.clone().into()),
        (Value::Number(number), comparison) if !is_text && !matches!(comparison, Like | LikeAnyCase) => {
            Ok((*number).into())
        }
        _ if is_text => {
            Err(Error::invalid("a text can only be compared with a text, by `Equal`, `NotEqual` or `Like`"))
        }
        _ => Err(Error::invalid("a number can only be compared with a number, and not by `Like`")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{RunField, VersionField};

    #[test]
    fn conditions_that_compare_different_things_are_refused() {
        assert!(clauses(&Query::new().equals(RunField::Name, 3.0)).is_err());
        assert!(clauses(&Query::new().equals(RunField::Metric("rmse".into()), "low")).is_err());
        assert!(clauses(&Query::new().and(RunField::Name, Comparison::Less, "x")).is_err());
        assert!(clauses(&Query::new().and(VersionField::Number, Comparison::Like, "1%")).is_err());
        assert!(clauses(&Query::new().and(VersionField::Number, Comparison::Less, 3.0)).is_ok());
    }

    #[test]
    fn a_full_page_says_where_the_next_one_begins() {
        let page_of = |items: Vec<u32>| page(items, 2, |item| (*item,));
        assert_eq!(page_of(vec![1, 2]).next, None);
        let page = page_of(vec![1, 2, 3]);
        assert_eq!(page.items, [1, 2]);
        let query = Query::<RunField>::new().page(page.next);
        assert_eq!(after::<(u32,)>(&query).unwrap(), Some((2,)));
        let forged = Query::<RunField>::new().page(Some(PageToken::new("' OR 1")));
        assert!(after::<(u32,)>(&forged).is_err());
    }
}
