/* io: preloaded into Hercules and dsmd: records every change of a file below RECORDER_ROOT that is not yet synced, with what was there
 * before, so that page_cache.py can afterwards make the files what they might be had the host lost its page cache. The record is in a
 * mapped file outside (RECORDER_LOG) and survives SIGKILL. Uses none of the product's code. Nothing is recorded without both variables.
 * Not seen: writes by stdio (dsmd's hard copy), mapped files (common storage: it is gone with its host anyway). */
#define _GNU_SOURCE
#include "recorder_log.h"

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#define MAX_FILES 4096

static struct recorder_header* header;
static struct recorder_record* records;
static char* heap;
static char root[PATH_MAX], keep[PATH_MAX];
static int lies; /* RECORDER_LIES: a planted bug, syncs that do nothing: what they cover is lost with the rest */
static size_t root_length;

static struct {
  dev_t device;
  ino_t inode;
  int ours;
} files[MAX_FILES];
static int file_count;
static pthread_mutex_t file_mutex = PTHREAD_MUTEX_INITIALIZER;

#define REAL(name) ((__typeof__(&name))real(#name))
static void* real(const char* name) {
  void* found = dlsym(RTLD_NEXT, name);
  if (!found) abort();
  return found;
}

__attribute__((constructor)) static void map_log(void) {
  const char *log = getenv("RECORDER_LOG"), *below = getenv("RECORDER_ROOT");
  struct stat status;
  int fd;
  void* at;
  if (!log || !below || !realpath(below, root)) return;
  root_length = strlen(root);
  lies = getenv("RECORDER_LIES") != NULL;
  snprintf(keep, sizeof keep, "%.*s/.recorder", (int)(sizeof keep - 16), root);
  mkdir(keep, 0700);
  fd = REAL(open)(log, O_RDWR | O_CLOEXEC);
  if (fd < 0 || fstat(fd, &status) != 0) abort();
  at = mmap(NULL, (size_t)status.st_size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  close(fd);
  if (at == MAP_FAILED) abort();
  header = at;
  if (memcmp(header->magic, RECORDER_MAGIC, 8) != 0) abort();
  records = (struct recorder_record*)((char*)at + header->records_offset);
  heap = (char*)at + header->heap_offset;
}

static uint64_t tick(void) { return atomic_fetch_add(&header->tick, 1) + 1; }

static struct recorder_record* begin(enum recorder_kind kind, const struct stat* file, uint64_t payload) {
  uint64_t number = atomic_fetch_add(&header->next_record, 1), at = 0;
  struct recorder_record* r;
  if (payload) at = atomic_fetch_add(&header->next_heap, (payload + 7u) & ~7ull);
  if (number >= header->record_count || at + payload > header->heap_bytes) {
    atomic_fetch_add(&header->dropped, 1);
    return NULL;
  }
  r = &records[number];
  r->kind = kind;
  r->device = file ? file->st_dev : 0;
  r->inode = file ? file->st_ino : 0;
  r->heap = at;
  r->heap_length = payload;
  r->begun = tick();
  return r;
}

static void publish(struct recorder_record* r) {
  if (r) atomic_store_explicit(&r->published, 1, memory_order_release);
}
static void done(struct recorder_record* r, int good) {
  if (r && good) atomic_store_explicit(&r->done, tick(), memory_order_release);
}

static struct recorder_record* text_record(enum recorder_kind kind, const struct stat* file, const char* one, const char* two,
                                           const char* three) {
  size_t a = strlen(one) + 1, b = two ? strlen(two) + 1 : 0, c = three ? strlen(three) + 1 : 0;
  struct recorder_record* r = begin(kind, file, a + b + c);
  if (!r) return NULL;
  memcpy(heap + r->heap, one, a);
  if (b) memcpy(heap + r->heap + a, two, b);
  if (c) memcpy(heap + r->heap + a + b, three, c);
  publish(r);
  return r;
}

static int below_root(const char* path) {
  return strncmp(path, root, root_length) == 0 && path[root_length] == '/' && strncmp(path, keep, strlen(keep)) != 0;
}

/* The absolute path that `path` names, its last component not followed; 0 when its folder does not exist or is not ours. */
static int ours_by_path(int folder, const char* path, char* into) {
  char copy[PATH_MAX], directory[PATH_MAX];
  char* slash;
  if (!header || (folder != AT_FDCWD && path[0] != '/')) return 0;
  snprintf(copy, sizeof copy, "%s", path);
  slash = strrchr(copy, '/');
  if (slash) *slash = 0;
  if (!realpath(slash ? (slash == copy ? "/" : copy) : ".", directory)) return 0;
  if (snprintf(into, PATH_MAX, "%s/%s", directory, slash ? slash + 1 : copy) >= PATH_MAX) return 0;
  return below_root(into);
}

/* A regular file below the root, told by its inode: a descriptor number may be another file's by now. */
static int ours(int fd, struct stat* status) {
  char link[64], path[PATH_MAX];
  ssize_t length;
  int i, found = -1;
  if (!header || fstat(fd, status) != 0 || !S_ISREG(status->st_mode)) return 0;
  pthread_mutex_lock(&file_mutex);
  for (i = 0; i < file_count && found < 0; ++i)
    if (files[i].inode == status->st_ino && files[i].device == status->st_dev) found = files[i].ours;
  if (found < 0) {
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    length = readlink(link, path, sizeof path - 1);
    path[length > 0 ? length : 0] = 0;
    found = below_root(path);
    if (file_count < MAX_FILES) {
      files[file_count].device = status->st_dev;
      files[file_count].inode = status->st_ino;
      files[file_count++].ours = found;
    } else {
      atomic_fetch_add(&header->dropped, 1);
    }
    if (found) text_record(RECORDER_PATH, status, path, NULL, NULL);
  }
  pthread_mutex_unlock(&file_mutex);
  return found;
}

/* What is in the file now, from `from` to `to`; what lies behind its end is zero. The heap is born as zeros. */
static void read_before(int fd, struct recorder_record* r, uint64_t from, uint64_t to) {
  char link[64];
  int reader = fd;
  uint64_t at = from;
  if ((fcntl(fd, F_GETFL) & O_ACCMODE) == O_WRONLY) {
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    reader = REAL(open)(link, O_RDONLY | O_CLOEXEC);
  }
  while (at < to) {
    ssize_t n = pread(reader, heap + r->heap + (at - from), to - at, (off_t)at);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) atomic_fetch_add(&header->dropped, 1);
    if (n <= 0) break;
    at += (uint64_t)n;
  }
  if (reader != fd) close(reader);
}

static struct recorder_record* before_write(int fd, uint64_t offset, uint64_t length) {
  struct stat status;
  struct recorder_record* r;
  uint64_t from = offset / RECORDER_SECTOR * RECORDER_SECTOR;
  uint64_t to = (offset + length + RECORDER_SECTOR - 1) / RECORDER_SECTOR * RECORDER_SECTOR;
  int error = errno;
  if (length == 0 || !ours(fd, &status)) return NULL;
  r = begin(RECORDER_WRITE, &status, to - from);
  if (r) {
    r->offset = offset;
    r->length = length;
    r->a = (uint64_t)status.st_size;
    read_before(fd, r, from, to);
    publish(r);
  }
  errno = error;
  return r;
}

static uint64_t position(int fd) {
  off_t at = fcntl(fd, F_GETFL) & O_APPEND ? lseek(fd, 0, SEEK_END) : lseek(fd, 0, SEEK_CUR);
  return at < 0 ? 0 : (uint64_t)at;
}

static struct recorder_record* before_size(int fd, uint64_t size, int allocates) {
  struct stat status;
  struct recorder_record* r;
  uint64_t old;
  if (!ours(fd, &status)) return NULL;
  old = (uint64_t)status.st_size;
  if (allocates && size < old) size = old;
  r = begin(RECORDER_SIZE, &status, size < old ? old - size : 0);
  if (!r) return NULL;
  r->offset = size < old ? size : old;
  r->a = old;
  r->b = size;
  if (size < old) read_before(fd, r, size, old);
  publish(r);
  return r;
}

/* ---- what is preloaded ------------------------------------------------------------------------------------------------ */

ssize_t write(int fd, const void* bytes, size_t count) {
  struct stat status;
  struct recorder_record* r = header && fstat(fd, &status) == 0 && S_ISREG(status.st_mode) ? before_write(fd, position(fd), count) : NULL;
  ssize_t n = REAL(write)(fd, bytes, count);
  done(r, n > 0);
  return n;
}

ssize_t pwrite(int fd, const void* bytes, size_t count, off_t offset) {
  struct recorder_record* r = before_write(fd, (uint64_t)offset, count);
  ssize_t n = REAL(pwrite)(fd, bytes, count, offset);
  done(r, n > 0);
  return n;
}
ssize_t pwrite64(int fd, const void* bytes, size_t count, off64_t offset) { return pwrite(fd, bytes, count, offset); }

static uint64_t total(const struct iovec* parts, int count) {
  uint64_t sum = 0;
  for (int i = 0; i < count; ++i) sum += parts[i].iov_len;
  return sum;
}
ssize_t writev(int fd, const struct iovec* parts, int count) {
  struct stat status;
  struct recorder_record* r =
      header && fstat(fd, &status) == 0 && S_ISREG(status.st_mode) ? before_write(fd, position(fd), total(parts, count)) : NULL;
  ssize_t n = REAL(writev)(fd, parts, count);
  done(r, n > 0);
  return n;
}
ssize_t pwritev(int fd, const struct iovec* parts, int count, off_t offset) {
  struct recorder_record* r = before_write(fd, (uint64_t)offset, total(parts, count));
  ssize_t n = REAL(pwritev)(fd, parts, count, offset);
  done(r, n > 0);
  return n;
}

int ftruncate(int fd, off_t size) {
  struct recorder_record* r = before_size(fd, (uint64_t)size, 0);
  int result = REAL(ftruncate)(fd, size);
  done(r, result == 0);
  return result;
}
int ftruncate64(int fd, off64_t size) { return ftruncate(fd, size); }

int posix_fallocate(int fd, off_t offset, off_t length) {
  struct recorder_record* r = before_size(fd, (uint64_t)(offset + length), 1);
  int result = REAL(posix_fallocate)(fd, offset, length);
  done(r, result == 0);
  return result;
}
int posix_fallocate64(int fd, off64_t offset, off64_t length) { return posix_fallocate(fd, offset, length); }

static struct recorder_record* before_sync(int fd) {
  struct stat status;
  char link[64], path[PATH_MAX];
  struct recorder_record* r;
  ssize_t length;
  if (!header || lies || fstat(fd, &status) != 0) return NULL;
  if (S_ISDIR(status.st_mode)) {
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    length = readlink(link, path, sizeof path - 1);
    path[length > 0 ? length : 0] = 0;
    return text_record(RECORDER_DIRSYNC, &status, path, NULL, NULL);
  }
  if (!ours(fd, &status)) return NULL;
  r = begin(RECORDER_SYNC, &status, 0);
  publish(r);
  return r;
}
int fsync(int fd) {
  struct recorder_record* r = before_sync(fd);
  int result = REAL(fsync)(fd);
  done(r, result == 0);
  return result;
}
int fdatasync(int fd) {
  struct recorder_record* r = before_sync(fd);
  int result = REAL(fdatasync)(fd);
  done(r, result == 0);
  return result;
}

/* A file that is opened with O_TRUNC is opened without it and truncated by the ftruncate above. */
static int opened(int folder, const char* path, int flags, mode_t mode) {
  char absolute[PATH_MAX];
  struct stat status;
  struct recorder_record* r = NULL;
  int fd, is_new = 0;
  if (!(flags & (O_CREAT | O_TRUNC)) || !ours_by_path(folder, path, absolute)) return REAL(openat)(folder, path, flags, mode);
  is_new = lstat(absolute, &status) != 0;
  if (is_new && !(flags & O_CREAT)) return REAL(openat)(folder, path, flags, mode);
  if (is_new) r = text_record(RECORDER_CREATE, NULL, absolute, NULL, NULL);
  fd = REAL(openat)(folder, path, is_new ? flags : flags & ~O_TRUNC, mode);
  done(r, fd >= 0);
  if (fd >= 0 && !is_new && (flags & O_TRUNC) && fstat(fd, &status) == 0 && S_ISREG(status.st_mode) && status.st_size > 0) ftruncate(fd, 0);
  return fd;
}
#define MODE_OF(flags)                     \
  mode_t mode = 0;                         \
  if ((flags) & (O_CREAT | __O_TMPFILE)) { \
    va_list more;                          \
    va_start(more, flags);                 \
    mode = (mode_t)va_arg(more, unsigned); \
    va_end(more);                          \
  }
int open(const char* path, int flags, ...) {
  MODE_OF(flags)
  return opened(AT_FDCWD, path, flags, mode);
}
int open64(const char* path, int flags, ...) {
  MODE_OF(flags)
  return opened(AT_FDCWD, path, flags, mode);
}
int openat(int folder, const char* path, int flags, ...) {
  MODE_OF(flags)
  return opened(folder, path, flags, mode);
}
int openat64(int folder, const char* path, int flags, ...) {
  MODE_OF(flags)
  return opened(folder, path, flags, mode);
}
int creat(const char* path, mode_t mode) { return opened(AT_FDCWD, path, O_CREAT | O_WRONLY | O_TRUNC, mode); }

/* A link keeps what a rename or an unlink takes away; the inode's number is then not used again either. */
static const char* kept(const char* path, char* into) {
  static _Atomic unsigned count;
  struct stat status;
  if (lstat(path, &status) != 0 || !S_ISREG(status.st_mode)) return "";
  snprintf(into, PATH_MAX, "%.*s/%d.%u", PATH_MAX - 40, keep, getpid(), atomic_fetch_add(&count, 1));
  return link(path, into) == 0 ? into : "";
}

int rename(const char* from, const char* to) {
  char absolute_from[PATH_MAX], absolute_to[PATH_MAX], place[PATH_MAX];
  struct recorder_record* r = NULL;
  int result;
  if (ours_by_path(AT_FDCWD, from, absolute_from) && ours_by_path(AT_FDCWD, to, absolute_to))
    r = text_record(RECORDER_RENAME, NULL, absolute_from, absolute_to, kept(absolute_to, place));
  result = REAL(rename)(from, to);
  done(r, result == 0);
  return result;
}

int unlink(const char* path) {
  char absolute[PATH_MAX], place[PATH_MAX];
  struct recorder_record* r = NULL;
  struct stat status;
  int result;
  if (ours_by_path(AT_FDCWD, path, absolute) && lstat(absolute, &status) == 0 && S_ISREG(status.st_mode))
    r = text_record(RECORDER_UNLINK, NULL, absolute, kept(absolute, place), NULL);
  result = REAL(unlink)(path);
  done(r, result == 0);
  return result;
}
