# The order of all phases; needs every phase's folder.
set(phases partition specialise fuse select codegen plan)
set(missing "")
foreach(folder IN LISTS phases)
  if(NOT TARGET passes_${folder})
    list(APPEND missing ${folder})
  endif()
endforeach()
if(NOT missing)
  add_library(passes_pipeline STATIC Pipeline.cpp)
  target_link_libraries(passes_pipeline PUBLIC passes_partition passes_specialise passes_fuse passes_select
                                               passes_codegen passes_plan)
  share_mlir_headers(passes_pipeline)
endif()
