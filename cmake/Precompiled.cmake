# The library headers that most files include, compiled once (BOWERBIRD_PRECOMPILE). Only headers that change with a library's version:
# none of ours, and nothing that few files need.
file(CONFIGURE OUTPUT ${CMAKE_BINARY_DIR}/precompiled.cc CONTENT "// Holds the precompiled headers.\nint main() {}\n")
set(_precompiled
  <algorithm> <array> <atomic> <bit> <cmath> <cstdint> <filesystem> <functional> <map> <memory> <mutex> <numeric> <optional> <span> <string>
  <string_view> <thread> <utility> <variant> <vector>
  <fmt/format.h>
  <absl/container/flat_hash_map.h> <absl/container/flat_hash_set.h> <absl/status/statusor.h> <absl/synchronization/mutex.h>
  <google/protobuf/arena.h> <google/protobuf/extension_set.h> <google/protobuf/generated_message_reflection.h>
  <google/protobuf/generated_message_util.h> <google/protobuf/map.h> <google/protobuf/map_entry.h> <google/protobuf/map_field_inl.h>
  <google/protobuf/message.h> <google/protobuf/repeated_field.h> <google/protobuf/unknown_field_set.h>)

find_package(Python3 REQUIRED COMPONENTS Interpreter)
function(bowerbird_precompile target)
  cmake_parse_arguments(P "" "" "LIBS;HEADERS" ${ARGN})
  target_link_libraries(${target} PUBLIC bowerbird_options absl::flat_hash_map absl::statusor absl::synchronization fmt::fmt protobuf::libprotobuf ${P_LIBS})
  target_compile_options(${target} PRIVATE ${BOWERBIRD_PRECOMPILE_OPTIONS})
  target_precompile_headers(${target} PRIVATE ${_precompiled} ${P_HEADERS})
  # Without ccache, which is to know the outcome by what it was made of.
  set_target_properties(${target} PROPERTIES CXX_COMPILER_LAUNCHER "${Python3_EXECUTABLE};${CMAKE_SOURCE_DIR}/tools/precompile.py")
endfunction()
add_library(bowerbird_precompiled STATIC ${CMAKE_BINARY_DIR}/precompiled.cc)
bowerbird_precompile(bowerbird_precompiled)
if(BOWERBIRD_TESTS)
  # A program, as those that use it: its code is compiled for another place than that of a library.
  add_executable(bowerbird_precompiled_tests EXCLUDE_FROM_ALL ${CMAKE_BINARY_DIR}/precompiled.cc)
  bowerbird_precompile(bowerbird_precompiled_tests LIBS GTest::gmock HEADERS <gmock/gmock.h> <gtest/gtest.h>)
endif()
