//! Reads frames: one request, or a batch of them.

use std::borrow::Cow;

use serde::Deserialize;
use serde_json::Value;
use serde_json::value::RawValue;

/// A request as it stands in a frame.
#[derive(Debug)]
pub(crate) struct Request<'a> {
    /// The id as it was written; `None` in a notification, which gets no answer.
    pub(crate) id: Option<&'a str>,
    /// Which method.
    pub(crate) method: Cow<'a, str>,
    /// The params; `null` when there are none.
    pub(crate) params: Value,
}

/// What a frame holds.
#[derive(Debug)]
pub(crate) enum Frame<'a> {
    /// One request, or why it is none.
    Single(Result<Request<'a>, Refused<'a>>),
    /// Several, each for itself.
    Batch(Vec<Result<Request<'a>, Refused<'a>>>),
    /// Nothing that could be read.
    Refused(Problem),
}

/// A request that is none, and its id as far as it has one.
#[derive(Debug)]
pub(crate) struct Refused<'a> {
    /// The id as it was written.
    pub(crate) id: Option<&'a str>,
    /// What is wrong.
    pub(crate) problem: Problem,
}

/// Why a frame or a part of it is no request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Problem {
    /// It is not JSON.
    NotJson,
    /// It is JSON and not a request.
    NotARequest(&'static str),
}

#[derive(Deserialize)]
struct Raw<'a> {
    #[serde(borrow, default)]
    jsonrpc: Option<Cow<'a, str>>,
    #[serde(borrow, default, deserialize_with = "present")]
    id: Option<&'a RawValue>,
    #[serde(borrow, default)]
    method: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    params: Option<&'a RawValue>,
}

/// Tells an absent id from `null`.
fn present<'de, D: serde::Deserializer<'de>>(from: D) -> Result<Option<&'de RawValue>, D::Error> {
    <&RawValue>::deserialize(from).map(Some)
}

/// Reads a frame; a batch has at most `max_batch` requests.
pub(crate) fn read(text: &str, max_batch: usize) -> Frame<'_> {
    if !text.trim_start().starts_with('[') {
        return Frame::Single(request(text));
    }
    let Ok(parts) = serde_json::from_str::<Vec<&RawValue>>(text) else {
        return Frame::Refused(Problem::NotJson);
    };
    if parts.is_empty() {
        return Frame::Refused(Problem::NotARequest("a batch must not be empty"));
    }
    if parts.len() > max_batch {
        return Frame::Refused(Problem::NotARequest("the batch has too many requests"));
    }
    Frame::Batch(parts.into_iter().map(|part| request(part.get())).collect())
}

fn request(text: &str) -> Result<Request<'_>, Refused<'_>> {
    let raw: Raw<'_> = match serde_json::from_str(text) {
        // A list of the members in their order would do for serde.
        Ok(raw) if is_object(text) => raw,
        Ok(_) => return Err(Refused { id: None, problem: Problem::NotARequest(SHAPE) }),
        Err(error) if error.is_data() => {
            return Err(Refused { id: id_of(text), problem: Problem::NotARequest(SHAPE) });
        }
        Err(_) => return Err(Refused { id: None, problem: Problem::NotJson }),
    };
    let id = raw.id.map(RawValue::get);
    if id.is_some_and(|id| !is_id(id)) {
        let problem = Problem::NotARequest("`id` must be a string, a number or null");
        return Err(Refused { id: None, problem });
    }
    let refuse = |why| Refused { id, problem: Problem::NotARequest(why) };
    if raw.jsonrpc.as_deref() != Some("2.0") {
        return Err(refuse("`jsonrpc` must be \"2.0\""));
    }
    let method = raw.method.ok_or_else(|| refuse("`method` is missing"))?;
    // Read by itself, so that what it holds cannot cost the answer its id.
    let params = raw.params.map_or(Ok(Value::Null), |params| serde_json::from_str(params.get()));
    let params = params.map_err(|_| refuse(UNREADABLE))?;
    if !matches!(params, Value::Null | Value::Object(_) | Value::Array(_)) {
        return Err(refuse("`params` must be an object"));
    }
    Ok(Request { id, method, params })
}

const SHAPE: &str = "a request is an object with `jsonrpc`, `id`, `method` and `params`";

const UNREADABLE: &str =
    "`params` is nested too deeply, or has a number out of range or text that is not Unicode";

fn is_object(text: &str) -> bool {
    text.trim_start().starts_with('{')
}

/// An id goes back as it was written, so it has to be one that whoever reads the answer can read: no
/// number out of range, no text that is not Unicode.
fn is_id(raw: &str) -> bool {
    matches!(serde_json::from_str(raw), Ok(Value::Null | Value::Number(_) | Value::String(_)))
}

/// The id of something that is no request otherwise.
fn id_of(text: &str) -> Option<&str> {
    #[derive(Deserialize)]
    struct Id<'a> {
        #[serde(borrow)]
        id: &'a RawValue,
    }
    let id = serde_json::from_str::<Id<'_>>(text).ok()?.id.get();
    (is_object(text) && is_id(id)).then_some(id)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn single(text: &str) -> Result<Request<'_>, Refused<'_>> {
        match read(text, 32) {
            Frame::Single(request) => request,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_request_keeps_its_id_as_written() {
        let request =
            single(r#" {"jsonrpc":"2.0","id":1.50,"method":"A/b","params":{"x":1}}"#).unwrap();

        assert_eq!(request.id, Some("1.50"));
        assert_eq!(request.method, "A/b");
        assert_eq!(request.params["x"], 1);
    }

    #[test]
    fn an_absent_id_is_not_null() {
        assert_eq!(single(r#"{"jsonrpc":"2.0","method":"m"}"#).unwrap().id, None);
        assert_eq!(single(r#"{"jsonrpc":"2.0","method":"m","id":null}"#).unwrap().id, Some("null"));
    }

    #[test]
    fn what_is_no_request_is_told_from_what_is_no_json() {
        assert_eq!(single("{").unwrap_err().problem, Problem::NotJson);
        assert_eq!(single("").unwrap_err().problem, Problem::NotJson);
        assert_eq!(single("{} x").unwrap_err().problem, Problem::NotJson);
        for text in [
            "1",
            "\"x\"",
            "{}",
            r#"{"jsonrpc":"1.0","method":"m"}"#,
            r#"{"jsonrpc":"2.0","method":7}"#,
            r#"{"jsonrpc":"2.0","method":"m","id":{}}"#,
            r#"{"jsonrpc":"2.0","method":"m","id":true}"#,
            r#"{"jsonrpc":"2.0","method":"m","params":"x"}"#,
            r#"{"jsonrpc":"2.0","method":"m","method":"n"}"#,
        ] {
            let refused = single(text).unwrap_err();
            assert!(matches!(refused.problem, Problem::NotARequest(_)), "{text}");
        }
    }

    #[test]
    fn the_id_of_a_wrong_request_is_kept() {
        assert_eq!(single(r#"{"id":"a","method":"m"}"#).unwrap_err().id, Some("\"a\""));
        assert_eq!(single(r#"{"jsonrpc":2,"id":7}"#).unwrap_err().id, Some("7"));
    }

    #[test]
    fn an_id_that_could_not_be_read_in_the_answer_is_none() {
        for id in ["1e777777777777777773", r#""\ud800""#, "true", "[1]", &"9".repeat(400)] {
            for version in ["2.0", "4.0"] {
                let text = format!(r#"{{"jsonrpc":"{version}","id":{id},"method":"m"}}"#);
                let refused = single(&text).unwrap_err();
                assert_eq!(refused.id, None, "{id}");
                assert!(matches!(refused.problem, Problem::NotARequest(_)), "{id}");
            }
        }
        for id in ["1", "-7.5e3", "null", r#""\u00e4""#, r#""""#] {
            let text = format!(r#"{{"jsonrpc":"2.0","id":{id},"method":"m"}}"#);
            assert_eq!(single(&text).unwrap().id, Some(id));
        }
    }

    #[test]
    fn params_that_cannot_be_read_do_not_cost_the_id() {
        let deep = format!("{}1{}", "[".repeat(10_000), "]".repeat(10_000));
        for params in [deep.as_str(), r#"{"x":1e999}"#, r#"{"x":"\ud800"}"#] {
            let text = format!(r#"{{"jsonrpc":"2.0","id":7,"method":"m","params":{params}}}"#);
            let refused = single(&text).unwrap_err();
            assert_eq!(refused.id, Some("7"));
            assert_eq!(refused.problem, Problem::NotARequest(UNREADABLE));
        }
    }

    #[test]
    fn a_list_in_a_batch_is_no_request_whatever_it_holds() {
        for text in [r#"[["2.0",1,"m",{}]]"#, "[[7]]", "[[]]", r#"[[{"jsonrpc":"2.0"}]]"#] {
            let Frame::Batch(parts) = read(text, 32) else { panic!("no batch") };
            let [Err(refused)] = parts.as_slice() else { panic!("{parts:?}") };
            assert_eq!(refused.id, None, "{text}");
            assert!(matches!(refused.problem, Problem::NotARequest(_)), "{text}");
        }
    }

    #[test]
    fn a_batch_is_read_part_by_part() {
        let Frame::Batch(parts) = read(r#"[{"jsonrpc":"2.0","id":1,"method":"m"},1]"#, 2) else {
            panic!("no batch");
        };

        assert!(parts[0].is_ok() && parts[1].is_err());
        for text in ["[]", "[1,2,3]"] {
            assert!(matches!(read(text, 2), Frame::Refused(Problem::NotARequest(_))), "{text}");
        }
        assert!(matches!(read("[1,", 2), Frame::Refused(Problem::NotJson)));
    }

    proptest! {
        #[test]
        fn any_text_does_no_harm(text in "\\PC*") {
            read(&text, 32);
        }

        #[test]
        fn any_json_does_no_harm(text in r#"[\[\]{}",:a-z0-9 ]{0,60}"#) {
            read(&text, 32);
        }
    }
}
