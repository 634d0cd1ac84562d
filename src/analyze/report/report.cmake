# The files of the page, built in. Charts are drawn by Vega where its modules are (Debian:
# libjs-vega); without them the page has pictures.
option(PSW_VEGA "build Vega into the page of `posweep report` if it is here" ON)
find_path(PSW_VEGA_DIR vega-view.min.js PATHS /usr/share/javascript /usr/local/share/javascript
  PATH_SUFFIXES vega)
set(PSW_PAGE_ASSETS)
foreach(name page.css page_decode.js page_charts.js page_figures.js page.js page_rest.js forest.json lines.json scatter.json vega_notice.txt)
  list(APPEND PSW_PAGE_ASSETS ${CMAKE_CURRENT_SOURCE_DIR}/report/${name})
endforeach()
set(PSW_PAGE_VEGA)
if(PSW_VEGA AND PSW_VEGA_DIR)
  set(PSW_PAGE_VEGA "-DVEGA=${PSW_VEGA_DIR}")
endif()
set(PSW_PAGE_ASSETS_C ${CMAKE_CURRENT_BINARY_DIR}/page_assets.c)
add_custom_command(OUTPUT ${PSW_PAGE_ASSETS_C}
  COMMAND ${CMAKE_COMMAND} -DOUT=${PSW_PAGE_ASSETS_C} "-DFILES=${PSW_PAGE_ASSETS}" ${PSW_PAGE_VEGA}
    -P ${CMAKE_CURRENT_SOURCE_DIR}/report/assets.cmake
  DEPENDS ${PSW_PAGE_ASSETS} ${CMAKE_CURRENT_SOURCE_DIR}/report/assets.cmake VERBATIM)
set(PSW_PAGE_SOURCES)
foreach(name chart html page page_answer page_bands page_blocks page_claims page_compare page_data page_next page_pack page_samples page_spectrum page_stills page_tables page_thirds)
  list(APPEND PSW_PAGE_SOURCES report/${name}.c)
endforeach()
target_sources(psw_analyze PRIVATE ${PSW_PAGE_SOURCES} ${PSW_PAGE_ASSETS_C})
target_include_directories(psw_analyze PRIVATE report)
target_link_libraries(psw_analyze PUBLIC PkgConfig::JANSSON)
