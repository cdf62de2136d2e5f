//! How this process gets and keeps its memory. Owns the calls that say so.

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

/// From here on this process takes its memory in large pieces and gives none back: for a command that ends soon.
///
/// glibc asks for 128 KiB at a time, returns what is free at the end, and the kernel clears it page by page as it is touched. Over
/// 1,000 sessions that is a fifth of what `diff` costs. Memory that is not touched costs nothing.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
#[allow(unsafe_code)]
pub(crate) fn expand() {
    const PIECE: libc::c_int = 64 << 20;
    const LARGE_PAGE: usize = 2 << 20;
    // SAFETY: mallopt takes two integers and its own lock; it refuses what it does not know. sbrk(0) only tells where the heap ends,
    // and madvise changes nothing but how its pages are provided.
    unsafe {
        let begin = libc::sbrk(0) as usize;
        let is_set =
            [(libc::M_TOP_PAD, PIECE), (libc::M_TRIM_THRESHOLD, libc::c_int::MAX), (libc::M_MMAP_THRESHOLD, PIECE / 2)]
                .iter()
                .all(|(option, value)| libc::mallopt(*option, *value) == 1);
        if !is_set {
            return;
        }
        // Larger than what is left of the first piece, so that the next one is asked for now.
        drop(std::hint::black_box(Vec::<u8>::with_capacity(LARGE_PAGE)));
        let (begin, end) = (begin.next_multiple_of(LARGE_PAGE), libc::sbrk(0) as usize);
        if end > begin {
            libc::madvise(begin as *mut libc::c_void, end - begin, libc::MADV_HUGEPAGE);
        }
    }
}

/// Other allocators are left as they are.
#[cfg(not(all(target_os = "linux", target_env = "gnu")))]
pub(crate) fn share() {}

/// Other allocators are left as they are.
#[cfg(not(all(target_os = "linux", target_env = "gnu")))]
pub(crate) fn expand() {}
