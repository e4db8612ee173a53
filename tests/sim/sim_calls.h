// io: where the product's calls go in the simulator besides the files (sim_posix.h): clocks, identity of processes, waits, threads and
// shared memory of simulated processes; and the steps the oracle watches. Linked with --wrap (sim.cmake).
#pragma once

namespace afterimage::sim {

// Shared memory made by a run goes with it.
void forget_shared_memory();

}  // namespace afterimage::sim
