//! A worker that the engine calls.

use crate::services::{RetakeExport, RetakeTakes, Site, Work};
use restate_sdk::prelude::*;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpListener;

/// How often it is looked whether the worker is to end.
const PATIENCE: Duration = Duration::from_millis(100);

/// How a worker is reached, and when it ends.
pub struct Serving {
    /// The address to listen on.
    pub address: SocketAddr,
    /// The public key of the engine, in its own form (`publickeyv1_…`). With it, calls of others are refused.
    pub identity_key: Option<String>,
}

/// Runs a worker until `ends` says so. Then it begins nothing new, and returns when what runs has ended.
/// `ready` is told the address once calls are answered.
///
/// # Errors
/// Where the address cannot be listened on, or the key is none.
pub fn serve(
    site: Site,
    serving: &Serving,
    ready: impl FnOnce(SocketAddr),
    ends: impl Fn() -> bool + Send,
) -> io::Result<()> {
    let work = Arc::new(Work::new(site));
    let mut endpoint = Endpoint::builder().bind(RetakeTakes(work.clone())).bind(RetakeExport(work.clone()));
    if let Some(key) = &serving.identity_key {
        let invalid = |error| io::Error::new(io::ErrorKind::InvalidInput, format!("{key}: {error}"));
        endpoint = endpoint.identity_key(key).map_err(invalid)?;
    }
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    runtime.block_on(async {
        let listener = TcpListener::bind(serving.address).await?;
        ready(listener.local_addr()?);
        let end = async {
            while !ends() {
                tokio::time::sleep(PATIENCE).await;
            }
            work.drain().await;
        };
        HttpServer::new(endpoint.build()).serve_with_cancel(listener, end).await;
        Ok(())
    })
}
