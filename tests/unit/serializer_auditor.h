// The test's mover: reads every token once it is numbered, checks the sequence as a whole, and frees behind itself.
#pragma once

#include <set>
#include <string>
#include <utility>
#include <vector>

#include "serializer_storage_fixture.h"

namespace afterimage::testing {

class Auditor {
 public:
  Auditor(TestPlex& plex, std::uint32_t devices) : plex_(plex), reader_(*plex), last_attempt_(devices, 0) { log_.push_back({}); }

  // Frees only what is in the volume's file or void, as the mover does.
  void keep_unflushed() { keep_unflushed_ = true; }
  SlotReader& reader() { return reader_; }

  // False if there was nothing new, or once something was wrong: see fault().
  bool step() {
    const Sequence last = reader_.last_numbered();
    const Sequence before = seen_;
    while (seen_ < last && fault_.empty()) look_at(seen_ + 1);
    if (fault_.empty()) free_seen();
    return seen_ != before;
  }

  const std::string& fault() const { return fault_; }
  Sequence seen() const { return seen_; }
  std::uint32_t last_attempt(std::uint32_t device) const { return last_attempt_[device]; }
  bool saw(std::uint32_t device, std::uint32_t attempt) const { return attempts_.count({device, attempt}) != 0; }
  KnownWrite write_of(Sequence sequence) const { return sequence < log_.size() ? log_[sequence] : KnownWrite{}; }
  std::uint64_t voids() const { return voids_; }

 private:
  void look_at(Sequence sequence) {
    const auto held = reader_.read(sequence);
    if (!held.good()) {
      fault_ = held.status.text();
      return;
    }
    const Token& token = held.value.token;
    fault_ = fault_in(held.value);
    if (token.tod <= tod_) fault_ = "the TOD did not rise";
    if (token.event <= last_attempt_[held.value.device]) fault_ = "the device's order was lost or a write doubled";
    if (!fault_.empty()) fault_ = "token " + std::to_string(sequence) + ": " + fault_;
    tod_ = token.tod;
    last_attempt_[held.value.device] = token.event;
    attempts_.insert({held.value.device, token.event});
    log_.push_back({held.value.device, token.event});
    seen_ = sequence;
  }

  void free_seen() {
    Sequence through = plex_->control().freed_through.load();
    for (; through < seen_; ++through) {
      const auto held = reader_.read(through + 1);  // whole to the last
      if (!held.good()) fault_ = held.status.text();
      if (!held.good() || (keep_unflushed_ && !held.value.flushed && !held.value.is_void)) break;
      voids_ += held.value.is_void ? 1 : 0;
    }
    reader_.free_through(through);
  }

  TestPlex& plex_;
  SlotReader reader_;
  std::vector<std::uint32_t> last_attempt_;
  std::set<std::pair<std::uint32_t, std::uint32_t>> attempts_;
  std::vector<KnownWrite> log_;
  bool keep_unflushed_ = false;
  Tod tod_ = 0;
  Sequence seen_ = 0;
  std::uint64_t voids_ = 0;
  std::string fault_;
};

}  // namespace afterimage::testing
