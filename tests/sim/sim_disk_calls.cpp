// The calls of a simulated disk as the kernel answers them, each with the faults its hook asks for; see sim_disk.h.
#include "tests/sim/sim_disk.h"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

namespace afterimage::sim {

namespace {

using Kind = SimFault::Kind;

std::string parent_of(const std::string& path) {
  const std::size_t slash = path.find_last_of('/');
  return slash == std::string::npos || slash == 0 ? "/" : path.substr(0, slash);
}

bool writes(int flags) { return (flags & O_ACCMODE) != O_RDONLY; }

}  // namespace

void SimDisk::cost(std::uint64_t us) const {
  if (cost_ && us != 0) cost_(us);
}

SimFault SimDisk::ask(SimProcess* process, SimOp op, const std::string& path, std::uint64_t offset, std::uint64_t bytes) {
  if (process == nullptr) return {};
  if (process->dead()) return {Kind::kError, EIO};
  ++calls_;
  SimFault fault;
  if (hook_) fault = hook_({calls_, op, path, offset, bytes});
  const bool is_sync = op == SimOp::kSync || op == SimOp::kSyncDirectory;
  cost(is_sync ? settings_.sync_us : settings_.call_us);
  if (op == SimOp::kRead) cost(bytes * settings_.read_mib_us >> 20);
  if (op == SimOp::kWrite) cost(bytes * settings_.write_mib_us >> 20);
  if (process->dead()) return {Kind::kError, EIO};  // the hook killed it, or the host
  if (fault.kind == Kind::kKillBefore || (fault.kind == Kind::kKillInside && op != SimOp::kWrite)) kill(*process);
  return fault;
}

std::int64_t SimDisk::done(SimProcess* process, const SimFault& fault, std::int64_t value) {
  if (process == nullptr) return value;
  if (fault.kind == Kind::kKillAfter || fault.kind == Kind::kKillInside) kill(*process);
  return process->dead() ? -EIO : value;
}

SimDisk::Description* SimDisk::opened(std::uint64_t description) {
  const auto it = descriptions_.find(description);
  return it == descriptions_.end() ? nullptr : &it->second;
}

std::int64_t SimDisk::open(SimProcess* process, const std::string& path, int flags, unsigned) {
  const bool there = exists(path);
  const bool makes = (flags & O_CREAT) != 0 && !there;
  const bool empties = there && (flags & O_TRUNC) != 0 && writes(flags) && !is_directory(path);
  const SimFault fault = ask(process, makes || empties ? SimOp::kCreate : SimOp::kOpen, path, 0, 0);
  if (process != nullptr && process->dead()) return -EIO;
  if (fault.kind == Kind::kError) return -fault.error;
  if (!there && !makes) return -ENOENT;
  if (there && (flags & O_CREAT) != 0 && (flags & O_EXCL) != 0) return -EEXIST;
  if (there && is_directory(path) && writes(flags)) return -EISDIR;
  if (there && !is_directory(path) && (flags & O_DIRECTORY) != 0) return -ENOTDIR;
  if (makes) {
    if (!is_directory(parent_of(path))) return -ENOENT;
    if (!room_for(1)) return -ENOSPC;
    SimInode inode;
    inode.changed = ++order_;
    inodes_[++last_inode_] = std::move(inode);
    change_names({{path, last_inode_}});
  } else if (empties && find(path)->cache.size() != 0) {
    find(path)->resize(++order_, 0);
  }
  Description description;
  description.inode = names_.at(path);
  description.path = path;
  description.flags = flags;
  if (process != nullptr) description.owner_dead = process->dead_;
  descriptions_[++last_description_] = description;
  return done(process, fault, static_cast<std::int64_t>(last_description_));
}

void SimDisk::close(std::uint64_t description) {
  const Description* it = opened(description);
  if (it == nullptr) return;
  SimInode& inode = inodes_.at(it->inode);
  if (inode.flock_holder == description) inode.flock_holder = 0;
  if (inode.ofd_holder == description) inode.ofd_holder = 0;
  descriptions_.erase(description);
}

std::int64_t SimDisk::read(SimProcess* process, std::uint64_t description, std::span<std::uint8_t> into, const std::uint64_t* offset) {
  Description* it = opened(description);
  if (it == nullptr) return -EBADF;
  const SimInode& inode = inodes_.at(it->inode);
  if (inode.is_directory) return -EISDIR;
  const std::uint64_t at = offset != nullptr ? *offset : it->position;
  const std::uint64_t size = inode.cache.size();
  std::uint64_t count = at >= size ? 0 : std::min<std::uint64_t>(into.size(), size - at);
  const SimFault fault = ask(process, SimOp::kRead, it->path, at, into.size());
  if (process != nullptr && process->dead()) return -EIO;
  if (fault.kind == Kind::kError) return -fault.error;
  if (fault.kind == Kind::kShort) count = std::min(count, std::max<std::uint64_t>(1, fault.bytes));
  inode.cache.read(at, into.first(count));
  if (offset == nullptr) it->position += count;
  return done(process, fault, static_cast<std::int64_t>(count));
}

std::int64_t SimDisk::write(SimProcess* process, std::uint64_t description, std::span<const std::uint8_t> bytes,
                            const std::uint64_t* offset) {
  Description* it = opened(description);
  if (it == nullptr || !writes(it->flags)) return -EBADF;
  SimInode& inode = inodes_.at(it->inode);
  std::uint64_t at = offset != nullptr ? *offset : it->position;
  if (offset == nullptr && (it->flags & O_APPEND) != 0) at = inode.cache.size();
  const SimFault fault = ask(process, SimOp::kWrite, it->path, at, bytes.size());
  if (process != nullptr && process->dead()) return -EIO;
  std::uint64_t count = bytes.size();
  if (fault.kind == Kind::kError || fault.kind == Kind::kShort || fault.kind == Kind::kKillInside)
    count = std::min<std::uint64_t>(count, fault.bytes);
  // The kernel copies page by page, and a kill is seen only between two; an error is one of whole sectors.
  const std::uint64_t step = fault.kind == Kind::kKillInside ? 4096 : fault.kind == Kind::kError ? kSectorBytes : 1;
  if (count < bytes.size()) count -= std::min(count, (at + count) % step);
  if (fault.kind == Kind::kShort) count = std::max<std::uint64_t>(count, std::min<std::uint64_t>(1, bytes.size()));
  const std::uint64_t size = inode.cache.size();
  const std::uint64_t room = settings_.capacity_bytes - std::min(settings_.capacity_bytes, used_bytes());
  const std::uint64_t most = at + count <= size ? count : std::min(count, std::max(at, size) - at + room);
  if (most == 0 && count != 0) return done(process, fault, -ENOSPC);
  if (most != 0)
    inode.write(++order_, at, bytes.first(most), fault.kind == Kind::kAstray ? fault.shift_bytes : 0, fault.kind == Kind::kLost);
  if (offset == nullptr) it->position = at + most;
  if (fault.kind == Kind::kError) return done(process, fault, -fault.error);
  return done(process, fault, static_cast<std::int64_t>(most));
}

std::int64_t SimDisk::seek(std::uint64_t description, std::int64_t offset, int whence) {
  Description* it = opened(description);
  if (it == nullptr) return -EBADF;
  std::int64_t base = 0;
  if (whence == SEEK_CUR) base = static_cast<std::int64_t>(it->position);
  if (whence == SEEK_END) base = static_cast<std::int64_t>(inodes_.at(it->inode).cache.size());
  if (base + offset < 0) return -EINVAL;
  it->position = static_cast<std::uint64_t>(base + offset);
  return base + offset;
}

std::int64_t SimDisk::sync(SimProcess* process, std::uint64_t description) {
  Description* it = opened(description);
  if (it == nullptr) return -EBADF;
  SimInode& inode = inodes_.at(it->inode);
  const std::string path = it->path;
  const SimFault fault = ask(process, inode.is_directory ? SimOp::kSyncDirectory : SimOp::kSync, path, 0, 0);
  if (process != nullptr && process->dead()) return -EIO;
  if (fault.kind == Kind::kError) {
    inode.fail_sync(random_);
    return -fault.error;
  }
  if (!inode.is_directory) {
    inode.sync();
    return done(process, fault, 0);
  }
  // What happened before in other directories goes with it: the file system has one log.
  std::size_t last = 0;
  for (std::size_t i = 0; i < name_changes_.size(); ++i)
    if (name_changes_[i].first_parent == path || name_changes_[i].second_parent == path) last = i + 1;
  for (std::size_t i = 0; i < last; ++i)
    for (const auto& [name, number] : name_changes_[i].entries) {
      if (number == 0)
        durable_names_.erase(name);
      else
        durable_names_[name] = number;
    }
  name_changes_.erase(name_changes_.begin(), name_changes_.begin() + static_cast<std::ptrdiff_t>(last));
  if (inodes_.size() > 2 * names_.size() + 16) collect();
  return done(process, fault, 0);
}

std::int64_t SimDisk::truncate(SimProcess* process, std::uint64_t description, std::uint64_t size) {
  Description* it = opened(description);
  if (it == nullptr || !writes(it->flags)) return -EBADF;
  SimInode& inode = inodes_.at(it->inode);
  const SimFault fault = ask(process, SimOp::kTruncate, it->path, size, 0);
  if (process != nullptr && process->dead()) return -EIO;
  if (fault.kind == Kind::kError) return -fault.error;
  inode.resize(++order_, size);
  return done(process, fault, 0);
}

std::int64_t SimDisk::allocate(SimProcess* process, std::uint64_t description, std::uint64_t offset, std::uint64_t bytes) {
  Description* it = opened(description);
  if (it == nullptr || !writes(it->flags)) return -EBADF;
  SimInode& inode = inodes_.at(it->inode);
  const SimFault fault = ask(process, SimOp::kAllocate, it->path, offset, bytes);
  if (process != nullptr && process->dead()) return -EIO;
  if (fault.kind == Kind::kError) return -fault.error;
  const std::uint64_t size = inode.cache.size();
  if (offset + bytes <= size) return done(process, fault, 0);
  if (!room_for(offset + bytes - size)) return done(process, fault, -ENOSPC);
  inode.resize(++order_, offset + bytes);
  return done(process, fault, 0);
}

std::int64_t SimDisk::rename(SimProcess* process, const std::string& from, const std::string& to) {
  const SimFault fault = ask(process, SimOp::kRename, from, 0, 0);
  if (process != nullptr && process->dead()) return -EIO;
  if (fault.kind == Kind::kError) return -fault.error;
  const auto it = names_.find(from);
  if (it == names_.end() || !is_directory(parent_of(to))) return -ENOENT;
  if (is_directory(from) || is_directory(to)) return -EISDIR;  // nothing of ours renames a directory
  if (from != to) {
    const SimInodeNumber inode = it->second;
    change_names({{to, inode}, {from, 0}});
  }
  return done(process, fault, 0);
}

std::int64_t SimDisk::unlink(SimProcess* process, const std::string& path) {
  const SimFault fault = ask(process, SimOp::kUnlink, path, 0, 0);
  if (process != nullptr && process->dead()) return -EIO;
  if (fault.kind == Kind::kError) return -fault.error;
  if (!exists(path)) return -ENOENT;
  if (is_directory(path)) return -EISDIR;
  change_names({{path, 0}});
  return done(process, fault, 0);
}

std::int64_t SimDisk::link(SimProcess* process, const std::string& from, const std::string& to) {
  const SimFault fault = ask(process, SimOp::kLink, to, 0, 0);
  if (process != nullptr && process->dead()) return -EIO;
  if (fault.kind == Kind::kError) return -fault.error;
  if (!exists(from) || !is_directory(parent_of(to))) return -ENOENT;
  if (exists(to)) return -EEXIST;
  change_names({{to, names_.at(from)}});
  return done(process, fault, 0);
}

std::int64_t SimDisk::make_directory(SimProcess* process, const std::string& path) {
  const SimFault fault = ask(process, SimOp::kMakeDirectory, path, 0, 0);
  if (process != nullptr && process->dead()) return -EIO;
  if (fault.kind == Kind::kError) return -fault.error;
  if (exists(path)) return -EEXIST;
  if (!is_directory(parent_of(path))) return -ENOENT;
  SimInode inode;
  inode.is_directory = true;
  inodes_[++last_inode_] = inode;
  change_names({{path, last_inode_}});
  return done(process, fault, 0);
}

std::int64_t SimDisk::examine(SimProcess* process, const std::string& path, About& about) {
  const SimFault fault = ask(process, SimOp::kExamine, path, 0, 0);
  if (process != nullptr && process->dead()) return -EIO;
  if (fault.kind == Kind::kError) return -fault.error;
  const auto it = names_.find(path);
  if (it == names_.end()) return -ENOENT;
  const SimInode& inode = inodes_.at(it->second);
  about = {it->second, inode.is_directory, inode.cache.size(), inode.changed};
  return done(process, fault, 0);
}

std::int64_t SimDisk::examine(SimProcess* process, std::uint64_t description, About& about) {
  Description* it = opened(description);
  if (it == nullptr) return -EBADF;
  const SimFault fault = ask(process, SimOp::kExamine, it->path, 0, 0);
  if (process != nullptr && process->dead()) return -EIO;
  if (fault.kind == Kind::kError) return -fault.error;
  const SimInode& inode = inodes_.at(it->inode);
  about = {it->inode, inode.is_directory, inode.cache.size(), inode.changed};
  return done(process, fault, 0);
}

std::int64_t SimDisk::free_bytes(SimProcess* process) {
  const std::string root = "/";
  const SimFault fault = ask(process, SimOp::kExamine, root, 0, 0);
  if (process != nullptr && process->dead()) return -EIO;
  if (fault.kind == Kind::kError) return -fault.error;
  const std::uint64_t used = used_bytes();
  const std::uint64_t room = settings_.capacity_bytes > used ? settings_.capacity_bytes - used : 0;
  return done(process, fault, static_cast<std::int64_t>(std::min<std::uint64_t>(room, 1ull << 50)));
}

std::int64_t SimDisk::flock(SimProcess* process, std::uint64_t description, int operation) {
  Description* it = opened(description);
  if (it == nullptr) return -EBADF;
  if (process != nullptr && process->dead()) return -EIO;
  std::uint64_t& holder = inodes_.at(it->inode).flock_holder;
  if ((operation & LOCK_UN) != 0) {
    if (holder == description) holder = 0;
    return 0;
  }
  if (holder != 0 && holder != description) return -EWOULDBLOCK;
  holder = description;
  return 0;
}

std::int64_t SimDisk::ofd_lock(SimProcess* process, std::uint64_t description, int type) {
  Description* it = opened(description);
  if (it == nullptr) return -EBADF;
  if (process != nullptr && process->dead()) return -EIO;
  std::uint64_t& holder = inodes_.at(it->inode).ofd_holder;
  if (type == F_UNLCK) {
    if (holder == description) holder = 0;
    return 0;
  }
  if (holder != 0 && holder != description) return -EAGAIN;
  holder = description;
  return 0;
}

int SimDisk::flags_of(std::uint64_t description) const {
  const auto it = descriptions_.find(description);
  return it == descriptions_.end() ? -EBADF : it->second.flags;
}

}  // namespace afterimage::sim
