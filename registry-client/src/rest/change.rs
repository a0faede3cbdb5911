//! Changing and deleting what is registered.

use http::Method;
use serde_json::Value as Json;

use super::client::{MlflowClient, Nothing};
use crate::Result;
use crate::embedded::validate;
use crate::http::Safety;

impl MlflowClient {
    pub(super) async fn tag(&self, kind: &str, mut of: Json, key: &str, value: Option<&str>) -> Result<()> {
        of["key"] = key.into();
        let doing = format!("tag {kind} with {key:?}");
        let Some(value) = value else {
            return self.change(doing, Method::DELETE, &format!("{kind}/delete-tag"), of).await;
        };
        validate::tag(key, value)?;
        of["value"] = value.into();
        self.change(doing, Method::POST, &format!("{kind}/set-tag"), of).await
    }

    pub(super) async fn change(&self, doing: String, method: Method, path: &str, body: Json) -> Result<()> {
        let _: Nothing = self.send(doing, method, path, &body, Safety::Repeatable).await?;
        Ok(())
    }

    pub(super) async fn change_once(&self, doing: String, path: &str, body: Json) -> Result<()> {
        let _: Nothing = self.send(doing, Method::DELETE, path, &body, Safety::Once).await?;
        Ok(())
    }
}

/// A deletion whose outcome was unknown is done when the thing is gone.
pub(super) fn gone<T>(found: &Option<T>) -> Option<()> {
    found.is_none().then_some(())
}
