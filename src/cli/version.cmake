# Write OUT with the version, and the commit and dirty flag of the git checkout SOURCE ("unknown"
# without git, as in a release archive).
execute_process(COMMAND git -C ${SOURCE} rev-parse HEAD
  OUTPUT_VARIABLE commit RESULT_VARIABLE failed ERROR_QUIET OUTPUT_STRIP_TRAILING_WHITESPACE)
set(dirty 0)
if(failed)
  set(commit unknown)
else()
  execute_process(COMMAND git -C ${SOURCE} status --porcelain --untracked-files=no
    OUTPUT_VARIABLE changes ERROR_QUIET OUTPUT_STRIP_TRAILING_WHITESPACE)
  if(changes)
    set(dirty 1)
  endif()
endif()
file(WRITE ${OUT}.new "/* Made by version.cmake at every build. */
#define PSW_VERSION \"${VERSION}\"
#define PSW_COMMIT \"${commit}\"
#define PSW_DIRTY ${dirty}
#define PSW_COMPILER \"${COMPILER}\"
#define PSW_BUILD_FLAGS \"${FLAGS}\"
")
execute_process(COMMAND ${CMAKE_COMMAND} -E copy_if_different ${OUT}.new ${OUT})
