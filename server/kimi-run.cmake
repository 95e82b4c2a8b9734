# Offline: one artifact, one prompt (or a batch of token ids), the reply on the terminal.
find_package(CLI11 REQUIRED)
add_executable(kimi-run kimi-run.cpp)
target_link_libraries(kimi-run PRIVATE server_schedule server_text runtime_engine CLI11::CLI11)
target_link_options(kimi-run PRIVATE -Wl,--gc-sections)
