// Peers that are not who or what they should be, and certificate files that cannot be used: each gives its sentence, and the good session
// goes on.
#include <sys/wait.h>

#include "vtam_link_site.h"

namespace afterimage {

using namespace samples;

class IntruderTest : public LinkFixture {
  CPPUNIT_TEST_SUITE(IntruderTest);
  CPPUNIT_TEST(testConnectorOfAnotherLu);
  CPPUNIT_TEST(testListenerOfAnotherLu);
  CPPUNIT_TEST(testConnectorOfAnotherAuthority);
  CPPUNIT_TEST(testListenerOfAnotherAuthority);
  CPPUNIT_TEST(testExpiredPeer);
  CPPUNIT_TEST(testExpiredListener);
  CPPUNIT_TEST(testPeerWithoutCertificate);
  CPPUNIT_TEST(testCertificateWithoutLuName);
  CPPUNIT_TEST(testOlderTlsIsRefused);
  CPPUNIT_TEST(testPlainTextOnThePort);
  CPPUNIT_TEST(testPlainTextServer);
  CPPUNIT_TEST(testSlowHandshakeEndsAtTheDeadline);
  CPPUNIT_TEST(testManyIdleConnectionsDoNotKeepThePeerOut);
  CPPUNIT_TEST(testOversizeFrameBeforeAndAfterTheBind);
  CPPUNIT_TEST(testFramesOutOfTurn);
  CPPUNIT_TEST(testBindOfAnotherLuOrVersion);
  CPPUNIT_TEST(testCertificateFilesThatCannotBeUsed);
  CPPUNIT_TEST(testFilesAreReadAnewForEveryConnection);
  CPPUNIT_TEST(testNamesAndAddressesThatCannotBeUsed);
  CPPUNIT_TEST(testScriptMakesCertificatesThatWork);
  CPPUNIT_TEST_SUITE_END();

  // A session between the right LUs still carries messages, whatever else comes to the port.
  void assert_session_works() {
    if (!connector) connect(listener->port());
    run_until([this] { return connector->up() && listener->up(); }, "the session is up");
    const std::size_t before = b.messages.size();
    connector->send(idle_message(1));
    run_until([&] { return b.messages.size() == before + 1; }, "a message");
    CPPUNIT_ASSERT(b.down.empty());
  }
  std::unique_ptr<RawPeer> raw_client(const TlsFiles& files) {
    auto peer = std::make_unique<RawPeer>(io);
    peer->with_files(files).connect(listener->port());
    peer->handshake(boost::asio::ssl::stream_base::client);
    return peer;
  }

 public:
  void testConnectorOfAnotherLu() {
    listen();
    connect_as(material().x, "SITEX.DSMLU", kLuB, listener->port());
    run_until([this] { return !a.down.empty() && !b.refused.empty(); }, "both sides are told");
    assert_says(b.refused[0], "names LU SITEX.DSMLU, SITEA.DSMLU is expected");
    assert_says(a.down[0], "did not accept the certificate of this LU");
    CPPUNIT_ASSERT(b.binds.empty());
    connector.reset();
    assert_session_works();
  }

  void testListenerOfAnotherLu() {
    listener.emplace(io, material().x, LuAddress{"SITEX.DSMLU", "127.0.0.1", 0}, kLuA, b.handler(), quick_times());
    CPPUNIT_ASSERT(listener->start().good());
    connect(listener->port());
    run_until([this] { return !a.down.empty() && !b.refused.empty(); }, "both sides are told");
    assert_says(a.down[0], "The certificate of the peer names LU SITEX.DSMLU, SITEB.DSMLU is expected");
    assert_says(b.refused[0], "did not accept the certificate of this LU");
  }

  void testConnectorOfAnotherAuthority() {
    listen();
    TlsFiles files = material().other.issue_lu(kLuA);
    files.authority = material().authority.authority_file();
    connect_as(files, kLuA, kLuB, listener->port());
    run_until([this] { return !a.down.empty() && !b.refused.empty(); }, "both sides are told");
    assert_says(b.refused[0], "The peer's certificate is not signed by the configured authority");
    assert_says(a.down[0], "did not accept the certificate of this LU");
    connector.reset();
    assert_session_works();
  }

  void testListenerOfAnotherAuthority() {
    TlsFiles files = material().other.issue_lu(kLuB);
    listener.emplace(io, files, LuAddress{kLuB, "127.0.0.1", 0}, kLuA, b.handler(), quick_times());
    CPPUNIT_ASSERT(listener->start().good());
    connect(listener->port());
    run_until([this] { return !a.down.empty() && !b.refused.empty(); }, "both sides are told");
    assert_says(a.down[0], "The peer's certificate is not signed by the configured authority");
  }

  void testExpiredPeer() {
    listen();
    const auto peer = raw_client(material().authority.issue("old", std::string("URI:lu:") + kLuA, -7200, -3600));
    run_until([this] { return !b.refused.empty(); }, "it is refused");
    assert_says(b.refused[0], "(LU SITEA.DSMLU) expired at 20");
    const auto early = raw_client(material().authority.issue("early", std::string("URI:lu:") + kLuA, 3600, 7200));
    run_until([this] { return b.refused.size() == 2; }, "it is refused");
    assert_says(b.refused[1], "valid only from 20");
    assert_session_works();
  }

  void testExpiredListener() {
    Tcp::acceptor acceptor(io, Tcp::endpoint(boost::asio::ip::make_address("127.0.0.1"), 0));
    RawPeer server(io);
    server.with_files(material().authority.issue("oldb", std::string("URI:lu:") + kLuB, -7200, -3600));
    server.accept_on(acceptor, [&] { server.handshake(boost::asio::ssl::stream_base::server); });
    connect(acceptor.local_endpoint().port());
    run_until([this] { return !a.down.empty(); }, "it is refused");
    assert_says(a.down[0], "expired at 20");
    connector.reset();
  }

  void testPeerWithoutCertificate() {
    listen();
    RawPeer peer(io);
    peer.connect(listener->port());
    peer.handshake(boost::asio::ssl::stream_base::client);
    run_until([this] { return !b.refused.empty(); }, "it is refused");
    assert_says(b.refused[0], "showed no certificate");
    assert_session_works();
  }

  void testCertificateWithoutLuName() {
    listen();
    for (const std::string name : {"", "DNS:SITEA.DSMLU", "URI:http://lu:SITEA.DSMLU", "URI:lu:SITEA.DSMLUX", "URI:lu:sitea.dsmlu"}) {
      const std::size_t before = b.refused.size();
      const auto peer = raw_client(material().authority.issue("nameless", name));
      run_until([&] { return b.refused.size() > before; }, "it is refused");
      assert_says(b.refused.back(), "SITEA.DSMLU is expected");
    }
    assert_says(b.refused[0], "names no LU");
    const auto peer = raw_client(material().authority.issue("two", "URI:lu:OTHER,URI:lu:SITEA.DSMLU"));
    run_until([&] { return peer->shaken; }, "one of two names is enough");
    CPPUNIT_ASSERT(!peer->handshake_error);
    peer->write_tls(framed(FrameType::kBindRequest, encode(bind_from_a())));
    run_until([this] { return b.binds.size() == 1; }, "its BIND is taken");
  }

  void testOlderTlsIsRefused() {
    listen();
    RawPeer peer(io);
    peer.with_files(material().a).with_version(TLS1_2_VERSION).connect(listener->port());
    peer.handshake(boost::asio::ssl::stream_base::client);
    run_until([&] { return !b.refused.empty() && peer.shaken; }, "it is refused");
    CPPUNIT_ASSERT(peer.handshake_error);
    assert_says(b.refused[0], "does not speak TLS 1.3");
  }

  void testPlainTextOnThePort() {
    establish();
    std::mt19937 random(1);
    for (int i = 0; i < 12; ++i) {
      RawPeer peer(io);
      peer.connect(listener->port());
      std::string text = i % 3 == 0 ? "GET / HTTP/1.0\r\n\r\n" : i % 3 == 1 ? "//JOB JOB (ACCT),'HELLO'\r\n" : std::string(3000, ' ');
      if (i % 3 == 2) std::generate(text.begin(), text.end(), [&] { return static_cast<char>(random()); });
      peer.write_plain(text);
      peer.watch_plain_close();
      const std::size_t before = b.refused.size();
      run_until([&] { return b.refused.size() > before && peer.closed; }, "it is refused and closed");
      CPPUNIT_ASSERT(peer.plain_bytes < 100);
    }
    assert_says(b.refused[0], "does not speak TLS 1.3");
    CPPUNIT_ASSERT(a.down.empty());
    assert_session_works();
  }

  void testPlainTextServer() {
    Tcp::acceptor acceptor(io, Tcp::endpoint(boost::asio::ip::make_address("127.0.0.1"), 0));
    RawPeer server(io);
    server.accept_on(acceptor, [&] { server.write_plain("220 mail.example ready\r\n"); });
    connect(acceptor.local_endpoint().port());
    run_until([this] { return !a.down.empty(); }, "the connector gives up");
    assert_says(a.down[0], "does not speak TLS 1.3");
    connector.reset();
  }

  void testSlowHandshakeEndsAtTheDeadline() {
    LinkTimes times = quick_times();
    times.handshake_ms = 250;
    listen(times);
    RawPeer silent(io), slow(io);
    silent.connect(listener->port());
    silent.watch_plain_close();
    slow.connect(listener->port());
    slow.write_plain(std::string("\x16\x03\x01\x02", 4));  // the beginning of a TLS record, and no more
    slow.watch_plain_close();
    const auto mute = raw_client(material().a);  // a good certificate, but never a BIND
    run_until([&] { return b.refused.size() == 3; }, "all three are refused");
    for (const std::string& reason : b.refused) assert_says(reason, "did not complete the handshake within 250 ms");
    run_until([&] { return silent.closed && slow.closed && mute->closed; }, "all three are closed");
    // And a server that never answers.
    Tcp::acceptor acceptor(io, Tcp::endpoint(boost::asio::ip::make_address("127.0.0.1"), 0));
    connect(acceptor.local_endpoint().port(), times);
    run_until([this] { return !a.down.empty(); }, "the connector gives up");
    assert_says(a.down[0], "did not complete the handshake within 250 ms");
    connector.reset();
    assert_session_works();
  }

  void testManyIdleConnectionsDoNotKeepThePeerOut() {
    listen();
    std::vector<std::unique_ptr<RawPeer>> idle;
    for (int i = 0; i < 40; ++i) {
      idle.push_back(std::make_unique<RawPeer>(io));
      idle.back()->connect(listener->port());
      idle.back()->watch_plain_close();
    }
    run_until([this] { return b.refused.size() == 32; }, "all but eight are closed");
    assert_says(b.refused[0], "Too many connections");
    assert_session_works();
    run_until([&] { return std::count_if(idle.begin(), idle.end(), [](const auto& p) { return p->closed; }) >= 33; }, "closed");
  }

  void testOversizeFrameBeforeAndAfterTheBind() {
    listen();
    auto peer = raw_client(material().a);
    run_until([&] { return peer->shaken; }, "TLS is up");
    peer->write_tls(from_hex("00001001 0001 0000"));  // 4097 bytes of BIND
    run_until([&] { return b.refused.size() == 1 && peer->closed; }, "refused");
    assert_says(b.refused[0], "a frame announces 4097 bytes, 1 to 4096 are allowed");
    peer = raw_client(material().a);
    run_until([&] { return peer->shaken; }, "TLS is up");
    peer->write_tls(framed(FrameType::kBindRequest, encode(bind_from_a())));
    run_until([this] { return listener->up(); }, "bound");
    peer->write_tls(from_hex("00400001 0003 0000"));
    run_until([&] { return b.down.size() == 1 && peer->closed; }, "dropped");
    assert_says(b.down[0], "a frame announces 4194305 bytes");
    b.down.clear();
    assert_session_works();
  }

  void testFramesOutOfTurn() {
    listen();
    for (const char* frame :
         {"00000001 0003 0000 00", "00000001 0002 0000 00", "00000001 0009 0000 00", "00000001 0001 0001 00", "00000000 0001 0000"}) {
      const std::size_t before = b.refused.size();
      const auto peer = raw_client(material().a);
      run_until([&] { return peer->shaken; }, "TLS is up");
      peer->write_tls(from_hex(frame));
      run_until([&] { return b.refused.size() > before && peer->closed; }, "refused");
      assert_says(b.refused.back(), "broke the rules of the link");
    }
    const auto peer = raw_client(material().a);
    run_until([&] { return peer->shaken; }, "TLS is up");
    peer->write_tls(framed(FrameType::kBindRequest, encode(bind_from_a())));
    run_until([this] { return listener->up(); }, "bound");
    peer->write_tls(framed(FrameType::kBindRequest, encode(bind_from_a())));
    run_until([&] { return b.down.size() == 1 && peer->closed; }, "dropped");
    assert_says(b.down[0], "a frame out of turn");
  }

  void testBindOfAnotherLuOrVersion() {
    listen();
    const auto refused_with = [&](const Bytes& bind, const std::string& says) {
      const std::size_t before = b.refused.size();
      const auto peer = raw_client(material().a);
      run_until([&] { return peer->shaken; }, "TLS is up");
      peer->write_tls(framed(FrameType::kBindRequest, bind));
      run_until([&] { return peer->received.size() > kFrameHeadBytes && peer->closed && b.refused.size() > before; }, "refused");
      const auto response = decode_bind_response(std::span(peer->received).subspan(kFrameHeadBytes));
      CPPUNIT_ASSERT_MESSAGE(response.status.text(), response.good());
      CPPUNIT_ASSERT(!response.value.accepted);
      assert_says(response.value.reason, says);
      assert_says(b.refused.back(), says);
    };
    BindRequest bind = bind_from_a();
    bind.origin_lu = "SITEX.DSMLU";
    refused_with(encode(bind), "from LU SITEX.DSMLU to LU SITEB.DSMLU");
    bind = bind_from_a();
    bind.destination_lu = "SITEX.DSMLU";
    refused_with(encode(bind), "to LU SITEX.DSMLU");
    bind = bind_from_a();
    bind.version = 2;
    refused_with(encode(bind), "link version 2");
    Bytes damaged = encode(bind_from_a());
    damaged[72] ^= 1;
    refused_with(damaged, "CRC");
    CPPUNIT_ASSERT(b.binds.empty());
  }

  void testCertificateFilesThatCannotBeUsed() {
    const Material& m = material();
    const TlsFiles good = m.a;
    const auto refused = [&](const TlsFiles& files, const std::string& names, const std::string& file) {
      a.unusable.clear();
      b.unusable.clear();
      LuConnector bad(io, files, kLuA, LuAddress{kLuB, "127.0.0.1", 1}, a.handler(), bind_from_a, quick_times());
      CPPUNIT_ASSERT(bad.start().good());
      LuListener bad_listener(io, files, LuAddress{kLuA, "127.0.0.1", 0}, kLuB, b.handler());
      CPPUNIT_ASSERT(bad_listener.start().good());
      run_until([this] { return !a.unusable.empty() && !b.unusable.empty(); }, "both tell what they cannot use");
      assert_says(a.unusable.at(0), names);
      assert_says(a.unusable.at(0), file);
      CPPUNIT_ASSERT(a.unusable == b.unusable);
    };
    const std::string missing = m.directory.file("missing.pem"), text = m.directory.write("text.pem", "hello\n");
    const std::string empty = m.directory.write("empty.pem", "");
    const std::string broken = m.directory.write("broken.pem", "-----BEGIN CERTIFICATE-----\nQUJD\n-----END CERTIFICATE-----\n");
    refused({missing, good.key, good.authority}, "cannot be read", missing);
    refused({good.certificate, missing, good.authority}, "cannot be read", missing);
    refused({good.certificate, good.key, missing}, "cannot be read", missing);
    refused({text, good.key, good.authority}, "does not hold certificates", text);
    refused({broken, good.key, good.authority}, "does not hold certificates", broken);
    refused({empty, good.key, good.authority}, "empty", empty);
    refused({good.certificate, text, good.authority}, "does not hold a private key", text);
    refused({good.certificate, good.key, text}, "does not hold certificates", text);
    refused({good.certificate, m.b.key, good.authority}, "does not belong to the certificate", m.b.key);
    refused({m.x.certificate, m.x.key, good.authority}, "names LU SITEX.DSMLU, but this LU is SITEA.DSMLU", m.x.certificate);
    const TlsFiles old = m.authority.issue("expired", std::string("URI:lu:") + kLuA, -7200, -3600);
    refused(old, "expired at", old.certificate);
    const TlsFiles early = m.authority.issue("notyet", std::string("URI:lu:") + kLuA, 3600, 7200);
    refused(early, "valid only from", early.certificate);
    FILE* in = fopen(good.key.c_str(), "r");
    EVP_PKEY* key = PEM_read_PrivateKey(in, nullptr, nullptr, nullptr);
    fclose(in);
    const std::string locked = m.directory.file("locked.pem");
    FILE* out = fopen(locked.c_str(), "w");
    unsigned char phrase[] = "secret";
    PEM_write_PrivateKey(out, key, EVP_aes_128_cbc(), phrase, 6, nullptr, nullptr);
    fclose(out);
    EVP_PKEY_free(key);
    refused({good.certificate, locked, good.authority}, "pass phrase", locked);
    CPPUNIT_ASSERT(a.down.empty());
  }

  // What a certificate is worth may change while dsmd runs: it expires, it is renewed, a clock is set. Nothing has to be started again.
  void testFilesAreReadAnewForEveryConnection() {
    namespace fs = std::filesystem;
    const TemporaryDirectory directory;
    const TestAuthority authority(directory, "ca");
    const auto replace = [&](const TlsFiles& by, const TlsFiles& files) {
      fs::copy_file(by.certificate, files.certificate, fs::copy_options::overwrite_existing);
      fs::copy_file(by.key, files.key, fs::copy_options::overwrite_existing);
    };
    const auto in_use = [&](const std::string& lu) {
      return TlsFiles{directory.file("use." + lu + ".crt"), directory.file("use." + lu + ".key"), authority.authority_file()};
    };
    const auto uri = [](const std::string& lu) { return "URI:lu:" + lu; };
    for (const std::string lu : {kLuA, kLuB}) replace(authority.issue("old." + lu, uri(lu), -7200, -3600), in_use(lu));
    listener.emplace(io, in_use(kLuB), LuAddress{kLuB, "127.0.0.1", 0}, kLuA, b.handler(), quick_times());
    CPPUNIT_ASSERT(listener->start().good());
    connect_as(in_use(kLuA), kLuA, kLuB, listener->port());
    run_until([this] { return !a.unusable.empty() && !b.unusable.empty(); }, "both tell that they have expired");
    run_for(std::chrono::milliseconds(300));  // attempts that must not tell it again
    for (const std::string lu : {kLuA, kLuB}) replace(authority.issue("early." + lu, uri(lu), 3600, 7200), in_use(lu));
    run_until([this] { return a.unusable.size() > 1; }, "the connector tells that it is not yet valid");
    CPPUNIT_ASSERT(a.down.empty());
    replace(authority.issue_lu(kLuA), in_use(kLuA));
    run_until([this] { return a.down.size() > 2 && b.unusable.size() > 1; }, "the listener, now tried, tells the same and closes");
    replace(authority.issue_lu(kLuB), in_use(kLuB));
    run_until([this] { return connector->up() && listener->up(); }, "the session is up");
    for (const auto& told : {a.unusable, b.unusable}) {
      CPPUNIT_ASSERT_EQUAL(std::size_t{2}, told.size());
      assert_says(told[0], "expired at");
      assert_says(told[1], "valid only from");
    }
    // A session that is up does not notice.
    replace(authority.issue("old.again", uri(kLuA), -7200, -3600), in_use(kLuA));
    connector->drop("the test says so");
    run_until([this] { return a.unusable.size() > 2; }, "it has expired again");
    assert_says(a.unusable[2], "expired at");
    replace(authority.issue_lu(kLuA), in_use(kLuA));
    run_until([this] { return connector->up() && listener->up(); }, "the session is up again");
    CPPUNIT_ASSERT_EQUAL(std::size_t{3}, a.unusable.size());
  }

  void testNamesAndAddressesThatCannotBeUsed() {
    const auto connector_says = [&](const std::string& lu, const LuAddress& peer, const std::string& names) {
      LuConnector bad(io, material().a, lu, peer, a.handler(), bind_from_a);
      const Status status = bad.start();
      CPPUNIT_ASSERT(!status.good());
      assert_says(status.text(), names);
    };
    connector_says("sitea", {kLuB, "127.0.0.1", 1}, "'sitea' is not an LU name");
    connector_says(kLuA, {"A.B.C", "127.0.0.1", 1}, "'A.B.C' is not an LU name");
    connector_says(kLuA, {kLuB, "127.0.0.1", 0}, "no host or port");
    connector_says(kLuA, {kLuB, "", 1}, "no host or port");
    listen();
    LuListener second(io, material().b, LuAddress{kLuB, "127.0.0.1", listener->port()}, kLuA, b.handler());
    assert_says(second.start().text(), "cannot listen on 127.0.0.1:" + std::to_string(listener->port()));
    LuListener nowhere(io, material().b, LuAddress{kLuB, "192.0.2.1", 0}, kLuA, b.handler());
    assert_says(nowhere.start().text(), "cannot listen on 192.0.2.1");
    const std::string unknown(70, 'n');  // a label longer than DNS allows: refused without asking a name server
    connector.emplace(io, material().a, kLuA, LuAddress{kLuB, unknown, 7001}, a.handler(), bind_from_a, quick_times());
    CPPUNIT_ASSERT(connector->start().good());
    run_until([this] { return !a.down.empty(); }, "the name is not found");
    assert_says(a.down[0], "The host of " + unknown + ":7001 is not known");
  }

  void testScriptMakesCertificatesThatWork() {
    const TemporaryDirectory directory;
    const std::string made = directory.file("certs");
    const std::string script = std::string(TEST_SOURCE_DIR) + "/../samples/make-test-ca.sh";
    const auto run = [&](const std::string& arguments) {
      const int status = std::system(("sh '" + script + "' " + arguments + " >'" + directory.file("out") + "' 2>&1").c_str());
      return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
    };
    const auto files = [&](const std::string& lu) {
      return TlsFiles{made + "/" + lu + ".crt.pem", made + "/" + lu + ".key.pem", made + "/ca.crt.pem"};
    };
    CPPUNIT_ASSERT_EQUAL(0, run("'" + made + "' SITEA.DSMLU 'B$#@'"));
    namespace fs = std::filesystem;
    CPPUNIT_ASSERT(fs::status(files("B$#@").key).permissions() == (fs::perms::owner_read | fs::perms::owner_write));
    const auto before = fs::last_write_time(files("B$#@").certificate);
    CPPUNIT_ASSERT_EQUAL(0, run("'" + made + "' 'B$#@' SITEA.DSMLU THIRD"));
    CPPUNIT_ASSERT(before == fs::last_write_time(files("B$#@").certificate));
    CPPUNIT_ASSERT(fs::exists(files("THIRD").certificate));
    CPPUNIT_ASSERT_EQUAL(8, run("'" + made + "' lower"));
    CPPUNIT_ASSERT_EQUAL(8, run("'" + made + "'"));
    BindRequest bind = bind_from_a();
    bind.destination_lu = "B$#@";
    listener.emplace(io, files("B$#@"), LuAddress{"B$#@", "127.0.0.1", 0}, kLuA, b.handler(), quick_times());
    const Status listening = listener->start();
    CPPUNIT_ASSERT_MESSAGE(listening.text(), listening.good());
    connector.emplace(
        io, files(kLuA), kLuA, LuAddress{"B$#@", "127.0.0.1", listener->port()}, a.handler(), [bind] { return bind; }, quick_times());
    CPPUNIT_ASSERT(connector->start().good());
    run_until([this] { return connector->up() && listener->up(); }, "the session is up");
  }
};
CPPUNIT_TEST_SUITE_REGISTRATION(IntruderTest);

}  // namespace afterimage
