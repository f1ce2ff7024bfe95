//! Carries codes and messages of failed FFmpeg calls, and other texts, across the border.
#![allow(unsafe_code)]

use crate::ffi;
use crate::objects::Cause;
use std::borrow::Cow;
use std::ffi::{CStr, CString, c_char};
use std::io;
use std::path::Path;
use std::sync::Once;

/// A failed call: FFmpeg's code and the message that came with it.
#[derive(Debug, Clone)]
pub(crate) struct Failure {
    code: i32,
    message: String,
    cause: Cause,
}

impl Failure {
    /// Returns the failure in words: FFmpeg's own message if there was one, else the meaning of the code.
    pub(crate) fn message(&self) -> &str {
        &self.message
    }

    /// Returns the failure with what is known of its cause beside its code.
    pub(crate) fn caused_by(self, cause: &Cause) -> Self {
        Self { cause: cause.clone(), ..self }
    }

    /// Returns the operating system's error, or the one of an object store, where the failure is one of
    /// reading or writing rather than of content.
    pub(crate) fn io(&self) -> Option<io::Error> {
        if let Some(error) = self.cause.error() {
            return Some(error);
        }
        // SAFETY: this is a pure function.
        let number = unsafe { ffi::rt_errno(self.code) };
        // FFmpeg uses a few error numbers for malformed content, too. The files themselves are opened by this
        // crate, so that none of these comes from that.
        const ABOUT_CONTENT: [i32; 7] = [
            1,  /* EPERM */
            11, /* EAGAIN */
            12, /* ENOMEM */
            22, /* EINVAL */
            33, /* EDOM */
            34, /* ERANGE */
            38, /* ENOSYS */
        ];
        (number != 0 && !ABOUT_CONTENT.contains(&number)).then(|| io::Error::from_raw_os_error(number))
    }

    pub(crate) fn is_end(&self) -> bool {
        // SAFETY: this is a pure function.
        unsafe { ffi::rt_is_end(self.code) != 0 }
    }

    pub(crate) fn is_again(&self) -> bool {
        // SAFETY: this is a pure function.
        unsafe { ffi::rt_is_again(self.code) != 0 }
    }

    /// Returns whether whoever waits wants no more.
    pub(crate) fn is_interrupted(&self) -> bool {
        self.refusal() == Some(Refusal::Interrupted)
    }

    /// Returns whether reading cannot go on, unlike after damage.
    pub(crate) fn is_final(&self) -> bool {
        self.is_interrupted() || self.io().is_some()
    }

    /// Returns why the shims refused to open or to read on, if it was they and not FFmpeg.
    pub(crate) fn refusal(&self) -> Option<Refusal> {
        // SAFETY: this is a pure function.
        match unsafe { ffi::rt_refusal(self.code) } {
            1 => Some(Refusal::Unknown),
            2 => Some(Refusal::References),
            3 => Some(Refusal::Endless),
            4 => Some(Refusal::Interrupted),
            _ => None,
        }
    }
}

/// The reasons of the shims; the numbers are those of `RT_REFUSED_*`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// The content is no film, or a kind of film that is not read.
    Unknown,
    /// It is a list that names other files.
    References,
    /// It is such a list, and does not end.
    Endless,
    /// Whoever waits wants no more.
    Interrupted,
}

/// Returns the code by which FFmpeg knows an error of the operating system.
pub(crate) fn errno(error: &io::Error) -> i32 {
    -error.raw_os_error().unwrap_or(5 /* EIO */)
}

/// Runs a call into the shims and returns its code, or the failure with its message.
pub(crate) fn attempt(call: impl FnOnce() -> i32) -> Result<i32, Failure> {
    setup();
    // SAFETY: the call touches a variable of this thread only.
    unsafe { ffi::rt_forget() };
    match call() {
        code if code >= 0 => Ok(code),
        code => Err(Failure { code, message: describe(code), cause: Cause::default() }),
    }
}

/// Runs a call like [`attempt`] whose "not yet" and "the end" are ordinary answers: no message is fetched for
/// those.
pub(crate) fn attempt_quickly(call: impl FnOnce() -> i32) -> Result<i32, Failure> {
    // SAFETY: the call touches a variable of this thread only.
    unsafe { ffi::rt_forget() };
    match call() {
        code if code >= 0 => Ok(code),
        // SAFETY: these are pure functions.
        code if unsafe { ffi::rt_is_again(code) != 0 || ffi::rt_is_end(code) != 0 } => {
            Err(Failure { code, message: String::new(), cause: Cause::default() })
        }
        code => Err(Failure { code, message: describe(code), cause: Cause::default() }),
    }
}

fn describe(code: i32) -> String {
    let mut buffer = [0 as c_char; 256];
    // SAFETY: the buffer is as long as stated, and starts out as an empty text; the message is a terminated
    // text of this thread.
    let (meaning, said) = unsafe {
        ffi::rt_error_text(code, buffer.as_mut_ptr(), buffer.len() - 1);
        (text(buffer.as_ptr()), text(ffi::rt_last_message()))
    };
    match said {
        Some(said) if !said.is_empty() => said,
        _ => meaning.unwrap_or_default(),
    }
}

/// Silences FFmpeg. This must happen before the first call into it.
fn setup() {
    static ONCE: Once = Once::new();
    // SAFETY: the call installs a callback that is safe in every thread.
    ONCE.call_once(|| unsafe { ffi::rt_setup() });
}

/// Copies a text of the shims; bytes that are not UTF-8 are replaced.
///
/// # Safety
/// `text` must be null or point to a text that ends in a zero byte.
pub(crate) unsafe fn text(text: *const c_char) -> Option<String> {
    // SAFETY: the caller promised that the pointer is null or a terminated text.
    (!text.is_null()).then(|| unsafe { CStr::from_ptr(text) }.to_string_lossy().into_owned())
}

/// Returns the text for the shims, up to its first zero byte.
pub(crate) fn c_text(text: &str) -> CString {
    let end = text.find('\0').unwrap_or(text.len());
    CString::new(&text[..end]).unwrap_or_default()
}

/// Returns the address that FFmpeg must write to for a path. It always has a protocol, so that no part of a
/// name is taken for one.
pub(crate) fn url(path: &Path) -> CString {
    c_bytes([b"file:", path_bytes(path).as_ref()].concat())
}

/// Returns a path as a text for the shims.
pub(crate) fn c_path(path: &Path) -> CString {
    c_bytes(path_bytes(path).into_owned())
}

/// A path with a zero byte is none that a system knows.
fn c_bytes(bytes: Vec<u8>) -> CString {
    CString::new(bytes).unwrap_or_default()
}

fn path_bytes(path: &Path) -> Cow<'_, [u8]> {
    #[cfg(unix)]
    return std::os::unix::ffi::OsStrExt::as_bytes(path.as_os_str()).into();
    #[cfg(not(unix))]
    path.to_string_lossy().into_owned().into_bytes().into()
}

/// Returns the versions of libavformat, libavcodec and libavutil that are in use, as `major.minor.micro`.
pub fn library_versions() -> [String; 3] {
    let mut numbers = [0; 3];
    // SAFETY: the call writes three numbers.
    unsafe { ffi::rt_version(numbers.as_mut_ptr()) };
    numbers.map(|n| format!("{}.{}.{}", n >> 16, n >> 8 & 255, n & 255))
}
