/* io: what the shim needs of Hercules, for tests: threads of pthreads, a small cache, a loader without modules, and one CKD device whose
   handler follows ckddasd.c of Hercules 3.13 where the shim depends on it: a track buffer that is written back at the next track switch
   or end, and a write that takes a null buffer. */
#include "shim_stand_in.h"

#include "cache.h"
#include "hercules.h"
#include "hstdinc.h"

#include "channel/hercules_shim.h"
#include "channel/tap.h"

enum { TRACKS = STAND_IN_CYLINDERS * STAND_IN_HEADS };

int dsmchan_system_command(int argc, char* argv[], char* line);
int dsmchan_config_command(int argc, char* argv[], char* line);
int hdl_depc(int (*check)(char*, char*, int));
void hdl_init(int (*add)(char*, void*));
void hdl_ddev(int (*add)(char*, void*));
int hdl_fini(void);

SYSBLK sysblk;

static DEVBLK device; /* as in Hercules, a block is used again and never given back */
static DEVHND handler;
static DEVHND* registered;
static BYTE file[TRACKS][STAND_IN_TRACK_BYTES], buffer[STAND_IN_TRACK_BYTES];
static const struct StandInWrite* script;
static unsigned script_count, closes;
static CCKDDASD_EXT extension;
enum { STAND_IN_CACHE = 4 };
static struct {
  U64 key;
  U32 flag;
} cache[STAND_IN_CACHE];
static int fail_write, fail_write_back, init_how;
static char said[65536];
static pthread_mutex_t said_mutex = PTHREAD_MUTEX_INITIALIZER;

/* ---- of Hercules ---- */

void logmsg(char* format, ...) {
  va_list arguments;
  pthread_mutex_lock(&said_mutex);
  const size_t used = strlen(said);
  va_start(arguments, format);
  vsnprintf(said + used, sizeof said - used, format, arguments);
  va_end(arguments);
  pthread_mutex_unlock(&said_mutex);
}

int ptt_pthread_mutex_init(LOCK* lock, pthread_mutexattr_t* attributes, char* place) {
  (void)place;
  return pthread_mutex_init(lock, attributes);
}
int ptt_pthread_mutex_lock(LOCK* lock, char* place) {
  (void)place;
  return pthread_mutex_lock(lock);
}
int ptt_pthread_mutex_trylock(LOCK* lock, char* place) {
  (void)place;
  return pthread_mutex_trylock(lock);
}
int ptt_pthread_mutex_unlock(LOCK* lock, char* place) {
  (void)place;
  return pthread_mutex_unlock(lock);
}
int ptt_pthread_cond_init(COND* condition, pthread_condattr_t* attributes, char* place) {
  (void)place;
  return pthread_cond_init(condition, attributes);
}
int ptt_pthread_cond_signal(COND* condition, char* place) {
  (void)place;
  return pthread_cond_signal(condition);
}
int ptt_pthread_cond_timedwait(COND* condition, LOCK* lock, const struct timespec* until, char* place) {
  (void)place;
  return pthread_cond_timedwait(condition, lock, until);
}

int cache_scan(int ix, CACHE_SCAN_RTN routine, void* data) {
  int answer = -1;
  for (int i = 0; ix == CACHE_DEVBUF && i < STAND_IN_CACHE; ++i)
    if (routine(&answer, ix, i, data) != 0) break;
  return answer;
}
int cache_lock(int ix) { return ix < 0; }
int cache_unlock(int ix) { return ix < 0; }
int cache_lookup(int ix, U64 key, int* free_entry) {
  *free_entry = -1;
  for (int i = 0; ix == CACHE_DEVBUF && i < STAND_IN_CACHE; ++i) {
    if (cache[i].key == key) return i;
    if (*free_entry < 0 && !(cache[i].flag & CACHE_BUSY)) *free_entry = i;
  }
  return -1;
}
U64 cache_getkey(int ix, int i) { return ix == CACHE_DEVBUF ? cache[i].key : 0; }
U64 cache_setkey(int ix, int i, U64 key) {
  const U64 old = cache_getkey(ix, i);
  cache[i].key = key;
  return old;
}
U32 cache_getflag(int ix, int i) { return ix == CACHE_DEVBUF ? cache[i].flag : 0; }
U32 cache_setflag(int ix, int i, U32 keep, U32 add) {
  const U32 old = cache_getflag(ix, i);
  cache[i].flag = (old & keep) | add;
  return old;
}

unsigned stand_in_cache_in_use(void) {
  unsigned count = 0;
  for (int i = 0; i < STAND_IN_CACHE; ++i) count += (cache[i].flag & CACHE_BUSY) != 0;
  return count;
}

void stand_in_fill_cache(int fill) {
  for (int i = 0; i < STAND_IN_CACHE; ++i) {
    cache[i].key = fill ? CCKD_CACHE_SETKEY(0x0A99, i) : 0;
    cache[i].flag = fill ? CCKD_CACHE_ACTIVE : 0;
  }
}

int parse_single_devnum_silent(const char* text, U16* lcss, U16* devnum) {
  char* end = NULL;
  *lcss = 0;
  *devnum = (U16)strtoul(text, &end, 16);
  return *text == '\0' || *end != '\0' ? -1 : 0;
}

void* hdl_fent(char* name) { return (void)name, NULL; }
void* hdl_nent(void* entry) { return (void)entry, NULL; }

/* ---- the handler under the shim ---- */

static int base_init(DEVBLK* dev, int argc, char* argv[]) {
  if (init_how == STAND_IN_REFUSED || argc < 1) return -1;
  snprintf(dev->filename, sizeof dev->filename, "%s", argv[0]);
  dev->devtype = 0x3390;
  dev->ckdcyls = STAND_IN_CYLINDERS;
  dev->ckdheads = STAND_IN_HEADS;
  dev->ckdtrks = TRACKS;
  dev->ckdtrksz = STAND_IN_TRACK_BYTES;
  dev->bufcur = dev->cache = -1;
  dev->bufupd = 0;
  dev->buf = NULL;
  dev->hnd = &handler;
  dev->cckd_ext = init_how == STAND_IN_COMPRESSED ? &extension : NULL;
  return 0;
}

static int base_close(DEVBLK* dev) {
  dev->bufcur = -1;
  if (dev->cckd_ext != NULL) dev->hnd = &handler;
  dev->cckd_ext = NULL;
  ++closes;
  return 0;
}

/* trk -1: only the write-back. */
static int base_read(DEVBLK* dev, int trk, BYTE* unitstat) {
  if (dev->bufupd) {
    dev->bufupd = 0;
    if (fail_write_back) {
      fail_write_back = 0;
      *unitstat = CSW_CE | CSW_DE | CSW_UC;
      dev->bufcur = -1;
      return -1;
    }
    memcpy(file[dev->bufcur], buffer, sizeof buffer);
  }
  if (trk < 0) return 0;
  if (trk >= TRACKS) {
    *unitstat = CSW_CE | CSW_DE | CSW_UC;
    return -1;
  }
  dev->ckdtrkoff = (off_t)trk * STAND_IN_TRACK_BYTES;
  memcpy(buffer, file[trk], sizeof buffer);
  dev->buf = buffer;
  dev->bufcur = trk;
  return 0;
}

static int base_write(DEVBLK* dev, int trk, int off, BYTE* buf, int len, BYTE* unitstat) {
  if (fail_write) {
    fail_write = 0;
    *unitstat = CSW_CE | CSW_DE | CSW_UC;
    return -1;
  }
  if (trk != dev->bufcur && (dev->hnd->read)(dev, trk, unitstat) < 0) return -1;
  if (buf != NULL) memcpy(dev->buf + off, buf, (size_t)len);
  dev->bufupd = 1;
  return len;
}

static void base_end(DEVBLK* dev) {
  BYTE unitstat = 0;
  (dev->hnd->read)(dev, -1, &unitstat);
}

static int make_write(const struct StandInWrite* write, BYTE* unitstat) {
  if (write->bytes == NULL) {
    if (device.bufcur != write->track && (device.hnd->read)(&device, write->track, unitstat) < 0) return -1;
    memset(device.buf + write->offset, write->fill, (size_t)write->length);
  }
  return (device.hnd->write)(&device, write->track, write->offset, (BYTE*)(uintptr_t)write->bytes, write->length, unitstat);
}

static void base_exec(DEVBLK* dev, BYTE code, BYTE flags, BYTE chained, U16 count, BYTE prevcode, int ccwseq, BYTE* iobuf, BYTE* more,
                      BYTE* unitstat, U16* residual) {
  (void)code, (void)flags, (void)chained, (void)count, (void)prevcode, (void)ccwseq, (void)iobuf;
  *more = 0;
  *residual = 0;
  *unitstat = CSW_CE | CSW_DE;
  dev->ckdcurrec = 1;
  for (unsigned i = 0; i < script_count; ++i)
    if (make_write(&script[i], unitstat) < 0) return;
}

static void base_query(DEVBLK* dev, char** class, int length, char* text) {
  (void)dev, (void)length, (void)text;
  *class = "DASD";
}

DEVHND* hdl_ghnd(const char* type) {
  handler.init = base_init;
  handler.exec = base_exec;
  handler.close = base_close;
  handler.query = base_query;
  handler.end = base_end;
  handler.read = base_read;
  handler.write = base_write;
  return strcmp(type, "3390") == 0 ? &handler : NULL;
}

/* ---- the test's side ---- */

static int answer_of_check;
static int check_version(char* name, char* version, int size) {
  (void)name, (void)version;
  return size > 0 ? answer_of_check : 1;
}
static int add_entry(char* name, void* entry) { return (void)name, entry == NULL; }
static int add_device(char* type, void* entry) {
  if (strcmp(type, "3390") == 0) registered = entry;
  return 0;
}

int stand_in_load(int wrong_build, const char* storage) {
  answer_of_check = wrong_build;
  registered = NULL;
  const int wrong = hdl_depc(check_version);
  hdl_init(add_entry);
  hdl_ddev(add_device);
  if (wrong) return wrong;
  char line[256];
  snprintf(line, sizeof line, "%s", storage);
  char* words[] = {"DSM", "PLEX", "UNIT", "SYSTEM", "SYSA", "STORAGE", line};
  return dsmchan_config_command(7, words, line) ? 0 : 1;
}

int stand_in_unload(void) { return hdl_fini(); }

const char* stand_in_log(void) {
  static char copy[sizeof said];
  pthread_mutex_lock(&said_mutex);
  memcpy(copy, said, sizeof said);
  said[0] = '\0';
  pthread_mutex_unlock(&said_mutex);
  return copy;
}

int stand_in_init(const char* path, int how) {
  static int made;
  if (!made) {
    initialize_lock(&device.lock);
    initialize_condition(&device.iocond);
    initialize_lock(&extension.iolock);
    made = 1;
  }
  device.typname = "3390";
  device.devnum = 0x0A80;
  device.allocated = 1;
  device.fd = -1;
  if (device.hnd == NULL) device.hnd = registered;
  init_how = how;
  char name[1024];
  snprintf(name, sizeof name, "%s", path);
  char* words[] = {name};
  return (device.hnd->init)(&device, 1, words);
}

int stand_in_close(void) { return (device.hnd->close)(&device); }

void stand_in_forget(void) {
  device.allocated = 0;
  device.hnd = NULL;
}

unsigned stand_in_closes(void) { return closes; }

int stand_in_is_wrapped(void) { return device.hnd != &handler && device.hnd->init == registered->init; }

uint8_t* stand_in_track(uint32_t track) { return file[track]; }

int stand_in_program(uint8_t code, const struct StandInWrite* writes, unsigned count) {
  BYTE unitstat = 0, more = 0, data[64] = {0};
  U16 residual = 0;
  script = writes;
  script_count = count;
  if (device.hnd->start) (device.hnd->start)(&device);
  (device.hnd->exec)(&device, code, 0, 0, sizeof data, 0, 0, data, &more, &unitstat, &residual);
  if (device.hnd->end) (device.hnd->end)(&device);
  return unitstat;
}

int stand_in_shared_write(const struct StandInWrite* write) {
  BYTE unitstat = 0;
  return make_write(write, &unitstat);
}

void stand_in_fail_write(void) { fail_write = 1; }
void stand_in_fail_write_back(void) { fail_write_back = 1; }

int stand_in_command(const char* line) {
  char text[256], copy[256];
  char* words[16];
  int count = 0;
  snprintf(text, sizeof text, "%s", line);
  snprintf(copy, sizeof copy, "%s", line);
  for (char* word = strtok(copy, " "); word != NULL && count < 16; word = strtok(NULL, " ")) words[count++] = word;
  return dsmchan_system_command(count, words, text);
}
