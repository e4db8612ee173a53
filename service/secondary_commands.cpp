// io: the operator's commands at a secondary site (see secondary_node.h): freeze, recovery and giving a session up.
#include "service/secondary_node.h"

#include <utility>

#include "datamover/posix_file.h"
#include "jcl/message_catalogue.h"
#include "serializer/canary.h"

namespace afterimage {

namespace {
// One file of text for people; a crash leaves it whole or not there.
Status write_report(const std::string& path, const std::vector<std::string>& lines) {
  std::string text;
  for (const auto& line : lines) text += line + "\n";
  return replace_file(path, {reinterpret_cast<const std::uint8_t*>(text.data()), text.size()});
}
}  // namespace

Answer SecondaryNode::freeze() {
  feed(secondary::Freeze{});
  listener_->drop("the image is frozen by the operator");
  const std::string line = message("DSMM136I", {settings_.mover.session, std::to_string(core_->queue().complete_through()),
                                                std::to_string(core_->queue().known_through())});
  say_(line);
  return {0, {line}};
}

void SecondaryNode::recover(Respond respond) {
  if (core_->state() != SecondaryState::kRecovering) {
    if (Status may = core_->may_recover(); !may) return respond({8, {message("DSMO004E", {may.text()})}});
  }
  recovery_waiters_.push_back(std::move(respond));
  say_(message("DSMM140I", {settings_.mover.session}));
  if (core_->state() == SecondaryState::kDuplex) {
    feed(secondary::Freeze{});
    listener_->drop("the session is being recovered at this site");
  }
  feed(secondary::Recover{});
}

// The empty checkpoint is written before journal space is given back: killed in between, the next start finds nothing to replay.
void SecondaryNode::give_up(Respond respond) {
  listener_->drop("the session was ended at the secondary");
  core_lasts_ = std::make_shared<const bool>(true);
  append_posted_ = apply_posted_ = false;
  appends_.clear();
  applies_.clear();
  drop_reason_.clear();
  journal_worker_->drain();
  image_worker_->drain();
  tick();
  Checkpoint empty;
  empty.journal_position = journal_->end();
  const auto written = planted(Canary::kGivenUpComesBack) ? result_of(empty.journal_position) : checkpoints_->write(empty);
  Status status = written.status;
  if (status) status = journal_->release_before(written.value);
  if (!status) {
    disk_error(status.text(), false);
    return respond({8, {message("DSMM134E", {settings_.mover.session, status.text()})}});
  }
  appends_synced_ = 0;
  journal_free_ = journal_->free_bytes();
  applier_.reset();
  core_ = std::make_unique<SecondaryCore>(settings_.mover);
  monitor_ = std::make_unique<FailureMonitor>(settings_.failure);
  differences_ = 0;
  feed(secondary::Restart{empty});
  feed(secondary::ReplayDone{journal_->end()});
  const std::string line = message("DSMM138W", {settings_.mover.session});
  say_(line);
  answer_recovery({8, {line}});
  respond({0, {line}});
}

// The images hold exactly 1..A: only now may Hercules open them.
void SecondaryNode::recovery_complete(const LossReport& report) {
  auto status = std::make_shared<Status>();
  image_worker_->submit(
      [this, status] {
        if (applier_) *status = applier_->lift_fences();
      },
      while_it_lasts([this, status, report] {
        if (!*status) return disk_error(status->text(), false);
        tell_recovered(report);
      }));
}

void SecondaryNode::tell_recovered(const LossReport& report) {
  const std::vector<std::string> lines = loss_report_lines(report);
  const std::string path = settings_.directory + "/loss-report." + std::to_string(report.epoch) + ".txt";
  if (Status written = write_report(path, lines); !written) say_(message("DSMM134E", {settings_.mover.session, written.text()}));
  const std::string done = message("DSMM141I", {settings_.mover.session, std::to_string(report.point_a), tod_text(report.point_a_time),
                                                std::to_string(report.lost.size())});
  say_(done);
  const std::string where = message("DSMM142I", {path});
  say_(where);
  recovered_(report);
  Answer answer{report.lost.empty() ? 0 : 4, {done}};
  for (const auto& line : loss_report_lines(report, 50)) answer.lines.push_back(line);
  answer.lines.push_back(where);
  answer_recovery(answer);
}

void SecondaryNode::answer_recovery(const Answer& answer) {
  for (auto& waiter : std::exchange(recovery_waiters_, {})) waiter(answer);
}

}  // namespace afterimage
