//! How a line of the table is read. Fields come in this order, each where there is something to say:
//!
//! * `kind: Count`: what values are; true or false where there is none.
//! * `range: 0 to 300`: least and greatest value of a number, before an encoder narrows it.
//! * `unit: "frames"`: what a number counts.
//! * `class: Between`: it may also be set between frames.
//! * `saved: false`: saved settings do not hold it.
//! * `on: "x264, x265"`: the encoders that have it, where that is not all. A test compares this with what
//!   they say.
//! * `support: |environment| ..`: which values an encoder takes in a kind of session.
//! * `default: 0`, or `chosen: |environment| .. => "in words"`: what holds while it is not set.

/// The row of a line: one that is made already, with its facts and fields.
macro_rules! row {
    (
        $row:expr; $facts:expr;
        $(kind: $kind:ident $(($size:literal))?,)?
        $(range: $least:literal to $most:literal,)?
        $(unit: $unit:literal,)?
        $(class: $class:ident,)?
        $(saved: $saved:literal,)?
        $(on: $on:literal,)?
        $(support: $support:expr,)?
        $(default: $default:literal,)?
        $(chosen: $chosen:expr => $words:literal,)?
    ) => {
        Row {
            facts: $facts,
            $(kind: Kind::$kind $(($size))?,)?
            $(range: Some(($least as f64, $most as f64)),)?
            $(unit: $unit,)?
            $(class: Class::$class,)?
            $(saved: $saved,)?
            $(encoders: $on,)?
            $(support: $support,)?
            $(default: |_| Some(PropertyValue::from($default)),)?
            $(default: $chosen,)?
            ..$row
        }
    };
}

/// What a line says, as a list for rustdoc.
macro_rules! facts {
    (
        $access:ident;
        $(kind: $kind:ident $(($size:literal))?,)?
        $(range: $least:literal to $most:literal,)?
        $(unit: $unit:literal,)?
        $(class: $class:ident,)?
        $(saved: $saved:literal,)?
        $(on: $on:literal,)?
        $(support: $support:expr,)?
        $(default: $default:literal,)?
        $(chosen: $chosen:expr => $words:literal,)?
    ) => {
        concat!(
            "* Values: ", facts!(@kind $($kind $($size)?)?),
            $(", ", stringify!($least), " to ", stringify!($most),)? $(", in ", $unit,)? ".\n",
            "* Default: ", facts!(@default $($default)? $($words)?), ".\n",
            "* Set: ", facts!(@class $access $($class)?), ".\n",
            "* Encoders: ", facts!(@on $($on)?), "."
        )
    };
    (@kind) => { "true or false" };
    (@kind Count) => { "whole numbers" };
    (@kind Rate) => { "whole numbers" };
    (@kind Number) => { "numbers" };
    (@kind Enumeration) => { "words of a list, which the supported properties tell" };
    (@kind Text) => { "text" };
    (@kind Array) => { "an array" };
    (@kind Bytes) => { "bytes" };
    (@kind Data $size:literal) => { concat!(stringify!($size), " bytes") };
    (@kind Dictionary) => { "a dictionary" };
    (@kind Object) => { "an object" };
    (@default) => { "no value" };
    (@default $default:literal) => { $default };
    (@on) => { "all" };
    (@on $on:literal) => { $on };
    (@class read_only) => { "never" };
    (@class writable) => { "before the first frame" };
    (@class writable Between) => { "before the first frame and between frames" };
}

pub(super) use {facts, row};
