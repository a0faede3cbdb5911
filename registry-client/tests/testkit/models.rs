//! Registered models, versions, stages and aliases.

use martello_registry_client::{
    ErrorKind, ExistingVersions, ModelVersion, NewModel, NewVersion, Query, Registry, Stage, VersionField,
    VersionStatus,
};

use super::{assert_fails, unique};

async fn model(registry: &Registry) -> String {
    let name = unique("model");
    registry.models().create_model(NewModel::named(&name)).await.unwrap();
    name
}

async fn version(registry: &Registry, name: &str) -> ModelVersion {
    let new =
        NewVersion { name: name.to_owned(), source: "s3://nowhere/model".into(), ..NewVersion::default() };
    registry.models().create_version(new).await.unwrap()
}

pub(crate) async fn names_that_break_uris_are_refused(registry: &Registry) {
    for name in ["", "a/b", "a:b", "a@b", "a\nb"] {
        assert_fails(registry.models().create_model(NewModel::named(name)).await, ErrorKind::InvalidArgument);
    }
    let name = model(registry).await;
    assert_fails(registry.models().create_model(NewModel::named(&name)).await, ErrorKind::AlreadyExists);
}

pub(crate) async fn versions_count_up_and_are_never_given_twice(registry: &Registry) {
    let name = model(registry).await;
    let first = version(registry, &name).await;
    let second = version(registry, &name).await;
    assert_eq!((first.version, second.version), (1, 2));
    assert_eq!((first.stage, first.status), (Stage::None, VersionStatus::Ready));
    registry.models().delete_version(&name, 2).await.unwrap();
    assert_fails(registry.models().get_version(&name, 2).await, ErrorKind::NotFound);
    assert_eq!(version(registry, &name).await.version, 3);
    let model = registry.models().get_model(&name).await.unwrap();
    assert_eq!(model.latest_versions.iter().map(|it| it.version).collect::<Vec<_>>(), [3]);
    assert!(model.last_updated_time >= model.creation_time);
}

pub(crate) async fn a_repeated_request_makes_no_second_version(registry: &Registry) {
    let name = model(registry).await;
    let request = |id: &str| NewVersion {
        name: name.clone(),
        source: "s3://nowhere/model".into(),
        request_id: Some(id.to_owned()),
        ..NewVersion::default()
    };
    let made = registry.models().create_version(request("a")).await.unwrap();
    assert_eq!(registry.models().create_version(request("a")).await.unwrap(), made);
    assert_eq!(registry.models().create_version(request("b")).await.unwrap().version, 2);
    registry.models().delete_version(&name, 1).await.unwrap();
    assert_eq!(
        registry.models().create_version(request("a")).await.unwrap().version,
        3,
        "a deleted version is gone"
    );
}

pub(crate) async fn promotion_archives_what_stood_there(registry: &Registry) {
    let name = model(registry).await;
    let models = registry.models();
    for _ in 0..4 {
        version(registry, &name).await;
    }
    let stages = async || {
        let query = Query::new().equals(VersionField::Name, name.as_str());
        let mut found = models.search_versions(&query).await.unwrap().items;
        found.sort_by_key(|it| it.version);
        found.iter().map(|it| it.stage).collect::<Vec<_>>()
    };
    use Stage::{Archived, None, Production, Staging};
    let promoted = registry.promote(&name, 1, Production, Some("champion")).await.unwrap();
    assert_eq!((promoted.stage, promoted.aliases.as_slice()), (Production, &["champion".to_owned()][..]));
    models.transition_stage(&name, 2, Production, ExistingVersions::Keep).await.unwrap();
    assert_eq!(stages().await, [Production, Production, None, None]);
    models.transition_stage(&name, 3, Staging, ExistingVersions::Archive).await.unwrap();
    registry.promote(&name, 4, Production, Some("champion")).await.unwrap();
    assert_eq!(stages().await, [Archived, Archived, Staging, Production]);
    assert_eq!(models.get_version_by_alias(&name, "champion").await.unwrap().version, 4);
    assert!(models.get_version(&name, 1).await.unwrap().aliases.is_empty());
    let latest = models.latest_versions(&name, &[Production]).await.unwrap();
    assert_eq!(latest.iter().map(|it| it.version).collect::<Vec<_>>(), [4]);

    let archive = models.transition_stage(&name, 4, None, ExistingVersions::Archive).await;
    assert_fails(archive, ErrorKind::InvalidArgument);
    assert_fails(registry.promote(&name, 9, Production, Option::None).await, ErrorKind::NotFound);
    assert_fails(registry.promote(&name, 3, Production, Some("latest")).await, ErrorKind::InvalidArgument);
    assert_eq!(
        stages().await,
        [Archived, Archived, Staging, Production],
        "a refused promotion changes nothing"
    );
}

pub(crate) async fn an_alias_points_to_one_version(registry: &Registry) {
    let name = model(registry).await;
    let models = registry.models();
    version(registry, &name).await;
    version(registry, &name).await;
    models.set_alias(&name, "champion", 1).await.unwrap();
    models.set_alias(&name, "champion", 2).await.unwrap();
    models.set_alias(&name, "challenger", 2).await.unwrap();
    let second = models.get_version_by_alias(&name, "champion").await.unwrap();
    assert_eq!((second.version, second.aliases.len()), (2, 2));
    models.delete_alias(&name, "challenger").await.unwrap();
    models.delete_alias(&name, "challenger").await.unwrap();
    assert_fails(models.get_version_by_alias(&name, "challenger").await, ErrorKind::NotFound);
    models.delete_version(&name, 2).await.unwrap();
    assert_fails(models.get_version_by_alias(&name, "champion").await, ErrorKind::NotFound);
    assert_fails(models.set_alias(&name, "champion", 2).await, ErrorKind::NotFound);
}

pub(crate) async fn reserved_aliases_are_refused(registry: &Registry) {
    let name = model(registry).await;
    version(registry, &name).await;
    for alias in ["latest", "Latest", "v1", "V23", "", "a b", "a@b"] {
        assert_fails(registry.models().set_alias(&name, alias, 1).await, ErrorKind::InvalidArgument);
    }
}

pub(crate) async fn tags_and_descriptions_are_kept(registry: &Registry) {
    let name = model(registry).await;
    let models = registry.models();
    version(registry, &name).await;
    models.describe_model(&name, "finds fraud").await.unwrap();
    models.describe_version(&name, 1, "first").await.unwrap();
    models.tag_model(&name, "team", Some("risk")).await.unwrap();
    models.tag_model(&name, "team", Some("fraud")).await.unwrap();
    models.tag_version(&name, 1, "data", Some("2026")).await.unwrap();
    models.tag_version(&name, 1, "gone", Some("x")).await.unwrap();
    models.tag_version(&name, 1, "gone", None).await.unwrap();
    let model = models.get_model(&name).await.unwrap();
    assert_eq!((model.description.as_deref(), model.tags["team"].as_str()), (Some("finds fraud"), "fraud"));
    let version = models.get_version(&name, 1).await.unwrap();
    assert_eq!((version.description.as_deref(), version.tags.len()), (Some("first"), 1));
    assert_fails(models.tag_version(&name, 1, "a\"b", Some("x")).await, ErrorKind::InvalidArgument);
    models.delete_model(&name).await.unwrap();
    assert_fails(models.get_model(&name).await, ErrorKind::NotFound);
    assert_fails(models.get_version(&name, 1).await, ErrorKind::NotFound);
}

pub(crate) async fn what_is_not_there_is_not_found(registry: &Registry) {
    let models = registry.models();
    let nobody = unique("nobody");
    assert_fails(models.get_model(&nobody).await, ErrorKind::NotFound);
    assert_fails(models.get_version(&nobody, 1).await, ErrorKind::NotFound);
    assert_fails(models.latest_versions(&nobody, &[]).await, ErrorKind::NotFound);
    assert_fails(models.get_version_by_alias(&nobody, "champion").await, ErrorKind::NotFound);
    assert_fails(models.delete_model(&nobody).await, ErrorKind::NotFound);
    assert_fails(models.tag_model(&nobody, "a", Some("b")).await, ErrorKind::NotFound);
    assert_fails(models.download_location(&nobody, 1).await, ErrorKind::NotFound);
    let new = NewVersion { name: nobody, source: "s3://nowhere/model".into(), ..NewVersion::default() };
    assert_fails(models.create_version(new).await, ErrorKind::NotFound);
}
