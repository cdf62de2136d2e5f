//! Agent adapters, one file per agent. They read what agents leave on disk, read-only, and never write, move or delete any of it.
