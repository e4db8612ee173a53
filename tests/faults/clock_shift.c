/* io: preloaded into the processes of one site: its real-time clock is off by what a file says (CLOCK_SHIFT_FILE: a 64-bit number of
 * nanoseconds in host byte order, mapped, so that a test moves the clock while they run). The monotonic clock goes on as it does on a
 * host whose clock is set. Inside Hercules only the product's module sees it (CLOCK_SHIFT_MODULE: a part of the path of its library): the
 * guest's own clock is Hercules's affair. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <link.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

static _Atomic int64_t* shift_ns;
static const char* module_name;
static int (*real_clock_gettime)(clockid_t, struct timespec*);
static _Atomic uintptr_t module_low, module_high;

__attribute__((constructor)) static void map_file(void) {
  const char* path = getenv("CLOCK_SHIFT_FILE");
  int fd;
  void* at;
  real_clock_gettime = (int (*)(clockid_t, struct timespec*))dlsym(RTLD_NEXT, "clock_gettime");
  module_name = getenv("CLOCK_SHIFT_MODULE");
  if (!path) return;
  fd = open(path, O_RDONLY | O_CLOEXEC);
  if (fd < 0) abort();
  at = mmap(NULL, sizeof(int64_t), PROT_READ, MAP_SHARED, fd, 0);
  close(fd);
  if (at == MAP_FAILED) abort();
  shift_ns = at;
}

static int find_module(struct dl_phdr_info* info, size_t size, void* unused) {
  (void)size;
  (void)unused;
  if (!info->dlpi_name || !strstr(info->dlpi_name, module_name)) return 0;
  for (int i = 0; i < info->dlpi_phnum; ++i) {
    const ElfW(Phdr)* part = &info->dlpi_phdr[i];
    uintptr_t low = info->dlpi_addr + part->p_vaddr;
    if (part->p_type != PT_LOAD || !(part->p_flags & PF_X)) continue;
    atomic_store(&module_high, low + part->p_memsz);
    atomic_store(&module_low, low);
  }
  return 1;
}

/* Looked for until it is there: the module is loaded while Hercules runs. Only the module calls from outside Hercules's own libraries. */
static int sees_the_shift(uintptr_t caller) {
  static _Thread_local int looks;
  if (!module_name) return 1;
  if (atomic_load(&module_low) == 0 && looks < 100000) {
    ++looks;
    if (looks % 64 == 1) dl_iterate_phdr(find_module, NULL);
  }
  return caller >= atomic_load(&module_low) && caller < atomic_load(&module_high);
}

static int64_t shift_of(uintptr_t caller) { return shift_ns && sees_the_shift(caller) ? atomic_load(shift_ns) : 0; }

int clock_gettime(clockid_t id, struct timespec* into) {
  int result;
  int64_t ns;
  if (!real_clock_gettime) real_clock_gettime = (int (*)(clockid_t, struct timespec*))dlsym(RTLD_NEXT, "clock_gettime");
  result = real_clock_gettime(id, into);
  if (result != 0 || (id != CLOCK_REALTIME && id != CLOCK_REALTIME_COARSE)) return result;
  ns = (int64_t)into->tv_sec * 1000000000 + into->tv_nsec + shift_of((uintptr_t)__builtin_return_address(0));
  into->tv_sec = (time_t)(ns / 1000000000);
  into->tv_nsec = (long)(ns % 1000000000);
  return result;
}

/* Certificates are judged by time(). */
time_t time(time_t* into) {
  struct timespec now = {0, 0};
  if (!real_clock_gettime) real_clock_gettime = (int (*)(clockid_t, struct timespec*))dlsym(RTLD_NEXT, "clock_gettime");
  real_clock_gettime(CLOCK_REALTIME, &now);
  now.tv_sec += (time_t)(shift_of((uintptr_t)__builtin_return_address(0)) / 1000000000);
  if (into) *into = now.tv_sec;
  return now.tv_sec;
}
