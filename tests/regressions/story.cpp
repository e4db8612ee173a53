// See story.h.
#include "tests/regressions/story.h"

#include <algorithm>
#include <utility>

#include "channel/dasd_image_header.h"
#include "channel/dasd_image_types.h"
#include "tests/sim/sim_image.h"

namespace afterimage::regressions {

namespace {

constexpr Geometry kGeometry{0x3390, 2, 2, 512};
constexpr std::size_t kVolumes = 2;
constexpr char kSession[] = "STORY", kPrimaryLu[] = "SITEA.DSMLU", kSecondaryLu[] = "SITEB.DSMLU";
constexpr std::uint64_t kStorageId = 4711;

std::string image_name(std::size_t volume) { return "SEC00" + std::to_string(volume + 1) + ".ckd"; }

std::vector<VolumeDescriptor> volumes() {
  std::vector<VolumeDescriptor> made(kVolumes);
  for (std::size_t i = 0; i < kVolumes; ++i) {
    VolumeDescriptor& volume = made[i];
    volume.volser = "PRIM0" + std::to_string(i + 1);
    volume.secondary_volser = "SEC00" + std::to_string(i + 1);
    volume.device_number = static_cast<std::uint16_t>(0x0A80 + i);
    volume.device_type = kGeometry.device_type;
    volume.cylinders = kGeometry.cylinders;
    volume.heads = kGeometry.heads;
    volume.track_bytes = kGeometry.track_bytes;
    volume.system = "SYSA";
  }
  return made;
}

PrimarySettings primary_settings() {
  PrimarySettings settings;
  settings.session = kSession;
  settings.local_lu = kPrimaryLu;
  settings.peer_lu = kSecondaryLu;
  return settings;
}

}  // namespace

SecondaryNodeSettings Story::node_settings() {
  SecondaryNodeSettings settings;
  settings.directory = "/sim/story/site";
  settings.local = {kSecondaryLu, "", 0};
  settings.peer_lu = kPrimaryLu;
  settings.mover.session = kSession;
  settings.mover.local_lu = kSecondaryLu;
  settings.mover.peer_lu = kPrimaryLu;
  settings.mover.volumes = volumes();
  settings.mover.checkpoint_ms = 60'000;  // a story that wants a checkpoint makes one necessary
  settings.journal.directory = settings.directory;
  settings.journal.bytes = 256 << 10;
  settings.mover.journal_bytes = settings.journal.bytes;
  settings.failure.heartbeat_limit_us = kMaxHeartbeatLimit_us;
  for (std::size_t i = 0; i < kVolumes; ++i) settings.images.push_back("/sim/story/" + image_name(i));
  return settings;
}

Story::Story() {
  disk_.make_directory("/site");
  for (std::size_t i = 0; i < kVolumes; ++i) disk_.write_file("/" + image_name(i), sim::make_ckd_image(kGeometry));
  base_ = images();
}

Story::~Story() { kill(); }

void Story::as_process(const std::function<void()>& what) {
  if (dead()) return;
  const sim::SimRunning running(process_.get());
  try {
    what();
  } catch (const sim::SimKilled&) {
  }
}

Status Story::start() {
  process_ = std::make_unique<sim::SimProcess>("dsmd");
  host_ = std::make_unique<ScriptHost>(time_us_);
  Status started;
  as_process([&] {
    node_ = std::make_unique<SecondaryNode>(
        *host_, node_settings(), [](const std::string&) {}, [this](const LossReport& report) { report_ = report; });
    started = node_->start();
  });
  return started;
}

void Story::kill() {
  if (!process_) return;
  disk_.kill(*process_);
  host_->die();
  {
    const sim::SimRunning running(process_.get());
    node_.reset();
  }
  time_us_ = host_->monotonic_us();
  host_.reset();
  process_.reset();
}

void Story::run_for(std::uint64_t us) {
  as_process([&] { host_->run_for(us); });
}

void Story::begin_session(std::uint64_t epoch) {
  primary_ = std::make_unique<PrimaryCore>(primary_settings());
  ended_ = false;
  primary(primary::Start{epoch, volumes(), written() + 1, 0});
}

bool Story::bind() {
  BindResponse response;
  to_secondary_.clear();
  as_process([&] { response = host_->bind(primary_->make_bind(kStorageId, acknowledged_)); });
  primary(primary::LinkUp{response});
  return primary_->link_up();
}

void Story::cut() {
  as_process([this] { host_->cut(); });
  primary(primary::LinkDown{});
}

void Story::give_up() {
  as_process([this] { node_->give_up([](const Answer&) {}); });
}

// Two ranges of one track, all bytes new with every write, so that no two numbers of writes give the same images.
void Story::write(unsigned count) {
  for (unsigned i = 0; i < count; ++i) {
    Write made;
    Token& token = made.token;
    token.sequence = written() + 1;
    token.tod = host_->now() + tod_from_us(1);
    token.volume = static_cast<VolumeId>(token.sequence % kVolumes);
    token.ccw_code = 0x05;
    token.record = 1;
    const auto track = static_cast<std::uint32_t>(token.sequence % kGeometry.tracks());
    token.cylinder = static_cast<std::uint16_t>(track / kGeometry.heads);
    token.head = static_cast<std::uint16_t>(track % kGeometry.heads);
    token.range_count = 2;
    token.ranges[0] = {track, 40, 60};
    token.ranges[1] = {track, 200, 100};
    token.data_length = 160;
    made.data.assign(token.data_length, static_cast<std::uint8_t>(token.sequence));
    writes_.push_back(std::move(made));
    primary(primary::TokenNumbered{writes_.back().token, writes_.back().data, true, false});
    exchange(20'000);
  }
}

void Story::primary(PrimaryInput input) {
  for (PrimaryOutput& output : primary_->step(host_ ? host_->now() : tod_from_us(time_us_), std::move(input))) {
    if (auto* send = std::get_if<primary::Send>(&output)) to_secondary_.push_back(send->message.flat());
    if (auto* free = std::get_if<primary::Free>(&output)) acknowledged_ = free->through;
    if (std::holds_alternative<primary::Ended>(output)) ended_ = true;
    if (std::holds_alternative<primary::DropLink>(output)) as_process([this] { host_->cut(); });
  }
}

void Story::hand_over() {
  while (!to_secondary_.empty()) {
    std::vector<std::uint8_t> bytes = std::move(to_secondary_.front());
    to_secondary_.pop_front();
    as_process([&] { host_->deliver(std::move(bytes)); });
  }
  while (!host_->sent.empty()) {
    const auto bytes = std::move(host_->sent.front());
    host_->sent.pop_front();
    if (answers_lost_) continue;
    auto message = decode(bytes);
    demand(message.good(), "the secondary sent what cannot be read: " + message.status.text());
    primary(primary::MessageArrived{std::move(message.value)});
  }
}

void Story::exchange(std::uint64_t us) {
  constexpr std::uint64_t kStep_us = 1000;
  for (std::uint64_t passed_us = 0; passed_us < us; passed_us += kStep_us) {
    primary(primary::Tick{});
    hand_over();
    run_for(kStep_us);
    hand_over();
  }
}

Story::Images Story::images() const {
  Images read;
  for (std::size_t i = 0; i < kVolumes; ++i) {
    std::vector<std::uint8_t> bytes = disk_.read_file("/" + image_name(i));
    std::fill_n(bytes.begin(), kDeviceIdBytes, std::uint8_t{0});  // fenced or not
    read.push_back(std::move(bytes));
  }
  return read;
}

std::optional<Sequence> Story::writes_in_images() const {
  const Images found = images();
  Images expected = base_;
  if (found == expected) return 0;
  for (const Write& write : writes_) {
    std::size_t at = 0;
    for (unsigned i = 0; i < write.token.range_count; ++i) {
      const TrackRange& range = write.token.ranges[i];
      const std::size_t place = kDeviceHeaderBytes + std::size_t{range.track} * kGeometry.track_bytes + range.offset;
      std::copy_n(write.data.begin() + static_cast<std::ptrdiff_t>(at), range.length,
                  expected[write.token.volume].begin() + static_cast<std::ptrdiff_t>(place));
      at += range.length;
    }
    if (found == expected) return write.token.sequence;
  }
  return std::nullopt;
}

void Story::recover_and_judge() {
  report_.reset();
  as_process([this] { node_->recover([](const Answer&) {}); });
  run_for(1'000'000);
  demand(report_.has_value(), "the secondary does not recover");
  const auto held = writes_in_images();
  demand(held.has_value(), "the recovered images are not those of any number of writes");
  demand(*held == report_->point_a,
         "the recovered images hold " + std::to_string(*held) + " writes and the report says " + std::to_string(report_->point_a));
  demand(report_->point_a >= acknowledged_,
         "recovered to write " + std::to_string(report_->point_a) + " and " + std::to_string(acknowledged_) + " were acknowledged");
}

}  // namespace afterimage::regressions
