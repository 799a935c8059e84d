# Compiler, linker and cache: what is the same for every target.
if(NOT CMAKE_BUILD_TYPE)
  set(CMAKE_BUILD_TYPE RelWithDebInfo CACHE STRING "" FORCE)
endif()

find_program(CCACHE_PROGRAM ccache)
if(CCACHE_PROGRAM AND NOT CMAKE_CXX_COMPILER_LAUNCHER)
  set(CMAKE_CXX_COMPILER_LAUNCHER ${CMAKE_COMMAND} -E env CCACHE_BASEDIR=${CMAKE_SOURCE_DIR} CCACHE_NOHASHDIR=1 CCACHE_SLOPPINESS=pch_defines,time_macros CCACHE_PCH_EXTSUM=1 ${CCACHE_PROGRAM})
endif()
# What lets ccache know precompiled headers by what they say.
set(BOWERBIRD_PRECOMPILE_OPTIONS -fpch-preprocess)
if(CMAKE_CXX_COMPILER_ID STREQUAL "Clang")
  set(BOWERBIRD_PRECOMPILE_OPTIONS "SHELL:-Xclang -fno-pch-timestamp")
endif()
# Two thirds of a cold build are the same library headers, read again for each file. The builds precompile them; clang-tidy
# reads every file without (tools/tidy.py), so that each is known to include what it uses.
option(BOWERBIRD_PRECOMPILE "Precompile the library headers that most files include" OFF)
find_program(MOLD_PROGRAM mold)
if(MOLD_PROGRAM)
  add_link_options(-fuse-ld=mold)
endif()

add_library(bowerbird_options INTERFACE)
# SIMD kernels choose their instruction set at run time, so the baseline stays portable x86-64 / armv8.
target_compile_options(bowerbird_options INTERFACE -Wall -Wextra -Werror -Wno-missing-field-initializers -fno-omit-frame-pointer)
target_include_directories(bowerbird_options INTERFACE ${CMAKE_SOURCE_DIR}/src)
if(CMAKE_CXX_COMPILER_ID STREQUAL "Clang")
  target_compile_options(bowerbird_options INTERFACE -Wno-unused-command-line-argument)
endif()

if(BOWERBIRD_SANITIZE STREQUAL "address")
  # GCC takes its own instrumentation of std::function for reads of uninitialized memory, and library code that it has
  # precompiled for ours: the dev build warns of what these would.
  add_compile_options(-fsanitize=address,undefined -fno-sanitize-recover=undefined -Wno-maybe-uninitialized
                      -Wno-array-bounds -Wno-restrict -Wno-stringop-overflow)
  add_link_options(-fsanitize=address,undefined)
elseif(BOWERBIRD_SANITIZE STREQUAL "thread")
  # GCC warns that TSan does not see std::atomic_thread_fence; ours pairs with atomics that it does see.
  add_compile_options(-fsanitize=thread -Wno-tsan)
  add_link_options(-fsanitize=thread)
elseif(BOWERBIRD_SANITIZE)
  message(FATAL_ERROR "BOWERBIRD_SANITIZE is '${BOWERBIRD_SANITIZE}'; expected empty, address or thread")
endif()
