/* Hercules 3.13 frees its cache of compressed tracks as soon as no entry of it is in use, without a lock and without asking who is about to
   look at one: its own writer thread does, once more after it has told that a track is written, and whoever unlocks the cache beside
   another may free it twice. Either ends the whole Hercules by signal 11, with our module or without it. The module looks at the cache too,
   so it sees to it that an entry is always in use. */
#pragma once

/* Any thread that holds no lock of the cache. Takes one entry for good, of a track that does not exist; once it is there, nothing more
   happens. 1 if it is there; 0 if every entry is in use just now. */
int keep_the_cache(void);
