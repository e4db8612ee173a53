// io: a thread that runs disk work in order and hands each result back to the event loop, so that the loop never waits for a disk.
// Threads: submit() from the loop's thread; work runs on the worker's; completions run on the loop's thread again.
#pragma once

#include <boost/asio/io_context.hpp>
#include <condition_variable>
#include <deque>
#include <functional>
#include <mutex>
#include <thread>

namespace afterimage {

class Worker {
 public:
  // `done` of a job runs on `io`'s thread after its `work`, in the order of submission.
  using Work = std::function<void()>;
  explicit Worker(boost::asio::io_context& io);
  ~Worker();  // finishes what was submitted, then joins; completions not yet run are dropped with the loop
  void submit(Work work, Work done = {});
  // Jobs submitted and not yet finished. Any thread.
  std::size_t backlog() const;
  // Blocks until everything submitted so far has run (its completions may still be waiting on the loop).
  void drain();

 private:
  struct Job {
    Work work, done;
  };
  void run();

  boost::asio::io_context& io_;
  mutable std::mutex mutex_;
  std::condition_variable wake_, idle_;
  std::deque<Job> jobs_;
  bool busy_ = false, stopping_ = false;
  std::thread thread_;  // last: started when everything else is there
};

}  // namespace afterimage
