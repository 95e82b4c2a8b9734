# The OpenAI-compatible server.
find_package(CLI11 REQUIRED)
add_executable(kimi-serve kimi-serve.cpp)
target_link_libraries(kimi-serve PRIVATE server_http runtime_engine CLI11::CLI11)
target_link_options(kimi-serve PRIVATE -Wl,--gc-sections)
