//! How this process keeps the memory it has used. Owns the one call that says so; never allocates.

/// From here on all threads share one heap.
///
/// glibc gives threads heaps of their own, eight a processor, and keeps what each once held. Every pass of a watch has threads for a
/// moment, so that comes to several times what one pass needs: over 5,000 entries 138 MB instead of 75. Sharing costs nothing that can
/// be measured.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
#[allow(unsafe_code)]
pub(crate) fn share() {
    // SAFETY: mallopt takes two integers and its own lock. It refuses what it does not know.
    unsafe {
        libc::mallopt(libc::M_ARENA_MAX, 1);
    }
}

/// Other allocators are left as they are.
#[cfg(not(all(target_os = "linux", target_env = "gnu")))]
pub(crate) fn share() {}
