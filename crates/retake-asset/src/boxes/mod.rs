//! This module makes the few boxes of ISO files that libavformat cannot write as a session needs them: edit
//! lists that begin and end where the session does, composition offsets once the depth of reordering is
//! known, and fields that its interface has no name for.

pub(crate) mod edit;
pub(crate) mod entry;
pub(crate) mod file;
pub(crate) mod fragment;
pub(crate) mod metadata;
pub(crate) mod movie;
pub(crate) mod tree;
