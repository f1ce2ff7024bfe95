//! One bucket, and the requests that are made of it.

use crate::credentials::Environment;
use crate::store::Settings;
use crate::words::{code, host, told};
use bytes::Bytes;
use futures_util::{StreamExt, TryStreamExt};
use object_store::aws::{AmazonS3, AmazonS3Builder};
use object_store::multipart::{MultipartStore, PartId};
use object_store::path::Path;
use object_store::{
    Attribute, Attributes, BackoffConfig, ClientConfigKey, ClientOptions, Error, GetOptions, GetRange,
    GetResult, ObjectMeta, ObjectStore, PutMultipartOptions, PutOptions, PutPayload, RetryConfig,
};
use reqwest::header::{HeaderMap, HeaderValue, IF_NONE_MATCH};
use retake::objects::ObjectFacts;
use std::io;
use std::time::Duration;
use tokio::time::timeout;

/// How long the machine may take to say who it is, where nobody else does: it answers within milliseconds
/// where it can.
const MACHINE: Duration = Duration::from_secs(4);
/// The name of the note of an object.
const NOTE: &str = "retake";
/// The name of what tells one upload from another.
const UPLOAD: &str = "retake-upload";

/// A bucket of a server.
pub(crate) struct Bucket {
    name: String,
    /// For people.
    server: String,
    store: AmazonS3,
    /// The same, and every request asks that there be no such object. The library below has no other way to
    /// ask that of the end of an upload in parts.
    creating: AmazonS3,
    from_machine: bool,
}

/// An object that is being made in parts.
#[derive(Clone)]
pub(crate) struct Upload {
    id: String,
    /// What tells it from other uploads to the same place.
    mark: String,
    parts: Vec<PartId>,
}

impl Upload {
    pub(crate) fn add(&mut self, part: PartId) {
        self.parts.push(part);
    }

    /// Parts so far.
    pub(crate) fn parts(&self) -> usize {
        self.parts.len()
    }
}

impl Bucket {
    pub(crate) fn new(name: &str, environment: &Environment, settings: &Settings) -> io::Result<Self> {
        let build = |headers: HeaderMap| {
            let mut client = ClientOptions::new().with_default_headers(headers);
            for (key, value) in [
                (ClientConfigKey::ConnectTimeout, settings.patience.min(Duration::from_secs(5))),
                (ClientConfigKey::Timeout, settings.patience),
            ] {
                client = client.with_config(key, format!("{}ms", value.as_millis()));
            }
            for (key, value) in environment.client() {
                client = client.with_config(key, value);
            }
            let retry = RetryConfig {
                backoff: BackoffConfig {
                    init_backoff: Duration::from_millis(100),
                    max_backoff: Duration::from_secs(5),
                    base: 2.0,
                },
                // the time is what counts
                max_retries: 1000,
                retry_timeout: settings.patience,
            };
            let mut builder = AmazonS3Builder::new().with_bucket_name(name);
            for (key, value) in environment.bucket() {
                builder = builder.with_config(key, value);
            }
            builder.with_client_options(client).with_retry(retry).build()
        };
        let server = environment.endpoint().map_or_else(|| "Amazon S3".to_owned(), host);
        let fail = |error: Error| told(&server, &error);
        let store = build(HeaderMap::new()).map_err(fail)?;
        let creating = build(HeaderMap::from_iter([(IF_NONE_MATCH, HeaderValue::from_static("*"))]));
        let creating = creating.map_err(fail)?;
        Ok(Self { name: name.to_owned(), server, store, creating, from_machine: environment.from_machine })
    }

    fn told(&self, error: &Error) -> io::Error {
        told(&self.server, error)
    }

    fn no_bucket(&self) -> io::Error {
        io::Error::new(io::ErrorKind::NotFound, format!("{} has no bucket '{}'", self.server, self.name))
    }

    /// Asks for all but the bytes of an object.
    async fn head(&self, key: &Path) -> Result<GetResult, Error> {
        self.store.get_opts(key, GetOptions { head: true, ..GetOptions::default() }).await
    }

    /// Finds out early whether anybody says who asks: the search of the library below may take minutes.
    pub(crate) async fn check_credentials(&self) -> io::Result<()> {
        if !self.from_machine {
            return Ok(());
        }
        let asked = timeout(MACHINE, self.store.credentials().get_credential()).await;
        match asked {
            Ok(Ok(_)) => Ok(()),
            Ok(Err(_)) | Err(_) => {
                let what = "there are no credentials: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_PROFILE";
                Err(io::Error::new(io::ErrorKind::PermissionDenied, what))
            }
        }
    }

    /// Says what is at a place; `None` where nothing is.
    pub(crate) async fn look(&self, key: &Path) -> io::Result<Option<ObjectFacts>> {
        match self.head(key).await {
            Ok(found) => Ok(Some(facts(&found))),
            Err(Error::NotFound { .. }) => self.check_bucket(key).await.map(|()| None),
            Err(error) => Err(self.told(&error)),
        }
    }

    /// What an open object is known by, and its facts.
    pub(crate) async fn open(&self, key: &Path) -> io::Result<(ObjectFacts, Known)> {
        match self.head(key).await {
            Ok(found) => {
                let known = Known { etag: found.meta.e_tag.clone(), version: found.meta.version.clone() };
                Ok((facts(&found), known))
            }
            Err(error @ Error::NotFound { .. }) => {
                self.check_bucket(key).await?;
                Err(self.told(&error))
            }
            Err(error) => Err(self.told(&error)),
        }
    }

    /// Tells a bucket that is not there from an object that is not.
    async fn check_bucket(&self, key: &Path) -> io::Result<()> {
        match self.store.list_with_delimiter(Some(key)).await {
            Err(error) if code(&error).is_some_and(|code| code == "NoSuchBucket") => Err(self.no_bucket()),
            // who may not list may still read and write
            _ => Ok(()),
        }
    }

    /// Reads bytes of the object that has this ETag and version, or fails.
    pub(crate) async fn read(
        &self,
        key: &Path,
        known: &Known,
        range: std::ops::Range<u64>,
    ) -> io::Result<Bytes> {
        let options = GetOptions {
            range: Some(GetRange::Bounded(range.clone())),
            if_match: known.etag.clone(),
            version: known.version.clone(),
            ..GetOptions::default()
        };
        let read = async { self.store.get_opts(key, options).await?.bytes().await };
        let bytes = read.await.map_err(|error| self.told(&error))?;
        if bytes.len() as u64 != range.end - range.start {
            let what = format!("{} gave {} bytes of {}", self.server, bytes.len(), range.end - range.start);
            return Err(io::Error::new(io::ErrorKind::UnexpectedEof, what));
        }
        Ok(bytes)
    }

    /// Begins an object in parts.
    pub(crate) async fn begin(&self, key: &Path, note: Option<&str>) -> io::Result<Upload> {
        let (mark, mut attributes) = mark();
        if let Some(note) = note {
            attributes.insert(Attribute::Metadata(NOTE.into()), note.to_owned().into());
        }
        let options = PutMultipartOptions { attributes, ..PutMultipartOptions::default() };
        let begun = self.store.create_multipart_opts(key, options).await;
        let id = begun.map_err(|error| match &error {
            Error::NotFound { .. } => self.no_bucket(),
            error => self.told(error),
        })?;
        Ok(Upload { id, mark, parts: Vec::new() })
    }

    /// Sends the part that comes behind those that the upload has.
    pub(crate) async fn put_part(&self, key: &Path, upload: &Upload, bytes: Bytes) -> io::Result<PartId> {
        let part = self.store.put_part(key, &upload.id, upload.parts(), PutPayload::from(bytes)).await;
        part.map_err(|error| self.told(&error))
    }

    /// Puts an object in place whose parts are there. Where it is not to replace another, the server refuses
    /// it if there is one.
    pub(crate) async fn finish(&self, key: &Path, upload: &Upload, replace: bool) -> io::Result<()> {
        let store = if replace { &self.store } else { &self.creating };
        let finished = store.complete_multipart(key, &upload.id, upload.parts.clone()).await;
        match finished {
            Ok(_) => Ok(()),
            Err(error) => self.was_put(key, &upload.mark, replace, &error).await,
        }
    }

    /// Makes an object of bytes in one request. Where it is not to replace another, the server refuses it if
    /// there is one.
    pub(crate) async fn put(&self, key: &Path, bytes: Bytes, replace: bool) -> io::Result<()> {
        let (mark, attributes) = mark();
        // a request that says itself that it is to make a new object is not repeated by the library below
        let store = if replace { &self.store } else { &self.creating };
        let options = PutOptions { attributes, ..PutOptions::default() };
        match store.put_opts(key, PutPayload::from(bytes), options).await {
            Ok(_) => Ok(()),
            Err(Error::NotFound { .. }) => Err(self.no_bucket()),
            Err(error) => self.was_put(key, &mark, replace, &error).await,
        }
    }

    /// Finds out whether the object with this mark is in place although an error was heard: an answer may
    /// have been lost, and the same request been made once more.
    async fn was_put(&self, key: &Path, mark: &str, replace: bool, error: &Error) -> io::Result<()> {
        match self.head(key).await {
            Ok(found) if attribute(&found, UPLOAD) == Some(mark) => Ok(()),
            Ok(_) if !replace => {
                let source = "another one was put there meanwhile".into();
                Err(self.told(&Error::AlreadyExists { path: String::new(), source }))
            }
            _ => Err(self.told(error)),
        }
    }

    /// Lists the keys that begin with this one and a slash, at most so many.
    pub(crate) async fn list(&self, key: &Path, most: usize) -> io::Result<Vec<String>> {
        let (mut listing, mut keys) = (self.store.list(Some(key)), Vec::new());
        loop {
            match listing.try_next().await {
                Ok(None) => return Ok(keys),
                Ok(Some(_)) if keys.len() == most => {
                    let what = format!("there are more than {most} objects below {key}");
                    return Err(io::Error::new(io::ErrorKind::FileTooLarge, what));
                }
                Ok(Some(found)) => keys.push(found.location.into()),
                Err(error) if code(&error).is_some_and(|code| code == "NoSuchBucket") => {
                    return Err(self.no_bucket());
                }
                Err(error) => return Err(self.told(&error)),
            }
        }
    }

    /// Removes objects, as far as they are there, many in one request.
    pub(crate) async fn remove(&self, keys: Vec<Path>) -> io::Result<()> {
        let keys = futures_util::stream::iter(keys.into_iter().map(Ok));
        let mut removed = self.store.delete_stream(keys.boxed());
        while let Some(result) = removed.next().await {
            match result {
                Ok(_) | Err(Error::NotFound { .. }) => {}
                Err(error) => return Err(self.told(&error)),
            }
        }
        Ok(())
    }

    /// Gives an upload up. What is left of it is the server's to remove.
    pub(crate) async fn abort(&self, key: &Path, upload: &Upload) {
        let _ = self.store.abort_multipart(key, &upload.id).await;
    }
}

/// Something by which an object is known that was put by one call, and the attribute that says it.
fn mark() -> (String, Attributes) {
    let number = std::hash::BuildHasher::hash_one(&std::hash::RandomState::new(), 0);
    let mark = format!("{number:016x}");
    let mut attributes = Attributes::new();
    attributes.insert(Attribute::Metadata(UPLOAD.into()), mark.clone().into());
    (mark, attributes)
}

/// By what an object is known again in each request.
#[derive(Debug, Clone)]
pub(crate) struct Known {
    pub etag: Option<String>,
    pub version: Option<String>,
}

fn attribute<'a>(found: &'a GetResult, name: &'static str) -> Option<&'a str> {
    found.attributes.get(&Attribute::Metadata(name.into())).map(|value| value.as_ref())
}

fn facts(found: &GetResult) -> ObjectFacts {
    let note = attribute(found, NOTE).map(str::to_owned);
    ObjectFacts { length: found.meta.size, identity: identity(&found.meta), note }
}

/// What is another text whenever the object is another one. A server without ETags says at least when it was
/// written.
pub(crate) fn identity(meta: &ObjectMeta) -> String {
    let etag = meta.e_tag.clone().unwrap_or_else(|| meta.last_modified.to_rfc3339());
    match &meta.version {
        Some(version) => format!("{etag} {version}"),
        None => etag,
    }
}
