//! What is wrong with the params of a request.

use std::fmt;

use serde_json::Value;

/// Where in the params a value stands: a chain of names, written only when something is wrong.
#[derive(Clone, Copy, Debug)]
pub struct Path<'a> {
    parent: Option<&'a Path<'a>>,
    step: Step<'a>,
}

#[derive(Clone, Copy, Debug)]
enum Step<'a> {
    Root,
    Field(&'a str),
    Item(usize),
}

impl Path<'_> {
    /// The params themselves.
    pub const ROOT: Path<'static> = Path { parent: None, step: Step::Root };

    /// Returns the path of a field of what stands here.
    #[must_use]
    pub const fn field<'a>(&'a self, name: &'a str) -> Path<'a> {
        Path { parent: Some(self), step: Step::Field(name) }
    }

    /// Returns the path of an item of the list that stands here.
    #[must_use]
    pub const fn item(&self, index: usize) -> Path<'_> {
        Path { parent: Some(self), step: Step::Item(index) }
    }
}

/// Dotted, e.g. `call.id` or `prompts.1`; the root is `params`.
impl fmt::Display for Path<'_> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(parent) = self.parent
            && !matches!(parent.step, Step::Root)
        {
            write!(out, "{parent}.")?;
        }
        match self.step {
            Step::Root => out.write_str("params"),
            Step::Field(name) => out.write_str(name),
            Step::Item(index) => write!(out, "{index}"),
        }
    }
}

/// In which way a param is wrong; in the order in which they are reported.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// The method has no such param.
    Unknown,
    /// A required param is absent or null.
    Missing,
    /// Wrong type, out of range or no such value.
    Invalid,
}

impl Kind {
    /// Returns the reason of the fault, as [`crate::api::COMMON_FAULTS`] lists it.
    #[must_use]
    pub const fn reason(self) -> &'static str {
        match self {
            Self::Unknown => "UNKNOWN_PARAM",
            Self::Missing => "MISSING_PARAM",
            Self::Invalid => "INVALID_PARAM",
        }
    }
}

/// One param that is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// Dotted path of the param.
    pub path: String,
    /// A sentence: what is wrong and what would be right. Never has the value in it.
    pub message: String,
}

/// Everything that is wrong with the params of a request.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Problems {
    unknown: Vec<Problem>,
    missing: Vec<Problem>,
    invalid: Vec<Problem>,
}

impl Problems {
    /// Tells whether nothing is wrong.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.unknown.is_empty() && self.missing.is_empty() && self.invalid.is_empty()
    }

    /// Returns the params that the method does not have.
    #[must_use]
    pub fn unknown(&self) -> &[Problem] {
        &self.unknown
    }

    /// Returns the required params that are absent.
    #[must_use]
    pub fn missing(&self) -> &[Problem] {
        &self.missing
    }

    /// Returns the params of a wrong type or value.
    #[must_use]
    pub fn invalid(&self) -> &[Problem] {
        &self.invalid
    }

    /// Returns the kind that is reported: unknown before missing before invalid.
    #[must_use]
    pub const fn kind(&self) -> Option<Kind> {
        if !self.unknown.is_empty() {
            Some(Kind::Unknown)
        } else if !self.missing.is_empty() {
            Some(Kind::Missing)
        } else if !self.invalid.is_empty() {
            Some(Kind::Invalid)
        } else {
            None
        }
    }

    /// Returns the problems of the kind that is reported.
    #[must_use]
    pub fn reported(&self) -> &[Problem] {
        match self.kind() {
            Some(Kind::Unknown) => &self.unknown,
            Some(Kind::Missing) => &self.missing,
            Some(Kind::Invalid) | None => &self.invalid,
        }
    }

    /// Returns all problems in the order of their kinds.
    pub fn all(&self) -> impl Iterator<Item = (Kind, &Problem)> {
        let unknown = self.unknown.iter().map(|problem| (Kind::Unknown, problem));
        let missing = self.missing.iter().map(|problem| (Kind::Missing, problem));
        let invalid = self.invalid.iter().map(|problem| (Kind::Invalid, problem));
        unknown.chain(missing).chain(invalid)
    }

    /// Notes a param that the method does not have.
    pub fn add_unknown(&mut self, path: &Path<'_>, known: &[&str]) {
        let message = if known.is_empty() {
            format!("`{path}` is not known here: no param is taken")
        } else {
            format!("`{path}` is not known here; the params are `{}`", known.join("`, `"))
        };
        self.unknown.push(Problem { path: path.to_string(), message });
    }

    /// Notes a required param that is absent.
    pub fn add_missing(&mut self, path: &Path<'_>) {
        let message = format!("`{path}` is required");
        self.missing.push(Problem { path: path.to_string(), message });
    }

    /// Notes a param of a wrong type or value: `right` ends the sentence "`x` must be …".
    pub fn add_invalid(&mut self, path: &Path<'_>, right: fmt::Arguments<'_>, found: &Value) {
        let found = match found {
            Value::Null => ", not null",
            Value::Bool(_) => ", not a boolean",
            Value::Object(_) => ", not an object",
            // The type may be right and the value wrong, so naming the type would mislead.
            Value::Number(_) | Value::String(_) | Value::Array(_) => "",
        };
        let message = format!("`{path}` must be {right}{found}");
        self.invalid.push(Problem { path: path.to_string(), message });
    }
}

/// The sentences of the kind that is reported.
impl fmt::Display for Problems {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, problem) in self.reported().iter().enumerate() {
            let separator = if index == 0 { "" } else { "; " };
            write!(out, "{separator}{}", problem.message)?;
        }
        Ok(())
    }
}

impl std::error::Error for Problems {}
