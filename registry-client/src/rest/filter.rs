//! Typed conditions in MLflow's filter language.
//!
//! The language has quotes but no escapes: a text with one kind of quote is put between the other kind, and a text that needs
//! both, or would swallow the closing quote, cannot be said.

use crate::{Comparison, Condition, Error, ModelField, Result, RunField, Value, VersionField};

/// A field that a filter can name.
pub(super) trait FilterField {
    /// Returns the name in the filter language.
    fn filter_name(&self) -> Result<String>;

    /// Returns whether it is compared with numbers, and not with texts.
    fn is_number(&self) -> bool;
}

impl FilterField for ModelField {
    fn filter_name(&self) -> Result<String> {
        match self {
            Self::Name => Ok("name".into()),
            Self::Tag(key) => keyed("tags", key),
        }
    }

    fn is_number(&self) -> bool {
        false
    }
}

impl FilterField for VersionField {
    fn filter_name(&self) -> Result<String> {
        match self {
            Self::Name => Ok("name".into()),
            Self::Number => Ok("version_number".into()),
            Self::RunId => Ok("run_id".into()),
            Self::Source => Ok("source_path".into()),
            Self::Tag(key) => keyed("tags", key),
        }
    }

    fn is_number(&self) -> bool {
        matches!(self, Self::Number)
    }
}

impl FilterField for RunField {
    fn filter_name(&self) -> Result<String> {
        match self {
            Self::ExperimentId => Err(Error::invalid("runs can be searched by experiment with `=` only")),
            Self::Name => Ok("attributes.run_name".into()),
            Self::Status => Ok("attributes.status".into()),
            Self::StartTime => Ok("attributes.start_time".into()),
            Self::Param(key) => keyed("params", key),
            Self::Metric(key) => keyed("metrics", key),
            Self::Tag(key) => keyed("tags", key),
        }
    }

    fn is_number(&self) -> bool {
        matches!(self, Self::StartTime | Self::Metric(_))
    }
}

/// Returns the filter that says all of these conditions; empty for none.
pub(super) fn filter<'a, F: FilterField + 'a>(
    conditions: impl IntoIterator<Item = &'a Condition<F>>,
) -> Result<String> {
    let terms: Result<Vec<String>> = conditions.into_iter().map(term).collect();
    Ok(terms?.join(" AND "))
}

fn term<F: FilterField>(condition: &Condition<F>) -> Result<String> {
    use Comparison::{Equal, Greater, GreaterOrEqual, Less, LessOrEqual, Like, LikeAnyCase, NotEqual};
    let comparison = match condition.comparison {
        Equal => "=",
        NotEqual => "!=",
        Less => "<",
        LessOrEqual => "<=",
        Greater => ">",
        GreaterOrEqual => ">=",
        Like => "LIKE",
        LikeAnyCase => "ILIKE",
    };
    let value = match (&condition.value, condition.comparison) {
        (Value::Text(text), Equal | NotEqual | Like | LikeAnyCase) if !condition.field.is_number() => {
            quoted(text)?
        }
        (Value::Number(number), sign)
            if condition.field.is_number() && !matches!(sign, Like | LikeAnyCase) =>
        {
            finite(*number)?
        }
        (Value::Text(_), _) => {
            return Err(Error::invalid(
                "a text is only compared with texts, by `Equal`, `NotEqual` or `Like`",
            ));
        }
        (Value::Number(_), _) => {
            return Err(Error::invalid("a number is only compared with numbers, and not by `Like`"));
        }
    };
    Ok(format!("{} {comparison} {value}", condition.field.filter_name()?))
}

fn finite(number: f64) -> Result<String> {
    if number.is_finite() {
        Ok(number.to_string())
    } else {
        Err(Error::invalid("a search compares with finite numbers only"))
    }
}

fn keyed(kind: &str, key: &str) -> Result<String> {
    if key.is_empty() || key.contains(['`', '"', '\'']) || key.chars().any(char::is_control) {
        return Err(Error::invalid(format!(
            "MLflow cannot search for the key {key:?}: it is empty or has quotes"
        )));
    }
    Ok(format!("{kind}.`{key}`"))
}

fn quoted(text: &str) -> Result<String> {
    let swallows = text.ends_with('\\') || text.contains("\\'") || text.contains("\\\"");
    match (text.contains('\''), text.contains('"')) {
        _ if swallows => {
            Err(Error::invalid(format!("MLflow cannot search for {text:?}: a backslash before a quote")))
        }
        (false, _) => Ok(format!("'{text}'")),
        (true, false) => Ok(format!("\"{text}\"")),
        (true, true) => {
            Err(Error::invalid(format!("MLflow cannot search for {text:?}: it has both kinds of quotes")))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Query;

    #[test]
    fn conditions_become_mlflows_words() {
        let query = Query::new()
            .equals(VersionField::Name, "o'neil")
            .and(VersionField::Number, Comparison::Greater, 3_u32)
            .and(VersionField::Tag("mt.request_id".into()), Comparison::NotEqual, "x \"y\"");
        let text = filter(&query.conditions).unwrap();
        assert_eq!(text, "name = \"o'neil\" AND version_number > 3 AND tags.`mt.request_id` != 'x \"y\"'");
        let runs = Query::new().and(RunField::Metric("rmse".into()), Comparison::Less, 0.5);
        assert_eq!(filter(&runs.conditions).unwrap(), "metrics.`rmse` < 0.5");
        assert_eq!(filter::<ModelField>([]).unwrap(), "");
    }

    #[test]
    fn what_would_break_out_of_its_quotes_is_refused() {
        for text in ["a'b\"c", "ends with \\", "x\\' OR 1=1"] {
            let query = Query::new().equals(ModelField::Name, text);
            assert!(filter(&query.conditions).is_err(), "{text}");
        }
        assert!(filter(&Query::new().equals(VersionField::Number, "3").conditions).is_err());
        assert!(filter(&Query::new().and(VersionField::Name, Comparison::Less, "x").conditions).is_err());
        let query = Query::new().equals(ModelField::Tag("a`b".into()), "x");
        assert!(filter(&query.conditions).is_err());
    }
}
