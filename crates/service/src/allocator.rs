//! The allocator of static binaries: musl's own takes one lock for all threads.

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;
