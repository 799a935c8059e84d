// Linked into test programs that use RocksDB and run under the thread sanitizer. The distribution's RocksDB is not
// built with it, so its atomics are not seen, and whatever it frees on its own threads looks like a race. Reports with
// a frame inside RocksDB, or inside zstd whose contexts it shares, are left out; everything between our own threads is
// checked.
extern "C" const char* __tsan_default_suppressions();
extern "C" const char* __tsan_default_suppressions() { return "race:librocksdb.so\nrace:libzstd.so\n"; }
