//! Whatever a URI holds, printing and parsing it gives it back; whatever text comes in, parsing never panics.

#![allow(clippy::unwrap_used, reason = "the helpers of a test are part of it")]

use martello_registry_client::{ArtifactPath, Location, ModelUri, Stage};
use proptest::prelude::*;

fn model_name() -> impl Strategy<Value = String> {
    "[A-Za-z0-9 ._%?#&=+äß€-]{1,40}".prop_filter("names are not blank", |name| !name.trim().is_empty())
}

fn path() -> impl Strategy<Value = ArtifactPath> {
    "[a-z0-9 ._%?ü+]{1,12}(/[a-z0-9 ._%?ü+:]{1,12}){0,3}"
        .prop_filter_map("a valid path", |text| text.parse().ok())
}

fn location() -> impl Strategy<Value = Location> {
    prop_oneof![
        "(/[A-Za-z0-9 %?#ü@:+]{1,12}){1,4}".prop_map(|path| Location::file(path).unwrap()),
        (proptest::option::of("[a-z0-9.]{1,12}(:[0-9]{1,4})?"), path())
            .prop_map(|(authority, path)| Location::Proxy { authority, path: path.to_string() }),
        ("[a-z0-9-]{3,12}", path()).prop_map(|(bucket, path)| Location::S3 { bucket, key: path.to_string() }),
    ]
}

fn uri() -> impl Strategy<Value = ModelUri> {
    let stage = prop::sample::select(Stage::ALL.to_vec());
    prop_oneof![
        (model_name(), 1..=u32::MAX)
            .prop_map(|(name, version)| ModelUri::Version { name: name.parse().unwrap(), version }),
        (model_name(), "[a-z_]{1,5}[a-z0-9_-]{0,9}")
            .prop_filter("reserved", |(_, alias)| alias != "latest" && !alias.starts_with('v'))
            .prop_map(|(name, alias)| ModelUri::Alias {
                name: name.parse().unwrap(),
                alias: alias.parse().unwrap()
            }),
        (model_name(), stage)
            .prop_map(|(name, stage)| ModelUri::Stage { name: name.parse().unwrap(), stage }),
        model_name().prop_map(|name| ModelUri::Latest { name: name.parse().unwrap() }),
        "m-[0-9a-f]{1,32}".prop_map(|model_id| ModelUri::LoggedModel { model_id }),
        ("[0-9a-f]{32}", path()).prop_map(|(run_id, path)| ModelUri::Run { run_id, path }),
        location().prop_map(ModelUri::Artifacts),
    ]
}

proptest! {
    #[test]
    fn a_uri_survives_the_way_to_text_and_back(uri in uri()) {
        prop_assert_eq!(uri.to_string().parse::<ModelUri>().unwrap(), uri);
    }

    #[test]
    fn any_text_is_read_or_refused(text in "(models:/|runs:/|file:|s3:|mlflow-artifacts:)?\\PC{0,40}") {
        if let Ok(uri) = text.parse::<ModelUri>() {
            prop_assert_eq!(uri.to_string().parse::<ModelUri>().unwrap(), uri);
        }
    }

    #[test]
    fn a_path_never_leaves_its_location(text in "[a-z./\\\\#:]{0,20}") {
        if let Ok(path) = text.parse::<ArtifactPath>() {
            let Location::File(joined) = Location::file("/srv/models").unwrap().join(&path) else { panic!("a file") };
            prop_assert!(joined.starts_with("/srv/models") && joined != std::path::Path::new("/srv/models"));
            prop_assert!(joined.components().all(|part| part != std::path::Component::ParentDir));
        }
    }
}
