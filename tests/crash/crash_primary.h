// The primary site at the crash points: the real PrimaryCore with a list of writes in place of common storage. It outlives every death of
// the secondary and binds again. All it is told and tells goes to the oracle. Pure. Threads: one.
#pragma once

#include <functional>
#include <memory>
#include <set>
#include <vector>

#include "datamover/primary_core.h"
#include "tests/crash/crash_oracle.h"

namespace afterimage::crash {

class CrashPrimary {
 public:
  CrashPrimary(CrashOracle& oracle, std::uint64_t seed);

  // A session begins with the images as they are.
  void start(Tod now, std::uint64_t epoch, Sequence first);
  void stop();  // it is lost, or given up: nothing more is sent
  bool active() const { return core_ != nullptr; }
  // Writes; some of them reach the volume's file, and so are sent with their data, only at flush().
  void write(Tod now, unsigned count);
  void verify(Tod now);  // a digest of some track as it is now
  void flush(Tod now);   // everything written has reached its file; a few writes become void instead
  void end(Tod now);
  bool ended() const { return ended_; }
  void tick(Tod now);

  BindRequest make_bind() const { return core_->make_bind(storage_id_, freed_); }
  void link_up(Tod now, const BindResponse& response);
  void link_down(Tod now);
  bool link_is_up() const { return core_ && core_->link_up(); }
  void arrived(Tod now, const std::vector<std::uint8_t>& bytes);
  std::vector<std::vector<std::uint8_t>> take_messages();  // to be delivered, in order
  bool wants_to_drop();                                    // once: the core asked to cut the link
  Sequence freed() const { return freed_; }
  bool all_freed() const { return freed_ == oracle_.last(); }
  const std::vector<std::string>& exceptions() const { return exceptions_; }

 private:
  void step(Tod now, PrimaryInput input);
  Token next_token(Tod now);

  CrashOracle& oracle_;
  sim::SplitMix random_;
  PrimarySettings settings_;
  std::unique_ptr<PrimaryCore> core_;
  std::vector<std::unique_ptr<Bytes>> data_;  // the core borrows it
  std::vector<std::vector<std::uint8_t>> messages_;
  std::set<Sequence> unflushed_;
  std::vector<std::string> exceptions_;
  std::uint64_t storage_id_ = 0;
  Sequence freed_ = 0;
  Tod last_tod_ = 0;
  bool drop_ = false, ended_ = false;
};

}  // namespace afterimage::crash
