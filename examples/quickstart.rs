//! A model, three replicas of it and a balancer, all in memory: no port, no file, no server.
//!
//! `cargo run --example quickstart`
//!
//! ```text
//! prediction for [5.3, 2.1, 0.8]: 41.1
//! replica-1 answered 2 of 6 requests
//! replica-2 answered 2 of 6 requests
//! replica-3 answered 2 of 6 requests
//! ```

#![expect(clippy::print_stdout, reason = "an example talks to a person")]

use std::sync::Arc;

use martello::prelude::*;
use tower::ServiceExt;

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    // What goes in and what comes out, and what happens in between.
    let features = ["feature1", "feature2", "feature3"].map(Column::double);
    let signature = Signature::new(features.to_vec(), vec![Column::unnamed(DataType::Double)])?;
    let encoder = Encoder::identity(&signature)?;
    let engine = LinearRegression::new(vec![5.0, 4.0, 2.0], 4.6)?;
    let model: Arc<dyn Model> = Arc::new(NativeModel::new(signature, encoder, engine)?);

    // Three replicas, each a tower service from a batch of rows to predictions; the balancer makes them look like one.
    let replicas = (1..=3).map(|number| {
        let slot = Slot::holding(ServedModel::new("linear", Arc::clone(&model)));
        (format!("replica-{number}"), Predict::new(slot, &serving::Limits::default()))
    });
    let balance = Balance::new(RoundRobin, replicas);

    for _ in 0..5 {
        balance.clone().oneshot(row(&model)?).await?;
    }
    let predictions = balance.clone().oneshot(row(&model)?).await?;
    println!("prediction for [5.3, 2.1, 0.8]: {}", predictions.get(0));
    for endpoint in balance.snapshot().endpoints {
        println!("{} answered {} of 6 requests", endpoint.name, endpoint.requests);
    }
    Ok(())
}

/// One row, checked against the model's signature.
fn row(model: &Arc<dyn Model>) -> anyhow::Result<Batch> {
    Ok(Batch::from_numbers(model.signature(), vec![5.3, 2.1, 0.8])?)
}
