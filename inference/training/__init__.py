"""Training of the shipped networks on synthetic patients and free anatomies."""
