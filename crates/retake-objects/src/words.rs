//! Errors of the store in words for people: which server, what it said, and nothing that is secret.

use object_store::Error;
use std::io;

/// The longest that is told of what a server said.
const MOST: usize = 120;

/// Says what went wrong, in one line. `server` is where the request went.
pub(crate) fn told(server: &str, error: &Error) -> io::Error {
    let (kind, what) = match error {
        Error::NotFound { .. } => (io::ErrorKind::NotFound, "there is no such object".to_owned()),
        Error::AlreadyExists { .. } => {
            (io::ErrorKind::AlreadyExists, "there is an object already".to_owned())
        }
        // a reader names the state of the object that it has begun with
        Error::Precondition { .. } | Error::NotModified { .. } => {
            (io::ErrorKind::StaleNetworkFileHandle, "the object is another one by now".to_owned())
        }
        Error::PermissionDenied { .. } | Error::Unauthenticated { .. } => {
            let code = code(error).map_or(String::new(), |code| format!(" ({code})"));
            let what = format!("{server} refuses that to these credentials{code}");
            (io::ErrorKind::PermissionDenied, what)
        }
        _ => (io::ErrorKind::Other, generic(server, error)),
    };
    io::Error::new(kind, what)
}

fn generic(server: &str, error: &Error) -> String {
    match code(error) {
        Some(code) => format!("{server} answered {code}"),
        None => format!("{server} does not answer as it should: {}", root(error)),
    }
}

/// The code of an answer, as in `<Code>NoSuchBucket</Code>`.
pub(crate) fn code(error: &Error) -> Option<String> {
    let text = error.to_string();
    let code = text.split_once("<Code>")?.1.split_once("</Code>")?.0;
    let plain = (1..=64).contains(&code.len()) && code.bytes().all(|byte| byte.is_ascii_alphanumeric());
    plain.then(|| code.to_owned())
}

/// The innermost cause, because those around it repeat it with addresses and times.
fn root(error: &Error) -> String {
    let mut cause: &dyn std::error::Error = error;
    while let Some(source) = cause.source() {
        cause = source;
    }
    let text = cause.to_string();
    let line: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).take(MOST).collect();
    line.trim().to_owned()
}

/// The part of an endpoint that is told to people: host and port alone.
pub(crate) fn host(endpoint: &str) -> String {
    let rest = endpoint.split_once("://").map_or(endpoint, |(_, rest)| rest);
    let host = rest.split(['/', '?', '#']).next().unwrap_or_default();
    host.rsplit('@').next().unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_is_named_without_what_is_secret() {
        assert_eq!(host("http://user:word@127.0.0.1:9000/path?key=1"), "127.0.0.1:9000");
        assert_eq!(host("storage.example"), "storage.example");
    }

    #[test]
    fn an_answer_is_one_line() {
        let says = |text: &str| Error::Generic { store: "S3", source: text.to_owned().into() };
        let told = |text: &str| super::told("here", &says(text)).to_string();
        assert_eq!(told("500 <Error><Code>SlowDown</Code></Error>"), "here answered SlowDown");
        assert_eq!(told("one\ntwo"), "here does not answer as it should: one two");
        assert!(told(&"x".repeat(1000)).len() < 200);
        assert!(!told("<Code>a\nb</Code>").contains('\n'));
    }
}
