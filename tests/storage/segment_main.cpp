// io: storage_segment: a process is killed or stopped while it makes, opens or removes common storage, at a random system call and a random
// instruction behind it. Whoever comes next must get a sound segment, or a sentence, in bounded time; tokens in it survive.
#include <sched.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <random>

#include "../unit/serializer_storage_fixture.h"
#include "kill_targets.h"
#include "serializer/clock.h"
#include "stress_write.h"
#include "tracee.h"

namespace afterimage::testing {
namespace {

constexpr std::uint64_t kPatience_us = 120'000'000;  // only a failure takes that long
constexpr std::uint64_t kAnswer_us = 2'000'000;      // what the product waits for a lock (serializer/file_lock.cpp)
constexpr std::uint32_t kActors = 4;                 // the one struck, and three that come by meanwhile or after it
constexpr std::uint32_t kTokensBefore = 5;

enum class Act : std::uint32_t { kMake, kOpen, kRemove };
// What waitpid told: a signal is not an exit code.
std::string end_text(int status) {
  if (WIFSIGNALED(status)) return std::string("by signal ") + std::to_string(WTERMSIG(status)) + " (" + ::strsignal(WTERMSIG(status)) + ")";
  return "with exit code " + std::to_string(WEXITSTATUS(status));
}

const char* name_of(Act act) { return act == Act::kMake ? "make" : act == Act::kOpen ? "open" : "remove"; }

struct Answer {
  std::atomic<std::uint32_t> go, done;  // 1 when it may begin; 1 when it has its answer
  std::atomic<std::uint32_t> good, warning, stopped_holder, found_tokens;
  std::atomic<std::uint64_t> storage_id, took_us;
  std::atomic<std::uint32_t> leave;
  char refusal[512];  // its sentence, if it was refused
  char fault[256];
};
struct Trial {
  Answer answers[kActors];
};

// A segment is sound if a token can be written to it and comes back.
// `stopped`: a process may stand still with the lock of its tables in its hand; then that is the answer.
std::string fault_in_use(CommonStorage& storage, std::uint32_t device, bool stopped) {
  if (storage.header().ready != 1) return "it is not marked ready";
  const auto entered = define_device(storage, device_definition("HERC0", static_cast<std::uint16_t>(0xA00 + device)));
  if (!entered.good()) {
    const bool told = stopped && entered.status.text().find("a program that has stopped") != std::string::npos;
    // Or removed by another meanwhile: whoever holds it keeps it, but its tables cannot be changed any more.
    return told || !storage.still_named() ? std::string() : entered.status.text();
  }
  change_session_state(storage, SessionState::kInactive, SessionState::kActive);
  storage.device(entered.value).duplex = kDuplex;
  bump_generation(storage);
  std::vector<std::uint8_t> bytes(kStressBytes);
  SlotWriter writer(storage, entered.value);
  const StressWrite write{entered.value, 1};
  write.fill(bytes, 0);
  if (writer.prepare(write.length()) != SlotRoom::kReady) return "no room in a segment that is nearly empty";
  writer.begin(write.token(static_cast<std::uint8_t>(entered.value / 8)));
  const std::uint8_t* from = bytes.data();
  for (const TrackRange& range : write.ranges()) {
    writer.add(range.track, range.offset, from, range.length);
    from += range.length;
  }
  const Numbered numbered = writer.finish(tod_to_us(clock_tod()));
  if (numbered.outcome != NumberOutcome::kNumbered) return "a write got no number";
  const auto held = SlotReader(storage).read(numbered.sequence);
  if (!held.good()) return held.status.text();
  return fault_in(held.value, 8);
}

// What is left is used by whoever finds it.
__attribute__((noinline)) Result<std::unique_ptr<CommonStorage>> perform(Act act, const std::string& name) {
  if (act == Act::kOpen) return CommonStorage::open(name);
  if (act == Act::kMake) return CommonStorage::create_or_open(name, small_shape(16, 16, 64));
  CommonStorage::remove(name);
  return failed<std::unique_ptr<CommonStorage>>(Status::error("removed"));
}

void run_actor(Act act, const std::string& name, Answer& answer, std::uint32_t number, bool stopped) {
  while (answer.go == 0) ::sched_yield();
  const std::uint64_t began_us = monotonic_us();
  auto result = perform(act, name);
  answer.took_us = monotonic_us() - began_us;
  answer.good = result.good() ? 1 : 0;
  answer.warning = result.status.severity() == Severity::kWarning ? 1 : 0;
  answer.stopped_holder = result.status.text().find("made by another program") != std::string::npos ? 1 : 0;
  std::string fault;
  if (result.good()) {
    answer.storage_id = result.value->header().storage_id;
    answer.found_tokens = control_view(*result.value).sequence >= kTokensBefore ? 1 : 0;
    fault = fault_in_use(*result.value, number, stopped);
  } else if (act != Act::kRemove) {
    if (result.status.text().empty()) fault = "refused without a sentence";
  }
  std::strncpy(answer.refusal, result.status.text().c_str(), sizeof answer.refusal - 1);
  std::strncpy(answer.fault, fault.c_str(), sizeof answer.fault - 1);
  answer.done = 1;
  while (answer.leave == 0) ::sched_yield();
}

class SegmentTest {
 public:
  explicit SegmentTest(std::uint64_t seed) : random_(static_cast<std::uint32_t>(mixed(seed))) {
    void* memory = ::mmap(nullptr, sizeof(Trial), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED) throw std::runtime_error("no memory");
    trial_ = static_cast<Trial*>(memory);
  }
  SegmentTest(const SegmentTest&) = delete;
  SegmentTest& operator=(const SegmentTest&) = delete;
  ~SegmentTest() {
    for (const pid_t child : children_)
      if (child > 0) {
        ::kill(child, SIGKILL);
        ::waitpid(child, nullptr, 0);
      }
    ::munmap(trial_, sizeof(Trial));
  }

  void run(bool kill) {
    struck_ = static_cast<Act>(random_() % 3);
    before_ = random_() % 2 == 0;
    kill_ = kill;
    new (trial_) Trial{};
    std::uint64_t storage_id = 0;
    CommonStorage::remove(segment_.name);
    if (before_) storage_id = make_with_tokens();
    strike();
    // Two at once, so that they also meet each other.
    begin(1, Act::kMake);
    begin(2, Act::kOpen);
    await_answer(1);
    await_answer(2);
    check_newcomers();
    const bool must_survive = before_ && struck_ != Act::kRemove;
    if (must_survive && trial_->answers[1].good != 0) check_survival(1, storage_id);
    if (!kill_) resume();
    begin(3, Act::kMake);
    await_answer(3);
    if (must_survive) check_survival(3, storage_id);
    if (trial_->answers[3].good == 0) broken("after everything nobody can make or open it: " + sentence(3));
    if (trial_->answers[1].good != 0 && struck_ != Act::kRemove && trial_->answers[3].storage_id != trial_->answers[1].storage_id)
      broken("two that hold it have different segments under one name");
    for (std::uint32_t i = 0; i < kActors; ++i) leave(i);
    CommonStorage::remove(segment_.name);
    ++trials;
  }

  std::uint64_t trials = 0, kills = 0, stops = 0, by_itself = 0, made_anew = 0, refused = 0, longest_us = 0;
  std::string described() const {
    return std::string(name_of(struck_)) + (before_ ? " of one with tokens" : " of none") + (kill_ ? ", killed" : ", stopped") +
           " behind " + std::to_string(calls_) + " system call stops and " + std::to_string(steps_) + " instructions";
  }

 private:
  std::string sentence(std::uint32_t number) const { return std::string("'") + trial_->answers[number].refusal + "'"; }
  [[noreturn]] void broken(const std::string& what) { throw std::runtime_error(what + " (" + described() + ")"); }

  std::uint64_t make_with_tokens() {
    auto made = CommonStorage::create_or_open(segment_.name, small_shape(16, 16, 64));
    if (!made.good()) broken(made.status.text());
    for (std::uint32_t device = 0; device < kTokensBefore; ++device) {
      const std::string fault = fault_in_use(*made.value, device, false);
      if (!fault.empty()) broken(fault);
    }
    return made.value->header().storage_id;
  }

  void fork_actor(std::uint32_t number, Act act) {
    const pid_t parent = ::getpid();
    const pid_t child = ::fork();
    if (child < 0) broken("no process could be started");
    if (child == 0) {
      ::prctl(PR_SET_PDEATHSIG, SIGKILL);
      if (::getppid() != parent) ::_exit(99);
      run_actor(act, segment_.name, trial_->answers[number], number + kTokensBefore, !kill_);
      ::_exit(0);
    }
    children_[number] = child;
  }

  void begin(std::uint32_t number, Act act) {
    fork_actor(number, act);
    trial_->answers[number].go = 1;
  }

  void strike() {
    fork_actor(0, struck_);
    Tracee tracee(children_[0]);
    trial_->answers[0].go = 1;
    long& known = calls_known_[static_cast<std::size_t>(struck_)][before_ ? 1 : 0];
    calls_ = static_cast<long>(random_() % static_cast<unsigned long>(known + 1));
    steps_ = static_cast<long>(random_() % (random_() % 4 == 0 ? 4000 : 150));
    if (!tracee.run_to(address_of(&perform), true, 1, kPatience_us)) broken("it never began");
    calls_ = tracee.pass_system_calls(calls_);
    if (tracee.returned()) known = calls_;
    steps_ = tracee.step(steps_);
    if (tracee.ended()) broken("it ended by itself " + end_text(tracee.status()));
    if (tracee.returned()) ++by_itself;
    if (kill_) {
      tracee.kill();
      children_[0] = 0;
      ++kills;
    } else {
      tracee.stop();
      if (tracee.ended()) broken("it ended by itself when it was stopped");
      ++stops;
    }
  }

  void await_answer(std::uint32_t number) {
    const std::uint64_t end_us = monotonic_us() + kPatience_us;
    while (trial_->answers[number].done == 0) {
      int status = 0;
      if (::waitpid(children_[number], &status, WNOHANG) == children_[number]) {
        children_[number] = 0;
        broken("actor " + std::to_string(number) + " ended by itself " + end_text(status));
      }
      if (monotonic_us() >= end_us) broken("actor " + std::to_string(number) + " waits without end");
      ::usleep(100);
    }
    const Answer& answer = trial_->answers[number];
    longest_us = std::max(longest_us, answer.took_us.load());
    if (answer.fault[0] != 0) broken("actor " + std::to_string(number) + ": " + answer.fault);
  }

  // A dead maker holds nobody up. One that stands still may, in the middle of making it: then they are told so, after a bounded wait.
  void check_newcomers() {
    const Answer &maker = trial_->answers[1], &opener = trial_->answers[2];
    if (kill_ && maker.good == 0) broken("after a kill nobody can make it: " + sentence(1));
    if (maker.good == 0) {
      ++refused;
      if (maker.stopped_holder == 0) broken("it was refused for another reason than the process that stands still: " + sentence(1));
      if (maker.took_us < kAnswer_us) broken("it was refused before its wait was over");
    }
    if (opener.good == 0 && opener.warning == 0) broken("opening was refused as if it could not be tried again: " + sentence(2));
    if (maker.good != 0 && opener.good != 0 && maker.storage_id != opener.storage_id && struck_ != Act::kRemove)
      broken("one made a segment and one opened another");
    if (maker.good != 0 && !before_) ++made_anew;
  }

  void check_survival(std::uint32_t number, std::uint64_t storage_id) {
    const Answer& maker = trial_->answers[number];
    if (maker.good == 0) broken("a segment with tokens cannot be opened: " + sentence(number));
    if (maker.storage_id != storage_id) broken("a segment with tokens was made anew");
    if (maker.found_tokens == 0) broken("its tokens are gone");
  }

  void resume() {
    ::kill(children_[0], SIGCONT);
    await_answer(0);
  }

  void leave(std::uint32_t number) {
    if (children_[number] == 0) return;
    trial_->answers[number].leave = 1;
    int status = 0;
    ::waitpid(children_[number], &status, 0);
    children_[number] = 0;
    if (status != 0) broken("actor " + std::to_string(number) + " ended " + end_text(status));
  }

  std::mt19937 random_;
  NamedSegment segment_;
  Trial* trial_ = nullptr;
  std::array<pid_t, kActors> children_{};
  Act struck_ = Act::kMake;
  bool before_ = false, kill_ = true;
  long calls_known_[3][2] = {{40, 40}, {40, 40}, {40, 40}};  // stops at system calls from beginning to end
  long calls_ = 0, steps_ = 0;
};

}  // namespace
}  // namespace afterimage::testing

int main(int argc, char** argv) {
  using afterimage::testing::SegmentTest;
  std::uint64_t trials = 40, seed = 1, seconds = 0;
  for (int i = 1; i + 1 < argc; i += 2) {
    const std::string name = argv[i];
    (name == "--trials" ? trials : name == "--seed" ? seed : seconds) = std::strtoull(argv[i + 1], nullptr, 10);
    if (name != "--trials" && name != "--seed" && name != "--seconds") argc = 2;
  }
  if (argc % 2 == 0) {
    std::fprintf(stderr, "usage: storage_segment [--trials N] [--seed N] [--seconds N]\n");
    return 8;
  }
  const std::uint64_t began_us = afterimage::monotonic_us();
  const auto elapsed_us = [&] { return afterimage::monotonic_us() - began_us; };
  SegmentTest test(seed);
  std::string fault;
  try {
    while (test.trials < trials && (seconds == 0 || elapsed_us() < seconds * 1'000'000)) test.run(test.trials % 4 != 3);
  } catch (const std::exception& problem) {
    fault = problem.what();
  }
  const auto number = [](std::uint64_t value) { return static_cast<unsigned long long>(value); };
  std::printf(
      "storage_segment: %llu kills, %llu stops (%llu of all had just ended), seed %llu; %llu newcomers refused for one that stood "
      "still, longest answer %.0f ms; %.1f s\n",
      number(test.kills), number(test.stops), number(test.by_itself), number(seed), number(test.refused),
      static_cast<double>(test.longest_us) / 1e3, static_cast<double>(elapsed_us()) / 1e6);
  if (fault.empty()) return 0;
  std::printf("storage_segment: FAILED: trial %llu: %s\n", number(test.trials + 1), fault.c_str());
  return 1;
}
