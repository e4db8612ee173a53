/* Layout of the witness file: a header page, then fixed records indexed by ordinal, then a heap for the bytes written.
 * The test creates the file (size and offsets filled in, space allocated); any number of Hercules processes map and fill it.
 * Host byte order. tests/e2e/witness_log.py reads the same layout. */
#ifndef WITNESS_FILE_H
#define WITNESS_FILE_H

#include <stdatomic.h>
#include <stdint.h>

#define WITNESS_MAGIC "AIWITN01"

enum witness_kind {
  WITNESS_OPEN = 1, /* a device was initialised; the bytes are its file name */
  WITNESS_CLOSE = 2,
  WITNESS_START = 3,     /* taken before the handler's start (or resume) */
  WITNESS_END = 4,       /* taken after the handler's end (or suspend), before the guest is told */
  WITNESS_CCW_BEGIN = 5, /* taken before a write CCW is executed */
  WITNESS_CCW_END = 6,   /* taken after a CCW that wrote has been executed */
  WITNESS_WRITE = 7      /* one hnd->write that succeeded; the bytes are what it put into the track image */
};

#define WITNESS_RETRY 1u /* on CCW_END: the channel will drive the same CCW again on a device thread */

struct witness_header {
  char magic[8];
  uint64_t record_count, records_offset;
  uint64_t heap_bytes, heap_offset;
  uint64_t spare[3];
  _Alignas(64) _Atomic uint64_t next_ordinal; /* may pass record_count: the file is full and the test must fail */
  _Alignas(64) _Atomic uint64_t next_heap;
  _Alignas(64) _Atomic uint64_t dropped; /* records there was no room for */
};

struct witness_record {
  _Atomic uint32_t published; /* 1 once everything else, the bytes included, is in place */
  uint16_t kind, flags;
  uint16_t system, device;
  uint32_t track, offset, length;
  uint64_t heap;  /* of the bytes, from the start of the heap */
  uint64_t begin; /* ordinal of the CCW_BEGIN this belongs to, plus 1; 0 = outside any CCW */
  uint64_t monotonic_ns;
  uint8_t ccw;
  uint8_t pad[15];
};

_Static_assert(sizeof(struct witness_record) == 64, "the reader assumes 64-byte records");

#endif
