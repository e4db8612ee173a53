/* Layout of the recorder's log: a header page, fixed records in the order they were begun, then a heap for pre-images and paths.
 * The test creates the file sparse (sizes filled in); the processes of one site map and fill it. Host byte order. page_cache.py reads it.
 */
#ifndef RECORDER_LOG_H
#define RECORDER_LOG_H

#include <stdatomic.h>
#include <stdint.h>

#define RECORDER_MAGIC "AIRECO01"
#define RECORDER_SECTOR 512u

/* `begun` and `done` are ticks of one counter. An operation with done == 0 was under way when its process was killed, or failed. */
enum recorder_kind {
  RECORDER_PATH = 1,   /* names a file: payload = path */
  RECORDER_WRITE = 2,  /* offset, length of the write; payload = pre-image of its sectors; a = size before */
  RECORDER_SIZE = 3,   /* truncation or allocation; a = size before, b = size after; payload = pre-image from `offset` on */
  RECORDER_SYNC = 4,   /* fsync or fdatasync of a file */
  RECORDER_CREATE = 5, /* a directory got a new entry; payload = path */
  RECORDER_RENAME = 6, /* payload = from, NUL, to, NUL, where the replaced file is kept ("" = none) */
  RECORDER_UNLINK = 7, /* payload = path, NUL, where the file is kept */
  RECORDER_DIRSYNC = 8 /* fsync of a directory; payload = path */
};

struct recorder_header {
  char magic[8];
  uint64_t record_count, records_offset;
  uint64_t heap_bytes, heap_offset;
  uint64_t spare[3];
  _Alignas(64) _Atomic uint64_t next_record;
  _Alignas(64) _Atomic uint64_t next_heap;
  _Alignas(64) _Atomic uint64_t tick;
  _Alignas(64) _Atomic uint64_t dropped; /* operations that were not recorded: the log proves nothing then */
};

struct recorder_record {
  _Atomic uint32_t published; /* 1 once everything but `done` is in place */
  uint32_t kind;
  uint64_t device, inode;
  uint64_t offset, length;
  uint64_t a, b;
  uint64_t heap, heap_length;
  uint64_t begun;
  _Atomic uint64_t done;
  uint64_t spare;
};

_Static_assert(sizeof(struct recorder_record) == 96, "the reader assumes 96-byte records");

#endif
