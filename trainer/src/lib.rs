//! Data in, registered model out: data sets, linfa adapters, evaluation and the training job.
