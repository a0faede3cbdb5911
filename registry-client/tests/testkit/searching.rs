//! Searches and their pages.

use martello_registry_client::{
    Comparison, ErrorKind, ModelField, NewModel, NewRun, NewVersion, PageToken, Query, Registry, RunBatch,
    RunField, VersionField,
};

use super::{assert_fails, unique};

pub(crate) async fn pages_show_everything_once(registry: &Registry) {
    let prefix = unique("paged");
    let models = registry.models();
    let names: Vec<String> = (0..7).map(|at| format!("{prefix}-{at}")).collect();
    for name in &names {
        models.create_model(NewModel::named(name)).await.unwrap();
    }
    let pattern = format!("{prefix}-%");
    let mut query = Query::new().and(ModelField::Name, Comparison::Like, pattern.as_str()).page_size(3);
    let mut seen = Vec::new();
    loop {
        let page = models.search_models(&query).await.unwrap();
        assert!(page.items.len() <= 3);
        seen.extend(page.items.into_iter().map(|model| model.name));
        let Some(next) = page.next else { break };
        query = query.page(Some(next));
    }
    assert_eq!(seen, names);

    for _ in 0..5 {
        let new = NewVersion {
            name: names[0].clone(),
            source: "s3://nowhere/model".into(),
            ..NewVersion::default()
        };
        models.create_version(new).await.unwrap();
    }
    let mut query = Query::new().equals(VersionField::Name, names[0].as_str()).page_size(2);
    let mut seen = Vec::new();
    loop {
        let page = models.search_versions(&query).await.unwrap();
        seen.extend(page.items.into_iter().map(|version| version.version));
        let Some(next) = page.next else { break };
        query = query.page(Some(next));
    }
    assert_eq!(seen, [5, 4, 3, 2, 1]);
    let forged = Query::<ModelField>::new().page(Some(PageToken::new("'; DROP TABLE runs")));
    assert_fails(models.search_models(&forged).await, ErrorKind::InvalidArgument);
}

pub(crate) async fn conditions_select(registry: &Registry) {
    let name = unique("selected");
    let models = registry.models();
    models.create_model(NewModel::named(&name)).await.unwrap();
    for data in ["2025", "2026'", "2026'"] {
        let mut new =
            NewVersion { name: name.clone(), source: "s3://nowhere/model".into(), ..NewVersion::default() };
        new.tags.insert("data".into(), data.into());
        models.create_version(new).await.unwrap();
    }
    let named = || Query::new().equals(VersionField::Name, name.as_str());
    let tag = || VersionField::Tag("data".into());
    let check = async |query: Query<VersionField>, expected: &[u32]| {
        let found = models.search_versions(&query).await.unwrap().items;
        assert_eq!(found.iter().map(|it| it.version).collect::<Vec<_>>(), expected, "{query:?}");
    };
    check(named().equals(tag(), "2026'"), &[3, 2]).await;
    check(named().and(tag(), Comparison::NotEqual, "2026'"), &[1]).await;
    check(named().and(tag(), Comparison::Like, "2026%"), &[3, 2]).await;
    check(named().and(VersionField::Number, Comparison::GreaterOrEqual, 2.0), &[3, 2]).await;
    check(named().equals(tag(), "2026'").and(VersionField::Number, Comparison::Less, 3.0), &[2]).await;
    check(named().equals(VersionField::Tag("other".into()), "x"), &[]).await;
    let upper = name.to_uppercase();
    check(Query::new().and(VersionField::Name, Comparison::Like, upper.as_str()), &[]).await;
    check(Query::new().and(VersionField::Name, Comparison::LikeAnyCase, upper.as_str()), &[3, 2, 1]).await;
    let mixed = named().equals(VersionField::Number, "3");
    assert_fails(models.search_versions(&mixed).await, ErrorKind::InvalidArgument);
}

pub(crate) async fn runs_are_found_by_what_was_logged(registry: &Registry) {
    let experiment = registry.ensure_experiment(&unique("experiment")).await.unwrap();
    let tracking = registry.tracking();
    let mut ids = Vec::new();
    for (depth, rmse) in [(1, 0.3), (2, 0.1), (3, f64::NAN)] {
        let run = tracking.create_run(NewRun::in_experiment(&experiment.experiment_id)).await.unwrap();
        let batch = RunBatch::new().param("depth", depth).metric("rmse", rmse).tag("kind", "tree");
        tracking.log_batch(&run.run_id, batch).await.unwrap();
        ids.push(run.run_id);
    }
    let inside = || Query::new().equals(RunField::ExperimentId, experiment.experiment_id.as_str());
    let check = async |query: Query<RunField>, expected: &[usize]| {
        let mut found: Vec<_> = Vec::new();
        let mut query = query;
        loop {
            let page = tracking.search_runs(&query).await.unwrap();
            found.extend(page.items.into_iter().map(|run| run.run_id));
            let Some(next) = page.next else { break };
            query = query.page(Some(next));
        }
        let mut expected: Vec<_> = expected.iter().map(|at| ids[*at].clone()).collect();
        found.sort();
        expected.sort();
        assert_eq!(found, expected, "{query:?}");
    };
    check(inside().page_size(2), &[0, 1, 2]).await;
    check(inside().equals(RunField::Param("depth".into()), "2"), &[1]).await;
    check(inside().and(RunField::Metric("rmse".into()), Comparison::Less, 0.2), &[1]).await;
    check(
        inside().equals(RunField::Tag("kind".into()), "tree").equals(RunField::Status, "RUNNING"),
        &[0, 1, 2],
    )
    .await;
    tracking.delete_run(&ids[0]).await.unwrap();
    check(inside(), &[1, 2]).await;
}
