//! The engine driven without sockets, clocks or threads.

mod delivery;
mod matching;
mod sessions;
mod support;
