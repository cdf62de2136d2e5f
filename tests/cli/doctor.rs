//! `headcount doctor`: whether this machine will do.
