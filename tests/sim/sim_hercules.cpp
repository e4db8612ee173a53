// A simulated Hercules: its life, its devices, its handler of CKD tracks.
#include "tests/sim/sim_hercules.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <utility>

namespace afterimage::sim {

SimHercules::SimHercules(Schedule& schedule, Oracle& oracle, Host& host, std::string plex, std::string segment, std::string system,
                         unsigned index, std::vector<Device> devices, GuestSettings guests, std::uint64_t seed)
    : schedule_(schedule),
      oracle_(oracle),
      host_(host),
      plex_(std::move(plex)),
      segment_(std::move(segment)),
      system_(std::move(system)),
      index_(index),
      wanted_(std::move(devices)),
      guests_(guests),
      random_(seed) {}

SimHercules::~SimHercules() = default;

SimHercules* SimHercules::present() {
  Schedule* schedule = Schedule::present();
  return schedule != nullptr && schedule->running() ? static_cast<SimHercules*>(schedule->running()->hercules) : nullptr;
}

void SimHercules::log(const char* line) { schedule_.trace.say(schedule_.now_us(), system_, line); }

void SimHercules::start(void* plex) {
  process_ = schedule_.make_process(system_, host_);
  process_->hercules = this;
  process_->plex = plex;
  if (module_) old_modules_.push_back(std::move(module_));
  for (auto& device : devices_) old_devices_.push_back(std::move(device));
  devices_.clear();
  module_ = std::make_unique<TapModule>();
  module_->settings = {plex_, system_, segment_};
  ending_ = shutting_down_ = false;  // a pause of the guests outlasts their system
  threads_running_ = 0;
  opening_ = true;
  process_->on_death = [this] {
    for (auto& device : devices_)
      if (device->fd >= 0) ::close(std::exchange(device->fd, -1));
    oracle_.system_died(index_);
  };
  oracle_.system_started(index_);
  schedule_.start_thread(process_, [this] {
    tap_start(host());
    for (const Device& wanted : wanted_) {
      devices_.push_back(std::make_unique<TapWrapped>());
      TapWrapped& device = *devices_.back();
      device.hercules = this;
      device.volume = wanted.volume;
      device.number = wanted.number;
      device.tap = tap_device_new(&device);
      device.fast = tap_device_fast(device.tap);
      open_device(device);
    }
    opening_ = false;
    for (unsigned n = 0; n < guests_.threads; ++n) {
      ++threads_running_;
      schedule_.start_thread(process_, [this, n] { run_guest(n); });
    }
  });
}

void SimHercules::kill() {
  if (running()) schedule_.kill(process_);
}

void SimHercules::shut_down() {
  if (!running() || std::exchange(ending_, true)) return;
  schedule_.start_thread(process_, [this] {
    // Hercules attaches and detaches one after the other.
    while (opening_ || threads_running_ != 0) schedule_.sleep_us(500);
    for (auto& device : devices_) close_device(*device);
    shutting_down_ = true;
    tap_stop();
    process_->on_death = [] {};  // nothing is lost
    schedule_.kill(process_);
  });
}

bool SimHercules::quiet() const {
  return std::none_of(devices_.begin(), devices_.end(), [](const auto& device) { return device->busy; });
}

bool SimHercules::volumes_open() const {
  return devices_.size() == wanted_.size() &&
         std::all_of(devices_.begin(), devices_.end(), [](const auto& device) { return device->open && device->ready; });
}

void SimHercules::may_be_preempted() {
  if (random_.chance(guests_.kill_per_million, 1'000'000)) schedule_.kill(process_);
  if (random_.chance(guests_.preempt_per_cent, 100)) schedule_.sleep_us(random_.below(random_.chance(1, 20) ? 3000 : 60));
}

void SimHercules::open_device(TapWrapped& device) {
  const OracleVolume& volume = oracle_.volumes()[device.volume];
  tap_before_open(device.tap, volume.image.c_str());
  const std::string path = "/sim/" + host_.name + volume.image;
  tap_before_open(device.tap, path.c_str());
  device.fd = ::open(path.c_str(), O_RDWR | O_CLOEXEC);
  if (device.fd < 0) return schedule_.violation("simulation", "the image " + path + " is not there");
  device.buffer.resize(volume.geometry.track_bytes);
  device.track = -1;
  TapFacts facts{};
  facts.device_number = device.number;
  facts.device_type = volume.geometry.device_type;
  facts.cylinders = volume.geometry.cylinders;
  facts.heads = volume.geometry.heads;
  facts.tracks = volume.geometry.tracks();
  facts.track_bytes = volume.geometry.track_bytes;
  facts.path = path.c_str();
  device.open = true;
  tap_opened(device.tap, &facts);
  device.ready = true;
}

void SimHercules::close_device(TapWrapped& device) {
  device.closing = true;
  tap_closing(device.tap);
  while (device.held != 0 || device.service_io) schedule_.sleep_us(500);
  if (device.parked || device.in_exec == 2) tap_settle(device.tap, TAP_PLACE_CPU);
  device.parked = false;
  device.in_exec = 0;
  read_track(device, -1);
  ::close(std::exchange(device.fd, -1));
  device.open = false;
  tap_closed(device.tap);
  device.closing = false;
}

// Writes the buffer back, then reads the track (none when it is -1).
bool SimHercules::read_track(TapWrapped& device, std::int64_t track) {
  if (device.track == track && track >= 0) return true;
  const std::size_t bytes = device.buffer.size();
  if (device.dirty_high > device.dirty_low) {
    const std::uint32_t low = std::exchange(device.dirty_low, 0), high = std::exchange(device.dirty_high, 0);
    const std::uint64_t place = kImageHeader_bytes + static_cast<std::uint64_t>(device.track) * bytes;
    const ssize_t written =
        failing_write_backs_ != 0 ? -1 : ::pwrite(device.fd, device.buffer.data() + low, high - low, static_cast<off_t>(place + low));
    if (written != static_cast<ssize_t>(high - low)) {
      if (failing_write_backs_ != 0) --failing_write_backs_;
      device.track = -1;
      oracle_.write_back_failed(device.volume);
      return false;
    }
    oracle_.reached_file(device.volume);
    may_be_preempted();
  }
  if (track < 0) return true;
  device.track = -1;
  const std::uint64_t place = kImageHeader_bytes + static_cast<std::uint64_t>(track) * bytes;
  if (::pread(device.fd, device.buffer.data(), bytes, static_cast<off_t>(place)) != static_cast<ssize_t>(bytes)) return false;
  device.track = track;
  return true;
}

bool SimHercules::wrapped_read(TapWrapped& device, std::int64_t track) {
  const bool watched = in_session(device) || device.fast->owing != 0;
  const bool updated = device.dirty_high > device.dirty_low;
  const std::int64_t old_track = device.track;
  const bool good = read_track(device, track);
  if (!watched) return good;
  if (good) {
    if (device.dirty_high == device.dirty_low) {
      tap_flushed(device.tap);
      oracle_.told_flushed(device.volume);
    }
  } else if (updated) {
    tap_write_back_failed(device.tap, static_cast<std::uint32_t>(old_track));
  }
  return good;
}

bool SimHercules::tokens_are_taken(const TapWrapped& device) const {
  const auto& binding = device.tap->binding;
  return binding && control_view(binding->storage).state == SessionState::kActive && binding->entry.duplex.load() == kDuplex;
}

bool SimHercules::changes_are_recorded(const TapWrapped& device) const {
  const auto& binding = device.tap->binding;
  if (!binding || (binding->entry.duplex.load() & kDuplex) == 0) return false;
  const SessionState state = control_view(binding->storage).state;
  return state == SessionState::kSuspended || (state == SessionState::kActive && (binding->entry.duplex.load() & kVolumeSuspended) != 0);
}

std::uint64_t SimHercules::hold_bound_us() const {
  const TapAttachment* attachment = module_->current.load();
  if (attachment == nullptr) return 1'000'000;
  const ControlBlock& control = attachment->storage->control();
  return (control.pace_limit_ms.load() + (freezes_ + 1) * control.freeze_limit_ms.load()) * std::uint64_t{1000} + 300'000;
}

}  // namespace afterimage::sim
