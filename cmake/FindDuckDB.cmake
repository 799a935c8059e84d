# DuckDB's C library: the system's, if it has one, else what `./dev setup` left in BOWERBIRD_DUCKDB. Defines duckdb::duckdb.
set(BOWERBIRD_DUCKDB ${CMAKE_SOURCE_DIR}/build/duckdb CACHE PATH "Folder with duckdb.h and libduckdb.so")
find_path(DUCKDB_INCLUDE_DIR duckdb.h HINTS ${BOWERBIRD_DUCKDB})
find_library(DUCKDB_LIBRARY duckdb HINTS ${BOWERBIRD_DUCKDB})
if(NOT DUCKDB_INCLUDE_DIR OR NOT DUCKDB_LIBRARY)
  message(FATAL_ERROR "DuckDB is neither installed nor in ${BOWERBIRD_DUCKDB}: run ./dev setup")
endif()
add_library(duckdb::duckdb SHARED IMPORTED)
set_target_properties(duckdb::duckdb PROPERTIES IMPORTED_LOCATION ${DUCKDB_LIBRARY} INTERFACE_INCLUDE_DIRECTORIES ${DUCKDB_INCLUDE_DIR})
