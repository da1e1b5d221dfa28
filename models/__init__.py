"""Models written with minigrad's public API only; each file is one idea and can be read, or copied, alone."""
