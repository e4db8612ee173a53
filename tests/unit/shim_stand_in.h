// Stands in for Hercules under the shim: one CKD device with a handler that keeps its tracks in memory, and what the shim calls of
// Hercules. A C interface, because Hercules's headers are C. One thread at a time; one device.
#pragma once

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

enum { STAND_IN_CYLINDERS = 2, STAND_IN_HEADS = 15, STAND_IN_TRACK_BYTES = 4096 };

// One call of the device's write entry. `bytes` may be null: the handler has already put `fill` into its track buffer, as Hercules 3.13
// allows (its own write then copies nothing).
struct StandInWrite {
  int track, offset, length;
  const uint8_t* bytes;
  uint8_t fill;
};

// LDMOD and RMMOD: the sections that Hercules's loader calls, in its order. `wrong_build` is what the version check answers.
int stand_in_load(int wrong_build, const char* storage);
int stand_in_unload(void);
// The lines said so far; forgets them.
const char* stand_in_log(void);

// What attach, devinit and detach call. `path` must exist. The close of a compressed device leaves the raw table of entries, as CCKD's
// does.
enum { STAND_IN_PLAIN = 0, STAND_IN_REFUSED = 1, STAND_IN_COMPRESSED = 2 };
int stand_in_init(const char* path, int how);
int stand_in_close(void);
void stand_in_forget(void);               // detach: the device block goes back to Hercules
unsigned stand_in_closes(void);           // of the handler under the shim
int stand_in_is_wrapped(void);            // the device's entries are the shim's
uint8_t* stand_in_track(uint32_t track);  // what the volume's file holds

// Entries of Hercules's cache of compressed tracks that are in use, of four; and puts all four to use by another device, or to none.
unsigned stand_in_cache_in_use(void);
void stand_in_fill_cache(int fill);

// A channel program of one CCW, in which the handler makes these writes; the unit status.
int stand_in_program(uint8_t code, const struct StandInWrite* writes, unsigned count);
// An update by the shared-device server, without a channel program; what the write entry returned.
int stand_in_shared_write(const struct StandInWrite* write);
// The handler's next write, or its next write-back of the track buffer, fails.
void stand_in_fail_write(void);
void stand_in_fail_write_back(void);
// A line typed at the panel: 0 if it goes on to Hercules's own commands.
int stand_in_command(const char* line);

#ifdef __cplusplus
}
#endif
