//! The datatypes of the protocol, and what their bytes mean.

use martello_model_core::{Column, DataType};

/// The type of a tensor's elements.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Datatype {
    Bool,
    /// Bytes of an element.
    Unsigned(usize),
    /// Bytes of an element.
    Signed(usize),
    Fp16,
    Fp32,
    Fp64,
    Bytes,
}

impl Datatype {
    pub(super) fn from_name(name: &str) -> Option<Self> {
        Some(match name {
            "BOOL" => Self::Bool,
            "UINT8" => Self::Unsigned(1),
            "UINT16" => Self::Unsigned(2),
            "UINT32" => Self::Unsigned(4),
            "UINT64" => Self::Unsigned(8),
            "INT8" => Self::Signed(1),
            "INT16" => Self::Signed(2),
            "INT32" => Self::Signed(4),
            "INT64" => Self::Signed(8),
            "FP16" => Self::Fp16,
            "FP32" => Self::Fp32,
            "FP64" => Self::Fp64,
            "BYTES" => Self::Bytes,
            _ => return None,
        })
    }

    /// Returns the datatype in which a column is offered.
    pub(super) fn of(column: &Column) -> &'static str {
        match column.data_type {
            DataType::Boolean => "BOOL",
            DataType::Integer => "INT32",
            DataType::Long => "INT64",
            DataType::Float => "FP32",
            DataType::String => "BYTES",
            _ => "FP64",
        }
    }

    /// Returns the bytes of an element, unless each has its own length.
    pub(super) fn size(self) -> Option<usize> {
        match self {
            Self::Bool => Some(1),
            Self::Unsigned(bytes) | Self::Signed(bytes) => Some(bytes),
            Self::Fp16 => Some(2),
            Self::Fp32 => Some(4),
            Self::Fp64 => Some(8),
            Self::Bytes => None,
        }
    }

    /// Reads one element of [`size`](Self::size) bytes, little-endian.
    #[expect(
        clippy::cast_precision_loss,
        reason = "a whole number beyond 2^53 is the nearest double, as from JSON"
    )]
    pub(super) fn number(self, bytes: &[u8]) -> f64 {
        let mut eight = [0; 8];
        eight[..bytes.len()].copy_from_slice(bytes);
        let bits = u64::from_le_bytes(eight);
        match self {
            Self::Bool => f64::from(u8::from(bits != 0)),
            Self::Signed(size) => {
                let unused = 64 - 8 * size;
                ((bits << unused).cast_signed() >> unused) as f64
            }
            Self::Fp16 => half(bits as u16),
            Self::Fp32 => f64::from(f32::from_bits(bits as u32)),
            Self::Fp64 => f64::from_bits(bits),
            Self::Unsigned(_) | Self::Bytes => bits as f64,
        }
    }

    /// Returns a number as this type holds it, or nothing if it does not.
    pub(super) fn hold(self, number: f64) -> Option<f64> {
        let whole = |least: f64, beyond: f64| {
            (number.fract() == 0.0 && least <= number && number < beyond).then_some(number + 0.0)
        };
        let power = |bits: usize| 2_f64.powi(i32::try_from(bits).unwrap_or(i32::MAX));
        match self {
            Self::Bool => whole(0.0, 2.0),
            Self::Unsigned(bytes) => whole(0.0, power(8 * bytes)),
            Self::Signed(bytes) => whole(-power(8 * bytes - 1), power(8 * bytes - 1)),
            Self::Fp32 => {
                let single = number as f32;
                (single.is_finite() || !number.is_finite()).then_some(f64::from(single))
            }
            Self::Fp16 | Self::Fp64 => Some(number),
            Self::Bytes => None,
        }
    }
}

/// Reads a number in half precision (IEEE 754 binary16).
fn half(bits: u16) -> f64 {
    let sign = if bits & 0x8000 == 0 { 1.0 } else { -1.0 };
    let (exponent, fraction) = (i32::from(bits >> 10 & 0x1f), f64::from(bits & 0x3ff));
    sign * match (exponent, fraction) {
        (0, fraction) => fraction * 2_f64.powi(-24),
        (31, 0.0) => f64::INFINITY,
        (31, _) => f64::NAN,
        (exponent, fraction) => (1.0 + fraction / 1024.0) * 2_f64.powi(exponent - 15),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_are_little_endian_numbers() {
        let check = |name: &str, bytes: &[u8], expected: f64| {
            let number = Datatype::from_name(name).unwrap().number(bytes);
            assert_eq!(number.to_bits(), expected.to_bits(), "{name} {bytes:?}");
        };
        check("BOOL", &[1], 1.0);
        check("UINT8", &[255], 255.0);
        check("INT8", &[255], -1.0);
        check("INT16", &(-300_i16).to_le_bytes(), -300.0);
        check("UINT32", &u32::MAX.to_le_bytes(), 4_294_967_295.0);
        check("INT64", &i64::MIN.to_le_bytes(), -9_223_372_036_854_775_808.0);
        check("FP32", &0.1_f32.to_le_bytes(), f64::from(0.1_f32));
        check("FP64", &(-0.0_f64).to_le_bytes(), -0.0);
        for (bits, expected) in [
            (0x3c00_u16, 1.0),
            (0xc000, -2.0),
            (0x0001, 2_f64.powi(-24)),
            (0x7bff, 65504.0),
            (0xfc00, f64::NEG_INFINITY),
        ] {
            check("FP16", &bits.to_le_bytes(), expected);
        }
    }

    #[test]
    fn a_type_holds_what_its_name_says() {
        let hold = |name: &str, number: f64| Datatype::from_name(name).unwrap().hold(number);
        assert_eq!(hold("INT8", 127.0), Some(127.0));
        assert_eq!(hold("INT8", 128.0), None);
        assert_eq!(hold("INT8", -128.0), Some(-128.0));
        assert_eq!(hold("UINT8", -1.0), None);
        assert_eq!(hold("INT32", 0.5), None);
        assert_eq!(hold("BOOL", 2.0), None);
        assert_eq!(hold("FP32", 0.1), Some(f64::from(0.1_f32)));
        assert_eq!(hold("FP32", 1e300), None);
        assert_eq!(hold("BYTES", 1.0), None);
    }
}
