//! From a plan to a record: build, drive, observe, judge.

pub mod record;
