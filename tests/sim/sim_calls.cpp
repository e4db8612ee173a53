// io: see sim_calls.h. The names are the linker's: __wrap_X is called for X, __real_X is X.
#include "tests/sim/sim_calls.h"

#include <fcntl.h>
#include <pthread.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <map>
#include <memory>
#include <string>

#include "datamover/applier.h"
#include "serializer/check.h"
#include "serializer/numbering.h"
#include "serializer/slot_reader.h"
#include "serializer/slot_ref.h"
#include "service/compose.h"
#include "tests/sim/sim_plex.h"

using namespace afterimage;       // NOLINT(google-build-using-namespace): below are only the wrapped calls
using namespace afterimage::sim;  // NOLINT(google-build-using-namespace)

namespace {

std::map<std::string, int>& segments() {
  static std::map<std::string, int> all;
  return all;
}

std::uint64_t& random_number() {
  static std::uint64_t state = 0;
  return state;
}

Process* running() {
  Schedule* schedule = Schedule::present();
  return schedule != nullptr ? schedule->running().get() : nullptr;
}

Plex* plex() { return running() != nullptr ? static_cast<Plex*>(running()->plex) : nullptr; }

SimHercules* hercules() { return SimHercules::present(); }

}  // namespace

namespace afterimage::sim {
void forget_shared_memory() {
  for (const auto& [name, fd] : segments()) ::close(fd);
  segments().clear();
  random_number() = 0;
}
}  // namespace afterimage::sim

// NOLINTBEGIN(bugprone-reserved-identifier)
extern "C" {

int __real_usleep(useconds_t);
int __real_nanosleep(const timespec*, timespec*);
int __real_pthread_create(pthread_t*, const pthread_attr_t*, void* (*)(void*), void*);
int __real_pthread_join(pthread_t, void**);
int __real_pthread_mutex_lock(pthread_mutex_t*);

int __wrap_usleep(useconds_t us) {
  if (running() == nullptr) return __real_usleep(us);
  Schedule::present()->sleep_us(us);
  return 0;
}

int __wrap_nanosleep(const timespec* wait, timespec* rest) {
  if (running() == nullptr) return __real_nanosleep(wait, rest);
  Schedule::present()->sleep_us(static_cast<std::uint64_t>(wait->tv_sec) * 1'000'000 + static_cast<std::uint64_t>(wait->tv_nsec) / 1000);
  return 0;
}

int __wrap_pthread_create(pthread_t* thread, const pthread_attr_t* attributes, void* (*body)(void*), void* argument) {
  if (hercules() == nullptr) return __real_pthread_create(thread, attributes, body, argument);
  auto ended = std::make_shared<bool>(false);
  Schedule* schedule = Schedule::present();
  auto* handle = new std::shared_ptr<bool>(ended);  // given back by join; a killed process's goes with the run
  schedule->start_thread(schedule->running(), [ended, body, argument] {
    body(argument);
    *ended = true;
  });
  *thread = reinterpret_cast<pthread_t>(handle);
  return 0;
}

int __wrap_pthread_join(pthread_t thread, void** result) {
  if (hercules() == nullptr) return __real_pthread_join(thread, result);
  const std::unique_ptr<std::shared_ptr<bool>> ended(reinterpret_cast<std::shared_ptr<bool>*>(thread));
  while (!**ended) Schedule::present()->sleep_us(500);
  return 0;
}

// One real thread: whoever finds it taken waits for another simulated one.
int __wrap_pthread_mutex_lock(pthread_mutex_t* mutex) {
  if (Fiber::running() == nullptr) return __real_pthread_mutex_lock(mutex);
  while (::pthread_mutex_trylock(mutex) == EBUSY) Schedule::present()->sleep_us(100);
  return 0;
}

int __wrap_shm_open(const char* name, int flags, mode_t) {
  auto found = segments().find(name);
  if (found == segments().end()) {
    if ((flags & O_CREAT) == 0) {
      errno = ENOENT;
      return -1;
    }
    const int fd = ::memfd_create("afterimage-simulation", MFD_CLOEXEC);
    if (fd < 0) return -1;
    found = segments().emplace(name, fd).first;
  } else if ((flags & O_EXCL) != 0) {
    errno = EEXIST;
    return -1;
  }
  // A descriptor with an open file description of its own, as every opener has.
  char path[40];
  std::snprintf(path, sizeof path, "/proc/self/fd/%d", found->second);
  return ::open(path, O_RDWR | O_CLOEXEC);
}

int __wrap_shm_unlink(const char* name) {
  const auto found = segments().find(name);
  if (found == segments().end()) {
    errno = ENOENT;
    return -1;
  }
  ::close(found->second);
  segments().erase(found);
  return 0;
}

// clock_tod, monotonic_us, own_pid, process_start_time, process_alive
Tod __real__ZN10afterimage9clock_todEv();
Tod __wrap__ZN10afterimage9clock_todEv() {
  Process* process = running();
  if (process == nullptr) return __real__ZN10afterimage9clock_todEv();
  if (SimHercules* there = hercules()) there->may_be_preempted();
  return process->host.clock.tod(Schedule::present()->now_us());
}

std::uint64_t __real__ZN10afterimage12monotonic_usEv();
std::uint64_t __wrap__ZN10afterimage12monotonic_usEv() {
  return running() != nullptr ? Schedule::present()->now_us() : __real__ZN10afterimage12monotonic_usEv();
}

std::uint32_t __real__ZN10afterimage7own_pidEv();
std::uint32_t __wrap__ZN10afterimage7own_pidEv() { return running() != nullptr ? running()->pid : __real__ZN10afterimage7own_pidEv(); }

std::uint64_t __real__ZN10afterimage18process_start_timeEj(std::uint32_t);
std::uint64_t __wrap__ZN10afterimage18process_start_timeEj(std::uint32_t pid) {
  return running() != nullptr ? Schedule::present()->start_time(pid) : __real__ZN10afterimage18process_start_timeEj(pid);
}

bool __real__ZN10afterimage13process_aliveEjm(std::uint32_t, std::uint64_t);
bool __wrap__ZN10afterimage13process_aliveEjm(std::uint32_t pid, std::uint64_t start_time) {
  return running() != nullptr ? Schedule::present()->is_alive(pid, start_time) : __real__ZN10afterimage13process_aliveEjm(pid, start_time);
}

// std::random_device: the same numbers in every run of a seed.
unsigned __wrap__ZNSt13random_device9_M_getvalEv(void*) { return static_cast<unsigned>(SplitMix(++random_number()).next()); }

// tap_module, tap_log
TapModule& __real__ZN10afterimage10tap_moduleEv();
TapModule& __wrap__ZN10afterimage10tap_moduleEv() {
  return hercules() != nullptr ? hercules()->module() : __real__ZN10afterimage10tap_moduleEv();
}

void __wrap__ZN10afterimage7tap_logERKNSt7__cxx1112basic_stringIcSt11char_traitsIcESaIcEEE(const std::string& text) {
  if (hercules() != nullptr) hercules()->log(text.c_str());
}

// check_failed: no check of the product's may fail here.
void __wrap__ZN10afterimage12check_failedEPKcS1_i(const char* expression, const char* file, int line) {
  const std::string what = std::string(expression) + " at " + file + ":" + std::to_string(line);
  if (Schedule::present() != nullptr) return Schedule::present()->violation("check", "a check of the product's failed: " + what);
  std::fprintf(stderr, "check failed outside of a run: %s\n", what.c_str());
  std::abort();
}
void __wrap__ZN10afterimage17set_check_handlerEPFvPKcS1_iE(void*) {}

// number_slot, void_entry, SlotReader::free_through: what the oracle must know of numbering.
Numbered __real__ZN10afterimage11number_slotERNS_13CommonStorageEjmm(CommonStorage&, std::uint32_t, SlotRef, std::uint64_t);
Numbered __wrap__ZN10afterimage11number_slotERNS_13CommonStorageEjmm(CommonStorage& storage, std::uint32_t device, SlotRef slot,
                                                                     std::uint64_t now_us) {
  if (hercules() != nullptr) hercules()->may_be_preempted();
  const Numbered result = __real__ZN10afterimage11number_slotERNS_13CommonStorageEjmm(storage, device, slot, now_us);
  if (plex() != nullptr && result.outcome == NumberOutcome::kNumbered) plex()->duties().numbered_in(control_view(storage).state);
  if (plex() != nullptr && result.outcome == NumberOutcome::kNumbered)
    plex()->oracle().numbered(storage.device(device).volume, result.sequence, result.tod, slot_place(storage, slot).header->token);
  if (hercules() != nullptr) hercules()->may_be_preempted();
  return result;
}

bool __real__ZN10afterimage10void_entryERNS_13CommonStorageEm(CommonStorage&, Sequence);
bool __wrap__ZN10afterimage10void_entryERNS_13CommonStorageEm(CommonStorage& storage, Sequence sequence) {
  const bool voided = __real__ZN10afterimage10void_entryERNS_13CommonStorageEm(storage, sequence);
  if (voided && plex() != nullptr) plex()->oracle().voided(sequence);
  return voided;
}

// change_session_state, suspend_session: a cut is where it is said to be.
StateChange __real__ZN10afterimage20change_session_stateERNS_13CommonStorageENS_12SessionStateES2_(CommonStorage&, SessionState,
                                                                                                   SessionState);
StateChange __wrap__ZN10afterimage20change_session_stateERNS_13CommonStorageENS_12SessionStateES2_(CommonStorage& storage,
                                                                                                   SessionState from, SessionState to) {
  const auto change = __real__ZN10afterimage20change_session_stateERNS_13CommonStorageENS_12SessionStateES2_(storage, from, to);
  if (change.changed && plex() != nullptr) plex()->duties().cut_at(change.cut);
  return change;
}
StateChange __real__ZN10afterimage15suspend_sessionERNS_13CommonStorageENS_13SuspendReasonE(CommonStorage&, SuspendReason);
StateChange __wrap__ZN10afterimage15suspend_sessionERNS_13CommonStorageENS_13SuspendReasonE(CommonStorage& storage, SuspendReason reason) {
  const auto change = __real__ZN10afterimage15suspend_sessionERNS_13CommonStorageENS_13SuspendReasonE(storage, reason);
  if (change.changed && plex() != nullptr) plex()->duties().cut_at(change.cut);
  return change;
}

void __real__ZN10afterimage10SlotReader12free_throughEm(SlotReader*, Sequence);
void __wrap__ZN10afterimage10SlotReader12free_throughEm(SlotReader* reader, Sequence through) {
  if (plex() != nullptr) plex()->frees(through);
  __real__ZN10afterimage10SlotReader12free_throughEm(reader, through);
}

// Applier::apply: the oracle looks at the images after each.
Result<ApplyOutcome> __real__ZN10afterimage7Applier5applyERKNS_12PendingWriteE(Applier*, const PendingWrite&);
Result<ApplyOutcome> __wrap__ZN10afterimage7Applier5applyERKNS_12PendingWriteE(Applier* applier, const PendingWrite& write) {
  auto result = __real__ZN10afterimage7Applier5applyERKNS_12PendingWriteE(applier, write);
  if (plex() != nullptr && result.good()) plex()->oracle().applied(write);
  return result;
}

// loss_report_lines: the report itself, for the oracle.
std::vector<std::string> __real__ZN10afterimage17loss_report_linesB5cxx11ERKNS_10LossReportEm(const LossReport&, std::size_t);
std::vector<std::string> __wrap__ZN10afterimage17loss_report_linesB5cxx11ERKNS_10LossReportEm(const LossReport& report, std::size_t most) {
  Plex::last_report = report;
  return __real__ZN10afterimage17loss_report_linesB5cxx11ERKNS_10LossReportEm(report, most);
}

// Settings that have no place in the configuration.
Result<SecondaryNodeSettings> __real__ZN10afterimage18secondary_settingsERKNS_6ConfigERKNS_13SessionConfigE(const Config&,
                                                                                                            const SessionConfig&);
Result<SecondaryNodeSettings> __wrap__ZN10afterimage18secondary_settingsERKNS_6ConfigERKNS_13SessionConfigE(const Config& config,
                                                                                                            const SessionConfig& session) {
  auto settings = __real__ZN10afterimage18secondary_settingsERKNS_6ConfigERKNS_13SessionConfigE(config, session);
  if (settings.good() && plex() != nullptr) plex()->tune(settings.value);
  return settings;
}
Result<PrimaryNodeSettings> __real__ZN10afterimage16primary_settingsERKNS_6ConfigERKNS_13SessionConfigE(const Config&,
                                                                                                        const SessionConfig&);
Result<PrimaryNodeSettings> __wrap__ZN10afterimage16primary_settingsERKNS_6ConfigERKNS_13SessionConfigE(const Config& config,
                                                                                                        const SessionConfig& session) {
  auto settings = __real__ZN10afterimage16primary_settingsERKNS_6ConfigERKNS_13SessionConfigE(config, session);
  if (settings.good() && plex() != nullptr) plex()->tune(settings.value);
  return settings;
}
}
// NOLINTEND(bugprone-reserved-identifier)
