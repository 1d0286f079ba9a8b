//! Reading of fields, as the generated code calls it.
//!
//! Each reader takes a value and its path and returns `None` after noting what is wrong.

use serde_json::{Map, Value};

use super::Message;
use super::problems::{Path, Problems};
use super::time::parse_date_time;

/// Names of the values of an enum, with their numbers.
pub type Names = &'static [(&'static str, i32)];

/// Smallest and largest value, or length, that a field accepts.
#[derive(Clone, Copy, Debug)]
pub struct Range {
    /// Smallest, included.
    pub min: Option<i64>,
    /// Largest, included.
    pub max: Option<i64>,
}

impl Range {
    fn has(self, value: i64) -> bool {
        self.min.is_none_or(|min| min <= value) && self.max.is_none_or(|max| value <= max)
    }

    fn has_length(self, length: usize) -> bool {
        self.has(i64::try_from(length).unwrap_or(i64::MAX))
    }

    /// Says the range in words, e.g. ` from 1 to 600`.
    fn words(self) -> String {
        match (self.min, self.max) {
            (Some(min), Some(max)) => format!(" from {min} to {max}"),
            (Some(min), None) => format!(" of at least {min}"),
            (None, Some(max)) => format!(" of at most {max}"),
            (None, None) => String::new(),
        }
    }

    /// Says the range of a length in words, e.g. ` of 1 to 64 characters`.
    fn length_words(self, unit: &str) -> String {
        match (self.min, self.max) {
            (Some(min), Some(max)) => format!(" of {min} to {max} {unit}"),
            (Some(min), None) => format!(" of at least {min} {unit}"),
            (None, Some(max)) => format!(" of at most {max} {unit}"),
            (None, None) => String::new(),
        }
    }
}

/// The fields of one object while they are read.
#[derive(Debug)]
pub struct Fields<'a> {
    object: Option<&'a Map<String, Value>>,
    path: &'a Path<'a>,
    problems: &'a mut Problems,
}

impl<'a> Fields<'a> {
    /// Begins to read an object that has the fields `known` and no other.
    pub fn open(
        value: &'a Value,
        path: &'a Path<'a>,
        problems: &'a mut Problems,
        known: &[&str],
    ) -> Self {
        let object = value.as_object();
        if let Some(object) = object {
            for name in object.keys().filter(|name| !known.contains(&name.as_str())) {
                problems.add_unknown(&path.field(name), known);
            }
        } else {
            problems.add_invalid(path, format_args!("an object"), value);
        }
        Self { object, path, problems }
    }

    /// Reads a field; `null` is the same as absent.
    pub fn value<T>(
        &mut self,
        name: &str,
        required: bool,
        read: impl Fn(&Value, &Path<'_>, &mut Problems) -> Option<T>,
    ) -> Option<T> {
        let path = self.path.field(name);
        match self.object?.get(name) {
            Some(value) if !value.is_null() => read(value, &path, self.problems),
            _ => {
                if required {
                    self.problems.add_missing(&path);
                }
                None
            }
        }
    }

    /// Reads a list; `null` is the same as absent.
    pub fn list<T>(
        &mut self,
        name: &str,
        required: bool,
        length: Range,
        read: impl Fn(&Value, &Path<'_>, &mut Problems) -> Option<T>,
    ) -> Vec<T> {
        let list = self.value(name, required, |value, path, problems| match value {
            Value::Array(items) if length.has_length(items.len()) => Some(
                items
                    .iter()
                    .enumerate()
                    .filter_map(|(index, item)| read(item, &path.item(index), problems))
                    .collect(),
            ),
            other => {
                let words = length.length_words("items");
                problems.add_invalid(path, format_args!("a list{words}"), other);
                None
            }
        });
        list.unwrap_or_default()
    }
}

/// Reads an object.
pub fn message<T: Message>(value: &Value, path: &Path<'_>, problems: &mut Problems) -> Option<T> {
    Some(T::read(value, path, problems))
}

/// Reads a string with a number of characters in `length`.
pub fn string(length: Range) -> impl Fn(&Value, &Path<'_>, &mut Problems) -> Option<String> + Copy {
    move |value, path, problems| match value {
        Value::String(text) if length.has_length(text.chars().count()) => Some(text.clone()),
        other => {
            let words = length.length_words("characters");
            problems.add_invalid(path, format_args!("a string{words}"), other);
            None
        }
    }
}

/// Reads an integer of 64 bits in `range`.
pub fn int64(range: Range) -> impl Fn(&Value, &Path<'_>, &mut Problems) -> Option<i64> + Copy {
    move |value, path, problems| {
        let number = value.as_i64().filter(|number| range.has(*number));
        if number.is_none() {
            problems.add_invalid(path, format_args!("an integer{}", range.words()), value);
        }
        number
    }
}

/// Reads an integer of 32 bits in `range`.
pub fn int32(range: Range) -> impl Fn(&Value, &Path<'_>, &mut Problems) -> Option<i32> + Copy {
    let range = Range {
        min: Some(range.min.unwrap_or(i64::from(i32::MIN))),
        max: Some(range.max.unwrap_or(i64::from(i32::MAX))),
    };
    move |value, path, problems| i32::try_from(int64(range)(value, path, problems)?).ok()
}

/// Reads a number in `range`.
pub fn double(range: Range) -> impl Fn(&Value, &Path<'_>, &mut Problems) -> Option<f64> + Copy {
    #[expect(clippy::cast_precision_loss, reason = "bounds are small")]
    let fits = move |number: f64| {
        range.min.is_none_or(|min| min as f64 <= number)
            && range.max.is_none_or(|max| number <= max as f64)
    };
    move |value, path, problems| {
        let number = value.as_f64().filter(|number| fits(*number));
        if number.is_none() {
            problems.add_invalid(path, format_args!("a number{}", range.words()), value);
        }
        number
    }
}

/// Reads a flag in any of its forms, `1` and `true` as strings too: clients that build forms send them so.
pub fn flag(value: &Value, path: &Path<'_>, problems: &mut Problems) -> Option<bool> {
    let flag = match value {
        Value::Bool(flag) => Some(*flag),
        Value::Number(number) => match number.as_i64() {
            Some(0) => Some(false),
            Some(1) => Some(true),
            _ => None,
        },
        Value::String(text) => match text.as_str() {
            "Y" | "y" | "1" | "true" => Some(true),
            "N" | "n" | "0" | "false" => Some(false),
            _ => None,
        },
        _ => None,
    };
    if flag.is_none() {
        problems.add_invalid(path, format_args!("1, 0, \"Y\" or \"N\""), value);
    }
    flag
}

/// Reads a JSON boolean.
pub fn boolean(value: &Value, path: &Path<'_>, problems: &mut Problems) -> Option<bool> {
    let boolean = value.as_bool();
    if boolean.is_none() {
        problems.add_invalid(path, format_args!("true or false"), value);
    }
    boolean
}

/// Reads a date-time into microseconds since 1970 UTC.
pub fn date_time(value: &Value, path: &Path<'_>, problems: &mut Problems) -> Option<i64> {
    let micros = value.as_str().and_then(parse_date_time);
    if micros.is_none() {
        let right = format_args!("a date and time in UTC, written \"YYYY-MM-DD HH:MM:SS\"");
        problems.add_invalid(path, right, value);
    }
    micros
}

/// Reads one of the names of an enum; with `plural` also with an `s` at the end.
pub fn one_of(
    names: Names,
    plural: bool,
) -> impl Fn(&Value, &Path<'_>, &mut Problems) -> Option<i32> + Copy {
    move |value, path, problems| {
        let number = value.as_str().and_then(|text| {
            let singular = if plural { text.strip_suffix('s').unwrap_or(text) } else { text };
            names.iter().find(|(name, _)| *name == singular).map(|(_, number)| *number)
        });
        if number.is_none() {
            let list: Vec<&str> = names.iter().map(|(name, _)| *name).collect();
            problems.add_invalid(path, format_args!("one of `{}`", list.join("`, `")), value);
        }
        number
    }
}
