//! Configuration: a file, overridden by environment variables, overridden by flags.
//!
//! `CORDBOARD__SECTION__KEY` (two underscores) and `--set SECTION.KEY=VALUE` name the same key.
//! A value is read as TOML where it begins like a TOML number, boolean, string, list or table,
//! and as plain text otherwise: `10s` and `debug` need no quotes; a text that looks like a number
//! does: `"123"`. Unknown keys are refused by the sections themselves (`deny_unknown_fields`).

mod secret;

use std::path::Path;

use anyhow::{Context as _, bail};
use serde::de::DeserializeOwned;
use toml::{Table, Value};

pub use secret::{Secret, read_secret};

/// Begin of the variables that are configuration.
const PREFIX: &str = "CORDBOARD__";

/// Reads the configuration: `file`, then variables, then `SECTION.KEY=VALUE` texts.
///
/// # Errors
/// Names the source and the key that is unknown, ill-typed or unreadable.
pub fn load<T: DeserializeOwned>(
    file: Option<&Path>,
    env: impl Iterator<Item = (String, String)>,
    sets: &[String],
) -> anyhow::Result<T> {
    let text = match file {
        None => String::new(),
        Some(path) => std::fs::read_to_string(path)
            .with_context(|| format!("cannot read {}", path.display()))?,
    };
    let in_file = || format!("in {}", file.unwrap_or_else(|| Path::new("no file")).display());
    let mut table: Table = toml::from_str(&text).with_context(in_file)?;
    let mut variables: Vec<_> = env.filter(|(name, _)| name.starts_with(PREFIX)).collect();
    variables.sort();
    for (name, value) in variables {
        let path = name.trim_start_matches(PREFIX).to_ascii_lowercase().replace("__", ".");
        apply(&mut table, &path, &value).with_context(|| format!("in variable {name}"))?;
    }
    for set in sets {
        let (path, value) =
            set.split_once('=').with_context(|| format!("`--set {set}` is not KEY=VALUE"))?;
        apply(&mut table, path.trim(), value.trim()).with_context(|| format!("in --set {set}"))?;
    }
    T::deserialize(table).map_err(|error| match toml::from_str::<T>(&text) {
        // The mistake is in the file: say in which line.
        Err(located) if located.message() == error.message() => {
            anyhow::Error::from(located).context(in_file())
        }
        _ => anyhow::Error::from(error).context("in the configuration"),
    })
}

/// Puts one value at a dotted path.
fn apply(table: &mut Table, path: &str, text: &str) -> anyhow::Result<()> {
    let mut keys = path.split('.').collect::<Vec<_>>();
    let Some(last) = keys.pop().filter(|key| !key.is_empty()) else { bail!("key is empty") };
    let mut section = table;
    for key in keys {
        let entry = section.entry(key).or_insert_with(|| Value::Table(Table::new()));
        section = match entry {
            Value::Table(inner) => inner,
            _ => bail!("`{key}` is a value, not a section"),
        };
    }
    section.insert(last.to_owned(), value(text)?);
    Ok(())
}

/// Reads one value.
fn value(text: &str) -> anyhow::Result<Value> {
    let is_literal = text.starts_with(['"', '\'', '[', '{', '+', '-'])
        || text.starts_with(|first: char| first.is_ascii_digit())
        || matches!(text, "true" | "false");
    let plain = || Ok(Value::String(text.to_owned()));
    if !is_literal {
        return plain();
    }
    match toml::from_str::<Table>(&format!("value = {text}")) {
        Ok(mut table) => match table.remove("value") {
            Some(value) if !value.is_datetime() => Ok(value),
            // `2026-01-01` is text to us.
            _ => plain(),
        },
        Err(error) if text.starts_with(['"', '[', '{']) => {
            Err(error).with_context(|| format!("`{text}` is not TOML"))
        }
        Err(_) => plain(),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use serde::Deserialize;

    use super::*;

    #[derive(Debug, Default, PartialEq, Deserialize)]
    #[serde(default, deny_unknown_fields)]
    struct Config {
        mode: String,
        edge: Edge,
    }

    #[derive(Debug, Default, PartialEq, Deserialize)]
    #[serde(default, deny_unknown_fields)]
    struct Edge {
        listen: String,
        max_sockets: u32,
        #[serde(with = "humantime_serde")]
        idle: Duration,
        origins: Vec<String>,
    }

    fn env(pairs: &[(&str, &str)]) -> std::vec::IntoIter<(String, String)> {
        let own = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
        pairs.iter().map(own).collect::<Vec<_>>().into_iter()
    }

    fn sets(texts: &[&str]) -> Vec<String> {
        texts.iter().map(|text| (*text).to_owned()).collect()
    }

    #[test]
    fn flags_win_over_variables_and_these_over_the_file() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("cordboard.toml");
        std::fs::write(&file, "mode = \"a\"\n[edge]\nlisten = \"file\"\nmax_sockets = 1\n")
            .unwrap();

        let config: Config = load(
            Some(&file),
            env(&[
                ("CORDBOARD__EDGE__LISTEN", "0.0.0.0:80"),
                ("CORDBOARD__EDGE__MAX_SOCKETS", "2"),
                ("CORDBOARD_SERVICE_HOST", "10.0.0.1"),
            ]),
            &sets(&["edge.max_sockets=3", "edge.idle=10s", "edge.origins=[\"x\"]"]),
        )
        .unwrap();

        assert_eq!(config.mode, "a");
        assert_eq!(config.edge.listen, "0.0.0.0:80");
        assert_eq!(config.edge.max_sockets, 3);
        assert_eq!(config.edge.idle, Duration::from_secs(10));
        assert_eq!(config.edge.origins, ["x"]);
    }

    #[test]
    fn an_unknown_key_is_refused_by_name() {
        for (variables, flags) in [
            (vec![("CORDBOARD__EDGE__MAX_SOKETS", "2")], vec![]),
            (vec![], vec!["edge.max_sokets=2"]),
        ] {
            let refused = load::<Config>(None, env(&variables), &sets(&flags)).unwrap_err();
            let text = format!("{refused:#}");
            assert!(text.contains("max_sokets") && text.contains("edge"), "{text}");
        }
    }

    #[test]
    fn an_ill_typed_value_names_its_key() {
        let refused =
            load::<Config>(None, env(&[]), &sets(&["edge.max_sockets=many"])).unwrap_err();

        let text = format!("{refused:#}");
        assert!(text.contains("max_sockets"), "{text}");
    }

    #[test]
    fn a_mistake_in_the_file_names_file_and_line() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("cordboard.toml");
        std::fs::write(&file, "mode = \"a\"\n[edge]\nlissen = \"x\"\n").unwrap();

        let refused = load::<Config>(Some(&file), env(&[]), &[]).unwrap_err();

        let text = format!("{refused:#}");
        assert!(text.contains("cordboard.toml") && text.contains("line 3"), "{text}");
    }

    #[test]
    fn plain_text_needs_no_quotes() {
        for (text, expected) in [
            ("debug", Value::from("debug")),
            ("10s", Value::from("10s")),
            ("inf", Value::from("inf")),
            ("2026-01-01", Value::from("2026-01-01")),
            ("127.0.0.1:80", Value::from("127.0.0.1:80")),
            ("", Value::from("")),
            ("7", Value::from(7)),
            ("-1.5", Value::from(-1.5)),
            ("true", Value::from(true)),
            ("\"7\"", Value::from("7")),
        ] {
            assert_eq!(value(text).unwrap(), expected, "{text}");
        }
        assert!(value("[1").is_err());
    }
}
