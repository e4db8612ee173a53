// io: stands in for dsmd in the channel's end-to-end tests: makes the common storage of a plex, defines devices, changes the session's
// state, prints the tokens, replays them on an image. One command per run; every failure is one sentence and return code 8.
#include <chrono>
#include <cinttypes>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <map>
#include <string>
#include <thread>
#include <vector>

#include "channel/dasd_image.h"
#include "serializer/crc32c.h"
#include "serializer/registry.h"
#include "serializer/slot_reader.h"
#include "serializer/track_map.h"

using namespace afterimage;

namespace {

using Words = std::vector<std::string>;

[[noreturn]] void die(const std::string& why) {
  std::fprintf(stderr, "%s\n", why.c_str());
  std::exit(8);
}

std::uint32_t number(const std::string& text, int base = 10) {
  return static_cast<std::uint32_t>(std::strtoul(text.c_str(), nullptr, base));
}

SessionState state_of(const std::string& name) {
  const std::map<std::string, SessionState> names{{"INACTIVE", SessionState::kInactive},
                                                  {"ACTIVE", SessionState::kActive},
                                                  {"SUSPENDED", SessionState::kSuspended},
                                                  {"FROZEN", SessionState::kFrozen}};
  const auto found = names.find(name);
  if (found == names.end()) die("No session state is called " + name + ".");
  return found->second;
}

std::unique_ptr<CommonStorage> open_storage(const std::string& name) {
  auto opened = CommonStorage::open(name);
  if (!opened.good()) die(opened.status.text());
  return std::move(opened.value);
}

// create PLEX RING_BYTES PACE_MS FREEZE_MS MAX_TRACKS
void create(const std::string& segment, const Words& w) {
  StorageShape shape;
  shape.plex = w.at(0);
  shape.ring_bytes = number(w.at(1));
  shape.max_tracks = number(w.at(4));
  auto made = CommonStorage::create_or_open(segment, shape);
  if (!made.good()) die(made.status.text());
  made.value->control().pace_limit_ms.store(number(w.at(2)));
  made.value->control().freeze_limit_ms.store(number(w.at(3)));
}

// define VOLSER SYSTEM DEVICE TYPE CYLINDERS HEADS TRACK_BYTES PATH
void define(const std::string& segment, const Words& w) {
  auto storage = open_storage(segment);
  DeviceDefinition definition;
  definition.volser = w.at(0);
  definition.system = w.at(1);
  definition.device_number = static_cast<std::uint16_t>(number(w.at(2), 16));
  definition.device_type = static_cast<std::uint16_t>(number(w.at(3), 16));
  definition.cylinders = number(w.at(4));
  definition.heads = number(w.at(5));
  definition.track_bytes = number(w.at(6));
  definition.tracks = definition.cylinders * definition.heads;
  definition.image_path = w.at(7);
  const auto index = define_device(*storage, definition);
  if (!index.good()) die(index.status.text());
  storage->device(index.value).duplex.fetch_or(kDuplex);
  bump_generation(*storage);
  std::printf("%u\n", index.value);
}

// state FROM TO
void change_state(const std::string& segment, const Words& w) {
  auto storage = open_storage(segment);
  if (!change_session_state(*storage, state_of(w.at(0)), state_of(w.at(1))).changed) die("The session is not " + w.at(0) + ".");
}

void each_token(CommonStorage& storage, const std::function<void(const HeldToken&)>& visit) {
  SlotReader reader(storage);
  if (Status status = reader.rebuild(); !status) die(status.text());
  const Sequence last = reader.last_numbered();
  for (Sequence sequence = storage.control().freed_through.load() + 1; sequence <= last; ++sequence) {
    const auto held = reader.read(sequence);
    if (!held.good()) die(held.status.text());
    visit(held.value);
  }
}

// dump: sequence device kind ccw cc hh r event void flushed crc ranges
void dump(const std::string& segment, const Words&) {
  auto storage = open_storage(segment);
  each_token(*storage, [](const HeldToken& held) {
    const Token& token = held.token;
    std::printf("%" PRIu64 " %u %u %02X %u %u %u %u %d %d %08X", token.sequence, held.device, static_cast<unsigned>(token.kind),
                token.ccw_code, token.cylinder, token.head, token.record, token.event, held.is_void, held.flushed,
                crc32c(0, held.data.data(), held.data.size()));
    for (unsigned i = 0; i < token.range_count; ++i)
      std::printf(" %u:%u:%u", token.ranges[i].track, token.ranges[i].offset, token.ranges[i].length);
    std::printf("\n");
  });
}

// replay DEVICE IMAGE: writes the data of every token of the device that is not void into the image, in order.
void replay(const std::string& segment, const Words& w) {
  auto storage = open_storage(segment);
  auto image = DasdImage::open(w.at(1), OpenFor::kWrite);
  if (!image.good()) die(image.status.text());
  const std::uint32_t device = number(w.at(0));
  each_token(*storage, [&](const HeldToken& held) {
    if (held.device != device || held.is_void || held.token.kind == TokenKind::kVerify) return;
    std::size_t at = 0;
    for (unsigned i = 0; i < held.token.range_count; ++i) {
      const TrackRange& range = held.token.ranges[i];
      Status status = image.value->write(range.track, range.offset, held.data.subspan(at, range.length));
      if (!status) die(status.text());
      at += range.length;
    }
  });
}

// free: everything numbered, as if acknowledged.
void free_all(const std::string& segment, const Words&) {
  auto storage = open_storage(segment);
  SlotReader reader(*storage);
  if (Status status = reader.rebuild(); !status) die(status.text());
  reader.free_through(reader.last_numbered());
}

// verify DEVICE FIRST END IMAGE(0|1)
void verify(const std::string& segment, const Words& w) {
  auto storage = open_storage(segment);
  DeviceEntry& entry = storage->device(number(w.at(0)));
  entry.verify_next.store(number(w.at(1)));
  entry.verify_end.store(number(w.at(2)));
  entry.verify_image.store(number(w.at(3)));
  entry.verify_request.store(1);
}

// show: session and devices as name=value.
void show(const std::string& segment, const Words&) {
  auto storage = open_storage(segment);
  const ControlBlock& control = storage->control();
  const ControlView view = control_view(*storage);
  std::printf("state=%u\nlast=%" PRIu64 "\nreason=%u\npaced=%" PRIu64 "\npace_us=%" PRIu64 "\n", static_cast<unsigned>(view.state),
              view.sequence, control.suspend_reason.load(), control.pace_count.load(), control.pace_us.load());
  for (std::uint32_t i = 0; i < storage->device_count(); ++i) {
    const DeviceEntry& d = storage->device(i);
    if (d.state.load() == 0) continue;
    std::printf("device.%u=%u %u %u %" PRIu64 " %" PRIu64 " %" PRIu64 " %" PRIu64 " %u %u\n", i, d.state.load(), d.duplex.load(),
                d.suspend_reason.load(), d.last_sequence.load(), d.flushed_sequence.load(), TrackMap::changed(*storage, i).count(),
                TrackMap::unhardened(*storage, i).count(), d.verify_request.load(), d.compressed.load());
  }
}

// socket PATH
void set_socket(const std::string& segment, const Words& w) {
  auto storage = open_storage(segment);
  std::strncpy(storage->header().command_socket, w.at(0).c_str(), sizeof storage->header().command_socket - 1);
}

// layout VERSION: makes the segment look like another product version's.
void set_layout(const std::string& segment, const Words& w) { open_storage(segment)->header().layout_version = number(w.at(0)); }

// mourn SYSTEM DELAY_MS: a living mover that buries the dead system after the delay, and ends.
void mourn(const std::string& segment, const Words& w) {
  auto storage = open_storage(segment);
  if (Status status = register_mover(*storage); !status) die(status.text());
  std::printf("registered\n");
  std::fflush(stdout);
  std::this_thread::sleep_for(std::chrono::milliseconds(number(w.at(1))));
  const auto system = find_system(*storage, w.at(0));
  if (!system || !bury_system(*storage, *system).done) die("System " + w.at(0) + " was not there to be buried.");
  unregister_mover(*storage);
}

// remove
void remove_segment(const std::string& segment, const Words&) { CommonStorage::remove(segment); }

}  // namespace

int main(int argc, char** argv) {
  const std::map<std::string, std::pair<std::size_t, void (*)(const std::string&, const Words&)>> commands{
      {"create", {5, create}},     {"define", {8, define}},     {"state", {2, change_state}}, {"dump", {0, dump}},
      {"replay", {2, replay}},     {"free", {0, free_all}},     {"verify", {4, verify}},      {"show", {0, show}},
      {"socket", {1, set_socket}}, {"layout", {1, set_layout}}, {"mourn", {2, mourn}},        {"remove", {0, remove_segment}}};
  if (argc < 3) die("usage: token_dump SEGMENT COMMAND [operands]");
  const auto found = commands.find(argv[2]);
  const Words words(argv + 3, argv + argc);
  if (found == commands.end() || words.size() != found->second.first)
    die(std::string("token_dump does not know ") + argv[2] + " with these operands.");
  found->second.second(argv[1], words);
  return 0;
}
