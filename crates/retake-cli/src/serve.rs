//! `encode --serve` shows the report of a job while it runs.
//!
//! The page is made of what the job folder holds, each time that somebody asks for it, so that the job itself
//! has no part in it. It can be read and nothing else. A page of another site must not read it through a
//! browser of this machine, so the name that it was asked for has to be the address; and where other machines
//! reach the address, whoever asks has to know a secret.

use crate::args::Encode;
use crate::exit::Usage;
use crate::output;
use crate::report::with_ending;
use anyhow::{Context, Result};
use retake::report::{PROGRAM, State};
use retake::{Event, Records, Report};
use std::fs::File;
use std::io::Read;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};
use tiny_http::{Header, Method, Request, Response};

/// A page is made anew at most so often, however many ask for it.
const FRESH: Duration = Duration::from_secs(1);

/// Serves the page of one job until the program ends.
#[derive(Clone)]
pub(crate) struct Server(Arc<Shared>);

struct Shared {
    address: SocketAddr,
    /// What has to be in the address of the page; `None` on this machine alone.
    secret: Option<String>,
    job_folder: PathBuf,
    title: String,
    state: Mutex<Progress>,
    page: Mutex<Option<(Instant, String)>>,
}

/// How far the job is.
#[derive(Default)]
struct Progress {
    film: Option<u64>,
    pass: u32,
    frames: Option<u64>,
    encoded: u64,
    takes: u64,
    stage: Option<&'static str>,
}

impl Server {
    /// Begins to serve, and says where.
    pub(crate) fn start(address: SocketAddr, args: &Encode) -> Result<Self> {
        let server =
            tiny_http::Server::http(address).map_err(|error| Usage(format!("--serve {address}: {error}")))?;
        let address = server.server_addr().to_ip().unwrap_or(address);
        let secret = if address.ip().is_loopback() { None } else { Some(secret()?) };
        let path = secret.as_ref().map_or(String::new(), |secret| format!("?token={secret}"));
        output::complain(&format!("the page of this job: http://{address}/{path}\n"));
        let shared = Arc::new(Shared {
            address,
            secret,
            job_folder: args.work_dir.clone().unwrap_or_else(|| with_ending(&args.output, ".retake")),
            title: args.output.file_name().map_or(String::new(), |name| name.to_string_lossy().into_owned()),
            state: Mutex::default(),
            page: Mutex::default(),
        });
        let serving = shared.clone();
        thread::Builder::new()
            .name("retake serve".into())
            .spawn(move || server.incoming_requests().for_each(|request| serving.answer(request)))
            .context("--serve: no thread can be started")?;
        Ok(Self(shared))
    }

    /// Learns how far the job is.
    pub(crate) fn hear(&self, event: &Event) {
        let mut state = lock(&self.0.state);
        match event {
            Event::Started { frames, .. } => state.film = *frames,
            Event::PassStarted { pass, frames, .. } => {
                (state.pass, state.encoded) = (*pass, 0);
                state.frames = frames.or(state.film);
            }
            Event::Encoded { frames, .. } => state.encoded += frames,
            Event::TakeFinished { .. } => state.takes += 1,
            Event::Writing { .. } => state.stage = Some("The film is being written"),
            Event::Verifying { .. } => state.stage = Some("The film is being verified"),
            Event::Finished(_) => state.stage = Some("The film is done"),
            _ => {}
        }
    }
}

impl Progress {
    fn text(&self) -> String {
        if let Some(stage) = self.stage {
            return stage.into();
        }
        let of = self.frames.map_or(String::new(), |frames| format!(" of {frames}"));
        match self.pass {
            0 => "The source is being looked through".into(),
            pass => format!("Pass {pass}: {}{of} frames, {} takes are finished", self.encoded, self.takes),
        }
    }
}

impl Shared {
    fn answer(&self, request: Request) {
        let response = match self.refusal(&request) {
            Some((code, text)) => Response::from_string(text).with_status_code(code),
            None => {
                let html = Header::from_bytes("Content-Type", "text/html; charset=utf-8");
                Response::from_string(self.page()).with_header(html.expect("the header is plain text"))
            }
        };
        let headers = [
            ("Cache-Control", "no-store"),
            ("X-Content-Type-Options", "nosniff"),
            ("X-Frame-Options", "DENY"),
            ("Referrer-Policy", "no-referrer"),
        ];
        let response = headers.into_iter().fold(response, |response, (name, value)| {
            response.with_header(Header::from_bytes(name, value).expect("the header is plain text"))
        });
        // Whoever asked may have gone away.
        let _ = request.respond(response);
    }

    fn refusal(&self, request: &Request) -> Option<(u16, &'static str)> {
        if !matches!(request.method(), Method::Get | Method::Head) {
            return Some((405, "this page can be read and nothing else"));
        }
        let (path, query) = request.url().split_once('?').unwrap_or((request.url(), ""));
        match &self.secret {
            Some(secret) => {
                let given = query.split('&').find_map(|part| part.strip_prefix("token=")).unwrap_or("");
                if !equal(given.as_bytes(), secret.as_bytes()) {
                    return Some((
                        403,
                        "the address of this page has a token, which `encode --serve` printed",
                    ));
                }
            }
            None => {
                let host = request.headers().iter().find(|header| header.field.equiv("Host"));
                let host = host.map_or("", |header| header.value.as_str());
                let port = self.address.port();
                let here = [self.address.to_string(), format!("localhost:{port}")];
                if !here.iter().any(|name| name.eq_ignore_ascii_case(host)) {
                    return Some((403, "this page is for this machine alone"));
                }
            }
        }
        (path != "/").then_some((404, "there is one page, /"))
    }

    /// The page as things are now.
    fn page(&self) -> String {
        let mut kept = lock(&self.page);
        if let Some((made, page)) = kept.as_ref()
            && made.elapsed() < FRESH
        {
            return page.clone();
        }
        // Before there are takes, there is nothing to open.
        let mut report = match Records::open(&self.job_folder) {
            Ok(records) => records.report(),
            Err(_) => Report::new(&*self.title, PROGRAM),
        };
        report.title.clone_from(&self.title);
        report.state = State::Running(lock(&self.state).text());
        let page = report.render_live();
        *kept = Some((Instant::now(), page.clone()));
        page
    }
}

/// A value is whole whenever its lock is free.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Compares without telling by the time how much is right.
fn equal(a: &[u8], b: &[u8]) -> bool {
    a.len() == b.len() && a.iter().zip(b).fold(0, |difference, (a, b)| difference | (a ^ b)) == 0
}

fn secret() -> Result<String> {
    let mut bytes = [0; 16];
    File::open("/dev/urandom")
        .and_then(|mut random| random.read_exact(&mut bytes))
        .context("--serve: the system gives no random numbers for a token")?;
    Ok(bytes.iter().map(|byte| format!("{byte:02x}")).collect())
}
