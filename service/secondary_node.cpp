// io: see secondary_node.h.
#include "service/secondary_node.h"

#include <algorithm>
#include <boost/asio/post.hpp>
#include <fstream>
#include <utility>

#include "jcl/message_catalogue.h"
#include "serializer/clock.h"

namespace afterimage {

namespace {
constexpr std::chrono::milliseconds kTick{50};

// One line of text for a file a person may read later.
Status write_report(const std::string& path, const std::vector<std::string>& lines) {
  std::ofstream file(path, std::ios::trunc);
  for (const auto& line : lines) file << line << "\n";
  file.flush();
  return file ? Status::ok() : Status::error("The report " + path + " cannot be written. Correct the site's directory.");
}
}  // namespace

SecondaryNode::SecondaryNode(boost::asio::io_context& io, SecondaryNodeSettings settings, Say say, Recovered recovered)
    : io_(io), settings_(std::move(settings)), say_(std::move(say)), recovered_(std::move(recovered)), timer_(io) {}

SecondaryNode::~SecondaryNode() { stop(); }

std::uint16_t SecondaryNode::port() const { return listener_ ? listener_->port() : 0; }

Status SecondaryNode::start() {
  auto journal = Journal::open(settings_.journal);
  if (!journal.good()) return journal.status;
  journal_ = std::move(journal.value);
  auto checkpoints = CheckpointFile::open(settings_.directory, settings_.mover.session);
  if (!checkpoints.good()) return checkpoints.status;
  checkpoints_ = std::move(checkpoints.value);
  auto mark = AppliedMark::open(settings_.directory + "/applied.mark");
  if (!mark.good()) return mark.status;
  applied_mark_ = std::move(mark.value);
  marked_ = applied_mark_->found();
  const std::optional<Checkpoint>& latest = checkpoints_->latest();
  // Recovered images belong to the guest that runs on them: they are opened only if a recovery was cut off before their fence was lifted.
  if (!latest || latest->state != SecondaryState::kRecovered || any_image_fenced()) {
    if (Status opened = open_images(); !opened) return opened;
  }
  if (latest) {
    const auto release = checkpoints_->write(*latest);
    if (!release.good()) return release.status;
    if (Status released = journal_->release_before(release.value); !released) return released;
  }
  core_ = std::make_unique<SecondaryCore>(settings_.mover);
  monitor_ = std::make_unique<FailureMonitor>(settings_.failure);
  journal_worker_ = std::make_unique<Worker>(io_);
  image_worker_ = std::make_unique<Worker>(io_);

  if (!checkpoints_->warning().empty()) say_(message("DSMM137W", {settings_.mover.session, checkpoints_->warning()}));
  if (Status replayed = replay(); !replayed) return replayed;
  journal_free_ = journal_->free_bytes();

  LuSessionHandler handler;
  handler.on_bind = [this](const BindRequest& bind) {
    bind_answer_.reset();
    feed(secondary::BindArrived{bind});
    BindResponse response = bind_answer_.value_or(BindResponse{});
    if (response.accepted) {
      say_(message("DSML101I", {settings_.local.lu, settings_.peer_lu, bind.product_version}));
      link_reason_.clear();
    } else if (response.reason != link_reason_) {
      say_(message("DSML106W", {settings_.peer_lu, response.reason}));
      link_reason_ = response.reason;
    }
    return response;
  };
  handler.on_message = [this](std::vector<std::uint8_t>&& bytes) { feed(secondary::MessageArrived{std::move(bytes)}); };
  handler.on_drained = [this] { drop_if_told(); };
  handler.on_refused = [this](const std::string& reason) {
    // A primary that is refused tries again without end: DSML106W has said it.
    if (!link_reason_.empty() && reason.find(link_reason_) != std::string::npos) return;
    say_(message("DSML107W", {reason}));
  };
  handler.on_down = [this](const std::string& reason) {
    if (reason != link_reason_) say_(message("DSML102W", {settings_.peer_lu, reason}));
    link_reason_ = reason;
    drop_reason_.clear();
    feed(secondary::LinkDown{});
  };
  listener_ = std::make_unique<LuListener>(io_, settings_.tls, settings_.local, settings_.peer_lu, handler);
  if (Status listening = listener_->start(); !listening) return listening;
  tick();
  return Status::ok();
}

// Before the images are written. While the journal is applied again after a restart they are ahead, and the mark stays.
Status SecondaryNode::raise_mark(const AppliedThrough& through) {
  if (marked_.epoch == through.epoch && marked_.sequence >= through.sequence) return Status::ok();
  marked_ = through;
  return applied_mark_->write(through);
}

bool SecondaryNode::any_image_fenced() const {
  return std::any_of(settings_.images.begin(), settings_.images.end(), [](const std::string& path) {
    const auto image = DasdImage::open(path, OpenFor::kRead);
    return image.good() && image.value->fenced();
  });
}

Status SecondaryNode::open_images() {
  std::vector<ApplierVolume> volumes;
  for (std::size_t i = 0; i < settings_.images.size(); ++i) volumes.push_back({settings_.mover.volumes[i], settings_.images[i]});
  auto applier = Applier::open(std::move(volumes));
  if (!applier.good()) return applier.status;
  applier_ = std::move(applier.value);
  return Status::ok();
}

// The images may be ahead of the checkpoint; applying again in order gives the same bytes.
Status SecondaryNode::replay() {
  const std::optional<Checkpoint>& checkpoint = checkpoints_->latest();
  std::uint64_t messages = 0;
  if (checkpoint) feed(secondary::Restart{*checkpoint});
  const Status replayed =
      journal_->replay(checkpoint ? checkpoint->journal_position : 0, [&](std::uint64_t position, std::span<const std::uint8_t> record) {
        feed(secondary::Replayed{{record.begin(), record.end()}, position});
        ++messages;
        return Status::ok();
      });
  if (!replayed) return replayed;
  feed(secondary::ReplayDone{journal_->end()});
  const Sequence held = core_->queue().complete_through();
  if (marked_.epoch != 0 && marked_.epoch == core_->epoch() && held < marked_.sequence)
    return Status::error("The journal in " + settings_.journal.directory + " ends at write " + std::to_string(held) +
                         " and the images hold writes up to " + std::to_string(marked_.sequence) +
                         ": its last records are damaged. Restore the journal, or copy the volumes and start with an empty directory.");
  if (checkpoint || messages != 0)
    say_(message("DSMM131I", {settings_.mover.session, std::to_string(core_->queue().applied_through()), std::to_string(messages)}));
  return Status::ok();
}

void SecondaryNode::stop() {
  if (stopped_) return;
  stopped_ = true;
  core_lasts_.reset();
  timer_.cancel();
  if (listener_) listener_->stop();
  journal_worker_.reset();  // finishes what was begun; what was not acknowledged the primary still holds
  image_worker_.reset();
}

void SecondaryNode::tick() {
  timer_.expires_after(kTick);
  timer_.async_wait([this, lasts = std::weak_ptr(core_lasts_)](const boost::system::error_code& error) {
    if (error || lasts.expired()) return;
    if (core_->next_wakeup() <= clock_tod()) feed(secondary::Tick{});
    look_at_failures();
    drop_if_told();
    tick();
  });
}

void SecondaryNode::look_at_failures() {
  MonitorInput input;
  input.now = clock_tod();
  input.last_heard = core_->last_heard();
  input.link_up = listener_->up();
  input.watching = core_->state() == SecondaryState::kDuplex;
  const MonitorOutput output = monitor_->step(input);
  if (output.event == MonitorEvent::kPrimaryBack) say_(message("DSMA102I", {settings_.mover.session, settings_.peer_lu}));
  if (output.event != MonitorEvent::kPrimaryLost) return;
  say_(message("DSMA101E",
               {settings_.mover.session, settings_.peer_lu, duration_text(output.silence_us), std::string(action_name(output.action))}));
  if (output.action == LossAction::kNone) return;
  feed(secondary::Freeze{});
  listener_->drop("the primary is lost and the image is frozen");
  if (output.action == LossAction::kRecover) recover([](const Answer&) {});
}

std::function<void()> SecondaryNode::while_it_lasts(std::function<void()> then) const {
  return [lasts = std::weak_ptr(core_lasts_), then = std::move(then)] {
    if (!lasts.expired()) then();
  };
}

void SecondaryNode::feed(SecondaryInput input) {
  for (SecondaryOutput& output : core_->step(clock_tod(), std::move(input))) carry_out(std::move(output));
}

void SecondaryNode::carry_out(SecondaryOutput output) {
  if (auto* answer = std::get_if<secondary::AnswerBind>(&output)) {
    bind_answer_ = std::move(answer->response);
  } else if (auto* append_output = std::get_if<secondary::Append>(&output)) {
    append(std::move(append_output->message));
  } else if (auto* send = std::get_if<secondary::Send>(&output)) {
    if (listener_) listener_->send(std::move(send->message));
  } else if (auto* apply_output = std::get_if<secondary::Apply>(&output)) {
    apply(std::move(apply_output->write));
  } else if (const auto* checkpoint = std::get_if<secondary::WriteCheckpoint>(&output)) {
    write_checkpoint(checkpoint->checkpoint);
  } else if (const auto* refuse = std::get_if<secondary::Refuse>(&output)) {
    drop_when_told(refuse->reason);
  } else if (const auto* established = std::get_if<secondary::Established>(&output)) {
    // The images are opened anew for every session: they were copied for it, perhaps into new files, by whatever the operator copies with.
    image_worker_->drain();
    applier_.reset();
    if (Status opened = open_images(); !opened) return disk_error(opened.text(), false);
    auto fenced = std::make_shared<Status>();
    image_worker_->submit([this, fenced] { *fenced = applier_->establish(); }, while_it_lasts([this, fenced] {
                            if (!*fenced) disk_error(fenced->text(), false);
                          }));
    say_(message("DSMM130I", {settings_.mover.session, std::to_string(established->volumes.size())}));
  } else if (const auto* complete = std::get_if<secondary::RecoveryComplete>(&output)) {
    recovery_complete(complete->report);
  } else if (const auto* ended = std::get_if<secondary::Ended>(&output)) {
    say_(message("DSMM132I", {settings_.mover.session, std::to_string(ended->last)}));
  } else if (const auto* stopped = std::get_if<secondary::Stopped>(&output)) {
    const std::string line = message("DSMM133S", {settings_.mover.session, stopped->reason});
    say_(line);
    drop_when_told(stopped->reason);
    answer_recovery({8, {line}});
  }
}

// The exception that says why is let go first; a peer that does not take it within a second is dropped all the same.
void SecondaryNode::drop_when_told(const std::string& reason) {
  if (!listener_) return;
  if (listener_->queued_bytes() == 0) return listener_->drop(reason);
  drop_reason_ = reason;
  drop_deadline_us_ = monotonic_us() + 1000000;
}

void SecondaryNode::drop_if_told() {
  if (drop_reason_.empty()) return;
  if (listener_->queued_bytes() != 0 && monotonic_us() < drop_deadline_us_) return;
  listener_->drop(std::exchange(drop_reason_, {}));
}

// Messages that arrive while the disk is busy share the next sync.
void SecondaryNode::append(std::vector<std::uint8_t> message_bytes) {
  appends_.push_back(std::move(message_bytes));
  if (append_posted_) return;
  append_posted_ = true;
  boost::asio::post(io_, while_it_lasts([this] { flush_appends(); }));
}

void SecondaryNode::flush_appends() {
  if (journal_worker_->backlog() > 0) return journal_worker_->submit([] {}, while_it_lasts([this] { flush_appends(); }));
  append_posted_ = false;
  struct Batch {
    std::vector<std::vector<std::uint8_t>> messages;
    Status status;
    std::uint64_t end = 0, free = 0;
    bool full = false;
  };
  auto batch = std::make_shared<Batch>();
  batch->messages.swap(appends_);
  journal_worker_->submit(
      [this, batch] {
        for (const auto& bytes : batch->messages) {
          auto appended = journal_->append(bytes);
          if (!appended.good()) {
            batch->status = appended.status;
            batch->full = journal_->is_full();
            return;
          }
        }
        batch->status = journal_->sync();
        batch->end = journal_->end();
        batch->free = journal_->free_bytes();
      },
      while_it_lasts([this, batch] {
        if (!batch->status) return disk_error(batch->status.text(), batch->full);
        journal_free_ = batch->free;
        appends_synced_ += batch->messages.size();
        feed(secondary::JournalSynced{batch->end, appends_synced_});
      }));
}

void SecondaryNode::apply(PendingWrite write) {
  applies_.push_back(std::move(write));
  if (apply_posted_) return;
  apply_posted_ = true;
  boost::asio::post(io_, while_it_lasts([this] { flush_applies(); }));
}

void SecondaryNode::flush_applies() {
  apply_posted_ = false;
  if (applies_.empty()) return;
  struct Batch {
    std::vector<PendingWrite> writes;
    std::vector<secondary::VerifyResult> verified;
    Status status;
    Sequence through = 0;
    AppliedThrough mark;
  };
  auto batch = std::make_shared<Batch>();
  batch->writes.swap(applies_);
  batch->mark = {core_->epoch(), batch->writes.back().token.sequence};
  image_worker_->submit(
      [this, batch] {
        batch->status = raise_mark(batch->mark);
        if (!batch->status) return;
        for (const auto& write : batch->writes) {
          auto applied = applier_->apply(write);
          if (!applied.good()) {
            batch->status = applied.status;
            return;
          }
          if (applied.value.compared) batch->verified.push_back({write.token.sequence, applied.value.equal, applied.value.detail});
          batch->through = write.token.sequence;
        }
      },
      while_it_lasts([this, batch] {
        for (auto& result : batch->verified) {
          if (!result.equal) {
            ++differences_;
            say_(message("DSMM135E", {settings_.mover.session, result.detail}));
          }
          feed(std::move(result));
        }
        if (batch->through != 0) feed(secondary::Applied{batch->through});
        if (!batch->status) disk_error(batch->status.text(), false);
      }));
}

void SecondaryNode::write_checkpoint(const Checkpoint& checkpoint) {
  flush_applies();  // whatever the checkpoint covers is in front of it
  auto written = std::make_shared<Result<std::uint64_t>>();
  image_worker_->submit(
      [this, written, checkpoint] {
        if (applier_) written->status = applier_->sync();
        if (written->good()) *written = checkpoints_->write(checkpoint);
      },
      while_it_lasts([this, written, checkpoint] {
        if (!written->good()) return disk_error(written->status.text(), false);
        auto released = std::make_shared<Status>();
        journal_worker_->submit([this, released, position = written->value] { *released = journal_->release_before(position); },
                                while_it_lasts([this, released, checkpoint] {
                                  if (!*released) return disk_error(released->text(), false);
                                  feed(secondary::CheckpointDone{checkpoint});
                                }));
      }));
}

void SecondaryNode::disk_error(const std::string& text, bool journal_full) {
  say_(message("DSMM134E", {settings_.mover.session, text}));
  feed(secondary::DiskError{text, journal_full});
}

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
  const auto written = checkpoints_->write(empty);
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

SecondaryFacts SecondaryNode::facts() {
  SecondaryFacts facts;
  const PendingWriteQueue& queue = core_->queue();
  facts.state = core_->state();
  facts.applied = queue.applied_through();
  facts.complete = queue.complete_through();
  facts.known = queue.known_through();
  facts.queue_entries = queue.entries();
  facts.queue_bytes = queue.data_bytes();
  facts.journal_bytes = settings_.journal.bytes;
  facts.journal_free = journal_free_;
  facts.epoch = core_->epoch();
  facts.last_message = core_->last_message();
  facts.consistency_time = core_->consistency_time();
  facts.primary_time = core_->primary_time();
  facts.last_heard = core_->last_heard();
  facts.now = clock_tod();
  facts.link_up = listener_ && listener_->up();
  facts.link_reason = link_reason_;
  facts.differences = differences_;
  return facts;
}

}  // namespace afterimage
