//! The embedded backend keeps every promise of a backend, on one handle and on two.

#![allow(clippy::unwrap_used, reason = "the helpers of a test are part of it")]

mod testkit;

use martello_registry_client::{ErrorKind, Registry};

#[tokio::test]
async fn the_embedded_backend_conforms() {
    let dir = tempfile::tempdir().unwrap();
    let registry = Registry::embedded(dir.path().join("registry")).await.unwrap();
    testkit::conformance(&registry).await;
}

#[tokio::test]
async fn it_conforms_while_another_handle_does_the_same() {
    let dir = tempfile::tempdir().unwrap();
    let (one, two) = tokio::join!(Registry::embedded(dir.path()), Registry::embedded(dir.path()));
    let (one, two) = (one.unwrap(), two.unwrap());
    tokio::join!(testkit::conformance(&one), testkit::conformance(&two));
}

#[tokio::test]
async fn tracking_uris_choose_the_backend() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().canonicalize().unwrap().join("x.db");
    let registry = Registry::connect(&format!("sqlite:///{}", file.display())).await.unwrap();
    assert_eq!(registry.uri().to_string(), format!("sqlite:///{}", file.display()));
    assert!(file.is_file() && dir.path().join("artifacts").is_dir());
    #[cfg(not(feature = "rest"))]
    for uri in ["http://127.0.0.1:5000", "https://user:secret@host"] {
        let error = Registry::connect(uri).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unsupported, "{error}");
        assert!(!error.to_string().contains("secret"), "{error}");
    }
    for uri in ["mysql://user:secret@x", "mlruns"] {
        let error = Registry::connect(uri).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unsupported, "{error}");
        assert!(!error.to_string().contains("secret"), "{error}");
    }
}
