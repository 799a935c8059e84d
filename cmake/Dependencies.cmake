# System packages first (tools/apt-packages.txt installs them on Debian and Ubuntu). Each third-party library is found once, here.
find_package(Threads REQUIRED)
find_package(absl REQUIRED)
find_package(Protobuf REQUIRED)
find_package(gRPC REQUIRED)
# Debian's re2, by way of gRPC, asks for -pthread at each compilation, which glibc 2.34 and newer have no need of, and
# which makes precompiled headers be refused.
if(TARGET re2::re2)
  set_target_properties(re2::re2 PROPERTIES INTERFACE_COMPILE_OPTIONS "")
endif()
find_package(RocksDB REQUIRED)
find_package(simdjson REQUIRED)
find_package(fmt REQUIRED)
find_package(spdlog REQUIRED)
find_package(tomlplusplus REQUIRED)
find_package(prometheus-cpp REQUIRED)
find_package(hwy REQUIRED)
find_package(ZLIB REQUIRED)
find_package(GTest REQUIRED)
find_package(benchmark REQUIRED)
find_package(Boost 1.81 REQUIRED)
find_package(OpenSSL 3 REQUIRED)
find_package(PkgConfig REQUIRED)
pkg_check_modules(RDKAFKA REQUIRED IMPORTED_TARGET rdkafka)
pkg_check_modules(SODIUM REQUIRED IMPORTED_TARGET libsodium)
pkg_check_modules(ZSTD REQUIRED IMPORTED_TARGET libzstd)
pkg_check_modules(XXHASH REQUIRED IMPORTED_TARGET libxxhash)
pkg_check_modules(JEMALLOC REQUIRED IMPORTED_TARGET jemalloc)

# Arrow C++ (Parquet) comes inside the pyarrow wheel of the build folder's virtual environment.
set(BOWERBIRD_VENV ${CMAKE_SOURCE_DIR}/build/venv CACHE PATH "Virtual environment with the wheels of tools/requirements.txt")
include(FindPyArrow)
# DuckDB answers SQL over the lake, in a program of its own (docs/decisions/0050-lake.md).
include(FindDuckDB)
