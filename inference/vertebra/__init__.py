"""Vertebrae: where each one is in a CT, and which one it is."""
