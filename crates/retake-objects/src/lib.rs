//! Sources and films in an object store: Amazon S3, and whatever speaks as it does.
//!
//! [`Store`] is given to an export, and opens or makes objects by their addresses, as in
//! `s3://bucket/folder/film.mkv`. A film is read by ranges of its bytes, of which a few are kept in memory;
//! all of them are of the object that was opened, because each request names its ETag. An object is made in
//! one step, and where it is not to replace another, the server itself sees to that (`If-None-Match`), so
//! that of two writers one wins.
//!
//! Who may do what is told as with other programs: by the variables `AWS_…` of the environment, by the files
//! `~/.aws/credentials` and `~/.aws/config`, or by the machine's own role. Nothing of it is written or
//! printed.
//!
//! ```no_run
//! # use retake_objects::Store;
//! # fn run(encoder: std::sync::Arc<dyn retake::EncoderFactory>) -> Result<(), Box<dyn std::error::Error>> {
//! let export = retake::Export::builder("s3://films/film.mkv", "s3://films/film.mp4", encoder)
//!     .objects(Store::from_environment())
//!     .build();
//! export.run()?;
//! # Ok(())
//! # }
//! ```

mod address;
mod blocks;
mod bucket;
mod credentials;
mod reading;
mod store;
mod words;

pub use store::{Settings, Store};
