"""What the user sees of SAMSegment: the effect's panel and its work, and parts of the module panel.

- `session`: one user at work on one segment: prompts, proposal, preview, Apply
- `panel`: the widgets of the effect; they show a `PanelState` and report what the user does
- `retention`: what of ours stays in the scene while the user works with another effect
- `worker_service`: the one worker process of this Slicer, polled from a timer
- `steps`: long work on the main thread, a few milliseconds at a time

Every Segment Editor has its own panel and session; the worker is shared.
"""
