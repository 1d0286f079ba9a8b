//! Reads a directory from a TOML file and brings the store in line with it.
//!
//! [`parse`] checks everything that the file alone can tell and reports all of it at once, each
//! problem with line, column and key, what is wrong and what would be right. [`apply`] writes the
//! result in one transaction. Importing a file again updates what it names and leaves alone what
//! it does not.
//!
//! The format is that of the demo directory, `cordboard/demo.toml`, and is described in the
//! README of this crate.

mod check;
mod file;

use std::fmt;

use mesh::clock::Timestamp;

use crate::domain::directory::Directory;
pub use crate::domain::directory::{Applied, ApplyError};
use crate::domain::plan::Place;
pub use crate::domain::plan::{Plan, Problem};

/// What is wrong with a file.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub struct ImportError {
    /// Every problem found, in the order of the file.
    pub problems: Vec<Problem>,
}

impl fmt::Display for ImportError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, problem) in self.problems.iter().enumerate() {
            if index > 0 {
                f.write_str("\n")?;
            }
            problem.fmt(f)?;
        }
        Ok(())
    }
}

/// Reads and checks a file.
///
/// # Errors
/// Every problem that the file has; a syntax error hides those after it.
pub fn parse(text: &str) -> Result<Plan, ImportError> {
    let file: file::File = toml::from_str(text).map_err(|error| {
        let start = error.span().map_or(0, |span| span.start);
        let what = error.message().to_owned();
        let problem =
            Problem { place: place(text, start, String::new()), what, remedy: String::new() };
        ImportError { problems: vec![problem] }
    })?;
    let (plan, mut problems) = check::check(text, &file);
    if problems.is_empty() {
        Ok(plan)
    } else {
        problems.sort_by_key(|problem| (problem.place.line, problem.place.column));
        Err(ImportError { problems })
    }
}

/// Brings the directory in line with a plan: all of it, or nothing.
///
/// # Errors
/// [`ApplyError::Refused`] names what does not fit the directory, [`ApplyError::Store`] says that
/// it could not be written.
pub async fn apply(
    directory: &dyn Directory,
    plan: &Plan,
    at: Timestamp,
) -> Result<Applied, ApplyError> {
    directory.apply(plan, at).await
}

/// Line and column, from 1, of a byte of the text.
fn place(text: &str, byte: usize, key: String) -> Place {
    let before = text.get(..byte).unwrap_or(text);
    let line = before.matches('\n').count() + 1;
    let column = before.rsplit('\n').next().unwrap_or_default().chars().count() + 1;
    Place { line, column, key }
}

#[cfg(test)]
mod tests;
