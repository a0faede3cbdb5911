//! How well predictions fit what really happened.
//!
//! The definitions are scikit-learn's, the edge cases included.
//!
//! ```
//! use martello_model_core::metrics;
//!
//! let (actual, predicted) = ([3.0, -0.5, 2.0, 7.0], [2.5, 0.0, 2.0, 8.0]);
//! assert_eq!(metrics::mean_squared_error(&actual, &predicted)?, 0.375);
//! assert!((metrics::r2(&actual, &predicted)? - 0.948_608_137).abs() < 1e-9);
//! # Ok::<(), martello_model_core::Error>(())
//! ```

mod classification;
mod confusion;
mod regression;

pub use self::classification::{accuracy, log_loss};
pub use self::confusion::ConfusionMatrix;
pub use self::regression::{mean_squared_error, r2, root_mean_squared_error};
use crate::{Error, ErrorKind};

fn check_lengths(actual: usize, predicted: usize) -> Result<(), Error> {
    if actual != predicted {
        let message = format!("{actual} actual values cannot be compared with {predicted} predictions");
        return Err(Error::new(ErrorKind::InvalidArgument, message));
    }
    if actual == 0 {
        return Err(Error::new(ErrorKind::InvalidArgument, "a metric needs at least one row"));
    }
    Ok(())
}

fn mean(sum: f64, count: usize) -> f64 {
    sum / count as f64
}
