"""One table for everything a user can do: menus, keys, tooltips, the F1 page and tests.

A row a line, so that the whole can be read as a table.
"""
# ruff: noqa: E501

from __future__ import annotations

from dataclasses import dataclass

from labeler.state.perspective import LIVER, SPINE

#: Menus that belong to one perspective; the others are always there.
MENU_PERSPECTIVES = {"Regions": LIVER, "Tools": LIVER, "Spine": SPINE}


@dataclass(frozen=True)
class Command:
    """A user's act.

    Attributes
    ----------
    id
        Stable name, ``group.verb``.
    menu
        Title of the menu it stands in.
    text
        Menu text.
    tip
        What it does, for tooltip and key page.
    keys
        Default keys, first one shown.
    icon
        Icon name of qtawesome, or "".
    checkable
        Whether it is an on/off choice.
    asleep
        Whether it is disabled, and its keys free for others, until there is something to do.
    only
        Perspective that it belongs to although its menu does not, or "".
    """

    id: str
    menu: str
    text: str
    tip: str
    keys: tuple[str, ...] = ()
    icon: str = ""
    checkable: bool = False
    asleep: bool = False
    only: str = ""

    @property
    def perspective(self) -> str:
        """Perspective that it belongs to; "" for all. There its keys go before those of all."""
        return self.only or MENU_PERSPECTIVES.get(self.menu, "")


COMMANDS: tuple[Command, ...] = (
    Command("file.open", "File", "Open folders…", "Choose the folders of images, masks and reports", ("Ctrl+O",), "mdi6.folder-open-outline"),
    Command("file.save", "File", "Save", "Save every changed mask and note of this case", ("Ctrl+S",), "mdi6.content-save-outline"),
    Command("file.save_copy", "File", "Save mask as copy…", "Save the active mask under another name", ("Ctrl+Shift+S",), "mdi6.content-save-edit-outline"),
    Command("file.open_centroids", "File", "Open centroids…", "Put the centroids of a VerSe, 3D Slicer or VID file in the place of those there are", (), "mdi6.file-import-outline"),
    Command("file.export_centroids", "File", "Export centroids…", "Write the centroids to another VerSe or 3D Slicer file", (), "mdi6.file-export-outline"),
    Command("file.export_worklist", "File", "Export worklist…", "Write status, levels, doubts, edits and time of every case to a CSV file", (), "mdi6.table-arrow-right"),
    Command("file.settings", "File", "Settings…", "Change views, keys, mouse and memory", ("Ctrl+,",), "mdi6.cog-outline"),
    Command("file.quit", "File", "Quit", "Close the program; unsaved changes are asked about", ("Ctrl+Q",)),
    Command("case.next", "Case", "Next case", "Open the next case of the list", ("Ctrl+PgDown",), "mdi6.chevron-down"),
    Command("case.previous", "Case", "Previous case", "Open the previous case of the list", ("Ctrl+PgUp",), "mdi6.chevron-up"),
    Command("case.done", "Case", "Done, next", "Save, mark the case done and open the next one", ("Ctrl+Return",), "mdi6.check", only=LIVER),
    Command("case.flag", "Case", "Flag for review", "Mark the case as one to look at again", ("Ctrl+G",), "mdi6.flag-outline", True),
    Command("case.search", "Case", "Search cases", "Put the cursor into the search field of the case list", ("Ctrl+F",), "mdi6.magnify"),
    Command("case.phases", "Case", "Assign phases…", "Correct which file is which phase", ("Ctrl+Shift+P",), "mdi6.swap-horizontal"),
    Command("edit.undo", "Edit", "Undo", "Take the last change back", ("Ctrl+Z",), "mdi6.undo"),
    Command("edit.redo", "Edit", "Redo", "Bring the change back that was undone", ("Ctrl+Shift+Z", "Ctrl+Y"), "mdi6.redo"),
    Command("edit.history", "Edit", "History", "Show or close the list of steps; a click in it goes to a step", ("H",), "mdi6.history", True),
    Command("preview.accept", "Edit", "Accept preview", "Do what is shown with a dashed line", ("Return", "Enter"), "mdi6.check", asleep=True, only=LIVER),
    Command("preview.accept_slice", "Edit", "Accept this slice", "Do it on the slice of the crosshair only", ("Shift+Return",), "mdi6.layers-outline", asleep=True, only=LIVER),
    Command("preview.cancel", "Edit", "Give up", "Take the dashed line away; nothing is changed", ("Esc",), "mdi6.close", asleep=True, only=LIVER),
    Command("region.next", "Regions", "Next region", "Jump all views to the next region of the list", ("N",), "mdi6.arrow-down"),
    Command("region.previous", "Regions", "Previous region", "Jump all views to the previous region of the list", ("Shift+N",), "mdi6.arrow-up"),
    Command("region.tick", "Regions", "Reviewed", "Tick the selected regions as reviewed, or take the ticks back", ("T",), "mdi6.check-circle-outline"),
    Command("region.delete", "Regions", "Delete region", "Delete the selected regions from their masks", ("Del",), "mdi6.delete-outline"),
    Command("region.relabel", "Regions", "Relabel region…", "Give the selected regions another label", ("L",), "mdi6.tag-outline"),
    Command("region.copy", "Regions", "Copy region to mask…", "Copy the selected regions into another mask, under their own or another label", ("C",), "mdi6.content-copy"),
    Command("region.move", "Regions", "Move region to mask…", "Move the selected regions into another mask, under their own or another label", ("M",), "mdi6.arrow-right-bold-outline"),
    Command("region.between", "Regions", "Fill between slices", "Show what fills the active label between the slices it is drawn on", ("I",), "mdi6.layers-plus"),
    Command("region.grow", "Regions", "Grow…", "Move the surface of regions outwards by mm", ("=", "+"), "mdi6.arrow-expand-all"),
    Command("region.shrink", "Regions", "Shrink…", "Move the surface of regions inwards by mm", ("-",), "mdi6.arrow-collapse-all"),
    Command("region.smooth", "Regions", "Smooth…", "Smooth the surface of regions; the volume stays", ("Shift+S",), "mdi6.blur"),
    Command("region.fill_holes", "Regions", "Fill holes…", "Fill what regions enclose", ("Shift+F",), "mdi6.circle-slice-8"),
    Command("region.hollow", "Regions", "Hollow…", "Keep only a wall below the surface of regions", ("Shift+O",), "mdi6.circle-outline"),
    Command("region.keep_largest", "Regions", "Keep largest…", "Delete all regions of a label but the largest", ("Shift+K",), "mdi6.circle-multiple-outline"),
    Command("region.remove_small", "Regions", "Remove small…", "Delete regions smaller than a volume", ("Shift+R",), "mdi6.dots-hexagon"),
    Command("region.split", "Regions", "Split at necks…", "Cut the selected region where it is narrow", ("Shift+W",), "mdi6.call-split"),
    Command("region.merge", "Regions", "Merge with…", "Join the selected region and the one selected next, with a bridge between", ("J",), "mdi6.call-merge"),
    Command("mask.new", "Masks", "New empty mask…", "Add an empty mask on the grid of the active view's phase", ("Ctrl+N",), "mdi6.plus"),
    Command("mask.copy", "Masks", "Copy mask…", "Add a copy of the active mask under another name", ("Ctrl+D",), "mdi6.content-duplicate"),
    Command("mask.close", "Masks", "Close mask", "Take the active mask out of the window; its file stays", ("Ctrl+W",), "mdi6.layers-remove"),
    Command("mask.threshold", "Masks", "Label by threshold…", "Give every voxel within a range of HU the active label", ("Ctrl+T",), "mdi6.tune-vertical"),
    Command("mask.take_labels", "Masks", "Take labels of a mask…", "Draw what another mask has into the active one", ("Ctrl+L",), "mdi6.layers-plus"),
    Command("mask.combine", "Masks", "Combine masks…", "Both together, what both have, one without the other", ("Ctrl+B",), "mdi6.set-center"),
    Command("mask.slice_below", "Masks", "Copy from slice below", "Draw the active label as it is on the slice below (back, left) of the active view", (",",), "mdi6.content-copy"),
    Command("mask.slice_above", "Masks", "Copy from slice above", "Draw the active label as it is on the slice above (front, right) of the active view", (".",), "mdi6.content-copy"),
    Command("mask.from_proposal", "Masks", "New mask from proposal…", "Add a mask with everything that is open in the proposal", ("Ctrl+Shift+N",), "mdi6.creation-outline", asleep=True),
    Command("mask.lock_label", "Masks", "Lock label", "Protect the active label from every change", ("K",), "mdi6.lock-outline", True),
    Command("tool.centroid", "Spine", "Move", "Drag centroids in any view; elsewhere a click moves the crosshair", ("1",), "mdi6.cursor-move", True),
    Command("tool.centroid_add", "Spine", "Add", "Click to add a centroid; it is named after its place, and those below are counted on", ("2",), "mdi6.plus-circle-outline", True),
    Command("spine.down", "Spine", "Level below", "Select the next vertebra towards the feet", ("Down",), "mdi6.arrow-down"),
    Command("spine.up", "Spine", "Level above", "Select the next vertebra towards the head", ("Up",), "mdi6.arrow-up"),
    Command("spine.next_doubt", "Spine", "Next doubtful", "Go to the next vertebra with something to look at", ("N",), "mdi6.alert-circle-outline"),
    Command("spine.previous_doubt", "Spine", "Previous doubtful", "Go to the vertebra above with something to look at", ("Shift+N",)),
    Command("spine.keep", "Spine", "Keep", "What the model doubted about the selected vertebra is right; goes on to the next doubt", ("Return", "Enter"), "mdi6.check"),
    Command("spine.snap", "Spine", "Snap to centre", "Move the selected centroid to the model's centre; without one, or pressed again, into the middle of the bone", ("B",), "mdi6.magnet"),
    Command("spine.shift_up", "Spine", "Shift all up", "Rename every level to the one above it, such as L1 to T12", ("Alt+Up",), "mdi6.arrow-up-bold-outline"),
    Command("spine.shift_down", "Spine", "Shift all down", "Rename every level to the one below it, such as T12 to L1", ("Alt+Down",), "mdi6.arrow-down-bold-outline"),
    Command("spine.below_up", "Spine", "From here down, up", "Rename the selected level and all below it to the ones above", ("Alt+Shift+Up",)),
    Command("spine.below_down", "Spine", "From here down", "Rename the selected level and all below it to the ones below: a level is skipped here", ("Alt+Shift+Down",), "mdi6.arrow-expand-down"),
    Command("spine.above_up", "Spine", "From here up", "Rename the selected level and all above it to the ones above", ("Ctrl+Shift+Up",)),
    Command("spine.above_down", "Spine", "From here up, down", "Rename the selected level and all above it to the ones below", ("Ctrl+Shift+Down",)),
    Command("spine.renumber", "Spine", "Renumber from here…", "Type the level of the selected vertebra; all others are counted from it", ("R",), "mdi6.order-numeric-ascending"),
    Command("spine.insert", "Spine", "Insert level", "Add a centroid between the selected vertebra and the one below; those below are counted on", ("I",), "mdi6.table-row-plus-after"),
    Command("spine.extra", "Spine", "Count as T13 or L6", "The selected L1 is a thirteenth thoracic, the selected S1 a sixth lumbar vertebra", ("Shift+I",)),
    Command("spine.swap", "Spine", "Swap with next", "Exchange the names of the selected vertebra and the one below", ("E",), "mdi6.swap-vertical"),
    Command("spine.delete", "Spine", "Delete centroid", "Take the selected centroid away; the others keep their names", ("Del",), "mdi6.delete-outline"),
    Command("spine.type_c", "Spine", "Type a cervical level", "Begin to type a name such as c5 for the selected vertebra", ("C",)),
    Command("spine.type_t", "Spine", "Type a thoracic level", "Begin to type a name such as t12 for the selected vertebra", ("T",)),
    Command("spine.type_l", "Spine", "Type a lumbar level", "Begin to type a name such as l1 for the selected vertebra", ("L",)),
    Command("spine.type_s", "Spine", "Type the sacrum", "Begin to type s1 for the selected vertebra", ("S",)),
    Command("spine.accept", "Spine", "Accept, next", "Save, mark the case done and open the next doubtful one", ("Ctrl+Return",), "mdi6.check"),
    Command("spine.from_mask", "Spine", "Centroids from mask", "Make centroids of the labels of the active mask, in the place of those there are", (), "mdi6.layers-search-outline"),
    Command("spine.relabel_mask", "Spine", "Relabel mask", "Rename the labels of the active mask to match the centroids", (), "mdi6.tag-text-outline"),
    Command("spine.noted", "Spine", "As noted before", "Bring back the centroids that were noted before somebody else changed their file"),
    Command("spine.signals", "Spine", "Signals of the model", "Show or hide, beside the pictures along the spine, what the vertebra model saw at each height", ("G",), "mdi6.chart-bell-curve", True),
    Command("spine.fit", "Spine", "Whole spine", "Show the whole spine in the strip", ("F",), "mdi6.fit-to-page-outline"),
    Command("model.panel", "Models", "Models", "Show or close the panel of models and what they propose", ("Ctrl+M",), "mdi6.brain", True),
    Command("model.run", "Models", "Run on this case", "Run the chosen model on the open case", ("Ctrl+R",), "mdi6.play"),
    Command("model.run_all", "Models", "Run on all listed", "Run the chosen model on every case of the list, one after the other", ("Ctrl+Shift+R",), "mdi6.playlist-play"),
    Command("model.cancel", "Models", "Stop", "Stop the running model and empty the queue", ("Ctrl+.",), "mdi6.stop", asleep=True),
    Command("model.add_folder", "Models", "Add model folder…", "Choose a folder with a model of your own, or with several", (), "mdi6.folder-plus-outline"),
    Command("proposal.next", "Models", "Next proposed", "Show what is open next in the proposal", ("Q",), "mdi6.arrow-down", asleep=True),
    Command("proposal.previous", "Models", "Previous proposed", "Show what is open before in the proposal", ("Shift+Q",), "mdi6.arrow-up", asleep=True),
    Command("proposal.accept", "Models", "Accept region", "Draw the selected region of the proposal into the active mask", ("Alt+Return", "Alt+Enter"), "mdi6.check", asleep=True),
    Command("proposal.accept_label", "Models", "Accept label", "Draw every open region of its label into the active mask", ("Alt+Shift+Return",), "mdi6.check-all", asleep=True),
    Command("proposal.accept_all", "Models", "Accept all", "Draw every open region of the proposal into the active mask", ("Ctrl+Shift+Return",), "mdi6.check-decagram-outline", asleep=True),
    Command("proposal.reject", "Models", "Reject region", "Put the selected region of the proposal away, or bring it back", ("Alt+Del",), "mdi6.close-circle-outline", asleep=True),
    Command("proposal.reject_all", "Models", "Reject all", "Put every open region of the proposal away", ("Alt+Shift+Del",), "mdi6.close-circle-multiple-outline", asleep=True),
    Command("proposal.take_landmarks", "Models", "Take centroids", "Put the proposed centroids in the place of those of the case", ("Alt+T",), "mdi6.map-marker-check-outline", asleep=True),
    Command("proposal.picture", "Models", "How it was found…", "Show what the model saw, as a picture that it drew", ("Alt+P",), "mdi6.image-search-outline", asleep=True),
    Command("proposal.show", "Models", "Show proposal", "Show or hide the dashed regions of the proposal", ("Alt+S",), "mdi6.eye-outline", True, True),
    Command("proposal.compare", "Models", "Compare with mask", "Show where the active mask differs from the proposal", ("Alt+Y",), "mdi6.compare", True, True),
    Command("proposal.labels", "Models", "Labels of the model…", "Say which labels the model's own names mean", (), "mdi6.tag-multiple-outline", asleep=True),
    Command("tool.navigate", "Tools", "Navigate", "Click moves the crosshair, drag follows", ("1",), "mdi6.crosshairs-gps", True),
    Command("tool.contour", "Tools", "Contour", "Draw a closed contour; its inside gets the active label (right button erases)", ("2",), "mdi6.lasso", True),
    Command("tool.brush", "Tools", "Brush", "Paint a round brush sized in mm (right button erases)", ("3",), "mdi6.brush", True),
    Command("tool.eraser", "Tools", "Eraser", "Erase the active label with a round brush", ("4",), "mdi6.eraser", True),
    Command("tool.contour_erase", "Tools", "Erase contour", "Draw a closed contour; the active label inside is erased", ("5",), "mdi6.selection-remove", True),
    Command("tool.fill", "Tools", "Fill", "Fill the enclosed area under the cursor with the active label", ("6",), "mdi6.format-color-fill", True),
    Command("tool.outline", "Tools", "Bend contour", "Drag, add or (right button) remove points of the contour under the cursor; double click smooths", ("7",), "mdi6.vector-curve", True),
    Command("tool.livewire", "Tools", "Livewire", "Click corners; the contour between them snaps to edges (right button closes)", ("8",), "mdi6.vector-polyline", True),
    Command("tool.grow", "Tools", "Grow region", "Press on a lesion: voxels like it are shown; drag to change the range of HU, Enter takes them", ("9",), "mdi6.blur-radial", True),
    Command("tool.scribble", "Tools", "Scribble", "Scribble inside a lesion, with the right button outside: its edge is found between, Enter takes it", ("G",), "mdi6.draw", True),
    Command("tool.axes", "Tools", "Axes", "Long and short axis of the selected region: drag their ends, the right button measures again", ("E",), "mdi6.ruler", True),
    Command("tool.split", "Tools", "Split", "Draw a line across the selected region: it is cut there, through all slices", ("0",), "mdi6.content-cut", True),
    Command("label.pick", "Tools", "Pick label", "Take the label under the cursor, and its mask", ("P",), "mdi6.eyedropper"),
    Command("label.unused", "Tools", "Next unused label", "Take the next label that the active mask does not hold yet", ("U",), "mdi6.tag-plus-outline"),
    Command("brush.ball", "Tools", "3-D brush", "Brush and eraser are balls that reach other slices too", ("B",), "mdi6.sphere", True),
    Command("brush.smart", "Tools", "Smart brush", "Paint only what looks like the place where the stroke begins", ("Shift+B",), "mdi6.auto-fix", True),
    Command("contour.replace", "Tools", "Replace", "A contour takes the place of the parts of its label that it touches, instead of being added", ("R",), "mdi6.swap-horizontal-bold", True),
    Command("brush.limits", "Tools", "Limits…", "Draw only inside a label, or only in a range of HU", ("O",), "mdi6.vector-intersection", True),
    Command("tool.smaller", "Tools", "Smaller brush", "Make the brush smaller", ("[",)),
    Command("tool.larger", "Tools", "Larger brush", "Make the brush larger", ("]",)),
    Command("view.liver", "View", "Liver", "Show panels, tools and keys for lesions and organs", ("F2",), "", True),
    Command("view.spine", "View", "Spine", "Show panels, tools and keys for vertebra centroids", ("F4",), "", True),
    Command("view.crosshair", "View", "Crosshair", "Show or hide the crosshair", ("X",), "mdi6.crosshairs", True),
    Command("view.masks", "View", "Masks", "Show or hide all masks", ("S",), "mdi6.layers-outline", True),
    Command("view.axes", "View", "Axes of the region", "Show long and short axis of the selected region with any tool", ("Shift+E",), "mdi6.ruler-square", True),
    Command("view.difference", "View", "Difference of masks", "Show where the active mask differs from another one", ("Y",), "mdi6.compare", True),
    Command("view.blink", "View", "Blink", "While two masks are compared: show one of them, then the other", ("Shift+Y",), "mdi6.swap-horizontal-circle-outline"),
    Command("view.fill_less", "View", "Less fill", "Make the fill of the active mask more transparent", ("A",)),
    Command("view.fill_more", "View", "More fill", "Make the fill of the active mask more opaque", ("D",)),
    Command("view.fit", "View", "Fit", "Show the whole slice", ("F",), "mdi6.fit-to-page-outline"),
    Command("view.maximize", "View", "Maximize view", "Show the active view alone, or all four again", ("V",), "mdi6.arrow-expand"),
    Command("view.slice_up", "View", "Slice up", "One slice towards the head (axial), front or right", ("Up",)),
    Command("view.slice_down", "View", "Slice down", "One slice towards the feet (axial), back or left", ("Down",)),
    Command("view.axial", "View", "Axial", "Show the active view's phase in axial planes", ("Ctrl+1",)),
    Command("view.coronal", "View", "Coronal", "Show the active view's phase in coronal planes", ("Ctrl+2",)),
    Command("view.sagittal", "View", "Sagittal", "Show the active view's phase in sagittal planes", ("Ctrl+3",)),
    Command("view.link_windows", "View", "Link grey scale", "Change the grey scale of all phases together", ("W",), "mdi6.link-variant", True),
    Command("window.liver", "Grey scale", "Liver", "Grey scale for liver", ("Alt+1",)),
    Command("window.soft_tissue", "Grey scale", "Soft tissue", "Grey scale for soft tissue", ("Alt+2",)),
    Command("window.abdomen", "Grey scale", "Abdomen", "Grey scale for the abdomen", ("Alt+3",)),
    Command("window.bone", "Grey scale", "Bone", "Grey scale for bone", ("Alt+4",)),
    Command("window.lung", "Grey scale", "Lung", "Grey scale for lung", ("Alt+5",)),
    Command("window.auto", "Grey scale", "Auto per phase", "Fit the grey scale of each phase to its soft tissue", ("Alt+0",), "mdi6.auto-fix"),
    Command("help.keys", "Help", "Keys", "Show every key and what it does", ("F1",), "mdi6.keyboard-outline"),
    Command("help.about", "Help", "About CT Labeler", "Version, licence and intended use"),
)  # fmt: skip
