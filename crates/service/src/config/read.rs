//! Reads a tree of values into serde types. Beside what any deserializer does, it refuses keys that a struct does not
//! have, knows the path of every fault, shows no value, and reads text from the environment as whatever is wanted.

use std::vec;

use config::{Value, ValueKind};
use serde::Deserializer;
use serde::de::value::{MapAccessDeserializer, StringDeserializer};
use serde::de::{DeserializeSeed, Error as _, IntoDeserializer, MapAccess, SeqAccess, Visitor};
use serde::forward_to_deserialize_any;

pub(super) use self::fault::Fault;

mod fault;

/// What the environment may say for true and false.
const WORDS: [(&str, bool); 8] = [
    ("true", true),
    ("1", true),
    ("yes", true),
    ("on", true),
    ("false", false),
    ("0", false),
    ("no", false),
    ("off", false),
];

/// Reads one value.
pub(super) struct Reader(Value);

impl Reader {
    pub(super) fn new(value: Value) -> Self {
        Self(value)
    }

    /// The text, if it comes from the environment: there everything is text.
    fn variable(&self) -> Option<&str> {
        match &self.0.kind {
            ValueKind::String(text) if self.0.origin().is_some() => Some(text.trim()),
            _ => None,
        }
    }

    fn integer<T: TryFrom<i128>>(&self, expected: &str) -> Result<T, Fault> {
        let integer = match self.0.kind {
            ValueKind::I64(integer) => Some(i128::from(integer)),
            ValueKind::U64(integer) => Some(i128::from(integer)),
            _ => self.variable().and_then(|text| text.parse().ok()),
        };
        integer.and_then(|integer| T::try_from(integer).ok()).ok_or_else(|| Fault::expected(&expected))
    }

    fn float(&self) -> Result<f64, Fault> {
        let float = match self.0.kind {
            ValueKind::Float(float) => Some(float),
            ValueKind::I64(integer) => Some(integer as f64),
            _ => self.variable().and_then(|text| text.parse().ok()),
        };
        float.ok_or_else(|| Fault::expected(&"a number"))
    }

    fn boolean(&self) -> Result<bool, Fault> {
        let boolean = match self.0.kind {
            ValueKind::Boolean(boolean) => Some(boolean),
            _ => self.variable().and_then(|text| {
                WORDS.iter().find(|(word, _)| word.eq_ignore_ascii_case(text)).map(|(_, meaning)| *meaning)
            }),
        };
        boolean.ok_or_else(|| Fault::expected(&"true or false"))
    }

    fn elements(self) -> Result<Elements, Fault> {
        let origin = self.0.origin().map(str::to_owned);
        let values = match self.variable() {
            Some(text) if text.starts_with('[') => {
                let json: Vec<serde_json::Value> = serde_json::from_str(text)
                    .map_err(|_| Fault::expected(&"a list: `a,b` or a JSON array"))?;
                json.into_iter().map(|element| from_json(element, origin.as_ref())).collect()
            }
            Some(text) => {
                let elements = text.split(',').map(str::trim).filter(|element| !element.is_empty());
                elements.map(|element| Value::new(origin.as_ref(), element)).collect()
            }
            None => match self.0.kind {
                ValueKind::Array(values) => values,
                _ => return Err(Fault::expected(&"a list")),
            },
        };
        Ok(Elements(values.into_iter().enumerate()))
    }

    fn entries(self) -> Result<Entries, Fault> {
        match self.0.kind {
            ValueKind::Table(table) => {
                let mut entries: Vec<_> = table.into_iter().collect();
                // So that problems come in the same order every time.
                entries.sort_by(|(left, _), (right, _)| left.cmp(right));
                Ok(Entries { rest: entries.into_iter(), value: None })
            }
            _ => Err(Fault::expected(&"a table")),
        }
    }
}

fn from_json(json: serde_json::Value, origin: Option<&String>) -> Value {
    use serde_json::Value as Json;
    let kind = match json {
        Json::Null => ValueKind::Nil,
        Json::Bool(boolean) => ValueKind::Boolean(boolean),
        Json::Number(number) => match number.as_i64() {
            Some(integer) => ValueKind::I64(integer),
            None => ValueKind::Float(number.as_f64().unwrap_or(f64::NAN)),
        },
        Json::String(text) => ValueKind::String(text),
        Json::Array(elements) => {
            ValueKind::Array(elements.into_iter().map(|element| from_json(element, origin)).collect())
        }
        Json::Object(entries) => ValueKind::Table(
            entries.into_iter().map(|(key, value)| (key, from_json(value, origin))).collect(),
        ),
    };
    Value::new(origin, kind)
}

macro_rules! read_integers {
    ($($method:ident $visit:ident $type:ty),* $(,)?) => {$(
        fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
            visitor.$visit(self.integer(&format!("an integer from {} to {}", <$type>::MIN, <$type>::MAX))?)
        }
    )*};
}

impl<'de> Deserializer<'de> for Reader {
    type Error = Fault;

    read_integers! {
        deserialize_i8 visit_i8 i8,
        deserialize_i16 visit_i16 i16,
        deserialize_i32 visit_i32 i32,
        deserialize_i64 visit_i64 i64,
        deserialize_u8 visit_u8 u8,
        deserialize_u16 visit_u16 u16,
        deserialize_u32 visit_u32 u32,
        deserialize_u64 visit_u64 u64,
    }

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        match self.0.kind {
            ValueKind::Nil => visitor.visit_unit(),
            ValueKind::Boolean(boolean) => visitor.visit_bool(boolean),
            ValueKind::I64(integer) => visitor.visit_i64(integer),
            ValueKind::U64(integer) => visitor.visit_u64(integer),
            ValueKind::I128(integer) => visitor.visit_i128(integer),
            ValueKind::U128(integer) => visitor.visit_u128(integer),
            ValueKind::Float(float) => visitor.visit_f64(float),
            ValueKind::String(text) => visitor.visit_string(text),
            ValueKind::Array(_) => visitor.visit_seq(self.elements()?),
            ValueKind::Table(_) => visitor.visit_map(self.entries()?),
        }
    }

    fn deserialize_bool<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        visitor.visit_bool(self.boolean()?)
    }

    fn deserialize_f32<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        visitor.visit_f64(self.float()?)
    }

    fn deserialize_f64<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        visitor.visit_f64(self.float()?)
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        match self.0.kind {
            ValueKind::Nil => visitor.visit_none(),
            _ => visitor.visit_some(self),
        }
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Result<V::Value, Fault> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        visitor.visit_seq(self.elements()?)
    }

    fn deserialize_tuple<V: Visitor<'de>>(self, _: usize, visitor: V) -> Result<V::Value, Fault> {
        visitor.visit_seq(self.elements()?)
    }

    fn deserialize_map<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        visitor.visit_map(self.entries()?)
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Fault> {
        let entries = self.entries()?;
        let unknown = entries.rest.as_slice().iter().find(|(key, _)| !fields.contains(&key.as_str()));
        match unknown {
            Some((key, value)) => Err(Fault::unknown_field(key, fields).within(key, value.origin())),
            None => visitor.visit_map(entries),
        }
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Fault> {
        match self.0.kind {
            ValueKind::String(text) => {
                let variant: StringDeserializer<Fault> = text.into_deserializer();
                visitor.visit_enum(variant)
            }
            ValueKind::Table(_) => visitor.visit_enum(MapAccessDeserializer::new(self.entries()?)),
            _ => Err(Fault::expected(&"a string")),
        }
    }

    fn deserialize_ignored_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        visitor.visit_unit()
    }

    forward_to_deserialize_any! {
        char str string bytes byte_buf unit unit_struct tuple_struct identifier i128 u128
    }
}

/// The elements of a list. One that was taken away because of a fault is `Nil`: it is left out, and the others keep
/// their numbers.
struct Elements(std::iter::Enumerate<vec::IntoIter<Value>>);

impl<'de> SeqAccess<'de> for Elements {
    type Error = Fault;

    fn next_element_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<Option<T::Value>, Fault> {
        let Some((index, value)) = self.0.find(|(_, value)| !matches!(value.kind, ValueKind::Nil)) else {
            return Ok(None);
        };
        let origin = value.origin().map(str::to_owned);
        seed.deserialize(Reader(value))
            .map(Some)
            .map_err(|fault| fault.within_element(index, origin.as_deref()))
    }
}

/// The entries of a table.
struct Entries {
    rest: vec::IntoIter<(String, Value)>,
    value: Option<(String, Value)>,
}

impl<'de> MapAccess<'de> for Entries {
    type Error = Fault;

    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>, Fault> {
        self.value = self.rest.next();
        let Some((key, _)) = &self.value else { return Ok(None) };
        let key: StringDeserializer<Fault> = key.clone().into_deserializer();
        seed.deserialize(key).map(Some)
    }

    fn next_value_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<T::Value, Fault> {
        let (key, value) =
            self.value.take().ok_or_else(|| Fault::custom("a value was read before its key"))?;
        let origin = value.origin().map(str::to_owned);
        seed.deserialize(Reader(value)).map_err(|fault| fault.within(&key, origin.as_deref()))
    }
}
