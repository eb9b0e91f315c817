"""Whole spines from the skull to the sacrum, in a body that is only sketched.

The patients of `inference.phantom` show the upper abdomen. What finds vertebrae must know all of
them, and all that looks like one: hence many spines, and around them everything bright.
"""
