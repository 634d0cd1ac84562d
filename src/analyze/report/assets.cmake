# Turns files into one C table: cmake -DOUT=page_assets.c -DFILES="a.css;b.js" [-DVEGA=folder] -P
# assets.cmake. With VEGA, the folder of Vega's modules, the table has a row vega.js besides: the
# modules in one script, each wrapped so that it finds the others by name.
set(table)
set(all "/* Made from the files in src/analyze/report. */\n#include \"page_internal.h\"\n\n")

function(add_asset name hex)
  string(LENGTH "${hex}" n)
  math(EXPR n "${n} / 2")
  string(REGEX REPLACE "[^a-z0-9]" "_" id "${name}")
  string(REGEX REPLACE "(..)" "0x\\1," bytes "${hex}")
  set(all "${all}static const unsigned char ${id}[] = {${bytes}0};\n" PARENT_SCOPE)
  set(table "${table}    {\"${name}\", ${id}, ${n}},\n" PARENT_SCOPE)
endfunction()

foreach(path ${FILES})
  get_filename_component(name ${path} NAME)
  file(READ ${path} hex HEX)
  add_asset(${name} "${hex}")
endforeach()

if(VEGA)
  # What runs in a browser; the two that others ask for and that have no file here draw maps.
  set(MODULES util time format loader statistics dataflow transforms scale canvas scenegraph
    view-transforms encode expression event-selector functions runtime view parser selection)
  set(bundle ${OUT}.vega.js)
  file(WRITE ${bundle} "var psw_vega=(function(){var made={},all={};\n")
  file(APPEND ${bundle} "function need(n){if(n==='vega-selections')n='vega-selection';\n")
  file(APPEND ${bundle} "if(!made[n]){var m={exports:{}};made[n]=m;if(all[n])all[n](m,m.exports,need);}\n")
  file(APPEND ${bundle} "return made[n].exports;}\n")
  foreach(module ${MODULES})
    file(READ ${VEGA}/vega-${module}.min.js text)
    string(REGEX REPLACE "//# sourceMappingURL=[^\n]*" "" text "${text}")
    file(APPEND ${bundle} "all['vega-${module}']=function(module,exports,require){${text}\n};\n")
  endforeach()
  file(APPEND ${bundle} "return need;})();\n")
  file(READ ${bundle} hex HEX)
  add_asset(vega.js "${hex}")
endif()

file(WRITE ${OUT} "${all}\nconst struct psw_page_asset PSW_PAGE_ASSETS[] = {\n${table}    {0, 0, 0}};\n")
