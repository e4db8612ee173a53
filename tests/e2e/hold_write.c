/* io: preloaded into Hercules by a test: as long as the file HOLD_GATE exists, whoever writes to the file HOLD_FILE waits in front of the
 * system call; the file HOLD_GATE.waiting then says that one does. So a write has its number and is not in its file, for as long as the
 * test wants. Uses none of the product's code. Nothing is held without both variables. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

static const char *gate, *held;
static char waiting[PATH_MAX];

__attribute__((constructor)) static void read_settings(void) {
  gate = getenv("HOLD_GATE");
  held = getenv("HOLD_FILE");
  if (gate && snprintf(waiting, sizeof waiting, "%s.waiting", gate) >= (int)sizeof waiting) abort();
}

static void pass_gate(int fd) {
  const struct timespec pause = {0, 1000000};
  const int error = errno;
  struct stat mine, theirs;
  int told;
  if (gate && held && access(gate, F_OK) == 0 && fstat(fd, &mine) == 0 && stat(held, &theirs) == 0 && mine.st_ino == theirs.st_ino &&
      mine.st_dev == theirs.st_dev) {
    told = open(waiting, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
    if (told < 0) abort();
    close(told);
    while (access(gate, F_OK) == 0) nanosleep(&pause, NULL);
  }
  errno = error;
}

ssize_t write(int fd, const void* bytes, size_t count) {
  static ssize_t (*real)(int, const void*, size_t);
  if (!real) real = (ssize_t(*)(int, const void*, size_t))dlsym(RTLD_NEXT, "write");
  pass_gate(fd);
  return real(fd, bytes, count);
}
