#![no_main]
retake_fuzz::target!(elements);
