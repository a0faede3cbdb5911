//! A user's CSV file becomes a served model, whatever its columns hold.

#![allow(clippy::unwrap_used, reason = "the helpers of a test are part of it")]

mod support;

use std::path::PathBuf;

use martello_model_core::{Batch, Cell, DataType, Predictions};
use martello_trainer::{CsvOptions, Evaluation, Outcome, TrainingJob};
use support::{Embedded, embedded};

fn write(world: &Embedded, name: &str, csv: &str) -> PathBuf {
    let path = world.folder.path().join(name);
    std::fs::write(&path, csv).unwrap();
    path
}

/// A price per room, more in the old town, and a cell missing here and there.
fn houses() -> String {
    let mut csv = "rooms,district,price\n".to_owned();
    for row in 0..60_u32 {
        let rooms = 1 + row % 6;
        let (district, extra) = if row % 3 == 0 { ("old town", 40) } else { ("harbour", 0) };
        let shown = if row % 20 == 7 { "NA".to_owned() } else { rooms.to_string() };
        csv += &format!("{shown},{district},{}\n", 100 * rooms + extra);
    }
    csv
}

async fn predict(world: &Embedded, uri: &str, rows: &[&[Cell<'_>]]) -> Predictions {
    let model = world.load(uri).await.unwrap().model;
    let mut batch = Batch::builder(model.signature());
    rows.iter().for_each(|row| batch.push_row(row).unwrap());
    model.predict(&batch.build()).unwrap()
}

#[tokio::test]
async fn a_numeric_target_becomes_a_regression() {
    let world = embedded().await;
    let path = write(&world, "houses.csv", &houses());
    let outcome = TrainingJob::from_csv(path, "price").run(&world.registry).await.unwrap();
    let Outcome::Trained { metrics: Evaluation::Regression { r2, .. }, .. } = outcome else {
        panic!("{outcome:?}")
    };
    assert!(r2.unwrap() > 0.8, "{r2:?}");

    let run = &world.runs("houses").await[0];
    assert_eq!(run.params["model_type"], "LinearRegression");
    let loaded = world.load("models:/houses/Production").await.unwrap();
    let inputs = loaded.model.signature().inputs();
    assert_eq!(
        (inputs[0].data_type, inputs[0].required),
        (DataType::Double, false),
        "a cell of rooms is missing"
    );
    assert_eq!((inputs[1].data_type, inputs[1].required), (DataType::String, true));

    let rows: [&[Cell<'_>]; 3] = [
        &[Cell::Number(4.0), Cell::Text("old town")],
        &[Cell::Number(4.0), Cell::Text("harbour")],
        &[Cell::Missing, Cell::Text("a district that nobody knew")],
    ];
    let Predictions::Numbers(prices) = predict(&world, "models:/houses/Production", &rows).await else {
        panic!("numbers")
    };
    assert!((prices[0] - prices[1] - 40.0).abs() < 20.0, "{prices:?}");
    assert!(prices[2].is_finite());
}

#[tokio::test]
async fn a_text_target_becomes_a_classification() {
    let world = embedded().await;
    let path = write(&world, "houses.csv", &houses());
    let job = TrainingJob::from_csv(path, "district").model("districts");
    let outcome = job.run(&world.registry).await.unwrap();
    assert_eq!(outcome.version().name, "districts");
    let run = &world.runs("districts").await[0];
    assert_eq!(
        (run.params["model_type"].as_str(), run.params["alpha"].as_str()),
        ("LogisticRegression", "1")
    );
    assert_eq!(run.metrics.keys().collect::<Vec<_>>(), ["accuracy", "log_loss"]);
    let rows: [&[Cell<'_>]; 1] = [&[Cell::Number(3.0), Cell::Number(340.0)]];
    let answer = predict(&world, "models:/districts@champion", &rows).await;
    assert!(matches!(answer, Predictions::Labels(labels) if ["old town", "harbour"].contains(&&*labels[0])));
}

#[tokio::test]
async fn numbers_can_be_classes() {
    let world = embedded().await;
    let rows: String = (0..40).map(|row| format!("{row},{}\n", u8::from(row >= 20))).collect();
    let path = write(&world, "sold.csv", &format!("days,sold\n{rows}"));
    let options = CsvOptions::new("sold").text("sold");
    TrainingJob::from_csv_with(path, options).run(&world.registry).await.unwrap();
    let rows: [&[Cell<'_>]; 2] = [&[Cell::Number(0.0)], &[Cell::Number(39.0)]];
    let answer = predict(&world, "models:/sold/Production", &rows).await;
    assert!(matches!(answer, Predictions::Labels(labels) if (&*labels[0], &*labels[1]) == ("0", "1")));
}

#[tokio::test]
async fn penguins_with_missing_measurements_are_told_apart() {
    let world = embedded().await;
    let outcome = TrainingJob::penguin_species().run(&world.registry).await.unwrap();
    let Outcome::Trained { metrics: Evaluation::Classification { accuracy, rows, .. }, .. } = outcome else {
        panic!("{outcome:?}")
    };
    assert_eq!(rows, 69);
    assert!(accuracy > 0.95, "{accuracy}");

    let loaded = world.load("models:/penguin_species/Production").await.unwrap();
    let inputs: Vec<_> =
        loaded.model.signature().inputs().iter().map(|c| (c.name.as_str(), c.required)).collect();
    let expected = [
        ("island", true),
        ("bill_length_mm", false),
        ("bill_depth_mm", false),
        ("flipper_length_mm", false),
        ("body_mass_g", false),
        ("sex", false),
    ];
    assert_eq!(inputs, expected);
    let n = Cell::Number;
    let rows: [&[Cell<'_>]; 3] = [
        &[Cell::Text("Torgersen"), n(39.1), n(18.7), n(181.0), n(3750.0), Cell::Text("male")],
        &[Cell::Text("Biscoe"), n(50.0), n(15.0), n(220.0), n(5500.0), Cell::Missing],
        &[Cell::Text("Dream"), n(49.0), Cell::Missing, n(196.0), Cell::Missing, Cell::Missing],
    ];
    let answer = predict(&world, "models:/penguin_species/Production", &rows).await;
    let Predictions::Labels(species) = answer else { panic!("labels") };
    assert_eq!(species.iter().map(|s| &**s).collect::<Vec<_>>(), ["Adelie", "Gentoo", "Chinstrap"]);
}

#[tokio::test]
async fn a_class_that_is_only_in_the_rows_held_back_counts_as_wrong() {
    let world = embedded().await;
    // The split holds back the same six of thirty rows each time; the rare class moves through all of them.
    let mut judged = 0;
    for rare in 0..30 {
        let rows: String = (0..30)
            .map(|row| {
                format!(
                    "{row},{}\n",
                    if row == rare {
                        "rare"
                    } else if row % 2 == 0 {
                        "even"
                    } else {
                        "odd"
                    }
                )
            })
            .collect();
        let path = write(&world, "rare.csv", &format!("x,y\n{rows}"));
        let job = TrainingJob::from_csv(path, "y").model(format!("rare{rare}"));
        let outcome = job.run(&world.registry).await.unwrap();
        let Outcome::Trained { metrics: Evaluation::Classification { confusion, log_loss, .. }, .. } =
            outcome
        else {
            panic!("{outcome:?}")
        };
        let classes: Vec<&str> = confusion.classes().iter().map(|class| &**class).collect();
        assert_eq!(classes.len(), 3);
        judged += usize::from(classes[2] == "rare" && log_loss > 5.0);
    }
    assert_eq!(judged, 6, "every row that is held back once");
}
