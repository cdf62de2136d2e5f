//! Files headcount owns: the locked manifest, journal, state. Never interprets the manifest.
