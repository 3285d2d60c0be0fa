# How every target of Carnet is declared: carnet_library, carnet_proto_library, carnet_executable,
# carnet_test, carnet_fuzz.
set(CMAKE_CXX_STANDARD 20)
set(CMAKE_CXX_STANDARD_REQUIRED ON)
set(CMAKE_CXX_EXTENSIONS OFF)
set(CMAKE_POSITION_INDEPENDENT_CODE OFF)
set(CMAKE_EXPORT_COMPILE_COMMANDS ON)

find_program(CCACHE_PROGRAM ccache)
if(CCACHE_PROGRAM AND NOT CMAKE_CXX_COMPILER_LAUNCHER)
  # Paths relative to the source tree, so that build folders and clones share what they compiled.
  set(CMAKE_CXX_COMPILER_LAUNCHER
      ${CMAKE_COMMAND} -E env CCACHE_BASEDIR=${CMAKE_SOURCE_DIR} CCACHE_NOHASHDIR=1
      CCACHE_SLOPPINESS=pch_defines,time_macros,include_file_mtime,include_file_ctime
      ${CCACHE_PROGRAM})
endif()

add_library(carnet_options INTERFACE)
target_include_directories(carnet_options INTERFACE ${CMAKE_SOURCE_DIR})
target_compile_options(carnet_options INTERFACE
  -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wnon-virtual-dtor -Wold-style-cast -Werror
  # The same bits on every x86-64: no fused multiply-add, no reassociation (docs/architecture.md).
  -ffp-contract=off
  $<$<CXX_COMPILER_ID:Clang>:-Wthread-safety>)

include(${CMAKE_CURRENT_LIST_DIR}/Precompiled.cmake)

# carnet_library(name [GRPC_PCH] SRCS ... HDRS ... DEPS ... PRIVATE_DEPS ... PCH ...)
# DEPS is what our headers include; PRIVATE_DEPS is what only our .cc files include. GRPC_PCH for
# targets whose sources mostly include <grpcpp/grpcpp.h>; PCH for other costly headers.
function(carnet_library name)
  cmake_parse_arguments(PARSE_ARGV 1 ARG "GRPC_PCH" "" "SRCS;HDRS;DEPS;PRIVATE_DEPS;PCH")
  add_library(carnet_${name} STATIC ${ARG_SRCS})
  add_library(carnet::${name} ALIAS carnet_${name})
  target_sources(carnet_${name} PUBLIC FILE_SET HEADERS BASE_DIRS ${PROJECT_SOURCE_DIR} FILES ${ARG_HDRS})
  target_link_libraries(carnet_${name} PUBLIC ${ARG_DEPS} PRIVATE ${ARG_PRIVATE_DEPS} carnet_options)
  target_include_directories(carnet_${name} PUBLIC ${CMAKE_SOURCE_DIR})
  set_target_properties(carnet_${name} PROPERTIES VERIFY_INTERFACE_HEADER_SETS ON)
  if(ARG_GRPC_PCH)
    carnet_reuse_pch(carnet_${name} carnet_grpc_pch)
  elseif(ARG_PCH)
    carnet_own_pch(carnet_${name} ${ARG_PCH})
  endif()
endfunction()

# carnet_executable(name [GRPC_PCH] SRCS ... DEPS ...): a program, left at the top of the build folder.
function(carnet_executable name)
  cmake_parse_arguments(PARSE_ARGV 1 ARG "GRPC_PCH" "" "SRCS;DEPS")
  add_executable(${name} ${ARG_SRCS})
  target_link_libraries(${name} PRIVATE ${ARG_DEPS} carnet_options)
  set_target_properties(${name} PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR})
  if(ARG_GRPC_PCH)
    carnet_reuse_pch(${name} carnet_grpc_pch)
  endif()
endfunction()

# carnet_proto_library(name [GRPC] PROTOS ... DEPS ...): generated headers are SYSTEM includes,
# compiled without our warnings.
function(carnet_proto_library name)
  cmake_parse_arguments(PARSE_ARGV 1 ARG "GRPC" "" "PROTOS;DEPS")
  set(root ${CMAKE_CURRENT_SOURCE_DIR})
  set(out ${CMAKE_BINARY_DIR}/gen/${name})
  file(MAKE_DIRECTORY ${out})
  foreach(proto ${ARG_PROTOS})
    string(REGEX REPLACE "\\.proto$" "" stem ${proto})
    if(ARG_GRPC)
      set(outputs ${out}/${stem}.grpc.pb.cc ${out}/${stem}.grpc.pb.h)
      set(flags --grpc_out=${out} --plugin=protoc-gen-grpc=$<TARGET_FILE:gRPC::grpc_cpp_plugin>)
    else()
      set(outputs ${out}/${stem}.pb.cc ${out}/${stem}.pb.h)
      set(flags --cpp_out=${out})
    endif()
    file(GLOB_RECURSE all_protos CONFIGURE_DEPENDS ${root}/*.proto)
    add_custom_command(OUTPUT ${outputs}
      COMMAND protobuf::protoc -I${root} ${flags} ${root}/${proto}
      DEPENDS ${all_protos} VERBATIM)
    list(APPEND sources ${outputs})
  endforeach()
  add_library(carnet_${name} STATIC ${sources})
  add_library(carnet::${name} ALIAS carnet_${name})
  target_include_directories(carnet_${name} SYSTEM PUBLIC ${out})
  target_link_libraries(carnet_${name} PUBLIC ${ARG_DEPS})
  if(ARG_GRPC)
    carnet_reuse_pch(carnet_${name} carnet_grpc_pch)
  endif()
endfunction()

# What scripts/test --full builds with ThreadSanitizer (gRPC has no hooks for it), and with libFuzzer.
add_custom_target(carnet_nogrpc_tests)
add_custom_target(carnet_fuzzers)

# carnet_test(name [GRPC_PCH|NO_PCH] SRCS ... DEPS ... [LABELS ...] [TIMEOUT seconds] [PROPERTIES ...])
# One Catch2 program; each TEST_CASE is a ctest test. A test that matches nothing or asserts nothing
# fails. NO_PCH for sources that set CATCH_CONFIG_* themselves.
function(carnet_test name)
  cmake_parse_arguments(PARSE_ARGV 1 ARG "GRPC_PCH;NO_PCH" "TIMEOUT" "SRCS;DEPS;LABELS;PROPERTIES")
  if(NOT ARG_TIMEOUT)
    set(ARG_TIMEOUT 60)
  endif()
  add_executable(${name} ${ARG_SRCS})
  target_link_libraries(${name} PRIVATE carnet_test_main ${ARG_DEPS} carnet_options)
  if(ARG_GRPC_PCH)
    carnet_reuse_pch(${name} carnet_grpc_pch)
  elseif(NOT ARG_NO_PCH)
    carnet_reuse_pch(${name} carnet_test_pch)
  endif()
  catch_discover_tests(${name} TEST_PREFIX "${name}/" TEST_LIST ${name}_tests
    EXTRA_ARGS --warn NoAssertions PROPERTIES TIMEOUT ${ARG_TIMEOUT} ${ARG_PROPERTIES})
  # catch_discover_tests flattens lists, and labels are one: these are set when ctest reads the tests.
  set(properties_file ${CMAKE_CURRENT_BINARY_DIR}/${name}_properties.cmake)
  file(CONFIGURE OUTPUT ${properties_file} @ONLY CONTENT
"foreach(test IN LISTS @name@_tests)
  set_tests_properties(\"\${test}\" PROPERTIES
    LABELS \"@ARG_LABELS@\" FAIL_REGULAR_EXPRESSION \"No tests ran\")
endforeach()
")
  set_property(DIRECTORY APPEND PROPERTY TEST_INCLUDE_FILES ${properties_file})
  if("nogrpc" IN_LIST ARG_LABELS)
    add_dependencies(carnet_nogrpc_tests ${name})
  endif()
endfunction()

# carnet_fuzz(name SRCS ... DEPS ... [TIMEOUT seconds]): SRCS define LLVMFuzzerTestOneInput. With the fuzz
# preset a libFuzzer program; otherwise a program that replays tests/fuzz/corpus/<name>/ as one ctest
# test, which fails when the corpus is empty.
function(carnet_fuzz name)
  cmake_parse_arguments(PARSE_ARGV 1 ARG "" "TIMEOUT" "SRCS;DEPS")
  if(NOT ARG_TIMEOUT)
    set(ARG_TIMEOUT 60)
  endif()
  add_executable(fuzz_${name} ${ARG_SRCS})
  target_link_libraries(fuzz_${name} PRIVATE ${ARG_DEPS} carnet_options)
  set_target_properties(fuzz_${name} PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/fuzzers)
  if(CARNET_FUZZ)
    target_link_options(fuzz_${name} PRIVATE -fsanitize=fuzzer)
    add_dependencies(carnet_fuzzers fuzz_${name})
    return()
  endif()
  target_sources(fuzz_${name} PRIVATE ${CMAKE_SOURCE_DIR}/tests/fuzz/replay_main.cc)
  set(test "fuzz_${name}/replays its corpus")
  add_test(NAME ${test} COMMAND fuzz_${name} ${CMAKE_SOURCE_DIR}/tests/fuzz/corpus/${name})
  set_tests_properties(${test} PROPERTIES TIMEOUT ${ARG_TIMEOUT} LABELS "fuzz;nogrpc")
  add_dependencies(carnet_nogrpc_tests fuzz_${name})
endfunction()
