// io: the world of a node as dsmd has it (service/node_host.h): the io_context's loop and timers, a thread for each worker, TLS links.
// Threads: all calls on the io_context's thread. The io_context outlives the host, the host outlives the nodes.
#pragma once

#include <boost/asio/io_context.hpp>

#include "service/node_host.h"
#include "vtam_link/lu_session.h"

namespace afterimage {

class AsioHost final : public NodeHost {
 public:
  explicit AsioHost(boost::asio::io_context& io, LinkTimes times = {}) : io_(io), times_(times) {}
  Tod now() override;
  std::uint64_t monotonic_us() override;
  void post(std::function<void()> then) override;
  void after(std::uint64_t delay_us, std::function<void()> then) override;
  std::unique_ptr<NodeWorker> make_worker() override;
  std::unique_ptr<NodeLink> connect(const TlsFiles& files, const std::string& local_lu, const LuAddress& peer, LuSessionHandler handler,
                                    std::function<BindRequest()> make_bind) override;
  std::unique_ptr<NodeLink> listen(const TlsFiles& files, const LuAddress& local, const std::string& peer_lu,
                                   LuSessionHandler handler) override;

 private:
  boost::asio::io_context& io_;
  LinkTimes times_;
};

}  // namespace afterimage
