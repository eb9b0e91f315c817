"""Ways along edges: cheapest by an independent search, and on the edge of what is seen."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import sparse
from scipy.sparse.csgraph import dijkstra

from labeler.core.livewire import EDGE_COST, FLAT_COST, REACH, WireTree, edge_costs
from tests.unit.core_strategies import seeds


def graph_of(costs):
    """Steps between neighbouring corners and what they cost."""
    n_rows, n_columns = costs.shape
    numbers = np.arange(costs.size).reshape(costs.shape)
    first, second, weight = [], [], []
    for (r, c), cost in np.ndenumerate(costs):
        for dr, dc in [(0, 1), (1, 0), (1, 1), (1, -1)]:
            if r + dr < n_rows and 0 <= c + dc < n_columns:
                first.append(numbers[r, c])
                second.append(numbers[r + dr, c + dc])
                length = 14 if dr and dc else 10
                weight.append(length * int(cost + costs[r + dr, c + dc]) // 2)
    return sparse.csr_array((weight, (first, second)), shape=(costs.size, costs.size))


@given(st.tuples(st.integers(2, 12), st.integers(2, 12)), seeds)
def test_no_way_is_cheaper(shape, seed):
    rng = np.random.default_rng(seed)
    costs = rng.integers(1, 40, shape, dtype=np.int32)
    row, column = rng.integers(0, shape)
    tree = WireTree(costs, (column - 0.5, row - 0.5))
    expected = dijkstra(graph_of(costs), directed=False, indices=row * shape[1] + column)
    for (r, c), cost in np.ndenumerate(expected.reshape(shape)):
        corner = (c - 0.5, r - 0.5)
        assert tree.cost_to(corner) == cost
        path = tree.path_to(corner)
        assert np.array_equal(path[0], (column - 0.5, row - 0.5))
        assert np.array_equal(path[-1], corner)
        walked = 0
        for a, b in itertools.pairwise(path):
            step = np.abs(a - b)
            assert step.max() == 1
            both = costs[int(a[1] + 0.5), int(a[0] + 0.5)] + costs[int(b[1] + 0.5), int(b[0] + 0.5)]
            walked += (14 if step.sum() == 2 else 10) * int(both) // 2
        assert walked == cost


def disc(noise_hu, seed=0, shape=(200, 220), center=(110.0, 95.0), radius=60.0):
    row, column = np.indices(shape)
    away = np.hypot(column - center[0], row - center[1])
    values = np.where(away <= radius, 110.0, 50.0)
    values += np.random.default_rng(seed).normal(0, noise_hu, shape)
    return values.round().astype(np.int16), np.array(center), radius


@pytest.mark.parametrize(("noise_hu", "off"), [(0.0, 1.0), (15.0, 1.6)])
def test_the_wire_snaps_to_the_edge(noise_hu, off):
    values, center, radius = disc(noise_hu)
    tree = WireTree(edge_costs(values, (150, 90)), center + np.array([radius, 0]))
    path = tree.path_to(center + radius * np.array([np.cos(2.0), np.sin(2.0)]))
    away = np.linalg.norm(path - center, axis=1)
    assert np.percentile(np.abs(away - radius), 95) < off
    # The short way round, not the long one.
    assert 0.95 * 2.0 * radius < len(path) * 1.1 < 1.5 * 2.0 * radius


def test_an_edge_outside_of_the_grey_scale_does_not_attract():
    values, _, _ = disc(0.0)
    values[:, 40:] += 1000  # bone or metal, far from what the window shows
    costs = edge_costs(values, (150, 90))
    assert costs[100, 41] < FLAT_COST, "the side that is seen has an edge to white"
    hidden = edge_costs(values + 2000, (150, 90))
    assert (hidden == FLAT_COST).all()


def test_costs_have_the_edges_where_voxels_change():
    values = np.zeros((20, 30), np.int16)
    values[:, 13:] = 100
    costs = edge_costs(values, (100, 50))
    assert costs.shape == (21, 31)
    assert (costs.argmin(axis=1) == 13).all()
    assert costs.min() == EDGE_COST
    assert costs[:, 25:].min() == FLAT_COST
    without = values.astype(np.float32)
    without[:, :5] = np.nan
    assert np.array_equal(edge_costs(without, (100, 50)), costs)


def test_far_away_the_wire_ends_where_its_reach_ends():
    costs = np.full((40, 3 * REACH), FLAT_COST, np.int32)
    path = WireTree(costs, (5.0, 20.0)).path_to((5.0 + 2 * REACH, 20.0))
    assert np.array_equal(path[0], (5.5, 20.5))
    assert np.array_equal(path[-1], (5.5 + REACH, 20.5))
    outside = WireTree(costs, (-50.0, -50.0)).path_to((-9.0, 90.0))
    assert np.array_equal(outside[[0, -1]], [(-0.5, -0.5), (-0.5, 38.5)])
