"""From Slicer's scene (MRML) to the values of `core`, and back. No Qt; nothing but conversion.

- `volumes`, `markups`, `transforms`, `segments`: reading
- `writer`: the one way a mask gets into a segment; `grid`, `masking` and `modification` are its
  steps (with `core.placement`), `undo` and `editors` take it back
- `provenance`: how a segment was made, kept in its tags
"""
