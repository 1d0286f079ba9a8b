//! Records of the directory as text and as JSON.

use auth::admin::Record;
use serde_json::{Map, Value};

/// One line a record, the columns aligned.
pub(super) fn list(columns: &[&str], records: &[Record]) -> String {
    let header = columns.iter().map(|column| (*column).to_owned()).collect();
    let row = |record: &Record| columns.iter().map(|column| cell(record.field(column))).collect();
    let rows: Vec<Vec<String>> = std::iter::once(header).chain(records.iter().map(row)).collect();
    aligned(&rows)
}

/// Rows below a header, the columns aligned.
pub(super) fn rows(columns: &[&str], rows: Vec<Vec<String>>) -> String {
    let header = columns.iter().map(|column| (*column).to_owned()).collect();
    aligned(&std::iter::once(header).chain(rows).collect::<Vec<_>>())
}

/// One line a field.
pub(super) fn one(record: &Record) -> String {
    let row = |(name, value): &(&str, Value)| vec![(*name).to_owned(), cell(Some(value))];
    aligned(&record.fields.iter().map(row).collect::<Vec<_>>())
}

/// An array of objects.
pub(super) fn json_list(records: &[Record]) -> serde_json::Result<String> {
    let objects: Vec<Value> = records.iter().map(object).collect();
    Ok(serde_json::to_string_pretty(&objects)? + "\n")
}

/// An object.
pub(super) fn json_one(record: &Record) -> serde_json::Result<String> {
    Ok(serde_json::to_string_pretty(&object(record))? + "\n")
}

fn object(record: &Record) -> Value {
    let fields = record.fields.iter();
    Value::Object(
        fields.map(|(name, value)| ((*name).to_owned(), value.clone())).collect::<Map<_, _>>(),
    )
}

fn cell(value: Option<&Value>) -> String {
    match value {
        None | Some(Value::Null) => "-".to_owned(),
        Some(Value::Bool(is_so)) => if *is_so { "yes" } else { "no" }.to_owned(),
        Some(Value::String(text)) => text.clone(),
        Some(Value::Array(items)) if items.is_empty() => "-".to_owned(),
        Some(Value::Array(items)) => {
            items.iter().map(|item| cell(Some(item))).collect::<Vec<_>>().join(",")
        }
        Some(other) => other.to_string(),
    }
}

fn aligned(rows: &[Vec<String>]) -> String {
    let columns = rows.iter().map(Vec::len).max().unwrap_or_default();
    let chars = |text: &String| text.chars().count();
    let widest = |column| rows.iter().filter_map(|row| row.get(column)).map(chars).max();
    let widths: Vec<usize> = (0..columns).map(|column| widest(column).unwrap_or(0)).collect();
    let mut text = String::new();
    for row in rows {
        let cells = row.iter().zip(&widths).map(|(cell, width)| format!("{cell:width$}"));
        text += cells.collect::<Vec<_>>().join("  ").trim_end();
        text.push('\n');
    }
    text
}
