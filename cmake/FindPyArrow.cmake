# Arrow C++ as shipped in the pyarrow wheel: headers and versioned libraries, no CMake config. Defines pyarrow::arrow, pyarrow::parquet and pyarrow::arrow_s3.
file(GLOB _pyarrow_roots ${BOWERBIRD_VENV}/lib/python3*/site-packages/pyarrow)
list(GET _pyarrow_roots 0 PYARROW_ROOT)
file(GLOB _arrow_library ${PYARROW_ROOT}/libarrow.so.*)
if(NOT _arrow_library)
  message(FATAL_ERROR "pyarrow is not in ${BOWERBIRD_VENV}: run ./dev setup")
endif()
string(REGEX REPLACE ".*libarrow\\.so\\.([0-9]+).*" "\\1" _arrow_version "${_arrow_library}")
foreach(_name arrow parquet arrow_s3)
  add_library(pyarrow::${_name} SHARED IMPORTED)
  set_target_properties(pyarrow::${_name} PROPERTIES
    IMPORTED_LOCATION ${PYARROW_ROOT}/lib${_name}.so.${_arrow_version}
    INTERFACE_INCLUDE_DIRECTORIES ${PYARROW_ROOT}/include)
endforeach()
set_target_properties(pyarrow::parquet pyarrow::arrow_s3 PROPERTIES INTERFACE_LINK_LIBRARIES pyarrow::arrow)
