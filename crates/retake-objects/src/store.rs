//! The store as an export sees it: calls that wait, over requests that do not.

use crate::address::Address;
use crate::blocks::{BLOCK, Blocks, MOST};
use crate::bucket::Bucket;
use crate::credentials::Environment;
use crate::reading::Reading;
use bytes::Bytes;
use retake::objects::{Existing, Object, ObjectFacts, ObjectStore, Objects};
use std::collections::BTreeMap;
use std::fmt;
use std::fs::File;
use std::future::Future;
use std::io::{self, Read};
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, sync_channel};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;
use tokio::runtime::{Builder, Runtime};

/// How often a call that waits asks whether it must end.
const TICK: Duration = Duration::from_millis(50);
/// The bytes of a part of an upload, at least; the last one may be shorter.
const PART: u64 = 8 << 20;
/// The parts of an upload: a server takes 10000.
const MOST_PARTS: u64 = 9000;
/// How long an upload that is given up may take to say so.
const CLEANUP: Duration = Duration::from_secs(5);

/// How a store behaves. There is no `Debug`, because variables hold secrets.
#[derive(Clone)]
#[non_exhaustive]
pub struct Settings {
    /// How long a server may fail to answer before a call fails.
    pub patience: Duration,
    /// The variables `AWS_…` that say which server it is and who asks; those of this process if `None`.
    pub variables: Option<BTreeMap<String, String>>,
}

impl Default for Settings {
    fn default() -> Self {
        Self { patience: Duration::from_secs(60), variables: None }
    }
}

/// Objects of all buckets that one set of credentials opens. Nothing is asked, and no thread is started,
/// before the first call.
pub struct Store(Arc<Inner>);

pub(crate) struct Inner {
    settings: Settings,
    runtime: OnceLock<Option<Runtime>>,
    buckets: Mutex<BTreeMap<String, Arc<Bucket>>>,
    pub(crate) blocks: Blocks,
    /// The bytes that were asked for by readers.
    pub(crate) fetched: AtomicU64,
}

impl Store {
    /// A store that finds out from the environment which server it is, and who asks.
    pub fn from_environment() -> Arc<Self> {
        Self::with(Settings::default())
    }

    /// The same, with other settings.
    pub fn with(settings: Settings) -> Arc<Self> {
        Arc::new(Self(Arc::new(Inner {
            settings,
            runtime: OnceLock::new(),
            buckets: Mutex::default(),
            blocks: Blocks::default(),
            fetched: AtomicU64::new(0),
        })))
    }

    /// Returns how many bytes readers have asked the server for so far.
    pub fn bytes_fetched(&self) -> u64 {
        self.0.fetched.load(Ordering::Relaxed)
    }

    /// The bucket of an address.
    fn find(&self, address: &Address, interrupted: &dyn Fn() -> bool) -> io::Result<Arc<Bucket>> {
        let known = || self.0.buckets.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(bucket) = known().get(&address.bucket) {
            return Ok(bucket.clone());
        }
        // who speaks TLS is chosen once in a process; somebody else's choice is as good
        let _ = rustls::crypto::ring::default_provider().install_default();
        let texts = |(name, value): (std::ffi::OsString, std::ffi::OsString)| {
            Some((name.into_string().ok()?, value.into_string().ok()?))
        };
        let environment = match &self.0.settings.variables {
            Some(variables) => Environment::read(variables.clone().into_iter())?,
            None => Environment::read(std::env::vars_os().filter_map(texts))?,
        };
        let bucket = Arc::new(Bucket::new(&address.bucket, &environment, &self.0.settings)?);
        let asked = bucket.clone();
        self.0.ask(async move { asked.check_credentials().await }).wait(interrupted)?;
        known().insert(address.bucket.clone(), bucket.clone());
        Ok(bucket)
    }
}

impl fmt::Debug for Store {
    /// Says nothing of what is inside, because credentials are.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Store")
    }
}

impl Inner {
    /// Begins a request.
    pub(crate) fn ask<T: Send + 'static>(
        &self,
        request: impl Future<Output = io::Result<T>> + Send + 'static,
    ) -> Waiting<T> {
        let start = || {
            let threads =
                Builder::new_multi_thread().worker_threads(2).thread_name("objects").enable_all().build();
            threads.ok()
        };
        let (sender, answer) = sync_channel(1);
        let task = self.runtime.get_or_init(start).as_ref().map(|runtime| {
            runtime.spawn(async move {
                // nobody waits any more where it is not taken
                let _ = sender.send(request.await);
            })
        });
        Waiting { task, answer }
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        if let Some(Some(runtime)) = self.runtime.take() {
            // a name that is being looked up must keep nobody waiting
            runtime.shutdown_background();
        }
    }
}

/// A request under way. It is given up when the value is dropped.
pub(crate) struct Waiting<T> {
    task: Option<tokio::task::JoinHandle<()>>,
    answer: Receiver<io::Result<T>>,
}

impl<T> Waiting<T> {
    /// Waits for the answer, until `interrupted` wants no more. Requests end by themselves, because each has
    /// its time.
    pub(crate) fn wait(self, interrupted: &dyn Fn() -> bool) -> io::Result<T> {
        loop {
            match self.answer.recv_timeout(TICK) {
                Ok(answer) => return answer,
                Err(RecvTimeoutError::Timeout) if interrupted() => {
                    return Err(io::Error::new(io::ErrorKind::TimedOut, "waiting was stopped"));
                }
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => {
                    return Err(io::Error::other("a request ended without an answer"));
                }
            }
        }
    }
}

impl<T> Drop for Waiting<T> {
    fn drop(&mut self) {
        if let Some(task) = &self.task {
            task.abort();
        }
    }
}

impl Objects for Store {
    fn open(&self, address: &str, interrupted: &dyn Fn() -> bool) -> io::Result<Box<dyn Object>> {
        let address = Address::parse(address)?;
        let bucket = self.find(&address, interrupted)?;
        let (asked, key) = (bucket.clone(), address.key.clone());
        let (facts, known) = self.0.ask(async move { asked.open(&key).await }).wait(interrupted)?;
        Ok(Box::new(Reading::new(self.0.clone(), bucket, address, facts, known)))
    }

    fn memory(&self, readers: u64) -> u64 {
        let reader = 2 * crate::reading::LONGEST * BLOCK;
        MOST as u64 * BLOCK + readers.saturating_mul(reader)
    }
}

impl ObjectStore for Store {
    fn look(&self, address: &str, interrupted: &dyn Fn() -> bool) -> io::Result<Option<ObjectFacts>> {
        let address = Address::parse(address)?;
        let bucket = self.find(&address, interrupted)?;
        self.0.ask(async move { bucket.look(&address.key).await }).wait(interrupted)
    }

    fn try_out(&self, address: &str, interrupted: &dyn Fn() -> bool) -> io::Result<()> {
        let address = Address::parse(address)?;
        let bucket = self.find(&address, interrupted)?;
        let tried = async move {
            let upload = bucket.begin(&address.key, None).await?;
            bucket.abort(&address.key, &upload).await;
            Ok(())
        };
        self.0.ask(tried).wait(interrupted)
    }

    fn list(&self, address: &str, most: usize, interrupted: &dyn Fn() -> bool) -> io::Result<Vec<String>> {
        let address = Address::parse(address.trim_end_matches('/'))?;
        let bucket = self.find(&address, interrupted)?;
        let below = format!("{}/", address.key);
        let keys = self.0.ask(async move { bucket.list(&address.key, most).await }).wait(interrupted)?;
        Ok(keys.iter().filter_map(|key| key.strip_prefix(&below)).map(str::to_owned).collect())
    }

    fn remove(&self, address: &str, names: &[String], interrupted: &dyn Fn() -> bool) -> io::Result<()> {
        let keys = names.iter().map(|name| Address::parse(&format!("{address}/{name}")));
        let keys = keys.collect::<io::Result<Vec<_>>>()?;
        let Some(first) = keys.first() else { return Ok(()) };
        let bucket = self.find(first, interrupted)?;
        let keys = keys.into_iter().map(|address| address.key).collect();
        self.0.ask(async move { bucket.remove(keys).await }).wait(interrupted)
    }

    fn put(
        &self,
        address: &str,
        bytes: Vec<u8>,
        existing: Existing,
        interrupted: &dyn Fn() -> bool,
    ) -> io::Result<()> {
        let address = Address::parse(address)?;
        let bucket = self.find(&address, interrupted)?;
        let replace = existing == Existing::Replace;
        let put = async move { bucket.put(&address.key, Bytes::from(bytes), replace).await };
        self.0.ask(put).wait(interrupted)
    }

    fn put_file(
        &self,
        address: &str,
        file: &Path,
        note: Option<&str>,
        existing: Existing,
        interrupted: &dyn Fn() -> bool,
    ) -> io::Result<()> {
        let address = Address::parse(address)?;
        let bucket = self.find(&address, interrupted)?;
        let mut file = File::open(file)?;
        let part = PART.max(file.metadata()?.len().div_ceil(MOST_PARTS));
        let (asked, key, note) = (bucket.clone(), address.key.clone(), note.map(str::to_owned));
        let begin = self.0.ask(async move { asked.begin(&key, note.as_deref()).await });
        let mut upload = begin.wait(interrupted)?;
        let mut put = || -> io::Result<()> {
            loop {
                let mut bytes = Vec::new();
                Read::by_ref(&mut file).take(part).read_to_end(&mut bytes)?;
                let is_last = (bytes.len() as u64) < part;
                // an object without bytes has one part, too
                if !bytes.is_empty() || upload.parts() == 0 {
                    let (asked, key, so_far) = (bucket.clone(), address.key.clone(), upload.clone());
                    let sent = async move { asked.put_part(&key, &so_far, Bytes::from(bytes)).await };
                    upload.add(self.0.ask(sent).wait(interrupted)?);
                }
                if is_last {
                    return Ok(());
                }
            }
        };
        let mut done = put();
        let upload = Arc::new(upload);
        if done.is_ok() {
            let (asked, key, upload) = (bucket.clone(), address.key.clone(), upload.clone());
            let replace = existing == Existing::Replace;
            done = self.0.ask(async move { asked.finish(&key, &upload, replace).await }).wait(interrupted);
        }
        if done.is_err() {
            let cleanup = self.0.ask(async move {
                let _ = tokio::time::timeout(CLEANUP, bucket.abort(&address.key, &upload)).await;
                Ok(())
            });
            // this is about what is left at the server alone, and is over soon
            let _ = cleanup.wait(&|| false);
        }
        done
    }
}
