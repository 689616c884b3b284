//! A row type as RowBinary, as the `clickhouse` crate sends it; by serde, and by nobody who knows of schemas.

use std::fmt::Display;

use serde::ser::{self, Impossible, Serialize, Serializer};

/// Appends a row.
pub fn write(row: &impl Serialize, out: &mut Vec<u8>) {
    row.serialize(Writer(out)).expect("a row");
}

#[derive(Debug)]
pub struct Refused(String);

impl Display for Refused {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Refused {}

impl ser::Error for Refused {
    fn custom<T: Display>(message: T) -> Refused {
        Refused(message.to_string())
    }
}

struct Writer<'a>(&'a mut Vec<u8>);

macro_rules! numbers {
    ($($method:ident: $Type:ty),+) => {
        $(fn $method(self, number: $Type) -> Result<(), Refused> {
            self.0.extend_from_slice(&number.to_le_bytes());
            Ok(())
        })+
    };
}

macro_rules! refused {
    ($($method:ident($($Type:ty),*) -> $Out:ty),+) => {
        $(fn $method(self, $(_: $Type),*) -> Result<$Out, Refused> {
            Err(Refused(stringify!($method).to_owned()))
        })+
    };
}

type None = Impossible<(), Refused>;

impl<'a> Serializer for Writer<'a> {
    type Ok = ();
    type Error = Refused;
    type SerializeSeq = None;
    type SerializeTuple = Fields<'a>;
    type SerializeTupleStruct = None;
    type SerializeTupleVariant = None;
    type SerializeMap = None;
    type SerializeStruct = Fields<'a>;
    type SerializeStructVariant = None;

    numbers!(serialize_i8: i8, serialize_i16: i16, serialize_i32: i32, serialize_i64: i64, serialize_u8: u8, serialize_u16: u16,
        serialize_u32: u32, serialize_u64: u64, serialize_f32: f32, serialize_f64: f64);
    refused!(serialize_bool(bool) -> (), serialize_char(char) -> (), serialize_bytes(&[u8]) -> (), serialize_unit() -> (),
        serialize_unit_struct(&'static str) -> (), serialize_unit_variant(&'static str, u32, &'static str) -> (),
        serialize_seq(Option<usize>) -> None, serialize_tuple_struct(&'static str, usize) -> None,
        serialize_tuple_variant(&'static str, u32, &'static str, usize) -> None, serialize_map(Option<usize>) -> None,
        serialize_struct_variant(&'static str, u32, &'static str, usize) -> None);

    fn is_human_readable(&self) -> bool {
        false
    }

    fn serialize_str(self, text: &str) -> Result<(), Refused> {
        let mut length = text.len();
        while length > 0x7f {
            self.0.push((length & 0x7f) as u8 | 0x80);
            length >>= 7;
        }
        self.0.push(length as u8);
        self.0.extend_from_slice(text.as_bytes());
        Ok(())
    }

    fn serialize_none(self) -> Result<(), Refused> {
        self.0.push(1);
        Ok(())
    }

    fn serialize_some<T: Serialize + ?Sized>(self, value: &T) -> Result<(), Refused> {
        self.0.push(0);
        value.serialize(self)
    }

    fn serialize_newtype_struct<T: Serialize + ?Sized>(self, _: &'static str, value: &T) -> Result<(), Refused> {
        value.serialize(self)
    }

    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        _: u32,
        _: &'static str,
        _: &T,
    ) -> Result<(), Refused> {
        Err(Refused("serialize_newtype_variant".to_owned()))
    }

    fn serialize_tuple(self, _: usize) -> Result<Fields<'a>, Refused> {
        Ok(Fields(self.0))
    }

    fn serialize_struct(self, _: &'static str, _: usize) -> Result<Fields<'a>, Refused> {
        Ok(Fields(self.0))
    }
}

struct Fields<'a>(&'a mut Vec<u8>);

impl ser::SerializeStruct for Fields<'_> {
    type Ok = ();
    type Error = Refused;

    fn serialize_field<T: Serialize + ?Sized>(&mut self, _: &'static str, value: &T) -> Result<(), Refused> {
        value.serialize(Writer(self.0))
    }

    fn end(self) -> Result<(), Refused> {
        Ok(())
    }
}

impl ser::SerializeTuple for Fields<'_> {
    type Ok = ();
    type Error = Refused;

    fn serialize_element<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Refused> {
        value.serialize(Writer(self.0))
    }

    fn end(self) -> Result<(), Refused> {
        Ok(())
    }
}
