"""What the networks are punished for."""

from __future__ import annotations

import torch
import torch.nn.functional as F

from inference.liver import classes

_SMOOTH = 1.0
_ABSENT = 0.1
_LIVER = [classes.LIVER, *classes.LESIONS]


def class_weights() -> torch.Tensor:
    """Return the weight of each class in the cross entropy, float32 of shape (20,)."""
    weights = torch.ones(classes.N_CLASSES)
    weights[_LIVER] = 2.0
    weights[[classes.GALLBLADDER, classes.PANCREAS]] = 2.0
    return weights


def _dice_loss(p: torch.Tensor, truth: torch.Tensor) -> torch.Tensor:
    """Return the weighted mean of 1 - Dice over rows ``[class, voxel]``.

    A class that is not there counts a tenth: what it takes from others, the others already tell.
    """
    size = truth.sum(dim=1)
    dice = (2.0 * (p * truth).sum(dim=1) + _SMOOTH) / (p.sum(dim=1) + size + _SMOOTH)
    weight = torch.where(size > 0, 1.0, _ABSENT)
    return ((1.0 - dice) * weight).sum() / weight.sum()


def segmentation_loss(logits: torch.Tensor, truth: torch.Tensor, liver_only: bool) -> torch.Tensor:
    """Return the loss of one sample: cross entropy and soft Dice.

    Parameters
    ----------
    logits : Tensor, float32, shape (20, nk, nj, ni)
    truth : Tensor of uint8, shape (nk, nj, ni)
    liver_only : bool
        Only the liver is labelled: whatever else the network says elsewhere is right, as long as
        it is not the liver.
    """
    flat = logits.flatten(1)
    target = truth.flatten().long()
    log_p = flat.log_softmax(dim=0)
    p = log_p.exp()
    liver_truth = torch.isin(target, torch.tensor(_LIVER)).float()[None]
    liver_p = p[_LIVER].sum(dim=0, keepdim=True)
    liver_dice = _dice_loss(liver_p, liver_truth)
    if liver_only:
        p_liver = liver_p[0].clamp(1e-6, 1.0 - 1e-6)
        return F.binary_cross_entropy(p_liver, liver_truth[0]) + 0.5 * liver_dice
    entropy = F.nll_loss(log_p.t(), target, class_weights())
    one_hot = F.one_hot(target, classes.N_CLASSES).t().float()
    return entropy + _dice_loss(p[1:], one_hot[1:]) + 0.5 * liver_dice
