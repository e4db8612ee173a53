/* What the Hercules shim (hercules_shim.c, the only file that sees Hercules's own headers) offers to the tap, as plain C values:
   the tap never sees a DEVBLK. A `wrapped` is the shim's handle of one device; it is valid from the device's first initialisation
   to the end of the process (Hercules never frees a device block). */
#ifndef AFTERIMAGE_HERCULES_SHIM_H
#define AFTERIMAGE_HERCULES_SHIM_H

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct TapWrapped TapWrapped;

/* One device as it is after its handler's initialisation. `path` is valid during the call only. */
typedef struct TapFacts {
  uint16_t device_number;
  uint16_t device_type; /* X'3390' ... */
  uint32_t cylinders, heads, tracks, track_bytes;
  int compressed; /* CCKD */
  int read_only;  /* opened read-only, without a shadow file to take the writes */
  int fake_write; /* writes are reported as done and not made */
  const char* path;
} TapFacts;

typedef enum TapTake { TAP_TAKE_BUSY = 0, TAP_TAKE_TAKEN = 1, TAP_TAKE_GONE = 2 } TapTake;

typedef struct TapHost {
  /* One line into the Hercules log, without its newline. Any thread. */
  void (*log)(const char* line);
  /* Takes the device as the shared-device server does (nobody else runs a channel program on it until give), waiting at most `wait_ms`.
     Never from a CPU thread and never with the device's lock held. */
  TapTake (*take)(TapWrapped* device, unsigned wait_ms);
  void (*give)(TapWrapped* device);
  /* Between start_reading and end_reading, tracks may be read through the base handler. The caller has taken the device, or runs
     inside its initialisation. `image` points into Hercules's buffer until the next read. Returns 0, or -1 on an I/O error. */
  void (*start_reading)(TapWrapped* device);
  int (*read_track)(TapWrapped* device, uint32_t track, const uint8_t** image);
  void (*end_reading)(TapWrapped* device);
  /* Inside a write CCW or with the device taken: the image of a track as it is now, without ending the channel program. Returns 0 or -1. */
  int (*image_now)(TapWrapped* device, uint32_t track, const uint8_t** image);
  /* 1 when the channel program on the device must be left without writing: clear, halt, reset, close, shutdown. */
  int (*must_leave)(TapWrapped* device);
  /* CCKD: calls `when_idle` while nothing of the device is active, updated or waiting to be written, and returns 1; else returns 0. */
  int (*if_hardened)(TapWrapped* device, void (*when_idle)(void*), void* argument);
  /* Present device number (a `define` changes it), 0 if the device is not attached. */
  uint32_t (*device_number)(TapWrapped* device);
  /* Calls `visit` for every attached DASD or tape: its number, its type name, 1 if its handler is wrapped. */
  void (*each_device)(void (*visit)(void* argument, uint32_t device_number, const char* type, int is_dasd, int is_wrapped), void* argument);
  /* 1 once Hercules is shutting down. */
  int (*shutting_down)(void);
} TapHost;

#ifdef __cplusplus
}
#endif
#endif
