//! Where models live: MLflow experiments, runs, model versions and artifacts; embedded in one SQLite file.
