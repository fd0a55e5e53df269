//! From a capture to an account of every frame in it. Pure: bytes in, facts out.

pub mod audit;
