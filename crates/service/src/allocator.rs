//! The allocator of static binaries: musl's own takes nearly three times the CPU, and one lock for all threads.

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;
