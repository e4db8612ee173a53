// io: the checkpoint on disk, in two generations ("checkpoint.1", "checkpoint.2"), each written to a new file, synced and renamed into
// place. If the newer is damaged the older is used: journal space is released only as far as the older allows, and a change of the
// secondary's state or epoch is written to both, so that going back one generation never goes back over such a change. Format:
// docs/FORMATS.md. Threads: one at a time.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "datamover/checkpoint_format.h"

namespace afterimage {

class CheckpointFile {
 public:
  // Reads what is there; the directory must exist. Checkpoints of another session, or files that are there and none of them readable,
  // are an error: a lost checkpoint is not an empty secondary.
  static Result<std::unique_ptr<CheckpointFile>> open(const std::string& directory, const std::string& session);

  const std::optional<Checkpoint>& latest() const { return latest_; }
  // One sentence when a generation was found damaged and the other is used; else empty.
  const std::string& warning() const { return warning_; }
  // Durable on return. The value is the position before which the journal may be released now. On error the earlier generation stands.
  Result<std::uint64_t> write(const Checkpoint& checkpoint);

 private:
  CheckpointFile() = default;
  std::string path(std::size_t slot) const;
  Status load(std::size_t slot);
  Status write_slot(std::size_t slot, const Checkpoint& checkpoint);

  std::string directory_, session_, warning_;
  std::array<std::optional<StoredCheckpoint>, 2> slots_;
  std::optional<Checkpoint> latest_;
  std::uint64_t generation_ = 0;
};

}  // namespace afterimage
