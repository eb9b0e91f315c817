"""What the networks are punished for."""

from __future__ import annotations

import torch
import torch.nn.functional as F

from inference.liver import classes

_SMOOTH = 1.0
_ABSENT = 0.1
_LESION_WEIGHT = 4.0
_LESION_LOGIT = 2.5
"""What the odds of a lesion in the liver lack to be even: about one voxel in thirteen."""

_LIVER = [classes.LIVER, *classes.LESIONS]


def class_weights() -> torch.Tensor:
    """Return the weight of each class in the cross entropy, float32 of shape (20,)."""
    weights = torch.ones(classes.N_CLASSES)
    weights[classes.LIVER] = 2.0
    weights[list(classes.LESIONS)] = _LESION_WEIGHT
    weights[[classes.GALLBLADDER, classes.PANCREAS]] = 2.0
    return weights


def _dice_loss(both: torch.Tensor, found: torch.Tensor, true: torch.Tensor) -> torch.Tensor:
    """Return the weighted mean of 1 - Dice of some classes.

    A class that is not there counts a tenth: what it takes from others, the others already tell.

    Parameters
    ----------
    both, found, true : Tensor, shape (classes,)
        Sum of the probabilities where the class is, everywhere, and number of its voxels.
    """
    dice = (2.0 * both + _SMOOTH) / (found + true + _SMOOTH)
    weight = torch.where(true > 0, 1.0, _ABSENT)
    return ((1.0 - dice) * weight).sum() / weight.sum()


def _group_loss(p: torch.Tensor, target: torch.Tensor, members: list[int]) -> torch.Tensor:
    """Return 1 - Dice of some classes taken together, probabilities ``[class, voxel]``."""
    there = torch.isin(target, torch.tensor(members, device=target.device)).float()
    group = p[members].sum(dim=0)
    return _dice_loss((group * there).sum()[None], group.sum()[None], there.sum()[None])


def _contrast_loss(log_p: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
    """Return the cross entropy of lesion against parenchyma, both with the same weight.

    One voxel in a hundred is of a lesion: among all the others the networks do not begin to tell
    them for thousands of steps. The odds are shifted, so that the balance of this loss does not
    make the networks see lesions everywhere.
    """
    lesion = torch.isin(target, torch.tensor(classes.LESIONS))
    liver = target == classes.LIVER
    if not (lesion.any() and liver.any()):
        return log_p.new_zeros(())
    odds = log_p[list(classes.LESIONS)].logsumexp(dim=0) - log_p[classes.LIVER] + _LESION_LOGIT
    return 0.5 * (F.softplus(-odds[lesion]).mean() + F.softplus(odds[liver]).mean())


def segmentation_loss(logits: torch.Tensor, truth: torch.Tensor, liver_only: bool) -> torch.Tensor:
    """Return the loss of one sample: cross entropy and soft Dice, of classes and of groups.

    Parameters
    ----------
    logits : Tensor, float32, shape (20, nk, nj, ni)
    truth : Tensor of uint8, shape (nk, nj, ni)
    liver_only : bool
        Only the liver is labelled: whatever else the network says elsewhere is right, as long as
        it is not the liver.
    """
    target = truth.flatten().long()
    log_p = logits.flatten(1).log_softmax(dim=0)
    p = log_p.exp()
    liver_loss = _group_loss(p, target, _LIVER)
    if liver_only:
        inside = torch.isin(target, torch.tensor(_LIVER)).float()
        p_liver = p[_LIVER].sum(dim=0).clamp(1e-6, 1.0 - 1e-6)
        return F.binary_cross_entropy(p_liver, inside) + 0.5 * liver_loss
    weight = class_weights()[target]
    own = log_p.gather(0, target[None])[0]
    entropy = -(weight * own).sum() / weight.sum()
    n = classes.N_CLASSES
    both = torch.zeros(n).index_add(0, target, own.exp())
    true = torch.bincount(target, minlength=n).float()
    dice = _dice_loss(both[1:], p.sum(dim=1)[1:], true[1:])
    lesion_loss = _group_loss(p, target, list(classes.LESIONS))
    there = float(true[list(classes.LESIONS)].sum() > 0)
    contrast = _contrast_loss(log_p, target)
    return entropy + dice + 0.5 * liver_loss + there * lesion_loss + contrast
