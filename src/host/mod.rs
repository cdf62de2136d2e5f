//! Where commands run and processes are read. Never interprets what it reads.
