# Library sim_disk (the simulated disk and the calls led to it), and afterimage_simulated_files(TARGET), which links a test program so that the
# file calls of the product's libraries go there.
add_library(sim_disk STATIC
  ${CMAKE_CURRENT_LIST_DIR}/sim_content.cpp ${CMAKE_CURRENT_LIST_DIR}/sim_inode.cpp ${CMAKE_CURRENT_LIST_DIR}/sim_disk.cpp
  ${CMAKE_CURRENT_LIST_DIR}/sim_disk_calls.cpp ${CMAKE_CURRENT_LIST_DIR}/sim_image.cpp)
target_link_libraries(sim_disk PUBLIC channel)
set(AFTERIMAGE_SIM_POSIX ${CMAKE_CURRENT_LIST_DIR}/sim_posix.cpp)

set(AFTERIMAGE_WRAPPED_CALLS
  open openat close read write pread pwrite lseek fsync fdatasync ftruncate posix_fallocate rename unlink link mkdir access stat lstat fstat
  statvfs flock fcntl opendir getrandom)

function(afterimage_simulated_files target)
  target_sources(${target} PRIVATE ${AFTERIMAGE_SIM_POSIX})
  target_link_libraries(${target} PRIVATE sim_disk)
  foreach(call IN LISTS AFTERIMAGE_WRAPPED_CALLS)
    target_link_options(${target} PRIVATE -Wl,--wrap=${call})
  endforeach()
endfunction()

add_executable(unit_sim_disk ${CMAKE_CURRENT_LIST_DIR}/../unit/main.cpp ${CMAKE_CURRENT_LIST_DIR}/sim_disk_test.cpp
                             ${CMAKE_CURRENT_LIST_DIR}/sim_posix_test.cpp ${CMAKE_CURRENT_LIST_DIR}/sim_product_test.cpp)
target_compile_options(unit_sim_disk PRIVATE -Wno-conversion)
target_link_libraries(unit_sim_disk PRIVATE service ${CPPUNIT_LIBRARY})
afterimage_simulated_files(unit_sim_disk)
add_test(NAME unit_sim_disk COMMAND unit_sim_disk)
