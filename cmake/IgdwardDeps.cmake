# The libraries igdward is built on. Gives these targets
#
#   PkgConfig::LIBMNL  PkgConfig::LIBNFTNL  PkgConfig::JANSSON
#   PkgConfig::LIBSECCOMP  PkgConfig::LIBCAPNG
#   igdward_libupnp     #include <upnp/upnp.h>; libupnp, libixml and threads
#
# and the variable IGDWARD_LIBUPNP_VERSION.

option(IGDWARD_UNTESTED_LIBUPNP
	"Accept libupnp 1.15 and later, which igdward has not been tested with" OFF)

find_package(PkgConfig REQUIRED)
find_package(Threads REQUIRED)

pkg_check_modules(LIBMNL REQUIRED IMPORTED_TARGET libmnl)
pkg_check_modules(LIBNFTNL REQUIRED IMPORTED_TARGET libnftnl)
pkg_check_modules(JANSSON REQUIRED IMPORTED_TARGET jansson)
pkg_check_modules(LIBSECCOMP REQUIRED IMPORTED_TARGET libseccomp)
pkg_check_modules(LIBCAPNG REQUIRED IMPORTED_TARGET libcap-ng)

# ---- libupnp -------------------------------------------------------------------
#
# Asked for anew at each configure and not through CMake's cache: after scripts/setup
# has built a newer libupnp the same build folder must find that one. The version is
# pkg-config's, because CMake builds of 1.14 say 17.2.0 in UPNP_VERSION and to
# find_package(UPNP).

# Order of search: the caller's PKG_CONFIG_PATH, what scripts/setup built, the system.
set(_igdward_pc_path "$ENV{PKG_CONFIG_PATH}")
set(_igdward_pc_ours "${CMAKE_SOURCE_DIR}/build/deps/lib/pkgconfig")
if(EXISTS "${_igdward_pc_ours}/libupnp.pc")
	string(APPEND _igdward_pc_path ":${_igdward_pc_ours}")
endif()

function(igdward_ask_pkg_config ret_answer)
	execute_process(
		COMMAND "${CMAKE_COMMAND}" -E env "PKG_CONFIG_PATH=${_igdward_pc_path}"
			"${PKG_CONFIG_EXECUTABLE}" ${ARGN} libupnp
		OUTPUT_VARIABLE answer OUTPUT_STRIP_TRAILING_WHITESPACE ERROR_QUIET)
	set(${ret_answer} "${answer}" PARENT_SCOPE)
endfunction()

igdward_ask_pkg_config(IGDWARD_LIBUPNP_VERSION --modversion)
if(NOT IGDWARD_LIBUPNP_VERSION)
	set(_igdward_refusal "not found")
elseif(IGDWARD_LIBUPNP_VERSION VERSION_LESS 1.14.18)
	set(_igdward_refusal "${IGDWARD_LIBUPNP_VERSION} found, which is too old")
elseif(IGDWARD_LIBUPNP_VERSION VERSION_GREATER_EQUAL 1.15 AND NOT IGDWARD_UNTESTED_LIBUPNP)
	string(CONCAT _igdward_refusal "${IGDWARD_LIBUPNP_VERSION} found, which is untested "
		"(-DIGDWARD_UNTESTED_LIBUPNP=ON takes it all the same)")
else()
	set(_igdward_refusal "")
endif()
if(_igdward_refusal)
	message(FATAL_ERROR "libupnp: ${_igdward_refusal}.\n"
		"Needed: >= 1.14.18 and < 1.15. Run scripts/setup, which builds one in build/deps, "
		"or name the folder of another libupnp.pc in PKG_CONFIG_PATH.")
endif()

# pkg-config names no folder when it is one the compiler searches anyway: so each find_
# below is tried with its answer first and with CMake's own list after that. Where
# there is a shared library, find_library prefers it.
igdward_ask_pkg_config(_igdward_incdirs --cflags-only-I)
igdward_ask_pkg_config(_igdward_libdirs --libs-only-L)
separate_arguments(_igdward_incdirs UNIX_COMMAND "${_igdward_incdirs}")
separate_arguments(_igdward_libdirs UNIX_COMMAND "${_igdward_libdirs}")
list(TRANSFORM _igdward_incdirs REPLACE "^-I" "")
list(TRANSFORM _igdward_libdirs REPLACE "^-L" "")
list(TRANSFORM _igdward_incdirs APPEND "/..")	# the .pc names .../include/upnp

set(_igdward_only NO_CACHE NO_DEFAULT_PATH NO_CMAKE_FIND_ROOT_PATH)
unset(_igdward_inc)
unset(_igdward_upnp)
unset(_igdward_ixml)
find_path(_igdward_inc upnp/upnp.h PATHS ${_igdward_incdirs} ${_igdward_only})
find_path(_igdward_inc upnp/upnp.h NO_CACHE REQUIRED)
find_library(_igdward_upnp upnp PATHS ${_igdward_libdirs} ${_igdward_only})
find_library(_igdward_upnp upnp NO_CACHE REQUIRED)
find_library(_igdward_ixml ixml PATHS ${_igdward_libdirs} ${_igdward_only})
find_library(_igdward_ixml ixml NO_CACHE REQUIRED)

# In this order: of static archives, the user of a symbol stands before its owner.
add_library(igdward_libupnp INTERFACE)
target_include_directories(igdward_libupnp SYSTEM INTERFACE "${_igdward_inc}")
target_link_libraries(igdward_libupnp
	INTERFACE "${_igdward_upnp}" "${_igdward_ixml}" Threads::Threads)
message(STATUS "libupnp ${IGDWARD_LIBUPNP_VERSION}: ${_igdward_upnp}")
