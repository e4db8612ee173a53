// io: writes and reads the two generations of a checkpoint.
#include "datamover/checkpoint_file.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>

#include "datamover/posix_file.h"
#include "serializer/canary.h"
#include "serializer/limits.h"

namespace afterimage {

std::string CheckpointFile::path(std::size_t slot) const { return directory_ + "/checkpoint." + std::to_string(slot + 1); }

Status CheckpointFile::load(std::size_t slot) {
  if (::access(path(slot).c_str(), F_OK) != 0) {
    if (errno == ENOENT) return Status::ok();
    return file_error("open", path(slot), errno);
  }
  auto bytes = read_whole(path(slot), encoded_checkpoint_bytes(kMaxDevices));
  auto decoded = bytes.good() ? decode_checkpoint(bytes.value) : failed<StoredCheckpoint>(std::move(bytes.status));
  if (!decoded.good()) {
    warning_ = "The checkpoint " + path(slot) + " cannot be used: " + decoded.status.text();
    if (warning_.back() != '.') warning_ += '.';
    if (planted(Canary::kOtherCheckpointIgnored)) return Status::error(warning_);
    return Status::ok();
  }
  if (decoded.value.session != session_)
    return Status::error("The checkpoint " + path(slot) + " is of session " + decoded.value.session + " and this is session " + session_ +
                         "; give each session a directory of its own.");
  slots_[slot] = std::move(decoded.value);
  return Status::ok();
}

Result<std::unique_ptr<CheckpointFile>> CheckpointFile::open(const std::string& directory, const std::string& session) {
  using Opened = std::unique_ptr<CheckpointFile>;
  Opened file(new CheckpointFile);
  file->directory_ = directory;
  file->session_ = session;
  if (::access(directory.c_str(), R_OK | W_OK | X_OK) != 0) return failed<Opened>(file_error("use the directory", directory, errno));
  for (std::size_t slot = 0; slot < 2; ++slot) {
    Status loaded = file->load(slot);
    if (!loaded) return failed<Opened>(std::move(loaded));
  }
  const auto& slots = file->slots_;
  if (!slots[0] && !slots[1]) {
    if (!file->warning_.empty())
      return failed<Opened>(
          Status::error(file->warning_ + " There is no other; restore it, or copy the volumes and start with an empty " + "directory."));
    return result_of(std::move(file));
  }
  const std::size_t newer = !slots[1] || (slots[0] && slots[0]->generation > slots[1]->generation) ? 0 : 1;
  file->latest_ = slots[newer]->checkpoint;
  file->generation_ = slots[newer]->generation;
  if (!file->warning_.empty()) file->warning_ += " The other generation is used.";
  return result_of(std::move(file));
}

Status CheckpointFile::write_slot(std::size_t slot, const Checkpoint& checkpoint) {
  StoredCheckpoint stored{session_, generation_ + 1, checkpoint};
  auto bytes = encode_checkpoint(stored);
  if (!bytes.good()) return std::move(bytes.status);
  const std::string fresh = directory_ + "/checkpoint.new";
  {
    const FileHandle file(::open(fresh.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600));
    if (!file.is_open()) return file_error("create", fresh, errno);
    Status written = write_at(file.get(), fresh, 0, bytes.value);
    if (!written) return written;
    if (!planted(Canary::kCheckpointNotSynced) && ::fsync(file.get()) != 0) return file_error("sync", fresh, errno);
  }
  if (::rename(fresh.c_str(), path(slot).c_str()) != 0) return file_error("rename to " + path(slot), fresh, errno);
  Status synced = sync_directory(directory_);
  if (!synced) return synced;
  ++generation_;
  slots_[slot] = std::move(stored);
  latest_ = checkpoint;
  return Status::ok();
}

Result<std::uint64_t> CheckpointFile::write(const Checkpoint& checkpoint) {
  const bool change = !latest_ || latest_->state != checkpoint.state || latest_->epoch != checkpoint.epoch;
  const std::size_t older = !slots_[0] ? 0 : !slots_[1] ? 1 : slots_[0]->generation <= slots_[1]->generation ? 0 : 1;
  Status written = write_slot(older, checkpoint);
  if (written && (change || !slots_[1 - older])) written = write_slot(1 - older, checkpoint);
  if (!written) return failed<std::uint64_t>(std::move(written));
  if (planted(Canary::kReleasedOneCheckpointEarly)) return result_of(std::uint64_t{checkpoint.journal_position});
  return result_of(std::min(slots_[0]->checkpoint.journal_position, slots_[1]->checkpoint.journal_position));
}

}  // namespace afterimage
