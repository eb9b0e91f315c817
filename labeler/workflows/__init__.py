"""What a user does, without widgets: open a case, edit a mask, save, go to a region.

Each act is one function or one small class that joins state, storage and background tasks.
Buttons, keys, scripts and tests all call the same act, so there is one answer to what it does.
"""
