//! Bodies of REST requests: JSON, forms, multipart forms.

use http::HeaderMap;
use http::header::CONTENT_TYPE;
use serde_json::{Map, Value};

/// What a REST request says.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Form {
    pub(super) params: Value,
    pub(super) auth_info: Map<String, Value>,
}

/// Reads a body; the error says what is wrong with it.
pub(super) fn read(headers: &HeaderMap, body: &[u8]) -> Result<Form, &'static str> {
    let kind = headers.get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    let essence = kind.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    match essence.as_str() {
        // What command-line clients say by default, whatever they send.
        "application/x-www-form-urlencoded" if is_object(body) => of_json(body),
        "application/x-www-form-urlencoded" => of_fields(url_encoded(body)),
        "multipart/form-data" => {
            let boundary =
                parameter(kind, "boundary").ok_or("the multipart form has no boundary")?;
            of_fields(multipart(body, boundary)?)
        }
        _ => of_json(body),
    }
}

fn of_json(body: &[u8]) -> Result<Form, &'static str> {
    if body.iter().all(u8::is_ascii_whitespace) {
        return Ok(Form::default());
    }
    let Ok(Value::Object(mut envelope)) = serde_json::from_slice(body) else {
        return Err("the body must be a JSON object with `params` and `auth_info`");
    };
    let params = match envelope.remove("params").unwrap_or_default() {
        // As in a form, where it can be nothing else.
        Value::String(text) => serde_json::from_str(&text).map_err(|_| "`params` must be JSON")?,
        params => params,
    };
    let auth_info = object(envelope.remove("auth_info").unwrap_or_default())?;
    if envelope.is_empty() {
        Ok(Form { params, auth_info })
    } else {
        Err("the body may have `params` and `auth_info` only")
    }
}

fn is_object(body: &[u8]) -> bool {
    body.trim_ascii_start().starts_with(b"{")
}

fn of_fields(fields: Vec<(String, Vec<u8>)>) -> Result<Form, &'static str> {
    let mut form = Form::default();
    for (name, value) in fields {
        let json = || -> Result<Value, &'static str> {
            if value.iter().all(u8::is_ascii_whitespace) {
                return Ok(Value::Null);
            }
            serde_json::from_slice(&value).map_err(|_| "`params` and `auth_info` must be JSON")
        };
        match name.as_str() {
            "params" => form.params = json()?,
            "auth_info" => form.auth_info = object(json()?)?,
            _ => return Err("the form may have `params` and `auth_info` only"),
        }
    }
    Ok(form)
}

/// An object, possibly as JSON in a string.
fn object(value: Value) -> Result<Map<String, Value>, &'static str> {
    match value {
        Value::Object(map) => Ok(map),
        Value::Null => Ok(Map::new()),
        Value::String(text) => match serde_json::from_str(&text) {
            Ok(Value::Object(map)) => Ok(map),
            _ => Err("`auth_info` must be an object"),
        },
        _ => Err("`auth_info` must be an object"),
    }
}

fn url_encoded(body: &[u8]) -> Vec<(String, Vec<u8>)> {
    body.split(|byte| *byte == b'&')
        .filter(|pair| !pair.is_empty())
        .map(|pair| {
            let mut parts = pair.splitn(2, |byte| *byte == b'=');
            let name = decode(parts.next().unwrap_or_default());
            let value = decode(parts.next().unwrap_or_default());
            (String::from_utf8_lossy(&name).into_owned(), value)
        })
        .collect()
}

fn decode(text: &[u8]) -> Vec<u8> {
    let mut decoded = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some((byte, tail)) = rest.split_first() {
        rest = tail;
        decoded.push(match byte {
            b'+' => b' ',
            b'%' => match hexadecimal(tail) {
                Some(byte) => {
                    rest = tail.get(2..).unwrap_or_default();
                    byte
                }
                None => b'%',
            },
            other => *other,
        });
    }
    decoded
}

fn hexadecimal(text: &[u8]) -> Option<u8> {
    let text = std::str::from_utf8(text.get(..2)?).ok()?;
    u8::from_str_radix(text, 16).ok()
}

/// A parameter of a header's value, with or without quotes.
fn parameter<'a>(value: &'a str, name: &str) -> Option<&'a str> {
    value.split(';').skip(1).find_map(|parameter| {
        let (key, value) = parameter.split_once('=')?;
        key.trim().eq_ignore_ascii_case(name).then(|| value.trim().trim_matches('"'))
    })
}

fn multipart(body: &[u8], boundary: &str) -> Result<Vec<(String, Vec<u8>)>, &'static str> {
    const WRONG: &str = "the multipart form cannot be read";
    let delimiter = [b"--", boundary.as_bytes()].concat();
    let mut fields = Vec::new();
    let mut rest = after(body, &delimiter).ok_or(WRONG)?;
    loop {
        if rest.starts_with(b"--") {
            return Ok(fields);
        }
        let part = rest.strip_prefix(b"\r\n").ok_or(WRONG)?;
        let head_end = position(part, b"\r\n\r\n").ok_or(WRONG)?;
        let (head, content) = part.split_at(head_end);
        let content = content.strip_prefix(b"\r\n\r\n").ok_or(WRONG)?;
        let end = position(content, &[b"\r\n", delimiter.as_slice()].concat()).ok_or(WRONG)?;
        let (value, tail) = content.split_at(end);
        let name = std::str::from_utf8(head).ok().and_then(field_name).ok_or(WRONG)?;
        fields.push((name, value.to_vec()));
        rest = tail.get(2 + delimiter.len()..).ok_or(WRONG)?;
    }
}

fn field_name(head: &str) -> Option<String> {
    head.lines().find_map(|line| {
        let (header, value) = line.split_once(':')?;
        let is_disposition = header.trim().eq_ignore_ascii_case("content-disposition");
        is_disposition.then(|| parameter(value, "name").map(str::to_owned))?
    })
}

fn position(text: &[u8], pattern: &[u8]) -> Option<usize> {
    text.windows(pattern.len()).position(|window| window == pattern)
}

fn after<'a>(text: &'a [u8], pattern: &[u8]) -> Option<&'a [u8]> {
    text.get(position(text, pattern)? + pattern.len()..)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn form(kind: &str, body: &[u8]) -> Result<Form, &'static str> {
        let mut headers = HeaderMap::new();
        headers.insert(CONTENT_TYPE, kind.parse().unwrap());
        read(&headers, body)
    }

    fn expected() -> Form {
        let auth_info = json!({"access_token": "t"});
        Form { params: json!({"a": "b c"}), auth_info: auth_info.as_object().unwrap().clone() }
    }

    #[test]
    fn each_kind_of_body_says_the_same() {
        let json = br#"{"params":{"a":"b c"},"auth_info":{"access_token":"t"}}"#;
        let encoded =
            b"params=%7B%22a%22%3A%22b+c%22%7D&auth_info=%7B%22access_token%22:%22t%22%7D";
        let multipart =
            b"preamble\r\n--xx\r\nContent-Disposition: form-data; name=\"params\"\r\n\r\n\
            {\"a\":\"b c\"}\r\n--xx\r\ncontent-disposition: form-data; name=auth_info\r\n\
            Content-Type: application/json\r\n\r\n{\"access_token\":\"t\"}\r\n--xx--\r\n";

        assert_eq!(form("application/json", json), Ok(expected()));
        assert_eq!(form("application/x-www-form-urlencoded", encoded), Ok(expected()));
        assert_eq!(form("multipart/form-data; boundary=\"xx\"", multipart), Ok(expected()));
    }

    #[test]
    fn json_is_read_as_such_though_it_is_called_a_form() {
        let json = br#" {"params":{"a":"b c"},"auth_info":{"access_token":"t"}}"#;
        let strings = br#"{"params":"{\"a\":\"b c\"}","auth_info":"{\"access_token\":\"t\"}"}"#;

        assert_eq!(form("application/x-www-form-urlencoded", json), Ok(expected()));
        assert_eq!(form("application/json", strings), Ok(expected()));
        assert!(form("application/json", br#"{"params":"x"}"#).is_err());
    }

    #[test]
    fn an_empty_body_is_valid() {
        for body in ["", "{}", " "] {
            assert_eq!(form("application/json", body.as_bytes()), Ok(Form::default()), "{body}");
        }
    }

    #[test]
    fn other_bodies_are_refused() {
        for body in ["[]", "1", "{", r#"{"param":{}}"#, r#"{"auth_info":[]}"#] {
            assert!(form("application/json", body.as_bytes()).is_err(), "{body}");
        }
        assert!(form("multipart/form-data", b"--x").is_err());
        assert!(form("application/x-www-form-urlencoded", b"params={").is_err());
        assert!(form("application/x-www-form-urlencoded", b"{").is_err());
    }

    proptest! {
        #[test]
        fn any_bytes_do_no_harm(body: Vec<u8>) {
            for kind in [
                "application/json",
                "application/x-www-form-urlencoded",
                "multipart/form-data; boundary=x",
            ] {
                form(kind, &body).ok();
            }
        }
    }
}
