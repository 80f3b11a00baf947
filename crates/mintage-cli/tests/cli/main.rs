//! The command from outside, as a user meets it: exit code, stdout, stderr, and what lies on disk afterwards.
//! One binary, because every further one would link the whole program again.

// Signals and `sh`.
#![cfg(unix)]
#![allow(clippy::unwrap_used, clippy::disallowed_methods)]

mod audio;
mod customers;
mod database;
mod database_runs;
mod database_server;
mod errors;
mod errors_model;
mod errors_recipe;
mod help;
mod helpers;
mod http;
mod journey;
mod judging;
mod judging_others;
mod keep;
mod keys;
mod mask;
mod postgres;
mod readme;
mod resume;
mod safety;
mod sequences;
#[path = "../../../mintage-data/tests/common/server.rs"]
mod server;
mod strangers;
mod sweep;
mod table;
mod video;
mod writing;
