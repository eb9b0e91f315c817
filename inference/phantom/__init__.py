"""Synthetic four-phase patients with exact truth.

`patient.make_patient` makes one in memory, `real_patient.make_real_patient` does the same from a
real CT and its organ label map, and `writing.write_examples` writes sets of them to disk. The
anatomy is implicit geometry (`fields`) painted into a `scene`; `rendering` turns it into the CT
volumes of four phases.
"""
