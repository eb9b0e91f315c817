"""Steps 2 to 5 of the liver model on small arrays whose answers are known."""

import math
from dataclasses import replace

import numpy as np
import pytest
import torch

from inference.grid import Grid
from inference.liver import classes, unusual
from inference.liver.consensus import agree, enhancement
from inference.liver.patient import decide
from inference.liver.proposals import Proposal, find_proposals, search_region
from inference.liver.rules import Rule, Rules
from inference.liver.second_look import draw_lesions, outline_on_grid
from inference.liver.stage2 import (
    N_CHANNELS,
    N_TYPES,
    PATCH,
    LesionNetwork,
    Opinion,
    cut_patch,
    judge,
    patch_input,
    patch_side_mm,
)
from inference.liver.surround import place_doubts
from inference.liver.unusual import unusual_places

SPACING = (3.0, 3.0, 3.0)
SHAPE = (24, 24, 24)
NC, ART, PV, DL = range(4)
ALL = (True,) * 4


def liver_logits(shape=SHAPE):
    """Liver in the middle, background around, nothing else likely."""
    logits = np.full((classes.N_CLASSES, *shape), -9.0, dtype=np.float32)
    logits[classes.BACKGROUND] = 3.0
    inside = (slice(4, 20),) * 3
    logits[(classes.LIVER, *inside)] = 6.0
    logits[(classes.BACKGROUND, *inside)] = 0.0
    return logits


def put(logits, kind, box, ratio):
    """Make a lesion class `ratio` times as likely as the liver in a box."""
    logits[(kind, *box)] = logits[(classes.LIVER, *box)] + math.log(ratio)


RULE = Rule(first_weight=0.5, dropped_above=0.5, sure_dropped_above=0.65, unseen_dropped_above=0.35)
RULES = Rules(
    diagnosis=Rule(malignant_from=0.45),
    screening=Rule(malignant_from=0.3),
)

A, B, C = ((slice(n, n + 3),) * 3 for n in (6, 11, 16))


def test_each_place_is_proposed_at_its_smallest_factor():
    logits = liver_logits()
    put(logits, classes.HCC, A, 1.5)
    put(logits, classes.CYST, B, 0.6)  # fires at 2
    put(logits, classes.FNH, C, 0.3)  # fires at 4
    found = find_proposals(logits, SPACING)
    assert [p.multiplier for p in found] == [1.0, 2.0, 4.0]
    assert [p.lesion_class for p in found] == [classes.HCC, classes.CYST, classes.FNH]
    assert [p.box for p in found] == [A, B, C]
    assert found[0].volume_ml == pytest.approx(27 * 27 / 1000)
    assert find_proposals(logits, SPACING, multipliers=(1.0,))[0].box == A
    assert len(find_proposals(logits, SPACING, multipliers=(1.0, 2.0))) == 2


def test_doubling_is_the_factor_on_probabilities():
    logits = liver_logits()
    for ratio, fires in ((0.51, True), (0.49, False)):
        put(logits, classes.HCC, A, ratio)
        assert bool(find_proposals(logits, SPACING, multipliers=(2.0,))) is fires


def test_types_that_share_a_lesion_propose_it_together():
    logits = liver_logits()
    for kind in (classes.HCC, classes.FNH, classes.ICC):
        put(logits, kind, A, 0.4)
    (found,) = find_proposals(logits, SPACING, multipliers=(1.0,))
    assert found.probabilities[-1] == pytest.approx(1 / (1 + 3 * 0.4), rel=0.01)
    assert found.probabilities.sum() == pytest.approx(1.0)


def test_small_and_distant_places_are_not_proposed():
    logits = liver_logits()
    put(logits, classes.HCC, (slice(8, 9), slice(8, 9), slice(8, 11)), 5.0)  # 0.08 ml
    logits[(classes.HCC, *(slice(0, 1), slice(0, 3), slice(0, 3)))] = 9.0  # far outside
    assert find_proposals(logits, SPACING) == []


def test_a_lesion_at_the_edge_of_the_liver_is_proposed():
    logits = liver_logits()
    logits[(classes.HCC, slice(3, 4), slice(8, 12), slice(8, 12))] = 9.0
    assert len(find_proposals(logits, SPACING)) == 1


def test_only_the_largest_liver_is_searched():
    found = np.zeros(SHAPE, dtype=np.uint8)
    found[4:14, 4:14, 4:14] = classes.LIVER
    found[20:22, 20:22, 20:22] = classes.LIVER
    region = search_region(found, SPACING)
    assert region[3, 8, 8]
    assert not region[1, 8, 8]
    assert not region[20:22].any()


@pytest.mark.parametrize("wrong", [np.zeros((3, 4, 4, 4)), np.zeros((20, 4, 4))])
def test_wrong_logits_are_refused(wrong):
    with pytest.raises(ValueError, match="20 classes"):
        find_proposals(wrong, SPACING)
    with pytest.raises(ValueError, match="positive"):
        find_proposals(liver_logits(), SPACING, multipliers=(0.0,))


def test_patch_side_follows_the_box():
    assert patch_side_mm((10.0, 20.0, 5.0)) == 72.0
    assert patch_side_mm((60.0, 20.0, 5.0)) == 90.0
    assert patch_side_mm((300.0, 20.0, 5.0)) == 126.0


def test_cut_patch_is_centred_and_scaled():
    k, j, i = np.meshgrid(*(np.arange(n, dtype=np.float32) for n in (40, 60, 80)), indexing="ij")
    spacing, centre, side = (3.0, 2.0, 1.5), (20.0, 30.0, 40.0), 72.0
    for volume, axis in ((k, 0), (j, 1), (i, 2)):
        patch = cut_patch(volume, spacing, centre, side, outside=-5.0)
        line = np.moveaxis(patch, axis, 0)[:, 24, 24]
        expected = centre[axis] + (np.arange(PATCH) - 23.5) * 1.5 / spacing[axis]
        inside = (expected > 3) & (expected < volume.shape[axis] - 4)
        assert line[inside] == pytest.approx(expected[inside], abs=0.02)
    far = cut_patch(k, spacing, (-500.0, 0.0, 0.0), side, outside=-5.0)
    assert (far == -5.0).all()


def test_patch_input_hides_missing_phases_and_follows_the_liver():
    hu = torch.full((4, PATCH, PATCH, PATCH), 80.0)
    hu[:, 20:28, 20:28, 20:28] = 130.0
    liver = torch.ones((PATCH, PATCH, PATCH))
    proposal = torch.zeros_like(liver)
    proposal[20:28, 20:28, 20:28] = 1.0
    image = patch_input(hu, (True, False, True, False), liver, proposal)
    assert image.shape == (N_CHANNELS, PATCH, PATCH, PATCH)
    assert image[[1, 3, 5, 7]].abs().max() == 0.0
    assert image[4, 24, 24, 24] == pytest.approx(1.0)  # 50 HU above the liver
    assert image[4, 0, 0, 0] == pytest.approx(0.0)
    assert image[8:12, 0, 0, 0].tolist() == [1.0, 0.0, 1.0, 0.0]
    darker = patch_input(hu - 40.0, (True, False, True, False), liver, proposal)
    assert torch.equal(image[4:8], darker[4:8])
    with pytest.raises(ValueError, match="phases"):
        patch_input(hu, (False,) * 4, liver, proposal)


def test_network_learns_two_types_from_their_attenuation():
    torch.manual_seed(0)
    network = LesionNetwork((4, 8, 8))
    liver = torch.ones((PATCH, PATCH, PATCH))
    proposal = torch.zeros_like(liver)
    proposal[20:28, 20:28, 20:28] = 1.0
    patches = []
    for value in (10.0, 150.0):
        hu = torch.full((4, PATCH, PATCH, PATCH), 80.0) + torch.randn(4, PATCH, PATCH, PATCH)
        patches.append(patch_input(torch.where(proposal > 0, value, hu), ALL, liver, proposal))
    batch, kinds = torch.stack(patches), torch.tensor([5, 0])
    search = torch.optim.Adam(network.parameters(), lr=2e-2)
    for _ in range(15):
        types, outlines = network(batch)
        truth = torch.stack([proposal, proposal])
        loss = torch.nn.functional.cross_entropy(types, kinds)
        loss = loss + torch.nn.functional.binary_cross_entropy_with_logits(outlines, truth)
        search.zero_grad()
        loss.backward()
        search.step()
    opinions = judge(network.eval(), batch)
    assert [int(o.probabilities.argmax()) for o in opinions] == [5, 0]
    assert opinions[0].probabilities.shape == (N_TYPES,)
    assert opinions[0].probabilities.sum() == pytest.approx(1.0, abs=1e-3)
    assert opinions[0].outline.shape == (PATCH, PATCH, PATCH)


def proposal(p, multiplier=1.0, box=A):
    mask = np.ones((3, 3, 3), dtype=bool)
    return Proposal(box, mask, multiplier, 0.7, np.asarray(p, dtype=float))


def opinion(p, outline=0.0):
    return Opinion(np.asarray(p, float), np.full((PATCH,) * 3, outline, dtype=np.float32))


HCC_FIRST = [0.6, 0.1, 0.1, 0, 0, 0, 0.2]
CYST_SECOND = [0.1, 0, 0, 0, 0, 0.8, 0.1]
NOTHING = [0.02, 0, 0, 0, 0, 0.08, 0.9]


def test_consensus_is_the_mean_of_both():
    verdict = agree(proposal(HCC_FIRST), opinion(CYST_SECOND), RULE)
    assert verdict.probabilities == pytest.approx([0.35, 0.05, 0.05, 0, 0, 0.4, 0.15])
    assert verdict.kept
    assert verdict.lesion_class == classes.CYST
    assert verdict.confidence == pytest.approx(0.4)
    assert verdict.opinions["stage 1"]["HCC"] == 0.6
    assert verdict.opinions["stage 2"]["cyst"] == 0.8
    assert "type uncertain" in verdict.flags
    assert "stages disagree: HCC or cyst" in verdict.flags


def test_the_weight_of_stage_1_is_that_of_the_rule():
    rule = Rule(first_weight=0.2, dropped_above=0.5)
    verdict = agree(proposal(HCC_FIRST, 2.0), opinion(CYST_SECOND), rule)
    assert verdict.probabilities[0] == pytest.approx(0.2 * 0.6 + 0.8 * 0.1)
    unseen = agree(proposal(HCC_FIRST, math.inf), opinion(CYST_SECOND), rule)
    assert unseen.probabilities == pytest.approx(CYST_SECOND)


@pytest.mark.parametrize(
    ("multiplier", "first", "second", "kept"),
    [
        (4.0, 0.2, 0.9, False),  # 0.55
        (1.0, 0.2, 0.9, True),  # 0.55, but stage 1 was sure
        (1.0, 0.5, 0.9, False),  # 0.70
        (2.0, 0.4, 0.5, True),  # 0.45
        (math.inf, 0.9, 0.2, True),  # stage 1 has not seen it
        (math.inf, 0.9, 0.45, False),
    ],
)
def test_what_is_dropped(multiplier, first, second, kept):
    one = proposal([1 - first, 0, 0, 0, 0, 0, first], multiplier)
    assert agree(one, opinion([1 - second, 0, 0, 0, 0, 0, second]), RULE).kept is kept


def test_without_a_second_opinion_the_first_decides():
    verdict = agree(proposal(NOTHING, 4.0), None, RULE)
    assert verdict.kept
    assert set(verdict.opinions) == {"stage 1"}


def phases(*hu):
    volume = np.zeros((4, 2, 2, 2), dtype=np.float32)
    volume[:] = np.reshape(hu, (4, 1, 1, 1))
    return volume


LIVER_HU = (55.0, 77.0, 113.0, 90.0)
EVERYWHERE = np.ones((2, 2, 2), dtype=bool)


@pytest.mark.parametrize(
    ("hu", "wash_in", "wash_out", "pattern"),
    [
        ((47, 115, 100, 74), True, True, "wash-in and wash-out"),
        ((51, 118, 115, 93), True, False, "wash-in without wash-out"),
        ((38, 42, 60, 105), False, False, "fills in late"),
        ((7, 7, 8, 7), False, False, "no enhancement"),
        ((36, 45, 55, 60), False, False, "enhances less than the liver"),
    ],
)
def test_enhancement_patterns(hu, wash_in, wash_out, pattern):
    found = enhancement(phases(*hu), ALL, EVERYWHERE, LIVER_HU)
    assert (found["wash-in"], found["wash-out"], found["pattern"]) == (wash_in, wash_out, pattern)
    assert found["HU PV"] == hu[PV]
    assert found["HU ART - liver"] == hu[ART] - 77.0


def test_enhancement_without_the_phases_for_it():
    plain = enhancement(phases(40, 0, 0, 0), (True, False, False, False), EVERYWHERE, LIVER_HU)
    assert plain["wash-in"] is None
    assert plain["pattern"] == "unknown: one phase only"
    assert "HU ART" not in plain


def test_patient_is_ill_if_any_proposal_is_malignant():
    kept = agree(proposal([0.2, 0.1, 0.3, 0, 0, 0.3, 0.1]), None, RULE)
    dropped = agree(proposal(NOTHING, 4.0), opinion(NOTHING), RULE)
    decision = decide([kept, dropped], ALL, RULES)
    rest = 1.0 - dropped.malignancy
    assert 0.0 < dropped.malignancy < 0.1
    assert decision.score == pytest.approx(1.0 - 0.4 * rest)
    assert decision.malignant
    assert decision.setting == "diagnosis"
    assert "metastasis (0.60)" in decision.reason
    assert decide([kept, kept], ALL, RULES).score == pytest.approx(1.0 - 0.4 * 0.4)
    assert not decide([dropped], ALL, RULES).malignant
    assert decide([], ALL, RULES).reason == "No lesion was found."


def test_a_patient_may_be_ill_without_a_lesion_that_is_drawn():
    half = [0.3, 0, 0, 0, 0, 0, 0.7]
    dropped = agree(proposal(half, 4.0), opinion(half), RULE)
    assert not dropped.kept
    decision = decide([dropped] * 3, ALL, RULES)
    assert decision.malignant
    assert decision.reason == "No lesion was found, but some that were dropped look suspicious."


def test_malignancy_has_weights_of_its_own():
    rule = replace(RULE, first_malignancy=0.25, unseen_malignancy=0.5)
    one, two = [0.8, 0, 0, 0, 0, 0, 0.2], [0.2, 0, 0.2, 0, 0.6, 0, 0]
    seen = agree(proposal(one, 2.0), opinion(two), rule)
    assert seen.malignancy == pytest.approx(0.25 * 0.8 + 0.75 * 0.4)
    unseen = agree(proposal(one, math.inf), opinion(two), rule)
    assert unseen.malignancy == pytest.approx(0.4)
    assert (seen.weight, unseen.weight) == (1.0, 0.5)
    score = decide([seen, unseen], [True] * 4, Rules(rule)).score
    assert score == pytest.approx(1.0 - (1.0 - seen.malignancy) * (1.0 - 0.2))


def test_screening_is_for_plain_scans_and_calls_earlier():
    plain = (True, False, False, False)
    doubtful = agree(proposal([0.35, 0, 0, 0, 0, 0.4, 0.25]), None, RULE)
    assert decide([doubtful], plain, RULES).setting == "screening"
    assert decide([doubtful], plain, RULES).malignant
    diagnosis = decide([doubtful], plain, RULES, "diagnosis")
    assert not diagnosis.malignant
    assert diagnosis.warnings == ("The diagnosis was made without the phase ART and PV and DL.",)
    with pytest.raises(ValueError, match="diagnosis or screening"):
        decide([], plain, RULES, "guess")


GRID = Grid(SHAPE, np.diag([3.0, 3.0, 3.0, 1.0]))


def test_outline_comes_back_to_its_place():
    outline = np.zeros((PATCH,) * 3, dtype=np.float32)
    outline[22:26, 22:26, 30:34] = 1.0  # 12 mm to one side of the middle
    box, p = outline_on_grid(outline, 72.0, (12.0, 12.0, 12.0), GRID)
    whole = np.zeros(SHAPE)
    whole[box] = p
    assert np.unravel_index(whole.argmax(), SHAPE) == (12, 12, 16)


def test_kept_lesions_are_drawn_and_others_become_liver():
    found = np.full(SHAPE, classes.LIVER, dtype=np.uint8)
    found[B] = classes.FNH
    keep, drop = proposal(HCC_FIRST), proposal(NOTHING, 4.0, B)
    verdicts = [agree(keep, opinion(HCC_FIRST), RULE), agree(drop, opinion(NOTHING), RULE)]
    assert [v.kept for v in verdicts] == [True, False]
    drawn, regions = draw_lesions(found, GRID, [keep, drop], verdicts, [None, None])
    assert (drawn[A] == classes.HCC).all()
    assert (drawn[B] == classes.LIVER).all()
    assert regions[1] is None
    assert regions[0].sum() == 27


def test_stage_2_redraws_but_does_not_lose_a_lesion():
    found = np.full(SHAPE, classes.LIVER, dtype=np.uint8)
    larger = opinion(HCC_FIRST)
    larger.outline[16:32, 16:32, 16:32] = 1.0
    for second, least in ((larger, 200), (opinion(HCC_FIRST), 27)):
        one = proposal(HCC_FIRST)
        _, (region,) = draw_lesions(found, GRID, [one], [agree(one, second, RULE)], [second])
        assert region.sum() >= least
        assert region[A].all()


def region_of(place, shape):
    box, mask = place
    region = np.zeros(shape, dtype=bool)
    region[box] = mask
    return region


def test_what_stands_out_is_proposed_once_and_first():
    rng = np.random.default_rng(0)
    hu = np.stack([np.full((30, 30, 30), v) for v in LIVER_HU]) + rng.normal(0, 3, (4, 30, 30, 30))
    liver = np.zeros((30, 30, 30), dtype=bool)
    liver[3:27, 3:27, 3:27] = True
    cyst = (slice(10, 15),) * 3
    hu[(slice(None), *cyst)] = 7.0
    liver[cyst] = False  # taken for something else
    nothing = np.zeros_like(liver)
    regions = [
        region_of(place, liver.shape) for place in unusual_places(hu, ALL, liver, SPACING, nothing)
    ]
    where = np.argwhere(regions[0])
    assert where.mean(axis=0) == pytest.approx([12.0] * 3, abs=0.6)
    assert 60 <= regions[0].sum() <= 400
    assert not any(region[cyst].any() for region in regions[1:])
    known = nothing.copy()
    known[cyst] = True
    again = [
        region_of(place, liver.shape) for place in unusual_places(hu, ALL, liver, SPACING, known)
    ]
    assert not any(region[11:14, 11:14, 11:14].any() for region in again)


def test_a_lesion_too_faint_for_any_threshold_is_found_as_a_blob(monkeypatch):
    rng = np.random.default_rng(1)
    hu = np.stack([np.full((40, 40, 40), v) for v in LIVER_HU]) + rng.normal(0, 3, (4, 40, 40, 40))
    liver = np.zeros((40, 40, 40), dtype=bool)
    liver[2:38, 2:38, 2:38] = True
    k, j, i = np.ogrid[:40, :40, :40]
    lesion = (k - 20) ** 2 + (j - 21) ** 2 + (i - 21) ** 2 <= 9
    hu[:, lesion] += 9.0

    def best_share():
        shares = [0.0]
        for place in unusual_places(hu, ALL, liver, SPACING, np.zeros_like(liver)):
            region = region_of(place, liver.shape)
            shares.append((region & lesion).sum() / (region | lesion).sum())
        return max(shares)

    assert best_share() >= 0.3
    monkeypatch.setattr(unusual, "MOST_BLOBS", 0)
    assert best_share() == 0.0


def test_a_lesion_among_other_organs_is_doubtful():
    found = np.full((20, 20, 20), classes.LIVER, dtype=np.uint8)
    found[:, :, 10:] = classes.RIGHT_KIDNEY
    inside, outside = np.zeros((2, 20, 20, 20), dtype=bool)
    inside[8:12, 8:12, 2:6] = True
    outside[8:12, 8:12, 12:16] = True
    found[inside | outside] = classes.CYST
    assert place_doubts(found, inside) == ()
    assert place_doubts(found, outside) == ("mostly outside of the liver, beside right kidney",)
    found[found == classes.RIGHT_KIDNEY] = classes.BACKGROUND
    assert place_doubts(found, outside) == ("mostly outside of the liver",)
