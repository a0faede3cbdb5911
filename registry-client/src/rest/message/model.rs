//! Registered models and versions.

use serde::Deserialize;

use super::{Pair, number, said, tags, unknown};
use crate::{Error, ErrorKind, ModelVersion, RegisteredModel, Timestamp, VersionStatus};

#[derive(Deserialize)]
pub(in crate::rest) struct ModelMessage {
    name: String,
    description: Option<String>,
    #[serde(default, deserialize_with = "number::time")]
    creation_timestamp: Option<Timestamp>,
    #[serde(default, deserialize_with = "number::time")]
    last_updated_timestamp: Option<Timestamp>,
    #[serde(default)]
    latest_versions: Vec<VersionMessage>,
    #[serde(default)]
    aliases: Vec<AliasMessage>,
    #[serde(default)]
    tags: Vec<Pair>,
}

#[derive(Deserialize)]
struct AliasMessage {
    alias: String,
    version: String,
}

#[derive(Deserialize)]
pub(in crate::rest) struct VersionMessage {
    name: String,
    version: String,
    #[serde(default, deserialize_with = "number::time")]
    creation_timestamp: Option<Timestamp>,
    #[serde(default, deserialize_with = "number::time")]
    last_updated_timestamp: Option<Timestamp>,
    user_id: Option<String>,
    current_stage: Option<String>,
    description: Option<String>,
    #[serde(default)]
    source: String,
    run_id: Option<String>,
    status: Option<String>,
    status_message: Option<String>,
    #[serde(default)]
    aliases: Vec<String>,
    #[serde(default)]
    tags: Vec<Pair>,
}

const NEVER: Timestamp = Timestamp::from_millis(0);

impl TryFrom<ModelMessage> for RegisteredModel {
    type Error = Error;

    fn try_from(message: ModelMessage) -> Result<Self, Error> {
        let aliases = message.aliases.into_iter().map(|it| Ok((it.alias, version(&it.version)?)));
        let mut latest: Vec<ModelVersion> =
            message.latest_versions.into_iter().map(ModelVersion::try_from).collect::<Result<_, _>>()?;
        latest.sort_by_key(|version| version.stage);
        Ok(Self {
            name: message.name,
            description: said(message.description),
            creation_time: message.creation_timestamp.unwrap_or(NEVER),
            last_updated_time: message.last_updated_timestamp.unwrap_or(NEVER),
            latest_versions: latest,
            aliases: aliases.collect::<Result<_, Error>>()?,
            tags: tags(message.tags),
        })
    }
}

impl TryFrom<VersionMessage> for ModelVersion {
    type Error = Error;

    fn try_from(message: VersionMessage) -> Result<Self, Error> {
        let stage = said(message.current_stage).map(|stage| stage.parse()).transpose();
        let status = said(message.status).map(|status| status.parse()).transpose();
        Ok(Self {
            version: version(&message.version)?,
            name: message.name,
            stage: stage.map_err(|error| unknown("stage", error))?.unwrap_or_default(),
            status: status.map_err(|error| unknown("version status", error))?.unwrap_or(VersionStatus::Ready),
            status_message: said(message.status_message),
            source: message.source,
            run_id: said(message.run_id),
            description: said(message.description),
            creation_time: message.creation_timestamp.unwrap_or(NEVER),
            last_updated_time: message.last_updated_timestamp.unwrap_or(NEVER),
            user_id: said(message.user_id),
            aliases: message.aliases,
            tags: tags(message.tags),
        })
    }
}

fn version(text: &str) -> Result<u32, Error> {
    text.parse().map_err(|error| {
        Error::new(
            ErrorKind::Protocol,
            format!("the server answered the version {text:?}, which is no number"),
        )
        .with_source(error)
    })
}
