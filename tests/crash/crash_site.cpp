// io: the secondary site at the crash points; see crash_site.h.
#include "tests/crash/crash_site.h"

#include <new>

#include "serializer/check.h"
#include "tests/crash/crash_memory.h"
#include "tests/sim/sim_image.h"

namespace afterimage::crash {

namespace {

constexpr const char* kHost = "b";

[[noreturn]] void throw_check(const char* expression, const char* file, int line) {
  throw CheckFailed{std::string(expression) + " at " + file + ":" + std::to_string(line)};
}

}  // namespace

void throw_failed_checks() { set_check_handler(throw_check); }

CrashSite::CrashSite(const std::vector<CrashVolume>& volumes, const CrashShape& shape, std::uint64_t seed, Acknowledged sent)
    : disk_(std::make_unique<sim::SimDisk>(sim::SimDiskSettings{}, seed)), mount_(kHost, *disk_), seed_(seed), sent_(std::move(sent)) {
  disk_->make_directory("/site");
  const std::string root = std::string("/sim/") + kHost;
  settings_.directory = root + "/site";
  settings_.local = {"SITEB.DSMLU", "127.0.0.1", 0};
  settings_.peer_lu = "SITEA.DSMLU";
  settings_.mover.session = "DALLAS";
  settings_.mover.local_lu = "SITEB.DSMLU";
  settings_.mover.peer_lu = "SITEA.DSMLU";
  settings_.mover.checkpoint_ms = shape.checkpoint_ms;
  settings_.mover.journal_bytes = shape.journal_bytes;
  settings_.journal.directory = settings_.directory;
  settings_.journal.bytes = shape.journal_bytes;
  settings_.failure.heartbeat_limit_us = 3600'000'000;
  for (const CrashVolume& volume : volumes) {
    settings_.mover.volumes.push_back(volume.descriptor);
    settings_.images.push_back(root + volume.files.front());
  }
  lay_out(volumes);
}

CrashSite::~CrashSite() { discard(); }

void CrashSite::lay_out(const std::vector<CrashVolume>& volumes) {
  for (const CrashVolume& volume : volumes) {
    std::uint32_t before = 0;
    for (std::size_t i = 0; i < volume.files.size(); ++i) {
      const VolumeDescriptor& about = volume.descriptor;
      sim::ImageFile file;
      file.geometry = {about.device_type, volume.cylinders[i], about.heads, about.track_bytes};
      file.first_cylinder = before;
      before += volume.cylinders[i];
      if (volume.files.size() > 1) file.sequence = static_cast<std::uint8_t>(i + 1);
      file.last = i + 1 == volume.files.size();
      disk_->write_file(volume.files[i], sim::make_ckd_image(file));
    }
  }
}

void CrashSite::end_as(Life life, std::string reason) {
  if (life_ == Life::kRunning || life_ == Life::kStopped) {
    life_ = life;
    reason_ = std::move(reason);
  }
  if (life != Life::kStopped && process_ && !process_->dead()) disk_->kill(*process_);
}

Life CrashSite::call(const std::function<void()>& f) {
  try {
    const sim::SimRunning running(process_.get());
    const ProductCode product;
    f();
  } catch (const sim::SimKilled&) {
    end_as(Life::kKilled, "killed");
  } catch (const std::bad_alloc&) {
    end_as(Life::kNoMemory, "an allocation failed");
  } catch (const CheckFailed& check) {
    end_as(Life::kBroken, "a check failed: " + check.text);
  } catch (const std::exception& error) {
    end_as(Life::kBroken, std::string("an exception: ") + error.what());
  }
  if (process_->dead()) end_as(Life::kKilled, "killed");
  if (life_ == Life::kRunning && node_->core().state() == SecondaryState::kStopped) end_as(Life::kStopped, node_->core().stop_reason());
  return life_;
}

Life CrashSite::start() {
  discard();
  ++lives_;
  process_ = std::make_unique<sim::SimProcess>("dsmd", seed_ * 1000 + lives_);
  host_ = std::make_unique<CrashHost>(*process_, seed_ * 2000 + lives_, clock_us_, sent_);
  life_ = Life::kRunning;
  reason_.clear();
  Status started;
  bool made = false;
  const auto say = [this](const std::string& line) {
    const TestCode test;
    if (process_->dead()) return;
    log_.push_back(std::to_string(clock_us_) + " " + line);
    if (line.find("DSMM135E") != std::string::npos) ++differences_;
  };
  const auto recovered = [this](const LossReport& report) {
    const TestCode test;
    if (!process_->dead()) report_ = report;
  };
  try {
    const sim::SimRunning running(process_.get());
    const ProductCode product;
    node_ = std::make_unique<SecondaryNode>(*host_, settings_, say, recovered);
    started = node_->start();
    made = true;
  } catch (const sim::SimKilled&) {
    end_as(Life::kKilled, "killed");
  } catch (const std::bad_alloc&) {
    end_as(Life::kNoMemory, "an allocation failed");
  } catch (const CheckFailed& check) {
    end_as(Life::kBroken, "a check failed: " + check.text);
  } catch (const std::exception& error) {
    end_as(Life::kBroken, std::string("an exception: ") + error.what());
  }
  if (process_->dead()) end_as(Life::kKilled, "killed");
  if (life_ == Life::kRunning && made && !started) end_as(Life::kRefused, started.text());
  if (life_ == Life::kRunning && node_->core().state() == SecondaryState::kStopped) end_as(Life::kStopped, node_->core().stop_reason());
  return life_;
}

Life CrashSite::step() {
  return call([this] { host_->step(); });
}

Life CrashSite::stop() {
  while ((life_ == Life::kRunning || life_ == Life::kStopped) && !host_->workers_idle()) {
    const Life before = life_;
    call([this] { host_->step(); });
    if (life_ != before && life_ != Life::kStopped) return life_;
  }
  if (life_ == Life::kRunning || life_ == Life::kStopped) {
    call([this] { node_->stop(); });
    if (life_ == Life::kRunning || life_ == Life::kStopped) disk_->kill(*process_);
    life_ = Life::kKilled;
  }
  return life_;
}

void CrashSite::discard() {
  if (host_) last_now_ = host_->now();
  if (process_ && !process_->dead()) disk_->kill(*process_);
  node_.reset();
  host_.reset();
  process_.reset();
}

}  // namespace afterimage::crash
