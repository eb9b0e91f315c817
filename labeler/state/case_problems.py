"""What was wrong with the files of the open case, in sentences that name them."""

from __future__ import annotations

from labeler.state.session import Session


def case_problems(session: Session) -> list[str]:
    """Return a sentence for each problem of the open case, none twice; empty without a case."""
    found = list(session.case.problems) if session.case is not None else []
    # what reading a file has shown stands for what its header had shown
    read = [where.partition(":") for where in session.problems]
    known = tuple(f"{'Mask ' * (kind == 'mask')}{name}: " for kind, _, name in read if name)
    found = [sentence for sentence in found if not sentence.startswith(known)]
    for where, sentence in session.problems.items():
        kind, _, name = where.partition(":")
        if where == "app":
            continue
        is_named = not name or name.casefold() in sentence.casefold()
        found.append(sentence if is_named else f"{kind.title()} {name}: {sentence}")
    return list(dict.fromkeys(found))
