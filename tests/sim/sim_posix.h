// io: leads the C library's file calls of everything linked into the program to simulated disks: a path below /sim/HOST/ belongs to the
// disk mounted as HOST, any other to the real file system. The program is linked with the options of sim_disk.cmake
// (afterimage_simulated_files). Calls made by shared libraries (C++ streams, std::filesystem) are not led here.
// State is per thread.
#pragma once

#include <string>

#include "tests/sim/sim_disk.h"

namespace afterimage::sim {

// Mounts a disk as /sim/HOST while it lives; a second mount of the same name covers the first.
class SimMount {
 public:
  SimMount(const std::string& host, SimDisk& disk);
  ~SimMount();
  SimMount(const SimMount&) = delete;
  SimMount& operator=(const SimMount&) = delete;

 private:
  std::string host_;
  SimDisk* covered_;
};

// Calls made while it lives are this process's: its descriptors, its locks, its faults and its death. Without one they are a test's own:
// nothing fails and nothing is counted.
class SimRunning {
 public:
  explicit SimRunning(SimProcess* process);
  ~SimRunning();
  SimRunning(const SimRunning&) = delete;
  SimRunning& operator=(const SimRunning&) = delete;
  static SimProcess* now();
  static void set(SimProcess* process);

 private:
  SimProcess* before_;
};

// Whether the thread is inside one of these calls: what is allocated there is the disk's, not the product's.
bool in_simulated_call();

}  // namespace afterimage::sim
