//! Who asks the engine for exports.

use crate::messages::{EarlyTake, ExportRequest, Failure, Status};
use retake::Summary;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use std::time::Duration;
use ureq::Agent;
use ureq::http::{Response, StatusCode};

/// How long an answer may take. None of these calls waits for the work.
const PATIENCE: Duration = Duration::from_secs(20);
/// What the engine answers while there is no outcome yet.
const NOT_READY: u16 = 470;
/// What the engine answers of an invocation that was cancelled.
const CANCELLED: u16 = 409;
/// The most that is read of an answer, in bytes.
const MOST_TEXT: u64 = 64 << 20;

/// Why an engine was of no use.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum EngineError {
    /// An address that is none.
    #[error("'{0}' is no address such as restate://127.0.0.1:8080")]
    Address(String),
    /// It cannot be reached.
    #[error("{address}: cannot be reached: {reason}")]
    Unreachable {
        /// Its address.
        address: String,
        /// What the system said.
        reason: String,
    },
    /// It has no workers.
    #[error("{address}: knows no worker of Retake")]
    NoWorkers {
        /// Its address.
        address: String,
    },
    /// It does not know the export.
    #[error("{address}: knows no export '{key}'")]
    Unknown {
        /// Its address.
        address: String,
        /// What was asked for.
        key: String,
    },
    /// It answered something else.
    #[error("{address}: answered {status}: {text}")]
    Answer {
        /// Its address.
        address: String,
        /// The status of HTTP.
        status: u16,
        /// What it said.
        text: String,
    },
    /// The export was cancelled.
    #[error("the export was cancelled; all finished takes are kept")]
    Cancelled,
    /// The export failed.
    #[error("{0}")]
    Failed(Failure),
}

/// An engine, by the address at which it takes requests.
#[derive(Debug, Clone)]
pub struct Engine {
    address: String,
    agent: Agent,
}

/// An export that an engine runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Job {
    /// The name of the object that makes the film.
    pub key: String,
    /// The invocation of the engine.
    pub invocation: String,
}

impl Engine {
    /// An engine at an address of the form `restate://HOST:PORT`. Nothing is asked yet.
    ///
    /// # Errors
    /// [`EngineError::Address`].
    pub fn open(address: &str) -> Result<Self, EngineError> {
        let wrong = || EngineError::Address(address.to_owned());
        let place = address.strip_prefix("restate://").ok_or_else(wrong)?.trim_end_matches('/');
        let (host, port) = place.rsplit_once(':').ok_or_else(wrong)?;
        if host.is_empty() || place.contains('/') || port.parse::<u16>().is_err() {
            return Err(wrong());
        }
        let config = Agent::config_builder().timeout_global(Some(PATIENCE)).http_status_as_error(false);
        Ok(Self { address: format!("http://{place}"), agent: config.build().into() })
    }

    /// Asks for an export. It is made after those for the same output that were asked for before; what they
    /// made of the same request is found.
    ///
    /// # Errors
    /// All but [`EngineError::Failed`] and [`EngineError::Cancelled`].
    pub fn submit(&self, request: &ExportRequest) -> Result<Job, EngineError> {
        #[derive(Deserialize)]
        #[serde(rename_all = "camelCase")]
        struct Accepted {
            invocation_id: String,
        }
        let key = request.key();
        let text = serde_json::to_string(request).map_err(|error| self.answer(0, &error.to_string()))?;
        let accepted: Accepted = self.ask(&format!("/RetakeExport/{key}/run/send"), Some(text), &key)?;
        Ok(Job { key, invocation: accepted.invocation_id })
    }

    /// How an export has ended; nothing while it has not.
    ///
    /// # Errors
    /// [`EngineError::Failed`] with what it failed for, [`EngineError::Cancelled`], and what keeps the engine
    /// from answering.
    pub fn outcome(&self, job: &Job) -> Result<Option<Summary>, EngineError> {
        let (status, text) = self.get(&format!("/restate/invocation/{}/output", job.invocation))?;
        match status {
            200 => self.parse(status, &text).map(Some),
            NOT_READY => Ok(None),
            404 => Err(EngineError::Unknown { address: self.address.clone(), key: job.key.clone() }),
            CANCELLED => Err(EngineError::Cancelled),
            _ => Err(EngineError::Failed(Failure::from_line(&message(&text)))),
        }
    }

    /// How far the export with this key is.
    ///
    /// # Errors
    /// [`EngineError::Unknown`] where nobody asked for it.
    pub fn status(&self, key: &str) -> Result<Status, EngineError> {
        let found: Option<Status> = self.ask(&format!("/RetakeExport/{}/status", word(key)), None, key)?;
        found.ok_or_else(|| EngineError::Unknown { address: self.address.clone(), key: key.to_owned() })
    }

    /// Gives an export up, on all machines, within a second or so. All finished takes are kept.
    ///
    /// # Errors
    /// [`EngineError::Unknown`] where nobody asked for it.
    pub fn cancel(&self, key: &str) -> Result<(), EngineError> {
        let (status, text) = self.post(&format!("/RetakeExport/{}/cancel", word(key)), None)?;
        match status {
            200..=299 => Ok(()),
            404 => Err(EngineError::Unknown { address: self.address.clone(), key: key.to_owned() }),
            _ => Err(self.answer(status, &message(&text))),
        }
    }

    /// Has a take of the export with this key begin. It is called again when the film is looked through, and
    /// found begun then.
    pub(crate) fn begin(&self, key: &str, take: &EarlyTake) -> Result<(), EngineError> {
        let text = serde_json::to_string(take).map_err(|error| self.answer(0, &error.to_string()))?;
        let (status, text) = self.post(&format!("/RetakeExport/{}/begin/send", word(key)), Some(text))?;
        if (200..300).contains(&status) { Ok(()) } else { Err(self.answer(status, &message(&text))) }
    }

    fn ask<T: DeserializeOwned>(
        &self,
        path: &str,
        text: Option<String>,
        key: &str,
    ) -> Result<T, EngineError> {
        let (status, text) = self.post(path, text)?;
        match status {
            200..=299 => self.parse(status, &text),
            404 if message(&text).contains("service") => {
                Err(EngineError::NoWorkers { address: self.address.clone() })
            }
            404 => Err(EngineError::Unknown { address: self.address.clone(), key: key.to_owned() }),
            _ => Err(self.answer(status, &message(&text))),
        }
    }

    fn parse<T: DeserializeOwned>(&self, status: u16, text: &str) -> Result<T, EngineError> {
        serde_json::from_str(text).map_err(|_| self.answer(status, text))
    }

    fn get(&self, path: &str) -> Result<(u16, String), EngineError> {
        self.read(self.agent.get(format!("{}{path}", self.address)).call())
    }

    fn post(&self, path: &str, text: Option<String>) -> Result<(u16, String), EngineError> {
        let request = self.agent.post(format!("{}{path}", self.address));
        self.read(match text {
            Some(text) => request.header("content-type", "application/json").send(text),
            None => request.send_empty(),
        })
    }

    fn read(&self, answer: Result<Response<ureq::Body>, ureq::Error>) -> Result<(u16, String), EngineError> {
        let unreachable = |error: ureq::Error| EngineError::Unreachable {
            address: self.address.clone(),
            reason: error.to_string(),
        };
        let mut answer = answer.map_err(unreachable)?;
        let status: StatusCode = answer.status();
        let text = answer.body_mut().with_config().limit(MOST_TEXT).read_to_string().map_err(unreachable)?;
        Ok((status.as_u16(), text))
    }

    fn answer(&self, status: u16, text: &str) -> EngineError {
        EngineError::Answer { address: self.address.clone(), status, text: text.to_owned() }
    }
}

/// What the engine says of an error: JSON with a message, or plain text.
fn message(text: &str) -> String {
    #[derive(Deserialize)]
    struct Told {
        message: String,
    }
    serde_json::from_str::<Told>(text).map_or_else(|_| text.trim().to_owned(), |told| told.message)
}

/// What a path of an address may hold of a key.
fn word(key: &str) -> String {
    key.chars().filter(char::is_ascii_hexdigit).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses() {
        for right in ["restate://127.0.0.1:8080", "restate://engine.example:80/", "restate://[::1]:8080"] {
            assert!(Engine::open(right).is_ok(), "{right}");
        }
        for wrong in
            ["restate://", "restate://host", "http://host:80", "restate://host:80/x", "restate://:80"]
        {
            assert!(matches!(Engine::open(wrong), Err(EngineError::Address(_))), "{wrong}");
        }
    }

    #[test]
    fn an_engine_that_is_not_there_is_told_by_its_address() {
        // the listener goes at once, and nobody listens there any more
        let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let engine = Engine::open(&format!("restate://127.0.0.1:{port}")).unwrap();
        let error = engine.status("00").unwrap_err().to_string();
        assert!(error.contains(&port.to_string()) && error.contains("reached"), "{error}");
    }
}
