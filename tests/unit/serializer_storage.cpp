// Common storage as a segment: made, shared, refused when it is another's, damaged, short or unfinished; made anew after a dead maker.
#include <cppunit/TestFixture.h>
#include <cppunit/extensions/HelperMacros.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include <csignal>
#include <random>

#include "serializer/clock.h"
#include "serializer/crc32c.h"
#include "serializer/storage_geometry.h"
#include "serializer_storage_fixture.h"

namespace afterimage {
namespace {

using testing::NamedSegment;
using testing::small_shape;

// The segment's bytes as another program would reach them.
class RawSegment {
 public:
  explicit RawSegment(const std::string& name, std::uint64_t size = 0) : name_("/" + name) {
    fd_ = ::shm_open(name_.c_str(), size != 0 ? O_RDWR | O_CREAT : O_RDWR, 0600);
    if (size != 0 && ::ftruncate(fd_, static_cast<off_t>(size)) != 0) throw std::runtime_error("ftruncate");
  }
  RawSegment(const RawSegment&) = delete;
  RawSegment& operator=(const RawSegment&) = delete;
  ~RawSegment() { ::close(fd_); }
  template <typename T>
  void put(std::size_t offset, T value) {
    CPPUNIT_ASSERT_EQUAL(static_cast<ssize_t>(sizeof value), ::pwrite(fd_, &value, sizeof value, static_cast<off_t>(offset)));
  }
  void cut_to(std::uint64_t size) { CPPUNIT_ASSERT_EQUAL(0, ::ftruncate(fd_, static_cast<off_t>(size))); }
  std::uint64_t size() {
    struct stat facts {};
    ::fstat(fd_, &facts);
    return static_cast<std::uint64_t>(facts.st_size);
  }
  std::uint64_t allocated() {
    struct stat facts {};
    ::fstat(fd_, &facts);
    return static_cast<std::uint64_t>(facts.st_blocks) * 512;
  }

 private:
  std::string name_;
  int fd_;
};

void refused(const Result<std::unique_ptr<CommonStorage>>& result, const std::string& part) {
  CPPUNIT_ASSERT(!result.good());
  CPPUNIT_ASSERT_MESSAGE(result.status.text(), result.status.text().find(part) != std::string::npos);
  CPPUNIT_ASSERT_EQUAL('.', result.status.text().back());
}

class Storage : public CppUnit::TestFixture {
  CPPUNIT_TEST_SUITE(Storage);
  CPPUNIT_TEST(testTwoAttachersShareOneSegment);
  CPPUNIT_TEST(testAllPagesAreAllocated);
  CPPUNIT_TEST(testTokensSurviveReopening);
  CPPUNIT_TEST(testNoSegment);
  CPPUNIT_TEST(testOtherLayoutIsRefusedByName);
  CPPUNIT_TEST(testOtherPlexIsRefused);
  CPPUNIT_TEST(testGarbageIsRefused);
  CPPUNIT_TEST(testTruncatedIsRefused);
  CPPUNIT_TEST(testEveryHeaderFieldIsJudged);
  CPPUNIT_TEST(testHeaderScribbledLaterChangesNothing);
  CPPUNIT_TEST(testShapesOutOfBounds);
  CPPUNIT_TEST(testShapesAtTheirBounds);
  CPPUNIT_TEST(testTooFewEntriesForTheDevicesAreRefused);
  CPPUNIT_TEST(testNoRoomIsASentence);
  CPPUNIT_TEST(testManyCreatorsAtOnce);
  CPPUNIT_TEST(testKilledCreators);
  CPPUNIT_TEST(testUnfinishedByALivingMaker);
  CPPUNIT_TEST(testOpeningWhileItIsEmptiedAndMadeAnew);
  CPPUNIT_TEST(testRemovedSegmentIsNoticed);
  CPPUNIT_TEST_SUITE_END();

 public:
  void testTwoAttachersShareOneSegment() {
    NamedSegment segment;
    auto first = CommonStorage::create_or_open(segment.name, small_shape(8));
    CPPUNIT_ASSERT_MESSAGE(first.status.text(), first.good());
    auto second = CommonStorage::open(segment.name);
    CPPUNIT_ASSERT_MESSAGE(second.status.text(), second.good());
    CPPUNIT_ASSERT(&first.value->control() != &second.value->control());
    first.value->control().epoch = 77;
    CPPUNIT_ASSERT_EQUAL(std::uint64_t{77}, second.value->control().epoch.load());
    CPPUNIT_ASSERT_EQUAL(first.value->header().storage_id, second.value->header().storage_id);
    CPPUNIT_ASSERT_EQUAL(8u, second.value->device_count());
    CPPUNIT_ASSERT_EQUAL(16u, second.value->chunk_count());
    CPPUNIT_ASSERT_EQUAL(std::uint64_t{16384 / 64}, second.value->map_words());
    second.value->unhardened_map(7)[255] = 5;
    CPPUNIT_ASSERT_EQUAL(std::uint64_t{5}, first.value->unhardened_map(7)[255].load());
    CPPUNIT_ASSERT_EQUAL(std::uint64_t{0}, first.value->change_map(7)[255].load());
    first.value->chunk(15)[kMinChunkBytes - 1] = 9;
    CPPUNIT_ASSERT_EQUAL(9u, static_cast<unsigned>(second.value->chunk(15)[kMinChunkBytes - 1]));
  }

  void testAllPagesAreAllocated() {
    NamedSegment segment;
    auto made = CommonStorage::create_or_open(segment.name, small_shape(8));
    CPPUNIT_ASSERT(made.good());
    RawSegment raw(segment.name);
    CPPUNIT_ASSERT_EQUAL(made.value->header().total_bytes, raw.size());
    CPPUNIT_ASSERT(raw.allocated() >= raw.size());
  }

  void testTokensSurviveReopening() {
    NamedSegment segment;
    {
      auto made = CommonStorage::create_or_open(segment.name, small_shape(8));
      CPPUNIT_ASSERT(made.good());
      made.value->control().acknowledged_through = 12345;
    }
    StorageShape other = small_shape(16, 32);
    auto again = CommonStorage::create_or_open(segment.name, other);
    CPPUNIT_ASSERT(again.good());
    CPPUNIT_ASSERT_EQUAL(std::uint64_t{12345}, again.value->control().acknowledged_through.load());
    CPPUNIT_ASSERT_EQUAL(16u, again.value->chunk_count());
  }

  void testNoSegment() {
    refused(CommonStorage::open(testing::own_segment_name()), "start dsmd");
    CPPUNIT_ASSERT(!CommonStorage::remove(testing::own_segment_name()));
    CPPUNIT_ASSERT_EQUAL("afterimage.PLEX1." + std::to_string(::geteuid()), CommonStorage::segment_name("PLEX1"));
    CPPUNIT_ASSERT_EQUAL(std::string("x"), CommonStorage::segment_name("PLEX1", "x"));
  }

  void testOtherLayoutIsRefusedByName() {
    NamedSegment segment;
    CPPUNIT_ASSERT(CommonStorage::create_or_open(segment.name, small_shape(8)).good());
    RawSegment raw(segment.name);
    CPPUNIT_ASSERT_EQUAL(std::size_t{8}, offsetof(StorageHeader, layout_version));  // in every layout
    raw.put<std::uint32_t>(offsetof(StorageHeader, layout_version), 99);
    raw.put(offsetof(StorageHeader, product_version), std::array<char, 16>{"9.3.0"});
    const std::string expected = "Common storage " + segment.name +
                                 " has layout 99 (made by Afterimage 9.3.0); this is " AFTERIMAGE_VERSION " with layout " +
                                 std::to_string(kLayoutVersion) + ": ";
    refused(CommonStorage::open(segment.name), expected);
    refused(CommonStorage::create_or_open(segment.name, small_shape(8)), expected);
  }

  void testOtherPlexIsRefused() {
    NamedSegment segment;
    CPPUNIT_ASSERT(CommonStorage::create_or_open(segment.name, small_shape(8)).good());
    StorageShape other = small_shape(8);
    other.plex = "OTHER";
    refused(CommonStorage::create_or_open(segment.name, other), "belongs to plex PLEXT");
    other.plex = "bad name";
    refused(CommonStorage::create_or_open(segment.name, other), "Plex name 'bad name'");
  }

  void testGarbageIsRefused() {
    NamedSegment segment;
    RawSegment raw(segment.name, 1 << 20);
    std::mt19937_64 random(3);
    for (std::size_t offset = 0; offset < 8192; offset += 8) raw.put<std::uint64_t>(offset, random() | 1);
    refused(CommonStorage::open(segment.name), "does not begin as common storage does");
    refused(CommonStorage::create_or_open(segment.name, small_shape(8)), "does not begin as common storage does");
    CPPUNIT_ASSERT_EQUAL(std::uint64_t{1 << 20}, raw.size());
    raw.cut_to(100);
    refused(CommonStorage::open(segment.name), "shorter (100 bytes)");
    refused(CommonStorage::create_or_open(segment.name, small_shape(8)), "shorter (100 bytes)");
  }

  void testTruncatedIsRefused() {
    NamedSegment segment;
    CPPUNIT_ASSERT(CommonStorage::create_or_open(segment.name, small_shape(8)).good());
    RawSegment raw(segment.name);
    const std::uint64_t whole = raw.size();
    raw.cut_to(whole - 4096);
    refused(CommonStorage::open(segment.name), "bytes where its header asks for " + std::to_string(whole));
    raw.cut_to(whole + 4096);
    refused(CommonStorage::open(segment.name), "bytes where its header asks for " + std::to_string(whole));
  }

  // Any one bit wrong in any count, size or offset is found before the value is used.
  void testEveryHeaderFieldIsJudged() {
    StorageHeader header{};
    std::memcpy(header.magic, kStorageMagic, sizeof header.magic);
    const auto geometry = geometry_for(small_shape(8));
    CPPUNIT_ASSERT(geometry.good());
    fill_header(geometry.value, header);
    const std::uint64_t bytes = geometry.value.total_bytes;
    CPPUNIT_ASSERT(geometry_of(header, bytes, "X").good());
    // Under a CRC made to fit, what is out of bounds or does not add up is still found; under the old one, any bit at all.
    const auto flip = [&](std::size_t bit) {
      reinterpret_cast<std::uint8_t*>(&header)[bit / 8] ^= static_cast<std::uint8_t>(1u << (bit % 8));
    };
    for (std::size_t bit = 0; bit < (offsetof(StorageHeader, crc) + sizeof header.crc) * 8; ++bit) {
      flip(bit);
      CPPUNIT_ASSERT_MESSAGE("bit " + std::to_string(bit), !geometry_of(header, bytes, "X").good());
      flip(bit);
    }
    const std::size_t map_field = offsetof(StorageHeader, map_bytes_per_device);
    for (std::size_t bit = offsetof(StorageHeader, total_bytes) * 8; bit < offsetof(StorageHeader, created) * 8; ++bit) {
      flip(bit);
      header.crc = crc32c(0, &header, offsetof(StorageHeader, crc));
      const auto judged = geometry_of(header, bytes, "X");
      // A map a little larger can hide in the rounding before the chunks; then it is that geometry, whole and within the segment.
      const bool hidden = bit / 8 >= map_field && bit / 8 < map_field + 8 && judged.good() && judged.value.total_bytes == bytes;
      CPPUNIT_ASSERT_MESSAGE("bit " + std::to_string(bit), hidden || !judged.good());
      flip(bit);
    }
    header.crc = crc32c(0, &header, offsetof(StorageHeader, crc));
    CPPUNIT_ASSERT(geometry_of(header, bytes, "X").good());
    header.header_bytes += 64;
    header.crc = crc32c(0, &header, offsetof(StorageHeader, crc));
    CPPUNIT_ASSERT(!geometry_of(header, bytes, "X").good());
  }

  void testHeaderScribbledLaterChangesNothing() {
    NamedSegment segment;
    auto made = CommonStorage::create_or_open(segment.name, small_shape(8));
    CPPUNIT_ASSERT(made.good());
    const auto* chunk = made.value->chunk(3);
    made.value->header().chunks_offset = 1ULL << 40;
    made.value->header().chunk_count = 1u << 30;
    CPPUNIT_ASSERT_EQUAL(chunk, static_cast<const std::uint8_t*>(made.value->chunk(3)));
    CPPUNIT_ASSERT_EQUAL(16u, made.value->chunk_count());
  }

  void testShapesOutOfBounds() {
    NamedSegment segment;
    const auto refuse = [&](auto change, const std::string& part) {
      StorageShape shape = small_shape(8);
      change(shape);
      refused(CommonStorage::create_or_open(segment.name, shape), part);
      CPPUNIT_ASSERT(!CommonStorage::remove(segment.name));
    };
    refuse([](StorageShape& s) { s.chunk_bytes = 4096; }, "Chunk size 4096");
    refuse([](StorageShape& s) { s.chunk_bytes = kMinChunkBytes + 1; }, "Chunk size");
    refuse([](StorageShape& s) { s.chunk_bytes = 2 * kChunkBytesLimit; }, "Chunk size");
    refuse([](StorageShape& s) { s.ring_bytes = kMinChunkBytes; }, "Ring size");
    refuse([](StorageShape& s) { s.ring_bytes = kMaxRingBytes + 1; }, "Ring size");
    refuse([](StorageShape& s) { s.max_tracks = kMaxTracks + 1; }, "tracks");
    refuse([](StorageShape& s) { s.devices = kMaxDevices + 1; }, "devices");
    refuse([](StorageShape& s) { s.sequence_entries = 1ULL << 40; }, "sequence entries");
  }

  void testShapesAtTheirBounds() {
    StorageShape largest = small_shape(0);
    largest.chunk_bytes = 3u << 20;  // does not divide the ring: the last, unfinished chunk is left out
    largest.ring_bytes = kMaxRingBytes;
    largest.max_tracks = 0;
    const auto geometry = geometry_for(largest);
    CPPUNIT_ASSERT_MESSAGE(geometry.status.text(), geometry.good());
    CPPUNIT_ASSERT_EQUAL(static_cast<std::uint32_t>(kMaxRingBytes / (3u << 20)), geometry.value.chunk_count);
    CPPUNIT_ASSERT(std::uint64_t{geometry.value.chunk_count} * geometry.value.chunk_bytes <= kMaxRingBytes);
    CPPUNIT_ASSERT_EQUAL(kMaxDevices, geometry.value.device_count);
    CPPUNIT_ASSERT(geometry.value.map_bytes * 8 >= kMaxTracks / 8);
  }

  void testTooFewEntriesForTheDevicesAreRefused() {
    StorageHeader header{};
    std::memcpy(header.magic, kStorageMagic, sizeof header.magic);
    auto geometry = geometry_for(small_shape(kMaxDevices));
    CPPUNIT_ASSERT(geometry.good());
    geometry.value.sequence_entries = kMinSequenceEntries;
    fill_header(geometry.value, header);
    const auto judged = geometry_of(header, geometry.value.total_bytes, "X");
    CPPUNIT_ASSERT(!judged.good());
    CPPUNIT_ASSERT(judged.status.text().find("the number of sequence entries") != std::string::npos);
  }

  // A file size limit stands for a full /dev/shm: the pages are refused at creation, with a sentence, and nothing is left behind.
  void testNoRoomIsASentence() {
    NamedSegment segment;
    const pid_t child = ::fork();
    if (child == 0) {
      ::signal(SIGXFSZ, SIG_IGN);
      const rlimit limit{1 << 20, 1 << 20};
      ::setrlimit(RLIMIT_FSIZE, &limit);
      const auto made = CommonStorage::create_or_open(segment.name, small_shape(8));
      const bool told = !made.good() && made.status.text().find("MiB of the host's shared memory") != std::string::npos;
      ::_exit(told ? 0 : 1);
    }
    int status = 0;
    ::waitpid(child, &status, 0);
    CPPUNIT_ASSERT_EQUAL(0, status);
    CPPUNIT_ASSERT(!CommonStorage::remove(segment.name));
  }

  // Processes that make the same segment at the same moment all get the same one.
  void testManyCreatorsAtOnce() {
    auto* ids = static_cast<std::atomic<std::uint64_t>*>(::mmap(nullptr, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0));
    for (int round = 0; round < 10; ++round) {
      NamedSegment segment;
      std::vector<pid_t> children;
      for (int i = 0; i < 6; ++i) {
        children.push_back(::fork());
        if (children.back() != 0) continue;
        auto made = CommonStorage::create_or_open(segment.name, small_shape(8, 4));
        if (made.good()) ids[i] = made.value->header().storage_id;
        ::_exit(made.good() ? 0 : 1);
      }
      for (const pid_t child : children) {
        int status = 0;
        ::waitpid(child, &status, 0);
        CPPUNIT_ASSERT_EQUAL(0, status);
      }
      for (int i = 1; i < 6; ++i) CPPUNIT_ASSERT_EQUAL(ids[0].load(), ids[i].load());
    }
    ::munmap(ids, 4096);
  }

  // A maker killed at any moment leaves a segment that open() refuses or finds whole, without hanging, and the next maker repairs it.
  void testKilledCreators() {
    NamedSegment segment;
    std::mt19937 random(4);
    unsigned unfinished = 0;
    for (int round = 0; round < 60 || (unfinished == 0 && round < 3000); ++round) {  // on a busy machine a maker is often done first
      const pid_t child = ::fork();
      if (child == 0) {
        const auto made = CommonStorage::create_or_open(segment.name, small_shape(8, 32));
        ::_exit(made.good() ? 0 : 1);
      }
      const std::uint64_t until_us = monotonic_us() + random() % 6000;
      while (monotonic_us() < until_us) ::sched_yield();
      ::kill(child, SIGKILL);
      int status = 0;
      ::waitpid(child, &status, 0);
      const auto opened = CommonStorage::open(segment.name);
      if (!opened.good()) {
        ++unfinished;
        const bool known =
            opened.status.text().find("There is no") == 0 || opened.status.text().find("was not finished") != std::string::npos;
        CPPUNIT_ASSERT_MESSAGE(opened.status.text(), known);
      }
      const auto made = CommonStorage::create_or_open(segment.name, small_shape(8, 32));
      CPPUNIT_ASSERT_MESSAGE(made.status.text(), made.good());
      CPPUNIT_ASSERT(CommonStorage::open(segment.name).good());
      CommonStorage::remove(segment.name);
    }
    CPPUNIT_ASSERT_MESSAGE("no round killed a maker in time", unfinished > 0);
  }

  void testUnfinishedByALivingMaker() {
    NamedSegment segment;
    RawSegment raw(segment.name, 1 << 20);
    refused(CommonStorage::open(segment.name), "was not finished");
    const auto made = CommonStorage::create_or_open(segment.name, small_shape(8));
    CPPUNIT_ASSERT_MESSAGE(made.status.text(), made.good());
    CPPUNIT_ASSERT_EQUAL(raw.size(), made.value->header().total_bytes);
  }

  // What a dead maker left has its full length and is not ready; the next maker empties it first. Whoever looks at it meanwhile must not
  // touch pages that are no longer there: a SIGBUS would end a Hercules with its guest.
  void testOpeningWhileItIsEmptiedAndMadeAnew() {
    constexpr int kOpenings = 3000;
    NamedSegment segment;
    RawSegment raw(segment.name, 1 << 20);
    auto* memory = ::mmap(nullptr, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    CPPUNIT_ASSERT(memory != MAP_FAILED);
    auto& refusals = *new (memory) std::atomic<int>{0};
    const pid_t child = ::fork();
    if (child == 0) {
      for (int i = 0; i < kOpenings; ++i)
        if (!CommonStorage::open(segment.name).good()) ++refusals;
      ::_exit(0);
    }
    int status = 0;
    while (::waitpid(child, &status, WNOHANG) == 0) {
      raw.cut_to(0);
      raw.cut_to(1 << 20);
    }
    const int refused_times = refusals;
    ::munmap(memory, 4096);
    CPPUNIT_ASSERT_EQUAL(0, status);
    CPPUNIT_ASSERT_EQUAL(kOpenings, refused_times);
  }

  void testRemovedSegmentIsNoticed() {
    NamedSegment segment;
    auto made = CommonStorage::create_or_open(segment.name, small_shape(8));
    CPPUNIT_ASSERT(made.value->still_named());
    CPPUNIT_ASSERT(CommonStorage::remove(segment.name));
    CPPUNIT_ASSERT(!made.value->still_named());
    CPPUNIT_ASSERT(register_system(*made.value, "HERC1").status.text().find("has been removed") != std::string::npos);
    auto anew = CommonStorage::create_or_open(segment.name, small_shape(8));
    CPPUNIT_ASSERT(anew.good());
    CPPUNIT_ASSERT(!made.value->still_named());
    CPPUNIT_ASSERT(register_system(*made.value, "HERC1").status.text().find("made anew") != std::string::npos);
  }
};

CPPUNIT_TEST_SUITE_REGISTRATION(Storage);

}  // namespace
}  // namespace afterimage
