// Fuzz target: what two LUs say to each other before and after BIND. First byte, modulo 4: 0 the bytes of a BIND of either direction, as
// they are and with length and CRC made right, against docs/FORMATS.md (reference_message.h); 1 BINDs from fields; 2 frames through the
// send queue, cut anywhere, and the frame reader; 3 a hostile stream into the frame reader, and the continuity of the messages in it.
#include <algorithm>
#include <deque>
#include <functional>
#include <memory>
#include <optional>

#include "serializer/bytes.h"
#include "tests/fuzz/fuzz_check.h"
#include "tests/fuzz/reference_message.h"
#include "vtam_link/bind.h"
#include "vtam_link/continuity.h"
#include "vtam_link/frame_reader.h"
#include "vtam_link/names.h"
#include "vtam_link/send_queue.h"

namespace afterimage::fuzz {

namespace {

void judge_bind(View bytes) {
  const auto request = decode_bind_request(bytes);
  FUZZ_CHECK_MORE(request.good() == is_bind_request(bytes), request.status.text());
  if (request.good()) {
    const Bytes again = encode(request.value);
    FUZZ_CHECK(std::ranges::equal(again, bytes));
  }
  const auto response = decode_bind_response(bytes);
  FUZZ_CHECK_MORE(response.good() == is_bind_response(bytes), response.status.text());
  if (response.good()) {
    const Bytes again = encode(response.value);
    FUZZ_CHECK(std::ranges::equal(again, bytes));
  }
  FUZZ_CHECK(!request.good() || !response.good());
  FUZZ_CHECK(request.good() || is_sentence(request.status.text()));
  FUZZ_CHECK(response.good() || is_sentence(response.status.text()));
}

std::string name_of(Input& input) {
  static constexpr const char* kNames[] = {"DALLAS", "SITEA.DSMLU", "SITEB.DSMLU", "A", "", "9A", "TOOLONGNAME.TOOLONGNAME"};
  const unsigned which = input.below(10);
  return which < std::size(kNames) ? kNames[which] : input.text(which);
}

// What can be carried arrives as it was; what cannot is refused at the other side.
void bind_fields(Input input) {
  BindRequest request;
  request.product_version = input.flag() ? "0.1.0" : input.text(20);
  request.session = name_of(input);
  request.origin_lu = name_of(input);
  request.destination_lu = name_of(input);
  request.epoch = input.u64();
  request.storage_id = input.u64();
  request.next_message = input.u8();
  request.freed_through = input.u64() >> input.below(32);
  request.max_message_bytes = input.u32() >> input.below(32);
  const Bytes bytes = encode(request);
  const auto back = decode_bind_request(bytes);
  const bool carried = is_name(request.session) && is_lu_name(request.origin_lu) && is_lu_name(request.destination_lu);
  if (back.good() && carried) {
    FUZZ_CHECK(back.value.session == request.session && back.value.origin_lu == request.origin_lu);
    FUZZ_CHECK(back.value.destination_lu == request.destination_lu && back.value.epoch == request.epoch);
    FUZZ_CHECK(back.value.storage_id == request.storage_id && back.value.next_message == request.next_message);
    FUZZ_CHECK(back.value.freed_through == request.freed_through && back.value.max_message_bytes == request.max_message_bytes);
  }
  BindResponse response;
  response.accepted = input.flag();
  response.product_version = input.text(input.below(20));
  response.epoch = input.u64();
  response.last_message = input.u64();
  response.known_through = input.u64() >> input.below(32);
  response.complete_through = input.flag() ? response.known_through / 2 : input.u64();
  response.reason = input.text(input.u16());
  const auto answer = decode_bind_response(encode(response));
  if (answer.good()) {
    FUZZ_CHECK(answer.value.accepted == response.accepted && answer.value.known_through == response.known_through);
    FUZZ_CHECK(answer.value.complete_through == response.complete_through && answer.value.epoch == response.epoch);
    FUZZ_CHECK(answer.value.reason == safe_sentence(response.reason, kMaxSentenceBytes));
  }
}

EncodedMessage pieces_of(Input& input, const Bytes& borrowed, Bytes& whole) {
  EncodedMessage message;
  message.head.assign(1 + input.below(300), input.u8());
  message.pieces.emplace_back(message.head);
  for (unsigned i = input.below(3); i > 0; --i) {
    const std::size_t size = input.below(8) == 1 ? input.u16() : input.u8();  // longer than a record of TLS now and then
    if (size != 0) message.pieces.push_back(View(borrowed).first(size));
  }
  for (const View piece : message.pieces) message.total_bytes += piece.size();
  whole = message.flat();
  return message;
}

// Gives `bytes` to the reader and takes the frames that come out; false when the reader refused.
bool feed(FrameReader& reader, View& bytes, std::size_t& have, const std::function<void(Frame&&)>& taken) {
  while (true) {
    const auto wanted = reader.wanted();
    FUZZ_CHECK(!wanted.empty() && wanted.size() <= kMaxMessageBytes);
    const std::size_t count = std::min(wanted.size() - have, bytes.size());
    std::copy_n(bytes.begin(), count, wanted.begin() + static_cast<std::ptrdiff_t>(have));
    bytes = bytes.subspan(count);
    have += count;
    if (have < wanted.size()) return true;
    have = 0;
    auto frame = reader.filled();
    if (!frame.good()) {
      FUZZ_CHECK(is_sentence(frame.status.text()));
      return false;
    }
    if (frame.value) taken(std::move(*frame.value));
  }
}

void through_the_queue(Input input) {
  static const Bytes borrowed(65536, 0xC1);
  SendQueue queue;
  FrameReader reader(FrameType::kMessage);
  reader.set_bound();
  struct Pushed {
    Bytes bytes;
    std::weak_ptr<int> alive;
  };
  std::deque<Pushed> expected;
  std::size_t have = 0, waiting = 0;
  const auto taken = [&](Frame&& frame) {
    FUZZ_CHECK(!expected.empty() && frame.type == FrameType::kMessage);
    FUZZ_CHECK(frame.bytes == expected.front().bytes);
    FUZZ_CHECK(!expected.front().alive.expired());  // released only when the write that carried its end is done
    expected.pop_front();
  };
  const auto write_one = [&] {
    const View next = queue.next();
    FUZZ_CHECK(next.empty() == (waiting == 0));
    Bytes sent(next.begin(), next.end());
    for (View rest = sent; !rest.empty();) {
      View piece = rest.first(std::min<std::size_t>(rest.size(), input.empty() ? rest.size() : 1u + input.u16()));
      rest = rest.subspan(piece.size());
      FUZZ_CHECK(feed(reader, piece, have, taken));
    }
    waiting -= sent.size();
    if (!sent.empty()) queue.written();
    FUZZ_CHECK(queue.bytes() == waiting && queue.empty() == (waiting == 0));
  };
  for (unsigned step = 0; step < 24 && !input.empty(); ++step) {
    if (!input.flag()) {
      write_one();
      continue;
    }
    auto alive = std::make_shared<int>();
    Pushed pushed{{}, alive};
    EncodedMessage message = pieces_of(input, borrowed, pushed.bytes);
    waiting += kFrameHeadBytes + message.total_bytes;
    queue.push(FrameType::kMessage, std::move(message), std::move(alive));
    expected.push_back(std::move(pushed));
    FUZZ_CHECK(queue.bytes() == waiting);
  }
  while (waiting > 0) write_one();
  FUZZ_CHECK(expected.empty());
}

// By docs/FORMATS.md: where the stream ends by the rules, and the frames before. Bound when a BIND that can be decoded was taken.
struct Expected {
  std::vector<Bytes> frames;
  bool refused = false;
};
Expected expected_of(View stream) {
  Expected out;
  bool bound = false;
  while (stream.size() >= 8) {
    const std::uint32_t length = get_u32(stream.data());
    const unsigned type = get_u16(stream.data() + 4), reserved = get_u16(stream.data() + 6);
    if (reserved != 0 || length == 0 || length > (bound ? 4194304u : 4096u) || type != (bound ? 3u : 1u)) {
      out.refused = true;
      return out;
    }
    stream = stream.subspan(8);
    if (stream.size() < length) return out;
    out.frames.emplace_back(stream.begin(), stream.begin() + length);
    stream = stream.subspan(length);
    Bytes sealed = out.frames.back();
    reseal_bind(sealed);
    bound = bound || is_bind_request(sealed);
  }
  return out;
}

// Judges messages as a peer's stream gives them: taken only when each is the next one.
class Numbers {
 public:
  void take(const Bytes& bytes) {
    const auto message = decode_m0(bytes);
    if (!message.good()) return;
    const M0& m0 = message.value;
    const bool same = m0.session == "DALLAS" && m0.origin_lu == "SITEA.DSMLU" && m0.destination_lu == "SITEB.DSMLU" && m0.epoch == 2;
    const ContinuityVerdict verdict = checker_.accept(m0);
    FUZZ_CHECK((verdict == ContinuityVerdict::kNext) == (same && m0.message_number == last_ + 1));
    if (verdict == ContinuityVerdict::kNext) ++last_;
    FUZZ_CHECK(checker_.last_number() == last_);
    FUZZ_CHECK(is_sentence(checker_.describe(verdict, m0)));
  }

 private:
  ContinuityChecker checker_{"DALLAS", "SITEA.DSMLU", "SITEB.DSMLU", 2, 8};
  std::uint64_t last_ = 8;
};

void hostile_stream(Input input) {
  const std::size_t step = 1u + input.u8();
  const Bytes stream(input.rest().begin(), input.rest().end());
  const Expected expected = expected_of(stream);
  FrameReader reader(FrameType::kBindRequest);
  Numbers numbers;
  std::size_t have = 0, frames = 0;
  bool bound = false, open = true;
  const auto taken = [&](Frame&& frame) {
    FUZZ_CHECK(frames < expected.frames.size() && frame.bytes == expected.frames[frames]);
    ++frames;
    FUZZ_CHECK(frame.type == (bound ? FrameType::kMessage : FrameType::kBindRequest));
    if (bound) {
      reseal_message(frame.bytes, true);
      numbers.take(frame.bytes);
      return;
    }
    reseal_bind(frame.bytes);
    if (!decode_bind_request(frame.bytes).good()) return;
    bound = true;
    reader.set_bound();
  };
  for (View rest = stream; open && !rest.empty();) {
    View piece = rest.first(std::min(step, rest.size()));
    rest = rest.subspan(piece.size());
    open = feed(reader, piece, have, taken);
  }
  FUZZ_CHECK(open == !expected.refused);
  FUZZ_CHECK(frames == expected.frames.size());
}

}  // namespace

}  // namespace afterimage::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace afterimage::fuzz;
  Input input({data, size});
  switch (input.below(4)) {
    case 0: {
      Bytes bytes(input.rest().begin(), input.rest().end());
      judge_bind(bytes);
      reseal_bind(bytes);
      judge_bind(bytes);
      break;
    }
    case 1:
      bind_fields(input);
      break;
    case 2:
      through_the_queue(input);
      break;
    default:
      hostile_stream(input);
  }
  return 0;
}
