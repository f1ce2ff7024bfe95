//! Makes pixel buffers over memory that belongs to the client.

use super::{PixelBuffer, PixelBufferError, PixelFormat, PixelStorage};
use std::sync::{Arc, Mutex};

/// Memory of a client, and the callback that gets it back in the end.
struct Wrapped<T, R: FnOnce(Vec<T>)> {
    planes: Vec<T>,
    /// The callback is taken out when it is called, which is once, because that happens when this is dropped.
    /// The lock is there only so that a callback need not be `Sync`.
    release: Mutex<Option<R>>,
}

impl<T: AsRef<[u8]> + Send + Sync, R: FnOnce(Vec<T>) + Send> PixelStorage for Wrapped<T, R> {
    fn plane(&self, plane: usize) -> &[u8] {
        self.planes.get(plane).map_or(&[], AsRef::as_ref)
    }
}

impl<T, R: FnOnce(Vec<T>)> Drop for Wrapped<T, R> {
    fn drop(&mut self) {
        let release = self.release.get_mut().map(Option::take);
        if let Ok(Some(release)) = release {
            release(std::mem::take(&mut self.planes));
        }
    }
}

impl PixelBuffer {
    /// Makes a picture of one plane in memory of the client's, whose rows lie `stride` bytes apart. The
    /// memory is given back to `release` when the last clone is dropped, on the thread that drops it: exactly
    /// once, also if this call fails. `release` must not panic.
    ///
    /// # Errors
    /// Fails like [`PixelBuffer::wrap_planes`].
    #[doc(alias = "CVPixelBufferCreateWithBytes")]
    pub fn wrap<T: AsRef<[u8]> + Send + Sync + 'static>(
        format: PixelFormat,
        width: u32,
        height: u32,
        stride: usize,
        bytes: T,
        release: impl FnOnce(T) + Send + 'static,
    ) -> Result<Self, PixelBufferError> {
        let release = |mut planes: Vec<T>| release(planes.pop().expect("one was put in"));
        Self::wrap_planes(format, width, height, [stride, 0, 0], vec![bytes], release)
    }

    /// Makes a picture in memory of the client's, with a piece for each plane, whose rows lie `strides` bytes
    /// apart. The memory is given back to `release` when the last clone is dropped, on the thread that drops
    /// it: exactly once, also if this call fails. `release` must not panic.
    ///
    /// # Errors
    /// Returns [`PixelBufferError::InvalidArgument`] if the number of planes is not the format's, a plane is
    /// too small for the picture, or a stride for a row; [`PixelBufferError::InvalidSize`] for a picture
    /// without pixels.
    #[doc(alias = "CVPixelBufferCreateWithPlanarBytes")]
    pub fn wrap_planes<T: AsRef<[u8]> + Send + Sync + 'static>(
        format: PixelFormat,
        width: u32,
        height: u32,
        strides: [usize; 3],
        planes: Vec<T>,
        release: impl FnOnce(Vec<T>) + Send + 'static,
    ) -> Result<Self, PixelBufferError> {
        // From here on every way out gives the memory back, because this drops it.
        let wrapped = Wrapped { planes, release: Mutex::new(Some(release)) };
        if wrapped.planes.len() != format.planes() {
            let (has, wants) = (wrapped.planes.len(), format.planes());
            let text = format!("{has} planes are given, and {format:?} has {wants}");
            return Err(PixelBufferError::InvalidArgument(text));
        }
        Self::try_new(format, width, height, strides, Arc::new(wrapped))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::panic::{AssertUnwindSafe, catch_unwind};

    const STRIDES: [usize; 3] = [16, 16, 0];

    /// Makes a 12×4 picture of two planes; the list gets the number of bytes each time that memory comes
    /// back.
    fn wrapped(chroma: usize) -> (Result<PixelBuffer, PixelBufferError>, Arc<Mutex<Vec<usize>>>) {
        let calls = Arc::new(Mutex::new(Vec::new()));
        let (count, planes) = (calls.clone(), vec![vec![1; 16 * 4], vec![2; chroma]]);
        let release =
            move |planes: Vec<Vec<u8>>| count.lock().unwrap().push(planes.iter().map(Vec::len).sum());
        (PixelBuffer::wrap_planes(PixelFormat::Nv12, 12, 4, STRIDES, planes, release), calls)
    }

    /// Spec 12.1, creation: the memory comes back once, with the last clone.
    #[test]
    fn memory_is_released_once_with_the_last_clone() {
        let (picture, calls) = wrapped(28);
        let picture = picture.unwrap();
        let clone = picture.clone();
        drop(picture);
        assert_eq!(*calls.lock().unwrap(), []);
        assert_eq!((clone.row(0, 3), clone.row(1, 1)), (&[1; 12][..], &[2; 12][..]));
        drop(clone);
        assert_eq!(*calls.lock().unwrap(), [64 + 28]);
    }

    /// The memory comes back once, too, where the client panics with the picture in its hands, and where
    /// there never is a picture.
    #[test]
    fn memory_is_released_once_when_things_go_wrong() {
        let (picture, calls) = wrapped(28);
        let unwound = catch_unwind(AssertUnwindSafe(move || {
            let _held = picture;
            panic!("as a client might");
        }));
        assert!(unwound.is_err());
        assert_eq!(*calls.lock().unwrap(), [64 + 28]);

        let (refused, calls) = wrapped(27);
        assert_eq!(refused.expect_err("a byte is missing").code(), -6661);
        assert_eq!(*calls.lock().unwrap(), [64 + 27]);
    }

    /// Spec 12.1: memory that does not fit one plane is refused, whichever way it does not.
    #[test]
    fn what_does_not_fit_is_refused() {
        let bytes: Arc<[u8]> = (0..40).collect();
        let wrap = |format, width, height, stride| {
            PixelBuffer::wrap(format, width, height, stride, bytes.clone(), |_| ())
        };
        assert_eq!(wrap(PixelFormat::Bgra, 3, 3, 14).unwrap().row(0, 2), (28..40).collect::<Vec<u8>>());
        let code = |result: Result<PixelBuffer, PixelBufferError>| result.err().map(|error| error.code());
        assert_eq!(code(wrap(PixelFormat::Bgra, 3, 3, 11)), Some(-6661));
        assert_eq!(code(wrap(PixelFormat::Bgra, 3, 4, 14)), Some(-6661));
        assert_eq!(code(wrap(PixelFormat::Nv12, 3, 3, 14)), Some(-6661));
        assert_eq!(code(wrap(PixelFormat::Bgra, 0, 3, 14)), Some(-6681));
        assert_eq!(code(wrap(PixelFormat::Bgra, 3, 3, usize::MAX)), Some(-6661));
    }
}
