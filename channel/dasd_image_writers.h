// io: who else on this host has a file open for writing (Hercules takes no lock on its images, so this is how a running one is seen).
#pragma once

#include <cstdint>
#include <string>

namespace afterimage {

struct FileWriter {
  std::uint64_t pid = 0;  // 0 = nobody
  std::string command;    // "hercules"
};

// Looks at every process this one may look at (its own user's; all when root), except itself, for a descriptor open for writing on the
// file with that device and inode. Cannot see processes of other users or other hosts: a lock must stand beside it. Any thread.
FileWriter find_other_writer(std::uint64_t device, std::uint64_t inode);

}  // namespace afterimage
