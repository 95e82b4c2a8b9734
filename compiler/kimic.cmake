# kimic, the compiler. Needs every phase (passes/pipeline.cmake).
if(TARGET passes_pipeline)
  add_executable(kimic kimic.cpp Driver.cpp)
  target_link_libraries(kimic PRIVATE compiler_registration compiler_import compiler_emit passes_pipeline)
  share_mlir_headers(kimic)
endif()
