//! MLflow's own limits on keys and values, so that what is written here can be moved to any MLflow.

use crate::{Error, Result, RunBatch, Tags};

/// `MAX_ENTITY_KEY_LENGTH` of MLflow.
const MAX_KEY_CHARS: usize = 250;

/// `MAX_PARAM_VAL_LENGTH` of MLflow, which cuts longer values silently; here they are refused.
const MAX_PARAM_CHARS: usize = 6000;

/// `MAX_TAG_VAL_LENGTH` of MLflow.
const MAX_TAG_CHARS: usize = 5000;

/// The width of MLflow's description columns.
const MAX_DESCRIPTION_CHARS: usize = 5000;

/// The width of MLflow's name columns.
const MAX_NAME_CHARS: usize = 256;

/// How much one transaction may write: ten times what MLflow's REST interface takes at once.
const MAX_BATCH_ENTRIES: usize = 10_000;

pub(crate) fn batch(batch: &RunBatch) -> Result<()> {
    let entries = batch.params.len() + batch.metrics.len() + batch.tags.len();
    if entries > MAX_BATCH_ENTRIES {
        return Err(Error::invalid(format!(
            "a batch of {entries} entries is too large: at most {MAX_BATCH_ENTRIES}"
        )));
    }
    for (name, value) in &batch.params {
        key("parameter", name)?;
        value_of("parameter", name, value, MAX_PARAM_CHARS)?;
    }
    for metric in &batch.metrics {
        key("metric", &metric.key)?;
        if metric.timestamp.as_millis() < 0 {
            return Err(Error::invalid(format!("metric {:?} has a time before 1970", metric.key)));
        }
    }
    tags(&batch.tags)
}

pub(crate) fn tags(tags: &Tags) -> Result<()> {
    tags.iter().try_for_each(|(key, value)| tag(key, value))
}

pub(crate) fn tag(name: &str, value: &str) -> Result<()> {
    key("tag", name)?;
    value_of("tag", name, value, MAX_TAG_CHARS)
}

pub(crate) fn description(text: Option<&str>) -> Result<()> {
    match text {
        Some(text) if text.chars().count() > MAX_DESCRIPTION_CHARS => {
            Err(Error::invalid(format!("the description is longer than {MAX_DESCRIPTION_CHARS} characters")))
        }
        _ => Ok(()),
    }
}

/// The name of an experiment or a run.
pub(crate) fn name(what: &str, name: &str) -> Result<()> {
    if name.is_empty() || name.chars().count() > MAX_NAME_CHARS || name.chars().any(char::is_control) {
        return Err(Error::invalid(format!(
            "invalid {what} name {name:?}: 1 to {MAX_NAME_CHARS} characters, none of control"
        )));
    }
    Ok(())
}

/// Letters, digits, `_`, `.`, `-`, space and `/`, and not a path that means another one: MLflow's file store makes files of keys.
fn key(what: &str, key: &str) -> Result<()> {
    let refuse = |why: &str| Err(Error::invalid(format!("invalid {what} key {key:?}: {why}")));
    if key.is_empty() || key.chars().count() > MAX_KEY_CHARS {
        return refuse("1 to 250 characters are allowed");
    }
    if !key.chars().all(|c| c.is_alphanumeric() || matches!(c, '_' | '.' | '-' | ' ' | '/')) {
        return refuse("only letters, digits, `_`, `.`, `-`, spaces and `/` are allowed");
    }
    if key.split('/').any(|part| matches!(part, "" | "." | "..")) {
        return refuse("read as a path, it would mean another key");
    }
    Ok(())
}

fn value_of(what: &str, key: &str, value: &str, limit: usize) -> Result<()> {
    if value.chars().count() <= limit {
        return Ok(());
    }
    Err(Error::invalid(format!("the value of {what} {key:?} is longer than {limit} characters")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_what_mlflow_accepts() {
        let check = |text: &str, ok: bool| assert_eq!(key("tag", text).is_ok(), ok, "{text:?}");
        check("mlflow.runName", true);
        check("mt.request_id", true);
        check("train/rmse ü", true);
        check("", false);
        check("a\"b", false);
        check("a//b", false);
        check("../a", false);
        check("/a", false);
        check(&"k".repeat(250), true);
        check(&"k".repeat(251), false);
    }

    #[test]
    fn values_that_mlflow_would_cut_are_refused() {
        assert!(batch(&RunBatch::new().param("p", "x".repeat(6000))).is_ok());
        assert!(batch(&RunBatch::new().param("p", "x".repeat(6001))).is_err());
        assert!(batch(&RunBatch::new().tag("t", "x".repeat(5001))).is_err());
    }
}
