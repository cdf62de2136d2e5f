//! Tables and properties of the classification.
