//! This module makes the few boxes of ISO files that libavformat cannot write as a session needs them: edit
//! lists that begin and end where the session does, composition offsets once the depth of reordering is
//! known, fields that its interface has no name for, and the description of tracks whose media it does not
//! know.

pub(crate) mod description;
pub(crate) mod edit;
pub(crate) mod entry;
pub(crate) mod file;
pub(crate) mod fragment;
pub(crate) mod metadata;
pub(crate) mod movie;
pub(crate) mod tree;
