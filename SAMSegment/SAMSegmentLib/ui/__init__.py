"""What the user sees of SAMSegment.

- `effect`: the panel in the Segment Editor, and its session: from prompts to a written segment
- `models`: installing, choosing and removing models
- `module`: the panel of the module, diagnostics, the self test
- `common`: the shared worker service, device settings, status lines, and Qt helpers

Every Segment Editor has its own panel and session; the worker process is shared.
"""
