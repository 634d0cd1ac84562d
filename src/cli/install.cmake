# What `cmake --install` makes: the program, which finds its libraries again when they lie outside the
# system's folders (modules, Spack, a home folder), the sweeps, and the job script. Included before
# the program's target is made.
include(GNUInstallDirs)
set(CMAKE_INSTALL_RPATH_USE_LINK_PATH ON)
