// The simulated disk as a whole: names, death of processes and of the host, copies, damage; its calls are in sim_disk_calls.cpp.
#include "tests/sim/sim_disk.h"

#include <algorithm>

namespace afterimage::sim {

namespace {

constexpr std::size_t kMostNameChanges = 1024;  // beyond that the file system has committed the older half

std::string parent_of(const std::string& path) {
  const std::size_t slash = path.find_last_of('/');
  return slash == std::string::npos || slash == 0 ? "/" : path.substr(0, slash);
}

void enter(std::map<std::string, SimInodeNumber>& names, const std::vector<std::pair<std::string, SimInodeNumber>>& entries) {
  for (const auto& [path, inode] : entries) {
    if (inode == 0)
      names.erase(path);
    else
      names[path] = inode;
  }
}

}  // namespace

const char* op_name(SimOp op) {
  static constexpr const char* kNames[] = {"open",     "create", "read",   "write", "sync",           "sync directory", "truncate",
                                           "allocate", "rename", "unlink", "link",  "make directory", "examine"};
  return kNames[static_cast<unsigned>(op)];
}

bool op_changes(SimOp op) { return op != SimOp::kOpen && op != SimOp::kRead && op != SimOp::kExamine; }

SimDisk::SimDisk(SimDiskSettings settings, std::uint64_t seed) : settings_(settings), random_(seed) {
  SimInode root;
  root.is_directory = true;
  inodes_[++last_inode_] = root;
  names_["/"] = durable_names_["/"] = last_inode_;
}

SimDisk::~SimDisk() = default;

SimInode* SimDisk::find(const std::string& path) {
  const auto it = names_.find(path);
  return it == names_.end() ? nullptr : &inodes_.at(it->second);
}
const SimInode* SimDisk::find(const std::string& path) const { return const_cast<SimDisk*>(this)->find(path); }

bool SimDisk::is_directory(const std::string& path) const {
  const SimInode* inode = find(path);
  return inode != nullptr && inode->is_directory;
}

void SimDisk::change_names(std::vector<std::pair<std::string, SimInodeNumber>> entries) {
  enter(names_, entries);
  NameChange change;
  change.order = ++order_;
  change.first_parent = parent_of(entries.front().first);
  change.second_parent = parent_of(entries.back().first);
  change.entries = std::move(entries);
  name_changes_.push_back(std::move(change));
  if (name_changes_.size() <= kMostNameChanges) return;
  const auto middle = name_changes_.begin() + kMostNameChanges / 2;
  for (auto it = name_changes_.begin(); it != middle; ++it) enter(durable_names_, it->entries);
  name_changes_.erase(name_changes_.begin(), middle);
}

// Files that no name and no process refers to any more.
void SimDisk::collect() {
  std::set<SimInodeNumber> used;
  for (const auto& [path, inode] : names_) used.insert(inode);
  for (const auto& [path, inode] : durable_names_) used.insert(inode);
  for (const NameChange& change : name_changes_)
    for (const auto& [path, inode] : change.entries) used.insert(inode);
  for (const auto& [id, description] : descriptions_) used.insert(description.inode);
  std::erase_if(inodes_, [&](const auto& each) { return used.count(each.first) == 0; });
}

void SimDisk::kill(SimProcess& process) {
  *process.dead_ = true;
  std::vector<std::uint64_t> its;
  for (const auto& [id, description] : descriptions_)
    if (description.owner_dead == process.dead_) its.push_back(id);
  for (const std::uint64_t id : its) close(id);
}

void SimDisk::drop_processes() {
  for (auto& [id, description] : descriptions_)
    if (description.owner_dead) *description.owner_dead = true;
  descriptions_.clear();
  for (auto& [number, inode] : inodes_) inode.flock_holder = inode.ofd_holder = 0;
}

// Names first: a file whose name did not last is gone, whatever its data did.
void SimDisk::settle(SplitMix& random, Damage damage) {
  std::vector<std::uint64_t> orders;
  for (const NameChange& change : name_changes_) orders.push_back(change.order);
  for (const auto& [number, inode] : inodes_)
    for (const SimChange& change : inode.pending) orders.push_back(change.order);
  std::sort(orders.begin(), orders.end());
  const std::uint64_t torn = orders.empty() ? 0 : orders[random.below(orders.size())];
  std::size_t kept = 0;
  if (damage == Damage::kKept || damage == Damage::kNamesKept) kept = name_changes_.size();
  if (damage == Damage::kSubset) kept = random.below(name_changes_.size() + 1);
  if (damage == Damage::kTorn)
    while (kept < name_changes_.size() && name_changes_[kept].order <= torn) ++kept;
  for (std::size_t i = 0; i < kept; ++i) enter(durable_names_, name_changes_[i].entries);
  name_changes_.clear();
  names_ = durable_names_;
  for (auto& [number, inode] : inodes_) inode.crash(random, damage, torn);
  collect();
}

void SimDisk::crash(std::uint64_t seed, Damage damage) {
  drop_processes();
  SplitMix random(seed);
  settle(random, damage);
}

std::unique_ptr<SimDisk> SimDisk::copy() const {
  auto other = std::make_unique<SimDisk>(settings_, 0);
  other->random_ = random_;
  other->order_ = order_;
  other->last_inode_ = last_inode_;
  other->inodes_ = inodes_;
  other->names_ = names_;
  other->durable_names_ = durable_names_;
  other->name_changes_ = name_changes_;
  for (auto& [number, inode] : other->inodes_) inode.flock_holder = inode.ofd_holder = 0;
  other->collect();
  return other;
}

std::unique_ptr<SimDisk> SimDisk::killed_copy() const { return copy(); }

std::unique_ptr<SimDisk> SimDisk::crashed_copy(std::uint64_t seed, Damage damage) const {
  auto other = copy();
  other->crash(seed, damage);
  return other;
}

void SimDisk::drop_caches() {
  for (auto& [number, inode] : inodes_) inode.evict();
}

bool SimDisk::flip_bit(const std::string& path, std::uint64_t offset, unsigned bit) {
  SimInode* inode = find(path);
  if (inode == nullptr || offset >= inode->medium.size()) return false;
  std::uint8_t byte = 0;
  inode->medium.read(offset, {&byte, 1});
  byte = static_cast<std::uint8_t>(byte ^ (1u << (bit % 8)));
  inode->medium.write(offset, {&byte, 1});
  inode->evict();
  return true;
}

bool SimDisk::zero_sector(const std::string& path, std::uint64_t sector) {
  SimInode* inode = find(path);
  if (inode == nullptr || sector * kSectorBytes >= inode->medium.size()) return false;
  const std::vector<std::uint8_t> zeros(std::min(kSectorBytes, inode->medium.size() - sector * kSectorBytes));
  inode->medium.write(sector * kSectorBytes, zeros);
  inode->evict();
  return true;
}

bool SimDisk::copy_sector(const std::string& from, std::uint64_t from_sector, const std::string& to, std::uint64_t to_sector) {
  SimInode* source = find(from);
  SimInode* target = find(to);
  if (source == nullptr || target == nullptr) return false;
  if (from_sector * kSectorBytes >= source->medium.size() || to_sector * kSectorBytes >= target->medium.size()) return false;
  std::vector<std::uint8_t> sector(std::min(kSectorBytes, target->medium.size() - to_sector * kSectorBytes));
  source->medium.read(from_sector * kSectorBytes, sector);
  target->medium.write(to_sector * kSectorBytes, sector);
  target->evict();
  return true;
}

bool SimDisk::exists(const std::string& path) const { return find(path) != nullptr; }

std::vector<std::string> SimDisk::files() const {
  std::vector<std::string> paths;
  for (const auto& [path, inode] : names_)
    if (!inodes_.at(inode).is_directory) paths.push_back(path);
  return paths;
}

std::vector<std::uint8_t> SimDisk::read_file(const std::string& path) const {
  const SimInode* inode = find(path);
  return inode == nullptr ? std::vector<std::uint8_t>() : inode->cache.all();
}

void SimDisk::write_file(const std::string& path, std::span<const std::uint8_t> bytes) {
  make_directory(parent_of(path));
  SimInode inode;
  inode.medium.write(0, bytes);
  inode.cache = inode.medium;
  inode.changed = ++order_;
  inodes_[++last_inode_] = std::move(inode);
  names_[path] = durable_names_[path] = last_inode_;
}

void SimDisk::make_directory(const std::string& path) {
  if (exists(path)) return;
  make_directory(parent_of(path));
  SimInode inode;
  inode.is_directory = true;
  inodes_[++last_inode_] = inode;
  names_[path] = durable_names_[path] = last_inode_;
}

std::uint64_t SimDisk::used_bytes() const {
  std::uint64_t bytes = 0;
  for (const auto& [number, inode] : inodes_) bytes += inode.cache.size();
  return bytes;
}

}  // namespace afterimage::sim
