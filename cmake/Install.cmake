# SPDX-License-Identifier: Apache-2.0
# `cmake --install build/release --prefix DIR`: library, headers, program, package files, manual, completions.
include(CMakePackageConfigHelpers)

install(TARGETS libspikestill EXPORT spikestill-targets LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR})
install(DIRECTORY ${PROJECT_SOURCE_DIR}/include/spikestill DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}
  FILES_MATCHING PATTERN "*.h")
install(FILES ${PROJECT_SOURCE_DIR}/LICENSE DESTINATION ${CMAKE_INSTALL_DOCDIR})

if(TARGET spikestill_program)
  # The installed program finds the library beside it, wherever the prefix is moved to.
  file(RELATIVE_PATH library_from_program ${CMAKE_INSTALL_FULL_BINDIR} ${CMAKE_INSTALL_FULL_LIBDIR})
  set_target_properties(spikestill_program PROPERTIES INSTALL_RPATH "$ORIGIN/${library_from_program}")
  install(TARGETS spikestill_program RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR})
endif()

# find_package(spikestill)
set(package_dir ${CMAKE_INSTALL_LIBDIR}/cmake/spikestill)
install(EXPORT spikestill-targets NAMESPACE spikestill:: DESTINATION ${package_dir})
write_basic_package_version_file(${PROJECT_BINARY_DIR}/spikestill-config-version.cmake COMPATIBILITY SameMinorVersion)
configure_package_config_file(${PROJECT_SOURCE_DIR}/cmake/spikestill-config.cmake.in
  ${PROJECT_BINARY_DIR}/spikestill-config.cmake INSTALL_DESTINATION ${package_dir})
install(FILES ${PROJECT_BINARY_DIR}/spikestill-config.cmake ${PROJECT_BINARY_DIR}/spikestill-config-version.cmake
  DESTINATION ${package_dir})

# pkg-config
file(RELATIVE_PATH prefix_from_pc ${CMAKE_INSTALL_FULL_LIBDIR}/pkgconfig ${CMAKE_INSTALL_PREFIX})
configure_file(${PROJECT_SOURCE_DIR}/cmake/spikestill.pc.in ${PROJECT_BINARY_DIR}/spikestill.pc @ONLY)
install(FILES ${PROJECT_BINARY_DIR}/spikestill.pc DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig)

# What there is of documents for the shell.
if(EXISTS ${PROJECT_SOURCE_DIR}/docs/man/spikestill.1)
  install(FILES ${PROJECT_SOURCE_DIR}/docs/man/spikestill.1 DESTINATION ${CMAKE_INSTALL_MANDIR}/man1)
endif()
set(completions ${PROJECT_SOURCE_DIR}/programs/spikestill/completions)
if(EXISTS ${completions}/spikestill.bash)
  install(FILES ${completions}/spikestill.bash DESTINATION ${CMAKE_INSTALL_DATADIR}/bash-completion/completions
    RENAME spikestill)
endif()
if(EXISTS ${completions}/_spikestill)
  install(FILES ${completions}/_spikestill DESTINATION ${CMAKE_INSTALL_DATADIR}/zsh/site-functions)
endif()
if(EXISTS ${completions}/spikestill.fish)
  install(FILES ${completions}/spikestill.fish DESTINATION ${CMAKE_INSTALL_DATADIR}/fish/vendor_completions.d)
endif()
