// What happened in a simulated run: a hash over all of it (two runs of one seed must agree), and the last events for whoever reads about
// a failure. Pure.
#pragma once

#include <cstdint>
#include <deque>
#include <string>

namespace afterimage::sim {

class Trace {
 public:
  explicit Trace(bool print) : print_(print) {}
  // An event with up to two numbers. `what` is a literal.
  void note(std::uint64_t time_us, const char* what, std::uint64_t first = 0, std::uint64_t second = 0);
  // A line of text, e.g. a message of a mover.
  void say(std::uint64_t time_us, const std::string& who, const std::string& text);
  std::uint64_t hash() const { return hash_; }
  std::uint64_t events() const { return events_; }
  // The last lines, oldest first.
  std::deque<std::string> tail() const;

 private:
  struct Event {
    std::uint64_t time_us = 0;
    const char* what = "";
    std::uint64_t first = 0, second = 0;
    std::string text;
  };
  static std::string line(const Event& event);
  void keep(Event event);
  void mix(std::uint64_t value);

  bool print_;
  std::uint64_t hash_ = 0x9AE16A3B2F90404Fu, events_ = 0;
  std::deque<Event> last_;
};

}  // namespace afterimage::sim
