//! Multiplexer adapters. They list; they never start, stop or type into anything.
