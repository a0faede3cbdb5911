//! From the columns of a batch to the features of an engine.

mod categories;
mod column_encoding;
mod encoder;

pub use self::categories::Categories;
pub use self::column_encoding::ColumnEncoding;
pub use self::encoder::Encoder;
