//! What does one prediction cost, by model and batch size?
//!
//! `cargo bench --bench prediction`
//!
//! Every iteration is a whole call: the batch is built from the caller's values and checked, the model predicts, both are
//! dropped. `linear` takes three numbers a row at once, `linear-cells` the same cell by cell as a JSON parser does, and
//! `logistic` the seven columns of the Palmer penguins, text and missing cells among them. Rows rotate over 8,192 distinct
//! ones, because repeating one row would flatter the branch predictor and the cache.

use std::hint::black_box;
use std::sync::Arc;

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use martello_model_core::engine::{LinearRegression, LogisticRegression};
use martello_model_core::preprocessing::{ColumnEncoding, Encoder};
use martello_model_core::{Batch, Cell, Column, DataType, Error, Model, NativeModel, Signature};

const BATCH_SIZES: [usize; 3] = [1, 64, 1024];
const DISTINCT_ROWS: usize = 8192;

/// SplitMix64 (Steele, Lea, Flood 2014): the same rows in every run.
struct Seeded(u64);

impl Seeded {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    fn below(&mut self, end: usize) -> usize {
        (self.next() % end as u64) as usize
    }

    /// Returns a number between −`spread` and `spread`.
    fn number(&mut self, spread: f64) -> f64 {
        spread * (self.next() as f64 / u64::MAX as f64 * 2.0 - 1.0)
    }
}

fn linear() -> Result<NativeModel, Error> {
    let columns = ["feature1", "feature2", "feature3"].map(Column::double).to_vec();
    let signature = Signature::new(columns, vec![Column::double("prediction")])?;
    let encoder = Encoder::identity(&signature)?;
    NativeModel::new(signature, encoder, LinearRegression::new(vec![28.2, 76.9, 66.1], 0.02)?)
}

fn logistic() -> Result<NativeModel, Error> {
    let measures = ["bill_length_mm", "bill_depth_mm", "flipper_length_mm", "body_mass_g"];
    let mut columns = vec![Column::string("island")];
    columns.extend(measures.map(|name| Column::double(name).optional()));
    columns.extend([Column::string("sex").optional(), Column::new("year", DataType::Integer)]);
    let mut encodings = vec![ColumnEncoding::one_hot(["Biscoe", "Dream", "Torgersen"])?];
    let scales = [(43.9, 5.5), (17.2, 2.0), (200.9, 14.1), (4201.8, 802.0)];
    encodings.extend(scales.map(|(mean, scale)| ColumnEncoding::standardise(mean, mean, scale)));
    encodings.push(ColumnEncoding::one_hot(["female", "male"])?);
    encodings.push(ColumnEncoding::standardise(2008.0, 2008.0, 0.8));

    let signature = Signature::new(columns, vec![Column::string("species")])?;
    let encoder = Encoder::new(&signature, encodings)?;
    let mut seeded = Seeded(42);
    let coefficients: Vec<f64> = (0..3 * encoder.features()).map(|_| seeded.number(2.0)).collect();
    let engine =
        LogisticRegression::new(vec!["Adelie", "Chinstrap", "Gentoo"], coefficients, vec![0.1, -0.2, 0.1])?;
    NativeModel::new(signature, encoder, engine)
}

fn penguin(seeded: &mut Seeded) -> Vec<Cell<'static>> {
    let mut row = vec![Cell::Text(["Biscoe", "Dream", "Torgersen"][seeded.below(3)])];
    for (mean, spread) in [(43.9, 10.0), (17.2, 4.0), (200.9, 28.0), (4201.8, 1400.0)] {
        let missing = seeded.below(100) == 0;
        row.push(if missing { Cell::Missing } else { Cell::Number(mean + seeded.number(spread)) });
    }
    row.push([Cell::Text("female"), Cell::Text("male"), Cell::Missing][seeded.below(3)]);
    row.push(Cell::Number(2007.0 + seeded.below(3) as f64));
    row
}

/// Predicts batch after batch out of the distinct rows, over and over.
fn measure(c: &mut Criterion, name: &str, mut whole_call: impl FnMut(usize, usize)) {
    let mut group = c.benchmark_group(format!("model-core/{name}"));
    for size in BATCH_SIZES {
        group.throughput(Throughput::Elements(size as u64));
        let mut start = 0;
        group.bench_function(BenchmarkId::from_parameter(size), |bencher| {
            bencher.iter(|| {
                start = (start + size) % DISTINCT_ROWS;
                whole_call(start, size);
            });
        });
    }
    group.finish();
}

fn from_numbers(c: &mut Criterion) {
    let model: Arc<dyn Model> = Arc::new(linear().expect("the parts fit together"));
    let mut seeded = Seeded(42);
    let numbers: Vec<f64> = (0..3 * DISTINCT_ROWS).map(|_| seeded.number(3.0)).collect();
    measure(c, "linear", |start, size| {
        let rows = black_box(&numbers)[3 * start..][..3 * size].to_vec();
        let batch = Batch::from_numbers(model.signature(), rows).expect("the rows fit");
        black_box(model.predict(&batch).expect("a sum always exists"));
    });
}

fn from_cells(c: &mut Criterion, name: &str, model: NativeModel, row: fn(&mut Seeded) -> Vec<Cell<'static>>) {
    let model: Arc<dyn Model> = Arc::new(model);
    let mut seeded = Seeded(42);
    let rows: Vec<Vec<Cell<'_>>> = (0..DISTINCT_ROWS).map(|_| row(&mut seeded)).collect();
    measure(c, name, |start, size| {
        let mut builder = Batch::builder(model.signature());
        for cells in &black_box(&rows)[start..start + size] {
            builder.push_row(cells).expect("the rows fit");
        }
        black_box(model.predict(&builder.build()).expect("the scores are finite"));
    });
}

fn one_prediction(c: &mut Criterion) {
    let three = |seeded: &mut Seeded| (0..3).map(|_| Cell::Number(seeded.number(3.0))).collect();
    from_numbers(c);
    from_cells(c, "linear-cells", linear().expect("the parts fit together"), three);
    from_cells(c, "logistic", logistic().expect("the parts fit together"), penguin);
}

criterion_group!(benches, one_prediction);
criterion_main!(benches);
