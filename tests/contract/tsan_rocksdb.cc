// Linked into test programs that use RocksDB and run under the thread sanitizer. The distribution's RocksDB is not
// built with it, so its atomics are not seen, and whatever it frees on its own threads looks like a race. Reports with
// a frame inside RocksDB, or inside zstd whose contexts it shares, are left out; everything between our own threads is
// checked. On a thread of RocksDB's own, what it appends to a string shows the C++ library's frame alone; that one is
// left out, too (a race of ours about a string shows where the string is read).
extern "C" const char* __tsan_default_suppressions();
extern "C" const char* __tsan_default_suppressions() {
  return "race:librocksdb.so\n"
         "race:libzstd.so\n"
         "race:^std::__cxx11::basic_string<char, std::char_traits<char>, std::allocator<char> >::_M_append\n";
}
