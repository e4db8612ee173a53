// One simulated plex: a primary and a secondary site with their hosts and disks, dsmd at each (the product's CommandProcessor and nodes),
// the Hercules systems, the line between, the oracle. Pure but for what sim_calls.h says.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "tests/sim/sim_dsmd.h"
#include "tests/sim/sim_duties.h"
#include "tests/sim/sim_hercules.h"
#include "tests/sim/sim_oracle.h"
#include "tests/sim/sim_swarm.h"

namespace afterimage::sim {

class Plex final : public LinkMaker {
 public:
  Plex(Schedule& schedule, const Swarm& swarm, unsigned index);
  ~Plex() override;

  Oracle& oracle() { return *oracle_; }
  Duties& duties() { return *duties_; }
  SimDsmd& primary() { return *primary_; }
  SimDsmd& secondary() { return *secondary_; }
  Host& site_a() { return *site_a_; }
  Host& site_b() { return *site_b_; }
  Line& line() { return *line_; }
  std::vector<std::unique_ptr<SimHercules>>& systems() { return systems_; }
  const Config& config() const { return config_; }
  std::vector<std::string> volsers() const;
  const Swarm& swarm() const { return swarm_; }
  Schedule& schedule() { return schedule_; }

  void enlarge_journal() { config_.sessions.front().journal.bytes = 8u << 20; }
  void start_primary();
  void start_secondary();
  bool primary_ready() const { return primary_ready_ && primary_->running(); }
  bool secondary_ready() const { return secondary_ready_ && secondary_->running(); }
  // What common storage says; inactive when there is none.
  SessionState state();
  bool session_begun();  // an epoch is set
  Sequence freed();
  Sequence numbered();
  bool all_volumes_duplex();
  bool volume_refused();  // by its running system
  bool comparison_pending();
  CommonStorage* storage();

  // Of the last recovery whose report was written.
  static LossReport last_report;

  // A harm was done to the secondary's disk that may stop it, with a sentence.
  bool secondary_may_stop = false;
  bool secondary_stopped = false;  // it said so (DSMM133S), or did not start
  std::string stopped_sentence;
  bool recovered = false;    // DSMM141I
  bool ended_there = false;  // DSMM132I of the last session
  bool verified_equal = false, verified_unequal = false;
  bool copied = true;             // the volumes were copied since the last session
  bool comparison_asked = false;  // by the XSTART under way
  std::uint64_t deaths = 0;

  // For the calls led away.
  void frees(Sequence through);
  void tune(PrimaryNodeSettings& settings) const;
  void tune(SecondaryNodeSettings& settings) const;

  std::unique_ptr<NodeLink> connect(const ProcessPtr& process, const std::string& local_lu, const LuAddress& peer, LuSessionHandler handler,
                                    std::function<BindRequest()> make_bind) override;
  std::unique_ptr<NodeLink> listen(const ProcessPtr& process, const LuAddress& local, const std::string& peer_lu,
                                   LuSessionHandler handler) override;

 private:
  void make_config();
  void make_volumes();
  void heard_primary(const std::string& line);
  void heard_secondary(const std::string& line);
  void watch_death(SimDsmd& dsmd);

  Schedule& schedule_;
  const Swarm& swarm_;
  unsigned index_;
  Config config_;
  std::unique_ptr<Host> site_a_, site_b_;
  std::unique_ptr<Line> line_;
  std::unique_ptr<Oracle> oracle_;
  std::unique_ptr<Duties> duties_;
  std::unique_ptr<CommonStorage> view_;
  std::unique_ptr<SimDsmd> primary_, secondary_;
  std::vector<std::unique_ptr<SimHercules>> systems_;
  bool primary_ready_ = false, secondary_ready_ = false, verifies_all_ = false;
};

}  // namespace afterimage::sim
