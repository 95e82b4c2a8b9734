# CLI11 is header-only.
find_package(CLI11 REQUIRED)
add_executable(kimi-text ${CMAKE_CURRENT_LIST_DIR}/kimi-text.cpp)
target_link_libraries(kimi-text PRIVATE server_text CLI11::CLI11)
