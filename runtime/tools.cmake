# The programs that look at and measure artifacts.
find_package(CLI11 REQUIRED)
foreach(tool IN ITEMS kimi-inspect kimi-bench)
  add_executable(${tool} ${CMAKE_CURRENT_LIST_DIR}/${tool}.cpp)
  target_link_libraries(${tool} PRIVATE runtime_engine Boost::json CLI11::CLI11)
endforeach()
