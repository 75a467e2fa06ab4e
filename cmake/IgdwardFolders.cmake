# One folder, one target. A folder's headers are found by another only through a link to
# its target, so a wrong dependency does not compile, let alone link.

# igdward_library(NAME SOURCES... LINK targets...)
function(igdward_library name)
	cmake_parse_arguments(arg "" "INCLUDE" "SOURCES;LINK;PRIVATE" ${ARGN})
	add_library(${name} STATIC ${arg_SOURCES})
	if(arg_INCLUDE)
		target_include_directories(${name} PUBLIC ${arg_INCLUDE})
	else()
		target_include_directories(${name} PUBLIC ${CMAKE_CURRENT_SOURCE_DIR})
	endif()
	target_link_libraries(${name} PUBLIC ${arg_LINK} PRIVATE ${arg_PRIVATE})
endfunction()

# igdward_program(NAME DESTINATION dir SOURCES... LINK targets...)
# A child's program cannot be read by the user it runs as, so that the kernel makes the process
# one that nobody but root can trace, from exec on.
function(igdward_program name)
	cmake_parse_arguments(arg "" "DESTINATION" "SOURCES;LINK" ${ARGN})
	add_executable(${name} ${arg_SOURCES})
	target_link_libraries(${name} PRIVATE ${arg_LINK})
	set(permissions OWNER_READ OWNER_WRITE OWNER_EXECUTE GROUP_EXECUTE WORLD_EXECUTE)
	if(NOT arg_DESTINATION STREQUAL IGDWARD_LIBEXECDIR)
		list(APPEND permissions GROUP_READ WORLD_READ)
	endif()
	install(TARGETS ${name} RUNTIME DESTINATION ${arg_DESTINATION}
		PERMISSIONS ${permissions})
endfunction()
