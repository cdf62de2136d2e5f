//! The loop: a pass from manifest to report. The only place that joins the adapters to the decisions.

pub mod observe;
pub mod pass;
