# Turns text files into C strings: cmake -DOUT=help_texts.h -DTEXTS="a.txt;b.txt" -P help.cmake.
# help/a.txt becomes HELP_A; any other text that is to be part of the program likewise.
set(all "/* Made from text files by help.cmake. */\n")
foreach(path ${TEXTS})
  get_filename_component(name ${path} NAME_WE)
  string(TOUPPER ${name} name)
  file(READ ${path} text)
  string(REPLACE "\\" "\\\\" text "${text}")
  string(REPLACE "\"" "\\\"" text "${text}")
  string(REPLACE "\n" "\\n\"\n    \"" text "${text}")
  string(APPEND all "static const char HELP_${name}[] =\n    \"${text}\";\n")
endforeach()
file(WRITE ${OUT} "${all}")
