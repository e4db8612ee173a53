// Fuzz target: the secondary's core behind a peer that may say anything. The input is a program of binds, messages right and wrong, and
// what the disk and the operator do meanwhile; the journal, the checkpoint and the applied writes are kept beside it. Whatever came: writes
// are given out one after another and only when the journal holds them durably, an acknowledgement never says more than the durable journal
// proves, a restart from it holds what was promised, and what an operator is shown is made of lines.
#include <algorithm>
#include <deque>
#include <map>
#include <optional>
#include <set>

#include "datamover/journal_format.h"
#include "datamover/queue_display.h"
#include "datamover/secondary_core.h"
#include "serializer/limits.h"
#include "tests/fuzz/fuzz_check.h"
#include "tests/fuzz/reference_message.h"

namespace afterimage::fuzz {

namespace {

constexpr char kSession[] = "DALLAS", kPrimaryLu[] = "SITEA.DSMLU", kSecondaryLu[] = "SITEB.DSMLU";
constexpr std::uint64_t kStart_us = 3980000000000000;

std::vector<VolumeDescriptor> volume_table() {
  return {{"PRIM01", "SEC001", 0x0A80, 0x3390, 10, 15, 56832, "SYSA"}, {"PRIM02", "SEC002", 0x0A81, 0x3390, 10, 15, 56832, "SYSA"}};
}

Token token_of(Sequence sequence) {
  Token token;
  token.sequence = sequence;
  token.tod = tod_from_us(kStart_us + sequence);
  token.volume = static_cast<VolumeId>(sequence % 2);
  token.kind = sequence % 7 == 3 ? TokenKind::kVerify : TokenKind::kWrite;
  token.ccw_code = 0x85;
  token.range_count = 1;
  token.ranges[0] = {static_cast<std::uint32_t>(sequence % 5), 5, 16};
  token.data_length = 16;
  return token;
}
const Bytes& data_bytes() {
  static const Bytes data(64, 0xC1);
  return data;
}

void check_lines(const std::vector<std::string>& lines) {
  for (const std::string& line : lines) {
    FUZZ_CHECK(line.size() < 300);
    for (const char c : line) FUZZ_CHECK(c >= ' ' && c <= '~');
  }
}

struct Record {
  std::uint64_t position = 0;
  Bytes bytes;
};

// What some records of a journal prove, decoded by themselves.
struct Proof {
  std::uint64_t epoch = 0, last_message = 0;
  Sequence known = 0, complete = 0;
};
Proof proof_of(const std::deque<Record>& records, std::size_t count) {
  Proof proof;
  std::set<Sequence> settled;
  for (std::size_t i = 0; i < count; ++i) {
    const auto message = decode(records[i].bytes);
    FUZZ_CHECK_MORE(message.good(), message.status.text());
    const M0& m0 = message.value.m0;
    if (m0.content == ContentType::kEstablish) {
      proof = {m0.epoch, 0, m0.last_sequence, m0.last_sequence};
      settled.clear();
    }
    FUZZ_CHECK(m0.epoch == proof.epoch && m0.message_number == proof.last_message + 1);
    proof.last_message = m0.message_number;
    for (const Token& token : message.value.m1) proof.known = std::max(proof.known, token.sequence);
    for (const M2Field& field : message.value.m2) settled.insert(field.token.sequence);
    while (settled.contains(proof.complete + 1)) ++proof.complete;
  }
  return proof;
}

class World {
 public:
  explicit World(Input input) : input_(input) { start(); }

  void run() {
    if (input_.flag()) {  // at once where it becomes interesting
      bind();
      send(establish());
      sync();
    }
    for (unsigned i = 0; i < 80 && !input_.empty(); ++i) {
      one_step();
      if (i % 16 == 15) show();
    }
    restart();
    show();
  }

 private:
  void one_step() {
    now_us_ += 1u + input_.u8();
    switch (input_.below(20)) {
      default:
        if (!up_ && !input_.flag()) bind();
        return send(token_data());
      case 1:
      case 2:
      case 3:
        return sync();
      case 4:
      case 5:
        return applied();
      case 6:
        return checkpoint_done();
      case 7:
        return send(establish());
      case 8:
        return send(terminate());
      case 9:
        return raw_message();
      case 10:
        up_ = false;
        return give(secondary::LinkDown{});
      case 11:
        if (input_.flag()) return give(secondary::Freeze{});
        return give(secondary::Recover{});
      case 12:
        now_us_ += 1000ull * input_.u16();
        return give(secondary::Tick{});
      case 13:
        return bind();
      case 14:
        return restart();
    }
  }

  Tod now() const { return tod_from_us(now_us_); }

  void bind() {
    BindRequest request;
    request.product_version = "0.1.0";
    request.session = input_.below(16) == 1 ? "OTHER" : kSession;
    request.origin_lu = kPrimaryLu;
    request.destination_lu = kSecondaryLu;
    request.epoch = epoch_ + (input_.below(16) == 1 ? 1 : 0);
    request.storage_id = input_.below(32) == 1 ? 9 : 7;
    request.next_message = 1u + input_.below(4);
    request.freed_through = input_.below(32) == 1 ? input_.u8() : 0;
    request.max_message_bytes = kMaxMessageBytes;
    if (core_->state() != SecondaryState::kDuplex) epoch_ = request.epoch;
    give(secondary::BindArrived{request});
  }

  M0 header(ContentType content) {
    const unsigned odd = input_.below(32);
    M0 m0{kSession, kPrimaryLu, kSecondaryLu, epoch_, next_, content, now(), tod_from_us(kStart_us + known_), known_, 0, 0, 0};
    if (odd == 1) m0.message_number += input_.below(4);
    if (odd == 2) m0.epoch += 1;
    if (odd == 3) m0.session = "OTHER";
    if (odd == 4) m0.last_sequence = input_.u64() >> 16;
    if (odd == 5) m0.consistency_time = input_.u64();
    if (m0.message_number == 0) m0.message_number = 1;
    return m0;
  }

  Message token_data() {
    Message message;
    for (unsigned i = 1 + input_.below(4); i > 0; --i) {
      Token token = token_of(++known_);
      if (input_.below(24) == 1) token.sequence += input_.below(4);
      message.m1.push_back(token);
    }
    for (unsigned i = 1 + input_.below(4); i > 0; --i) {
      // Mostly the next one that has none, else any, a token not told among them.
      Sequence sequence = 1u + (known_ + 8 - input_.below(9)) % (known_ + 2);
      if (input_.below(4) != 1 && filled_ < known_) sequence = ++filled_;
      M2Field field{token_of(sequence), 0, {}};
      if (input_.below(16) == 1) field.token.ranges[0].track += 1;  // misaddressed
      if (input_.below(8) == 1)
        field.flags = kM2Void;
      else
        field.data = View(data_bytes()).first(field.token.data_length);
      message.m2.push_back(field);
    }
    message.m0 = header(ContentType::kTokenData);
    return message;
  }

  Message establish() {
    Message message;
    known_ = input_.flag() ? 0 : input_.u8();
    filled_ = known_;
    next_ = 1;
    message.volumes = volume_table();
    if (input_.below(8) == 1) message.volumes.pop_back();
    if (input_.below(8) == 1) message.volumes[0].heads += 1;
    message.m0 = header(ContentType::kEstablish);
    return message;
  }

  Message terminate() {
    Message message;
    message.m0 = header(ContentType::kTerminate);
    message.ending = {input_.below(4) == 1 ? input_.u8() : known_};
    return message;
  }

  void send(const Message& message) {
    const auto encoded = encode(message);
    if (!encoded.good()) return;
    Bytes bytes = encoded.value.flat();
    const unsigned damage = input_.below(24);
    if (damage == 1 || damage == 2) bytes[input_.u16() % bytes.size()] ^= static_cast<std::uint8_t>(1u << input_.below(8));
    if (damage == 2) reseal_message(bytes, true);
    trace("message " + std::to_string(message.m0.message_number) + " of content " +
          std::to_string(static_cast<unsigned>(message.m0.content)));
    give(secondary::MessageArrived{bytes});
  }

  void raw_message() {
    const View given = input_.bytes(input_.u8());
    Bytes bytes(given.begin(), given.end());
    reseal_message(bytes, true);
    give(secondary::MessageArrived{bytes});
  }

  void sync() {
    synced_ = records_.size();
    give(secondary::JournalSynced{end_, appends_});
  }

  void applied() {
    if (applying_.empty()) return;
    const std::size_t count = 1 + input_.below(static_cast<std::uint32_t>(std::min<std::size_t>(applying_.size(), 200)));
    Sequence last = 0;
    for (std::size_t i = 0; i < count; ++i) {
      const Token token = applying_.front();
      applying_.pop_front();
      last = token.sequence;
      if (token.kind == TokenKind::kVerify) give(secondary::VerifyResult{last, input_.flag(), "record 1: data differs at byte 3"});
    }
    if (core_) give(secondary::Applied{last});
  }

  void checkpoint_done() {
    if (!asked_) return;
    checkpoint_ = *asked_;
    asked_.reset();
    give(secondary::CheckpointDone{*checkpoint_});
  }

  void start() {
    SecondarySettings settings;
    settings.session = kSession;
    settings.local_lu = kSecondaryLu;
    settings.peer_lu = kPrimaryLu;
    settings.volumes = volume_table();
    core_.emplace(settings);
    up_ = false;
    appends_ = 0;
    asked_.reset();
    applying_.clear();
    next_apply_ = checkpoint_ ? checkpoint_->applied_through + 1 : 0;
    if (checkpoint_) give(secondary::Restart{*checkpoint_});
    const std::deque<Record> replayed = records_;
    for (const Record& record : replayed)
      if (!checkpoint_ || record.position >= checkpoint_->journal_position) give(secondary::Replayed{record.bytes, record.position});
    give(secondary::ReplayDone{end_});
  }

  // The process ends: records not yet synced are kept from the first to some one, as the journal keeps them.
  void restart() {
    const std::size_t kept = synced_ + input_.below(static_cast<std::uint32_t>(records_.size() - synced_ + 1));
    records_.resize(kept);
    synced_ = kept;
    proved_ = 0;
    proof_ = {};
    end_ = records_.empty() ? 0 : records_.back().position + record_space(records_.back().bytes.size());
    trace("restart with " + std::to_string(kept) + " records");
    const Proof proof = proof_of(records_, records_.size());
    start();
    FUZZ_CHECK_MORE(core_->state() != SecondaryState::kStopped, core_->stop_reason());
    if (promised_epoch_ != core_->epoch() || core_->state() == SecondaryState::kEnded || core_->state() == SecondaryState::kEmpty) return;
    FUZZ_CHECK(core_->queue().complete_through() >= promised_);
    if (proof.epoch == core_->epoch())
      FUZZ_CHECK(core_->queue().known_through() <= std::max(proof.known, core_->queue().applied_through()));
  }

  void give(SecondaryInput input) {
    for (SecondaryOutput& output : core_->step(now(), std::move(input))) std::visit([this](auto& each) { take(each); }, output);
  }

  void take(secondary::AnswerBind& answer) {
    const auto back = decode_bind_response(encode(answer.response));
    FUZZ_CHECK_MORE(back.good() && back.value.reason == answer.response.reason, back.status.text());
    FUZZ_CHECK(answer.response.accepted == answer.response.reason.empty());
    trace("bind: " + answer.response.reason);
    up_ = answer.response.accepted;
    if (!answer.response.accepted) return;
    next_ = answer.response.last_message + 1;
    known_ = answer.response.known_through;
    filled_ = answer.response.complete_through;
  }
  void take(secondary::Append& append) {
    const auto message = decode(append.message);
    FUZZ_CHECK_MORE(message.good(), message.status.text());
    FUZZ_CHECK(message.value.m0.session == kSession && message.value.m0.origin_lu == kPrimaryLu);
    records_.push_back({end_, append.message});
    end_ += record_space(append.message.size());
    ++appends_;
    next_ = message.value.m0.message_number + 1;
  }
  void take(secondary::Send& sent) {
    const auto message = decode(sent.message.flat());
    FUZZ_CHECK_MORE(message.good(), message.status.text());
    if (message.value.m0.content != ContentType::kAcknowledge) return;
    const Acknowledgement& ack = message.value.acknowledgement;
    const Proof proof = durable_proof();
    FUZZ_CHECK(message.value.m0.epoch == proof.epoch);
    FUZZ_CHECK(ack.message_number <= proof.last_message);
    FUZZ_CHECK(ack.complete_through <= proof.complete && ack.known_through <= proof.known);
    FUZZ_CHECK(ack.applied_through + 1 <= std::max<Sequence>(next_apply_, ack.complete_through + 1));
    if (promised_epoch_ != proof.epoch) promised_ = 0;
    promised_epoch_ = proof.epoch;
    promised_ = std::max(promised_, ack.complete_through);
  }
  void take(secondary::Apply& apply) {
    const Sequence sequence = apply.write.token.sequence;
    trace("apply " + std::to_string(sequence));
    FUZZ_CHECK(next_apply_ == 0 || sequence == next_apply_);
    next_apply_ = sequence + 1;
    FUZZ_CHECK(sequence <= durable_proof().complete);
    FUZZ_CHECK(apply.write.condition != EntryCondition::kIncomplete);
    if (apply.write.condition == EntryCondition::kComplete) FUZZ_CHECK(apply.write.data.size() == apply.write.token.data_length);
    applying_.push_back(apply.write.token);
  }
  void take(secondary::WriteCheckpoint& write) {
    FUZZ_CHECK(write.checkpoint.applied_through + 1 <= std::max<Sequence>(next_apply_, write.checkpoint.applied_through + 1));
    FUZZ_CHECK(write.checkpoint.journal_position <= end_);
    asked_ = write.checkpoint;
  }
  void take(secondary::Refuse& refuse) {
    trace("refused: " + refuse.reason);
    up_ = false;
    FUZZ_CHECK_MORE(is_sentence(refuse.reason), refuse.reason);
  }
  void take(secondary::Established& established) {
    if (established.epoch != established_) next_apply_ = 0;
    established_ = established.epoch;
    applying_.clear();
  }
  void take(secondary::RecoveryComplete& complete) {
    const LossReport& report = complete.report;
    FUZZ_CHECK(report.point_a <= report.point_b && report.lost.size() == report.point_b - report.point_a);
    for (std::size_t i = 0; i < report.lost.size(); ++i) FUZZ_CHECK(report.lost[i].token.sequence == report.point_a + 1 + i);
    FUZZ_CHECK(report.lost.empty() || (!report.lost[0].data_held && !report.lost[0].is_void));
    if (promised_epoch_ == report.epoch) FUZZ_CHECK(report.point_a >= promised_);
    check_lines(loss_report_lines(report, input_.below(3)));
  }
  void take(secondary::Ended&) {}
  void take(secondary::Stopped& stopped) {
    trace("stopped: " + stopped.reason);
    FUZZ_CHECK_MORE(is_sentence(stopped.reason), stopped.reason);
  }

  // Decoded anew only when there is more of it.
  const Proof& durable_proof() {
    if (proved_ != synced_) proof_ = proof_of(records_, synced_);
    proved_ = synced_;
    return proof_;
  }

  void show() {
    const auto table = volume_table();
    check_lines(queue_display_lines(core_->queue(), table, 3));
    const auto held = held_data_lines(core_->queue(), table, core_->queue().applied_through() + 1);
    if (held.good())
      check_lines(held.value);
    else
      FUZZ_CHECK(is_sentence(held.status.text()));
    FUZZ_CHECK(core_->may_freeze().good() || is_sentence(core_->may_freeze().text()));
    FUZZ_CHECK(core_->may_recover().good() || is_sentence(core_->may_recover().text()));
  }

  Input input_;
  std::optional<SecondaryCore> core_;
  std::deque<Record> records_;
  std::size_t synced_ = 0, proved_ = 0;
  Proof proof_;
  std::uint64_t end_ = 0, appends_ = 0, now_us_ = kStart_us;
  std::optional<Checkpoint> checkpoint_, asked_;
  std::deque<Token> applying_;
  Sequence next_apply_ = 0, promised_ = 0, known_ = 0, filled_ = 0;
  std::uint64_t promised_epoch_ = 0, established_ = 0, epoch_ = 1, next_ = 1;
  bool up_ = false;
};

}  // namespace

}  // namespace afterimage::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace afterimage::fuzz;
  World(Input({data, size})).run();
  return 0;
}
