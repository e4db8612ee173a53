/* io: an independent witness for the end-to-end tests: a Hercules 3.13 module that records what guests write to CKD volumes, using
 * none of the product's code. It wraps whatever DASD handler was registered before it and may itself be wrapped by a later module.
 * Every channel program's start and end, every write CCW and every hnd->write gets an ordinal from one counter in a file that is
 * mapped shared (WITNESS_FILE), so that the record survives SIGKILL and spans several Hercules. No system call per record.
 * Environment: WITNESS_FILE path of a prepared file; WITNESS_SYSTEM number of this Hercules (0 to 65535, default 0). */
#include "hstdinc.h"

#include "hercules.h"

#include "devtype.h"
#include "opcode.h"

#include "witness_file.h"

#define MAX_TAPPED 1024

struct tapped {
  _Atomic(DEVBLK*) dev;
  DEVHND base;  /* what the device's own init left in dev->hnd */
  DEVHND table; /* the copy with our entries */
  DEVHND* registered;
  uint64_t begin; /* CCW_BEGIN ordinal + 1 while a write CCW runs */
  BYTE ccw;
  int wrote;
};

static struct tapped tapped_devices[MAX_TAPPED];
static pthread_mutex_t tapped_mutex = PTHREAD_MUTEX_INITIALIZER;
static struct witness_header* file_header;
static struct witness_record* records;
static uint8_t* heap;
static uint16_t system_number;

/* ---- the file -------------------------------------------------------------------------------------------------------- */

static int map_file(const char* path) {
  struct stat status;
  struct witness_header* header;
  int fd = open(path, O_RDWR | O_CLOEXEC);
  if (fd < 0) {
    logmsg("WITNESS cannot open %s: %s\n", path, strerror(errno));
    return -1;
  }
  if (fstat(fd, &status) < 0 || status.st_size < (off_t)sizeof(struct witness_header)) {
    logmsg("WITNESS %s is too short for a witness file\n", path);
    close(fd);
    return -1;
  }
  header = mmap(NULL, (size_t)status.st_size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, fd, 0);
  close(fd);
  if (header == MAP_FAILED) {
    logmsg("WITNESS cannot map %s: %s\n", path, strerror(errno));
    return -1;
  }
  if (memcmp(header->magic, WITNESS_MAGIC, 8) != 0 || header->records_offset > (uint64_t)status.st_size ||
      header->record_count > ((uint64_t)status.st_size - header->records_offset) / sizeof(struct witness_record) ||
      header->heap_offset > (uint64_t)status.st_size || header->heap_bytes > (uint64_t)status.st_size - header->heap_offset) {
    logmsg("WITNESS %s is not a witness file\n", path);
    munmap(header, (size_t)status.st_size);
    return -1;
  }
  records = (struct witness_record*)((uint8_t*)header + header->records_offset);
  heap = (uint8_t*)header + header->heap_offset;
  file_header = header;
  return 0;
}

/* Returns the record's ordinal + 1, or 0 when there was no room (the reader then refuses the file). */
static uint64_t record(enum witness_kind kind, DEVBLK* dev, const struct tapped* tap, uint32_t track, uint32_t offset, const void* bytes,
                       uint32_t length, uint16_t flags) {
  uint64_t ordinal, at = 0;
  struct witness_record* r;
  struct timespec now;
  if (!file_header) return 0;
  ordinal = atomic_fetch_add(&file_header->next_ordinal, 1);
  if (length) at = atomic_fetch_add(&file_header->next_heap, (length + 7u) & ~7u);
  if (ordinal >= file_header->record_count || at + length > file_header->heap_bytes) {
    atomic_fetch_add(&file_header->dropped, 1);
    return 0;
  }
  r = &records[ordinal];
  clock_gettime(CLOCK_MONOTONIC, &now);
  r->kind = (uint16_t)kind;
  r->flags = flags;
  r->system = system_number;
  r->device = dev->devnum;
  r->track = track;
  r->offset = offset;
  r->length = length;
  r->heap = at;
  r->begin = tap ? tap->begin : 0;
  r->ccw = tap ? tap->ccw : 0;
  r->monotonic_ns = (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
  if (length) memcpy(heap + at, bytes, length);
  atomic_store_explicit(&r->published, 1, memory_order_release);
  return ordinal + 1;
}

/* ---- devices --------------------------------------------------------------------------------------------------------- */

static struct tapped* find(DEVBLK* dev) {
  size_t first = ((uintptr_t)dev >> 6) % MAX_TAPPED, i;
  for (i = 0; i < MAX_TAPPED; ++i) {
    struct tapped* tap = &tapped_devices[(first + i) % MAX_TAPPED];
    DEVBLK* held = atomic_load_explicit(&tap->dev, memory_order_acquire);
    if (held == dev) return tap;
    if (!held) return NULL;
  }
  return NULL;
}

/* Entries are never removed: Hercules keeps a device block for ever and may use it again. */
static struct tapped* find_or_add(DEVBLK* dev) {
  size_t first = ((uintptr_t)dev >> 6) % MAX_TAPPED, i;
  struct tapped* tap = find(dev);
  if (tap) return tap;
  pthread_mutex_lock(&tapped_mutex);
  for (i = 0; i < MAX_TAPPED; ++i) {
    tap = &tapped_devices[(first + i) % MAX_TAPPED];
    if (!atomic_load(&tap->dev)) {
      atomic_store_explicit(&tap->dev, dev, memory_order_release);
      pthread_mutex_unlock(&tapped_mutex);
      return tap;
    }
  }
  pthread_mutex_unlock(&tapped_mutex);
  return NULL;
}

static void witness_start(DEVBLK* dev) {
  struct tapped* tap = find(dev);
  record(WITNESS_START, dev, NULL, 0, 0, NULL, 0, 0);
  if (tap->base.start) (tap->base.start)(dev);
}

static void witness_end(DEVBLK* dev) {
  struct tapped* tap = find(dev);
  if (tap->base.end) (tap->base.end)(dev);
  record(WITNESS_END, dev, NULL, 0, 0, NULL, 0, 0);
}

static void witness_resume(DEVBLK* dev) {
  struct tapped* tap = find(dev);
  record(WITNESS_START, dev, NULL, 0, 0, NULL, 0, 0);
  if (tap->base.resume) (tap->base.resume)(dev);
}

static void witness_suspend(DEVBLK* dev) {
  struct tapped* tap = find(dev);
  if (tap->base.suspend) (tap->base.suspend)(dev);
  record(WITNESS_END, dev, NULL, 0, 0, NULL, 0, 0);
}

static void witness_exec(DEVBLK* dev, BYTE code, BYTE flags, BYTE chained, U16 count, BYTE prevcode, int ccwseq, BYTE* iobuf, BYTE* more,
                         BYTE* unitstat, U16* residual) {
  struct tapped* tap = find(dev);
  if (!IS_CCW_WRITE(code)) {
    (tap->base.exec)(dev, code, flags, chained, count, prevcode, ccwseq, iobuf, more, unitstat, residual);
    return;
  }
  tap->ccw = code;
  tap->wrote = 0;
  tap->begin = 0;
  tap->begin = record(WITNESS_CCW_BEGIN, dev, tap, 0, 0, NULL, 0, 0);
  (tap->base.exec)(dev, code, flags, chained, count, prevcode, ccwseq, iobuf, more, unitstat, residual);
  if (tap->wrote) record(WITNESS_CCW_END, dev, tap, 0, 0, NULL, 0, dev->syncio_active && dev->syncio_retry ? WITNESS_RETRY : 0);
  tap->begin = 0;
  tap->ccw = 0;
}

static int witness_write(DEVBLK* dev, int track, int offset, BYTE* bytes, int length, BYTE* unitstat) {
  struct tapped* tap = find(dev);
  int rc = (tap->base.write)(dev, track, offset, bytes, length, unitstat);
  /* The bytes are taken from the track buffer: the caller may pass a null pointer when it changed the buffer itself. */
  if (rc >= 0 && length > 0 && !dev->ckdfakewr) {
    record(WITNESS_WRITE, dev, tap, (uint32_t)track, (uint32_t)offset, dev->buf + offset, (uint32_t)length, 0);
    tap->wrote = 1;
  }
  return rc;
}

static int witness_close(DEVBLK* dev) {
  struct tapped* tap = find(dev);
  int rc = tap->base.close ? (tap->base.close)(dev) : 0;
  record(WITNESS_CLOSE, dev, NULL, 0, 0, NULL, 0, 0);
  /* Closing a compressed device puts the raw handler back; a devinit must come through here again. */
  dev->hnd = tap->registered;
  return rc;
}

/* The handler underneath is entered with dev->hnd pointing at itself, as if it had been found by the device type: the CKD init leaves
 * dev->hnd alone, and copying a later module's table would make it call itself. */
static int wrap(DEVBLK* dev, int argc, char* argv[], DEVHND* below, DEVHND* registered) {
  struct tapped* tap;
  int rc;
  dev->hnd = below;
  rc = (below->init)(dev, argc, argv);
  if (rc < 0) {
    dev->hnd = registered;
    return rc;
  }
  tap = find_or_add(dev);
  if (!tap) {
    logmsg("WITNESS %4.4X is not recorded: more than %d devices\n", dev->devnum, MAX_TAPPED);
    return rc;
  }
  tap->base = *dev->hnd;
  tap->table = tap->base;
  tap->registered = registered;
  tap->table.init = registered->init;
  tap->table.exec = witness_exec;
  tap->table.close = witness_close;
  tap->table.start = witness_start;
  tap->table.end = witness_end;
  tap->table.resume = witness_resume;
  tap->table.suspend = witness_suspend;
  tap->table.write = witness_write;
  dev->hnd = &tap->table;
  record(WITNESS_OPEN, dev, NULL, 0, 0, dev->filename, (uint32_t)strlen(dev->filename), 0);
  return rc;
}

#define EACH_TYPE(DO) DO(2305) DO(2311) DO(2314) DO(3330) DO(3340) DO(3350) DO(3375) DO(3380) DO(3390) DO(9345)

#define DEFINE_TYPE(type)          \
  static DEVHND* below_##type;     \
  static DEVHND registered_##type; \
  static int init_##type(DEVBLK* dev, int argc, char* argv[]) { return wrap(dev, argc, argv, below_##type, &registered_##type); }
EACH_TYPE(DEFINE_TYPE)

HDL_DEPENDENCY_SECTION;
{
  HDL_DEPENDENCY(HERCULES);
  HDL_DEPENDENCY(DEVBLK);
  HDL_DEPENDENCY(SYSBLK);
}
END_DEPENDENCY_SECTION

HDL_REGISTER_SECTION;
{
  const char *path = getenv("WITNESS_FILE"), *number = getenv("WITNESS_SYSTEM");
  UNREFERENCED(hdl_init_regi);
  system_number = (uint16_t)(number ? atoi(number) : 0);
  if (!path)
    logmsg("WITNESS records nothing: WITNESS_FILE is not set\n");
  else if (map_file(path) == 0)
    logmsg("WITNESS records system %u in %s\n", system_number, path);
}
END_REGISTER_SECTION

#define REGISTER_TYPE(type)               \
  below_##type = hdl_ghnd(#type);         \
  if (below_##type) {                     \
    registered_##type = *below_##type;    \
    registered_##type.init = init_##type; \
    HDL_DEVICE(type, registered_##type);  \
  }

HDL_DEVICE_SECTION;
{EACH_TYPE(REGISTER_TYPE)} END_DEVICE_SECTION

    HDL_FINAL_SECTION;
{
  size_t i;
  for (i = 0; i < MAX_TAPPED; ++i)
    if (atomic_load(&tapped_devices[i].dev) && !sysblk.shutdown) {
      logmsg("WITNESS cannot be unloaded: devices call it\n");
      return 1;
    }
}
END_FINAL_SECTION
