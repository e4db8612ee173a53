// What a mover's node needs of the world around it: time, its event loop, workers for its disks, its link. dsmd gives it the real ones
// (asio_host.h); the simulator (tests/sim) gives it virtual ones, so that the same node runs in both.
// Threads: every call and every callback on the one thread of the event loop, except that a worker's `work` may run on another.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "serializer/tod.h"
#include "vtam_link/lu_types.h"

namespace afterimage {

// Runs disk work in order and brings each result back to the event loop.
class NodeWorker {
 public:
  virtual ~NodeWorker() = default;  // finishes what was submitted; completions not yet run are dropped
  // `done` runs on the loop after its `work`, in the order of submission.
  virtual void submit(std::function<void()> work, std::function<void()> done) = 0;
  virtual std::size_t backlog() const = 0;  // submitted and not yet finished
  virtual void drain() = 0;                 // everything submitted so far has run when it returns; completions may still be waiting
};

// One end of an LU-LU session; the contract of LuConnector and LuListener (vtam_link/lu_session.h).
class NodeLink {
 public:
  virtual ~NodeLink() = default;
  virtual Status start() = 0;
  virtual void stop() = 0;
  virtual bool up() const = 0;
  virtual void send(EncodedMessage message) = 0;
  virtual std::size_t queued_bytes() const = 0;
  virtual void drop(const std::string& reason) = 0;
  virtual std::uint16_t port() const = 0;  // of a listener; else 0
};

class NodeHost {
 public:
  virtual ~NodeHost() = default;
  virtual Tod now() = 0;  // realtime: may be set forward and back
  virtual std::uint64_t monotonic_us() = 0;
  virtual void post(std::function<void()> then) = 0;
  // After at least that long. Cannot be cancelled: the caller guards `then` by the life of what it uses.
  virtual void after(std::uint64_t delay_us, std::function<void()> then) = 0;
  virtual std::unique_ptr<NodeWorker> make_worker() = 0;
  virtual std::unique_ptr<NodeLink> connect(const TlsFiles& files, const std::string& local_lu, const LuAddress& peer,
                                            LuSessionHandler handler, std::function<BindRequest()> make_bind) = 0;
  virtual std::unique_ptr<NodeLink> listen(const TlsFiles& files, const LuAddress& local, const std::string& peer_lu,
                                           LuSessionHandler handler) = 0;
};

}  // namespace afterimage
