//! The object store that addresses such as `s3://bucket/film.mkv` are of, if this build has one.

use retake::objects::ObjectStore;
use std::sync::Arc;

/// Returns the store. It asks nobody, and looks for no credentials, before an address is used.
pub(crate) fn store() -> Option<Arc<dyn ObjectStore>> {
    #[cfg(feature = "objects")]
    return Some(retake_objects::Store::from_environment());
    #[cfg(not(feature = "objects"))]
    None
}
