//! Experiments and runs.

use martello_registry_client::{
    ErrorKind, Lifecycle, Metric, NewExperiment, NewRun, Registry, RunBatch, RunStatus, Timestamp,
};

use super::{assert_fails, run, unique};

pub(crate) async fn experiments_have_unique_names(registry: &Registry) {
    let name = unique("experiment");
    let tracking = registry.tracking();
    assert_fails(tracking.get_experiment_by_name(&name).await, ErrorKind::NotFound);
    let mut new = NewExperiment::named(&name);
    new.tags.insert("team".into(), "fraud".into());
    let made = tracking.create_experiment(new.clone()).await.unwrap();
    assert_eq!((made.name.as_str(), made.lifecycle), (name.as_str(), Lifecycle::Active));
    assert_eq!(made.tags["team"], "fraud");
    assert_fails(tracking.create_experiment(new).await, ErrorKind::AlreadyExists);
    assert_eq!(tracking.get_experiment(&made.experiment_id).await.unwrap(), made);
    assert_eq!(tracking.get_experiment_by_name(&name).await.unwrap(), made);
    assert_eq!(registry.ensure_experiment(&name).await.unwrap(), made);
    assert_eq!(tracking.get_experiment("0").await.unwrap().name, "Default");
    assert_fails(tracking.get_experiment("987654321").await, ErrorKind::NotFound);
    assert_fails(tracking.create_experiment(NewExperiment::named("")).await, ErrorKind::InvalidArgument);
}

pub(crate) async fn a_run_keeps_what_was_logged(registry: &Registry) {
    let tracking = registry.tracking();
    let experiment = registry.ensure_experiment(&unique("experiment")).await.unwrap();
    let new = NewRun {
        name: Some("first try".into()),
        user_id: Some("ada".into()),
        start_time: Some(Timestamp::from_millis(1_700_000_000_000)),
        ..NewRun::in_experiment(&experiment.experiment_id)
    };
    let run = tracking.create_run(new).await.unwrap();
    assert_eq!(
        (run.name.as_str(), run.user_id.as_str(), run.status),
        ("first try", "ada", RunStatus::Running)
    );
    assert!(run.artifact_uri.starts_with(&experiment.artifact_location), "{}", run.artifact_uri);
    assert!(run.artifact_uri.ends_with(&format!("{}/artifacts", run.run_id)), "{}", run.artifact_uri);

    let mut batch = RunBatch::new().param("test_size", 0.2).param("text", "ü'\";--").tag("data", "synthetic");
    for (step, value) in [(0, 3.0), (2, 1.0), (1, 2.0)] {
        let timestamp = Timestamp::from_millis(1_700_000_000_000 + step);
        batch.metrics.push(Metric { key: "loss".into(), value, timestamp, step });
    }
    tracking.log_batch(&run.run_id, batch.clone()).await.unwrap();
    tracking.log_batch(&run.run_id, batch).await.unwrap();
    let end = Timestamp::from_millis(1_700_000_001_000);
    let finished = tracking.finish_run(&run.run_id, RunStatus::Finished, end).await.unwrap();
    let read = tracking.get_run(&run.run_id).await.unwrap();
    assert_eq!(read, finished);
    assert_eq!((read.status, read.end_time), (RunStatus::Finished, Some(end)));
    assert_eq!((read.params["test_size"].as_str(), read.params["text"].as_str()), ("0.2", "ü'\";--"));
    assert_eq!(read.metrics["loss"], 1.0, "the latest step counts, not the last write");
    assert_eq!(
        (read.tags["data"].as_str(), read.tags["mlflow.runName"].as_str()),
        ("synthetic", "first try")
    );

    let history = tracking.metric_history(&run.run_id, "loss").await.unwrap();
    assert_eq!(history.iter().map(|metric| metric.value).collect::<Vec<_>>(), [3.0, 2.0, 1.0]);
    assert!(tracking.metric_history(&run.run_id, "none").await.unwrap().is_empty());
}

pub(crate) async fn a_parameter_is_written_once(registry: &Registry) {
    let run = run(registry).await;
    let log = |value: u32| registry.tracking().log_batch(&run.run_id, RunBatch::new().param("depth", value));
    log(3).await.unwrap();
    log(3).await.unwrap();
    assert_fails(log(5).await, ErrorKind::InvalidArgument);
    assert_eq!(registry.tracking().get_run(&run.run_id).await.unwrap().params["depth"], "3");
}

pub(crate) async fn a_batch_is_written_whole_or_not_at_all(registry: &Registry) {
    let run = run(registry).await;
    let tracking = registry.tracking();
    tracking.log_batch(&run.run_id, RunBatch::new().param("depth", 3)).await.unwrap();
    let batch = RunBatch::new().param("a", 1).param("depth", 5).metric("m", 1.0).tag("t", "x");
    assert_fails(tracking.log_batch(&run.run_id, batch).await, ErrorKind::InvalidArgument);
    let long = RunBatch::new().param("b", "x".repeat(6001)).metric("m", 1.0);
    assert_fails(tracking.log_batch(&run.run_id, long).await, ErrorKind::InvalidArgument);
    let read = tracking.get_run(&run.run_id).await.unwrap();
    assert_eq!(read.params.len(), 1);
    assert!(read.metrics.is_empty() && !read.tags.contains_key("t"));
}

pub(crate) async fn metrics_that_are_no_numbers_survive(registry: &Registry) {
    let run = run(registry).await;
    let batch =
        RunBatch::new().metric("nan", f64::NAN).metric("up", f64::INFINITY).metric("down", f64::NEG_INFINITY);
    registry.tracking().log_batch(&run.run_id, batch).await.unwrap();
    let read = registry.tracking().get_run(&run.run_id).await.unwrap();
    assert!(read.metrics["nan"].is_nan());
    assert_eq!((read.metrics["up"], read.metrics["down"]), (f64::INFINITY, f64::NEG_INFINITY));
    assert!(registry.tracking().metric_history(&run.run_id, "nan").await.unwrap()[0].value.is_nan());
}

pub(crate) async fn a_deleted_run_takes_nothing_more(registry: &Registry) {
    let run = run(registry).await;
    let tracking = registry.tracking();
    tracking.delete_run(&run.run_id).await.unwrap();
    assert_eq!(tracking.get_run(&run.run_id).await.unwrap().lifecycle, Lifecycle::Deleted);
    assert_fails(
        tracking.log_batch(&run.run_id, RunBatch::new().param("a", 1)).await,
        ErrorKind::InvalidArgument,
    );
    assert_fails(tracking.get_run("0123456789abcdef0123456789abcdef").await, ErrorKind::NotFound);
}
