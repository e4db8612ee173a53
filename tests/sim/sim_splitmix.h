// A small seeded stream of random numbers (SplitMix64), the same on every machine. Pure.
#pragma once

#include <cstdint>

namespace afterimage::sim {

class SplitMix {
 public:
  explicit SplitMix(std::uint64_t seed) : state_(seed) {}
  std::uint64_t next() {
    std::uint64_t z = (state_ += 0x9E3779B97F4A7C15u);
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
    return z ^ (z >> 31);
  }
  // 0 to below-1; 0 when below is 0. The bias of the modulo is nothing to a test.
  std::uint64_t below(std::uint64_t below) { return below == 0 ? 0 : next() % below; }
  bool chance(std::uint64_t of, std::uint64_t among) { return this->below(among) < of; }

 private:
  std::uint64_t state_;
};

}  // namespace afterimage::sim
