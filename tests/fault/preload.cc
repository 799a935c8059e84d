// Preloaded into the real binary by the fault tests: stands between the process and the files below one folder, and
// does to them what a crash, a power loss or a bad disk would do. What it does is told to it, while it runs, through a
// mapped file of 64-bit integers (Control); tests/fault/faults.py has the other side.
//
// It calls the kernel itself instead of the C library, so that it needs no symbol of what it replaces.
#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#include <atomic>
#include <map>
#include <mutex>
#include <shared_mutex>
#include <string>
#include <vector>

namespace {

// What is being written, told from the path. faults.py has the same list.
enum Phase {
  kLogWrite,        // the log's write-ahead file: what an acknowledgement waits for
  kLogFlush,        // the log's tables and manifest
  kStateFlush,      // tables of the users' and items' state
  kStateCommit,     // the manifest that says which tables, and so which offsets, the state has
  kCatalogWrite,    // the catalog store
  kSnapshotSwap,    // a snapshot being written and published
  kModelPublish,    // a trained model being written and published
  kImportPosition,  // how far an import has come
  kOther,
  kPhases
};

// The control block, one slot of 8 bytes each.
struct Control {
  std::atomic<int64_t> armed;           // mask of phases whose calls count down
  std::atomic<int64_t> countdown;       // the call at which it reaches 0 is the last one
  std::atomic<int64_t> moment;          // 0: before that call, 1: in the middle of its bytes, 2: after it
  std::atomic<int64_t> power_loss;      // 1: what was not synced is lost, too
  std::atomic<int64_t> seed;            // of what is lost
  std::atomic<int64_t> died_in_phase;   // phase + 1
  std::atomic<int64_t> died_in_op;      // Op + 1
  std::atomic<int64_t> full;            // mask of phases whose disk is full
  std::atomic<int64_t> sync_fails;      // mask of phases whose fsync fails
  std::atomic<int64_t> sync_us;         // an fsync takes so much longer
  std::atomic<int64_t> clock_us;        // added to the wall clock
  std::atomic<int64_t> short_writes;    // 1: every write is cut in half, so that the caller has to go on
  std::atomic<int64_t> calls[kPhases];  // seen so far
};

enum Op { kWrite, kSync, kRename, kCreate, kUnlink };

struct File {
  std::string path;
  Phase phase = kOther;
  bool folder = false;
  uint64_t size = 0, synced = 0;
};

// A change of a folder that an fsync of the folder has not made durable yet.
struct FolderChange {
  Op op;
  std::string path, from, kept;  // `kept`: where the file that was replaced or removed still is
};

Control* control = nullptr;
std::string* root = nullptr;
constexpr int kDescriptors = 1 << 16;
std::atomic<File*> descriptors[kDescriptors];
std::shared_mutex* world = nullptr;  // held by every call on a file; taken for good when the power goes
std::mutex* tables = nullptr;        // of what follows
std::map<std::string, File*>* files = nullptr;
std::map<std::string, std::vector<FolderChange>>* folder_changes = nullptr;
uint64_t kept_files = 0;
int (*real_clock_gettime)(clockid_t, timespec*) = nullptr;

bool Has(const std::string& path, const char* part) { return path.find(part) != std::string::npos; }

Phase PhaseOf(const std::string& path) {
  const bool manifest = Has(path, "/MANIFEST-") || Has(path, "/CURRENT") || Has(path, ".dbtmp");
  if (Has(path, "/LOG")) return kOther;  // RocksDB's own text log
  const std::string name = path.substr(path.rfind('/') + 1);
  if (Has(path, "/state/events")) return manifest ? kStateCommit : name.ends_with(".sst") ? kStateFlush : kOther;
  if (Has(path, "/state/catalog")) return kCatalogWrite;
  if (Has(path, "/log/")) return name.ends_with(".log") ? kLogWrite : kLogFlush;
  if (Has(path, "/artifacts/snapshot")) return kSnapshotSwap;
  if (Has(path, "/artifacts/cf")) return kModelPublish;
  if (Has(path, "/imports/")) return kImportPosition;
  return kOther;
}

bool Watched(const char* path) {
  return control != nullptr && path != nullptr && strncmp(path, root->c_str(), root->size()) == 0;
}

std::string FolderOf(const std::string& path) { return path.substr(0, path.rfind('/')); }

uint64_t Random() {
  uint64_t x = static_cast<uint64_t>(control->seed.load()) + 0x9e3779b97f4a7c15ULL;
  control->seed = static_cast<int64_t>(x);
  x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9ULL;
  x = (x ^ (x >> 27)) * 0x94d049bb133111ebULL;
  return x ^ (x >> 31);
}

void Undo(const FolderChange& change) {
  if (change.op == kCreate) syscall(SYS_unlinkat, AT_FDCWD, change.path.c_str(), 0);
  if (change.op == kRename) syscall(SYS_renameat2, AT_FDCWD, change.path.c_str(), AT_FDCWD, change.from.c_str(), 0);
  if (!change.kept.empty()) syscall(SYS_renameat2, AT_FDCWD, change.kept.c_str(), AT_FDCWD, change.path.c_str(), 0);
}

// Leaves on the disk what a power loss might: of each file its synced bytes and some of the others, of each folder some
// of the changes since its last fsync, in their order.
void LosePower() {
  for (const auto& [path, file] : *files) {
    if (file->size <= file->synced) continue;
    const uint64_t keep = file->synced + Random() % (file->size - file->synced + 1);
    // The length is there, the bytes are not. Not of a manifest: RocksDB refuses one that ends so, and file systems
    // that set a file's length after its bytes (ext4 in its default mode, XFS) leave none.
    if (Random() % 4 == 0 && !Has(path, "/MANIFEST-")) {
      const int fd = static_cast<int>(syscall(SYS_openat, AT_FDCWD, path.c_str(), O_WRONLY, 0));
      const std::string zeros(file->size - keep, '\0');
      syscall(SYS_pwrite64, fd, zeros.data(), zeros.size(), keep);
      syscall(SYS_close, fd);
    } else {
      syscall(SYS_truncate, path.c_str(), keep);
    }
  }
  for (auto& [folder, changes] : *folder_changes) {
    const size_t keep = Random() % (changes.size() + 1);
    for (size_t i = changes.size(); i-- > keep;) Undo(changes[i]);
  }
}

[[noreturn]] void Die(Phase phase, Op op) {
  control->died_in_op = op + 1;
  control->died_in_phase = phase + 1;
  if (control->power_loss.load() != 0) {
    world->lock();  // waits for calls that are under way; later ones wait for ever
    tables->lock();
    LosePower();
  }
  syscall(SYS_kill, getpid(), SIGKILL);
  for (;;) pause();
}

// Counts a call; true if it is the last one.
bool Due(Phase phase) {
  control->calls[phase].fetch_add(1);
  return (control->armed.load() >> phase & 1) != 0 && control->countdown.fetch_sub(1) == 1;
}

bool In(const std::atomic<int64_t>& mask, Phase phase) { return (mask.load() >> phase & 1) != 0; }

File* FileOf(int fd) { return fd >= 0 && fd < kDescriptors ? descriptors[fd].load() : nullptr; }

// Runs one call on a watched thing. The lock is not held where the process ends.
template <typename F>
long Call(Phase phase, Op op, const F& call) {
  const bool due = Due(phase);
  const int64_t moment = control->moment.load();
  if (due && moment != 2 && !(moment == 1 && op == kWrite)) Die(phase, op);
  long result;
  int error;
  {
    const std::shared_lock lock(*world);
    result = call(due && moment == 1);
    error = errno;
  }
  if (due) Die(phase, op);
  errno = error;
  return result;
}

void Grow(File* file, uint64_t end) {
  const std::lock_guard lock(*tables);
  if (end > file->size) file->size = end;
}

void NoteChange(FolderChange change) {
  const std::string folder = FolderOf(change.path);
  (*folder_changes)[folder].push_back(std::move(change));
}

// A second name for a file that is about to lose its own, in a folder beside the root.
std::string Keep(const std::string& path) {
  if (control->power_loss.load() == 0 || access(path.c_str(), F_OK) != 0) return {};
  const std::string kept = *root + ".unsynced/" + std::to_string(getpid()) + "-" + std::to_string(kept_files++);
  return syscall(SYS_linkat, AT_FDCWD, path.c_str(), AT_FDCWD, kept.c_str(), 0) == 0 ? kept : std::string();
}

int Open(int at, const char* path, int flags, mode_t mode) {
  if (!Watched(path)) return static_cast<int>(syscall(SYS_openat, at, path, flags, mode));
  const std::string name = path;
  const Phase phase = PhaseOf(name);
  if ((flags & O_ACCMODE) != O_RDONLY && (flags & O_CREAT) != 0 && In(control->full, phase)) {
    errno = ENOSPC;
    return -1;
  }
  const std::shared_lock lock(*world);
  const std::lock_guard table_lock(*tables);
  const bool created = (flags & O_CREAT) != 0 && access(path, F_OK) != 0;
  const int fd = static_cast<int>(syscall(SYS_openat, at, path, flags, mode));
  if (fd < 0 || fd >= kDescriptors) return fd;
  struct stat about {};
  fstat(fd, &about);
  if (!S_ISREG(about.st_mode) && !S_ISDIR(about.st_mode)) return fd;
  if (created) NoteChange({kCreate, name, {}, {}});
  File*& file = (*files)[name];
  if (file == nullptr || created || (flags & O_TRUNC) != 0) {
    file = new File{name, phase, S_ISDIR(about.st_mode), 0, 0};  // kept until the process ends
    file->size = file->synced = static_cast<uint64_t>(about.st_size);
    if (file->folder) file->size = file->synced = 0;
  }
  descriptors[fd] = file;
  return fd;
}

long WriteTo(int fd, const iovec* parts, int count, off_t offset, bool positioned) {
  const auto plain = [&](const iovec* from, int n) {
    return positioned ? syscall(SYS_pwritev, fd, from, n, offset, 0) : syscall(SYS_writev, fd, from, n);
  };
  File* file = FileOf(fd);
  if (file == nullptr || file->folder) return plain(parts, count);
  return Call(file->phase, kWrite, [&](bool half) -> long {
    if (In(control->full, file->phase)) {
      errno = ENOSPC;
      return -1;
    }
    long written;
    if ((half || control->short_writes.load() != 0) && count > 0 && parts[0].iov_len > 1) {
      const iovec part{parts[0].iov_base, parts[0].iov_len / 2};
      written = plain(&part, 1);
    } else {
      written = plain(parts, count);
    }
    if (written > 0) {
      const off_t end = positioned ? offset + written : lseek(fd, 0, SEEK_CUR);
      Grow(file, static_cast<uint64_t>(end));
    }
    return written;
  });
}

int Sync(int fd, long number) {
  File* file = FileOf(fd);
  if (file == nullptr) return static_cast<int>(syscall(number, fd));
  const Phase phase = file->phase;
  return static_cast<int>(Call(phase, kSync, [&](bool) -> long {
    if (const int64_t us = control->sync_us.load(); us > 0) usleep(static_cast<useconds_t>(us));
    if (In(control->sync_fails, phase)) {
      errno = EIO;
      return -1;
    }
    uint64_t size;
    {
      const std::lock_guard lock(*tables);
      size = file->size;
    }
    const long result = syscall(number, fd);
    if (result != 0) return result;
    const std::lock_guard lock(*tables);
    if (size > file->synced) file->synced = size;
    if (file->folder) {
      std::string folder = file->path;
      while (folder.size() > 1 && folder.back() == '/') folder.pop_back();
      for (const FolderChange& change : (*folder_changes)[folder]) {
        if (!change.kept.empty()) syscall(SYS_unlinkat, AT_FDCWD, change.kept.c_str(), 0);
      }
      (*folder_changes)[folder].clear();
    }
    return result;
  }));
}

int Rename(const char* from, const char* to) {
  if (!Watched(to)) return static_cast<int>(syscall(SYS_renameat2, AT_FDCWD, from, AT_FDCWD, to, 0));
  return static_cast<int>(Call(PhaseOf(to), kRename, [&](bool) -> long {
    const std::lock_guard lock(*tables);
    const std::string kept = Keep(to);
    const long result = syscall(SYS_renameat2, AT_FDCWD, from, AT_FDCWD, to, 0);
    if (result != 0) return result;
    NoteChange({kRename, to, from, kept});
    if (const auto found = files->find(from); found != files->end()) {
      File* file = found->second;
      files->erase(found);
      file->path = to;
      (*files)[to] = file;
    }
    return result;
  }));
}

int Unlink(const char* path) {
  if (!Watched(path)) return static_cast<int>(syscall(SYS_unlinkat, AT_FDCWD, path, 0));
  return static_cast<int>(Call(PhaseOf(path), kUnlink, [&](bool) -> long {
    const std::lock_guard lock(*tables);
    const std::string kept = Keep(path);
    const long result = syscall(SYS_unlinkat, AT_FDCWD, path, 0);
    if (result != 0) return result;
    NoteChange({kUnlink, path, {}, kept});
    files->erase(path);
    return result;
  }));
}

__attribute__((constructor)) void Begin() {
  const char* folder = getenv("FAULT_ROOT");
  const char* block = getenv("FAULT_CONTROL");
  if (folder == nullptr || block == nullptr) return;
  const int fd = static_cast<int>(syscall(SYS_openat, AT_FDCWD, block, O_RDWR, 0));
  if (fd < 0) return;
  void* mapped = mmap(nullptr, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  syscall(SYS_close, fd);
  if (mapped == MAP_FAILED) return;
  root = new std::string(folder);
  world = new std::shared_mutex();
  tables = new std::mutex();
  files = new std::map<std::string, File*>();
  folder_changes = new std::map<std::string, std::vector<FolderChange>>();
  real_clock_gettime = reinterpret_cast<int (*)(clockid_t, timespec*)>(dlsym(RTLD_NEXT, "clock_gettime"));
  control = static_cast<Control*>(mapped);
}

}  // namespace

extern "C" {

int open(const char* path, int flags, ...) {
  va_list arguments;
  va_start(arguments, flags);
  const mode_t mode = (flags & (O_CREAT | O_TMPFILE)) != 0 ? va_arg(arguments, mode_t) : 0;
  va_end(arguments);
  return Open(AT_FDCWD, path, flags, mode);
}
int open64(const char* path, int flags, ...) {
  va_list arguments;
  va_start(arguments, flags);
  const mode_t mode = (flags & (O_CREAT | O_TMPFILE)) != 0 ? va_arg(arguments, mode_t) : 0;
  va_end(arguments);
  return Open(AT_FDCWD, path, flags, mode);
}
int openat(int at, const char* path, int flags, ...) {
  va_list arguments;
  va_start(arguments, flags);
  const mode_t mode = (flags & (O_CREAT | O_TMPFILE)) != 0 ? va_arg(arguments, mode_t) : 0;
  va_end(arguments);
  return Open(at, path, flags, mode);
}
int openat64(int at, const char* path, int flags, ...) {
  va_list arguments;
  va_start(arguments, flags);
  const mode_t mode = (flags & (O_CREAT | O_TMPFILE)) != 0 ? va_arg(arguments, mode_t) : 0;
  va_end(arguments);
  return Open(at, path, flags, mode);
}
int close(int fd) {
  if (fd >= 0 && fd < kDescriptors) descriptors[fd] = nullptr;
  return static_cast<int>(syscall(SYS_close, fd));
}

ssize_t write(int fd, const void* bytes, size_t size) {
  if (FileOf(fd) == nullptr) return syscall(SYS_write, fd, bytes, size);
  const iovec part{const_cast<void*>(bytes), size};
  return WriteTo(fd, &part, 1, 0, false);
}
ssize_t writev(int fd, const iovec* parts, int count) {
  if (FileOf(fd) == nullptr) return syscall(SYS_writev, fd, parts, count);
  return WriteTo(fd, parts, count, 0, false);
}
ssize_t pwrite(int fd, const void* bytes, size_t size, off_t offset) {
  if (FileOf(fd) == nullptr) return syscall(SYS_pwrite64, fd, bytes, size, offset);
  const iovec part{const_cast<void*>(bytes), size};
  return WriteTo(fd, &part, 1, offset, true);
}
ssize_t pwrite64(int fd, const void* bytes, size_t size, off_t offset) { return pwrite(fd, bytes, size, offset); }

int fsync(int fd) { return Sync(fd, SYS_fsync); }
int fdatasync(int fd) { return Sync(fd, SYS_fdatasync); }

int ftruncate(int fd, off_t size) {
  if (File* file = FileOf(fd); file != nullptr) {
    const std::lock_guard lock(*tables);
    // Cutting off what was reserved is no loss; cutting off what was written is.
    file->size = static_cast<uint64_t>(size);
    if (file->synced > file->size) file->synced = file->size;
  }
  return static_cast<int>(syscall(SYS_ftruncate, fd, size));
}
int ftruncate64(int fd, off_t size) { return ftruncate(fd, size); }

int fallocate(int fd, int mode, off_t offset, off_t size) {
  if (const File* file = FileOf(fd); file != nullptr && In(control->full, file->phase)) {
    errno = ENOSPC;
    return -1;
  }
  return static_cast<int>(syscall(SYS_fallocate, fd, mode, offset, size));
}
int fallocate64(int fd, int mode, off_t offset, off_t size) { return fallocate(fd, mode, offset, size); }

int rename(const char* from, const char* to) { return Rename(from, to); }
int unlink(const char* path) { return Unlink(path); }

int statvfs(const char* path, struct statvfs* out) {
  static const auto real = reinterpret_cast<int (*)(const char*, struct statvfs*)>(dlsym(RTLD_NEXT, "statvfs64"));
  const int result = real(path, out);
  if (result == 0 && Watched(path) && control->full.load() != 0) out->f_bavail = out->f_bfree = 0;
  return result;
}
int statvfs64(const char* path, struct statvfs64* out) { return statvfs(path, reinterpret_cast<struct statvfs*>(out)); }

int clock_gettime(clockid_t clock, timespec* out) {
  if (real_clock_gettime == nullptr) return static_cast<int>(syscall(SYS_clock_gettime, clock, out));
  const int result = real_clock_gettime(clock, out);
  if (result != 0 || (clock != CLOCK_REALTIME && clock != CLOCK_REALTIME_COARSE)) return result;
  if (const int64_t us = control->clock_us.load(); us != 0) {
    const int64_t ns = out->tv_sec * 1'000'000'000 + out->tv_nsec + us * 1'000;
    out->tv_sec = ns / 1'000'000'000;
    out->tv_nsec = ns % 1'000'000'000;
  }
  return result;
}
int gettimeofday(timeval* out, void* /*zone*/) {
  timespec now{};
  clock_gettime(CLOCK_REALTIME, &now);
  out->tv_sec = now.tv_sec;
  out->tv_usec = now.tv_nsec / 1000;
  return 0;
}
time_t time(time_t* out) {
  timespec now{};
  clock_gettime(CLOCK_REALTIME, &now);
  if (out != nullptr) *out = now.tv_sec;
  return now.tv_sec;
}

}  // extern "C"
