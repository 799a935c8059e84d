// What jemalloc reads as a program starts (jemalloc(3), TUNING). A server's memory is bounded by budgets of live bytes;
// what the allocator keeps beside them is given back within a second, by a thread of its own, and an arena a core holds
// less of it than the four a core that are its default.
// NOLINTNEXTLINE(readability-identifier-naming): the name is jemalloc's.
extern "C" const char* malloc_conf;
const char* malloc_conf = "background_thread:true,percpu_arena:percpu,dirty_decay_ms:1000,muzzy_decay_ms:0";
