// The five workloads; see crash_workload.h.
#include "tests/crash/crash_workload.h"

namespace afterimage::crash {

namespace {

CrashShape shape(std::uint64_t journal_bytes, std::uint32_t checkpoint_ms) {
  CrashShape made;
  made.journal_bytes = journal_bytes;
  made.checkpoint_ms = checkpoint_ms;
  return made;
}

}  // namespace

const std::vector<Workload>& workloads() {
  using enum Act;
  static const std::vector<Workload> all = {
      {"session",
       "establishment, writes and checkpoints",
       shape(256 << 10, 3),
       {{kBegin},
        {kWrite, 12},
        {kIdle, 4},
        {kWrite, 8},
        {kFlush},
        {kSettle},
        {kVerify},
        {kWrite, 10},
        {kIdle, 6},
        {kRestart},
        {kWrite, 10},
        {kFlush},
        {kSettle},
        {kVerify},
        {kSettle}}},
      {"wrap",
       "the journal is written round and released",
       shape(48 << 10, 2),
       {{kBegin},
        {kWrite, 20},
        {kFlush},
        {kSettle},
        {kWrite, 25},
        {kFlush},
        {kSettle},
        {kWrite, 25},
        {kFlush},
        {kSettle},
        {kWrite, 25},
        {kFlush},
        {kSettle}}},
      {"recovery",
       "freeze and recovery with writes whose data has not come",
       shape(64 << 10, 3),
       {{kBegin}, {kWrite, 15}, {kIdle, 5}, {kFlush}, {kSettle}, {kWrite, 15}, {kIdle, 3}, {kFreeze}, {kIdle, 2}, {kRecover}}},
      {"epochs",
       "a session ended in order, the next one, given up, and a third",
       shape(64 << 10, 3),
       {{kBegin},
        {kWrite, 8},
        {kFlush},
        {kEnd},
        {kBegin},
        {kWrite, 10},
        {kIdle, 3},
        {kGiveUp},
        {kCopy},
        {kBegin},
        {kWrite, 6},
        {kFlush},
        {kSettle},
        {kEnd},
        {kRecover}}},
      {"states",
       "the primary's state file, an early recovery and its report",
       shape(32 << 10, 1),
       {{kRemember, 6}, {kBegin}, {kRemember, 2}, {kWrite, 3}, {kIdle, 2}, {kRecover}}}};
  return all;
}

std::vector<CrashVolume> crash_volumes() {
  constexpr std::uint32_t kTrackBytes = 1024, kHeads = 2;
  CrashVolume one{{"PRIM01", "SEC001", 0xA80, 0x3390, 4, kHeads, kTrackBytes, "SYSA"}, {"/images/one.ckd"}, {4}};
  CrashVolume two{{"PRIM02", "SEC002", 0xA81, 0x3390, 5, kHeads, kTrackBytes, "SYSA"}, {"/images/two_1.ckd", "/images/two_2.ckd"}, {3, 2}};
  return {one, two};
}

}  // namespace afterimage::crash
