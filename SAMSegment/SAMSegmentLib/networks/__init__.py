"""Network architectures as plain ``torch.nn`` modules; nothing but torch is imported here."""
