// io: judges a round by the ledger alone, but for the last state of common storage.
#include "kill_ledger.h"
#include "serializer/track_map.h"

namespace afterimage::testing {
namespace {

struct Auditor {
  CommonStorage& storage;
  KillLedger& ledger;
  AuditCounts& counts;
  std::string fault;

  void fail(const std::string& what) {
    if (fault.empty()) fault = what;
  }

  // Numbers without a gap, stamps that rise, each device's writes in their order and once, each under the number it was told.
  void tokens(Sequence last) {
    std::uint32_t latest[kDevices] = {};
    std::uint64_t tod = 0;
    for (Sequence sequence = 1; sequence <= last; ++sequence) {
      const TokenNote& token = ledger.tokens[sequence];
      const std::string name = "token " + std::to_string(sequence);
      if (token.write == 0) return fail(name + " was never delivered");
      const auto device = static_cast<std::uint32_t>(token.write >> 32), attempt = static_cast<std::uint32_t>(token.write);
      if (token.tod <= tod) return fail(name + ": its stamp does not rise");
      if (device >= kDevices || attempt > ledger.attempt[device]) return fail(name + ": nobody wrote it");
      if (attempt <= latest[device]) return fail(name + ": its device's order is lost, or it is there twice");
      const std::uint64_t result = ledger.attempts[device][attempt].result;
      if (result != 0 && result != sequence)
        return fail(name + ": its writer was told " +
                    (result == kNoNumber ? std::string("that it has no number") : std::to_string(result)));
      if (token.freed == 0) return fail(name + " was never freed");
      if (token.freed == 2) ++counts.voids;
      latest[device] = attempt;
      tod = token.tod;
      ++counts.tokens;
    }
    if (ledger.tokens[last + 1].write != 0) fail("a token was delivered above the last number");
  }

  // Was, or is to be at the next opening.
  bool is_mended(std::uint32_t device, std::uint32_t track) const {
    return ledger.mended_track[device][track] != 0 || TrackMap::unhardened(storage, device).test(track);
  }

  // Was in a reading of the change map since, or would be in the next.
  bool is_collected(std::uint32_t device, std::uint32_t track, std::uint32_t began) const {
    return ledger.collected_track[device][track] >= began || TrackMap::changed(storage, device).test(track);
  }

  // What has no number, or lost it to a death, is to be found by its tracks.
  void attempt(std::uint32_t device, std::uint32_t number, Sequence sequence) {
    const AttemptNote& note = ledger.attempts[device][number];
    const StressWrite write{device, number, static_cast<TokenKind>(note.kind.load())};
    const std::string name = "write " + std::to_string(number) + " of device " + std::to_string(device);
    if (note.began == 0) return fail(name + " was counted and never begun");
    if (note.result == 0) {
      ++counts.cut_off;
      if (sequence != 0) ++counts.cut_off_numbered;
      if (sequence == 0 && note.changed != 0) ++counts.cut_off_changed;
    }
    if (note.result == kNoNumber) ++counts.unnumbered;
    if (note.result != 0 && note.result != kNoNumber && sequence != note.result) return fail(name + " was told a number that is not its");
    if (write.kind == TokenKind::kVerify) return;
    for (std::uint32_t track = write.track(); track < write.track() + (write.on_two_tracks() ? 2 : 1); ++track) {
      const bool mended = is_mended(device, track), collected = is_collected(device, track, note.began);
      if (sequence != 0 && ledger.tokens[sequence].freed == 2 && !mended)
        fail(name + " is void, and its track " + std::to_string(track) + " was not to be mended");
      if (note.result == kNoNumber && !collected)
        fail(name + " has no number, and its track " + std::to_string(track) + " was in no change map");
      if (note.result == 0 && sequence == 0 && note.changed != 0 && !mended && !collected)
        fail(name + " was cut off by a death, has no number, and its track " + std::to_string(track) + " is in no map");
    }
  }

  void attempts(Sequence last) {
    std::vector<std::vector<Sequence>> numbered(kDevices);
    for (std::uint32_t device = 0; device < kDevices; ++device) numbered[device].resize(ledger.attempt[device] + 1, 0);
    for (Sequence sequence = 1; sequence <= last; ++sequence) {
      const std::uint64_t write = ledger.tokens[sequence].write;
      numbered[write >> 32][static_cast<std::uint32_t>(write)] = sequence;
    }
    for (std::uint32_t device = 0; device < kDevices && fault.empty(); ++device)
      for (std::uint32_t number = 1; number < numbered[device].size() && fault.empty(); ++number)
        attempt(device, number, numbered[device][number]);
  }

  void leftovers(Sequence last) {
    if (storage.control().freed_through != last) fail("not everything was freed at the end");
    for (std::uint32_t chunk = 0; chunk < storage.chunk_count(); ++chunk)
      if (storage.chunk_word(chunk).word != 0) fail("chunk " + std::to_string(chunk) + " is lost at the end");
    for (std::uint32_t system = 0; system < kSystems; ++system)
      if (storage.system(system).pid != 0 || storage.system(system).burying != 0) fail("a system is neither ended nor buried at the end");
  }
};

}  // namespace

std::string audit(CommonStorage& storage, KillLedger& ledger, AuditCounts& counts) {
  Auditor auditor{storage, ledger, counts, {}};
  const Sequence last = control_view(storage).sequence;
  if (ledger.failed != 0) return ledger.fault;
  auditor.tokens(last);
  if (auditor.fault.empty()) auditor.attempts(last);
  if (auditor.fault.empty()) auditor.leftovers(last);
  return auditor.fault;
}

}  // namespace afterimage::testing
