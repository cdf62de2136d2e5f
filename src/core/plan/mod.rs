//! The ordered edits that answer drifts. Pure.
