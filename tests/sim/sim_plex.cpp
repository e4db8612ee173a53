// See sim_plex.h.
#include "tests/sim/sim_plex.h"

#include <fcntl.h>

#include <cstring>
#include <utility>

#include "tests/sim/sim_image.h"

namespace afterimage::sim {

namespace {

std::string letter(unsigned index) { return std::string(1, static_cast<char>('A' + index)); }

// The volume label: record 3 of track 0, VOL1 and the volser in EBCDIC.
void put_label(std::vector<std::uint8_t>& image, const std::string& volser) {
  std::vector<std::uint8_t> label = {0, 0, 0, 0, 3, 4, 0, 80, 0xE5, 0xD6, 0xD3, 0xF1, 0xE5, 0xD6, 0xD3, 0xF1};
  for (const char c : volser) {
    const bool digit = c >= '0' && c <= '9';
    label.push_back(static_cast<std::uint8_t>(digit      ? 0xF0 + (c - '0')
                                              : c <= 'I' ? 0xC1 + (c - 'A')
                                              : c <= 'R' ? 0xD1 + (c - 'J')
                                                         : 0xE2 + (c - 'S')));
  }
  label.resize(8 + 4 + 80, 0x40);
  label.resize(label.size() + 8, 0xFF);
  std::copy(label.begin(), label.end(), image.begin() + kImageHeader_bytes + 5 + 16);
}

bool begins(const std::string& line, const char* id) { return line.compare(0, std::strlen(id), id) == 0; }

}  // namespace

LossReport Plex::last_report;

Plex::Plex(Schedule& schedule, const Swarm& swarm, unsigned index) : schedule_(schedule), swarm_(swarm), index_(index) {
  site_a_ = std::make_unique<Host>("A" + std::to_string(index), stream_seed(swarm.seed, Stream::kDisk, 2 * index));
  site_b_ = std::make_unique<Host>("B" + std::to_string(index), stream_seed(swarm.seed, Stream::kDisk, 2 * index + 1));
  for (Host* host : {site_a_.get(), site_b_.get()}) {
    SimDiskSettings settings;
    settings.call_us = swarm.disk_call_us;
    settings.sync_us = swarm.disk_sync_us;
    host->disk.set_costs(settings);
    host->disk.on_cost([host](std::uint64_t us) { host->io_cost_us += us; });
  }
  site_a_->clock.drift_ppm = swarm.drift_ppm[0];
  site_b_->clock.drift_ppm = swarm.drift_ppm[1];
  line_ = std::make_unique<Line>(schedule, stream_seed(swarm.seed, Stream::kLink, index));
  line_->times = swarm.line;
  line_->faults = swarm.network;
  line_->watch = [this](unsigned from, FrameKind kind, const std::vector<std::uint8_t>& bytes) {
    if (kind != FrameKind::kMessage || from != 0) return;
    const auto decoded = decode(bytes);
    if (!decoded.good())
      return schedule_.violation("promise", "the primary puts a message on the line that cannot be read: " + decoded.status.text());
    oracle_->message_on_line(decoded.value);
  };
  line_->handed = [this](unsigned from, const EncodedMessage& message) {
    const auto bytes = message.flat();
    const auto decoded = decode(bytes);
    if (!decoded.good()) return;
    if (from == 0) return duties_->primary_sends(decoded.value);
    oracle_->acknowledgement(decoded.value);
    duties_->secondary_acknowledges(decoded.value);
  };
  line_->arrived = [this](unsigned to, FrameKind kind, const std::vector<std::uint8_t>& bytes) {
    if (to == 0) duties_->arrived_at_primary(kind, bytes);
  };
  secondary_may_stop = swarm.small_journal;
  make_config();
  make_volumes();
  const auto timing = [&](unsigned which) { return stream_seed(swarm.seed, Stream::kTiming, 4 * index + which); };
  primary_ = std::make_unique<SimDsmd>(
      schedule, *this, *site_a_, config_, "SITEA", [this](const std::string& line) { heard_primary(line); }, timing(0));
  secondary_ = std::make_unique<SimDsmd>(
      schedule, *this, *site_b_, config_, "SITEB", [this](const std::string& line) { heard_secondary(line); }, timing(1));
}

Plex::~Plex() {
  // Threads first: what they stand on goes after them.
  for (auto& system : systems_) system->kill();
  primary_.reset();
  secondary_.reset();
}

void Plex::make_config() {
  config_.path = "/sim/config";
  config_.directory = "/sim";
  config_.plex = "PLEX" + letter(index_);
  const std::string a = "/sim/" + site_a_->name, b = "/sim/" + site_b_->name;
  config_.sites = {{"SITEA", "NETA.DSMLU", "10.0.0.1", 1, a + "/dsm", "", "", ""},
                   {"SITEB", "NETB.DSMLU", "10.0.0.2", 1, b + "/dsm", "", "", ""}};
  config_.storage.chunk_bytes = kMinChunkBytes;
  config_.storage.ring_bytes = std::uint64_t{kMinChunkBytes} * swarm_.ring_chunks;
  config_.storage.segment = "simulated." + config_.plex;
  SessionConfig session;
  session.name = "DALLAS" + letter(index_);
  session.primary = "SITEA";
  session.secondary = "SITEB";
  session.buffers.message_bytes = swarm_.message_bytes;
  session.buffers.interval_ms = swarm_.interval_ms;
  session.buffers.window_bytes = swarm_.window_bytes;
  session.buffers.pace_limit_ms = swarm_.pace_limit_ms;
  session.buffers.freeze_limit_ms = swarm_.freeze_limit_ms;
  session.journal.bytes = swarm_.journal_bytes;
  for (unsigned s = 0; s < swarm_.systems; ++s) {
    config_.systems.push_back({"HERC" + std::to_string(s), "SITEA", ""});
    for (unsigned v = 0; v < swarm_.volumes_per_system; ++v) {
      VolumeConfig volume;
      volume.volser = "P" + letter(index_) + std::to_string(s) + std::to_string(v);
      volume.secondary_volser = "S" + letter(index_) + std::to_string(s) + std::to_string(v);
      volume.system = config_.systems.back().name;
      volume.device = static_cast<std::uint16_t>(0xA80 + 16 * s + v);
      volume.type = 0x3390;
      volume.image = a + "/dasd/" + volume.volser;
      volume.secondary_image = b + "/dasd/" + volume.secondary_volser;
      session.volumes.push_back(std::move(volume));
    }
  }
  config_.sessions.push_back(std::move(session));
}

std::vector<std::string> Plex::volsers() const {
  std::vector<std::string> all;
  for (const VolumeConfig& volume : config_.sessions.front().volumes) all.push_back(volume.volser);
  return all;
}

void Plex::make_volumes() {
  Geometry geometry{0x3390, swarm_.cylinders, swarm_.heads, swarm_.track_bytes};
  std::vector<OracleVolume> volumes;
  std::vector<std::vector<SimHercules::Device>> devices(swarm_.systems);
  for (Host* host : {site_a_.get(), site_b_.get()}) {
    host->disk.make_directory("/dsm");
    host->disk.make_directory("/dasd");
  }
  for (const VolumeConfig& volume : config_.sessions.front().volumes) {
    const auto index = static_cast<unsigned>(volumes.size());
    auto image = make_ckd_image(geometry);
    put_label(image, volume.volser);
    OracleVolume known{volume.volser, "/dasd/" + volume.volser, "/dasd/" + volume.secondary_volser, geometry,
                       index / swarm_.volumes_per_system};
    site_a_->disk.write_file(known.image, image);
    site_b_->disk.write_file(known.secondary_image, image);
    devices[known.system].push_back({index, volume.device});
    volumes.push_back(std::move(known));
  }
  oracle_ = std::make_unique<Oracle>(schedule_, std::move(volumes), site_a_->disk, site_b_->disk);
  duties_ = std::make_unique<Duties>(schedule_, *oracle_, swarm_.window_messages);
  GuestSettings guests;
  guests.threads = swarm_.guest_threads;
  guests.pause_us = swarm_.guest_pause_us;
  guests.hot_tracks = swarm_.hot_tracks;
  guests.ccws = swarm_.ccws;
  guests.preempt_per_cent = swarm_.preempt_per_cent;
  for (unsigned s = 0; s < swarm_.systems; ++s)
    systems_.push_back(std::make_unique<SimHercules>(schedule_, *oracle_, *site_a_, config_.plex, config_.storage.segment,
                                                     config_.systems[s].name, s, devices[s], guests,
                                                     stream_seed(swarm_.seed, Stream::kWorkload, 16 * index_ + s)));
}

void Plex::watch_death(SimDsmd& dsmd) {
  const ProcessPtr process = dsmd.process();
  process->plex = this;
  process->on_death = [this, process, before = std::move(process->on_death)] {
    ++deaths;
    if (before) before();
    line_->process_died(process);
  };
}

void Plex::start_primary() {
  primary_ready_ = false;
  primary_->start([this](const Status& status) {
    primary_ready_ = status.good();
    if (!status) schedule_.violation("restart", "dsmd of the primary does not start: " + status.text());
  });
  watch_death(*primary_);
}

void Plex::start_secondary() {
  secondary_ready_ = false;
  secondary_stopped = false;
  oracle_->secondary_restarted();
  secondary_->start([this](const Status& status) {
    secondary_ready_ = status.good();
    if (status.good()) return;
    secondary_stopped = true;
    stopped_sentence = status.text();
    if (!secondary_may_stop) schedule_.violation("restart", "dsmd of the secondary does not start: " + status.text());
  });
  watch_death(*secondary_);
}

void Plex::heard_primary(const std::string& line) {
  schedule_.trace.say(schedule_.now_us(), "SITEA", line);
  if (!secondary_may_stop) duties_->primary_says(line);
  if (begins(line, "DSMM101I")) {
    // A volume that is not open may wait to be mended, which its system does in the new session.
    oracle_->epoch_begins(storage()->control().epoch.load(), control_view(*storage()).sequence, std::exchange(copied, false),
                          comparison_asked || comparison_pending() || volume_refused());
    ended_there = verified_equal = verified_unequal = false;
  } else if (begins(line, "DSMM121I")) {
    verified_equal = true;
    oracle_->said_equal(verifies_all_ && state() == SessionState::kActive && all_volumes_duplex());
  } else if (begins(line, "DSMM120I")) {
    verifies_all_ = line.find(" " + std::to_string(config_.sessions.front().volumes.size()) + " VOLUMES") != std::string::npos;
  } else if (begins(line, "DSMM122E") || begins(line, "DSMM125E")) {
    verified_unequal = true;
  } else if (begins(line, "DSMM123E")) {
    if (!oracle_->differences_possible() && line.find("could not be compared") == std::string::npos)
      schedule_.violation("equal", "a verification found a difference: " + line);
  } else if (begins(line, "DSMM110I")) {
    for (auto& system : systems_) system->note_freeze();
  }
}

void Plex::heard_secondary(const std::string& line) {
  schedule_.trace.say(schedule_.now_us(), "SITEB", line);
  if (begins(line, "DSMM132I")) {
    CommandProcessor* const processor = secondary_->processor();
    const bool known = processor != nullptr && processor->secondary() != nullptr;
    ended_there = oracle_->said_ended(known ? processor->secondary()->core().epoch() : 0) || ended_there;
  } else if (begins(line, "DSMM133S")) {
    secondary_stopped = true;
    stopped_sentence = line;
    if (!secondary_may_stop) schedule_.violation("unexplained stop", "the secondary stops: " + line);
  } else if (begins(line, "DSMM138W")) {
    recovered = false;
    oracle_->given_up();
  } else if (begins(line, "DSMM141I")) {
    recovered = true;
    oracle_->recovered(last_report);
    if (!schedule_.violated()) oracle_->check_fences(site_b_->disk, false, "after the recovery");
    if (!schedule_.violated()) duties_->recovered(last_report.epoch, site_b_->disk);
  }
}

CommonStorage* Plex::storage() {
  if (view_) return view_.get();
  auto opened = CommonStorage::open(config_.storage.segment);
  if (opened.good()) view_ = std::move(opened.value);
  return view_.get();
}

SessionState Plex::state() { return storage() != nullptr ? control_view(*storage()).state : SessionState::kInactive; }
bool Plex::session_begun() { return storage() != nullptr && storage()->control().epoch.load() != 0; }
Sequence Plex::freed() { return storage() != nullptr ? storage()->control().freed_through.load() : 0; }
Sequence Plex::numbered() { return storage() != nullptr ? control_view(*storage()).sequence : 0; }

bool Plex::all_volumes_duplex() {
  if (storage() == nullptr) return false;
  for (std::uint32_t i = 0; i < oracle_->volumes().size(); ++i)
    if ((storage()->device(i).duplex.load() & (kDuplex | kVolumeSuspended)) != kDuplex) return false;
  return true;
}

// Whoever began the session, a scripted operator or a console: it compares.
bool Plex::comparison_pending() {
  for (std::uint32_t i = 0; i < oracle_->volumes().size(); ++i)
    if ((storage()->device(i).duplex.load() & kPending) == 0) return false;
  return true;
}

bool Plex::volume_refused() {
  if (storage() == nullptr) return false;
  for (std::uint32_t i = 0; i < oracle_->volumes().size(); ++i)
    if (storage()->device(i).state.load() != static_cast<std::uint32_t>(DeviceState::kOpen)) return true;
  return false;
}

void Plex::frees(Sequence through) { oracle_->frees(through, state() == SessionState::kInactive); }

void Plex::tune(PrimaryNodeSettings& settings) const {
  settings.shape.sequence_entries = swarm_.sequence_entries;
  settings.mover.window_messages = swarm_.window_messages;
  settings.mover.idle_interval_ms = swarm_.idle_interval_ms;
}

void Plex::tune(SecondaryNodeSettings& settings) const {
  settings.mover.checkpoint_ms = swarm_.checkpoint_ms;
  settings.mover.checkpoint_bytes = swarm_.checkpoint_bytes;
  settings.mover.queue_bytes = swarm_.queue_bytes;
}

std::unique_ptr<NodeLink> Plex::connect(const ProcessPtr& process, const std::string&, const LuAddress&, LuSessionHandler handler,
                                        std::function<BindRequest()> make_bind) {
  return make_connector(schedule_, process, *line_, std::move(handler), std::move(make_bind));
}

std::unique_ptr<NodeLink> Plex::listen(const ProcessPtr& process, const LuAddress&, const std::string&, LuSessionHandler handler) {
  return make_listener(schedule_, process, *line_, std::move(handler));
}

}  // namespace afterimage::sim
