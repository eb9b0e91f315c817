"""Tables that every evaluation writes."""

import csv
import io

from inference.evaluation.tables import csv_of, csv_text, interval_cells, measures_html, share
from inference.metrics import Interval


def test_a_share_knows_how_many_it_is_of():
    half = share(n % 2 == 0 for n in range(8))
    assert (half.value, half.count) == (0.5, 8)
    assert half.low < 0.5 < half.high


def test_cells_with_separators_can_be_read_back():
    columns = (("name", lambda n: f"a, {n}"), ("twice", lambda n: 2 * n))
    rows = list(csv.reader(io.StringIO(csv_of(columns, [1, 2]))))
    assert rows == [["name", "twice"], ["a, 1", "2"], ["a, 2", "4"]]
    text = csv_text(("v", "l", "h", "n"), [interval_cells(Interval(0.5, 0.25, 1.0, 3))])
    assert text == "v,l,h,n\n0.5000,0.2500,1.0000,3\n"


def test_measures_are_rows_and_what_was_not_measured_is_empty():
    one = Interval(0.5, 0.4, 0.6, 10)
    html = measures_html({("a", "x < y"): one, ("b", "z"): one}, ["a", "b"])
    assert html.count("<tr>") == 3
    assert "<th>x &lt; y</th>" in html
    assert html.count('<td class="n"></td>') == 2
    assert html.count(str(one)) == 2
    assert html.index("x &lt; y") < html.index(">z<")
