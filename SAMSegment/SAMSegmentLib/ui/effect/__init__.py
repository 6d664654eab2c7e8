"""The Segment Editor effect's panel and session."""
