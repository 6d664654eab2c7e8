"""How good masks are: metrics, a simulated user, protocols, reports. No torch, Qt or Slicer."""
