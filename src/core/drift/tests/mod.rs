//! Tables and properties of the classification, over a small language of worlds.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod continued;
mod delegated;
mod doubt;
mod histories;
mod identity;
mod order;
mod properties;
mod remember;
mod renames;
mod settle;
mod vantage;
mod world;
