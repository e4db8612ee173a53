// The disk of one simulated host: a file system in memory with a page cache, under the product's own I/O code (sim_posix.h leads the C
// library's calls to it). Paths here are those below the mount. Processes hold descriptors and locks; a hook sees every call a process
// makes and may let it fail, cut it short, send it astray or kill the process there. Copies answer "what if the host died now".
// Pure: no real file is touched; the same calls and seeds give the same bytes. Threads: one at a time.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <set>
#include <span>
#include <string>
#include <vector>

#include "tests/sim/sim_inode.h"

namespace afterimage::sim {

enum class SimOp : std::uint8_t {
  kOpen,
  kCreate,  // an open that makes or empties a file
  kRead,
  kWrite,
  kSync,
  kSyncDirectory,
  kTruncate,
  kAllocate,
  kRename,
  kUnlink,
  kLink,
  kMakeDirectory,
  kExamine,  // stat, access, statvfs
};
const char* op_name(SimOp op);
// What changes the disk or makes it durable: the points at which a kill makes a difference.
bool op_changes(SimOp op);

struct SimCall {
  std::uint64_t ordinal = 0;  // 1, 2, 3 ... among the calls of live processes on this disk
  SimOp op = SimOp::kOpen;
  const std::string& path;
  std::uint64_t offset = 0, bytes = 0;
};

struct SimFault {
  enum class Kind : std::uint8_t {
    kNone,
    kError,       // the call fails with `error`, after `bytes` bytes of a write; a failed sync loses some of what was not synced
    kShort,       // a read or write does `bytes` bytes and says so
    kKillBefore,  // the process dies
    kKillInside,  // ... after `bytes` bytes of a write
    kKillAfter,
    kAstray,  // the device puts a write `shift_bytes` (whole sectors) beside its place
    kLost,    // the device never writes it
  };
  Kind kind = Kind::kNone;
  int error = 0;
  std::uint64_t bytes = 0;
  std::int64_t shift_bytes = 0;
};

// A simulated process. Dead once killed: every call it makes afterwards does nothing.
class SimProcess {
 public:
  explicit SimProcess(std::string name, std::uint64_t seed = 0) : name_(std::move(name)), random_(seed) {}
  const std::string& name() const { return name_; }
  bool dead() const { return *dead_; }
  SplitMix& random() { return random_; }  // behind getrandom()

 private:
  friend class SimDisk;
  std::string name_;
  SplitMix random_;
  std::shared_ptr<bool> dead_ = std::make_shared<bool>(false);  // shared with its descriptors, which may outlive it
};

// Thrown out of a call at which the process was killed. Not a std::exception: no handler of the product's may take it. Calls that the C
// library declares not to throw (rename, unlink, ftruncate, stat ...) fail instead, and the next that may, throws. Who runs the
// process looks at dead() after every step all the same.
struct SimKilled {
  std::string process;
};

struct SimDiskSettings {
  std::uint64_t capacity_bytes = ~std::uint64_t{0};
  std::uint64_t call_us = 0, sync_us = 0, read_mib_us = 0, write_mib_us = 0;  // cost of calls, told to on_cost
};

class SimDisk {
 public:
  using Hook = std::function<SimFault(const SimCall& call)>;
  explicit SimDisk(SimDiskSettings settings = {}, std::uint64_t seed = 1);
  ~SimDisk();
  SimDisk(const SimDisk&) = delete;
  SimDisk& operator=(const SimDisk&) = delete;

  void set_hook(Hook hook) { hook_ = std::move(hook); }
  void set_capacity(std::uint64_t bytes) { settings_.capacity_bytes = bytes; }
  void set_costs(const SimDiskSettings& settings) { settings_ = settings; }
  void on_cost(std::function<void(std::uint64_t us)> tell) { cost_ = std::move(tell); }
  std::uint64_t calls() const { return calls_; }
  std::weak_ptr<SimDisk*> handle() const { return self_; }  // comes to nothing when the disk is gone

  // The process dies: its descriptors and locks are gone, the page cache stays.
  void kill(SimProcess& process);
  // The host dies and comes back: every process of it is dead, and of what was not synced this remains.
  void crash(std::uint64_t seed, Damage damage);
  // The same disk had the host died now, or had only the processes. The copy has no processes, no hook, and the same costs.
  std::unique_ptr<SimDisk> crashed_copy(std::uint64_t seed, Damage damage) const;
  std::unique_ptr<SimDisk> killed_copy() const;
  // Clean pages are dropped: processes now see what the medium has, rot, lost and misdirected writes included.
  void drop_caches();

  // Damage to the medium that shows at once (a page that is dirty hides it until it is dropped).
  bool flip_bit(const std::string& path, std::uint64_t offset, unsigned bit);
  bool zero_sector(const std::string& path, std::uint64_t sector);
  // A sector of one file lands on a sector of another or the same file.
  bool copy_sector(const std::string& from, std::uint64_t from_sector, const std::string& to, std::uint64_t to_sector);

  // For tests: what processes would read, put there durably, without faults.
  bool exists(const std::string& path) const;
  std::vector<std::string> files() const;  // sorted; no directories
  std::vector<std::uint8_t> read_file(const std::string& path) const;
  void write_file(const std::string& path, std::span<const std::uint8_t> bytes);
  void make_directory(const std::string& path);  // with those above it
  std::uint64_t used_bytes() const;

  // The calls, for sim_posix.cpp: the value, or minus an errno. `process` may be null (a test looking on: no faults).
  std::int64_t open(SimProcess* process, const std::string& path, int flags, unsigned mode);
  void close(std::uint64_t description);
  std::int64_t read(SimProcess* process, std::uint64_t description, std::span<std::uint8_t> into, const std::uint64_t* offset);
  std::int64_t write(SimProcess* process, std::uint64_t description, std::span<const std::uint8_t> bytes, const std::uint64_t* offset);
  std::int64_t seek(std::uint64_t description, std::int64_t offset, int whence);
  std::int64_t sync(SimProcess* process, std::uint64_t description);
  std::int64_t truncate(SimProcess* process, std::uint64_t description, std::uint64_t size);
  std::int64_t allocate(SimProcess* process, std::uint64_t description, std::uint64_t offset, std::uint64_t bytes);
  std::int64_t rename(SimProcess* process, const std::string& from, const std::string& to);
  std::int64_t unlink(SimProcess* process, const std::string& path);
  std::int64_t link(SimProcess* process, const std::string& from, const std::string& to);
  std::int64_t make_directory(SimProcess* process, const std::string& path);
  struct About {
    SimInodeNumber inode = 0;
    bool is_directory = false;
    std::uint64_t bytes = 0, changed = 0;
  };
  std::int64_t examine(SimProcess* process, const std::string& path, About& about);
  std::int64_t examine(SimProcess* process, std::uint64_t description, About& about);
  std::int64_t free_bytes(SimProcess* process);
  std::int64_t flock(SimProcess* process, std::uint64_t description, int operation);
  std::int64_t ofd_lock(SimProcess* process, std::uint64_t description, int type);
  int flags_of(std::uint64_t description) const;

 private:
  struct Description {
    SimInodeNumber inode = 0;
    std::string path;
    int flags = 0;
    std::uint64_t position = 0;
    std::shared_ptr<bool> owner_dead;  // null: a test's own
  };
  struct NameChange {
    std::uint64_t order = 0;
    std::string first_parent, second_parent;
    std::vector<std::pair<std::string, SimInodeNumber>> entries;  // 0 = removed
  };
  using Names = std::map<std::string, SimInodeNumber>;

  std::unique_ptr<SimDisk> copy() const;
  void settle(SplitMix& random, Damage damage);
  void drop_processes();
  void change_names(std::vector<std::pair<std::string, SimInodeNumber>> entries);
  void collect();
  SimInode* find(const std::string& path);
  const SimInode* find(const std::string& path) const;
  bool is_directory(const std::string& path) const;
  Description* opened(std::uint64_t description);
  bool room_for(std::uint64_t more) const { return used_bytes() + more <= settings_.capacity_bytes; }
  // Asks the hook; a process killed before the call is dead when it returns.
  SimFault ask(SimProcess* process, SimOp op, const std::string& path, std::uint64_t offset, std::uint64_t bytes);
  // Ends a call: a kill behind it happens here.
  std::int64_t done(SimProcess* process, const SimFault& fault, std::int64_t value);
  void cost(std::uint64_t us) const;

  std::shared_ptr<SimDisk*> self_ = std::make_shared<SimDisk*>(this);
  SimDiskSettings settings_;
  SplitMix random_;
  Hook hook_;
  std::function<void(std::uint64_t us)> cost_;
  std::uint64_t calls_ = 0, order_ = 0;
  SimInodeNumber last_inode_ = 0;
  std::map<SimInodeNumber, SimInode> inodes_;
  Names names_, durable_names_;
  std::vector<NameChange> name_changes_;
  std::map<std::uint64_t, Description> descriptions_;
  std::uint64_t last_description_ = 0;
};

}  // namespace afterimage::sim
