/* io: keeps Hercules's cache of compressed tracks from being freed under a thread that still looks at it (kept_cache.h). */
#include "channel/kept_cache.h"

#include "cache.h"
#include "devtype.h"
#include "hercules.h"
#include "hstdinc.h"

int keep_the_cache(void) {
  /* Of a device that no configuration can have a track of: only its number is ever compared. */
  const U64 key = CCKD_CACHE_SETKEY(0xFFFF, 0xFFFFFFFF);
  int free_entry = -1;
  if (cache_lock(CACHE_DEVBUF) != 0) return 0;
  const int found = cache_lookup(CACHE_DEVBUF, key, &free_entry);
  if (found < 0 && free_entry >= 0) {
    cache_setkey(CACHE_DEVBUF, free_entry, key);
    cache_setflag(CACHE_DEVBUF, free_entry, 0, CCKD_CACHE_ACTIVE);
  }
  cache_unlock(CACHE_DEVBUF);
  return found >= 0 || free_entry >= 0;
}
