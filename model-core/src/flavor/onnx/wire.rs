//! Protobuf's wire format: bytes to fields, and fields to bytes.
//!
//! Written out, because ONNX files need so little of it (no groups, no recursion, no reflection) that a library of several
//! crates would cost more than it saves. The format: <https://protobuf.dev/programming-guides/encoding/>.

use crate::{Error, ErrorKind};

/// The fields of one message, one after the other; ends after the first error.
pub(super) struct Fields<'a> {
    rest: &'a [u8],
}

/// One field: its number and what it holds.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Field<'a> {
    pub(super) number: u64,
    pub(super) value: Value<'a>,
}

/// What a field holds, by wire type.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Value<'a> {
    Varint(u64),
    Fixed64([u8; 8]),
    Bytes(&'a [u8]),
    Fixed32([u8; 4]),
}

impl<'a> Fields<'a> {
    pub(super) fn new(message: &'a [u8]) -> Self {
        Self { rest: message }
    }

    fn read(&mut self) -> Result<Field<'a>, Error> {
        let key = varint(&mut self.rest)?;
        let value = match key & 7 {
            0 => Value::Varint(varint(&mut self.rest)?),
            1 => Value::Fixed64(self.fixed()?),
            2 => {
                let length = usize::try_from(varint(&mut self.rest)?).map_err(|_| cut_off())?;
                let (bytes, rest) = self.rest.split_at_checked(length).ok_or_else(cut_off)?;
                self.rest = rest;
                Value::Bytes(bytes)
            }
            5 => Value::Fixed32(self.fixed()?),
            other => return Err(corrupted(format!("the protobuf has the unknown wire type {other}"))),
        };
        Ok(Field { number: key >> 3, value })
    }

    fn fixed<const N: usize>(&mut self) -> Result<[u8; N], Error> {
        let (bytes, rest) = self.rest.split_first_chunk().ok_or_else(cut_off)?;
        self.rest = rest;
        Ok(*bytes)
    }
}

impl<'a> Iterator for Fields<'a> {
    type Item = Result<Field<'a>, Error>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.rest.is_empty() {
            return None;
        }
        let field = self.read();
        if field.is_err() {
            self.rest = &[];
        }
        Some(field)
    }
}

impl<'a> Field<'a> {
    pub(super) fn bytes(&self) -> Result<&'a [u8], Error> {
        match self.value {
            Value::Bytes(bytes) => Ok(bytes),
            _ => Err(self.unexpected()),
        }
    }

    pub(super) fn text(&self) -> Result<&'a str, Error> {
        text(self.bytes()?)
    }

    pub(super) fn int(&self) -> Result<i64, Error> {
        match self.value {
            Value::Varint(value) => Ok(value.cast_signed()),
            _ => Err(self.unexpected()),
        }
    }

    /// Adds whole numbers, packed or one by one, and returns how many.
    pub(super) fn ints(&self, values: &mut Vec<i64>, most: usize) -> Result<usize, Error> {
        let Value::Bytes(mut packed) = self.value else {
            values.push(self.int()?);
            return Ok(1);
        };
        let before = values.len();
        while !packed.is_empty() && values.len() - before <= most {
            values.push(varint(&mut packed)?.cast_signed());
        }
        Ok(values.len() - before)
    }

    /// Adds numbers in single precision, packed or one by one.
    pub(super) fn floats(&self, values: &mut Vec<f32>) -> Result<(), Error> {
        match self.value {
            Value::Fixed32(bytes) => values.push(f32::from_le_bytes(bytes)),
            Value::Bytes(packed) => values.extend(chunks(packed)?.iter().copied().map(f32::from_le_bytes)),
            _ => return Err(self.unexpected()),
        }
        Ok(())
    }

    /// Adds numbers in double precision, packed or one by one.
    pub(super) fn doubles(&self, values: &mut Vec<f64>) -> Result<(), Error> {
        match self.value {
            Value::Fixed64(bytes) => values.push(f64::from_le_bytes(bytes)),
            Value::Bytes(packed) => values.extend(chunks(packed)?.iter().copied().map(f64::from_le_bytes)),
            _ => return Err(self.unexpected()),
        }
        Ok(())
    }

    fn unexpected(&self) -> Error {
        corrupted(format!("field {} of the protobuf has another type than ONNX gives it", self.number))
    }
}

/// Cuts bytes into numbers of `N` bytes each.
pub(super) fn chunks<const N: usize>(bytes: &[u8]) -> Result<&[[u8; N]], Error> {
    let (chunks, rest) = bytes.as_chunks();
    if rest.is_empty() { Ok(chunks) } else { Err(cut_off()) }
}

pub(super) fn text(bytes: &[u8]) -> Result<&str, Error> {
    std::str::from_utf8(bytes)
        .map_err(|cause| corrupted("a text in the protobuf is not UTF-8".to_owned()).with_source(cause))
}

fn varint(bytes: &mut &[u8]) -> Result<u64, Error> {
    let mut value = 0_u64;
    // Seven bits a byte: 64 bits fill ten bytes at the most.
    for shift in (0..64).step_by(7) {
        let (byte, rest) = bytes.split_first().ok_or_else(cut_off)?;
        *bytes = rest;
        value |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return Ok(value);
        }
    }
    Err(corrupted("a number in the protobuf is longer than 64 bits".to_owned()))
}

fn cut_off() -> Error {
    corrupted("the protobuf is cut off".to_owned())
}

fn corrupted(message: String) -> Error {
    Error::new(ErrorKind::Corrupted, message)
}

// ===== impl Message =====

/// A message that is being written.
#[derive(Debug, Default)]
pub(super) struct Message {
    bytes: Vec<u8>,
}

impl Message {
    pub(super) fn into_bytes(self) -> Vec<u8> {
        self.bytes
    }

    pub(super) fn int(&mut self, number: u64, value: i64) {
        self.varint(number << 3);
        self.varint(value.cast_unsigned());
    }

    pub(super) fn bytes(&mut self, number: u64, value: &[u8]) {
        self.varint(number << 3 | 2);
        self.varint(value.len() as u64);
        self.bytes.extend_from_slice(value);
    }

    pub(super) fn text(&mut self, number: u64, value: &str) {
        self.bytes(number, value.as_bytes());
    }

    pub(super) fn message(&mut self, number: u64, value: &Self) {
        self.bytes(number, &value.bytes);
    }

    pub(super) fn float(&mut self, number: u64, value: f32) {
        self.varint(number << 3 | 5);
        self.bytes.extend_from_slice(&value.to_le_bytes());
    }

    fn varint(&mut self, mut value: u64) {
        while value >= 0x80 {
            self.bytes.push(value as u8 | 0x80);
            value >>= 7;
        }
        self.bytes.push(value as u8);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_examples_of_the_specification_hold() {
        let mut message = Message::default();
        message.int(1, 150);
        message.text(2, "testing");
        assert_eq!(message.bytes, b"\x08\x96\x01\x12\x07testing");
        let fields: Vec<Field<'_>> = Fields::new(&message.bytes).map(Result::unwrap).collect();
        assert_eq!(fields[0], Field { number: 1, value: Value::Varint(150) });
        assert_eq!(fields[1], Field { number: 2, value: Value::Bytes(b"testing") });
    }

    #[test]
    fn what_is_cut_off_or_unknown_is_refused() {
        for bytes in
            [&b"\x08"[..], b"\x08\x80", b"\x12\x07test", b"\x0d\x00\x00", b"\x09\x00", b"\x0b", b"\x0e"]
        {
            let error = Fields::new(bytes).next().unwrap().unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Corrupted, "{bytes:?}");
        }
        assert!(varint(&mut &[0xff; 11][..]).is_err());
        assert!(chunks::<4>(&[0; 7]).is_err());
    }

    #[test]
    fn packed_numbers_stop_at_the_limit() {
        let packed = Field { number: 1, value: Value::Bytes(&[1; 100]) };
        assert_eq!(packed.ints(&mut Vec::new(), 10).unwrap(), 11);
        assert_eq!(packed.ints(&mut Vec::new(), 100).unwrap(), 100);
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(int: i64, float: f32, text in ".{0,20}", number in 1_u64..1 << 29) {
            let mut message = Message::default();
            message.int(number, int);
            message.float(number, float);
            message.text(number, &text);
            let fields: Vec<Field<'_>> = Fields::new(&message.bytes).map(Result::unwrap).collect();
            let mut floats = Vec::new();
            fields[1].floats(&mut floats).unwrap();
            prop_assert_eq!(fields[0].int().unwrap(), int);
            prop_assert_eq!(floats[0].to_bits(), float.to_bits());
            prop_assert_eq!(fields[2].text().unwrap(), text);
            prop_assert!(fields.iter().all(|field| field.number == number));
        }

        #[test]
        fn any_bytes_end(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            prop_assert!(Fields::new(&bytes).count() <= bytes.len());
        }
    }
}
