"""What several tests share: random geometries, phantoms and the real cases."""
