"""Pictures of the effect: its panel, and what it shows in the views."""
