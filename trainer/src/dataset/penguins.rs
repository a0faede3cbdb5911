//! The Palmer penguins: real data that ship with the crate.

use super::{CsvOptions, Dataset};

const CSV: &str = include_str!("../../data/penguins.csv");

impl Dataset {
    /// Returns the Palmer penguins: 344 rows, target `species` (Adelie, Chinstrap, Gentoo).
    ///
    /// Features: `island`, `bill_length_mm`, `bill_depth_mm`, `flipper_length_mm`, `body_mass_g`, `sex`, `year`. Two rows
    /// have no measurements, eleven no sex. Gorman, Williams & Fraser, *PLoS ONE* 9(3):e90081, 2014; licence CC0;
    /// `data/README.md` in the crate has the whole story.
    ///
    /// ```
    /// let penguins = martello_trainer::Dataset::penguins();
    /// assert_eq!((penguins.rows(), penguins.features().len()), (344, 7));
    /// ```
    pub fn penguins() -> Self {
        Self::from_csv(CSV.as_bytes(), &CsvOptions::new("species"))
            .expect("the built-in file is valid, as a test shows")
    }
}
