// io: writes the first inputs of every fuzz target, made by the product's own encoders and from docs: fuzz_corpus FOLDER makes
// FOLDER/<target>/seed-<what>. tests/fuzz/corpus/ was made from these by `tests/fuzz/run.sh grow`, which lets libFuzzer look further and
// keeps the few that together reach everything; what was found by fuzzing is there as found-<what>.
#include <filesystem>
#include <fstream>

#include "datamover/checkpoint_format.h"
#include "serializer/bytes.h"
#include "service/config.h"
#include "service/session_state_format.h"
#include "tests/fuzz/fuzz_check.h"
#include "vtam_link/bind.h"
#include "vtam_link/frame.h"
#include "vtam_link/message.h"

namespace afterimage::fuzz {

namespace {

std::filesystem::path top;

void put(const std::string& target, const std::string& what, const Bytes& bytes) {
  std::filesystem::create_directories(top / target);
  std::ofstream file(top / target / ("seed-" + what), std::ios::binary);
  file.write(reinterpret_cast<const char*>(bytes.data()), static_cast<std::streamsize>(bytes.size()));
  FUZZ_CHECK(file.flush().good());
}
Bytes bytes_of(const std::string& text) { return {text.begin(), text.end()}; }
Bytes operator+(Bytes left, const Bytes& right) {
  left.insert(left.end(), right.begin(), right.end());
  return left;
}

constexpr std::uint8_t kData[8] = {0xC1, 0xC2, 0xC3, 0xC4, 0xC5, 0xC6, 0xC7, 0xC8};

M0 header(ContentType content, std::uint64_t number = 9) {
  return {
      "DALLAS", "SITEA.DSMLU", "SITEB.DSMLU", 2, number, content, tod_from_us(3980000000000000), tod_from_us(3980000000000000), 12, 0, 0,
      0};
}

Token token(Sequence sequence, TokenKind kind = TokenKind::kWrite) {
  Token out;
  out.sequence = sequence;
  out.tod = tod_from_us(3979999999999000 + sequence);
  out.event = 77;
  out.volume = 1;
  out.system = 1;
  out.kind = kind;
  out.ccw_code = 0x85;
  out.record = 4;
  out.cylinder = 18;
  out.head = 7;
  out.range_count = 1;
  out.ranges[0] = {277, 0x1234, 8};
  out.data_length = 8;
  return out;
}

std::vector<Message> messages() {
  Message data;
  data.m0 = header(ContentType::kTokenData);
  Token two = token(12);
  two.range_count = 2;
  two.ranges[1] = {278, 5, 0};
  data.m1 = {token(11), two, token(13, TokenKind::kVerify), token(14, TokenKind::kTrackImage), token(15, TokenKind::kSharedWrite)};
  data.m2 = {{token(11), 0, kData}, {two, kM2Void, {}}, {token(13, TokenKind::kVerify), 0, kData}};
  Message idle;
  idle.m0 = header(ContentType::kTokenData, 10);
  Message establish;
  establish.m0 = header(ContentType::kEstablish, 1);
  establish.volumes = {{"PRIM01", "SEC001", 0x0A80, 0x3390, 3339, 15, 56832, "SYSA"}, {"P2", "S2", 0x0A81, 0x3380, 885, 15, 47968, ""}};
  Message acknowledge;
  acknowledge.m0 = header(ContentType::kAcknowledge);
  acknowledge.acknowledgement = {9, 11, 12, 10, tod_from_us(3979999999999010)};
  Message exception;
  exception.m0 = header(ContentType::kException);
  exception.exception = {static_cast<std::uint16_t>(ExceptionCode::kJournalFull), 12, "The journal is full: \xC3\xA4 \xE2\x82\xAC."};
  Message terminate;
  terminate.m0 = header(ContentType::kTerminate);
  terminate.ending = {12};
  Message initial_copy;
  initial_copy.m0 = header(ContentType::kInitialCopy);
  std::vector<Message> all;
  for (Message* message : {&data, &idle, &establish, &acknowledge, &exception, &terminate, &initial_copy})
    all.push_back(std::move(*message));
  return all;
}

Bytes encoded(const Message& message) {
  const auto out = encode(message);
  FUZZ_CHECK_MORE(out.good(), out.status.text());
  return out.value.flat();
}

void message_seeds() {
  static constexpr const char* kWhat[] = {"token-data", "idle", "establish", "acknowledge", "exception", "terminate", "initial-copy"};
  const auto all = messages();
  for (std::size_t i = 0; i < all.size(); ++i) put("message", kWhat[i], encoded(all[i]));
  Bytes fields{'G'};
  for (unsigned i = 0; i < 300; ++i) fields.push_back(static_cast<std::uint8_t>(i * 37 % 11));
  put("message", "fields", fields);
}

BindRequest bind() { return {kLinkVersion, "0.1.0", "DALLAS", "SITEA.DSMLU", "SITEB.DSMLU", 2, 0x1122334455667788, 9, 8, 4u << 20}; }

Bytes framed(FrameType type, const Bytes& bytes) {
  Bytes head(kFrameHeadBytes);
  put_frame_head(head.data(), {type, static_cast<std::uint32_t>(bytes.size())});
  return head + bytes;
}

void session_frame_seeds() {
  const Bytes request = encode(bind());
  put("session_frames", "bind-request", Bytes{0} + request);
  put("session_frames", "bind-response", Bytes{0} + encode(BindResponse{true, "", "0.1.0", 2, 8, 5, 12, 11}));
  put("session_frames", "bind-refused", Bytes{0} + encode(BindResponse{false, "The volumes differ.", "0.1.0", 0, 0, 0, 0, 0}));
  Bytes fields{1};
  for (unsigned i = 0; i < 120; ++i) fields.push_back(static_cast<std::uint8_t>(i % 7));
  put("session_frames", "bind-fields", fields);
  Bytes queue{2};
  for (unsigned i = 0; i < 90; ++i) queue.push_back(static_cast<std::uint8_t>(i * 29));
  put("session_frames", "queue", queue);
  Bytes stream = Bytes{3, 40} + framed(FrameType::kBindRequest, request);
  const auto all = messages();
  stream = stream + framed(FrameType::kMessage, encoded(all[0])) + framed(FrameType::kMessage, encoded(all[1]));
  put("session_frames", "stream", stream);
  put("session_frames", "message-before-bind", Bytes{3, 200} + framed(FrameType::kMessage, encoded(all[1])));
  put("session_frames", "bind-too-long", Bytes{3, 7} + framed(FrameType::kBindRequest, Bytes(kMaxBindBytes + 1)));
}

void state_seeds() {
  StoredCheckpoint stored{"DALLAS", 3, {}};
  stored.checkpoint.state = SecondaryState::kDuplex;
  stored.checkpoint.epoch = 2;
  stored.checkpoint.applied_through = 11;
  stored.checkpoint.known_through = 12;
  put("state_files", "checkpoint", Bytes{0} + encode_checkpoint(stored).value);
  stored.checkpoint.volumes = messages()[2].volumes;
  put("state_files", "checkpoint-volumes", Bytes{0} + encode_checkpoint(stored).value);
  put("state_files", "session-state", Bytes{1} + bytes_of(session_state_text({"DALLAS", 5, 1, 7, true})));
  put("state_files", "session-state-empty", Bytes{1} + bytes_of(session_state_text({})));
  put("state_files", "applied-mark", Bytes{2, 'A', 'I', 'A', 'M', 0, 0, 0, 0, 0, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0, 11, 0, 0, 0, 0});
  Bytes generations{3};
  for (unsigned i = 0; i < 80; ++i) generations.push_back(static_cast<std::uint8_t>(3 + i % 5));
  put("state_files", "generations", generations);
}

// Programs for the machines of fuzz_journal.cpp and fuzz_capture.cpp: many short steps in a fixed mixture.
void program_seeds() {
  for (unsigned variety = 0; variety < 6; ++variety) {
    Bytes journal{static_cast<std::uint8_t>(variety)}, capture, secondary{1, 0, 0, 0, 0, 0, 0};
    std::uint32_t state = 2463534242u + variety;
    const auto next = [&state] {
      state ^= state << 13;
      state ^= state >> 17;
      state ^= state << 5;
      return static_cast<std::uint8_t>(state >> 8);
    };
    for (unsigned i = 0; i < 200; ++i) journal.push_back(static_cast<std::uint8_t>(next() % (i % 3 == 0 ? 10 : 256)));
    for (unsigned i = 0; i < 300; ++i) capture.push_back(static_cast<std::uint8_t>(next() % (i % 2 == 0 ? 20 : 256)));
    put("journal", "program-" + std::to_string(variety), journal);
    // Mostly data, syncs and applies, and little that is odd: zeros are the usual choice.
    for (unsigned i = 0; i < 60; ++i)
      secondary.insert(secondary.end(), {1, static_cast<std::uint8_t>(next() % (variety < 4 ? 8 : 20)), next(), 0, 0});
    put("capture", "program-" + std::to_string(variety), capture);
    put("secondary", "program-" + std::to_string(variety), secondary);
  }
  Bytes file_header{'A', 'I', 'J', 'R', 'N', 'L', '0', '1', 0, 1, 0, 1, 0, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0x80, 0};
  file_header.resize(64);
  put("journal", "file-header", file_header);
  Bytes record_header{'A', 'I', 'J', 'R', 0, 1, 0, 1, 0, 0, 1, 0x23, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x40};
  record_header.resize(64);
  put("journal", "record-header", record_header);
}

Bytes record(std::uint16_t cylinder, std::uint16_t head, std::uint8_t number, std::uint8_t key, std::uint16_t data) {
  Bytes bytes(8u + key + data, 0xC5);
  put_u16(bytes.data(), cylinder);
  put_u16(bytes.data() + 2, head);
  bytes[4] = number;
  bytes[5] = key;
  put_u16(bytes.data() + 6, data);
  return bytes;
}

void track_seeds() {
  const Bytes home{0, 0, 18, 0, 7}, end(8, 0xFF), tail(20, 0x11);
  const Bytes r0 = record(18, 7, 0, 0, 8);
  const Bytes changed{2, 0, 0, 30, 1, 0, 60, 2}, behind{1, 1, 0, 3, 9}, same{0, 0};
  put("track", "empty", same + home + end);
  put("track", "one", changed + home + r0 + record(18, 7, 1, 0, 80) + end + tail);
  put("track", "keys", changed + home + r0 + record(18, 7, 1, 44, 96) + record(18, 7, 2, 44, 0) + end);
  put("track", "overflow", behind + home + r0 + record(0x8012, 7, 1, 0, 40) + end + tail);
  put("track", "far", same + Bytes{0, 0xFF, 0xFE, 0, 14} + record(0xFFFE, 14, 0, 0, 8) + end);
  put("track", "unended", changed + home + r0 + record(18, 7, 1, 0, 30));
  put("track", "short", same + home);
}

std::string config_text(const std::string& before, const std::string& inside) {
  return before +
         "<afterimage xmlns=\"urn:afterimage:config:1\" plex=\"P\">\n"
         "<site name=\"A\" lu=\"A.L\" listen=\"127.0.0.1:71\" directory=\"a\" certificate=\"c\" key=\"k\" authority=\"r\"/>\n"
         "<site name=\"B\" lu=\"B.L\" listen=\"[::1]:72\" directory=\"b\" certificate=\"c\" key=\"k\" authority=\"r\"/>\n"
         "<system name=\"S\" site=\"A\"/>\n" +
         inside + "</afterimage>\n";
}
std::string session_text(const std::string& inside) {
  return "<session name=\"D\" primary=\"A\" secondary=\"B\">" + inside +
         "<volume volser=\"V1\" system=\"S\" device=\"0A80\" type=\"3390\" image=\"v\" secondary=\"w\"/></session>\n";
}

void config_seeds() {
  put("config", "least", bytes_of(config_text("", session_text(""))));
  put("config", "all",
      bytes_of(config_text("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<!-- c -->\n",
                           "<storage ring=\"128M\" chunk=\"512K\" segment=\"x.y\"/>\n" +
                               session_text("<buffers message=\"64K\" interval=\"20ms\" window=\"8M\" pacelimit=\"1s\" freezelimit=\"2m\"/>"
                                            "<journal bytes=\"1G\" files=\"4\"/><failure heartbeat=\"5s\" action=\"FREEZE\"/>"))));
  put("config", "external-entity",
      bytes_of("<!DOCTYPE a [<!ENTITY x SYSTEM \"file:///etc/passwd\">]>" + config_text("", session_text("&x;"))));
  put("config", "external-dtd", bytes_of("<!DOCTYPE a SYSTEM \"http://127.0.0.1:1/a.dtd\">" + config_text("", session_text(""))));
  put("config", "laughs", bytes_of("<!DOCTYPE a [<!ENTITY x \"hahahaha\"><!ENTITY y \"\1\x10&x;\2\">]><afterimage plex=\"&y;\"/>"));
  put("config", "schema-location",
      bytes_of(
          "<afterimage xmlns=\"urn:afterimage:config:1\" xmlns:xsi=\"http://www.w3.org/2001/XMLSchema-instance\" "
          "xsi:schemaLocation=\"urn:afterimage:config:1 file:///tmp/other.xsd\" xsi:noNamespaceSchemaLocation=\"x.xsd\" plex=\"P\"/>"));
  put("config", "include", bytes_of(config_text("", "<xi:include xmlns:xi=\"http://www.w3.org/2001/XInclude\" href=\"/etc/passwd\"/>")));
  put("config", "deep", bytes_of("<afterimage xmlns=\"urn:afterimage:config:1\">\1\x10<site>\2"));
  put("config", "many-volumes",
      bytes_of(config_text(
          "", session_text("\1\x20<volume volser=\"V2\" system=\"S\" device=\"0A81\" type=\"3390\" image=\"/i\" secondary=\"/j\"/>\2"))));
  put("config", "utf-16", Bytes{0xFF, 0xFE, '<', 0, 'a', 0, '/', 0, '>', 0});
  put("config", "encoding", bytes_of("<?xml version=\"1.0\" encoding=\"IBM037\"?><a/>"));
  put("config", "processing-instruction", bytes_of("<?xml-stylesheet href=\"file:///etc/passwd\"?>" + config_text("", "")));
}

void command_seeds() {
  static constexpr const char* kLines[] = {"F DSM,XSTART DALLAS SESSIONTYPE(XRC) ERRORLEVEL(SESSION) COMPARE(NO)",
                                           "XQUERY DALLAS VOLUME(PRIM01,PRIM02) DETAIL STATUS",
                                           "XQ DALLAS CONFIG",
                                           "XQ RECOVER",
                                           "xsuspend dallas vol(all) imm",
                                           "XSUSPEND DALLAS SESSION DRAIN",
                                           "XSUSPEND DALLAS ATTIME(2026.326 19:41:20) TIMEOUT(00.10.00)",
                                           "XEND DALLAS IMMEDIATE",
                                           "XRECOVER DALLAS CHECK(YES)",
                                           "CGROUP FREEZE DALLAS",
                                           "RUN DALLAS",
                                           "VERIFY DALLAS,VOLUME(PRIM01)",
                                           "D PWQ,DALLAS,MAX=10",
                                           "D PWQ,SEQ=4711",
                                           "D STOR",
                                           "D A,L",
                                           "S DSM",
                                           "P DSM",
                                           "HELP XQUERY",
                                           "MODIFY DSM , D A,L",
                                           "XQUERY DALLAS VOLUME((",
                                           "D PWQ,MAX=,"};
  for (std::size_t i = 0; i < std::size(kLines); ++i) put("command", std::to_string(i), bytes_of(kLines[i]));
}

}  // namespace

}  // namespace afterimage::fuzz

int main(int argc, char** argv) {
  using namespace afterimage::fuzz;
  if (argc != 2) {
    std::fprintf(stderr, "fuzz_corpus: give the folder that the inputs go to.\n");
    return 8;
  }
  top = argv[1];
  message_seeds();
  session_frame_seeds();
  state_seeds();
  program_seeds();
  track_seeds();
  config_seeds();
  command_seeds();
  return 0;
}
