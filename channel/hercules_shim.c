/* io: the Hercules module dsmchan: wraps the handler of every CKD device and hands plain values to the tap (tap.h). The only file that
   includes Hercules's headers. Written against Hercules 3.13; docs/ARCHITECTURE.md, "The write path", says what each wrapped entry is for.
 */
#include "cache.h"
#include "devtype.h"
#include "hercules.h"
#include "hstdinc.h"

#include <stdatomic.h>

#include "channel/hercules_shim.h"
#include "channel/kept_cache.h"
#include "channel/tap.h"

#define EXPORTED __attribute__((visibility("default")))
#define MAX_WRAPPED 1024          /* device blocks, live or returned; a power of two */
#define RUNNING_LIMIT_US 45000000 /* the longest a CPU thread can be inside before its watchdog takes it out */
#define SERVICE_SYSTEM_ID 0xFFFE  /* our id in dev->ioactive: neither local nor one of the shared server's connections */

struct TapWrapped {
  DEVBLK* dev;
  TapDevice* tap;
  const TapFast* fast;
  DEVHND base;               /* the handler under us, as it was after its initialisation */
  DEVHND mine;               /* what dev->hnd points at while the device is open */
  const DEVHND* closed_base; /* whose close is right while the device is not open */
  DEVHND* registered;        /* our entry for the device's type */
  atomic_int open;
  atomic_int closing, held, service_io;
  atomic_int running; /* a channel program's thread is inside one of our entries; stale after a watchdog's longjmp, until the next one */
  atomic_int started; /* the base start of the present channel program was called, and its end not yet */
  int in_exec;        /* 0: no exec is active (a write then comes from the shared server); 1: active; 2: with a capture */
  BYTE code;          /* CCW code of that exec */
  int parked;         /* the CCW below is done but not numbered, and is being driven again */
  BYTE parked_unitstat, parked_more;
  U16 parked_residual;
};

static struct TapWrapped* wrapped_table[MAX_WRAPPED];
static pthread_mutex_t wrapped_mutex = PTHREAD_MUTEX_INITIALIZER;
static int build_fits;

/* ---- the device table: lock-free to read, entries are never removed ---- */

static unsigned slot_of(const DEVBLK* dev) { return (unsigned)(((uintptr_t)dev >> 6) * 2654435761u) & (MAX_WRAPPED - 1); }

static struct TapWrapped* find(const DEVBLK* dev) {
  unsigned slot = slot_of(dev);
  for (unsigned n = 0; n < MAX_WRAPPED; ++n, slot = (slot + 1) & (MAX_WRAPPED - 1)) {
    struct TapWrapped* w = __atomic_load_n(&wrapped_table[slot], __ATOMIC_ACQUIRE);
    if (w == NULL || w->dev == dev) return w;
  }
  return NULL;
}

static struct TapWrapped* find_or_add(DEVBLK* dev) {
  struct TapWrapped* w = find(dev);
  if (w != NULL) return w;
  pthread_mutex_lock(&wrapped_mutex);
  unsigned slot = slot_of(dev);
  unsigned n = 0;
  while (n < MAX_WRAPPED && wrapped_table[slot] != NULL) slot = (slot + 1) & (MAX_WRAPPED - 1), ++n;
  if (n < MAX_WRAPPED - 1) w = calloc(1, sizeof *w);
  if (w != NULL) {
    w->dev = dev;
    w->tap = tap_device_new(w);
    if (w->tap == NULL) {
      free(w);
      w = NULL;
    } else {
      w->fast = tap_device_fast(w->tap);
      __atomic_store_n(&wrapped_table[slot], w, __ATOMIC_RELEASE);
    }
  }
  pthread_mutex_unlock(&wrapped_mutex);
  return w;
}

static int in_session(const struct TapWrapped* w) { return __atomic_load_n(w->fast->duplex, __ATOMIC_RELAXED) != 0; }

static int on_cpu_thread(void) {
  const TID me = thread_id();
  for (int i = 0; i < sysblk.hicpu; ++i)
    if (sysblk.regs[i] != NULL && equal_threads(sysblk.cputid[i], me)) return 1;
  return 0;
}

/* With several CPUs dev->regs alone may be wrong: the CPU that ends one SSCH clears it, without a lock, when another's is already on its
   way on the same device. A CPU thread taken for a device thread would be held, and its watchdog would leave `held` raised for ever. */
static TapPlace place_of(const DEVBLK* dev) {
  if (dev->regs == NULL) return on_cpu_thread() ? TAP_PLACE_CPU : TAP_PLACE_THREAD;
  return dev->syncio_active ? TAP_PLACE_CPU_REDRIVE : TAP_PLACE_CPU;
}

/* While a device thread may be waiting inside the tap, close must wait for it. A CPU thread never waits there, and is not counted: its
   watchdog may take it out of here and would leave the count raised. */
static void enter_tap(struct TapWrapped* w, TapPlace place) {
  if (place == TAP_PLACE_THREAD) atomic_fetch_add(&w->held, 1);
}

static void leave_tap(struct TapWrapped* w, TapPlace place) {
  if (place == TAP_PLACE_THREAD) atomic_fetch_sub(&w->held, 1);
}

static void settle(struct TapWrapped* w, const DEVBLK* dev) {
  const TapPlace place = place_of(dev);
  enter_tap(w, place);
  tap_settle(w->tap, place);
  leave_tap(w, place);
}

/* A channel program may still be on its way when its device is closed, held writes above all: it must not reach a base handler whose
   buffers and files are gone. Either it finds the device closing here, or the close finds it inside and waits (wait_until_outside). */
static int enter(struct TapWrapped* w) {
  atomic_store(&w->running, 1);
  if (w->open && !atomic_load(&w->closing)) return 1;
  atomic_store(&w->running, 0);
  return 0;
}

static void leave(struct TapWrapped* w) { atomic_store_explicit(&w->running, 0, memory_order_release); }

static void wait_until_outside(struct TapWrapped* w) {
  /* Neither a held channel program nor the tap's thread needs dev->lock, which the closer holds, to get away from the device. */
  for (unsigned waited_us = 0; atomic_load(&w->running) && waited_us < RUNNING_LIMIT_US; waited_us += 200) usleep(200);
  while (atomic_load(&w->held) || atomic_load(&w->service_io)) usleep(500);
}

/* ---- the handler entries ---- */

static void wait_for_service(struct TapWrapped* w) {
  /* A system reset gives the device away while the tap reads a track of it; the read ends by itself, without any lock. */
  while (atomic_load(&w->service_io)) usleep(100);
}

static void wrapped_start(DEVBLK* dev) {
  struct TapWrapped* w = find(dev);
  if (!enter(w)) return;
  if (atomic_load_explicit(&w->service_io, memory_order_relaxed)) wait_for_service(w);
  /* The CPU's watchdog may have taken the thread out of an exec: what was written there is still to be numbered. */
  if (w->in_exec == 2 || w->parked) settle(w, dev);
  w->in_exec = w->parked = 0;
  if (in_session(w)) tap_program_started(w->tap);
  atomic_store(&w->started, 1);
  if (w->base.start) (w->base.start)(dev);
  leave(w);
}

static void wrapped_resume(DEVBLK* dev) {
  struct TapWrapped* w = find(dev);
  if (!enter(w)) return;
  if (atomic_load_explicit(&w->service_io, memory_order_relaxed)) wait_for_service(w);
  atomic_store(&w->started, 1);
  if (w->base.resume) (w->base.resume)(dev);
  leave(w);
}

static void end_program(DEVBLK* dev, DEVSF* base, struct TapWrapped* w) {
  if (!enter(w)) return; /* the close ends the program that it found under way */
  atomic_store(&w->started, 0);
  if (w->parked) {
    settle(w, dev);
    w->parked = 0;
  }
  if (base) base(dev);
  if (dev->cckd_ext != NULL && w->fast->owing) tap_flushed(w->tap);
  leave(w);
}

static void wrapped_end(DEVBLK* dev) {
  struct TapWrapped* w = find(dev);
  end_program(dev, w->base.end, w);
}

static void wrapped_suspend(DEVBLK* dev) {
  struct TapWrapped* w = find(dev);
  end_program(dev, w->base.suspend, w);
}

static int wrapped_read(DEVBLK* dev, int trk, BYTE* unitstat) {
  struct TapWrapped* w = find(dev);
  if (!w->open) { /* the base close itself reads, to write back */
    *unitstat = CSW_CE | CSW_DE | CSW_UC;
    return -1;
  }
  if (!in_session(w) && !w->fast->owing) return (w->base.read)(dev, trk, unitstat);
  const int updated = dev->bufupd, fd = dev->fd, old_track = dev->bufcur;
  const off_t offset = dev->ckdtrkoff;
  const int rc = (w->base.read)(dev, trk, unitstat);
  if (dev->cckd_ext != NULL) return rc;
  if (rc >= 0) {
    if (!dev->bufupd) tap_flushed(w->tap);
  } else if (updated && !dev->bufupd) {
    /* Hercules moves to the new track's place in the file only after the old one is written back, so an unmoved place tells a failed write
       from a failed read; without a new track there was only the write. */
    if (trk < 0 || (dev->fd == fd && dev->ckdtrkoff == offset)) {
      tap_write_back_failed(w->tap, (uint32_t)old_track);
    } else {
      tap_flushed(w->tap);
    }
  }
  return rc;
}

static int note_write(struct TapWrapped* w, DEVBLK* dev, int trk, int off, int len) {
  if (off < 0 || len <= 0 || trk != dev->bufcur || off > dev->ckdtrksz - len) return 0;
  tap_wrote(w->tap, (uint32_t)trk, (uint32_t)off, (uint32_t)len, dev->buf + off);
  return 1;
}

static int shared_write(struct TapWrapped* w, DEVBLK* dev, int trk, int off, BYTE* buf, int len, BYTE* unitstat) {
  int rc = -1;
  enter_tap(w, TAP_PLACE_THREAD);
  if (tap_gate(w->tap, 0, TAP_PLACE_THREAD) == TAP_GATE_RUN) {
    rc = (w->base.write)(dev, trk, off, buf, len, unitstat);
    const int known = rc >= 0 && note_write(w, dev, trk, off, len);
    tap_capture_end(w->tap, -1, known ? dev->buf : NULL, known ? (uint32_t)dev->ckdtrksz : 0, TAP_PLACE_THREAD);
  } else {
    *unitstat = CSW_CE | CSW_DE | CSW_UC;
  }
  leave_tap(w, TAP_PLACE_THREAD);
  return rc;
}

/* From the shared-device server. */
static int write_without_exec(struct TapWrapped* w, DEVBLK* dev, int trk, int off, BYTE* buf, int len, BYTE* unitstat) {
  if (!enter(w)) {
    *unitstat = CSW_CE | CSW_DE | CSW_UC;
    return -1;
  }
  int rc;
  if (in_session(w)) {
    rc = shared_write(w, dev, trk, off, buf, len, unitstat);
  } else {
    rc = (w->base.write)(dev, trk, off, buf, len, unitstat);
    if (rc >= 0) tap_wrote_outside(w->tap);
  }
  leave(w);
  return rc;
}

static int wrapped_write(DEVBLK* dev, int trk, int off, BYTE* buf, int len, BYTE* unitstat) {
  struct TapWrapped* w = find(dev);
  if (w->in_exec == 0) return write_without_exec(w, dev, trk, off, buf, len, unitstat);
  const int duplex = in_session(w);
  const int rc = (w->base.write)(dev, trk, off, buf, len, unitstat);
  if (rc < 0) return rc;
  if (w->in_exec == 1 && duplex) {
    tap_capture_begin(w->tap, w->code);
    w->in_exec = 2;
  }
  if (w->in_exec == 2) {
    note_write(w, dev, trk, off, len);
  } else {
    tap_wrote_outside(w->tap);
  }
  return rc;
}

static int writes_records(BYTE code) {
  switch (code) {
    case 0x01:
    case 0x05:
    case 0x0D:
    case 0x11:
    case 0x15:
    case 0x19:
    case 0x1D:
    case 0x85:
    case 0x8D:
    case 0x9D:
    case 0xA5:
      return 1;
    default:
      return 0;
  }
}

/* R of the record written: a format write names it in its count field. */
static int record_written(const DEVBLK* dev, BYTE code, const BYTE* iobuf, U16 count) {
  switch (code) {
    case 0x19:
      return 0;
    case 0x01:
    case 0x11:
    case 0x15:
    case 0x1D:
    case 0x9D:
      return count >= 5 ? iobuf[4] : 0;
    default:
      return (BYTE)dev->ckdcurrec;
  }
}

static int pass_gate(struct TapWrapped* w, DEVBLK* dev, BYTE code, BYTE* unitstat) {
  const TapPlace place = place_of(dev);
  enter_tap(w, place);
  const TapGate gate = tap_gate(w->tap, code, place);
  leave_tap(w, place);
  if (gate == TAP_GATE_RUN) return 1;
  if (gate == TAP_GATE_REDRIVE) {
    dev->syncio_retry = 1;
  } else if (dev->scsw.flag2 & (SCSW2_AC_CLEAR | SCSW2_AC_HALT)) {
    /* Command retry: the channel comes back to the top of its loop, and finds the clear or halt there before it fetches the CCW. */
    *unitstat = CSW_CE | CSW_DE | CSW_UC | CSW_SM;
  } else {
    *unitstat = CSW_CE | CSW_DE | CSW_UC;
  }
  return 0;
}

static void finish_exec(struct TapWrapped* w, DEVBLK* dev, int record, BYTE* more, BYTE* unitstat, U16* residual) {
  const TapPlace place = place_of(dev);
  enter_tap(w, place);
  const TapEnd end = tap_capture_end(w->tap, record, NULL, 0, place);
  leave_tap(w, place);
  if (end == TAP_END_PARKED) {
    w->parked = 1;
    w->parked_unitstat = *unitstat;
    w->parked_more = *more;
    w->parked_residual = *residual;
    dev->syncio_retry = 1;
  }
  w->in_exec = 0;
}

static void exec_inside(struct TapWrapped* w, DEVBLK* dev, BYTE code, BYTE flags, BYTE chained, U16 count, BYTE prevcode, int ccwseq,
                        BYTE* iobuf, BYTE* more, BYTE* unitstat, U16* residual) {
  if (w->parked) {
    /* The same CCW again, on a device thread: it has run already. */
    settle(w, dev);
    w->parked = 0;
    *unitstat = w->parked_unitstat;
    *more = w->parked_more;
    *residual = w->parked_residual;
    return;
  }
  w->code = code;
  w->in_exec = 1;
  if (writes_records(code) && in_session(w)) {
    if (!pass_gate(w, dev, code, unitstat)) {
      w->in_exec = 0;
      return;
    }
    w->in_exec = 2;
  }
  (w->base.exec)(dev, code, flags, chained, count, prevcode, ccwseq, iobuf, more, unitstat, residual);
  if (w->in_exec == 2) {
    finish_exec(w, dev, record_written(dev, code, iobuf, count), more, unitstat, residual);
  } else {
    w->in_exec = 0;
  }
}

static void wrapped_exec(DEVBLK* dev, BYTE code, BYTE flags, BYTE chained, U16 count, BYTE prevcode, int ccwseq, BYTE* iobuf, BYTE* more,
                         BYTE* unitstat, U16* residual) {
  struct TapWrapped* w = find(dev);
  if (!enter(w)) {
    *unitstat = CSW_CE | CSW_DE | CSW_UC;
    return;
  }
  exec_inside(w, dev, code, flags, chained, count, prevcode, ccwseq, iobuf, more, unitstat, residual);
  leave(w);
}

static int wrapped_close(DEVBLK* dev) {
  struct TapWrapped* w = find(dev);
  DEVHND* before = dev->hnd;
  if (w == NULL || !w->open) {
    const DEVHND* base = w != NULL && w->closed_base != NULL ? w->closed_base : NULL;
    const int rc = base != NULL && base->close != NULL ? (base->close)(dev) : 0;
    dev->hnd = before;
    return rc;
  }
  atomic_store(&w->closing, 1);
  tap_closing(w->tap);
  wait_until_outside(w);
  if (dev->ioactive == SERVICE_SYSTEM_ID) dev->ioactive = DEV_SYS_NONE;
  if (w->parked || w->in_exec == 2) tap_settle(w->tap, TAP_PLACE_CPU); /* its thread will not come back to it */
  w->parked = w->in_exec = 0;
  /* The close of a CCKD device waits for the end of the channel program, whose thread may be waiting for dev->lock, which our caller holds
     (without us that is a deadlock of Hercules 3.13): the program is ended here, and its thread finds the device closing. */
  if (atomic_exchange(&w->started, 0) && dev->cckd_ext != NULL && w->base.end) (w->base.end)(dev);
  const int rc = (w->base.close)(dev);
  /* CCKD's close leaves the raw CKD table in dev->hnd, which would take the device out of our hands at the next devinit. */
  w->closed_base = dev->hnd != before ? dev->hnd : &w->base;
  dev->hnd = before;
  w->open = 0;
  tap_closed(w->tap);
  atomic_store(&w->closing, 0);
  return rc;
}

/* ---- registration and initialisation ---- */

static int wrapped_init(DEVBLK* dev, int argc, char* argv[]);

static const char* const ckd_types[] = {"2305", "2311", "2314", "3330", "3340", "3350", "3375", "3380", "3390", "9345"};
enum { CKD_TYPES = sizeof ckd_types / sizeof ckd_types[0] };
static DEVHND registered[CKD_TYPES];
static DEVHND* previous[CKD_TYPES];

static int type_index(const DEVBLK* dev) {
  for (int i = 0; i < CKD_TYPES; ++i)
    if (dev->typname != NULL && strcasecmp(dev->typname, ckd_types[i]) == 0) return i;
  return -1;
}

static TapFacts facts_of(const DEVBLK* dev) {
  const CCKDDASD_EXT* cckd = dev->cckd_ext;
  TapFacts facts = {0};
  facts.device_number = dev->devnum;
  facts.device_type = dev->devtype;
  facts.cylinders = (uint32_t)dev->ckdcyls;
  facts.heads = (uint32_t)dev->ckdheads;
  facts.tracks = (uint32_t)dev->ckdtrks;
  facts.track_bytes = (uint32_t)dev->ckdtrksz;
  facts.compressed = cckd != NULL;
  facts.read_only = dev->ckdrdonly && (cckd == NULL || cckd->sfn == 0);
  facts.fake_write = dev->ckdfakewr;
  facts.path = dev->filename;
  return facts;
}

static int is_remote(const DEVBLK* dev) {
  /* Hercules's own test: a CKD device whose file is not here is a client of another Hercules's shared device. Its server is tapped. */
  struct stat status;
  return stat(dev->filename, &status) < 0;
}

static void wrap(struct TapWrapped* w, DEVBLK* dev) {
  w->base = *dev->hnd;
  w->mine = w->base;
  w->mine.init = wrapped_init;
  w->mine.exec = wrapped_exec;
  w->mine.close = wrapped_close;
  w->mine.start = wrapped_start;
  w->mine.end = wrapped_end;
  w->mine.resume = wrapped_resume;
  w->mine.suspend = wrapped_suspend;
  w->mine.read = wrapped_read;
  w->mine.write = wrapped_write;
  w->in_exec = w->parked = 0;
  atomic_store(&w->started, 0);
  atomic_store(&w->closing, 0);
  dev->hnd = &w->mine;
}

static int wrapped_init(DEVBLK* dev, int argc, char* argv[]) {
  const int type = type_index(dev);
  if (type < 0) return -1;
  struct TapWrapped* w = find_or_add(dev);
  if (w != NULL) {
    w->registered = &registered[type];
    tap_before_open(w->tap, argc > 0 ? argv[0] : NULL);
  } else {
    logmsg("DSMC013E DEVICE %4.4X CANNOT BE MIRRORED: MORE THAN %d DEVICES ARE OPEN IN THIS HERCULES; IT WORKS UNMIRRORED\n", dev->devnum,
           TAP_MAX_DEVICES);
  }
  dev->hnd = previous[type];
  const int rc = (dev->hnd->init)(dev, argc, argv);
  if (w == NULL) return rc;
  if (rc < 0) {
    /* Keeps the device ours for the next devinit; close then does what it would have done without us. */
    w->closed_base = dev->hnd;
    w->open = 0;
    dev->hnd = &registered[type];
    return rc;
  }
  if (is_remote(dev)) return rc;
  if (dev->cckd_ext != NULL) keep_the_cache();
  wrap(w, dev);
  w->open = 1;
  TapFacts facts = facts_of(dev);
  tap_opened(w->tap, &facts);
  return rc;
}

/* ---- what the tap may ask of Hercules ---- */

static void host_log(const char* line) { logmsg("%s\n", line); }

static void start_reading(struct TapWrapped* w) {
  w->dev->syncio_active = w->dev->syncio_retry = 0;
  if (w->base.start) (w->base.start)(w->dev);
}

static int read_track_now(struct TapWrapped* w, uint32_t track, const uint8_t** image) {
  DEVBLK* dev = w->dev;
  BYTE unitstat = 0;
  BYTE sense[sizeof dev->sense];
  const int pending = dev->sns_pending;
  memcpy(sense, dev->sense, sizeof sense);
  dev->comps = 0; /* a shared client may have left it accepting compressed images */
  const int rc = (w->base.read)(dev, (int)track, &unitstat);
  memcpy(dev->sense, sense, sizeof sense);
  dev->sns_pending = pending;
  if (rc < 0) return -1;
  *image = dev->buf;
  return 0;
}

static void host_start_reading(TapWrapped* w) { start_reading(w); }

static int host_read_track(TapWrapped* w, uint32_t track, const uint8_t** image) { return read_track_now(w, track, image); }

static void host_end_reading(TapWrapped* w) {
  DEVBLK* dev = w->dev;
  if (w->base.end) (w->base.end)(dev);
  if (!atomic_load(&w->service_io)) {
    /* Inside initialisation: attach would take a left-over buffer size as a wish for a buffer of its own. */
    dev->bufcur = dev->cache = -1;
    dev->buf = NULL;
    dev->bufsize = 0;
  }
}

static int host_image_now(TapWrapped* w, uint32_t track, const uint8_t** image) {
  DEVBLK* dev = w->dev;
  if ((int)track == dev->bufcur) {
    *image = dev->buf;
    return 0;
  }
  const int bufoff = dev->bufoff, bufoffhi = dev->bufoffhi, syncio = dev->syncio_active;
  dev->syncio_active = 0; /* must not come back with a retry in the middle of a CCW that has written */
  const int rc = read_track_now(w, track, image);
  dev->syncio_active = syncio;
  dev->bufoff = bufoff;
  dev->bufoffhi = bufoffhi;
  return rc;
}

static void deadline_after(struct timespec* deadline, unsigned wait_ms) {
  clock_gettime(CLOCK_REALTIME, deadline);
  deadline->tv_sec += wait_ms / 1000;
  deadline->tv_nsec += (long)(wait_ms % 1000) * 1000000;
  if (deadline->tv_nsec >= 1000000000) deadline->tv_sec++, deadline->tv_nsec -= 1000000000;
}

static TapTake host_take(TapWrapped* w, unsigned wait_ms) {
  DEVBLK* dev = w->dev;
  struct timespec deadline;
  deadline_after(&deadline, wait_ms);
  /* Not obtain_lock: detach holds the lock while it waits for us to be out of the device. */
  if (try_obtain_lock(&dev->lock) != 0) {
    usleep(200);
    return TAP_TAKE_BUSY;
  }
  int expired = 0;
  while (w->open && !atomic_load(&w->closing) && dev->allocated && dev->ioactive != DEV_SYS_NONE && !expired) {
    dev->iowaiters++;
    expired = timed_wait_condition(&dev->iocond, &dev->lock, &deadline) != 0;
    dev->iowaiters--;
  }
  TapTake result = TAP_TAKE_BUSY;
  if (!w->open || atomic_load(&w->closing) || !dev->allocated) {
    result = TAP_TAKE_GONE;
  } else if (dev->ioactive == DEV_SYS_NONE) {
    dev->ioactive = SERVICE_SYSTEM_ID;
    atomic_store(&w->service_io, 1);
    result = TAP_TAKE_TAKEN;
  }
  release_lock(&dev->lock);
  return result;
}

static void host_give(TapWrapped* w) {
  DEVBLK* dev = w->dev;
  atomic_store(&w->service_io, 0); /* first: a close that waits for it holds the lock wanted below */
  obtain_lock(&dev->lock);
  if (dev->ioactive == SERVICE_SYSTEM_ID) {
    dev->ioactive = DEV_SYS_NONE;
    if (dev->iowaiters) signal_condition(&dev->iocond);
  }
  release_lock(&dev->lock);
}

static int host_must_leave(TapWrapped* w) {
  const DEVBLK* dev = w->dev;
  const int shared = dev->ioactive != DEV_SYS_LOCAL && dev->ioactive != DEV_SYS_NONE;
  if (atomic_load(&w->closing) || sysblk.shutdown) return 1;
  if (shared) return 0;
  return (dev->scsw.flag2 & (SCSW2_AC_CLEAR | SCSW2_AC_HALT)) != 0 || !dev->busy;
}

static int dirty_entry(int* answer, int ix, int i, void* data) {
  const DEVBLK* dev = data;
  U16 devnum;
  U32 trk;
  CCKD_CACHE_GETKEY(i, devnum, trk);
  (void)trk;
  if (devnum == dev->devnum && (cache_getflag(ix, i) & (CCKD_CACHE_UPDATED | CCKD_CACHE_WRITE | CCKD_CACHE_IOBUSY))) *answer = 1;
  return 0;
}

static int host_if_hardened(TapWrapped* w, void (*when_idle)(void*), void* argument) {
  DEVBLK* dev = w->dev;
  /* dev->lock keeps the extension from being freed by a close meanwhile. */
  if (try_obtain_lock(&dev->lock) != 0) return 0;
  CCKDDASD_EXT* cckd = dev->cckd_ext;
  int hardened = 0;
  if (w->open && !atomic_load(&w->closing) && cckd != NULL) {
    obtain_lock(&cckd->iolock);
    /* While iolock is held no channel program can begin, so none can update a track between the look and `when_idle`. */
    if (!cckd->ioactive && !cckd->merging && !cckd->updated && cckd->wrpending == 0) {
      int dirty = 0;
      cache_lock(CACHE_DEVBUF);
      dirty = cache_scan(CACHE_DEVBUF, dirty_entry, dev) == 1;
      cache_unlock(CACHE_DEVBUF);
      if (!dirty) {
        when_idle(argument);
        hardened = 1;
      }
    }
    release_lock(&cckd->iolock);
  }
  release_lock(&dev->lock);
  return hardened;
}

static uint32_t host_device_number(TapWrapped* w) { return w->dev->allocated ? w->dev->devnum : 0; }

static void host_each_device(void (*visit)(void*, uint32_t, const char*, int, int), void* argument) {
  for (DEVBLK* dev = sysblk.firstdev; dev != NULL; dev = dev->nextdev) {
    char* class = NULL;
    if (!dev->allocated || dev->hnd == NULL || dev->hnd->query == NULL || dev->typname == NULL) continue;
    (dev->hnd->query)(dev, &class, 0, NULL);
    if (class == NULL) continue;
    const struct TapWrapped* w = find(dev);
    if (strcmp(class, "DASD") == 0 || strcmp(class, "TAPE") == 0) {
      visit(argument, dev->devnum, dev->typname, strcmp(class, "DASD") == 0, w != NULL && w->open);
    }
  }
}

static int host_shutting_down(void) { return sysblk.shutdown != 0; }

static const TapHost host = {
    host_log,       host_take,       host_give,        host_start_reading, host_read_track,  host_end_reading,
    host_image_now, host_must_leave, host_if_hardened, host_device_number, host_each_device, host_shutting_down,
};

/* ---- panel commands ---- */

/* A guest's data would be lost behind the tap's back: sf- drops the shadow file with everything written to it unless it merges. */
static int refuses_shadow_drop(int argc, char* argv[]) {
  if (argc < 1 || strncasecmp(argv[0], "sf-", 3) != 0) return 0;
  const char* name = argv[0] + 3;
  int next = 1;
  if (*name == '\0') {
    if (argc < 2) return 0;
    name = argv[1];
    next = 2;
  }
  if (argc > next && (strcmp(argv[next], "merge") == 0 || strcmp(argv[next], "force") == 0)) return 0;
  U16 lcss = 0, devnum = 0;
  const int all = strcmp(name, "*") == 0;
  if (!all && parse_single_devnum_silent(name, &lcss, &devnum) < 0) return 0;
  if (!tap_in_session(all ? 0 : devnum)) return 0;
  logmsg("DSMC040E SF- REFUSED FOR %s: IT WOULD DROP WRITES THAT ARE ALREADY AT THE SECONDARY; USE SF-%s MERGE OR END THE SESSION\n",
         all ? "*" : name, all ? "*" : name);
  return 1;
}

int dsmchan_system_command(int argc, char* argv[], char* line) {
  if (refuses_shadow_drop(argc, argv)) return -1;
  if (argc > 0 && tap_panel_command(argc, argv, line)) return 1;
  int (*next)(int, char**, char*) = (int (*)(int, char**, char*))hdl_nent((void*)dsmchan_system_command);
  return next != NULL ? next(argc, argv, line) : 0;
}

int dsmchan_config_command(int argc, char* argv[], char* line) {
  if (argc > 0 && tap_config_statement(argc, argv)) return 1;
  int (*next)(int, char**, char*) = (int (*)(int, char**, char*))hdl_nent((void*)dsmchan_config_command);
  return next != NULL ? next(argc, argv, line) : 0;
}

/* ---- the sections Hercules's dynamic loader looks for (its macros, with visibility) ---- */

EXPORTED const char dsmchan_loaded[] = AFTERIMAGE_VERSION;
EXPORTED int hdl_depc(int (*check)(char*, char*, int));
EXPORTED void hdl_init(int (*add)(char*, void*));
EXPORTED void hdl_ddev(int (*add)(char*, void*));
EXPORTED int hdl_fini(void);

int hdl_depc(int (*check)(char*, char*, int)) {
  int wrong = check("HERCULES", HDL_VERS_HERCULES, HDL_SIZE_HERCULES);
  wrong |= check("DEVBLK", HDL_VERS_DEVBLK, HDL_SIZE_DEVBLK);
  wrong |= check("SYSBLK", HDL_VERS_SYSBLK, HDL_SIZE_SYSBLK);
  build_fits = 0;
  if (wrong) {
    logmsg("DSMC001E DSMCHAN %s WAS BUILT FOR ANOTHER HERCULES THAN THIS ONE AND IS NOT LOADED; BUILD IT WITH THIS ONE'S HEADERS\n",
           AFTERIMAGE_VERSION);
    return 1;
  }
  if (hdl_fent("dsmchan_loaded") != NULL) {
    logmsg("DSMC002E DSMCHAN IS ALREADY LOADED FROM ANOTHER FILE AND IS NOT LOADED AGAIN; NOTHING HAS CHANGED\n");
    return 1;
  }
  build_fits = 1;
  return 0;
}

void hdl_init(int (*add)(char*, void*)) {
  if (!build_fits) return; /* loaded by force in spite of hdl_depc: stay out of everything */
  add("system_command", (void*)dsmchan_system_command);
  add("config_command", (void*)dsmchan_config_command);
}

void hdl_ddev(int (*add)(char*, void*)) {
  if (!build_fits) return;
  for (int i = 0; i < CKD_TYPES; ++i) {
    DEVHND* before = hdl_ghnd(ckd_types[i]);
    if (before == NULL) continue;
    previous[i] = before;
    registered[i] = *before;
    registered[i].init = wrapped_init;
    registered[i].close = wrapped_close;
    add((char*)(uintptr_t)ckd_types[i], &registered[i]);
  }
  tap_start(&host);
}

static unsigned devices_in_our_hands(void) {
  unsigned count = 0;
  for (unsigned i = 0; i < MAX_WRAPPED; ++i) {
    const struct TapWrapped* w = wrapped_table[i];
    if (w != NULL && (w->open || (w->dev->allocated && (w->dev->hnd == &w->mine || w->dev->hnd == w->registered)))) ++count;
  }
  return count;
}

int hdl_fini(void) {
  if (!build_fits) return 0;
  const unsigned devices = devices_in_our_hands();
  if (devices != 0 && !sysblk.shutdown) {
    logmsg("DSMC003E DSMCHAN IS NOT UNLOADED: %u DEVICES ARE TAPPED; DETACH THEM FIRST\n", devices);
    return 1;
  }
  tap_stop();
  build_fits = 0;
  return 0;
}
