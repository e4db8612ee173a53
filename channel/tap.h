/* What the tap offers to the Hercules shim: a C interface of plain values, so that the shim is the only file that sees Hercules and
   the tap can be tested without it. Nothing here throws or lets an exception out. Source: document 002 (A2, A4, A5); docs/ARCHITECTURE.md
   "The write path".
   Threads: the calls for one device come from one thread at a time (Hercules's `ioactive`), except where said. */
#ifndef AFTERIMAGE_TAP_H
#define AFTERIMAGE_TAP_H

#include "channel/hercules_shim.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct TapDevice TapDevice;

#define TAP_MAX_DEVICES 256 /* in one Hercules */

/* The only thing a channel program pays for on a device that is in no session: one relaxed load through `duplex`, which is never null. */
typedef struct TapFast {
  const uint32_t* duplex;
  uint32_t owing; /* tokens of the device are numbered and not yet known to be in its file */
} TapFast;

/* Before a write. */
typedef enum TapGate {
  TAP_GATE_RUN = 0,     /* write; a capture is open, end it with tap_capture_end */
  TAP_GATE_REDRIVE = 1, /* this thread must not wait: have the CCW driven again on a device thread */
  TAP_GATE_LEAVE = 2    /* end the channel program without writing */
} TapGate;

typedef enum TapEnd {
  TAP_END_DONE = 0,
  TAP_END_PARKED = 1 /* written but not yet numbered (a freeze came between): have the CCW driven again, and do not run it again */
} TapEnd;

/* Where the caller may wait. */
typedef enum TapPlace {
  TAP_PLACE_THREAD = 0,      /* a device thread or a shared-device thread: may be held */
  TAP_PLACE_CPU_REDRIVE = 1, /* a CPU thread whose CCW can be driven again on a device thread */
  TAP_PLACE_CPU = 2          /* a CPU thread with no way back: never held */
} TapPlace;

/* Life of the module. tap_start is called once per load, tap_stop at unload or shutdown (it waits for the tap's thread). */
void tap_start(const TapHost* host);
void tap_stop(void);
/* Number of wrapped devices that are open. Any thread. */
unsigned tap_open_devices(void);

/* Returns null when no more devices can be tapped; the caller then leaves the device alone. */
TapDevice* tap_device_new(TapWrapped* wrapped);
const TapFast* tap_device_fast(const TapDevice* device);

/* Before the base handler's initialisation: notes the identity of the file as it is now. `path` may be null. */
void tap_before_open(TapDevice* device, const char* path);
/* After it, still inside the device's initialisation, so before any guest can use it: binds the device to its entry in common storage,
   checks it, mends it. Failing any check never fails the device: it is then not mirrored, with a message. */
void tap_opened(TapDevice* device, const TapFacts* facts);
/* Any thread: wakes whoever is held on the device; it then leaves without writing. */
void tap_closing(TapDevice* device);
/* After the base handler's close (files are final). */
void tap_closed(TapDevice* device);

/* A new channel program. */
void tap_program_started(TapDevice* device);
/* Waits, if need be and if `place` allows it, until the write may be made and captured; opens the capture. CCW code 0: shared-device
 * server. */
TapGate tap_gate(TapDevice* device, uint8_t ccw_code, TapPlace place);
/* Opens a capture with no gate: the session began inside the CCW. */
void tap_capture_begin(TapDevice* device, uint8_t ccw_code);
/* The handler replaced `length` bytes at `offset` of the track image; `bytes` is what the image now holds there. */
void tap_wrote(TapDevice* device, uint32_t track, uint32_t offset, uint32_t length, const uint8_t* bytes);
/* The write is complete: numbers it. `record` is R of the record written, or -1 to find it in `image` (the whole track, `image_bytes`
 * long). */
TapEnd tap_capture_end(TapDevice* device, int record, const uint8_t* image, uint32_t image_bytes, TapPlace place);
/* A capture is written and not numbered (see TAP_END_PARKED); settle waits for it as `place` allows. */
int tap_is_parked(const TapDevice* device);
void tap_settle(TapDevice* device, TapPlace place);

/* Everything written so far is in the file (CKD), or handed to the cache that will write it (CCKD). */
void tap_flushed(TapDevice* device);
/* The handler could not write the track buffer back; what it held is lost. */
void tap_write_back_failed(TapDevice* device, uint32_t track);
/* A write was made while the device was in no session. */
void tap_wrote_outside(TapDevice* device);

/* Statement and commands. The tap_*_command calls return non-zero if the line was theirs. */
int tap_config_statement(int argc, char* argv[]);
int tap_panel_command(int argc, char* argv[], const char* line);

/* 1 if the device (by number, 0 = any CCKD device) is in a session: its shadow files may not be dropped. Any thread. */
int tap_in_session(uint32_t device_number);

#ifdef __cplusplus
}
#endif
#endif
