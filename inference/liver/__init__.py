"""The liver model: seven organs and six lesion types in four-phase or single-phase CT."""
