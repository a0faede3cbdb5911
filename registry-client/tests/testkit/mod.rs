//! The promises that every backend keeps, written against `&Registry` alone: a backend is one when all of these pass on it.

pub(crate) mod models;
pub(crate) mod publishing;
pub(crate) mod searching;
pub(crate) mod tracking;

use martello_registry_client::{ErrorKind, NewRun, Publication, Registry, Result, Run};

/// Runs the whole suite. Names are made unique, so that it can run on a registry that holds other things.
pub(crate) async fn conformance(registry: &Registry) {
    tracking::experiments_have_unique_names(registry).await;
    tracking::a_run_keeps_what_was_logged(registry).await;
    tracking::a_parameter_is_written_once(registry).await;
    tracking::a_batch_is_written_whole_or_not_at_all(registry).await;
    tracking::metrics_that_are_no_numbers_survive(registry).await;
    tracking::a_deleted_run_takes_nothing_more(registry).await;
    models::names_that_break_uris_are_refused(registry).await;
    models::versions_count_up_and_are_never_given_twice(registry).await;
    models::a_repeated_request_makes_no_second_version(registry).await;
    models::promotion_archives_what_stood_there(registry).await;
    models::an_alias_points_to_one_version(registry).await;
    models::reserved_aliases_are_refused(registry).await;
    models::tags_and_descriptions_are_kept(registry).await;
    models::what_is_not_there_is_not_found(registry).await;
    searching::pages_show_everything_once(registry).await;
    searching::conditions_select(registry).await;
    searching::runs_are_found_by_what_was_logged(registry).await;
    publishing::what_was_published_can_be_fetched_by_every_uri(registry).await;
    publishing::a_repeated_publication_returns_the_same_version(registry).await;
    publishing::two_models_never_share_a_folder(registry).await;
    publishing::an_interrupted_publication_is_completed(registry).await;
    publishing::an_altered_file_is_never_served(registry).await;
    publishing::files_on_the_local_disk_are_published_with_those_in_memory(registry).await;
    publishing::bad_files_are_refused_before_anything_is_stored(registry).await;
}

/// A name that no other run of the suite has.
pub(crate) fn unique(name: &str) -> String {
    format!("{name}-{}", uuid::Uuid::new_v4().simple())
}

pub(crate) async fn run(registry: &Registry) -> Run {
    registry.tracking().create_run(NewRun::in_experiment("0")).await.expect("a run can be started")
}

/// Two files, one of them in a folder, one of them empty.
pub(crate) fn files() -> Vec<(String, Vec<u8>)> {
    vec![
        ("MLmodel".to_owned(), b"flavors: {}\n".to_vec()),
        ("data/weights.bin".to_owned(), (0..100_000u32).flat_map(u32::to_le_bytes).collect()),
        ("data/empty".to_owned(), Vec::new()),
    ]
}

pub(crate) async fn publish(registry: &Registry, name: &str) -> martello_registry_client::ModelVersion {
    let run = run(registry).await;
    registry.publish(Publication::new(name, run.run_id, files())).await.expect("a model can be published")
}

#[track_caller]
pub(crate) fn assert_fails<T: std::fmt::Debug>(result: Result<T>, kind: ErrorKind) {
    let error = result.expect_err("the call should fail");
    assert_eq!(error.kind(), kind, "{error:?}");
    assert!(!error.to_string().is_empty());
}
