//! What a call into FFmpeg said when it failed, and text that crosses the border.
#![allow(unsafe_code)]

use crate::ffi;
use std::ffi::{CStr, CString, c_char};
use std::io;
use std::path::Path;
use std::sync::Once;

/// A failed call: FFmpeg's code and the words that came with it.
#[derive(Debug, Clone)]
pub(crate) struct Failure {
    code: i32,
    message: String,
}

impl Failure {
    /// What it is in words: FFmpeg's own message if there was one, else the meaning of the code.
    pub(crate) fn message(&self) -> &str {
        &self.message
    }

    /// The operating system's error, where the failure is one of reading or writing rather than of content.
    pub(crate) fn io(&self) -> Option<io::Error> {
        // SAFETY: a pure function
        let number = unsafe { ffi::rt_errno(self.code) };
        // FFmpeg uses a few error numbers for malformed content, too
        const ABOUT_CONTENT: [i32; 5] =
            [22 /* EINVAL */, 33 /* EDOM */, 34 /* ERANGE */, 38 /* ENOSYS */, 11];
        (number != 0 && !ABOUT_CONTENT.contains(&number)).then(|| io::Error::from_raw_os_error(number))
    }

    pub(crate) fn is_end(&self) -> bool {
        // SAFETY: a pure function
        unsafe { ffi::rt_is_end(self.code) != 0 }
    }

    pub(crate) fn is_again(&self) -> bool {
        // SAFETY: a pure function
        unsafe { ffi::rt_is_again(self.code) != 0 }
    }
}

/// Runs a call into the shims: its code, or what it said when it failed.
pub(crate) fn attempt(call: impl FnOnce() -> i32) -> Result<i32, Failure> {
    setup();
    // SAFETY: touches a variable of this thread only
    unsafe { ffi::rt_forget() };
    match call() {
        code if code >= 0 => Ok(code),
        code => Err(Failure { code, message: describe(code) }),
    }
}

/// As [`attempt`], for calls whose "not yet" and "the end" are ordinary answers: no words are fetched for those.
pub(crate) fn attempt_quickly(call: impl FnOnce() -> i32) -> Result<i32, Failure> {
    // SAFETY: touches a variable of this thread only
    unsafe { ffi::rt_forget() };
    match call() {
        code if code >= 0 => Ok(code),
        // SAFETY: pure functions
        code if unsafe { ffi::rt_is_again(code) != 0 || ffi::rt_is_end(code) != 0 } => {
            Err(Failure { code, message: String::new() })
        }
        code => Err(Failure { code, message: describe(code) }),
    }
}

fn describe(code: i32) -> String {
    let mut buffer = [0 as c_char; 256];
    // SAFETY: the buffer is as long as said, and starts out as an empty text; the message is a terminated text of this thread
    let (meaning, said) = unsafe {
        ffi::rt_error_text(code, buffer.as_mut_ptr(), buffer.len() - 1);
        (text(buffer.as_ptr()), text(ffi::rt_last_message()))
    };
    match said {
        Some(said) if !said.is_empty() => said,
        _ => meaning.unwrap_or_default(),
    }
}

/// Silences FFmpeg. Done before the first call into it.
fn setup() {
    static ONCE: Once = Once::new();
    // SAFETY: installs a callback that is safe in every thread
    ONCE.call_once(|| unsafe { ffi::rt_setup() });
}

/// A copy of a text of the shims; bytes that are not UTF-8 are replaced.
///
/// # Safety
/// `text` is null or points to a text that ends in a zero byte.
pub(crate) unsafe fn text(text: *const c_char) -> Option<String> {
    // SAFETY: as the caller promised
    (!text.is_null()).then(|| unsafe { CStr::from_ptr(text) }.to_string_lossy().into_owned())
}

/// Text for the shims, up to its first zero byte.
pub(crate) fn c_text(text: &str) -> CString {
    let end = text.find('\0').unwrap_or(text.len());
    CString::new(&text[..end]).unwrap_or_default()
}

/// What FFmpeg opens for a path; `-` is a standard stream. Always with a protocol, so that no part of a name is taken for one.
pub(crate) fn url(path: &Path) -> CString {
    if path == Path::new("-") {
        return c_text("pipe:0");
    }
    #[cfg(unix)]
    {
        use std::os::unix::ffi::OsStrExt;
        let mut bytes = b"file:".to_vec();
        bytes.extend_from_slice(path.as_os_str().as_bytes());
        CString::new(bytes).unwrap_or_default()
    }
    #[cfg(not(unix))]
    c_text(&format!("file:{}", path.display()))
}

/// The versions of libavformat, libavcodec and libavutil that are in use, as `major.minor.micro`.
pub fn library_versions() -> [String; 3] {
    let mut numbers = [0; 3];
    // SAFETY: writes three numbers
    unsafe { ffi::rt_version(numbers.as_mut_ptr()) };
    numbers.map(|n| format!("{}.{}.{}", n >> 16, n >> 8 & 255, n & 255))
}
