"""From Slicer's scene (MRML) to the values of `core`, and back. No Qt; nothing but conversion.

- `volumes`, `markups`, `transforms`, `segments`: reading
- `writer`: the one way a mask gets into a segment; `grid`, `masking` and `modification` are its
  steps (with `core.placement`), `undo` and `editors` take it back
- `provenance`: how a segment was made, kept in its `tags`; `prompt_store`: its prompts, as they
  are now; `prompt_frame`: whether they still lie where they belong
- `prompt_nodes` (with `point_lists` and `shapes`): the markups that prompts are placed in
- `placing`: Slicer's place mode
- `preview` (with `surface`): the proposal as the user sees it
- `content`, `proposal_limits` (with `layers`): segments as prompts and limits
- `time_point`: of a sequence
- `observers`, `hidden_nodes`, `steps`: what these share
"""
